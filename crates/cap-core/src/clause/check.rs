//! Whether a clause holds for a request: without an allocation, since it is asked on every call.

use alloc::collections::BTreeSet;
use alloc::string::String;

use chrono::{DateTime, Utc};

use super::Clause;
use crate::net::{IpNet, cidr_admits, is_special_purpose};
use crate::request::{
    Addresses, Beneath, Mapping, PathRequest, Physical, Reach, Resource, ToolRequest,
};
use crate::{
    AbsPath, AccessRequest, CommandRequest, DenyCode, Kinds, Operation, Operations, PathPattern,
    UrlRequest,
};

/// What of a path is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Its name, and what a file system says of it.
    Whole,
    /// Its name alone.
    Name,
}

impl Clause {
    /// `Err` when the clause refuses the request.
    pub(crate) fn check(
        &self,
        request: &AccessRequest,
        sight: Sight,
        now: DateTime<Utc>,
    ) -> Result<(), DenyCode> {
        match (self, &request.resource) {
            (Self::Expires(at), _) => holds(now < *at, DenyCode::CapabilityExpired),
            (Self::NotBefore(at), _) => holds(now >= *at, DenyCode::CapabilityNotYetValid),
            (Self::TimeWindows(windows), _) => holds(
                windows.iter().any(|window| window.contains(now)),
                DenyCode::OutsideTimeWindow,
            ),
            (Self::Kinds(kinds), _) => {
                holds(kinds.contains(request.kind()), DenyCode::KindNotGranted)
            }
            (Self::Operations(granted), _) => {
                holds(request.operations.is_subset(*granted), DenyCode::OperationNotAllowed)
            }
            (Self::Custom(custom), _) => custom.check(request, now),
            (_, Resource::Command(command)) => self.check_command(command),
            (Self::Methods(methods), Resource::Method(method)) => holds(
                methods.iter().any(|pattern| pattern.matches(method)),
                DenyCode::MethodNotAllowed,
            ),
            (_, Resource::Path(path)) => self.check_path(path, request.operations, sight),
            (_, Resource::Tool(tool)) => self.check_tool(tool),
            (_, Resource::Url(url)) => self.check_url(url),
            _ => Ok(()),
        }
    }

    /// Whether it judges what a file system says of a path, besides where it leads.
    pub(crate) const fn asks_what_is_there(&self) -> bool {
        matches!(self, Self::Extensions(_) | Self::FileSize(_))
    }

    fn check_command(&self, command: &CommandRequest) -> Result<(), DenyCode> {
        match self {
            Self::Commands(programs) => holds(
                programs.iter().any(|granted| granted.matches(&command.program)),
                DenyCode::CommandNotAllowed,
            ),
            Self::CommandArguments(rules) => holds(
                rules.permits(&command.program, &command.arguments),
                DenyCode::CommandArgumentRefused,
            ),
            Self::Environment(names) => holds(
                command.environment.iter().all(|name| names.contains(name)),
                DenyCode::EnvironmentNotAllowed,
            ),
            _ => Ok(()),
        }
    }

    fn check_path(
        &self,
        path: &PathRequest,
        operations: Operations,
        sight: Sight,
    ) -> Result<(), DenyCode> {
        match self {
            Self::Paths(patterns) => check_patterns(patterns, path, sight),
            Self::Extensions(extensions) => check_extension(extensions, path, operations, sight),
            Self::FileSize(max) => check_size(*max, path, operations, sight),
            _ => Ok(()),
        }
    }

    fn check_tool(&self, tool: &ToolRequest) -> Result<(), DenyCode> {
        match self {
            Self::Tools(tools) => {
                holds(tools.iter().any(|one| one.matches(&tool.name)), DenyCode::ToolNotAllowed)
            }
            Self::ToolKinds(kinds) => check_mapped(*kinds, tool),
            Self::Arguments { tool: name, rules } if *name == tool.name => {
                holds(rules.permits(&tool.arguments), DenyCode::ArgumentRefused)
            }
            _ => Ok(()),
        }
    }

