//! The bound of the cache, held against the allocator.

use cap_core::{Capability, Constraints, Operation, Operations, ResourceType, RootGrant};
use cap_token::{CacheLimits, CachedValidator, DEFAULT_TTL, Issuer, Validator};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{AUDIENCE, Fixed, ISSUER, ed25519, id, now};

/// As many as make the places in the store as empty as they can be.
const TOKENS: u8 = 29;

fn capability(constraints: &Value) -> Option<Capability> {
    let constraints: Constraints = serde_json::from_value(constraints.clone()).ok()?;
    let grant = RootGrant {
        principal: "alice".parse().unwrap(),
        resource_type: ResourceType::Any,
        resource: "*".to_owned(),
        operations: Operations::NONE.with(Operation::Read).with(Operation::Call),
        constraints,
        expires_at: Some(now() + TimeDelta::hours(1)),
    };
    Capability::grant(id(1), grant, now()).ok()
}

/// What the cache says, and what was allocated, for one token each.
fn sizes(capability: &Capability) -> Option<(usize, usize, usize)> {
    let keys = ed25519(1);
    let issuer = Issuer::new(ISSUER, AUDIENCE, &keys);
    let issue = |n| issuer.issue(capability, &[], DEFAULT_TTL, &Fixed(n), now());
    let tokens: Vec<String> = (0..TOKENS).map(issue).collect::<Result<_, _>>().ok()?;
    let validator = Validator::new(AUDIENCE).trust(ISSUER, keys.active_key());
    let limits = CacheLimits { entries: 255, bytes: usize::MAX, ..CacheLimits::default() };
    let cached = CachedValidator::new(validator, limits);
    let mut allocated = 0;
    for token in &tokens {
        let counted = allocation_counter::measure(|| {
            cached.validate(token, now()).unwrap();
        });
        allocated += counted.bytes_current;
    }
    let stats = cached.stats();
    assert_eq!(stats.entries, usize::from(TOKENS));
    let each = usize::from(TOKENS);
    Some((stats.bytes / each, usize::try_from(allocated).unwrap() / each, tokens[0].len()))
}

/// As many of them as fit into a token.
fn largest(of: &dyn Fn(usize) -> Value) -> (usize, usize, usize) {
    let mut count = 8192;
    loop {
        if let Some(sizes) = capability(&of(count)).and_then(|capability| sizes(&capability)) {
            return sizes;
        }
        assert!(count > 1, "not even one fits");
        count = count * 4 / 5;
    }
}

fn list(count: usize, item: impl Fn(usize) -> Value) -> Value {
    Value::Array((0..count).map(item).collect())
}

fn object(count: usize, member: impl Fn(usize) -> (String, Value)) -> Value {
    Value::Object((0..count).map(member).collect())
}

/// A set of constraints with this one.
fn only(name: &str, value: Value) -> Value {
    Value::Object([(name.to_owned(), value)].into_iter().collect())
}

fn custom(value: Value) -> Value {
    only("custom", only("x", value))
}

