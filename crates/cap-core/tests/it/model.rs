//! The product against the naive model.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use cap_core::{AccessRequest, Capability};
use cap_testkit::naive;
use cap_testkit::strategy::{access_request, capability, granted_at, instant};
use chrono::{DateTime, Utc};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

use crate::support::wire;

proptest! {
    #[test]
    fn a_capability_permits_what_the_naive_model_permits(
        capability in capability(),
        requests in vec(access_request(), 32),
        now in instant(),
    ) {
        let wire = wire(&capability);
        for request in requests {
            agree(&capability, &wire, &request, now)?;
        }
    }
}

#[test]
fn the_strategies_hit_and_miss_often() {
    let mut runner = TestRunner::deterministic();
    let mut hits = [(0_u32, 0_u32); 5];
    for _ in 0..300 {
        let capability = capability().new_tree(&mut runner).unwrap().current();
        for request in vec(access_request(), 40).new_tree(&mut runner).unwrap().current() {
            let (permitted, all) = &mut hits[request.kind() as usize];
            *permitted += u32::from(capability.permits(&request, granted_at()).is_allow());
            *all += 1;
        }
    }
    println!("permitted of command, method, path, tool and url: {hits:?}");
    for (permitted, all) in hits {
        assert!((all / 12..all * 3 / 4).contains(&permitted), "{hits:?}");
    }
}

/// Ten million pairs of request and authority, in parts that are each remembered when they are
/// done: what is interrupted goes on where it was. `MCP_SECURITY_SEED` chooses them.
#[test]
#[ignore = "slow: cargo xtask test --slow"]
fn slow_ten_million_pairs_agree_with_the_naive_model() {
    const PARTS: u64 = 1000;
    let seed = std::env::var("MCP_SECURITY_SEED").map_or(1, |seed| seed.parse::<u64>().unwrap());
    let done = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("pairs-{seed}.txt"));
    let finished = fs::read_to_string(&done).unwrap_or_default();
    let parts: Vec<Part> = finished.lines().filter_map(Part::read).collect();
    println!("MCP_SECURITY_SEED={seed}: {} of {PARTS} parts were done before", parts.len());
    let results = Mutex::new(parts);
    let next = AtomicU64::new(0);
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= PARTS {
                        break;
                    }
                    if results.lock().unwrap().iter().any(|part| part.number == number) {
                        continue;
                    }
                    let part = Part::run(seed, number);
                    let mut results = results.lock().unwrap();
                    results.push(part);
                    let lines: Vec<String> = results.iter().map(Part::line).collect();
                    fs::write(&done, lines.join("\n") + "\n").unwrap();
                }
            });
        }
    });
    let parts = results.into_inner().unwrap();
    let pairs: u64 = parts.iter().map(|part| part.pairs).sum();
    let permitted: u64 = parts.iter().map(|part| part.permitted).sum();
    println!("{pairs} pairs, {permitted} permitted");
    assert_eq!((parts.len() as u64, pairs), (PARTS, 10_000_000));
    assert!((pairs / 20..pairs * 3 / 4).contains(&permitted));
    fs::remove_file(done).unwrap();
}

/// A hundredth of a million pairs.
struct Part {
    number: u64,
    pairs: u64,
    permitted: u64,
}

impl Part {
    fn run(seed: u64, number: u64) -> Self {
        const AUTHORITIES: u32 = 100;
        const REQUESTS: u32 = 100;
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&number.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let mut part = Self { number, pairs: 0, permitted: 0 };
        for _ in 0..AUTHORITIES {
            let capability = capability().new_tree(&mut runner).unwrap().current();
            let wire = wire(&capability);
            for _ in 0..REQUESTS {
                let pair = (access_request(), instant()).new_tree(&mut runner).unwrap().current();
                let permitted = agree(&capability, &wire, &pair.0, pair.1).unwrap();
                part.permitted += u64::from(permitted);
                part.pairs += 1;
            }
        }
        part
    }

    fn line(&self) -> String {
        format!("{} {} {}", self.number, self.pairs, self.permitted)
    }

    fn read(line: &str) -> Option<Self> {
        let mut numbers = line.split(' ').map(str::parse);
        let mut number = || numbers.next()?.ok();
        Some(Self { number: number()?, pairs: number()?, permitted: number()? })
    }
}

fn agree(
    capability: &Capability,
    wire: &Value,
    request: &AccessRequest,
    now: DateTime<Utc>,
) -> Result<bool, TestCaseError> {
    let decision = capability.permits(request, now);
    let model = naive::permits(wire, request, now);
    prop_assert_eq!(decision.is_allow(), model, "{:?}\n{}\n{:?}", decision, wire, request);
    Ok(model)
}
