use alloc::format;
use alloc::string::String;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::Capability;
use crate::capability::GrantError;
use crate::limits::{MAX_RATE, MAX_RATE_SECONDS, MAX_UNITS};

fn wire(constraints: Constraints, resource: &str) -> Wire {
    let at = DateTime::from_timestamp(1_767_225_600, 0).unwrap();
    Wire {
        constraints,
        delegation_depth: 16,
        expires_at: Some(at),
        id: CapabilityId::new([1; 10], at),
        inherited_limits: alloc::vec![limits()],
        issued_at: at,
        operations: Operations::ALL,
        parent: Some(CapabilityId::new([2; 10], at)),
        principal: "\"\\ agent".parse().unwrap(),
        resource: resource.into(),
        resource_type: ResourceType::Command,
        version: VERSION,
    }
}

fn limits() -> Obligation {
    serde_json::from_value(json!({
        "max_bytes": MAX_UNITS,
        "max_calls": MAX_UNITS,
        "owner": "019b76da-a800-7303-8303-030303030303",
        "rate_limit": { "burst": MAX_RATE - 1, "max": MAX_RATE, "per_seconds": MAX_RATE_SECONDS },
    }))
    .unwrap()
}

/// Every member whose values have no length of their own, each as long as it can be.
fn everything_fixed() -> Constraints {
    serde_json::from_value(json!({
        "expires_at": "2026-01-01T00:00:00Z",
        "kinds": ["*"],
        "max_bytes": u64::MAX,
        "max_calls": u64::MAX,
        "max_delegation_depth": 255,
        "max_file_size": u64::MAX,
        "not_before": "2026-01-01T00:00:00Z",
        "operations": ["*"],
        "private_networks": false,
        "rate_limit": { "burst": u64::MAX, "max": u64::MAX, "per_seconds": u64::MAX },
        "tool_kinds": ["*"],
    }))
    .unwrap()
}

/// Every member that is a list of texts.
fn everything_listed(path: &str, name: &str) -> Constraints {
    serde_json::from_value(json!({
        "allowed_domains": ["*.example.com", "[::1]"],
        "allowed_extensions": [name],
        "allowed_methods": ["*", "prompts/*"],
        "allowed_tools": ["*", format!("{name}/*"), format!("{name}/{name}")],
        "cidr": ["::/0", "10.0.0.0/8", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff/128"],
        "commands": ["*", "a\"b"],
        "environment": [name],
        "methods": [name],
        "paths": [path, format!("/{path}"), "/a/**/*.c", "/**", "/*"],
        "ports": [1, "1-65535"],
        "protocols": [name],
        "urls": ["*", "https://*.example.com:8443/a"],
    }))
    .unwrap()
}

fn is_bounded(wire: &Wire) -> bool {
    let (most, bytes) = (wire.most_bytes().unwrap(), wire.bytes().unwrap());
    most >= bytes
}

proptest! {
    #[test]
    fn the_quick_bound_is_never_below_the_length(
        name in "[a-c\"\\\\ é代\u{1f980}]{1,16}",
        path in "/[a-c\"\\\\ é~]{1,32}(/[*]{2}/[?]{1,4})?",
        resource in ".{0,64}",
        copies in 0..8_usize,
    ) {
        let mut set = everything_listed(&path, &name);
        let more = [set.clone(), everything_fixed()].into_iter().cycle().take(copies);
        set.and = more.collect();
        prop_assert!(is_bounded(&wire(set, &resource)));
    }
}

#[test]
fn the_room_for_what_has_no_length_of_its_own_suffices() {
    assert!(is_bounded(&wire(everything_fixed(), "")));
    let control: String = core::iter::repeat_n('\u{1}', 4000).collect();
    assert!(is_bounded(&wire(everything_fixed(), &control)));
}

#[test]
fn what_is_not_quickly_bounded_is_measured() {
    let mut set = Constraints::default();
    set.custom.insert("x".into(), json!("y"));
    assert_eq!(wire(set, "").most_bytes(), None);
    let mut wire = wire(Constraints::default(), "");
    assert!(wire.most_bytes().is_some());
    let budget = json!({ "cost": { "a/*": 1 }, "max": 1 });
    wire.inherited_limits[0].limits.budget = Some(serde_json::from_value(budget).unwrap());
    assert_eq!(wire.most_bytes(), None);
}

/// The extensions alone make up the length.
fn granted(bytes_of_each: usize) -> Result<Capability, GrantError> {
    let name = |n: usize| alloc::format!("{n:0>bytes_of_each$}");
    let set = Constraints {
        allowed_extensions: Some((0..256).map(name).collect()),
        ..Constraints::default()
    };
    let mut wire = wire(set, "make");
    (wire.delegation_depth, wire.parent, wire.expires_at) = (0, None, None);
    wire.inherited_limits.clear();
    Capability::from_wire(wire)
}

#[test]
fn the_bound_of_64_kib_is_exact() {
    let longest = (200..256).rev().find_map(|bytes| granted(bytes).ok()).unwrap();
    let text = longest.to_json();
    // One byte more in each of the 256 names is too much.
    assert!(text.len() <= MAX_CAPABILITY_BYTES && text.len() + 256 > MAX_CAPABILITY_BYTES);
    assert_eq!(Capability::from_json(&text).unwrap(), longest);
}
