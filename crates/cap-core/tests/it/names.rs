//! Principals, tools, methods, programs, ids.

use std::fmt::Display;
use std::str::FromStr;

use cap_core::{
    Capability, CapabilityId, CapabilityParts, Constraints, DomainPattern, MethodPattern,
    Operations, Principal, Program, ResourceType, ToolName, ToolPattern,
};
use cap_testkit::strategy::granted_at;
use chrono::{DateTime, Utc};
use proptest::prelude::*;

/// Whether the text is read; if so, it is written as it was read.
fn reads<T: FromStr + Display + PartialEq>(text: &str) -> bool {
    let Ok(value) = text.parse::<T>() else { return false };
    assert_eq!(value.to_string(), text);
    assert!(value.to_string().parse::<T>().is_ok_and(|again| again == value));
    true
}

#[test]
fn a_name_has_1_to_256_bytes_and_nothing_invisible() {
    for good in ["a", "Zoë", "代理", "a b", "agent:7", "..", "a`b", &"x".repeat(256)] {
        assert!(reads::<Principal>(good), "{good}");
    }
    for bad in [
        "",
        "a\0",
        "a\n",
        "\u{7f}",
        "\u{85}",
        "a\u{200b}b",
        "\u{202e}a",
        "a\u{2028}",
        "\u{feff}a",
        "a\u{e0041}",
        "\u{ad}",
        "\u{2066}",
        &"x".repeat(257),
        &"ü".repeat(129),
    ] {
        assert!(!reads::<Principal>(bad), "{bad:?}");
        assert!(!reads::<Program>(bad), "{bad:?}");
        assert!(!reads::<MethodPattern>(bad), "{bad:?}");
        assert!(!reads::<ToolName>(&format!("s/{bad}")), "{bad:?}");
        assert!(!reads::<ToolName>(&format!("{bad}/t")), "{bad:?}");
        assert!(!reads::<DomainPattern>(bad), "{bad:?}");
    }
}

#[test]
fn a_tool_name_has_a_server_and_a_tool() {
    let name: ToolName = "fs/a/b".parse().unwrap();
    assert_eq!((name.server(), name.tool(), name.as_str()), ("fs", "a/b", "fs/a/b"));
    assert_eq!(ToolName::new("fs", "a/b"), Ok(name));
    for bad in ["fs", "/read", "fs/", "/", ""] {
        assert!(!reads::<ToolName>(bad), "{bad}");
    }
    assert!(ToolName::new("", "read").is_err());
}

#[test]
fn a_tool_that_is_called_star_cannot_be_named() {
    assert!(ToolName::new("fs", "*").is_err(), "as a pattern it would mean every tool");
    assert!("*/*".parse::<ToolName>().is_err());
    assert!(reads::<ToolName>("fs/a/*"));
    let literal: ToolPattern = "fs/a/*".parse().unwrap();
    assert!(!literal.matches(&"fs/a/b".parse().unwrap()));
    assert!(literal.matches(&"fs/a/*".parse().unwrap()));
}

#[test]
fn tool_patterns_are_exact_of_a_server_or_all() {
    for text in ["*", "fs/*", "fs/read", "fs/a/*"] {
        assert!(reads::<ToolPattern>(text), "{text}");
    }
    for text in ["", "fs", "/*", "fs/", "*/", "\u{200b}/*"] {
        assert!(!reads::<ToolPattern>(text), "{text}");
    }
    let within =
        |a: &str, b: &str| a.parse::<ToolPattern>().unwrap().is_within(&b.parse().unwrap());
    assert!(within("fs/read", "fs/*") && within("fs/*", "*") && within("*", "*"));
    assert!(!within("fs/*", "fs/read") && !within("*", "fs/*") && !within("fs/*", "f/*"));
}

#[test]
fn method_patterns_are_exact_or_families() {
    for text in ["*", "prompts/*", "prompts/get", "a/b/*"] {
        assert!(reads::<MethodPattern>(text), "{text}");
    }
    for text in ["", "prompts*", "*/get", "a/*/b", "**", "a**"] {
        assert!(!reads::<MethodPattern>(text), "{text}");
    }
    let within =
        |a: &str, b: &str| a.parse::<MethodPattern>().unwrap().is_within(&b.parse().unwrap());
    assert!(within("a/b", "a/*") && within("a/b/*", "a/*") && within("a/*", "*"));
    assert!(!within("a/*", "a/b") && !within("ab/c", "a/*") && !within("*", "a/*"));
}

#[test]
fn programs_are_compared_exactly() {
    for text in ["git", "/usr/bin/git", "C:\\git.exe", "a b", "*"] {
        assert!(reads::<Program>(text), "{text}");
    }
    assert!(!reads::<Program>(" git") && !reads::<Program>("git\u{a0}"));
    let git: Program = "git".parse().unwrap();
    assert!(git.matches("git") && !git.matches("git ") && !git.matches("*"));
    assert!(git.is_within(&"*".parse().unwrap()) && !git.is_within(&"ls".parse().unwrap()));
}

