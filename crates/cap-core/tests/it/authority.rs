//! The laws of the lattice, on meaning and on canonical bytes.

use cap_core::{Authority, Capability, Kind, Kinds, Mapping, Resource, ResourceType};
use cap_testkit::strategy::{
    access_request, authority, capability, granted_at, id, instant, tool_request,
};
use chrono::Duration;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::*;

proptest! {
    #[test]
    fn meet_permits_exactly_what_both_permit(
        a in authority(),
        b in authority(),
        requests in vec(access_request(), 24),
        now in instant(),
    ) {
        let meet = a.meet(&b);
        prop_assume!(clauses(&a) + clauses(&b) <= 64);
        for request in requests {
            let both = a.permits(&request, now).is_allow() && b.permits(&request, now).is_allow();
            let decision = meet.permits(&request, now);
            prop_assert_eq!(decision.is_allow(), both, "{:?}\n{}\n{:?}", decision, bytes(&meet), request);
        }
    }

    #[test]
    fn meet_is_commutative_associative_and_idempotent(
        a in authority(),
        b in authority(),
        c in authority(),
    ) {
        prop_assume!(clauses(&a) + clauses(&b) + clauses(&c) <= 64);
        prop_assert_eq!(&a.meet(&b), &b.meet(&a));
        prop_assert_eq!(bytes(&a.meet(&b)), bytes(&b.meet(&a)));
        let (left, right) = (a.meet(&b).meet(&c), a.meet(&b.meet(&c)));
        prop_assert_eq!(bytes(&left), bytes(&right));
        prop_assert_eq!(left, right);
        prop_assert_eq!(bytes(&a.meet(&a)), bytes(&a));
        prop_assert_eq!(&a.meet(&a), &a);
        prop_assert_eq!(a.meet(&b).meet(&a), a.meet(&b));
    }

    #[test]
    fn top_is_the_unit_of_meet_and_bottom_its_zero(
        a in authority(),
        requests in vec(access_request(), 8),
        now in instant(),
    ) {
        let (top, bottom) = (Authority::top(), Authority::bottom());
        prop_assert_eq!(&a.meet(&top), &a);
        prop_assert_eq!(bytes(&top.meet(&a)), bytes(&a));
        prop_assert!(a.meet(&bottom).is_empty());
        prop_assert!(a.is_within(&top));
        prop_assert!(bottom.meet(&a).is_within(&bottom));
        for request in requests {
            prop_assert!(!a.meet(&bottom).permits(&request, now).is_allow());
        }
    }

    #[test]
    fn what_is_within_permits_no_more(
        a in authority(),
        b in authority(),
        requests in vec(access_request(), 24),
        now in instant(),
    ) {
        prop_assert!(a.is_within(&a));
        let meet = a.meet(&b);
        prop_assert!(meet.is_within(&a) && meet.is_within(&b));
        for (lower, upper) in [(&a, &b), (&b, &a), (&meet, &a), (&a, &meet)] {
            if lower.is_within(upper) {
                prop_assert_eq!(&lower.meet(upper), lower);
                for request in &requests {
                    let lower = lower.permits(request, now).is_allow();
                    prop_assert!(!lower || upper.permits(request, now).is_allow(), "{:?}", request);
                }
            }
        }
    }

    #[test]
    fn what_is_empty_permits_no_call(
        a in capability(),
        b in capability(),
        requests in vec(access_request(), 40),
        now in instant(),
    ) {
        let meet = a.authority().meet(b.authority());
        let permitted: Vec<_> =
            requests.iter().filter(|request| meet.permits(request, now).is_allow()).collect();
        let kinds: Kinds = permitted.iter().map(|request| request.kind()).collect();
        for request in &permitted {
            // The call of a tool makes a request for each of its kinds.
            let is_whole_call = mapped_kinds(&request.resource).iter().all(|kind| kinds.contains(kind));
            prop_assert!(!(meet.is_empty() && is_whole_call), "{}\n{:?}", bytes(&meet), request);
        }
        for request in permitted.iter().filter(|request| request.kind() != Kind::Tool) {
            prop_assert!(meet.admits(request.kind()));
            prop_assert!(meet.admits_operations(request.kind(), request.operations));
        }
    }

    #[test]
    fn constraints_of_an_authority_mean_the_same_authority(a in authority()) {
        let constraints = a.to_constraints();
        let written = serde_json::to_string(&constraints).unwrap();
        prop_assert_eq!(&serde_json::from_str::<cap_core::Constraints>(&written).unwrap(), &constraints);
        let grant = root_grant(ResourceType::Any, "*", json!({}));
        let granted = Capability::grant(id(1), cap_core::RootGrant { constraints, ..grant }, granted_at());
        match granted {
            Ok(capability) => {
                prop_assert_eq!(capability.authority(), &a);
                prop_assert_eq!(bytes(capability.authority()), written);
            }
            Err(error) => prop_assert_eq!((error, a.is_empty()), (cap_core::GrantError::Empty, true)),
        }
    }

    #[test]
    fn a_list_hides_no_tool_that_can_be_called_and_shows_none_that_cannot(
        a in authority(),
        tools in vec(tool_request(), 12),
        requests in vec(access_request(), 60),
        now in instant(),
    ) {
        let permitted: Kinds = requests
            .iter()
            .filter(|request| a.permits(request, now).is_allow())
            .map(|request| request.kind())
            .collect();
        for tool in tools {
            let mut listed = tool.clone();
            listed.arguments.clear();
            if let Mapping::Listed { unlisted_argument, .. } = &mut listed.mapping {
                *unlisted_argument = None;
            }
            let call = call_of(tool.clone());
            let can_be_called = a.permits(&call, now).is_allow()
                && mapped_kinds(&call.resource).iter().all(|kind| permitted.contains(kind));
            let shown = a.admits_tool(&listed, now);
            prop_assert!(shown || !can_be_called, "{}\n{:?}", bytes(&a), tool);
            if shown && !constrains_arguments(&a, tool.name.as_str()) {
                prop_assert!(a.permits(&call_of(listed.clone()), now).is_allow());
            }
            for kind in mapped_kinds(&call.resource).iter() {
                prop_assert!(!shown || a.admits(kind));
            }
        }
    }

    #[test]
    fn nothing_is_permitted_from_the_expiry_on(
        capability in capability(),
        requests in vec(access_request(), 8),
    ) {
        let stated = serde_json::to_value(capability.authority().to_constraints()).unwrap();
        let by_constraint = stated.get("expires_at").map(|at| at.as_str().unwrap().parse().unwrap());
        for at in capability.expires_at().into_iter().chain(by_constraint) {
            for request in &requests {
                for later in [at, at + Duration::nanoseconds(1), at + Duration::days(9999)] {
                    prop_assert!(!capability.permits(request, later).is_allow());
                }
                let (before, now) = (at - Duration::nanoseconds(1), granted_at());
                let alive = capability.is_expired(before) == capability.is_expired(now);
                let by_clock = ["not_before", "time_windows", "custom"];
                if alive && by_constraint.is_none() && !said(&stated, &by_clock) {
                    prop_assert_eq!(
                        capability.permits(request, before).is_allow(),
                        capability.permits(request, now).is_allow()
                    );
                }
            }
        }
    }
}

