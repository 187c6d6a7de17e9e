//! Grants and delegations, one rule at a time.

use cap_core::{
    AbsPath, Attenuation, Beneath, Capability, ConstraintError, DelegateError, Delegation,
    DenyCode, GrantError, Kind, Kinds, Operation, Operations, PathRequest, Physical, ResourceType,
    Widening,
};
use cap_testkit::strategy::{granted_at, id};
use chrono::{DateTime, Duration, Utc};
use serde_json::json;

use crate::support::*;

/// What `strict` refuses, as `field: value`.
fn beyond(parent: &Capability, delegation: Delegation) -> Vec<String> {
    let strict = Delegation { attenuation: Attenuation::Strict, ..delegation.clone() };
    let cut = match parent.delegate(id(90), strict, granted_at()) {
        Ok((_, cut)) => {
            assert_eq!(cut, []);
            cut
        }
        Err(DelegateError::Widens(beyond)) => beyond,
        Err(error) => panic!("{error}"),
    };
    let intersect = Delegation { attenuation: Attenuation::Intersect, ..delegation };
    match parent.delegate(id(90), intersect, granted_at()) {
        Ok((_, reported)) => assert_eq!(reported, cut),
        Err(error) => assert_eq!(error, DelegateError::Grant(GrantError::Empty)),
    }
    cut.iter().map(|Widening { field, value }| format!("{field}: {value}")).collect()
}

fn error(parent: &Capability, delegation: Delegation) -> DelegateError {
    parent.delegate(id(91), delegation, granted_at()).unwrap_err()
}

fn read_only() -> Capability {
    let grant = root_grant(ResourceType::Path, "/srv/data", json!({"allowed_extensions": ["txt"]}));
    let operations = READ.union(LIST);
    let grant = cap_core::RootGrant {
        operations,
        expires_at: Some(granted_at() + Duration::hours(1)),
        ..grant
    };
    Capability::grant(id(0), grant, granted_at()).unwrap()
}

#[test]
fn a_delegation_that_says_nothing_inherits_everything() {
    let parent = read_only();
    let child = child(&parent, asked(json!({})));
    assert_eq!(child.authority(), parent.authority());
    assert_eq!(child.expires_at(), parent.expires_at());
    assert_eq!((child.parent(), child.delegation_depth()), (Some(parent.id()), 1));
    assert_eq!(child.resource(), "/srv/data");
}

#[test]
fn a_child_does_not_regain_a_kind_that_its_parent_gave_up() {
    let parent = grant(ResourceType::Tool, "*", json!({"kinds": ["tool"], "paths": ["/srv/data"]}));
    assert!(!permits(&parent, &read("/srv/data/a")));
    let once = child(&parent, asked(json!({})));
    let twice = child(&once, asked(json!({"operations": ["read", "call"]})));
    for child in [&once, &twice] {
        assert_refused(child, &read("/srv/data/a"), DenyCode::KindNotGranted, "kinds", &["`tool`"]);
        assert!(permits(child, &call("fs/read")));
    }
}

#[test]
fn a_child_does_not_regain_tools_that_an_ancestor_bound_to_a_kind() {
    let root = grant(ResourceType::Path, "/srv/data", json!({}));
    let named = child(&root, asked(json!({"allowed_tools": ["fs/read", "time/now"]})));
    let heir = child(&named, asked(json!({})));
    let clock = call("time/now");
    let reader = tool("fs/read", json!({}), Some(Kinds::NONE.with(Kind::Path)));
    for capability in [&root, &named, &heir] {
        assert!(!permits(capability, &clock), "{}", capability.to_json());
        assert!(permits(capability, &reader), "{}", capability.to_json());
    }
}

