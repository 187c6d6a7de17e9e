//! Every constraint: what it permits, what it refuses, with which code, and what would pass.

use cap_core::{
    DenyCode, Kind, Kinds, Operation, Operations, PathRequest, Physical, Reach, ResourceType,
};
use cap_testkit::strategy::granted_at;
use chrono::Duration;
use serde_json::json;

use crate::support::*;

#[test]
fn paths_permit_a_folder_and_what_lies_below_and_no_sibling() {
    let data = constrained(json!({"paths": ["/srv/data"]}));
    for inside in
        ["/srv/data", "/srv/data/a", "/srv/data/a/b.txt", "/srv/x/../data/a", "/srv/data/"]
    {
        assert!(permits(&data, &read(inside)), "{inside}");
    }
    for outside in ["/srv/data_evil", "/srv/data.bak/a", "/srv", "/", "/srv/dat", "/srv/data/../x"]
    {
        let words = ["lies outside", "`/srv/data` would pass"];
        assert_refused(&data, &read(outside), DenyCode::PathOutside, "paths", &words);
    }
}

#[test]
fn paths_permit_what_any_of_their_patterns_means() {
    let some = constrained(json!({"paths": ["/srv/*/public/**", "/tmp/?.log"]}));
    for good in ["/srv/a/public", "/srv/a/public/x/y", "/tmp/1.log"] {
        assert!(permits(&some, &read(good)), "{good}");
    }
    for bad in ["/srv/a/b/public/x", "/srv/a/private", "/tmp/12.log", "/tmp/1.log/x"] {
        let words = ["`/srv/*/public/**` or `/tmp/?.log` would pass"];
        assert_refused(&some, &read(bad), DenyCode::PathOutside, "paths", &words);
    }
    let none = constrained(json!({"paths": []}));
    assert_refused(&none, &read("/"), DenyCode::PathOutside, "paths", &["nothing would pass"]);
}

#[test]
fn paths_look_at_where_a_path_leads_and_not_only_at_its_name() {
    let data = constrained(json!({"paths": ["/srv/data"]}));
    let led = |real| on_path(found("/srv/data/a", "/srv/data", real, 0), READ);
    assert!(permits(&data, &led(Ok("/srv/data/other/a"))));
    let refused =
        |request, code| assert_refused(&data, &request, code, "paths", &["`/srv/data/a`"]);
    refused(led(Ok("/etc/passwd")), DenyCode::PathEscapes);
    refused(led(Ok("/srv/data_evil/a")), DenyCode::PathEscapes);
    refused(led(Err(DenyCode::PathEscapes)), DenyCode::PathEscapes);
    refused(led(Err(DenyCode::PathUnresolved)), DenyCode::PathUnresolved);
    // Nobody looked beneath the root of the pattern.
    let elsewhere = found("/srv/data/a", "/srv", Ok("/srv/data/a"), 0);
    refused(on_path(elsewhere, READ), DenyCode::PathUnresolved);
    let nowhere = PathRequest { physical: Physical::Resolved(Vec::new()), ..path("/srv/data/a") };
    refused(on_path(nowhere, READ), DenyCode::PathUnresolved);
}

#[test]
fn paths_tell_nothing_of_where_a_link_leads() {
    let data = constrained(json!({"paths": ["/srv/data"]}));
    let request = on_path(found("/srv/data/a", "/srv/data", Ok("/srv/secret/b"), 0), READ);
    assert!(!denial(&data, &request).to_string().contains("secret"));
}

#[test]
fn a_link_may_lead_from_one_pattern_only_to_what_the_same_pattern_means() {
    let two = constrained(json!({"paths": ["/srv/a/*.txt", "/srv/b"]}));
    let led = |real| on_path(found("/srv/a/x.txt", "/srv/a", Ok(real), 0), READ);
    assert!(permits(&two, &led("/srv/a/y.txt")));
    assert!(!permits(&two, &led("/srv/a/y.exe")));
    assert!(!permits(&two, &led("/srv/b/y.txt")));
}

