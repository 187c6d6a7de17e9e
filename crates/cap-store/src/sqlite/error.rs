use std::io;
use std::path::{Path, PathBuf};

use cap_kernel::StoreError;
use rusqlite::{Error, ErrorCode};
use thiserror::Error as ThisError;

/// Why a state could not be opened.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum OpenError {
    /// The file system refused.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was being done: `create`, `open`, `lock`, …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Other users may read or write the state.
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
    /// The file is something else; it was not changed.
    #[error("`{}` is not a state: {reason}", path.display())]
    NotAState {
        /// The file.
        path: PathBuf,
        /// How it shows.
        reason: String,
    },
    /// A newer version has written the file; it was not changed.
    #[error("the state `{}` has version {found}, and this program knows version {known}: use the newer program", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i32,
        /// The newest that we know.
        known: i32,
    },
    /// The database was busy for too long, is damaged, or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

pub(super) fn failed(action: &'static str, path: &Path, source: io::Error) -> OpenError {
    OpenError::Io { action, path: path.to_owned(), source }
}

/// What an error of SQLite means to the kernel.
#[expect(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
pub(super) fn store_error(error: Error) -> StoreError {
    let text = error.to_string();
    match error.sqlite_error_code() {
        // The last one is what is left of a busy state after SQLite has waited by itself.
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::FileLockingProtocolFailed,
        ) => StoreError::Busy(text),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Damaged(text),
        Some(_) => StoreError::Failed(text),
        None => match error {
            Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnType(..)
            | Error::Utf8Error(..) => StoreError::Damaged(text),
            _ => StoreError::Failed(text),
        },
    }
}

/// An integer of a row that must not be negative.
pub(super) fn unsigned(stored: i64) -> Result<u64, StoreError> {
    stored.try_into().map_err(|_| StoreError::Damaged(format!("a negative number: {stored}")))
}

/// An integer for a row: 63 bits are what SQLite has.
pub(super) fn signed(number: u64) -> Result<i64, StoreError> {
    number.try_into().map_err(|_| StoreError::Failed(format!("the number {number} is too large")))
}
