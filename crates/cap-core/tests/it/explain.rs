//! Explanations: the smallest set of reasons, and no oracle.

use cap_core::{
    AccessRequest, Capability, DenyCode, PathRequest, Physical, Resource, ResourceType, RootGrant,
};
use cap_testkit::strategy::{access_request, capability, granted_at, id, instant, typed};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::*;

#[test]
fn an_explanation_has_every_reason_and_what_would_pass() {
    let granted = constrained(json!({
        "paths": ["/srv/data"],
        "operations": ["read"],
        "allowed_extensions": ["txt"],
        "max_file_size": 10,
    }));
    let mut request = on_path(path("/etc/shadow.png"), WRITE);
    if let Resource::Path(path) = &mut request.resource {
        path.size = Some(11);
    }
    let explanation = granted.explain(&request, granted_at());
    let reasons: Vec<_> = explanation
        .reasons()
        .iter()
        .map(|reason| {
            (reason.code().code(), reason.constraint().unwrap(), reason.passing().unwrap())
        })
        .collect();
    assert_eq!(
        reasons,
        [
            ("path-outside", "paths", "`/srv/data`"),
            ("operation-not-allowed", "operations", "`read`"),
            ("extension-not-allowed", "allowed_extensions", "`txt`"),
            ("size-exceeded", "max_file_size", "at most 10 bytes"),
        ]
    );
    assert_eq!(explanation.to_string().lines().count(), 4);
    let good = granted.explain(
        &on_path(found("/srv/data/a.txt", "/srv/data", Ok("/srv/data/a.txt"), 9), READ),
        granted_at(),
    );
    assert!(good.is_allow() && good.reasons().is_empty());
    assert_eq!(good.to_string(), "permitted");
}

#[test]
fn an_expired_capability_is_explained_as_expired_once() {
    let mut root = root_grant(ResourceType::Path, "/srv", json!({}));
    root.expires_at = Some(granted_at() + chrono::Duration::hours(1));
    let granted = Capability::grant(id(0), root, granted_at()).unwrap();
    let later = granted_at() + chrono::Duration::hours(1);
    let codes = |now| -> Vec<_> {
        granted.explain(&read("/etc"), now).reasons().iter().map(cap_core::Denial::code).collect()
    };
    assert_eq!(codes(granted_at()), [DenyCode::PathOutside]);
    assert_eq!(codes(later), [DenyCode::CapabilityExpired, DenyCode::PathOutside]);
    let refused = granted.check(&read("/srv"), later).unwrap_err();
    assert_eq!(refused.code(), DenyCode::CapabilityExpired);
}

#[test]
fn outside_the_granted_folders_nothing_is_told_of_what_is_there() {
    let granted = constrained(json!({
        "paths": ["/srv/a"],
        "and": [{"paths": ["/srv/b"]}],
        "allowed_extensions": ["txt"],
        "max_file_size": 10,
    }));
    let explained = |size, real| {
        let request = on_path(found("/srv/a/x.txt", "/srv/a", real, size), READ);
        let explanation = granted.explain(&request, granted_at());
        (explanation.to_string(), explanation)
    };
    let (text, explanation) = explained(11, Ok("/srv/a/x.txt"));
    assert_eq!(text, explained(9, Ok("/srv/a/x.txt")).0);
    assert_eq!(text, explained(9, Ok("/srv/a/x.png")).0);
    let codes: Vec<_> = explanation.reasons().iter().map(cap_core::Denial::code).collect();
    assert_eq!(codes, [DenyCode::PathOutside]);
}

#[test]
fn what_lies_outside_is_refused_for_its_name_alone_whatever_it_is() {
    let narrowed =
        child(&constrained(json!({"paths": ["/srv"]})), asked(json!({"paths": ["/srv/a"]})));
    let seen = |physical| {
        let request = on_path(PathRequest { physical, ..path("/srv/b/x") }, READ);
        (denial(&narrowed, &request), narrowed.explain(&request, granted_at()))
    };
    let plain = seen(Physical::Unknown);
    assert_eq!(plain.0.code(), DenyCode::PathOutside);
    for code in [DenyCode::StateProtected, DenyCode::PathEscapes, DenyCode::PathUnresolved] {
        assert_eq!(seen(Physical::Refused(code)), plain);
        let led = found("/srv/b/x", "/srv", Err(code), 0);
        assert_eq!(seen(led.physical), plain);
    }
}