#[test]
fn a_whole_subtree_needs_a_pattern_that_is_open_at_its_end() {
    let reach = |text: &str| on_path(PathRequest { reach: Reach::Subtree, ..path(text) }, LIST);
    let some = constrained(json!({"paths": ["/srv/data", "/home/*/**", "/tmp/*"]}));
    for good in ["/srv/data", "/srv/data/a", "/home/me", "/home/me/a"] {
        assert!(permits(&some, &reach(good)), "{good}");
    }
    for bad in ["/srv", "/home", "/tmp/a"] {
        let words = ["`all of /srv/data`"];
        assert_refused(&some, &reach(bad), DenyCode::PathOutside, "paths", &words);
    }
    assert!(permits(&some, &on_path(path("/tmp/a"), LIST)));
    let linked =
        PathRequest { reach: Reach::Subtree, ..found("/srv/data/a", "/srv/data", Ok("/etc"), 0) };
    assert_refused(&some, &on_path(linked, LIST), DenyCode::PathEscapes, "paths", &[]);
}

#[test]
fn what_is_refused_physically_no_authority_permits() {
    let all = constrained(json!({}));
    for code in [DenyCode::StateProtected, DenyCode::PathUnresolved] {
        let refused = PathRequest { physical: Physical::Refused(code), ..path("/srv/data/a") };
        assert_eq!(denial(&all, &on_path(refused, READ)).code(), code);
    }
}

#[test]
fn a_request_for_no_operation_is_refused() {
    let all = constrained(json!({}));
    let denied = denial(&all, &on_path(path("/srv"), Operations::NONE));
    assert_eq!(denied.code(), DenyCode::OperationNotAllowed);
    assert!(denied.reason().contains("names no operation"));
}

#[test]
fn operations_must_all_be_among_those_granted() {
    let some = constrained(json!({"operations": ["read", "list"]}));
    let ask = |operations| on_path(path("/srv/a"), operations);
    assert!(permits(&some, &ask(READ)) && permits(&some, &ask(READ.union(LIST))));
    let both = ask(READ.union(WRITE).with(Operation::Delete));
    let words = ["`delete, write` is refused", "`list` or `read` would pass"];
    assert_refused(&some, &both, DenyCode::OperationNotAllowed, "operations", &words);
    assert_refused(
        &some,
        &call("fs/read"),
        DenyCode::OperationNotAllowed,
        "operations",
        &["`call`"],
    );
}

#[test]
fn kinds_refuse_every_other_kind() {
    let paths = constrained(json!({"kinds": ["path", "tool"]}));
    assert!(permits(&paths, &read("/a")) && permits(&paths, &call("fs/read")));
    for request in [url("https://a.example"), command("ls"), method("prompts/get")] {
        let words = ["does not speak of this kind", "`path` or `tool` would pass"];
        assert_refused(&paths, &request, DenyCode::KindNotGranted, "kinds", &words);
    }
}

#[test]
fn extensions_bind_every_operation_but_list() {
    let text = constrained(json!({"allowed_extensions": ["txt", "md"]}));
    for operation in Operation::ALL {
        let ask = |name| on_path(path(name), Operations::NONE.with(operation));
        assert!(permits(&text, &ask("/a/b.txt")) && permits(&text, &ask("/a.d/b.tar.md")));
        for bad in ["/a/b.exe", "/a/b", "/a/.txt", "/a/b.txt.", "/a/b.TXT", "/a.txt/b", "/"] {
            if operation == Operation::List {
                assert!(permits(&text, &ask(bad)), "{bad}");
            } else {
                let words = ["extension is not permitted", "`md` or `txt` would pass"];
                let (code, name) = (DenyCode::ExtensionNotAllowed, "allowed_extensions");
                assert_refused(&text, &ask(bad), code, name, &words);
            }
        }
    }
    let mixed = on_path(path("/a/b"), LIST.with(Operation::Delete));
    assert!(!permits(&text, &mixed), "`list` excuses nothing else");
}

#[test]
fn extensions_look_at_the_file_that_a_link_leads_to() {
    let text = constrained(json!({"allowed_extensions": ["txt"]}));
    let led = |name, real| on_path(found(name, "/a", Ok(real), 0), READ);
    assert!(permits(&text, &led("/a/b.txt", "/a/c.txt")));
    assert!(!permits(&text, &led("/a/b.txt", "/a/c.exe")));
    assert!(!permits(&text, &led("/a/b.exe", "/a/c.txt")));
}

#[test]
fn extensions_refuse_a_subtree_as_nobody_knows_what_is_in_it() {
    let text = constrained(json!({"allowed_extensions": ["txt"]}));
    let all =
        |operations| on_path(PathRequest { reach: Reach::Subtree, ..path("/a/b.txt") }, operations);
    assert!(permits(&text, &all(LIST)));
    assert_eq!(denial(&text, &all(READ)).code(), DenyCode::ExtensionNotAllowed);
}

