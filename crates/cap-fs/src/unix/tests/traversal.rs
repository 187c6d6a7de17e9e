//! Paths that mean to leave the root, decoded in every way in which somebody before us may have
//! decoded them, on a real tree with something to find outside.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

use cap_testkit::shared_jsonl;

use super::agreement::collect;
use super::*;
use crate::{Kind, UseError};

const INSIDE: &str = "what may be read";
const CANARY: &str = "what must never be read";

type Decoder = fn(&[u8]) -> Vec<u8>;

/// As given, percent-decoded once and twice, with backslashes for slashes, and decoded by somebody
/// who takes every encoding for a good one.
const DECODERS: [(&str, Decoder); 5] = [
    ("raw", |bytes| bytes.to_vec()),
    ("percent", percent),
    ("percent twice", |bytes| percent(&percent(bytes))),
    ("backslash", backslash),
    ("unicode", |bytes| backslash(&overlong(&unicode(&percent(&percent(bytes)))))),
];

/// `srv/data` is the root; wherever a path may lead out of it, there is something.
struct Tree {
    folder: TempDir,
    inside: HashSet<(u64, u64)>,
}

impl Tree {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: String, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let names = ["etc/passwd", "etc/issue", "boot.ini", "windows/system32/drivers/etc/hosts"];
        for name in names {
            write(format!("srv/data/{name}"), INSIDE);
            for outside in ["", "srv/", "srv/data_evil/"] {
                write(format!("{outside}{name}"), CANARY);
            }
        }
        let mut inside = HashSet::new();
        collect(&folder.path().join("srv/data"), &mut inside);
        Self { folder, inside }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("srv/data")
    }

    fn root(&self, road: Road) -> Root {
        Root::by(Base { road, ..Base::beneath(&self.data()).unwrap() })
    }

    /// Does with the path whatever can be done with it.
    fn attempt(&self, root: &Root, path: &Path) -> Outcome {
        let Ok(found) = at_rest(|| root.resolve(path)) else {
            assert!(at_rest(|| root.resolve_entry(path)).is_err(), "{path:?}");
            return Outcome::Refused;
        };
        assert!(self.inside.contains(&number_of(&found)), "{path:?} led outside");
        match found.kind() {
            Kind::File => {
                let mut text = String::new();
                found.read().unwrap().read_to_string(&mut text).unwrap();
                assert_eq!(text, INSIDE, "{path:?}");
                Outcome::Read
            }
            Kind::Directory => {
                found.list().unwrap().for_each(|entry| drop(entry.unwrap()));
                Outcome::Listed
            }
            Kind::Missing => match found.create() {
                Ok(file) => {
                    let metadata = file.metadata().unwrap();
                    let made = self.data().join(found.real());
                    assert_eq!(number(&made), (metadata.dev(), metadata.ino()), "{path:?}");
                    root.resolve_entry(found.real()).unwrap().delete().unwrap();
                    assert!(fs::symlink_metadata(made).is_err(), "{path:?}");
                    Outcome::Created
                }
                Err(error) => {
                    assert!(matches!(error, UseError::Missing), "{path:?}: {error}");
                    Outcome::Nothing
                }
            },
            Kind::Link | Kind::Other => panic!("{path:?}"),
        }
    }

    fn everything_outside(&self) -> BTreeMap<PathBuf, String> {
        let mut all = BTreeMap::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.is_dir() && entry != self.data() {
                    folders.push(entry);
                } else if entry != self.data() {
                    all.insert(entry.clone(), fs::read_to_string(entry).unwrap());
                }
            }
        }
        all
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Refused,
    Read,
    Listed,
    Created,
    /// More than one name is missing.
    Nothing,
}

/// What the text alone says, as a system without links would take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Inside,
    Escape,
    Nul,
}

fn verdict(path: &[u8]) -> Verdict {
    if path.contains(&0) {
        return Verdict::Nul;
    }
    let root = [&b"srv"[..], b"data"];
    let mut names: Vec<&[u8]> = if path.starts_with(b"/") { Vec::new() } else { root.to_vec() };
    for name in path.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    if names.starts_with(&root) { Verdict::Inside } else { Verdict::Escape }
}

/// Runs one payload through all decoders on both roads.
fn run(tree: &Tree, roots: &[Root], payload: &str, mut told: impl FnMut(&str, Verdict, Outcome)) {
    for (name, decode) in DECODERS {
        let bytes = decode(payload.as_bytes());
        let path = Path::new(OsStr::from_bytes(&bytes));
        let expected = verdict(&bytes);
        let outcomes: Vec<_> = roots.iter().map(|root| tree.attempt(root, path)).collect();
        assert!(outcomes.windows(2).all(|pair| pair[0] == pair[1]), "{path:?}: {outcomes:?}");
        if expected != Verdict::Inside {
            assert_eq!(outcomes[0], Outcome::Refused, "{name}: {path:?}");
        }
        told(name, expected, outcomes[0]);
    }
}

