use std::path::Path;

use rustix::io::Errno;

use super::asked::Asked;
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
}

#[derive(Debug)]
enum Object {
    Directory(Base),
    Single(Resolved),
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
        object.map(|object| Self { object }).map_err(OpenError::of)
    }

    /// Says what `relative` is, beneath the root and nowhere else. Links within the root are
    /// followed; absolute ones are refused, wherever they lead. The empty path is the root itself,
    /// and the only one that a root which is no directory resolves.
    ///
    /// # Errors
    /// [`ResolveError`]; every error is a refusal.
    pub fn resolve(&self, relative: &Path) -> Result<Resolved, ResolveError> {
        self.resolve_or_errno(relative).map_err(ResolveError::of)
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
}

/// What is missing is only missing when no other spelling of its name is there.
fn without_twin(found: Resolved) -> Result<Resolved, Errno> {
    match found.first_missing() {
        Some((dir, name)) if has_twin(dir, name)? => Err(Errno::INVAL),
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
        Kind::Directory => Err(Errno::AGAIN),
    }
}

/// A directory, and what leaving it means.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) dir: Handle,
    pub(super) scope: Scope,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Leaving is refused, and so is every absolute path or link (`RESOLVE_BENEATH`).
    Beneath,
    /// The directory is taken for `/`: absolute paths and links begin there, and its `..` is itself
    /// (`RESOLVE_IN_ROOT`).
    InRoot,
}

impl Base {
    pub(super) fn beneath(path: &Path) -> Result<Self, Errno> {
        Ok(Self { dir: object::open_trusted_directory(path)?, scope: Scope::Beneath })
    }

    /// The whole file system, as the system itself resolves absolute paths.
    pub(super) fn slash() -> Result<Self, Errno> {
        Ok(Self { dir: object::open_trusted_directory(Path::new("/"))?, scope: Scope::InRoot })
    }

    pub(super) fn resolve(&self, asked: &Asked) -> Result<Resolved, Errno> {
        if asked.is_absolute() && self.scope == Scope::Beneath {
            return Err(Errno::XDEV);
        }
        for _ in 0..TRIES {
            match self.resolve_once(asked) {
                Err(Errno::AGAIN) => {}
                answer => return answer.and_then(without_twin),
            }
        }
        Err(Errno::AGAIN)
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn resolve_once(&self, asked: &Asked) -> Result<Resolved, Errno> {
        match kernel::resolve(self, asked) {
            Err(Errno::NOSYS | Errno::PERM) => walk(self, asked),
            answer => answer,
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn resolve_once(&self, asked: &Asked) -> Result<Resolved, Errno> {
        walk(self, asked)
    }
}
