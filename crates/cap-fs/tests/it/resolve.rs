use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use cap_fs::{Kind, OpenError, ResolveError, Root};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::ground::{Ground, is_at};

#[track_caller]
fn escapes(ground: &Ground, path: &str) {
    let answer = ground.resolve(path);
    assert!(matches!(answer, Err(ResolveError::Escapes)), "{path}: {answer:?}");
}

#[track_caller]
fn missing(ground: &Ground, path: &str) {
    let answer = ground.resolve(path);
    assert!(matches!(answer, Err(ResolveError::Missing)), "{path}: {answer:?}");
}

#[test]
fn an_existing_object_is_described_by_its_handle() {
    let ground = Ground::new();
    let file = ground.resolve("sub/deep/file").unwrap();
    assert_eq!((file.kind(), file.size(), file.links()), (Kind::File, 18, 1));
    assert_eq!(file.real(), Path::new("sub/deep/file"));
    assert!(is_at(&file, &ground.at("data/sub/deep/file")));
    let directory = ground.resolve("sub/./deep//").unwrap();
    assert_eq!(directory.kind(), Kind::Directory);
    assert_eq!(directory.real(), Path::new("sub/deep"));
    for itself in ["", ".", "./", "sub/.."] {
        let root = ground.resolve(itself).unwrap();
        assert_eq!((root.kind(), root.real()), (Kind::Directory, Path::new("")));
        assert!(is_at(&root, &ground.at("data")));
    }
}

#[test]
fn dots_and_absolute_paths_do_not_leave_the_root() {
    let ground = Ground::new();
    for path in ["..", "../data_evil/file", "sub/../../secret/file", "../data/file", "/", "/etc"] {
        escapes(&ground, path);
    }
    escapes(&ground, ground.at("data/file").to_str().unwrap());
}

#[test]
fn links_do_not_leave_the_root() {
    let ground = Ground::new();
    ground.link("data/relative", "../secret");
    ground.link("data/absolute", ground.at("secret"));
    ground.link("data/two", "relative");
    ground.link("data/three", "sub/../two/file");
    ground.link("data/slash", "/");
    ground.link("data/above", "..");
    ground.link("data/sibling", "../data_evil/file");
    ground.link("data/gone", "../secret/nothing");
    ground.link("data/gone-absolute", "/nothing/at/all");
    ground.link("data/back", "../data/file");
    ground.link("data/absolute-back", ground.at("data/file"));
    let links = [
        "relative",
        "relative/file",
        "relative/new",
        "absolute",
        "absolute/file",
        "two/file",
        "three",
        "slash",
        "slash/etc/passwd",
        "above",
        "above/secret/file",
        "sibling",
        "gone",
        "gone/deeper",
        "gone-absolute",
        "back",
        "absolute-back",
        "sub/../relative/file",
    ];
    for path in links {
        escapes(&ground, path);
    }
}

#[test]
fn links_within_the_root_are_followed_to_the_real_path() {
    let ground = Ground::new();
    ground.link("data/down", "sub/deep");
    ground.link("data/sub/up", "..");
    ground.link("data/twice", "sub/up/down/file");
    ground.link("data/end", "sub/deep/");
    let found = ground.resolve("twice").unwrap();
    assert_eq!((found.kind(), found.real()), (Kind::File, Path::new("sub/deep/file")));
    assert!(is_at(&found, &ground.at("data/sub/deep/file")));
    assert_eq!(ground.resolve("down/..").unwrap().real(), Path::new("sub"));
    assert_eq!(ground.resolve("sub/up/down/").unwrap().real(), Path::new("sub/deep"));
    assert_eq!(ground.resolve("end/file").unwrap().real(), Path::new("sub/deep/file"));
}

#[test]
fn a_missing_end_is_told_with_its_nearest_ancestor() {
    let ground = Ground::new();
    ground.link("data/down", "sub/deep");
    let cases = [
        ("new", "", "new"),
        ("sub/new", "sub", "sub/new"),
        ("sub/new/", "sub", "sub/new"),
        ("sub/new/more/yet", "sub", "sub/new/more/yet"),
        ("down/new", "sub/deep", "sub/deep/new"),
        ("down/../new/more", "sub", "sub/new/more"),
    ];
    for (path, ancestor, real) in cases {
        let found = ground.resolve(path).unwrap();
        assert_eq!((found.kind(), found.size(), found.links()), (Kind::Missing, 0, 0), "{path}");
        assert_eq!(found.real(), Path::new(real));
        assert!(is_at(&found, &ground.at("data").join(ancestor)), "{path}");
    }
}

#[test]
fn dots_after_a_missing_name_are_refused() {
    let ground = Ground::new();
    for path in ["new/..", "new/../file", "new/../../secret/file", "sub/new/more/../yet"] {
        missing(&ground, path);
    }
}

#[test]
fn a_link_to_nothing_is_no_missing_end() {
    let ground = Ground::new();
    ground.link("data/gone", "sub/nothing");
    ground.link("data/gone-deep", "nothing/more");
    ground.link("data/to-gone", "gone");
    for path in ["gone", "gone/", "gone/more", "gone-deep", "to-gone", "to-gone/more/yet"] {
        missing(&ground, path);
    }
}

