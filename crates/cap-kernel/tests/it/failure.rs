//! Whatever goes wrong denies.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use cap_audit::Decision;
use cap_core::{Capability, DenyCode, Meter};
use cap_crypto::{MacKeyring, OsRandom, Purpose};
use cap_kernel::{
    Claim, Drawn, Epoch, IssueError, Kernel, RevokeError, Simulation, StoreError, Target, rule,
};

use crate::scene::{
    Drained, Scene, code, context, decide, kernel_on, limited, now, pass_on, path_grant, read,
    read_of, refusal,
};
use crate::troubled::{Operation, Troubled};

fn errors() -> [StoreError; 3] {
    let why = || "test".to_owned();
    [StoreError::Busy(why()), StoreError::Damaged(why()), StoreError::Failed(why())]
}

struct Trouble {
    scene: Scene,
    store: Arc<Troubled>,
    capability: Arc<Capability>,
}

/// A capability with a limit, in a session that nobody has asked about yet, and changes that the
/// kernel does not know yet.
fn trouble(operation: Operation, error: StoreError) -> Trouble {
    let store = Arc::new(Troubled::default());
    let scene = Scene::on(store.clone());
    let session = scene.open_session();
    let capability = scene.grant_in(session, limited(path_grant("agent", "/srv"), 5));
    store.fail(operation, error);
    Trouble { scene, store, capability }
}

#[test]
fn a_store_that_fails_denies_every_claim_and_heals() {
    for operation in Operation::ALL {
        for error in errors() {
            let Trouble { scene, store, capability } = trouble(operation, error);
            let expected = match operation {
                Operation::Epoch | Operation::ChangesSince | Operation::SessionUntil => {
                    Some(DenyCode::StoreUnavailable)
                }
                Operation::Draw => Some(DenyCode::LimitUnavailable),
                // Deciding needs neither.
                Operation::Commit | Operation::Drawn => None,
            };
            let claims = [
                scene.evidence(&capability),
                scene.token(&capability, &[]),
                Claim::Held(capability.id()),
                Claim::Principal("agent".parse().unwrap()),
            ];
            for claim in &claims {
                let decision = decide(&scene.kernel, claim, &[read("/srv/a")], now());
                assert_eq!(code(&decision), expected, "{operation:?} {claim:?}");
            }
            store.heal();
            for claim in &claims {
                let decision = decide(&scene.kernel, claim, &[read("/srv/a")], now());
                let reached = expected.is_none().then_some(DenyCode::LimitRate);
                let allowed = code(&decision).is_none();
                assert!(allowed || code(&decision) == reached, "{operation:?} {decision:?}");
            }
        }
    }
}

#[test]
fn a_store_that_fails_opens_no_kernel() {
    for operation in [Operation::Epoch, Operation::ChangesSince] {
        for error in errors() {
            let Trouble { scene, .. } = trouble(operation, error.clone());
            let opened = kernel_on(&scene.store, scene.folder.path(), &scene.tokens);
            assert_eq!(opened.err(), Some(error));
        }
    }
}

#[test]
fn a_store_that_fails_lists_nothing() {
    for operation in [Operation::Epoch, Operation::ChangesSince] {
        let Trouble { scene, capability, .. } = trouble(operation, errors()[0].clone());
        assert!(scene.kernel.list(now()).is_err());
        assert!(scene.kernel.find(capability.id(), now()).is_err());
    }
    let Trouble { scene, .. } = trouble(Operation::SessionUntil, errors()[0].clone());
    let listed = scene.kernel.list(now()).unwrap();
    assert_eq!(listed[0].refused, Some(DenyCode::StoreUnavailable));
}

#[test]
fn a_store_that_fails_issues_nothing() {
    for operation in [Operation::Epoch, Operation::ChangesSince, Operation::Commit] {
        let Trouble { scene, store, capability } = trouble(operation, errors()[2].clone());
        let delegated = scene.kernel.delegate(capability.id(), pass_on("sub"), &scene.log, now());
        assert!(matches!(delegated, Err(IssueError::Store(_))), "{operation:?}");
        if operation == Operation::Commit {
            let granted = scene.kernel.grant(path_grant("b", "/srv"), None, &scene.log, now());
            assert!(matches!(granted, Err(IssueError::Store(_))));
            // The log says that what it said before was not done.
            let record = scene.records().pop().unwrap();
            assert_eq!(record.decision, Some(Decision::Deny));
            assert_eq!(record.code.as_deref(), Some("store-unavailable"));
        }
        store.heal();
        assert_eq!(scene.kernel.list(now()).unwrap().len(), 1);
    }
}

#[test]
fn a_revocation_that_could_not_be_made_durable_is_not_acknowledged_and_the_log_says_so() {
    let Trouble { scene, store, capability } = trouble(Operation::Commit, errors()[2].clone());
    let target = Target::Capability(capability.id());
    let refused = scene.kernel.revoke(target.clone(), "reason", &scene.log, now());
    assert!(matches!(refused, Err(RevokeError::Store(_))));
    let records = scene.records();
    let [.., wanted, failed] = records.as_slice() else { panic!("two records") };
    assert_eq!(wanted.decision, None);
    assert_eq!(failed.decision, Some(Decision::Deny));
    assert_eq!(failed.code.as_deref(), Some("store-unavailable"));
    for record in [wanted, failed] {
        assert_eq!(record.kind, cap_audit::Kind::Revocation);
        assert_eq!(record.capability, Some(capability.id().to_string()));
        assert_eq!(record.trace, wanted.trace);
    }
    store.heal();
    assert_eq!(refusal(&scene.kernel, &Claim::Held(capability.id()), now()), None);
    scene.kernel.revoke(target, "reason", &scene.log, now()).unwrap();
    let revoked = refusal(&scene.kernel, &Claim::Held(capability.id()), now());
    assert_eq!(revoked, Some(DenyCode::CapabilityRevoked));
}

