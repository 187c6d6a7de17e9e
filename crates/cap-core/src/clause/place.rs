//! Where a clause stands on the wire.

use super::Clause;
use crate::Constraints;

impl Clause {
    /// Whether the place of this clause in `set` is still free.
    pub(crate) fn is_free_in(&self, set: &Constraints) -> bool {
        match self {
            Self::Arguments { tool, .. } => !set.arguments.contains_key(tool),
            Self::CommandArguments(_) => set.command_args.is_none(),
            Self::Commands(_) => set.commands.is_none(),
            Self::Custom(custom) => !set.custom.contains_key(custom.name()),
            Self::Domains(_) => set.allowed_domains.is_none(),
            Self::Environment(_) => set.environment.is_none(),
            Self::Expires(_) => set.expires_at.is_none(),
            Self::Extensions(_) => set.allowed_extensions.is_none(),
            Self::FileSize(_) => set.max_file_size.is_none(),
            Self::HttpMethods(_) => set.methods.is_none(),
            Self::Kinds(_) => set.kinds.is_none(),
            Self::Methods(_) => set.allowed_methods.is_none(),
            Self::Networks(_) => set.cidr.is_none(),
            Self::NotBefore(_) => set.not_before.is_none(),
            Self::Operations(_) => set.operations.is_none(),
            Self::Paths(_) => set.paths.is_none(),
            Self::Ports(_) => set.ports.is_none(),
            Self::Protocols(_) => set.protocols.is_none(),
            Self::PublicNetworks => set.private_networks.is_none(),
            Self::TimeWindows(_) => set.time_windows.is_none(),
            Self::ToolKinds(_) => set.tool_kinds.is_none(),
            Self::Tools(_) => set.allowed_tools.is_none(),
            Self::Urls(_) => set.urls.is_none(),
        }
    }

    /// Puts the clause in its place in `set`.
    pub(crate) fn write(&self, set: &mut Constraints) {
        match self.clone() {
            Self::Arguments { tool, rules } => drop(set.arguments.insert(tool, rules)),
            Self::CommandArguments(rules) => set.command_args = Some(rules),
            Self::Commands(list) => set.commands = Some(list),
            Self::Custom(custom) => {
                let (name, parameter) = custom.into_parts();
                set.custom.insert(name, parameter);
            }
            Self::Domains(list) => set.allowed_domains = Some(list),
            Self::Environment(names) => set.environment = Some(names),
            Self::Expires(at) => set.expires_at = Some(at),
            Self::Extensions(list) => set.allowed_extensions = Some(list),
            Self::FileSize(max) => set.max_file_size = Some(max),
            Self::HttpMethods(methods) => set.methods = Some(methods),
            Self::Kinds(kinds) => set.kinds = Some(kinds),
            Self::Methods(list) => set.allowed_methods = Some(list),
            Self::Networks(list) => set.cidr = Some(list),
            Self::NotBefore(at) => set.not_before = Some(at),
            Self::Operations(operations) => set.operations = Some(operations),
            Self::Paths(list) => set.paths = Some(list),
            Self::Ports(list) => set.ports = Some(list),
            Self::Protocols(list) => set.protocols = Some(list),
            Self::PublicNetworks => set.private_networks = Some(false),
            Self::TimeWindows(list) => set.time_windows = Some(list),
            Self::ToolKinds(kinds) => set.tool_kinds = Some(kinds),
            Self::Tools(list) => set.allowed_tools = Some(list),
            Self::Urls(list) => set.urls = Some(list),
        }
    }
}
