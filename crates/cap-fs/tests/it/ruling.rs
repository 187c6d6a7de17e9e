//! A ruling of `cap-core` between the resolution and the use.

use std::fs;
use std::io::Read;
use std::path::Path;

use cap_core::{
    AbsPath, AccessRequest, Beneath, Capability, Operation, Operations, PathRequest, Physical,
    Resource, ResourceType, RootGrant,
};
use cap_fs::{Entry, Resolved, Root};
use cap_testkit::strategy::{granted_at, id, typed};
use serde_json::json;

use crate::ground::Ground;

/// Text files of at most 20 bytes in `data`.
fn capability(data: &AbsPath) -> Capability {
    let grant = RootGrant {
        principal: "agent".parse().unwrap(),
        resource_type: ResourceType::Path,
        resource: data.as_str().to_owned(),
        operations: Operations::ALL,
        constraints: typed(json!({ "allowed_extensions": ["txt"], "max_file_size": 20 })),
        expires_at: None,
    };
    Capability::grant(id(0), grant, granted_at()).unwrap()
}

/// What was found is what is ruled on, by its name as asked and by its real path and size.
fn request(root: &AbsPath, asked: &str, found: &Resolved, operation: Operation) -> AccessRequest {
    let real = root.join(found.real().to_str().unwrap()).unwrap();
    let beneath = Beneath { root: root.clone(), real: Ok(real), size: found.size() };
    let path = PathRequest {
        physical: Physical::Resolved(vec![beneath]),
        size: (operation == Operation::Write).then_some(3),
        ..PathRequest::lexical(root.join(asked).unwrap())
    };
    AccessRequest::new(Resource::Path(path), Operations::NONE.with(operation))
}

struct Ruled {
    root: Root,
    data: AbsPath,
    capability: Capability,
}

impl Ruled {
    fn new(ground: &Ground) -> Self {
        let data = AbsPath::parse(ground.at("data").to_str().unwrap()).unwrap();
        let root = Root::open(Path::new(data.as_str())).unwrap();
        Self { root, capability: capability(&data), data }
    }

    /// The object, if the capability permits the operation on what it really is.
    fn ask(&self, path: &str, operation: Operation) -> Option<Resolved> {
        let found = self.root.resolve(Path::new(path)).ok()?;
        self.permits(path, &found, operation).then_some(found)
    }

    /// The same for the name itself.
    fn ask_entry(&self, path: &str, operation: Operation) -> Option<Entry> {
        let entry = self.root.resolve_entry(Path::new(path)).ok()?;
        self.permits(path, entry.object(), operation).then_some(entry)
    }

    fn permits(&self, path: &str, found: &Resolved, operation: Operation) -> bool {
        let request = request(&self.data, path, found, operation);
        self.capability.permits(&request, granted_at()).is_allow()
    }
}

#[test]
fn what_is_ruled_on_is_what_is_used() {
    let ground = Ground::new();
    for (path, text) in [("data/a.txt", "short"), ("data/key.pem", "key")] {
        fs::write(ground.at(path), text).unwrap();
    }
    fs::write(ground.at("data/long.txt"), "x".repeat(21)).unwrap();
    ground.link("data/link.txt", "key.pem");
    ground.link("data/out.txt", "../secret/file");
    let ruled = Ruled::new(&ground);
    for path in ["key.pem", "long.txt", "link.txt", "out.txt", "file", "../secret/file"] {
        assert!(ruled.ask(path, Operation::Read).is_none(), "{path}");
    }
    let found = ruled.ask("a.txt", Operation::Read).unwrap();
    // What comes after the ruling changes nothing.
    fs::rename(ground.at("data/a.txt"), ground.at("data/old.txt")).unwrap();
    ground.link("data/a.txt", "key.pem");
    let mut text = String::new();
    found.read().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "short");
    assert!(ruled.ask("a.txt", Operation::Read).is_none());
}

#[test]
fn what_is_missing_is_ruled_on_and_created_there() {
    let ground = Ground::new();
    ground.link("data/way", "sub");
    let ruled = Ruled::new(&ground);
    assert!(ruled.ask("way/new.pem", Operation::Write).is_none());
    let missing = ruled.ask("way/new.txt", Operation::Write).unwrap();
    fs::remove_file(ground.at("data/way")).unwrap();
    ground.link("data/way", "../secret");
    missing.create().unwrap();
    assert!(ground.at("data/sub/new.txt").is_file() && !ground.at("secret/new.txt").exists());
}

#[test]
fn a_name_is_ruled_on_and_deleted_as_itself() {
    let ground = Ground::new();
    ground.link("data/link.txt", "../secret/file");
    let ruled = Ruled::new(&ground);
    assert!(ruled.ask_entry("file", Operation::Delete).is_none());
    ruled.ask_entry("link.txt", Operation::Delete).unwrap().delete().unwrap();
    assert!(fs::symlink_metadata(ground.at("data/link.txt")).is_err());
    assert!(ground.at("secret/file").exists());
}
