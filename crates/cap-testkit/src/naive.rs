//! The naive model: what a capability permits, read straight from its wire JSON.
//!
//! Written from the text (the meanings of the constraints, one by one), as slowly and plainly as
//! the text says it. It shares nothing with `cap-core` but the types of a request and the readers
//! of those, so that the two are wrong in the same way only if the text is.

mod address;
mod argument;
mod command;
mod glob;
mod time;
mod url;

use std::collections::BTreeSet;

use cap_core::{
    AccessRequest, CommandRequest, Mapping, PathRequest, Physical, Reach, Resource, ToolRequest,
    UrlRequest,
};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

/// What a custom constraint means: its name, its parameter and the request, to the answer; `None`
/// where nobody registered the name.
pub type Customs<'a> = &'a dyn Fn(&str, &Value, &AccessRequest) -> Option<bool>;

/// Whether the capability of this wire form permits `request` at `now`, where no custom constraint
/// is registered.
pub fn permits(capability: &Value, request: &AccessRequest, now: DateTime<Utc>) -> bool {
    permits_with(capability, request, &|_, _, _| None, now)
}

/// The same with custom constraints.
pub fn permits_with(
    capability: &Value,
    request: &AccessRequest,
    customs: Customs<'_>,
    now: DateTime<Utc>,
) -> bool {
    refusals(capability, request, customs, now).is_empty()
}

/// The constraints that refuse `request`, by their names on the wire: those at the top and under
/// `and`, what `resource`, `operations` and `expires_at` of the capability mean, and what is
/// implied. `kinds` is also that the capability does not speak of the kind, `tool_kinds` that it
/// does not understand the tool, and `request` that the request is permitted to nobody.
pub fn refusals(
    capability: &Value,
    request: &AccessRequest,
    customs: Customs<'_>,
    now: DateTime<Utc>,
) -> BTreeSet<String> {
    let model = Model::new(capability);
    let asked = Asked { request, customs, now };
    let implied = model.implied();
    let of_constraints = model
        .sets
        .iter()
        .copied()
        .chain([&implied])
        .flatten()
        .filter(|(name, value)| !holds(name, value, &asked))
        .map(|(name, _)| name.as_str());
    let of_the_capability = [
        ("request", is_proper(request)),
        ("expires_at", model.is_alive(now)),
        ("kinds", model.grants_kind(request)),
        ("operations", model.grants_operations(request)),
        (model.resource_constraint(), model.grants_resource(&asked)),
        ("tool_kinds", model.understands_tool(request)),
    ];
    let of_the_capability =
        of_the_capability.into_iter().filter(|(_, holds)| !holds).map(|(name, _)| name);
    of_the_capability.chain(of_constraints).map(str::to_owned).collect()
}

/// Whether every link of a chain permits `request`: what the whole chain permits.
pub fn chain_permits(chain: &[Value], request: &AccessRequest, now: DateTime<Utc>) -> bool {
    chain.iter().all(|link| permits(link, request, now))
}

/// Whether a path pattern means a path, both as they are written.
pub fn pattern_means(pattern: &str, path: &str) -> bool {
    glob::means(pattern, path)
}

/// The segments of a path, `.` and `..` resolved.
pub fn path_segments(path: &str) -> Vec<String> {
    glob::names(path)
}

/// Whether a domain pattern means a host.
pub fn domain_means(pattern: &str, host: &str) -> bool {
    url::domain_means(pattern, host)
}

/// Whether a URL pattern means a URL.
pub fn url_means(pattern: &str, url: &str) -> bool {
    url::means(pattern, url)
}

/// Whether the value of `command_args` permits a call: a program, and its arguments.
pub fn arguments_hold(rules: &Value, program: &str, arguments: &[String]) -> bool {
    command::arguments_hold(rules, program, arguments)
}

struct Model<'a> {
    capability: &'a Value,
    resource_type: &'a str,
    /// The constraints at the top, then those under `and`.
    sets: Vec<&'a Map<String, Value>>,
}

