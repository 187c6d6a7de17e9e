//! The official inspector's command line as the client, through a configuration file in which one
//! line was changed: the way people put the guard in place.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use super::support::{
    Folders, Policy, filesystem_server, git_server, guarded, inspector, is_refusal, output_of,
};

/// What the inspector exits with when a tool's result says `isError`.
const TOOL_IS_ERROR: i32 = 5;

/// Runs one method through the inspector on the server that `command` starts.
fn inspect(command: &[String], folder: &Path, arguments: &[&str]) -> Output {
    let config = folder.join("mcp.json");
    let server = json!({ "command": command[0], "args": command[1..] });
    let servers = json!({ "mcpServers": { "guarded": server } });
    std::fs::write(&config, servers.to_string()).unwrap();
    let mut line = inspector();
    line.extend(["--cli", "--config", config.to_str().unwrap()].map(str::to_owned));
    line.extend(["--server", "guarded", "--format", "json"].map(str::to_owned));
    line.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    output_of(&line, folder)
}

/// The result that the inspector printed, in the shape of a response.
fn response(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {output:?}");
    })
}

fn tool_names(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{output:?}");
    let response = response(output);
    let tools = response["result"]["tools"].as_array().unwrap();
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_the_inspector_lists_reads_and_is_refused() {
    let folders = Folders::new();
    let policy = Policy::folder("fs", "server-filesystem", &folders.data(), &["read", "list"])
        .only_tools(&["fs/read_text_file", "fs/get_file_info"]);
    let command = guarded(&policy, folders.top(), &filesystem_server(folders.top()));
    let listed = inspect(&command, folders.top(), &["--method", "tools/list"]);
    assert!(tool_names(&listed).contains(&"read_text_file".to_owned()), "{listed:?}");
    assert!(!tool_names(&listed).contains(&"write_file".to_owned()), "{listed:?}");

    let read = |path: &str| {
        let path = format!("path={}", folders.path(path));
        let call = ["--method", "tools/call", "--tool-name", "read_text_file", "--tool-arg", &path];
        inspect(&command, folders.top(), &call)
    };
    let permitted = read("data/a.txt");
    assert!(permitted.status.success(), "{permitted:?}");
    assert_eq!(response(&permitted)["result"]["content"][0]["text"], "hello\n");

    for path in ["data_evil/s.txt", "data/../data_evil/s.txt", "data/link"] {
        let refused = read(path);
        assert_eq!(refused.status.code(), Some(TOOL_IS_ERROR), "{refused:?}");
        assert!(is_refusal(&response(&refused)), "{refused:?}");
        assert!(!String::from_utf8_lossy(&refused.stdout).contains("SECRET"), "{refused:?}");
    }
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_the_inspector_speaks_both_eras_through_the_guard() {
    let folder = super::git::repositories();
    let granted = folder.path().join("granted");
    let policy = Policy::folder("git", "mcp-server-git", &granted, &["read", "list"])
        .only_tools(&["git/git_status", "git/git_log"]);
    let command = guarded(&policy, folder.path(), &git_server());
    for era in ["legacy", "auto", "modern"] {
        let inspect = |arguments: &[&str]| {
            let era = ["--protocol-era", era];
            inspect(&command, folder.path(), &[arguments, &era].concat())
        };
        let call = |tool: &str, repository: &str| {
            let path = format!("repo_path={}", folder.path().join(repository).display());
            inspect(&["--method", "tools/call", "--tool-name", tool, "--tool-arg", &path])
        };
        let listed = inspect(&["--method", "tools/list"]);
        assert_eq!(tool_names(&listed), ["git_status", "git_log"], "{era}");

        let permitted = call("git_status", "granted");
        assert!(permitted.status.success(), "{era}: {permitted:?}");
        let refused = call("git_status", "other");
        assert_eq!(refused.status.code(), Some(TOOL_IS_ERROR), "{era}: {refused:?}");
        assert!(is_refusal(&response(&refused)), "{era}: {refused:?}");

        // The inspector looks a tool up in the list and does not even call one that is not shown.
        let hidden = call("git_reset", "granted");
        let said = String::from_utf8_lossy(&hidden.stderr);
        assert!(!hidden.status.success() && said.contains("tool_not_found"), "{era}: {hidden:?}");
    }
}
