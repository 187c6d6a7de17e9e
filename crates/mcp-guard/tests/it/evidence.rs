//! Exactly one piece of evidence counts: the one in the request, else the one of the process, else
//! the policy's session grant.

use serde_json::{Value, json};

use crate::support::{
    AUTHORITY, Client, Ended, Place, assert_refused, done, folder_policy, stateless,
};

/// Three folders with a file each; a session may read `a`, and two grants of the shell `b` and `c`.
struct Scene {
    place: Place,
    b: Value,
    c: Value,
}

impl Scene {
    fn new() -> Self {
        let place = Place::new();
        for folder in ["a", "b", "c"] {
            place.write(&format!("data/{folder}/file.txt"), folder);
        }
        let [b, c] = ["b", "c"].map(|folder| {
            let folder = place.text(&format!("data/{folder}"));
            place.shell_json(&[
                "grant",
                "--principal",
                "p",
                "--type",
                "path",
                "--resource",
                &folder,
                "--operations",
                "read",
                "--token",
                "10m",
                "--json",
            ])
        });
        Self { place, b, c }
    }

    /// The guard with this evidence of the process.
    fn guard(&self, token: Option<&str>) -> Client {
        let (data, a) = (self.place.path("data"), self.place.path("data/a"));
        let policy = folder_policy(&a, &["read"], "")
            .replace(&format!("base = {a:?}"), &format!("base = {data:?}"));
        let root = data.to_str().unwrap();
        let mut command = self.place.run(&policy, &[crate::support::GUARD, "demo-server", root]);
        if let Some(token) = token {
            command.env("MCP_GUARD_TOKEN", token);
        }
        Client::start(&mut command)
    }

    fn revoke(&self, what: &Value) -> Ended {
        self.place.shell(&["revoke", what["capability"]["id"].as_str().unwrap()])
    }
}

fn file(folder: &str) -> Value {
    json!({ "path": format!("{folder}/file.txt") })
}

#[test]
fn the_evidence_of_the_request_counts_before_that_of_the_process_before_the_session_grant() {
    let scene = Scene::new();
    // Of the session alone.
    let mut client = scene.guard(None);
    assert_eq!(done(&client.call("read_file", &file("a"))), "a");
    assert_refused(&client.call("read_file", &file("b")), "path-outside");
    // Of the request, in both forms and both eras, over the session; they do not unite.
    for kind in ["evidence", "token"] {
        let evidence = &scene.b[kind];
        assert_eq!(done(&client.call_with(evidence, "read_file", &file("b"))), "b");
        let refused = client.call_with(evidence, "read_file", &file("a"));
        assert_refused(&refused, "path-outside");
        let mut params = stateless(json!({ "name": "read_file", "arguments": file("b") }));
        params["_meta"][AUTHORITY] = evidence.clone();
        assert_eq!(done(&client.ask("tools/call", &params)), "b");
    }
    // Without it, the session's again.
    assert_eq!(done(&client.call("read_file", &file("a"))), "a");
    for kind in ["evidence", "token"] {
        // Of the process over the session's, and of the request over that.
        let mut client = scene.guard(scene.b[kind].as_str());
        assert_eq!(done(&client.call("read_file", &file("b"))), "b");
        assert_refused(&client.call("read_file", &file("a")), "path-outside");
        let c = &scene.c["evidence"];
        assert_eq!(done(&client.call_with(c, "read_file", &file("c"))), "c");
        assert_refused(&client.call_with(c, "read_file", &file("b")), "path-outside");
    }
}