/// A request, and when and before whom it is made.
struct Asked<'a> {
    request: &'a AccessRequest,
    customs: Customs<'a>,
    now: DateTime<Utc>,
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
        self.capability.get("expires_at").is_none_or(|at| now < time::instant(at))
    }

    fn has(&self, name: &str) -> bool {
        self.sets.iter().any(|set| set.contains_key(name))
    }

    /// What is granted only: without a word, it is refused.
    fn implied(&self) -> Map<String, Value> {
        let granted_only = [
            ("url", "private_networks", json!(false)),
            ("command", "command_args", json!({})),
            ("command", "environment", json!([])),
        ];
        let is_implied = |kind: &str, name: &str| {
            self.resource_type != "any" && self.speaks_of(kind) && !self.has(name)
        };
        granted_only
            .into_iter()
            .filter(|(kind, name, _)| is_implied(kind, name))
            .map(|(_, name, value)| (name.to_owned(), value))
            .collect()
    }

    /// A request of a kind is permitted by a capability of that type, or by a clause that speaks
    /// of the kind; requests for tools are always spoken of.
    fn grants_kind(&self, request: &AccessRequest) -> bool {
        kind(request) == "tool" || self.resource_type == "any" || self.speaks_of(kind(request))
    }

    fn speaks_of(&self, kind: &str) -> bool {
        let by_constraint = match kind {
            "command" => self.has("commands"),
            "method" => self.has("allowed_methods"),
            "path" => self.has("paths"),
            "url" => self.has("urls") || self.has("allowed_domains") || self.has("protocols"),
            _ => false,
        };
        by_constraint || self.resource_type == kind
    }

    /// `call` comes with every type but those whose purpose it is.
    fn grants_operations(&self, request: &AccessRequest) -> bool {
        let implied = !["tool", "method"].contains(&self.resource_type);
        let granted = &self.capability["operations"];
        request.operations.iter().all(|operation| {
            lists(granted, operation.name()) || (implied && operation.name() == "call")
        })
    }

    /// The constraint that the resource is a value of.
    fn resource_constraint(&self) -> &'static str {
        match self.resource_type {
            "any" => "resource",
            "command" => "commands",
            "method" => "allowed_methods",
            "path" => "paths",
            "tool" => "allowed_tools",
            _ => "urls",
        }
    }

    /// The resource means what a constraint of its type with that one value means.
    fn grants_resource(&self, asked: &Asked<'_>) -> bool {
        let resource = self.capability["resource"].as_str().unwrap();
        let resource = match (self.resource_type, resource) {
            ("any", _) => return true,
            ("path", "*") => "/",
            (_, resource) => resource,
        };
        holds(self.resource_constraint(), &Value::from(vec![resource]), asked)
    }

    /// A tool is granted by a tool capability, by `allowed_tools`, or by standing in the table with
    /// the capability's kind. Where the capability speaks of resources, what the table does not
    /// list is refused.
    fn understands_tool(&self, request: &AccessRequest) -> bool {
        let Resource::Tool(tool) = &request.resource else {
            return true;
        };
        let speaks_of_resources =
            ["path", "url", "command"].iter().any(|kind| self.speaks_of(kind));
        let by_itself = ["any", "tool"].contains(&self.resource_type) || self.has("allowed_tools");
        (by_itself || is_mapped_to(tool, &[self.resource_type]))
            && (!speaks_of_resources || is_listed(tool))
    }
}

/// A request that asks for nothing, for what is refused physically, or for what is no command, is
/// permitted to nobody.
fn is_proper(request: &AccessRequest) -> bool {
    let is_proper = match &request.resource {
        Resource::Path(path) => !matches!(path.physical, Physical::Refused(_)),
        Resource::Command(command) => command::is_proper(command),
        _ => true,
    };
    is_proper && request.operations.iter().next().is_some()
}

