//! Constraints, in their wire form.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

/// Constraints, each present now and then.
pub fn constraints() -> impl Strategy<Value = Value> {
    at_most(0.16)
}

/// Constraints, most of them absent: what one of many links adds.
pub fn few_constraints() -> impl Strategy<Value = Value> {
    at_most(0.05)
}

fn at_most(share: f64) -> impl Strategy<Value = Value> {
    let obligations = (
        weighted(share, (1_u64..9).prop_map(|max| json!({"max": max, "per_seconds": 60}))),
        weighted(share, (0_u8..=16).prop_map(Value::from)),
    );
    let more = prop_oneof![4 => Just(Vec::new()), 1 => vec(predicates(share), 1..=2)];
    (predicates(share), obligations, more).prop_map(|(mut set, (rate, depth), and)| {
        let members = set.as_object_mut().unwrap();
        members.extend(rate.map(|rate| ("rate_limit".to_owned(), rate)));
        members.extend(depth.map(|depth| ("max_delegation_depth".to_owned(), depth)));
        if !and.is_empty() {
            members.insert("and".to_owned(), Value::Array(and));
        }
        set
    })
}

/// The constraints that are predicates of one request.
fn predicates(share: f64) -> impl Strategy<Value = Value> {
    let one = move |name: &'static str, value: BoxedStrategy<Value>| {
        weighted(share, value).prop_map(move |value| Some((name.to_owned(), value?)))
    };
    // Paths narrow each other in more ways than the others do.
    let often = move |name: &'static str, value: BoxedStrategy<Value>| {
        weighted(share * 3.0, value).prop_map(move |value| Some((name.to_owned(), value?)))
    };
    let kinds = || names(&["command", "method", "path", "tool", "url"], 2..=5);
    let all = vec![
        one("allowed_domains", some_of(&DOMAINS)).boxed(),
        one("allowed_extensions", some_of(&EXTENSIONS)).boxed(),
        one("allowed_methods", some_of(&METHODS)).boxed(),
        one("allowed_tools", some_of(&TOOLS)).boxed(),
        one("arguments", arguments().boxed()).boxed(),
        one("commands", some_of(&["git", "ls", "*"])).boxed(),
        one("expires_at", super::expiry().prop_map(|at| json!(at.to_rfc3339())).boxed()).boxed(),
        one("kinds", kinds()).boxed(),
        one("max_file_size", (0_u64..160).prop_map(Value::from).boxed()).boxed(),
        one("operations", names(&OPERATIONS, 2..=6)).boxed(),
        often(
            "paths",
            vec(path_pattern().prop_map(Value::from), 0..=3).prop_map(Value::Array).boxed(),
        )
        .boxed(),
        one("protocols", some_of(&["http", "https", "ws"])).boxed(),
        one("tool_kinds", kinds()).boxed(),
        one("urls", some_of(&URLS)).boxed(),
    ];
    all.prop_map(|members| {
        Value::Object(members.into_iter().flatten().collect::<Map<String, Value>>())
    })
}

const DOMAINS: [&str; 7] =
    ["a.example", "b.a.example", "*.example", "*.a.example", "localhost", "127.0.0.1", "[::1]"];
const EXTENSIONS: [&str; 3] = ["txt", "md", "exe"];
const METHODS: [&str; 4] = ["prompts/get", "prompts/*", "tasks/*", "*"];
const TOOLS: [&str; 6] = ["fs/read", "fs/write", "fs/*", "web/fetch", "web/*", "*"];
const OPERATIONS: [&str; 6] = ["call", "delete", "execute", "list", "read", "write"];
const URLS: [&str; 7] = [
    "*",
    "https://a.example",
    "https://a.example/a",
    "https://*.example",
    "https://*.a.example/a/b",
    "http://127.0.0.1:8080",
    "ws://*.example/b",
];

/// Up to four of these, in any order; rarely none.
fn some_of(values: &'static [&'static str]) -> BoxedStrategy<Value> {
    prop_oneof![1 => vec(select(values), 0..=1), 8 => vec(select(values), 1..=4)]
        .prop_map(|values| json!(values))
        .boxed()
}

/// A list of names without equals, or all of them.
fn names(
    values: &'static [&'static str],
    count: std::ops::RangeInclusive<usize>,
) -> BoxedStrategy<Value> {
    prop_oneof![
        1 => Just(json!(["*"])),
        5 => subsequence(values.to_vec(), count).prop_shuffle().prop_map(|names| json!(names)),
    ]
    .boxed()
}

/// A path pattern over the alphabet of the paths.
pub fn path_pattern() -> impl Strategy<Value = String> {
    let literal = || vec(select(&["a", "b", "c"][..]), 0..=2);
    let wild = select(&["*", "**", "**", "?", "a*", "*.txt", "?.*", "*b*", "a", "b", "c.txt"][..]);
    let join = |segments: Vec<&str>| format!("/{}", segments.join("/"));
    prop_oneof![
        3 => literal().prop_map(join),
        3 => (literal(), vec(wild, 1..=3)).prop_map(move |(mut segments, wild)| {
            segments.extend(wild);
            join(segments)
        }),
    ]
}

fn arguments() -> impl Strategy<Value = Value> {
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
        Just(json!({"constraint_type": "wildcard"})),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        (select(&["all", "any"][..]), vec(inner, 1..=3))
            .prop_map(|(kind, each)| json!({"constraint_type": kind, "constraints": each}))
    })
}

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
