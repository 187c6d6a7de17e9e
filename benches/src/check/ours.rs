//! Ours: a capability, and the two requests that a call makes, one for the tool and one for the
//! path. Both are checked.

use cap_core::{
    AbsPath, AccessRequest, Capability, CapabilityId, Kind, Kinds, Mapping, Operation, Operations,
    PathRequest, Resource, ResourceType, RootGrant, ToolRequest,
};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::grant::{
    AGENT, Call, ENCODINGS, EXPIRES, EXTENSIONS, Evaluator, Grant, MAX_HEAD, MAX_SIZE, PATHS,
    READ_TEXT, TOOLS, WORKDAYS,
};

pub struct Ours {
    pub grant: Grant,
    pub capability: Capability,
}

pub struct Request {
    pub tool: AccessRequest,
    pub path: AccessRequest,
    pub now: DateTime<Utc>,
}

impl Evaluator for Ours {
    type Request = Request;

    const NAME: &'static str = "ours";

    fn new(grant: Grant) -> Self {
        Self { grant, capability: capability(0, constraints(grant)) }
    }

    fn request(&self, call: &Call) -> Request {
        let mut path = PathRequest::lexical(AbsPath::parse(call.path).expect("a path"));
        path.size = u64::try_from(call.size).ok();
        let tool = ToolRequest {
            name: call.tool.parse().expect("a tool"),
            arguments: arguments(self.grant, call),
            mapping: Mapping::Listed {
                kinds: Kinds::NONE.with(Kind::Path),
                unlisted_argument: None,
            },
        };
        Request {
            tool: AccessRequest::new(Resource::Tool(tool), Operations::CALL),
            path: AccessRequest::new(
                Resource::Path(path),
                Operations::NONE.with(operation(call.operation)),
            ),
            now: instant(call.now),
        }
    }

    fn permits(&mut self, request: &mut Request) -> bool {
        self.capability.check(&request.tool, request.now).is_ok()
            && self.capability.check(&request.path, request.now).is_ok()
    }
}

/// The capability number `number` with these constraints.
pub fn capability(number: u32, constraints: Value) -> Capability {
    let issued_at = instant(EXPIRES - 30 * 86_400);
    let mut random = [0; 10];
    random[6..].copy_from_slice(&number.to_be_bytes());
    let grant = RootGrant {
        principal: AGENT.parse().expect("a principal"),
        resource_type: ResourceType::Path,
        resource: "*".into(),
        operations: [Operation::Read, Operation::Write, Operation::List].into_iter().collect(),
        constraints: serde_json::from_value(constraints).expect("constraints"),
        expires_at: Some(instant(EXPIRES)),
    };
    Capability::grant(CapabilityId::new(random, issued_at), grant, issued_at).expect("a grant")
}

pub fn constraints(grant: Grant) -> Value {
    let mut constraints = json!({
        "paths": PATHS,
        "allowed_tools": TOOLS,
        "allowed_extensions": EXTENSIONS,
        "max_file_size": MAX_SIZE,
    });
    if grant == Grant::SixConstraints {
        constraints["time_windows"] =
            json!([{"days": WORKDAYS, "from": "08:00", "to": "18:00", "offset": "+01:00"}]);
        constraints["arguments"] = json!({ READ_TEXT: {
            "path": {"constraint_type": "wildcard"},
            "encoding": {"constraint_type": "one_of", "values": ENCODINGS},
            "head": {"constraint_type": "range", "min": 1, "max": MAX_HEAD},
        }});
    }
    constraints
}

/// The arguments that the grant speaks of, as the message brings them.
fn arguments(grant: Grant, call: &Call) -> Map<String, Value> {
    let mut arguments = Map::new();
    arguments.insert("path".into(), call.path.into());
    if grant == Grant::SixConstraints {
        arguments.insert("encoding".into(), call.encoding.into());
        arguments.insert("head".into(), call.head.into());
    }
    arguments
}

fn operation(name: &str) -> Operation {
    let named = |operation: &Operation| operation.name() == name;
    Operation::ALL.into_iter().find(named).expect("an operation")
}

fn instant(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).expect("an instant")
}