/// Whether one constraint, by its name on the wire, holds for a request. One on resources of a
/// kind holds for requests of other kinds.
fn holds(name: &str, value: &Value, asked: &Asked<'_>) -> bool {
    let Asked { request, customs, now } = *asked;
    match (name, &request.resource) {
        // Of one request only.
        (
            "and" | "budget" | "max_bytes" | "max_calls" | "max_delegation_depth" | "rate_limit",
            _,
        ) => true,
        ("expires_at", _) => now < time::instant(value),
        ("not_before", _) => now >= time::instant(value),
        ("time_windows", _) => list(value).iter().any(|window| time::is_in_window(window, now)),
        ("custom", _) => value
            .as_object()
            .unwrap()
            .iter()
            .all(|(name, parameter)| customs(name, parameter, request) == Some(true)),
        ("kinds", _) => lists(value, kind(request)),
        ("operations", _) => request.operations.iter().all(|one| lists(value, one.name())),
        ("allowed_methods", Resource::Method(method)) => any(value, |it| method_means(it, method)),
        ("allowed_tools" | "arguments" | "tool_kinds", Resource::Tool(tool)) => {
            tool_holds(name, value, tool)
        }
        ("allowed_extensions" | "max_file_size" | "paths", Resource::Path(path)) => {
            path_holds(name, value, path, request)
        }
        (
            "allowed_domains" | "cidr" | "methods" | "ports" | "private_networks" | "protocols"
            | "urls",
            Resource::Url(url),
        ) => url_holds(name, value, url),
        ("command_args" | "commands" | "environment", Resource::Command(command)) => {
            command_holds(name, value, command)
        }
        (
            "allowed_domains" | "allowed_extensions" | "allowed_methods" | "allowed_tools"
            | "arguments" | "cidr" | "command_args" | "commands" | "environment" | "max_file_size"
            | "methods" | "paths" | "ports" | "private_networks" | "protocols" | "tool_kinds"
            | "urls",
            _,
        ) => true,
        _ => false,
    }
}

fn tool_holds(name: &str, value: &Value, tool: &ToolRequest) -> bool {
    match name {
        "allowed_tools" => any(value, |pattern| tool_means(pattern, tool.name.as_str())),
        "arguments" => value
            .get(tool.name.as_str())
            .is_none_or(|rules| argument::all_hold(rules, &tool.arguments)),
        _ => is_mapped_to(tool, &list(value).iter().map(text).collect::<Vec<_>>()),
    }
}

fn path_holds(name: &str, value: &Value, path: &PathRequest, request: &AccessRequest) -> bool {
    match name {
        "allowed_extensions" => only_lists(request) || extensions_hold(value, path),
        "max_file_size" => size_holds(value.as_u64().unwrap(), path, request),
        _ => any(value, |pattern| path_is_meant(pattern, path)),
    }
}

fn url_holds(name: &str, value: &Value, request: &UrlRequest) -> bool {
    let (url, host) = (request.url.to_string(), request.url.host());
    match name {
        "allowed_domains" => any(value, |pattern| url::domain_means(pattern, host)),
        "cidr" => address::all_are_in(value, request),
        "methods" => request.method.as_ref().is_some_and(|method| any(value, |it| it == method)),
        "ports" => {
            url::port(&url).is_some_and(|port| list(value).iter().any(|it| port_means(it, port)))
        }
        "private_networks" => *value == true || address::all_are_public(request),
        "protocols" => any(value, |scheme| scheme == request.url.scheme()),
        _ => any(value, |pattern| url::means(pattern, &url)),
    }
}

fn command_holds(name: &str, value: &Value, command: &CommandRequest) -> bool {
    match name {
        "command_args" => command::arguments_hold(value, &command.program, &command.arguments),
        "environment" => command.environment.iter().all(|name| any(value, |it| it == name)),
        _ => any(value, |program| program == "*" || program == command.program),
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

fn any(texts: &Value, means: impl Fn(&str) -> bool) -> bool {
    list(texts).iter().any(|one| means(text(one)))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn method_means(pattern: &str, method: &str) -> bool {
    pattern == method || pattern.strip_suffix('*').is_some_and(|start| method.starts_with(start))
}

/// A port, or `from-to`, both included.
fn port_means(ports: &Value, port: u64) -> bool {
    match ports.as_str().and_then(|range| range.split_once('-')) {
        Some((from, to)) => (number(from)..=number(to)).contains(&port),
        None => *ports == port,
    }
}

fn number(text: &str) -> u64 {
    text.parse().unwrap()
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
