use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::KeyringError;
use super::folder::Folder;
use crate::{MasterKey, Purpose, SecureRandom};

/// Where keyrings lie, and whether their files are sealed. A path alone is a folder of plain
/// files, which only their permissions protect.
///
/// In a store with a master key every file is sealed with AES-256-GCM, header included; a plain
/// one is refused until [`seal`](Self::seal) has converted it, and a sealed one is refused without
/// its key.
#[derive(Debug, Clone)]
pub struct KeyStore {
    pub(super) folder: PathBuf,
    pub(super) sealing: Option<Sealing>,
}

/// What sealing takes.
#[derive(Debug, Clone)]
pub(super) struct Sealing {
    pub(super) master: Arc<MasterKey>,
    pub(super) random: Arc<dyn SecureRandom>,
}

impl KeyStore {
    /// Plain files in this folder.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), sealing: None }
    }

    /// Files that are sealed under `master`; `random` gives each write its nonce.
    #[must_use]
    pub fn sealed_with(self, master: Arc<MasterKey>, random: Arc<dyn SecureRandom>) -> Self {
        Self { sealing: Some(Sealing { master, random }), ..self }
    }

    /// Converts the plain file of `purpose` into a sealed one, atomically. One that is sealed
    /// under this master key stays as it is. Keyrings that were opened without the key can no
    /// longer reload. What the disk or a backup keeps of the plain file is not wiped: rotate
    /// where that matters.
    ///
    /// # Errors
    /// [`KeyringError::NoMasterKey`] if the store has none, [`KeyringError::SealBroken`] if the
    /// file is sealed under another, and those of the file, which then stays as it was.
    pub fn seal(&self, purpose: Purpose) -> Result<(), KeyringError> {
        if self.sealing.is_none() {
            return Err(KeyringError::NoMasterKey);
        }
        Folder::open(self.clone(), purpose)?.seal()
    }
}

impl From<&Path> for KeyStore {
    fn from(folder: &Path) -> Self {
        Self::new(folder)
    }
}

impl From<&PathBuf> for KeyStore {
    fn from(folder: &PathBuf) -> Self {
        Self::new(folder)
    }
}

impl From<&Self> for KeyStore {
    fn from(store: &Self) -> Self {
        store.clone()
    }
}
