use std::io;

/// Why a root or a protected folder could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Nothing is there.
    #[error("the folder does not exist")]
    Missing,
    /// A part of the path, or the object itself, should be a directory and is not.
    #[error("the path is not a directory")]
    NotADirectory,
    /// The system denies the way there (`EACCES`, `EPERM`).
    #[error("the system denies access to the folder")]
    Denied,
    /// This platform has no directory handles that the crate can use.
    #[error("this platform cannot resolve paths through handles")]
    Unsupported,
    /// Anything else that the system reports.
    #[error("the folder cannot be opened")]
    Io(#[source] io::Error),
}

/// Why a path was not resolved. Each of these is a refusal.
///
/// No message names a path or says where a link leads.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The path leaves its root: by `..`, by an absolute path or link, or because the path as it
    /// was written leads to another object than the path as it was checked.
    #[error("the path leads outside its root")]
    Escapes,
    /// More than 40 links, or a link of procfs.
    #[error("the path has too many links, or one that may not be followed")]
    Loop,
    /// A part is missing that is no plain tail: `..` follows it, or a link leads to nothing.
    #[error("a part of the path does not exist")]
    Missing,
    /// A part of the path should be a directory and is not.
    #[error("a part of the path is not a directory")]
    NotADirectory,
    /// The system denies the way there (`EACCES`, `EPERM`).
    #[error("the system denies access to a part of the path")]
    Denied,
    /// A name, the path, or its depth is beyond the limit.
    #[error("the path is too long or too deep")]
    NameTooLong,
    /// NUL in the path, a name that the file system refuses, a path that should have been normalised
    /// and is not, or a missing name of which another Unicode spelling is there.
    #[error("the path is not a valid name")]
    InvalidName,
    /// A protected folder no longer lies where it was when it was remembered.
    #[error("a protected folder was moved or replaced")]
    Replaced,
    /// This platform or object cannot be looked at without side effects.
    #[error("this platform cannot resolve the path through handles")]
    Unsupported,
    /// Anything else that the system reports; `EAGAIN` when the tree changed under every attempt.
    #[error("the file system reported an error")]
    Io(#[source] io::Error),
}

impl From<OpenError> for ResolveError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Missing => Self::Missing,
            OpenError::NotADirectory => Self::NotADirectory,
            OpenError::Denied => Self::Denied,
            OpenError::Unsupported => Self::Unsupported,
            OpenError::Io(error) => Self::Io(error),
        }
    }
}

#[cfg(unix)]
mod from_errno {
    use rustix::io::Errno;

    use super::{OpenError, ResolveError};

    // Functions, not `From`: the errors of another crate are no part of our interface.
    impl OpenError {
        pub(crate) fn of(errno: Errno) -> Self {
            match errno {
                Errno::NOENT => Self::Missing,
                Errno::NOTDIR => Self::NotADirectory,
                Errno::ACCESS | Errno::PERM => Self::Denied,
                Errno::OPNOTSUPP => Self::Unsupported,
                other => Self::Io(other.into()),
            }
        }
    }

    impl ResolveError {
        pub(crate) fn of(errno: Errno) -> Self {
            match errno {
                Errno::XDEV => Self::Escapes,
                Errno::LOOP => Self::Loop,
                Errno::NOENT => Self::Missing,
                Errno::NOTDIR => Self::NotADirectory,
                Errno::ACCESS | Errno::PERM => Self::Denied,
                Errno::NAMETOOLONG => Self::NameTooLong,
                Errno::INVAL => Self::InvalidName,
                Errno::OPNOTSUPP => Self::Unsupported,
                other => Self::Io(other.into()),
            }
        }
    }
}
