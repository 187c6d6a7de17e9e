use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FileType, Stat};
use rustix::io::Errno;

use super::object::{self, Handle, Id};
use crate::Kind;

/// What a path really is: the object, or for [`Kind::Missing`] its nearest existing ancestor.
///
/// [`AsFd`] gives the handle. It keeps naming the same object whatever is renamed afterwards. On
/// Linux it is an `O_PATH` handle, which can neither read nor write.
#[derive(Debug, Clone)]
pub struct Resolved {
    handle: Handle,
    id: Id,
    kind: Kind,
    size: u64,
    links: u64,
    real: PathBuf,
    missing: Vec<OsString>,
    parent: Option<Handle>,
    entry: Option<Entry>,
}

/// The last name as it was asked for, and the directory in which it stands: what a delete or a
/// rename acts on, which for a link is not the object that the link leads to.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    dir: Handle,
    name: OsString,
}

impl Resolved {
    /// What the object is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its size in bytes, as `fstat` has it when it was resolved; 0 for [`Kind::Missing`].
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How many names (hard links) the object has; 0 for [`Kind::Missing`]. A file with more than
    /// one may have another name outside the root: no resolution can see that.
    #[must_use]
    pub fn links(&self) -> u64 {
        self.links
    }

    /// The path below the root after all links, without `.` and `..`; empty for the root itself.
    /// For [`Kind::Missing`], the real path of the nearest existing ancestor and the missing names.
    ///
    /// It is for rules and records. To act on the object, use the handle.
    #[must_use]
    pub fn real(&self) -> &Path {
        &self.real
    }
}

impl AsFd for Resolved {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

impl Resolved {
    /// An object that is no directory, or a directory found by its name in `parent`.
    pub(super) fn existing(
        handle: Handle,
        stat: &Stat,
        real: PathBuf,
        parent: Handle,
        entry: Option<Entry>,
    ) -> Self {
        Self { parent: Some(parent), ..Self::of(handle, stat, real, entry) }
    }

    pub(super) fn directory(
        handle: Handle,
        real: PathBuf,
        entry: Option<Entry>,
    ) -> Result<Self, Errno> {
        let stat = object::stat(&handle)?;
        Ok(Self::of(handle, &stat, real, entry))
    }

    /// `names`, none of which exists, below the directory `ancestor`.
    pub(super) fn missing(
        ancestor: Handle,
        real: &Path,
        names: Vec<OsString>,
        entry: Option<Entry>,
    ) -> Result<Self, Errno> {
        let real = names.iter().fold(real.to_owned(), |real, name| real.join(name));
        let found = Self::directory(ancestor, real, entry)?;
        Ok(Self { kind: Kind::Missing, size: 0, links: 0, missing: names, ..found })
    }

    /// The first name that is missing, and the directory that does not have it.
    pub(super) fn first_missing(&self) -> Option<(&Handle, &OsStr)> {
        self.missing.first().map(|name| (&self.handle, name.as_os_str()))
    }

    fn of(handle: Handle, stat: &Stat, real: PathBuf, entry: Option<Entry>) -> Self {
        let kind = match object::file_type(stat) {
            FileType::Directory => Kind::Directory,
            FileType::RegularFile => Kind::File,
            _ => Kind::Other,
        };
        Self {
            id: Id::of(stat),
            handle,
            kind,
            // A size that makes no sense is beyond every limit.
            size: u64::try_from(stat.st_size).unwrap_or(u64::MAX),
            links: object::widen(stat.st_nlink),
            real,
            missing: Vec::new(),
            parent: None,
            entry,
        }
    }

    /// The same object as the root of its own, measured again.
    pub(super) fn as_root(&self) -> Result<Self, Errno> {
        let stat = object::stat(&self.handle)?;
        let fresh = Self::of(self.handle.clone(), &stat, PathBuf::new(), self.entry.clone());
        Ok(Self { parent: self.parent.clone(), ..fresh })
    }

    /// Which object it is; for a missing one, which its nearest existing ancestor is.
    pub(super) fn id(&self) -> Id {
        self.id
    }

    /// The same object, or the same missing names below the same object.
    pub(super) fn is_same_object(&self, other: &Self) -> bool {
        self.id == other.id && self.missing == other.missing
    }

    /// Whether a delete or a rename of `self` as asked acts on the same name as one of `other`. A
    /// path that ends in `..` has no name to act on, and neither has one below a missing name.
    pub(super) fn is_same_entry(&self, other: &Self) -> Result<bool, Errno> {
        match (&self.entry, &other.entry) {
            (None, _) => Ok(true),
            (Some(_), None) => Ok(false),
            (Some(ours), Some(theirs)) => {
                Ok(ours.name == theirs.name && ours.id()? == theirs.id()?)
            }
        }
    }

    /// The directories in which an operation on the object takes place, from which the way up is
    /// looked at: the directory itself or the one that holds the object, and the one that holds the
    /// link by which it was named.
    pub(super) fn places(&self) -> impl Iterator<Item = &Handle> {
        let place = match (self.kind, &self.parent) {
            (Kind::File | Kind::Other, Some(parent)) => parent,
            _ => &self.handle,
        };
        let entry = self.entry.as_ref().map(|entry| &entry.dir);
        let apart = entry.filter(move |dir| {
            let holds = self.parent.as_ref().is_some_and(|parent| Arc::ptr_eq(parent, dir));
            !holds && !Arc::ptr_eq(place, dir)
        });
        std::iter::once(place).chain(apart)
    }
}

impl Entry {
    pub(super) fn new(dir: &Handle, name: &OsStr) -> Self {
        Self { dir: dir.clone(), name: name.to_owned() }
    }

    fn id(&self) -> Result<Id, Errno> {
        object::stat(&self.dir).map(|stat| Id::of(&stat))
    }
}
