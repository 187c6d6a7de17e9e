use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::{GenerateError, KeyId, KeyRejected, Purpose, RandomError};

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
    /// The file is sealed, and no master key was given.
    #[error("`{}` is sealed; open it with its master key", .0.display())]
    Sealed(PathBuf),
    /// The file is plain, though the store has a master key. It is not sealed unasked: somebody may
    /// have put it in the place of the sealed one.
    #[error(
        "`{}` is not sealed; if it is the file that you wrote, seal it (`KeyStore::seal`), or open it \
         without a master key", .0.display()
    )]
    NotSealed(PathBuf),
    /// The seal does not open. A file is never replaced for that.
    #[error(
        "the seal of `{}` does not open: the master key is another one, or the file was changed; give \
         the right key, or restore the file from a backup", .0.display()
    )]
    SealBroken(PathBuf),
    /// To seal a file takes a store with a master key.
    #[error("the store has no master key to seal with")]
    NoMasterKey,
    /// There was not enough memory to derive a key from the passphrase.
    #[error("there is not enough memory to derive a key from the passphrase")]
    Memory,
    /// The file is an older one than this process has seen, or one that has forgotten that keys were
    /// retired or compromised: they would come back.
    #[error(
        "`{}` was replaced by an older one; restore the newest, or restart to accept it", .0.display()
    )]
    RolledBack(PathBuf),
    /// The file kept changing while it was to be replaced.
    #[error("`{}` was changed by something else at the same time; try again", .0.display())]
    Changed(PathBuf),
    /// Somebody else has held the lock of the file for ten seconds.
    #[error("`{}` is held by another process; try again", .0.display())]
    Busy(PathBuf),
    /// There is a pending key already.
    #[error("the key `{0}` is pending already")]
    PendingKey(KeyId),
    /// The clock is so far off that there is no date for the end of the overlap.
    #[error("the time is out of range")]
    Clock,
    /// The active key cannot be retired: rotate first.
    #[error("the key `{0}` is active; rotate before retiring it")]
    ActiveKey(KeyId),
    /// The keyring would outgrow its file's bound: 1 MiB, of which the last 16 KiB are for compromised
    /// keys alone.
    #[error("the keyring is full")]
    Full,
    /// The random source failed.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The key that was to be imported is not acceptable.
    #[error(transparent)]
    Rejected(#[from] KeyRejected),
    /// A new key could not be generated.
    #[error(transparent)]
    Generate(GenerateError),
}

impl From<GenerateError> for KeyringError {
    fn from(error: GenerateError) -> Self {
        match error {
            GenerateError::Random(error) => Self::Random(error),
            other => Self::Generate(other),
        }
    }
}
