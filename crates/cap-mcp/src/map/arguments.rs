use cap_core::{
    AccessRequest, Denial, DenyCode, Operation, Operations, Resource, UrlRequest, UrlTarget,
};
use serde_json::{Map, Value};

use super::{MAX_REQUESTS, command, path};
use crate::table::{Absent, Node, PathRule, Rule, Tool, ToolTable};

/// The arguments of one call beside what the table says of them.
pub(super) struct Derivation<'a> {
    table: &'a ToolTable,
    tool: &'a Tool,
    arguments: &'a Map<String, Value>,
    pub(super) requests: Vec<AccessRequest>,
    /// The first argument that the table does not list.
    pub(super) unlisted: Option<String>,
}

impl<'a> Derivation<'a> {
    pub(super) const fn new(
        table: &'a ToolTable,
        tool: &'a Tool,
        arguments: &'a Map<String, Value>,
    ) -> Self {
        Self { table, tool, arguments, requests: Vec::new(), unlisted: None }
    }

    pub(super) fn walk(&mut self) -> Result<(), Denial> {
        let (tool, arguments) = (self.tool, self.arguments);
        self.members(&tool.arguments, arguments, "")
    }

    fn members(
        &mut self,
        node: &'a Node,
        members: &'a Map<String, Value>,
        at: &str,
    ) -> Result<(), Denial> {
        for (name, value) in members {
            let below = join(at, name);
            match node.members.get(name) {
                Some(node) => self.value(node, value, &below)?,
                None => self.unlisted = self.unlisted.take().or(Some(below)),
            }
        }
        let missing = node.members.iter().filter(|(name, _)| !members.contains_key(*name));
        for (name, node) in missing {
            self.absent(node, &join(at, name))?;
        }
        Ok(())
    }

    fn value(&mut self, node: &'a Node, value: &'a Value, at: &str) -> Result<(), Denial> {
        match (&node.rule, value) {
            (Some(Rule::Data), _) => Ok(()),
            (Some(rule), Value::Null) if *rule.absent() != Absent::Refused => self.absent(node, at),
            (Some(Rule::Command { arguments, .. }), _) => {
                self.command(value, arguments.as_ref(), at)
            }
            (Some(rule), Value::String(text)) => self.resource(rule, text, at),
            // As good as missing: see `absent`.
            (None, Value::Null) => Ok(()),
            (_, Value::Array(items)) if node.element.is_some() => {
                let Some(element) = &node.element else { return Ok(()) };
                let at = format!("{at}[]");
                items.iter().try_for_each(|item| self.value(element, item, &at))
            }
            (_, Value::Object(members)) if !node.members.is_empty() => {
                self.members(node, members, at)
            }
            _ if !node.decides() => Ok(()),
            (Some(_), _) => Err(invalid(at, "a string is wanted")),
            (None, _) if node.element.is_some() => Err(invalid(at, "an array is wanted")),
            (None, _) => Err(invalid(at, "an object is wanted")),
        }
    }

    /// What it means that an argument is missing, or null.
    fn absent(&mut self, node: &'a Node, at: &str) -> Result<(), Denial> {
        match &node.rule {
            Some(rule) => match rule.absent() {
                Absent::Nothing => Ok(()),
                Absent::Default(value) => self.resource(rule, value, at),
                Absent::Refused => Err(invalid(at, "it is missing")),
            },
            // A missing array or object names nothing that is in it.
            None => Ok(()),
        }
    }

    fn resource(&mut self, rule: &'a Rule, text: &str, at: &str) -> Result<(), Denial> {
        let (resource, operations) = match rule {
            Rule::Path(rule) => {
                let base = self.base_of(rule)?;
                let size = self.size_of(rule);
                (
                    Resource::Path(path::request(rule, text, base.as_deref(), size, at)?),
                    rule.operations,
                )
            }
            Rule::Url { operations, .. } => (url(text, at)?, *operations),
            Rule::Operand if text.trim_start().starts_with('-') => {
                return Err(invalid(at, "it begins with `-` and would be taken for an option"));
            }
            Rule::Operand | Rule::Data | Rule::Command { .. } => return Ok(()),
        };
        self.push(AccessRequest::new(resource, operations))
    }

    fn command(
        &mut self,
        value: &Value,
        arguments: Option<&String>,
        at: &str,
    ) -> Result<(), Denial> {
        let arguments = arguments.and_then(|name| self.arguments.get(name));
        let request = command::request(value, arguments, at)?;
        let execute = Operations::NONE.with(Operation::Execute);
        self.push(AccessRequest::new(Resource::Command(request), execute))
    }

    fn push(&mut self, request: AccessRequest) -> Result<(), Denial> {
        // One of them is the tool itself.
        if self.requests.len() + 1 >= MAX_REQUESTS {
            let reason = format!("the call names more than {} resources", MAX_REQUESTS - 1);
            return Err(Denial::because(DenyCode::ArgumentInvalid, reason));
        }
        self.requests.push(request);
        Ok(())
    }

    /// The folder of relative values, absolute, as the server will read it.
    fn base_of(&self, rule: &PathRule) -> Result<Option<String>, Denial> {
        let own = rule.base.as_ref().or(self.table.base()).map(|base| base.as_str().to_owned());
        let Some(name) = &rule.base_argument else { return Ok(own) };
        let value = self.arguments.get(name).filter(|value| !value.is_null());
        let (Some(Rule::Path(base)), Some(Value::String(text))) =
            (self.tool.arguments.argument(name), value)
        else {
            return Ok(None);
        };
        let folder = base.base.as_ref().or(self.table.base()).map(|base| base.as_str());
        path::request(base, text, folder, None, name).map(|request| Some(request.raw))
    }

    /// Bytes that the call writes.
    fn size_of(&self, rule: &PathRule) -> Option<u64> {
        let text = self.arguments.get(rule.size_of.as_ref()?)?.as_str()?;
        u64::try_from(text.len()).ok()
    }
}

fn url(text: &str, at: &str) -> Result<Resource, Denial> {
    let url = UrlTarget::parse(text).map_err(|error| refused(DenyCode::UrlInvalid, at, &error))?;
    Ok(Resource::Url(UrlRequest::lexical(url)))
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

pub(super) fn invalid(at: &str, what: &str) -> Denial {
    refused(DenyCode::ArgumentInvalid, at, &what)
}

/// A denial that names an argument of the table, never the value.
pub(super) fn refused(code: DenyCode, at: &str, what: &dyn std::fmt::Display) -> Denial {
    Denial::because(code, format!("the argument `{at}` is refused: {what}"))
}
