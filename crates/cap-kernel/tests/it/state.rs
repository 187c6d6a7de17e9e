//! The fold of changes, and the store in memory.

use std::sync::Arc;

use cap_core::{Capability, CapabilityId};
use cap_kernel::{Change, MemoryStore, StateStore, StoreError, Target};

use crate::scene::{Scene, kernel_on, now, pass_on, path_grant};

fn issued(capability: &Capability) -> Change {
    Change::Issued { capability: Box::new(capability.clone()), session: None }
}

fn id(n: u8) -> CapabilityId {
    CapabilityId::new([n; 10], now())
}

#[test]
fn the_store_in_memory_keeps_the_contract() {
    cap_testkit::state_store::conformance(|| Arc::new(MemoryStore::default()));
}

#[test]
fn a_state_that_contradicts_itself_is_damaged() {
    let root = Capability::grant(id(1), path_grant("agent", "/srv"), now()).unwrap();
    let (child, _) = root.delegate(id(2), pass_on("sub"), now()).unwrap();
    let (leaf, _) = child.delegate(id(3), pass_on("sub"), now()).unwrap();
    let mut misplaced = serde_json::to_value(&leaf).unwrap();
    misplaced["parent"] = serde_json::to_value(root.id()).unwrap();
    let misplaced: Capability = serde_json::from_value(misplaced).unwrap();
    let states = [
        vec![issued(&child)],
        vec![issued(&child), issued(&root)],
        vec![issued(&root), issued(&root)],
        vec![issued(&root), issued(&leaf)],
        vec![issued(&root), issued(&misplaced)],
    ];
    let scene = Scene::new();
    for changes in states {
        let store: Arc<dyn StateStore> = Arc::new(MemoryStore::default());
        store.commit(&changes).unwrap();
        let opened = kernel_on(&store, scene.folder.path(), &scene.tokens);
        assert!(matches!(opened, Err(StoreError::Damaged(_))), "{changes:?}");
    }
}

#[test]
fn a_kernel_that_meets_a_damaged_change_permits_nothing_from_then_on() {
    let scene = Scene::new();
    let capability = scene.grant(path_grant("agent", "/srv"));
    let orphan = Capability::grant(id(1), path_grant("agent", "/srv"), now()).unwrap();
    let (orphan, _) = orphan.delegate(id(2), pass_on("sub"), now()).unwrap();
    scene.store.commit(&[issued(&orphan)]).unwrap();
    for _ in 0..3 {
        let claim = cap_kernel::Claim::Held(capability.id());
        let refused = crate::scene::refusal(&scene.kernel, &claim, now());
        assert_eq!(refused, Some(cap_core::DenyCode::StoreUnavailable));
    }
}

#[test]
fn changes_are_read_as_they_were_written() {
    let root = Capability::grant(id(1), path_grant("agent", "/srv"), now()).unwrap();
    let changes = [
        issued(&root),
        Change::Issued { capability: Box::new(root.clone()), session: Some(id(9)) },
        Change::Revoked { target: Target::Capability(id(1)), at: now() },
        Change::Revoked { target: Target::Principal("agent".parse().unwrap()), at: now() },
        Change::Revoked { target: Target::Session(id(9)), at: now() },
    ];
    for change in changes {
        let text = serde_json::to_string(&change).unwrap();
        assert_eq!(serde_json::from_str::<Change>(&text).unwrap(), change, "{text}");
    }
    for text in [
        r#"{"revoked":{"target":{"capability":"x"},"at":"2026-11-21T12:00:00Z"}}"#,
        r#"{"revoked":{"target":{"everything":null},"at":"2026-11-21T12:00:00Z"}}"#,
        r#"{"revoked":{"target":{"principal":"a"},"at":"2026-11-21T12:00:00Z","by":"x"}}"#,
        r#"{"forgotten":{}}"#,
    ] {
        assert!(serde_json::from_str::<Change>(text).is_err(), "{text}");
    }
}
