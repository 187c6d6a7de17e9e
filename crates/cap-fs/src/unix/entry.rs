use rustix::fs::{AtFlags, RenameFlags, unlinkat};
use rustix::io::Errno;

use super::asked::Last;
use super::object::{self, Id};
use super::resolved::{Resolved, Spot};
use super::spelling;
use crate::{Existing, Kind, UseError};

/// A name in a directory, and what it stands for: what a delete or a rename acts on. A link is
/// itself, never what it leads to.
#[derive(Debug, Clone)]
pub struct Entry {
    object: Resolved,
}

impl Entry {
    /// What the name stands for: [`Kind::Link`] for a link, [`Kind::Missing`] for nothing yet. Its
    /// [`real`](Resolved::real) path is that of the name itself, for a ruling.
    #[must_use]
    pub fn object(&self) -> &Resolved {
        &self.object
    }

    /// Removes the name: of a file, a link, a pipe, a socket or a device, or of an empty directory.
    ///
    /// The system knows no removal of "this name, if it still is this object". That it still is is
    /// looked at immediately before; whoever renames in the same directory in just that moment
    /// chooses which of the two is removed. No name of another directory ever is.
    ///
    /// # Errors
    /// [`UseError::Changed`], when the name stands for another object by now;
    /// [`UseError::NotEmpty`]; others, as the system has them.
    pub fn delete(&self) -> Result<(), UseError> {
        let spot = self.spot()?;
        self.still_there()?;
        let flags = match self.object.kind() {
            Kind::Directory => AtFlags::REMOVEDIR,
            _ => AtFlags::empty(),
        };
        unlinkat(&spot.dir, &spot.name, flags).map_err(|errno| match errno {
            Errno::EXIST => UseError::NotEmpty,
            // It was none, or was one, a moment ago.
            Errno::NOTDIR | Errno::ISDIR => UseError::Changed,
            errno => UseError::of(errno),
        })
    }

    /// Gives what stands here the name `to`, which may lie beneath another root on the same file
    /// system. Neither name is followed.
    ///
    /// A name that was missing when `to` was resolved is never replaced, whatever `existing` says.
    /// For one that was not, and for the name that goes, what [`delete`](Self::delete) says of the
    /// moment before holds.
    ///
    /// # Errors
    /// [`UseError::Exists`], when `to` is there and was to be kept, is there by now, or is another
    /// name of the same object; [`UseError::Changed`], when one of the names stands for another
    /// object by now; [`UseError::CrossesDevices`]; [`UseError::InvalidName`], when the file system
    /// would store another name than `to` (it is moved back then; if that fails, that is the error);
    /// others, as the system has them.
    pub fn rename(&self, to: &Self, existing: Existing) -> Result<(), UseError> {
        let (old, new) = (self.spot()?, to.spot()?);
        self.still_there()?;
        if to.object.kind() == Kind::Missing {
            rename_to_missing(old, new).map_err(UseError::of)?;
            return self.keep_if_listed(old, new);
        }
        // Of two names of one object, the system would keep both and say that all went well.
        if existing == Existing::Keep || self.object.id() == to.object.id() {
            return Err(UseError::Exists);
        }
        to.still_there()?;
        rustix::fs::renameat(&old.dir, &old.name, &new.dir, &new.name).map_err(UseError::of)
    }

    pub(super) fn of(object: Resolved) -> Self {
        Self { object }
    }

    fn spot(&self) -> Result<&Spot, UseError> {
        self.object.asked().ok_or(UseError::Missing)
    }

    fn still_there(&self) -> Result<(), UseError> {
        let spot = self.spot()?;
        if self.object.kind() == Kind::Missing {
            return Err(UseError::Missing);
        }
        match object::look(&spot.dir, &spot.name) {
            Ok(stat) if Id::of(&stat) == self.object.id() => Ok(()),
            Ok(_) => Err(UseError::Changed),
            Err(errno) => Err(UseError::of(errno)),
        }
    }

    /// SECURITY: a file system may store another name than it was given (without a dot at the end,
    /// say), which nobody has ruled on.
    fn keep_if_listed(&self, old: &Spot, new: &Spot) -> Result<(), UseError> {
        match spelling::check(&new.dir, &new.name, self.object.id()) {
            Ok(()) | Err(Errno::AGAIN) => Ok(()),
            Err(errno) => {
                rename_to_missing(new, old).map_err(UseError::of)?;
                Err(UseError::of(errno))
            }
        }
    }
}

/// What stands at the last name of a path, in the directory `parent`.
pub(super) fn find(parent: &Resolved, last: &Last) -> Result<Resolved, Errno> {
    let dir = parent.handle();
    let spot = Spot::new(dir, &last.name);
    let handle = match object::open_object(dir, &last.name) {
        Ok(handle) => handle,
        Err(Errno::NOENT) => {
            let names = vec![last.name.clone()];
            return Resolved::missing(dir.clone(), parent.real(), names, Some(spot));
        }
        Err(errno) => return Err(errno),
    };
    let stat = object::stat(&handle)?;
    if last.must_be_directory && object::kind(&stat) != Kind::Directory {
        return Err(Errno::NOTDIR);
    }
    spelling::check(dir, &last.name, Id::of(&stat))?;
    let real = parent.real().join(&last.name);
    Ok(Resolved::existing(handle, &stat, real, spot.clone(), Some(spot)))
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_to_missing(old: &Spot, new: &Spot) -> Result<(), Errno> {
    let keep = RenameFlags::NOREPLACE;
    rustix::fs::renameat_with(&old.dir, &old.name, &new.dir, &new.name, keep)
}

/// These systems cannot rename without replacing what may be there.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_to_missing(_old: &Spot, _new: &Spot) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}
