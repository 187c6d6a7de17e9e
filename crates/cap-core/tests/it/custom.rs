//! Custom constraints: known by their registry, or a denial.

use std::sync::Arc;

use cap_core::{
    AccessRequest, Authority, Capability, CustomConstraint, DelegateError, DenyCode, Registry,
    Resource,
};
use cap_testkit::strategy::granted_at;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::support::*;

/// Methods that begin with the parameter.
#[derive(Debug)]
struct Prefix;

impl CustomConstraint for Prefix {
    fn accepts(&self, parameter: &Value) -> bool {
        parameter.is_string()
    }

    fn permits(&self, parameter: &Value, request: &AccessRequest, _: DateTime<Utc>) -> bool {
        match (&request.resource, parameter) {
            (Resource::Method(method), Value::String(prefix)) => method.starts_with(prefix),
            _ => false,
        }
    }

    fn is_within(&self, child: &Value, parent: &Value) -> bool {
        let (child, parent) = (child.as_str(), parent.as_str());
        child.zip(parent).is_some_and(|(child, parent)| child.starts_with(parent))
    }
}

fn registry() -> Registry {
    Registry::new().with("acme:prefix", Arc::new(Prefix))
}

fn prefixed(parameter: Value) -> Capability {
    constrained(json!({"custom": {"acme:prefix": parameter}}))
}

#[test]
fn a_constraint_that_nobody_registered_denies() {
    let unknown = prefixed(json!("tasks/"));
    let codes = [DenyCode::ConstraintUnknown];
    for request in [method("tasks/get"), read("/srv"), call("fs/read")] {
        assert_refused(&unknown, &request, codes[0], "custom", &[]);
        assert_refused(&unknown.bind(&Registry::new()), &request, codes[0], "custom", &[]);
    }
}

#[test]
fn a_registered_constraint_decides() {
    let known = prefixed(json!("tasks/")).bind(&registry());
    assert!(permits(&known, &method("tasks/get")));
    assert_refused(&known, &method("prompts/get"), DenyCode::ConstraintRefused, "custom", &[]);
    assert_refused(&known, &read("/srv"), DenyCode::ConstraintRefused, "custom", &[]);
}

#[test]
fn a_parameter_that_means_nothing_denies() {
    let wrong = prefixed(json!(7)).bind(&registry());
    assert_refused(&wrong, &method("7"), DenyCode::ConstraintUnknown, "custom", &[]);
}

#[test]
fn a_meet_holds_both_and_keeps_what_is_known() {
    let a = prefixed(json!("tasks/")).bind(&registry());
    let b = prefixed(json!("tasks/g")).bind(&registry());
    let meet = a.authority().meet(b.authority());
    let check = |meet: &Authority, name| meet.permits(&method(name), granted_at()).is_allow();
    assert!(check(&meet, "tasks/get") && !check(&meet, "tasks/list"));
    // Known to one side only: it goes on to deny.
    let unknown = constrained(json!({"custom": {"acme:other": 1}}));
    assert!(!check(&a.authority().meet(unknown.authority()), "tasks/get"));
}

#[test]
fn a_child_restates_or_narrows_a_custom_constraint_and_never_drops_it() {
    let parent = prefixed(json!("tasks/")).bind(&registry());
    let inherits = child(&parent, asked(json!({})));
    assert!(!permits(&inherits, &method("tasks/get")), "to be bound again");
    assert!(permits(&inherits.bind(&registry()), &method("tasks/get")));
    assert!(!permits(&inherits.bind(&registry()), &method("prompts/get")));
    let other = asked(json!({"custom": {"acme:prefix": "prompts/"}}));
    match parent.delegate(cap_testkit::strategy::id(1), other, granted_at()) {
        Err(DelegateError::Widens(cut)) => {
            assert_eq!((cut[0].field, &*cut[0].value), ("custom", "acme:prefix"))
        }
        refused => panic!("{refused:?}"),
    }
}

/// Permits everything, and knows of no parameter within another.
#[derive(Debug)]
struct Only;

impl CustomConstraint for Only {
    fn accepts(&self, _: &Value) -> bool {
        true
    }

    fn permits(&self, parameter: &Value, request: &AccessRequest, _: DateTime<Utc>) -> bool {
        matches!(&request.resource, Resource::Method(method) if *method == *parameter)
    }
}

#[test]
fn of_two_parameters_that_nobody_compares_both_hold() {
    let registry = Registry::new().with("acme:only", Arc::new(Only));
    let only = |name: &str| constrained(json!({"custom": {"acme:only": name}})).bind(&registry);
    let (a, b) = (only("a"), only("b"));
    assert!(permits(&a, &method("a")) && permits(&b, &method("b")));
    let meet = a.authority().meet(b.authority());
    for name in ["a", "b"] {
        assert!(!meet.permits(&method(name), granted_at()).is_allow());
    }
    let mut other = asked(json!({"custom": {"acme:only": "b"}}));
    other.attenuation = cap_core::Attenuation::Intersect;
    let both = child(&a, other).bind(&registry);
    assert!(!permits(&both, &method("a")) && !permits(&both, &method("b")));
    let same = child(&a, asked(json!({"custom": {"acme:only": "a"}}))).bind(&registry);
    assert!(permits(&same, &method("a")));
    assert!(Only.is_within(&json!(1), &json!(1)) && !Only.is_within(&json!(1), &json!(2)));
}

#[test]
fn names_and_parameters_are_read_strictly() {
    let read = |text: &str| serde_json::from_str::<cap_core::Constraints>(text);
    assert!(read(r#"{"custom":{"a":1,"b":{"c":[2]}}}"#).is_ok());
    for bad in
        [r#"{"custom":{"a":1,"a":1}}"#, r#"{"custom":{"a":{"b":1,"b":2}}}"#, r#"{"custom":[]}"#]
    {
        assert!(read(bad).is_err(), "{bad}");
    }
    let control = root_grant(cap_core::ResourceType::Any, "*", json!({"custom": {"a\nb": 1}}));
    let id = cap_testkit::strategy::id(0);
    assert!(Capability::grant(id, control, granted_at()).is_err());
}

#[test]
fn what_one_side_does_not_know_the_meet_denies_in_either_order() {
    let bound = prefixed(json!("tasks/")).bind(&registry());
    let unbound = prefixed(json!("tasks/"));
    for meet in
        [bound.authority().meet(unbound.authority()), unbound.authority().meet(bound.authority())]
    {
        assert!(!meet.permits(&method("tasks/get"), granted_at()).is_allow());
        assert!(meet.bind(&registry()).permits(&method("tasks/get"), granted_at()).is_allow());
    }
}

#[test]
fn a_strict_child_may_restate_what_the_meaning_finds_narrower() {
    let parent = prefixed(json!("tasks/")).bind(&registry());
    for narrower in ["tasks/", "tasks/g"] {
        let asked = asked(json!({"custom": {"acme:prefix": narrower}}));
        let narrowed = child(&parent, asked).bind(&registry());
        assert!(permits(&narrowed, &method("tasks/get")), "{narrower}");
        assert_eq!(permits(&narrowed, &method("tasks/list")), narrower == "tasks/");
    }
}
