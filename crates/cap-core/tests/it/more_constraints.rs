//! Time, addresses, ports, methods, argument vectors, environment: what is permitted and refused.

use cap_core::{
    AccessRequest, Addresses, Capability, CommandRequest, DelegateError, DenyCode, Operation,
    Operations, Resource, ResourceType,
};
use cap_testkit::strategy::{granted_at, id};
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use crate::support::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn codes(capability: &Capability, request: &AccessRequest, now: DateTime<Utc>) -> Vec<DenyCode> {
    capability.explain(request, now).reasons().iter().map(cap_core::Denial::code).collect()
}

fn run(program: &str, arguments: &[&str], environment: &[&str]) -> AccessRequest {
    let owned = |list: &[&str]| list.iter().map(|&one| one.to_owned()).collect();
    let (arguments, environment) = (owned(arguments), owned(environment));
    let command = CommandRequest { program: program.into(), arguments, environment };
    AccessRequest::new(Resource::Command(command), Operations::NONE.with(Operation::Execute))
}

fn fetch(text: &str, method: Option<&str>, addresses: Option<&[&str]>) -> AccessRequest {
    let mut request = url(text);
    if let Resource::Url(url) = &mut request.resource {
        url.method = method.map(str::to_owned);
        if let Some(addresses) = addresses {
            let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
            url.addresses = Addresses::Resolved(addresses);
        }
    }
    request
}

#[test]
fn not_before_permits_from_its_instant_on() {
    let begins = granted_at() + Duration::hours(1);
    let granted = constrained(json!({"not_before": begins}));
    let early = codes(&granted, &read("/"), begins - Duration::nanoseconds(1));
    assert_eq!(early, [DenyCode::CapabilityNotYetValid]);
    assert!(granted.permits(&read("/"), begins).is_allow());
}

#[test]
fn a_capability_that_ends_before_it_begins_is_none() {
    let times = json!({"not_before": "2030-01-02T00:00:00Z", "expires_at": "2030-01-02T00:00:00Z"});
    let grant = root_grant(ResourceType::Any, "*", times);
    assert!(Capability::grant(id(0), grant, granted_at()).is_err());
}

#[test]
fn time_windows_permit_within_any_of_them() {
    let window = |days: Value, from: &str, to: &str| json!({"days": days, "from": from, "to": to, "offset": "+02:00"});
    let granted = constrained(json!({"time_windows": [
        window(json!(["mon", "tue"]), "09:00", "17:00"),
        window(json!(["fri"]), "22:00", "06:00"),
    ]}));
    for good in [
        "2026-11-23T07:00:00Z",
        "2026-11-24T14:59:59Z",
        "2026-11-27T20:00:00Z",
        "2026-11-28T03:59:59Z",
    ] {
        assert!(granted.permits(&read("/"), at(good)).is_allow(), "{good}");
    }
    for bad in [
        "2026-11-23T06:59:59Z",
        "2026-11-24T15:00:00Z",
        "2026-11-25T09:00:00Z",
        "2026-11-28T04:00:00Z",
    ] {
        assert_eq!(codes(&granted, &read("/"), at(bad)), [DenyCode::OutsideTimeWindow], "{bad}");
    }
}

#[test]
fn ports_include_the_one_that_a_scheme_implies() {
    let granted = constrained(json!({"ports": [443, "8000-8002"]}));
    for good in ["https://a.example/", "http://a.example:443/", "http://a.example:8001/"] {
        assert!(permits(&granted, &url(good)), "{good}");
    }
    for bad in ["http://a.example/", "https://a.example:8003/", "x-y://a.example/"] {
        assert_refused(
            &granted,
            &url(bad),
            DenyCode::PortNotAllowed,
            "ports",
            &["`443` or `8000-8002`"],
        );
    }
}

#[test]
fn methods_are_compared_exactly_and_must_be_said() {
    let granted = constrained(json!({"methods": ["GET", "HEAD"]}));
    assert!(permits(&granted, &fetch("https://a.example/", Some("GET"), None)));
    for bad in [Some("POST"), Some("get"), None] {
        let request = fetch("https://a.example/", bad, None);
        assert_refused(&granted, &request, DenyCode::HttpMethodNotAllowed, "methods", &[]);
    }
}

