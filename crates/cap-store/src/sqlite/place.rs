//! The folder of a state: who may see it, and the lock files in it.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf, absolute};
use std::thread::sleep;
use std::time::Duration;

use cap_kernel::{SessionId, StoreError};

use super::error::{OpenError, failed};

/// How long an opener waits for the others, in steps of [`PAUSE`]: 5 s.
const ATTEMPTS: u32 = 1_000;
const PAUSE: Duration = Duration::from_millis(5);

/// `<folder>/state.db`, `<folder>/open.lock` and `<folder>/sessions/<id>.lock`.
#[derive(Debug)]
pub(super) struct Place {
    folder: PathBuf,
}

/// A lock of this process; the operating system takes it back when the process ends.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    /// Closing the file would not do while a child is being started: until it runs its own
    /// program, it has a copy of every handle.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// What tells a file from every other that exists at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    #[cfg(unix)]
    device_and_inode: (u64, u64),
}

impl Identity {
    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self { device_and_inode: (metadata.dev(), metadata.ino()) }
    }

    /// Elsewhere a file that is open cannot be replaced.
    #[cfg(not(unix))]
    fn of(_: &Metadata) -> Self {
        Self {}
    }
}

impl Place {
    /// The folder, made for its owner alone where it does not exist.
    pub(super) fn create(folder: &Path) -> Result<Self, OpenError> {
        // SECURITY: SQLite takes a name that begins with `file:` for a URI; an absolute one never
        // does.
        let folder = absolute(folder).map_err(|source| failed("open", folder, source))?;
        let place = Self { folder };
        make_folder(&place.folder)?;
        make_folder(&place.sessions())?;
        Ok(place)
    }

    /// Waits until no other opener is at work.
    pub(super) fn lock(&self) -> Result<Lock, OpenError> {
        let path = self.folder.join("open.lock");
        let file = lock_file(&path).map_err(|source| failed("open", &path, source))?;
        for _ in 0..ATTEMPTS {
            match file.try_lock() {
                Ok(()) => return Ok(Lock(file)),
                Err(TryLockError::WouldBlock) => sleep(PAUSE),
                Err(TryLockError::Error(source)) => return Err(failed("lock", &path, source)),
            }
        }
        Err(StoreError::Busy("another process has been opening it for 5 s".into()).into())
    }

    /// The file of the database.
    pub(super) fn database(&self) -> PathBuf {
        self.folder.join("state.db")
    }

    /// Refuses what is no regular file, without opening it. No file at all is fine.
    ///
    /// INVARIANT: nothing but SQLite opens the database: closing any handle of a file ends all
    /// locks that POSIX gives this process on it, those of SQLite included.
    pub(super) fn refuse_other_than_file(&self) -> Result<(), OpenError> {
        let path = self.database();
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() => Ok(()),
            Ok(_) => Err(OpenError::NotAFile(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(failed("open", &path, source)),
        }
    }

    /// Refuses a database that others may read or write.
    pub(super) fn refuse_exposed_database(&self) -> Result<(), OpenError> {
        let path = self.database();
        let metadata =
            fs::symlink_metadata(&path).map_err(|source| failed("open", &path, source))?;
        refuse_if_exposed(&path, &metadata, 0o600)
    }

    /// Which file the database is now.
    pub(super) fn identity(&self) -> Result<Identity, OpenError> {
        let path = self.database();
        let metadata =
            fs::symlink_metadata(&path).map_err(|source| failed("open", &path, source))?;
        Ok(Identity::of(&metadata))
    }

    /// Gives a new database to its owner alone. Files that SQLite puts beside it are like it.
    pub(super) fn close_database_to_others(&self) -> Result<(), OpenError> {
        let path = self.database();
        make_private(&path).map_err(|source| failed("chmod", &path, source))
    }

    /// Makes the names in the folder durable.
    pub(super) fn sync(&self) -> Result<(), OpenError> {
        sync_folder(&self.folder)
    }

    /// Takes the lock of a session.
    pub(super) fn own(&self, session: SessionId) -> Result<Lock, StoreError> {
        let cannot =
            |error: io::Error| StoreError::Failed(format!("cannot lock a session: {error}"));
        let file = lock_file(&self.session(session)).map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => {
                Err(StoreError::Failed("the session has an owner".into()))
            }
            Err(TryLockError::Error(error)) => Err(cannot(error)),
        }
    }

    /// Whether nobody holds the lock of a session. Several may ask at once: the lock that is
    /// taken for a moment to find out is a shared one.
    pub(super) fn is_ownerless(&self, session: SessionId) -> Result<bool, StoreError> {
        let cannot = |error: io::Error| {
            StoreError::Failed(format!("cannot ask for the lock of a session: {error}"))
        };
        let mut options = OpenOptions::new();
        let file = match private(options.read(true)).open(self.session(session)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            Err(error) => return Err(cannot(error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(cannot(error)),
        }
    }

    /// Removes the lock file of a closed session. One that stays has no meaning.
    pub(super) fn remove_lock(&self, session: SessionId) {
        let _ = fs::remove_file(self.session(session));
    }

    fn session(&self, session: SessionId) -> PathBuf {
        self.sessions().join(format!("{session}.lock"))
    }

    fn sessions(&self) -> PathBuf {
        self.folder.join("sessions")
    }
}

fn make_folder(path: &Path) -> Result<(), OpenError> {
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| failed("create", path, source))?;
    for made in missing {
        sync_folder(made.parent().unwrap_or(made))?;
    }
    let metadata = fs::metadata(path).map_err(|source| failed("open", path, source))?;
    refuse_if_exposed(path, &metadata, 0o700)
}

fn lock_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    private(&mut options).open(path)
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
fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn make_private(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn refuse_if_exposed(path: &Path, metadata: &Metadata, wanted: u32) -> Result<(), OpenError> {
    use std::os::unix::fs::MetadataExt as _;
    let user = rustix::process::geteuid().as_raw();
    refuse_foreign(path, metadata.uid(), user)?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(OpenError::Exposed { path: path.to_owned(), mode, wanted })
    }
}

#[cfg(unix)]
fn refuse_foreign(path: &Path, owner: u32, user: u32) -> Result<(), OpenError> {
    if owner == user {
        Ok(())
    } else {
        Err(OpenError::ForeignOwner { path: path.to_owned(), owner, user })
    }
}

/// Without Unix permissions the folder's own access list decides (the profile of the user).
#[cfg(not(unix))]
fn refuse_if_exposed(_: &Path, _: &Metadata, _: u32) -> Result<(), OpenError> {
    Ok(())
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> Result<(), OpenError> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| failed("sync", path, source))
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> Result<(), OpenError> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_another_user_is_refused_with_what_to_do() {
        let refused = refuse_foreign(Path::new("/state"), 1001, 1000).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "`/state` belongs to user 1001, not to this process; run: chown 1000 '/state'"
        );
        assert!(refuse_foreign(Path::new("/state"), 1000, 1000).is_ok());
    }
}
