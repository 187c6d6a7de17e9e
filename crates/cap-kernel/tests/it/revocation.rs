//! Revocation: one change, everything below it, every process.

use std::sync::Arc;

use cap_core::{Capability, DenyCode};
use cap_kernel::{Claim, Epoch, Kernel, MemoryStore, RevokeError, Target};

use crate::scene::{Scene, after, decide, kernel_on, now, pass_on, path_grant, read, refusal};
use crate::troubled::Troubled;

const REVOKED: Option<DenyCode> = Some(DenyCode::CapabilityRevoked);

fn stands(kernel: &Kernel, capability: &Capability) -> Option<DenyCode> {
    refusal(kernel, &Claim::Held(capability.id()), now())
}

/// A chain of the hard limit, with a sibling beside every link.
fn deep_tree(scene: &Scene) -> (Vec<Arc<Capability>>, Vec<Arc<Capability>>) {
    let mut grant = path_grant("agent", "/srv");
    grant.constraints.max_delegation_depth = Some(16);
    let mut chain = vec![scene.grant(grant)];
    let mut siblings = Vec::new();
    for depth in 1..=16 {
        let parent = chain.last().unwrap();
        siblings.push(scene.delegate(parent, pass_on(&format!("sibling-{depth}"))));
        chain.push(scene.delegate(parent, pass_on(&format!("agent-{depth}"))));
    }
    (chain, siblings)
}

#[test]
fn revoking_a_node_revokes_its_subtree_in_one_change_and_nothing_else() {
    let scene = Scene::new();
    let (chain, siblings) = deep_tree(&scene);
    let Epoch(before) = scene.store.epoch().unwrap();
    scene.revoke(Target::Capability(chain[8].id()));
    assert_eq!(scene.store.epoch(), Ok(Epoch(before + 1)));
    for (depth, capability) in chain.iter().enumerate() {
        let expected = if depth < 8 { None } else { REVOKED };
        assert_eq!(stands(&scene.kernel, capability), expected, "{depth}");
    }
    // The sibling at index n hangs below the link n of the chain.
    for (parent, sibling) in siblings.iter().enumerate() {
        let expected = if parent < 8 { None } else { REVOKED };
        assert_eq!(stands(&scene.kernel, sibling), expected, "{parent}");
    }
    scene.revoke(Target::Capability(chain[0].id()));
    assert!(chain.iter().chain(&siblings).all(|c| stands(&scene.kernel, c) == REVOKED));
}

#[test]
fn what_is_delegated_below_a_revoked_capability_is_refused() {
    let scene = Scene::new();
    let root = scene.grant(path_grant("agent", "/srv"));
    let child = scene.delegate(&root, pass_on("sub-agent"));
    scene.revoke(Target::Capability(root.id()));
    // As if another process had decided to delegate a moment before.
    let id = scene.kernel.new_id(now()).unwrap();
    let (late, _) = child.delegate(id, pass_on("late"), now()).unwrap();
    let change = cap_kernel::Change::Issued { capability: Box::new(late.clone()), session: None };
    scene.store.commit(&[change]).unwrap();
    assert_eq!(stands(&scene.kernel, &late), REVOKED);
}

#[test]
fn revoking_a_principal_revokes_what_it_holds_now_with_descendants_and_nothing_later() {
    let scene = Scene::new();
    let (one, two) =
        (scene.grant(path_grant("agent", "/srv")), scene.grant(path_grant("agent", "/opt")));
    let child = scene.delegate(&one, pass_on("sub-agent"));
    let other = scene.grant(path_grant("another", "/srv"));
    let given = scene.delegate(&other, pass_on("agent"));
    let Epoch(before) = scene.store.epoch().unwrap();
    scene.revoke(Target::Principal("agent".parse().unwrap()));
    assert_eq!(scene.store.epoch(), Ok(Epoch(before + 1)));
    for revoked in [&one, &two, &child, &given] {
        assert_eq!(stands(&scene.kernel, revoked), REVOKED);
    }
    assert_eq!(stands(&scene.kernel, &other), None);
    // Within the same second.
    let later = scene.grant(path_grant("agent", "/srv"));
    let below = scene.delegate(&later, pass_on("sub-agent"));
    for kernel in [&scene.kernel, &scene.another_kernel()] {
        assert_eq!(stands(kernel, &later), None);
        assert_eq!(stands(kernel, &below), None);
        assert_eq!(stands(kernel, &one), REVOKED);
    }
    scene.revoke(Target::Principal("agent".parse().unwrap()));
    assert_eq!(stands(&scene.kernel, &later), REVOKED);
}

#[test]
fn a_session_takes_its_capabilities_with_it() {
    let scene = Scene::new();
    let session = scene.open_session();
    let other = scene.open_session();
    let mine = scene.grant_in(session, path_grant("agent", "/srv"));
    let child = scene.delegate(&mine, pass_on("sub-agent"));
    let theirs = scene.grant_in(other, path_grant("agent", "/srv"));
    let shell = scene.grant(path_grant("agent", "/srv"));
    assert!([&mine, &child, &theirs, &shell].iter().all(|c| stands(&scene.kernel, c).is_none()));
    let listed = scene.kernel.list(now()).unwrap();
    let sessions: Vec<_> = listed.iter().map(|standing| standing.session).collect();
    assert_eq!(sessions, [Some(session), Some(session), Some(other), None]);
    scene.revoke(Target::Session(session));
    for kernel in [&scene.kernel, &scene.another_kernel()] {
        assert_eq!(stands(kernel, &mine), REVOKED);
        assert_eq!(stands(kernel, &child), REVOKED);
        assert_eq!(stands(kernel, &theirs), None);
        assert_eq!(stands(kernel, &shell), None);
    }
}

