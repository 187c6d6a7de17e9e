use std::cell::Cell;
use std::collections::HashSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::Kind;

/// How many answers of each sort were compared, so that a comparison of nothing is seen.
#[derive(Debug, Default)]
struct Tally {
    existing: Cell<u32>,
    existing_by_link: Cell<u32>,
    missing: Cell<u32>,
    escaping: Cell<u32>,
    looping: Cell<u32>,
}

fn count(cell: &Cell<u32>) {
    cell.set(cell.get() + 1);
}

/// Both roads against the system's own answer, in one scope.
fn compare(ground: &Ground, scope: Scope, path: &str, tally: &Tally) {
    let base = ground.base(scope);
    let system = system(&base, path);
    let [kernel, walked] = ROADS.map(|road| settled(|| road(&base, &asked(path))));
    match (&kernel, &walked) {
        (Ok(kernel), Ok(walked)) => {
            assert!(kernel.is_same_object(walked), "{scope:?} {path}");
            assert!(kernel.is_same_spot(walked).unwrap(), "{scope:?} {path}");
            assert!(walked.is_same_spot(kernel).unwrap(), "{scope:?} {path}");
            assert_eq!(kernel.kind(), walked.kind(), "{scope:?} {path}");
            assert_eq!(kernel.real(), walked.real(), "{scope:?} {path}");
            assert_eq!(
                (kernel.size(), kernel.links()),
                (walked.size(), walked.links()),
                "{scope:?} {path}"
            );
        }
        _ => assert_eq!(kernel.as_ref().err(), walked.as_ref().err(), "{scope:?} {path}"),
    }
    match (&walked, system) {
        (Ok(found), Ok(id)) if found.kind() != Kind::Missing => {
            assert_eq!(found.id(), id, "{scope:?} {path}");
        }
        (Ok(found), Err(Errno::NOENT)) => assert_eq!(found.kind(), Kind::Missing, "{path}"),
        (Err(errno), Err(system)) => assert_eq!(*errno, system, "{scope:?} {path}"),
        (ours, system) => panic!("{scope:?} {path}: {ours:?} instead of {system:?}"),
    }
    match &walked {
        Ok(found) if found.kind() == Kind::Missing => count(&tally.missing),
        Ok(found) if found.real() == Path::new(path) => count(&tally.existing),
        Ok(_) => count(&tally.existing_by_link),
        Err(Errno::XDEV) => count(&tally.escaping),
        Err(Errno::LOOP) => count(&tally.looping),
        Err(_) => {}
    }
    if let Ok(found) = &walked {
        stays_inside(ground, found);
    }
}

/// The object is among those below the root, found by reading directories, and stands where `real`
/// says, with no link on the way.
fn stays_inside(ground: &Ground, found: &Resolved) {
    let mut inside = HashSet::new();
    collect(&ground.root(), &mut inside);
    assert!(inside.contains(&number_of(found)));
    assert!(!inside.contains(&number(&ground.outside())));
    let mut place = ground.root();
    let mut last = number(&place);
    for name in found.real() {
        place.push(name);
        match fs::symlink_metadata(&place) {
            Ok(metadata) => {
                assert!(!metadata.is_symlink());
                last = (metadata.dev(), metadata.ino());
            }
            Err(_) => assert_eq!(found.kind(), Kind::Missing),
        }
    }
    assert_eq!(place.exists(), found.kind() != Kind::Missing);
    assert_eq!(last, number_of(found));
}

pub(super) fn collect(directory: &Path, inside: &mut HashSet<(u64, u64)>) {
    inside.insert(number(directory));
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), inside);
        }
        inside.insert(number(&entry.path()));
    }
}

#[test]
fn both_roads_agree_with_the_system_on_known_shapes() {
    let ground = Ground::new();
    ground.file("a/b/file");
    ground.dir("a/empty");
    ground.node("a/pipe", FileType::Fifo);
    ground.node("a/socket", FileType::Socket);
    let links = [
        ("to-dir", "a/b"),
        ("to-dir-slash", "a/b/"),
        ("to-file", "a/b/file"),
        ("to-file-slash", "a/b/file/"),
        ("to-file-dots", "a/b/file/.."),
        ("to-pipe", "a/pipe"),
        ("to-self", "."),
        ("a/to-root", ".."),
        ("a/to-above", "../.."),
        ("twice", "to-dir"),
        ("dangling", "a/nothing"),
        ("dangling-deep", "nothing/at/all"),
        ("dangling-out", "../outside/nothing"),
        ("out", "../outside"),
        ("out-and-in", "../root/a"),
        ("slash", "/"),
        ("loop", "loop"),
        ("loop-one", "loop-two"),
        ("loop-two", "loop-one"),
        ("a/up-down", "../a/../a/b"),
    ];
    for (path, target) in links {
        ground.link(path, target);
    }
    ground.link("absolute-in", ground.root().join("a").to_str().unwrap());
    ground.link("absolute-out", ground.outside().to_str().unwrap());
    let heads =
        ["", "a", "a/b", "a/b/file", "a/pipe", "a/socket", "nothing", "..", "a/..", "a/../.."];
    let more =
        ["a/to-root", "a/to-above", "a/up-down", "absolute-in", "absolute-out", "/", "/a", "//"];
    let heads = heads.into_iter().chain(more).chain(links.map(|(path, _)| path));
    let tails = [
        "",
        "/",
        "/.",
        "/..",
        "//",
        "/file",
        "/nothing",
        "/nothing/",
        "/nothing/more/",
        "/../a",
        "/b",
    ];
    let tally = Tally::default();
    for head in heads {
        for tail in tails {
            let path = format!("{head}{tail}");
            compare(&ground, Scope::Beneath, &path, &tally);
            compare(&ground, Scope::InRoot, &path, &tally);
        }
    }
    let long = "n".repeat(256);
    for path in [long.clone(), format!("a/{long}"), format!("to-dir/{long}"), format!("{long}/..")]
    {
        compare(&ground, Scope::Beneath, &path, &tally);
    }
    assert!(tally.existing.get() > 0 && tally.existing_by_link.get() > 0, "{tally:?}");
    assert!(tally.missing.get() > 0 && tally.escaping.get() > 0, "{tally:?}");
    assert!(tally.looping.get() > 0, "{tally:?}");
}

