//! Paths that mean to leave the granted folder, on a real tree with something to find outside.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;

use cap_testkit::{shared, shared_jsonl};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, mknodat, open, openat2};
use rustix::io::Errno;
use serde_json::{Value, json};

use crate::support::{Client, Place, code, folder_policy, refusal, request};

const INSIDE: &str = "what may be read";
const CANARY: &str = "what must never be read";

/// `srv/data`, which is granted, with a canary wherever a path may lead out of it.
struct Tree {
    place: Place,
}

impl Tree {
    fn new() -> Self {
        let place = Place::new();
        for inside in ["file.txt", "etc/passwd", "a/b/c.txt"] {
            place.write(&format!("srv/data/{inside}"), INSIDE);
        }
        for outside in
            ["etc/passwd", "srv/etc/passwd", "srv/data_evil/file.txt", "srv/file.txt", "boot.ini"]
        {
            place.write(outside, CANARY);
        }
        Self { place }
    }

    fn guard(&self) -> Client {
        let data = self.place.path("srv/data");
        self.place.demo(&folder_policy(&data, &["read", "list"], ""), &data)
    }
}

/// What became of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Refused,
    /// The server has read a file inside.
    Read,
    /// The server itself could not.
    Failed,
}

fn outcome(response: &Value) -> Outcome {
    assert!(!response.to_string().contains(CANARY), "{response}");
    if refusal(response).is_some() {
        return Outcome::Refused;
    }
    let text = response["result"]["content"][0]["text"].as_str().unwrap();
    if response["result"]["isError"] == true {
        return Outcome::Failed;
    }
    assert_eq!(text, INSIDE, "it read something else");
    Outcome::Read
}

/// Reads all of these paths; many calls are under way at once.
fn read_all<'a>(client: &mut Client, paths: impl Iterator<Item = &'a str>) -> Vec<Outcome> {
    let paths: Vec<_> = paths.collect();
    let mut outcomes = Vec::new();
    for chunk in paths.chunks(100) {
        let first = client.fresh_id() + 1;
        for path in chunk {
            let id = client.fresh_id();
            let params = json!({ "name": "read_file", "arguments": { "path": path } });
            client.tell(&request(id, "tools/call", &params));
        }
        let mut answers = BTreeMap::new();
        for _ in chunk {
            let response = client.message();
            answers.insert(response["id"].as_u64().unwrap() - first, outcome(&response));
        }
        assert!(answers.keys().copied().eq(0..chunk.len() as u64), "an answer is missing");
        outcomes.extend(answers.into_values());
    }
    outcomes
}

fn count(outcomes: &[Outcome], wanted: Outcome) -> usize {
    outcomes.iter().filter(|outcome| **outcome == wanted).count()
}

#[test]
fn paths_that_leave_the_folder_are_refused() {
    let tree = Tree::new();
    let data = tree.place.path("srv/data");
    symlink("../etc/passwd", data.join("relative")).unwrap();
    symlink(tree.place.path("etc"), data.join("absolute")).unwrap();
    symlink("a/../../etc/passwd", data.join("winding")).unwrap();
    symlink("relative", data.join("twice")).unwrap();
    symlink("/proc/self/root", data.join("magic")).unwrap();
    let mut client = tree.guard();
    let evil = tree.place.text("srv/data_evil/file.txt");
    let long = "../".repeat(2000);
    for path in [
        "../etc/passwd",
        "../../etc/passwd",
        "a/../../etc/passwd",
        "./../file.txt",
        "a/b/../../../file.txt",
        "/etc/passwd",
        "//etc/passwd",
        "/../etc/passwd",
        "..",
        "../",
        "../data_evil/file.txt",
        &evil,
        "file.txt\0.png",
        "\0",
        "\0/etc/passwd",
        "..\0/file.txt",
        "relative",
        "absolute/passwd",
        "winding",
        "twice",
        "magic/etc/passwd",
        "/proc/self/environ",
        "/dev/stdin",
        "",
        " ",
        "file.txt ",
        &long,
        "~/../x/../../etc/passwd",
    ] {
        let refused = client.call("read_file", &json!({ "path": path }));
        assert!(
            refusal(&refused).is_some() && !refused.to_string().contains(CANARY),
            "{path:?}: {refused}"
        );
    }
    for arguments in [
        json!({}),
        json!({ "path": null }),
        json!({ "path": 1 }),
        json!({ "path": ["file.txt"] }),
        json!({ "path": { "path": "file.txt" } }),
        json!({ "path": "file.txt", "base": "/etc" }),
    ] {
        let refused = client.call("read_file", &arguments);
        assert!(refusal(&refused).is_some(), "{arguments}: {refused}");
    }
}

