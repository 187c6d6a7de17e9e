use std::fs;
use std::path::Path;

use cap_fs::{Entry, Existing, Kind, Protected, Reach, ResolveError, Root, UseError};

use crate::ground::Ground;

fn entry(ground: &Ground, path: &str) -> Entry {
    Root::open(&ground.at("data")).unwrap().resolve_entry(Path::new(path)).unwrap()
}

fn refusal(ground: &Ground, path: &str) -> ResolveError {
    Root::open(&ground.at("data")).unwrap().resolve_entry(Path::new(path)).unwrap_err()
}

#[test]
fn a_link_at_the_end_is_itself() {
    let ground = Ground::new();
    for (link, target) in [("out", "../secret/file"), ("in", "file"), ("gone", "nothing")] {
        ground.link(&format!("data/{link}"), target);
        let entry = entry(&ground, link);
        assert_eq!((entry.object().kind(), entry.object().real()), (Kind::Link, Path::new(link)));
        for answer in [entry.object().read().map(drop), entry.object().overwrite().map(drop)] {
            assert!(matches!(answer, Err(UseError::NotAFile)), "{answer:?}");
        }
        assert!(matches!(entry.object().list(), Err(UseError::NotADirectory)));
        assert!(matches!(entry.object().create(), Err(UseError::Exists)));
    }
}

#[test]
fn links_on_the_way_are_followed_inside_and_refused_outside() {
    let ground = Ground::new();
    ground.link("data/way", "sub/deep");
    ground.link("data/out", "../secret");
    ground.link("data/absolute", ground.at("secret"));
    assert_eq!(entry(&ground, "way/file").object().real(), Path::new("sub/deep/file"));
    assert_eq!(entry(&ground, "way/../new").object().real(), Path::new("sub/new"));
    for path in ["out/file", "absolute/file", "../secret/file", "/etc/passwd", "out/new"] {
        assert!(matches!(refusal(&ground, path), ResolveError::Escapes), "{path}");
    }
}

#[test]
fn a_path_must_end_in_a_name_of_an_existing_directory() {
    let ground = Ground::new();
    ground.link("data/to-sub", "sub");
    for path in ["", ".", "..", "sub/..", "sub/../", "./", "file\0"] {
        let refusal = refusal(&ground, path);
        assert!(matches!(refusal, ResolveError::InvalidName), "{path}: {refusal:?}");
    }
    for path in ["new/more", "new/..", "new/../file"] {
        let refusal = refusal(&ground, path);
        let expected = matches!(refusal, ResolveError::Missing | ResolveError::InvalidName);
        assert!(expected, "{path}: {refusal:?}");
    }
    for path in ["file/x", "file/", "file/.", "to-sub/", "to-sub/."] {
        let refusal = refusal(&ground, path);
        assert!(matches!(refusal, ResolveError::NotADirectory), "{path}: {refusal:?}");
    }
    assert_eq!(entry(&ground, "sub/").object().real(), Path::new("sub"));
    assert_eq!(entry(&ground, "sub//deep/./").object().real(), Path::new("sub/deep"));
    let long = "n".repeat(256);
    assert!(matches!(refusal(&ground, &long), ResolveError::NameTooLong));
    let single = Root::open(&ground.at("data/file")).unwrap();
    for path in ["", "x"] {
        let answer = single.resolve_entry(Path::new(path));
        assert!(matches!(answer, Err(ResolveError::NotADirectory)), "{answer:?}");
    }
    let answer = single.resolve_entry(Path::new("/etc/passwd"));
    assert!(matches!(answer, Err(ResolveError::Escapes)), "{answer:?}");
}

