//! The road through `openat2` (Linux 5.6). It answers `ENOSYS` or `EPERM` where the call is missing
//! or filtered.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::{Errno, retry_on_intr};

use super::asked::{Asked, Piece};
use super::object::{self, Handle, Id};
use super::resolved::{Resolved, Spot};
use super::root::{Base, Scope};
use super::spelling;
use super::walk::walk;
use crate::Kind;

pub(super) fn resolve(base: &Base, asked: &Asked) -> Result<Resolved, Errno> {
    if let Some(names) = PlainNames::of(asked)
        && let Some(found) = plain(base, &names)?
    {
        return Ok(found);
    }
    confirmed(base, asked)
}

/// A path without `..`.
struct PlainNames<'a> {
    /// All names but the last, as one relative path; empty when there is only one name.
    parent: PathBuf,
    /// The last name; `None` when the path names the root itself.
    last: Option<&'a OsStr>,
    must_be_directory: bool,
}

impl<'a> PlainNames<'a> {
    fn of(asked: &'a Asked) -> Option<Self> {
        let mut parent = PathBuf::new();
        let mut last: Option<&OsStr> = None;
        for piece in &asked.pieces {
            match piece {
                Piece::Name(name) => {
                    if let Some(before) = last.replace(name) {
                        parent.push(before);
                    }
                }
                Piece::Here => {}
                Piece::Up => return None,
            }
        }
        let must_be_directory = asked.pieces.last() == Some(&Piece::Here);
        Some(Self { parent, last, must_be_directory })
    }
}

/// The usual case: no link is on the way, so the real path is the one asked for. `None` when a link
/// or a missing directory is on the way, or a name that is perhaps not listed as it was asked for.
fn plain(base: &Base, names: &PlainNames<'_>) -> Result<Option<Resolved>, Errno> {
    let Some(last) = names.last else {
        return Resolved::directory(base.dir.clone(), PathBuf::new(), None).map(Some);
    };
    let parent = match parent(base, &names.parent) {
        Ok(parent) => parent,
        Err(Errno::LOOP | Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    if base.scope == Scope::Beneath && !are_surely_listed(base, &names.parent)? {
        return Ok(None);
    }
    let spot = Spot::new(&parent, last);
    // SECURITY: one plain name below a handle, not followed: it cannot lead elsewhere.
    let object = match object::open_object(&parent, last) {
        Ok(object) => object,
        Err(Errno::NOENT) => {
            return Resolved::missing(parent, &names.parent, vec![last.into()], Some(spot))
                .map(Some);
        }
        Err(errno) => return Err(errno),
    };
    let stat = object::stat(&object)?;
    match object::file_type(&stat) {
        FileType::Symlink => return Ok(None),
        FileType::Directory => {}
        _ if names.must_be_directory => return Err(Errno::NOTDIR),
        _ => {}
    }
    if base.scope == Scope::Beneath {
        spelling::check(&parent, last, Id::of(&stat))?;
    }
    let real = names.parent.join(last);
    Ok(Some(Resolved::existing(object, &stat, real, spot.clone(), Some(spot))))
}

/// Whether each of the directories that lead to the last name is listed as it was asked for. `false`
/// says that the walk has to look closer.
fn are_surely_listed(base: &Base, names: &Path) -> Result<bool, Errno> {
    let mut above = PathBuf::new();
    for name in names {
        let Some(other) = spelling::other_case(name) else { return Ok(false) };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        match ask(base, &above.join(other), OFlags::NOFOLLOW, resolve) {
            Err(Errno::NOENT) => {}
            Ok(_) | Err(Errno::LOOP) => return Ok(false),
            Err(errno) => return Err(errno),
        }
        above.push(name);
    }
    Ok(true)
}

fn parent(base: &Base, names: &Path) -> Result<Handle, Errno> {
    if names.as_os_str().is_empty() {
        return Ok(base.dir.clone());
    }
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    ask(base, names, OFlags::DIRECTORY, resolve)
}

/// A path with links, `..` or missing directories: the kernel decides, the walk says where it is.
///
/// SECURITY: both must come to the same object; a tree that changed in between is asked again.
fn confirmed(base: &Base, asked: &Asked) -> Result<Resolved, Errno> {
    let scope = match base.scope {
        Scope::Beneath => ResolveFlags::BENEATH,
        Scope::InRoot => ResolveFlags::IN_ROOT,
    };
    let resolve = scope | ResolveFlags::NO_MAGICLINKS;
    let decided = match ask(base, asked.to_path(), OFlags::empty(), resolve) {
        Ok(object) => Some(Id::of(&object::stat(&object)?)),
        Err(Errno::NOENT) => None,
        Err(errno) => return Err(errno),
    };
    let found = walk(base, asked)?;
    let existing = (found.kind() != Kind::Missing).then(|| found.id());
    if existing == decided { Ok(found) } else { Err(Errno::AGAIN) }
}

fn ask(base: &Base, path: &Path, flags: OFlags, resolve: ResolveFlags) -> Result<Handle, Errno> {
    let flags = flags | OFlags::PATH | OFlags::CLOEXEC;
    retry_on_intr(|| openat2(&base.dir, path, flags, Mode::empty(), resolve)).map(Arc::new)
}