#[test]
fn file_size_bounds_what_is_read_and_what_is_written() {
    let small = constrained(json!({"max_file_size": 100}));
    let there = |size| found("/a/b", "/a", Ok("/a/b"), size);
    let sized = |size, of| PathRequest { size: Some(size), ..of };
    let both = READ.union(WRITE);
    for good in [
        on_path(there(100), READ),
        on_path(sized(100, path("/a/b")), WRITE),
        on_path(sized(100, there(5000)), WRITE),
        on_path(sized(5000, there(100)), READ),
        on_path(sized(100, there(100)), both),
        on_path(there(5000), LIST),
        on_path(there(5000), Operations::NONE.with(Operation::Delete)),
    ] {
        assert!(permits(&small, &good), "{good:?}");
    }
    for (bad, own) in [
        (on_path(there(101), READ), "`/a/b` is refused"),
        (on_path(sized(101, path("/a/b")), WRITE), "`101 bytes` is refused"),
        (on_path(sized(101, there(1)), both), "`101 bytes` is refused"),
        (on_path(sized(1, there(101)), both), "`/a/b` is refused"),
    ] {
        let words = [own, "at most 100 bytes would pass"];
        assert_refused(&small, &bad, DenyCode::SizeExceeded, "max_file_size", &words);
    }
}

#[test]
fn file_size_refuses_what_nobody_knows_the_size_of() {
    let small = constrained(json!({"max_file_size": 100}));
    let tree =
        PathRequest { reach: Reach::Subtree, size: Some(1), ..found("/a/b", "/a", Ok("/a/b"), 1) };
    for unknown in [
        on_path(path("/a/b"), READ),
        on_path(path("/a/b"), WRITE),
        on_path(found("/a/b", "/a", Ok("/a/b"), 1), WRITE),
        on_path(found("/a/b", "/a", Err(DenyCode::PathUnresolved), 1), READ),
        on_path(tree, READ),
    ] {
        let code = DenyCode::SizeUnknown;
        assert_refused(&small, &unknown, code, "max_file_size", &["size is not known"]);
    }
}

#[test]
fn tools_are_compared_exactly() {
    let some = constrained(json!({"allowed_tools": ["fs/read", "web/*"]}));
    for good in ["fs/read", "web/fetch", "web/a/b"] {
        assert!(permits(&some, &call(good)), "{good}");
    }
    for bad in ["fs/write", "fs/read2", "fs/Read", "fs2/read", "webx/fetch", "fs/read/x"] {
        let words = [bad, "`web/*` or `fs/read` would pass"];
        assert_refused(&some, &call(bad), DenyCode::ToolNotAllowed, "allowed_tools", &words);
    }
}

#[test]
fn tool_kinds_permit_tools_that_the_table_maps_to_them() {
    let some = constrained(json!({"tool_kinds": ["path", "url"]}));
    let of = |kinds| tool("fs/read", json!({}), Some(kinds));
    assert!(permits(&some, &of(Kinds::NONE.with(Kind::Path))));
    assert!(permits(&some, &of(Kinds::NONE.with(Kind::Command).with(Kind::Url))));
    for bad in [Kinds::NONE, Kinds::NONE.with(Kind::Command)] {
        let words = ["`fs/read` is refused", "`a tool for paths` or `a tool for urls` would pass"];
        assert_refused(&some, &of(bad), DenyCode::ToolNotAllowed, "tool_kinds", &words);
    }
    let unlisted = tool("fs/read", json!({}), None);
    assert_refused(
        &some,
        &unlisted,
        DenyCode::ToolUnmapped,
        "tool_kinds",
        &["does not list `fs/read`"],
    );
}