#[test]
fn files_links_and_empty_directories_are_deleted() {
    let ground = Ground::new();
    ground.link("data/out", "../secret/file");
    ground.link("data/folder", "sub");
    fs::create_dir(ground.at("data/empty")).unwrap();
    for path in ["file", "out", "folder", "empty", "sub/deep/file", "sub/deep"] {
        let entry = entry(&ground, path);
        entry.delete().unwrap();
        assert!(fs::symlink_metadata(ground.at("data").join(path)).is_err(), "{path}");
        assert!(matches!(entry.delete(), Err(UseError::Missing)), "{path}");
    }
    assert!(ground.at("secret/file").exists() && ground.at("data/sub").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn pipes_and_sockets_are_deleted_and_renamed_unopened() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    let ground = Ground::new();
    for (name, kind) in [("pipe", FileType::Fifo), ("socket", FileType::Socket)] {
        mknodat(CWD, ground.at("data").join(name), kind, Mode::from_raw_mode(0o600), 0).unwrap();
        let moved = entry(&ground, "moved");
        entry(&ground, name).rename(&moved, Existing::Keep).unwrap();
        entry(&ground, "moved").delete().unwrap();
    }
}

#[test]
fn a_directory_that_is_not_empty_is_kept() {
    let ground = Ground::new();
    assert!(matches!(entry(&ground, "sub").delete(), Err(UseError::NotEmpty)));
    assert!(ground.at("data/sub/deep/file").exists());
    let missing = entry(&ground, "new");
    assert_eq!(missing.object().kind(), Kind::Missing);
    assert!(matches!(missing.delete(), Err(UseError::Missing)));
}

#[test]
fn a_name_that_stands_for_another_object_by_now_is_kept() {
    let ground = Ground::new();
    let (file, other) = (entry(&ground, "file"), entry(&ground, "other"));
    fs::write(ground.at("data/replacement"), "another").unwrap();
    fs::rename(ground.at("data/replacement"), ground.at("data/file")).unwrap();
    assert!(matches!(file.delete(), Err(UseError::Changed)));
    assert!(matches!(file.rename(&other, Existing::Replace), Err(UseError::Changed)));
    assert_eq!(fs::read_to_string(ground.at("data/file")).unwrap(), "another");
}

#[test]
fn the_directory_of_a_name_stays_the_one_that_it_was() {
    let ground = Ground::new();
    let entry = entry(&ground, "sub/deep/file");
    fs::rename(ground.at("data/sub"), ground.at("data/moved")).unwrap();
    ground.link("data/sub", "../secret");
    fs::create_dir(ground.at("secret/deep")).unwrap();
    fs::write(ground.at("secret/deep/file"), "canary").unwrap();
    entry.delete().unwrap();
    assert!(!ground.at("data/moved/deep/file").exists());
    assert!(ground.at("secret/deep/file").exists());
}

#[test]
fn a_name_is_moved_to_a_missing_one() {
    let ground = Ground::new();
    ground.link("data/out", "../secret/file");
    ground.link("data/way", "sub");
    for (from, to) in [("file", "way/deep/new"), ("out", "sub/out"), ("sub/deep", "deep")] {
        let to = entry(&ground, to);
        entry(&ground, from).rename(&to, Existing::Keep).unwrap();
        assert!(fs::symlink_metadata(ground.at("data").join(from)).is_err(), "{from}");
    }
    assert_eq!(fs::read_to_string(ground.at("data/deep/new")).unwrap(), "data/file");
    assert_eq!(fs::read_link(ground.at("data/sub/out")).unwrap(), Path::new("../secret/file"));
}

#[test]
fn an_existing_name_is_replaced_only_where_that_was_asked_for() {
    let ground = Ground::new();
    ground.link("data/out", "../secret/file");
    fs::write(ground.at("data/other"), "other").unwrap();
    for name in ["out", "other"] {
        let (file, name) = (entry(&ground, "file"), entry(&ground, name));
        assert!(matches!(file.rename(&name, Existing::Keep), Err(UseError::Exists)));
    }
    entry(&ground, "file").rename(&entry(&ground, "out"), Existing::Replace).unwrap();
    assert_eq!(fs::read_to_string(ground.at("secret/file")).unwrap(), "secret/file");
    assert_eq!(fs::read_to_string(ground.at("data/out")).unwrap(), "data/file");
    assert!(fs::symlink_metadata(ground.at("data/out")).unwrap().is_file());
    let answer = entry(&ground, "out").rename(&entry(&ground, "sub"), Existing::Replace);
    assert!(matches!(answer, Err(UseError::NotAFile)), "{answer:?}");
    fs::create_dir(ground.at("data/folder")).unwrap();
    let answer = entry(&ground, "folder").rename(&entry(&ground, "sub"), Existing::Replace);
    assert!(matches!(answer, Err(UseError::NotEmpty)), "{answer:?}");
    entry(&ground, "sub").rename(&entry(&ground, "folder"), Existing::Replace).unwrap();
    assert!(ground.at("data/folder/deep/file").exists());
}

#[test]
fn what_was_missing_is_never_replaced() {
    let ground = Ground::new();
    let (file, new) = (entry(&ground, "file"), entry(&ground, "new"));
    fs::write(ground.at("data/new"), "precious").unwrap();
    for existing in [Existing::Keep, Existing::Replace] {
        assert!(matches!(file.rename(&new, existing), Err(UseError::Exists)));
    }
    assert_eq!(fs::read_to_string(ground.at("data/new")).unwrap(), "precious");
    // Nor is what took the place of what was there.
    let other = entry(&ground, "new");
    fs::write(ground.at("data/replacement"), "more precious").unwrap();
    fs::rename(ground.at("data/replacement"), ground.at("data/new")).unwrap();
    assert!(matches!(file.rename(&other, Existing::Replace), Err(UseError::Changed)));
    assert_eq!(fs::read_to_string(ground.at("data/new")).unwrap(), "more precious");
}

#[test]
fn two_names_of_one_file_are_not_taken_for_a_rename() {
    let ground = Ground::new();
    fs::hard_link(ground.at("data/file"), ground.at("data/other")).unwrap();
    let (file, other) = (entry(&ground, "file"), entry(&ground, "other"));
    for to in [&other, &file] {
        for existing in [Existing::Keep, Existing::Replace] {
            assert!(matches!(file.rename(to, existing), Err(UseError::Exists)));
        }
    }
    assert!(ground.at("data/file").exists() && ground.at("data/other").exists());
}

#[test]
fn a_directory_is_not_moved_into_itself() {
    let ground = Ground::new();
    let (sub, below) = (entry(&ground, "sub"), entry(&ground, "sub/deep/new"));
    assert!(matches!(sub.rename(&below, Existing::Keep), Err(UseError::InvalidName)));
    assert!(ground.at("data/sub/deep/file").exists());
}

#[test]
fn a_name_moves_between_two_roots() {
    let ground = Ground::new();
    let other = Root::open(&ground.at("data_evil")).unwrap();
    let to = other.resolve_entry(Path::new("moved")).unwrap();
    entry(&ground, "file").rename(&to, Existing::Keep).unwrap();
    assert_eq!(fs::read_to_string(ground.at("data_evil/moved")).unwrap(), "data/file");
}

#[test]
fn another_spelling_of_a_name_that_is_there_is_no_new_name() {
    let ground = Ground::new();
    fs::write(ground.at("data/caf\u{e9}"), "composed").unwrap();
    assert!(matches!(refusal(&ground, "cafe\u{301}"), ResolveError::InvalidName));
    assert_eq!(entry(&ground, "caf\u{e9}").object().kind(), Kind::File);
}

#[test]
fn entries_in_protected_folders_are_touched() {
    let ground = Ground::new();
    fs::create_dir_all(ground.at("data/state/keys")).unwrap();
    ground.link("data/state/out", "../file");
    ground.link("data/way", "state");
    let protected = Protected::new([ground.at("data/state")]).unwrap();
    let touches =
        |path: &str, reach| protected.touches(entry(&ground, path).object(), reach).unwrap();
    for path in ["state", "state/keys", "state/out", "way/out", "way/new", "state/new"] {
        assert!(touches(path, Reach::Object), "{path}");
    }
    // The link beside it is no part of it: who deletes it deletes the link alone.
    assert!(!touches("way", Reach::Subtree) && !touches("file", Reach::Subtree));
}