#[test]
fn below_any_a_child_of_one_type_has_its_tools_and_no_others() {
    let any = constrained(json!({}));
    let of = |kind, resource: &str, constraints| {
        let resource = Some(resource.to_owned());
        child(&any, Delegation { resource_type: Some(kind), resource, ..asked(constraints) })
    };
    let mapped = |kind| tool("a/b", json!({}), Some(Kinds::NONE.with(kind)));
    let clock = call("time/now");

    let tools = of(ResourceType::Tool, "time/now", json!({}));
    assert!(permits(&tools, &clock));
    assert!(!permits(&tools, &mapped(Kind::Path)));

    let paths = of(ResourceType::Path, "/srv", json!({}));
    assert!(permits(&paths, &mapped(Kind::Path)));
    assert!(!permits(&paths, &clock) && !permits(&paths, &mapped(Kind::Url)));

    let named = of(ResourceType::Path, "/srv", json!({"allowed_tools": ["time/now"]}));
    assert!(permits(&named, &clock));
    assert!(!permits(&named, &mapped(Kind::Path)));

    let urls = of(ResourceType::Path, "/srv", json!({"tool_kinds": ["url"]}));
    let both = Kinds::NONE.with(Kind::Path).with(Kind::Url);
    assert!(permits(&urls, &tool("a/b", json!({}), Some(both))));
    assert!(!permits(&urls, &mapped(Kind::Url)) && !permits(&urls, &mapped(Kind::Path)));
}

#[test]
fn a_child_rooted_at_a_link_is_still_held_to_its_parents_folder() {
    let parent = grant(ResourceType::Path, "/srv/data", json!({}));
    let narrowed = child(&parent, asked(json!({"paths": ["/srv/data/link"]})));
    let moved = Delegation { resource: Some("/srv/data/link".to_owned()), ..asked(json!({})) };
    let leaf = child(&narrowed, asked(json!({})));
    // `link` leads to `/etc`: beneath it all is well, beneath the parent's folder it is not.
    let beneath = |root: &str, real: Result<&str, DenyCode>| {
        let abs = |text| AbsPath::parse(text).unwrap();
        Beneath { root: abs(root), real: real.map(abs), size: 0 }
    };
    let escaping = PathRequest {
        physical: Physical::Resolved(vec![
            beneath("/srv/data", Err(DenyCode::PathEscapes)),
            beneath("/srv/data/link", Ok("/srv/data/link/passwd")),
        ]),
        ..path("/srv/data/link/passwd")
    };
    for capability in [&parent, &narrowed, &child(&parent, moved), &leaf] {
        let roots: Vec<_> = capability.authority().path_roots(&escaping.path).collect();
        assert!(roots.iter().any(|root| root.as_str() == "/srv/data"), "{roots:?}");
        let denied = denial(capability, &on_path(escaping.clone(), READ));
        assert_eq!(denied.code(), DenyCode::PathEscapes);
    }
}

#[test]
fn a_child_keeps_the_tools_that_its_parent_names() {
    let parent = grant(ResourceType::Path, "/srv/data", json!({"allowed_tools": ["time/now"]}));
    let heir = child(&parent, asked(json!({})));
    for capability in [&parent, &heir] {
        assert!(permits(capability, &call("time/now")), "{}", capability.to_json());
        assert!(!permits(capability, &call("time/zones")), "{}", capability.to_json());
    }
}

#[test]
fn a_child_keeps_the_kinds_that_its_parent_speaks_of() {
    let parent = grant(ResourceType::Tool, "*", json!({"paths": ["/srv/data"]}));
    let heir = child(&parent, asked(json!({"allowed_tools": ["fs/*"]})));
    assert!(permits(&heir, &read("/srv/data/a")));
    assert!(!permits(&heir, &url("https://a.example")));
}

