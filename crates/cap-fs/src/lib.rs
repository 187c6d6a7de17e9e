#![doc = include_str!("../README.md")]

mod error;
#[cfg(not(unix))]
mod refuse;
#[cfg(unix)]
mod unix;

pub use error::{OpenError, ResolveError};
#[cfg(not(unix))]
pub use refuse::{Protected, Resolved, Root, follow, witness};
#[cfg(unix)]
pub use unix::{Protected, Resolved, Root, follow, witness};

/// What a path turned out to be, after all links. Never a link: those are followed or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A device, a named pipe or a socket. It was not opened, so asking had no effect on it.
    Other,
    /// Nothing yet: one or more plain names are missing below an existing directory.
    Missing,
}

/// How far an operation reaches from the object that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The object alone: read a file, list one directory, create a name.
    Object,
    /// The object and all that lies below it: a search, a move, a recursive delete.
    Subtree,
}
