//! Limits flow down, spending flows up.

use std::sync::Arc;

use cap_core::{AccessRequest, Budget, Capability, Decision, DenyCode, Limits, Meter, RateLimit};
use cap_kernel::{Claim, Kernel};
use chrono::{DateTime, Utc};

use crate::scene::{
    Scene, after, code, decide, limited, now, pass_on, pass_on_limited, path_grant, per_minute,
    read, read_of, set_limits, tool,
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
    let capability = scene.grant(limited(path_grant("agent", "/srv"), 80));
    for minute in 10..13 {
        assert_eq!(call(&scene.kernel, &capability, after(60 * minute)), None);
    }
    assert_eq!(permitted(&scene.kernel, &capability, after(60 * 13)), 80);
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
    let drawn = scene.store.drawn(capability.id(), Meter::Rate, period).unwrap();
    assert_eq!(drawn, 10);
    assert_eq!(permitted(&scene.another_kernel(), &capability, now()), 80 - drawn);
}

/// The limits of `root`, and nothing else.
fn grant_of(limits: Limits) -> cap_core::RootGrant {
    let mut grant = path_grant("agent", "/srv");
    set_limits(&mut grant.constraints, limits);
    grant
}

fn decision(scene: &Scene, capability: &Capability, requests: &[AccessRequest]) -> Decision {
    decide(&scene.kernel, &Claim::Held(capability.id()), requests, now())
}

#[test]
fn a_burst_bounds_how_many_calls_are_made_at_once() {
    let scene = Scene::new();
    // 6 in a minute, and 2 in each 20 seconds of it.
    let rate_limit = RateLimit { burst: Some(2), ..per_minute(6) };
    let capability =
        scene.grant(grant_of(Limits { rate_limit: Some(rate_limit), ..Limits::default() }));
    for (at, expected) in [(0, 2), (1, 0), (19, 0), (20, 2), (39, 0), (40, 2), (59, 0)] {
        assert_eq!(permitted(&scene.kernel, &capability, after(at)), expected, "{at}");
    }
    // What was not used of one burst does not add to the next.
    assert_eq!(permitted(&scene.kernel, &capability, after(119)), 2);
    let denied =
        decide(&scene.kernel, &Claim::Held(capability.id()), &[read("/srv/a")], after(119));
    let denial = denied.denial().unwrap();
    assert_eq!((denial.code(), denial.constraint()), (DenyCode::LimitRate, Some("rate_limit")));
    assert!(denial.reason().contains("2 calls in 20 s"), "{denial}");
    assert_eq!(permitted(&scene.kernel, &capability, after(118)), 0, "a clock that goes back");
}

#[test]
fn the_rate_binds_where_bursts_would_give_more() {
    let scene = Scene::new();
    // 3 in each 8 seconds, but 10 in each 25: periods begin apart.
    let rate_limit = RateLimit { burst: Some(3), ..RateLimit::new(10, 25) };
    assert_eq!(rate_limit.burst_seconds(), Some(8));
    let capability =
        scene.grant(grant_of(Limits { rate_limit: Some(rate_limit), ..Limits::default() }));
    let mut all = std::collections::BTreeMap::<i64, u64>::new();
    for second in 0..200 {
        let moment = after(second);
        let made = permitted(&scene.kernel, &capability, moment);
        *all.entry(moment.timestamp().div_euclid(25)).or_default() += made;
    }
    assert!(all.values().all(|calls| *calls <= 10), "{all:?}");
    assert!(all.values().filter(|calls| **calls >= 9).count() >= 6, "{all:?}");
}

#[test]
fn calls_in_all_do_not_start_afresh() {
    let scene = Scene::new();
    let capability = scene.grant(grant_of(Limits { max_calls: Some(20), ..Limits::default() }));
    let leaf = scene.delegate(&capability, pass_on("leaf"));
    assert_eq!(permitted(&scene.kernel, &leaf, now()), 20);
    let never = after(100 * 366 * 24 * 3600);
    for moment in [now(), after(-600), after(60), never] {
        for one in [&capability, &leaf] {
            assert_eq!(call(&scene.kernel, one, moment), Some(DenyCode::LimitCalls));
        }
    }
    let denied = decision(&scene, &leaf, &[read("/srv/a")]);
    let denial = denied.denial().unwrap();
    assert_eq!(denial.constraint(), Some("max_calls"));
    assert!(denial.reason().contains(&capability.id().to_string()), "{denial}");
    // Nor where another clock is behind.
    let other = scene.grant(grant_of(Limits { max_calls: Some(20), ..Limits::default() }));
    assert_eq!(call(&scene.kernel, &other, now()), None);
    assert_eq!(permitted(&scene.kernel, &other, after(-600)), 19);
}