#[test]
fn a_file_is_no_directory() {
    let ground = Ground::new();
    ground.link("data/to-file", "file");
    for path in ["file/", "file/.", "file/..", "file/new", "file/new/more", "to-file/", "to-file/x"]
    {
        let answer = ground.resolve(path);
        assert!(matches!(answer, Err(ResolveError::NotADirectory)), "{path}: {answer:?}");
    }
}

#[test]
fn a_root_may_be_one_file() {
    let ground = Ground::new();
    ground.link("to-file", "data/file");
    for path in ["data/file", "to-file"] {
        let root = Root::open(&ground.at(path)).unwrap();
        let found = root.resolve(Path::new("")).unwrap();
        assert_eq!((found.kind(), found.size(), found.links()), (Kind::File, 9, 1));
        assert_eq!(found.real(), Path::new(""));
        assert!(is_at(&found, &ground.at("data/file")));
        for below in [".", "x", "x/y"] {
            let answer = root.resolve(Path::new(below));
            assert!(matches!(answer, Err(ResolveError::NotADirectory)), "{below}: {answer:?}");
        }
        for outside in ["/", "/etc"] {
            let answer = root.resolve(Path::new(outside));
            assert!(matches!(answer, Err(ResolveError::Escapes)), "{outside}: {answer:?}");
        }
        assert!(root.resolve(Path::new("..")).is_err());
    }
}

#[test]
fn a_root_that_cannot_be_opened_says_why() {
    let ground = Ground::new();
    ground.link("gone", "nothing");
    assert!(matches!(Root::open(&ground.at("nothing")), Err(OpenError::Missing)));
    assert!(matches!(Root::open(&ground.at("gone")), Err(OpenError::Missing)));
    assert!(matches!(Root::open(&ground.at("data/file/x")), Err(OpenError::NotADirectory)));
    assert!(matches!(Root::open(&ground.at("data/file/")), Err(OpenError::NotADirectory)));
    assert!(matches!(Root::open(Path::new("")), Err(OpenError::Missing)));
}

#[test]
fn a_root_behind_a_link_is_the_folder_that_the_link_leads_to() {
    let ground = Ground::new();
    ground.link("way", "data/sub");
    let root = Root::open(&ground.at("way")).unwrap();
    assert!(is_at(&root.resolve(Path::new("")).unwrap(), &ground.at("data/sub")));
    assert!(matches!(root.resolve(Path::new("../file")), Err(ResolveError::Escapes)));
}

#[test]
fn a_root_stays_the_folder_that_it_was() {
    let ground = Ground::new();
    let root = Root::open(&ground.at("data")).unwrap();
    fs::rename(ground.at("data"), ground.at("moved")).unwrap();
    fs::rename(ground.at("secret"), ground.at("data")).unwrap();
    assert!(is_at(&root.resolve(Path::new("file")).unwrap(), &ground.at("moved/file")));
}

#[test]
fn loops_end() {
    let ground = Ground::new();
    ground.link("data/self", "self");
    ground.link("data/one", "two");
    ground.link("data/two", "./one/x");
    ground.link("data/sub/again", "../sub/again/again");
    for path in ["self", "self/x", "one", "two", "sub/again"] {
        let answer = ground.resolve(path);
        assert!(matches!(answer, Err(ResolveError::Loop)), "{path}: {answer:?}");
    }
}

#[test]
fn names_that_the_system_does_not_know_are_refused() {
    let ground = Ground::new();
    let root = Root::open(&ground.at("data")).unwrap();
    let nul = Path::new(OsStr::from_bytes(b"file\0.txt"));
    assert!(matches!(root.resolve(nul), Err(ResolveError::InvalidName)));
    let long_name = "n".repeat(256);
    let long_path = "./".repeat(2048);
    for path in [&long_name, &format!("sub/{long_name}/x"), &format!("new/{long_name}"), &long_path]
    {
        let answer = root.resolve(Path::new(path));
        assert!(matches!(answer, Err(ResolveError::NameTooLong)), "{answer:?}");
    }
    assert!(root.resolve(Path::new(&"./".repeat(2047))).is_ok());
    let bytes = OsStr::from_bytes(b"\xff\xfe new\n");
    assert_eq!(root.resolve(Path::new(bytes)).unwrap().real(), Path::new(bytes));
}

#[cfg(target_os = "linux")]
#[test]
fn pipes_sockets_and_devices_are_seen_and_not_opened() {
    let ground = Ground::new();
    let mode = Mode::from_raw_mode(0o600);
    mknodat(CWD, ground.at("data/pipe"), FileType::Fifo, mode, 0).unwrap();
    mknodat(CWD, ground.at("data/socket"), FileType::Socket, mode, 0).unwrap();
    ground.link("data/to-pipe", "sub/../pipe");
    for (path, real) in [("pipe", "pipe"), ("socket", "socket"), ("to-pipe", "pipe")] {
        let found = ground.resolve(path).unwrap();
        assert_eq!((found.kind(), found.real()), (Kind::Other, Path::new(real)));
    }
    let device = Root::open(Path::new("/dev/null")).unwrap();
    assert_eq!(device.resolve(Path::new("")).unwrap().kind(), Kind::Other);
}

