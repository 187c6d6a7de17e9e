//! Laws, on chains and constraints that are made at random, against the naive model.

use std::time::Duration;

use cap_crypto::Signer;
use cap_token::chain::{
    Author, Call, ChainVerifier, Constraint, Derivation, DeriveError, Presentation, RootToken,
    Tools, Untracked,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::constraints::constraint;
use super::naive;
use super::support::{ISSUER, NOW, RANDOM, at, key, policy};

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0..4_i32).prop_map(Value::from),
        (0..4_i32).prop_map(|half| json!(f64::from(half) / 2.0)),
        prop_oneof![Just("a"), Just("b"), Just("1")].prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => scalar(),
        2 => prop::collection::vec(scalar(), 0..4).prop_map(Value::from),
        1 => prop::collection::hash_map("[xy]", scalar(), 0..3)
            .prop_map(|it| Value::Object(it.into_iter().collect())),
    ]
}

fn values(least: usize) -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(value(), least..4)
}

fn range() -> impl Strategy<Value = Value> {
    let bound = || prop::option::of((0..5_i32, prop::option::of(any::<bool>())));
    (bound(), bound()).prop_map(|(min, max)| {
        let (min, max) = match (min, max) {
            (Some(min), Some(max)) if min.0 > max.0 => (Some(max), Some(min)),
            other => other,
        };
        let mut range = json!({"constraint_type": "range"});
        for (name, bound) in [("min", min), ("max", max)] {
            let Some((at, inclusive)) = bound else { continue };
            range[name] = at.into();
            if let Some(inclusive) = inclusive {
                range[format!("{name}_inclusive")] = inclusive.into();
            }
        }
        range
    })
}

pub(crate) fn any_constraint() -> impl Strategy<Value = Value> {
    let list = |kind: &'static str, member: &'static str, least| {
        values(least).prop_map(move |values| json!({"constraint_type": kind, member: values}))
    };
    let leaf = prop_oneof![
        2 => scalar().prop_map(|value| json!({"constraint_type": "exact", "value": value})),
        2 => range(),
        2 => list("one_of", "values", 1),
        1 => list("not_one_of", "excluded", 0),
        1 => list("contains", "required", 0),
        1 => list("subset", "allowed", 0),
        1 => Just(json!({"constraint_type": "wildcard"})),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        (prop_oneof![Just("all"), Just("any")], prop::collection::vec(inner, 1..4))
            .prop_map(|(kind, clauses)| json!({"constraint_type": kind, "constraints": clauses}))
    })
}

/// A constraint that is often, not always, narrower than the given one.
fn narrowed(parent: Value) -> BoxedStrategy<Value> {
    let same = Just(parent.clone());
    let list = |member: &'static str| parent.get(member).and_then(Value::as_array).cloned();
    let mut options: Vec<BoxedStrategy<Value>> = vec![same.boxed(), any_constraint().boxed()];
    if let Some(values) = list("values") {
        let one = prop::sample::select(values.clone());
        options.push(
            one.prop_map(|value| match value {
                Value::Array(_) | Value::Object(_) => {
                    json!({"constraint_type": "one_of", "values": [value]})
                }
                value => json!({"constraint_type": "exact", "value": value}),
            })
            .boxed(),
        );
        let some = prop::sample::subsequence(values.clone(), 1..=values.len());
        options.push(
            some.prop_map(|values| json!({"constraint_type": "one_of", "values": values})).boxed(),
        );
    }
    if let Some(clauses) = list("constraints") {
        let kind = parent["constraint_type"].clone();
        let some = prop::sample::subsequence(clauses.clone(), 1..=clauses.len());
        options.push(
            some.prop_map(move |some| json!({"constraint_type": kind, "constraints": some}))
                .boxed(),
        );
        let kind = parent["constraint_type"].clone();
        options.push(
            any_constraint()
                .prop_map(move |more| {
                    let mut all = clauses.clone();
                    all.push(more);
                    json!({"constraint_type": kind, "constraints": all})
                })
                .boxed(),
        );
    }
    if parent["constraint_type"] == "range" {
        let exact = (0..5_i32).prop_map(|it| json!({"constraint_type": "exact", "value": it}));
        options.extend([range().boxed(), exact.boxed()]);
    }
    proptest::strategy::Union::new(options).boxed()
}

fn related() -> impl Strategy<Value = (Value, Value)> {
    any_constraint().prop_flat_map(|parent| (Just(parent.clone()), narrowed(parent)))
}

/// A map of constraints for arguments out of `a b c`.
fn map() -> impl Strategy<Value = Value> {
    let entry = (any_constraint(), prop::option::of(any::<bool>()));
    (prop::collection::btree_map("[abc]", entry, 0..4), any::<bool>()).prop_map(|(named, open)| {
        let mut map = Map::new();
        for (name, (mut constraint, optional)) in named {
            if let Some(optional) = optional {
                constraint["optional"] = optional.into();
            }
            map.insert(name, constraint);
        }
        if open {
            map.insert("*".into(), json!({"constraint_type": "wildcard"}));
        }
        Value::Object(map)
    })
}

/// A map that is often narrower than the given one.
fn narrowed_map(parent: Value) -> BoxedStrategy<Value> {
    let entries: Vec<_> = parent.as_object().unwrap().clone().into_iter().collect();
    let each = entries.into_iter().map(|(name, parent)| {
        let mut plain = parent.clone();
        let optional = plain.as_object_mut().unwrap().remove("optional");
        let keep = if name == "*" { Just(plain.clone()).boxed() } else { narrowed(plain) };
        (keep, prop::bool::weighted(0.8), prop::bool::weighted(0.8)).prop_map(
            move |(mut child, keep, inherit)| {
                if name != "*"
                    && inherit
                    && let Some(optional) = &optional
                {
                    child["optional"] = optional.clone();
                }
                keep.then(|| (name.clone(), child))
            },
        )
    });
    let kept = each.collect::<Vec<_>>();
    let more = prop::option::weighted(0.2, ("[abcd]", any_constraint()));
    (kept, more)
        .prop_map(|(kept, more)| Value::Object(kept.into_iter().flatten().chain(more).collect()))
        .boxed()
}

