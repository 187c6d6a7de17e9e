//! Capabilities and requests in one line each.

use cap_core::{
    AbsPath, AccessRequest, Attenuation, Beneath, Capability, CommandRequest, Decision, Delegation,
    Denial, DenyCode, Kinds, Mapping, Operation, Operations, PathRequest, Physical, Resource,
    ResourceType, RootGrant, ToolRequest, UrlRequest, UrlTarget,
};
use cap_testkit::strategy::{granted_at, id, typed};
use serde_json::{Map, Value, json};

pub(crate) const READ: Operations = Operations::NONE.with(Operation::Read);
pub(crate) const WRITE: Operations = Operations::NONE.with(Operation::Write);
pub(crate) const LIST: Operations = Operations::NONE.with(Operation::List);

pub(crate) fn root_grant(
    resource_type: ResourceType,
    resource: &str,
    constraints: Value,
) -> RootGrant {
    RootGrant {
        principal: "agent".parse().unwrap(),
        resource_type,
        resource: resource.to_owned(),
        operations: Operations::ALL,
        constraints: typed(constraints),
        expires_at: None,
    }
}

/// A root capability for every operation.
pub(crate) fn grant(resource_type: ResourceType, resource: &str, constraints: Value) -> Capability {
    Capability::grant(id(0), root_grant(resource_type, resource, constraints), granted_at())
        .unwrap()
}

/// A capability of type `any` with these constraints.
pub(crate) fn constrained(constraints: Value) -> Capability {
    grant(ResourceType::Any, "*", constraints)
}

/// A delegation that says nothing but these constraints.
pub(crate) fn asked(constraints: Value) -> Delegation {
    Delegation {
        principal: "sub-agent".parse().unwrap(),
        resource_type: None,
        resource: None,
        operations: None,
        constraints: typed(constraints),
        expires_at: None,
        attenuation: Attenuation::Strict,
    }
}

/// What a delegation makes of `parent`.
pub(crate) fn child(parent: &Capability, delegation: Delegation) -> Capability {
    parent.delegate(id(parent.delegation_depth() + 1), delegation, granted_at()).unwrap().0
}

pub(crate) fn permits(capability: &Capability, request: &AccessRequest) -> bool {
    capability.permits(request, granted_at()).is_allow()
}

pub(crate) fn denial(capability: &Capability, request: &AccessRequest) -> Denial {
    match capability.permits(request, granted_at()) {
        Decision::Deny(denial) => denial,
        Decision::Allow => panic!("permitted: {request:?}"),
    }
}

/// Refused with this code by this constraint, in a sentence that has these words.
#[track_caller]
pub(crate) fn assert_refused(
    capability: &Capability,
    request: &AccessRequest,
    code: DenyCode,
    constraint: &str,
    words: &[&str],
) {
    let denial = denial(capability, request);
    assert_eq!(denial.code(), code, "{denial}");
    assert_eq!(denial.constraint(), Some(constraint), "{denial}");
    for word in words {
        assert!(denial.reason().contains(word), "`{word}` is not in: {denial}");
    }
}

pub(crate) fn path(text: &str) -> PathRequest {
    PathRequest::lexical(AbsPath::parse(text).unwrap())
}

pub(crate) fn on_path(path: PathRequest, operations: Operations) -> AccessRequest {
    AccessRequest::new(Resource::Path(path), operations)
}

pub(crate) fn read(text: &str) -> AccessRequest {
    on_path(path(text), READ)
}

/// The path as it is found beneath `root`: it leads to `real`, where there are `size` bytes.
pub(crate) fn found(
    text: &str,
    root: &str,
    real: Result<&str, DenyCode>,
    size: u64,
) -> PathRequest {
    let parse = |text| AbsPath::parse(text).unwrap();
    let beneath = Beneath { root: parse(root), real: real.map(parse), size };
    PathRequest { physical: Physical::Resolved(vec![beneath]), ..path(text) }
}

pub(crate) fn tool(name: &str, arguments: Value, kinds: Option<Kinds>) -> AccessRequest {
    let mapping = match kinds {
        None => Mapping::Unlisted,
        Some(kinds) => Mapping::Listed { kinds, unlisted_argument: None },
    };
    let arguments = match arguments {
        Value::Object(arguments) => arguments,
        _ => Map::new(),
    };
    let tool = ToolRequest { name: name.parse().unwrap(), arguments, mapping };
    AccessRequest::new(Resource::Tool(tool), Operations::CALL)
}

/// A call of a tool whose arguments name no resource.
pub(crate) fn call(name: &str) -> AccessRequest {
    tool(name, json!({}), Some(Kinds::NONE))
}

pub(crate) fn method(name: &str) -> AccessRequest {
    AccessRequest::new(Resource::Method(name.to_owned()), Operations::CALL)
}

pub(crate) fn command(program: &str) -> AccessRequest {
    let command = CommandRequest {
        program: program.to_owned(),
        arguments: Vec::new(),
        environment: Vec::new(),
    };
    AccessRequest::new(Resource::Command(command), Operations::NONE.with(Operation::Execute))
}

pub(crate) fn url(text: &str) -> AccessRequest {
    let url = UrlTarget::parse(text).unwrap();
    AccessRequest::new(Resource::Url(UrlRequest::lexical(url)), READ)
}

pub(crate) fn wire(capability: &Capability) -> Value {
    serde_json::from_str(&capability.to_json()).unwrap()
}