#[test]
fn of_what_a_link_leads_to_outside_neither_size_nor_extension_is_told() {
    let granted = constrained(json!({
        "paths": ["/srv/*/pub"],
        "allowed_extensions": ["txt"],
        "max_file_size": 10,
    }));
    let explained = |real, size| {
        let led = PathRequest {
            physical: found("/srv/a/pub", "/srv", Ok(real), size).physical,
            ..path("/srv/a/pub")
        };
        granted.explain(&on_path(led, READ), granted_at())
    };
    let one = explained("/srv/secret/x.txt", 1);
    assert_eq!(one, explained("/srv/secret/x.png", 4711));
    let codes: Vec<_> = one.reasons().iter().map(cap_core::Denial::code).collect();
    assert_eq!(codes, [DenyCode::PathEscapes, DenyCode::ExtensionNotAllowed]);
}

#[test]
fn how_long_a_file_is_that_exists_is_never_told() {
    let granted = constrained(json!({"paths": ["/srv"], "max_file_size": 10}));
    let request = on_path(found("/srv/x", "/srv", Ok("/srv/x"), 4711), READ);
    let denial = denial(&granted, &request);
    assert_eq!(denial.code(), DenyCode::SizeExceeded);
    assert!(!denial.to_string().contains("4711"), "{denial}");
}

proptest! {
    #[test]
    fn the_reasons_are_those_that_refuse_and_no_others(
        granted in capability(),
        requests in vec(access_request(), 16),
        now in instant(),
    ) {
        let constraints = serde_json::to_value(granted.authority().to_constraints()).unwrap();
        for mut request in requests {
            // What a file system says is told only for what is granted.
            if let Resource::Path(path) = &mut request.resource {
                path.physical = Physical::Unknown;
            }
            check_reasons(&granted, &constraints, &request, now)?;
        }
    }

    #[test]
    fn checking_permitting_and_explaining_agree(
        granted in capability(),
        requests in vec(access_request(), 32),
        now in instant(),
    ) {
        for request in requests {
            let decision = granted.permits(&request, now);
            let check = granted.check(&request, now);
            let explanation = granted.explain(&request, now);
            prop_assert_eq!(decision.is_allow(), check.is_ok());
            prop_assert_eq!(decision.is_allow(), explanation.is_allow());
            if let (Some(denial), Err(refusal)) = (decision.denial(), check) {
                prop_assert_eq!(denial.code(), refusal.code());
                prop_assert_eq!(denial.constraint(), refusal.constraint());
                let first = &explanation.reasons()[0];
                prop_assert_eq!(first.code(), denial.code());
            }
        }
    }
}

fn check_reasons(
    granted: &Capability,
    constraints: &Value,
    request: &AccessRequest,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(), TestCaseError> {
    let explanation = granted.authority().explain(request, now);
    let names: Option<Vec<&str>> =
        explanation.reasons().iter().map(cap_core::Denial::constraint).collect();
    // Some are about the request alone, and no constraint.
    let Some(names) = names else { return Ok(()) };
    let without = of_constraints(&kept(constraints, |name| !names.contains(&name)));
    prop_assert!(
        without.authority().permits(request, now).is_allow(),
        "without {:?}: {:?}\n{}",
        names,
        request,
        constraints
    );
    for reason in explanation.reasons() {
        let alone = of_constraints(&kept(constraints, |name| Some(name) == reason.constraint()));
        let refused = alone.authority().check(request, now);
        prop_assert_eq!(refused.map_err(cap_core::Refusal::code), Err(reason.code()));
    }
    Ok(())
}

/// The constraints of these names, at the top and under `and`.
fn kept(constraints: &Value, keep: impl Fn(&str) -> bool) -> Value {
    let mut kept = constraints.clone();
    let filter = |set: &mut Value| {
        set.as_object_mut().unwrap().retain(|name, _| name == "and" || keep(name));
    };
    filter(&mut kept);
    if let Some(more) = kept.get_mut("and") {
        more.as_array_mut().unwrap().iter_mut().for_each(filter);
    }
    kept
}

/// Under type `any` nothing is implied.
fn of_constraints(constraints: &Value) -> Capability {
    let grant = RootGrant {
        constraints: typed(constraints.clone()),
        ..root_grant(ResourceType::Any, "*", json!({}))
    };
    // One that has ended, or is empty, still has its authority to be asked.
    Capability::grant(id(0), grant, chrono::DateTime::UNIX_EPOCH).unwrap()
}
