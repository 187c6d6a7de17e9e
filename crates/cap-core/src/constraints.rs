use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use chrono::{DateTime, Datelike, Timelike, Utc};
use serde_json::Value;

use crate::clause::Clause;
use crate::command::ArgvRules;
use crate::custom::Custom;
use crate::limit::{Budget, Limits, RateLimit};
use crate::limits::{MAX_ALTERNATIVES, MAX_CLAUSES, MAX_TIME_WINDOWS};
use crate::net::{IpNet, PortRange};
use crate::window::TimeWindow;
use crate::{
    ArgumentRules, DomainPattern, Kinds, MethodPattern, Operations, PathPattern, Program, ToolName,
    ToolPattern, UrlPattern,
};

mod error;
#[cfg(feature = "serde")]
mod strict;

pub use self::error::ConstraintError;
#[cfg(feature = "serde")]
use self::strict::unique_values;
#[cfg(feature = "serde")]
pub(crate) use self::strict::{
    UniqueValue, instant, present, present_instant, serde_as_object, unique_map,
};

/// The constraints of a capability by their names on the wire. What is absent does not constrain;
/// what is present must hold; a list permits what any of its members means.
///
/// The world is closed: an unknown name is refused, never skipped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields, remote = "Self"))]
pub struct Constraints {
    /// Hosts of URLs: exact, or `*.suffix`.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub allowed_domains: Option<Vec<DomainPattern>>,
    /// Extensions of files, without the dot, compared exactly. They bind every operation but
    /// `list`.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub allowed_extensions: Option<BTreeSet<String>>,
    /// Protocol methods other than tool calls.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub allowed_methods: Option<Vec<MethodPattern>>,
    /// Tools.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub allowed_tools: Option<Vec<ToolPattern>>,
    /// More constraints that must hold, too: how a meet whose lists do not simplify is written.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    pub and: Vec<Self>,
    /// Arguments, by tool.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "BTreeMap::is_empty"))]
    #[cfg_attr(feature = "serde", serde(deserialize_with = "unique_map"))]
    pub arguments: BTreeMap<ToolName, ArgumentRules>,
    /// Units in all, and what a call of each tool costs; with all descendants together.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub budget: Option<Budget>,
    /// Networks that contain every address a connection may go to. A host that is a name must have
    /// been resolved (see [`crate::Addresses`]).
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub cidr: Option<Vec<IpNet>>,
    /// The argument vectors of programs, by program. A program that is not named here takes plain
    /// arguments only: none that begins with `-` or has a control character. Granted only: absent
    /// means `{}`, except under type `any`.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub command_args: Option<ArgvRules>,
    /// Programs.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub commands: Option<Vec<Program>>,
    /// Constraints of the embedding program, by name (see [`crate::Registry`]).
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "BTreeMap::is_empty"))]
    #[cfg_attr(feature = "serde", serde(deserialize_with = "unique_values"))]
    pub custom: BTreeMap<String, Value>,
    /// Environment variables that a command may set, by name. Granted only: absent means `[]`,
    /// except under type `any`.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub environment: Option<BTreeSet<String>>,
    /// The instant from which nothing is permitted any more.
    #[cfg_attr(
        feature = "serde",
        serde(
            default,
            deserialize_with = "present_instant",
            skip_serializing_if = "Option::is_none"
        )
    )]
    pub expires_at: Option<DateTime<Utc>>,
    /// The kinds of requests that may be made at all.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub kinds: Option<Kinds>,
    /// Bytes of files, read and written, in all; with all descendants together.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub max_bytes: Option<u64>,
    /// Calls in all, with all descendants together.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub max_calls: Option<u64>,
    /// Links that may hang below the capability (0: it cannot be delegated).
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub max_delegation_depth: Option<u8>,
    /// Bytes of a file that is read or written.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub max_file_size: Option<u64>,
    /// HTTP methods (RFC 9110 §9.1), upper case. A request that does not say its method is refused.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub methods: Option<BTreeSet<String>>,
    /// The instant before which nothing is permitted yet.
    #[cfg_attr(
        feature = "serde",
        serde(
            default,
            deserialize_with = "present_instant",
            skip_serializing_if = "Option::is_none"
        )
    )]
    pub not_before: Option<DateTime<Utc>>,
    /// Operations on resources.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub operations: Option<Operations>,
    /// Paths.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub paths: Option<Vec<PathPattern>>,
    /// Ports of URLs: a number, or `"from-to"`. A URL without a port is refused.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub ports: Option<Vec<PortRange>>,
    /// Whether addresses that are not public, and local names, are permitted (IANA special-purpose
    /// registries, RFC 6890). Granted only: absent means `false`, except under type `any`.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub private_networks: Option<bool>,
    /// Schemes of URLs.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub protocols: Option<BTreeSet<String>>,
    /// How many calls in how much time, with all descendants together.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub rate_limit: Option<RateLimit>,
    /// Hours of the week.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub time_windows: Option<Vec<TimeWindow>>,
    /// Tools by the kinds of resources that the tool table maps them to.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub tool_kinds: Option<Kinds>,
    /// URLs.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub urls: Option<Vec<UrlPattern>>,
}