#[test]
fn an_id_is_a_uuid_of_version_7_in_one_form() {
    let id = CapabilityId::new([0xff; 10], granted_at());
    assert_eq!(id.to_string(), "01a1fdfa-4600-7fff-bfff-ffffffffffff");
    assert!(reads::<CapabilityId>(&id.to_string()));
    assert_eq!(CapabilityId::from_bytes(*id.as_bytes()), Ok(id));
    for bad in [
        "",
        "01A1FDFA-4600-7FFF-BFFF-FFFFFFFFFFFF",
        "01a1fdfa46007fffbfffffffffffffff",
        "{01a1fdfa-4600-7fff-bfff-ffffffffffff}",
        "urn:uuid:01a1fdfa-4600-7fff-bfff-ffffffffffff",
        "01a1fdfa-4600-4fff-bfff-ffffffffffff",
        "00000000-0000-0000-0000-000000000000",
        "01a1fdfa-4600-7fff-bfff-fffffffffff",
    ] {
        assert!(!reads::<CapabilityId>(bad), "{bad}");
    }
    assert!(CapabilityId::from_bytes([0; 16]).is_err());
}

#[test]
fn ids_sort_by_the_time_of_issue() {
    let at = |seconds| CapabilityId::new([0x55; 10], DateTime::from_timestamp(seconds, 0).unwrap());
    assert!(at(1) < at(2) && at(-5) < at(1));
}

proptest! {
    #[test]
    fn a_name_is_written_as_it_is_read_or_refused(text in "\\PC{0,20}|[a-z*/.]{0,8}|.{0,6}") {
        reads::<Principal>(&text);
        reads::<Program>(&text);
        reads::<ToolName>(&text);
        reads::<ToolPattern>(&text);
        reads::<MethodPattern>(&text);
        reads::<DomainPattern>(&text);
        reads::<CapabilityId>(&text);
    }

    #[test]
    fn tool_and_method_patterns_order_by_meaning(
        a in "(a|b|\\*)(/(a|b|\\*)){0,2}",
        b in "(a|b|\\*)(/(a|b|\\*)){0,2}",
        name in "(a|b)/(a|b)(/(a|b))?",
    ) {
        if let (Ok(a), Ok(b)) = (a.parse::<ToolPattern>(), b.parse::<ToolPattern>()) {
            let tool: ToolName = name.parse().unwrap();
            prop_assert!(!(a.is_within(&b) && a.matches(&tool)) || b.matches(&tool));
            prop_assert_eq!(a.is_within(&b) && b.is_within(&a), a == b);
        }
        if let (Ok(a), Ok(b)) = (a.parse::<MethodPattern>(), b.parse::<MethodPattern>()) {
            prop_assert!(!(a.is_within(&b) && a.matches(&name)) || b.matches(&name));
            prop_assert_eq!(a.is_within(&b) && b.is_within(&a), a == b);
        }
    }
}

#[test]
fn instants_that_cannot_be_written_are_those_of_no_capability() {
    let written = |issued: &str, ends: &str| {
        let at = |text: &str| -> DateTime<Utc> { text.parse().unwrap() };
        let (issued, ends) = (at(issued), at(ends));
        let parts = CapabilityParts {
            id: CapabilityId::new([1; 10], granted_at()),
            parent: None,
            delegation_depth: 0,
            principal: "agent".parse().unwrap(),
            resource_type: ResourceType::Path,
            resource: "/srv".into(),
            operations: Operations::ALL,
            constraints: Constraints::default(),
            inherited_limits: Vec::new(),
            issued_at: issued,
            expires_at: Some(ends),
        };
        let within = Constraints { not_before: Some(ends), ..Constraints::default() };
        let inner = CapabilityParts { constraints: within, expires_at: None, ..parts.clone() };
        let made = [parts, inner].map(Capability::from_parts);
        for capability in made.iter().flatten() {
            let again = Capability::from_json(&capability.to_json());
            assert_eq!(&again.unwrap(), capability);
        }
        made.map(|made| made.is_ok())
    };
    assert_eq!(written("2026-11-21T12:00:00Z", "9999-12-31T23:59:59Z"), [true, true]);
    assert_eq!(written("2026-11-21T12:00:00Z", "+10000-01-01T00:00:00Z"), [false, false]);
    assert_eq!(written("+10842-11-05T17:46:40Z", "+10843-01-01T00:00:00Z"), [false, false]);
    assert_eq!(written("-0001-12-31T23:59:59Z", "2026-11-21T12:00:00Z"), [false, false]);
}
