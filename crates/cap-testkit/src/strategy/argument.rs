//! Arguments of tools, and what constrains them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::{constraint, url};

/// Rules for the arguments of up to two tools.
pub(super) fn arguments() -> impl Strategy<Value = Value> {
    let tool = select(&["fs/read", "fs/write", "web/fetch"][..]);
    vec((tool, argument_rules()), 0..=2).prop_map(|rules| {
        let rules = rules.into_iter().map(|(tool, rules)| (tool.to_owned(), rules));
        Value::Object(rules.collect::<Map<String, Value>>())
    })
}

/// What the arguments of one tool must be.
pub fn argument_rules() -> impl Strategy<Value = Value> {
    let one = (select(&["p", "q", "r"][..]), argument_constraint(), any::<Option<bool>>());
    let open = proptest::bool::weighted(0.4);
    (vec(one, 0..=2), open).prop_filter_map("an empty map", |(rules, open)| {
        let mut map = Map::new();
        for (name, mut rule, optional) in rules {
            let members = rule.as_object_mut().unwrap();
            members.extend(optional.map(|it| ("optional".to_owned(), Value::Bool(it))));
            map.insert(name.to_owned(), rule);
        }
        if open {
            map.insert("*".to_owned(), json!({"constraint_type": "wildcard"}));
        }
        (!map.is_empty()).then_some(Value::Object(map))
    })
}

fn argument_constraint() -> impl Strategy<Value = Value> {
    let list = |name: &'static str, kind: &'static str, least: usize| {
        vec(value(), least..=3)
            .prop_map(move |values| json!({"constraint_type": kind, name: values}))
            .boxed()
    };
    let leaf = prop_oneof![
        scalar().prop_map(|value| json!({"constraint_type": "exact", "value": value})),
        list("values", "one_of", 1),
        list("excluded", "not_one_of", 0),
        list("required", "contains", 0),
        list("allowed", "subset", 0),
        range(),
        text_constraint(),
        text_constraint(),
        Just(json!({"constraint_type": "wildcard"})),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        (select(&["all", "any"][..]), vec(inner, 1..=3))
            .prop_map(|(kind, each)| json!({"constraint_type": kind, "constraints": each}))
    })
}

/// A constraint on what a text means; `length` also on arrays.
fn text_constraint() -> BoxedStrategy<Value> {
    let within = |kind: &'static str, one: BoxedStrategy<String>| {
        vec(one, 0..=3)
            .prop_map(move |within| json!({"constraint_type": kind, "within": within}))
            .boxed()
    };
    let one_of = |texts: &'static [&'static str]| select(texts).prop_map(str::to_owned).boxed();
    let glob = select(&GLOBS[..]);
    prop_oneof![
        within("path", constraint::path_pattern().boxed()),
        within("url", one_of(&url::URLS)),
        within("cidr", one_of(&url::NETWORKS)),
        glob.prop_map(|pattern| json!({"constraint_type": "glob", "pattern": pattern})),
        (0_u8..4, 0_u8..8, 0_u8..3).prop_map(|(min, more, bounds)| {
            let mut rule = json!({"constraint_type": "length"});
            if bounds != 1 {
                rule["min"] = json!(min);
            }
            if bounds != 0 {
                rule["max"] = json!(min + more);
            }
            rule
        }),
    ]
    .boxed()
}

const GLOBS: [&str; 10] =
    ["**", "*", "a/*", "/a/**", "**/b", "?", "é", "http*/**", "*.*.*.*", "a/"];

fn range() -> BoxedStrategy<Value> {
    let bound = || proptest::option::of((-1_i32..4, any::<bool>(), any::<Option<bool>>()));
    (bound(), bound())
        .prop_map(|(min, max)| {
            let mut rule = json!({"constraint_type": "range"});
            let mut set = |name: &str, bound: Option<(i32, bool, Option<bool>)>, floor: i32| {
                let Some((number, half, inclusive)) = bound else { return };
                let number = f64::from(number.max(floor)) + if half { 0.5 } else { 0.0 };
                rule[name] = json!(number);
                if let Some(inclusive) = inclusive {
                    rule[format!("{name}_inclusive")] = json!(inclusive);
                }
            };
            let floor = min.map_or(i32::MIN, |(number, ..)| number + 1);
            set("min", min, i32::MIN);
            set("max", max, floor);
            rule
        })
        .boxed()
}

/// A JSON value as constraints and arguments have it; no number that is not exact.
pub(super) fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => scalar(),
        3 => text().prop_map(Value::from),
        1 => vec(scalar(), 0..=3).prop_map(Value::Array),
        1 => (scalar(), scalar()).prop_map(|(x, y)| json!({"x": x, "y": y})),
        1 => (scalar(), scalar()).prop_map(|(x, y)| json!({"y": y, "x": [x]})),
    ]
}

fn scalar() -> impl Strategy<Value = Value> {
    select(vec![
        Value::Null,
        json!(true),
        json!(0),
        json!(-0.0),
        json!(1),
        json!(1.0),
        json!(1.5),
        json!(2),
        json!(1e20),
        json!(9_007_199_254_740_992_i64),
        json!("a"),
        json!("b"),
        json!("1"),
        json!(""),
    ])
}

/// A text that means something.
fn text() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        2 => select(&["/a", "/a/b", "/a/b/c.txt", "/a/../b/c", "//a/./b.txt", "/", "a/b"][..]),
        1 => select(&["/a/%2e%2e/b", "/a\n", "/a/", "a/", "a//b", "é", "éé"][..]),
        2 => select(&[
            "https://a.example", "https://a.example/a/b", "https://b.a.example/a/b",
            "HTTPS://A.example:443/a", "http://127.0.0.1:8080/x", "file:///a", "https://u@a.example",
        ][..]),
        1 => url::address(),
        1 => select(&["010.1.2.3", "10.1.2.3/32", "[::1]", "fe80::1%1", "10.1.2.3"][..]),
    ]
}
