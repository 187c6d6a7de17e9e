//! Every operation, while another thread exchanges a folder of the path with a link that leads out,
//! as fast as it can; and the same attempts by careful code of the usual kind, which do get out.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, OFlags, linkat, open, renameat, statat, unlinkat};

use super::super::super::operate::open_by_name;
use super::*;
use crate::{Existing, Kind, Listed};

/// For each operation on each road.
const TURNS: u32 = 2_000;
const MANY_TURNS: u32 = 1_000_000;
/// What a test may need until it has seen all that it must see.
const PATIENCE: u32 = 1_000;

const INSIDE: &str = "inside";
const OUTSIDE: &str = "canary";

#[test]
fn no_operation_is_led_outside_by_exchanges() {
    for operation in &OPERATIONS {
        for road in ROADS_OF_BASE {
            race(operation, road, TURNS);
        }
    }
}

#[test]
#[ignore = "slow: cargo xtask test --slow"]
fn slow_no_operation_is_led_outside_by_a_million_exchanges() {
    for operation in &OPERATIONS {
        for (name, road) in ["kernel", "walk"].into_iter().zip(ROADS_OF_BASE) {
            let tally = race(operation, road, MANY_TURNS);
            println!(
                "{}, {name}: {} attempts, {} done, {} refused, 0 outside; {} exchanges; {:.1} us each",
                operation.name,
                tally.done + tally.refused,
                tally.done,
                tally.refused,
                tally.exchanges,
                tally.time.as_secs_f64() * 1e6 / f64::from(tally.done + tally.refused),
            );
        }
    }
}

/// The harness sees what it has to see: a path that is checked and then used does get out in it.
#[test]
fn checking_a_path_before_it_is_used_is_led_outside_by_exchanges() {
    for operation in &OPERATIONS {
        let Some(careful) = operation.careful else { continue };
        let arena = Arena::new(best_road);
        let mut escaped = 0;
        arena.while_exchanging(operation.exchange, || {
            for _ in 0..TURNS * PATIENCE {
                let done = careful(&arena.path(operation.path));
                if done.is_ok_and(|done| !(operation.stayed_inside)(&arena, done)) {
                    escaped += 1;
                    break;
                }
            }
        });
        assert_eq!(escaped, 1, "{}", operation.name);
    }
}

/// One operation, by us and by code that checks a path and then uses it.
struct Operation {
    name: &'static str,
    path: &'static str,
    /// The two names that change places.
    exchange: (&'static str, &'static str),
    ours: fn(&Root, &Path) -> Option<Done>,
    careful: Option<fn(&Path) -> io::Result<Done>>,
    /// Whether it was done inside; undoes what was done there.
    stayed_inside: fn(&Arena, Done) -> bool,
}

/// What an operation gave.
enum Done {
    Object((u64, u64)),
    Text(String),
    Names(Vec<String>),
    Nothing,
}

const DOOR: (&str, &str) = ("door", "spare");
const FILE: (&str, &str) = ("door/file", "link");
const PIPE: (&str, &str) = ("door/file", "pipe");

