//! The naive model: what a capability permits, read straight from its wire JSON.
//!
//! Written from the text (the meanings of the constraints, one by one), as slowly and plainly as
//! the text says it. It shares nothing with `cap-core` but the type of a request, so that the two
//! are wrong in the same way only if the text is.

mod argument;
mod glob;
mod url;

use cap_core::{AccessRequest, Mapping, PathRequest, Physical, Reach, Resource, ToolRequest};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

/// Whether the capability of this wire form permits `request` at `now`.
pub fn permits(capability: &Value, request: &AccessRequest, now: DateTime<Utc>) -> bool {
    let model = Model::new(capability);
    model.is_alive(now)
        && is_proper(request)
        && model.grants_kind(request)
        && model.grants_operations(request)
        && model.grants_resource(request)
        && model.understands_tool(request)
        && model
            .sets
            .iter()
            .all(|set| set.iter().all(|(name, value)| holds(name, value, request, now)))
}

/// Whether every link of a chain permits `request`: what the whole chain permits.
pub fn chain_permits(chain: &[Value], request: &AccessRequest, now: DateTime<Utc>) -> bool {
    chain.iter().all(|link| permits(link, request, now))
}

/// Whether a path pattern means a path, both as they are written.
pub fn pattern_means(pattern: &str, path: &str) -> bool {
    glob::means(pattern, path)
}

struct Model<'a> {
    capability: &'a Value,
    resource_type: &'a str,
    /// The constraints at the top, then those under `and`.
    sets: Vec<&'a Map<String, Value>>,
}

impl<'a> Model<'a> {
    fn new(capability: &'a Value) -> Self {
        let top = &capability["constraints"];
        let more = top["and"].as_array().into_iter().flatten();
        Self {
            capability,
            resource_type: capability["resource_type"].as_str().unwrap(),
            sets: [top].into_iter().chain(more).map(|set| set.as_object().unwrap()).collect(),
        }
    }

    fn is_alive(&self, now: DateTime<Utc>) -> bool {
        self.capability.get("expires_at").is_none_or(|at| now < instant(at))
    }

    fn has(&self, name: &str) -> bool {
        self.sets.iter().any(|set| set.contains_key(name))
    }

    /// A request of a kind is permitted by a capability of that type, or by a clause that speaks
    /// of the kind; requests for tools are always spoken of.
    fn grants_kind(&self, request: &AccessRequest) -> bool {
        let spoken = match kind(request) {
            "command" => self.has("commands"),
            "method" => self.has("allowed_methods"),
            "path" => self.has("paths"),
            "tool" => true,
            _ => self.has("urls") || self.has("allowed_domains") || self.has("protocols"),
        };
        spoken || ["any", kind(request)].contains(&self.resource_type)
    }

    /// `call` comes with every type but those whose purpose it is.
    fn grants_operations(&self, request: &AccessRequest) -> bool {
        let implied = !["tool", "method"].contains(&self.resource_type);
        let granted = &self.capability["operations"];
        request.operations.iter().all(|operation| {
            lists(granted, operation.name()) || (implied && operation.name() == "call")
        })
    }

    /// The resource means what a constraint of its type with that one value means.
    fn grants_resource(&self, request: &AccessRequest) -> bool {
        let resource = self.capability["resource"].as_str().unwrap();
        let constraint = match self.resource_type {
            "any" => return true,
            "command" => "commands",
            "method" => "allowed_methods",
            "path" => "paths",
            "tool" => "allowed_tools",
            _ => "urls",
        };
        let resource = match (self.resource_type, resource) {
            ("path", "*") => "/",
            (_, resource) => resource,
        };
        let far = DateTime::<Utc>::MIN_UTC;
        holds(constraint, &Value::from(vec![resource]), request, far)
    }

    /// A tool is granted by a tool capability, by `allowed_tools`, or by standing in the table with
    /// the capability's kind. Where the capability speaks of resources, what the table does not
    /// list is refused.
    fn understands_tool(&self, request: &AccessRequest) -> bool {
        let Resource::Tool(tool) = &request.resource else {
            return true;
        };
        let resources = ["paths", "urls", "allowed_domains", "protocols", "commands"];
        let speaks_of_resources = resources.iter().any(|name| self.has(name))
            || ["path", "url", "command"].contains(&self.resource_type);
        let by_itself = ["any", "tool"].contains(&self.resource_type) || self.has("allowed_tools");
        (by_itself || is_mapped_to(tool, &[self.resource_type]))
            && (!speaks_of_resources || is_listed(tool))
    }
}

/// A request that asks for nothing, or for what is refused physically, is permitted to nobody.
fn is_proper(request: &AccessRequest) -> bool {
    let refused = match &request.resource {
        Resource::Path(path) => matches!(path.physical, Physical::Refused(_)),
        _ => false,
    };
    !refused && request.operations.iter().next().is_some()
}

