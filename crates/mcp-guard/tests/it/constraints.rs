//! What a session grant of the policy lets through, and what a refusal says about it.

use serde_json::json;

use crate::support::{Client, GUARD, Place, assert_refused, done, folder_policy, tools_policy};

fn call(client: &mut Client, arguments: &str) -> serde_json::Value {
    let id = client.fresh_id();
    client.tell(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"t","arguments":{arguments}}}}}"#
    ));
    client.message()
}

#[test]
fn nothing_is_decided_on_a_value_that_two_readers_could_read_differently() {
    let place = Place::new();
    let policy = tools_policy(
        r#"
[session.constraints.arguments."puppet/t"]
n = { constraint_type = "range", min = -10, max = 9007199254740991, optional = true }
s = { constraint_type = "not_one_of", excluded = ["x"], optional = true }
any = { constraint_type = "wildcard", optional = true }
"#,
    );
    let (mut client, mut server) = place.play(&policy);
    for arguments in [
        r#"{"n":1}"#,
        r#"{"n":-10}"#,
        r#"{"n":1.0}"#,
        r#"{"n":1e2}"#,
        r#"{"n":9007199254740991}"#,
        r#"{"s":"y"}"#,
        r#"{"any":1e400}"#,
        r#"{"any":"\ud800"}"#,
        r#"{"any":12345678901234567890123}"#,
        "{}",
    ] {
        let id = client.fresh_id();
        let line = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"t\",\"arguments\":{arguments}}}}}\n"
        );
        client.send(line.as_bytes());
        server.hears(line.as_bytes());
    }
    for arguments in [
        r#"{"n":-11}"#,
        r#"{"n":"1"}"#,
        r#"{"n":9007199254740992}"#,
        r#"{"n":9007199254740993}"#,
        r#"{"n":0.1000000000000000055511151231257827}"#,
        r#"{"n":1e400}"#,
        r#"{"n":1e-400}"#,
        r#"{"n":12345678901234567890}"#,
        r#"{"s":"x"}"#,
        r#"{"s":"\u0078"}"#,
        r#"{"s":"\ud800"}"#,
        r#"{"s":1e400}"#,
        r#"{"s":12345678901234567890123}"#,
        r#"{"other":1}"#,
        r#"{"N":1}"#,
    ] {
        assert_refused(&call(&mut client, arguments), "argument-refused");
    }
    assert_eq!(client.finish().code, Some(0));
    server.assert_hears_no_more();
}

#[test]
fn a_refusal_says_which_constraint_refused_and_what_would_pass() {
    let place = Place::new();
    place.write("data/a.txt", "a");
    place.write("data/big.txt", "more than ten bytes");
    let data = place.path("data");
    let more = "[session.constraints]\nallowed_extensions = [\"txt\"]\nmax_file_size = 10\nrate_limit = { max = 1, per_seconds = 31622400 }\n";
    let mut client = place.demo(&folder_policy(&data, &["read"], more), &data);
    let folder = data.to_str().unwrap();
    for (tool, arguments, code, said) in [
        (
            "read_file",
            json!({ "path": "/etc/passwd" }),
            "path-outside",
            &["`/etc/passwd`", folder, "would pass"][..],
        ),
        ("read_file", json!({ "path": "a.md" }), "extension-not-allowed", &["txt"]),
        ("read_file", json!({ "path": "big.txt" }), "size-exceeded", &["10"]),
        (
            "write_file",
            json!({ "path": "a.txt", "content": "" }),
            "operation-not-allowed",
            &["`write`", "`read`"],
        ),
        ("read_file", json!({ "path": 1 }), "argument-invalid", &["`path`"]),
        ("read_file", json!({ "path": "a.txt", "more": 1 }), "tool-unmapped", &["more"]),
        ("send_email", json!({}), "tool-unmapped", &["send_email"]),
    ] {
        let response = client.call(tool, &arguments);
        let sentence = assert_refused(&response, code);
        for said in said {
            assert!(sentence.contains(said), "{said}: {sentence}");
        }
    }
    assert_eq!(done(&client.call("read_file", &json!({ "path": "a.txt" }))), "a");
    let response = client.call("read_file", &json!({ "path": "a.txt" }));
    let sentence = assert_refused(&response, "limit-rate");
    assert!(
        sentence.contains("1 calls in 31622400 s") && sentence.contains("would pass"),
        "{sentence}"
    );
}