fn arguments() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map("[abcd*]", value(), 0..4)
        .prop_map(|arguments| arguments.into_iter().collect())
}

/// `{}` is read from a token, never written by an author.
fn spelled_out(map: &Value) -> Value {
    if map.as_object().unwrap().is_empty() {
        json!({"*": {"constraint_type": "wildcard"}})
    } else {
        map.clone()
    }
}

fn tools_of(map: &Value) -> Tools {
    Tools::from_json(&json!({"t": spelled_out(map)}).to_string()).unwrap()
}

proptest! {
    #[test]
    fn check_is_what_the_text_says(constraint_json in any_constraint(), values in values(1)) {
        let constraint = constraint(&constraint_json);
        for value in values {
            prop_assert_eq!(
                constraint.check_json(&value.to_string()),
                Ok(naive::check(&constraint_json, &value)),
            );
        }
    }

    #[test]
    fn subsumption_is_what_the_text_says_and_sound(
        (parent, child) in related(),
        values in prop::collection::vec(value(), 8),
    ) {
        let subsumes = constraint(&parent).subsumes(&constraint(&child));
        prop_assert_eq!(subsumes, naive::subsumes(&parent, &child));
        for value in values {
            let accepts = |it: &Value| constraint(it).check_json(&value.to_string()).unwrap();
            prop_assert!(!subsumes || !accepts(&child) || accepts(&parent));
        }
    }

    #[test]
    fn a_constraint_subsumes_itself_and_reads_back(json in any_constraint()) {
        let constraint = constraint(&json);
        prop_assert!(constraint.subsumes(&constraint));
        prop_assert_eq!(Constraint::from_json(&constraint.to_json()), Ok(constraint));
    }

    #[test]
    fn the_rules_of_maps_are_what_the_text_says_and_sound(
        (parent, child) in map().prop_flat_map(|it| (Just(it.clone()), narrowed_map(it))),
        calls in prop::collection::vec(arguments(), 8),
    ) {
        let (parent, child) = (spelled_out(&parent), spelled_out(&child));
        let narrows = tools_of(&child).check_within(&tools_of(&parent)).is_ok();
        prop_assert_eq!(narrows, naive::narrows(&parent, &child));
        for call in calls {
            prop_assert!(
                !narrows || !naive::permits(&child, &call) || naive::permits(&parent, &call)
            );
        }
    }
}

/// Maps of a chain, each perhaps narrower than the one before.
fn chain_of_maps() -> impl Strategy<Value = Vec<Value>> {
    map().prop_flat_map(|first| {
        let second = narrowed_map(first.clone());
        second.prop_flat_map(move |second| {
            let third = narrowed_map(second.clone());
            (Just(first.clone()), Just(second), third).prop_map(|(a, b, c)| vec![a, b, c])
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Every chain that `derive` makes verifies, and what its leaf permits every ancestor permits;
    /// what `derive` refuses, the naive rules refuse.
    #[test]
    fn what_a_leaf_permits_every_ancestor_permits(
        maps in chain_of_maps(),
        calls in prop::collection::vec(arguments(), 6),
    ) {
        let author = Author::default();
        let holder = |at: usize| key(u8::try_from(at + 2).unwrap());
        let root = RootToken {
            issuer: ISSUER.into(),
            holder: holder(0).key().clone(),
            tools: tools_of(&maps[0]),
            audiences: vec![],
            max_depth: 8,
            lifetime: Duration::from_secs(3600),
        };
        let mut chain = vec![author.mint_root(&root, &key(1), &RANDOM, at(NOW)).unwrap()];
        for (depth, map) in maps.iter().enumerate().skip(1) {
            let child =
                Derivation::to(holder(depth).key().clone()).with_tools(tools_of(map));
            let parent = chain.last().unwrap();
            let above = spelled_out(&maps[depth - 1]);
            let derived = author.derive(parent, &child, &holder(depth - 1), &RANDOM, at(NOW));
            match derived {
                Ok(token) => chain.push(token),
                Err(DeriveError::Widens(_)) => {
                    prop_assert!(!naive::narrows(&above, &spelled_out(map)));
                    break;
                }
                Err(other) => return Err(TestCaseError::fail(other.to_string())),
            }
        }
        let verifier = ChainVerifier::new(policy()).unwrap();
        for call in calls {
            let args = Value::Object(call.clone()).to_string();
            let mut below = None;
            for length in (1..=chain.len()).rev() {
                let (leaf, by) = (&chain[length - 1], holder(length - 1));
                let proof = author.prove(leaf, &Call::new("t", &args), &by, &RANDOM, at(NOW));
                let permitted = proof.is_ok_and(|aat_pop| {
                    let aat_chain = chain[..length].to_vec();
                    let presentation = Presentation { aat_chain, aat_pop };
                    verifier.verify(&presentation, "t", &args, &Untracked, at(NOW)).is_ok()
                });
                let map = spelled_out(&maps[length - 1]);
                prop_assert_eq!(permitted, naive::permits(&map, &call), "{} {}", map, args);
                prop_assert!(below != Some(true) || permitted);
                below = Some(permitted);
            }
        }
    }
}
