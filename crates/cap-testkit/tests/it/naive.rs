//! The naive model against the text that it is written from, by hand.

use std::net::IpAddr;

use cap_core::{
    AbsPath, AccessRequest, Addresses, CommandRequest, Mapping, Operation, Operations, PathRequest,
    Resource, ToolRequest, UrlRequest, UrlTarget,
};
use cap_testkit::naive;
use cap_testkit::strategy::{custom_means, granted_at};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

#[expect(clippy::needless_pass_by_value, reason = "made where it is passed")]
fn capability(resource_type: &str, resource: &str, constraints: Value) -> Value {
    json!({
        "constraints": constraints,
        "operations": ["*"],
        "resource": resource,
        "resource_type": resource_type,
    })
}

fn refusals(capability: &Value, request: &AccessRequest, now: DateTime<Utc>) -> Vec<String> {
    naive::refusals(capability, request, &custom_means, now).into_iter().collect()
}

fn refused_by(constraints: Value, request: &AccessRequest) -> Vec<String> {
    refusals(&capability("any", "*", constraints), request, granted_at())
}

fn permits(constraints: Value, request: &AccessRequest) -> bool {
    refused_by(constraints, request).is_empty()
}

fn path(text: &str) -> AccessRequest {
    let path = PathRequest::lexical(AbsPath::parse(text).unwrap());
    AccessRequest::new(Resource::Path(path), Operations::NONE.with(Operation::Read))
}

fn url(text: &str, resolved: Option<&[&str]>) -> AccessRequest {
    let addresses = resolved.map_or(Addresses::Unknown, |all| {
        Addresses::Resolved(all.iter().map(|one| one.parse::<IpAddr>().unwrap()).collect())
    });
    let url = UrlTarget::parse(text).unwrap();
    let request = UrlRequest { url, method: Some("GET".to_owned()), addresses };
    AccessRequest::new(Resource::Url(request), Operations::NONE.with(Operation::Read))
}

fn command(vector: &[&str], environment: &[&str]) -> AccessRequest {
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    let command = CommandRequest {
        program: vector[0].to_owned(),
        arguments: texts(&vector[1..]),
        environment: texts(environment),
    };
    AccessRequest::new(Resource::Command(command), Operations::NONE.with(Operation::Execute))
}

#[expect(clippy::needless_pass_by_value, reason = "made where it is passed")]
fn call(arguments: Value) -> AccessRequest {
    let tool = ToolRequest {
        name: "fs/read".parse().unwrap(),
        arguments: arguments.as_object().unwrap().clone(),
        mapping: Mapping::Unlisted,
    };
    AccessRequest::new(Resource::Tool(tool), Operations::CALL)
}

