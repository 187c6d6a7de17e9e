//! What must hold of all constraints.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use super::cases::{constraint, exact, glob, subsumes, wildcard};
use super::draft::{draft, draft_map, rules, same};
use super::{KINDS, TABLE, kind};

/// A few scalars, of which everything else is made: constraints of strangers have nothing to do with
/// each other.
fn scalars() -> impl Strategy<Value = Vec<Value>> {
    let all = vec![
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(1.0),
        json!(2.5),
        json!("a"),
        json!("a/b"),
        json!("/srv/a"),
        json!("/srv/a/b.txt"),
        json!("/srv/../etc"),
        json!("https://a.example/x"),
        json!("https://b.a.example:8443/"),
        json!("http://10.0.0.1/"),
        json!("10.0.0.1"),
        json!("10.1.2.3"),
        json!("::ffff:10.0.0.1"),
        json!("2001:db8::1"),
        json!(""),
    ];
    subsequence(all, 3)
}

fn value(scalars: &[Value]) -> BoxedStrategy<Value> {
    let scalar = || select(scalars.to_vec());
    prop_oneof![
        6 => scalar(),
        2 => vec(scalar(), 0..4).prop_map(Value::Array),
        1 => (scalar(), scalar()).prop_map(|(x, y)| json!({"y": y, "x": [x]})),
    ]
    .boxed()
}

/// What constraints are asked about: values that they name, and such as no constraint compares.
fn asked(scalars: &[Value]) -> BoxedStrategy<Value> {
    let lost = vec![json!(u64::MAX), json!([9_007_199_254_740_993_i64]), json!({"x": i64::MIN})];
    prop_oneof![12 => value(scalars), 1 => select(lost)].boxed()
}

fn list(
    scalars: &[Value],
    kind: &'static str,
    name: &'static str,
    least: usize,
) -> BoxedStrategy<Value> {
    vec(value(scalars), least..4)
        .prop_map(move |values| json!({"constraint_type": kind, name: values}))
        .boxed()
}

