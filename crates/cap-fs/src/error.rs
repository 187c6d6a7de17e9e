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
    /// and is not, a missing name of which another Unicode spelling is there, or a name that its
    /// directory finds but does not list: it is listed in another spelling.
    #[error("the path is not a valid name")]
    InvalidName,
    /// A file with more than one name, beneath a root that refuses those.
    #[error("the file has another name")]
    HardLinked,
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

/// Why a resolved object was not used. Nothing was done, unless it says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UseError {
    /// Nothing is there (any more), or the directory that should hold it is missing.
    #[error("the object does not exist")]
    Missing,
    /// Something has that name already.
    #[error("something of that name exists")]
    Exists,
    /// The name stands for another object than when it was resolved.
    #[error("the object was replaced since it was resolved")]
    Changed,
    /// A directory, a link, a device, a named pipe or a socket: none of these is opened for reading
    /// or writing.
    #[error("the object is not a regular file")]
    NotAFile,
    /// It should be a directory and is not.
    #[error("the object is not a directory")]
    NotADirectory,
    /// A directory that is to go has something in it.
    #[error("the directory is not empty")]
    NotEmpty,
    /// The file system refuses the name or would store another, or a directory would be moved into
    /// itself (`EINVAL`).
    #[error("the file system does not take the name")]
    InvalidName,
    /// A name, or a directory that would have to be read, is beyond the limit.
    #[error("the name is too long or the directory too large")]
    NameTooLong,
    /// The two names are on different file systems.
    #[error("the names are on different file systems")]
    CrossesDevices,
    /// The system denies it (`EACCES`, `EPERM`, `EROFS`).
    #[error("the system denies the operation")]
    Denied,
    /// This platform or file system cannot do it without a gap in which another object is used.
    #[error("this platform cannot do that through handles")]
    Unsupported,
    /// Anything else that the system reports.
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

    use super::{OpenError, ResolveError, UseError};

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

    impl UseError {
        pub(crate) fn of(errno: Errno) -> Self {
            match errno {
                Errno::NOENT => Self::Missing,
                Errno::EXIST => Self::Exists,
                // A link where none was.
                Errno::LOOP | Errno::STALE => Self::Changed,
                // A pipe that nobody reads, a socket.
                Errno::ISDIR | Errno::NXIO => Self::NotAFile,
                Errno::NOTDIR => Self::NotADirectory,
                Errno::NOTEMPTY => Self::NotEmpty,
                Errno::INVAL | Errno::ILSEQ => Self::InvalidName,
                Errno::NAMETOOLONG => Self::NameTooLong,
                Errno::XDEV => Self::CrossesDevices,
                Errno::ACCESS | Errno::PERM | Errno::ROFS => Self::Denied,
                Errno::OPNOTSUPP | Errno::NOSYS => Self::Unsupported,
                other => Self::Io(other.into()),
            }
        }
    }
}
