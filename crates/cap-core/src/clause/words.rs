//! What a refusal says: the caller's own value and what would pass, never more.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Display;

use super::Clause;
use crate::decision::Quoted;
use crate::request::{Mapping, PathRequest, Reach, Resource, ToolRequest};
use crate::{AccessRequest, Denial, DenyCode, Kinds, Operation, Operations, PathPattern};

impl Clause {
    /// The denial with `code` that [`Clause::check`] gave for `request`.
    pub(crate) fn denial(&self, code: DenyCode, request: &AccessRequest) -> Denial {
        let denial = match (self, &request.resource) {
            (Self::ToolKinds(_), Resource::Tool(tool)) if code == DenyCode::ToolUnmapped => {
                unmapped(tool)
            }
            (Self::Arguments { rules, .. }, Resource::Tool(tool)) => {
                let (name, passes) = rules.refusal(&tool.arguments).unwrap_or_default();
                let (name, tool) = (Quoted(&name), Quoted(tool.name.as_str()));
                let reason =
                    alloc::format!("the argument {name} of {tool} is refused; {passes} would pass");
                Denial::because(code, reason).passes(passes)
            }
            _ => self.passes(code, request).map_or_else(
                || Denial::new(code),
                |passes| refuse(code, &self.value(request), passes),
            ),
        };
        denial.by(self.name())
    }

    /// The caller's own value that the clause refuses.
    fn value(&self, request: &AccessRequest) -> String {
        match (self, &request.resource) {
            (Self::Operations(granted), _) => request.operations.difference(*granted).to_string(),
            (Self::CommandArguments(rules), Resource::Command(command)) => {
                let refused = rules.first_refused(&command.program, &command.arguments);
                refused.unwrap_or(&command.program).into()
            }
            (Self::Environment(names), Resource::Command(command)) => {
                let refused = command.environment.iter().find(|name| !names.contains(*name));
                refused.cloned().unwrap_or_default()
            }
            // SECURITY: how long a file is that exists, nobody is told.
            (Self::FileSize(max), Resource::Path(PathRequest { size: Some(size), .. }))
                if size > max =>
            {
                alloc::format!("{size} bytes")
            }
            (Self::Protocols(_), Resource::Url(url)) => url.url.scheme().into(),
            (Self::Domains(_) | Self::PublicNetworks | Self::Networks(_), Resource::Url(url)) => {
                url.url.host().into()
            }
            (Self::Ports(_), Resource::Url(url)) => {
                url.url.port().map_or_else(|| "no port".into(), |port| port.to_string())
            }
            (Self::HttpMethods(_), Resource::Url(url)) => {
                url.method.clone().unwrap_or_else(|| "no method".into())
            }
            _ => named(request),
        }
    }

    /// What would pass; `None` where the code says all.
    fn passes(&self, code: DenyCode, request: &AccessRequest) -> Option<String> {
        Some(match self {
            Self::Arguments { .. } => return None,
            Self::CommandArguments(rules) => match &request.resource {
                Resource::Command(command) => rules.describe(&command.program),
                _ => return None,
            },
            Self::Commands(programs) => wanted(programs),
            Self::Custom(_) => return None,
            Self::Domains(domains) => wanted(domains),
            Self::Environment(names) => wanted(names),
            Self::Expires(_) => return None,
            Self::NotBefore(at) => alloc::format!("the same from {} on", at.to_rfc3339()),
            Self::TimeWindows(windows) => alloc::format!("the same within {}", wanted(windows)),
            Self::Extensions(extensions) => wanted(extensions),
            Self::FileSize(_) if code == DenyCode::SizeUnknown => return None,
            Self::FileSize(max) => alloc::format!("at most {max} bytes"),
            Self::HttpMethods(methods) => wanted(methods),
            Self::Kinds(kinds) => wanted(kinds.iter()),
            Self::Methods(methods) => wanted(methods),
            Self::Networks(networks) if code == DenyCode::AddressUnknown => {
                alloc::format!("the same, resolved to addresses in {},", wanted(networks))
            }
            Self::Networks(networks) => alloc::format!("addresses in {}", wanted(networks)),
            Self::Operations(granted) => wanted(helpful(*granted, request)),
            Self::Paths(patterns) => below(patterns, request),
            Self::Ports(ports) => wanted(ports),
            Self::Protocols(schemes) => wanted(schemes),
            Self::PublicNetworks => {
                "a public host, or the same under `private_networks: true`,".into()
            }
            Self::ToolKinds(kinds) => mapped(*kinds),
            Self::Tools(tools) => wanted(tools),
            Self::Urls(urls) => wanted(urls),
        })
    }
}

/// The refusal of a tool, or an argument, that the tool table does not list.
pub(crate) fn unmapped(request: &ToolRequest) -> Denial {
    let tool = Quoted(request.name.as_str());
    let reason = match &request.mapping {
        Mapping::Listed { unlisted_argument: Some(name), .. } => {
            let name = Quoted(name);
            alloc::format!(
                "the tool table of {tool} does not list the argument {name}; without it the call may pass"
            )
        }
        _ => alloc::format!(
            "the tool table does not list {tool}; list it, or use a tool that is listed"
        ),
    };
    Denial::because(DenyCode::ToolUnmapped, reason)
}

/// What a request is about, in the caller's own words.
fn named(request: &AccessRequest) -> String {
    match &request.resource {
        Resource::Command(command) => command.program.clone(),
        Resource::Method(method) => method.clone(),
        Resource::Path(path) => path.path.to_string(),
        Resource::Tool(tool) => tool.name.to_string(),
        Resource::Url(url) => url.url.to_string(),
    }
}

/// `call` is what tools and methods ask for; elsewhere naming it would not help.
fn helpful(granted: Operations, request: &AccessRequest) -> impl Iterator<Item = Operation> {
    let calls = request.operations.contains(Operation::Call);
    granted.iter().filter(move |operation| *operation != Operation::Call || calls)
}

fn below(patterns: &[PathPattern], request: &AccessRequest) -> String {
    let subtree = matches!(&request.resource, Resource::Path(path) if path.reach == Reach::Subtree);
    wanted(patterns.iter().map(|pattern| {
        if subtree { alloc::format!("all of {pattern}") } else { pattern.to_string() }
    }))
}

fn mapped(kinds: Kinds) -> String {
    wanted(kinds.iter().map(|kind| alloc::format!("a tool for {kind}s")))
}

fn refuse(code: DenyCode, value: &str, passes: String) -> Denial {
    let reason =
        alloc::format!("{} is refused: {}; {passes} would pass", Quoted(value), code.meaning());
    Denial::because(code, reason).passes(passes)
}

/// «`a`, `b` or `c`», at most eight of them.
fn wanted<T: Display>(alternatives: impl IntoIterator<Item = T>) -> String {
    const SHOWN: usize = 8;
    let mut texts: Vec<String> = alternatives.into_iter().map(|one| one.to_string()).collect();
    if texts.is_empty() {
        return "nothing".into();
    }
    let more = texts.len().saturating_sub(SHOWN);
    texts.truncate(SHOWN);
    let mut shown: Vec<String> = texts.iter().map(|text| Quoted(text).to_string()).collect();
    if more > 0 {
        shown.push(alloc::format!("{more} more"));
    }
    let last = shown.pop().unwrap_or_default();
    if shown.is_empty() { last } else { alloc::format!("{} or {last}", shown.join(", ")) }
}
