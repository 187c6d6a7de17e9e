//! Limits flow down, spending flows up.

use std::sync::Arc;

use cap_core::{Capability, DenyCode};
use cap_kernel::{Claim, Kernel};
use chrono::{DateTime, Utc};

use crate::scene::{
    Scene, after, code, decide, limited, now, pass_on, pass_on_limited, path_grant, per_minute,
    read,
};

fn call(kernel: &Kernel, capability: &Capability, now: DateTime<Utc>) -> Option<DenyCode> {
    code(&decide(kernel, &Claim::Held(capability.id()), &[read("/srv/a")], now))
}

/// How many calls in a row are permitted.
fn permitted(kernel: &Kernel, capability: &Capability, now: DateTime<Utc>) -> u64 {
    (0..10_000).take_while(|_| call(kernel, capability, now).is_none()).count() as u64
}

const REACHED: Option<DenyCode> = Some(DenyCode::LimitRate);

#[test]
fn a_limit_permits_so_many_calls_and_no_more() {
    let scene = Scene::new();
    for max in [1, 2, 7, 8, 9, 100, 1000] {
        let capability = scene.grant(limited(path_grant("agent", "/srv"), max));
        assert_eq!(permitted(&scene.kernel, &capability, now()), max);
        assert_eq!(call(&scene.kernel, &capability, now()), REACHED);
        assert_eq!(call(&scene.another_kernel(), &capability, now()), REACHED);
    }
}

#[test]
fn a_call_charges_the_capability_and_all_of_its_ancestors() {
    let scene = Scene::new();
    let root = scene.grant(limited(path_grant("agent", "/srv"), 10));
    let middle = scene.delegate(&root, pass_on("middle"));
    let leaf = scene.delegate(&middle, pass_on_limited("leaf", 4));
    assert_eq!(permitted(&scene.kernel, &leaf, now()), 4);
    assert_eq!(permitted(&scene.kernel, &middle, now()), 6);
    assert_eq!(call(&scene.kernel, &root, now()), REACHED);
    assert_eq!(call(&scene.kernel, &leaf, now()), REACHED);
}

#[test]
fn delegating_to_many_never_multiplies_a_budget() {
    let scene = Scene::new();
    let root = scene.grant(limited(path_grant("agent", "/srv"), 20));
    let subs: Vec<Arc<Capability>> =
        (0..10).map(|n| scene.delegate(&root, pass_on_limited(&format!("sub-{n}"), 20))).collect();
    let kernels = [scene.another_kernel(), scene.another_kernel()];
    let mut all = 0;
    for round in 0..100 {
        let sub = &subs[round % subs.len()];
        all += u64::from(call(&kernels[round % 2], sub, now()).is_none());
    }
    assert!(all <= 20, "{all}");
    // Whoever stays and keeps trying gets what no other process has drawn.
    assert!(all >= 18, "{all}");
}

#[test]
fn a_denial_for_its_limit_names_the_owner_and_spends_nothing_of_the_others() {
    let scene = Scene::new();
    let root = scene.grant(limited(path_grant("agent", "/srv"), 10));
    let leaf = scene.delegate(&root, pass_on_limited("leaf", 2));
    assert_eq!(permitted(&scene.kernel, &leaf, now()), 2);
    for _ in 0..50 {
        let denied = decide(&scene.kernel, &Claim::Held(leaf.id()), &[read("/srv/a")], now());
        let denial = denied.denial().unwrap();
        assert_eq!(denial.constraint(), Some("rate_limit"));
        assert!(denial.reason().contains(&leaf.id().to_string()), "{denial}");
    }
    assert_eq!(permitted(&scene.kernel, &root, now()), 8);
}

#[test]
fn a_call_that_is_refused_for_another_reason_spends_nothing() {
    let scene = Scene::new();
    let capability = scene.grant(limited(path_grant("agent", "/srv"), 3));
    for _ in 0..10 {
        let claim = Claim::Held(capability.id());
        let denied = decide(&scene.kernel, &claim, &[read("/etc/a")], now());
        assert_eq!(code(&denied), Some(DenyCode::PathOutside));
    }
    assert_eq!(permitted(&scene.kernel, &capability, now()), 3);
}

#[test]
fn a_new_period_gives_the_whole_limit_again() {
    let scene = Scene::new();
    let capability = scene.grant(limited(path_grant("agent", "/srv"), 5));
    for minute in 0..3 {
        assert_eq!(permitted(&scene.kernel, &capability, after(60 * minute)), 5);
        assert_eq!(call(&scene.kernel, &capability, after(60 * minute + 59)), REACHED);
    }
    // Units of a lease end with their period.
    assert_eq!(call(&scene.kernel, &capability, after(600)), None);
    assert_eq!(permitted(&scene.kernel, &capability, after(660)), 5);
}

#[test]
fn a_clock_that_goes_back_gives_nothing_again() {
    let scene = Scene::new();
    let capability = scene.grant(limited(path_grant("agent", "/srv"), 100));
    assert_eq!(permitted(&scene.kernel, &capability, now()), 100);
    assert_eq!(call(&scene.kernel, &capability, after(60)), None);
    for kernel in [&scene.kernel, &scene.another_kernel()] {
        assert_eq!(call(kernel, &capability, now()), REACHED);
        assert_eq!(call(kernel, &capability, after(-600)), REACHED);
    }
    assert_eq!(permitted(&scene.kernel, &capability, after(60)), 99);
}

#[test]
fn a_capability_without_limits_asks_for_no_counter() {
    let store = Arc::new(crate::troubled::Troubled::default());
    let scene = Scene::on(store.clone());
    let capability = scene.grant(path_grant("agent", "/srv"));
    let busy = cap_kernel::StoreError::Busy("test".into());
    store.fail(crate::troubled::Operation::Draw, busy);
    assert_eq!(call(&scene.kernel, &capability, now()), None);
}

#[test]
fn what_is_drawn_is_durable_before_it_is_spent() {
    let scene = Scene::new();
    let capability = scene.grant(limited(path_grant("agent", "/srv"), 80));
    assert_eq!(call(&scene.kernel, &capability, now()), None);
    // A crash here forfeits the rest of the lease: less is spent, never more.
    let period = per_minute(80).period(now());
    let drawn = scene.store.drawn(capability.id(), period).unwrap();
    assert_eq!(drawn, 10);
    assert_eq!(permitted(&scene.another_kernel(), &capability, now()), 80 - drawn);
}