#[test]
fn private_networks_are_refused_unless_granted() {
    let public = grant(ResourceType::Url, "*", json!({}));
    let private = grant(ResourceType::Url, "*", json!({"private_networks": true}));
    let refused = [
        fetch("http://127.0.0.1/", None, None),
        fetch("http://localhost/", None, None),
        fetch("http://[::1]/", None, None),
        fetch("http://[::ffff:10.0.0.1]/", None, None),
        fetch("http://0x7f.1/", None, None),
        fetch("http://169.254.169.254/latest/meta-data", None, None),
        fetch("http://db.internal/", None, None),
        fetch("http://intranet/", None, None),
        fetch("https://a.example/", None, Some(&["93.184.215.14", "10.0.0.1"])),
    ];
    for request in &refused {
        assert_refused(&public, request, DenyCode::AddressPrivate, "private_networks", &[]);
        assert!(permits(&private, request), "{request:?}");
    }
    let good = fetch("https://a.example/", None, Some(&["93.184.215.14"]));
    assert!(permits(&public, &good));
    let nowhere = fetch("https://a.example/", None, Some(&[]));
    assert_refused(&public, &nowhere, DenyCode::AddressUnknown, "private_networks", &[]);
}

#[test]
fn private_networks_are_inherited_and_never_won_back() {
    let private = grant(ResourceType::Url, "*", json!({"private_networks": true}));
    let public = grant(ResourceType::Url, "*", json!({}));
    let local = url("http://127.0.0.1/");
    let inherits = child(&private, asked(json!({})));
    assert!(permits(&inherits, &local));
    assert!(permits(&child(&inherits, asked(json!({}))), &local));
    assert!(permits(&child(&private, asked(json!({"private_networks": true}))), &local));
    let narrowed = child(&private, asked(json!({"private_networks": false})));
    assert!(!permits(&narrowed, &local));
    assert!(!permits(&child(&narrowed, asked(json!({}))), &local));
    let wants = asked(json!({"private_networks": true}));
    for parent in [&public, &narrowed] {
        match parent.delegate(id(9), wants.clone(), granted_at()) {
            Err(DelegateError::Widens(cut)) => assert_eq!(cut[0].field, "private_networks"),
            refused => panic!("{refused:?}"),
        }
        let mut cut_down = wants.clone();
        cut_down.attenuation = cap_core::Attenuation::Intersect;
        assert!(!permits(&child(parent, cut_down), &local));
    }
}

#[test]
fn networks_hold_for_every_address_that_a_connection_may_go_to() {
    let granted = constrained(json!({"cidr": ["10.0.0.0/8", "2001:db8::/32"]}));
    for good in [
        fetch("http://10.1.2.3/", None, None),
        fetch("http://[::ffff:10.1.2.3]/", None, None),
        fetch("http://a.example/", None, Some(&["10.1.2.3", "2001:db8::1"])),
    ] {
        assert!(permits(&granted, &good), "{good:?}");
    }
    let refused = |request, code| assert_refused(&granted, &request, code, "cidr", &[]);
    refused(fetch("http://a.example/", None, None), DenyCode::AddressUnknown);
    refused(fetch("http://a.example/", None, Some(&[])), DenyCode::AddressUnknown);
    refused(fetch("http://11.0.0.1/", None, None), DenyCode::AddressNotAllowed);
    refused(
        fetch("http://a.example/", None, Some(&["10.0.0.1", "11.0.0.1"])),
        DenyCode::AddressNotAllowed,
    );
    refused(fetch("http://10.0.0.1/", None, Some(&["11.0.0.1"])), DenyCode::AddressNotAllowed);
    refused(fetch("http://[2002:b00:1::]/", None, None), DenyCode::AddressNotAllowed);
}