/// Whether constraints of one of these names stand at the top or under `and`.
fn said(constraints: &Value, names: &[&str]) -> bool {
    let more = constraints["and"].as_array().into_iter().flatten();
    let mut sets = std::iter::once(constraints).chain(more);
    sets.any(|set| names.iter().any(|name| set.get(name).is_some()))
}

#[test]
fn a_tool_of_two_kinds_passes_where_each_kind_is_demanded() {
    let both = constrained(json!({"tool_kinds": ["path"], "and": [{"tool_kinds": ["url"]}]}));
    let kinds = Kinds::NONE.with(Kind::Path).with(Kind::Url);
    assert!(permits(&both, &tool("web/save", json!({}), Some(kinds))));
    let path_alone = tool("fs/read", json!({}), Some(Kinds::NONE.with(Kind::Path)));
    assert!(!permits(&both, &path_alone));
}

#[test]
fn an_authority_admits_the_operations_that_it_grants_on_the_kinds_that_it_grants() {
    let read_only = grant(ResourceType::Path, "/srv", json!({"operations": ["read", "list"]}));
    let admits = |kind, operations| read_only.authority().admits_operations(kind, operations);
    assert!(admits(Kind::Path, READ) && admits(Kind::Path, READ.union(LIST)));
    assert!(!admits(Kind::Path, READ.union(WRITE)) && !admits(Kind::Url, READ));
}

