use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Display;

use chrono::{DateTime, Utc};

use crate::decision::Quoted;
use crate::request::{Beneath, Mapping, PathRequest, Physical, Reach, Resource, ToolRequest};
use crate::{
    AccessRequest, ArgumentRules, CommandRequest, Constraints, Denial, DenyCode, DomainPattern,
    Kind, Kinds, MethodPattern, Operation, Operations, PathPattern, Program, ToolName, ToolPattern,
    UrlPattern, UrlRequest,
};

/// One predicate of an authority: a disjunction that a request of its kind must satisfy. A request
/// of another kind satisfies it. The order is that in which refusals are reported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Clause {
    Expires(DateTime<Utc>),
    Tools(Vec<ToolPattern>),
    ToolKinds(Kinds),
    Methods(Vec<MethodPattern>),
    Kinds(Kinds),
    Arguments { tool: ToolName, rules: ArgumentRules },
    Paths(Vec<PathPattern>),
    Operations(Operations),
    Extensions(BTreeSet<String>),
    FileSize(u64),
    Protocols(BTreeSet<String>),
    Domains(Vec<DomainPattern>),
    Urls(Vec<UrlPattern>),
    Commands(Vec<Program>),
}

impl Clause {
    /// `Err` when the clause refuses the request.
    pub(crate) fn permits(
        &self,
        request: &AccessRequest,
        now: DateTime<Utc>,
    ) -> Result<(), Denial> {
        match (self, &request.resource) {
            (Self::Expires(at), _) => check(now < *at, || Denial::new(DenyCode::CapabilityExpired)),
            (Self::Kinds(kinds), _) => check(kinds.contains(request.kind()), || {
                let granted = kinds.iter().map(Kind::name);
                refuse(DenyCode::KindNotGranted, &named(request), &wanted(granted))
            }),
            (Self::Operations(granted), _) => check(request.operations.is_subset(*granted), || {
                let missing = request.operations.difference(*granted).to_string();
                // `call` is what tools and methods ask for; elsewhere naming it would not help.
                let helps = |operation: &Operation| {
                    *operation != Operation::Call || request.operations.contains(Operation::Call)
                };
                refuse(
                    DenyCode::OperationNotAllowed,
                    &missing,
                    &wanted(granted.iter().filter(helps)),
                )
            }),
            (Self::Tools(tools), Resource::Tool(request)) => permits_tool(tools, request),
            (Self::ToolKinds(kinds), Resource::Tool(request)) => permits_mapped(*kinds, request),
            (Self::Arguments { tool, rules }, Resource::Tool(request)) if *tool == request.name => {
                permits_arguments(rules, request)
            }
            (Self::Methods(methods), Resource::Method(method)) => {
                check(methods.iter().any(|pattern| pattern.matches(method)), || {
                    refuse(DenyCode::MethodNotAllowed, method, &wanted(methods))
                })
            }
            (Self::Paths(patterns), Resource::Path(path)) => permits_path(patterns, path),
            (Self::Extensions(extensions), Resource::Path(path)) => {
                permits_extension(extensions, path, request.operations)
            }
            (Self::FileSize(max), Resource::Path(path)) => {
                permits_size(*max, path, request.operations)
            }
            (Self::Protocols(schemes), Resource::Url(UrlRequest { url })) => {
                check(schemes.contains(url.scheme()), || {
                    refuse(DenyCode::ProtocolNotAllowed, url.scheme(), &wanted(schemes))
                })
            }
            (Self::Domains(domains), Resource::Url(UrlRequest { url })) => {
                check(domains.iter().any(|domain| domain.matches(url)), || {
                    refuse(DenyCode::DomainNotAllowed, url.host(), &wanted(domains))
                })
            }
            (Self::Urls(patterns), Resource::Url(UrlRequest { url })) => {
                check(patterns.iter().any(|pattern| pattern.matches(url)), || {
                    refuse(DenyCode::UrlOutside, &url.to_string(), &wanted(patterns))
                })
            }
            (Self::Commands(programs), Resource::Command(CommandRequest { program, .. })) => {
                check(programs.iter().any(|granted| granted.matches(program)), || {
                    refuse(DenyCode::CommandNotAllowed, program, &wanted(programs))
                })
            }
            _ => Ok(()),
        }
        .map_err(|denial| denial.by(self.name()))
    }