#[test]
fn options_and_control_characters_are_spelled_out_or_refused() {
    let git = grant(ResourceType::Command, "git", json!({}));
    assert!(permits(&git, &run("git", &["status", "a b", "$(x);|&"], &[])));
    for bad in ["-c", "--upload-pack=x", "a\nb", "\u{1b}[2J"] {
        let request = run("git", &["log", bad], &[]);
        assert_refused(&git, &request, DenyCode::CommandArgumentRefused, "command_args", &[]);
    }
    let spelled = json!({"command_args": {"git": [["log", "--oneline", "**"], ["show", "?*"]]}});
    let some = grant(ResourceType::Command, "git", spelled);
    assert!(permits(&some, &run("git", &["log", "--oneline", "main", "x"], &[])));
    assert!(permits(&some, &run("git", &["show", "HEAD"], &[])));
    for bad in
        [&["log"][..], &["log", "--oneline", "--output=x"], &["show", "-x"], &["show"], &["push"]]
    {
        let request = run("git", bad, &[]);
        assert_refused(&some, &request, DenyCode::CommandArgumentRefused, "command_args", &[]);
    }
}

#[test]
fn a_nul_is_refused_to_everybody() {
    let anything = grant(ResourceType::Any, "*", json!({}));
    for request in [
        run("git", &["a\0b"], &[]),
        run("git\0x", &[], &[]),
        run("", &[], &[]),
        run("a\nb", &[], &[]),
    ] {
        assert_eq!(denial(&anything, &request).code(), DenyCode::CommandInvalid);
    }
    assert!(permits(&anything, &run("git", &["--all", "a\nb"], &["LD_PRELOAD"])));
}

#[test]
fn the_environment_is_an_allow_list() {
    let bare = grant(ResourceType::Command, "git", json!({}));
    let refused = run("git", &[], &["LD_PRELOAD"]);
    assert_refused(
        &bare,
        &refused,
        DenyCode::EnvironmentNotAllowed,
        "environment",
        &["`LD_PRELOAD`"],
    );
    let some = grant(ResourceType::Command, "git", json!({"environment": ["LANG", "TZ"]}));
    assert!(permits(&some, &run("git", &[], &["LANG"])));
    assert!(!permits(&some, &run("git", &[], &["LANG", "PATH"])));
    let fewer = child(&some, asked(json!({"environment": ["TZ"]})));
    assert!(
        permits(&fewer, &run("git", &[], &["TZ"])) && !permits(&fewer, &run("git", &[], &["LANG"]))
    );
    let inherits = child(&some, asked(json!({})));
    assert!(permits(&inherits, &run("git", &[], &["LANG"])));
}

#[test]
fn what_stands_at_the_top_is_refused_under_and() {
    for inner in [
        json!({"private_networks": true}),
        json!({"max_calls": 1}),
        json!({"max_bytes": 1}),
        json!({"rate_limit": {"max": 1, "per_seconds": 1}}),
        json!({"budget": {"max": 1, "cost": {"*": 1}}}),
        json!({"max_delegation_depth": 1}),
    ] {
        let grant = root_grant(ResourceType::Any, "*", json!({"and": [inner]}));
        let refused = Capability::grant(id(0), grant, granted_at()).unwrap_err();
        assert!(refused.to_string().starts_with("`and`"), "{refused}");
    }
}

