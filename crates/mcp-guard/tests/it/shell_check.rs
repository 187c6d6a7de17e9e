//! `check` says what would be decided, and decides nothing.

use cap_core::Meter;
use cap_kernel::StateStore;
use serde_json::{Value, json};

use crate::library::Library;
use crate::support::{Client, Ended, Place, code, folder_policy, request, tools_policy};

/// A folder with a file, and a policy to read it, with `more` in the session.
struct Scene {
    place: Place,
    policy: String,
}

impl Scene {
    fn new(more: &str) -> Self {
        let place = Place::new();
        place.write("data/a.txt", "a");
        place.write("secret.txt", "s");
        std::os::unix::fs::symlink("../secret.txt", place.path("data/link")).unwrap();
        let data = place.path("data");
        let text = folder_policy(&data, &["read", "list"], more);
        let policy = place.write("policy.toml", &text).to_str().unwrap().to_owned();
        Self { place, policy }
    }

    fn check(&self, arguments: &[&str]) -> Ended {
        self.place.shell(&[&["check", "--policy", &self.policy][..], arguments].concat())
    }

    /// The decisions on a file of calls: their codes, empty for what would be allowed.
    fn codes(&self, lines: &str, arguments: &[&str]) -> Vec<String> {
        let file = self.place.write("requests.jsonl", lines);
        let ended = self
            .check(&[&["--requests", file.to_str().unwrap(), "--json"][..], arguments].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.rest.iter().map(|line| decided(line)).collect()
    }
}

/// The code of a decision, having asserted its form.
fn decided(line: &[u8]) -> String {
    let decision: Value = serde_json::from_slice(line).unwrap();
    match decision["decision"].as_str() {
        Some("allow") => {
            assert!(
                decision.get("code").is_none() && decision.get("reason").is_none(),
                "{decision}"
            );
            String::new()
        }
        Some("deny") => {
            assert!(
                decision["reason"].as_str().is_some_and(|reason| !reason.is_empty()),
                "{decision}"
            );
            decision["code"].as_str().unwrap().to_owned()
        }
        _ => panic!("{decision}"),
    }
}

#[test]
fn one_call_is_answered_by_the_exit_code_and_in_words() {
    let scene = Scene::new("");
    let allowed = scene.check(&["read_file", r#"{"path":"a.txt"}"#]);
    assert_eq!((allowed.code, allowed.stdout().as_str()), (Some(0), "allow\n"));
    let denied = scene.check(&["read_file", r#"{"path":"../secret.txt"}"#]);
    assert_eq!(denied.code, Some(1));
    assert!(denied.stdout().starts_with("deny path-outside: "), "{}", denied.stdout());
    let denied = scene.check(&["write_file", r#"{"path":"a.txt","content":""}"#, "--json"]);
    let decision: Value = serde_json::from_slice(&denied.rest.concat()).unwrap();
    assert_eq!(denied.code, Some(1));
    assert_eq!(
        (&decision["decision"], &decision["code"]),
        (&json!("deny"), &json!("operation-not-allowed"))
    );
    assert_eq!(
        (&decision["constraint"], &decision["tool"]),
        (&json!("operations"), &json!("write_file"))
    );
    let allowed = scene.check(&["demo/list_directory", r#"{"path":"."}"#, "--json"]);
    assert_eq!(allowed.stdout(), "{\"decision\":\"allow\",\"tool\":\"demo/list_directory\"}\n");
    // What is not JSON is told, and is no other call.
    for arguments in [
        "{",
        "[]",
        r#"{"path":"a.txt"}} {"#,
        r#"{"path":"a.txt"},"tool":"x""#,
        r#"{"path":"a.txt","path":"b"}"#,
    ] {
        let denied = scene.check(&["read_file", arguments, "--json"]);
        assert_eq!(denied.code, Some(1), "{arguments}");
        assert!(!decided(&denied.rest.concat()).is_empty());
    }
}

#[test]
fn a_file_of_calls_is_answered_line_by_line_and_bad_lines_in_their_place() {
    let scene = Scene::new("");
    let data = scene.place.text("data");
    let cases = [
        (r#"{"tool":"read_file","arguments":{"path":"a.txt"}}"#.to_owned(), ""),
        (format!(r#"{{"tool":"read_file","arguments":{{"path":"{data}/a.txt"}}}}"#), ""),
        (r#"{"tool":"read_file","arguments":{"path":"../secret.txt"}}"#.into(), "path-outside"),
        (r#"{"tool":"read_file","arguments":{"path":"link"}}"#.into(), "path-escapes"),
        ("this is no call".into(), "message-invalid"),
        ("".into(), "message-invalid"),
        ("[]".into(), "message-invalid"),
        ("{}".into(), "message-invalid"),
        (
            r#"{"tool":"read_file","arguments":{"path":"a.txt","path":"a.txt"}}"#.into(),
            "message-ambiguous",
        ),
        (r#"{"tool":"read_file","arguments":{"path":"\ud800"}}"#.into(), "argument-invalid"),
        (r#"{"tool":1,"arguments":{}}"#.into(), "message-invalid"),
        (r#"{"tool":"read_file","arguments":[]}"#.into(), "argument-invalid"),
        (r#"{"tool":"read_file"}"#.into(), "argument-invalid"),
        (r#"{"tool":"send_email","arguments":{}}"#.into(), "tool-unmapped"),
        (r#"{"tool":"other/read_file","arguments":{"path":"a.txt"}}"#.into(), "tool-unmapped"),
        (r#"{"tool":"demo/read_file","arguments":{"path":"a.txt"}}"#.into(), ""),
        (r#"{"name":"read_file","arguments":{"path":"a.txt"}}"#.into(), ""),
        (
            request(
                1,
                "tools/call",
                &json!({ "name": "read_file", "arguments": { "path": "a.txt" } }),
            ),
            "",
        ),
        (
            request(
                1,
                "tools/call",
                &json!({ "name": "read_file", "arguments": { "path": "/etc" } }),
            ),
            "path-outside",
        ),
        (r#"{"tool":"list_directory","arguments":{"path":"."}}"#.into(), ""),
    ];
    let lines: Vec<_> = cases.iter().map(|(line, _)| line.as_str()).collect();
    let expected: Vec<_> = cases.iter().map(|(_, code)| *code).collect();
    let codes = scene.codes(&(lines.join("\n") + "\n"), &[]);
    for ((line, code), expected) in lines.iter().zip(&codes).zip(&expected) {
        assert_eq!(code, expected, "{line}");
    }
    assert_eq!(codes.len(), cases.len());
    // Without a newline at the end, with those of other systems, and from the standard input.
    assert_eq!(scene.codes(&lines.join("\n"), &[]), codes);
    assert_eq!(scene.codes(&lines.join("\r\n"), &[]), codes);
    let mut command =
        scene.place.program(&["check", "--policy", &scene.policy, "--requests", "-", "--json"]);
    let mut child = Client::start(&mut command);
    child.send(lines.join("\n").as_bytes());
    let said: Vec<_> = child.finish().rest.iter().map(|line| decided(line)).collect();
    assert_eq!(said, codes);
    assert_eq!(scene.codes("", &[]), Vec::<String>::new());
}

#[test]
fn a_line_that_is_too_long_is_one_decision() {
    let scene = Scene::new("");
    let good = r#"{"tool":"read_file","arguments":{"path":"a.txt"}}"#;
    let long = format!(
        r#"{{"tool":"read_file","arguments":{{"path":"{}"}}}}"#,
        "a".repeat(33 * 1024 * 1024)
    );
    let codes = scene.codes(&format!("{good}\n{long}\n{good}\n"), &[]);
    assert_eq!(codes, ["", "message-invalid", ""]);
}

#[test]
fn limits_are_simulated_from_call_to_call_and_nothing_is_charged() {
    let place = Place::new();
    let limited = r#"{"rate_limit":{"max":3,"per_seconds":31622400}}"#;
    let granted = place.shell_json(&[
        "grant",
        "--principal",
        "p",
        "--type",
        "tool",
        "--resource",
        "puppet/*",
        "--operations",
        "call",
        "--constraints",
        limited,
        "--json",
    ]);
    let id = granted["capability"]["id"].as_str().unwrap();
    let child = place.shell_json(&["delegate", id, "--principal", "q", "--json"]);
    let text = tools_policy("rate_limit = { max = 2, per_seconds = 31622400 }");
    let policy = place.write("policy.toml", &text).to_str().unwrap().to_owned();
    let scene = Scene { place, policy };
    let calls = "{\"tool\":\"t\"}\n".repeat(5);
    let rate = "limit-rate";
    // Twice the same: the first has spent nothing.
    for _ in 0..2 {
        assert_eq!(scene.codes(&calls, &[]), ["", "", rate, rate, rate]);
        assert_eq!(scene.codes(&calls, &["--capability", id]), ["", "", "", rate, rate]);
        let below = child["capability"]["id"].as_str().unwrap();
        assert_eq!(scene.codes(&calls, &["--capability", below]), ["", "", "", rate, rate]);
    }
    let library = Library::open(&scene.place.state());
    let root = id.parse().unwrap();
    let period = u64::try_from(crate::library::now().timestamp()).unwrap() / 31_622_400;
    assert_eq!(library.store.drawn(root, Meter::Rate, period), Ok(0));
    drop(library);
    // A guard that has spent is seen, and has all that is left.
    let (mut client, server) = scene.place.play(&text);
    drop(server.answering(|call| crate::puppet::text_result(call, "done")));
    let spend = |client: &mut Client| {
        code(&client.call_with(&granted["evidence"], "t", &json!({}))).to_owned()
    };
    assert_eq!(spend(&mut client), "");
    assert_eq!(scene.codes(&calls, &["--capability", id]), ["", "", rate, rate, rate]);
    assert_eq!(
        (spend(&mut client), spend(&mut client), spend(&mut client)),
        (String::new(), String::new(), rate.into())
    );
    assert_eq!(scene.codes(&calls, &["--capability", id])[0], rate);
}

#[test]
fn every_limit_is_granted_shown_and_simulated() {
    let scene = Scene::new("");
    let limits = json!({
        "budget": { "cost": { "*": 1, "demo/read_file": 2 }, "max": 7 },
        "max_bytes": 2,
        "max_calls": 4,
        "rate_limit": { "burst": 3, "max": 9, "per_seconds": 31_622_400 },
    });
    let mut ids = Vec::new();
    // Each alone, and then all of them.
    let each = limits.as_object().unwrap().iter();
    let alone = each.map(|(name, limit)| json!({ name.clone(): limit }));
    for constraints in alone.chain([limits.clone()]) {
        let granted = scene.place.shell_json(&[
            "grant",
            "--principal",
            "p",
            "--type",
            "path",
            "--resource",
            &scene.place.text("data"),
            "--operations",
            "read",
            "--constraints",
            &constraints.to_string(),
            "--json",
        ]);
        let id = granted["capability"]["id"].as_str().unwrap().to_owned();
        let shown = scene.place.shell_json(&["inspect", &id, "--json"]);
        assert_eq!(shown["capability"]["constraints"], constraints);
        let child = scene.place.shell_json(&["delegate", &id, "--principal", "q", "--json"]);
        let mut inherited = constraints.clone();
        inherited["owner"] = id.clone().into();
        assert_eq!(child["capability"]["inherited_limits"], json!([inherited]));
        ids.push((id, child["capability"]["id"].as_str().unwrap().to_owned()));
    }
    let calls = "{\"tool\":\"read_file\",\"arguments\":{\"path\":\"a.txt\"}}\n".repeat(5);
    let expected = [
        ["", "", "", "limit-budget", "limit-budget"],
        ["", "", "limit-bytes", "limit-bytes", "limit-bytes"],
        ["", "", "", "", "limit-calls"],
        ["", "", "", "limit-rate", "limit-rate"],
        ["", "", "limit-bytes", "limit-bytes", "limit-bytes"],
    ];
    for ((id, child), expected) in ids.iter().zip(expected) {
        assert_eq!(scene.codes(&calls, &["--capability", id]), expected);
        assert_eq!(scene.codes(&calls, &["--capability", child]), expected);
    }
}

#[test]
fn a_check_leaves_no_record_and_no_capability() {
    let scene = Scene::new("");
    scene.check(&["read_file", r#"{"path":"a.txt"}"#]);
    assert_eq!(scene.place.shell(&["list", "--all"]).rest.len(), 0);
    assert_eq!(scene.place.records(), Vec::<Value>::new());
}

#[test]
fn the_instant_of_the_ruling_can_be_named() {
    let scene = Scene::new("lifetime_seconds = 60\n");
    let granted = scene.place.shell_json(&[
        "grant",
        "--principal",
        "p",
        "--type",
        "path",
        "--resource",
        &scene.place.text("data"),
        "--operations",
        "read",
        "--constraints",
        r#"{"expires_at":"2030-01-01T00:00:00Z","rate_limit":{"max":1,"per_seconds":3600}}"#,
        "--json",
    ]);
    let id = granted["capability"]["id"].as_str().unwrap();
    let read = "{\"tool\":\"read_file\",\"arguments\":{\"path\":\"a.txt\"}}\n".repeat(2);
    let at = |now: &str| scene.codes(&read, &["--capability", id, "--now", now]);
    assert_eq!(at("2029-12-31T23:59:59Z"), ["", "limit-rate"]);
    assert_eq!(at("2029-12-31T22:59:59Z"), ["", "limit-rate"]);
    assert_eq!(at("2030-01-01T00:00:00Z"), ["capability-expired", "capability-expired"]);
    assert_eq!(at("2030-01-01T01:00:00+02:00"), ["", "limit-rate"]);
    // The session would be granted at that instant.
    assert_eq!(scene.codes(&read, &["--now", "2040-01-01T00:00:00Z"]), ["", ""]);
    let bad = scene.check(&["read_file", "--now", "tomorrow"]);
    assert_eq!(bad.code, Some(2));
    assert!(bad.stderr.contains("--now") && bad.stderr.contains("tomorrow"), "{}", bad.stderr);
}

#[test]
fn a_capability_that_does_not_stand_permits_nothing() {
    let scene = Scene::new("");
    let read = r#"{"tool":"read_file","arguments":{"path":"a.txt"}}"#;
    let nobody = "0199f6b0-0000-7000-8000-000000000000";
    assert_eq!(scene.codes(read, &["--capability", nobody]), ["evidence-invalid"]);
    let granted = scene.place.shell_json(&[
        "grant",
        "--principal",
        "p",
        "--type",
        "path",
        "--resource",
        &scene.place.text("data"),
        "--operations",
        "read",
        "--json",
    ]);
    let id = granted["capability"]["id"].as_str().unwrap();
    assert_eq!(scene.codes(read, &["--capability", id]), [""]);
    assert_eq!(scene.place.shell(&["revoke", id]).code, Some(0));
    assert_eq!(scene.codes(read, &["--capability", id]), ["capability-revoked"]);
    let nothing = scene.place.write("nothing.toml", crate::support::GRANT_NOTHING);
    let denied = scene.place.shell(&["check", "--policy", nothing.to_str().unwrap(), "t"]);
    assert_eq!(
        (denied.code, denied.stdout().starts_with("deny evidence-missing")),
        (Some(1), true)
    );
}

#[test]
fn a_check_decides_as_a_guard_does() {
    let scene =
        Scene::new("[session.constraints]\nallowed_extensions = [\"txt\"]\nmax_file_size = 10\n");
    scene.place.write("data/b.md", "b");
    scene.place.write("data/big.txt", "more than ten bytes");
    let policy = std::fs::read_to_string(&scene.policy).unwrap();
    let calls = [
        ("read_file", json!({ "path": "a.txt" })),
        ("read_file", json!({ "path": "b.md" })),
        ("read_file", json!({ "path": "big.txt" })),
        ("read_file", json!({ "path": "new.txt" })),
        ("read_file", json!({ "path": "link" })),
        ("read_file", json!({ "path": "a.txt/x.txt" })),
        ("read_file", json!({ "path": "../secret.txt" })),
        ("read_file", json!({ "path": scene.place.text("state/keys/token-sign.json") })),
        ("read_file", json!({ "path": scene.place.text("policy.toml") })),
        ("read_file", json!({ "path": 1 })),
        ("read_file", json!({ "path": "a.txt", "x": 1 })),
        ("write_file", json!({ "path": "a.txt", "content": "x" })),
        ("list_directory", json!({ "path": "." })),
        ("move_file", json!({ "source": "a.txt", "destination": "c.txt" })),
        ("send_email", json!({})),
        ("", json!({})),
        ("a b", json!({})),
    ];
    let lines: String = calls
        .iter()
        .map(|(tool, arguments)| json!({ "tool": tool, "arguments": arguments }).to_string() + "\n")
        .collect();
    let checked = scene.codes(&lines, &[]);
    let (mut client, server) = scene.place.play(&policy);
    drop(server.answering(|call| crate::puppet::text_result(call, "done")));
    for ((tool, arguments), checked) in calls.iter().zip(checked) {
        let answer = client.call(tool, arguments);
        assert_eq!(code(&answer), checked, "{tool} {arguments}");
    }
}
