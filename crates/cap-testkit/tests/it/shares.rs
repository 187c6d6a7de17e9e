//! What the strategies make is permitted and refused often, by every constraint.

use std::collections::{BTreeMap, BTreeSet};

use cap_core::Denial;
use cap_testkit::naive;
use cap_testkit::strategy::{access_request, capability, custom_means, instant, registry, tree};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::Value;

/// The predicates, by their names on the wire.
const PREDICATES: [&str; 23] = [
    "allowed_domains",
    "allowed_extensions",
    "allowed_methods",
    "allowed_tools",
    "arguments",
    "cidr",
    "command_args",
    "commands",
    "custom",
    "environment",
    "expires_at",
    "kinds",
    "max_file_size",
    "methods",
    "not_before",
    "operations",
    "paths",
    "ports",
    "private_networks",
    "protocols",
    "time_windows",
    "tool_kinds",
    "urls",
];

#[test]
fn random_pairs_are_permitted_and_refused_often() {
    let mut runner = TestRunner::deterministic();
    let mut shares = [(0_u32, 0_u32); 5];
    let mut alone: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..1_500 {
        let capability = capability().new_tree(&mut runner).unwrap().current();
        let wire: Value = serde_json::from_str(&capability.to_json()).unwrap();
        let requests = vec((access_request(), instant()), 24);
        for (request, now) in requests.new_tree(&mut runner).unwrap().current() {
            let refusals = naive::refusals(&wire, &request, &custom_means, now);
            let (permitted, all) = &mut shares[request.kind() as usize];
            *permitted += u32::from(refusals.is_empty());
            *all += 1;
            if refusals.len() == 1 {
                *alone.entry(refusals.into_iter().next().unwrap()).or_default() += 1;
            }
        }
    }
    let (permitted, all) = shares.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    println!("permitted of command, method, path, tool and url: {shares:?}");
    println!("permitted of all: {permitted} of {all}; refused by one alone: {alone:?}");
    for (permitted, all) in shares {
        assert!((all / 5..all * 4 / 5).contains(&permitted), "{shares:?}");
    }
    for name in PREDICATES {
        assert!(alone.get(name).is_some_and(|count| *count >= 20), "{name}: {alone:?}");
    }
}

#[test]
fn every_constraint_stands_in_many_capabilities() {
    const OBLIGATIONS: [&str; 5] =
        ["budget", "max_bytes", "max_calls", "max_delegation_depth", "rate_limit"];
    let mut runner = TestRunner::deterministic();
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..1_500 {
        let capability = capability().new_tree(&mut runner).unwrap().current();
        let wire: Value = serde_json::from_str(&capability.to_json()).unwrap();
        for name in wire["constraints"].as_object().unwrap().keys() {
            *counts.entry(name.clone()).or_default() += 1;
        }
    }
    println!("{counts:?}");
    for name in PREDICATES.into_iter().chain(OBLIGATIONS).chain(["and"]) {
        assert!(counts.get(name).is_some_and(|count| *count >= 10), "{name}: {counts:?}");
    }
}

proptest! {
    #[test]
    fn a_capability_with_its_registry_permits_what_the_model_permits(
        capability in capability(),
        requests in vec((access_request(), instant()), 32),
    ) {
        let wire: Value = serde_json::from_str(&capability.to_json()).unwrap();
        let capability = capability.bind(&registry());
        for (request, now) in requests {
            let decision = capability.permits(&request, now);
            let model = naive::permits_with(&wire, &request, &custom_means, now);
            prop_assert_eq!(decision.is_allow(), model, "{:?}\n{}\n{:?} {}", decision, wire, request, now);
        }
    }

    #[test]
    fn an_explanation_names_the_constraints_that_refuse(
        capability in capability(),
        requests in vec((access_request(), instant()), 32),
    ) {
        let wire: Value = serde_json::from_str(&capability.to_json()).unwrap();
        let capability = capability.bind(&registry());
        for (request, now) in requests {
            let refusals = naive::refusals(&wire, &request, &custom_means, now);
            let explanation = capability.explain(&request, now);
            prop_assert_eq!(explanation.is_allow(), refusals.is_empty());
            // What is permitted to nobody is not refused by any constraint.
            if refusals.contains("request") {
                continue;
            }
            let mut named: BTreeSet<String> = explanation.reasons().iter().map(name).collect();
            let mut refusals = refusals;
            if refusals.contains("paths") {
                // Where a path is not permitted, nobody is told what was found there.
                for found in ["allowed_extensions", "max_file_size"] {
                    named.remove(found);
                    refusals.remove(found);
                }
            }
            prop_assert_eq!(named, refusals, "{}\n{}\n{:?} {}", explanation, wire, request, now);
        }
    }

    #[test]
    fn no_link_of_a_tree_permits_what_the_model_refuses_an_ancestor(
        tree in tree(),
        requests in vec((access_request(), instant()), 16),
    ) {
        let wires: Vec<Value> = tree
            .places()
            .map(|place| serde_json::from_str(&tree.at(place).to_json()).unwrap())
            .collect();
        for place in tree.places() {
            let capability = tree.at(place).bind(&registry());
            let chain: Vec<&Value> = tree.to_the_root(place).map(|place| &wires[place]).collect();
            for (request, now) in &requests {
                let decision = capability.permits(request, *now);
                let model = |wire: &&Value| naive::permits_with(wire, request, &custom_means, *now);
                prop_assert_eq!(decision.is_allow(), model(&chain[0]), "{}\n{:?}", chain[0], request);
                prop_assert_eq!(decision.is_allow(), chain.iter().all(model), "{}\n{:?}", chain[0], request);
            }
        }
    }
}

/// The constraint that a reason names. A tool is not understood also where no constraint says so.
fn name(reason: &Denial) -> String {
    match (reason.constraint(), reason.code().code()) {
        (Some(constraint), _) => constraint.to_owned(),
        (None, "tool-unmapped") => "tool_kinds".to_owned(),
        (None, code) => code.to_owned(),
    }
}
