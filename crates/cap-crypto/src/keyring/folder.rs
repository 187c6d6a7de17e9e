//! The folder and the file of a keyring: who may see them, and how they are replaced.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use zeroize::Zeroizing;

use super::KeyringError;
use super::document::Document;
use super::store::KeyStore;
use crate::Purpose;
use crate::master_key::DeriveError;
use crate::seal::{self, SealError, UnsealError};

/// The most bytes that a keyring's file may have.
const LARGEST: u64 = 1 << 20;

/// What ordinary changes leave of it, so that there is room to compromise a key in a full file:
/// for two RSA keys of 4096 bits, or about thirty others.
const RESERVE: u64 = 16 * 1024;

/// How often and with which pause the lock is asked for: for ten seconds.
const LOCK_ATTEMPTS: u32 = 2000;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// Where the file of one purpose lies: `<folder>/<purpose>.json`, beside `<purpose>.lock`.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    store: KeyStore,
    purpose: Purpose,
}

/// A file as it was read: its bytes, and what they say.
pub(super) struct Stored {
    bytes: Zeroizing<Vec<u8>>,
    pub(super) document: Document,
}

/// Whether a file was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replaced {
    Yes,
    /// It is not the file any more that the change started from.
    Changed,
}

/// How far a change may let the file grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// Up to [`RESERVE`] below the bound; what does not grow is always written.
    Ordinary,
    /// Up to the bound.
    All,
}

