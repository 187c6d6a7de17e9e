//! The policy file, and the environment that it leaves to the server.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::{ALLOW_ALL, Client, GRANT_NOTHING, GUARD, Place, assert_refused};

#[test]
fn a_bad_policy_is_told_with_its_line_and_column_and_nothing_is_started() {
    let session = "version = 1\nserver = \"s\"\n[session]\nprincipal = \"p\"\n";
    for (policy, line, column, said) in [
        (
            "version = 1\nserver = \"s\"\nsevrer = \"t\"\n".to_owned(),
            3,
            1,
            "unknown field `sevrer`",
        ),
        ("version = 1\nserver = \n".to_owned(), 2, 10, ""),
        ("version = \"1\"\nserver = \"s\"\n".to_owned(), 1, 11, ""),
        ("version = 1\nversion = 1\nserver = \"s\"\n".to_owned(), 2, 1, "duplicate key"),
        (
            "version = 1\nserver = \"s\"\n[environment]\npas = []\n".to_owned(),
            4,
            1,
            "unknown field `pas`",
        ),
        (format!("{session}resource_type = \"paths\"\n"), 5, 17, ""),
        (
            format!(
                "{session}resource_type = \"path\"\nresource = \"/\"\noperations = [\"raed\"]\n"
            ),
            7,
            15,
            "unknown name `raed`",
        ),
        (
            format!(
                "{session}resource_type = \"path\"\nresource = \"/\"\noperations = [\"read\"]\n[session.constraints]\nallowed_extension = [\"txt\"]\n"
            ),
            9,
            1,
            "unknown field `allowed_extension`",
        ),
        ("version = 1\nserver = \"s\"\nexplain = \"nothing\"\n".to_owned(), 3, 11, ""),
        (
            "version = 1\nserver = \"s\"\n[table.tools.t.arguments]\npath = { kind = \"path\" }\n"
                .to_owned(),
            4,
            8,
            "",
        ),
    ] {
        let place = Place::new();
        let touched = place.text("touched");
        let command = &mut place.run(&policy, &["/bin/sh", "-c", "touch \"$0\"", &touched]);
        let ended = Client::start(command).finish();
        assert_eq!(ended.code, Some(2), "{policy}");
        let place_said = format!("line {line}, column {column}");
        let told = ended.stderr.contains(&place_said) && ended.stderr.contains(said);
        assert!(told, "{place_said} {said}: {}", ended.stderr);
        assert!(ended.stderr.contains("policy.toml"), "{}", ended.stderr);
        assert!(!place.path("touched").exists());
    }
}

#[test]
fn a_policy_that_means_nothing_is_told_by_the_name_of_the_field() {
    let session = |rest: &str| format!("{GRANT_NOTHING}[session]\nprincipal = \"p\"\n{rest}");
    for (policy, said) in [
        ("version = 2\nserver = \"s\"\n".to_owned(), "version = 2"),
        ("version = 1\n".to_owned(), "missing field `server`"),
        ("server = \"s\"\n".to_owned(), "missing field `version`"),
        ("version = 1\nserver = \"\"\n".to_owned(), "server"),
        ("version = 1\nserver = \"a/b\"\n".to_owned(), "server"),
        ("version = 1\nserver = \"with a blank\"\n".to_owned(), "server"),
        (format!("version = 1\nserver = \"{}\"\n", "x".repeat(65)), "server"),
        ("version = 1\nserver = \"s\"\ntool_table = \"unheard-of\"\n".to_owned(), "demo"),
        ("version = 1\nserver = \"s\"\nbase = \"relative\"\n".to_owned(), "base"),
        (
            session("resource_type = \"path\"\nresource = \"relative\"\noperations = [\"read\"]\n"),
            "resource",
        ),
        (
            session(
                "resource_type = \"path\"\nresource = \"/\"\noperations = [\"read\"]\nlifetime_seconds = 0\n",
            ),
            "lifetime_seconds",
        ),
        (
            session(
                "resource_type = \"path\"\nresource = \"/\"\noperations = [\"read\"]\nlifetime_seconds = -1\n",
            ),
            "lifetime_seconds",
        ),
        (
            session(
                "resource_type = \"path\"\nresource = \"/\"\noperations = [\"read\"]\nconstraints.rate_limit = { max = 0, per_seconds = 1 }\n",
            ),
            "rate_limit",
        ),
        (
            "version = 1\nserver = \"s\"\n[environment]\nset = { \"A=B\" = \"\" }\n".to_owned(),
            "A=B",
        ),
        (
            "version = 1\nserver = \"s\"\n[environment]\nset = { MCP_GUARD_TOKEN = \"x\" }\n"
                .to_owned(),
            "MCP_GUARD_TOKEN",
        ),
        (format!("version = 1\nserver = \"s\"\n#{}", "x".repeat(1024 * 1024)), "1 MiB"),
    ] {
        let place = Place::new();
        let ended = Client::start(&mut place.run(&policy, &["/bin/cat"])).finish();
        let shown: String = policy.chars().take(200).collect();
        assert_eq!(ended.code, Some(2), "{shown}: {}", ended.stderr);
        assert!(
            ended.stderr.contains(said) && ended.stderr.contains("policy.toml"),
            "{shown}: {}",
            ended.stderr
        );
    }
}