#[test]
fn a_session_whose_lease_is_over_permits_nothing() {
    let scene = Scene::new();
    let session = scene.open_session();
    let capability = scene.grant_in(session, path_grant("agent", "/srv"));
    let child = scene.delegate(&capability, pass_on("sub-agent"));
    let lapsed = Some(DenyCode::SessionLapsed);
    for id in [capability.id(), child.id()] {
        assert_eq!(refusal(&scene.kernel, &Claim::Held(id), after(59)), None);
        assert_eq!(refusal(&scene.kernel, &Claim::Held(id), after(60)), lapsed);
    }
    scene.store.renew_session(session, after(120)).unwrap();
    assert_eq!(refusal(&scene.kernel, &Claim::Held(child.id()), after(60)), None);
    scene.store.close_session(session).unwrap();
    assert_eq!(refusal(&scene.another_kernel(), &Claim::Held(child.id()), after(60)), lapsed);
    assert_eq!(refusal(&scene.kernel, &Claim::Held(child.id()), after(120)), lapsed);
}

#[test]
fn a_session_that_was_never_opened_permits_nothing() {
    let scene = Scene::new();
    let session = scene.kernel.new_id(now()).unwrap();
    let capability = scene.grant_in(session, path_grant("agent", "/srv"));
    assert_eq!(stands(&scene.kernel, &capability), Some(DenyCode::SessionLapsed));
}

#[test]
fn a_restart_forgets_no_grant_and_no_revocation() {
    let scene = Scene::new();
    let root = scene.grant(path_grant("agent", "/srv"));
    let revoked = scene.delegate(&root, pass_on("sub-agent"));
    let standing = scene.delegate(&root, pass_on("sub-agent"));
    scene.revoke(Target::Capability(revoked.id()));
    let restarted = scene.another_kernel();
    assert_eq!(stands(&restarted, &root), None);
    assert_eq!(stands(&restarted, &revoked), REVOKED);
    assert_eq!(stands(&restarted, &standing), None);
    let listed = restarted.list(now()).unwrap();
    let ids: Vec<_> = listed.iter().map(|standing| standing.capability.id()).collect();
    assert_eq!(ids, [root.id(), revoked.id(), standing.id()]);
    assert_eq!(listed[1].refused, REVOKED);
    assert_eq!(*listed[1].chain, [root.id(), revoked.id()]);
    let found = restarted.find(standing.id(), now()).unwrap().unwrap();
    assert_eq!((found.capability, found.refused), (standing, None));
    assert!(restarted.find(restarted.new_id(now()).unwrap(), now()).unwrap().is_none());
}

#[test]
fn a_revocation_binds_the_other_kernels_next_verify() {
    let scene = Scene::new();
    let other = scene.another_kernel();
    for _ in 0..100 {
        let capability = scene.grant(path_grant("agent", "/srv"));
        let claim = scene.evidence(&capability);
        assert!(decide(&other, &claim, &[read("/srv/a")], now()).is_allow());
        let (revoker, bound) = (&scene.kernel, &other);
        revoker.revoke(Target::Capability(capability.id()), "", &scene.log, now()).unwrap();
        assert_eq!(refusal(bound, &claim, now()), REVOKED);
    }
}

#[test]
fn what_is_unknown_cannot_be_revoked_by_its_id() {
    let scene = Scene::new();
    let unknown = Target::Capability(scene.kernel.new_id(now()).unwrap());
    let refused = scene.kernel.revoke(unknown, "", &scene.log, now());
    assert!(matches!(refused, Err(RevokeError::Unknown)));
    assert_eq!(scene.store.epoch(), Ok(Epoch(0)));
    assert!(scene.records().is_empty());
}

#[test]
fn revoking_twice_changes_nothing() {
    let scene = Scene::new();
    let capability = scene.grant(path_grant("agent", "/srv"));
    for _ in 0..2 {
        scene.revoke(Target::Capability(capability.id()));
        assert_eq!(stands(&scene.kernel, &capability), REVOKED);
    }
}

#[test]
fn a_state_that_went_back_is_refused() {
    let store = Arc::new(Troubled::default());
    let scene = Scene::on(store.clone());
    let capability = scene.grant(path_grant("agent", "/srv"));
    let backup = MemoryStore::default();
    let (_, changes) = scene.store.changes_since(Epoch(0)).unwrap();
    cap_kernel::StateStore::commit(&backup, &changes).unwrap();
    scene.revoke(Target::Capability(capability.id()));
    assert_eq!(stands(&scene.kernel, &capability), REVOKED);

    store.replace(Arc::new(backup));
    for _ in 0..2 {
        assert_eq!(stands(&scene.kernel, &capability), Some(DenyCode::StoreUnavailable));
    }
    assert!(scene.kernel.list(now()).is_err());
}

#[test]
fn a_state_that_keeps_changes_to_itself_is_refused() {
    let store = Arc::new(Troubled::default());
    let scene = Scene::on(store.clone());
    let capability = scene.grant(path_grant("agent", "/srv"));
    assert_eq!(stands(&scene.kernel, &capability), None);
    store.hide_changes();
    scene.kernel.revoke(Target::Capability(capability.id()), "", &scene.log, now()).unwrap();
    for _ in 0..2 {
        assert_eq!(stands(&scene.kernel, &capability), Some(DenyCode::StoreUnavailable));
    }
    assert!(kernel_on(&scene.store, scene.folder.path(), &scene.tokens).is_err());
}