    /// The name on the wire.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Arguments { .. } => "arguments",
            Self::Commands(_) => "commands",
            Self::Domains(_) => "allowed_domains",
            Self::Expires(_) => "expires_at",
            Self::Extensions(_) => "allowed_extensions",
            Self::FileSize(_) => "max_file_size",
            Self::Kinds(_) => "kinds",
            Self::Methods(_) => "allowed_methods",
            Self::Operations(_) => "operations",
            Self::Paths(_) => "paths",
            Self::Protocols(_) => "protocols",
            Self::ToolKinds(_) => "tool_kinds",
            Self::Tools(_) => "allowed_tools",
            Self::Urls(_) => "urls",
        }
    }

    /// The kind of resource that the clause speaks of, if it grants one by speaking of it.
    pub(crate) const fn speaks_of(&self) -> Option<Kind> {
        match self {
            Self::Commands(_) => Some(Kind::Command),
            Self::Domains(_) | Self::Protocols(_) | Self::Urls(_) => Some(Kind::Url),
            Self::Methods(_) => Some(Kind::Method),
            Self::Paths(_) => Some(Kind::Path),
            _ => None,
        }
    }

    /// The kind of the requests that the clause can refuse for their resource.
    pub(crate) const fn bears_on(&self) -> Option<Kind> {
        match self {
            Self::Tools(_) | Self::ToolKinds(_) => Some(Kind::Tool),
            _ => self.speaks_of(),
        }
    }

    /// Sorted, without equals, without alternatives that another one includes.
    pub(crate) fn normal(self) -> Self {
        match self {
            Self::Commands(list) => Self::Commands(maximal(list, Program::is_within)),
            Self::Domains(list) => Self::Domains(maximal(list, DomainPattern::is_within)),
            Self::Methods(list) => Self::Methods(maximal(list, MethodPattern::is_within)),
            Self::Paths(list) => Self::Paths(maximal(list, PathPattern::is_surely_within)),
            Self::Tools(list) => Self::Tools(maximal(list, ToolPattern::is_within)),
            Self::Urls(list) => Self::Urls(maximal(list, UrlPattern::is_within)),
            other => other,
        }
    }

    /// The one clause that means both, where there is one. Sets and bounds always have it, save
    /// `tool_kinds`: a tool of two kinds satisfies `[path]` and `[url]`, yet not their intersection.
    pub(crate) fn merge(&self, other: &Self) -> Option<Self> {
        Some(match (self, other) {
            (Self::Expires(a), Self::Expires(b)) => Self::Expires(*a.min(b)),
            (Self::Extensions(a), Self::Extensions(b)) => Self::Extensions(a & b),
            (Self::FileSize(a), Self::FileSize(b)) => Self::FileSize(*a.min(b)),
            (Self::Kinds(a), Self::Kinds(b)) => Self::Kinds(a.intersection(*b)),
            (Self::Operations(a), Self::Operations(b)) => Self::Operations(a.intersection(*b)),
            (Self::Protocols(a), Self::Protocols(b)) => Self::Protocols(a & b),
            (a, b) if a.implies(b) => a.clone(),
            (a, b) if b.implies(a) => b.clone(),
            _ => return None,
        })
    }

    /// Whether what `self` permits, `other` permits too, as far as that is decided syntactically.
    pub(crate) fn implies(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Commands(a), Self::Commands(b)) => all_within(a, b, Program::is_within),
            (Self::Domains(a), Self::Domains(b)) => all_within(a, b, DomainPattern::is_within),
            (Self::Methods(a), Self::Methods(b)) => all_within(a, b, MethodPattern::is_within),
            (Self::Paths(a), Self::Paths(b)) => all_within(a, b, PathPattern::is_surely_within),
            (Self::Tools(a), Self::Tools(b)) => all_within(a, b, ToolPattern::is_within),
            (Self::Urls(a), Self::Urls(b)) => all_within(a, b, UrlPattern::is_within),
            _ => self.sort() == other.sort() && self.excess(other).is_empty(),
        }
    }

    /// The alternatives, values or bounds of `self` that `other`, a clause of the same sort, does
    /// not include.
    pub(crate) fn excess(&self, other: &Self) -> Vec<String> {
        let bound = |exceeds: bool, value: &dyn Display| {
            if exceeds { alloc::vec![value.to_string()] } else { Vec::new() }
        };
        match (self, other) {
            (Self::Commands(a), Self::Commands(b)) => beyond(a, b, Program::is_within),
            (Self::Domains(a), Self::Domains(b)) => beyond(a, b, DomainPattern::is_within),
            (Self::Expires(a), Self::Expires(b)) => bound(a > b, &a.to_rfc3339()),
            (Self::Extensions(a), Self::Extensions(b)) => (a - b).into_iter().collect(),
            (Self::FileSize(a), Self::FileSize(b)) => bound(a > b, a),
            (Self::Kinds(a), Self::Kinds(b)) | (Self::ToolKinds(a), Self::ToolKinds(b)) => {
                a.iter().filter(|kind| !b.contains(*kind)).map(|kind| kind.to_string()).collect()
            }
            (Self::Methods(a), Self::Methods(b)) => beyond(a, b, MethodPattern::is_within),
            (Self::Operations(a), Self::Operations(b)) => {
                a.difference(*b).iter().map(|operation| operation.to_string()).collect()
            }
            (Self::Paths(a), Self::Paths(b)) => beyond(a, b, PathPattern::is_within),
            (Self::Protocols(a), Self::Protocols(b)) => (a - b).into_iter().collect(),
            (Self::Tools(a), Self::Tools(b)) => beyond(a, b, ToolPattern::is_within),
            (Self::Urls(a), Self::Urls(b)) => beyond(a, b, UrlPattern::is_within),
            (Self::Arguments { tool, rules }, Self::Arguments { rules: other, .. }) => {
                bound(rules != other, tool)
            }
            _ => Vec::new(),
        }
    }

    /// Whether no request of the kind that both bear on satisfies both, as far as that is seen in
    /// the texts alone. A clause without alternatives excludes itself.
    pub(crate) fn excludes(&self, other: &Self) -> bool {
        let apart = |a: &PathPattern, b: &PathPattern| {
            !a.root().is_within(b.root()) && !b.root().is_within(a.root())
        };
        match (self, other) {
            (Self::Paths(a), Self::Paths(b)) => disjoint(a, b, apart),
            (Self::Tools(a), Self::Tools(b)) => {
                disjoint(a, b, |a, b| !a.is_within(b) && !b.is_within(a))
            }
            (Self::Methods(a), Self::Methods(b)) => {
                disjoint(a, b, |a, b| !a.is_within(b) && !b.is_within(a))
            }
            (Self::Urls(a), Self::Urls(b)) => disjoint(a, b, UrlPattern::is_apart),
            (Self::Domains(a), Self::Domains(b)) => {
                disjoint(a, b, |a, b| !a.is_within(b) && !b.is_within(a))
            }
            (Self::Protocols(a), Self::Protocols(b)) => a.is_disjoint(b),
            (Self::Commands(a), Self::Commands(b)) => {
                disjoint(a, b, |a, b| !a.is_within(b) && !b.is_within(a))
            }
            _ => false,
        }
    }

    /// What two clauses must share to be compared: the sort, and for arguments the tool.
    pub(crate) fn sort(&self) -> (&'static str, Option<&ToolName>) {
        match self {
            Self::Arguments { tool, .. } => (self.name(), Some(tool)),
            _ => (self.name(), None),
        }
    }

    /// Whether the place of this clause in `set` is still free.
    pub(crate) fn is_free_in(&self, set: &Constraints) -> bool {
        match self {
            Self::Arguments { tool, .. } => !set.arguments.contains_key(tool),
            Self::Commands(_) => set.commands.is_none(),
            Self::Domains(_) => set.allowed_domains.is_none(),
            Self::Expires(_) => set.expires_at.is_none(),
            Self::Extensions(_) => set.allowed_extensions.is_none(),
            Self::FileSize(_) => set.max_file_size.is_none(),
            Self::Kinds(_) => set.kinds.is_none(),
            Self::Methods(_) => set.allowed_methods.is_none(),
            Self::Operations(_) => set.operations.is_none(),
            Self::Paths(_) => set.paths.is_none(),
            Self::Protocols(_) => set.protocols.is_none(),
            Self::ToolKinds(_) => set.tool_kinds.is_none(),
            Self::Tools(_) => set.allowed_tools.is_none(),
            Self::Urls(_) => set.urls.is_none(),
        }
    }

    /// Puts the clause in its place in `set`.
    pub(crate) fn write(&self, set: &mut Constraints) {
        match self.clone() {
            Self::Arguments { tool, rules } => drop(set.arguments.insert(tool, rules)),
            Self::Commands(list) => set.commands = Some(list),
            Self::Domains(list) => set.allowed_domains = Some(list),
            Self::Expires(at) => set.expires_at = Some(at),
            Self::Extensions(list) => set.allowed_extensions = Some(list),
            Self::FileSize(max) => set.max_file_size = Some(max),
            Self::Kinds(kinds) => set.kinds = Some(kinds),
            Self::Methods(list) => set.allowed_methods = Some(list),
            Self::Operations(operations) => set.operations = Some(operations),
            Self::Paths(list) => set.paths = Some(list),
            Self::Protocols(list) => set.protocols = Some(list),
            Self::ToolKinds(kinds) => set.tool_kinds = Some(kinds),
            Self::Tools(list) => set.allowed_tools = Some(list),
            Self::Urls(list) => set.urls = Some(list),
        }
    }
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