#[test]
fn bad_values_are_named_with_their_field() {
    for (constraints, field) in [
        (json!({"methods": ["get"]}), "methods"),
        (json!({"environment": ["A B"]}), "environment"),
        (json!({"protocols": ["HTTPS"]}), "protocols"),
        (json!({"max_calls": 0}), "max_calls"),
    ] {
        let grant = root_grant(ResourceType::Any, "*", constraints);
        let refused = Capability::grant(id(0), grant, granted_at()).unwrap_err().to_string();
        assert!(refused.starts_with(&format!("`{field}`")), "{refused}");
    }
    for bad in [
        r#"{"ports":[0]}"#,
        r#"{"ports":["9-8"]}"#,
        r#"{"ports":[65536]}"#,
        r#"{"cidr":["10.0.0.1/8"]}"#,
        r#"{"cidr":["10.0.0.0/33"]}"#,
        r#"{"private_networks":null}"#,
        r#"{"private_networks":1}"#,
        r#"{"time_windows":[{"days":["mon"],"from":"09:00","to":"17:00"}]}"#,
        r#"{"time_windows":[{"days":["mon","mon"],"from":"09:00","to":"17:00","offset":"Z"}]}"#,
        r#"{"time_windows":[{"days":[],"from":"09:00","to":"17:00","offset":"Z"}]}"#,
        r#"{"time_windows":[["mon"]]}"#,
        r#"{"command_args":{"git":[["a"]],"git":[]}}"#,
        r#"{"command_args":{"git":["a"]}}"#,
        r#"{"rate_limit":{"max":5,"per_seconds":1,"burst":5}}"#,
        r#"{"budget":{"max":5,"cost":{"*":1,"*":2}}}"#,
    ] {
        let read = serde_json::from_str::<cap_core::Constraints>(bad);
        let granted = read.is_ok_and(|constraints| {
            let mut grant = root_grant(ResourceType::Any, "*", json!({}));
            grant.constraints = constraints;
            Capability::grant(id(0), grant, granted_at()).is_ok()
        });
        assert!(!granted, "{bad}");
    }
}

#[test]
fn the_length_of_an_argument_vector_is_bounded_for_every_program() {
    let named =
        grant(ResourceType::Command, "*", json!({"command_args": {"git": [["**"], ["-v"]]}}));
    let narrowed = child(&named, asked(json!({"command_args": {}})));
    let long = "x".repeat(cap_core::limits::MAX_ARGV_BYTES);
    for capability in [&named, &narrowed] {
        for program in ["git", "ls"] {
            assert!(!permits(capability, &run(program, &[&long], &[])), "{program}");
            assert!(permits(capability, &run(program, &[&long[2..]], &[])), "{program}");
        }
    }
}

#[test]
fn an_empty_answer_of_a_resolver_is_no_address() {
    let granted = constrained(json!({"cidr": ["10.0.0.0/8"]}));
    let literal = fetch("http://10.0.0.1/", None, Some(&[]));
    assert_refused(
        &granted,
        &literal,
        DenyCode::AddressUnknown,
        "cidr",
        &["resolved to addresses"],
    );
}

#[test]
fn a_child_of_one_type_has_no_kind_that_it_did_not_ask_for() {
    let parent = constrained(json!({"commands": ["git"], "allowed_tools": ["fs/*", "mail/send"]}));
    let mut delegation = asked(json!({}));
    delegation.resource_type = Some(ResourceType::Path);
    delegation.resource = Some("/data".into());
    let paths = child(&parent, delegation);
    assert!(permits(&paths, &read("/data/a")));
    assert!(!permits(&paths, &run("git", &[], &[])));
    let kinds = |kind| Some(cap_core::Kinds::NONE.with(kind));
    assert!(permits(&paths, &tool("fs/read", json!({}), kinds(cap_core::Kind::Path))));
    assert!(!permits(&paths, &tool("mail/send", json!({}), kinds(cap_core::Kind::Method))));
}

#[test]
fn instants_are_whole_seconds_of_rfc_3339() {
    let read = |at: &str| {
        let text = json!({"not_before": at, "expires_at": at}).to_string();
        serde_json::from_str::<cap_core::Constraints>(&text).is_ok()
    };
    for good in ["2026-11-22T12:00:00Z", "2026-11-22T12:00:00+05:30", "2026-11-22T12:00:00-00:00"] {
        assert!(read(good), "{good}");
    }
    for bad in [
        "2026-11-22T12:00:00.5Z",
        "2026-11-22T12:00:60Z",
        "2026-11-22T2 :00:00Z",
        "2026-11-22T1:00:00Z",
        "+2026-11-22T12:00:00Z",
        "2026-11-22T12:00:00+0100",
        "2026-11-22T12:00:00UTC",
        " 2026-11-22T12:00:00Z",
        "2026-11-22T12:00:00Z ",
        "2026-11-22 12:00:00Z",
        "2026-13-22T12:00:00Z",
        "2026-11-22T12:00:00",
        "２026-11-22T12:00:00Z",
    ] {
        assert!(!read(bad), "{bad}");
    }
}