#[test]
fn bytes_are_spent_by_all_below_to_the_last_one() {
    let scene = Scene::new();
    let root = scene.grant(grant_of(Limits { max_bytes: Some(1_000), ..Limits::default() }));
    let leaf = scene.delegate(&root, pass_on("leaf"));
    let read = |one: &Capability, bytes| {
        code(&decision(&scene, one, &[tool("fs/read"), read_of("/srv/a", bytes)]))
    };
    let over = Some(DenyCode::LimitBytes);
    assert_eq!(read(&root, 1_001), over);
    assert_eq!(read(&root, u64::MAX), over);
    assert_eq!(read(&root, 700), None);
    assert_eq!(read(&leaf, 301), over);
    let denied = decision(&scene, &leaf, &[read_of("/srv/a", 150), read_of("/srv/b", 151)]);
    let denial = denied.denial().unwrap();
    assert_eq!((denial.code(), denial.constraint()), (DenyCode::LimitBytes, Some("max_bytes")));
    for words in ["1000 bytes", &root.id().to_string(), "needs 301", "at most 300"] {
        assert!(denial.reason().contains(words), "{denial}");
    }
    assert_eq!(read(&leaf, 0), None, "nothing is charged for nothing");
    assert_eq!(read(&leaf, 299), None);
    assert_eq!(read(&root, 2), over);
    assert_eq!(read(&leaf, 1), None);
    assert_eq!(read(&leaf, 1), over);
    assert_eq!(read(&leaf, 0), None);
    assert_eq!(scene.store.drawn(root.id(), Meter::Bytes, 0), Ok(1_000));
}

#[test]
fn what_cannot_be_charged_denies_and_charges_nothing() {
    let scene = Scene::new();
    let cost = [("fs/*".parse().unwrap(), 1)].into();
    let root = scene.grant(grant_of(Limits {
        max_calls: Some(10),
        max_bytes: Some(1_000),
        budget: Some(Budget { cost, max: 10 }),
        ..Limits::default()
    }));
    let leaf = scene.delegate(&root, pass_on("leaf"));
    for _ in 0..30 {
        let size = decision(&scene, &leaf, &[tool("fs/read"), read("/srv/a")]);
        assert_eq!(code(&size), Some(DenyCode::SizeUnknown));
        let cost = decision(&scene, &leaf, &[tool("other/read"), read_of("/srv/a", 1)]);
        assert_eq!(code(&cost), Some(DenyCode::CostUnknown));
        let none = decision(&scene, &leaf, &[read_of("/srv/a", 1)]);
        assert_eq!(code(&none), Some(DenyCode::CostUnknown));
        let outside = decision(&scene, &leaf, &[tool("fs/read"), read_of("/etc/a", 1)]);
        assert_eq!(code(&outside), Some(DenyCode::PathOutside));
        let too_much = decision(&scene, &leaf, &[tool("fs/read"), read_of("/srv/a", 1_001)]);
        assert_eq!(code(&too_much), Some(DenyCode::LimitBytes));
    }
    for meter in Meter::ALL {
        assert_eq!(scene.store.drawn(root.id(), meter, 0), Ok(0), "{meter}");
    }
    let good = decision(&scene, &leaf, &[tool("fs/read"), read_of("/srv/a", 1_000)]);
    assert!(good.is_allow());
}

#[test]
fn a_principals_capability_that_cannot_say_what_a_call_costs_is_passed_over() {
    let scene = Scene::new();
    let cost = [("fs/*".parse().unwrap(), 1)].into();
    let budget = Some(Budget { cost, max: 1 });
    let first = scene.grant(grant_of(Limits { budget, ..Limits::default() }));
    let second = scene.grant(path_grant("agent", "/srv"));
    let claim = Claim::Principal("agent".parse().unwrap());
    let used = |name: &str| {
        let requests = [tool(name), read("/srv/a")];
        let (reserved, _) = crate::scene::reserve(&scene.kernel, &claim, &requests, now());
        (reserved.decision().is_allow(), reserved.capability().unwrap().id())
    };
    assert_eq!(used("other/read"), (true, second.id()));
    assert_eq!(used("fs/read"), (true, first.id()));
    // A limit that is reached denies: no other one is tried.
    assert_eq!(used("fs/read"), (false, first.id()));
}

#[test]
fn a_lease_of_bytes_covers_many_calls_of_their_size() {
    let scene = Scene::new();
    let mebibytes = 1 << 20;
    let max_bytes = Some(8_000 * mebibytes);
    let root = scene.grant(grant_of(Limits { max_bytes, ..Limits::default() }));
    let drawn = || scene.store.drawn(root.id(), Meter::Bytes, 0).unwrap();
    for calls in 1..=256 {
        let one = decision(&scene, &root, &[read_of("/srv/a", mebibytes)]);
        assert!(one.is_allow());
        assert_eq!(drawn(), 256 * mebibytes, "{calls}");
    }
    assert!(decision(&scene, &root, &[read_of("/srv/a", 1)]).is_allow());
    assert_eq!(drawn(), 256 * mebibytes + 256);
    // A lease that does not do is added to.
    assert!(decision(&scene, &root, &[read_of("/srv/a", 1_255)]).is_allow());
    assert_eq!(drawn(), 256 * mebibytes + 256 + 1_000 * 256);
}
