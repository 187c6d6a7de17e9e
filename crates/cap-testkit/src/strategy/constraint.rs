//! Constraints, in their wire form.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

use super::{argument, command, custom, time, url};

/// Constraints, each present now and then.
pub fn constraints() -> impl Strategy<Value = Value> {
    with_share(0.085)
}

/// Constraints, most of them absent: what one of many links adds.
pub fn few_constraints() -> impl Strategy<Value = Value> {
    with_share(0.03)
}

fn with_share(share: f64) -> impl Strategy<Value = Value> {
    let more = prop_oneof![4 => Just(Vec::new()), 1 => vec(predicates(share), 1..=2)];
    (predicates(share), obligations(share), more).prop_map(|(mut set, obligations, and)| {
        let members = set.as_object_mut().unwrap();
        members.extend(obligations);
        let and: Vec<Value> = and.into_iter().map(without_grants).collect();
        if !and.is_empty() {
            members.insert("and".to_owned(), Value::Array(and));
        }
        set
    })
}

/// A set that may stand under `and`: what only grants something stands at the top.
fn without_grants(mut set: Value) -> Value {
    if set["private_networks"] == true {
        set.as_object_mut().unwrap().remove("private_networks");
    }
    set
}

/// The constraints that are no predicates of one request: they stand at the top.
fn obligations(share: f64) -> impl Strategy<Value = Map<String, Value>> {
    let rate = (2_u64..9, proptest::option::of(1_u64..9)).prop_map(|(max, burst)| {
        let mut rate = json!({"max": max, "per_seconds": 60});
        if let Some(burst) = burst.filter(|burst| *burst < max) {
            rate["burst"] = json!(burst);
        }
        rate
    });
    let cost = vec((select(&["fs/read", "fs/*", "web/*", "*"][..]), 0_u64..4), 1..=3);
    let budget = (1_u64..100, cost).prop_map(|(max, cost)| {
        let cost = cost.into_iter().map(|(tools, units)| (tools.to_owned(), Value::from(units)));
        json!({"max": max, "cost": cost.collect::<Map<_, _>>()})
    });
    vec![
        member("budget", share / 2.0, budget),
        member("max_bytes", share / 2.0, (1_u64..1000).prop_map(Value::from)),
        member("max_calls", share / 2.0, (1_u64..9).prop_map(Value::from)),
        member("max_delegation_depth", share, (0_u8..=16).prop_map(Value::from)),
        member("rate_limit", share, rate),
    ]
    .prop_map(|members| members.into_iter().flatten().collect())
}

/// The constraints that are predicates of one request.
fn predicates(share: f64) -> impl Strategy<Value = Value> {
    let kinds = || names(&["command", "method", "path", "tool", "url"], 2..=5);
    let networks = prop_oneof![
        2 => some_of(&url::NETWORKS),
        3 => Just(json!(["0.0.0.0/0", "::/0"])),
    ];
    let paths = prop_oneof![
        1 => vec(path_pattern(), 0..=1),
        8 => vec(path_pattern(), 1..=4),
    ]
    .prop_map(Value::from);
    let (rare, often) = (share / 2.0, share * 3.0);
    vec![
        member("allowed_domains", share, some_of(&url::DOMAINS)),
        member("allowed_extensions", share, some_of(&EXTENSIONS)),
        member("allowed_methods", share, some_of(&METHODS)),
        member("allowed_tools", share, some_of(&TOOLS)),
        member("arguments", share, argument::arguments()),
        member("cidr", share, networks),
        member("command_args", share, command::command_args()),
        member("commands", share, some_of(&command::PROGRAMS)),
        // Without a registry it refuses everything.
        member("custom", share / 5.0, custom()),
        member("environment", share, command::environment()),
        member("expires_at", share, time::expiry().prop_map(instant)),
        member("kinds", share, kinds()),
        member("max_file_size", share, (0_u64..160).prop_map(Value::from)),
        member("methods", share, some_of(&url::METHODS)),
        member("not_before", rare, time::not_before().prop_map(instant)),
        member("operations", share, names(&OPERATIONS, 2..=6)),
        // Paths narrow each other in more ways than the others do.
        member("paths", often, paths),
        member("ports", share, url::ports()),
        // It must be granted.
        member(
            "private_networks",
            often,
            prop_oneof![1 => Just(false), 3 => Just(true)].prop_map(Value::from),
        ),
        member("protocols", share, some_of(&["http", "https", "ws"])),
        member("time_windows", rare, time::time_windows()),
        member("tool_kinds", share, kinds()),
        member("urls", share, some_of(&url::URLS)),
    ]
    .prop_map(|members| Value::Object(members.into_iter().flatten().collect()))
}

/// A constraint, present in this share of the cases.
fn member(
    name: &'static str,
    share: f64,
    value: impl Strategy<Value = Value> + 'static,
) -> BoxedStrategy<Option<(String, Value)>> {
    weighted(share, value).prop_map(move |value| Some((name.to_owned(), value?))).boxed()
}

fn instant(at: chrono::DateTime<chrono::Utc>) -> Value {
    json!(at.to_rfc3339())
}

const EXTENSIONS: [&str; 3] = ["txt", "md", "exe"];
const METHODS: [&str; 4] = ["prompts/get", "prompts/*", "tasks/*", "*"];
const TOOLS: [&str; 6] = ["fs/read", "fs/write", "fs/*", "web/fetch", "web/*", "*"];
const OPERATIONS: [&str; 6] = ["call", "delete", "execute", "list", "read", "write"];

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
