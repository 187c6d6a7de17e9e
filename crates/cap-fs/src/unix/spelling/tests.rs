use std::cell::Cell;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;

use super::*;

/// A directory in memory, with a rule of comparison that the file systems of this machine may lack.
struct Toy {
    names: Vec<&'static str>,
    same: fn(&str, &str) -> bool,
    compares_bytes: bool,
    listings: Cell<u32>,
}

impl Lookup for Toy {
    fn look(&self, name: &OsStr) -> Result<Option<Id>> {
        let name = name.to_str().unwrap();
        let found = self.names.iter().position(|listed| (self.same)(listed, name));
        Ok(found.map(number))
    }

    fn compares_bytes(&self) -> Result<bool> {
        Ok(self.compares_bytes)
    }

    fn lists(&self, name: &OsStr) -> Result<bool> {
        self.listings.set(self.listings.get() + 1);
        Ok(self.names.iter().any(|listed| OsStr::new(listed) == name))
    }
}

/// Objects to tell apart: the identity of anything will do.
fn number(position: usize) -> Id {
    let places = ["/", "/proc", "/proc/1", "/proc/self"];
    let stat = rustix::fs::stat(*places.get(position).unwrap()).unwrap();
    Id::of(&stat)
}

fn toy(names: &[&'static str], same: fn(&str, &str) -> bool) -> Toy {
    Toy { names: names.to_vec(), same, compares_bytes: false, listings: Cell::new(0) }
}

/// Whether `name`, which must be found, passes.
fn passes(toy: &Toy, name: &str) -> bool {
    let name = OsStr::new(name);
    let id = toy.look(name).unwrap().unwrap();
    is_listed(toy, name, id).unwrap()
}

fn by_bytes(one: &str, other: &str) -> bool {
    one == other
}

/// As ext4 and F2FS compare in a folder with the flag, and APFS by default.
fn by_folding(one: &str, other: &str) -> bool {
    let fold = |name: &str| -> String {
        let shown = name.nfd().filter(|character| *character != '\u{200d}');
        let lower = shown.flat_map(char::to_lowercase);
        lower.flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfd().collect()
    };
    fold(one) == fold(other)
}

/// As ZFS may compare: normalised, case kept apart.
fn by_normalising(one: &str, other: &str) -> bool {
    one.nfc().eq(other.nfc())
}

/// As FAT compares: without case, without dots and spaces at the end, and by a short name.
fn by_fat(one: &str, other: &str) -> bool {
    let fold = |name: &str| name.trim_end_matches(['.', ' ']).to_ascii_lowercase();
    let short = |name: &str| {
        if fold(name) == "secret plans.text" { "secret~1.tex".into() } else { fold(name) }
    };
    fold(one) == fold(other) || short(one) == fold(other)
}

#[test]
fn names_as_they_are_listed_pass_everywhere() {
    let names = ["Secret.key", "2024", "caf\u{e9}", "\u{65e5}\u{672c}"];
    for same in [by_bytes, by_folding, by_normalising, by_fat] {
        let toy = toy(&names, same);
        for name in names {
            assert!(passes(&toy, name), "{name}");
        }
    }
}

#[test]
fn another_case_of_a_name_is_refused_where_case_is_ignored() {
    let toy = toy(&["Secret.key", "2024a", "ma\u{df}e"], by_folding);
    for name in ["secret.key", "SECRET.KEY", "sECRET.KEY", "2024A", "MASSE", "ma\u{1e9e}e"] {
        assert!(!passes(&toy, name), "{name}");
    }
    let folded = ["\u{17f}ecret", "\u{212a}ey", "a\u{200d}b", "12\u{200d}3"];
    let toy = self::toy(&folded, by_folding);
    for name in ["secret", "SECRET", "key", "Key", "ab", "123"] {
        assert!(!passes(&toy, name), "{name}");
    }
}

#[test]
fn another_normal_form_of_a_name_is_refused_where_names_are_normalised() {
    for same in [by_folding, by_normalising] {
        let toy = toy(&["caf\u{e9}", "\u{212a}", "a\u{37e}b", "\u{fa19}"], same);
        for name in ["cafe\u{301}", "K", "a;b", "\u{795e}"] {
            assert!(!passes(&toy, name), "{name}");
        }
    }
}

#[test]
fn short_names_and_dots_at_the_end_are_refused_where_they_are_dropped() {
    let toy = toy(&["Secret Plans.text", "a.exe", "1"], by_fat);
    for name in ["SECRET~1.TEX", "a.exe.", "a.exe ", "1.", "1 "] {
        assert!(!passes(&toy, name), "{name}");
    }
}

#[test]
fn the_usual_case_reads_no_directory() {
    let toy = toy(&["readme.md", "README.md", "a"], by_bytes);
    for name in ["readme.md", "a"] {
        assert!(passes(&toy, name));
    }
    assert_eq!(toy.listings.get(), 0);
    let toy = Toy { compares_bytes: true, ..self::toy(&["2024", "caf\u{e9}", "K"], by_bytes) };
    for name in toy.names.clone() {
        assert!(passes(&toy, name));
    }
    assert_eq!(toy.listings.get(), 0);
}

#[test]
fn a_file_with_two_names_that_differ_in_case_has_both() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("name"), "").unwrap();
    std::fs::hard_link(folder.path().join("name"), folder.path().join("NAME")).unwrap();
    let dir = handle(folder.path());
    for name in ["name", "NAME"].map(OsStr::new) {
        let id = dir.look(name).unwrap().unwrap();
        assert!(is_listed(&dir, name, id).unwrap());
        assert_eq!(check(&dir, name, id), Ok(()));
    }
}

/// procfs finds every thread by its number, and lists only the first one of each process.
#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_found_and_not_listed_is_refused() {
    std::thread::spawn(|| {
        let dir = handle(Path::new("/proc"));
        let this = std::fs::read_link("/proc/thread-self").unwrap();
        let [process, _, thread] = this.iter().collect::<Vec<_>>()[..] else { panic!("{this:?}") };
        let id = |name| dir.look(name).unwrap().unwrap();
        assert_ne!(thread, process);
        assert_eq!(check(&dir, thread, id(thread)), Err(Errno::INVAL));
        assert_eq!(check(&dir, thread, id(process)), Err(Errno::AGAIN));
        assert_eq!(check(&dir, process, id(process)), Ok(()));
        assert_eq!(check(&dir, OsStr::new("version"), id(OsStr::new("version"))), Ok(()));
    })
    .join()
    .unwrap();
}

fn handle(path: &Path) -> Handle {
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC;
    let handle: OwnedFd = rustix::fs::open(path, flags, rustix::fs::Mode::empty()).unwrap();
    Arc::new(handle)
}
