use std::collections::BTreeSet;
use std::fmt;

use cap_core::{AbsPath, Kind, Operation, Operations};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::selector::Node;

/// What an argument is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    Data,
    Operand,
    Path(PathRule),
    Url { operations: Operations, absent: Absent },
    Command { arguments: Option<String>, absent: Absent },
}

/// How an argument names a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathRule {
    pub(crate) operations: Operations,
    pub(crate) recursive: bool,
    pub(crate) base: Option<AbsPath>,
    pub(crate) base_argument: Option<String>,
    pub(crate) literal: BTreeSet<Literal>,
    pub(crate) size_of: Option<String>,
    pub(crate) absent: Absent,
}

/// What a missing or null argument means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// The call is refused.
    Refused,
    /// It names nothing.
    Nothing,
    /// The server takes this value.
    Default(String),
}

/// Characters that some server does not take literally.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Literal {
    Backslash,
    Dash,
    Glob,
    Tilde,
    Variable,
}

/// Why a table says nothing definite.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// Not names with dots between them, each perhaps with `[]`.
    #[error(
        "`{0}` is no selector: names with dots between them are wanted, each perhaps with `[]`"
    )]
    Selector(String),
    /// `data` or an operand with something listed below it.
    #[error("something is listed below an argument that is listed as a whole")]
    Overlap,
    /// A member that the kind does not have.
    #[error("`{0}` has no meaning for an argument of this kind")]
    Member(&'static str),
    /// No operations, or `call`, or others than `execute` for a command.
    #[error("`operations` must say what is done to the resource")]
    Operations,
    /// Two members of which one may be there.
    #[error("`{0}` and `{1}` exclude each other")]
    Both(&'static str, &'static str),
    /// A reference to an argument that is not listed as what it must be.
    #[error("`{0}` must name an argument that is listed without brackets and of the right kind")]
    Reference(&'static str),
}

impl Rule {
    /// The kind of resource that the argument names.
    pub(crate) const fn kind(&self) -> Option<Kind> {
        match self {
            Self::Data | Self::Operand => None,
            Self::Path(_) => Some(Kind::Path),
            Self::Url { .. } => Some(Kind::Url),
            Self::Command { .. } => Some(Kind::Command),
        }
    }

    /// What is done to which kind of resource.
    pub(crate) fn need(&self) -> Option<(Kind, Operations)> {
        let operations = match self {
            Self::Data | Self::Operand => return None,
            Self::Path(PathRule { operations, .. }) | Self::Url { operations, .. } => *operations,
            Self::Command { .. } => Operations::NONE.with(Operation::Execute),
        };
        Some((self.kind()?, operations))
    }

    /// What a missing argument means.
    pub(crate) const fn absent(&self) -> &Absent {
        match self {
            Self::Data | Self::Operand => &Absent::Nothing,
            Self::Path(PathRule { absent, .. })
            | Self::Url { absent, .. }
            | Self::Command { absent, .. } => absent,
        }
    }

    /// A path or a URL may be a string or, listed beside it, an array of them; the others are
    /// whole.
    pub(super) const fn covers_everything_below(&self) -> bool {
        matches!(self, Self::Data | Self::Operand | Self::Command { .. })
    }

    pub(super) fn check_references(&self, arguments: &Node) -> Result<(), TableError> {
        let is = |name: &Option<String>, wanted: fn(&Self) -> bool| match name {
            Some(name) => arguments.argument(name).is_some_and(wanted),
            None => true,
        };
        let is_data = |rule: &Self| *rule == Self::Data;
        let is_base =
            |rule: &Self| matches!(rule, Self::Path(PathRule { base_argument: None, .. }));
        let wrong = match self {
            Self::Path(rule) if !is(&rule.base_argument, is_base) => "base_argument",
            Self::Path(rule) if !is(&rule.size_of, is_data) => "size_of",
            Self::Command { arguments, .. } if !is(arguments, is_data) => "arguments",
            _ => return Ok(()),
        };
        Err(TableError::Reference(wrong))
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RuleVisitor)
    }
}

struct RuleVisitor;

impl<'de> Visitor<'de> for RuleVisitor {
    type Value = Rule;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"data\", \"operand\" or a table with `kind` and `operations`")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Rule, E> {
        match word {
            "data" => Ok(Rule::Data),
            "operand" => Ok(Rule::Operand),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(word), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Rule, A::Error> {
        let wire = WireRule::deserialize(MapAccessDeserializer::new(map))?;
        wire.into_rule().map_err(A::Error::custom)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRule {
    kind: ResourceKind,
    operations: Operations,
    #[serde(default)]
    optional: bool,
    default: Option<String>,
    #[serde(default)]
    recursive: bool,
    base: Option<AbsPath>,
    base_argument: Option<String>,
    #[serde(default)]
    literal: BTreeSet<Literal>,
    size_of: Option<String>,
    arguments: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ResourceKind {
    Command,
    Path,
    Url,
}

impl WireRule {
    fn into_rule(self) -> Result<Rule, TableError> {
        let execute = Operations::NONE.with(Operation::Execute);
        let is_command = self.kind == ResourceKind::Command;
        let call = Operations::CALL;
        if self.operations.is_empty()
            || !self.operations.intersection(call).is_empty()
            || (self.operations == execute) != is_command
        {
            return Err(TableError::Operations);
        }
        self.check_members()?;
        let absent = match (self.optional, self.default) {
            (true, Some(_)) => return Err(TableError::Both("optional", "default")),
            (true, None) => Absent::Nothing,
            (false, Some(value)) => Absent::Default(value),
            (false, None) => Absent::Refused,
        };
        Ok(match self.kind {
            ResourceKind::Command => Rule::Command { arguments: self.arguments, absent },
            ResourceKind::Url => Rule::Url { operations: self.operations, absent },
            ResourceKind::Path => Rule::Path(PathRule {
                operations: self.operations,
                recursive: self.recursive,
                base: self.base,
                base_argument: self.base_argument,
                literal: self.literal,
                size_of: self.size_of,
                absent,
            }),
        })
    }

    fn check_members(&self) -> Result<(), TableError> {
        let (path, command) = (ResourceKind::Path, ResourceKind::Command);
        let wrong = [
            (self.recursive && self.kind != path, "recursive"),
            (self.base.is_some() && self.kind != path, "base"),
            (self.base_argument.is_some() && self.kind != path, "base_argument"),
            (!self.literal.is_empty() && self.kind != path, "literal"),
            (self.size_of.is_some() && self.kind != path, "size_of"),
            (self.arguments.is_some() && self.kind != command, "arguments"),
            (self.default.is_some() && self.kind == command, "default"),
        ];
        if let Some((_, name)) = wrong.into_iter().find(|(wrong, _)| *wrong) {
            return Err(TableError::Member(name));
        }
        if self.base.is_some() && self.base_argument.is_some() {
            return Err(TableError::Both("base", "base_argument"));
        }
        Ok(())
    }
}