fn patterns(kind: &'static str, pool: &'static [&'static str]) -> BoxedStrategy<Value> {
    vec(select(pool), 0..3)
        .prop_map(move |within| json!({"constraint_type": kind, "within": within}))
        .boxed()
}

fn bounds(kind: &'static str) -> BoxedStrategy<Value> {
    (0..3_i32, 0..3_i32, 0..3_u8)
        .prop_map(move |(min, more, which)| {
            let mut rule = json!({"constraint_type": kind});
            if which != 1 {
                rule["min"] = json!(min);
            }
            if which != 2 {
                rule["max"] = json!(min + more);
            }
            rule
        })
        .boxed()
}

fn numbers() -> BoxedStrategy<Value> {
    (bounds("range"), any::<Option<bool>>(), any::<Option<bool>>())
        .prop_map(|(mut rule, low, high)| {
            for (bound, flag, it) in [("min", "min_inclusive", low), ("max", "max_inclusive", high)]
            {
                if let (true, Some(it)) = (rule.get(bound).is_some(), it) {
                    rule[flag] = json!(it);
                }
            }
            rule
        })
        .boxed()
}

fn core_leaf(scalars: &[Value]) -> BoxedStrategy<Value> {
    prop_oneof![
        3 => select(scalars.to_vec()).prop_map(exact),
        2 => list(scalars, "one_of", "values", 1),
        2 => list(scalars, "not_one_of", "excluded", 0),
        2 => list(scalars, "contains", "required", 0),
        2 => list(scalars, "subset", "allowed", 0),
        3 => numbers(),
        1 => Just(wildcard()),
    ]
    .boxed()
}

fn extension_leaf() -> BoxedStrategy<Value> {
    prop_oneof![
        patterns(
            "path",
            &["/", "/srv", "/srv/a", "/srv/*", "/srv/**/*.txt", "/etc", "/srv/a/b.txt"]
        ),
        patterns(
            "url",
            &[
                "*",
                "https://a.example",
                "https://a.example/x",
                "https://*.a.example:8443",
                "https://*.example:8443",
                "http://10.0.0.1",
            ]
        ),
        patterns(
            "cidr",
            &[
                "0.0.0.0/0",
                "10.0.0.0/8",
                "10.0.0.0/16",
                "10.0.0.1/32",
                "::/0",
                "2001:db8::/32",
                "::ffff:0:0/96",
            ]
        ),
        glob_pattern().prop_map(|pattern| glob(&pattern)),
        bounds("length"),
    ]
    .boxed()
}

fn glob_pattern() -> impl Strategy<Value = String> {
    let segment =
        select(&["a", "b", "*", "**", "?", "a*", "*b", "*?", "", "srv", "a*b*", "?b"][..]);
    vec(segment, 0..5).prop_map(|segments| segments.join("/"))
}

fn nested(leaf: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    let tree = leaf.clone().prop_recursive(2, 8, 3, |inner| {
        (select(&["all", "any"][..]), vec(inner, 1..4))
            .prop_map(|(kind, each)| json!({"constraint_type": kind, "constraints": each}))
    });
    prop_oneof![3 => leaf, 1 => tree].boxed()
}

fn core(scalars: &[Value]) -> BoxedStrategy<Value> {
    nested(core_leaf(scalars))
}

fn every_kind(scalars: &[Value]) -> BoxedStrategy<Value> {
    nested(prop_oneof![core_leaf(scalars), extension_leaf()].boxed())
}

/// Constraints, and values to ask them about.
fn world(
    rule: fn(&[Value]) -> BoxedStrategy<Value>,
) -> impl Strategy<Value = (Vec<Value>, Vec<Value>)> {
    scalars().prop_flat_map(move |scalars| (vec(rule(&scalars), 12), vec(asked(&scalars), 40)))
}

fn map_of(rule: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    let entry = (select(&["p", "q", "r"][..]), rule, any::<Option<bool>>());
    (vec(entry, 0..4), any::<bool>())
        .prop_filter_map("an empty map", |(entries, open)| {
            let mut map = Map::new();
            for (name, mut rule, optional) in entries {
                let members = rule.as_object_mut().unwrap();
                members.extend(optional.map(|it| ("optional".into(), json!(it))));
                map.insert(name.into(), rule);
            }
            if open {
                map.insert("*".into(), wildcard());
            }
            (!map.is_empty()).then_some(Value::Object(map))
        })
        .boxed()
}

fn call(scalars: &[Value]) -> BoxedStrategy<Map<String, Value>> {
    vec((select(&["p", "q", "r", "s", "*"][..]), asked(scalars)), 0..4)
        .prop_map(|arguments| arguments.into_iter().map(|(name, it)| (name.into(), it)).collect())
        .boxed()
}

/// Maps, and calls to ask them about.
fn world_of_maps(
    rule: fn(&[Value]) -> BoxedStrategy<Value>,
) -> impl Strategy<Value = (Vec<Value>, Vec<Map<String, Value>>)> {
    scalars()
        .prop_flat_map(move |scalars| (vec(map_of(rule(&scalars)), 12), vec(call(&scalars), 30)))
}

proptest! {
    #[test]
    fn what_a_subsumed_child_accepts_its_parent_accepts(
        (some, values) in world(every_kind),
    ) {
        let some: Vec<_> = some.iter().map(constraint).collect();
        for parent in &some {
            for child in some.iter().filter(|child| parent.subsumes(child)) {
                for value in values.iter().filter(|value| child.check(value)) {
                    prop_assert!(parent.check(value), "{:?} {:?} {}", parent, child, value);
                }
            }
        }
    }

    #[test]
    fn subsumption_is_reflexive_and_transitive((some, _) in world(every_kind)) {
        let some: Vec<_> = some.iter().map(constraint).collect();
        for a in &some {
            prop_assert!(a.subsumes(a), "{:?}", a);
            for b in some.iter().filter(|b| a.subsumes(b)) {
                for c in some.iter().filter(|c| b.subsumes(c)) {
                    prop_assert!(a.subsumes(c), "{:?} {:?} {:?}", a, b, c);
                }
            }
        }
    }

    #[test]
    fn the_core_types_are_compared_as_the_draft_compares_them((some, _) in world(core)) {
        for parent in &some {
            for child in &some {
                prop_assert_eq!(subsumes(parent, child), draft(parent, child), "{} {}", parent, child);
            }
        }
    }

    #[test]
    fn maps_are_compared_as_the_draft_compares_them((some, _) in world_of_maps(core_leaf)) {
        for parent in &some {
            let theirs = rules(parent.clone());
            for child in &some {
                let answer = rules(child.clone()).is_within(&theirs);
                prop_assert_eq!(answer, draft_map(parent, child), "{} {}", parent, child);
            }
        }
    }

    #[test]
    fn what_rules_within_others_permit_the_others_permit(
        (some, calls) in world_of_maps(every_kind),
    ) {
        let some: Vec<_> = some.into_iter().map(rules).collect();
        for parent in &some {
            prop_assert!(parent.is_within(parent));
            for child in some.iter().filter(|child| child.is_within(parent)) {
                for call in calls.iter().filter(|call| child.permits(call)) {
                    prop_assert!(parent.permits(call), "{:?} {:?} {:?}", parent, child, call);
                }
            }
        }
    }

    #[test]
    fn a_glob_within_another_means_no_more(
        parent in glob_pattern(),
        child in glob_pattern(),
        texts in vec("[abc]{0,2}(/[abc]{0,2}){0,3}", 40),
    ) {
        let (parent, child) = (constraint(&glob(&parent)), constraint(&glob(&child)));
        if parent.subsumes(&child) {
            for text in texts.into_iter().map(Value::String).filter(|text| child.check(text)) {
                prop_assert!(parent.check(&text), "{:?} {:?} {}", parent, child, text);
            }
        }
    }

    #[test]
    fn a_value_is_in_a_set_where_it_equals_one_of_its_values(
        (values, probe) in scalars().prop_flat_map(|scalars| {
            (vec(value(&scalars), 1..20), asked(&scalars))
        }),
    ) {
        let equal = values.iter().any(|one| same(one, &probe));
        let rule = |values: &[Value]| {
            constraint(&json!({"constraint_type": "one_of", "values": values}))
        };
        prop_assert_eq!(rule(&values).check(&probe), equal);
        let reversed: Vec<Value> = values.iter().rev().cloned().collect();
        prop_assert_eq!(rule(&values), rule(&reversed));
        prop_assert_eq!(rule(&values).to_value().to_string(), rule(&reversed).to_value().to_string());
    }

    #[test]
    fn constraints_are_written_as_they_are_read((some, _) in world(every_kind)) {
        for rule in some {
            let read = constraint(&rule);
            let written = read.to_value();
            prop_assert_eq!(kind(&written), kind(&rule));
            prop_assert_eq!(&constraint(&written), &read);
            prop_assert_eq!(constraint(&written).to_value().to_string(), written.to_string());
            prop_assert!(read.subsumes(&constraint(&written)));
        }
    }
}

/// The properties above would hold of nothing if hardly anything were subsumed or accepted.
#[test]
fn the_strategies_hit_every_pair_that_the_table_permits() {
    let mut runner = TestRunner::deterministic();
    let mut hits: BTreeMap<(usize, usize), u32> = BTreeMap::new();
    let (mut pairs, mut accepted) = (0_u32, 0);
    for _ in 0..256 {
        let (some, values) = world(every_kind).new_tree(&mut runner).unwrap().current();
        for parent in &some {
            for child in &some {
                pairs += 1;
                // A constraint of these types is hardly ever within another than itself.
                let of_one_value = ["exact", "wildcard"].contains(&KINDS[kind(parent)]);
                if (parent != child || of_one_value) && subsumes(parent, child) {
                    *hits.entry((kind(parent), kind(child))).or_default() += 1;
                    let child = constraint(child);
                    accepted += values.iter().filter(|value| child.check(value)).count();
                }
            }
        }
    }
    let subsumed: u32 = hits.values().sum();
    println!("{subsumed} of {pairs} pairs are subsumed, and accept {accepted} values: {hits:?}");
    for (parent, row) in TABLE.iter().enumerate() {
        for (child, mark) in row.split_whitespace().enumerate() {
            let hit = hits.contains_key(&(parent, child));
            assert_eq!(hit, mark == "+", "{} {}", KINDS[parent], KINDS[child]);
        }
    }
    assert!(subsumed * 25 > pairs && accepted > 5000);
}
