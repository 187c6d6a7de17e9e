//! What needs a grant: every method but the few that the protocol cannot do without.

use serde_json::json;

use crate::client::{Form, assert_passes, assert_refused_silently};
use crate::support::{
    ALLOW_ALL, GRANT_NOTHING, Place, assert_refused, folder_policy, tools_policy,
};

/// Handshake, discovery, ping, logging level, lists.
const FREE_REQUESTS: [&str; 8] = [
    "initialize",
    "server/discover",
    "ping",
    "logging/setLevel",
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
];

/// Cancel, progress, and the end of the handshake.
const FREE_NOTIFICATIONS: [&str; 3] =
    ["notifications/initialized", "notifications/cancelled", "notifications/progress"];

const GRANTED_REQUESTS: [&str; 10] = [
    "prompts/get",
    "completion/complete",
    "resources/subscribe",
    "resources/unsubscribe",
    "subscriptions/listen",
    "tasks/get",
    "tasks/result",
    "tasks/list",
    "tasks/update",
    "tasks/cancel",
];

/// What no revision knows, or not from a client.
const UNKNOWN_REQUESTS: [&str; 12] = [
    "",
    "tools",
    "tools/Call",
    "TOOLS/CALL",
    "tools/call ",
    "tools/call/x",
    "x-vendor/method",
    "sampling/createMessage",
    "elicitation/create",
    "roots/list",
    "rpc.discover",
    "../tools/list",
];

const UNKNOWN_NOTIFICATIONS: [&str; 6] = [
    "",
    "notifications/message",
    "notifications/tools/list_changed",
    "notifications/Cancelled",
    "notifications/x",
    "$/cancelRequest",
];

/// Requests that came without an id.
const CALLS_WITHOUT_ID: [&str; 6] =
    ["tools/call", "resources/read", "tools/list", "prompts/get", "tasks/cancel", "initialize"];

#[test]
fn without_a_grant_only_what_the_protocol_needs_goes_through() {
    let place = Place::new();
    let (mut client, mut server) = place.play(GRANT_NOTHING);
    for method in FREE_REQUESTS {
        assert_passes(&mut client, &mut server, Form::Request, method);
    }
    for method in FREE_NOTIFICATIONS {
        assert_passes(&mut client, &mut server, Form::Notification, method);
    }
    for method in GRANTED_REQUESTS.iter().chain(&UNKNOWN_REQUESTS) {
        let response = assert_refused_silently(&mut client, &mut server, Form::Request, method);
        assert_refused(&response.unwrap(), "evidence-missing");
    }
    for method in UNKNOWN_NOTIFICATIONS.iter().chain(&["notifications/roots/list_changed"]) {
        assert_refused_silently(&mut client, &mut server, Form::Notification, method);
    }
    for method in ["tools/call", "resources/read"] {
        let params = json!({ "name": "t", "uri": "file:///etc/passwd" });
        assert_refused(&client.ask(method, &params), "evidence-missing");
    }
    assert_eq!(client.finish().code, Some(0));
    server.assert_hears_no_more();
}

#[test]
fn a_grant_of_tools_is_no_grant_of_methods() {
    let place = Place::new();
    let (mut client, mut server) = place.play(&tools_policy(""));
    for method in GRANTED_REQUESTS.iter().chain(&UNKNOWN_REQUESTS) {
        let response = assert_refused_silently(&mut client, &mut server, Form::Request, method);
        let response = response.unwrap();
        let code = crate::support::code(&response);
        assert!(["kind-not-granted", "method-not-allowed"].contains(&code), "{response}");
        assert_eq!(response["error"]["code"], 40300);
    }
    for method in UNKNOWN_NOTIFICATIONS {
        assert_refused_silently(&mut client, &mut server, Form::Notification, method);
    }
}

#[test]
fn a_call_without_an_id_is_refused_whatever_is_granted() {
    for policy in [GRANT_NOTHING, ALLOW_ALL, &tools_policy("")] {
        let place = Place::new();
        let (mut client, mut server) = place.play(policy);
        for method in CALLS_WITHOUT_ID {
            assert_refused_silently(&mut client, &mut server, Form::Notification, method);
        }
        for method in FREE_NOTIFICATIONS {
            let response = assert_refused_silently(&mut client, &mut server, Form::Request, method);
            assert!(crate::support::refusal(&response.unwrap()).is_some());
        }
        assert_eq!(client.finish().code, Some(0));
        server.assert_hears_no_more();
        let records = place.records();
        let denied = records.iter().filter(|record| {
            record["body"]["kind"] == "ruling" && record["body"]["decision"] == "deny"
        });
        assert_eq!(denied.count(), CALLS_WITHOUT_ID.len() + FREE_NOTIFICATIONS.len());
    }
}

#[test]
fn methods_that_the_policy_grants_go_through_and_no_others() {
    let place = Place::new();
    let granted =
        r#"allowed_methods = ["prompts/get", "tasks/*", "x-vendor/method", "notifications/x"]"#;
    let (mut client, mut server) = place.play(&tools_policy(granted));
    for method in ["prompts/get", "tasks/get", "tasks/result", "tasks/list", "tasks/update"] {
        assert_passes(&mut client, &mut server, Form::Request, method);
    }
    assert_passes(&mut client, &mut server, Form::Request, "x-vendor/method");
    assert_passes(&mut client, &mut server, Form::Notification, "notifications/x");
    for method in ["completion/complete", "subscriptions/listen", "x-vendor/methods", "Tasks/get"] {
        let response = assert_refused_silently(&mut client, &mut server, Form::Request, method);
        assert_refused(&response.unwrap(), "method-not-allowed");
    }
    assert_refused_silently(&mut client, &mut server, Form::Notification, "notifications/y");
    assert_refused_silently(&mut client, &mut server, Form::Notification, "prompts/get");
}

