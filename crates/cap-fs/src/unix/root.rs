use std::path::Path;

use rustix::io::Errno;

use super::asked::Asked;
use super::entry::{self, Entry};
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::kernel;
use super::object::{self, Handle};
use super::resolved::Resolved;
use super::twin::has_twin;
use super::walk::walk;
use crate::{Kind, OpenError, ResolveError};

/// How often a tree that changes during the answer is asked again.
const TRIES: usize = 32;

/// The folder, or the one file, beneath which paths are resolved.
///
/// It is the object that stood there when it was opened: a folder that is renamed keeps being the
/// root, and one that takes its place does not become it.
#[derive(Debug)]
pub struct Root {
    object: Object,
    hard_links: HardLinks,
}

#[derive(Debug)]
enum Object {
    Directory(Base),
    Single(Resolved),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HardLinks {
    Counted,
    Refused,
}

impl Root {
    /// Opens `path` as a root. Links in it are followed: it is the operator's own path, not a
    /// caller's.
    ///
    /// # Errors
    /// [`OpenError`], when nothing is there or the system denies it.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let object = match Base::beneath(path) {
            Ok(base) => Ok(Object::Directory(base)),
            Err(Errno::NOTDIR) => single(path).map(Object::Single),
            Err(errno) => Err(errno),
        };
        object.map(Self::of).map_err(OpenError::of)
    }

    /// The same root, which resolves no file that has more than one name
    /// ([`ResolveError::HardLinked`]): one of them may stand outside, and no resolution can see
    /// that. An [`Entry`] is not concerned: to delete or rename one name of several does nothing to
    /// what the file holds.
    #[must_use]
    pub fn refusing_hard_links(self) -> Self {
        Self { hard_links: HardLinks::Refused, ..self }
    }

    /// Says what `relative` is, beneath the root and nowhere else. Links within the root are
    /// followed; absolute ones are refused, wherever they lead. The empty path is the root itself,
    /// and the only one that a root which is no directory resolves.
    ///
    /// # Errors
    /// [`ResolveError`]; every error is a refusal.
    pub fn resolve(&self, relative: &Path) -> Result<Resolved, ResolveError> {
        let found = self.resolve_or_errno(relative).map_err(ResolveError::of)?;
        let refused = self.hard_links == HardLinks::Refused && found.kind() == Kind::File;
        if refused && found.links() > 1 { Err(ResolveError::HardLinked) } else { Ok(found) }
    }

    /// Says which name in which directory `relative` is, for a delete or a rename: links on the way
    /// are followed as by [`resolve`](Self::resolve), a link at the end is itself. What the name
    /// stands for may be missing, the directory may not.
    ///
    /// # Errors
    /// [`ResolveError`]; every error is a refusal. A path that ends in no name (the empty one, and
    /// one that ends in `..`) is [`ResolveError::InvalidName`].
    pub fn resolve_entry(&self, relative: &Path) -> Result<Entry, ResolveError> {
        let asked = Asked::path(relative).map_err(ResolveError::of)?;
        match &self.object {
            Object::Directory(base) => base.resolve_entry(&asked).map_err(ResolveError::of),
            Object::Single(_) if asked.is_absolute() => Err(ResolveError::Escapes),
            Object::Single(_) => Err(ResolveError::NotADirectory),
        }
    }

    fn resolve_or_errno(&self, relative: &Path) -> Result<Resolved, Errno> {
        let asked = Asked::path(relative)?;
        match &self.object {
            Object::Directory(base) => base.resolve(&asked),
            Object::Single(_) if asked.is_absolute() => Err(Errno::XDEV),
            Object::Single(single) if asked.pieces.is_empty() => single.as_root(),
            Object::Single(_) => Err(Errno::NOTDIR),
        }
    }

    fn of(object: Object) -> Self {
        Self { object, hard_links: HardLinks::Counted }
    }

    /// A root that answers by one road alone.
    #[cfg(test)]
    pub(super) fn by(base: Base) -> Self {
        Self::of(Object::Directory(base))
    }
}

/// What is missing is only missing when no other spelling of its name is there.
fn without_twin(found: Resolved) -> Result<Resolved, Errno> {
    match found.missing_names().first() {
        Some(name) if has_twin(found.handle(), name)? => Err(Errno::INVAL),
        _ => Ok(found),
    }
}

/// A root that is no directory, with the directory that holds it.
fn single(path: &Path) -> Result<Resolved, Errno> {
    let absolute = std::path::absolute(path).map_err(|_| Errno::INVAL)?;
    let found = Base::slash()?.resolve(&Asked::path(&absolute)?)?;
    match found.kind() {
        Kind::File | Kind::Other => Ok(found),
        Kind::Missing => Err(Errno::NOENT),
        // It was none a moment ago.
        Kind::Directory | Kind::Link => Err(Errno::AGAIN),
    }
}

/// A directory, what leaving it means, and by which road its paths are resolved.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) dir: Handle,
    pub(super) scope: Scope,
    pub(super) road: Road,
}

/// Answers once, `EAGAIN` when the tree changes meanwhile.
pub(super) type Road = fn(&Base, &Asked) -> Result<Resolved, Errno>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Leaving is refused, and so is every absolute path or link (`RESOLVE_BENEATH`), and every name
    /// that is not listed as it is spelled.
    Beneath,
    /// The directory is taken for `/`: absolute paths and links begin there, and its `..` is itself
    /// (`RESOLVE_IN_ROOT`).
    InRoot,
}

impl Base {
    pub(super) fn beneath(path: &Path) -> Result<Self, Errno> {
        Ok(Self::of(object::open_trusted_directory(path)?, Scope::Beneath))
    }

    /// The whole file system, as the system itself resolves absolute paths.
    pub(super) fn slash() -> Result<Self, Errno> {
        Ok(Self::of(object::open_trusted_directory(Path::new("/"))?, Scope::InRoot))
    }

    fn of(dir: Handle, scope: Scope) -> Self {
        Self { dir, scope, road: best_road }
    }

    pub(super) fn resolve(&self, asked: &Asked) -> Result<Resolved, Errno> {
        if asked.is_absolute() && self.scope == Scope::Beneath {
            return Err(Errno::XDEV);
        }
        retry(|| (self.road)(self, asked)).and_then(without_twin)
    }

    /// The directory of the last name by the same road; the name itself is not followed.
    pub(super) fn resolve_entry(&self, asked: &Asked) -> Result<Entry, Errno> {
        if asked.is_absolute() && self.scope == Scope::Beneath {
            return Err(Errno::XDEV);
        }
        let last = asked.last().ok_or(Errno::INVAL)?;
        let entry = retry(|| {
            let parent = (self.road)(self, &last.parent)?;
            match parent.kind() {
                Kind::Directory => entry::find(&parent, &last),
                Kind::Missing => Err(Errno::NOENT),
                Kind::File | Kind::Link | Kind::Other => Err(Errno::NOTDIR),
            }
        })?;
        without_twin(entry).map(Entry::of)
    }
}

fn retry<T>(mut attempt: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    for _ in 0..TRIES {
        match attempt() {
            Err(Errno::AGAIN) => {}
            answer => return answer,
        }
    }
    Err(Errno::AGAIN)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn best_road(base: &Base, asked: &Asked) -> Result<Resolved, Errno> {
    match kernel::resolve(base, asked) {
        Err(Errno::NOSYS | Errno::PERM) => walk(base, asked),
        answer => answer,
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn best_road(base: &Base, asked: &Asked) -> Result<Resolved, Errno> {
    walk(base, asked)
}
