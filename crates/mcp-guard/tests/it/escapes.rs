//! Ways out that were found once, and stay closed.

use serde_json::json;

use crate::support::{AUTHORITY, Place, assert_refused, folder_policy, tools_policy};

#[test]
fn moving_a_folder_moves_what_is_below_it() {
    let place = Place::new();
    place.write("data/inbox/private/deep/key.txt", "TOP SECRET");
    place.write("data/inbox/note.txt", "a note");
    place.write("data/out/x.txt", "x");
    let data = place.path("data");
    let globs = format!(
        "[session.constraints]\npaths = [{:?}, {:?}]\n",
        data.join("inbox/*"),
        data.join("out")
    );
    let operations = ["read", "list", "write", "delete"];
    let mut client = place.demo(&folder_policy(&data, &operations, &globs), &data);
    let folder = json!({ "source": "inbox/private", "destination": "out/p" });
    assert_refused(&client.call("move_file", &folder), "path-outside");
    assert!(place.path("data/inbox/private/deep/key.txt").exists());
    let file = json!({ "source": "inbox/note.txt", "destination": "out/note.txt" });
    assert_eq!(client.call("move_file", &file)["result"]["isError"], false);
}

#[test]
fn moving_a_folder_moves_every_extension_below_it() {
    let place = Place::new();
    place.write("data/box.txt/id.key", "TOP SECRET");
    place.write("data/a.txt", "a");
    let data = place.path("data");
    let text = "[session.constraints]\nallowed_extensions = [\"txt\"]\n";
    let mut client = place.demo(&folder_policy(&data, &["write", "delete", "read"], text), &data);
    let folder = json!({ "source": "box.txt", "destination": "moved.txt" });
    assert_refused(&client.call("move_file", &folder), "extension-not-allowed");
    let file = json!({ "source": "a.txt", "destination": "b.txt" });
    assert_eq!(client.call("move_file", &file)["result"]["isError"], false);
}

#[test]
fn bad_evidence_in_a_notification_denies_it_too() {
    let place = Place::new();
    let (mut client, mut server) = place.play(crate::support::ALLOW_ALL);
    for method in ["custom/notify", "notifications/cancelled", "notifications/progress"] {
        let params = json!({ "_meta": { AUTHORITY: "garbage" } });
        client.tell(&json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string());
    }
    client.tell(r#"{"jsonrpc":"2.0","method":"custom/notify"}"#);
    server.hears(b"{\"jsonrpc\":\"2.0\",\"method\":\"custom/notify\"}\n");
}

#[test]
fn an_error_that_asks_for_an_elicitation_needs_its_grant() {
    for (policy, shown) in [("", false), ("allowed_methods = [\"elicitation/create\"]", true)] {
        let place = Place::new();
        let (mut client, mut server) = place.play(&tools_policy(policy));
        for error in [
            r#"{"code":-32042,"message":"see","data":{"elicitations":[{"mode":"url","url":"https://a.example"}]}}"#,
            r#"{"code":-32042,"message":"see"}"#,
            r#"{"code":1,"message":"see","data":{"elicitations":[]}}"#,
        ] {
            client.tell(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}"#);
            server.heard();
            server.tell(&format!(r#"{{"jsonrpc":"2.0","id":1,"error":{error}}}"#));
            let answer = client.message();
            assert_eq!(answer["error"]["code"] != json!(null), shown, "{answer}");
            if !shown {
                assert_refused(&answer, "kind-not-granted");
            }
        }
    }
}

#[test]
fn a_file_that_a_method_names_is_ruled_as_a_path() {
    let place = Place::new();
    place.write("data/a.txt", "a");
    let data = place.path("data");
    let methods = "[session.constraints]\nallowed_methods = [\"resources/*\", \
                   \"completion/complete\", \"subscriptions/listen\"]\n";
    let policy = folder_policy(&data, &["read", "call"], methods);
    let (mut client, mut server) = place.play(&policy);
    let keys = format!("file://{}", place.text("state/keys"));
    for (uri, code) in [("file:///etc/passwd", "path-outside"), (&keys, "path-outside")] {
        let asked = [
            ("resources/subscribe", json!({ "uri": uri })),
            ("resources/unsubscribe", json!({ "uri": uri })),
            (
                "subscriptions/listen",
                json!({ "notifications": { "resourceSubscriptions": [uri] } }),
            ),
            ("completion/complete", json!({ "ref": { "type": "ref/resource", "uri": uri } })),
        ];
        for (method, params) in asked {
            assert_refused(&client.ask(method, &params), code);
        }
    }
    let inside = json!({ "uri": format!("file://{}", place.text("data/a.txt")) });
    client.tell(
        &json!({ "jsonrpc": "2.0", "id": 1, "method": "resources/subscribe", "params": inside })
            .to_string(),
    );
    assert_eq!(server.message()["id"], 1);
}

#[test]
fn a_check_rules_on_the_numbers_that_were_written() {
    let place = Place::new();
    let arguments = "[session.constraints.arguments.\"puppet/t\".x]\n\
                     constraint_type = \"range\"\nmin = 0\n";
    let policy = tools_policy("").replace("[session.constraints]\n", "") + arguments;
    let file = place.write("policy.toml", &policy);
    for (number, code) in [
        ("123456789012345678901234567890", 1),
        ("0.1000000000000000055511151231257827", 1),
        ("-1", 1),
        ("12.5", 0),
    ] {
        let call = format!(r#"{{"x":{number}}}"#);
        let ended = place.shell(&["check", "--policy", file.to_str().unwrap(), "t", &call]);
        assert_eq!(ended.code, Some(code), "{number}: {}{}", ended.stdout(), ended.stderr);
    }
}

#[test]
fn a_damaged_log_does_not_hide_the_others() {
    let place = Place::new();
    let grant = ["grant", "--principal", "p", "--type", "path", "--resource", "/", "--operations"];
    place.shell_json(&[&grant[..], &["read", "--json"]].concat());
    let (client, _server) = place.play(crate::support::ALLOW_ALL);
    client.finish();
    let log = place.path("state/audit/shell/log.jsonl");
    let text = std::fs::read_to_string(&log).unwrap().replacen("grant", "grand", 1);
    std::fs::write(&log, text).unwrap();
    let ended = place.shell(&["audit", "tail"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("shell") && ended.stdout().contains("puppet"), "{ended:?}");
}

#[test]
fn a_call_that_was_never_answered_is_recorded_as_such() {
    let place = Place::new();
    let (mut client, mut server) = place.play(crate::support::ALLOW_ALL);
    client.tell(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}"#);
    server.heard();
    client.finish();
    let records = place.records();
    let unanswered = |record: &&serde_json::Value| {
        record["body"]["detail"]["outcome"] == "unanswered" && record["body"]["tool"] == "t"
    };
    assert_eq!(records.iter().filter(unanswered).count(), 1);
}