#[test]
fn where_resources_are_spoken_of_what_the_table_does_not_list_is_refused() {
    let unlisted = tool("fs/read", json!({}), None);
    let odd = match call("fs/read").resource {
        cap_core::Resource::Tool(mut tool) => {
            tool.mapping = cap_core::Mapping::Listed {
                kinds: Kinds::NONE,
                unlisted_argument: Some("mode".to_owned()),
            };
            cap_core::AccessRequest::new(cap_core::Resource::Tool(tool), Operations::CALL)
        }
        other => panic!("{other:?}"),
    };
    for speaks in [
        json!({"paths": ["/"]}),
        json!({"urls": ["*"]}),
        json!({"allowed_domains": ["a.example"]}),
        json!({"protocols": ["https"]}),
        json!({"commands": ["*"]}),
        json!({"and": [{"paths": ["/"]}]}),
    ] {
        let some = constrained(speaks);
        let denied = denial(&some, &unlisted);
        assert_eq!(denied.code(), DenyCode::ToolUnmapped, "{denied}");
        let denied = denial(&some, &odd);
        assert_eq!(denied.code(), DenyCode::ToolUnmapped, "{denied}");
        assert!(denied.reason().contains("`mode`"), "{denied}");
        assert!(permits(&some, &call("fs/read")));
    }
    for silent in [
        json!({}),
        json!({"allowed_tools": ["*"], "max_file_size": 1, "allowed_extensions": ["a"]}),
        json!({"allowed_methods": ["*"]}),
    ] {
        let some = constrained(silent);
        assert!(permits(&some, &unlisted) && permits(&some, &odd));
    }
}

#[test]
fn methods_are_exact_or_of_a_family() {
    let some = constrained(json!({"allowed_methods": ["prompts/get", "tasks/*"]}));
    assert!(permits(&some, &method("prompts/get")) && permits(&some, &method("tasks/a/b")));
    for bad in ["prompts/get2", "prompts", "tasks", "tasksx/a", "Tasks/a"] {
        let words = ["`prompts/get` or `tasks/*` would pass"];
        assert_refused(&some, &method(bad), DenyCode::MethodNotAllowed, "allowed_methods", &words);
    }
}

#[test]
fn commands_are_compared_exactly_as_they_are_named() {
    let some = constrained(json!({"commands": ["git", "/usr/bin/ls"]}));
    assert!(permits(&some, &command("git")) && permits(&some, &command("/usr/bin/ls")));
    for bad in ["ls", "/usr/bin/git", "git ", "Git", "git;ls", "./git"] {
        let words = ["`/usr/bin/ls` or `git` would pass"];
        assert_refused(&some, &command(bad), DenyCode::CommandNotAllowed, "commands", &words);
    }
    assert!(permits(&constrained(json!({"commands": ["*"]})), &command("git;ls")));
}

#[test]
fn domains_are_exact_or_below_a_suffix() {
    let some = constrained(json!({"allowed_domains": ["a.example", "*.b.example"]}));
    for good in
        ["https://a.example", "https://A.example./x", "https://x.b.example", "http://x.y.b.example"]
    {
        assert!(permits(&some, &url(good)), "{good}");
    }
    for bad in [
        "https://b.example",
        "https://x.a.example",
        "https://a.example.evil",
        "https://evilb.example",
        "https://xb.example",
    ] {
        let words = ["`*.b.example` or `a.example` would pass"];
        assert_refused(&some, &url(bad), DenyCode::DomainNotAllowed, "allowed_domains", &words);
    }
}

#[test]
fn protocols_are_schemes() {
    let some = constrained(json!({"protocols": ["https"]}));
    assert!(permits(&some, &url("HTTPS://a.example")));
    let words = ["`http` is refused", "`https` would pass"];
    let (code, name) = (DenyCode::ProtocolNotAllowed, "protocols");
    assert_refused(&some, &url("http://a.example"), code, name, &words);

    let odd = constrained(json!({"protocols": ["x2", "git+ssh", "a.b-c"]}));
    for good in ["x2://a.example/", "git+ssh://a.example/", "a.b-c://a.example/"] {
        assert!(permits(&odd, &url(good)), "{good}");
    }
}

#[test]
fn urls_are_scheme_host_port_and_what_lies_below_a_path() {
    let some = constrained(json!({"urls": ["https://a.example/v1", "http://*.b.example:8080"]}));
    for good in [
        "https://a.example/v1",
        "https://a.example:443/v1/x?q#f",
        "https://a.example/x/../v1/y",
        "http://x.b.example:8080/any",
    ] {
        assert!(permits(&some, &url(good)), "{good}");
    }
    for bad in [
        "https://a.example/v10",
        "https://a.example/v1/../v2",
        "https://a.example/v1/%2e%2e/v2",
        "https://a.example/v1/..%2fv2",
        "https://a.example/v1/%5c..%5cv2",
        "https://a.example:8443/v1",
        "http://a.example/v1",
        "http://x.b.example",
        "http://b.example:8080",
    ] {
        let words = ["`http://*.b.example:8080` or `https://a.example/v1` would pass"];
        assert_refused(&some, &url(bad), DenyCode::UrlOutside, "urls", &words);
    }
}