/// Whether an instant can be written and read back: RFC 3339 has four digits for the year.
pub(crate) fn is_wire_instant(at: &DateTime<Utc>) -> bool {
    at.nanosecond() == 0 && (0..=9999).contains(&at.year())
}

impl Constraints {
    /// The limits among these.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            rate_limit: self.rate_limit,
            max_calls: self.max_calls,
            max_bytes: self.max_bytes,
            budget: self.budget.clone(),
        }
    }

    /// The clauses that these constraints mean, `and` included.
    pub(crate) fn clauses(&self) -> Result<Vec<Clause>, ConstraintError> {
        let mut clauses = Vec::with_capacity(16);
        self.collect(&mut clauses, 0)?;
        Ok(clauses)
    }

    fn collect(&self, out: &mut Vec<Clause>, depth: usize) -> Result<(), ConstraintError> {
        if depth > 1 || out.len() > MAX_CLAUSES || self.and.len() > MAX_CLAUSES {
            return Err(ConstraintError::new("and", "", "more or deeper constraints than allowed"));
        }
        if depth > 0 && self.has_what_stands_at_the_top() {
            return Err(ConstraintError::new(
                "and",
                "",
                "`max_delegation_depth`, `private_networks: true` and the limits stand at the top",
            ));
        }
        self.check()?;
        push(out, self.expires_at.as_ref(), Clause::Expires);
        push(out, self.not_before.as_ref(), Clause::NotBefore);
        push(out, self.time_windows.as_ref(), Clause::TimeWindows);
        push(out, self.kinds.as_ref(), Clause::Kinds);
        push(out, self.tool_kinds.as_ref(), Clause::ToolKinds);
        push(out, self.operations.as_ref(), Clause::Operations);
        push(out, self.max_file_size.as_ref(), Clause::FileSize);
        push(out, self.allowed_extensions.as_ref(), Clause::Extensions);
        push(out, self.protocols.as_ref(), Clause::Protocols);
        push(out, self.allowed_tools.as_ref(), Clause::Tools);
        push(out, self.allowed_methods.as_ref(), Clause::Methods);
        push(out, self.paths.as_ref(), Clause::Paths);
        push(out, self.urls.as_ref(), Clause::Urls);
        push(out, self.allowed_domains.as_ref(), Clause::Domains);
        push(out, self.ports.as_ref(), Clause::Ports);
        push(out, self.methods.as_ref(), Clause::HttpMethods);
        if self.private_networks == Some(false) {
            out.push(Clause::PublicNetworks);
        }
        push(out, self.cidr.as_ref(), Clause::Networks);
        push(out, self.commands.as_ref(), Clause::Commands);
        push(out, self.command_args.as_ref(), Clause::CommandArguments);
        push(out, self.environment.as_ref(), Clause::Environment);
        let by_tool = self.arguments.iter();
        out.extend(
            by_tool.map(|(tool, rules)| Clause::Arguments {
                tool: tool.clone(),
                rules: rules.clone(),
            }),
        );
        for (name, parameter) in &self.custom {
            out.push(Clause::Custom(Box::new(Custom::new(name, parameter)?)));
        }
        self.and.iter().try_for_each(|more| more.collect(out, depth + 1))
    }

    fn has_what_stands_at_the_top(&self) -> bool {
        self.max_delegation_depth.is_some()
            || self.private_networks == Some(true)
            || !self.limits().is_empty()
    }

    fn check(&self) -> Result<(), ConstraintError> {
        self.check_lengths()?;
        let instants =
            [("expires_at", self.expires_at), ("not_before", self.not_before)].into_iter();
        let other = |(_, at): &(_, Option<DateTime<Utc>>)| {
            at.as_ref().is_some_and(|at| !is_wire_instant(at))
        };
        if let Some((field, _)) = instants.into_iter().find(other) {
            let wanted = "instants are whole seconds of the years 0 to 9999";
            return Err(ConstraintError::new(field, "", wanted));
        }
        let windows = self.time_windows.as_ref().map(Vec::len);
        if windows.is_some_and(|windows| !(1..=MAX_TIME_WINDOWS).contains(&windows)) {
            return Err(ConstraintError::new("time_windows", "", "1 to 64 windows are wanted"));
        }
        let bad = |field, bad: Option<&String>, wanted| match bad {
            Some(bad) => Err(ConstraintError::new(field, bad, wanted)),
            None => Ok(()),
        };
        let extension =
            |text: &&String| crate::id::check_name(text).is_err() || text.contains(['.', '/']);
        bad(
            "allowed_extensions",
            self.allowed_extensions.iter().flatten().find(extension),
            "an extension is a name without dot or slash: `txt`",
        )?;
        bad(
            "protocols",
            self.protocols.iter().flatten().find(|text| !crate::url::is_scheme(text)),
            "a lower-case scheme is wanted: `https`",
        )?;
        bad(
            "methods",
            self.methods.iter().flatten().find(|text| !crate::net::is_method(text)),
            "an HTTP method in upper case is wanted: `GET`",
        )?;
        bad(
            "environment",
            self.environment.iter().flatten().find(|text| !crate::command::is_variable_name(text)),
            "the name of an environment variable is wanted: `LANG`",
        )?;
        self.limits().check()
    }

    fn check_lengths(&self) -> Result<(), ConstraintError> {
        let lengths = [
            ("allowed_domains", self.allowed_domains.as_ref().map(Vec::len)),
            ("allowed_extensions", self.allowed_extensions.as_ref().map(BTreeSet::len)),
            ("allowed_methods", self.allowed_methods.as_ref().map(Vec::len)),
            ("allowed_tools", self.allowed_tools.as_ref().map(Vec::len)),
            ("arguments", Some(self.arguments.len())),
            ("cidr", self.cidr.as_ref().map(Vec::len)),
            ("commands", self.commands.as_ref().map(Vec::len)),
            ("custom", Some(self.custom.len())),
            ("environment", self.environment.as_ref().map(BTreeSet::len)),
            ("methods", self.methods.as_ref().map(BTreeSet::len)),
            ("paths", self.paths.as_ref().map(Vec::len)),
            ("ports", self.ports.as_ref().map(Vec::len)),
            ("protocols", self.protocols.as_ref().map(BTreeSet::len)),
            ("urls", self.urls.as_ref().map(Vec::len)),
        ];
        let long = |length: Option<usize>| length.is_some_and(|n| n > MAX_ALTERNATIVES);
        match lengths.into_iter().find(|(_, length)| long(*length)) {
            Some((field, _)) => Err(ConstraintError::new(field, "", "more than 256 alternatives")),
            None => Ok(()),
        }
    }

    /// Writes clauses by their names: the first of each sort here, the others under `and`.
    pub(crate) fn from_clauses<'a>(clauses: impl IntoIterator<Item = &'a Clause>) -> Self {
        let mut sets: Vec<Self> = Vec::new();
        for clause in clauses {
            let free = sets.iter().position(|set| clause.is_free_in(set));
            let at = free.unwrap_or_else(|| {
                sets.push(Self::default());
                sets.len() - 1
            });
            if let Some(set) = sets.get_mut(at) {
                clause.write(set);
            }
        }
        let mut sets = sets.into_iter();
        let mut first = sets.next().unwrap_or_default();
        first.and = sets.collect();
        first
    }
}

/// The clause of a list or a bound that stands there.
fn push<T: Clone>(out: &mut Vec<Clause>, value: Option<&T>, clause: fn(T) -> Clause) {
    if let Some(value) = value {
        out.push(clause(value.clone()));
    }
}

#[cfg(feature = "serde")]
serde_as_object!(Constraints);