/// Whoever holds this is the only one that writes the file; released when dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Folder {
    /// A folder that exists, and in which nobody else may make, rename or remove files.
    pub(super) fn open(store: KeyStore, purpose: Purpose) -> Result<Self, KeyringError> {
        let path = store.folder.as_path();
        let metadata = fs::metadata(path).map_err(|source| failed("open", path, source))?;
        if !metadata.is_dir() {
            return Err(failed("open", path, io::ErrorKind::NotADirectory.into()));
        }
        refuse_if_exposed(path, &metadata, 0o022, 0o700)?;
        Ok(Self { store, purpose })
    }

    /// A folder that is made, for its owner alone, if it does not exist.
    pub(super) fn create(store: KeyStore, purpose: Purpose) -> Result<Self, KeyringError> {
        let path = store.folder.as_path();
        let missing: Vec<_> = path.ancestors().take_while(|folder| !folder.exists()).collect();
        if !missing.is_empty() {
            let mut builder = DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(path).map_err(|source| failed("create", path, source))?;
        }
        for made in missing {
            sync_folder(parent_of(made))?;
        }
        Self::open(store, purpose)
    }

    /// The file that holds the keys.
    pub(super) fn file(&self) -> PathBuf {
        self.store.folder.join(format!("{}.json", self.purpose))
    }

    /// What the file says; `None` when there is no file.
    pub(super) fn read(&self) -> Result<Option<Stored>, KeyringError> {
        match self.read_existing() {
            Ok(stored) => Ok(Some(stored)),
            Err(KeyringError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// What the file says; it must be there.
    pub(super) fn read_existing(&self) -> Result<Stored, KeyringError> {
        let bytes = read_private(&self.file(), LARGEST)?;
        let document = if self.store.sealing.is_some() {
            self.parse(&self.unseal(&bytes)?)?
        } else if seal::is_sealed(&bytes) {
            return Err(KeyringError::Sealed(self.file()));
        } else {
            self.parse(&bytes)?
        };
        Ok(Stored { bytes, document })
    }

    /// Seals the file if it is plain.
    pub(super) fn seal(self) -> Result<(), KeyringError> {
        let lock = self.lock()?;
        let bytes = read_private(&self.file(), LARGEST)?;
        if seal::is_sealed(&bytes) {
            return self.unseal(&bytes).and_then(|plain| self.parse(&plain)).map(drop);
        }
        let document = self.parse(&bytes)?;
        let stored = Stored { bytes, document: document.clone() };
        match self.replace_file(&lock, &stored, &document, Room::All)? {
            Replaced::Yes => Ok(()),
            Replaced::Changed => Err(KeyringError::Changed(self.file())),
        }
    }

    fn unseal(&self, bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        let sealing = self.store.sealing.as_ref().ok_or(KeyringError::NoMasterKey)?;
        if !seal::is_sealed(bytes) && Document::parse(bytes, self.purpose).is_ok() {
            return Err(KeyringError::NotSealed(self.file()));
        }
        seal::unseal(&sealing.master, self.purpose, bytes).map_err(|error| match error {
            UnsealError::Broken => KeyringError::SealBroken(self.file()),
            UnsealError::Memory => KeyringError::Memory,
        })
    }

    fn parse(&self, plain: &[u8]) -> Result<Document, KeyringError> {
        Document::parse(plain, self.purpose)
            .map_err(|reason| KeyringError::Corrupt { path: self.file(), reason })
    }

    /// Waits for its turn to write, but not for ever: a process that was stopped may hold the lock.
    pub(super) fn lock(&self) -> Result<Lock, KeyringError> {
        let path = self.store.folder.join(format!("{}.lock", self.purpose));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let file =
            private(&mut options).open(&path).map_err(|source| failed("open", &path, source))?;
        for _ in 0..LOCK_ATTEMPTS {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(TryLockError::Error(source)) => return Err(failed("lock", &path, source)),
            }
        }
        Err(KeyringError::Busy(self.file()))
    }

    /// Writes the first content of the file, unless somebody else was faster; answers with what
    /// the file then holds.
    pub(super) fn create_file(
        &self,
        first: impl FnOnce() -> Result<Document, KeyringError>,
    ) -> Result<Document, KeyringError> {
        let lock = self.lock()?;
        if let Some(stored) = self.read()? {
            return Ok(stored.document);
        }
        let document = first()?;
        let temporary = self.write_temporary(&lock, None, &document, Room::All)?;
        // SECURITY: a link never replaces, so even where the lock is not honoured (a network file
        // system) there is one winner; and what was linked may then be another's temporary file, so
        // everyone takes what lies on the disk.
        let linked = fs::hard_link(&temporary, self.file());
        fs::remove_file(&temporary).map_err(|source| failed("remove", &temporary, source))?;
        match linked {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                Err(failed("create", &self.file(), source))
            }
            _ => {
                sync_folder(&self.store.folder)?;
                Ok(self.read_existing()?.document)
            }
        }
    }

    /// Replaces the content of the file, if it still is `previous`: a reader sees the old or the
    /// new, never a part.
    pub(super) fn replace_file(
        &self,
        lock: &Lock,
        previous: &Stored,
        document: &Document,
        room: Room,
    ) -> Result<Replaced, KeyringError> {
        let temporary = self.write_temporary(lock, Some(previous), document, room)?;
        let path = self.file();
        // The lock holds off everyone who asks for it. Whoever does not (another program, a backup
        // that is put back, a file system without locks) is seen here, but for the last instant.
        if read_private(&path, LARGEST)? != previous.bytes {
            fs::remove_file(&temporary).map_err(|source| failed("remove", &temporary, source))?;
            return Ok(Replaced::Changed);
        }
        fs::rename(&temporary, &path).map_err(|source| failed("replace", &path, source))?;
        sync_folder(&self.store.folder)?;
        Ok(Replaced::Yes)
    }

    /// A durable file beside the one that it is to become. The name is fixed: what a crash left
    /// behind holds secrets, and goes away with the next write.
    fn write_temporary(
        &self,
        _lock: &Lock,
        previous: Option<&Stored>,
        document: &Document,
        room: Room,
    ) -> Result<PathBuf, KeyringError> {
        let path = self.store.folder.join(format!("{}.json.new", self.purpose));
        let plain = document.to_bytes().map_err(|error| failed("write", &path, error.into()))?;
        let bytes = self.sealed(plain, previous)?;
        let length = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let before = previous.map_or(0, |stored| length(&stored.bytes));
        let largest = match room {
            Room::Ordinary => before.clamp(LARGEST - RESERVE, LARGEST),
            Room::All => LARGEST,
        };
        if length(&bytes) > largest {
            return Err(KeyringError::Full);
        }
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove", &path, source));
            }
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        private(&mut options)
            .open(&path)
            .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
            .map_err(|source| failed("write", &path, source))?;
        Ok(path)
    }

    /// What is to be written: in a store with a master key, sealed.
    fn sealed(
        &self,
        plain: Zeroizing<Vec<u8>>,
        previous: Option<&Stored>,
    ) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        let Some(sealing) = &self.store.sealing else {
            return Ok(plain);
        };
        let previous = previous.map(|stored| stored.bytes.as_slice());
        seal::seal(&sealing.master, self.purpose, &plain, previous, &*sealing.random)
            .map(Zeroizing::new)
            .map_err(|error| match error {
                SealError::Random(error) => KeyringError::Random(error),
                SealError::Derive(DeriveError::Memory) => KeyringError::Memory,
                SealError::Derive(DeriveError::Refused) | SealError::Cipher => {
                    KeyringError::SealBroken(self.file())
                }
            })
    }
}