#[test]
fn strict_names_the_field_and_the_value_that_are_beyond_the_parent() {
    let parent = read_only();
    let with = |constraints| asked(constraints);
    let cases: Vec<(Delegation, &[&str])> = vec![
        (with(json!({"paths": ["/srv/data/a", "/etc"]})), &["paths: /etc"]),
        (with(json!({"paths": ["/srv/data_evil"]})), &["paths: /srv/data_evil"]),
        (with(json!({"paths": ["/srv/*"]})), &["paths: /srv/*"]),
        (with(json!({"allowed_extensions": ["txt", "md"]})), &["allowed_extensions: md"]),
        (with(json!({"operations": ["read", "write"]})), &["operations: write"]),
        (with(json!({"allowed_domains": ["a.example"]})), &["kinds: url"]),
        (with(json!({"commands": ["ls"]})), &["kinds: command"]),
        (with(json!({"kinds": ["path", "method"]})), &["kinds: method"]),
        (with(json!({"max_delegation_depth": 5})), &["max_delegation_depth: 5"]),
        (
            with(json!({"expires_at": "2026-11-21T13:00:01Z"})),
            &["expires_at: 2026-11-21T13:00:01+00:00"],
        ),
        (
            Delegation { expires_at: Some(granted_at() + Duration::hours(2)), ..with(json!({})) },
            &["expires_at: 2026-11-21T14:00:00+00:00"],
        ),
        (
            Delegation { resource: Some("/srv/other".to_owned()), ..with(json!({})) },
            &["paths: /srv/other"],
        ),
        (Delegation { resource: Some("*".to_owned()), ..with(json!({})) }, &["paths: /"]),
        (
            Delegation { operations: Some(WRITE.union(READ)), ..with(json!({})) },
            &["operations: write"],
        ),
        (
            Delegation { operations: Some(Operations::ALL), ..with(json!({})) },
            &["operations: delete", "operations: execute", "operations: write"],
        ),
        (
            Delegation {
                resource_type: Some(ResourceType::Any),
                resource: Some("*".to_owned()),
                ..with(json!({}))
            },
            &["kinds: command", "kinds: method", "kinds: url"],
        ),
        (
            Delegation {
                resource_type: Some(ResourceType::Url),
                resource: Some("https://a.example".to_owned()),
                ..with(json!({}))
            },
            &["kinds: url"],
        ),
    ];
    for (delegation, wanted) in cases {
        assert_eq!(beyond(&parent, delegation.clone()), wanted, "{delegation:?}");
    }
}

#[test]
fn strict_names_of_every_list_what_the_parent_lacks() {
    let window = |from, to| json!({"days": ["mon"], "from": from, "to": to, "offset": "Z"});
    let cases = [
        ("allowed_domains", json!(["*.a.test"]), json!(["x.a.test", "b.test"]), "b.test"),
        ("allowed_extensions", json!(["txt"]), json!(["txt", "md"]), "md"),
        ("allowed_methods", json!(["tasks/*"]), json!(["tasks/get", "ping"]), "ping"),
        ("allowed_tools", json!(["fs/*"]), json!(["fs/read", "web/fetch"]), "web/fetch"),
        (
            "cidr",
            json!(["192.0.2.0/24"]),
            json!(["192.0.2.8/29", "2001:db8::/32"]),
            "2001:db8::/32",
        ),
        ("commands", json!(["git"]), json!(["git", "ls"]), "ls"),
        (
            "command_args",
            json!({"git": [["log"]]}),
            json!({"git": [["log"], ["push"]]}),
            "git [\"push\"]",
        ),
        ("environment", json!(["TZ"]), json!(["LANG", "TZ"]), "LANG"),
        ("max_file_size", json!(9), json!(10), "10"),
        ("methods", json!(["GET"]), json!(["GET", "PUT"]), "PUT"),
        ("ports", json!([443, "8000-8999"]), json!([443, "8080-9000"]), "8080-9000"),
        ("protocols", json!(["https"]), json!(["http", "https"]), "http"),
        (
            "time_windows",
            json!([window("08:00", "18:00")]),
            json!([window("09:00", "10:00"), window("17:00", "19:00")]),
            "mon 17:00-19:00 Z",
        ),
        ("tool_kinds", json!(["path"]), json!(["path", "url"]), "url"),
        (
            "urls",
            json!(["https://a.test"]),
            json!(["https://a.test/b", "https://b.test"]),
            "https://b.test",
        ),
    ];
    for (name, parents, childs, cut) in cases {
        let parent = constrained(json!({ name: parents }));
        assert_eq!(beyond(&parent, asked(json!({ name: childs }))), [format!("{name}: {cut}")]);
        assert_eq!(beyond(&parent, asked(json!({ name: parents }))), [""; 0], "{name}");
    }
}

