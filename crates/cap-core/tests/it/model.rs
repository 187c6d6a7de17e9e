//! The product against the naive model.

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

/// A million pairs of request and authority. `MCP_SECURITY_SEED` chooses them.
#[test]
#[ignore = "slow: cargo xtask test --slow"]
fn slow_a_million_pairs_agree_with_the_naive_model() {
    const AUTHORITIES: u32 = 10_000;
    const REQUESTS: u32 = 100;
    let seed = std::env::var("MCP_SECURITY_SEED").map_or(1, |seed| seed.parse::<u64>().unwrap());
    println!("MCP_SECURITY_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let (mut pairs, mut permitted) = (0_u32, 0_u32);
    for _ in 0..AUTHORITIES {
        let capability = capability().new_tree(&mut runner).unwrap().current();
        let wire = wire(&capability);
        for _ in 0..REQUESTS {
            let pair = (access_request(), instant()).new_tree(&mut runner).unwrap().current();
            permitted += u32::from(agree(&capability, &wire, &pair.0, pair.1).unwrap());
            pairs += 1;
        }
    }
    println!("{pairs} pairs, {permitted} permitted");
    assert_eq!(pairs, AUTHORITIES * REQUESTS);
    assert!((pairs / 10..pairs * 3 / 4).contains(&permitted));
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
