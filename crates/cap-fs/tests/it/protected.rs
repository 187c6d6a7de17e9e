use std::fs;
use std::path::Path;

use cap_fs::{OpenError, Protected, Reach, ResolveError, Root};

use crate::ground::Ground;

/// `data/state` is protected and holds `keys/one`.
fn ground() -> (Ground, Protected) {
    let ground = Ground::new();
    fs::create_dir_all(ground.at("data/state/keys")).unwrap();
    fs::write(ground.at("data/state/keys/one"), "key").unwrap();
    let protected = Protected::new([ground.at("data/state")]).unwrap();
    (ground, protected)
}

fn touches(ground: &Ground, protected: &Protected, path: &str, reach: Reach) -> bool {
    protected.touches(&ground.resolve(path).unwrap(), reach).unwrap()
}

#[test]
fn a_protected_folder_and_all_below_it_are_touched() {
    let (ground, protected) = ground();
    let below = ["state", "state/keys", "state/keys/one", "state/new", "state/keys/new/more"];
    for path in below {
        assert!(touches(&ground, &protected, path, Reach::Object), "{path}");
        assert!(touches(&ground, &protected, path, Reach::Subtree), "{path}");
    }
}

#[test]
fn other_objects_are_not_touched() {
    let (ground, protected) = ground();
    for path in ["file", "sub", "sub/deep/file", "sub/new", "state_new", "new/state"] {
        assert!(!touches(&ground, &protected, path, Reach::Object), "{path}");
        assert!(!touches(&ground, &protected, path, Reach::Subtree), "{path}");
    }
}

#[test]
fn a_subtree_that_holds_a_protected_folder_is_touched() {
    let (ground, protected) = ground();
    assert!(!touches(&ground, &protected, "", Reach::Object));
    assert!(touches(&ground, &protected, "", Reach::Subtree));
    let above = Root::open(Path::new("/")).unwrap().resolve(Path::new("")).unwrap();
    assert!(!protected.touches(&above, Reach::Object).unwrap());
    assert!(protected.touches(&above, Reach::Subtree).unwrap());
}

#[test]
fn a_link_to_a_protected_folder_is_the_folder() {
    let (ground, protected) = ground();
    ground.link("data/way", "state");
    ground.link("data/sub/key", "../state/keys/one");
    for path in ["way", "way/keys/one", "way/new", "sub/key"] {
        assert!(touches(&ground, &protected, path, Reach::Object), "{path}");
    }
    // A root of another name, as a bind mount would be.
    ground.link("elsewhere", "data/state/keys");
    for root in ["elsewhere", "elsewhere/one"] {
        let found = Root::open(&ground.at(root)).unwrap().resolve(Path::new("")).unwrap();
        assert!(protected.touches(&found, Reach::Object).unwrap(), "{root}");
    }
}

#[test]
fn a_link_that_lies_in_a_protected_folder_is_touched_wherever_it_leads() {
    let (ground, protected) = ground();
    ground.link("data/state/out", "../file");
    ground.link("data/state/folder", "../sub");
    ground.link("data/state/keys/back", "../..");
    ground.link("data/latch", "state/out");
    for path in ["state/out", "state/folder", "state/keys/back"] {
        assert!(touches(&ground, &protected, path, Reach::Object), "{path}");
    }
    // Only passing through changes nothing there.
    assert!(!touches(&ground, &protected, "state/folder/deep/file", Reach::Object));
    assert!(!touches(&ground, &protected, "latch", Reach::Object));
}

#[test]
fn protection_follows_the_folder_and_notices_that_it_moved() {
    let (ground, protected) = ground();
    let found = ground.resolve("state/keys/one").unwrap();
    let other = ground.resolve("file").unwrap();
    fs::rename(ground.at("data/state"), ground.at("data/old")).unwrap();
    for resolved in [&found, &other, &ground.resolve("old/keys").unwrap()] {
        let answer = protected.touches(resolved, Reach::Object);
        assert!(matches!(answer, Err(ResolveError::Replaced)), "{answer:?}");
    }
    fs::create_dir(ground.at("data/state")).unwrap();
    let answer = protected.touches(&other, Reach::Object);
    assert!(matches!(answer, Err(ResolveError::Replaced)), "{answer:?}");
    fs::remove_dir(ground.at("data/state")).unwrap();
    fs::rename(ground.at("data/old"), ground.at("data/state")).unwrap();
    assert!(protected.touches(&found, Reach::Object).unwrap());
    assert!(!protected.touches(&other, Reach::Object).unwrap());
}

#[test]
fn a_folder_above_that_moved_keeps_what_is_below_it_protected() {
    let ground = Ground::new();
    fs::create_dir_all(ground.at("data/sub/state/keys")).unwrap();
    ground.link("state", "data/sub/state");
    let protected = Protected::new([ground.at("state")]).unwrap();
    let keys = ground.resolve("sub/state/keys").unwrap();
    fs::rename(ground.at("data/sub"), ground.at("data/moved")).unwrap();
    fs::remove_file(ground.at("state")).unwrap();
    ground.link("state", "data/moved/state");
    assert!(protected.touches(&keys, Reach::Object).unwrap());
    let moved = ground.resolve("moved").unwrap();
    assert!(protected.touches(&moved, Reach::Subtree).unwrap());
}

