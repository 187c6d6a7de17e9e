//! Capabilities that are held, principals that hold several, and calls of several requests.

use std::sync::Arc;

use cap_core::{
    AccessRequest, CustomConstraint, Denial, DenyCode, Meter, Operation, Operations, Registry,
    ResourceType, RootGrant,
};
use cap_kernel::{Claim, Target, rule};
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::scene::{
    Scene, after, code, context, decide, limited, now, path_grant, read, refusal, reserve, tool,
};

fn principal(name: &str) -> Claim {
    Claim::Principal(name.parse().unwrap())
}

#[test]
fn a_held_capability_needs_no_evidence_and_falls_like_every_other() {
    let scene = Scene::new();
    let capability = scene.grant(path_grant("agent", "/srv"));
    let held = Claim::Held(capability.id());
    assert!(decide(&scene.kernel, &held, &[read("/srv/a")], now()).is_allow());
    scene.revoke(Target::Capability(capability.id()));
    assert_eq!(refusal(&scene.kernel, &held, now()), Some(DenyCode::CapabilityRevoked));
    let unknown = Claim::Held(scene.kernel.new_id(now()).unwrap());
    assert_eq!(refusal(&scene.kernel, &unknown, now()), Some(DenyCode::EvidenceInvalid));
}

#[test]
fn a_principal_that_holds_nothing_has_no_authority() {
    let scene = Scene::new();
    scene.grant(path_grant("agent", "/srv"));
    for name in ["agen", "Agent", "agent "] {
        assert_eq!(
            refusal(&scene.kernel, &principal(name), now()),
            Some(DenyCode::EvidenceMissing)
        );
    }
}

#[test]
fn a_principals_capabilities_are_tried_in_the_order_of_their_grant() {
    let scene = Scene::new();
    let other = scene.grant(path_grant("agent", "/other"));
    let first = scene.grant(limited(path_grant("agent", "/srv"), 5));
    let second = scene.grant(limited(path_grant("agent", "/srv/deep"), 5));
    scene.grant(path_grant("somebody", "/"));
    let authority = scene.kernel.verify(&principal("agent"), now()).unwrap();
    let ids: Vec<_> = authority.capabilities().map(|capability| capability.id()).collect();
    assert_eq!(ids, [other.id(), first.id(), second.id()]);

    let (reserved, record) =
        reserve(&scene.kernel, &principal("agent"), &[read("/srv/deep/a")], now());
    assert!(reserved.decision().is_allow());
    assert_eq!(reserved.capability().unwrap().id(), first.id());
    assert_eq!(record.body().capability, Some(first.id().to_string()));
    // Only the one that was used is charged.
    let period = cap_core::RateLimit::new(5, 60).period(now());
    assert_eq!(scene.store.drawn(first.id(), Meter::Rate, period), Ok(1));
    assert_eq!(scene.store.drawn(second.id(), Meter::Rate, period), Ok(0));
}

#[test]
fn a_principals_capabilities_that_do_not_stand_are_passed_over() {
    let scene = Scene::new();
    let revoked = scene.grant(path_grant("agent", "/srv"));
    let mut short = path_grant("agent", "/srv");
    short.expires_at = Some(after(60));
    scene.grant(short);
    let good = scene.grant(path_grant("agent", "/srv"));
    scene.revoke(Target::Capability(revoked.id()));
    let (reserved, _) = reserve(&scene.kernel, &principal("agent"), &[read("/srv/a")], after(60));
    assert_eq!(reserved.capability().unwrap().id(), good.id());
    scene.revoke(Target::Capability(good.id()));
    let missing = refusal(&scene.kernel, &principal("agent"), after(60));
    assert_eq!(missing, Some(DenyCode::EvidenceMissing));
}

#[test]
fn a_principal_without_the_right_capability_hears_the_refusal_of_the_first() {
    let scene = Scene::new();
    let first = scene.grant(path_grant("agent", "/srv"));
    scene.grant(path_grant("agent", "/opt"));
    let (reserved, record) = reserve(&scene.kernel, &principal("agent"), &[read("/etc/a")], now());
    assert_eq!(code(reserved.decision()), Some(DenyCode::PathOutside));
    assert_eq!(record.body().capability, Some(first.id().to_string()));
}