fn permits_tool(tools: &[ToolPattern], request: &ToolRequest) -> Result<(), Denial> {
    check(tools.iter().any(|tool| tool.matches(&request.name)), || {
        refuse(DenyCode::ToolNotAllowed, request.name.as_str(), &wanted(tools))
    })
}

fn permits_mapped(kinds: Kinds, request: &ToolRequest) -> Result<(), Denial> {
    match &request.mapping {
        Mapping::Unlisted => Err(unmapped(request, None)),
        Mapping::Listed { kinds: mapped, .. } => {
            check(!kinds.intersection(*mapped).is_empty(), || {
                let sentence =
                    wanted(kinds.iter().map(|kind| alloc::format!("a tool for {kind}s")));
                refuse(DenyCode::ToolNotAllowed, request.name.as_str(), &sentence)
            })
        }
    }
}

/// SECURITY: under a capability that speaks of resources, what the table does not know might name
/// one.
pub(crate) fn permits_unlisted(request: &AccessRequest) -> Result<(), Denial> {
    let Resource::Tool(request) = &request.resource else {
        return Ok(());
    };
    match &request.mapping {
        Mapping::Unlisted => Err(unmapped(request, None)),
        Mapping::Listed { unlisted_argument: Some(name), .. } => Err(unmapped(request, Some(name))),
        Mapping::Listed { .. } => Ok(()),
    }
}

