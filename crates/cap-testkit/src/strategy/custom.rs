//! Custom constraints: two that are registered, and one that is not.

use std::sync::Arc;

use cap_core::{AccessRequest, CustomConstraint, Registry};
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// The custom constraints that [`custom_means`] knows.
pub fn registry() -> Registry {
    NAMES.into_iter().fold(Registry::new(), |all, name| all.with(name, Arc::new(Meaning(name))))
}

/// What they mean: `operations-at-most` bounds how many are asked for at once, `kind` says which
/// kind the request must be of. `None` for every other name.
pub fn custom_means(name: &str, parameter: &Value, request: &AccessRequest) -> Option<bool> {
    match name {
        "kind" => Some(*parameter == request.kind().name()),
        "operations-at-most" => {
            let count = request.operations.iter().count() as u64;
            Some(parameter.as_u64().is_some_and(|most| count <= most))
        }
        _ => None,
    }
}

const NAMES: [&str; 2] = ["kind", "operations-at-most"];

/// One of them, the better part registered.
pub fn custom() -> impl Strategy<Value = Value> {
    select(vec![
        json!({"operations-at-most": 1}),
        json!({"operations-at-most": 2}),
        json!({"operations-at-most": 2, "kind": "path"}),
        json!({"operations-at-most": "2"}),
        json!({"kind": "url"}),
        json!({"kind": "path"}),
        json!({"approved-by": {"name": "x", "times": [1, 2]}}),
        json!({}),
    ])
}

#[derive(Debug)]
struct Meaning(&'static str);

impl CustomConstraint for Meaning {
    fn accepts(&self, _: &Value) -> bool {
        true
    }

    fn permits(&self, parameter: &Value, request: &AccessRequest, _: DateTime<Utc>) -> bool {
        custom_means(self.0, parameter, request) == Some(true)
    }
}
