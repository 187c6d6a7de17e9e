//! What was verified is not verified again, and is found by the whole of it.

use cap_token::chain::{ChainLimits, ChainVerifier, Presentation, Untracked};
use serde_json::json;

use super::support::{Case, NOW, at, hash, outcome, policy};

fn small(bytes: usize) -> ChainVerifier {
    let mut limits = ChainLimits::default();
    limits.cache_bytes = bytes;
    ChainVerifier::new(policy().with_limits(limits)).unwrap()
}

#[test]
fn every_denial_is_the_same_after_the_chain_was_permitted() {
    let verifier = ChainVerifier::new(policy()).unwrap();
    let verify = |case: &Case, presentation: &Presentation| {
        outcome(&verifier.verify(presentation, &case.tool, &case.args, &Untracked, case.now))
    };
    let good = Case::of(4);
    let presentation = good.presentation();
    assert_eq!(verify(&good, &presentation), "PERMIT");
    for at in 0..4 {
        // One character of one token: its signature, its payload, its header.
        for part in 0..3 {
            let mut bad = presentation.clone();
            let mut parts: Vec<String> = bad.aat_chain[at].split('.').map(str::to_owned).collect();
            let flipped = if parts[part].starts_with('f') { "g" } else { "f" };
            parts[part].replace_range(..1, flipped);
            bad.aat_chain[at] = parts.join(".");
            assert_ne!(verify(&good, &bad), "PERMIT");
            assert_eq!(verify(&good, &presentation), "PERMIT");
        }
        let mut shorter = presentation.clone();
        shorter.aat_chain.remove(at);
        assert_ne!(verify(&good, &shorter), "PERMIT");
        let mut twice = presentation.clone();
        twice.aat_chain.insert(at, twice.aat_chain[at].clone());
        assert_eq!(verify(&good, &twice), "2c");
    }
}

#[test]
fn a_known_token_under_another_parent_is_not_known() {
    let verifier = ChainVerifier::new(policy()).unwrap();
    let narrow = Case::of(2).tools(0, json!({"read_file": {}})).chain();
    let wide = Case::of(2).claim(0, "jti", "wide").chain();
    for chain in [&narrow, &wide] {
        assert!(verifier.verify_chain(chain, at(NOW)).is_ok());
    }
    assert_ne!(hash(&narrow[0]), hash(&wide[0]));
    for spliced in [[&wide[0], &narrow[1]], [&narrow[0], &wide[1]]] {
        let error = verifier.verify_chain(&spliced, at(NOW)).unwrap_err();
        assert_eq!((error.step().as_str(), error.token()), ("4q", Some(1)));
    }
}

#[test]
fn a_known_chain_expires_and_is_not_yet_valid_before_its_time() {
    let verifier = ChainVerifier::new(policy()).unwrap();
    let chain = Case::of(3).claim(2, "exp", NOW + 10).claim(2, "iat", NOW + 5).chain();
    let step = |now| {
        let result = verifier.verify_chain(&chain, at(now));
        result.map_or_else(|error| error.step().as_str(), |_| "ok")
    };
    assert_eq!([step(NOW), step(NOW + 9), step(NOW + 10)], ["ok", "ok", "4i"]);
    assert_eq!([step(NOW - 25), step(NOW - 26)], ["ok", "4k"]);
    let root = Case::of(1).claim(0, "exp", NOW + 10).chain();
    assert!(verifier.verify_chain(&root, at(NOW)).is_ok());
    let expired = verifier.verify_chain(&root, at(NOW + 10)).unwrap_err();
    assert_eq!((expired.step().as_str(), expired.token()), ("3e", Some(0)));
}

#[test]
fn a_child_of_a_known_chain_repeats_none_of_its_ids() {
    let verifier = ChainVerifier::new(policy()).unwrap();
    let parent = Case::of(2).chain();
    assert!(verifier.verify_chain(&parent, at(NOW)).is_ok());
    let child = Case::of(3).claim(2, "jti", "token-0").chain();
    assert_eq!(parent, child[..2]);
    assert_eq!(verifier.verify_chain(&child, at(NOW)).unwrap_err().step().as_str(), "2c");
}

#[test]
fn verdicts_do_not_depend_on_how_much_is_remembered() {
    for bytes in [0, 2_000, 9_000, 40_000, 1 << 20] {
        let verifier = small(bytes);
        for round in 0..3 {
            for number in 0..10 {
                let case = Case::of(1 + number % 4).claim(0, "jti", format!("root-{number}"));
                let presentation = case.presentation();
                let run = |tool: &str| {
                    verifier.verify(&presentation, tool, &case.args, &Untracked, case.now)
                };
                assert_eq!(outcome(&run(&case.tool)), "PERMIT", "{bytes} {round} {number}");
                assert_eq!(outcome(&run("write_file")), "7e");
            }
        }
    }
}