#[test]
fn every_limit_binds_and_its_refusal_says_what_would_pass() {
    let place = Place::new();
    place.write("data/four.txt", "four");
    place.write("data/ten.txt", "ten bytes!");
    let data = place.path("data");
    let read = |path: &str| ("read_file", json!({ "path": path }));
    let list = ("list_directory", json!({ "path": "." }));
    for (limit, calls) in [
        (
            "rate_limit = { burst = 1, max = 2, per_seconds = 31622400 }",
            vec![
                (read("four.txt"), None),
                (read("four.txt"), Some(("limit-rate", "1 calls in 15811200 s"))),
            ],
        ),
        (
            "max_calls = 1",
            vec![
                (read("four.txt"), None),
                (read("four.txt"), Some(("limit-calls", "the limit of 1 calls"))),
                (list.clone(), Some(("limit-calls", "nothing more passes"))),
            ],
        ),
        (
            "max_bytes = 8",
            vec![
                (read("ten.txt"), Some(("limit-bytes", "needs 10, and one that needs at most 8"))),
                (read("four.txt"), None),
                (read("four.txt"), None),
                (read("four.txt"), Some(("limit-bytes", "the limit of 8 bytes"))),
                (list.clone(), None),
            ],
        ),
        (
            r#"budget = { max = 3, cost = { "demo/read_file" = 2, "other/*" = 1 } }"#,
            vec![
                (list.clone(), Some(("cost-unknown", "tool `demo/list_directory`"))),
                (read("four.txt"), None),
                (read("four.txt"), Some(("limit-budget", "needs 2, and one that needs at most 1"))),
            ],
        ),
    ] {
        let more = format!("[session.constraints]\n{limit}\n");
        let mut client = place.demo(&folder_policy(&data, &["read", "list"], &more), &data);
        for ((tool, arguments), refused) in calls {
            let response = client.call(tool, &arguments);
            match refused {
                None => drop(done(&response)),
                Some((code, said)) => {
                    let sentence = assert_refused(&response, code);
                    assert!(sentence.contains(said), "{said}: {sentence}");
                }
            }
        }
    }
}

#[test]
fn a_refusal_tells_no_more_of_the_callers_value_than_is_good() {
    let place = Place::new();
    std::fs::create_dir(place.path("data")).unwrap();
    let data = place.path("data");
    let mut client = place.demo(&folder_policy(&data, &["read"], ""), &data);
    // Escaped, and bounded.
    let hostile = format!("/\u{202e}\u{1b}[31m`\"{}", "x".repeat(3000));
    let response = client.call("read_file", &json!({ "path": hostile }));
    let sentence = response["result"]["content"][0]["text"].as_str().unwrap();
    assert!(crate::support::refusal(&response).is_some(), "{response}");
    assert!(sentence.len() < 1000 && !sentence.contains(['\u{202e}', '\u{1b}']), "{sentence}");
    // Not whether something is there, nor where a link leads.
    place.write("there", "");
    let mut say = |path: &str| {
        let response = client.call("read_file", &json!({ "path": path }));
        let sentence =
            assert_refused(&response, "path-outside").split(" (code: ").next().unwrap().to_owned();
        sentence.replace(&place.text(path.trim_start_matches("../")), "IT")
    };
    assert_eq!(say("../there"), say("../gone."));
}

#[test]
fn a_move_reads_and_deletes_its_source_and_writes_its_destination() {
    for (operations, passes) in [
        (&["read", "delete", "write"][..], true),
        (&["read", "write"], false),
        (&["delete", "write"], false),
        (&["read", "delete"], false),
    ] {
        let place = Place::new();
        place.write("data/a.txt", "a");
        let data = place.path("data");
        let mut client = place.demo(&folder_policy(&data, operations, ""), &data);
        let moved = client.call("move_file", &json!({ "source": "a.txt", "destination": "b.txt" }));
        assert_eq!(crate::support::code(&moved).is_empty(), passes, "{operations:?}: {moved}");
        assert_eq!(place.path("data/b.txt").exists(), passes);
        for (source, destination) in [("b.txt", "../c.txt"), ("../policy.toml", "c.txt")] {
            let out =
                client.call("move_file", &json!({ "source": source, "destination": destination }));
            assert!(crate::support::refusal(&out).is_some(), "{out}");
        }
    }
}

#[test]
fn relative_paths_are_those_of_the_folder_that_the_server_works_in() {
    let place = Place::new();
    place.write("data/a.txt", "a");
    let data = place.path("data");
    let policy = folder_policy(&data, &["read"], "").replacen(&format!("base = {data:?}\n"), "", 1);
    assert!(!policy.contains("base"));
    let mut command = place.run(&policy, &[GUARD, "demo-server", "."]);
    let mut client = Client::start(command.current_dir(&data));
    assert_eq!(done(&client.call("read_file", &json!({ "path": "a.txt" }))), "a");
    assert_refused(&client.call("read_file", &json!({ "path": "../policy.toml" })), "path-outside");
}
