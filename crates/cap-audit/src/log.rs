use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cap_crypto::SignError;
use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::{Mutex, MutexGuard};
use thiserror::Error;

use crate::chain::{link, seal_record};
use crate::line::write_line;
use crate::place::Place;
use crate::record::Sealed;
use crate::{
    Digest, Durability, Head, Keys, Kind, LogId, LogRegistry, Receipt, Record, RegistryError,
};

mod open;
mod recover;

pub use open::OpenError;
pub use recover::{RecoverError, Recovered, RecoveryOutcome, recover_abandoned};

/// Bytes of buffered records that are given to the operating system without being asked for.
const QUEUE: usize = 64 * 1024;

/// After this many records, or when a record is this much later than the last signature, all of
/// them are signed.
const RECORDS_PER_CHECKPOINT: u32 = 256;
const TIME_PER_CHECKPOINT: TimeDelta = TimeDelta::seconds(1);

/// How long an append waits for another one that hangs in the operating system.
const PATIENCE: Duration = Duration::from_millis(250);

/// A log that this process alone writes, as long as this value lives.
///
/// After an error of the operating system nothing more is appended, ever: what the file holds is
/// then not known. Dropped without [`close`](Self::close), the log stays open, and
/// [`recover_abandoned`] ends it.
#[derive(Debug)]
pub struct AuditLog {
    id: LogId,
    ownership: Ownership,
    place: Place,
    keys: Keys,
    registry: Arc<dyn LogRegistry>,
    /// Locked as long as it is open.
    lock: File,
    file: File,
    writer: Mutex<Writer>,
    /// INVARIANT: whoever syncs holds this until a failure is in `broken`. The system reports a
    /// failed sync to one caller only; the next one would succeed without the bytes on the disk.
    sync_turn: Mutex<()>,
    /// The last head that the registry was told.
    registered: Mutex<Option<u64>>,
    /// What went wrong first.
    broken: OnceLock<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ownership {
    /// One process from beginning to end.
    Own,
    /// Short commands in turn.
    Shared,
}

/// Where the log stands.
#[derive(Debug)]
struct Writer {
    next: u64,
    head: Digest,
    /// Lines that the operating system does not have yet.
    pending: Vec<u8>,
    /// Records since the last signature.
    unsigned: u32,
    signed_at: DateTime<Utc>,
    closed: bool,
}

/// Why a record is not in the log, or not as durably as asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AppendError {
    /// Only the log itself writes records of this kind.
    #[error("records of kind `{}` are written by the log only", .0.as_str())]
    Reserved(Kind),
    /// Another append hangs.
    #[error("the log is busy")]
    Busy,
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
    /// Writing failed. The log takes no more records; its last line may be torn.
    #[error("writing to the log failed after {written} of {of} bytes")]
    Write {
        /// Bytes that were written.
        written: usize,
        /// Bytes that were to be written: one line, and those that were buffered before it.
        of: usize,
        /// What the operating system said.
        source: io::Error,
    },
    /// Syncing failed. The log takes no more records.
    #[error("syncing the log failed")]
    Sync(#[source] io::Error),
    /// A checkpoint could not be signed. The log takes no more records.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The log takes no more records since an earlier failure.
    #[error("the log takes no more records since an earlier failure: {0}")]
    Broken(String),
    /// The records are there, the registry does not know.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl AuditLog {
    /// Appends a record. What comes back is the only proof that it is there.
    ///
    /// # Errors
    /// See [`AppendError`]. Whatever it is: there is no receipt, so nothing may be allowed.
    pub fn append(&self, record: Record, durability: Durability) -> Result<Receipt, AppendError> {
        let kind = record.body().kind;
        if kind.is_reserved() {
            return Err(AppendError::Reserved(kind));
        }
        self.put(record, durability)
    }

    /// Signs what was appended since the last signature and gives everything to the operating
    /// system. For a ticker that runs at least every second, so that the last records of a busy
    /// moment do not stay unsigned.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub fn checkpoint(&self, now: DateTime<Utc>) -> Result<(), AppendError> {
        let mut writer = self.writer()?;
        if writer.unsigned > 0 {
            self.sign(&mut writer, Kind::Checkpoint, now)?;
        }
        self.write_out(&mut writer)
    }