#[test]
fn whatever_is_in_a_token_takes_no_more_than_the_cache_says() {
    type Shape = (&'static str, &'static dyn Fn(usize) -> Value);
    let shapes: [Shape; 33] = [
        ("nothing", &|_| json!({})),
        ("zeros", &|n| custom(list(n, |_| json!(0)))),
        // A vector has just grown.
        ("4097 zeros", &|n| custom(list(n.min(4097), |_| json!(0)))),
        ("texts", &|n| custom(list(n, |_| json!("")))),
        ("lists", &|n| custom(list(n, |_| json!([])))),
        ("lists in lists", &|n| custom(list(n, |_| json!([[0], [0]])))),
        ("empty objects", &|n| custom(list(n, |_| json!({})))),
        ("objects", &|n| custom(list(n, |_| json!({"a": 0})))),
        ("members", &|n| custom(object(n, |at| (format!("{at}"), json!(0))))),
        ("customs", &|n| only("custom", object(n, |at| (format!("c{at}"), json!(0))))),
        ("escapes", &|n| custom("\u{1}".repeat(n).into())),
        ("marks", &|n| custom(list(n, |_| json!("-_")))),
        ("a long text", &|n| custom("x".repeat(n).into())),
        ("empty sets", &|n| only("and", list(n, |_| json!({})))),
        ("sets", &|n| only("and", list(n, |at| json!({"paths": [format!("/p{at}/**"), "/q"]})))),
        ("sets in sets", &|n| {
            (0..n.min(14)).fold(json!({"paths": ["/a"]}), |inner, _| json!({"and": [inner]}))
        }),
        ("costs", &|n| {
            let costs = object(n, |at| (format!("s/t{at}"), json!(1)));
            json!({"budget": {"cost": costs, "max": 10}})
        }),
        ("paths", &|n| only("paths", list(n, |at| json!(format!("/{at}"))))),
        ("segments", &|n| json!({"paths": [format!("/{}", vec!["a"; n.min(2000)].join("/"))]})),
        ("globs", &|n| only("paths", list(n, |at| json!(format!("/*/{at}/*"))))),
        ("stars", &|n| only("paths", list(n, |at| json!(format!("/*a*{at}*/**"))))),
        ("tools", &|n| only("allowed_tools", list(n, |at| json!(format!("s/t{at}"))))),
        ("domains", &|n| only("allowed_domains", list(n, |at| json!(format!("*.d{at}.example"))))),
        ("environment", &|n| only("environment", list(n, |at| json!(format!("N{at}"))))),
        ("extensions", &|n| only("allowed_extensions", list(n, |at| json!(format!("n{at}"))))),
        ("commands", &|n| only("commands", list(n, |at| json!(format!("/bin/c{at}"))))),
        ("cidr", &|n| {
            only("cidr", list(n, |at| json!(format!("10.{}.{}.0/24", at / 256, at % 256))))
        }),
        ("arguments", &|n| {
            let rules =
                |at| json!({format!("a{at}"): {"constraint_type": "one_of", "values": [1, 2]}});
            only("arguments", object(n, |at| (format!("s/t{at}"), rules(at))))
        }),
        ("many arguments", &|n| {
            let exact = |_| json!({"constraint_type": "exact", "value": 1});
            json!({"arguments": {"s/t": object(n, |at| (format!("a{at}"), exact(at)))}})
        }),
        ("values", &|n| {
            let values = list(n, |at| json!(at));
            json!({"arguments": {"s/t": {"a": {"constraint_type": "one_of", "values": values}}}})
        }),
        ("floats", &|n| custom(list(n, |at| json!(at as f64 + 0.5)))),
        ("members of members", &|n| {
            custom(object(n, |at| (format!("{at}"), json!({"a": {"b": 0}}))))
        }),
        ("lists of names", &|n| {
            custom(list(n, |at| json!({"name": format!("n{at}"), "tags": ["a"]})))
        }),
    ];
    let mut failed = Vec::new();
    for (name, of) in shapes {
        let (said, allocated, text) = largest(of);
        println!("{name:14} {text:6} bytes of text: {allocated:8} allocated, {said:8} said");
        if said < allocated {
            failed.push(name);
        }
    }
    assert_eq!(failed, <[&str; 0]>::default());
}

/// So that the bound lets in what it is there for.
#[test]
fn a_usual_token_does_not_count_for_much_more_than_it_takes() {
    let usual = json!({
        "paths": ["/srv/data/reports/**", "/srv/data/exports/**", "/srv/shared/**"],
        "allowed_tools": ["files/read", "files/list", "search/query"],
        "allowed_extensions": ["csv", "json", "md", "txt"],
        "max_file_size": 1_048_576,
    });
    for constraints in [json!({}), usual] {
        let (said, allocated, text) = sizes(&capability(&constraints).unwrap()).unwrap();
        println!("{text} bytes of text: {allocated} allocated, {said} said");
        assert!(said < 3 * allocated, "{said} for {allocated}");
    }
}
