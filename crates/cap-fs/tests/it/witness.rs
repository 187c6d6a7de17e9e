use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use cap_fs::{Kind, ResolveError, Resolved, witness};

use crate::ground::{Ground, is_at};

/// `lexical` and `raw` below the folder that holds everything; the root is `data`.
fn ask(ground: &Ground, lexical: &str, raw: &str) -> Result<Resolved, ResolveError> {
    let raw = format!("{}/{raw}", ground.at("").to_str().unwrap().trim_end_matches('/'));
    witness(&ground.at("data"), &ground.at(lexical), Path::new(&raw))
}

#[track_caller]
fn escapes(answer: &Result<Resolved, ResolveError>) {
    assert!(matches!(answer, Err(ResolveError::Escapes)), "{answer:?}");
}

#[test]
fn a_normal_path_is_answered_with_its_object() {
    let ground = Ground::new();
    let found = ask(&ground, "data/sub/deep/file", "data/sub/deep/file").unwrap();
    assert_eq!((found.kind(), found.real()), (Kind::File, Path::new("sub/deep/file")));
    assert!(is_at(&ask(&ground, "data", "data").unwrap(), &ground.at("data")));
    assert_eq!(ask(&ground, "data/new/more", "data/new/more").unwrap().kind(), Kind::Missing);
}

#[test]
fn a_sibling_with_the_same_beginning_is_outside() {
    let ground = Ground::new();
    escapes(&ask(&ground, "data_evil/file", "data_evil/file"));
    escapes(&ask(&ground, "secret/file", "secret/file"));
}

#[test]
fn other_spellings_of_the_same_object_pass() {
    let ground = Ground::new();
    let spellings = [
        ("data/sub/deep/file", "data//sub/./deep/file"),
        ("data/sub/deep/file", "data/sub/deep/../deep/file"),
        ("data/sub/deep/file", "secret/../data/sub/deep/file"),
        ("data/sub", "data/sub/"),
        ("data/sub", "data/sub/."),
        ("data/sub", "data/sub/deep/.."),
        ("data", "data/"),
        ("data", "data/sub/.."),
        ("data/new", "data/sub/../new"),
        ("data/new", "data/new/"),
        ("data/new/more", "data//new/more"),
    ];
    for (lexical, raw) in spellings {
        let answer = ask(&ground, lexical, raw);
        assert!(answer.is_ok(), "{raw}: {answer:?}");
    }
}

#[test]
fn a_slash_after_a_file_is_what_the_system_says() {
    let ground = Ground::new();
    for raw in ["data/file/", "data/file/.", "data/file/../file", "data/file/x/.."] {
        let answer = ask(&ground, "data/file", raw);
        assert!(matches!(answer, Err(ResolveError::NotADirectory)), "{raw}: {answer:?}");
    }
}

#[test]
fn dots_after_a_link_that_lead_elsewhere_are_refused() {
    let ground = Ground::new();
    ground.link("data/down", "sub/deep");
    fs::write(ground.at("data/sub/file"), "another").unwrap();
    // For text, `data/file`; for the system, `data/sub/file`.
    escapes(&ask(&ground, "data/file", "data/down/../file"));
    escapes(&ask(&ground, "data", "data/down/.."));
    escapes(&ask(&ground, "data/new", "data/down/../new"));
    // Here only one of the two exists.
    escapes(&ask(&ground, "data/deep", "data/down/../deep"));
    let both = ask(&ground, "data/down/file", "data/sub/../down/file").unwrap();
    assert_eq!(both.real(), Path::new("sub/deep/file"));
}

#[test]
fn dots_after_a_link_out_of_the_root_are_refused() {
    let ground = Ground::new();
    fs::create_dir(ground.at("secret/sub")).unwrap();
    ground.link("data/out", "../secret/sub");
    ground.link("data/absolute", ground.at("secret/sub"));
    escapes(&ask(&ground, "data/file", "data/out/../file"));
    escapes(&ask(&ground, "data/file", "data/absolute/../file"));
    escapes(&ask(&ground, "data/new", "data/out/../new"));
}