    fn check_url(&self, request: &UrlRequest) -> Result<(), DenyCode> {
        let url = &request.url;
        match self {
            Self::Domains(domains) => {
                holds(domains.iter().any(|domain| domain.matches(url)), DenyCode::DomainNotAllowed)
            }
            Self::HttpMethods(methods) => holds(
                request.method.as_ref().is_some_and(|method| methods.contains(method)),
                DenyCode::HttpMethodNotAllowed,
            ),
            Self::Networks(networks) => check_networks(networks, request),
            Self::Ports(ports) => holds(
                url.port().is_some_and(|port| ports.iter().any(|range| range.contains(port))),
                DenyCode::PortNotAllowed,
            ),
            Self::Protocols(schemes) => {
                holds(schemes.contains(url.scheme()), DenyCode::ProtocolNotAllowed)
            }
            Self::PublicNetworks => check_public(request),
            Self::Urls(patterns) => {
                holds(patterns.iter().any(|pattern| pattern.matches(url)), DenyCode::UrlOutside)
            }
            _ => Ok(()),
        }
    }
}

/// SECURITY: under a capability that speaks of resources, what the table does not know might name
/// one.
pub(crate) fn is_listed(request: &AccessRequest) -> bool {
    match &request.resource {
        Resource::Tool(tool) => {
            matches!(&tool.mapping, Mapping::Listed { unlisted_argument: None, .. })
        }
        _ => true,
    }
}

/// Whether no program could be run like this: a NUL ends a C string, whatever comes after it.
pub(crate) fn is_malformed(request: &AccessRequest) -> bool {
    match &request.resource {
        Resource::Command(CommandRequest { program, arguments, .. }) => {
            program.is_empty()
                || program.chars().any(char::is_control)
                || arguments.iter().any(|argument| argument.contains('\0'))
        }
        _ => false,
    }
}

fn check_mapped(kinds: Kinds, request: &ToolRequest) -> Result<(), DenyCode> {
    match &request.mapping {
        Mapping::Unlisted => Err(DenyCode::ToolUnmapped),
        Mapping::Listed { kinds: mapped, .. } => {
            holds(!kinds.intersection(*mapped).is_empty(), DenyCode::ToolNotAllowed)
        }
    }
}

/// How much of the path that `request` names these clauses may judge: where its name alone is
/// refused, nothing but the name.
///
/// SECURITY: a caller must not learn what lies where it may not look.
pub(crate) fn sight<'a>(
    mut clauses: impl Iterator<Item = &'a Clause>,
    request: &AccessRequest,
) -> Sight {
    let Resource::Path(path) = &request.resource else {
        return Sight::Whole;
    };
    let outside = |clause: &Clause| match clause {
        Clause::Paths(patterns) => check_patterns(patterns, path, Sight::Name).is_err(),
        _ => false,
    };
    match path.physical {
        Physical::Unknown => Sight::Whole,
        _ if clauses.any(outside) => Sight::Name,
        _ => Sight::Whole,
    }
}

fn check_patterns(
    patterns: &[PathPattern],
    request: &PathRequest,
    sight: Sight,
) -> Result<(), DenyCode> {
    let meant = |pattern: &PathPattern, path| match request.reach {
        Reach::Object => pattern.matches(path),
        Reach::Subtree => pattern.matches_subtree(path),
    };
    let mut code = DenyCode::PathOutside;
    for pattern in patterns.iter().filter(|pattern| meant(pattern, &request.path)) {
        match real_beneath(request, pattern, sight) {
            Ok(None) => return Ok(()),
            Ok(Some(real)) if meant(pattern, real) => return Ok(()),
            Ok(Some(_)) => code = DenyCode::PathEscapes,
            Err(refused) => code = refused,
        }
    }
    Err(code)
}

