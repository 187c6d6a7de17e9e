use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Display;

use chrono::{DateTime, Utc};

use crate::command::ArgvRules;
use crate::custom::Custom;
use crate::net::{IpNet, PortRange};
use crate::window::{self, TimeWindow};
use crate::{
    ArgumentRules, DomainPattern, Kind, Kinds, MethodPattern, Operations, PathPattern, Program,
    ToolName, ToolPattern, UrlPattern,
};

pub(crate) mod check;
mod place;
pub(crate) mod words;

/// One predicate of an authority: a disjunction that a request of its kind must satisfy. A request
/// of another kind satisfies it. The order is that in which refusals are reported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Clause {
    Expires(DateTime<Utc>),
    NotBefore(DateTime<Utc>),
    TimeWindows(Vec<TimeWindow>),
    Tools(Vec<ToolPattern>),
    ToolKinds(Kinds),
    Methods(Vec<MethodPattern>),
    Kinds(Kinds),
    Arguments {
        tool: ToolName,
        rules: ArgumentRules,
    },
    Paths(Vec<PathPattern>),
    Operations(Operations),
    Extensions(BTreeSet<String>),
    FileSize(u64),
    Protocols(BTreeSet<String>),
    Domains(Vec<DomainPattern>),
    Urls(Vec<UrlPattern>),
    Ports(Vec<PortRange>),
    HttpMethods(BTreeSet<String>),
    /// No address that is special-purpose, and no local name.
    PublicNetworks,
    Networks(Vec<IpNet>),
    Commands(Vec<Program>),
    CommandArguments(ArgvRules),
    Environment(BTreeSet<String>),
    Custom(Box<Custom>),
}