#[test]
fn paths_that_stay_in_the_folder_are_not_refused() {
    let tree = Tree::new();
    let data = tree.place.path("srv/data");
    symlink("a/b", data.join("link")).unwrap();
    symlink("../etc/passwd", data.join("a/passwd")).unwrap();
    for odd in [
        "..name", "na..me", "...", "a b", "~x", "$HOME", "*", "-rf", "a\\b", "%2e%2e", "näu",
        "日本",
    ] {
        fs::write(data.join(odd), INSIDE).unwrap();
    }
    let mut client = tree.guard();
    let absolute = data.join("file.txt");
    for path in [
        "file.txt",
        "./file.txt",
        "a/../file.txt",
        "a//b/c.txt",
        "a/b/../../etc/passwd",
        "../data/file.txt",
        absolute.to_str().unwrap(),
        "link/c.txt",
        "a/passwd",
        "..name",
        "na..me",
        "...",
        "a b",
        "~x",
        "$HOME",
        "*",
        "-rf",
        "a\\b",
        "näu",
        "日本",
    ] {
        let read = client.call("read_file", &json!({ "path": path }));
        assert_eq!(outcome(&read), Outcome::Read, "{path:?}: {read}");
    }
    // What does not exist is for the server to say, and so is what is no file.
    for path in ["new.txt", "a/new.txt", "a", "."] {
        let failed = client.call("read_file", &json!({ "path": path }));
        assert_eq!(outcome(&failed), Outcome::Failed, "{path:?}: {failed}");
    }
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_path_traversal_leads_nowhere_outside() {
    let tree = Tree::new();
    let mut client = tree.guard();
    let cases = shared_jsonl("corpora/path-traversal/payloads.jsonl");
    assert_eq!(cases.len(), 9956);
    let outcomes =
        read_all(&mut client, cases.iter().map(|case| case["payload"].as_str().unwrap()));
    let mut must = 0;
    for (case, outcome) in cases.iter().zip(&outcomes) {
        let payload = case["payload"].as_str().unwrap();
        if case["raw"] == "escape" || payload.contains('\0') {
            must += 1;
            assert_eq!(*outcome, Outcome::Refused, "{case}");
        }
    }
    let [refused, read, failed] =
        [Outcome::Refused, Outcome::Read, Outcome::Failed].map(|wanted| count(&outcomes, wanted));
    println!(
        "9956 payloads: {refused} refused ({must} had to be), {read} read inside, {failed} not found inside; 0 outside"
    );
    assert_eq!((must, refused + read + failed), (MUST, 9956));
    assert_eq!(client.finish().code, Some(0));
    tree.place.assert_intact();
}

/// Payloads that escape as they are, or bear a NUL.
const MUST: usize = 605;

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_benign_names_are_not_refused() {
    let tree = Tree::new();
    let mut client = tree.guard();
    let cases = shared_jsonl("corpora/path-traversal/benign.jsonl");
    assert_eq!(cases.len(), 1859);
    let outcomes =
        read_all(&mut client, cases.iter().map(|case| case["payload"].as_str().unwrap()));
    for (case, outcome) in cases.iter().zip(&outcomes) {
        assert_ne!(*outcome, Outcome::Refused, "{case}");
    }
    println!("1859 benign names: {} refused", count(&outcomes, Outcome::Refused));
}

/// Builds the tree of the corpus in `root`.
fn build(root: &std::path::Path) {
    let tree = fs::read_to_string(shared("corpora/path-symlink/tree.json")).unwrap();
    let tree: Vec<Value> = serde_json::from_str(&tree).unwrap();
    assert_eq!(tree.len(), 66);
    for object in &tree {
        let path = root.join(object["path"].as_str().unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let node = |kind| mknodat(CWD, &path, kind, Mode::from_raw_mode(0o600), 0).unwrap();
        match object["kind"].as_str().unwrap() {
            "dir" => fs::create_dir_all(&path).unwrap(),
            "file" => fs::write(&path, INSIDE).unwrap(),
            "symlink" => symlink(object["target"].as_str().unwrap(), &path).unwrap(),
            "fifo" => node(FileType::Fifo),
            "sock" => node(FileType::Socket),
            kind => panic!("unknown kind {kind}"),
        }
    }
}

/// The path without `.` and `..`, by its names alone.
fn tidied(path: &str) -> String {
    let mut names = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            _ => names.push(name),
        }
    }
    let start = if path.starts_with('/') { "/" } else { "./" };
    format!("{start}{}", names.join("/"))
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_path_symlink_is_judged_as_the_system_judges_beneath_the_folder() {
    let place = Place::new();
    let root = place.path("root");
    fs::create_dir(&root).unwrap();
    build(&root);
    place.write("target", CANARY);
    let folder = open(&root, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
    let (mut client, mut server) = place.play(&folder_policy(&root, &["read", "list"], ""));
    let cases = shared_jsonl("corpora/path-symlink/resolve.jsonl");
    assert_eq!(cases.len(), 59);
    let mut told = BTreeMap::new();
    for case in &cases {
        let path = case["path"].as_str().unwrap();
        let beneath = |path: &str| {
            let flags = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
            openat2(&folder, path, OFlags::PATH, Mode::empty(), flags)
        };
        // A server may tidy up `..` by the names alone before it opens: both readings count.
        let oracle = beneath(path).and_then(|_| beneath(&tidied(path)));
        for tool in ["read_file", "list_directory"] {
            let id = client.fresh_id();
            let params = json!({ "name": tool, "arguments": { "path": path } });
            client.tell(&request(id, "tools/call", &params));
            let marker = format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"n":{id}}}}}"#
            );
            client.tell(&marker);
            let passed = server.message().get("id").is_some();
            if passed {
                server.hears(format!("{marker}\n").as_bytes());
                server.tell(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[]}}}}"#));
            }
            let response = client.message();
            assert_eq!(refusal(&response).is_none(), passed);
            match &oracle {
                Ok(_) => assert!(passed, "{case}: {response}"),
                Err(Errno::XDEV | Errno::LOOP | Errno::NOTDIR) => assert!(!passed, "{case}"),
                Err(_) => {}
            }
            if passed && let Ok(real) = fs::canonicalize(root.join(path)) {
                assert!(real.starts_with(&root), "{case}: {}", real.display());
            }
            let judged = match &oracle {
                Ok(_) => "inside".to_owned(),
                Err(error) => format!("{error:?}"),
            };
            *told.entry((judged, code(&response).to_owned())).or_insert(0) += 1;
        }
    }
    println!("59 cases, each read and listed; as the system judges them, and what became of them:");
    for ((judged, code), count) in &told {
        println!("  {judged}: {} {count}", if code.is_empty() { "allowed" } else { code });
    }
    let allowed: usize =
        told.iter().filter(|((_, code), _)| code.is_empty()).map(|(_, count)| count).sum();
    assert_eq!((allowed, told.values().sum::<usize>()), (2 * 7, 2 * 59));
}