#[test]
fn bad_evidence_in_a_request_denies_what_the_session_grant_would_allow() {
    let scene = Scene::new();
    let mut client = scene.guard(None);
    let good = scene.b["evidence"].as_str().unwrap();
    let token = scene.b["token"].as_str().unwrap();
    let other = scene.c["evidence"].as_str().unwrap();
    let (id, _) = good.split_once('.').unwrap();
    let (_, other_mac) = other.split_once('.').unwrap();
    let (other_token, _) = scene.c["token"].as_str().unwrap().rsplit_once('.').unwrap();
    let (_, signature) = token.rsplit_once('.').unwrap();
    for evidence in [
        json!(""),
        json!(" "),
        json!("x"),
        json!("ey"),
        json!(id),
        json!(format!("{id}.")),
        json!(format!("{id}.{other_mac}")),
        json!(format!("{good} ")),
        json!(format!(" {good}")),
        json!(good.to_uppercase()),
        json!(format!("{good}A")),
        json!(&good[..good.len() - 1]),
        json!(changed(good)),
        json!(changed(token)),
        json!(&token[..token.len() - 2]),
        json!(format!("{token}.")),
        json!(format!("{token}=")),
        json!(format!("{other_token}.{signature}")),
        json!(format!("Bearer {token}")),
        json!(token.replace('.', "..")),
        Value::Null,
        json!(0),
        json!(true),
        json!([good]),
        json!({ "id": good }),
    ] {
        let refused = client.call_with(&evidence, "read_file", &file("a"));
        assert_refused(&refused, "evidence-invalid");
        let refused = client.call_with(&evidence, "read_file", &file("b"));
        assert_refused(&refused, "evidence-invalid");
        // Also where nothing needs to be granted.
        let params = json!({ "_meta": { AUTHORITY: evidence } });
        assert_refused(&client.ask("tools/list", &params), "evidence-invalid");
        assert_refused(&client.ask("ping", &params), "evidence-invalid");
    }
    // With a lone surrogate, which only some readers can read.
    client.tell(&format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"read_file","arguments":{{"path":"a/file.txt"}},"_meta":{{"{AUTHORITY}":"\ud800"}}}}}}"#
    ));
    assert_refused(&client.message(), "evidence-invalid");
    assert_eq!(done(&client.call("read_file", &file("a"))), "a");
}

/// The text with its last character changed to another of its alphabet, in a place that counts.
fn changed(text: &str) -> String {
    let at = text.len() - 5;
    let other = if &text[at..=at] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}

#[test]
fn revoked_evidence_denies_what_the_session_grant_would_allow() {
    let scene = Scene::new();
    let mut client = scene.guard(None);
    let mut process = scene.guard(scene.b["token"].as_str());
    assert_eq!(done(&process.call("read_file", &file("b"))), "b");
    assert_eq!(scene.revoke(&scene.b).code, Some(0));
    for kind in ["evidence", "token"] {
        let refused = client.call_with(&scene.b[kind], "read_file", &file("a"));
        assert_refused(&refused, "capability-revoked");
    }
    assert_refused(&process.call("read_file", &file("a")), "capability-revoked");
    assert_refused(&process.call("read_file", &file("b")), "capability-revoked");
    assert_eq!(done(&client.call("read_file", &file("a"))), "a");
}