#[test]
fn hard_links_are_counted() {
    let ground = Ground::new();
    fs::hard_link(ground.at("secret/file"), ground.at("data/name")).unwrap();
    assert_eq!(ground.resolve("name").unwrap().links(), 2);
}

#[test]
fn errors_say_nothing_of_where_a_link_leads() {
    let ground = Ground::new();
    ground.link("data/relative", "../secret/file");
    ground.link("data/gone", "sub/nothing");
    for path in ["relative", "gone"] {
        let error = ground.resolve(path).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(!said.contains("secret") && !said.contains("nothing"), "{said}");
    }
}

#[test]
fn a_missing_name_of_which_another_spelling_is_there_is_refused() {
    let ground = Ground::new();
    // Composed on the disk: a link that leads out. The Kelvin sign is composed to the letter K.
    ground.link("data/caf\u{e9}", "../secret");
    fs::write(ground.at("data/K"), "k").unwrap();
    for (asked, twin) in [("cafe\u{301}", true), ("\u{212a}", true), ("cafe", false), ("k", false)]
    {
        match ground.resolve(asked) {
            Err(ResolveError::InvalidName) => assert!(twin, "{asked}"),
            Ok(found) => assert!(!twin && found.kind() == Kind::Missing, "{asked}"),
            Err(error) => panic!("{asked}: {error}"),
        }
    }
    let below = ground.resolve("cafe\u{301}/new");
    assert!(matches!(below, Err(ResolveError::InvalidName)), "{below:?}");
}

#[test]
fn following_goes_wherever_the_system_goes() {
    let ground = Ground::new();
    ground.link("data/out", ground.at("secret"));
    let found = cap_fs::follow(&ground.at("data/out")).unwrap();
    assert!(is_at(&found, &ground.at("secret")));
    assert!(cap_fs::follow(Path::new("relative")).is_err());
}

/// procfs finds every thread by its number, and lists only the first one of each process: so does a
/// file system that ignores case with the spellings of a name.
#[cfg(target_os = "linux")]
#[test]
fn a_name_that_its_directory_does_not_list_is_refused() {
    let thread = || {
        let this = fs::read_link("/proc/thread-self").unwrap();
        let [process, _, thread] = this.iter().collect::<Vec<_>>()[..] else { panic!("{this:?}") };
        let root = Root::open(Path::new("/proc")).unwrap();
        for (name, listed) in [(process, true), (thread, false)] {
            let name = Path::new(name);
            let below = ["status", "./status", "task/../status", "nothing", "nothing/more"];
            for path in below.map(|below| name.join(below)).iter().chain([&name.to_owned()]) {
                for answer in [root.resolve(path).map(drop), root.resolve_entry(path).map(drop)] {
                    match answer {
                        Err(ResolveError::InvalidName) => assert!(!listed, "{path:?}"),
                        Ok(()) | Err(ResolveError::Missing) => assert!(listed, "{path:?}"),
                        Err(error) => panic!("{path:?}: {error:?}"),
                    }
                }
            }
            assert!(cap_fs::follow(&Path::new("/proc").join(name)).is_ok());
        }
    };
    std::thread::spawn(thread).join().unwrap();
}

#[test]
fn names_that_differ_in_case_are_two_names() {
    let ground = Ground::new();
    for (name, text) in [("data/Sub", None), ("data/File", Some("capital"))] {
        match text {
            None => fs::create_dir(ground.at(name)).unwrap(),
            Some(text) => fs::write(ground.at(name), text).unwrap(),
        }
    }
    fs::write(ground.at("data/Sub/file"), "another").unwrap();
    fs::hard_link(ground.at("data/File"), ground.at("data/fILE")).unwrap();
    for path in ["file", "File", "fILE", "sub/deep/file", "Sub/file", "sub/../Sub/file"] {
        let found = ground.resolve(path).unwrap();
        assert!(is_at(&found, &ground.at("data").join(path)), "{path}");
    }
    assert_eq!(ground.resolve("FILE").unwrap().kind(), Kind::Missing);
    assert_eq!(ground.resolve("Sub/deep/file").unwrap().kind(), Kind::Missing);
}

#[test]
fn names_of_any_script_are_found_as_they_are_listed() {
    let ground = Ground::new();
    for name in ["2024", "K", "caf\u{e9}", "cafe\u{301}x", "\u{65e5}\u{672c}", "a;b", "..."] {
        fs::create_dir(ground.at("data").join(name)).unwrap();
        for path in [name.to_owned(), format!("{name}/new"), format!("sub/../{name}/1/2")] {
            let found = ground.resolve(&path).unwrap();
            let kind = if path == name { Kind::Directory } else { Kind::Missing };
            assert_eq!(found.kind(), kind, "{path}");
        }
    }
}
