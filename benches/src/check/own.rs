//! What is measured of ours alone.

use std::collections::HashMap;
use std::hint::black_box;

use cap_core::{Authority, Capability, CapabilityId};
use criterion::{BenchmarkId, Throughput};
use serde_json::{Value, json};

use super::grant::{ALLOWED, DENIED, Evaluator, Grant};
use super::ours::{Ours, Request, capability, constraints};
use crate::measured::Group;

/// One capability, found by its id among so many and checked with one request. `any-of-100k`: each
/// time another one, in no order that a prefetcher would guess; what it costs more is memory.
const AMONG: [(&str, u32); 3] = [("among-1", 1), ("among-1k", 1_000), ("among-100k", 100_000)];
const ANY: &str = "any-of-100k";

pub const CASES: [&str; 11] = [
    "check-path",
    "check-tool",
    AMONG[0].0,
    AMONG[1].0,
    AMONG[2].0,
    ANY,
    "meet",
    "meet-narrower",
    "is-within",
    "explain",
    "parse",
];

/// How many operations one measured iteration does.
pub fn operations(case: &str) -> usize {
    match case {
        "meet" | "meet-narrower" | "is-within" | "parse" => 1,
        "explain" => DENIED.len(),
        _ => ALLOWED.len(),
    }
}

/// The case whose figure stands beside this one's in place of a peer's.
pub fn compared_with(case: &str) -> Option<&'static str> {
    let (alone, _) = AMONG[0];
    (case != alone && (case == ANY || AMONG.iter().any(|(name, _)| *name == case))).then_some(alone)
}

pub fn bench(group: &mut Group<'_>) {
    checks(group);
    AMONG.iter().for_each(|(case, count)| among(group, case, *count));
    lattice(group);
    explain(group);
    parse(group);
}

fn measure<T>(group: &mut Group<'_>, case: &str, mut iteration: impl FnMut() -> T) {
    group.throughput(Throughput::Elements(operations(case) as u64));
    group.bench_function(BenchmarkId::new(case, Ours::NAME), |bencher| {
        bencher.iter(&mut iteration);
    });
}

/// One request each: a call makes both.
fn checks(group: &mut Group<'_>) {
    let ours = Ours::new(Grant::Plain);
    let requests = ALLOWED.map(|call| ours.request(&call));
    let capability = &ours.capability;
    assert!(requests.iter().all(|request| permits_path(capability, request)));
    measure(group, "check-path", || {
        for request in &requests {
            black_box(permits_path(black_box(capability), black_box(request)));
        }
    });
    assert!(requests.iter().all(|request| permits_tool(capability, request)));
    measure(group, "check-tool", || {
        for request in &requests {
            black_box(permits_tool(black_box(capability), black_box(request)));
        }
    });
}

fn permits_path(capability: &Capability, request: &Request) -> bool {
    capability.check(&request.path, request.now).is_ok()
}

fn permits_tool(capability: &Capability, request: &Request) -> bool {
    capability.check(&request.tool, request.now).is_ok()
}

fn among(group: &mut Group<'_>, case: &str, count: u32) {
    let capabilities: HashMap<CapabilityId, Capability> = (0..count)
        .map(|number| capability(number, constraints(Grant::Plain)))
        .map(|capability| (capability.id(), capability))
        .collect();
    let ids: Vec<CapabilityId> =
        (0..count).map(|number| capability(number, json!({})).id()).collect();
    let ours = Ours::new(Grant::Plain);
    let requests = ALLOWED.map(|call| ours.request(&call));

    let same = ids[ids.len() / 2];
    measure(group, case, || {
        for request in &requests {
            black_box(permits_path(&capabilities[black_box(&same)], black_box(request)));
        }
    });
    if count == AMONG[2].1 {
        // A step that is prime to the count comes to every one of them.
        let mut at = 0;
        measure(group, ANY, || {
            for request in &requests {
                at = (at + 61_803) % ids.len();
                black_box(permits_path(&capabilities[&ids[at]], black_box(request)));
            }
        });
    }
}

fn lattice(group: &mut Group<'_>) {
    let authority =
        |constraints: Value| -> Authority { capability(0, constraints).authority().clone() };
    let plain = authority(constraints(Grant::Plain));
    // As many of each, some of them the same. A folder below a granted one is no narrower: links
    // might lead out of it.
    let other = authority(json!({
        "paths": ["/srv/projects/alpha", "/srv/projects/gamma", "/home/agent/work"],
        "allowed_tools": ["files/read_text", "files/get_info", "files/search"],
        "allowed_extensions": ["json", "md", "toml", "yaml"],
        "max_file_size": 1 << 19,
        "expires_at": "2026-11-25T00:00:00Z",
    }));
    // As a delegation asks for it.
    let narrower = authority(json!({
        "paths": ["/srv/projects/alpha", "/home/agent/work"],
        "allowed_tools": ["files/read_text", "files/get_info"],
        "allowed_extensions": ["json", "md"],
        "max_file_size": 1 << 19,
        "expires_at": "2026-11-25T00:00:00Z",
    }));
    assert!(narrower.is_within(&plain) && !plain.is_within(&narrower));
    assert!(!plain.is_within(&other) && !other.is_within(&plain));
    let meet = plain.meet(&other);
    assert!(meet.is_within(&plain) && meet.is_within(&other) && !meet.is_empty());
    assert_eq!(plain.meet(&narrower), narrower);

    measure(group, "meet", || black_box(&plain).meet(black_box(&other)));
    measure(group, "meet-narrower", || black_box(&plain).meet(black_box(&narrower)));
    measure(group, "is-within", || black_box(&narrower).is_within(black_box(&plain)));
}

fn explain(group: &mut Group<'_>) {
    let ours = Ours::new(Grant::Plain);
    let requests = DENIED.map(|call| ours.request(&call));
    let explain = |request: &Request| {
        let tool = ours.capability.explain(&request.tool, request.now);
        (tool, ours.capability.explain(&request.path, request.now))
    };
    for request in &requests {
        let (tool, path) = explain(request);
        assert!(!tool.reasons().is_empty() || !path.reasons().is_empty());
    }
    measure(group, "explain", || {
        for request in &requests {
            let _ = black_box(explain(black_box(request)));
        }
    });
}

fn parse(group: &mut Group<'_>) {
    let capability = Ours::new(Grant::Plain).capability;
    let text = capability.to_json();
    assert_eq!(Capability::from_json(&text).expect("its own form"), capability);
    measure(group, "parse", || Capability::from_json(black_box(&text)));
}
