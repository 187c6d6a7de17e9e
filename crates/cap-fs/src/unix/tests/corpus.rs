use cap_testkit::{shared, shared_jsonl};
use serde_json::Value;

use super::*;
use crate::Kind;

fn build() -> Ground {
    let ground = Ground::new();
    let tree = fs::read_to_string(shared("corpora/path-symlink/tree.json")).unwrap();
    let tree: Vec<Value> = serde_json::from_str(&tree).unwrap();
    assert_eq!(tree.len(), 66);
    for object in &tree {
        let path = text(object, "path");
        match text(object, "kind") {
            "dir" => ground.dir(path),
            "file" => ground.file(path),
            "symlink" => ground.link(path, text(object, "target")),
            "fifo" => ground.node(path, FileType::Fifo),
            "sock" => ground.node(path, FileType::Socket),
            kind => panic!("unknown kind {kind}"),
        }
    }
    ground
}

fn cases() -> Vec<Value> {
    let cases = shared_jsonl("corpora/path-symlink/resolve.jsonl");
    assert_eq!(cases.len(), 59);
    cases
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap()
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_path_symlink() {
    let ground = build();
    let base = ground.base(Scope::Beneath);
    for road in ROADS {
        let (mut existing, mut missing, mut refused) = (0, 0, 0);
        for case in cases() {
            let (name, path) = (text(&case, "name"), text(&case, "path"));
            let oracle = system(&base, path);
            let answer = settled(|| road(&base, &asked(path)));
            match &answer {
                Ok(found) if found.kind() == Kind::Missing => {
                    assert_eq!(oracle.unwrap_err(), Errno::NOENT, "{name}");
                    missing += 1;
                }
                Ok(found) => {
                    assert!(oracle.is_ok(), "{name}");
                    assert_eq!(text(&case, "result"), "ok", "{name}");
                    let expected = text(&case, "resolved_in_root").trim_matches('/');
                    assert_eq!(found.real(), Path::new(expected), "{name}");
                    assert_eq!(number_of(found), number(&ground.root().join(expected)), "{name}");
                    existing += 1;
                }
                Err(errno) => {
                    assert_eq!(oracle.unwrap_err(), *errno, "{name}");
                    refused += 1;
                }
            }
        }
        assert_eq!((existing, missing, refused), (7, 1, 51));
    }
}

/// The corpus was written for `RESOLVE_IN_ROOT`, in which absolute links stay in the root: there
/// every case has one right answer.
#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_path_symlink_in_root() {
    let ground = build();
    let base = ground.base(Scope::InRoot);
    let plain = |case: &Value| case["no_symlinks"] == false && case["no_follow_trailing"] == false;
    let cases: Vec<_> = cases().into_iter().filter(plain).collect();
    assert_eq!(cases.len(), 55);
    for road in ROADS {
        for case in &cases {
            let name = text(case, "name");
            match settled(|| road(&base, &asked(text(case, "path")))) {
                Ok(found) if found.kind() == Kind::Missing => {
                    assert_eq!(case["errno"], "ENOENT", "{name}");
                }
                Ok(found) => {
                    let expected = text(case, "resolved_in_root").trim_matches('/');
                    assert_eq!(found.real(), Path::new(expected), "{name}");
                }
                Err(Errno::NOENT) => assert_eq!(case["errno"], "ENOENT", "{name}"),
                Err(Errno::NOTDIR) => assert_eq!(case["errno"], "ENOTDIR", "{name}"),
                Err(Errno::LOOP) => assert_eq!(case["errno"], "ELOOP", "{name}"),
                Err(errno) => panic!("{name}: {errno}"),
            }
        }
    }
}
