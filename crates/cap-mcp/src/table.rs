//! What each tool of a server does to which of its arguments.

mod builtin;
mod rule;
mod selector;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use cap_core::{AbsPath, Kind, Kinds, Operations};
use serde::Deserialize;

pub use self::builtin::{BUILTIN_TABLES, builtin_table};
pub use self::rule::TableError;
pub(crate) use self::rule::{Absent, Literal, PathRule, Rule};
pub(crate) use self::selector::Node;

/// The tools of one server: which arguments name a path, a URL or a command, and what is done to
/// it. The world is closed: what is not listed is unknown, and a ruling that speaks of resources
/// refuses it.
///
/// ```toml
/// base = "/srv/data"            # what the server resolves relative paths against
///
/// [tools.read_file.arguments]
/// path = { kind = "path", operations = ["read"] }
/// head = "data"                 # names no resource
///
/// [tools.move_file.arguments]
/// source = { kind = "path", operations = ["read", "delete"] }
/// destination = { kind = "path", operations = ["write"] }
/// ```
///
/// A selector names an argument, the elements of an array (`paths[]`) or a member of an object
/// (`edits[].file`). A plain word is `"data"` (any value, names no resource) or `"operand"` (a
/// string that the server puts on a command line: it must not begin with `-`). Otherwise:
///
/// | member | of | meaning |
/// |---|---|---|
/// | `kind` | all | `"path"`, `"url"` or `"command"` |
/// | `operations` | all | what is done to it; a command is always `["execute"]` |
/// | `optional` | all | the argument may be missing or null, and then names nothing |
/// | `default` | path, url | the value that the server takes when it is missing or null |
/// | `recursive` | path | the call reaches everything below |
/// | `base` | path | the folder of relative values, in place of the table's |
/// | `base_argument` | path | the argument (itself a path) whose value is that folder |
/// | `literal` | path | which of `"backslash" "dash" "glob" "tilde" "variable"` the server takes literally; values that bear any other are refused |
/// | `size_of` | path | the argument whose text is what the call writes |
/// | `arguments` | command | the argument with the list of the program's arguments |
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolTable {
    base: Option<AbsPath>,
    #[serde(default)]
    tools: BTreeMap<String, Tool>,
}

impl ToolTable {
    /// The same table for a server that resolves relative paths against `base`.
    #[must_use]
    pub fn with_base(mut self, base: AbsPath) -> Self {
        self.base = Some(base);
        self
    }

    /// This table with the tools of another added; where both list a tool, and for the base, the
    /// other counts.
    #[must_use]
    pub fn overridden_by(mut self, other: Self) -> Self {
        self.tools.extend(other.tools);
        self.base = other.base.or(self.base);
        self
    }

    /// What the server resolves relative paths against.
    #[must_use]
    pub const fn base(&self) -> Option<&AbsPath> {
        self.base.as_ref()
    }

    /// The names of the listed tools, sorted.
    pub fn tools(&self) -> impl Iterator<Item = &str> {
        self.tools.keys().map(String::as_str)
    }

    pub(crate) fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.get(name)
    }
}

/// One tool.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WireTool")]
pub(crate) struct Tool {
    pub(crate) arguments: Node,
    pub(crate) kinds: Kinds,
    /// What every call of the tool asks for.
    pub(crate) needs: Vec<(Kind, Operations)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireTool {
    #[serde(default)]
    arguments: BTreeMap<String, Rule>,
}

impl TryFrom<WireTool> for Tool {
    type Error = TableError;

    fn try_from(wire: WireTool) -> Result<Self, TableError> {
        let kinds = wire.arguments.values().filter_map(Rule::kind).collect();
        let needs = wire.arguments.iter().filter_map(|(selector, rule)| {
            // An array may be empty, a member of it missing.
            let plain = !selector.contains(['.', '[']);
            (plain && *rule.absent() != Absent::Nothing).then(|| rule.need()).flatten()
        });
        let needs = needs.collect();
        let mut arguments = Node::default();
        for (selector, rule) in wire.arguments {
            arguments.insert(&selector, rule)?;
        }
        arguments.check_references()?;
        Ok(Self { arguments, kinds, needs })
    }
}