const OPERATIONS: [Operation; 12] = [
    Operation {
        name: "resolve",
        path: "door/file",
        exchange: DOOR,
        ours: |root, path| Some(Done::Object(number_of(&root.resolve(path).ok()?))),
        careful: Some(|path| checked(path).map(|_| Done::Object(followed(path)))),
        stayed_inside: is_inside,
    },
    Operation {
        name: "read",
        path: "door/file",
        exchange: DOOR,
        ours: |root, path| text(root.resolve(path).ok()?.read().ok()?),
        careful: Some(|path| checked(path).and_then(fs::read_to_string).map(Done::Text)),
        stayed_inside: is_inside,
    },
    Operation {
        name: "read a file that turns into a link",
        path: "door/file",
        exchange: FILE,
        ours: |root, path| text(root.resolve(path).ok()?.read().ok()?),
        careful: Some(|path| checked(path).and_then(fs::read_to_string).map(Done::Text)),
        stayed_inside: is_inside,
    },
    Operation {
        name: "read a file that turns into a link, without procfs",
        path: "door/file",
        exchange: FILE,
        ours: |root, path| without_procfs(root, path),
        careful: None,
        stayed_inside: is_inside,
    },
    // Careless code would wait for ever here.
    Operation {
        name: "read a file that turns into a pipe",
        path: "door/file",
        exchange: PIPE,
        ours: |root, path| text(root.resolve(path).ok()?.read().ok()?),
        careful: None,
        stayed_inside: is_inside,
    },
    Operation {
        name: "read a file that turns into a pipe, without procfs",
        path: "door/file",
        exchange: PIPE,
        ours: |root, path| without_procfs(root, path),
        careful: None,
        stayed_inside: is_inside,
    },
    Operation {
        name: "overwrite",
        path: "door/file",
        exchange: DOOR,
        ours: |root, path| write(root.resolve(path).ok()?.overwrite().ok()?),
        careful: Some(|path| {
            let file = OpenOptions::new().write(true).truncate(true).open(checked(path)?)?;
            write(file).ok_or_else(|| io::ErrorKind::Other.into())
        }),
        stayed_inside: is_inside,
    },
    Operation {
        name: "create",
        path: "door/new",
        exchange: DOOR,
        ours: |root, path| Some(object(&root.resolve(path).ok()?.create().ok()?)),
        careful: Some(|path| File::create_new(checked_parent(path)?).map(|file| object(&file))),
        stayed_inside: |arena, _| arena.remove("new", AtFlags::empty()),
    },
    Operation {
        name: "create a directory",
        path: "door/new",
        exchange: DOOR,
        ours: |root, path| root.resolve(path).ok()?.create_directory().ok().map(|()| Done::Nothing),
        careful: Some(|path| fs::create_dir(checked_parent(path)?).map(|()| Done::Nothing)),
        stayed_inside: |arena, _| arena.remove("new", AtFlags::REMOVEDIR),
    },
    Operation {
        name: "list",
        path: "door",
        exchange: DOOR,
        ours: |root, path| {
            let listed = root.resolve(path).ok()?.list().unwrap();
            let name = |entry: Listed| entry.name.into_string().unwrap();
            Some(Done::Names(listed.map(|entry| name(entry.unwrap())).collect()))
        },
        careful: Some(|path| {
            let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
            let entries = fs::read_dir(checked(path)?)?;
            entries.map(|entry| entry.map(name)).collect::<io::Result<_>>().map(Done::Names)
        }),
        stayed_inside: is_inside,
    },
    Operation {
        name: "rename",
        path: "door/file",
        exchange: DOOR,
        ours: |root, path| {
            let from = root.resolve_entry(path).ok()?;
            let to = root.resolve_entry(&path.with_file_name("new")).ok()?;
            from.rename(&to, Existing::Keep).unwrap();
            Some(Done::Nothing)
        },
        careful: Some(|path| {
            let to = checked_parent(&path.with_file_name("new"))?.to_owned();
            fs::rename(checked(path)?, to).map(|()| Done::Nothing)
        }),
        stayed_inside: |arena, _| renameat(&arena.door, "new", &arena.door, "file").is_ok(),
    },
    Operation {
        name: "delete",
        path: "door/twin",
        exchange: DOOR,
        ours: |root, path| {
            root.resolve_entry(path).ok()?.delete().unwrap();
            Some(Done::Nothing)
        },
        careful: Some(|path| fs::remove_file(checked(path)?).map(|()| Done::Nothing)),
        stayed_inside: |arena, _| {
            linkat(&arena.door, "file", &arena.door, "twin", AtFlags::empty()).is_ok()
        },
    },
];

/// `door` is a folder in the root, `spare` a link to a folder outside that has the same names and
/// one more.
struct Arena {
    ground: Ground,
    root: Root,
    door: OwnedFd,
    file: (u64, u64),
    before: Vec<(String, String)>,
}

struct Tally {
    done: u32,
    refused: u32,
    exchanges: u64,
    time: Duration,
}