#[test]
fn several_folders_are_protected_at_once_and_none_is_fine() {
    let ground = Ground::new();
    let both = Protected::new([ground.at("data/sub/deep"), ground.at("secret")]).unwrap();
    assert!(touches(&ground, &both, "sub/deep/file", Reach::Object));
    assert!(touches(&ground, &both, "sub", Reach::Subtree));
    assert!(!touches(&ground, &both, "file", Reach::Subtree));
    let secret = Root::open(&ground.at("secret")).unwrap().resolve(Path::new("file")).unwrap();
    assert!(both.touches(&secret, Reach::Object).unwrap());
    let none = Protected::new::<[&Path; 0]>([]).unwrap();
    assert!(!touches(&ground, &none, "", Reach::Subtree));
}

#[test]
fn only_existing_folders_can_be_protected() {
    let ground = Ground::new();
    let answer = Protected::new([ground.at("nothing")]);
    assert!(matches!(answer, Err(OpenError::Missing)), "{answer:?}");
    let answer = Protected::new([ground.at("data"), ground.at("data/file")]);
    assert!(matches!(answer, Err(OpenError::NotADirectory)), "{answer:?}");
}

#[test]
fn an_object_that_lies_too_deep_is_an_error() {
    let (ground, protected) = ground();
    let deep = ground.at("data").join(["d"; 1100].join("/"));
    fs::create_dir_all(&deep).unwrap();
    let found = Root::open(&deep).unwrap().resolve(Path::new("")).unwrap();
    let answer = protected.touches(&found, Reach::Object);
    assert!(matches!(answer, Err(ResolveError::NameTooLong)), "{answer:?}");
}

#[test]
fn a_protected_file_is_touched_by_every_name_and_also_before_it_is_there() {
    let ground = Ground::new();
    let policy = ground.at("data/policy.toml");
    let none: [&Path; 0] = [];
    let protected = Protected::new(none).unwrap().with_files([&policy]);
    let touches = |path: &str, reach| {
        protected.touches(&cap_fs::follow(&ground.at(path)).unwrap(), reach).unwrap()
    };
    assert!(touches("data/policy.toml", Reach::Object), "missing, to be created");
    fs::write(&policy, "version = 1").unwrap();
    ground.link("data/alias", "policy.toml");
    assert!(touches("data/policy.toml", Reach::Object));
    assert!(touches("data/alias", Reach::Object));
    assert!(touches("data", Reach::Subtree), "moving the folder moves the policy");
    assert!(!touches("data", Reach::Object));
    assert!(!touches("secret", Reach::Subtree));
    fs::remove_file(&policy).unwrap();
    fs::write(&policy, "version = 1 # replaced by an editor").unwrap();
    assert!(touches("data/policy.toml", Reach::Object));
}

#[test]
fn a_protected_file_is_touched_through_the_link_that_stands_for_it() {
    let ground = Ground::new();
    ground.link("data/policy.toml", "sub/real.toml");
    fs::write(ground.at("data/sub/real.toml"), "version = 1").unwrap();
    ground.link("data/other", "sub/real.toml");
    let none: [&Path; 0] = [];
    let protected = Protected::new(none).unwrap().with_files([ground.at("data/policy.toml")]);
    let root = Root::open(&ground.at("data")).unwrap();
    let touches = |path: &str| {
        let entry = root.resolve_entry(Path::new(path)).unwrap();
        protected.touches(entry.object(), Reach::Object).unwrap()
    };
    assert!(touches("policy.toml") && touches("sub/real.toml"));
    // To remove another link to it leaves the file as it is.
    assert!(!touches("other") && !touches("file") && !touches("new"));
}

#[test]
fn a_protected_file_that_is_missing_is_touched_by_every_spelling_of_its_name() {
    let ground = Ground::new();
    let none: [&Path; 0] = [];
    let files = [ground.at("data/Policy.toml"), ground.at("data/sub/stra\u{df}e")];
    let protected = Protected::new(none).unwrap().with_files(files);
    let root = Root::open(&ground.at("data")).unwrap();
    let touches = |path: &str| {
        let found = root.resolve(Path::new(path)).unwrap();
        protected.touches(&found, Reach::Object).unwrap()
    };
    for path in ["Policy.toml", "policy.toml", "POLICY.TOML", "policy.toml.", "sub/STRASSE"] {
        assert!(touches(path), "{path}");
    }
    for path in ["policy.tom", "sub/policy.toml", "policy.toml/x", "strasse", "sub/strase"] {
        assert!(!touches(path), "{path}");
    }
}
