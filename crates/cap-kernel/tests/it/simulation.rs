//! What would be decided.

use cap_core::{Capability, DenyCode, Meter};
use cap_kernel::{Claim, Simulation, rule};

use crate::scene::{
    Scene, after, code, context, decide, limited, now, path_grant, per_minute, read, read_of,
};

#[test]
fn a_simulated_limit_is_reached_and_none_of_it_is_spent() {
    let scene = Scene::new();
    let capability = scene.grant(limited(path_grant("agent", "/srv"), 3));
    let claim = Claim::Held(capability.id());
    let authority = scene.kernel.verify(&claim, now()).unwrap();
    let mut simulation = Simulation::default();
    let mut simulate = |path: &str, now| {
        let ruling = rule(context(), Ok(&[read(path)]), Ok(&authority), now);
        code(&scene.kernel.simulate(&ruling, &mut simulation, now))
    };
    for _ in 0..3 {
        assert_eq!(simulate("/srv/a", now()), None);
        assert_eq!(simulate("/etc/a", now()), Some(DenyCode::PathOutside));
    }
    assert_eq!(simulate("/srv/a", now()), Some(DenyCode::LimitRate));
    assert_eq!(simulate("/srv/a", after(60)), None);
    let period = per_minute(3).period(now());
    assert_eq!(scene.store.drawn(capability.id(), Meter::Rate, period), Ok(0));
    assert!(decide(&scene.kernel, &claim, &[read("/srv/a")], now()).is_allow());
}

#[test]
fn a_simulation_counts_what_is_spent_and_not_what_this_process_has_left_of_a_lease() {
    let scene = Scene::new();
    let capability = scene.grant(limited(path_grant("agent", "/srv"), 80));
    let claim = Claim::Held(capability.id());
    for _ in 0..5 {
        assert!(decide(&scene.kernel, &claim, &[read("/srv/a")], now()).is_allow());
    }
    assert_eq!(
        scene.store.drawn(capability.id(), Meter::Rate, per_minute(80).period(now())),
        Ok(10)
    );
    let permitted = |kernel: &cap_kernel::Kernel| {
        let authority = kernel.verify(&claim, now()).unwrap();
        let mut simulation = Simulation::default();
        let mut permits = || {
            let ruling = rule(context(), Ok(&[read("/srv/a")]), Ok(&authority), now());
            kernel.simulate(&ruling, &mut simulation, now()).is_allow()
        };
        (0..200).take_while(|_| permits()).count()
    };
    assert_eq!(permitted(&scene.kernel), 75);
    // Another process cannot draw what this one has drawn.
    assert_eq!(permitted(&scene.another_kernel()), 70);
}

#[test]
fn a_capability_that_nobody_has_can_be_supposed() {
    let scene = Scene::new();
    let grant = limited(path_grant("agent", "/srv"), 2);
    let id = scene.kernel.new_id(now()).unwrap();
    let capability = Capability::grant(id, grant, now()).unwrap();
    let mut simulation = Simulation::default();
    let mut suppose = |path: &str| {
        let requests = [read(path)];
        code(&scene.kernel.suppose(&capability, &requests, &mut simulation, now()))
    };
    assert_eq!(suppose("/srv/a"), None);
    assert_eq!(suppose("/etc/a"), Some(DenyCode::PathOutside));
    assert_eq!(suppose("/srv/a"), None);
    assert_eq!(suppose("/srv/a"), Some(DenyCode::LimitRate));
    assert_eq!(
        code(&scene.kernel.suppose(&capability, &[], &mut Simulation::default(), now())),
        Some(DenyCode::Internal)
    );
    assert!(scene.kernel.list(now()).unwrap().is_empty());
    assert!(scene.records().is_empty());
}

#[test]
fn a_simulation_has_what_is_left_of_a_lease_when_others_are_in_the_next_period() {
    let scene = Scene::new();
    let capability = scene.grant(limited(path_grant("agent", "/srv"), 80));
    let claim = Claim::Held(capability.id());
    let permits = |kernel: &cap_kernel::Kernel, now| {
        decide(kernel, &claim, &[read("/srv/a")], now).is_allow()
    };
    assert!(permits(&scene.kernel, now()));
    // Another process, whose clock is ahead.
    assert!(permits(&scene.another_kernel(), after(60)));
    let mut simulation = Simulation::default();
    let authority = scene.kernel.verify(&claim, now()).unwrap();
    let ruling = rule(context(), Ok(&[read("/srv/a")]), Ok(&authority), now());
    let mut simulates = || scene.kernel.simulate(&ruling, &mut simulation, now()).is_allow();
    assert_eq!((0..20).take_while(|_| simulates()).count(), 9);
    assert_eq!((0..20).take_while(|_| permits(&scene.kernel, now())).count(), 9);
}

#[test]
fn a_simulation_counts_bytes_and_costs_and_says_what_is_left_as_the_call_would() {
    let scene = Scene::new();
    let mut grant = path_grant("agent", "/srv");
    grant.constraints.max_bytes = Some(1_000);
    let capability = scene.grant(grant);
    let claim = Claim::Held(capability.id());
    let decide = |bytes| decide(&scene.kernel, &claim, &[read_of("/srv/a", bytes)], now());
    assert!(decide(1).is_allow());
    let mut simulation = Simulation::default();
    let mut simulate = |bytes| {
        let requests = [read_of("/srv/a", bytes)];
        scene.kernel.suppose(&capability, &requests, &mut simulation, now())
    };
    assert!(simulate(400).is_allow());
    let simulated = simulate(600);
    let reason = simulated.denial().unwrap().reason().to_owned();
    assert!(reason.contains("needs 600") && reason.contains("at most 599"), "{reason}");
    assert!(simulate(599).is_allow());
    assert_eq!(code(&simulate(1)), Some(DenyCode::LimitBytes));
    // The same from the counters, of which this process has a lease.
    assert!(decide(399).is_allow());
    assert!(decide(1).is_allow());
    assert!(scene.store.drawn(capability.id(), Meter::Bytes, 0).unwrap() > 401);
    assert_eq!(decide(600), simulated);
    assert!(decide(599).is_allow());
}
