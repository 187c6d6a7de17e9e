//! Constraints in one line each, and pairs of them.

use cap_core::ArgumentConstraint;
use serde_json::{Value, json};

use super::KINDS;

pub(super) fn constraint(value: &Value) -> ArgumentConstraint {
    ArgumentConstraint::from_value(value).unwrap_or_else(|error| panic!("{value}: {error}"))
}

pub(super) fn subsumes(parent: &Value, child: &Value) -> bool {
    constraint(parent).subsumes(&constraint(child))
}

pub(super) fn exact(value: Value) -> Value {
    json!({"constraint_type": "exact", "value": value})
}

pub(super) fn range(members: Value) -> Value {
    with("range", members)
}

pub(super) fn one_of(values: Value) -> Value {
    json!({"constraint_type": "one_of", "values": values})
}

pub(super) fn not_one_of(excluded: Value) -> Value {
    json!({"constraint_type": "not_one_of", "excluded": excluded})
}

pub(super) fn contains(required: Value) -> Value {
    json!({"constraint_type": "contains", "required": required})
}

pub(super) fn subset(allowed: Value) -> Value {
    json!({"constraint_type": "subset", "allowed": allowed})
}

pub(super) fn wildcard() -> Value {
    json!({"constraint_type": "wildcard"})
}

pub(super) fn all(constraints: Value) -> Value {
    json!({"constraint_type": "all", "constraints": constraints})
}

pub(super) fn any_of(constraints: Value) -> Value {
    json!({"constraint_type": "any", "constraints": constraints})
}

pub(super) fn path(within: Value) -> Value {
    json!({"constraint_type": "path", "within": within})
}

pub(super) fn url(within: Value) -> Value {
    json!({"constraint_type": "url", "within": within})
}

pub(super) fn cidr(within: Value) -> Value {
    json!({"constraint_type": "cidr", "within": within})
}

pub(super) fn glob(pattern: &str) -> Value {
    json!({"constraint_type": "glob", "pattern": pattern})
}

pub(super) fn length(members: Value) -> Value {
    with("length", members)
}

fn with(kind: &str, mut members: Value) -> Value {
    members["constraint_type"] = json!(kind);
    members
}

/// A parent, children that are permitted, children that are refused.
pub(super) type Case = (Value, Vec<Value>, Vec<Value>);

/// At least one permitted and one refused child for every `+` of the table (under `wildcard`
/// nothing is refused).
pub(super) fn core_cases() -> Vec<Case> {
    vec![
        (
            exact(json!(5)),
            vec![exact(json!(5)), exact(json!(5.0))],
            vec![exact(json!("5")), exact(json!(6)), exact(json!(null)), exact(json!(true))],
        ),
        (
            exact(json!("a")),
            vec![exact(json!("a"))],
            vec![exact(json!("A")), exact(json!("")), exact(json!("a "))],
        ),
        (
            range(json!({"min": 1, "max": 10})),
            vec![
                exact(json!(1)),
                exact(json!(10.0)),
                exact(json!(9.5)),
                range(json!({"min": 1.0, "max": 10})),
                range(json!({"min": 2, "max": 9, "min_inclusive": false})),
                range(json!({"min": 1, "max": 10, "max_inclusive": false})),
            ],
            vec![
                exact(json!(0)),
                exact(json!(10.5)),
                exact(json!("5")),
                exact(json!(null)),
                range(json!({})),
                range(json!({"min": 1})),
                range(json!({"max": 10})),
                range(json!({"min": 0, "max": 10})),
                range(json!({"min": 1, "max": 11})),
            ],
        ),
        (
            range(json!({"min": 1, "min_inclusive": false})),
            vec![
                exact(json!(1.5)),
                range(json!({"min": 1, "min_inclusive": false})),
                range(json!({"min": 1.5, "max": 3})),
            ],
            vec![
                exact(json!(1)),
                range(json!({"min": 1})),
                range(json!({"min": 1, "min_inclusive": true, "max": 3})),
                range(json!({"max": 3})),
            ],
        ),
        (
            range(json!({"max": 1, "max_inclusive": false})),
            vec![range(json!({"max": 1, "max_inclusive": false})), range(json!({"max": 0.5}))],
            vec![range(json!({"max": 1})), range(json!({"min": 0})), exact(json!(1))],
        ),
        (range(json!({})), vec![range(json!({})), exact(json!(-1e300))], vec![exact(json!("x"))]),
        (
            one_of(json!(["a", 1, [1, {"x": 2}]])),
            vec![
                exact(json!("a")),
                exact(json!(1.0)),
                one_of(json!([[1.0, {"x": 2}], 1, "a", "a"])),
                one_of(json!([1])),
            ],
            vec![
                exact(json!("b")),
                exact(json!(true)),
                one_of(json!(["a", "b"])),
                one_of(json!([[{"x": 2}, 1]])),
            ],
        ),
        (
            not_one_of(json!(["a", 1])),
            vec![not_one_of(json!([1.0, "a"])), not_one_of(json!(["a", "b", 1, null]))],
            vec![not_one_of(json!([])), not_one_of(json!(["a"])), not_one_of(json!(["a", "1"]))],
        ),
        (
            not_one_of(json!([])),
            vec![not_one_of(json!([])), not_one_of(json!(["a"]))],
            vec![wildcard(), exact(json!(1))],
        ),
        (
            contains(json!(["a", 1])),
            vec![contains(json!([1, "a"])), contains(json!(["a", "b", 1.0]))],
            vec![contains(json!([])), contains(json!(["a"])), contains(json!(["a", true]))],
        ),
        (
            subset(json!(["a", 1])),
            vec![subset(json!([])), subset(json!([1.0])), subset(json!([1, "a", "a"]))],
            vec![subset(json!(["b"])), subset(json!(["a", 1, 2])), subset(json!([[1]]))],
        ),
        (wildcard(), KINDS.iter().flat_map(|kind| examples(kind)).collect(), vec![]),
        (
            all(json!([range(json!({"min": 0})), range(json!({"max": 100}))])),
            vec![
                all(json!([range(json!({"max": 100})), range(json!({"min": 0}))])),
                all(json!([range(json!({"min": 0, "max": 100}))])),
                all(json!([exact(json!(5))])),
                all(json!([range(json!({"min": 1})), range(json!({"max": 9})), wildcard()])),
            ],
            vec![
                all(json!([range(json!({"min": 0}))])),
                all(json!([wildcard()])),
                all(json!([range(json!({"min": -1})), range(json!({"max": 100}))])),
                // Each holds for what it accepts, but no clause of the child alone says so.
                all(json!([any_of(json!([exact(json!(5))]))])),
            ],
        ),
        (
            any_of(json!([exact(json!("a")), one_of(json!(["b", "c"])), range(json!({"max": 1}))])),
            vec![
                any_of(json!([exact(json!("c"))])),
                any_of(json!([exact(json!(0)), exact(json!("a")), one_of(json!(["c"]))])),
                any_of(json!([range(json!({"max": 0})), range(json!({"max": 1}))])),
            ],
            vec![
                any_of(json!([exact(json!("d"))])),
                any_of(json!([exact(json!("a")), wildcard()])),
                // Each value stands in the parent, but in no clause of it together.
                any_of(json!([one_of(json!(["a", "b"]))])),
            ],
        ),
    ]
}