#[test]
fn the_same_file_by_another_name_elsewhere_is_refused() {
    let ground = Ground::new();
    fs::create_dir(ground.at("secret/sub")).unwrap();
    ground.link("data/out", "../secret/sub");
    // Reading gives the same bytes; deleting would remove the other name.
    fs::hard_link(ground.at("data/file"), ground.at("secret/hard")).unwrap();
    fs::hard_link(ground.at("data/file"), ground.at("data/hard")).unwrap();
    escapes(&ask(&ground, "data/hard", "data/out/../hard"));
    ground.link("data/soft", "file");
    ground.link("secret/soft", "../data/file");
    assert!(ask(&ground, "data/soft", "data/./soft").is_ok());
    escapes(&ask(&ground, "data/soft", "data/out/../soft"));
    ground.link("data/folder", "sub");
    ground.link("secret/folder", "../data/sub");
    assert!(ask(&ground, "data/folder", "data/folder/").is_ok());
    escapes(&ask(&ground, "data/folder", "data/out/../folder"));
    escapes(&ask(&ground, "data/folder", "data/out/../folder/"));
    // Another name in the same directory is not the one that was checked either.
    escapes(&ask(&ground, "data/file", "data/./hard"));
}

#[test]
fn a_path_that_reads_as_another_one_is_refused_even_where_it_leads_to_the_object() {
    let ground = Ground::new();
    ground.link("data/down", "sub/deep");
    // A server that normalises the text would come to `file` above the root.
    escapes(&ask(&ground, "data/file", "data/down/../../file"));
    escapes(&ask(&ground, "data/sub/deep/file", "data/down/file"));
    escapes(&ask(&ground, "data/file", "data/sub"));
}

#[test]
fn a_missing_folder_before_dots_is_refused() {
    let ground = Ground::new();
    let answer = ask(&ground, "data/file", "data/nothing/../file");
    assert!(matches!(answer, Err(ResolveError::Missing)), "{answer:?}");
}

#[test]
fn a_root_that_is_one_file_has_one_path() {
    let ground = Ground::new();
    let root = ground.at("data/file");
    assert!(witness(&root, &root, &root).is_ok());
    assert!(witness(&root, &root, &ground.at("data/sub/../file")).is_ok());
    let answer = witness(&root, &ground.at("data/file/x"), &ground.at("data/file/x"));
    assert!(matches!(answer, Err(ResolveError::NotADirectory)), "{answer:?}");
    escapes(&witness(&root, &ground.at("data/other"), &ground.at("data/other")));
}

#[test]
fn a_root_behind_a_link_of_the_operator_is_fine() {
    let ground = Ground::new();
    ground.link("way", "data");
    let (root, lexical) = (ground.at("way"), ground.at("way/sub/deep/file"));
    assert!(witness(&root, &lexical, &lexical).is_ok());
    assert!(witness(&root, &lexical, &ground.at("way/sub/./deep/file")).is_ok());
    escapes(&witness(&root, &ground.at("data/file"), &ground.at("data/file")));
}

#[test]
fn paths_that_are_not_normal_or_not_absolute_are_refused() {
    let ground = Ground::new();
    let root = ground.at("data");
    let file = ground.at("data/file");
    for lexical in ["data//file", "data/./file", "data/sub/../file", "data/sub/", "data/../secret"]
    {
        let lexical = format!("{}{lexical}", ground.at("").to_str().unwrap());
        let answer = witness(&root, Path::new(&lexical), Path::new(&lexical));
        assert!(matches!(answer, Err(ResolveError::InvalidName)), "{lexical}: {answer:?}");
    }
    escapes(&witness(&root, Path::new("data/file"), Path::new("data/file")));
    escapes(&witness(&root, &file, Path::new("file")));
    escapes(&witness(&root, &file, Path::new("")));
    let nul = root.join(OsStr::from_bytes(b"\0"));
    assert!(matches!(witness(&root, &nul, &nul), Err(ResolveError::InvalidName)));
    assert!(matches!(
        witness(&ground.at("no"), &ground.at("no/x"), &file),
        Err(ResolveError::Missing)
    ));
}

#[test]
fn the_whole_file_system_may_be_the_root() {
    let ground = Ground::new();
    let file = ground.at("data/file");
    let found = witness(Path::new("/"), &file, &file).unwrap();
    assert!(is_at(&found, &file));
    assert_eq!(Path::new("/").join(found.real()), file);
    let slash = Path::new("/");
    assert_eq!(witness(slash, slash, Path::new("//")).unwrap().kind(), Kind::Directory);
    assert!(witness(slash, slash, Path::new("/..")).is_ok());
}
