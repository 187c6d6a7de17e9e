//! Each group of constraints alone, against the naive model, at the borders of what it says.

use cap_core::{
    AccessRequest, Capability, CommandRequest, Operation, Operations, PathRequest, Resource,
    ResourceType, RootGrant, ToolRequest,
};
use cap_testkit::naive;
use cap_testkit::strategy::{
    argument_rules, border, command_args, command_request, granted_at, id, time_windows,
    tool_request, typed, url_constraints, url_request,
};
use chrono::{DateTime, Duration, Utc};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

proptest! {
    #[test]
    fn arguments_of_programs_are_permitted_as_the_model_permits_them(
        rules in command_args(),
        commands in vec(command_request(), 128),
    ) {
        let case = Case::new(json!({"command_args": rules}));
        for command in commands {
            // All for one program: patterns are to be met.
            let command = CommandRequest { program: "git".to_owned(), ..command };
            case.agrees(Resource::Command(command), granted_at())?;
        }
    }

    #[test]
    fn windows_and_beginnings_are_permitted_as_the_model_permits_them(
        windows in time_windows(),
        times in vec(border(), 64),
        beginning in border(),
        beside in -1_i64..=1,
    ) {
        let case = Case::new(json!({"time_windows": windows}));
        for now in times {
            case.agrees(any_path(), now)?;
        }
        let second = DateTime::from_timestamp(beginning.timestamp(), 0).unwrap();
        let case = Case::new(json!({"not_before": second.to_rfc3339()}));
        case.agrees(any_path(), second + Duration::milliseconds(beside))?;
    }

    #[test]
    fn urls_are_permitted_as_the_model_permits_them(
        constraints in url_constraints(),
        requests in vec(url_request(), 64),
    ) {
        let case = Case::new(constraints);
        for request in requests {
            case.agrees(Resource::Url(request), granted_at())?;
        }
    }

    #[test]
    fn arguments_of_tools_are_permitted_as_the_model_permits_them(
        rules in argument_rules(),
        calls in vec(tool_request(), 64),
    ) {
        let case = Case::new(json!({"arguments": {"fs/read": rules}}));
        for call in calls {
            let name = "fs/read".parse().unwrap();
            case.agrees(Resource::Tool(ToolRequest { name, ..call }), granted_at())?;
        }
    }

    #[test]
    fn what_is_granted_only_is_permitted_as_the_model_permits_it(
        top in granted_only(&[false, true]),
        under in granted_only(&[false]),
        kind in prop::sample::select(&[ResourceType::Command, ResourceType::Url, ResourceType::Tool][..]),
        speaks in any::<bool>(),
        commands in vec(command_request(), 16),
        urls in vec(url_request(), 16),
    ) {
        let mut constraints = top;
        constraints["and"] = json!([under]);
        if speaks {
            constraints["commands"] = json!(["*"]);
            constraints["urls"] = json!(["*"]);
        }
        let case = Case::of(kind, constraints);
        for command in commands {
            case.agrees(Resource::Command(command), granted_at())?;
        }
        for url in urls {
            case.agrees(Resource::Url(url), granted_at())?;
        }
    }
}

/// Some of what must be granted, or is refused.
fn granted_only(private: &'static [bool]) -> impl Strategy<Value = Value> {
    let names = prop::sample::subsequence(vec!["PATH", "LANG", "A", "_x1", "LD_PRELOAD"], 2..=5);
    (
        prop::option::weighted(0.3, prop::sample::select(private)),
        prop::option::weighted(0.3, command_args()),
        prop::option::weighted(0.3, names),
    )
        .prop_map(|(private, rules, names)| {
            let members = [
                ("private_networks", private.map(Value::from)),
                ("command_args", rules),
                ("environment", names.map(Value::from)),
            ];
            let present = |(name, value): (&str, Option<Value>)| Some((name.to_owned(), value?));
            Value::Object(members.into_iter().filter_map(present).collect())
        })
}

/// A capability and its wire form.
struct Case {
    capability: Capability,
    wire: Value,
}

impl Case {
    fn new(constraints: Value) -> Self {
        Self::of(ResourceType::Any, constraints)
    }

    fn of(resource_type: ResourceType, constraints: Value) -> Self {
        let grant = RootGrant {
            principal: "agent".parse().unwrap(),
            resource_type,
            resource: "*".to_owned(),
            operations: Operations::ALL,
            constraints: typed(constraints),
            expires_at: None,
        };
        let capability = Capability::grant(id(0), grant, granted_at()).unwrap();
        let wire = serde_json::from_str(&capability.to_json()).unwrap();
        Self { capability, wire }
    }

    fn agrees(&self, resource: Resource, now: DateTime<Utc>) -> Result<(), TestCaseError> {
        let operation = match resource {
            Resource::Command(_) => Operation::Execute,
            Resource::Tool(_) => Operation::Call,
            _ => Operation::Read,
        };
        let request = AccessRequest::new(resource, Operations::NONE.with(operation));
        let decision = self.capability.permits(&request, now);
        let model = naive::permits(&self.wire, &request, now);
        prop_assert_eq!(
            decision.is_allow(),
            model,
            "{:?}\n{}\n{:?} {}",
            decision,
            self.wire,
            request,
            now
        );
        Ok(())
    }
}

fn any_path() -> Resource {
    Resource::Path(PathRequest::lexical("/a".parse().unwrap()))
}
