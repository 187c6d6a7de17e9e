//! Capabilities and requests in one line each.

use cap_core::{
    AbsPath, AccessRequest, Attenuation, Beneath, Capability, CommandRequest, Constraints,
    Decision, Delegation, Denial, DenyCode, Kinds, Mapping, Operation, Operations, PathRequest,
    Physical, Resource, ResourceType, RootGrant, ToolRequest, UrlRequest, UrlTarget,
};
use cap_testkit::strategy::{granted_at, id, typed};
use serde_json::{Map, Value, json};

pub const READ: Operations = Operations::NONE.with(Operation::Read);
pub const WRITE: Operations = Operations::NONE.with(Operation::Write);
pub const LIST: Operations = Operations::NONE.with(Operation::List);

pub fn root_grant(resource_type: ResourceType, resource: &str, constraints: Value) -> RootGrant {
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
pub fn grant(resource_type: ResourceType, resource: &str, constraints: Value) -> Capability {
    Capability::grant(id(0), root_grant(resource_type, resource, constraints), granted_at())
        .unwrap()
}

/// A capability of type `any` with these constraints.
pub fn constrained(constraints: Value) -> Capability {
    grant(ResourceType::Any, "*", constraints)
}

/// A delegation that says nothing but these constraints.
pub fn asked(constraints: Value) -> Delegation {
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
pub fn child(parent: &Capability, delegation: Delegation) -> Capability {
    parent.delegate(id(parent.delegation_depth() + 1), delegation, granted_at()).unwrap().0
}

pub fn permits(capability: &Capability, request: &AccessRequest) -> bool {
    capability.permits(request, granted_at()).is_allow()
}

pub fn denial(capability: &Capability, request: &AccessRequest) -> Denial {
    match capability.permits(request, granted_at()) {
        Decision::Deny(denial) => denial,
        Decision::Allow => panic!("permitted: {request:?}"),
    }
}

/// Refused with this code by this constraint, in a sentence that has these words.
#[track_caller]
pub fn assert_refused(
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

pub fn path(text: &str) -> PathRequest {
    PathRequest::lexical(AbsPath::parse(text).unwrap())
}

pub fn on_path(path: PathRequest, operations: Operations) -> AccessRequest {
    AccessRequest::new(Resource::Path(path), operations)
}

pub fn read(text: &str) -> AccessRequest {
    on_path(path(text), READ)
}

/// The path as it is found beneath `root`: it leads to `real`, where there are `size` bytes.
pub fn found(text: &str, root: &str, real: Result<&str, DenyCode>, size: u64) -> PathRequest {
    let parse = |text| AbsPath::parse(text).unwrap();
    let beneath = Beneath { root: parse(root), real: real.map(parse), size };
    PathRequest { physical: Physical::Resolved(vec![beneath]), ..path(text) }
}

pub fn tool(name: &str, arguments: Value, kinds: Option<Kinds>) -> AccessRequest {
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
pub fn call(name: &str) -> AccessRequest {
    tool(name, json!({}), Some(Kinds::NONE))
}

pub fn method(name: &str) -> AccessRequest {
    AccessRequest::new(Resource::Method(name.to_owned()), Operations::CALL)
}

pub fn command(program: &str) -> AccessRequest {
    let command = CommandRequest { program: program.to_owned(), arguments: Vec::new() };
    AccessRequest::new(Resource::Command(command), Operations::NONE.with(Operation::Execute))
}

pub fn url(text: &str) -> AccessRequest {
    let url = UrlTarget::parse(text).unwrap();
    AccessRequest::new(Resource::Url(UrlRequest { url }), READ)
}

pub fn no_constraints() -> Constraints {
    Constraints::default()
}

pub fn wire(capability: &Capability) -> Value {
    serde_json::from_str(&capability.to_json()).unwrap()
}