#[test]
fn a_change_of_roots_needs_the_grant_of_asking_for_them() {
    let change = "notifications/roots/list_changed";
    let place = Place::new();
    let (mut client, mut server) = place.play(&tools_policy(r#"allowed_methods = ["roots/list"]"#));
    assert_passes(&mut client, &mut server, Form::Notification, change);
    let (mut client, mut server) = place.play(&tools_policy(""));
    assert_refused_silently(&mut client, &mut server, Form::Notification, change);
}

#[test]
fn a_file_uri_is_decoded_once_and_ruled_as_a_path() {
    let place = Place::new();
    place.write("data/a b.txt", "in");
    place.write("data/%2e%2e", "in, with an odd name");
    place.write("data/sub/c.txt", "in");
    place.write("secret.txt", "out");
    std::os::unix::fs::symlink(place.path("secret.txt"), place.path("data/link")).unwrap();
    let data = place.path("data");
    let (mut client, mut server) = place.play(&folder_policy(&data, &["read"], ""));
    let folder = place.text("data");
    for uri in ["/a%20b.txt", "/./a%20b.txt", "/sub/../a%20b.txt", "/new.txt"] {
        let params = json!({ "uri": format!("file://{folder}{uri}") });
        let line = crate::support::request(1, "resources/read", &params);
        client.tell(&line);
        server.hears(format!("{line}\n").as_bytes());
        server.tell(r#"{"jsonrpc":"2.0","id":1,"result":{"contents":[]}}"#);
        client.line();
    }
    for (uri, code) in [
        (format!("file://{folder}/../secret.txt"), "path-outside"),
        (format!("file://{folder}/%2e%2e/secret.txt"), "path-outside"),
        (format!("file://{folder}%2f..%2fsecret.txt"), "path-outside"),
        (format!("FILE:{folder}/../secret.txt"), "path-outside"),
        (format!("file://localhost{folder}/../secret.txt"), "path-outside"),
        (format!("file://{folder}/link"), "path-escapes"),
        (format!("file://{folder}/%252e%252e/secret.txt"), "argument-invalid"),
        (format!("file://{folder}/a%00"), "argument-invalid"),
        (format!("file://{folder}/a?x"), "argument-invalid"),
        (format!("file://example.com{folder}/a"), "argument-invalid"),
        ("file:a".to_owned(), "argument-invalid"),
        (format!("fi\tle://{folder}/../secret.txt"), "argument-invalid"),
        (format!("file://{}/keys/token-sign.json", place.text("state")), "path-outside"),
    ] {
        assert_refused(&client.ask("resources/read", &json!({ "uri": uri })), code);
    }
    for params in [json!({}), json!({ "uri": 1 }), json!({ "uri": ["file:///"] })] {
        let refused = client.ask("resources/read", &params);
        assert!(crate::support::refusal(&refused).is_some(), "{refused}");
    }
    // Any other resource is one of the server's own, and a method.
    let other = client.ask("resources/read", &json!({ "uri": "test://x" }));
    assert_eq!(other["error"]["code"], 40300);
    assert_eq!(client.finish().code, Some(0));
    server.assert_hears_no_more();
}

#[test]
fn resources_that_are_no_files_need_the_method() {
    let place = Place::new();
    let granted = tools_policy(r#"allowed_methods = ["resources/read"]"#);
    let (mut client, mut server) = place.play(&granted);
    let line = crate::support::request(1, "resources/read", &json!({ "uri": "test://x/%2e%2e" }));
    client.tell(&line);
    server.hears(format!("{line}\n").as_bytes());
    let file = client.ask("resources/read", &json!({ "uri": "file:///etc/passwd" }));
    assert_refused(&file, "kind-not-granted");
}

#[test]
fn the_guards_own_folders_are_refused_even_where_everything_is_granted() {
    let place = Place::new();
    let mut policy = ALLOW_ALL.replace("\"puppet\"", "\"demo\"");
    policy.insert_str(0, "tool_table = \"demo\"\n");
    let (mut client, mut server) = place.play(&policy);
    std::os::unix::fs::symlink(place.path("state"), place.path("link")).unwrap();
    std::fs::hard_link(place.path("policy.toml"), place.path("hard.toml")).unwrap();
    for path in [
        "state",
        "state/keys/token-sign.json",
        "state/keys/../keys",
        "state/state.db",
        "link",
        "link/keys/capability-mac.json",
        "policy.toml",
        "./policy.toml",
        "hard.toml",
    ] {
        let path = place.text(path);
        let refused = client.call("read_file", &json!({ "path": path }));
        assert_refused(&refused, "state-protected");
        let uri = json!({ "uri": format!("file://{path}") });
        assert_refused(&client.ask("resources/read", &uri), "state-protected");
    }
    // Moving the folder that holds them would move them.
    let moved = json!({ "source": place.text(""), "destination": "/tmp/elsewhere" });
    assert_refused(&client.call("move_file", &moved), "state-protected");
    assert_eq!(client.finish().code, Some(0));
    server.assert_hears_no_more();
}
