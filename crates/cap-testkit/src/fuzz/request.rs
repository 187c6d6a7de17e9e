//! Requests as JSON, one on a line, so that bytes can be requests.

use std::net::IpAddr;

use cap_core::{
    AbsPath, AccessRequest, Addresses, CommandRequest, Kind, Kinds, Mapping, Operation, Operations,
    PathRequest, Physical, Reach, Resource, ToolRequest, UrlRequest, UrlTarget,
};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

/// A request and its instant, from a line.
pub(super) fn read(line: &str) -> Option<(AccessRequest, DateTime<Utc>)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let now = DateTime::parse_from_rfc3339(line["at"].as_str()?).ok()?.to_utc();
    let operations = texts(&line["operations"])?;
    let operations: Operations = Operation::ALL
        .into_iter()
        .filter(|one| operations.iter().any(|it| it == one.name()))
        .collect();
    Some((AccessRequest::new(resource(&line)?, operations), now))
}

/// The line of a request; none when a file system was asked.
pub(super) fn write(request: &AccessRequest, now: DateTime<Utc>) -> Option<String> {
    let mut line = match &request.resource {
        Resource::Command(command) => json!({
            "command": command.program,
            "arguments": command.arguments,
            "environment": command.environment,
        }),
        Resource::Method(method) => json!({"method": method}),
        Resource::Path(PathRequest { physical: Physical::Unknown, path, reach, size, .. }) => {
            json!({"path": path.as_str(), "subtree": *reach == Reach::Subtree, "size": size})
        }
        Resource::Tool(tool) => json!({
            "tool": tool.name.as_str(),
            "arguments": tool.arguments,
            "kinds": match &tool.mapping {
                Mapping::Unlisted => None,
                Mapping::Listed { kinds, .. } => Some(kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>()),
            },
        }),
        Resource::Url(url) => json!({
            "url": url.url.to_string(),
            "http": url.method,
            "addresses": match &url.addresses {
                Addresses::Unknown => None,
                Addresses::Resolved(all) => Some(all.iter().map(IpAddr::to_string).collect::<Vec<_>>()),
            },
        }),
        _ => return None,
    };
    line["at"] = json!(now.to_rfc3339());
    line["operations"] = request.operations.iter().map(|one| one.name()).collect();
    Some(line.to_string())
}

fn resource(line: &Value) -> Option<Resource> {
    let text = |name: &str| line[name].as_str();
    if let Some(program) = text("command") {
        return Some(Resource::Command(CommandRequest {
            program: program.to_owned(),
            arguments: texts(&line["arguments"])?,
            environment: texts(&line["environment"])?,
        }));
    }
    if let Some(path) = text("path") {
        let path = PathRequest::lexical(AbsPath::parse(path).ok()?);
        let reach = if line["subtree"] == true { Reach::Subtree } else { Reach::Object };
        return Some(Resource::Path(PathRequest { reach, size: line["size"].as_u64(), ..path }));
    }
    if let Some(url) = text("url") {
        return Some(Resource::Url(UrlRequest {
            url: UrlTarget::parse(url).ok()?,
            method: text("http").map(str::to_owned),
            addresses: addresses(&line["addresses"])?,
        }));
    }
    if let Some(name) = text("tool") {
        let arguments = line["arguments"].as_object().cloned().unwrap_or_else(Map::new);
        let mapping = mapping(&line["kinds"])?;
        return Some(Resource::Tool(ToolRequest { name: name.parse().ok()?, arguments, mapping }));
    }
    text("method").map(|method| Resource::Method(method.to_owned()))
}

fn addresses(value: &Value) -> Option<Addresses> {
    if value.is_null() {
        return Some(Addresses::Unknown);
    }
    let all = texts(value)?;
    let all: Option<_> = all.iter().map(|address| address.parse().ok()).collect();
    all.map(Addresses::Resolved)
}

fn mapping(value: &Value) -> Option<Mapping> {
    if value.is_null() {
        return Some(Mapping::Unlisted);
    }
    let kinds = texts(value)?;
    let mapped = [Kind::Command, Kind::Path, Kind::Url];
    let kinds: Kinds =
        mapped.into_iter().filter(|one| kinds.iter().any(|it| it == one.name())).collect();
    Some(Mapping::Listed { kinds, unlisted_argument: None })
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|one| one.as_str().map(str::to_owned)).collect()
}
