//! What the keyrings of all kinds share: the life of a key, and the file that it lives in.

pub(crate) mod document;
mod folder;

use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{KeyId, KeyRejected, Purpose, RandomError, SignError};
use document::{Document, Record};
use folder::Folder;

/// Where a key stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum KeyStatus {
    /// Makes new MACs or signatures, and verifies. A keyring has exactly one.
    Active,
    /// Verifies what it made before; makes nothing new.
    Retiring,
    /// Neither. Its secret is gone; its id is kept so that it can be named.
    Retired,
}

/// What a keyring tells about one of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyInfo {
    /// The key's name.
    pub id: KeyId,
    /// Where it stands in its life.
    pub status: KeyStatus,
    /// When it was generated or imported.
    pub created: DateTime<Utc>,
}

/// Why a keyring could not be opened or changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// This kind of key (MAC, Ed25519, RSA) does not serve this purpose.
    #[error("keys of this kind do not serve `{0}`")]
    WrongKind(Purpose),
    /// Reading, writing or locking failed.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was being done: `open`, `write`, `lock`, …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Other users may read or write the keys.
    #[error("`{}` is open to other users (mode {mode:04o}); run: chmod {wanted:o} '{}'", path.display(), path.display())]
    Exposed {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What they must be.
        wanted: u32,
    },
    /// The file or folder belongs to another user than the one that this process runs as.
    #[error("`{}` belongs to user {owner}, not to this process; run: chown {user} '{}'", path.display(), path.display())]
    ForeignOwner {
        /// The file or folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        user: u32,
    },
    /// There is no file at this path, but a folder, a symlink, a pipe or a device.
    #[error("`{}` is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// The file cannot be understood. It is never replaced by a new one: that would disown
    /// everything that its keys have made. Restore it from a backup, or move it away on purpose.
    #[error("the keyring `{}` is damaged: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong; never holds content of the file.
        reason: String,
    },
    /// The keyring has no key of this id.
    #[error("there is no key `{0}` in the keyring")]
    UnknownKey(KeyId),
    /// The keyring has this key already.
    #[error("the key `{0}` is in the keyring already")]
    KnownKey(KeyId),
    /// The active key cannot be retired: rotate first.
    #[error("the key `{0}` is active; rotate before retiring it")]
    ActiveKey(KeyId),
    /// The keyring would outgrow its file's bound (1 MiB).
    #[error("the keyring is full")]
    Full,
    /// The random source failed.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The key that was to be imported is not acceptable.
    #[error(transparent)]
    Rejected(#[from] KeyRejected),
    /// The key that was to be imported does not sign.
    #[error("the imported key does not sign")]
    DoesNotSign(#[from] SignError),
}

/// What a keyring of one kind makes of the records in its file. An `Err` says what is wrong with
/// a record.
pub(crate) trait Kind {
    /// A key that makes and verifies.
    type Active;
    /// A key that only verifies.
    type Retiring;

    /// Whether keys of this kind serve `purpose`.
    fn serves(purpose: Purpose) -> bool;
    fn active(record: &Record) -> Result<Self::Active, &'static str>;
    fn retiring(record: &Record) -> Result<Self::Retiring, &'static str>;

    /// Takes from a record what it no longer needs once it is retiring.
    fn strip(record: &mut Record);
}

/// A key with its name, ready for use.
pub(crate) struct Key<K> {
    pub(crate) id: KeyId,
    pub(crate) key: K,
}

/// The keys of one purpose, in memory or in a file.
///
/// INVARIANT: `active` and `retiring` are what `document` says.
pub(crate) struct Keyring<K: Kind> {
    folder: Option<Folder>,
    document: Document,
    active: Key<K::Active>,
    retiring: Vec<Key<K::Retiring>>,
}

impl<K: Kind> Keyring<K> {
    /// Opens the file, or creates it with the key that `first` makes. Of several processes that
    /// create at once, one wins and the others load its key.
    pub(crate) fn open_or_create(
        folder: &Path,
        purpose: Purpose,
        first: impl FnOnce() -> Result<Record, KeyringError>,
    ) -> Result<Self, KeyringError> {
        require_kind::<K>(purpose)?;
        let folder = Folder::create(folder, purpose)?;
        let document = match folder.read()? {
            Some(document) => document,
            None => folder.create_file(|| Ok(Document::new(purpose, first()?)))?,
        };
        Self::build(Some(folder), document)
    }

    /// Opens the file, which must be there.
    pub(crate) fn open(folder: &Path, purpose: Purpose) -> Result<Self, KeyringError> {
        require_kind::<K>(purpose)?;
        let folder = Folder::open(folder, purpose)?;
        let document = folder.read_existing()?;
        Self::build(Some(folder), document)
    }

    /// A keyring of one key, in memory only.
    pub(crate) fn ephemeral(purpose: Purpose, first: Record) -> Result<Self, KeyringError> {
        require_kind::<K>(purpose)?;
        Self::build(None, Document::new(purpose, first))
    }

    pub(crate) fn purpose(&self) -> Purpose {
        self.document.purpose()
    }

    pub(crate) fn active(&self) -> &Key<K::Active> {
        &self.active
    }

    pub(crate) fn retiring(&self) -> &[Key<K::Retiring>] {
        &self.retiring
    }

    pub(crate) fn infos(&self) -> Vec<KeyInfo> {
        self.document.infos()
    }

    /// Makes `record` the active key; the one that was active becomes retiring.
    pub(crate) fn rotate_to(&mut self, record: Record) -> Result<KeyId, KeyringError> {
        let id = record.id.clone();
        self.change(|document| {
            if document.find(&record.id).is_some() {
                return Err(KeyringError::KnownKey(record.id));
            }
            document.rotate_to(record, K::strip);
            Ok(())
        })?;
        Ok(id)
    }

    /// Removes the secret of a retiring key. A retired key stays as it is.
    pub(crate) fn retire(&mut self, id: &KeyId) -> Result<(), KeyringError> {
        self.change(|document| match document.find(id).map(|record| record.status) {
            None => Err(KeyringError::UnknownKey(id.clone())),
            Some(KeyStatus::Active) => Err(KeyringError::ActiveKey(id.clone())),
            Some(KeyStatus::Retiring | KeyStatus::Retired) => {
                document.retire(id);
                Ok(())
            }
        })
    }

    /// Reads the file again; `true` when another process had changed it. On an error the keyring
    /// stays as it was.
    pub(crate) fn reload(&mut self) -> Result<bool, KeyringError> {
        let Some(folder) = &self.folder else {
            return Ok(false);
        };
        let document = folder.read_existing()?;
        if document == self.document {
            return Ok(false);
        }
        *self = Self::build(Some(folder.clone()), document)?;
        Ok(true)
    }

    /// Changes the newest state: on disk that is the file, read again under its lock, so that
    /// nothing which another process did meanwhile is lost.
    fn change(
        &mut self,
        change: impl FnOnce(&mut Document) -> Result<(), KeyringError>,
    ) -> Result<(), KeyringError> {
        let Some(folder) = self.folder.clone() else {
            let mut document = self.document.clone();
            change(&mut document)?;
            *self = Self::build(None, document)?;
            return Ok(());
        };
        let lock = folder.lock()?;
        let mut document = folder.read_existing()?;
        change(&mut document)?;
        let next = Self::build(Some(folder), document)?;
        if let Some(folder) = &next.folder {
            folder.replace_file(&lock, &next.document)?;
        }
        *self = next;
        Ok(())
    }

    fn build(folder: Option<Folder>, document: Document) -> Result<Self, KeyringError> {
        let damaged = |reason: &str| KeyringError::Corrupt {
            path: folder.as_ref().map(Folder::file).unwrap_or_default(),
            reason: reason.to_owned(),
        };
        let mut active = None;
        let mut retiring = Vec::new();
        for record in document.records() {
            let id = record.id.clone();
            match record.status {
                KeyStatus::Active => {
                    active = Some(Key { id, key: K::active(record).map_err(damaged)? });
                }
                KeyStatus::Retiring => {
                    retiring.push(Key { id, key: K::retiring(record).map_err(damaged)? });
                }
                KeyStatus::Retired if record.is_bare() => {}
                KeyStatus::Retired => return Err(damaged("a retired key is more than its name")),
            }
        }
        let active = active.ok_or_else(|| damaged("it has no active key"))?;
        Ok(Self { folder, document, active, retiring })
    }
}

fn require_kind<K: Kind>(purpose: Purpose) -> Result<(), KeyringError> {
    if K::serves(purpose) { Ok(()) } else { Err(KeyringError::WrongKind(purpose)) }
}
