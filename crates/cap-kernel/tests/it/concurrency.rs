//! Threads and processes that verify while another revokes.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use cap_kernel::{Claim, Target};

use crate::scene::{Scene, decide, limited, now, pass_on, path_grant, read};

#[test]
fn no_call_that_starts_after_the_acknowledgement_of_a_revocation_is_permitted() {
    const ROUNDS: usize = 200;
    const THREADS: usize = 4;
    let scene = Scene::new();
    let kernels = [scene.another_kernel(), scene.another_kernel()];
    for round in 0..ROUNDS {
        let root = scene.grant(path_grant("agent", "/srv"));
        let leaf = scene.delegate(&root, pass_on("sub-agent"));
        let claims = [scene.evidence(&leaf), scene.token(&leaf, &[root.id()])];
        let acknowledged = AtomicBool::new(false);
        let (before, after) = (AtomicU64::new(0), AtomicU64::new(0));
        // The revoker waits until every thread has been permitted something.
        let running = Barrier::new(THREADS + 1);
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (kernel, claim) = (&kernels[thread % 2], &claims[thread / 2]);
                let (acknowledged, running) = (&acknowledged, &running);
                let (before, after) = (&before, &after);
                scope.spawn(move || {
                    // Nobody may panic before the others have met him.
                    let allowed = decide(kernel, claim, &[read("/srv/a")], now()).is_allow();
                    before.fetch_add(u64::from(allowed), Ordering::Relaxed);
                    running.wait();
                    let mut late = 0;
                    while late < 3 {
                        let was_acknowledged = acknowledged.load(Ordering::SeqCst);
                        let allowed = decide(kernel, claim, &[read("/srv/a")], now()).is_allow();
                        assert!(!(was_acknowledged && allowed), "round {round}");
                        late += u64::from(was_acknowledged);
                    }
                    after.fetch_add(late, Ordering::Relaxed);
                });
            }
            running.wait();
            scene.revoke(Target::Capability(root.id()));
            acknowledged.store(true, Ordering::SeqCst);
        });
        assert_eq!(before.into_inner(), THREADS as u64);
        assert_eq!(after.into_inner(), 3 * THREADS as u64);
    }
}

#[test]
fn threads_of_several_kernels_never_spend_more_than_a_limit() {
    const MAX: u64 = 500;
    let scene = Scene::new();
    let root = scene.grant(limited(path_grant("agent", "/srv"), MAX));
    let leaves: Vec<_> = (0..4).map(|_| scene.delegate(&root, pass_on("sub-agent"))).collect();
    let kernels = [scene.another_kernel(), scene.another_kernel()];
    let permitted = AtomicU64::new(0);
    thread::scope(|scope| {
        for (at, leaf) in leaves.iter().enumerate() {
            let (kernel, permitted) = (&kernels[at % 2], &permitted);
            scope.spawn(move || {
                let claim = Claim::Held(leaf.id());
                while decide(kernel, &claim, &[read("/srv/a")], now()).is_allow() {
                    permitted.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    // All kept trying until they were denied, so no lease was left over.
    assert_eq!(permitted.into_inner(), MAX);
}

#[test]
fn grants_and_revocations_of_many_threads_are_all_there() {
    let scene = Scene::new();
    let kernels = [scene.another_kernel(), scene.another_kernel()];
    thread::scope(|scope| {
        for at in 0..4 {
            let (kernel, log) = (&kernels[at % 2], &scene.log);
            scope.spawn(move || {
                for n in 0..25 {
                    let grant = path_grant(&format!("agent-{at}"), "/srv");
                    let granted = kernel.grant(grant, None, log, now()).unwrap();
                    if n % 2 == 0 {
                        let target = Target::Capability(granted.id());
                        kernel.revoke(target, "", log, now()).unwrap();
                    }
                }
            });
        }
    });
    for kernel in kernels.iter().chain([&scene.kernel, &scene.another_kernel()]) {
        let all = kernel.list(now()).unwrap();
        assert_eq!(all.len(), 100);
        assert_eq!(all.iter().filter(|standing| standing.refused.is_some()).count(), 52);
    }
}