#[test]
fn what_is_said_of_one_tool_or_name_is_not_compared_with_what_is_said_of_another() {
    let rules =
        |tool: &str, max: u64| json!({ tool: {"n": {"constraint_type": "range", "max": max}} });
    let parent = constrained(json!({"arguments": rules("fs/read", 1)}));
    assert_eq!(beyond(&parent, asked(json!({"arguments": rules("fs/list", 9)}))), [""; 0]);
    assert_eq!(
        beyond(&parent, asked(json!({"arguments": rules("fs/read", 9)}))),
        ["arguments: fs/read"]
    );

    let parent = constrained(json!({"custom": {"one": 1}}));
    assert_eq!(beyond(&parent, asked(json!({"custom": {"two": 2}}))), [""; 0]);
    assert_eq!(beyond(&parent, asked(json!({"custom": {"one": 2}}))), ["custom: one"]);
}

#[test]
fn strict_names_every_tool_where_the_parent_has_some() {
    let parent = grant(ResourceType::Tool, "fs/read", json!({}));
    let all = Delegation { resource: Some("*".to_owned()), ..asked(json!({})) };
    assert_eq!(beyond(&parent, all), ["allowed_tools: *"]);
    let parent = grant(ResourceType::Method, "prompts/get", json!({}));
    let all = Delegation { resource: Some("*".to_owned()), ..asked(json!({})) };
    assert_eq!(beyond(&parent, all), ["allowed_methods: *"]);
}

#[test]
fn strict_passes_what_the_parent_has() {
    let parent = read_only();
    let narrower = [
        asked(json!({})),
        asked(json!({"paths": ["/srv/data/a", "/srv/data/*.txt"], "max_file_size": 10})),
        asked(json!({"allowed_extensions": ["txt"], "max_delegation_depth": 4})),
        asked(json!({"rate_limit": {"max": 1, "per_seconds": 60}})),
        asked(json!({"expires_at": "2026-11-21T13:00:00Z"})),
        Delegation { operations: Some(READ), ..asked(json!({})) },
        Delegation { expires_at: parent.expires_at(), ..asked(json!({})) },
        Delegation { resource: Some("/srv/data/a".to_owned()), ..asked(json!({})) },
        Delegation { resource_type: Some(ResourceType::Path), ..asked(json!({})) },
    ];
    for delegation in narrower {
        assert_eq!(beyond(&parent, delegation.clone()), [""; 0], "{delegation:?}");
    }
}

#[test]
fn strict_does_not_count_what_a_type_implies_as_asked_for() {
    // No tools here, and a root without `call`.
    let parent = grant(ResourceType::Path, "/srv/data", json!({"kinds": ["path"]}));
    assert_eq!(beyond(&parent, asked(json!({"paths": ["/srv/data/a"]}))), [""; 0]);
    let parent = constrained(json!({"operations": ["read"]}));
    let path = Delegation {
        resource_type: Some(ResourceType::Path),
        resource: Some("/srv".to_owned()),
        operations: Some(READ),
        ..asked(json!({}))
    };
    assert_eq!(beyond(&parent, path), [""; 0]);
}

#[test]
fn intersect_narrows_and_reports_what_was_cut() {
    let parent = read_only();
    let delegation = Delegation {
        operations: Some(READ.union(WRITE)),
        attenuation: Attenuation::Intersect,
        ..asked(json!({"paths": ["/srv/data/a", "/etc"]}))
    };
    let (child, cut) = parent.delegate(id(1), delegation, granted_at()).unwrap();
    assert_eq!(cut.len(), 2);
    assert!(permits(&child, &read("/srv/data/a/x.txt")));
    assert!(!permits(&child, &read("/srv/data/b.txt")), "not asked for");
    assert!(!permits(&child, &read("/etc/x.txt")), "not the parent's");
    assert!(!permits(&child, &on_path(path("/srv/data/a/x.txt"), WRITE)));
}

