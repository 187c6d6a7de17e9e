//! The road that goes name by name through directory handles, for systems without `openat2`, and
//! for what `openat2` does not tell: the real path and what is missing.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use rustix::fs::FileType;
use rustix::io::Errno;

use super::asked::{Asked, Piece};
use super::object::{self, Handle, Id};
use super::resolved::{Resolved, Spot};
use super::root::{Base, Scope};
use super::spelling;

/// As many links as Linux follows in one path.
const MAX_LINKS: usize = 40;
/// As many directory handles as one walk may hold at a time.
const MAX_DEPTH: usize = 256;
/// As many names as may be missing below an existing directory.
const MAX_MISSING: usize = 64;
/// `NAME_MAX` of every file system in common use.
const NAME_MAX: usize = 255;

/// Resolves `asked`; `EAGAIN` when the tree changes under the walk.
pub(super) fn walk(base: &Base, asked: &Asked) -> Result<Resolved, Errno> {
    if asked.is_absolute() && base.scope == Scope::Beneath {
        return Err(Errno::XDEV);
    }
    let mut walk = Walk { base, below: Vec::new(), pending: Vec::new(), links: 0, asked: None };
    walk.push(&asked.pieces, Origin::Caller);
    walk.run()
}

struct Walk<'a> {
    base: &'a Base,
    /// The directories from the base down to where the walk stands, none of them reached by name
    /// twice. `..` goes back along these handles and asks nobody, so it cannot pass the base.
    below: Vec<(OsString, Handle)>,
    /// What is still to go, the next piece last.
    pending: Vec<Step>,
    links: usize,
    /// Where the last name of the caller stands.
    asked: Option<Spot>,
}

struct Step {
    piece: Piece,
    origin: Origin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Caller,
    Link,
}

impl Walk<'_> {
    fn run(mut self) -> Result<Resolved, Errno> {
        while let Some(step) = self.pending.pop() {
            match step.piece {
                Piece::Here => {}
                Piece::Up => self.go_up()?,
                Piece::Name(name) => {
                    if let Some(found) = self.go_to(name, step.origin)? {
                        return Ok(found);
                    }
                }
            }
        }
        let real = self.real();
        Resolved::directory(self.here().clone(), real, self.asked)
    }

    fn go_up(&mut self) -> Result<(), Errno> {
        match (self.below.pop(), self.base.scope) {
            (Some(_), _) | (None, Scope::InRoot) => Ok(()),
            (None, Scope::Beneath) => Err(Errno::XDEV),
        }
    }

    /// Goes to `name`: into a directory, along a link, or to the end.
    fn go_to(&mut self, name: OsString, origin: Origin) -> Result<Option<Resolved>, Errno> {
        if origin == Origin::Caller && self.is_last() {
            self.asked = Some(Spot::new(self.here(), &name));
        }
        let stat = match object::look(self.here(), &name) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return self.missing(name, origin).map(Some),
            Err(errno) => return Err(errno),
        };
        // Where nothing but the identity of the object is asked for, every spelling will do.
        if self.base.scope == Scope::Beneath {
            spelling::check(self.here(), &name, Id::of(&stat))?;
        }
        match object::file_type(&stat) {
            FileType::Directory => self.enter(name).map(|()| None),
            FileType::Symlink => self.follow(&name).map(|()| None),
            _ => self.arrive(&name).map(Some),
        }
    }

    fn enter(&mut self, name: OsString) -> Result<(), Errno> {
        if self.below.len() >= MAX_DEPTH {
            return Err(Errno::NAMETOOLONG);
        }
        let directory = object::open_directory(self.here(), &name)?;
        self.below.push((name, directory));
        Ok(())
    }

    fn follow(&mut self, name: &OsStr) -> Result<(), Errno> {
        if self.links >= MAX_LINKS || object::has_magic_links(self.here())? {
            return Err(Errno::LOOP);
        }
        self.links += 1;
        let target = Asked::bytes(object::read_link(self.here(), name)?.as_bytes())?;
        if target.is_absolute() {
            match self.base.scope {
                Scope::Beneath => return Err(Errno::XDEV),
                Scope::InRoot => self.below.clear(),
            }
        }
        self.push(&target.pieces, Origin::Link);
        Ok(())
    }

    /// Stops at something that is neither a directory nor a link.
    fn arrive(&mut self, name: &OsStr) -> Result<Resolved, Errno> {
        if !self.pending.is_empty() {
            return Err(Errno::NOTDIR);
        }
        let object = object::open_object(self.here(), name)?;
        let stat = object::stat(&object)?;
        match object::file_type(&stat) {
            FileType::Directory | FileType::Symlink => Err(Errno::AGAIN),
            _ => {
                let (real, holder) = (self.real().join(name), Spot::new(self.here(), name));
                Ok(Resolved::existing(object, &stat, real, holder, self.asked.take()))
            }
        }
    }

    /// The tail from `name` on does not exist.
    ///
    /// SECURITY: only names of the caller may be missing. What a dangling link names would be made
    /// where the link points, by servers that follow it, and at the link, by those that do not.
    fn missing(&mut self, name: OsString, origin: Origin) -> Result<Resolved, Errno> {
        if origin == Origin::Link {
            return Err(Errno::NOENT);
        }
        let mut names = vec![name];
        while let Some(step) = self.pending.pop() {
            match step.piece {
                Piece::Name(name) => names.push(name),
                Piece::Here => {}
                Piece::Up => return Err(Errno::NOENT),
            }
        }
        if names.len() > MAX_MISSING || names.iter().any(|name| name.len() > NAME_MAX) {
            return Err(Errno::NAMETOOLONG);
        }
        Resolved::missing(self.here().clone(), &self.real(), names, self.asked.take())
    }

    fn push(&mut self, pieces: &[Piece], origin: Origin) {
        self.pending.extend(pieces.iter().rev().map(|piece| Step { piece: piece.clone(), origin }));
    }

    fn here(&self) -> &Handle {
        self.below.last().map_or(&self.base.dir, |(_, directory)| directory)
    }

    fn is_last(&self) -> bool {
        self.pending.iter().all(|step| step.piece == Piece::Here)
    }

    fn real(&self) -> PathBuf {
        self.below.iter().map(|(name, _)| name).collect()
    }
}