#[test]
fn no_way_of_decoding_leads_outside() {
    let tree = Tree::new();
    let roots = ROADS_OF_BASE.map(|road| tree.root(road));
    let before = tree.everything_outside();
    assert_eq!(before.len(), 12);
    let mut seen = BTreeMap::new();
    for payload in [
        "../etc/passwd",
        "..%2fetc%2fpasswd",
        "%2e%2e/boot.ini",
        "%252e%252e%252fboot.ini",
        "..\\boot.ini",
        "..%5cboot.ini",
        "..%c0%af..%c0%afetc/passwd",
        "%e0%80%ae./boot.ini",
        "%u002e%u002e%u2215boot.ini",
        "%uff0e%uff0e%2fboot.ini",
        "../data_evil/boot.ini",
        "....//boot.ini",
        "..;/boot.ini",
        "boot.ini%00.png",
        "boot.ini\0",
        "/etc/passwd",
        "//etc/passwd",
        "/srv/data/etc/passwd",
        "etc/../boot.ini",
        "%65tc/passwd",
        "etc",
        "etc/new",
        "new/etc",
        "new/../boot.ini",
    ] {
        run(&tree, &roots, payload, |_, verdict, outcome| {
            *seen.entry((verdict, outcome)).or_insert(0) += 1;
        });
    }
    assert_eq!(tree.everything_outside(), before);
    for (verdict, outcome) in [
        (Verdict::Escape, Outcome::Refused),
        (Verdict::Nul, Outcome::Refused),
        (Verdict::Inside, Outcome::Read),
        (Verdict::Inside, Outcome::Listed),
        (Verdict::Inside, Outcome::Created),
        (Verdict::Inside, Outcome::Nothing),
    ] {
        assert!(seen.contains_key(&(verdict, outcome)), "{verdict:?} {outcome:?}: {seen:?}");
    }
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_path_traversal_by_five_decoders() {
    let tree = Tree::new();
    let roots = ROADS_OF_BASE.map(|road| tree.root(road));
    let before = tree.everything_outside();
    let cases = shared_jsonl("corpora/path-traversal/payloads.jsonl");
    assert_eq!(cases.len(), 9956);
    let mut told = BTreeMap::new();
    for case in &cases {
        let payload = case["payload"].as_str().unwrap();
        let mut worst = Verdict::Inside;
        run(&tree, &roots, payload, |decoder, verdict, outcome| {
            worst = worst.max(verdict);
            *told.entry((decoder.to_owned(), verdict, outcome)).or_insert(0) += 1;
        });
        // Our decoders are those of the corpus.
        let expected = ["inside", "escape", "nul"][worst as usize];
        assert_eq!(case["worst_decoded"], expected, "{case}");
    }
    assert_eq!(tree.everything_outside(), before);
    for ((decoder, verdict, outcome), count) in &told {
        println!("{decoder}: {verdict:?}, {outcome:?}: {count}");
    }
    let all = |wanted: fn(Verdict) -> bool| -> usize {
        told.iter().filter(|((_, verdict, _), _)| wanted(*verdict)).map(|(_, count)| count).sum()
    };
    assert_eq!(all(|_| true), 5 * 9956);
    let must = all(|verdict| verdict != Verdict::Inside);
    println!("{must} of {} had to be refused, and were; 0 outside", 5 * 9956);
    assert_eq!(must, MUST);
}

/// Payloads that lead outside or bear a NUL, by all decoders together.
const MUST: usize = 6261;

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_benign_names_are_created_and_read() {
    let cases = shared_jsonl("corpora/path-traversal/benign.jsonl");
    assert_eq!(cases.len(), 1859);
    let names: Vec<_> =
        cases.iter().map(|case| Path::new(case["payload"].as_str().unwrap())).collect();
    let folders: HashSet<_> = names.iter().flat_map(|name| name.ancestors().skip(1)).collect();
    for road in ROADS_OF_BASE {
        let ground = Ground::new();
        let root = Root::by(Base { road, ..Base::beneath(&ground.root()).unwrap() });
        let make = |folder: &Path| match root.resolve(folder) {
            Ok(found) if found.kind() == Kind::Missing => found.create_directory().unwrap(),
            answer => assert_eq!(answer.unwrap().kind(), Kind::Directory, "{folder:?}"),
        };
        for name in &names {
            let mut above: Vec<_> = name.ancestors().skip(1).collect();
            above.reverse();
            above.into_iter().for_each(make);
            if folders.contains(name) {
                make(name);
                continue;
            }
            drop(root.resolve(name).unwrap().create().unwrap());
            let found = root.resolve(name).unwrap();
            assert_eq!((found.kind(), found.real()), (Kind::File, *name));
            found.read().unwrap();
        }
        for name in &names {
            assert!(
                root.resolve(name).is_ok_and(|found| found.kind() != Kind::Missing),
                "{name:?}"
            );
        }
    }
    println!("{} benign names, on both roads: 0 refused", names.len());
}

fn percent(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        let byte = (*first == b'%').then(|| hexadecimal(after.get(..2)?)).flatten();
        match byte {
            Some(byte) => {
                decoded.push(u8::try_from(byte).unwrap());
                rest = &after[2..];
            }
            None => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    decoded
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?;
    u32::from_str_radix(digits, 16).ok()
}

fn backslash(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect()
}

/// `%uXXXX`, with the look-alikes of dots and slashes taken for them.
fn unicode(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        let number = rest.strip_prefix(b"%u").and_then(|digits| hexadecimal(digits.get(..4)?));
        match number.and_then(char::from_u32) {
            Some(character) => {
                let plain = match character {
                    '\u{2215}' | '\u{ff0f}' => '/',
                    '\u{2216}' => '\\',
                    '\u{ff0e}' => '.',
                    other => other,
                };
                decoded.extend(plain.to_string().bytes());
                rest = &rest[6..];
            }
            None => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    decoded
}

/// ASCII in two or three bytes of UTF-8, which no UTF-8 is.
fn overlong(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        (rest, _) = match rest {
            [high @ 0xc0..=0xc1, low @ 0x80..=0xbf, after @ ..] => {
                (after, decoded.push((high & 1) << 6 | (low & 0x3f)))
            }
            [0xe0, high @ 0x80..=0x81, low @ 0x80..=0xbf, after @ ..] => {
                (after, decoded.push((high & 1) << 6 | (low & 0x3f)))
            }
            _ => (after, decoded.push(*first)),
        };
    }
    decoded
}
