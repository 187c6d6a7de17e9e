use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, statat};
use rustix::io::Errno;

use super::object::{self, Handle, Id};
use super::resolved::Resolved;
use super::twin::may_be_one;
use super::witness::system;
use crate::{Kind, OpenError, Reach, ResolveError};

/// As many directories as may lie between an object and `/`.
const MAX_CLIMB: usize = 1024;

/// Folders and files that nobody guarded may touch: our own state, keys, policy and audit log.
///
/// They are known by device and inode, held by handles, so that links, bind mounts and other
/// spellings of them are the same folder.
#[derive(Debug)]
pub struct Protected {
    folders: Vec<Folder>,
    files: Vec<PathBuf>,
    top: Id,
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    id: Id,
    /// Held as long as the set lives, so that the inode is not given to another folder.
    handle: Handle,
}

impl Protected {
    /// Remembers `folders`, which must exist. Links in their paths are followed.
    ///
    /// # Errors
    /// [`OpenError`], when one of them cannot be opened or is no directory.
    pub fn new<I>(folders: I) -> Result<Self, OpenError>
    where
        I: IntoIterator,
        I::Item: AsRef<Path>,
    {
        let top = id_at(Path::new("/")).map_err(OpenError::of)?;
        let folders = folders
            .into_iter()
            .map(|path| Folder::open(path.as_ref()))
            .collect::<Result<_, _>>()?;
        Ok(Self { folders, files: Vec::new(), top })
    }

    /// The same set with single files, each whatever stands at its path when it is asked about: an
    /// editor replaces files. They need not exist.
    #[must_use]
    pub fn with_files<I>(mut self, files: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<Path>,
    {
        self.files.extend(files.into_iter().map(|file| file.as_ref().to_owned()));
        self
    }

    /// Whether an operation on `resolved` (for a delete or a rename, on
    /// [`Entry::object`](crate::Entry::object)) that reaches as far as `reach` touches one of the folders:
    /// the object is one of them or lies below one, was named by a link that lies there, or, with
    /// [`Reach::Subtree`], has one of them below it.
    ///
    /// # Errors
    /// [`ResolveError::Replaced`], when a folder is no longer where it was; others, when the way up
    /// cannot be followed. Every error is a refusal.
    pub fn touches(&self, resolved: &Resolved, reach: Reach) -> Result<bool, ResolveError> {
        self.folders.iter().try_for_each(Folder::still_in_place)?;
        self.holds(resolved)
            .and_then(|holds| Ok(holds || self.lies_below(resolved, reach)?))
            .and_then(|touches| Ok(touches || self.is_file_of_ours(resolved, reach)?))
            .map_err(ResolveError::of)
    }

    fn holds(&self, resolved: &Resolved) -> Result<bool, Errno> {
        let ours = |id| self.folders.iter().any(|folder| folder.id == id);
        any(resolved.places(), |place| self.climb(place, ours))
    }

    fn lies_below(&self, resolved: &Resolved, reach: Reach) -> Result<bool, Errno> {
        if reach == Reach::Object || resolved.kind() != Kind::Directory {
            return Ok(false);
        }
        any(&self.folders, |folder| self.climb(&folder.handle, |id| id == resolved.id()))
    }

    fn is_file_of_ours(&self, resolved: &Resolved, reach: Reach) -> Result<bool, Errno> {
        let below = reach == Reach::Subtree && resolved.kind() == Kind::Directory;
        any(&self.files, |file| match statat(CWD, file, AtFlags::empty()) {
            // The usual case, for the price of one call.
            Ok(stat) if !below && resolved.kind() != Kind::Link => {
                Ok(Id::of(&stat) == resolved.id())
            }
            _ => {
                let ours = system(file)?;
                let holds = |place| Ok(below && self.climb(place, |id| id == resolved.id())?);
                Ok(may_be_same_object(&ours, resolved)
                    || is_link_of_ours(file, resolved)?
                    || any(ours.places(), holds)?)
            }
        })
    }

    /// Whether `wanted` holds for the directory or for one above it.
    ///
    /// One `fstatat` of `.`, `..`, `../..` and so on for each level: the system follows `..` by its
    /// own parents, never by a name.
    fn climb(&self, from: &Handle, wanted: impl Fn(Id) -> bool) -> Result<bool, Errno> {
        let mut dots = String::from(".");
        let mut before = None;
        for _ in 0..MAX_CLIMB {
            let here = Id::of(&statat(from, dots.as_str(), AtFlags::empty())?);
            if wanted(here) {
                return Ok(true);
            }
            // SECURITY: only `/` is its own parent. A directory that is mounted on a child of its
            // own looks so too, and does not end the way up.
            if before == Some(here) && here == self.top {
                return Ok(false);
            }
            before = Some(here);
            dots.push_str("/..");
        }
        Err(Errno::NAMETOOLONG)
    }
}

impl Folder {
    fn open(path: &Path) -> Result<Self, OpenError> {
        let path = std::path::absolute(path).map_err(OpenError::Io)?;
        let handle = object::open_trusted_directory(&path).map_err(OpenError::of)?;
        let id = object::stat(&handle).map(|stat| Id::of(&stat)).map_err(OpenError::of)?;
        Ok(Self { path, id, handle })
    }

    /// SECURITY: the folder that took the place of ours would be used by the next process of ours,
    /// and nobody has asked for its protection.
    fn still_in_place(&self) -> Result<(), ResolveError> {
        match id_at(&self.path) {
            Ok(id) if id == self.id => Ok(()),
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Err(ResolveError::Replaced),
            Err(errno) => Err(ResolveError::of(errno)),
        }
    }
}

/// SECURITY: on a file system that ignores case, a file that is missing would be created under any
/// spelling of its name.
fn may_be_same_object(ours: &Resolved, resolved: &Resolved) -> bool {
    let (our_names, names) = (ours.missing_names(), resolved.missing_names());
    ours.id() == resolved.id()
        && our_names.len() == names.len()
        && our_names.iter().zip(names).all(|(ours, name)| may_be_one(ours, name))
}

/// SECURITY: who removes the link by which our file is found has removed the file.
fn is_link_of_ours(file: &Path, resolved: &Resolved) -> Result<bool, Errno> {
    if resolved.kind() != Kind::Link {
        return Ok(false);
    }
    match statat(CWD, file, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Id::of(&stat) == resolved.id()),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno),
    }
}

fn id_at(path: &Path) -> Result<Id, Errno> {
    statat(CWD, path, AtFlags::empty()).map(|stat| Id::of(&stat))
}

/// `Iterator::any` for a question that can fail.
fn any<T>(
    items: impl IntoIterator<Item = T>,
    question: impl Fn(T) -> Result<bool, Errno>,
) -> Result<bool, Errno> {
    for item in items {
        if question(item)? {
            return Ok(true);
        }
    }
    Ok(false)
}