#[test]
fn expired_evidence_denies_what_the_session_grant_would_allow() {
    let scene = Scene::new();
    let folder = scene.place.text("data/a");
    let brief = scene.place.shell_json(&[
        "grant",
        "--principal",
        "p",
        "--type",
        "path",
        "--resource",
        &folder,
        "--operations",
        "read",
        "--expires-in",
        "1s",
        "--json",
    ]);
    let mut client = scene.guard(None);
    let until = std::time::Instant::now() + crate::support::PATIENCE;
    loop {
        let answer = client.call_with(&brief["evidence"], "read_file", &file("a"));
        match crate::support::code(&answer) {
            "" => assert!(std::time::Instant::now() < until, "{answer}"),
            code => {
                assert_eq!(code, "capability-expired");
                break;
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(done(&client.call("read_file", &file("a"))), "a");
}

#[test]
fn bad_evidence_of_the_process_denies_what_the_session_grant_would_allow() {
    let scene = Scene::new();
    let changed = changed(scene.b["token"].as_str().unwrap());
    for token in ["", "x", "eyJhbGciOiJub25lIn0.e30.", &changed] {
        let mut client = scene.guard(Some(token));
        assert_refused(&client.call("read_file", &file("a")), "evidence-invalid");
        let list = client.ask("tools/list", &json!({}));
        assert_eq!(list["result"]["tools"], json!([]));
        // What is presented in a request counts before it.
        assert_eq!(done(&client.call_with(&scene.b["token"], "read_file", &file("b"))), "b");
    }
}

#[test]
fn evidence_of_the_process_that_is_no_text_is_told_at_the_start() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    let mut command = place.run(crate::support::ALLOW_ALL, &["/bin/cat"]);
    command.env("MCP_GUARD_TOKEN", std::ffi::OsStr::from_bytes(b"\xff"));
    let ended = Client::start(&mut command).finish();
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("MCP_GUARD_TOKEN is no text"), "{}", ended.stderr);
}

#[test]
fn evidence_of_another_state_is_worth_nothing_here() {
    let (scene, other) = (Scene::new(), Scene::new());
    let mut client = scene.guard(None);
    for kind in ["evidence", "token"] {
        let refused = client.call_with(&other.b[kind], "read_file", &file("b"));
        assert_refused(&refused, "evidence-invalid");
    }
}

#[test]
fn a_session_grant_dies_with_its_session() {
    let scene = Scene::new();
    let mut client = scene.guard(None);
    assert_eq!(done(&client.call("read_file", &file("a"))), "a");
    let live = scene.place.shell(&["list", "--json"]);
    let of_session = |line: &&Vec<u8>| -> bool {
        let entry: Value = serde_json::from_slice(line).unwrap();
        !entry["session"].is_null()
    };
    let entry: Value = serde_json::from_slice(live.rest.iter().find(of_session).unwrap()).unwrap();
    assert_eq!(entry["status"], "valid");
    // Delegated in the shell, it still ends with the session.
    let id = entry["capability"]["id"].as_str().unwrap();
    let below = scene.place.shell_json(&["delegate", id, "--principal", "sub", "--json"]);
    assert_eq!(done(&client.call_with(&below["evidence"], "read_file", &file("a"))), "a");
    assert_eq!(client.finish().code, Some(0));
    let after = scene.place.shell_json(&["inspect", id, "--json"]);
    assert_eq!(after["status"], "capability-revoked");
    let mut next = scene.guard(None);
    let refused = next.call_with(&below["evidence"], "read_file", &file("a"));
    assert_refused(&refused, "capability-revoked");
    // Grants of the shell belong to no session.
    assert_eq!(done(&next.call_with(&scene.b["evidence"], "read_file", &file("b"))), "b");
}

#[test]
fn a_running_guard_follows_the_keys_that_a_shell_changes() {
    let scene = Scene::new();
    let mut client = scene.guard(None);
    let old = scene.b["token"].clone();
    assert_eq!(done(&client.call_with(&old, "read_file", &file("b"))), "b");
    let listed = scene.place.shell_json(&["keys", "list", "--json"]);
    let first = listed["kid"].as_str().unwrap();
    assert_eq!(scene.place.shell(&["keys", "rotate"]).code, Some(0));
    let id = scene.b["capability"]["id"].as_str().unwrap();
    let handed_on = ["delegate", id, "--principal", "q", "--token", "10m", "--json"];
    let new = scene.place.shell_json(&handed_on)["token"].clone();
    // The guard looks at the keys every second.
    let wait = || std::thread::sleep(std::time::Duration::from_millis(1100));
    wait();
    for token in [&old, &new] {
        assert_eq!(done(&client.call_with(token, "read_file", &file("b"))), "b");
    }
    assert_eq!(scene.place.shell(&["keys", "compromised", first]).code, Some(0));
    wait();
    assert_refused(&client.call_with(&old, "read_file", &file("b")), "evidence-invalid");
    assert_eq!(done(&client.call_with(&new, "read_file", &file("b"))), "b");
    client.finish();
}