impl Clause {
    /// The name on the wire.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Arguments { .. } => "arguments",
            Self::CommandArguments(_) => "command_args",
            Self::Commands(_) => "commands",
            Self::Custom(_) => "custom",
            Self::Domains(_) => "allowed_domains",
            Self::Environment(_) => "environment",
            Self::Expires(_) => "expires_at",
            Self::Extensions(_) => "allowed_extensions",
            Self::FileSize(_) => "max_file_size",
            Self::HttpMethods(_) => "methods",
            Self::Kinds(_) => "kinds",
            Self::Methods(_) => "allowed_methods",
            Self::Networks(_) => "cidr",
            Self::NotBefore(_) => "not_before",
            Self::Operations(_) => "operations",
            Self::Paths(_) => "paths",
            Self::Ports(_) => "ports",
            Self::Protocols(_) => "protocols",
            Self::PublicNetworks => "private_networks",
            Self::TimeWindows(_) => "time_windows",
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
            Self::Ports(_) | Self::HttpMethods(_) | Self::Networks(_) => Some(Kind::Url),
            _ => self.speaks_of(),
        }
    }

    /// Sorted, without equals, without alternatives that another one includes.
    pub(crate) fn normal(self) -> Self {
        match self {
            Self::Commands(list) => Self::Commands(maximal(list, Program::is_within)),
            Self::Domains(list) => Self::Domains(maximal(list, DomainPattern::is_within)),
            Self::Methods(list) => Self::Methods(maximal(list, MethodPattern::is_within)),
            Self::Networks(list) => Self::Networks(maximal(list, IpNet::is_within)),
            Self::Paths(list) => Self::Paths(maximal(list, PathPattern::is_surely_within)),
            Self::Ports(list) => Self::Ports(maximal(list, PortRange::is_within)),
            Self::TimeWindows(list) => Self::TimeWindows(maximal(list, is_window_within)),
            Self::Tools(list) => Self::Tools(maximal(list, ToolPattern::is_within)),
            Self::Urls(list) => Self::Urls(maximal(list, UrlPattern::is_within)),
            other => other,
        }
    }

    /// The one clause that means both where neither implies the other, if there is one. Sets and
    /// bounds always have it, save `tool_kinds`: a tool of two kinds satisfies `[path]` and
    /// `[url]`, yet not their intersection.
    pub(crate) fn both(&self, other: &Self) -> Option<Self> {
        Some(match (self, other) {
            (Self::Environment(a), Self::Environment(b)) => Self::Environment(a & b),
            (Self::Extensions(a), Self::Extensions(b)) => Self::Extensions(a & b),
            (Self::HttpMethods(a), Self::HttpMethods(b)) => Self::HttpMethods(a & b),
            (Self::Kinds(a), Self::Kinds(b)) => Self::Kinds(a.intersection(*b)),
            (Self::Operations(a), Self::Operations(b)) => Self::Operations(a.intersection(*b)),
            (Self::Protocols(a), Self::Protocols(b)) => Self::Protocols(a & b),
            _ => return None,
        })
    }

    /// Whether what `self` permits, `other` permits too, as far as that is decided syntactically.
    pub(crate) fn implies(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Arguments { tool: a, rules }, Self::Arguments { tool: b, rules: other }) => {
                a == b && rules.is_within(other)
            }
            (Self::CommandArguments(a), Self::CommandArguments(b)) => a.implies(b),
            (Self::Commands(a), Self::Commands(b)) => all_within(a, b, Program::is_within),
            (Self::Custom(a), Self::Custom(b)) => a.is_within(b),
            (Self::Domains(a), Self::Domains(b)) => all_within(a, b, DomainPattern::is_within),
            (Self::Environment(a), Self::Environment(b))
            | (Self::Extensions(a), Self::Extensions(b))
            | (Self::HttpMethods(a), Self::HttpMethods(b))
            | (Self::Protocols(a), Self::Protocols(b)) => a.is_subset(b),
            (Self::Expires(a), Self::Expires(b)) => a <= b,
            (Self::FileSize(a), Self::FileSize(b)) => a <= b,
            (Self::Kinds(a), Self::Kinds(b)) | (Self::ToolKinds(a), Self::ToolKinds(b)) => {
                a.intersection(*b) == *a
            }
            (Self::Methods(a), Self::Methods(b)) => all_within(a, b, MethodPattern::is_within),
            (Self::Networks(a), Self::Networks(b)) => all_within(a, b, IpNet::is_within),
            (Self::NotBefore(a), Self::NotBefore(b)) => a >= b,
            (Self::Operations(a), Self::Operations(b)) => a.is_subset(*b),
            (Self::Paths(a), Self::Paths(b)) => all_within(a, b, PathPattern::is_surely_within),
            (Self::Ports(a), Self::Ports(b)) => all_within(a, b, PortRange::is_within),
            (Self::PublicNetworks, Self::PublicNetworks) => true,
            (Self::TimeWindows(a), Self::TimeWindows(b)) => window::all_within(a, b),
            (Self::Tools(a), Self::Tools(b)) => all_within(a, b, ToolPattern::is_within),
            (Self::Urls(a), Self::Urls(b)) => all_within(a, b, UrlPattern::is_within),
            _ => false,
        }
    }

    /// The alternatives, values or bounds of `self` that `other`, a clause of the same sort, does
    /// not include: what was asked for beyond it. A folder below a granted one is no more than
    /// that, wherever its links lead: the meet keeps both.
    pub(crate) fn excess(&self, other: &Self) -> Vec<String> {
        match (self, other) {
            (Self::CommandArguments(a), Self::CommandArguments(b)) => a.beyond(b),
            (Self::Commands(a), Self::Commands(b)) => beyond(a, b, Program::is_within),
            (Self::Custom(a), Self::Custom(b)) if a.exceeds(b) => alloc::vec![self.one_word()],
            (Self::Custom(_), Self::Custom(_)) => Vec::new(),
            (Self::Domains(a), Self::Domains(b)) => beyond(a, b, DomainPattern::is_within),
            (Self::Environment(a), Self::Environment(b))
            | (Self::Extensions(a), Self::Extensions(b))
            | (Self::HttpMethods(a), Self::HttpMethods(b))
            | (Self::Protocols(a), Self::Protocols(b)) => (a - b).into_iter().collect(),
            (Self::Kinds(a), Self::Kinds(b)) | (Self::ToolKinds(a), Self::ToolKinds(b)) => {
                a.iter().filter(|kind| !b.contains(*kind)).map(|kind| kind.to_string()).collect()
            }
            (Self::Methods(a), Self::Methods(b)) => beyond(a, b, MethodPattern::is_within),
            (Self::Networks(a), Self::Networks(b)) => beyond(a, b, IpNet::is_within),
            (Self::Operations(a), Self::Operations(b)) => {
                a.difference(*b).iter().map(|operation| operation.to_string()).collect()
            }
            (Self::Paths(a), Self::Paths(b)) => beyond(a, b, PathPattern::is_within),
            (Self::Ports(a), Self::Ports(b)) => beyond(a, b, PortRange::is_within),
            (Self::TimeWindows(a), Self::TimeWindows(b)) => {
                let outside =
                    |one: &&TimeWindow| !window::all_within(core::slice::from_ref(*one), b);
                a.iter().filter(outside).map(ToString::to_string).collect()
            }
            (Self::Tools(a), Self::Tools(b)) => beyond(a, b, ToolPattern::is_within),
            (Self::Urls(a), Self::Urls(b)) => beyond(a, b, UrlPattern::is_within),
            (a, b) if a.sort() == b.sort() && !a.implies(b) => alloc::vec![a.one_word()],
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
            (Self::Commands(a), Self::Commands(b)) => {
                disjoint(a, b, |a, b| !a.is_within(b) && !b.is_within(a))
            }
            (Self::Domains(a), Self::Domains(b)) => {
                disjoint(a, b, |a, b| !a.is_within(b) && !b.is_within(a))
            }
            (Self::HttpMethods(a), Self::HttpMethods(b))
            | (Self::Protocols(a), Self::Protocols(b)) => a.is_disjoint(b),
            (Self::Methods(a), Self::Methods(b)) => {
                disjoint(a, b, |a, b| !a.is_within(b) && !b.is_within(a))
            }
            (Self::Networks(a), Self::Networks(b)) => {
                disjoint(a, b, |a, b| !a.is_within(b) && !b.is_within(a))
            }
            (Self::Paths(a), Self::Paths(b)) => disjoint(a, b, apart),
            (Self::Ports(a), Self::Ports(b)) => disjoint(a, b, PortRange::is_apart),
            (Self::Tools(a), Self::Tools(b)) => {
                disjoint(a, b, |a, b| !a.is_within(b) && !b.is_within(a))
            }
            (Self::Urls(a), Self::Urls(b)) => disjoint(a, b, UrlPattern::is_apart),
            _ => false,
        }
    }

    /// Whether the clause permits nothing at all, whatever is asked for.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Self::Operations(operations) if operations.is_empty())
    }

    /// What two clauses must share to be compared: the sort, and what it is said of.
    pub(crate) fn sort(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Arguments { tool, .. } => (self.name(), Some(tool.as_str())),
            Self::Custom(custom) => (self.name(), Some(custom.name())),
            _ => (self.name(), None),
        }
    }

    /// A clause that has one value, as one word.
    fn one_word(&self) -> String {
        match self {
            Self::Arguments { tool, .. } => tool.to_string(),
            Self::Custom(custom) => custom.name().into(),
            Self::Expires(at) | Self::NotBefore(at) => at.to_rfc3339(),
            Self::FileSize(max) => max.to_string(),
            other => other.name().into(),
        }
    }
}

fn is_window_within(a: &TimeWindow, b: &TimeWindow) -> bool {
    window::all_within(core::slice::from_ref(a), core::slice::from_ref(b))
}

/// Sorted, and without those that another one includes.
fn maximal<T: Ord + Clone>(mut list: Vec<T>, is_within: impl Fn(&T, &T) -> bool) -> Vec<T> {
    list.sort();
    list.dedup();
    let is_in_another = |(at, one): (usize, &T)| {
        list.iter().enumerate().any(|(other, two)| other != at && is_within(one, two))
    };
    if !list.iter().enumerate().any(is_in_another) {
        return list;
    }
    let mut kept: Vec<T> = Vec::with_capacity(list.len());
    for one in list {
        if kept.iter().any(|other| is_within(&one, other)) {
            continue;
        }
        kept.retain(|other| !is_within(other, &one));
        kept.push(one);
    }
    kept
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
