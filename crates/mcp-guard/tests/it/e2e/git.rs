//! `mcp-server-git`: both eras, a repository among the arguments.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::support::{Era, Outcome, Policy, Session, git_server, guarded};

const TABLE: &str = "mcp-server-git";
const ERAS: [Era; 2] = [Era::Legacy, Era::Modern];
const READING: [&str; 7] = [
    "git_branch",
    "git_diff",
    "git_diff_staged",
    "git_diff_unstaged",
    "git_log",
    "git_show",
    "git_status",
];

/// Two repositories side by side, each with one commit that is the same on every machine.
pub(crate) fn repositories() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["granted", "other"] {
        let repository = folder.path().join(name);
        std::fs::create_dir(&repository).unwrap();
        std::fs::write(repository.join("a.txt"), format!("{name}\n")).unwrap();
        git(&repository, &["init", "--quiet", "--initial-branch=main"]);
        git(&repository, &["config", "user.name", "e2e"]);
        git(&repository, &["config", "user.email", "e2e@example.org"]);
        git(&repository, &["config", "commit.gpgsign", "false"]);
        git(&repository, &["add", "a.txt"]);
        git(&repository, &["commit", "--quiet", "--message=first"]);
        std::fs::write(repository.join("b.txt"), "more\n").unwrap();
    }
    folder
}

fn git(repository: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.arg("-C").arg(repository).args(arguments);
    command.env("HOME", repository).env("GIT_CONFIG_NOSYSTEM", "1");
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(variable);
    }
    for variable in ["GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"] {
        command.env(variable, "2026-01-02T03:04:05Z");
    }
    assert!(command.status().unwrap().success(), "git {arguments:?}");
}

/// Every tool with arguments that work in this order, `repo_path` left out.
fn calls() -> [(&'static str, Value); 12] {
    [
        ("git_status", json!({})),
        ("git_diff_unstaged", json!({ "context_lines": 1 })),
        ("git_add", json!({ "files": ["b.txt"] })),
        ("git_diff_staged", json!({})),
        ("git_reset", json!({})),
        ("git_add", json!({ "files": ["b.txt"] })),
        ("git_commit", json!({ "message": "second" })),
        ("git_log", json!({ "max_count": 2 })),
        ("git_show", json!({ "revision": "HEAD" })),
        ("git_diff", json!({ "target": "HEAD" })),
        ("git_create_branch", json!({ "branch_name": "side", "base_branch": "main" })),
        ("git_branch", json!({ "branch_type": "local" })),
    ]
}

fn in_repository(mut arguments: Value, repository: &Path) -> Value {
    arguments["repo_path"] = json!(repository);
    arguments
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_every_tool_of_the_git_server_is_ruled_by_its_repository() {
    for era in ERAS {
        let folder = repositories();
        let (granted, other) = (folder.path().join("granted"), folder.path().join("other"));
        let policy = Policy::folder("git", TABLE, &granted, &["read", "list", "write", "delete"]);
        let command = guarded(&policy, folder.path(), &git_server());
        let mut session = Session::open(&command, folder.path(), era);

        let mut called: Vec<_> = calls().iter().map(|(tool, _)| (*tool).to_owned()).collect();
        called.push("git_checkout".to_owned());
        called.sort();
        called.dedup();
        assert_eq!(session.tool_names(), called, "the server has other tools");

        let checkout = ("git_checkout", json!({ "branch_name": "side" }));
        for (tool, arguments) in calls().into_iter().chain([checkout]) {
            let outside = in_repository(arguments.clone(), &other);
            session.call(tool, &outside).refused(&["path-outside"]);
            session.call(tool, &in_repository(arguments.clone(), &granted)).done();
            let mut unlisted = in_repository(arguments, &granted);
            unlisted["unlisted"] = json!(other);
            session.call(tool, &unlisted).refused(&["tool-unmapped"]);
        }
        assert!(!other.join(".git/refs/heads/side").exists());
        assert!(granted.join(".git/refs/heads/side").exists());
    }
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_a_read_only_grant_hides_and_refuses_commits() {
    for era in ERAS {
        let folder = repositories();
        let granted = folder.path().join("granted");
        let policy = Policy::folder("git", TABLE, &granted, &["read", "list"]);
        let command = guarded(&policy, folder.path(), &git_server());
        let mut session = Session::open(&command, folder.path(), era);
        assert_eq!(session.tool_names(), READING);

        let status = session.call("git_status", &json!({ "repo_path": granted })).done();
        assert!(status.contains("b.txt"), "{status}");
        for (tool, arguments) in calls() {
            if !READING.contains(&tool) {
                let call = session.call(tool, &in_repository(arguments, &granted));
                call.refused(&["operation-not-allowed"]);
            }
        }
        let log = session.call("git_log", &json!({ "repo_path": granted })).done();
        assert_eq!(log.matches("Commit: ").count(), 1, "{log}");
    }
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_files_to_add_are_ruled_beneath_the_repository() {
    let folder = repositories();
    let granted = folder.path().join("granted");
    let secret = folder.path().join("other/b.txt");
    let policy = Policy::folder("git", TABLE, &granted, &["read", "list", "write"]);
    let command = guarded(&policy, folder.path(), &git_server());
    let mut session = Session::open(&command, folder.path(), Era::Modern);
    for file in ["../other/b.txt", secret.to_str().unwrap(), "*.txt", "~/b.txt", "-b.txt"] {
        let add = json!({ "repo_path": granted, "files": ["b.txt", file] });
        let Outcome::Refused(_) = session.call("git_add", &add) else {
            panic!("{file} was not refused");
        };
    }
    session.call("git_add", &json!({ "repo_path": granted, "files": ["b.txt"] })).done();
}