#[test]
fn a_counter_that_cannot_be_charged_charges_none_of_the_others() {
    let store = Arc::new(Troubled::default());
    let scene = Scene::on(store.clone());
    let root = scene.grant(limited(path_grant("agent", "/srv"), 6));
    let child = scene.delegate(&root, crate::scene::pass_on_limited("sub", 6));
    let calls = |capability: &Capability| {
        let claim = Claim::Held(capability.id());
        let permits = || decide(&scene.kernel, &claim, &[read("/srv/a")], now()).is_allow();
        (0..20).take_while(|_| permits()).count()
    };
    for error in errors() {
        store.fail(Operation::Draw, error);
        assert_eq!((calls(&child), calls(&root)), (0, 0));
        store.heal();
    }
    assert_eq!((calls(&child), calls(&root)), (6, 0));
}

#[test]
fn a_store_that_does_not_give_what_is_needed_gives_nothing() {
    for (max_bytes, max_calls) in [(10, 100), (100, 10)] {
        let store = Arc::new(Troubled::default());
        let scene = Scene::on(store.clone());
        let mut grant = path_grant("agent", "/srv");
        grant.constraints.max_bytes = Some(max_bytes);
        grant.constraints.max_calls = Some(max_calls);
        let capability = scene.grant(grant);
        let read = |bytes| {
            let claim = Claim::Held(capability.id());
            code(&decide(&scene.kernel, &claim, &[read_of("/srv/a", bytes)], now()))
        };
        let owner = crate::scene::nobody();
        let nobody = Drawn::Exhausted { owner, meter: Meter::Bytes, left: 0 };
        let leased = [vec![], vec![1], vec![5], vec![1, 4], vec![0, 5], vec![1, 5, 1]];
        for answer in leased.map(Drawn::Leased).into_iter().chain([nobody]) {
            store.answer_draws(Some(answer.clone()));
            assert_eq!(read(5), Some(DenyCode::LimitUnavailable), "{answer:?}");
            store.answer_draws(None);
        }
        assert_eq!((0..100).take_while(|_| read(1).is_none()).count(), 10);
    }
}

#[test]
fn a_simulation_that_cannot_see_the_counters_denies() {
    for error in errors() {
        let Trouble { scene, capability, .. } = trouble(Operation::Drawn, error);
        let authority = scene.kernel.verify(&Claim::Held(capability.id()), now()).unwrap();
        let ruling = rule(context(), Ok(&[read("/srv/a")]), Ok(&authority), now());
        let mut simulation = Simulation::default();
        let simulated = scene.kernel.simulate(&ruling, &mut simulation, now());
        assert_eq!(code(&simulated), Some(DenyCode::StoreUnavailable));
        let supposed = scene.kernel.suppose(&capability, &[read("/srv/a")], &mut simulation, now());
        assert_eq!(code(&supposed), Some(DenyCode::StoreUnavailable));
    }
}

#[test]
fn what_cannot_be_recorded_is_not_granted() {
    let scene = Scene::new();
    let root = scene.grant(path_grant("agent", "/srv"));
    scene.log.close(now()).unwrap();
    let before = scene.store.epoch();
    let granted = scene.kernel.grant(path_grant("agent", "/srv"), None, &scene.log, now());
    assert!(matches!(granted, Err(IssueError::Audit(_))));
    let delegated = scene.kernel.delegate(root.id(), pass_on("sub"), &scene.log, now());
    assert!(matches!(delegated, Err(IssueError::Audit(_))));
    assert_eq!(scene.store.epoch(), before);
    assert_eq!(scene.kernel.list(now()).unwrap().len(), 1);
}

#[test]
fn a_revocation_that_cannot_be_recorded_stands_and_the_caller_is_told() {
    let scene = Scene::new();
    let capability = scene.grant(path_grant("agent", "/srv"));
    scene.log.close(now()).unwrap();
    let target = Target::Capability(capability.id());
    let told = scene.kernel.revoke(target, "", &scene.log, now());
    assert!(matches!(told, Err(RevokeError::Audit(_))));
    for kernel in [&scene.kernel, &scene.another_kernel()] {
        let revoked = refusal(kernel, &Claim::Held(capability.id()), now());
        assert_eq!(revoked, Some(DenyCode::CapabilityRevoked));
    }
}

#[test]
fn without_random_bytes_nothing_is_issued() {
    let scene = Scene::new();
    // A grant takes two draughts: an id and a trace.
    for draughts in 0..2 {
        let macs = MacKeyring::ephemeral(Purpose::CapabilityMac, &OsRandom).unwrap();
        let random = Arc::new(Drained(AtomicU64::new(draughts)));
        let kernel = Kernel::open(scene.store.clone(), macs, None, random).unwrap();
        let granted = kernel.grant(path_grant("agent", "/srv"), None, &scene.log, now());
        assert!(matches!(granted, Err(IssueError::Random(_))));
    }
    assert_eq!(scene.store.epoch(), Ok(Epoch(0)));
    assert!(scene.records().is_empty());
}

#[test]
fn errors_and_debug_output_tell_no_secret() {
    let scene = Scene::new();
    let capability = scene.grant(path_grant("agent", "/srv"));
    let evidence = scene.kernel.evidence(&capability);
    let secret = evidence.rsplit('.').next().unwrap();
    let claim = scene.evidence(&capability);
    let authority = scene.kernel.verify(&claim, now()).unwrap();
    for text in [format!("{claim:?}"), format!("{authority:?}"), format!("{:?}", scene.kernel)] {
        assert!(!text.contains(secret));
    }
}