fn unmapped(request: &ToolRequest, argument: Option<&str>) -> Denial {
    let tool = Quoted(request.name.as_str());
    let reason = argument.map_or_else(
        || alloc::format!("the tool table does not list {tool}; list it, or use a tool that is listed"),
        |name| {
            let name = Quoted(name);
            alloc::format!("the tool table of {tool} does not list the argument {name}; without it the call may pass")
        },
    );
    Denial::because(DenyCode::ToolUnmapped, reason)
}

fn permits_arguments(rules: &ArgumentRules, request: &ToolRequest) -> Result<(), Denial> {
    let Some((name, passes)) = rules.refusal(&request.arguments) else {
        return Ok(());
    };
    let (name, tool) = (Quoted(&name), Quoted(request.name.as_str()));
    let reason = alloc::format!("the argument {name} of {tool} is refused; {passes} would pass");
    Err(Denial::because(DenyCode::ArgumentRefused, reason))
}

fn permits_path(patterns: &[PathPattern], request: &PathRequest) -> Result<(), Denial> {
    let meant = |pattern: &PathPattern, path| match request.reach {
        Reach::Object => pattern.matches(path),
        Reach::Subtree => pattern.matches_subtree(path),
    };
    let mut code = DenyCode::PathOutside;
    for pattern in patterns.iter().filter(|pattern| meant(pattern, &request.path)) {
        match real_beneath(request, pattern) {
            Ok(None) => return Ok(()),
            Ok(Some(real)) if meant(pattern, real) => return Ok(()),
            Ok(Some(_)) => code = DenyCode::PathEscapes,
            Err(refused) => code = refused,
        }
    }
    let below = wanted(patterns.iter().map(|pattern| match request.reach {
        Reach::Object => pattern.to_string(),
        Reach::Subtree => alloc::format!("all of {pattern}"),
    }));
    Err(refuse(code, request.path.as_str(), &below))
}