#[test]
fn every_url_means_this_machine_only_where_private_networks_are_granted() {
    let everything = json!({"urls": ["*"]});
    let all = constrained(everything.clone());
    let public = grant(ResourceType::Url, "*", everything);
    let suffix = constrained(json!({"allowed_domains": ["*.example"]}));
    assert!(permits(&public, &url("https://a.example")));
    for local in [
        "http://127.0.0.1",
        "http://localhost",
        "http://[::1]",
        "http://2130706433",
        "http://0x7f.1",
    ] {
        assert!(permits(&all, &url(local)), "{local}");
        assert_eq!(denial(&public, &url(local)).code(), DenyCode::AddressPrivate, "{local}");
        assert_eq!(denial(&suffix, &url(local)).code(), DenyCode::DomainNotAllowed, "{local}");
    }
}

#[test]
fn an_expiry_among_the_constraints_ends_everything() {
    let brief = constrained(json!({"expires_at": "2026-11-21T12:30:00Z"}));
    let end = granted_at() + Duration::minutes(30);
    assert!(brief.permits(&read("/a"), end - Duration::nanoseconds(1)).is_allow());
    let denied = brief.permits(&read("/a"), end);
    let denied = denied.denial().unwrap();
    assert_eq!(
        (denied.code(), denied.constraint()),
        (DenyCode::CapabilityExpired, Some("expires_at"))
    );
}

#[test]
fn the_lifetime_ends_everything_whatever_the_request() {
    let mut grant = root_grant(ResourceType::Path, "/srv", json!({}));
    grant.expires_at = Some(granted_at() + Duration::hours(1));
    let brief =
        cap_core::Capability::grant(cap_testkit::strategy::id(0), grant, granted_at()).unwrap();
    let end = granted_at() + Duration::hours(1);
    assert!(!brief.is_expired(end - Duration::nanoseconds(1)) && brief.is_expired(end));
    for request in [read("/srv/a"), read("/etc"), call("fs/read")] {
        let denied = brief.permits(&request, end);
        assert_eq!(denied.denial().unwrap().code(), DenyCode::CapabilityExpired);
    }
}

#[test]
fn limits_and_depth_are_no_predicates() {
    let limited =
        constrained(json!({"rate_limit": {"max": 1, "per_seconds": 1}, "max_delegation_depth": 0}));
    for _ in 0..3 {
        assert!(permits(&limited, &read("/a")));
    }
    assert_eq!(*limited.authority(), cap_core::Authority::top());
}

#[test]
fn a_long_list_of_what_would_pass_is_cut() {
    let tools: Vec<String> = (10..40).map(|n| format!("fs/t{n}")).collect();
    let many = constrained(json!({ "allowed_tools": tools }));
    let reason = denial(&many, &call("fs/x")).reason().to_owned();
    assert!(reason.contains("`fs/t17` or 22 more would pass"), "{reason}");
}

#[test]
fn a_denial_quotes_the_callers_value_on_one_line_escaped_and_bounded() {
    let none = constrained(json!({"allowed_tools": [], "paths": [], "commands": []}));
    let odd = format!("/a\u{202e}`\"\u{2028}{}", "x".repeat(200));
    for request in [read(&odd), command(&format!("ls\n\u{1b}[2J{}", "y".repeat(2000)))] {
        let reason = denial(&none, &request).reason().to_owned();
        assert!(
            !reason.chars().any(|c| c.is_control() || "\u{202e}\u{2028}".contains(c)),
            "{reason}"
        );
        assert!(reason.len() < 400, "{reason}");
    }
}

#[test]
fn a_set_of_operations_is_what_was_put_into_it() {
    use Operation::{Delete, List, Read, Write};
    let set = |list: &[Operation]| list.iter().copied().collect::<Operations>();
    assert_eq!(set(&[Read, Write]).iter().collect::<Vec<_>>(), [Read, Write]);
    assert_eq!(set(&[Read, Write]).union(set(&[Write, List])), set(&[List, Read, Write]));
    assert_eq!(set(&[Read, Write]).intersection(set(&[Write, List])), set(&[Write]));
    assert_eq!(set(&[Read, Write]).difference(set(&[Write, Delete])), set(&[Read]));
}
