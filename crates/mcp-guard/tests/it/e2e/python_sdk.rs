//! The Python SDK's client and FastMCP's client through the guard, in both eras. The programs in
//! `drivers/` do what they are told on the command line and print what the client saw.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::support::{
    Folders, Policy, filesystem_server, git_server, guarded, is_refusal, output_of, python,
    time_server,
};

const DRIVERS: [&str; 2] = ["sdk_client.py", "fastmcp_client.py"];

/// What a client saw of a session in which it listed the tools and called some.
fn drive(driver: &str, mode: &str, command: &[String], folder: &Path, calls: &Value) -> Value {
    let script =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/e2e/drivers").join(driver);
    let plan = json!({ "mode": mode, "command": command, "calls": calls });
    let line = [python(), script.to_str().unwrap().to_owned(), plan.to_string()];
    let output = output_of(&line, folder);
    assert!(output.status.success(), "{driver} {mode}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Asserts that the call of this index is an error for the client, and the guard's.
#[track_caller]
fn assert_refused(report: &Value, index: usize, code: &str) {
    let call = &report["calls"][index];
    assert_eq!(call["is_error"], true, "{report}");
    // FastMCP's client also raises; the SDK's hands the error over as a result.
    assert_ne!(call.get("raised"), Some(&json!(false)), "the client raised nothing: {report}");
    let response = json!({ "result": { "isError": call["is_error"], "_meta": call["meta"] } });
    assert!(is_refusal(&response), "not the guard's: {report}");
    assert!(call.to_string().contains(code), "no {code}: {report}");
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_python_clients_see_a_filtered_list_and_refusals_as_errors() {
    let calls = json!([
        ["get_current_time", { "timezone": "Etc/UTC" }],
        [
            "convert_time",
            { "source_timezone": "Etc/UTC", "time": "12:00", "target_timezone": "Asia/Tokyo" },
        ],
        ["get_current_time", { "timezone": "Etc/UTC" }],
    ]);
    for driver in DRIVERS {
        for (mode, version) in
            [("legacy", "2025-11-25"), ("auto", "2026-07-28"), ("2026-07-28", "2026-07-28")]
        {
            let folder = tempfile::tempdir().unwrap();
            let policy = Policy::tools("time", "time/get_current_time");
            let command = guarded(&policy, folder.path(), &time_server());
            let report = drive(driver, mode, &command, folder.path(), &calls);
            assert_eq!(report["protocol_version"], version, "{driver} {mode}: {report}");
            assert_eq!(report["tools"], json!(["get_current_time"]), "{driver} {mode}");
            for permitted in [0, 2] {
                let call = &report["calls"][permitted];
                assert_eq!(call["is_error"], false, "{driver} {mode}: {report}");
                assert!(call["text"].as_str().unwrap().contains("+00:00"), "{report}");
            }
            assert_refused(&report, 1, "tool-not-allowed");
        }
    }
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_python_clients_read_files_and_are_refused_outside() {
    for driver in DRIVERS {
        let folders = Folders::new();
        let calls = json!([
            ["read_text_file", { "path": folders.path("data/a.txt") }],
            ["read_text_file", { "path": folders.path("data/../data_evil/s.txt") }],
            ["write_file", { "path": folders.path("data/a.txt"), "content": "changed" }],
        ]);
        let policy = Policy::folder("fs", "server-filesystem", &folders.data(), &["read", "list"]);
        let command = guarded(&policy, folders.top(), &filesystem_server(folders.top()));
        // The server knows the legacy era only: `auto` asks first, and falls back.
        let report = drive(driver, "auto", &command, folders.top(), &calls);
        assert_eq!(report["protocol_version"], "2025-11-25", "{driver}: {report}");
        assert_eq!(report["calls"][0]["text"], "hello\n", "{driver}: {report}");
        assert_refused(&report, 1, "path-");
        assert_refused(&report, 2, "operation-not-allowed");
        let tools = report["tools"].as_array().unwrap();
        assert!(!tools.contains(&json!("write_file")), "{driver}: {report}");
        assert!(tools.contains(&json!("read_text_file")), "{driver}: {report}");
    }
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_python_clients_use_one_repository_and_no_other() {
    let folder = super::git::repositories();
    let (granted, other) = (folder.path().join("granted"), folder.path().join("other"));
    let calls = json!([
        ["git_status", { "repo_path": granted }],
        ["git_status", { "repo_path": other }],
    ]);
    for driver in DRIVERS {
        for mode in ["legacy", "2026-07-28"] {
            let policy = Policy::folder("git", "mcp-server-git", &granted, &["read", "list"]);
            let command = guarded(&policy, folder.path(), &git_server());
            let report = drive(driver, mode, &command, folder.path(), &calls);
            assert!(report["calls"][0]["text"].as_str().unwrap().contains("b.txt"), "{report}");
            assert_refused(&report, 1, "path-outside");
        }
    }
}