#[test]
fn a_window_lasts_until_the_next_end_after_its_beginning() {
    let window = |days: Value, from: &str, to: &str, offset: &str| {
        let window = json!({"days": days, "from": from, "to": to, "offset": offset});
        capability("any", "*", json!({"time_windows": [window]}))
    };
    let cases = [
        // 2026-11-21 is a Saturday.
        (window(json!(["sat"]), "08:00", "17:00", "Z"), "21T07:59:59.999Z", false),
        (window(json!(["sat"]), "08:00", "17:00", "Z"), "21T08:00:00Z", true),
        (window(json!(["sat"]), "08:00", "17:00", "Z"), "21T16:59:59.999Z", true),
        (window(json!(["sat"]), "08:00", "17:00", "Z"), "21T17:00:00Z", false),
        (window(json!(["fri", "sun"]), "08:00", "17:00", "Z"), "21T12:00:00Z", false),
        (window(json!(["fri"]), "22:00", "02:00", "Z"), "21T01:59:59Z", true),
        (window(json!(["fri"]), "22:00", "02:00", "Z"), "21T02:00:00Z", false),
        (window(json!(["sat"]), "22:00", "02:00", "Z"), "21T01:00:00Z", false),
        (window(json!(["sat"]), "22:00", "02:00", "Z"), "21T21:59:59Z", false),
        // The week ends on Sunday.
        (window(json!(["sun"]), "22:00", "02:00", "Z"), "23T01:00:00Z", true),
        (window(json!(["sun"]), "22:00", "24:00", "Z"), "22T23:59:59Z", true),
        (window(json!(["sun"]), "22:00", "24:00", "Z"), "23T00:00:00Z", false),
        (window(json!(["sun"]), "22:00", "00:00", "Z"), "22T23:59:59Z", true),
        (window(json!(["sun"]), "22:00", "00:00", "Z"), "23T00:00:00Z", false),
        // As long as a day.
        (window(json!(["sat"]), "12:00", "12:00", "Z"), "21T11:59:59Z", false),
        (window(json!(["sat"]), "12:00", "12:00", "Z"), "21T12:00:00Z", true),
        (window(json!(["sat"]), "12:00", "12:00", "Z"), "22T11:59:59Z", true),
        (window(json!(["sat"]), "12:00", "12:00", "Z"), "22T12:00:00Z", false),
        (window(json!(["*"]), "00:00", "24:00", "Z"), "24T05:06:07Z", true),
        // 20:00Z on Saturday is 10:00 on Sunday there.
        (window(json!(["sun"]), "09:00", "10:30", "+14:00"), "21T20:00:00Z", true),
        (window(json!(["sat"]), "09:00", "10:30", "+14:00"), "21T20:00:00Z", false),
        (window(json!(["fri"]), "18:30", "18:31", "-05:30"), "21T00:00:00Z", true),
        (window(json!(["fri"]), "18:30", "18:31", "-05:30"), "21T00:01:00Z", false),
    ];
    for (capability, at, expected) in cases {
        let now = DateTime::parse_from_rfc3339(&format!("2026-11-{at}")).unwrap().to_utc();
        let refusals = refusals(&capability, &path("/a"), now);
        assert_eq!(refusals.is_empty(), expected, "{at} {capability}");
        assert!(expected || refusals == ["time_windows"]);
    }
}

#[test]
fn what_is_not_valid_yet_is_refused_and_what_is_valid_is_not() {
    let set = |at: &str| json!({"not_before": at});
    assert!(permits(set("2026-11-21T12:00:00Z"), &path("/a")));
    assert_eq!(refused_by(set("2026-11-21T12:00:01Z"), &path("/a")), ["not_before"]);
}

#[test]
fn every_address_must_be_in_a_network_as_what_it_embeds() {
    type Row<'a> = (&'a str, Option<&'a [&'a str]>, &'a [&'a str], bool);
    let cases: [Row<'_>; 18] = [
        ("https://a.example", None, &["0.0.0.0/0", "::/0"], false),
        ("https://a.example", Some(&[]), &["0.0.0.0/0", "::/0"], false),
        ("https://a.example", Some(&["10.0.0.1"]), &["10.0.0.0/8"], true),
        ("https://a.example", Some(&["10.255.255.255", "11.0.0.0"]), &["10.0.0.0/8"], false),
        ("https://10.1.2.3", None, &["10.0.0.0/8"], true),
        ("https://10.1.2.3", Some(&["8.8.8.8"]), &["10.0.0.0/8"], false),
        ("https://8.8.8.8", Some(&["10.0.0.1"]), &["10.0.0.0/8"], false),
        ("https://[::ffff:10.1.2.3]", None, &["10.0.0.0/8"], true),
        ("https://[::ffff:10.1.2.3]", None, &["::/0"], false),
        ("https://[64:ff9b::10.1.2.3]", None, &["10.0.0.0/8"], true),
        ("https://[2002:a01:203::1]", None, &["10.1.2.3/32"], true),
        // Teredo: the server and the client.
        ("https://[2001::f5fe:fdfc]", None, &["10.1.2.3/32"], false),
        ("https://[2001:0:a01:203::f5fe:fdfc]", None, &["10.1.2.3/32"], true),
        ("https://[2600::5efe:10.1.2.3]", None, &["10.1.2.3/32"], true),
        ("https://[::10.1.2.3]", None, &["10.1.2.3/32"], true),
        ("https://[::1]", None, &["::/0"], true),
        ("https://[2606:4700::1]", None, &["2606:4700::/32"], true),
        ("https://[2606:4701::1]", None, &["2606:4700::/32"], false),
    ];
    for (text, resolved, networks, expected) in cases {
        let request = url(text, resolved);
        assert_eq!(permits(json!({"cidr": networks}), &request), expected, "{text} {networks:?}");
    }
}

