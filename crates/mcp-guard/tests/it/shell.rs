//! Work with capabilities from the shell.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Client, Ended, GUARD, Place};

const NOBODY: &str = "0199f6b0-0000-7000-8000-000000000000";

pub(crate) fn grant(place: &Place, principal: &str, more: &[&str]) -> Value {
    let mut arguments = vec![
        "grant",
        "--principal",
        principal,
        "--type",
        "path",
        "--resource",
        "/srv",
        "--operations",
        "read,list",
        "--json",
    ];
    arguments.extend(more);
    place.shell_json(&arguments)
}

fn id(issued: &Value) -> &str {
    issued["capability"]["id"].as_str().unwrap()
}

fn status(place: &Place, id: &str) -> Value {
    place.shell_json(&["inspect", id, "--json"])["status"].clone()
}

pub(crate) fn lines(ended: &Ended) -> Vec<Value> {
    ended.rest.iter().map(|line| serde_json::from_slice(line).unwrap()).collect()
}

#[test]
fn what_is_granted_is_listed_and_inspected_as_it_was_issued() {
    let place = Place::new();
    let issued = grant(
        &place,
        "agent",
        &[
            "--constraints",
            r#"{"allowed_extensions":["txt"],"rate_limit":{"max":5,"per_seconds":60}}"#,
            "--expires-in",
            "8h",
        ],
    );
    let capability = &issued["capability"];
    assert_eq!(capability["principal"], "agent");
    assert_eq!(
        (&capability["resource_type"], &capability["resource"]),
        (&json!("path"), &json!("/srv"))
    );
    assert_eq!(capability["operations"], json!(["list", "read"]));
    assert_eq!(capability["constraints"]["allowed_extensions"], json!(["txt"]));
    assert_eq!(capability["delegation_depth"], 0);
    assert_eq!(issued["cut"], json!([]));
    assert!(issued["evidence"].as_str().unwrap().starts_with(&format!("{}.", id(&issued))));
    assert!(issued.get("token").is_none());
    let inspected = place.shell_json(&["inspect", id(&issued), "--json"]);
    let expected = json!({ "capability": capability, "chain": [id(&issued)], "session": null, "status": "valid" });
    assert_eq!(inspected, expected);
    assert_eq!(lines(&place.shell(&["list", "--json"])), [expected]);
    let text = place.shell(&["list"]).stdout();
    for said in [id(&issued), "agent", "path", "/srv", "list,read", "until", "[valid]"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let mut records = place.records();
    records.retain(|record| record["body"]["kind"] == "grant");
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["body"]["capability"], id(&issued));
    // What is a secret is in no log.
    let evidence = issued["evidence"].as_str().unwrap();
    let log = std::fs::read_to_string(place.path("state/audit/shell/log.jsonl")).unwrap();
    assert!(!log.contains(evidence.rsplit_once('.').unwrap().1));
}

#[test]
fn what_is_said_without_json_has_the_same_secrets_in_it() {
    let place = Place::new();
    let ended = place.shell(&[
        "grant",
        "--principal",
        "p",
        "--type",
        "path",
        "--resource",
        "/srv",
        "--operations",
        "*",
        "--token",
        "10m",
    ]);
    let text = ended.stdout();
    let said: Vec<_> = text.lines().map(|line| line.split_once(' ').unwrap().0).collect();
    assert_eq!((ended.code, said), (Some(0), vec!["capability", "evidence", "token"]));
}

#[test]
fn a_delegation_is_never_wider_than_its_parent() {
    let place = Place::new();
    let parent = grant(&place, "agent", &[]);
    let wider = [
        "delegate",
        id(&parent),
        "--principal",
        "sub",
        "--resource",
        "/",
        "--operations",
        "read,write",
        "--json",
    ];
    let refused = place.shell(&wider);
    assert_eq!((refused.code, refused.rest.len()), (Some(2), 0));
    for said in ["not delegated", "operations", "write", "paths", "`/`"] {
        assert!(refused.stderr.contains(said), "{said}: {}", refused.stderr);
    }
    let narrowed = place.shell_json(&[&wider[..], &["--mode", "intersect"]].concat());
    let cut: Vec<_> = narrowed["cut"].as_array().unwrap().iter().map(|cut| &cut["field"]).collect();
    assert_eq!(cut, [&json!("operations"), &json!("paths")]);

    let child = place.shell_json(&[
        "delegate",
        id(&parent),
        "--principal",
        "sub",
        "--resource",
        "/srv/data",
        "--json",
    ]);
    assert_eq!(
        (&child["cut"], &child["capability"]["parent"]),
        (&json!([]), &parent["capability"]["id"])
    );
    assert_eq!(child["capability"]["operations"], json!(["list", "read"]));
    let inspected = place.shell_json(&["inspect", id(&child), "--json"]);
    assert_eq!(inspected["chain"], json!([id(&parent), id(&child)]));
    let nothing = place.shell(&[
        "delegate",
        id(&child),
        "--principal",
        "x",
        "--resource",
        "/etc",
        "--mode",
        "intersect",
    ]);
    assert_eq!(nothing.code, Some(2));
    assert!(nothing.stderr.contains("nothing"), "{}", nothing.stderr);
}