#[test]
fn a_delegation_that_would_permit_nothing_is_an_error() {
    let parent = read_only();
    for constraints in [
        json!({"paths": ["/etc"]}),
        json!({"paths": []}),
        json!({"kinds": []}),
        json!({"kinds": ["url"]}),
        json!({"paths": ["/srv/data/a"], "and": [{"paths": ["/srv/data/b"]}]}),
    ] {
        let delegation =
            Delegation { attenuation: Attenuation::Intersect, ..asked(constraints.clone()) };
        let error = error(&parent, delegation);
        assert_eq!(error, DelegateError::Grant(GrantError::Empty), "{constraints}");
        assert_eq!(error.deny_code(), DenyCode::AuthorityEmpty);
    }
}

#[test]
fn a_root_that_would_permit_nothing_is_an_error() {
    let grant = |kind, resource, constraints, operations| {
        let grant = root_grant(kind, resource, constraints);
        Capability::grant(id(0), cap_core::RootGrant { operations, ..grant }, granted_at())
    };
    let empties = [
        grant(ResourceType::Any, "*", json!({"operations": []}), Operations::ALL),
        grant(ResourceType::Any, "*", json!({"kinds": []}), Operations::ALL),
        grant(ResourceType::Tool, "fs/read", json!({"allowed_tools": ["web/*"]}), Operations::ALL),
        grant(ResourceType::Tool, "*", json!({}), Operations::NONE),
        grant(ResourceType::Command, "git", json!({"commands": ["ls"]}), Operations::ALL),
        grant(ResourceType::Url, "https://a.example", json!({"protocols": []}), Operations::ALL),
        grant(ResourceType::Url, "*", json!({"allowed_domains": []}), Operations::ALL),
        grant(ResourceType::Method, "a/*", json!({"allowed_methods": ["b/*"]}), Operations::ALL),
    ];
    for empty in empties {
        assert_eq!(empty.unwrap_err(), GrantError::Empty);
    }
}

#[test]
fn a_chain_has_five_links_below_its_root_unless_it_says_otherwise() {
    let links = |constraints| {
        let mut leaf = grant(ResourceType::Path, "/srv", constraints);
        let mut links = 0;
        while leaf.max_delegation_depth() > 0 {
            leaf = child(&leaf, asked(json!({})));
            links += 1;
            assert_eq!(leaf.delegation_depth(), links);
        }
        let error = error(&leaf, asked(json!({})));
        assert_eq!(
            (&error, error.deny_code()),
            (&DelegateError::TooDeep, DenyCode::DelegationTooDeep)
        );
        links
    };
    assert_eq!(links(json!({})), 5);
    assert_eq!(links(json!({"max_delegation_depth": 0})), 0);
    assert_eq!(links(json!({"max_delegation_depth": 2})), 2);
    assert_eq!(links(json!({"max_delegation_depth": 16})), 16);
}

#[test]
fn a_child_cannot_be_delegated_further_than_its_parent_allows() {
    let parent = grant(ResourceType::Path, "/srv", json!({"max_delegation_depth": 2}));
    let intersect = Delegation {
        attenuation: Attenuation::Intersect,
        ..asked(json!({"max_delegation_depth": 9}))
    };
    let (child, cut) = parent.delegate(id(1), intersect, granted_at()).unwrap();
    assert_eq!(child.max_delegation_depth(), 1);
    assert_eq!((cut[0].field, cut[0].value.as_str()), ("max_delegation_depth", "9"));
    let seventeen = root_grant(ResourceType::Any, "*", json!({"max_delegation_depth": 17}));
    let error = Capability::grant(id(0), seventeen, granted_at()).unwrap_err();
    assert_eq!(field_of(error), "max_delegation_depth");
}