/// Where the path leads beneath the root of `pattern`; `None` when nobody asked a file system.
fn real_beneath<'a>(
    request: &'a PathRequest,
    pattern: &PathPattern,
) -> Result<Option<&'a crate::AbsPath>, DenyCode> {
    match &request.physical {
        Physical::Unknown => Ok(None),
        Physical::Refused(code) => Err(*code),
        Physical::Resolved(roots) => {
            let beneath = roots.iter().find(|beneath| beneath.root == *pattern.root());
            let beneath = beneath.ok_or(DenyCode::PathUnresolved)?;
            beneath.real.as_ref().map(Some).map_err(|code| *code)
        }
    }
}

fn resolved(request: &PathRequest) -> impl Iterator<Item = &Beneath> {
    let roots = match &request.physical {
        Physical::Resolved(roots) => roots.as_slice(),
        _ => &[],
    };
    roots.iter().filter(|beneath| beneath.real.is_ok())
}

fn permits_extension(
    extensions: &BTreeSet<String>,
    request: &PathRequest,
    operations: Operations,
) -> Result<(), Denial> {
    if operations.is_subset(Operations::NONE.with(Operation::List)) {
        return Ok(());
    }
    let real = resolved(request).filter_map(|beneath| beneath.real.as_ref().ok());
    let good = core::iter::once(&request.path)
        .chain(real)
        .all(|path| path.extension().is_some_and(|extension| extensions.contains(extension)));
    check(good && request.reach == Reach::Object, || {
        refuse(DenyCode::ExtensionNotAllowed, request.path.as_str(), &wanted(extensions))
    })
}

fn permits_size(max: u64, request: &PathRequest, operations: Operations) -> Result<(), Denial> {
    let writes = operations.contains(Operation::Write);
    let reads = operations.contains(Operation::Read);
    if !writes && !reads {
        return Ok(());
    }
    let found = resolved(request).map(|beneath| beneath.size).max();
    let read = if reads { found.or(request.size) } else { Some(0) };
    let written = if writes { request.size } else { Some(0) };
    let size = match request.reach {
        Reach::Object => read.zip(written).map(|(read, written)| read.max(written)),
        Reach::Subtree => None,
    };
    let size = size.ok_or_else(|| Denial::new(DenyCode::SizeUnknown))?;
    check(size <= max, || {
        let bytes = alloc::format!("{size} bytes");
        refuse(DenyCode::SizeExceeded, &bytes, &alloc::format!("at most {max} bytes"))
    })
}

fn check(good: bool, denial: impl FnOnce() -> Denial) -> Result<(), Denial> {
    if good { Ok(()) } else { Err(denial()) }
}

fn refuse(code: DenyCode, value: &str, passes: &str) -> Denial {
    let reason =
        alloc::format!("{} is refused: {}; {passes} would pass", Quoted(value), code.meaning());
    Denial::because(code, reason)
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

/// Sorted, and without those that another one includes.
fn maximal<T: Ord + Clone>(mut list: Vec<T>, is_within: impl Fn(&T, &T) -> bool) -> Vec<T> {
    list.sort();
    list.dedup();
    let all = list.clone();
    list.retain(|one| !all.iter().any(|other| other != one && is_within(one, other)));
    list
}

/// Of two sorted lists, whether all of the first is included in the second. Without an allocation
/// and with an end at the first that is not: clauses are compared pair by pair.
fn all_within<T: Ord>(a: &[T], b: &[T], is_within: impl Fn(&T, &T) -> bool) -> bool {
    let included =
        |one| b.binary_search(one).is_ok() || b.iter().any(|other| is_within(one, other));
    a.iter().all(included)
}

fn beyond<T: Display>(a: &[T], b: &[T], is_within: impl Fn(&T, &T) -> bool) -> Vec<String> {
    let outside = |one: &&T| !b.iter().any(|other| is_within(one, other));
    a.iter().filter(outside).map(ToString::to_string).collect()
}

fn disjoint<T>(a: &[T], b: &[T], apart: impl Fn(&T, &T) -> bool) -> bool {
    a.iter().all(|one| b.iter().all(|other| apart(one, other)))
}