pub(super) fn extension_cases() -> Vec<Case> {
    vec![
        (
            path(json!(["/srv/data", "/tmp/*.txt"])),
            vec![
                path(json!([])),
                path(json!(["/srv/data"])),
                path(json!(["/srv/data/x/../y/", "/tmp/*.txt"])),
                path(json!(["/srv/data/**/*.md"])),
                exact(json!("/srv/data/a")),
                exact(json!("/srv/./data//a/../b")),
                exact(json!("/tmp/a.txt")),
                one_of(json!(["/srv/data", "/tmp/b.txt"])),
            ],
            vec![
                path(json!(["/"])),
                path(json!(["/srv"])),
                path(json!(["/srv/data", "/etc"])),
                path(json!(["/srv/database"])),
                path(json!(["/srv/data/../secret"])),
                path(json!(["/tmp/**"])),
                path(json!(["/tmp/?*.txt/x"])),
                exact(json!("/srv/data/../secret")),
                exact(json!("/srv/database")),
                exact(json!("srv/data")),
                exact(json!("/srv/data/%2e%2e/x")),
                exact(json!(1)),
                one_of(json!(["/srv/data/a", "/etc/passwd"])),
                one_of(json!(["/srv/data/a", ["/srv/data/a"]])),
            ],
        ),
        (
            url(json!(["https://a.example/x", "https://*.b.example"])),
            vec![
                url(json!([])),
                url(json!(["https://a.example/x/y"])),
                url(json!(["https://a.example:443/x", "https://*.c.b.example/z"])),
                exact(json!("https://a.example/x")),
                exact(json!("https://A.EXAMPLE:443/x/y?q#f")),
                one_of(json!(["https://c.b.example/", "https://a.example/x/1"])),
            ],
            vec![
                url(json!(["*"])),
                url(json!(["http://a.example/x"])),
                url(json!(["https://a.example"])),
                url(json!(["https://a.example/xy"])),
                url(json!(["https://a.example:8443/x"])),
                url(json!(["https://b.example"])),
                exact(json!("http://a.example/x")),
                exact(json!("https://a.example@evil.example/x")),
                exact(json!("https://a.example/x/%2e%2e/y")),
                exact(json!("a.example/x")),
                one_of(json!(["https://a.example/x", "https://evil.example/"])),
            ],
        ),
        (
            cidr(json!(["10.0.0.0/8", "2001:db8::/32"])),
            vec![
                cidr(json!([])),
                cidr(json!(["10.1.0.0/16", "2001:db8:1::/48"])),
                cidr(json!(["10.0.0.0/8"])),
                exact(json!("10.255.255.255")),
                exact(json!("2001:db8::1")),
                exact(json!("::ffff:10.0.0.1")),
                one_of(json!(["10.0.0.1", "10.0.0.2"])),
            ],
            vec![
                cidr(json!(["0.0.0.0/0"])),
                cidr(json!(["10.0.0.0/7"])),
                cidr(json!(["::/0"])),
                cidr(json!(["10.0.0.0/8", "192.168.0.0/16"])),
                exact(json!("11.0.0.1")),
                exact(json!("::ffff:11.0.0.1")),
                exact(json!("10.0.0.1/32")),
                exact(json!("010.0.0.1")),
                exact(json!("10.1")),
                exact(json!("167772161")),
                exact(json!(10.1)),
                one_of(json!(["10.0.0.1", "127.0.0.1"])),
            ],
        ),
        (
            glob("src/*/**/*.rs"),
            vec![
                glob("src/*/**/*.rs"),
                glob("src/a/b.rs"),
                glob("src/a?/**/c/*b.rs"),
                glob("src/a/**/x/**/?.rs"),
                exact(json!("src/a/b.rs")),
                exact(json!("src/a/b/c/.rs")),
                one_of(json!(["src/a/b.rs", "src/c/d/e.rs"])),
            ],
            vec![
                glob("**"),
                glob("src/**/*.rs"),
                glob("src/*/*"),
                glob("src/**/a/*.rs"),
                glob("src/a/b.r?"),
                glob("src/a/*.r*"),
                exact(json!("src/b.rs")),
                exact(json!("src/a/b.rs/")),
                exact(json!("/src/a/b.rs")),
                exact(json!(null)),
                one_of(json!(["src/a/b.rs", "lib/a/b.rs"])),
            ],
        ),
        (
            length(json!({"min": 1, "max": 4})),
            vec![
                length(json!({"min": 1, "max": 4.0})),
                length(json!({"min": 2, "max": 2})),
                exact(json!("a")),
                exact(json!("äöü😀")),
                one_of(json!(["a", "bcde", [1, 2]])),
            ],
            vec![
                length(json!({"min": 1})),
                length(json!({"max": 4})),
                length(json!({"min": 0, "max": 4})),
                length(json!({"min": 1, "max": 5})),
                exact(json!("")),
                exact(json!("abcde")),
                exact(json!(12)),
                one_of(json!(["a", ""])),
                one_of(json!(["a", [1, 2, 3, 4, 5]])),
                one_of(json!(["a", {"a": 1}])),
            ],
        ),
        (
            length(json!({"max": 4})),
            vec![length(json!({"min": 1, "max": 3})), length(json!({"max": 0}))],
            vec![length(json!({"min": 4})), length(json!({"max": 5}))],
        ),
        (
            length(json!({"min": 0})),
            vec![length(json!({"max": 3})), length(json!({"min": 0}))],
            vec![exact(json!(1))],
        ),
    ]
}