#[test]
fn a_child_never_outlives_its_parent() {
    let parent = read_only();
    let end = parent.expires_at().unwrap();
    let delegation =
        |expires_at, attenuation| Delegation { expires_at, attenuation, ..asked(json!({})) };
    let later = delegation(Some(end + Duration::hours(1)), Attenuation::Intersect);
    assert_eq!(parent.delegate(id(1), later, granted_at()).unwrap().0.expires_at(), Some(end));
    let unsaid = delegation(None, Attenuation::Strict);
    assert_eq!(child(&parent, unsaid.clone()).expires_at(), Some(end));
    let earlier = end - Duration::minutes(5);
    let sooner = delegation(Some(earlier), Attenuation::Strict);
    assert_eq!(child(&parent, sooner).expires_at(), Some(earlier));

    let too_late = parent.delegate(id(1), unsaid, end).unwrap_err();
    assert_eq!(too_late, DelegateError::ParentExpired);
    assert_eq!(too_late.deny_code(), DenyCode::CapabilityExpired);
    let over = delegation(Some(granted_at()), Attenuation::Strict);
    assert_eq!(error(&parent, over), DelegateError::Grant(GrantError::Expired));
}

#[test]
fn instants_are_kept_to_the_second_and_never_gain_by_it() {
    let half = Duration::milliseconds(500);
    let mut grant = root_grant(ResourceType::Any, "*", json!({}));
    grant.expires_at = Some(granted_at() + Duration::hours(1) + half);
    let capability = Capability::grant(id(0), grant.clone(), granted_at() + half).unwrap();
    assert_eq!(capability.issued_at(), granted_at());
    assert_eq!(capability.expires_at(), Some(granted_at() + Duration::hours(1)));

    grant.expires_at = Some(granted_at() + half);
    let error = Capability::grant(id(0), grant.clone(), granted_at()).unwrap_err();
    assert_eq!(error, GrantError::Expired);

    let leap: DateTime<Utc> = "2026-12-31T23:59:60Z".parse().unwrap();
    grant.expires_at = Some(leap);
    assert_eq!(field_of(Capability::grant(id(0), grant, granted_at()).unwrap_err()), "issued_at");
}

#[test]
fn a_constraint_that_is_over_at_the_grant_is_an_error() {
    let grant = root_grant(ResourceType::Any, "*", json!({"expires_at": "2026-11-21T12:00:00Z"}));
    let error = Capability::grant(id(0), grant, granted_at()).unwrap_err();
    assert_eq!(error, GrantError::Expired);
}

#[test]
fn limits_of_all_ancestors_are_charged_by_a_descendant() {
    let limit = |max: u64| json!({"rate_limit": {"max": max, "per_seconds": 60}});
    let root = grant(ResourceType::Any, "*", limit(10));
    let first = child(&root, asked(json!({})));
    let second = child(&first, asked(limit(20)));
    let leaf = child(&second, asked(limit(5)));
    let charged: Vec<_> =
        leaf.obligations().map(|one| (one.owner, one.limits.rate_limit.unwrap().max)).collect();
    assert_eq!(charged, [(root.id(), 10), (second.id(), 20), (leaf.id(), 5)]);
    assert_eq!(first.obligations().count(), 1);
    assert_eq!(Capability::from_json(&leaf.to_json()).unwrap().obligations().count(), 3);
}

#[test]
fn limits_and_depth_stand_at_the_top_only() {
    for inner in [
        json!({"rate_limit": {"max": 1, "per_seconds": 1}}),
        json!({"max_delegation_depth": 1}),
        json!({"and": [{}]}),
    ] {
        let grant = root_grant(ResourceType::Any, "*", json!({ "and": [inner] }));
        let error = Capability::grant(id(0), grant, granted_at()).unwrap_err();
        assert_eq!(field_of(error), "and");
    }
}

