//! Platforms without directory handles that we know how to use: every answer is a refusal.

use std::convert::Infallible;
use std::path::Path;

use crate::{Kind, OpenError, Reach, ResolveError};

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

    /// Resolves `relative` beneath the root.
    ///
    /// # Errors
    /// Never called: no root is ever made.
    pub fn resolve(&self, _relative: &Path) -> Result<Resolved, ResolveError> {
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
