//! The few system calls that resolution is made of. None of them opens an object for use.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{self, AtFlags, Dev, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::{Errno, Result, retry_on_intr};

use crate::Kind;

/// A shared handle: the root, its directories and the answers hold the same ones.
pub(super) type Handle = Arc<OwnedFd>;

/// Says what an object is and nothing more: on Linux such a handle can neither read nor write, and
/// making it wakes no device and waits for no pipe.
#[cfg(any(target_os = "linux", target_os = "android"))]
const HANDLE: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const HANDLE: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// Which object it is, as long as a handle to it is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id {
    device: Dev,
    inode: u64,
}

impl Id {
    pub(super) fn of(stat: &Stat) -> Self {
        Self { device: stat.st_dev, inode: widen(stat.st_ino) }
    }
}

/// A directory by a path that the operator wrote; its links are followed.
pub(super) fn open_trusted_directory(path: &Path) -> Result<Handle> {
    retry_on_intr(|| fs::open(path, HANDLE.union(OFlags::DIRECTORY), Mode::empty())).map(Arc::new)
}

/// The directory `name` in `dir`; `EAGAIN` when it is no directory, because it was one just now.
pub(super) fn open_directory(dir: &Handle, name: &OsStr) -> Result<Handle> {
    let flags = HANDLE.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW);
    match retry_on_intr(|| fs::openat(dir, name, flags, Mode::empty())) {
        Ok(handle) => Ok(Arc::new(handle)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::MLINK) => Err(Errno::AGAIN),
        Err(errno) => Err(errno),
    }
}

/// The object `name` in `dir`, which may be a link: the link itself then.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn open_object(dir: &Handle, name: &OsStr) -> Result<Handle> {
    let flags = HANDLE.union(OFlags::NOFOLLOW);
    retry_on_intr(|| fs::openat(dir, name, flags, Mode::empty())).map(Arc::new)
}

/// The object `name` in `dir`. Without `O_PATH`, opening a device or a pipe would have effects.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn open_object(dir: &Handle, name: &OsStr) -> Result<Handle> {
    let flags = HANDLE.union(OFlags::NOFOLLOW);
    match kind(&look(dir, name)?) {
        Kind::Directory => open_directory(dir, name),
        Kind::File => retry_on_intr(|| fs::openat(dir, name, flags, Mode::empty())).map(Arc::new),
        _ => Err(Errno::OPNOTSUPP),
    }
}

/// What `name` in `dir` is, without following it.
pub(super) fn look(dir: impl AsFd, name: &OsStr) -> Result<Stat> {
    fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
}

pub(super) fn stat(handle: impl AsFd) -> Result<Stat> {
    fs::fstat(handle)
}

/// The entries of a directory, as they are at some moment while they are read.
///
/// SECURITY: `.` below the handle is the directory of the handle, whatever has its name by now.
pub(super) fn entries(dir: impl AsFd) -> Result<Dir> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Dir::new(retry_on_intr(|| fs::openat(&dir, ".", flags, Mode::empty()))?)
}

pub(super) fn kind(stat: &Stat) -> Kind {
    kind_of(file_type(stat))
}

pub(super) fn kind_of(file_type: FileType) -> Kind {
    match file_type {
        FileType::Directory => Kind::Directory,
        FileType::RegularFile => Kind::File,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    }
}

pub(super) fn file_type(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// Where the link `name` in `dir` leads; `EAGAIN` when it is no link any more.
pub(super) fn read_link(dir: &Handle, name: &OsStr) -> Result<CString> {
    match fs::readlinkat(dir, name, Vec::new()) {
        Err(Errno::INVAL | Errno::NOENT) => Err(Errno::AGAIN),
        result => result,
    }
}

/// Whether the links of `dir` may lead elsewhere than their text says.
///
/// SECURITY: links of procfs jump to objects (`/proc/1/root`) or mean whoever asks (`/proc/self` is
/// the guard here and the server there). The text of neither can be trusted.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn has_magic_links(dir: impl AsFd) -> Result<bool> {
    Ok(fs::fstatfs(dir)?.f_type == fs::PROC_SUPER_MAGIC)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn has_magic_links(_dir: impl AsFd) -> Result<bool> {
    Ok(false)
}

/// The width of these numbers differs between platforms.
pub(super) fn widen(number: impl Into<u64>) -> u64 {
    number.into()
}