fn race(operation: &Operation, road: Road, turns: u32) -> Tally {
    let arena = Arena::new(road);
    let (mut done, mut refused) = (0, 0);
    let started = Instant::now();
    let exchanges = arena.while_exchanging(operation.exchange, || {
        while done + refused < turns || done == 0 || refused == 0 {
            assert!(done + refused < turns * PATIENCE, "{}: {done} {refused}", operation.name);
            match (operation.ours)(&arena.root, Path::new(operation.path)) {
                None => refused += 1,
                Some(result) => {
                    assert!((operation.stayed_inside)(&arena, result), "{}", operation.name);
                    done += 1;
                }
            }
        }
    });
    assert_eq!(arena.outside(), arena.before, "{}", operation.name);
    Tally { done, refused, exchanges, time: started.elapsed() }
}

impl Arena {
    fn new(road: Road) -> Self {
        let ground = Ground::new();
        ground.file("door/file");
        fs::hard_link(ground.root().join("door/file"), ground.root().join("door/twin")).unwrap();
        for name in ["file", "twin"] {
            fs::write(ground.outside().join(name), OUTSIDE).unwrap();
        }
        ground.link("spare", "../outside");
        // It leads there from where it gets by the exchange.
        ground.link("link", "../../outside/file");
        ground.node("pipe", FileType::Fifo);
        let path = ground.root().join("door");
        let door = open(&path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let base = Base { road, ..Base::beneath(&ground.root()).unwrap() };
        let file = number(&path.join("file"));
        let arena = Self { ground, root: Root::by(base), door, file, before: Vec::new() };
        Self { before: arena.outside(), ..arena }
    }

    /// Does `work` while the two names change places, and says how often they did.
    fn while_exchanging(&self, (one, other): (&str, &str), work: impl FnOnce()) -> u64 {
        let [one, other] = [one, other].map(|name| self.path(name));
        exchange_while(&one, &other, work)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.ground.root().join(path)
    }

    fn outside(&self) -> Vec<(String, String)> {
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let paths = fs::read_dir(self.ground.outside()).unwrap().map(|entry| entry.unwrap().path());
        let mut all: Vec<_> =
            paths.map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect();
        all.sort();
        all
    }

    fn remove(&self, name: &str, flags: AtFlags) -> bool {
        unlinkat(&self.door, name, flags).is_ok()
    }
}

fn is_inside(arena: &Arena, done: Done) -> bool {
    match done {
        Done::Object(number) => number == arena.file,
        Done::Text(text) => text == INSIDE,
        Done::Names(mut names) => {
            names.sort();
            names == ["file", "twin"]
        }
        Done::Nothing => false,
    }
}

fn text(mut file: File) -> Option<Done> {
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    Some(Done::Text(text))
}

fn write(mut file: File) -> Option<Done> {
    file.write_all(INSIDE.as_bytes()).unwrap();
    Some(object(&file))
}

fn object(file: &File) -> Done {
    let metadata = file.metadata().unwrap();
    Done::Object((metadata.dev(), metadata.ino()))
}

fn without_procfs(root: &Root, path: &Path) -> Option<Done> {
    let found = root.resolve(path).ok().filter(|found| found.kind() == Kind::File)?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    text(open_by_name(found.holder()?, found.id(), flags).ok()?.into())
}

fn followed(path: &Path) -> (u64, u64) {
    statat(CWD, path, AtFlags::empty()).map_or((0, 0), |stat| numbers(&stat))
}

/// The check before the use.
#[allow(clippy::disallowed_methods, reason = "it is what must not be done")]
fn checked(path: &Path) -> io::Result<&Path> {
    let root = path.ancestors().find(|above| above.ends_with("root")).unwrap();
    let inside = fs::canonicalize(path)?.starts_with(fs::canonicalize(root)?);
    if inside { Ok(path) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}

fn checked_parent(path: &Path) -> io::Result<&Path> {
    checked(path.parent().unwrap()).map(|_| path)
}
