#![doc = include_str!("../README.md")]

mod error;
#[cfg(not(unix))]
mod refuse;
#[cfg(unix)]
mod unix;

use std::ffi::OsString;

pub use error::{OpenError, ResolveError, UseError};
#[cfg(not(unix))]
pub use refuse::{Entry, List, Protected, Resolved, Root, follow, witness};
#[cfg(unix)]
pub use unix::{Entry, List, Protected, Resolved, Root, follow, witness};

/// What a path turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link: only as an [`Entry`] or in a [`List`]. A path that is resolved is followed
    /// or refused, so that a [`Resolved`] of [`Root::resolve`] never is one.
    Link,
    /// A device, a named pipe or a socket. It was not opened, so asking had no effect on it.
    Other,
    /// Nothing yet: one or more plain names are missing below an existing directory.
    Missing,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The name, as the directory has it.
    pub name: OsString,
    /// What it stands for; a link is not followed. Never [`Kind::Missing`].
    pub kind: Kind,
}

/// What a rename does with something that has the new name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Leaves it: the rename fails.
    Keep,
    /// Replaces it: a file, a link, or an empty directory by a directory.
    Replace,
}

/// How far an operation reaches from the object that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The object alone: read a file, list one directory, create a name.
    Object,
    /// The object and all that lies below it: a search, a move, a recursive delete.
    Subtree,
}
