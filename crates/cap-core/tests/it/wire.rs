//! The wire form: what is written, and what is not read.

use cap_core::Capability;
use cap_testkit::strategy::{capability, granted_at, id, tree};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::*;

const ID: &str = "01a1fdfa-4600-7101-8101-010101010101";
const OTHER: &str = "01a1fdfa-4600-7202-8202-020202020202";

/// A root, with the members given put over it; null takes one away.
fn root(members: Value) -> String {
    let mut root = json!({
        "constraints": {},
        "delegation_depth": 0,
        "id": ID,
        "issued_at": "2026-11-21T12:00:00Z",
        "operations": ["read"],
        "principal": "agent",
        "resource": "/srv/data",
        "resource_type": "path",
        "version": 1,
    });
    for (name, value) in members.as_object().unwrap() {
        match value {
            Value::Null => drop(root.as_object_mut().unwrap().remove(name)),
            value => root[name] = value.clone(),
        }
    }
    root.to_string()
}

fn constrained_root(constraints: Value) -> String {
    root(json!({ "constraints": constraints }))
}

fn is_read(text: &str) -> bool {
    Capability::from_json(text).is_ok()
}

fn refusal(text: &str) -> String {
    match Capability::from_json(text) {
        Ok(capability) => panic!("read: {}", capability.to_json()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_wire_form_has_its_members_in_order_and_nothing_else() {
    let text = root(json!({}));
    assert_eq!(
        text,
        r#"{"constraints":{},"delegation_depth":0,"id":"01a1fdfa-4600-7101-8101-010101010101","issued_at":"2026-11-21T12:00:00Z","operations":["read"],"principal":"agent","resource":"/srv/data","resource_type":"path","version":1}"#
    );
    assert_eq!(Capability::from_json(&text).unwrap().to_json(), text);

    let parent = grant(
        cap_core::ResourceType::Path,
        "/srv/data",
        json!({"rate_limit": {"max": 9, "per_seconds": 60}, "allowed_extensions": ["txt"]}),
    );
    let child = child(
        &parent,
        asked(json!({"paths": ["/srv/data/b", "/srv/data/a"], "allowed_tools": ["fs/*"]})),
    );
    let wire = child.to_json();
    assert_eq!(
        wire,
        r#"{"constraints":{"allowed_tools":["fs/*"],"and":[{"allowed_extensions":["txt"],"kinds":["path","tool"],"tool_kinds":["path"]}],"max_delegation_depth":4,"paths":["/srv/data/b","/srv/data/a"]},"delegation_depth":1,"id":"01a1fdfa-4600-7101-8101-010101010101","inherited_limits":[{"owner":"01a1fdfa-4600-7000-8000-000000000000","rate_limit":{"max":9,"per_seconds":60}}],"issued_at":"2026-11-21T12:00:00Z","operations":["call","delete","execute","list","read","write"],"parent":"01a1fdfa-4600-7000-8000-000000000000","principal":"sub-agent","resource":"/srv/data","resource_type":"path","version":1}"#
    );
    assert_eq!(child.id(), id(1));
    assert_eq!(Capability::from_json(&wire).unwrap(), child);
}

#[test]
fn every_member_that_must_be_there_must_be_there() {
    let whole: Value = serde_json::from_str(&root(json!({}))).unwrap();
    for name in whole.as_object().unwrap().keys() {
        let message = refusal(&root(json!({ name: null })));
        assert!(message.contains(&format!("missing field `{name}`")), "{message}");
    }
}

#[test]
fn null_is_not_the_same_as_absent() {
    for name in ["expires_at", "parent", "inherited_limits"] {
        let text = root(json!({})).replacen('{', &format!("{{\"{name}\":null,"), 1);
        assert!(refusal(&text).contains("null"), "{name}");
    }
    for name in [
        "allowed_domains",
        "allowed_extensions",
        "allowed_methods",
        "allowed_tools",
        "and",
        "arguments",
        "commands",
        "expires_at",
        "kinds",
        "max_delegation_depth",
        "max_file_size",
        "operations",
        "paths",
        "protocols",
        "rate_limit",
        "tool_kinds",
        "urls",
    ] {
        let text = constrained_root(json!({ name: null }));
        assert!(refusal(&text).contains("null"), "{name}");
        let text = constrained_root(json!({"and": [{ name: null }]}));
        assert!(refusal(&text).contains("null"), "{name} under `and`");
    }
}

#[test]
fn unknown_members_are_refused_at_every_level() {
    let deep = |members: Value| json!({"arguments": {"fs/read": {"p": members}}});
    for text in [
        root(json!({"note": "x"})),
        root(json!({"Version": 1})),
        root(json!({"not_before": "2026-11-21T12:00:00Z"})),
        constrained_root(json!({"max_call": 3})),
        constrained_root(json!({"path": ["/srv"]})),
        constrained_root(json!({"Paths": ["/srv"]})),
        constrained_root(json!({"and": [{"x": 1}]})),
        constrained_root(json!({"rate_limit": {"max": 1, "per_seconds": 1, "burst": 2}})),
        constrained_root(deep(json!({"constraint_type": "wildcard", "x": 1}))),
        root(json!({
            "delegation_depth": 1,
            "parent": OTHER,
            "inherited_limits": [{"owner": OTHER, "rate_limit": {"max": 1, "per_seconds": 1}, "x": 1}],
        })),
    ] {
        assert!(!is_read(&text), "{text}");
    }
}

#[test]
fn duplicate_members_are_refused_at_every_level() {
    let base = root(json!({}));
    assert!(is_read(&base));
    let twice = |member: &str| base.replacen('{', &format!("{{{member},"), 1);
    for member in [
        r#""version":1"#,
        r#""constraints":{}"#,
        r#""operations":["read"]"#,
        r#""resource":"/srv/data""#,
        r#""\u0076ersion":1"#,
        r#""principal":"agent""#,
    ] {
        assert!(refusal(&twice(member)).contains("duplicate"), "{member}");
    }
    let within = |constraints: &str| {
        base.replace(r#""constraints":{}"#, &format!(r#""constraints":{constraints}"#))
    };
    for constraints in [
        r#"{"paths":["/srv"],"paths":["/"]}"#,
        r#"{"paths":["/srv"],"p\u0061ths":["/"]}"#,
        r#"{"and":[],"and":[]}"#,
        r#"{"and":[{"kinds":["*"],"kinds":["*"]}]}"#,
        r#"{"rate_limit":{"max":1,"max":2,"per_seconds":1}}"#,
        r#"{"arguments":{},"arguments":{}}"#,
        r#"{"arguments":{"a/b":{"*":{"constraint_type":"wildcard"}},"a/b":{"*":{"constraint_type":"wildcard"}}}}"#,
        r#"{"arguments":{"a/b":{"p":{"constraint_type":"wildcard"},"p":{"constraint_type":"wildcard"}}}}"#,
        r#"{"arguments":{"a/b":{"p":{"constraint_type":"exact","value":1,"value":2}}}}"#,
        r#"{"arguments":{"a/b":{"p":{"constraint_type":"exact","constraint_type":"wildcard"}}}}"#,
        r#"{"arguments":{"a/b":{"p":{"constraint_type":"one_of","values":[{"x":1,"x":2}]}}}}"#,
        r#"{"arguments":{"a/b":{"p":{"constraint_type":"one_of","values":[[{"x":1,"\u0078":1}]]}}}}"#,
        r#"{"arguments":{"a/b":{"p":{"constraint_type":"all","constraints":[{"constraint_type":"range","min":1,"min":2}]}}}}"#,
    ] {
        let text = within(constraints);
        assert!(refusal(&text).contains("duplicate"), "{constraints}");
    }
    assert!(is_read(&within(
        r#"{"arguments":{"a/b":{"p":{"constraint_type":"exact","value":1}}}}"#
    )));
}

#[test]
fn wrong_types_and_values_are_refused() {
    for (name, value) in [
        ("version", json!(0)),
        ("version", json!(2)),
        ("version", json!("1")),
        ("version", json!(1.0)),
        ("version", json!(true)),
        ("version", json!(257)),
        ("delegation_depth", json!(-1)),
        ("delegation_depth", json!("0")),
        ("delegation_depth", json!(0.0)),
        ("constraints", json!([])),
        ("constraints", json!("")),
        ("id", json!("01A1FDFA-4600-7101-8101-010101010101")),
        ("id", json!("01a1fdfa-4600-4101-8101-010101010101")),
        ("id", json!(1)),
        ("issued_at", json!(1_795_262_400)),
        ("issued_at", json!("2026-11-21")),
        ("issued_at", json!("2026-11-21T12:00:00")),
        ("issued_at", json!("2026-11-21T12:00:00.5Z")),
        ("issued_at", json!("2026-12-31T23:59:60Z")),
        ("expires_at", json!("2026-11-21T13:00:00.000001Z")),
        ("expires_at", json!("2026-11-21T12:00:00Z")),
        ("expires_at", json!("2026-11-20T12:00:00Z")),
        ("expires_at", json!(false)),
        ("operations", json!("read")),
        ("operations", json!(["Read"])),
        ("operations", json!(["read", "read"])),
        ("operations", json!(["*", "read"])),
        ("operations", json!([["read"]])),
        ("principal", json!("")),
        ("principal", json!("a\u{200b}")),
        ("principal", json!(["a"])),
        ("resource", json!("srv")),
        ("resource", json!(["/srv"])),
        ("resource_type", json!("file")),
        ("resource_type", json!("Path")),
        ("resource_type", json!({"path": null})),
    ] {
        let text = root(json!({ name: value }));
        assert!(!is_read(&text), "{text}");
    }
}

#[test]
fn wrong_types_and_values_of_constraints_are_refused() {
    for (name, value) in [
        ("allowed_domains", json!("a.example")),
        ("allowed_domains", json!(["A.example"])),
        ("allowed_extensions", json!([".txt"])),
        ("allowed_extensions", json!([""])),
        ("allowed_extensions", json!(["a/b"])),
        ("allowed_extensions", json!(["a\nb"])),
        ("allowed_methods", json!(["prompts*"])),
        ("allowed_tools", json!(["read"])),
        ("allowed_tools", json!({"fs/read": true})),
        ("and", json!({})),
        ("and", json!([[]])),
        ("and", json!([{"and": []}, {"and": [{}]}])),
        ("arguments", json!([])),
        ("arguments", json!({"read": {"*": {"constraint_type": "wildcard"}}})),
        ("arguments", json!({"fs/read": {}})),
        ("commands", json!([" git"])),
        ("expires_at", json!("tomorrow")),
        ("kinds", json!(["file"])),
        ("kinds", json!(["path", "path"])),
        ("max_delegation_depth", json!(17)),
        ("max_delegation_depth", json!(-1)),
        ("max_file_size", json!(-1)),
        ("max_file_size", json!(1.5)),
        ("max_file_size", json!("1")),
        ("operations", json!(["admin"])),
        ("paths", json!(["srv"])),
        ("paths", json!([1])),
        ("paths", json!("/srv")),
        ("protocols", json!(["HTTPS"])),
        ("protocols", json!(["file"])),
        ("protocols", json!(["https:"])),
        ("rate_limit", json!(5)),
        ("rate_limit", json!({"max": 5})),
        ("rate_limit", json!({"max": 0, "per_seconds": 1})),
        ("tool_kinds", json!("path")),
        ("urls", json!(["a.example"])),
    ] {
        let text = constrained_root(json!({ name: value }));
        assert!(!is_read(&text), "{text}");
    }
    assert!(is_read(&constrained_root(json!({"and": []}))));
}

#[test]
fn numbers_in_disguise_are_refused() {
    // How numbers arrive where somebody turns on `serde_json/arbitrary_precision`.
    let disguised = json!({"$serde_json::private::Number": "1"});
    let rule = json!({"constraint_type": "not_one_of", "excluded": [disguised]});
    assert!(!is_read(&constrained_root(json!({"arguments": {"a/b": {"p": rule}}}))));
}

#[test]
fn an_array_of_its_values_is_no_object() {
    let whole: Value = serde_json::from_str(&root(json!({}))).unwrap();
    let values: Vec<&Value> = whole.as_object().unwrap().values().collect();
    let limit = json!({"max": 1, "per_seconds": 60});
    let child = |limits: Value| {
        root(json!({"delegation_depth": 1, "parent": OTHER, "inherited_limits": limits}))
    };
    assert!(is_read(&constrained_root(json!({"rate_limit": limit}))));
    assert!(is_read(&child(json!([{"owner": OTHER, "rate_limit": limit}]))));
    for text in [
        json!(values).to_string(),
        constrained_root(json!([])),
        constrained_root(json!({"and": [[]]})),
        constrained_root(json!({"rate_limit": [1, 60]})),
        child(json!([[OTHER, limit]])),
        child(json!([{"owner": OTHER, "rate_limit": [1, 60]}])),
    ] {
        assert!(!is_read(&text), "{text}");
    }
}

#[test]
fn parent_and_depth_must_fit_each_other() {
    let child = |members: Value| {
        let mut all = json!({"delegation_depth": 1, "parent": OTHER});
        all.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        root(all)
    };
    let limit = |owner: &str| json!({"owner": owner, "rate_limit": {"max": 1, "per_seconds": 1}});
    assert!(is_read(&child(json!({}))));
    assert!(is_read(&child(json!({"inherited_limits": [limit(OTHER)]}))));
    let last = Capability::from_json(&child(json!({
        "delegation_depth": 16,
        "constraints": {"max_delegation_depth": 16},
    })));
    let last = last.unwrap();
    assert_eq!(last.max_delegation_depth(), 0, "there are 16 links above it");
    let deeper = last.delegate(id(1), asked(json!({})), granted_at()).unwrap_err();
    assert_eq!(deeper, cap_core::DelegateError::TooDeep);
    for text in [
        root(json!({"parent": OTHER})),
        root(json!({"delegation_depth": 1})),
        child(json!({"delegation_depth": 17})),
        child(json!({"parent": ID})),
        child(json!({"inherited_limits": [limit(ID)]})),
        child(
            json!({"inherited_limits": [limit(OTHER), limit("01a1fdfa-4600-7303-8303-030303030303")]}),
        ),
        child(json!({"delegation_depth": 2, "inherited_limits": [limit(OTHER), limit(OTHER)]})),
        child(
            json!({"inherited_limits": [{"owner": OTHER, "rate_limit": {"max": 0, "per_seconds": 1}}]}),
        ),
        child(
            json!({"inherited_limits": [{"owner": OTHER, "rate_limit": {"max": 1, "per_seconds": 0}}]}),
        ),
        root(json!({"inherited_limits": [limit(OTHER)]})),
    ] {
        assert!(!is_read(&text), "{text}");
    }
}

#[test]
fn sizes_are_bounded_before_anything_is_read() {
    let padded =
        |bytes: usize| format!("{}{}", " ".repeat(bytes - root(json!({})).len()), root(json!({})));
    assert!(is_read(&padded(65_536)));
    assert!(refusal(&padded(65_537)).contains("at most 65536 bytes"));
    let paths = |count: usize| (0..count).map(|n| format!("/srv/data/{n}")).collect::<Vec<_>>();
    assert!(is_read(&constrained_root(json!({"paths": paths(256)}))));
    for (name, value) in [
        ("paths", json!(paths(257))),
        ("commands", json!(paths(257))),
        ("allowed_extensions", json!((0..257).map(|n| format!("e{n}")).collect::<Vec<_>>())),
        ("protocols", json!((0..257).map(|n| format!("s{n}")).collect::<Vec<_>>())),
        ("and", json!(vec![json!({}); 65])),
        (
            "and",
            json!(
                (0..64)
                    .map(|n| json!({"paths": [format!("/srv/data/{n}/*"), "/srv/data/x"]}))
                    .collect::<Vec<_>>()
            ),
        ),
    ] {
        assert!(!is_read(&constrained_root(json!({ name: value }))), "{name}");
    }
}

#[test]
fn what_is_written_never_outgrows_what_is_read() {
    // `*` is written out as all names, so that the text could outgrow its bound.
    let sets = vec![json!({"kinds": ["*"], "operations": ["*"]}); 30];
    let mut text = constrained_root(json!({ "and": sets }));
    let filler = json!("x".repeat(64 * 1024 - text.len() - 100));
    let rule = json!({"constraint_type": "exact", "value": filler});
    text = constrained_root(json!({"and": sets, "arguments": {"a/b": {"p": rule}}}));
    assert!(text.len() <= 65_536);
    assert!(refusal(&text).contains("longer"));
}

#[test]
fn what_is_no_json_object_is_refused() {
    let good = root(json!({}));
    for text in [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        format!("[{good}]"),
        format!("{good}{good}"),
        format!("{good}x"),
        format!("\u{feff}{good}"),
        good.replace('}', ""),
        good.replace('"', "'"),
        good.replace(r#""version":1"#, r#""version":01"#),
        good.replace(r#""version":1"#, r#""version":1,"#),
        good.replace("agent", "\\ud800"),
        good.replace("{}", &format!("{}1{}", "[".repeat(5000), "]".repeat(5000))),
        constrained_root(json!({})).replace(
            "{}",
            &format!(
                r#"{{"arguments":{{"a/b":{{"p":{{"constraint_type":"exact","value":{}1{}}}}}}}}}"#,
                "[".repeat(5000),
                "]".repeat(5000)
            ),
        ),
    ] {
        assert!(!is_read(&text), "{text}");
    }
}

#[test]
fn one_meaning_may_be_read_from_several_texts_and_is_written_in_one() {
    let canonical = Capability::from_json(&root(json!({"operations": ["call", "read"]}))).unwrap();
    for text in [
        root(json!({"operations": ["read", "call"]})),
        root(json!({"operations": ["read", "call"], "issued_at": "2026-11-21T13:00:00+01:00"})),
        format!(" \n{} ", root(json!({"operations": ["read", "call"]}))),
    ] {
        let read = Capability::from_json(&text).unwrap();
        assert_eq!(read, canonical);
        assert_eq!(read.to_json(), canonical.to_json());
    }
}

proptest! {
    #[test]
    fn a_root_is_written_as_it_is_read(capability in capability()) {
        round_trips(&capability)?;
    }

    #[test]
    fn a_delegated_capability_is_written_as_it_is_read(tree in tree()) {
        for place in tree.places() {
            round_trips(tree.at(place))?;
        }
    }

    #[test]
    fn a_changed_byte_is_refused_or_read_as_something_that_round_trips(
        capability in capability(),
        at in any::<prop::sample::Index>(),
        byte in "[ -~]",
    ) {
        let mut text = capability.to_json();
        if !text.is_ascii() {
            return Ok(());
        }
        let at = at.index(text.len());
        text.replace_range(at..=at, &byte);
        if let Ok(read) = Capability::from_json(&text) {
            round_trips(&read)?;
            let _ = read.permits(&crate::support::read("/a"), granted_at());
        }
    }
}

fn round_trips(capability: &Capability) -> Result<(), TestCaseError> {
    let text = capability.to_json();
    let read = Capability::from_json(&text).unwrap();
    prop_assert_eq!(&read, capability);
    prop_assert_eq!(read.authority(), capability.authority());
    prop_assert_eq!(read.to_json(), text);
    let value = serde_json::to_string(&capability).unwrap();
    prop_assert_eq!(value, read.to_json());
    Ok(())
}