/// The bytes of a file that only its owner may open.
pub(crate) fn read_private(path: &Path, largest: u64) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    let mut options = OpenOptions::new();
    let file = private(options.read(true)).open(path).map_err(|source| {
        if is_no_file(path) {
            KeyringError::NotAFile(path.to_owned())
        } else {
            failed("open", path, source)
        }
    })?;
    let metadata = file.metadata().map_err(|source| failed("read", path, source))?;
    if !metadata.is_file() {
        return Err(KeyringError::NotAFile(path.to_owned()));
    }
    refuse_if_exposed(path, &metadata, 0o077, 0o600)?;
    let too_large = || KeyringError::Corrupt {
        path: path.to_owned(),
        reason: format!("it is larger than {largest} bytes"),
    };
    if metadata.len() > largest {
        return Err(too_large());
    }
    let room = usize::try_from(metadata.len()).map_err(|_| too_large())?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 1));
    file.take(largest + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| failed("read", path, source))?;
    Ok(bytes)
}

/// Whether the reason for a failed opening is that a symlink or a folder is in the way.
fn is_no_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file())
}

fn parent_of(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> KeyringError {
    KeyringError::Io { action, path: path.to_owned(), source }
}

/// Created files are for their owner alone; symlinks are not followed, and a pipe that lies in
/// the place of a file does not block.
#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.mode(0o600).custom_flags(flags.bits().cast_signed())
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(unix)]
fn refuse_if_exposed(
    path: &Path,
    metadata: &Metadata,
    forbidden: u32,
    wanted: u32,
) -> Result<(), KeyringError> {
    use std::os::unix::fs::MetadataExt as _;
    let user = rustix::process::geteuid().as_raw();
    refuse_foreign(path, metadata.uid(), user)?;
    let mode = metadata.mode() & 0o7777;
    if mode & forbidden == 0 {
        Ok(())
    } else {
        Err(KeyringError::Exposed { path: path.to_owned(), mode, wanted })
    }
}

#[cfg(unix)]
fn refuse_foreign(path: &Path, owner: u32, user: u32) -> Result<(), KeyringError> {
    if owner == user {
        Ok(())
    } else {
        Err(KeyringError::ForeignOwner { path: path.to_owned(), owner, user })
    }
}

/// Without Unix permissions the folder's own access list decides (the profile of the user).
#[cfg(not(unix))]
fn refuse_if_exposed(_: &Path, _: &Metadata, _: u32, _: u32) -> Result<(), KeyringError> {
    Ok(())
}

/// Makes the names in a folder durable.
#[cfg(unix)]
fn sync_folder(path: &Path) -> Result<(), KeyringError> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| failed("sync", path, source))
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> Result<(), KeyringError> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_user_is_refused_with_what_to_do() {
        let refused = refuse_foreign(Path::new("/keys/audit-mac.json"), 1001, 1000).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "`/keys/audit-mac.json` belongs to user 1001, not to this process; \
             run: chown 1000 '/keys/audit-mac.json'"
        );
        assert!(refuse_foreign(Path::new("/keys/audit-mac.json"), 1000, 1000).is_ok());
    }
}
