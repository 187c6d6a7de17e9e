//! `@modelcontextprotocol/server-filesystem`, today's and the one of 2025 that leaks.

use serde_json::{Value, json};

use super::support::{
    Client, Era, Folders, Outcome, Policy, Session, filesystem_server, guarded,
    leaking_filesystem_server,
};

const TABLE: &str = "server-filesystem";
const ALL_OPERATIONS: [&str; 4] = ["read", "list", "write", "delete"];
const OUTSIDE: [&str; 2] = ["path-outside", "path-escapes"];

/// The tools of both releases: name, permitted arguments, and arguments that must be refused. The
/// paths are relative to the top folder; `%` stands for it.
const TOOLS: [(&str, &str, &[&str]); 11] = [
    ("read_file", r#"{"path":"%data/a.txt"}"#, &[r#"{"path":"%data_evil/s.txt"}"#]),
    (
        "read_multiple_files",
        r#"{"paths":["%data/a.txt","%data/b.txt"]}"#,
        &[r#"{"paths":["%data/a.txt","%data_evil/s.txt"]}"#],
    ),
    (
        "write_file",
        r#"{"path":"%data/new.txt","content":"new"}"#,
        &[r#"{"path":"%data_evil/new.txt","content":"new"}"#],
    ),
    (
        "edit_file",
        r#"{"path":"%data/b.txt","edits":[{"oldText":"two","newText":"2"}],"dryRun":false}"#,
        &[r#"{"path":"%data_evil/s.txt","edits":[{"oldText":"SECRET","newText":"gone"}]}"#],
    ),
    ("create_directory", r#"{"path":"%data/made"}"#, &[r#"{"path":"%data_evil/made"}"#]),
    ("list_directory", r#"{"path":"%data"}"#, &[r#"{"path":"%data_evil"}"#, r#"{"path":"%"}"#]),
    ("directory_tree", r#"{"path":"%data"}"#, &[r#"{"path":"%data_evil"}"#, r#"{"path":"%"}"#]),
    (
        "search_files",
        r#"{"path":"%data","pattern":"c.txt","excludePatterns":["none"]}"#,
        &[r#"{"path":"%","pattern":"s.txt"}"#],
    ),
    ("get_file_info", r#"{"path":"%data/a.txt"}"#, &[r#"{"path":"%data_evil/s.txt"}"#]),
    (
        "move_file",
        r#"{"source":"%data/new.txt","destination":"%data/moved.txt"}"#,
        &[
            r#"{"source":"%data_evil/s.txt","destination":"%data/s.txt"}"#,
            r#"{"source":"%data/a.txt","destination":"%data_evil/a.txt"}"#,
        ],
    ),
    ("list_allowed_directories", "{}", &[]),
];

/// The tools that only today's release has.
const NEWER_TOOLS: [(&str, &str, &[&str]); 3] = [
    (
        "read_text_file",
        r#"{"path":"%data/a.txt","head":1}"#,
        &[r#"{"path":"%data_evil/s.txt","tail":1}"#],
    ),
    ("read_media_file", r#"{"path":"%data/a.txt"}"#, &[r#"{"path":"%data_evil/s.txt"}"#]),
    (
        "list_directory_with_sizes",
        r#"{"path":"%data","sortBy":"size"}"#,
        &[r#"{"path":"%data_evil","sortBy":"name"}"#],
    ),
];

fn arguments(folders: &Folders, template: &str) -> Value {
    serde_json::from_str(&template.replace('%', &folders.path(""))).unwrap()
}

/// A session of a server that may itself use everything below the top folder, so that only the
/// guard stands between the client and `data_evil`.
fn guarded_session(folders: &Folders, operations: &[&'static str], server: &[String]) -> Session {
    let policy = Policy::folder("fs", TABLE, &folders.data(), operations);
    Session::open(&guarded(&policy, folders.top(), server), &folders.data(), Era::Legacy)
}

fn every_tool_is_ruled(folders: &Folders, server: &[String], tools: &[(&str, &str, &[&str])]) {
    // `list_allowed_directories` names no path: it is permitted by name only.
    let policy =
        Policy::folder("fs", TABLE, &folders.data(), &ALL_OPERATIONS).only_tools(&["fs/*"]);
    let command = guarded(&policy, folders.top(), server);
    let mut session = Session::open(&command, &folders.data(), Era::Legacy);
    let mut names: Vec<_> = tools.iter().map(|(name, ..)| (*name).to_owned()).collect();
    names.sort();
    assert_eq!(session.tool_names(), names, "the table and the server do not name the same tools");
    for (tool, permitted, forbidden) in tools {
        session.call(tool, &arguments(folders, permitted)).done();
        for template in *forbidden {
            session.call(tool, &arguments(folders, template)).refused(&OUTSIDE);
        }
        let mut unlisted = arguments(folders, permitted);
        unlisted["unlisted"] = json!(folders.path("data_evil/s.txt"));
        session.call(tool, &unlisted).refused(&["tool-unmapped"]);
    }
    let secret = folders.top().join("data_evil");
    assert_eq!(std::fs::read_to_string(secret.join("s.txt")).unwrap(), "SECRET\n");
    assert_eq!(std::fs::read_dir(&secret).unwrap().count(), 1, "something was made in data_evil");
    assert_eq!(std::fs::read_to_string(folders.data().join("moved.txt")).unwrap(), "new");
    assert_eq!(std::fs::read_to_string(folders.data().join("b.txt")).unwrap(), "2\nlines\n");
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_every_tool_of_the_filesystem_server_is_ruled_by_its_paths() {
    let folders = Folders::new();
    let tools = [&TOOLS[..], &NEWER_TOOLS[..]].concat();
    every_tool_is_ruled(&folders, &filesystem_server(folders.top()), &tools);
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_every_tool_of_the_filesystem_server_of_2025_is_ruled_by_its_paths() {
    let folders = Folders::new();
    every_tool_is_ruled(&folders, &leaking_filesystem_server(folders.top()), &TOOLS);
}

/// Arguments that lead the server of 2025 out of the one folder that it was given.
const ESCAPES: [&str; 3] = ["data_evil/s.txt", "data/../data_evil/s.txt", "data/link"];

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_the_filesystem_server_of_2025_leaks_without_the_guard() {
    let folders = Folders::new();
    let server = leaking_filesystem_server(&folders.data());
    let mut session = Session::open(&server, &folders.data(), Era::Legacy);
    for escape in ESCAPES {
        let read = session.call("read_file", &json!({ "path": folders.path(escape) }));
        assert_eq!(read, Outcome::Done("SECRET\n".to_owned()), "{escape}");
    }
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_the_escapes_of_the_filesystem_server_of_2025_are_refused() {
    let folders = Folders::new();
    let server = leaking_filesystem_server(&folders.data());
    let mut session = guarded_session(&folders, &["read", "list"], &server);
    for escape in ESCAPES {
        session.call("read_file", &json!({ "path": folders.path(escape) })).refused(&OUTSIDE);
    }
    for escape in ["../data_evil/s.txt", "sub/../../data_evil/s.txt", "link", "./sub/../link"] {
        session.call("read_file", &json!({ "path": escape })).refused(&OUTSIDE);
    }
    let read = session.call("read_file", &json!({ "path": folders.path("data/a.txt") }));
    assert_eq!(read, Outcome::Done("hello\n".to_owned()));
    let read = session.call("read_file", &json!({ "path": "sub/c.txt" }));
    assert_eq!(read, Outcome::Done("deep\n".to_owned()));
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_a_read_only_grant_hides_and_refuses_what_writes() {
    let folders = Folders::new();
    let mut session =
        guarded_session(&folders, &["read", "list"], &filesystem_server(folders.top()));
    let names = session.tool_names();
    for (tool, permitted) in [
        ("write_file", json!({ "path": folders.path("data/new.txt"), "content": "new" })),
        ("edit_file", json!({ "path": folders.path("data/a.txt"), "edits": [] })),
        ("create_directory", json!({ "path": folders.path("data/made") })),
        (
            "move_file",
            json!({ "source": folders.path("data/a.txt"), "destination": folders.path("data/z") }),
        ),
    ] {
        assert!(!names.iter().any(|name| name == tool), "{tool} is shown");
        session.call(tool, &permitted).refused(&["operation-not-allowed"]);
    }
    for tool in ["read_text_file", "list_directory", "directory_tree", "get_file_info"] {
        assert!(names.iter().any(|name| name == tool), "{tool} is not shown");
    }
    assert!(!folders.data().join("new.txt").exists());
    assert!(folders.data().join("a.txt").exists());
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_only_the_tools_of_the_grant_are_shown_and_called() {
    let folders = Folders::new();
    let policy = Policy::folder("fs", TABLE, &folders.data(), &ALL_OPERATIONS)
        .only_tools(&["fs/read_text_file"]);
    let command = guarded(&policy, folders.top(), &filesystem_server(folders.top()));
    let mut session = Session::open(&command, &folders.data(), Era::Legacy);
    assert_eq!(session.tool_names(), ["read_text_file"]);
    let path = json!({ "path": folders.path("data/a.txt") });
    assert_eq!(session.call("read_text_file", &path).done(), "hello\n");
    session.call("read_file", &path).refused(&["tool-not-allowed"]);
    session.call("no_such_tool", &path).refused(&["tool-not-allowed", "tool-unmapped"]);
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_what_the_filesystem_server_expands_is_refused_and_the_rest_taken_literally() {
    let folders = Folders::new();
    for name in ["*.txt", "$HOME.txt", "{a,b}.txt"] {
        std::fs::write(folders.data().join(name), "literal\n").unwrap();
    }
    let server = filesystem_server(&folders.data());
    let mut session = guarded_session(&folders, &["read", "list"], &server);
    for path in ["*.txt", "$HOME.txt", "{a,b}.txt"] {
        assert_eq!(session.call("read_text_file", &json!({ "path": path })).done(), "literal\n");
    }
    for path in ["~", "~/a.txt", "", "a\u{0}.txt", " a.txt", "\"a.txt\""] {
        session.call("read_text_file", &json!({ "path": path })).refused(&["path-invalid"]);
    }
    for path in [json!(1), json!(null), json!(["a.txt"]), json!({ "path": "a.txt" })] {
        session.call("read_text_file", &json!({ "path": path })).refused(&["argument-invalid"]);
    }
}

/// Today's server trims spaces and quotes from a path before it compares the path with its folder,
/// so a sibling whose name ends in a space passes for the folder itself.
#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_a_sibling_whose_name_ends_in_a_space_is_not_the_folder() {
    let folders = Folders::new();
    std::fs::create_dir(folders.top().join("data ")).unwrap();
    std::fs::write(folders.top().join("data /s.txt"), "SECRET\n").unwrap();
    let server = filesystem_server(&folders.data());
    let sibling = json!({ "path": folders.path("data ") });

    let mut alone = Session::open(&server, &folders.data(), Era::Legacy);
    assert_eq!(alone.call("list_directory", &sibling).done(), "[FILE] s.txt");
    let mut session = guarded_session(&folders, &["read", "list"], &server);
    session.call("list_directory", &sibling).refused(&["path-invalid", "path-outside"]);
}

/// Today's server looks for another Unicode spelling of a name that does not exist, and follows
/// the link that it finds. The guard must not take the name that does not exist for harmless.
#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_another_unicode_spelling_of_a_link_is_no_way_out() {
    let folders = Folders::new();
    let target = folders.top().join("data_evil/s.txt");
    std::os::unix::fs::symlink(target, folders.data().join("caf\u{e9}")).unwrap();
    let server = filesystem_server(folders.top());
    let spelled_otherwise = json!({ "path": folders.path("data/cafe\u{301}") });

    let mut alone = Session::open(&server, &folders.data(), Era::Legacy);
    assert_eq!(alone.call("read_text_file", &spelled_otherwise).done(), "SECRET\n");
    let mut session = guarded_session(&folders, &["read", "list"], &server);
    let Outcome::Refused(_) = session.call("read_text_file", &spelled_otherwise) else {
        panic!("the link was followed");
    };
}

/// The server asks the client for its roots, and would let them replace its own folder.
#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_a_server_that_asks_for_roots_gets_them_only_if_the_policy_says_so() {
    let folders = Folders::new();
    let roots = json!({ "roots": {} });
    let read = json!({ "path": folders.path("data/a.txt") });
    for (methods, asked) in [(&[][..], false), (&["roots/list"][..], true)] {
        let policy = Policy::folder("fs", TABLE, &folders.data(), &["read", "list"])
            .only_tools(&["fs/*"])
            .methods(methods);
        let command = guarded(&policy, folders.top(), &filesystem_server(&folders.data()));
        let mut session = Session::open_with(&command, &folders.data(), Era::Legacy, &roots);
        if asked {
            answer_roots(&mut session.client, &folders.path("data/sub"));
        }
        // The server's answer to a call shows which folder it now takes for its own.
        let folder = folders.path(if asked { "data/sub" } else { "data" });
        let listed = session.call("list_allowed_directories", &json!({})).done();
        assert_eq!(listed, format!("Allowed directories:\n{folder}"));
        assert!(session.client.others.is_empty(), "{:?}", session.client.others);
        if !asked {
            assert_eq!(session.call("read_text_file", &read).done(), "hello\n");
        }
    }
}

fn answer_roots(client: &mut Client, folder: &str) {
    let request: Value = serde_json::from_slice(&client.receive()).unwrap();
    assert_eq!(request["method"], "roots/list", "{request}");
    let roots = json!({ "roots": [{ "uri": format!("file://{folder}") }] });
    let answer = json!({ "jsonrpc": "2.0", "id": request["id"], "result": roots });
    client.send(answer.to_string().as_bytes());
    // The server resolves the root before it uses it; its next message line tells when it did.
    while !client.stderr().contains("Updated allowed directories") {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