/// Constraints of one type, narrow and wide ones, with values of the other types among them.
pub(super) fn examples(kind: &str) -> Vec<Value> {
    match kind {
        "exact" => {
            [json!("/srv/a"), json!(5), json!(null), json!("10.0.0.1"), json!("https://a.example/")]
                .map(exact)
                .into()
        }
        "range" => vec![
            range(json!({})),
            range(json!({"min": 5, "max": 5})),
            range(json!({"min": 0, "max_inclusive": false, "max": 9})),
        ],
        "one_of" => vec![
            one_of(json!(["/srv/a"])),
            one_of(json!([5])),
            one_of(json!([["a"], []])),
            one_of(json!(["a", "b", null, {"x": 1}])),
        ],
        "not_one_of" => vec![not_one_of(json!([])), not_one_of(json!(["a", 5]))],
        "contains" => vec![contains(json!([])), contains(json!(["a"]))],
        "subset" => vec![subset(json!([])), subset(json!(["a", "b"]))],
        "wildcard" => vec![wildcard()],
        "all" => vec![
            all(json!([wildcard()])),
            all(json!([exact(json!(5))])),
            all(json!([exact(json!("/srv/a")), path(json!(["/srv"]))])),
            all(json!([any_of(json!([wildcard()]))])),
        ],
        "any" => vec![
            any_of(json!([wildcard()])),
            any_of(json!([exact(json!(5))])),
            any_of(json!([exact(json!("/srv/a")), subset(json!(["a"]))])),
            any_of(json!([all(json!([wildcard()]))])),
        ],
        "path" => vec![path(json!(["/"])), path(json!(["/srv/a"])), path(json!([]))],
        "url" => vec![url(json!(["*"])), url(json!(["https://a.example/"])), url(json!([]))],
        "cidr" => {
            vec![cidr(json!(["0.0.0.0/0", "::/0"])), cidr(json!(["10.0.0.1/32"])), cidr(json!([]))]
        }
        "glob" => vec![glob("**"), glob("/srv/a"), glob("/*/*"), glob("")],
        "length" => vec![length(json!({"min": 0})), length(json!({"min": 1, "max": 1}))],
        other => panic!("{other}"),
    }
}
