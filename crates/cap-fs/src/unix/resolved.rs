use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::Stat;
use rustix::io::Errno;

use super::object::{self, Handle, Id};
use crate::Kind;

/// What a path really is: the object, or for [`Kind::Missing`] its nearest existing ancestor.
///
/// It is the evidence for a ruling ([`kind`](Self::kind), [`real`](Self::real),
/// [`size`](Self::size), [`links`](Self::links)) and, after the ruling, what is acted on:
/// [`read`](Self::read), [`overwrite`](Self::overwrite), [`create`](Self::create),
/// [`create_directory`](Self::create_directory) and [`list`](Self::list) use the object that was
/// resolved and ask no path again.
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
    /// Where the object itself stands; unknown for directories that were not reached by a name.
    holder: Option<Spot>,
    /// The last name as it was asked for: of a link, where the link stands.
    asked: Option<Spot>,
}

/// A name and the directory in which it stands.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    pub(super) dir: Handle,
    pub(super) name: OsString,
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
    /// An object that was found by its name in a directory.
    pub(super) fn existing(
        handle: Handle,
        stat: &Stat,
        real: PathBuf,
        holder: Spot,
        asked: Option<Spot>,
    ) -> Self {
        Self { holder: Some(holder), ..Self::of(handle, stat, real, asked) }
    }

    pub(super) fn directory(
        handle: Handle,
        real: PathBuf,
        asked: Option<Spot>,
    ) -> Result<Self, Errno> {
        let stat = object::stat(&handle)?;
        Ok(Self::of(handle, &stat, real, asked))
    }

    /// `names`, none of which exists, below the directory `ancestor`.
    pub(super) fn missing(
        ancestor: Handle,
        real: &Path,
        names: Vec<OsString>,
        asked: Option<Spot>,
    ) -> Result<Self, Errno> {
        let real = names.iter().fold(real.to_owned(), |real, name| real.join(name));
        let found = Self::directory(ancestor, real, asked)?;
        Ok(Self { kind: Kind::Missing, size: 0, links: 0, missing: names, ..found })
    }

    fn of(handle: Handle, stat: &Stat, real: PathBuf, asked: Option<Spot>) -> Self {
        Self {
            id: Id::of(stat),
            handle,
            kind: object::kind(stat),
            // A size that makes no sense is beyond every limit.
            size: u64::try_from(stat.st_size).unwrap_or(u64::MAX),
            links: object::widen(stat.st_nlink),
            real,
            missing: Vec::new(),
            holder: None,
            asked,
        }
    }

    /// The same object as the root of its own, measured again.
    pub(super) fn as_root(&self) -> Result<Self, Errno> {
        let stat = object::stat(&self.handle)?;
        let fresh = Self::of(self.handle.clone(), &stat, PathBuf::new(), self.asked.clone());
        Ok(Self { holder: self.holder.clone(), ..fresh })
    }

    /// The object; for a missing one, its nearest existing ancestor.
    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Which object it is; for a missing one, which its nearest existing ancestor is.
    pub(super) fn id(&self) -> Id {
        self.id
    }

    pub(super) fn holder(&self) -> Option<&Spot> {
        self.holder.as_ref()
    }

    pub(super) fn asked(&self) -> Option<&Spot> {
        self.asked.as_ref()
    }

    /// The names that are missing below the object of the handle, outermost first.
    pub(super) fn missing_names(&self) -> &[OsString] {
        &self.missing
    }

    /// The same object, or the same missing names below the same object.
    pub(super) fn is_same_object(&self, other: &Self) -> bool {
        self.id == other.id && self.missing == other.missing
    }

    /// Whether the last name as asked for is the same name of the same directory in both. A path
    /// that ends in `..` has none, and neither has one below a missing name.
    pub(super) fn is_same_spot(&self, other: &Self) -> Result<bool, Errno> {
        match (&self.asked, &other.asked) {
            (None, _) => Ok(true),
            (Some(_), None) => Ok(false),
            (Some(ours), Some(theirs)) => {
                Ok(ours.name == theirs.name && ours.dir_id()? == theirs.dir_id()?)
            }
        }
    }

    /// The directories in which an operation on the object takes place, from which the way up is
    /// looked at: the directory itself or the one that holds the object, and the one that holds the
    /// link by which it was named.
    pub(super) fn places(&self) -> impl Iterator<Item = &Handle> {
        let holder = self.holder.as_ref().map(|spot| &spot.dir);
        let place = match (self.kind, holder) {
            (Kind::File | Kind::Link | Kind::Other, Some(holder)) => holder,
            _ => &self.handle,
        };
        let asked = self.asked.as_ref().map(|spot| &spot.dir);
        let apart = asked.filter(move |dir| {
            !holder.is_some_and(|holder| Arc::ptr_eq(holder, dir)) && !Arc::ptr_eq(place, dir)
        });
        std::iter::once(place).chain(apart)
    }
}

impl Spot {
    pub(super) fn new(dir: &Handle, name: &OsStr) -> Self {
        Self { dir: dir.clone(), name: name.to_owned() }
    }

    fn dir_id(&self) -> Result<Id, Errno> {
        object::stat(&self.dir).map(|stat| Id::of(&stat))
    }
}
