//! What needs both roads apart: their agreement, the corpus and the races. What the public interface
//! shows is tested in `tests/it`.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode};
#[cfg(target_os = "linux")]
use rustix::fs::{OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use tempfile::TempDir;

use super::asked::Asked;
use super::object::Id;
use super::resolved::Resolved;
use super::root::{Base, Road, Root, Scope, best_road};
use super::walk::walk;
#[cfg(target_os = "linux")]
use crate::ResolveError;

#[cfg(target_os = "linux")]
mod agreement;
#[cfg(target_os = "linux")]
mod corpus;
mod race;
#[cfg(target_os = "linux")]
mod traversal;

/// A folder with a root and, beside it, what nobody may reach.
struct Ground {
    folder: TempDir,
}

impl Ground {
    fn new() -> Self {
        let ground = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(ground.root()).unwrap();
        fs::create_dir(ground.outside()).unwrap();
        fs::write(ground.outside().join("canary"), "canary").unwrap();
        ground
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn outside(&self) -> PathBuf {
        self.folder.path().join("outside")
    }

    fn base(&self, scope: Scope) -> Base {
        Base { scope, ..Base::beneath(&self.root()).unwrap() }
    }

    fn dir(&self, path: &str) {
        fs::create_dir_all(self.root().join(path)).unwrap();
    }

    fn file(&self, path: &str) {
        self.parent(path);
        fs::write(self.root().join(path), "inside").unwrap();
    }

    fn link(&self, path: &str, target: &str) {
        self.parent(path);
        symlink(target, self.root().join(path)).unwrap();
    }

    fn node(&self, path: &str, file_type: FileType) {
        self.parent(path);
        let path = self.root().join(path);
        rustix::fs::mknodat(CWD, path, file_type, Mode::from_raw_mode(0o600), 0).unwrap();
    }

    fn parent(&self, path: &str) {
        fs::create_dir_all(self.root().join(path).parent().unwrap()).unwrap();
    }
}

/// The two roads, to run a test on both.
const ROADS: [Road; 2] = [Base::resolve, walk];

/// The same two as a base has them, which asks again when the tree changes meanwhile.
const ROADS_OF_BASE: [Road; 2] = [best_road, walk];

/// The answer of a tree at rest. Renames anywhere on the machine, as the races make them, let the
/// system say `EAGAIN` to paths with `..`.
fn settled<T>(mut ask: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match ask() {
            Err(Errno::AGAIN) => {}
            answer => return answer,
        }
    }
}

/// The same through the public interface.
#[cfg(target_os = "linux")]
fn at_rest<T>(mut ask: impl FnMut() -> Result<T, ResolveError>) -> Result<T, ResolveError> {
    loop {
        match ask() {
            Err(ResolveError::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            answer => return answer,
        }
    }
}

/// What the system itself says, without any of our code.
#[cfg(target_os = "linux")]
fn system(base: &Base, path: &str) -> Result<Id, Errno> {
    let scope = match base.scope {
        Scope::Beneath => ResolveFlags::BENEATH,
        Scope::InRoot => ResolveFlags::IN_ROOT,
    };
    let path = if path.is_empty() { "." } else { path };
    let (flags, how) = (OFlags::PATH | OFlags::CLOEXEC, scope | ResolveFlags::NO_MAGICLINKS);
    let handle = settled(|| openat2(&base.dir, path, flags, Mode::empty(), how))?;
    Ok(Id::of(&rustix::fs::fstat(handle).unwrap()))
}

fn asked(path: impl AsRef<Path>) -> Asked {
    Asked::path(path.as_ref()).unwrap()
}

/// The identity by another library call than the product's.
fn number(path: &Path) -> (u64, u64) {
    let metadata = fs::symlink_metadata(path).unwrap();
    (metadata.dev(), metadata.ino())
}

fn number_of(found: &Resolved) -> (u64, u64) {
    let stat = rustix::fs::fstat(found).unwrap();
    assert_eq!(Id::of(&stat), found.id());
    numbers(&stat)
}

fn numbers(stat: &rustix::fs::Stat) -> (u64, u64) {
    #[allow(clippy::useless_conversion, reason = "the width differs between platforms")]
    (u64::try_from(stat.st_dev).unwrap(), u64::from(stat.st_ino))
}