#[test]
fn special_addresses_and_local_names_are_private() {
    let public = |request: &AccessRequest| permits(json!({"private_networks": false}), request);
    for private in [
        "0.0.0.0",
        "10.0.0.0",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.1.1",
        "198.19.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "fc00::1",
        "fe80::1",
        "ff02::1",
        "2001:db8::1",
        "2001:2::1",
        "3fff::1",
        "5f00::1",
        "100::1",
        "64:ff9b:1::808:808",
        "::ffff:10.0.0.1",
        "64:ff9b::127.0.0.1",
        "2002:a9fe:a9fe::1",
        "2001::80ff:fffe",
        "2002:808:808::1",
        "2001:0:808:808::f7f7:f7f7",
        "2600::5efe:10.0.0.1",
    ] {
        assert!(!public(&url("https://a.example", Some(&["8.8.8.8", private]))), "{private}");
        let host = if private.contains(':') { format!("[{private}]") } else { private.to_owned() };
        assert!(!public(&url(&format!("https://{host}/"), None)), "{private}");
    }
    for public_one in [
        "8.8.8.8",
        "9.255.255.255",
        "100.128.0.0",
        "172.32.0.1",
        "192.0.0.9",
        "192.0.0.10",
        "2606:4700::1",
        "2001:1::1",
        "2001:20::1",
        "2001:200::",
        "3fff:1000::1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
    ] {
        assert!(public(&url("https://a.example", Some(&[public_one]))), "{public_one}");
    }
    for name in
        ["localhost", "a.localhost", "printer", "nas.local", "x.internal", "a.home.arpa", "b.onion"]
    {
        assert!(!public(&url(&format!("https://{name}/"), Some(&["8.8.8.8"]))), "{name}");
    }
    assert!(public(&url("https://a.example", None)));
    assert!(!public(&url("https://a.example", Some(&[]))), "nowhere to go");
    assert!(permits(json!({"private_networks": true}), &url("https://127.0.0.1", None)));
}

#[test]
fn urls_mean_addresses_only_by_their_name_or_as_all() {
    for (pattern, text, expected) in [
        ("*", "https://127.0.0.1/", true),
        ("*", "https://localhost/", true),
        ("https://*.localhost", "https://a.localhost/", false),
        ("https://127.0.0.1", "https://127.0.0.1/a", true),
        ("https://*.0.0.1", "https://127.0.0.1/a", false),
        ("https://*.a.example", "https://b.a.example/", true),
        ("https://*.a.example", "https://a.example/", false),
        ("https://a.example/a", "https://a.example/ab", false),
        ("https://a.example/a", "https://a.example/a/%2e%2e/b", false),
    ] {
        assert_eq!(
            permits(json!({"urls": [pattern]}), &url(text, None)),
            expected,
            "{pattern} {text}"
        );
    }
}

