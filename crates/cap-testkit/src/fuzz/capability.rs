//! What must hold of every capability that is read.

use cap_core::{
    AbsPath, AccessRequest, Addresses, Attenuation, Capability, CommandRequest, Delegation, Kind,
    Kinds, Mapping, Operation, Operations, PathRequest, Reach, Resource, ResourceType, RootGrant,
    ToolRequest, UrlRequest, UrlTarget,
};
use chrono::Duration;
use serde_json::{Map, Value, json};

use crate::naive;
use crate::strategy::{granted_at, id};

pub(super) fn round_trips(capability: &Capability) {
    let text = capability.to_json();
    let again = Capability::from_json(&text).unwrap();
    assert_eq!(again, *capability);
    assert_eq!(again.to_json(), text);
    let authority = capability.authority();
    assert_eq!(authority.meet(authority), *authority);
    assert!(!authority.is_empty() && authority.is_within(authority));
}

pub(super) fn agrees_with_the_model(capability: &Capability) {
    let wire: Value = serde_json::from_str(&capability.to_json()).unwrap();
    let mut texts = Vec::new();
    collect_texts(&wire, &mut texts);
    if !texts.iter().all(|text| is_tame(text)) {
        return;
    }
    for request in requests(&texts) {
        for now in [capability.issued_at(), capability.issued_at() + Duration::days(1)] {
            let ours = capability.permits(&request, now).is_allow();
            assert_eq!(ours, naive::permits(&wire, &request, now), "{wire}\n{request:?}");
        }
    }
}

/// A capability of type `any` with these constraints, and its wire form; none if they are refused
/// when read, or permit nothing.
pub(super) fn constrained(constraints: &Value) -> Option<(Capability, Value)> {
    let grant = RootGrant {
        principal: "agent".parse().unwrap(),
        resource_type: ResourceType::Any,
        resource: "*".to_owned(),
        operations: Operations::ALL,
        constraints: serde_json::from_value(constraints.clone()).ok()?,
        expires_at: None,
    };
    let capability = Capability::grant(id(0), grant, granted_at()).ok()?;
    let wire = serde_json::from_str(&capability.to_json()).unwrap();
    Some((capability, wire))
}

pub(super) fn delegates_no_more_than_it_has(capability: &Capability) {
    let delegation = Delegation {
        principal: capability.principal().clone(),
        resource_type: None,
        resource: None,
        operations: None,
        constraints: cap_core::Constraints::default(),
        expires_at: None,
        attenuation: Attenuation::Strict,
    };
    let now = capability.issued_at();
    let Ok((child, cut)) = capability.delegate(id(77), delegation, now) else { return };
    assert!(cut.is_empty());
    round_trips(&child);
    let wire: Value = serde_json::from_str(&capability.to_json()).unwrap();
    let mut texts = Vec::new();
    collect_texts(&wire, &mut texts);
    for request in requests(&texts) {
        let parent = capability.permits(&request, now).is_allow();
        assert_eq!(child.permits(&request, now).is_allow(), parent, "{wire}\n{request:?}");
    }
}

/// Whether the naive matcher, which tries everything, ends in good time.
pub(super) fn is_tame(text: &str) -> bool {
    text.len() <= 64 && text.matches(['*', '?']).count() <= 3 || !text.contains(['*', '?'])
}

/// Every text in the value, member names included.
pub(super) fn collect_texts(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        Value::Object(members) => {
            for (name, value) in members {
                texts.push(name.clone());
                collect_texts(value, texts);
            }
        }
        _ => {}
    }
}

/// Requests that are likely to hit what the texts speak of, and a few others.
fn requests(texts: &[String]) -> Vec<AccessRequest> {
    let mut requests = Vec::new();
    let others = ["/etc/passwd", "fs/read", "https://a.example/x", "git", "prompts/get"];
    for text in texts.iter().map(String::as_str).chain(others).take(40) {
        let text = text.replace("**", "a/b").replace('*', "a").replace('?', "b");
        requests.extend(path_requests(&text));
        let with_host = format!("https://{text}/x");
        for url in [&text, &with_host] {
            requests.extend(UrlTarget::parse(url).into_iter().flat_map(|url| urls(&url, texts)));
        }
        requests.extend(tool_request(&text, texts));
        requests.push(AccessRequest::new(Resource::Method(text.clone()), Operations::CALL));
        requests.extend(commands(&text, texts));
    }
    requests
}

fn path_requests(text: &str) -> Vec<AccessRequest> {
    let Ok(path) = AbsPath::parse(text) else { return Vec::new() };
    let below = path.join("x.txt").unwrap_or_else(|_| path.clone());
    let small = PathRequest { size: Some(1), ..PathRequest::lexical(below) };
    let deep = PathRequest { reach: Reach::Subtree, ..PathRequest::lexical(path.clone()) };
    let of = |path, operation| {
        AccessRequest::new(Resource::Path(path), Operations::NONE.with(operation))
    };
    vec![
        of(PathRequest::lexical(path), Operation::Read),
        of(small, Operation::Write),
        of(deep, Operation::List),
    ]
}

/// With and without a method and addresses that the texts have.
fn urls(url: &UrlTarget, texts: &[String]) -> Vec<AccessRequest> {
    let method = texts.iter().find(|text| text.bytes().all(|byte| byte.is_ascii_uppercase()));
    let addresses: Vec<_> = texts
        .iter()
        .filter_map(|text| text.split('/').next()?.parse().ok())
        .chain(["93.184.216.34".parse().unwrap()])
        .take(2)
        .collect();
    let said = UrlRequest {
        url: url.clone(),
        method: method.cloned(),
        addresses: Addresses::Resolved(addresses),
    };
    let read = Operations::NONE.with(Operation::Read);
    [UrlRequest::lexical(url.clone()), said]
        .map(|url| AccessRequest::new(Resource::Url(url), read))
        .to_vec()
}

/// Without arguments, and with some of the texts for arguments and variables.
fn commands(program: &str, texts: &[String]) -> Vec<AccessRequest> {
    let at = texts.iter().position(|text| text == program).map_or(0, |at| at + 1);
    let next = |count| texts.iter().skip(at).take(count).cloned().collect::<Vec<_>>();
    let execute = Operations::NONE.with(Operation::Execute);
    [(next(0), next(0)), (next(1), next(0)), (next(2), next(1)), (vec!["-x".to_owned()], next(0))]
        .map(|(arguments, environment)| {
            let program = program.to_owned();
            let command = CommandRequest { program, arguments, environment };
            AccessRequest::new(Resource::Command(command), execute)
        })
        .to_vec()
}

fn tool_request(name: &str, texts: &[String]) -> Option<AccessRequest> {
    let at = name.len() + texts.len();
    let arguments: Map<String, Value> = texts
        .iter()
        .skip(at % texts.len().max(1))
        .zip([json!(1), json!("a"), json!(["a", 1.0]), json!(null)])
        .take(at % 4)
        .map(|(name, value)| (name.clone(), value))
        .collect();
    let mapping = match at % 5 {
        0 => Mapping::Unlisted,
        1 => Mapping::Listed { kinds: Kinds::NONE, unlisted_argument: Some("a".to_owned()) },
        _ => Mapping::Listed {
            kinds: Kinds::NONE.with(if at.is_multiple_of(2) { Kind::Path } else { Kind::Url }),
            unlisted_argument: None,
        },
    };
    let tool = ToolRequest { name: name.parse().ok()?, arguments, mapping };
    Some(AccessRequest::new(Resource::Tool(tool), Operations::CALL))
}
