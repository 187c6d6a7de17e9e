//! What is done with a resolved object, through its handle.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ftruncate, mkdirat, openat, unlinkat};
use rustix::io::{Errno, retry_on_intr};

use super::object::{self, Handle, Id};
use super::resolved::{Resolved, Spot};
use super::spelling;
use crate::{Kind, Listed, UseError};

/// Nothing that is opened is a terminal of ours, outlives an `exec` or waits for another process.
const CAREFULLY: OFlags = OFlags::CLOEXEC.union(OFlags::NOCTTY).union(OFlags::NONBLOCK);

impl Resolved {
    /// Opens the file for reading: this very file, whatever has its name by now.
    ///
    /// Its size may have changed since the ruling: a reader with a limit reads through
    /// [`take`](std::io::Read::take). (The handle has `O_NONBLOCK`, of which files take no notice.)
    ///
    /// # Errors
    /// [`UseError::NotAFile`] for everything but a regular file, which is then not opened;
    /// [`UseError::Missing`]; others, as the system has them.
    pub fn read(&self) -> Result<File, UseError> {
        self.open(OFlags::RDONLY).map(File::from)
    }

    /// Opens the file for writing, and empties it: this very file, whatever has its name by now.
    ///
    /// # Errors
    /// As for [`read`](Self::read). A file that cannot be opened is not emptied.
    pub fn overwrite(&self) -> Result<File, UseError> {
        // SECURITY: not `O_TRUNC`, which would empty a file before we know which one it is.
        let file = self.open(OFlags::WRONLY)?;
        ftruncate(&file, 0).map_err(UseError::of)?;
        Ok(File::from(file))
    }

    /// Creates the missing file, for reading and writing, with mode `0o666` less the umask.
    ///
    /// # Errors
    /// [`UseError::Exists`], when something has that name (by now), a link to nothing included;
    /// [`UseError::Missing`], when the directory is missing, too; [`UseError::InvalidName`], when
    /// the file system would store another name; others, as the system has them.
    pub fn create(&self) -> Result<File, UseError> {
        let (dir, name) = self.vacancy()?;
        // SECURITY: with `O_EXCL` the last name is neither followed nor opened.
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | CAREFULLY;
        let mode = Mode::from_raw_mode(0o666);
        let file = retry_on_intr(|| openat(dir, name, flags, mode)).map_err(UseError::of)?;
        let id = object::stat(&file).map(|stat| Id::of(&stat)).map_err(UseError::of)?;
        keep_if_listed(dir, name, id, AtFlags::empty())?;
        Ok(File::from(file))
    }

    /// Creates the missing directory, with mode `0o777` less the umask.
    ///
    /// # Errors
    /// As for [`create`](Self::create).
    pub fn create_directory(&self) -> Result<(), UseError> {
        let (dir, name) = self.vacancy()?;
        mkdirat(dir, name, Mode::from_raw_mode(0o777)).map_err(UseError::of)?;
        match object::look(dir, name) {
            Ok(stat) => keep_if_listed(dir, name, Id::of(&stat), AtFlags::REMOVEDIR),
            // Somebody has renamed it.
            Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(UseError::of(errno)),
        }
    }

    /// Lists the directory: this very directory, whatever has its name by now.
    ///
    /// # Errors
    /// [`UseError::NotADirectory`]; [`UseError::Missing`]; others, as the system has them.
    pub fn list(&self) -> Result<List, UseError> {
        match self.kind() {
            Kind::Directory => object::entries(self.handle()).map(List).map_err(UseError::of),
            Kind::Missing => Err(UseError::Missing),
            Kind::File | Kind::Link | Kind::Other => Err(UseError::NotADirectory),
        }
    }

    fn open(&self, access: OFlags) -> Result<OwnedFd, UseError> {
        match self.kind() {
            Kind::File => open_file(self, access | CAREFULLY).map_err(UseError::of),
            Kind::Missing => Err(UseError::Missing),
            Kind::Directory | Kind::Link | Kind::Other => Err(UseError::NotAFile),
        }
    }

