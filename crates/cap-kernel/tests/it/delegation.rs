//! Delegation: a capability only ever narrows.

use cap_core::{Attenuation, DelegateError, Delegation, DenyCode, GrantError};
use cap_kernel::{Claim, Epoch, IssueError, Target};

use crate::scene::{Scene, after, code, decide, now, pass_on, path_grant, read};

fn narrowed(resource: &str, attenuation: Attenuation) -> Delegation {
    Delegation { resource: Some(resource.into()), attenuation, ..pass_on("sub-agent") }
}

fn refused(scene: &Scene, parent: cap_core::CapabilityId, asked: Delegation) -> IssueError {
    let epoch = scene.store.epoch();
    let refused = scene.kernel.delegate(parent, asked, &scene.log, now()).unwrap_err();
    assert_eq!(scene.store.epoch(), epoch, "nothing was issued");
    refused
}

#[test]
fn a_child_permits_less_than_its_parent_and_never_more() {
    let scene = Scene::new();
    let root = scene.grant(path_grant("agent", "/srv"));
    let child = scene.delegate(&root, narrowed("/srv/public", Attenuation::Strict));
    let claim = scene.evidence(&child);
    assert!(decide(&scene.kernel, &claim, &[read("/srv/public/a")], now()).is_allow());
    let outside = decide(&scene.kernel, &claim, &[read("/srv/a")], now());
    assert_eq!(code(&outside), Some(DenyCode::PathOutside));
    assert_eq!(child.parent(), Some(root.id()));
    assert_eq!(child.delegation_depth(), 1);
}

#[test]
fn strict_delegation_names_what_is_too_much_and_issues_nothing() {
    let scene = Scene::new();
    let root = scene.grant(path_grant("agent", "/srv/a"));
    let IssueError::Delegate(DelegateError::Widens(cut)) =
        refused(&scene, root.id(), narrowed("/srv", Attenuation::Strict))
    else {
        panic!("it widens")
    };
    assert_eq!(cut.len(), 1);
    assert_eq!((cut[0].field, &*cut[0].value), ("paths", "/srv"));
}

#[test]
fn intersecting_delegation_narrows_and_reports_what_was_cut() {
    let scene = Scene::new();
    let root = scene.grant(path_grant("agent", "/srv/a"));
    let asked = narrowed("/srv", Attenuation::Intersect);
    let (child, cut) = scene.kernel.delegate(root.id(), asked, &scene.log, now()).unwrap();
    assert_eq!(cut.len(), 1);
    let claim = scene.evidence(&child);
    assert!(decide(&scene.kernel, &claim, &[read("/srv/a/x")], now()).is_allow());
    assert!(!decide(&scene.kernel, &claim, &[read("/srv/b")], now()).is_allow());
    let record = scene.records().pop().unwrap();
    assert_eq!(record.detail["cut"], serde_json::json!(["paths: /srv"]));
}

#[test]
fn a_child_that_would_permit_nothing_is_not_issued() {
    let scene = Scene::new();
    let root = scene.grant(path_grant("agent", "/srv/a"));
    let mut asked = pass_on("sub-agent");
    asked.operations = Some(cap_core::Operations::NONE);
    asked.attenuation = Attenuation::Intersect;
    asked.constraints.kinds = Some(cap_core::Kinds::NONE);
    let refused = refused(&scene, root.id(), asked);
    assert!(
        matches!(&refused, IssueError::Delegate(DelegateError::Grant(GrantError::Empty))),
        "{refused:?}"
    );
}

#[test]
fn no_chain_is_longer_than_its_root_allows() {
    let scene = Scene::new();
    let mut grant = path_grant("agent", "/srv");
    grant.constraints.max_delegation_depth = Some(2);
    let mut last = scene.grant(grant);
    for _ in 0..2 {
        last = scene.delegate(&last, pass_on("sub-agent"));
    }
    let refused = refused(&scene, last.id(), pass_on("sub-agent"));
    assert!(matches!(refused, IssueError::Delegate(DelegateError::TooDeep)));
}

#[test]
fn no_chain_is_longer_than_sixteen_links() {
    let scene = Scene::new();
    let mut grant = path_grant("agent", "/srv");
    grant.constraints.max_delegation_depth = Some(17);
    assert!(scene.kernel.grant(grant.clone(), None, &scene.log, now()).is_err());
    grant.constraints.max_delegation_depth = Some(16);
    let mut last = scene.grant(grant);
    for _ in 0..16 {
        last = scene.delegate(&last, pass_on("sub-agent"));
    }
    let leaf = scene.evidence(&last);
    assert!(decide(&scene.kernel, &leaf, &[read("/srv/a")], now()).is_allow());
    let refused = refused(&scene, last.id(), pass_on("sub-agent"));
    assert!(matches!(refused, IssueError::Delegate(DelegateError::TooDeep)));
}

#[test]
fn an_expired_parent_cannot_be_delegated_and_a_child_ends_with_its_parent() {
    let scene = Scene::new();
    let mut grant = path_grant("agent", "/srv");
    grant.expires_at = Some(after(60));
    let root = scene.grant(grant);
    let child = scene.delegate(&root, pass_on("sub-agent"));
    assert_eq!(child.expires_at(), Some(after(60)));
    let late = scene.kernel.delegate(root.id(), pass_on("late"), &scene.log, after(60));
    assert!(matches!(late, Err(IssueError::Parent(DenyCode::CapabilityExpired))));
}

#[test]
fn a_revoked_unknown_or_lapsed_parent_cannot_be_delegated() {
    let scene = Scene::new();
    let root = scene.grant(path_grant("agent", "/srv"));
    let child = scene.delegate(&root, pass_on("sub-agent"));
    scene.revoke(Target::Capability(root.id()));
    for parent in [root.id(), child.id()] {
        let refused = refused(&scene, parent, pass_on("late"));
        assert!(matches!(refused, IssueError::Parent(DenyCode::CapabilityRevoked)));
    }
    let unknown = scene.kernel.new_id(now()).unwrap();
    let refused = refused(&scene, unknown, pass_on("late"));
    assert!(matches!(refused, IssueError::Parent(DenyCode::EvidenceInvalid)));

    let session = scene.open_session();
    let held = scene.grant_in(session, path_grant("agent", "/srv"));
    let late = scene.kernel.delegate(held.id(), pass_on("late"), &scene.log, after(60));
    assert!(matches!(late, Err(IssueError::Parent(DenyCode::SessionLapsed))));
}

#[test]
fn what_is_no_capability_is_not_granted() {
    let scene = Scene::new();
    let mut expired = path_grant("agent", "/srv");
    expired.expires_at = Some(now());
    for grant in [path_grant("agent", "srv"), path_grant("agent", ""), expired] {
        let refused = scene.kernel.grant(grant, None, &scene.log, now());
        assert!(matches!(refused, Err(IssueError::Grant(_))));
    }
    assert_eq!(scene.store.epoch(), Ok(Epoch(0)));
    assert!(scene.records().is_empty());
    let missing = Claim::Principal("agent".parse().unwrap());
    assert!(scene.kernel.verify(&missing, now()).is_err());
}