#[test]
fn a_delegation_goes_no_deeper_than_its_ancestors_let_it() {
    let place = Place::new();
    let root = grant(&place, "agent", &["--constraints", r#"{"max_delegation_depth":2}"#]);
    let mut parent = id(&root).to_owned();
    for _ in 0..2 {
        let child = place.shell_json(&["delegate", &parent, "--principal", "sub", "--json"]);
        parent = id(&child).to_owned();
    }
    let refused = place.shell(&["delegate", &parent, "--principal", "sub"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("not delegated"), "{}", refused.stderr);
}

#[test]
fn a_revocation_takes_all_that_descends_and_nothing_else() {
    let place = Place::new();
    let (root, other) = (grant(&place, "a", &[]), grant(&place, "b", &[]));
    let child = place.shell_json(&["delegate", id(&root), "--principal", "c", "--json"]);
    let grandchild = place.shell_json(&["delegate", id(&child), "--principal", "d", "--json"]);
    let revoked =
        place.shell_json(&["revoke", id(&child), "--json", "--reason", "it went too far"]);
    assert_eq!(revoked, json!({ "revoked": { "capability": id(&child) } }));
    for (issued, expected) in [
        (&root, "valid"),
        (&other, "valid"),
        (&child, "capability-revoked"),
        (&grandchild, "capability-revoked"),
    ] {
        assert_eq!(status(&place, id(issued)), expected);
    }
    // Twice is as good as once.
    assert_eq!(place.shell(&["revoke", id(&child)]).code, Some(0));
    let below = place.shell(&["delegate", id(&grandchild), "--principal", "e"]);
    assert_eq!(below.code, Some(2));
    assert!(below.stderr.contains("capability-revoked"), "{}", below.stderr);
    assert_eq!(place.shell(&["list"]).rest.len(), 2);
    assert_eq!(place.shell(&["list", "--all"]).rest.len(), 4);
    assert_eq!(place.shell(&["list", "--all", "--principal", "d"]).rest.len(), 1);
    let reasons = place.records();
    assert!(reasons.iter().any(|record| record["body"]["reason"] == "it went too far"));

    assert_eq!(place.shell(&["revoke", "--principal", "a"]).code, Some(0));
    assert_eq!(status(&place, id(&root)), "capability-revoked");
    assert_eq!(status(&place, id(&other)), "valid");
    let again = grant(&place, "a", &[]);
    assert_eq!(status(&place, id(&again)), "valid");
}

#[test]
fn a_token_is_inspected_with_what_it_is_worth() {
    let place = Place::new();
    let issued = grant(&place, "agent", &["--token", "10m"]);
    let token = issued["token"].as_str().unwrap();
    let inspected = place.shell_json(&["inspect", token, "--json"]);
    assert_eq!(inspected["status"], "valid");
    assert_eq!(inspected["header"]["alg"], "EdDSA");
    assert_eq!(inspected["capability"], issued["capability"]);
    assert_eq!(inspected["chain"], json!([id(&issued)]));
    let text = place.shell(&["inspect", token]).stdout();
    assert!(text.contains(id(&issued)), "{text}");
    let below = ["delegate", id(&issued), "--principal", "sub", "--token", "10m", "--json"];
    let below = place.shell_json(&below);
    let shown = place.shell_json(&["inspect", below["token"].as_str().unwrap(), "--json"]);
    assert_eq!(shown["chain"], json!([id(&issued), id(&below)]));
    // From the standard input, with its newline.
    let mut child = Client::start(&mut place.program(&["inspect", "-", "--json"]));
    child.tell(token);
    let ended = child.finish();
    assert_eq!(serde_json::from_slice::<Value>(&ended.rest.concat()).unwrap(), inspected);
    // A signature that is another one.
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let forged = format!("{signed}.{other}{}", &signature[1..]);
    let refused = place.shell_json(&["inspect", &forged, "--json"]);
    assert_eq!(refused["status"], "evidence-invalid");
    assert!(refused.get("capability").is_none() && refused.get("chain").is_none());
    assert_eq!(place.shell(&["revoke", id(&issued)]).code, Some(0));
    assert_eq!(place.shell_json(&["inspect", token, "--json"])["status"], "capability-revoked");
    // Another state has other keys.
    let elsewhere = Place::new();
    assert_eq!(elsewhere.shell_json(&["inspect", token, "--json"])["status"], "evidence-invalid");
}

#[test]
fn a_key_is_rotated_published_and_given_up() {
    let place = Place::new();
    let keys = |arguments: &[&str]| -> Vec<Value> {
        let ended = place.shell(&[&["keys"], arguments].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.rest.iter().map(|line| serde_json::from_slice(line).unwrap()).collect()
    };
    let status = |keys: &[Value], kid: &Value| -> Value {
        keys.iter().find(|key| key["kid"] == *kid).unwrap()["status"].clone()
    };
    let first = keys(&["list", "--json"])[0]["kid"].clone();
    let old = grant(&place, "agent", &["--token", "10m"]);
    let rotated = keys(&["rotate", "--json"]);
    assert_eq!((rotated.len(), status(&rotated, &first)), (2, "retiring".into()));
    let worth = |issued: &Value| {
        let token = issued["token"].as_str().unwrap();
        place.shell_json(&["inspect", token, "--json"])["status"].clone()
    };
    let new = grant(&place, "agent", &["--token", "10m"]);
    assert_eq!([worth(&old), worth(&new)], ["valid", "valid"]);
    assert_eq!(place.shell_json(&["keys", "jwks"])["keys"].as_array().unwrap().len(), 2);

    let left = keys(&["compromised", first.as_str().unwrap(), "--json"]);
    assert_eq!(status(&left, &first), "compromised");
    assert_eq!([worth(&old), worth(&new)], ["evidence-invalid", "valid"]);
    assert_eq!(place.shell_json(&["keys", "jwks"])["keys"].as_array().unwrap().len(), 1);
    let changes = place.records().iter().filter(|it| it["body"]["kind"] == "key-change").count();
    assert_eq!(changes, 2);
    let text = place.shell(&["keys", "list"]).stdout();
    assert!(text.contains(&format!("{} compromised since 20", first.as_str().unwrap())), "{text}");
}

#[test]
fn tokens_issuers_and_keys_are_revoked_by_their_names() {
    let place = Place::new();
    let issued = grant(&place, "agent", &["--token", "10m"]);
    let token = issued["token"].as_str().unwrap();
    let inspected = place.shell_json(&["inspect", token, "--json"]);
    let jti = inspected["claims"]["jti"].as_str().unwrap();
    let done = place.shell_json(&["revoke", "--token", jti, "--json"]);
    assert_eq!(done, json!({ "revoked": { "token": jti } }));
    let worth = |token: &str| place.shell_json(&["inspect", token, "--json"])["status"].clone();
    assert_eq!(worth(token), "capability-revoked");
    // The capability itself stands, and so does another token of it.
    assert_eq!(status(&place, id(&issued)), "valid");
    let other = grant(&place, "agent", &["--token", "10m"]);
    let other = other["token"].as_str().unwrap();
    assert_eq!(worth(other), "valid");
    // The token itself will do, and is not printed.
    let text = place.shell(&["revoke", "--token", other]).stdout();
    assert!(text.starts_with("revoked token ") && text.len() < 50, "{text}");
    assert_eq!(worth(other), "capability-revoked");
    let kid = place.shell_json(&["inspect", other, "--json"])["header"]["kid"].clone();
    let refused = place.shell(&["revoke", "--key", kid.as_str().unwrap()]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("keys compromised"), "{}", refused.stderr);
    for (target, name) in [("--issuer", "https://elsewhere.example"), ("--key", "elsewhere")] {
        let text = place.shell(&["revoke", target, name]).stdout();
        assert!(text.contains(name), "{text}");
    }
    let foreign = place.shell_json(&["revoke", NOBODY, "--foreign", "--json"]);
    assert_eq!(foreign, json!({ "revoked": { "capability": NOBODY } }));
}

#[test]
fn bad_input_is_told_with_what_and_where_and_what_to_do() {
    let place = Place::new();
    let base = ["grant", "--principal", "p", "--type", "path", "--operations", "read"];
    let granting = |more: &[&'static str]| -> Vec<&str> {
        let resource: &[&str] =
            if more.contains(&"--resource") { &[] } else { &["--resource", "/"] };
        [&base[..], resource, more].concat()
    };
    for (arguments, said) in [
        (vec![], &["grant", "delegate", "revoke", "check", "audit"][..]),
        (vec!["frobnicate"], &["frobnicate", "--help"]),
        (vec!["grant"], &["--principal", "--type", "--resource", "--operations"]),
        (
            vec![
                "grant",
                "--principal",
                "p",
                "--type",
                "file",
                "--resource",
                "/",
                "--operations",
                "read",
            ],
            &["--type", "`file`", "any command method path tool url"],
        ),
        (granting(&["--resource", "srv"]), &["resource", "`srv`", "absolute"]),
        (granting(&["--operations", "raed"]), &["--operations", "`raed`", "read"]),
        (granting(&["--constraints", "{x"]), &["--constraints", "line 1 column 2"]),
        (granting(&["--constraints", "[]"]), &["--constraints"]),
        (
            granting(&["--constraints", r#"{"max_size":1}"#]),
            &["--constraints", "`max_size`", "max_file_size"],
        ),
        (granting(&["--constraints", r#"{"max_file_size":-1}"#]), &["--constraints", "-1"]),
        (
            granting(&["--constraints", r#"{"max_file_size":1,"max_file_size":2}"#]),
            &["--constraints", "duplicate", "max_file_size"],
        ),
        (
            granting(&["--constraints", r#"{"rate_limit":{"max":0,"per_seconds":1}}"#]),
            &["rate_limit", "`max` is 1 to"],
        ),
        (
            granting(&["--constraints", r#"{"allowed_extensions":[".txt"]}"#]),
            &["allowed_extensions", "without dot"],
        ),
        (granting(&["--expires-in", "5"]), &["--expires-in", "90s, 30m, 8h or 7d"]),
        (granting(&["--expires-in", "0s"]), &["--expires-in", "90s, 30m, 8h or 7d"]),
        (granting(&["--expires-in=-1h"]), &["--expires-in", "90s, 30m, 8h or 7d"]),
        (granting(&["--expires-in", "4294967295d"]), &["--expires-in", "9999"]),
        (granting(&["--token", "soon"]), &["--token", "90s, 30m, 8h or 7d"]),
        (granting(&["--token", "25h"]), &["--token", "at most 24h"]),
        (vec!["delegate", "x", "--principal", "p"], &["PARENT", "36-character"]),
        (vec!["delegate", NOBODY, "--principal", "p"], &["not delegated", "parent"]),
        (vec!["inspect", NOBODY], &[NOBODY, "no capability"]),
        (vec!["inspect", "x"], &["neither the id of a capability nor a token"]),
        (vec!["inspect", ""], &["neither the id of a capability nor a token"]),
        (vec!["revoke"], &["ID"]),
        (vec!["revoke", "x"], &["36-character"]),
        (vec!["revoke", NOBODY], &["not revoked", "no such capability"]),
        (vec!["revoke", NOBODY, "--principal", "p"], &["cannot be used with"]),
        (vec!["revoke", "--principal", ""], &["--principal"]),
        (vec!["revoke", "--issuer", ""], &["not revoked", "1 to 2048 bytes"]),
        (vec!["revoke", "--key", "a b"], &["--key"]),
        (vec!["revoke", "--token", "a.b"], &["not revoked", "neither a `jti` nor a token"]),
        (vec!["revoke", "--issuer", "mcp-guard:local"], &["not revoked", "this state itself"]),
        (vec!["revoke", "--foreign"], &["ID"]),
        (vec!["keys"], &["list, jwks, rotate, compromised"]),
        (vec!["keys", "compromised", "nobody"], &["the keys", "nobody"]),
        (vec!["audit"], &["tail, show, verify"]),
        (vec!["audit", "show", "zzz"], &["no record", "`zzz`"]),
        (vec!["check", "--policy", "missing.toml", "t"], &["missing.toml", "cannot be read"]),
        (vec!["check", "t"], &["--policy"]),
        (vec!["run"], &["COMMAND"]),
    ] {
        let ended = place.shell(&arguments);
        assert_eq!((ended.code, ended.rest.len()), (Some(2), 0), "{arguments:?}: {}", ended.stderr);
        for said in said {
            assert!(
                ended.stderr.contains(said),
                "{arguments:?} does not say {said}: {}",
                ended.stderr
            );
        }
        assert!(!ended.stderr.contains("panicked"), "{arguments:?}: {}", ended.stderr);
    }
    assert_eq!(place.shell(&["list", "--all"]).rest.len(), 0, "something was granted");
    place.assert_intact();
}

#[test]
fn the_state_lies_under_the_state_home_unless_another_folder_is_named() {
    let place = Place::new();
    let list = |given: &[(&str, &str)], arguments: &[&str]| {
        let mut command = Command::new(GUARD);
        command.arg("list").args(arguments).env_clear().envs(given.iter().copied());
        Client::start(command.current_dir(place.path(""))).finish()
    };
    let (xdg, home, named) = (place.text("xdg"), place.text("home"), place.text("named"));
    assert_eq!(list(&[("XDG_STATE_HOME", &xdg), ("HOME", &home)], &[]).code, Some(0));
    assert!(place.path("xdg/mcp-guard/state.db").exists());
    assert_eq!(list(&[("XDG_STATE_HOME", "relative"), ("HOME", &home)], &[]).code, Some(0));
    assert!(place.path("home/.local/state/mcp-guard/state.db").exists());
    assert!(!place.path("relative").exists());
    assert_eq!(list(&[("HOME", &home), ("MCP_GUARD_STATE_DIR", &named)], &[]).code, Some(0));
    assert!(place.path("named/state.db").exists());
    let other = place.text("other");
    assert_eq!(list(&[("MCP_GUARD_STATE_DIR", &named)], &["--state-dir", &other]).code, Some(0));
    assert!(place.path("other/state.db").exists());
    let nowhere = list(&[], &[]);
    assert_eq!(nowhere.code, Some(2));
    assert!(nowhere.stderr.contains("--state-dir"), "{}", nowhere.stderr);
}

#[test]
fn nobody_else_may_read_the_state() {
    let place = Place::new();
    grant(&place, "p", &[]);
    let mut checked = 0;
    let mut folders = vec![place.state()];
    while let Some(folder) = folders.pop() {
        let mode = folder.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", folder.display());
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let mode = path.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}", path.display());
            checked += 1;
        }
    }
    assert!(checked >= 6, "{checked} files");
    std::fs::set_permissions(place.state(), PermissionsExt::from_mode(0o755)).unwrap();
    let exposed = place.shell(&["list"]);
    assert_eq!(exposed.code, Some(2));
    assert!(exposed.stderr.contains("state"), "{}", exposed.stderr);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::new();
    for n in 0..20 {
        grant(&place, &format!("p{n}"), &[]);
    }
    for arguments in [&["list"][..], &["list", "--json"], &["audit", "tail"], &["audit", "verify"]]
    {
        let mut command = place.program(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.stderr, b"");
    }
}

#[test]
fn many_shells_at_once_all_do_their_work() {
    let place = Place::new();
    let granting = |n: usize| {
        let principal = format!("p{n}");
        let mut command = place.program(&["grant", "--principal", &principal, "--type", "any"]);
        command.args(["--resource", "*", "--operations", "*", "--json"]);
        Client::start(&mut command)
    };
    // On a state that none of them has seen before, and again.
    for first in [0, 8] {
        let shells: Vec<_> = (first..first + 8).map(granting).collect();
        for shell in shells {
            let ended = shell.finish();
            assert_eq!((ended.code, ended.rest.len()), (Some(0), 1), "{}", ended.stderr);
        }
    }
    let listed = lines(&place.shell(&["list", "--json"]));
    assert_eq!(listed.len(), 16);
    let ids: Vec<_> =
        listed.iter().map(|entry| entry["capability"]["id"].as_str().unwrap()).collect();
    // Others revoke, delegate and read meanwhile.
    let shells: Vec<_> = (0..8)
        .flat_map(|n| {
            let start = |arguments: &[&str]| Client::start(&mut place.program(arguments));
            [
                start(&["revoke", ids[n]]),
                start(&["delegate", ids[8 + n], "--principal", "sub", "--json"]),
                start(&["audit", "verify"]),
            ]
        })
        .collect();
    for shell in shells {
        let ended = shell.finish();
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout(), ended.stderr);
    }
    assert_eq!(place.shell(&["list"]).rest.len(), 16);
    assert_eq!(place.shell(&["list", "--all"]).rest.len(), 24);
    place.assert_intact();
    let records = place.records();
    let count = |kind: &str| records.iter().filter(|record| record["body"]["kind"] == kind).count();
    assert_eq!((count("grant"), count("revocation"), count("delegation")), (16, 8, 8));
}