    /// Gives everything that is buffered to the operating system.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub fn flush(&self) -> Result<(), AppendError> {
        let mut writer = self.writer()?;
        self.write_out(&mut writer)
    }

    /// Tells the registry how far the log has come. What it is told is on the disk first, or a
    /// fall of the machine would look like a cut. For a ticker; not for the road of a request.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub fn register_head(&self, now: DateTime<Utc>) -> Result<(), AppendError> {
        let head = {
            let mut writer = self.writer()?;
            self.write_out(&mut writer)?;
            writer.head()
        };
        self.register(head, || self.registry.head(&self.id, head.seq, &head.hash, now))
    }

    /// Ends the log with a signature, and tells the registry. A log that short commands share is
    /// signed and left to the next one.
    ///
    /// # Errors
    /// See [`AppendError`]. The log then stays open and [`recover_abandoned`] ends it.
    pub fn close(&self, now: DateTime<Utc>) -> Result<(), AppendError> {
        let head = self.seal(now)?;
        let Head { seq, hash } = head;
        self.register(head, || match self.ownership {
            Ownership::Own => self.registry.closed(&self.id, seq, &hash),
            Ownership::Shared => self.registry.head(&self.id, seq, &hash, now),
        })?;
        // Dropping the file would unlock it as well.
        drop(self.lock.unlock());
        Ok(())
    }

    /// The log's name.
    #[must_use]
    pub const fn id(&self) -> LogId {
        self.id
    }

    /// The file, for people to find it.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.place.log()
    }

    fn put(&self, record: Record, durability: Durability) -> Result<Receipt, AppendError> {
        let at = record.body().at;
        // Everything that can be done before the lock is.
        let sealed = record.seal();
        let index = self.write(&sealed, at, durability)?;
        if durability == Durability::Synced {
            self.sync()?;
        }
        Ok(Receipt::new(self.id, index, sealed.digest, durability))
    }

    fn write(
        &self,
        sealed: &Sealed,
        at: DateTime<Utc>,
        durability: Durability,
    ) -> Result<u64, AppendError> {
        let mut writer = self.writer()?;
        let index = writer.next;
        self.push(&mut writer, sealed);
        writer.unsigned += 1;
        let sign = writer.is_signature_due(at);
        if sign {
            self.sign(&mut writer, Kind::Checkpoint, at)?;
        }
        if sign || durability != Durability::Buffered || writer.pending.len() >= QUEUE {
            self.write_out(&mut writer)?;
        }
        Ok(index)
    }

    fn seal(&self, now: DateTime<Utc>) -> Result<Head, AppendError> {
        let mut writer = self.writer()?;
        match self.ownership {
            Ownership::Own => self.sign(&mut writer, Kind::Closed, now)?,
            Ownership::Shared if writer.unsigned > 0 => {
                self.sign(&mut writer, Kind::Checkpoint, now)?;
            }
            Ownership::Shared => {}
        }
        self.write_out(&mut writer)?;
        writer.closed = true;
        Ok(writer.head())
    }

    /// Holds the turn until the registry knows, so that it is told in order, and of no head after
    /// the end.
    fn register(
        &self,
        head: Head,
        tell: impl FnOnce() -> Result<(), RegistryError>,
    ) -> Result<(), AppendError> {
        let mut registered = self.registered.lock();
        if registered.is_some_and(|seq| seq >= head.seq) {
            return Ok(());
        }
        self.sync()?;
        tell()?;
        *registered = Some(head.seq);
        Ok(())
    }

    fn writer(&self) -> Result<MutexGuard<'_, Writer>, AppendError> {
        let writer = self.writer.try_lock_for(PATIENCE).ok_or(AppendError::Busy)?;
        self.check_whole()?;
        if writer.closed { Err(AppendError::Closed) } else { Ok(writer) }
    }

    fn check_whole(&self) -> Result<(), AppendError> {
        self.broken.get().map_or(Ok(()), |first| Err(AppendError::Broken(first.clone())))
    }

    /// SECURITY: fail closed. After a failure it is not known what the file holds.
    fn broken_by(&self, error: AppendError) -> AppendError {
        self.broken.get_or_init(|| match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        });
        error
    }

    fn push(&self, writer: &mut Writer, sealed: &Sealed) {
        let Writer { next, head, pending, .. } = writer;
        let (hash, mac) = link(&self.keys, &self.id, *next, head, sealed);
        write_line(pending, *next, head, sealed, &hash, &mac);
        *head = hash;
        *next += 1;
    }

    fn sign(&self, writer: &mut Writer, kind: Kind, at: DateTime<Utc>) -> Result<(), AppendError> {
        let record = seal_record(&self.keys, kind, &self.id, &writer.head(), at);
        let record = record.map_err(|error| self.broken_by(error.into()))?;
        self.push(writer, &record.seal());
        writer.unsigned = 0;
        writer.signed_at = at;
        Ok(())
    }

    /// One `write` for what is pending, which is one line unless there was buffered.
    fn write_out(&self, writer: &mut Writer) -> Result<(), AppendError> {
        write_all(&self.file, &writer.pending).map_err(|error| self.broken_by(error))?;
        writer.pending.clear();
        Ok(())
    }

    fn sync(&self) -> Result<(), AppendError> {
        let _turn = self.sync_turn.lock();
        self.check_whole()?;
        self.file.sync_data().map_err(|error| self.broken_by(AppendError::Sync(error)))
    }
}

impl Drop for AuditLog {
    /// What is buffered is not to be lost when the process goes on. If it is, recovery says so.
    fn drop(&mut self) {
        drop(self.flush());
    }
}

impl Writer {
    /// After the line `head`. It counts as not signed, whatever it is: one signature too many does
    /// no harm.
    const fn after(head: Head, now: DateTime<Utc>) -> Self {
        Self {
            next: head.seq + 1,
            head: head.hash,
            pending: Vec::new(),
            unsigned: 1,
            signed_at: now,
            closed: false,
        }
    }

    /// INVARIANT: a log has at least its opening record, so `next` is at least 1.
    const fn head(&self) -> Head {
        Head { seq: self.next.saturating_sub(1), hash: self.head }
    }

    fn is_signature_due(&self, at: DateTime<Utc>) -> bool {
        self.unsigned >= RECORDS_PER_CHECKPOINT
            || at.signed_duration_since(self.signed_at) >= TIME_PER_CHECKPOINT
    }
}

/// `write_all` that tells how far it came.
fn write_all(mut file: &File, bytes: &[u8]) -> Result<(), AppendError> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let source = match file.write(rest) {
            Ok(0) => io::ErrorKind::WriteZero.into(),
            Ok(written) => {
                rest = rest.get(written..).unwrap_or_default();
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => error,
        };
        let written = bytes.len().saturating_sub(rest.len());
        return Err(AppendError::Write { written, of: bytes.len(), source });
    }
    Ok(())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
