//! Platforms without directory handles that we know how to use: every answer is a refusal.

use std::convert::Infallible;
use std::fs::File;
use std::path::Path;

use crate::{Existing, Kind, Listed, OpenError, Reach, ResolveError, UseError};

/// The folder (or the one file) beneath which paths are resolved. Never made on this platform.
#[derive(Debug)]
pub struct Root(Infallible);

impl Root {
    /// Refuses.
    ///
    /// # Errors
    /// Always [`OpenError::Unsupported`].
    pub fn open(_path: &Path) -> Result<Self, OpenError> {
        Err(OpenError::Unsupported)
    }

    /// The same root, which resolves no file that has more than one name.
    #[must_use]
    pub fn refusing_hard_links(self) -> Self {
        self
    }

    /// Resolves `relative` beneath the root.
    ///
    /// # Errors
    /// Never called: no root is ever made.
    pub fn resolve(&self, _relative: &Path) -> Result<Resolved, ResolveError> {
        match self.0 {}
    }

    /// Resolves `relative` to a name in a directory beneath the root.
    ///
    /// # Errors
    /// Never called: no root is ever made.
    pub fn resolve_entry(&self, _relative: &Path) -> Result<Entry, ResolveError> {
        match self.0 {}
    }
}

/// What a path really is. Never made on this platform.
#[derive(Debug, Clone)]
pub struct Resolved(Infallible);

impl Resolved {
    /// What the object is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.0 {}
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self.0 {}
    }

    /// How many names it has.
    #[must_use]
    pub fn links(&self) -> u64 {
        match self.0 {}
    }

    /// The path below the root, after all links.
    #[must_use]
    pub fn real(&self) -> &Path {
        match self.0 {}
    }

    /// Opens the file for reading.
    ///
    /// # Errors
    /// Never called: nothing is ever resolved.
    pub fn read(&self) -> Result<File, UseError> {
        match self.0 {}
    }

    /// Opens the file for writing, and empties it.
    ///
    /// # Errors
    /// Never called: nothing is ever resolved.
    pub fn overwrite(&self) -> Result<File, UseError> {
        match self.0 {}
    }

    /// Creates the missing file.
    ///
    /// # Errors
    /// Never called: nothing is ever resolved.
    pub fn create(&self) -> Result<File, UseError> {
        match self.0 {}
    }

    /// Creates the missing directory.
    ///
    /// # Errors
    /// Never called: nothing is ever resolved.
    pub fn create_directory(&self) -> Result<(), UseError> {
        match self.0 {}
    }

    /// Lists the directory.
    ///
    /// # Errors
    /// Never called: nothing is ever resolved.
    pub fn list(&self) -> Result<List, UseError> {
        match self.0 {}
    }
}

/// A name in a directory. Never made on this platform.
#[derive(Debug, Clone)]
pub struct Entry(Infallible);

impl Entry {
    /// What the name stands for.
    #[must_use]
    pub fn object(&self) -> &Resolved {
        match self.0 {}
    }

    /// Removes the name.
    ///
    /// # Errors
    /// Never called: nothing is ever resolved.
    pub fn delete(&self) -> Result<(), UseError> {
        match self.0 {}
    }

    /// Gives what stands here the name `to`.
    ///
    /// # Errors
    /// Never called: nothing is ever resolved.
    pub fn rename(&self, _to: &Self, _existing: Existing) -> Result<(), UseError> {
        match self.0 {}
    }
}

/// The entries of a directory. Never made on this platform.
#[derive(Debug)]
pub struct List(Infallible);

impl Iterator for List {
    type Item = Result<Listed, UseError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.0 {}
    }
}

/// Always refuses.
///
/// # Errors
/// [`ResolveError::Unsupported`].
pub fn follow(_raw: &Path) -> Result<Resolved, ResolveError> {
    Err(ResolveError::Unsupported)
}

/// Refuses.
///
/// # Errors
/// Always [`ResolveError::Unsupported`].
pub fn witness(_root: &Path, _lexical: &Path, _raw: &Path) -> Result<Resolved, ResolveError> {
    Err(ResolveError::Unsupported)
}

/// Folders that nobody guarded may touch. Never made on this platform.
#[derive(Debug)]
pub struct Protected(Infallible);

impl Protected {
    /// Refuses.
    ///
    /// # Errors
    /// Always [`OpenError::Unsupported`].
    pub fn new<I>(_folders: I) -> Result<Self, OpenError>
    where
        I: IntoIterator,
        I::Item: AsRef<Path>,
    {
        Err(OpenError::Unsupported)
    }

    /// Cannot be made here.
    #[must_use]
    pub fn with_files<I>(self, _files: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<Path>,
    {
        self
    }

    /// Whether an operation would touch a protected folder.
    ///
    /// # Errors
    /// Never called: no set is ever made.
    pub fn touches(&self, _resolved: &Resolved, _reach: Reach) -> Result<bool, ResolveError> {
        match self.0 {}
    }
}