    /// The one name that is missing, and the directory that does not have it.
    fn vacancy(&self) -> Result<(&Handle, &OsStr), UseError> {
        match self.missing_names() {
            [] => Err(UseError::Exists),
            [name] => Ok((self.handle(), name)),
            _ => Err(UseError::Missing),
        }
    }
}

/// The entries of a directory, in no order, without `.` and `..`.
///
/// What is created or removed while they are read may be among them or not.
#[derive(Debug)]
pub struct List(Dir);

impl Iterator for List {
    type Item = Result<Listed, UseError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let entry = match self.0.next()? {
                Ok(entry) => entry,
                Err(errno) => return Some(Err(UseError::of(errno))),
            };
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if [".", ".."].map(OsStr::new).contains(&name) {
                continue;
            }
            let name = name.to_owned();
            match self.kind(&name, entry.file_type()) {
                // It is gone.
                Err(Errno::NOENT) => {}
                kind => return Some(kind.map(|kind| Listed { name, kind }).map_err(UseError::of)),
            }
        }
    }
}

impl List {
    /// Not every file system says in a directory what the entries are.
    fn kind(&self, name: &OsStr, file_type: FileType) -> Result<Kind, Errno> {
        match file_type {
            FileType::Unknown => object::look(self.0.fd()?, name).map(|stat| object::kind(&stat)),
            known => Ok(object::kind_of(known)),
        }
    }
}

/// The regular file `found`, opened anew. `ESTALE` when it cannot be had any more.
fn open_file(found: &Resolved, flags: OFlags) -> Result<OwnedFd, Errno> {
    match open_by_handle(found.handle(), flags) {
        // Without procfs.
        Err(Errno::NOENT | Errno::NOTDIR) => {
            let holder = found.holder().ok_or(Errno::OPNOTSUPP)?;
            open_by_name(holder, found.id(), flags)
        }
        file => file.and_then(|file| verified(file, found.id())),
    }
}

/// SECURITY: the link of procfs leads to the object of the handle, which was seen to be a regular
/// file; so no pipe and no device is opened here, whatever is renamed meanwhile.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn open_by_handle(handle: &Handle, flags: OFlags) -> Result<OwnedFd, Errno> {
    use std::os::fd::AsRawFd;

    let path = format!("/proc/self/fd/{}", handle.as_raw_fd());
    retry_on_intr(|| rustix::fs::open(path.as_str(), flags, Mode::empty()))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn open_by_handle(_handle: &Handle, _flags: OFlags) -> Result<OwnedFd, Errno> {
    Err(Errno::NOENT)
}

/// The file `id` by its name, if it still stands there.
///
/// SECURITY: looked at before, so that what takes its place later is at least no trap that was there
/// already; not followed; and looked at afterwards, so that nothing else is ever used. `O_NONBLOCK`
/// waits for no pipe that comes in between.
pub(super) fn open_by_name(spot: &Spot, id: Id, flags: OFlags) -> Result<OwnedFd, Errno> {
    if Id::of(&object::look(&spot.dir, &spot.name)?) != id {
        return Err(Errno::STALE);
    }
    let flags = flags | OFlags::NOFOLLOW;
    let file = retry_on_intr(|| openat(&spot.dir, &spot.name, flags, Mode::empty()))?;
    verified(file, id)
}

fn verified(file: OwnedFd, id: Id) -> Result<OwnedFd, Errno> {
    let stat = object::stat(&file)?;
    let same = Id::of(&stat) == id && object::kind(&stat) == Kind::File;
    if same { Ok(file) } else { Err(Errno::STALE) }
}

/// SECURITY: a file system may store another name than it was given (without a dot at the end, say),
/// which nobody has ruled on. What was created under it is removed.
fn keep_if_listed(dir: &Handle, name: &OsStr, id: Id, flags: AtFlags) -> Result<(), UseError> {
    match spelling::check(dir, name, id) {
        // Somebody has renamed it.
        Ok(()) | Err(Errno::AGAIN) => Ok(()),
        Err(errno) => {
            unlinkat(dir, name, flags).map_err(UseError::of)?;
            Err(UseError::of(errno))
        }
    }
}