/// Whether one constraint, by its name on the wire, holds for a request.
fn holds(name: &str, value: &Value, request: &AccessRequest, now: DateTime<Utc>) -> bool {
    let any = |means: &dyn Fn(&str) -> bool| {
        value.as_array().unwrap().iter().any(|one| means(one.as_str().unwrap()))
    };
    match (name, &request.resource) {
        ("expires_at", _) => now < instant(value),
        ("kinds", _) => lists(value, kind(request)),
        ("operations", _) => request.operations.iter().all(|one| lists(value, one.name())),
        ("allowed_tools", Resource::Tool(tool)) => {
            any(&|pattern| tool_means(pattern, tool.name.as_str()))
        }
        ("tool_kinds", Resource::Tool(tool)) => {
            is_mapped_to(tool, &value.as_array().unwrap().iter().map(text).collect::<Vec<_>>())
        }
        ("arguments", Resource::Tool(tool)) => value
            .get(tool.name.as_str())
            .is_none_or(|rules| argument::all_hold(rules, &tool.arguments)),
        ("allowed_methods", Resource::Method(method)) => any(&|pattern| {
            pattern == method || pattern.strip_suffix('*').is_some_and(|it| method.starts_with(it))
        }),
        ("paths", Resource::Path(path)) => any(&|pattern| path_is_meant(pattern, path)),
        ("allowed_extensions", Resource::Path(path)) => {
            only_lists(request) || extensions_hold(value, path)
        }
        ("max_file_size", Resource::Path(path)) => {
            size_holds(value.as_u64().unwrap(), path, request)
        }
        ("protocols", Resource::Url(url)) => any(&|scheme| scheme == url.url.scheme()),
        ("allowed_domains", Resource::Url(url)) => any(&|it| url::domain_means(it, url.url.host())),
        ("urls", Resource::Url(url)) => any(&|it| url::means(it, &url.url.to_string())),
        ("commands", Resource::Command(command)) => {
            any(&|program| program == "*" || program == command.program)
        }
        // Of another kind of request, or no predicate of one request.
        (known, _) => [
            "allowed_domains",
            "allowed_extensions",
            "allowed_methods",
            "allowed_tools",
            "and",
            "arguments",
            "commands",
            "max_delegation_depth",
            "max_file_size",
            "paths",
            "protocols",
            "rate_limit",
            "tool_kinds",
            "urls",
        ]
        .contains(&known),
    }
}

fn kind(request: &AccessRequest) -> &'static str {
    match &request.resource {
        Resource::Command(_) => "command",
        Resource::Method(_) => "method",
        Resource::Path(_) => "path",
        Resource::Tool(_) => "tool",
        _ => "url",
    }
}

/// Whether a list of names has this one. `["*"]` has all.
fn lists(names: &Value, name: &str) -> bool {
    let names = names.as_array().unwrap();
    names.iter().any(|one| one == name) || (names.len() == 1 && names[0] == "*")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn instant(value: &Value) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text(value)).unwrap().to_utc()
}

fn tool_means(pattern: &str, tool: &str) -> bool {
    let (server, _) = tool.split_once('/').unwrap();
    pattern == "*" || pattern == tool || pattern == format!("{server}/*")
}

fn is_mapped_to(tool: &ToolRequest, wanted: &[&str]) -> bool {
    match &tool.mapping {
        Mapping::Unlisted => false,
        Mapping::Listed { kinds, .. } => {
            wanted == ["*"] && kinds.iter().next().is_some()
                || kinds.iter().any(|kind| wanted.contains(&kind.name()))
        }
    }
}

fn is_listed(tool: &ToolRequest) -> bool {
    matches!(&tool.mapping, Mapping::Listed { unlisted_argument: None, .. })
}

/// Lexically, and, where a file system was asked beneath the pattern's root, by where the path
/// leads. What reaches a whole subtree needs a pattern that is open at its end.
fn path_is_meant(pattern: &str, request: &PathRequest) -> bool {
    let open = !pattern.contains(['*', '?']) || pattern.trim_end_matches('/').ends_with("/**");
    let meant = |path: &str| glob::means(pattern, path) && (request.reach == Reach::Object || open);
    let really = match &request.physical {
        Physical::Unknown => true,
        Physical::Resolved(roots) => roots
            .iter()
            .find(|beneath| glob::names(beneath.root.as_str()) == glob::root(pattern))
            .is_some_and(|beneath| beneath.real.as_ref().is_ok_and(|real| meant(real.as_str()))),
        _ => false,
    };
    meant(request.path.as_str()) && really
}

fn only_lists(request: &AccessRequest) -> bool {
    request.operations.iter().all(|operation| operation.name() == "list")
}

/// The path as it is named and as it is found, both with an extension from the list; nobody knows
/// the extensions in a subtree.
fn extensions_hold(extensions: &Value, request: &PathRequest) -> bool {
    let good = |path: &str| {
        let name = path.rsplit('/').next().unwrap();
        let (stem, extension) = name.rsplit_once('.').unwrap_or_default();
        !stem.is_empty()
            && !extension.is_empty()
            && extensions.as_array().unwrap().iter().any(|one| one == extension)
    };
    request.reach == Reach::Object
        && good(request.path.as_str())
        && found(request).iter().all(|(real, _)| good(real))
}

/// Neither what is there and is read, nor what is written, is longer; and both are known.
fn size_holds(max: u64, request: &PathRequest, access: &AccessRequest) -> bool {
    let does = |name| access.operations.iter().any(|operation| operation.name() == name);
    let there = found(request).into_iter().map(|(_, size)| size).max();
    let mut sizes = Vec::new();
    if does("read") {
        sizes.push(there.or(request.size));
    }
    if does("write") {
        sizes.push(request.size);
    }
    sizes.is_empty()
        || (request.reach == Reach::Object
            && sizes.iter().all(|size| size.is_some_and(|size| size <= max)))
}

/// Where the path leads, and how many bytes are there.
fn found(request: &PathRequest) -> Vec<(&str, u64)> {
    match &request.physical {
        Physical::Resolved(roots) => roots
            .iter()
            .filter_map(|beneath| Some((beneath.real.as_ref().ok()?.as_str(), beneath.size)))
            .collect(),
        _ => Vec::new(),
    }
}