#[test]
fn ports_and_methods_must_be_known_and_listed() {
    for (ports, text, expected) in [
        (json!([443]), "https://a.example", true),
        (json!([443]), "http://a.example", false),
        (json!(["80-443"]), "http://a.example", true),
        (json!(["81-442", 444]), "https://a.example", false),
        (json!(["8000-9000"]), "https://a.example:9000", true),
        (json!(["8000-9000"]), "https://a.example:9001", false),
    ] {
        assert_eq!(permits(json!({"ports": ports}), &url(text, None)), expected, "{ports} {text}");
    }
    let request = url("https://a.example", None);
    assert!(permits(json!({"methods": ["POST", "GET"]}), &request));
    assert_eq!(refused_by(json!({"methods": ["POST"]}), &request), ["methods"]);
    let unsaid = UrlRequest::lexical(UrlTarget::parse("https://a.example").unwrap());
    let unsaid = AccessRequest::new(Resource::Url(unsaid), Operations::NONE.with(Operation::Read));
    assert_eq!(refused_by(json!({"methods": ["GET"]}), &unsaid), ["methods"]);
    assert!(permits(json!({"methods": ["GET"], "ports": [1], "cidr": []}), &path("/a")));
}

#[test]
fn arguments_match_element_by_element_and_wildcards_hide_no_option() {
    let rules = json!({
        "git": [["status"], ["log", "--oneline", "*"], ["show", "**"], ["x", "-*"], ["a\n?", "?b", "*"]],
        "ls": [],
    });
    for (vector, expected) in [
        (&["git", "status"][..], true),
        (&["git", "status", "a"], false),
        (&["git"], false),
        (&["git", "log", "--oneline", "x"], true),
        (&["git", "log", "--oneline", ""], true),
        (&["git", "log", "--oneline", "-x"], false),
        (&["git", "log", "--oneline"], false),
        (&["git", "log", "--oneline", "x\n"], false),
        (&["git", "show"], true),
        (&["git", "show", "a", "", "b c"], true),
        (&["git", "show", "a", "-b"], false),
        (&["git", "show", "a\u{7f}"], false),
        (&["git", "x", "--upload-pack=y"], true),
        (&["git", "x", "-\t"], false),
        (&["git", "a\nc", "ab", "b"], true),
        (&["git", "a\n\n", "ab", "b"], false),
        (&["git", "a\nc", "-b", "b"], false),
        (&["ls"], false),
        (&["rm"], true),
        (&["rm", "a", "*"], true),
        (&["rm", "-r"], false),
        (&["rm", "-"], false),
        (&["rm", "a\u{85}"], false),
    ] {
        let refused = refused_by(json!({"command_args": rules}), &command(vector, &[]));
        assert_eq!(refused.is_empty(), expected, "{vector:?}");
        assert!(expected || refused == ["command_args"]);
    }
    for vector in [&["git", "\0"][..], &[""], &["git\n"], &["g\u{85}t"]] {
        assert_eq!(refused_by(json!({}), &command(vector, &[])), ["request"], "{vector:?}");
    }
    assert!(permits(json!({}), &command(&["git", "-x", "a\nb"], &["LD_PRELOAD"])));
}

#[test]
fn what_is_granted_only_is_refused_without_a_word() {
    let ask = |resource_type: &str, resource: &str, constraints: Value, request: &AccessRequest| {
        refusals(&capability(resource_type, resource, constraints), request, granted_at())
    };
    let local = url("https://127.0.0.1/", None);
    assert_eq!(ask("url", "*", json!({}), &local), ["private_networks"]);
    assert!(ask("url", "*", json!({"private_networks": true}), &local).is_empty());
    assert!(ask("url", "*", json!({"and": [{"private_networks": true}]}), &local).is_empty());
    let both = json!({"private_networks": true, "and": [{"private_networks": false}]});
    assert_eq!(ask("url", "*", both, &local), ["private_networks"]);
    assert_eq!(ask("tool", "*", json!({"urls": ["*"]}), &local), ["private_networks"]);
    assert_eq!(ask("tool", "*", json!({}), &local), ["allowed_tools", "kinds"][1..]);
    assert!(ask("any", "*", json!({}), &local).is_empty());

    let option = command(&["git", "-x"], &["PATH"]);
    assert_eq!(ask("command", "git", json!({}), &option), ["command_args", "environment"]);
    let granted = json!({"command_args": {"git": [["-x"]]}, "environment": ["PATH", "A"]});
    assert!(ask("command", "git", granted, &option).is_empty());
    let granted = json!({"commands": ["git"], "command_args": {}});
    assert_eq!(ask("path", "/", granted, &option), ["command_args", "environment"]);
    assert!(ask("command", "*", json!({}), &command(&["git", "a"], &[])).is_empty());
}