#[test]
fn both_roads_follow_40_links_and_not_41() {
    let ground = Ground::new();
    ground.file("link0");
    for number in 1..=41 {
        ground.link(&format!("link{number}"), &format!("link{}", number - 1));
    }
    let base = ground.base(Scope::Beneath);
    for road in ROADS {
        assert_eq!(settled(|| road(&base, &asked("link40"))).unwrap().real(), Path::new("link0"));
        assert_eq!(settled(|| road(&base, &asked("link41"))).unwrap_err(), Errno::LOOP);
    }
}

#[test]
fn neither_road_follows_a_link_of_procfs() {
    let base = Base::slash().unwrap();
    for road in ROADS {
        for path in ["/proc/self/root", "/proc/self/cwd/", "/proc/self/exe", "/proc/self/fd/0"] {
            assert_eq!(road(&base, &asked(path)).unwrap_err(), Errno::LOOP, "{path}");
        }
        assert_eq!(road(&base, &asked("/proc/self/status")).unwrap_err(), Errno::LOOP);
        assert!(road(&base, &asked("/proc/version")).is_ok());
    }
}

#[test]
fn both_roads_bound_what_may_be_missing() {
    let ground = Ground::new();
    let base = ground.base(Scope::Beneath);
    for road in ROADS {
        let most = ["n"; 64].join("/");
        assert_eq!(road(&base, &asked(&most)).unwrap().real(), Path::new(&most));
        assert_eq!(road(&base, &asked(["n"; 65].join("/"))).unwrap_err(), Errno::NAMETOOLONG);
        let long = format!("nothing/{}", "n".repeat(256));
        assert_eq!(road(&base, &asked(long)).unwrap_err(), Errno::NAMETOOLONG);
    }
}

#[derive(Debug, Clone)]
enum Node {
    Directory,
    File,
    Link(String),
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn place() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&NAMES[..]), 1..4).prop_map(|names| names.join("/"))
}

fn path(longest: usize) -> impl Strategy<Value = String> {
    let piece =
        prop::sample::select(&["a", "b", "c", "d", "a", "b", "..", "..", ".", "", "new"][..]);
    prop::collection::vec(piece, 1..longest).prop_map(|pieces| pieces.join("/"))
}

fn target() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => path(5).prop_filter("a link leads somewhere", |target| !target.is_empty()),
        1 => Just("{outside}".to_owned()),
        1 => Just("{outside}/canary".to_owned()),
        1 => Just("../outside/canary".to_owned()),
        1 => Just("{root}/a".to_owned()),
    ]
}

fn node() -> impl Strategy<Value = Node> {
    prop_oneof![
        2 => Just(Node::Directory),
        1 => Just(Node::File),
        3 => target().prop_map(Node::Link),
    ]
}

/// A tree as far as the nodes fit together: what would stand below a file or a link is left out.
fn grow(nodes: &[(String, Node)]) -> Ground {
    let ground = Ground::new();
    for (path, node) in nodes {
        let place = ground.root().join(path);
        if !has_directories(&ground, path) || fs::symlink_metadata(&place).is_ok() {
            continue;
        }
        match node {
            Node::Directory => fs::create_dir(place).unwrap(),
            Node::File => fs::write(place, path).unwrap(),
            Node::Link(target) => {
                let target = target
                    .replace("{outside}", ground.outside().to_str().unwrap())
                    .replace("{root}", ground.root().to_str().unwrap());
                symlink(target, place).unwrap();
            }
        }
    }
    ground
}

fn has_directories(ground: &Ground, path: &str) -> bool {
    let above: Vec<_> = Path::new(path).ancestors().skip(1).collect();
    above.iter().rev().map(|parent| ground.root().join(parent)).all(|parent| {
        let _ = fs::create_dir(&parent);
        fs::symlink_metadata(parent).is_ok_and(|seen| seen.is_dir())
    })
}

#[test]
fn random_paths_stay_inside_random_trees_and_both_roads_agree() {
    let tally = Tally::default();
    let nodes = prop::collection::vec((place(), node()), 1..14);
    let paths = prop::collection::vec(path(8), 12);
    let config = Config { cases: 512, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&(nodes, paths), |(nodes, paths)| {
            let ground = grow(&nodes);
            for path in &paths {
                compare(&ground, Scope::Beneath, path, &tally);
                compare(&ground, Scope::InRoot, path, &tally);
            }
            Ok(())
        })
        .unwrap();
    let seen =
        [&tally.existing, &tally.existing_by_link, &tally.missing, &tally.escaping, &tally.looping];
    assert!(seen.iter().all(|cell| cell.get() > 20), "{tally:?}");
}