#[test]
fn beyond_64_clauses_nothing_is_permitted() {
    let many = |prefix: &str, count: u32| {
        let and: Vec<Value> = (0..count)
            .map(|n| json!({"paths": [format!("/{prefix}{n}/a"), format!("/{prefix}{n}/*/b"), "/c"]}))
            .collect();
        constrained(json!({ "and": and }))
    };
    let (a, b, c) = (many("x", 32), many("y", 32), many("z", 1));
    let full = a.authority().meet(b.authority());
    assert_eq!(clauses(&full), 64);
    assert!(full.permits(&read("/c"), granted_at()).is_allow());

    let over = full.meet(c.authority());
    let denied = over.permits(&read("/c"), granted_at());
    assert_eq!(denied.denial().unwrap().code(), cap_core::DenyCode::AuthorityTooLarge);
    assert!(over.is_empty() && !over.admits(Kind::Path));
    assert!(over.is_within(&full) && !full.is_within(&over));
    assert_eq!(over.meet(&Authority::top()), over);
    assert_eq!(Authority::top().meet(&over), over);
    assert_eq!(bytes(&over), r#"{"kinds":[]}"#);

    let error = full_delegation(&a, &b).unwrap_err();
    assert_eq!(error.deny_code(), cap_core::DenyCode::AuthorityTooLarge, "{error}");
}

fn full_delegation(a: &Capability, b: &Capability) -> Result<(), cap_core::DelegateError> {
    let mut delegation = asked(json!({"paths": ["/q", "/c"]}));
    delegation.attenuation = cap_core::Attenuation::Intersect;
    delegation.constraints.and = b.constraints().and.clone();
    a.delegate(id(9), delegation, granted_at()).map(drop)
}

#[test]
fn clauses_that_say_less_than_another_are_left_out() {
    let meet = |a: Value, b: Value| {
        let meet = constrained(a).authority().meet(constrained(b).authority());
        serde_json::to_value(meet.to_constraints()).unwrap()
    };
    let window = |from, to| json!({"days": ["mon"], "from": from, "to": to, "offset": "Z"});
    let cases = [
        (json!({"paths": ["/a/*"]}), json!({"paths": ["/a", "/c"]}), json!({"paths": ["/a/*"]})),
        (
            json!({"paths": ["/b", "/a/*", "/b/*/c", "/a/*"]}),
            json!({}),
            json!({"paths": ["/a/*", "/b"]}),
        ),
        (
            json!({"paths": ["/a/b"]}),
            json!({"paths": ["/a", "/c"]}),
            json!({"paths": ["/a", "/c"], "and": [{"paths": ["/a/b"]}]}),
        ),
        (
            json!({"paths": ["/a", "/b"]}),
            json!({"paths": ["/a/c", "/d"]}),
            json!({"paths": ["/a", "/b"], "and": [{"paths": ["/a/c", "/d"]}]}),
        ),
        (
            json!({"operations": ["read", "list"], "max_file_size": 9, "allowed_extensions": ["a", "b"]}),
            json!({"operations": ["read", "write"], "max_file_size": 7, "allowed_extensions": ["b", "c"]}),
            json!({"operations": ["read"], "max_file_size": 7, "allowed_extensions": ["b"]}),
        ),
        (
            json!({"methods": ["GET", "PUT"], "environment": ["LANG", "TZ"], "protocols": ["http", "https"]}),
            json!({"methods": ["GET", "POST"], "environment": ["HOME", "TZ"], "protocols": ["http", "ws"]}),
            json!({"methods": ["GET"], "environment": ["TZ"], "protocols": ["http"]}),
        ),
        (
            json!({"allowed_tools": ["fs/*"]}),
            json!({"allowed_tools": ["fs/read", "web/fetch"]}),
            json!({"allowed_tools": ["fs/*"], "and": [{"allowed_tools": ["fs/read", "web/fetch"]}]}),
        ),
        (
            json!({"arguments": {"fs/read": {"n": {"constraint_type": "range", "max": 5}}}}),
            json!({"arguments": {"fs/read": {"n": {"constraint_type": "not_one_of", "excluded": [3]}}}}),
            json!({
                "arguments": {"fs/read": {"n": {"constraint_type": "not_one_of", "excluded": [3]}}},
                "and": [{"arguments": {"fs/read": {"n": {"constraint_type": "range", "max": 5}}}}],
            }),
        ),
        (
            json!({"custom": {"one": 1, "two": 2}}),
            json!({"custom": {"one": 2}}),
            json!({"custom": {"one": 1, "two": 2}, "and": [{"custom": {"one": 2}}]}),
        ),
        (
            json!({"allowed_domains": ["*.a.example"]}),
            json!({"allowed_domains": ["*.example"]}),
            json!({"allowed_domains": ["*.a.example"]}),
        ),
        (
            json!({"urls": ["https://a.example/b"]}),
            json!({"urls": ["https://*.example"]}),
            json!({"urls": ["https://a.example/b"]}),
        ),
        (
            json!({"time_windows": [window("08:00", "18:00"), window("09:00", "10:00")]}),
            json!({}),
            json!({"time_windows": [window("08:00", "18:00")]}),
        ),
        (
            json!({"tool_kinds": ["path", "url"]}),
            json!({"tool_kinds": ["path"]}),
            json!({"tool_kinds": ["path"]}),
        ),
    ];
    for (a, b, wanted) in cases {
        assert_eq!(meet(a.clone(), b.clone()), wanted, "{a} {b}");
        assert_eq!(meet(b.clone(), a.clone()), wanted, "{b} {a}");
    }
}

#[test]
fn what_only_looks_disjoint_is_not_empty() {
    let is_empty = |a: Value, b: Value| {
        let grant =
            |resource: Value| grant(ResourceType::Url, resource.as_str().unwrap(), json!({}));
        grant(a).authority().meet(grant(b).authority()).is_empty()
    };
    assert!(!is_empty(json!("https://*.example/a"), json!("https://x.example")));
    assert!(!is_empty(json!("https://*.example/a"), json!("https://x.example/a/b")));
    assert!(is_empty(json!("https://*.example/a"), json!("https://x.example/b")));
    assert!(is_empty(json!("https://*.example"), json!("https://example")));
    assert!(is_empty(json!("https://a.example"), json!("http://a.example")));
    assert!(is_empty(json!("https://a.example"), json!("https://a.example:8443")));
    assert!(!is_empty(json!("*"), json!("https://127.0.0.1")));
    assert!(!is_empty(json!("*"), json!("https://a.example")));

    let apart = json!({"paths": ["/a"], "and": [{"paths": ["/b"]}]});
    let (any, tools) = (constrained(apart.clone()), grant(ResourceType::Tool, "*", apart));
    assert!(permits(&any, &url("https://a.example")), "paths say nothing about URLs");
    assert!(permits(&tools, &call("fs/read")), "nor about a tool that names none");
}

#[test]
fn an_alternative_within_another_is_not_disjoint_from_it() {
    let cases = [
        (ResourceType::Tool, "allowed_tools", json!(["fs/*"]), json!(["fs/read", "web/fetch"])),
        (ResourceType::Method, "allowed_methods", json!(["tasks/*"]), json!(["tasks/get", "ping"])),
        (ResourceType::Url, "allowed_domains", json!(["*.a.test"]), json!(["x.a.test", "b.test"])),
        (
            ResourceType::Url,
            "cidr",
            json!(["192.0.2.0/24"]),
            json!(["192.0.2.8/29", "2001:db8::/32"]),
        ),
        (ResourceType::Path, "paths", json!(["/a"]), json!(["/a/b", "/c"])),
    ];
    for (kind, name, wide, narrow) in cases {
        let of = |list: &Value| grant(kind, "*", json!({ name: list }));
        let (wide, narrow) = (of(&wide), of(&narrow));
        assert!(!wide.authority().meet(narrow.authority()).is_empty(), "{name}");
        assert!(!narrow.authority().meet(wide.authority()).is_empty(), "{name}");
    }
}

#[test]
fn alternatives_that_are_all_apart_permit_nothing() {
    let cases = [
        (ResourceType::Command, "commands", json!(["git"]), json!(["ls"])),
        (ResourceType::Method, "allowed_methods", json!(["tasks/*"]), json!(["ping"])),
        (ResourceType::Path, "paths", json!(["/a"]), json!(["/b"])),
        (ResourceType::Tool, "allowed_tools", json!(["fs/*"]), json!(["web/fetch"])),
        (ResourceType::Url, "allowed_domains", json!(["*.a.test"]), json!(["b.test"])),
        (ResourceType::Url, "cidr", json!(["192.0.2.0/24"]), json!(["198.51.100.0/24"])),
        (ResourceType::Url, "methods", json!(["GET"]), json!(["PUT"])),
        (ResourceType::Url, "ports", json!([443]), json!(["8000-8999"])),
        (ResourceType::Url, "protocols", json!(["https"]), json!(["http"])),
        (ResourceType::Url, "urls", json!(["https://a.test"]), json!(["https://b.test"])),
    ];
    for (kind, name, one, other) in cases {
        let of = |list: &Value| grant(kind, "*", json!({ name: list }));
        let (one, other) = (of(&one), of(&other));
        assert!(one.authority().meet(other.authority()).is_empty(), "{name}");
        assert!(!one.authority().is_empty() && !other.authority().is_empty(), "{name}");
    }
}

#[test]
fn of_two_clauses_that_mean_the_same_the_meet_always_keeps_the_same() {
    let window =
        |from: &str, to: &str| json!({"days": ["mon"], "from": from, "to": to, "offset": "Z"});
    let whole = constrained(json!({"time_windows": [window("08:00", "18:00")]}));
    let halves = json!({"time_windows": [window("08:00", "12:00"), window("12:00", "18:00")]});
    let halves = constrained(halves);
    let (whole, halves) = (whole.authority(), halves.authority());
    assert_ne!(bytes(whole), bytes(halves));
    assert_eq!(bytes(&whole.meet(halves)), bytes(&halves.meet(whole)));
}

fn mapped_kinds(resource: &Resource) -> Kinds {
    match resource {
        Resource::Tool(tool) => match &tool.mapping {
            Mapping::Listed { kinds, .. } => *kinds,
            Mapping::Unlisted => Kinds::NONE,
        },
        _ => Kinds::NONE,
    }
}

fn call_of(tool: cap_core::ToolRequest) -> cap_core::AccessRequest {
    cap_core::AccessRequest::new(Resource::Tool(tool), cap_core::Operations::CALL)
}

fn bytes(authority: &Authority) -> String {
    serde_json::to_string(&authority.to_constraints()).unwrap()
}

/// How many clauses an authority has.
fn clauses(authority: &Authority) -> usize {
    sets(authority)
        .iter()
        .flat_map(|set| set.as_object().unwrap())
        .map(|(name, value)| match name.as_str() {
            "and" => 0,
            "arguments" => value.as_object().unwrap().len(),
            _ => 1,
        })
        .sum()
}

fn sets(authority: &Authority) -> Vec<Value> {
    let top = serde_json::to_value(authority.to_constraints()).unwrap();
    let more = top["and"].as_array().cloned().unwrap_or_default();
    [top].into_iter().chain(more).collect()
}

fn constrains_arguments(authority: &Authority, tool: &str) -> bool {
    sets(authority).iter().any(|set| set["arguments"].get(tool).is_some())
}
