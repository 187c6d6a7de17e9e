//! A path as it was asked for, cut into pieces without losing what the system would see.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use rustix::io::Errno;

/// `PATH_MAX` of Linux, with the final NUL.
const PATH_MAX: usize = 4096;

/// One piece of a path. Empty pieces between two slashes say nothing and are dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// A plain name.
    Name(OsString),
    /// `..`
    Up,
    /// `.`, or a slash at the end: what stands before it must be a directory.
    Here,
}

/// A parsed path.
#[derive(Debug)]
pub(super) struct Asked {
    text: OsString,
    pub(super) pieces: Vec<Piece>,
}

impl Asked {
    pub(super) fn path(path: &Path) -> Result<Self, Errno> {
        Self::bytes(path.as_os_str().as_bytes())
    }

    pub(super) fn bytes(bytes: &[u8]) -> Result<Self, Errno> {
        if bytes.contains(&0) {
            return Err(Errno::INVAL);
        }
        if bytes.len() >= PATH_MAX {
            return Err(Errno::NAMETOOLONG);
        }
        let mut pieces: Vec<Piece> = bytes.split(|byte| *byte == b'/').filter_map(piece).collect();
        if bytes.ends_with(b"/") {
            pieces.push(Piece::Here);
        }
        Ok(Self { text: OsString::from_vec(bytes.to_vec()), pieces })
    }

    /// The last name apart from the path that leads to its directory; `None` for a path that ends in
    /// `..` or has no name at all. The path must be relative.
    pub(super) fn last(&self) -> Option<Last> {
        let end = self.pieces.iter().rposition(|piece| *piece != Piece::Here)?;
        let (parent, last) = self.pieces.split_at_checked(end)?;
        let Some(Piece::Name(name)) = last.first() else { return None };
        let text: Vec<_> = parent.iter().map(Piece::as_os_str).collect();
        Some(Last {
            parent: Self { text: text.join(OsStr::new("/")), pieces: parent.to_vec() },
            name: name.clone(),
            must_be_directory: last.len() > 1,
        })
    }

    pub(super) fn is_absolute(&self) -> bool {
        self.to_path().is_absolute()
    }

    /// The path as it came; `.` for the empty one, which the system does not know.
    pub(super) fn to_path(&self) -> &Path {
        let empty = self.text.is_empty();
        Path::new(if empty { OsStr::new(".") } else { self.text.as_os_str() })
    }
}

/// The end of a path.
#[derive(Debug)]
pub(super) struct Last {
    pub(super) parent: Asked,
    pub(super) name: OsString,
    /// A slash or a `.` follows the name.
    pub(super) must_be_directory: bool,
}

impl Piece {
    fn as_os_str(&self) -> &OsStr {
        match self {
            Self::Name(name) => name,
            Self::Up => OsStr::new(".."),
            Self::Here => OsStr::new("."),
        }
    }
}

fn piece(bytes: &[u8]) -> Option<Piece> {
    match bytes {
        b"" => None,
        b"." => Some(Piece::Here),
        b".." => Some(Piece::Up),
        name => Some(Piece::Name(OsString::from_vec(name.to_vec()))),
    }
}
