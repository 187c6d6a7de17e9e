//! The folder and the file of a keyring: who may see them, and how they are replaced.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::KeyringError;
use super::document::Document;
use crate::Purpose;

/// The most bytes that a keyring's file may have.
const LARGEST: u64 = 1 << 20;

/// Where the file of one purpose lies: `<folder>/<purpose>.json`, beside `<purpose>.lock`.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    path: PathBuf,
    purpose: Purpose,
}

/// Whoever holds this is the only one that writes the file; released when dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Folder {
    /// A folder that exists, and in which nobody else may make, rename or remove files.
    pub(super) fn open(path: &Path, purpose: Purpose) -> Result<Self, KeyringError> {
        let metadata = fs::metadata(path).map_err(|source| failed("open", path, source))?;
        if !metadata.is_dir() {
            return Err(failed("open", path, io::ErrorKind::NotADirectory.into()));
        }
        refuse_if_exposed(path, &metadata, 0o022, 0o700)?;
        Ok(Self { path: path.to_owned(), purpose })
    }

    /// A folder that is made, for its owner alone, if it does not exist.
    pub(super) fn create(path: &Path, purpose: Purpose) -> Result<Self, KeyringError> {
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
        Self::open(path, purpose)
    }

    /// The file that holds the keys.
    pub(super) fn file(&self) -> PathBuf {
        self.path.join(format!("{}.json", self.purpose))
    }

    /// What the file says; `None` when there is no file.
    pub(super) fn read(&self) -> Result<Option<Document>, KeyringError> {
        match self.read_existing() {
            Ok(document) => Ok(Some(document)),
            Err(KeyringError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// What the file says; it must be there.
    pub(super) fn read_existing(&self) -> Result<Document, KeyringError> {
        let path = self.file();
        let bytes = read_private(&path)?;
        Document::parse(&bytes, self.purpose)
            .map_err(|reason| KeyringError::Corrupt { path, reason })
    }

    /// Waits for its turn to write.
    pub(super) fn lock(&self) -> Result<Lock, KeyringError> {
        let path = self.path.join(format!("{}.lock", self.purpose));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let file =
            private(&mut options).open(&path).map_err(|source| failed("open", &path, source))?;
        loop {
            match file.lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(failed("lock", &path, source)),
            }
        }
    }

    /// Writes the first content of the file, unless somebody else was faster; answers with what
    /// the file then holds.
    pub(super) fn create_file(
        &self,
        first: impl FnOnce() -> Result<Document, KeyringError>,
    ) -> Result<Document, KeyringError> {
        let lock = self.lock()?;
        if let Some(document) = self.read()? {
            return Ok(document);
        }
        let document = first()?;
        let temporary = self.write_temporary(&lock, &document)?;
        // SECURITY: a link never replaces, so even where the lock is not honoured (a network file
        // system) there is one winner, and nobody works with a key that is not in the file.
        let linked = fs::hard_link(&temporary, self.file());
        fs::remove_file(&temporary).map_err(|source| failed("remove", &temporary, source))?;
        match linked {
            Ok(()) => {
                sync_folder(&self.path)?;
                Ok(document)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.read_existing(),
            Err(source) => Err(failed("create", &self.file(), source)),
        }
    }

    /// Replaces the content of the file: a reader sees the old or the new, never a part.
    pub(super) fn replace_file(
        &self,
        lock: &Lock,
        document: &Document,
    ) -> Result<(), KeyringError> {
        let temporary = self.write_temporary(lock, document)?;
        let path = self.file();
        fs::rename(&temporary, &path).map_err(|source| failed("replace", &path, source))?;
        sync_folder(&self.path)
    }

    /// A durable file beside the one that it is to become. The name is fixed: what a crash left
    /// behind holds secrets, and goes away with the next write.
    fn write_temporary(&self, _lock: &Lock, document: &Document) -> Result<PathBuf, KeyringError> {
        let path = self.path.join(format!("{}.json.new", self.purpose));
        let bytes = document.to_bytes().map_err(|error| failed("write", &path, error.into()))?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > LARGEST) {
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
}

fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
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
        reason: format!("it is larger than {LARGEST} bytes"),
    };
    if metadata.len() > LARGEST {
        return Err(too_large());
    }
    let room = usize::try_from(metadata.len()).map_err(|_| too_large())?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 1));
    file.take(LARGEST + 1)
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
