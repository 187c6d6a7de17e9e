use std::collections::BTreeMap;

use cap_testkit::{shared, shared_jsonl};
use serde_json::Value;

use super::super::object;
use super::*;
use crate::{Existing, Kind};

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

/// What can be done with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Read,
    Overwrite,
    Create,
    CreateDirectory,
    List,
    Delete,
    Rename,
}

const OPERATIONS: [Operation; 7] = [
    Operation::Read,
    Operation::Overwrite,
    Operation::Create,
    Operation::CreateDirectory,
    Operation::List,
    Operation::Delete,
    Operation::Rename,
];

impl Operation {
    fn on(self, root: &Root, path: &Path) -> Result<(), String> {
        let found = || at_rest(|| root.resolve(path)).map_err(|error| error.to_string());
        let entry =
            |path: &Path| at_rest(|| root.resolve_entry(path)).map_err(|error| error.to_string());
        match self {
            Self::Read => found()?.read().map(drop),
            Self::Overwrite => found()?.overwrite().map(drop),
            Self::Create => found()?.create().map(drop),
            Self::CreateDirectory => found()?.create_directory(),
            Self::List => found()?.list().map(|list| list.for_each(|entry| drop(entry.unwrap()))),
            Self::Delete => entry(path)?.delete(),
            Self::Rename => entry(path)?.rename(&entry(Path::new("moved-here"))?, Existing::Keep),
        }
        .map_err(|error| error.to_string())
    }

    /// Whether the system would do it beneath the folder, and what changes there.
    fn system(self, base: &Base, path: &str) -> Result<Changes, ()> {
        let beneath = |path: &str, flags| {
            let how = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
            let flags = OFlags::PATH | flags;
            settled(|| openat2(&base.dir, path, flags, Mode::empty(), how)).map_err(drop)
        };
        let kind = |path: &str, flags| {
            let object = beneath(path, flags)?;
            Ok(object::kind(&rustix::fs::fstat(object).unwrap()))
        };
        let only = |wanted: Kind, found: Result<Kind, ()>| {
            found.and_then(|found| if found == wanted { Ok(()) } else { Err(()) })
        };
        let followed = || kind(path, OFlags::empty());
        let name = path.trim_end_matches('/');
        let (parent, name) = name.rsplit_once('/').unwrap_or((".", name));
        let parent = if parent.is_empty() { "/" } else { parent };
        // What a slash follows must be a directory itself, says the system.
        let itself = || match kind(path.trim_end_matches('/'), OFlags::NOFOLLOW) {
            Ok(kind) if path.ends_with('/') && kind != Kind::Directory => Err(()),
            answer => answer,
        };
        match self {
            Self::Read => only(Kind::File, followed()).map(|()| Changes::None),
            Self::Overwrite => only(Kind::File, followed()).map(|()| Changes::Emptied),
            Self::List => only(Kind::Directory, followed()).map(|()| Changes::None),
            Self::Create | Self::CreateDirectory | Self::Delete | Self::Rename
                if ["", ".", ".."].contains(&name) =>
            {
                Err(())
            }
            Self::Create | Self::CreateDirectory => {
                only(Kind::Directory, kind(parent, OFlags::empty()))?;
                if kind(path.trim_end_matches('/'), OFlags::NOFOLLOW).is_ok() {
                    Err(())
                } else {
                    Ok(Changes::One { more: 1, less: 0 })
                }
            }
            Self::Delete if itself()? == Kind::Directory => {
                let entries = object::entries(beneath(path, OFlags::empty())?).unwrap().count();
                if entries == 2 { Ok(Changes::One { more: 0, less: 1 }) } else { Err(()) }
            }
            Self::Delete => itself().map(|_| Changes::One { more: 0, less: 1 }),
            Self::Rename => itself().map(|_| Changes::Moved),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Changes {
    None,
    /// A file has another content, by as many names as it has.
    Emptied,
    One {
        more: usize,
        less: usize,
    },
    /// A name went away with all below it, and came back elsewhere.
    Moved,
}

/// Every name below a folder, with what a file holds or where a link leads.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let what = if kind.is_dir() {
                folders.push(path.clone());
                "folder".to_owned()
            } else if kind.is_symlink() {
                fs::read_link(&path).unwrap().to_str().unwrap().to_owned()
            } else if kind.is_file() {
                fs::read_to_string(&path).unwrap()
            } else {
                "other".to_owned()
            };
            all.insert(path, what);
        }
    }
    all
}

fn changes(before: &BTreeMap<PathBuf, String>, after: &BTreeMap<PathBuf, String>) -> Changes {
    let less = before.keys().filter(|path| !after.contains_key(*path)).count();
    let more = after.keys().filter(|path| !before.contains_key(*path)).count();
    let other =
        before.iter().filter(|(path, what)| after.get(*path).is_some_and(|now| now != *what));
    match (more, less, other.count()) {
        (0, 0, 0) => Changes::None,
        (0, 0, 1) => Changes::Emptied,
        (more, less, 0) if more == less => Changes::Moved,
        (more, less, 0) => Changes::One { more, less },
        other => panic!("{other:?}"),
    }
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_path_symlink_by_every_operation() {
    for road in ROADS_OF_BASE {
        let mut told = Vec::new();
        for operation in OPERATIONS {
            let (mut done, mut refused) = (0, 0);
            let mut ground = build();
            let mut before = snapshot(ground.folder.path());
            for case in cases() {
                let (name, path) = (text(&case, "name"), text(&case, "path"));
                let base = Base { road, ..ground.base(Scope::Beneath) };
                let expected = operation.system(&base, path);
                let answer = operation.on(&Root::by(base), Path::new(path));
                let after = snapshot(ground.folder.path());
                let changed = changes(&before, &after);
                assert_eq!(after.get(&ground.outside().join("canary")).unwrap(), "canary");
                match answer {
                    Ok(()) => {
                        assert_eq!(Ok(changed), expected, "{operation:?} {name}");
                        done += 1;
                    }
                    Err(error) => {
                        assert_eq!(changed, Changes::None, "{operation:?} {name}");
                        assert_eq!(expected, Err(()), "{operation:?} {name}: {error}");
                        refused += 1;
                    }
                }
                if changed != Changes::None {
                    ground = build();
                    before = snapshot(ground.folder.path());
                }
            }
            assert_eq!(done + refused, 59);
            told.push((operation, done));
        }
        println!("59 cases by each operation; done, the others refused: {told:?}");
        assert_eq!(told.iter().map(|(_, done)| *done).collect::<Vec<_>>(), DONE);
    }
}

/// How many of the 59 cases the system does beneath the folder, in the order of the operations.
const DONE: [u32; 7] = [1, 1, 1, 1, 5, 20, 20];