#[test]
fn a_policy_that_cannot_be_read_is_no_policy_to_run_without() {
    let place = Place::new();
    for file in [place.text("missing.toml"), place.text("")] {
        let ended = place.shell(&["run", "--policy", &file, "--", "/bin/cat"]);
        assert_eq!(ended.code, Some(2));
        assert!(
            ended.stderr.contains("cannot be read") && ended.stderr.contains(&file),
            "{}",
            ended.stderr
        );
    }
    let bytes = place.path("bytes.toml");
    std::fs::write(&bytes, b"server = \"\xff\"").unwrap();
    let ended = place.shell(&["run", "--policy", bytes.to_str().unwrap(), "--", "/bin/cat"]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
}

#[test]
fn without_a_policy_everything_is_refused() {
    let place = Place::new();
    place.write("data/a.txt", "a");
    let root = place.text("data");
    let mut command = place.program(&["run"]);
    command.args(["--", GUARD, "demo-server", &root]);
    let mut client = Client::start(&mut command);
    let hello =
        client.ask("initialize", &json!({ "protocolVersion": "2025-11-25", "capabilities": {} }));
    assert_eq!(hello["result"]["protocolVersion"], "2025-11-25");
    assert_eq!(client.ask("tools/list", &json!({}))["result"]["tools"], json!([]));
    assert_refused(&client.call("read_file", &json!({ "path": "a.txt" })), "evidence-missing");
    assert_refused(&client.ask("prompts/get", &json!({ "name": "p" })), "evidence-missing");
    assert_eq!(client.finish().code, Some(0));
    place.assert_intact();
}

#[test]
fn explain_code_says_the_code_and_nothing_of_the_capability() {
    let place = Place::new();
    let data = place.path("data/secret-project");
    std::fs::create_dir_all(&data).unwrap();
    let full = crate::support::folder_policy(&data, &["read"], "");
    for (policy, tells) in [(format!("explain = \"code\"\n{full}"), false), (full, true)] {
        let mut client = place.demo(&policy, &data);
        let refused = client.call("read_file", &json!({ "path": "/etc/passwd" }));
        let sentence = assert_refused(&refused, "path-outside");
        assert_eq!(sentence.contains("secret-project"), tells, "{sentence}");
        assert_eq!(sentence.contains("/etc/passwd"), tells, "{sentence}");
    }
}

/// Runs a server that writes its environment down; answers with it.
fn environment(policy: &str, given: &[(&str, &str)]) -> BTreeMap<String, String> {
    let place = Place::new();
    let file = place.text("environment");
    let script = "cat /proc/$$/environ > \"$0\"";
    let mut command = place.run(policy, &["/bin/sh", "-c", script, &file]);
    command.env_clear().envs(given.iter().copied());
    Client::start(&mut command).finish();
    let bytes = std::fs::read(file).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let pairs = text.split_terminator('\0').map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn the_server_gets_of_the_environment_what_is_listed_and_nothing_else() {
    let given = [
        ("PATH", "/usr/bin:/bin"),
        ("HOME", "/home/somebody"),
        ("LANG", "C.UTF-8"),
        ("SECRET", "1"),
        ("AWS_SECRET_ACCESS_KEY", "2"),
        ("LD_LIBRARY_PATH", "/tmp"),
        ("KEPT", "with = and \u{e9}"),
        ("KEPT2", "no"),
        ("MCP_GUARD_TOKEN", "a-token"),
        ("MCP_GUARD_STATE_DIR", "/nowhere"),
    ];
    let of = |names: &[&str]| -> BTreeMap<String, String> {
        let listed = given.iter().filter(|(name, _)| names.contains(name));
        listed.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    assert_eq!(environment(ALLOW_ALL, &given), of(&["PATH", "HOME", "LANG"]));

    let listing = format!(
        "{ALLOW_ALL}[environment]\npass = [\"KEPT\", \"MCP_GUARD_TOKEN\", \"MCP_GUARD_STATE_DIR\", \"ABSENT\"]\n\
         set = {{ ADDED = \"x\\ny\", LANG = \"de\" }}\n"
    );
    let mut expected = of(&["PATH", "HOME", "KEPT"]);
    expected.insert("ADDED".into(), "x\ny".into());
    expected.insert("LANG".into(), "de".into());
    assert_eq!(environment(&listing, &given), expected);
}

#[test]
fn without_a_policy_the_server_gets_no_more_of_the_environment() {
    let place = Place::new();
    let file = place.text("environment");
    let mut command = place.program(&["run"]);
    command.args(["--", "/bin/sh", "-c", "cat /proc/$$/environ > \"$0\"", &file]);
    command.env_clear().envs([
        ("PATH", "/usr/bin:/bin"),
        ("SECRET", "1"),
        ("MCP_GUARD_TOKEN", "t"),
    ]);
    Client::start(&mut command).finish();
    assert_eq!(std::fs::read(file).unwrap(), b"PATH=/usr/bin:/bin\0");
}

#[test]
fn a_table_of_the_policy_itself_is_ruled_by() {
    let place = Place::new();
    place.write("data/in.txt", "");
    let data = place.path("data");
    let policy = format!(
        r#"
version = 1
server = "own"
base = {data:?}
[table.tools.copy.arguments]
"files[]" = {{ kind = "path", operations = ["read"] }}
note = "data"
[session]
principal = "agent"
resource_type = "path"
resource = {data:?}
operations = ["read"]
"#
    );
    let (mut client, mut server) = place.play(&policy);
    client.tell(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"copy","arguments":{"files":["in.txt","new"],"note":"/etc/passwd"}}}"#);
    assert_eq!(server.message()["id"], 1);
    for (tool, arguments, code) in [
        ("copy", json!({ "files": ["in.txt", "../out"] }), "path-outside"),
        ("copy", json!({ "files": "in.txt" }), "argument-invalid"),
        ("copy", json!({ "files": ["in.txt", 1] }), "argument-invalid"),
        ("copy", json!({ "files": [""] }), "path-invalid"),
        ("copy", json!({ "files": ["~/x"] }), "path-invalid"),
        ("copy", json!({ "files": ["*.txt"] }), "path-invalid"),
        ("copy", json!({ "files": ["$HOME/x"] }), "path-invalid"),
        ("copy", json!({ "files": ["in.txt"], "path": "x" }), "tool-unmapped"),
        ("copy", json!({ "Files": ["in.txt"] }), "tool-unmapped"),
        ("read", json!({ "files": ["in.txt"] }), "tool-unmapped"),
        ("Copy", json!({ "files": ["in.txt"] }), "tool-unmapped"),
    ] {
        assert_refused(&client.call(tool, &arguments), code);
    }
    assert_eq!(client.finish().code, Some(0));
    server.assert_hears_no_more();
}
