//! The vocabulary: what is well-formed, what is checked, what subsumes what (AAT-02 §3.4, §4.5).

use cap_token::chain::{Constraint, JsonError, MalformedConstraint, ToolRules, Tools};
use serde_json::{Value, json};

use super::naive;
use super::support::Case;

pub(crate) fn constraint(value: &Value) -> Constraint {
    Constraint::from_json(&value.to_string()).unwrap()
}

#[track_caller]
fn is_malformed(text: &str) {
    assert!(Constraint::from_json(text).is_err(), "{text}");
    let case = |token| Case::of(2).replace(token, r#"{"constraint_type":"wildcard"}"#, text);
    case(0).is_denied_at("3n");
    case(1).is_denied_at("4o");
}

/// One of each type, each accepting 5 or an array of 1s.
fn samples() -> [Value; 9] {
    [
        json!({"constraint_type": "exact", "value": 5}),
        json!({"constraint_type": "range", "min": 0, "max": 10}),
        json!({"constraint_type": "one_of", "values": [5, 6]}),
        json!({"constraint_type": "not_one_of", "excluded": [7]}),
        json!({"constraint_type": "contains", "required": [1]}),
        json!({"constraint_type": "subset", "allowed": [1, 2]}),
        json!({"constraint_type": "wildcard"}),
        json!({"constraint_type": "all", "constraints": [{"constraint_type": "range", "min": 0, "max": 10}]}),
        json!({"constraint_type": "any", "constraints": [{"constraint_type": "exact", "value": 5}]}),
    ]
}

#[test]
fn of_the_81_pairs_of_core_types_19_are_valid_alone_and_in_a_chain() {
    let kind = |value: &Value| value["constraint_type"].as_str().unwrap().to_owned();
    let (mut valid, mut pairs) = (0, 0);
    for parent in samples() {
        for child in samples() {
            let names = (kind(&parent), kind(&child));
            let expected = names.0 == names.1
                || names.0 == "wildcard"
                || (names.1 == "exact" && ["range", "one_of"].contains(&names.0.as_str()));
            let subsumed = constraint(&parent).subsumes(&constraint(&child));
            assert_eq!(subsumed, expected, "{names:?}");
            assert_eq!(naive::subsumes(&parent, &child), expected, "naive {names:?}");
            let mut case = Case::narrowing(json!({"path": parent}), json!({"path": child}));
            let arrays = ["contains", "subset"].contains(&names.1.as_str());
            case = case.args(if arrays { r#"{"path":[1,1]}"# } else { r#"{"path":5}"# });
            if expected {
                case.is_permitted()
            } else {
                case.is_denied_at("4p4")
            }
            valid += usize::from(expected);
            pairs += 1;
        }
    }
    assert_eq!((valid, pairs), (19, 81));
}

#[test]
fn the_conditions_of_the_valid_pairs_hold() {
    let any = |clauses: &str| format!(r#"{{"constraint_type":"any","constraints":{clauses}}}"#);
    let all = |clauses: &str| format!(r#"{{"constraint_type":"all","constraints":{clauses}}}"#);
    let exact = |value: &str| format!(r#"{{"constraint_type":"exact","value":{value}}}"#);
    let one_of = |values: &str| format!(r#"{{"constraint_type":"one_of","values":{values}}}"#);
    let range = |bounds: &str| {
        let comma = if bounds.is_empty() { "" } else { "," };
        format!(r#"{{"constraint_type":"range"{comma}{bounds}}}"#)
    };
    let list = |kind: &str, member: &str, values: &str| {
        format!(r#"{{"constraint_type":"{kind}","{member}":{values}}}"#)
    };
    let not = |values| list("not_one_of", "excluded", values);
    let contains = |values| list("contains", "required", values);
    let subset = |values| list("subset", "allowed", values);
    let wild = r#"{"constraint_type":"wildcard"}"#.to_owned();
    let cases = [
        (exact("1"), exact("1.0"), true),
        (exact("1"), exact("\"1\""), false),
        (exact("-0"), exact("0"), true),
        (exact("true"), exact("false"), false),
        (exact("\"\\u00e9\""), exact("\"é\""), true),
        (exact("\"e\\u0301\""), exact("\"é\""), false),
        (range(""), range(r#""min":1"#), true),
        (range(r#""min":1"#), range(""), false),
        (range(r#""min":1"#), range(r#""min":1"#), true),
        (range(r#""min":1"#), range(r#""min":0.5"#), false),
        (range(r#""min":1"#), range(r#""min":1.5,"max":2"#), true),
        (range(r#""min":1"#), range(r#""max":2"#), false),
        (range(r#""min":1"#), range(r#""min":1,"min_inclusive":false"#), true),
        (range(r#""min":1,"min_inclusive":false"#), range(r#""min":1"#), false),
        (
            range(r#""min":1,"min_inclusive":false"#),
            range(r#""min":1,"min_inclusive":true"#),
            false,
        ),
        (
            range(r#""min":1,"min_inclusive":false"#),
            range(r#""min":1,"min_inclusive":false"#),
            true,
        ),
        (range(r#""min":1,"min_inclusive":false"#), range(r#""min":1.25"#), true),
        (range(r#""max":9"#), range(r#""max":9,"max_inclusive":false"#), true),
        (range(r#""max":9,"max_inclusive":false"#), range(r#""max":9"#), false),
        (range(r#""max":9,"max_inclusive":false"#), range(r#""max":8"#), true),
        (range(r#""max":9"#), range(r#""max":9.5"#), false),
        (range(r#""min":0"#), range(r#""min":-0.0"#), true),
        (range(""), exact("5"), true),
        (range(""), exact("\"5\""), false),
        (range(""), exact("null"), false),
        (range(""), exact("true"), false),
        (range(r#""min":5,"min_inclusive":false"#), exact("5"), false),
        (range(r#""max":5"#), exact("5.0"), true),
        (one_of("[1,2]"), one_of("[2,2,1.0]"), true),
        (one_of("[1,2]"), one_of("[3]"), false),
        (one_of(r#"[{"a":1,"b":[2]}]"#), one_of(r#"[{"b":[2.0],"a":1}]"#), true),
        (one_of("[1,2]"), exact("2.0"), true),
        (one_of("[1,2]"), exact("3"), false),
        (one_of("[null]"), exact("null"), true),
        (not("[1]"), not("[2,1]"), true),
        (not("[1]"), not("[2]"), false),
        (not("[]"), not("[1]"), true),
        (not("[]"), wild.clone(), false),
        (not("[]"), exact("1"), false),
        (contains("[1]"), contains("[2,1,1]"), true),
        (contains("[1,2]"), contains("[1]"), false),
        (contains("[]"), contains("[1]"), true),
        (subset("[1,2]"), subset("[2]"), true),
        (subset("[1]"), subset("[1,2]"), false),
        (subset("[1]"), subset("[]"), true),
        (all(&format!("[{wild},{wild}]")), all(&format!("[{}]", exact("5"))), true),
        (
            all(&format!("[{},{}]", range(r#""min":1"#), range(r#""max":9"#))),
            all(&format!("[{}]", range(r#""min":2,"max":8"#))),
            true,
        ),
        (
            all(&format!("[{},{}]", range(r#""min":1"#), range(r#""max":9"#))),
            all(&format!("[{}]", range(r#""min":2"#))),
            false,
        ),
        (all(&format!("[{}]", one_of("[1,2]"))), all(&format!("[{},{}]", exact("1"), wild)), true),
        (all(&format!("[{}]", exact("1"))), exact("1"), false),
        (exact("1"), all(&format!("[{}]", exact("1"))), false),
        (any(&format!("[{},{}]", exact("1"), exact("2"))), any(&format!("[{}]", exact("2"))), true),
        (
            any(&format!("[{}]", exact("1"))),
            any(&format!("[{},{}]", exact("1"), exact("2"))),
            false,
        ),
        (any(&format!("[{}]", one_of("[1,2]"))), any(&format!("[{}]", exact("2"))), true),
        (any(&format!("[{},{}]", exact("1"), exact("2"))), exact("1"), false),
        (any(&format!("[{},{}]", exact("1"), exact("2"))), one_of("[1,2]"), false),
        (
            any(&format!("[{}]", all(&format!("[{}]", range(""))))),
            any(&format!("[{}]", all(&format!("[{}]", exact("3"))))),
            true,
        ),
    ];
    for (parent, child, expected) in cases {
        let of = |text: &str| Constraint::from_json(text).unwrap();
        assert_eq!(of(&parent).subsumes(&of(&child)), expected, "{parent} {child}");
    }
}

#[test]
fn constraints_check_what_they_say() {
    let cases = [
        (
            r#"{"constraint_type":"exact","value":"a"}"#,
            vec!["\"a\"", "\"\\u0061\""],
            vec!["\"A\"", "[\"a\"]", "null"],
        ),
        (
            r#"{"constraint_type":"exact","value":null}"#,
            vec!["null"],
            vec!["false", "0", "\"\"", "\"null\""],
        ),
        (
            r#"{"constraint_type":"exact","value":4.50}"#,
            vec!["4.5", "45e-1", "0.45E+1"],
            vec!["4", "\"4.5\""],
        ),
        (
            r#"{"constraint_type":"exact","value":0}"#,
            vec!["-0", "0.0", "0e5", "-0e-7"],
            vec!["1e-300"],
        ),
        (
            r#"{"constraint_type":"range"}"#,
            vec!["0", "-1e300"],
            vec!["\"0\"", "null", "[1]", "true"],
        ),
        (
            r#"{"constraint_type":"range","min":1,"max":2}"#,
            vec!["1", "1.5", "2"],
            vec!["0.9999999999999999", "2.0000000000000004"],
        ),
        (
            r#"{"constraint_type":"range","min":1,"min_inclusive":false,"max":2,"max_inclusive":false}"#,
            vec!["1.5"],
            vec!["1", "2"],
        ),
        (
            r#"{"constraint_type":"range","min":1,"max":1,"max_inclusive":false}"#,
            vec![],
            vec!["1", "0"],
        ),
        (
            r#"{"constraint_type":"one_of","values":[1,"b",{"x":[1]}]}"#,
            vec!["1.0", "\"b\"", "{ \"x\" : [1e0] }"],
            vec!["\"1\"", "[1]", "{}"],
        ),
        (
            r#"{"constraint_type":"not_one_of","excluded":[1,"b"]}"#,
            vec!["\"1\"", "null", "[1]", "{}"],
            vec!["1", "10e-1", "\"b\""],
        ),
        (r#"{"constraint_type":"not_one_of","excluded":[]}"#, vec!["1", "null"], vec![]),
        (
            r#"{"constraint_type":"contains","required":[1,1.0,"a"]}"#,
            vec!["[1,\"a\"]", "[\"a\",2,1,1]"],
            vec!["[1]", "\"a\"", "{\"1\":1}", "[]"],
        ),
        (
            r#"{"constraint_type":"contains","required":[]}"#,
            vec!["[]", "[1]"],
            vec!["null", "\"\"", "{}"],
        ),
        (
            r#"{"constraint_type":"subset","allowed":[1,"a"]}"#,
            vec!["[]", "[1,1,1.0]", "[\"a\",1]"],
            vec!["[2]", "[[1]]", "1", "\"a\""],
        ),
        (r#"{"constraint_type":"subset","allowed":[]}"#, vec!["[]"], vec!["[null]", "null"]),
        (r#"{"constraint_type":"wildcard"}"#, vec!["null", "[]", "{}", "1"], vec![]),
        (
            r#"{"constraint_type":"all","constraints":[{"constraint_type":"range","min":1},{"constraint_type":"range","max":2}]}"#,
            vec!["1", "2"],
            vec!["0", "3"],
        ),
        (
            r#"{"constraint_type":"any","constraints":[{"constraint_type":"exact","value":1},{"constraint_type":"exact","value":"x"}]}"#,
            vec!["1", "\"x\""],
            vec!["2", "\"1\""],
        ),
    ];
    for (text, good, bad) in cases {
        let constraint = Constraint::from_json(text).unwrap();
        for (values, expected) in [(good, true), (bad, false)] {
            for value in values {
                assert_eq!(constraint.check_json(value), Ok(expected), "{text} {value}");
            }
        }
    }
}

#[test]
fn what_is_not_well_formed_is_denied_at_every_place_of_a_chain() {
    for text in [
        "null",
        "[]",
        "7",
        "\"wildcard\"",
        "{}",
        r#"{"constraint_type":null}"#,
        r#"{"constraint_type":"Wildcard"}"#,
        r#"{"constraint_type":"regex","pattern":"."}"#,
        r#"{"constraint_type":"path","within":["/a/**"]}"#,
        r#"{"constraint_type":"url","within":["https://a/**"]}"#,
        r#"{"constraint_type":"cidr","within":["10.0.0.0/8"]}"#,
        r#"{"constraint_type":"glob","pattern":"*"}"#,
        r#"{"constraint_type":"length","min":1}"#,
        r#"{"constraint_type":"wildcard","value":1}"#,
        r#"{"constraint_type":"wildcard","note":"x"}"#,
        r#"{"constraint_type":"exact"}"#,
        r#"{"constraint_type":"exact","value":[]}"#,
        r#"{"constraint_type":"exact","value":{}}"#,
        r#"{"constraint_type":"exact","value":1,"values":[1]}"#,
        r#"{"constraint_type":"exact","value":9007199254740993}"#,
        r#"{"constraint_type":"exact","value":1e400}"#,
        r#"{"constraint_type":"exact","value":1e-400}"#,
        r#"{"constraint_type":"exact","value":1.00000000000000001}"#,
        r#"{"constraint_type":"range","min":"1"}"#,
        r#"{"constraint_type":"range","min":null}"#,
        r#"{"constraint_type":"range","min":2,"max":1}"#,
        r#"{"constraint_type":"range","min_inclusive":true}"#,
        r#"{"constraint_type":"range","min":1,"max_inclusive":true}"#,
        r#"{"constraint_type":"range","min":1,"min_inclusive":1}"#,
        r#"{"constraint_type":"range","min":1,"min_inclusive":null}"#,
        r#"{"constraint_type":"range","max":9007199254740993}"#,
        r#"{"constraint_type":"one_of"}"#,
        r#"{"constraint_type":"one_of","values":[]}"#,
        r#"{"constraint_type":"one_of","values":"a"}"#,
        r#"{"constraint_type":"one_of","values":{"a":1}}"#,
        r#"{"constraint_type":"one_of","values":[[{"x":9007199254740993}]]}"#,
        r#"{"constraint_type":"not_one_of"}"#,
        r#"{"constraint_type":"not_one_of","excluded":null}"#,
        r#"{"constraint_type":"contains","required":1}"#,
        r#"{"constraint_type":"contains"}"#,
        r#"{"constraint_type":"subset","allowed":true}"#,
        r#"{"constraint_type":"subset"}"#,
        r#"{"constraint_type":"all"}"#,
        r#"{"constraint_type":"all","constraints":[]}"#,
        r#"{"constraint_type":"any","constraints":[]}"#,
        r#"{"constraint_type":"any","constraints":{}}"#,
        r#"{"constraint_type":"any","constraints":["wildcard"]}"#,
        r#"{"constraint_type":"any","constraints":[null]}"#,
        r#"{"constraint_type":"all","constraints":[{"constraint_type":"all","constraints":[]}]}"#,
        r#"{"constraint_type":"all","constraints":[{"constraint_type":"wildcard","optional":true}]}"#,
        r#"{"constraint_type":"any","constraints":[{"constraint_type":"wildcard","optional":false}]}"#,
        r#"{"constraint_type":"all","constraints":[{"constraint_type":"unknown"}]}"#,
    ] {
        is_malformed(text);
    }
    for optional in ["1", "null", "\"true\"", "[]"] {
        let text = format!(r#"{{"constraint_type":"wildcard","optional":{optional}}}"#);
        is_malformed(&text);
    }
}

/// A constraint of so many levels.
fn nested(levels: usize) -> String {
    let open = r#"{"constraint_type":"all","constraints":["#.repeat(levels - 1);
    format!(r#"{open}{{"constraint_type":"wildcard"}}{}"#, "]}".repeat(levels - 1))
}

#[test]
fn thirty_two_levels_are_permitted_and_one_more_is_not() {
    assert!(Constraint::from_json(&nested(32)).is_ok());
    is_malformed(&nested(33));
    is_malformed(&nested(40));
    let wild = r#"{"constraint_type":"wildcard"}"#;
    Case::of(2).replace(0, wild, &nested(32)).replace(1, wild, &nested(32)).is_permitted();
    // Beyond what is read at all.
    Case::of(1).replace(0, wild, &nested(70)).is_denied_at("3b");
}

#[test]
fn the_other_bounds_of_a_token_hold_too() {
    let many = |count: usize| {
        let clauses = vec![r#"{"constraint_type":"wildcard"}"#; count].join(",");
        format!(r#"{{"constraint_type":"any","constraints":[{clauses}]}}"#)
    };
    assert!(Constraint::from_json(&many(63)).is_ok());
    is_malformed(&many(64));
    let long = |bytes: usize| {
        format!(r#"{{"constraint_type":"exact","value":"{}"}}"#, "x".repeat(bytes - 2))
    };
    assert!(Constraint::from_json(&long(4096)).is_ok());
    is_malformed(&long(4097));
    let tools = |count: usize| {
        (0..count).map(|at| (format!("t{at}"), json!({}))).collect::<serde_json::Map<_, _>>()
    };
    let mut full = tools(255);
    full.insert("read_file".to_owned(), json!({}));
    Case::of(1).tools(0, full.clone().into()).is_permitted();
    full.insert("one-more".to_owned(), json!({}));
    Case::of(1).tools(0, full.into()).is_denied_at("3n");
    let named = |bytes: usize| json!({"read_file": {}, "x".repeat(bytes): {}});
    Case::of(1).tools(0, named(256)).is_permitted();
    Case::of(1).tools(0, named(257)).is_denied_at("3n");
}

#[test]
fn numbers_are_what_their_text_says() {
    let map = || json!({"path": {"constraint_type": "not_one_of", "excluded": []}});
    for good in [
        "0.1",
        "1e20",
        "1E30",
        "4.50",
        "2e-3",
        "9007199254740994",
        "9007199254740992",
        "-9007199254740992",
        "5e-324",
        "1.7976931348623157e308",
        "0e99999999999999999999",
        "100000000000000000000000",
        "1152921504606847000",
        "0.000001",
        "1e21",
        "-0",
    ] {
        let case = Case::call(map(), &format!(r#"{{"path":{good}}}"#));
        assert_eq!(case.outcome(), "PERMIT", "{good}");
    }
    for bad in [
        "9007199254740993",
        "-9007199254740993",
        "1.00000000000000001",
        "1152921504606846976",
        "9223372036854775807",
        "18446744073709551615",
        "1e400",
        "-1e400",
        "1e-400",
        "4e-324",
        "0.1000000000000000055511151231257827",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "123456789012345678",
        "123456789012345678e3",
        "179769313486231580e291",
    ] {
        let mut case = Case::call(map(), &format!(r#"{{"path":{bad}}}"#));
        assert_eq!(case.outcome(), "6b", "{bad}");
        case = Case::call(json!({}), &format!(r#"{{"deep":[{{"x":{bad}}}]}}"#));
        assert_eq!(case.outcome(), "6b", "{bad}");
        let text = format!(r#"{{"constraint_type":"exact","value":{bad}}}"#);
        assert!(matches!(Constraint::from_json(&text), Err(MalformedConstraint::Form(_))));
    }
    for no_number in
        ["01", "1.", ".5", "+1", "1e", "1e+", "0x10", "NaN", "Infinity", "-", "--1", "1_000"]
    {
        let case = Case::of(1).claim(0, "note", "X").replace(0, "\"X\"", no_number);
        assert_eq!(case.outcome(), "3b", "{no_number}");
    }
}

#[test]
fn maps_are_closed_unless_they_say_otherwise() {
    let wild = || json!({"constraint_type": "wildcard"});
    let optional = || json!({"constraint_type": "exact", "value": 1, "optional": true});
    let cases = [
        (json!({}), "{}", true),
        (json!({}), r#"{"anything":[{}]}"#, true),
        (json!({"a": wild()}), r#"{"a":1}"#, true),
        (json!({"a": wild()}), "{}", false),
        (json!({"a": wild()}), r#"{"a":1,"b":2}"#, false),
        (json!({"a": wild(), "*": wild()}), r#"{"a":1,"b":2}"#, true),
        (json!({"a": wild(), "*": wild()}), r#"{"b":2}"#, false),
        (json!({"a": optional()}), "{}", true),
        (json!({"a": optional()}), r#"{"a":1}"#, true),
        (json!({"a": optional()}), r#"{"a":2}"#, false),
        (json!({"a": optional(), "*": wild()}), r#"{"a":2}"#, false),
        (json!({"a": optional(), "*": wild()}), r#"{"b":2}"#, true),
        (json!({"a": {"constraint_type": "exact", "value": 1, "optional": false}}), "{}", false),
        (json!({"*": wild()}), "{}", true),
        // An argument that is called `*` is one that is not named.
        (json!({"*": wild()}), r#"{"*":1}"#, true),
        (json!({"a": wild()}), r#"{"a":1,"*":1}"#, false),
        (json!({"a": wild(), "*": wild()}), r#"{"a":1,"*":1}"#, true),
        (json!({}), r#"{"*":1}"#, true),
        (json!({"caf\u{e9}": wild()}), r#"{"caf\u00e9":1}"#, true),
        (json!({"caf\u{e9}": wild()}), r#"{"cafe\u0301":1}"#, false),
    ];
    for (map, args, expected) in cases {
        let arguments: Value = serde_json::from_str(args).unwrap();
        assert_eq!(naive::permits(&map, arguments.as_object().unwrap()), expected);
        let outcome = Case::call(map.clone(), args).outcome();
        assert_eq!(outcome, if expected { "PERMIT" } else { "6b" }, "{map} {args}");
    }
    for star in [
        json!({"constraint_type": "wildcard", "optional": true}),
        json!({"constraint_type": "wildcard", "optional": false}),
        json!({"constraint_type": "wildcard", "note": 1}),
        json!({"constraint_type": "exact", "value": 1}),
        json!({"constraint_type": "not_one_of", "excluded": []}),
        json!({"constraint_type": "all", "constraints": [{"constraint_type": "wildcard"}]}),
    ] {
        Case::call(json!({ "*": star }), "{}").is_denied_at("3n");
    }
}

#[test]
fn the_rules_of_maps_hold_along_a_chain() {
    let wild = || json!({"constraint_type": "wildcard"});
    let one = || json!({"constraint_type": "exact", "value": 1});
    let optional = |mut constraint: Value| {
        constraint["optional"] = true.into();
        constraint
    };
    let cases = [
        (json!({}), json!({}), "ok"),
        (json!({}), json!({"*": wild()}), "ok"),
        (json!({"*": wild()}), json!({}), "ok"),
        (json!({}), json!({"a": one()}), "ok"),
        (json!({}), json!({"a": optional(one())}), "ok"),
        (json!({}), json!({"a": one(), "*": wild()}), "ok"),
        (json!({"a": wild()}), json!({}), "4p2"),
        (json!({"a": optional(wild())}), json!({}), "4p2"),
        (json!({"a": wild()}), json!({"*": wild()}), "4p2"),
        (json!({"a": wild()}), json!({"a": wild(), "*": wild()}), "4p2"),
        (json!({"a": wild()}), json!({"a": wild(), "b": wild()}), "4p2"),
        (json!({"a": wild()}), json!({"b": wild()}), "4p2"),
        (json!({"a": wild(), "b": wild()}), json!({"a": wild()}), "4p2"),
        (json!({"a": wild(), "b": optional(wild())}), json!({"a": wild()}), "ok"),
        (json!({"a": wild(), "b": optional(wild()), "*": wild()}), json!({"a": wild()}), "ok"),
        (
            json!({"a": wild(), "b": optional(wild()), "*": wild()}),
            json!({"a": wild(), "*": wild()}),
            "4p2",
        ),
        (json!({"a": one(), "*": wild()}), json!({"*": wild()}), "4p2"),
        (json!({"a": one(), "*": wild()}), json!({"a": one()}), "ok"),
        (json!({"a": one(), "*": wild()}), json!({"a": one(), "b": optional(one())}), "ok"),
        (json!({"a": wild()}), json!({"a": optional(wild())}), "4p3"),
        (json!({"a": optional(wild())}), json!({"a": wild()}), "ok"),
        (json!({"a": optional(wild())}), json!({"a": optional(one())}), "ok"),
        (json!({"a": one()}), json!({"a": wild()}), "4p4"),
        (json!({"a": optional(one())}), json!({"a": wild()}), "4p4"),
    ];
    for (parent, child, expected) in cases {
        assert_eq!(naive::narrows(&parent, &child), expected == "ok", "naive {parent} {child}");
        let case = Case::narrowing(parent.clone(), child.clone());
        let verifier = cap_token::chain::ChainVerifier::new(case.policy.clone()).unwrap();
        let result = verifier.verify_chain(&case.chain(), case.now);
        let step = result.map_or_else(|error| error.step().as_str(), |_| "ok");
        assert_eq!(step, expected, "{parent} {child}");
    }
    // A tool that the parent lacks.
    Case::of(2).tools(1, json!({"write_file": {}})).is_denied_at("4p1");
    Case::of(2).tools(1, json!({"Read_file": {}})).is_denied_at("4p1");
}

#[test]
fn what_is_built_is_what_is_read() {
    let built = [
        Constraint::exact("a").unwrap(),
        Constraint::range(1.0..=2.5).unwrap(),
        Constraint::range(..9.0).unwrap(),
        Constraint::range((std::ops::Bound::Excluded(-0.0), std::ops::Bound::Unbounded)).unwrap(),
        Constraint::one_of([1, 2, 2]).unwrap(),
        Constraint::not_one_of(["a"]).unwrap(),
        Constraint::contains([json!([1]), json!({"b": 1, "a": 2})]).unwrap(),
        Constraint::subset(Vec::<Value>::new()).unwrap(),
        Constraint::wildcard(),
        Constraint::all([Constraint::wildcard(), Constraint::exact(1e21).unwrap()]).unwrap(),
        Constraint::any([
            Constraint::from_json(r#"{"constraint_type":"exact","value":null}"#).unwrap()
        ])
        .unwrap(),
    ];
    for constraint in built {
        assert_eq!(Constraint::from_json(&constraint.to_json()), Ok(constraint));
    }
    let text = Constraint::one_of([json!(2), json!(1.0), json!({"b": 1, "a": "\u{1f600}"})])
        .unwrap()
        .to_json();
    assert_eq!(
        text,
        "{\"constraint_type\":\"one_of\",\"values\":[1,2,{\"a\":\"\u{1f600}\",\"b\":1}]}"
    );
    assert!(Constraint::exact(json!([])).is_err());
    assert!(Constraint::exact((1_u64 << 53) + 1).is_err());
    assert!(Constraint::range(2.0..=1.0).is_err());
    assert!(Constraint::range(f64::NAN..).is_err());
    assert!(Constraint::range(..f64::INFINITY).is_err());
    assert!(Constraint::one_of(Vec::<Value>::new()).is_err());
    assert!(Constraint::all([]).is_err());
    assert!(Constraint::any([]).is_err());
    assert_eq!(Constraint::wildcard().check_json("9007199254740993"), Err(JsonError::Number));
    assert_eq!(Constraint::wildcard().check_json("{\"a\":1,\"a\":1}"), Err(JsonError::Duplicate));
}

#[test]
fn a_number_that_is_not_finite_does_not_become_null() {
    for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(Constraint::exact(wrong).is_err());
        assert!(Constraint::one_of([1.0, wrong]).is_err());
        assert!(Constraint::one_of([vec![wrong]]).is_err());
        assert!(Constraint::not_one_of([wrong]).is_err());
        assert!(Constraint::contains([json!({"a": [wrong]})]).is_err());
        assert!(Constraint::subset([wrong]).is_err());
    }
    assert!(Constraint::exact(Value::Null).is_err());
}

#[test]
fn an_author_spells_the_widest_map_out() {
    let any = Tools::new().with("t", ToolRules::any_arguments());
    assert_eq!(any.to_json(), r#"{"t":{"*":{"constraint_type":"wildcard"}}}"#);
    assert!(Tools::from_json(r#"{"t":{}}"#).is_err());
    assert_eq!(Tools::from_json(&any.to_json()), Ok(any.clone()));
    assert!(any.get("t").unwrap().lets_unnamed_in());
    let open = ToolRules::optional("a", Constraint::wildcard()).and_any_other();
    assert_eq!(
        open.to_json(),
        r#"{"*":{"constraint_type":"wildcard"},"a":{"constraint_type":"wildcard","optional":true}}"#
    );
    let named: Vec<_> = open.arguments().map(|(name, _, required)| (name, required)).collect();
    assert_eq!(named, [("a", false)]);
}