#[test]
fn authorities_never_unite() {
    let scene = Scene::new();
    let one = scene.grant(path_grant("agent", "/srv"));
    let other = scene.grant(path_grant("agent", "/opt"));
    let both = [read("/srv/a"), read("/opt/b")];
    for request in &both {
        let alone = std::slice::from_ref(request);
        assert!(decide(&scene.kernel, &principal("agent"), alone, now()).is_allow());
    }
    let denied = decide(&scene.kernel, &principal("agent"), &both, now());
    assert_eq!(code(&denied), Some(DenyCode::PathOutside));
    let authority = scene.kernel.verify(&principal("agent"), now()).unwrap();
    assert!(!authority.admits(&both, now()));
    assert!(authority.admits(&both[..1], now()) && authority.admits(&both[1..], now()));
    for capability in [one, other] {
        let claim = Claim::Held(capability.id());
        assert!(!decide(&scene.kernel, &claim, &both, now()).is_allow());
    }
}

#[test]
fn one_capability_must_permit_every_request_of_a_call() {
    let scene = Scene::new();
    let capability = scene.grant(path_grant("agent", "/srv"));
    let claim = Claim::Held(capability.id());
    let decide = |requests: &[_]| code(&decide(&scene.kernel, &claim, requests, now()));
    assert_eq!(decide(&[tool("files/read"), read("/srv/a"), read("/srv/b")]), None);
    let outside = [tool("files/read"), read("/srv/a"), read("/etc/b")];
    assert_eq!(decide(&outside), Some(DenyCode::PathOutside));
    let mut write = read("/srv/a");
    write.operations = Operations::NONE.with(Operation::Write);
    assert!(decide(&[tool("files/write"), write]).is_some());
}

#[test]
fn a_call_that_asks_for_nothing_was_not_understood() {
    let scene = Scene::new();
    let top = RootGrant {
        resource_type: ResourceType::Any,
        operations: Operations::ALL,
        ..path_grant("agent", "*")
    };
    let claim = Claim::Held(scene.grant(top).id());
    assert_eq!(code(&decide(&scene.kernel, &claim, &[], now())), Some(DenyCode::Internal));
    assert!(decide(&scene.kernel, &claim, &[read("/etc/a")], now()).is_allow());
    let authority = scene.kernel.verify(&claim, now()).unwrap();
    assert!(authority.is_top());
}

#[test]
fn a_denial_that_is_handed_in_is_the_ruling() {
    let scene = Scene::new();
    let capability = scene.grant(limited(path_grant("agent", "/srv"), 5));
    let authority = scene.kernel.verify(&Claim::Held(capability.id()), now()).unwrap();
    let denial = Denial::new(DenyCode::MessageInvalid);
    let ruling = rule(context(), Err(denial.clone()), Ok(&authority), now());
    assert_eq!(ruling.decision().denial(), Some(&denial));
    assert_eq!(ruling.capability().unwrap().id(), capability.id());
    assert!(ruling.charges().is_empty());
    let (reserved, _) = scene.kernel.reserve(ruling, now());
    assert_eq!(reserved.decision().denial(), Some(&denial));
}

/// Permits what its parameter says.
#[derive(Debug)]
struct Says;

impl CustomConstraint for Says {
    fn accepts(&self, parameter: &Value) -> bool {
        parameter.is_boolean()
    }

    fn permits(&self, parameter: &Value, _: &AccessRequest, _: DateTime<Utc>) -> bool {
        parameter == &Value::Bool(true)
    }
}

#[test]
fn a_custom_constraint_decides_where_the_kernel_knows_it_and_denies_elsewhere() {
    let scene = Scene::new();
    let registry = || Registry::new().with("acme:says", Arc::new(Says));
    let granted = |scene: &Scene, says: bool| {
        let mut grant = path_grant("agent", "/srv");
        grant.constraints.custom.insert("acme:says".into(), says.into());
        Claim::Held(scene.grant(grant).id())
    };
    let before = granted(&scene, true);
    let ask = |scene: &Scene, claim: &Claim| decide(&scene.kernel, claim, &[read("/srv/a")], now());
    let unknown = ask(&scene, &before);
    assert_eq!(unknown.denial().map(Denial::code), Some(DenyCode::ConstraintUnknown));
    scene.kernel.register_constraints(registry());
    assert!(ask(&scene, &before).is_allow());
    let (yes, no) = (granted(&scene, true), granted(&scene, false));
    assert!(ask(&scene, &yes).is_allow());
    let refused = ask(&scene, &no);
    assert_eq!(refused.denial().map(Denial::code), Some(DenyCode::ConstraintRefused));
}
