use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use cap_fs::{Kind, Listed, ResolveError, Root, UseError};
#[cfg(target_os = "linux")]
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::ground::Ground;

fn text(mut file: File) -> String {
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_file_is_read_through_its_handle() {
    let ground = Ground::new();
    ground.link("data/way", "sub/deep");
    let direct = ground.resolve("sub/deep/file").unwrap();
    let linked = ground.resolve("way/../deep/file").unwrap();
    for found in [&direct, &linked, &direct] {
        assert_eq!(text(found.read().unwrap()), "data/sub/deep/file");
    }
    assert!(direct.read().unwrap().write_all(b"x").is_err());
}

#[test]
fn what_was_resolved_is_read_whatever_has_its_name_by_now() {
    let ground = Ground::new();
    let found = ground.resolve("file").unwrap();
    fs::rename(ground.at("data/file"), ground.at("data/moved")).unwrap();
    ground.link("data/file", "../secret/file");
    assert_eq!(text(found.read().unwrap()), "data/file");
    found.overwrite().unwrap().write_all(b"new").unwrap();
    assert_eq!(fs::read_to_string(ground.at("data/moved")).unwrap(), "new");
    assert_eq!(fs::read_to_string(ground.at("secret/file")).unwrap(), "secret/file");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_was_removed_is_still_the_file_that_was_resolved() {
    let ground = Ground::new();
    let found = ground.resolve("file").unwrap();
    fs::remove_file(ground.at("data/file")).unwrap();
    fs::write(ground.at("data/file"), "another").unwrap();
    assert_eq!(text(found.read().unwrap()), "data/file");
}

#[test]
fn overwriting_empties_the_file_and_keeps_it() {
    let ground = Ground::new();
    fs::hard_link(ground.at("data/file"), ground.at("data/other")).unwrap();
    let mut file = ground.resolve("file").unwrap().overwrite().unwrap();
    assert_eq!(file.metadata().unwrap().len(), 0);
    file.write_all(b"x").unwrap();
    assert_eq!(fs::read_to_string(ground.at("data/other")).unwrap(), "x");
    let mut nothing = String::new();
    assert!(file.read_to_string(&mut nothing).is_err());
}

#[test]
fn a_missing_file_is_created_where_it_was_missing() {
    let ground = Ground::new();
    ground.link("data/way", "sub/deep");
    let missing = ground.resolve("way/new").unwrap();
    assert_eq!((missing.kind(), missing.real()), (Kind::Missing, Path::new("sub/deep/new")));
    fs::remove_file(ground.at("data/way")).unwrap();
    ground.link("data/way", "../secret");
    let mut file = missing.create().unwrap();
    file.write_all(b"made").unwrap();
    assert_eq!(fs::read_to_string(ground.at("data/sub/deep/new")).unwrap(), "made");
    assert_eq!(file.metadata().unwrap().mode() & 0o7111, 0);
    assert!(!ground.at("secret/new").exists());
}

#[test]
fn nothing_that_is_there_is_created() {
    let ground = Ground::new();
    let missing = ground.resolve("new").unwrap();
    ground.link("data/new", "../secret/made");
    for answer in [missing.create().map(drop), missing.create_directory()] {
        assert!(matches!(answer, Err(UseError::Exists)), "{answer:?}");
    }
    assert!(!ground.at("secret/made").exists());
    for path in ["file", "sub", ""] {
        let found = ground.resolve(path).unwrap();
        assert!(matches!(found.create(), Err(UseError::Exists)), "{path}");
        assert!(matches!(found.create_directory(), Err(UseError::Exists)), "{path}");
    }
    let twice = ground.resolve("once").unwrap();
    assert!(twice.create().is_ok());
    assert!(matches!(twice.create(), Err(UseError::Exists)));
}

#[test]
fn one_name_is_created_at_a_time() {
    let ground = Ground::new();
    let root = Root::open(&ground.at("data")).unwrap();
    let deep = root.resolve(Path::new("one/two/three")).unwrap();
    assert!(matches!(deep.create(), Err(UseError::Missing)));
    assert!(matches!(deep.create_directory(), Err(UseError::Missing)));
    assert!(!ground.at("data/one").exists());
    for path in ["one", "one/two"] {
        root.resolve(Path::new(path)).unwrap().create_directory().unwrap();
        assert_eq!(root.resolve(Path::new(path)).unwrap().kind(), Kind::Directory);
    }
    // What was resolved before does not see it.
    assert!(matches!(deep.create(), Err(UseError::Missing)));
    root.resolve(Path::new("one/two/three")).unwrap().create().unwrap();
    assert!(ground.at("data/one/two/three").is_file());
}

#[test]
fn nothing_is_created_in_a_directory_that_is_gone() {
    let ground = Ground::new();
    fs::create_dir(ground.at("data/gone")).unwrap();
    let missing = ground.resolve("gone/new").unwrap();
    fs::remove_dir(ground.at("data/gone")).unwrap();
    ground.link("data/gone", "../secret");
    assert!(matches!(missing.create(), Err(UseError::Missing)));
    assert!(matches!(missing.create_directory(), Err(UseError::Missing)));
    assert!(!ground.at("secret/new").exists());
}

#[test]
fn a_directory_is_listed_through_its_handle() {
    let ground = Ground::new();
    ground.link("data/out", "../secret");
    ground.link("data/gone", "nothing");
    let found = ground.resolve("").unwrap();
    fs::rename(ground.at("data"), ground.at("moved")).unwrap();
    fs::rename(ground.at("secret"), ground.at("data")).unwrap();
    let mut listed: Vec<_> = found.list().unwrap().map(Result::unwrap).collect();
    listed.sort_by(|one, other| one.name.cmp(&other.name));
    let entry = |name: &str, kind| Listed { name: name.into(), kind };
    let links = [entry("gone", Kind::Link), entry("out", Kind::Link)];
    let [gone, out] = links;
    let expected = [entry("file", Kind::File), gone, out, entry("sub", Kind::Directory)];
    assert_eq!(listed, expected);
    // Each time from the beginning.
    assert_eq!(found.list().unwrap().count(), 4);
}

#[test]
fn each_operation_takes_its_own_kind_of_object() {
    let ground = Ground::new();
    let file = ground.resolve("file").unwrap();
    assert!(matches!(file.list(), Err(UseError::NotADirectory)));
    for path in ["sub", ""] {
        let folder = ground.resolve(path).unwrap();
        assert!(matches!(folder.read(), Err(UseError::NotAFile)), "{path}");
        assert!(matches!(folder.overwrite(), Err(UseError::NotAFile)), "{path}");
    }
    let missing = ground.resolve("new").unwrap();
    assert!(matches!(missing.read(), Err(UseError::Missing)));
    assert!(matches!(missing.overwrite(), Err(UseError::Missing)));
    assert!(matches!(missing.list(), Err(UseError::Missing)));
    assert!(!ground.at("data/new").exists());
}

#[test]
fn a_root_that_is_one_file_is_read_and_overwritten() {
    let ground = Ground::new();
    let root = Root::open(&ground.at("data/file")).unwrap();
    let found = root.resolve(Path::new("")).unwrap();
    assert_eq!(text(found.read().unwrap()), "data/file");
    found.overwrite().unwrap().write_all(b"x").unwrap();
    assert_eq!(root.resolve(Path::new("")).unwrap().size(), 1);
}

/// A pipe without a writer would wait for one, a device might do anything.
#[cfg(target_os = "linux")]
#[test]
fn pipes_sockets_and_devices_are_neither_read_nor_written_and_nobody_waits() {
    let ground = Ground::new();
    let mode = Mode::from_raw_mode(0o666);
    mknodat(CWD, ground.at("data/pipe"), FileType::Fifo, mode, 0).unwrap();
    mknodat(CWD, ground.at("data/socket"), FileType::Socket, mode, 0).unwrap();
    ground.link("data/to-pipe", "pipe");
    let mut others: Vec<_> =
        ["pipe", "socket", "to-pipe"].map(|path| ground.resolve(path).unwrap()).into();
    for device in ["/dev/null", "/dev/zero", "/dev/tty"] {
        others.push(Root::open(Path::new(device)).unwrap().resolve(Path::new("")).unwrap());
    }
    for other in others {
        assert_eq!(other.kind(), Kind::Other);
        assert!(matches!(other.read(), Err(UseError::NotAFile)));
        assert!(matches!(other.overwrite(), Err(UseError::NotAFile)));
        assert!(matches!(other.list(), Err(UseError::NotADirectory)));
        assert!(matches!(other.create(), Err(UseError::Exists)));
    }
    let kinds: Vec<_> = ground.resolve("").unwrap().list().unwrap().map(Result::unwrap).collect();
    for name in ["pipe", "socket"] {
        assert!(kinds.contains(&Listed { name: name.into(), kind: Kind::Other }), "{name}");
    }
}

#[test]
fn a_root_can_refuse_files_with_several_names() {
    let ground = Ground::new();
    fs::hard_link(ground.at("secret/file"), ground.at("data/name")).unwrap();
    ground.link("data/to-name", "name");
    let counting = Root::open(&ground.at("data")).unwrap();
    assert_eq!(counting.resolve(Path::new("name")).unwrap().links(), 2);
    let refusing = Root::open(&ground.at("data")).unwrap().refusing_hard_links();
    for path in ["name", "to-name", "sub/../name"] {
        let answer = refusing.resolve(Path::new(path));
        assert!(matches!(answer, Err(ResolveError::HardLinked)), "{path}: {answer:?}");
    }
    for path in ["file", "sub", "", "new"] {
        assert!(refusing.resolve(Path::new(path)).is_ok(), "{path}");
    }
    refusing.resolve_entry(Path::new("name")).unwrap().delete().unwrap();
    assert_eq!(fs::read_to_string(ground.at("secret/file")).unwrap(), "secret/file");
    let single = Root::open(&ground.at("data/file")).unwrap().refusing_hard_links();
    assert!(single.resolve(Path::new("")).is_ok());
    fs::hard_link(ground.at("data/file"), ground.at("secret/name")).unwrap();
    assert!(matches!(single.resolve(Path::new("")), Err(ResolveError::HardLinked)));
}

#[test]
fn what_the_system_denies_is_denied() {
    let ground = Ground::new();
    let found = ground.resolve("file").unwrap();
    fs::set_permissions(ground.at("data/file"), fs::Permissions::from_mode(0o000)).unwrap();
    // Who may do everything is not denied.
    let denied = File::open(ground.at("data/file")).is_err();
    assert_eq!(matches!(found.read(), Err(UseError::Denied)), denied);
    assert_eq!(matches!(found.overwrite(), Err(UseError::Denied)), denied);
}

#[test]
fn errors_name_no_path() {
    let ground = Ground::new();
    let missing = ground.resolve("new").unwrap();
    let folder = ground.resolve("sub").unwrap();
    for error in [missing.read().unwrap_err(), folder.read().unwrap_err()] {
        let said = format!("{error} {error:?}");
        assert!(!said.contains("new") && !said.contains("sub"), "{said}");
    }
}