#[test]
fn a_rate_limit_has_bounds_and_counts_in_periods() {
    for (max, per_seconds) in [(0, 1), (1, 0), (1_000_000_001, 1), (1, 366 * 86_400 + 1)] {
        let limit = json!({"rate_limit": {"max": max, "per_seconds": per_seconds}});
        let grant = root_grant(ResourceType::Any, "*", limit);
        let error = Capability::grant(id(0), grant, granted_at()).unwrap_err();
        assert_eq!(field_of(error), "rate_limit");
    }
    let limit = cap_core::RateLimit::new(1, 60);
    let period = |seconds| limit.period(granted_at() + Duration::seconds(seconds));
    assert_eq!(period(59), period(0));
    assert_eq!(period(60), period(0) + 1);
}

#[test]
fn a_resource_must_suit_its_type() {
    let cases = [
        (ResourceType::Any, "/srv"),
        (ResourceType::Command, ""),
        (ResourceType::Method, "a*"),
        (ResourceType::Path, "srv"),
        (ResourceType::Path, ""),
        (ResourceType::Tool, "read"),
        (ResourceType::Url, "a.example"),
        (ResourceType::Url, "file:///etc"),
    ];
    for (kind, resource) in cases {
        let grant = root_grant(kind, resource, json!({}));
        let error = Capability::grant(id(0), grant, granted_at()).unwrap_err();
        assert_eq!(field_of(error), "resource", "{kind} {resource}");
    }
}

#[test]
fn a_capability_that_could_not_be_read_back_is_not_made() {
    let long = |bytes: usize| format!("/{}", vec!["a".repeat(200); bytes / 201].join("/"));
    let paths: Vec<String> = (0..18).map(|n| format!("{}/{n}", long(3900))).collect();
    let grant = |paths: &[String]| {
        let grant = root_grant(ResourceType::Path, "/", json!({ "paths": paths }));
        Capability::grant(id(0), grant, granted_at())
    };
    assert_eq!(grant(&paths).unwrap_err(), GrantError::TooLarge);
    let good = grant(&paths[..16]).unwrap();
    assert!(good.to_json().len() <= 65_536);
    assert_eq!(Capability::from_json(&good.to_json()).unwrap(), good);
    let more = Delegation {
        attenuation: Attenuation::Intersect,
        ..asked(json!({ "paths": ["/a", "/b"] }))
    };
    let mut heavy = more.clone();
    heavy.constraints.allowed_domains = Some(
        (0..250).map(|n| format!("{}.{n}.example", "b".repeat(200)).parse().unwrap()).collect(),
    );
    assert_eq!(error(&good, heavy).deny_code(), DenyCode::AuthorityTooLarge);
}

#[test]
fn a_refusal_quotes_values_escaped_and_bounded() {
    let parent = read_only();
    let name = format!("/etc/\u{202e}{}`x", "y".repeat(150));
    let message = error(&parent, asked(json!({"paths": [name]}))).to_string();
    assert!(message.starts_with("more was asked for than the parent has: `paths`: `/etc/"));
    assert!(
        message.contains("\\u{202e}") && !message.contains('\u{202e}') && !message.contains("`x")
    );
    assert!(message.len() < 300, "{message}");
}

#[test]
fn operations_other_than_those_of_tools_and_methods_bring_call_along() {
    let with = |kind, resource, operations| {
        let grant = root_grant(kind, resource, json!({"allowed_tools": ["fs/read"]}));
        let grant = cap_core::RootGrant { operations, ..grant };
        Capability::grant(id(0), grant, granted_at()).unwrap()
    };
    assert!(permits(&with(ResourceType::Path, "/srv", READ), &call("fs/read")));
    assert!(!permits(&with(ResourceType::Tool, "*", READ), &call("fs/read")));
    let called = with(ResourceType::Tool, "*", Operations::NONE.with(Operation::Call));
    assert!(permits(&called, &call("fs/read")));
}

fn field_of(error: GrantError) -> &'static str {
    match error {
        GrantError::Constraint(error) => ConstraintError::field(&error),
        other => panic!("{other}"),
    }
}