/// Where the path leads beneath the root of `pattern`; `None` when nobody asked a file system.
fn real_beneath<'a>(
    request: &'a PathRequest,
    pattern: &PathPattern,
    sight: Sight,
) -> Result<Option<&'a AbsPath>, DenyCode> {
    match &request.physical {
        _ if sight == Sight::Name => Ok(None),
        Physical::Unknown => Ok(None),
        Physical::Refused(code) => Err(*code),
        Physical::Resolved(roots) => {
            let beneath = roots.iter().find(|beneath| beneath.root == *pattern.root());
            let beneath = beneath.ok_or(DenyCode::PathUnresolved)?;
            beneath.real.as_ref().map(Some).map_err(|code| *code)
        }
    }
}

fn resolved(request: &PathRequest, sight: Sight) -> impl Iterator<Item = &Beneath> {
    let roots = match &request.physical {
        Physical::Resolved(roots) if sight == Sight::Whole => roots.as_slice(),
        _ => &[],
    };
    roots.iter().filter(|beneath| beneath.real.is_ok())
}

fn check_extension(
    extensions: &BTreeSet<String>,
    request: &PathRequest,
    operations: Operations,
    sight: Sight,
) -> Result<(), DenyCode> {
    if operations.is_subset(Operations::NONE.with(Operation::List)) {
        return Ok(());
    }
    let real = resolved(request, sight).filter_map(|beneath| beneath.real.as_ref().ok());
    let good = core::iter::once(&request.path)
        .chain(real)
        .all(|path| path.extension().is_some_and(|extension| extensions.contains(extension)));
    holds(good && request.reach == Reach::Object, DenyCode::ExtensionNotAllowed)
}

fn check_size(
    max: u64,
    request: &PathRequest,
    operations: Operations,
    sight: Sight,
) -> Result<(), DenyCode> {
    let writes = operations.contains(Operation::Write);
    let reads = operations.contains(Operation::Read);
    if !writes && !reads {
        return Ok(());
    }
    let found = resolved(request, sight).map(|beneath| beneath.size).max();
    let read = if reads { found.or(request.size) } else { Some(0) };
    let written = if writes { request.size } else { Some(0) };
    let size = match request.reach {
        Reach::Object => read.zip(written).map(|(read, written)| read.max(written)),
        Reach::Subtree => None,
    };
    let size = size.ok_or(DenyCode::SizeUnknown)?;
    holds(size <= max, DenyCode::SizeExceeded)
}

/// SECURITY: where the host is an address and others were resolved, too, all of them count.
fn check_networks(networks: &[IpNet], request: &UrlRequest) -> Result<(), DenyCode> {
    let literal = request.url.address();
    let resolved: &[_] = match &request.addresses {
        Addresses::Unknown if literal.is_none() => return Err(DenyCode::AddressUnknown),
        Addresses::Unknown => &[],
        Addresses::Resolved(addresses) if addresses.is_empty() => {
            return Err(DenyCode::AddressUnknown);
        }
        Addresses::Resolved(addresses) => addresses,
    };
    let inside = literal.iter().chain(resolved).all(|address| cidr_admits(networks, *address));
    holds(inside, DenyCode::AddressNotAllowed)
}

fn check_public(request: &UrlRequest) -> Result<(), DenyCode> {
    let resolved: &[_] = match &request.addresses {
        Addresses::Unknown => &[],
        Addresses::Resolved(addresses) if addresses.is_empty() => {
            return Err(DenyCode::AddressUnknown);
        }
        Addresses::Resolved(addresses) => addresses,
    };
    let literal = request.url.address();
    let public = literal.iter().chain(resolved).all(|address| !is_special_purpose(*address));
    holds(public && !request.url.is_local_name(), DenyCode::AddressPrivate)
}

fn holds(good: bool, code: DenyCode) -> Result<(), DenyCode> {
    if good { Ok(()) } else { Err(code) }
}