#[test]
fn custom_constraints_must_be_registered_and_hold() {
    assert!(permits(json!({"custom": {"kind": "path", "operations-at-most": 1}}), &path("/a")));
    assert_eq!(refused_by(json!({"custom": {"kind": "url"}}), &path("/a")), ["custom"]);
    assert_eq!(refused_by(json!({"custom": {"kind": "path", "x": 1}}), &path("/a")), ["custom"]);
    let wire = capability("any", "*", json!({"custom": {"kind": "path"}}));
    assert!(!naive::permits(&wire, &path("/a"), granted_at()));
}

#[test]
fn texts_in_arguments_mean_paths_urls_addresses_and_segments() {
    let cases = [
        (
            json!({"constraint_type": "path", "within": ["/a"]}),
            vec!["/a", "/a/b/../c", "//a/."],
            vec!["/ab", "a", "/a/../b", "/a/%2e%2e/b", "/a\n"],
        ),
        (
            json!({"constraint_type": "path", "within": ["/a/*.txt", "/b"]}),
            vec!["/a/x.txt", "/b/c"],
            vec!["/a/b/x.txt", "/a"],
        ),
        (json!({"constraint_type": "path", "within": []}), vec![], vec!["/", "/a"]),
        (
            json!({"constraint_type": "url", "within": ["https://a.example"]}),
            vec!["https://a.example/x", "HTTPS://A.EXAMPLE:443"],
            vec!["http://a.example", "a.example", "https://a.example.b.example"],
        ),
        (
            json!({"constraint_type": "url", "within": ["*"]}),
            vec!["http://127.0.0.1"],
            vec!["file:///a", "/a", ""],
        ),
        (
            json!({"constraint_type": "cidr", "within": ["10.0.0.0/8"]}),
            vec!["10.1.2.3", "::ffff:10.1.2.3"],
            vec!["11.0.0.0", "10.1.2", "010.1.2.3", "10.1.2.3/32", "[::ffff:10.1.2.3]"],
        ),
        (
            json!({"constraint_type": "glob", "pattern": "a/*/c"}),
            vec!["a/b/c", "a//c"],
            vec!["a/b/b/c", "a/c", "/a/b/c"],
        ),
        (
            json!({"constraint_type": "glob", "pattern": "a/**"}),
            vec!["a", "a/", "a/b/c"],
            vec!["b", "/a", "ab"],
        ),
        (json!({"constraint_type": "glob", "pattern": "?"}), vec!["é", "b"], vec!["", "bb", "/"]),
        (
            json!({"constraint_type": "length", "min": 1, "max": 2}),
            vec!["é", "éé"],
            vec!["", "abc"],
        ),
    ];
    for (rule, good, bad) in cases {
        let set = json!({"arguments": {"fs/read": {"p": rule}}});
        for text in good {
            assert!(permits(set.clone(), &call(json!({"p": text}))), "{rule} {text:?}");
        }
        for text in bad {
            assert_eq!(
                refused_by(set.clone(), &call(json!({"p": text}))),
                ["arguments"],
                "{rule} {text:?}"
            );
        }
        assert!(!permits(set, &call(json!({"p": 1}))), "{rule}");
    }
    let items = json!({"arguments": {"fs/read": {"p": {"constraint_type": "length", "max": 1}}}});
    assert!(permits(items.clone(), &call(json!({"p": [1]}))));
    assert!(!permits(items.clone(), &call(json!({"p": [1, 2]}))));
    assert!(!permits(items, &call(json!({"p": {}}))));
}
