//! Constraints on the arguments of tools.

use cap_core::{ArgumentRules, DenyCode};
use cap_testkit::strategy::argument_rules;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::support::*;

/// Whether `{"p": value}` passes under `{"p": rule}`.
fn passes(rule: Value, value: Value) -> bool {
    let rules = json!({"arguments": {"fs/read": {"p": rule}}});
    permits(&constrained(rules), &call_with(json!({ "p": value })))
}

fn call_with(arguments: Value) -> cap_core::AccessRequest {
    tool("fs/read", arguments, Some(cap_core::Kinds::NONE))
}

fn is_refused(rules: Value) -> bool {
    ArgumentRules::from_value(&rules).is_err()
}

fn one(rule: Value) -> Value {
    json!({ "p": rule })
}

#[test]
fn the_world_is_closed_once_a_tool_has_an_argument_constraint() {
    let rules = json!({
        "p": {"constraint_type": "exact", "value": 1},
        "q": {"constraint_type": "wildcard", "optional": true},
    });
    let closed = constrained(json!({"arguments": {"fs/read": rules}}));
    for good in [json!({"p": 1}), json!({"p": 1, "q": null}), json!({"p": 1, "q": [{}]})] {
        assert!(permits(&closed, &call_with(good.clone())), "{good}");
    }
    let refused = |arguments, words: &[&str]| {
        let code = DenyCode::ArgumentRefused;
        assert_refused(&closed, &call_with(arguments), code, "arguments", words);
    };
    refused(
        json!({}),
        &["`p` of `fs/read`", r#"`{"constraint_type":"exact","value":1}` would pass"#],
    );
    refused(json!({"p": 2}), &["`p`"]);
    refused(json!({"p": 1, "r": 1}), &["`r`", "its absence would pass"]);
    refused(json!({"p": 1, "*": 1}), &["`*`"]);
    for other in ["fs/write", "web/read", "fs/read/x"] {
        assert!(permits(&closed, &call(other)), "of another tool nothing is said: {other}");
    }
}

#[test]
fn a_star_opens_the_world_for_what_is_not_named() {
    let rules = json!({
        "p": {"constraint_type": "exact", "value": 1},
        "*": {"constraint_type": "wildcard"},
    });
    let open = constrained(json!({"arguments": {"fs/read": rules}}));
    for good in [json!({"p": 1}), json!({"p": 1, "r": 1}), json!({"p": 1, "*": {}})] {
        assert!(permits(&open, &call_with(good.clone())), "{good}");
    }
    assert!(!permits(&open, &call_with(json!({"r": 1}))), "`p` is still wanted");
    assert!(!permits(&open, &call_with(json!({"p": 2}))));
}

#[test]
fn constraints_of_parent_and_child_must_both_hold() {
    let rules = |excluded: i32| json!({"arguments": {"fs/read": {"p": {"constraint_type": "not_one_of", "excluded": [excluded]}}}});
    let both = constrained(rules(1)).authority().meet(constrained(rules(2)).authority());
    let allows = |p: i32| {
        both.permits(&call_with(json!({ "p": p })), cap_testkit::strategy::granted_at()).is_allow()
    };
    assert!(allows(3) && !allows(1) && !allows(2));
}

#[test]
fn exact_takes_one_scalar_by_meaning() {
    let exact = |wanted, value| passes(json!({"constraint_type": "exact", "value": wanted}), value);
    let equal = [
        (json!(1), json!(1.0)),
        (json!(1.0), json!(1)),
        (json!(0), json!(-0.0)),
        (json!(1e20), json!(1e20)),
        (json!(0.5), json!(5e-1)),
        (json!(null), json!(null)),
        (json!(true), json!(true)),
        (json!("a"), json!("a")),
        (json!(9_007_199_254_740_992_i64), json!(9_007_199_254_740_992.0)),
        (json!(-9_007_199_254_740_992_i64), json!(-9_007_199_254_740_992_i64)),
        (json!(9_007_199_254_740_994_i64), json!(9_007_199_254_740_994.0)),
        (json!(1_152_921_504_606_847_000_i64), json!(1_152_921_504_606_847_000.0)),
    ];
    for (wanted, value) in equal {
        assert!(exact(wanted.clone(), value.clone()), "{wanted} {value}");
    }
    let different = [
        (json!(1), json!("1")),
        (json!(1), json!(true)),
        (json!(0), json!(false)),
        (json!(true), json!(false)),
        (json!(false), json!(true)),
        (json!(""), json!(null)),
        (json!("a"), json!(["a"])),
        (json!("é"), json!("e\u{301}")),
        (json!(0.1), json!(0.100_000_000_000_000_02)),
        (json!(9_007_199_254_740_992_i64), json!(9_007_199_254_740_993_i64)),
        (json!(9_007_199_254_740_994_i64), json!(9_007_199_254_740_993_i64)),
        (json!(9_007_199_254_740_994_i64), json!(9_007_199_254_740_995_i64)),
        (json!(1_152_921_504_606_847_000_i64), json!(1_152_921_504_606_846_976_i64)),
    ];
    for (wanted, value) in different {
        assert!(!exact(wanted.clone(), value.clone()), "{wanted} {value}");
    }
}

#[test]
fn integers_that_a_double_loses_are_never_compared_rounded() {
    let big = 9_007_199_254_740_993_i64;
    for value in
        [json!(big), json!(-big), json!(u64::MAX), json!(i64::MIN), json!([big]), json!({"x": big})]
    {
        for rule in [
            json!({"constraint_type": "not_one_of", "excluded": [1]}),
            json!({"constraint_type": "range"}),
            json!({"constraint_type": "subset", "allowed": [9_007_199_254_740_992_i64]}),
            json!({"constraint_type": "contains", "required": []}),
        ] {
            assert!(!passes(rule.clone(), value.clone()), "{rule} {value}");
        }
        assert!(passes(json!({"constraint_type": "wildcard"}), value));
    }
    for rule in [
        json!({"constraint_type": "exact", "value": big}),
        json!({"constraint_type": "one_of", "values": [big]}),
        json!({"constraint_type": "not_one_of", "excluded": [[{"x": big}]]}),
        json!({"constraint_type": "range", "min": big}),
        json!({"constraint_type": "range", "max": u64::MAX}),
    ] {
        assert!(is_refused(one(rule.clone())), "{rule}");
    }
}

#[test]
fn one_of_and_not_one_of_are_each_others_opposite() {
    let values = json!(["a", 1, null, [1, 2], {"x": 1, "y": [2.0]}]);
    for inside in [json!("a"), json!(1.0), json!(null), json!([1.0, 2]), json!({"y": [2], "x": 1})]
    {
        assert!(passes(json!({"constraint_type": "one_of", "values": values}), inside.clone()));
        assert!(!passes(json!({"constraint_type": "not_one_of", "excluded": values}), inside));
    }
    for outside in
        [json!("b"), json!(2), json!(false), json!([2, 1]), json!({"x": 1}), json!([[1, 2]])]
    {
        assert!(!passes(json!({"constraint_type": "one_of", "values": values}), outside.clone()));
        assert!(passes(json!({"constraint_type": "not_one_of", "excluded": values}), outside));
    }
}

#[test]
fn contains_and_subset_take_arrays_as_sets() {
    let contains =
        |value| passes(json!({"constraint_type": "contains", "required": ["a", 1]}), value);
    assert!(contains(json!([1.0, "b", "a", "a"])));
    assert!(!contains(json!(["a"])) && !contains(json!("a")) && !contains(json!({"a": 1})));
    let subset = |value| passes(json!({"constraint_type": "subset", "allowed": ["a", 1]}), value);
    assert!(subset(json!([])) && subset(json!(["a", "a", 1.0])));
    assert!(!subset(json!(["a", "b"])) && !subset(json!("a")) && !subset(json!(null)));
}

#[test]
fn range_takes_numbers_within_its_bounds() {
    let closed = json!({"constraint_type": "range", "min": 1, "max": 2.5});
    let open = json!({
        "constraint_type": "range", "min": 1, "min_inclusive": false, "max": 2.5, "max_inclusive": false,
    });
    for inside in [json!(1.5), json!(2), json!(1.000_000_1)] {
        assert!(passes(closed.clone(), inside.clone()) && passes(open.clone(), inside));
    }
    for edge in [json!(1), json!(1.0), json!(2.5)] {
        assert!(passes(closed.clone(), edge.clone()) && !passes(open.clone(), edge));
    }
    for outside in [json!(0.9), json!(3), json!("2"), json!(true), json!(null), json!([2])] {
        assert!(!passes(closed.clone(), outside.clone()) && !passes(open.clone(), outside));
    }
    let point = json!({"constraint_type": "range", "min": 2, "max": 2.0});
    assert!(passes(point.clone(), json!(2)) && !passes(point, json!(2.1)));
    let unbounded = json!({"constraint_type": "range"});
    assert!(passes(unbounded.clone(), json!(-1e300)) && !passes(unbounded, json!("x")));
}

#[test]
fn all_and_any_combine_constraints() {
    let at_least = |min: i32| json!({"constraint_type": "range", "min": min});
    let all = json!({"constraint_type": "all", "constraints": [at_least(1), at_least(3)]});
    let any = json!({"constraint_type": "any", "constraints": [at_least(1), at_least(3)]});
    assert!(passes(all.clone(), json!(3)) && !passes(all, json!(2)));
    assert!(passes(any.clone(), json!(1)) && !passes(any, json!(0)));
}

#[test]
fn members_of_objects_are_compared_whatever_their_order() {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let values = read(r#"[{"b": 1, "a": [{"d": null, "c": 2}]}, {"a": 1}, {}]"#);
    let rule = json!({"constraint_type": "one_of", "values": values});
    for same in [r#"{"a": [{"c": 2.0, "d": null}], "b": 1}"#, r#"{"a": 1.0}"#, "{}"] {
        assert!(passes(rule.clone(), read(same)), "{same}");
    }
    for other in [r#"{"a": [{"c": 2}], "b": 1}"#, r#"{"A": 1}"#, r#"{"a": 1, "b": 1}"#, "[]"] {
        assert!(!passes(rule.clone(), read(other)), "{other}");
    }
}

#[test]
fn path_takes_absolute_paths_by_what_they_lexically_are() {
    let rule = json!({"constraint_type": "path", "within": ["/srv/data", "/tmp/*.txt"]});
    for inside in ["/srv/data", "/srv/data/", "/srv/./data/a", "/etc/../srv/data/b", "/tmp/a.txt"] {
        assert!(passes(rule.clone(), json!(inside)), "{inside}");
    }
    let long = format!("/srv/data/{}", "a/".repeat(3000));
    for outside in [
        json!("/srv"),
        json!("/srv/database"),
        json!("/srv/data/../x"),
        json!("/tmp/a/b.txt"),
        json!("srv/data/a"),
        json!(""),
        json!("/srv/data/%2fx"),
        json!("/srv/data/a\u{0}"),
        json!("/srv/data/a\n"),
        json!(long),
        json!(["/srv/data/a"]),
        json!(null),
        json!(1),
    ] {
        assert!(!passes(rule.clone(), outside.clone()), "{outside}");
    }
}

#[test]
fn url_takes_urls_by_what_they_are_to_a_browser() {
    let within = ["https://a.example/x", "https://*.b.example"];
    let rule = json!({"constraint_type": "url", "within": within});
    for inside in
        ["https://a.example/x", "HTTPS://A.example:443/y/../x/z?q=1", "https://c.d.b.example/"]
    {
        assert!(passes(rule.clone(), json!(inside)), "{inside}");
    }
    for outside in [
        json!("https://a.example/"),
        json!("https://a.example/x/../y"),
        json!("http://a.example/x"),
        json!("https://user@a.example/x"),
        json!("https://a.example\\@evil.example/x"),
        json!("https://b.example/"),
        json!("//a.example/x"),
        json!("a.example/x"),
        json!("file:///x"),
        json!({"url": "https://a.example/x"}),
        json!(null),
    ] {
        assert!(!passes(rule.clone(), outside.clone()), "{outside}");
    }
}

#[test]
fn cidr_takes_addresses_in_a_network() {
    let rule = |within: Value| json!({"constraint_type": "cidr", "within": within});
    let both = rule(json!(["10.0.0.0/8", "2001:db8::/32"]));
    for inside in ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3", "::ffff:a01:203", "2001:DB8::1"]
    {
        assert!(passes(both.clone(), json!(inside)), "{inside}");
    }
    for outside in [
        json!("11.0.0.0"),
        json!("::ffff:11.0.0.0"),
        json!("2001:db9::"),
        json!("10.0.0.1/32"),
        json!("10.0.0.1:80"),
        json!("[2001:db8::1]"),
        json!("fe80::1%eth0"),
        json!("010.0.0.1"),
        json!("10.1"),
        json!("0x0a.0.0.1"),
        json!("167772161"),
        json!(167_772_161),
        json!(" 10.0.0.1"),
        json!("localhost"),
        json!(""),
    ] {
        assert!(!passes(both.clone(), outside.clone()), "{outside}");
    }
    let six = rule(json!(["::/0"]));
    assert!(passes(six.clone(), json!("2001:db8::1")));
    assert!(!passes(six, json!("::ffff:10.0.0.1")), "it is an IPv4 address in disguise");
}

#[test]
fn glob_takes_whole_texts_segment_by_segment() {
    let glob = |pattern: &str, text: &str| {
        passes(json!({"constraint_type": "glob", "pattern": pattern}), json!(text))
    };
    for (pattern, text) in [
        ("", ""),
        ("*", ""),
        ("?", "ß"),
        ("*.rs", ".rs"),
        ("a*c", "abc"),
        ("**", ""),
        ("**", "a/b//c"),
        ("a/**", "a"),
        ("a/**/b", "a/b"),
        ("a/**/b", "a/b/c/b"),
        ("/*", "/a"),
        ("[a]", "[a]"),
    ] {
        assert!(glob(pattern, text), "{pattern} {text}");
    }
    for (pattern, text) in [
        ("", "a"),
        ("?", ""),
        ("?", "ab"),
        ("?", "/"),
        ("*", "a/b"),
        ("*.rs", "a.RS"),
        ("a", "ab"),
        ("b", "ab"),
        ("a/**/b", "a/c"),
        ("a/**", "b/a"),
        ("[a]", "a"),
    ] {
        assert!(!glob(pattern, text), "{pattern} {text}");
    }
    assert!(!glob("**", &"a".repeat(8193)), "no text is asked about at any length");
    let rule = json!({"constraint_type": "glob", "pattern": "*"});
    for other in [json!(1), json!(null), json!(["a"]), json!({})] {
        assert!(!passes(rule.clone(), other.clone()), "{other}");
    }
}

#[test]
fn length_counts_characters_and_items() {
    let rule = json!({"constraint_type": "length", "min": 1, "max": 3.0});
    for good in [json!("a"), json!("äöü"), json!("😀😀😀"), json!([null]), json!([1, [], {}])]
    {
        assert!(passes(rule.clone(), good.clone()), "{good}");
    }
    let long = "e\u{301}e\u{301}";
    for bad in [json!(""), json!("abcd"), json!(long), json!([]), json!([1, 2, 3, 4]), json!(2)] {
        assert!(!passes(rule.clone(), bad.clone()), "{bad}");
    }
    for bad in [json!(null), json!(true), json!({"a": 1, "b": 2})] {
        assert!(!passes(rule.clone(), bad.clone()), "{bad}");
    }
    let open = json!({"constraint_type": "length", "min": 2});
    assert!(passes(open.clone(), json!("a".repeat(10_000))) && !passes(open, json!("a")));
    let none = json!({"constraint_type": "length", "max": 0});
    assert!(passes(none.clone(), json!("")) && passes(none.clone(), json!([])));
    assert!(!passes(none, json!("a")));
}

#[test]
fn values_nested_over_128_levels_are_not_compared() {
    let nested = |levels| (0..levels).fold(json!(1), |inner, _| Value::Array(vec![inner]));
    let rule = |levels| {
        let mut rule = json!({"constraint_type": "one_of"});
        rule["values"] = Value::Array(vec![nested(levels)]);
        cap_core::ArgumentConstraint::from_value(&rule)
    };
    assert!(rule(128).unwrap().check(&nested(128)) && rule(129).is_err());
    let none = json!({"constraint_type": "not_one_of", "excluded": []});
    let none = cap_core::ArgumentConstraint::from_value(&none).unwrap();
    assert!(none.check(&nested(128)) && !none.check(&nested(129)) && !none.check(&nested(1000)));
}

#[test]
fn one_argument_has_at_most_256_constraints() {
    let any = |count: usize| {
        let each: Vec<Value> =
            (0..count).map(|n| json!({"constraint_type": "exact", "value": n})).collect();
        json!({"constraint_type": "any", "constraints": each})
    };
    assert!(!is_refused(one(any(255))) && is_refused(one(any(256))));
    let two =
        |left, right| json!({"constraint_type": "all", "constraints": [any(left), any(right)]});
    assert!(!is_refused(one(two(100, 153))) && is_refused(one(two(100, 154))));
}

#[test]
fn malformed_argument_constraints_are_refused() {
    let nested = |depth| {
        (0..depth).fold(
            json!({"constraint_type": "wildcard"}),
            |inner, _| json!({"constraint_type": "all", "constraints": [inner]}),
        )
    };
    assert!(!is_refused(one(nested(7))));
    let many: Vec<u32> = (0..257).collect();
    let bad = [
        nested(8),
        nested(100),
        json!(null),
        json!("exact"),
        json!([]),
        json!({}),
        json!({"constraint_type": "regex", "value": "a"}),
        json!({"constraint_type": "Exact", "value": 1}),
        json!({"constraint_type": ["exact"], "value": 1}),
        json!({"constraint_type": null}),
        json!({"constraint_type": "exact"}),
        json!({"constraint_type": "exact", "value": [1]}),
        json!({"constraint_type": "exact", "value": {}}),
        json!({"constraint_type": "exact", "value": 1, "values": [1]}),
        json!({"constraint_type": "one_of", "values": []}),
        json!({"constraint_type": "one_of", "values": "a"}),
        json!({"constraint_type": "one_of", "values": many}),
        json!({"constraint_type": "not_one_of"}),
        json!({"constraint_type": "contains", "required": {}}),
        json!({"constraint_type": "subset", "allowed": null}),
        json!({"constraint_type": "wildcard", "value": 1}),
        json!({"constraint_type": "all", "constraints": []}),
        json!({"constraint_type": "any", "constraints": []}),
        json!({"constraint_type": "any", "constraints": [1]}),
        json!({"constraint_type": "any", "constraints": [{"constraint_type": "wildcard", "optional": false}]}),
        json!({"constraint_type": "wildcard", "optional": null}),
        json!({"constraint_type": "wildcard", "optional": "true"}),
        json!({"constraint_type": "range", "min": "1"}),
        json!({"constraint_type": "range", "min": null}),
        json!({"constraint_type": "range", "min": 2, "max": 1}),
        json!({"constraint_type": "range", "min_inclusive": true}),
        json!({"constraint_type": "range", "min": 1, "min_inclusive": 1}),
        json!({"constraint_type": "range", "min": 1, "max_inclusive": true}),
        json!({"constraint_type": "range", "minimum": 1}),
        json!({"constraint_type": "path"}),
        json!({"constraint_type": "path", "within": "/srv"}),
        json!({"constraint_type": "path", "within": ["srv"]}),
        json!({"constraint_type": "path", "within": [1]}),
        json!({"constraint_type": "path", "within": [null]}),
        json!({"constraint_type": "path", "root": "/srv"}),
        json!({"constraint_type": "path", "within": ["/srv"], "pattern": "*"}),
        json!({"constraint_type": "path", "within": vec!["/srv"; 257]}),
        json!({"constraint_type": "url", "within": ["a.example"]}),
        json!({"constraint_type": "url", "within": ["file:///"]}),
        json!({"constraint_type": "cidr", "within": ["10.0.0.1/8"]}),
        json!({"constraint_type": "cidr", "within": ["10.0.0.0/33"]}),
        json!({"constraint_type": "cidr", "within": ["example"]}),
        json!({"constraint_type": "glob"}),
        json!({"constraint_type": "glob", "pattern": null}),
        json!({"constraint_type": "glob", "pattern": ["*"]}),
        json!({"constraint_type": "glob", "pattern": "a**"}),
        json!({"constraint_type": "glob", "pattern": "a/***/b"}),
        json!({"constraint_type": "glob", "pattern": "a".repeat(8193)}),
        json!({"constraint_type": "length"}),
        json!({"constraint_type": "length", "min": -1}),
        json!({"constraint_type": "length", "min": 1.5}),
        json!({"constraint_type": "length", "min": "1"}),
        json!({"constraint_type": "length", "max": null}),
        json!({"constraint_type": "length", "min": 2, "max": 1}),
        json!({"constraint_type": "length", "min": 1, "min_inclusive": true}),
        json!({"constraint_type": "length", "max": 1e300}),
        json!({"constraint_type": "not", "constraint": {"constraint_type": "wildcard"}}),
    ];
    for rule in bad {
        assert!(is_refused(one(rule.clone())), "{rule}");
    }
    for rules in [
        json!({}),
        json!([]),
        json!(null),
        json!({"*": {"constraint_type": "exact", "value": 1}}),
        json!({"*": {"constraint_type": "wildcard", "optional": false}}),
        Value::Object(
            (0..257).map(|n| (n.to_string(), json!({"constraint_type": "wildcard"}))).collect(),
        ),
    ] {
        assert!(is_refused(rules.clone()), "{rules}");
    }
}

#[test]
fn what_would_pass_is_told_within_bounds() {
    let values: Vec<String> = (0..200).map(|n| format!("{n}\u{202e}{}", "x".repeat(50))).collect();
    let rules =
        json!({"arguments": {"fs/read": {"p": {"constraint_type": "one_of", "values": values}}}});
    let reason = denial(&constrained(rules), &call_with(json!({"p": 1}))).reason().to_owned();
    assert!(reason.len() < 400 && !reason.contains('\u{202e}'), "{reason}");
}

proptest! {
    #[test]
    fn rules_are_written_as_they_are_read(rules in argument_rules()) {
        let read = ArgumentRules::from_value(&rules).unwrap();
        let written = read.to_value();
        let again = ArgumentRules::from_value(&written).unwrap();
        prop_assert_eq!(&again, &read);
        prop_assert_eq!(again.to_value().to_string(), written.to_string());
        prop_assert!(is_sorted(&written), "{}", written);
    }
}

/// Whether the members of every object stand in the order of their names.
fn is_sorted(value: &Value) -> bool {
    let sorted = |members: &Map<String, Value>| members.keys().is_sorted();
    match value {
        Value::Object(members) => sorted(members) && members.values().all(is_sorted),
        Value::Array(items) => items.iter().all(is_sorted),
        _ => true,
    }
}
