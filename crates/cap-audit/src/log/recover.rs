//! Ending the logs of processes that did not end them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use thiserror::Error;

use super::open::Means;
use super::{AppendError, AuditLog};
use crate::chain::Opening;
use crate::digest::encode;
use crate::place::{Patience, Place};
use crate::scan::Scan;
use crate::verify::entry_of;
use crate::{
    Durability, Head, Keys, Kind, LogEntry, LogFault, LogRegistry, LogState, Record, RegistryError,
};

/// How many bytes of a torn line its record keeps.
const KEPT: usize = 3000;

/// What was done about a log without an owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Recovered {
    /// Its folder, relative to the folder of all logs.
    pub folder: String,
    /// What was done.
    pub outcome: RecoveryOutcome,
}

/// What was done about a log without an owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RecoveryOutcome {
    /// A record in the log says that the last moments before may be missing. A log of one process
    /// was then closed; one that short commands share goes on.
    Healed {
        /// The number of the last record that was registered.
        registered: u64,
        /// The number of the last record that was found.
        found: u64,
        /// Bytes of half a last line that were cut; up to 3,000 of them are in the record.
        torn: usize,
    },
    /// The log is not what it should be, and was left as it is.
    Untouched(LogFault),
    /// The log could not be locked or written to; nothing is wrong with what is there.
    Failed(String),
}

/// Why abandoned logs could not be looked for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecoverError {
    /// It is not known which logs there are.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The folder cannot be read.
    #[error("cannot read the folder of logs `{}`", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Ends every log that is open and that nobody holds. Reads all of each such log; logs that
/// others are writing, and those that ended well, are not touched and not reported.
///
/// # Errors
/// See [`RecoverError`]. What is wrong with a single log is in its outcome.
pub fn recover_abandoned(
    folder: &Path,
    keys: &Keys,
    registry: &Arc<dyn LogRegistry>,
    now: DateTime<Utc>,
) -> Result<Vec<Recovered>, RecoverError> {
    let means = Means { keys: keys.clone(), registry: Arc::clone(registry) };
    let mut recovered = Vec::new();
    for name in candidates(folder, &**registry)? {
        let place = Place::new(folder, &name);
        if let Some(outcome) = recover(place, &means, now)? {
            recovered.push(Recovered { folder: name, outcome });
        }
    }
    Ok(recovered)
}

/// The folders of the logs that are registered as open, and of those that are not registered.
fn candidates(folder: &Path, registry: &dyn LogRegistry) -> Result<BTreeSet<String>, RecoverError> {
    let places = Place::all(folder)
        .map_err(|source| RecoverError::Folder { path: folder.to_owned(), source })?;
    let entries = registry.entries()?;
    let open = entries.iter().filter(|entry| entry.state == LogState::Open);
    let mut names: BTreeSet<String> = open.map(|entry| entry.folder.clone()).collect();
    let unregistered = places.iter().map(Place::name);
    let unregistered = unregistered.filter(|name| entry_of(&entries, name).is_none());
    names.extend(unregistered.map(str::to_owned));
    Ok(names)
}

fn recover(
    place: Place,
    means: &Means,
    now: DateTime<Utc>,
) -> Result<Option<RecoveryOutcome>, RegistryError> {
    if !place.has_log() {
        return Ok(Some(RecoveryOutcome::Untouched(LogFault::Missing)));
    }
    let lock = match place.lock(Patience::None) {
        Ok(Some(lock)) => lock,
        Ok(None) => return Ok(None),
        Err(error) => return Ok(Some(RecoveryOutcome::Failed(error.to_string()))),
    };
    // Only under the lock it is certain what is registered: the owner may have closed the log, or
    // another process recovered it, a moment ago.
    let entries = means.registry.entries()?;
    let registered = entry_of(&entries, place.name());
    if registered.is_some_and(|entry| entry.state == LogState::Closed) {
        return Ok(None);
    }
    let left = match Left::examine(place, lock, registered, &means.keys) {
        Ok(left) => left,
        Err(fault) => return Ok(Some(RecoveryOutcome::Untouched(fault))),
    };
    if registered.is_none() {
        means.register(&left.place, &left.opening, left.head)?;
    }
    Ok(left.end(means, now))
}

/// A log that was left behind: locked, verified to its last complete line, and not behind its
/// registered head.
pub(super) struct Left {
    pub(super) place: Place,
    pub(super) lock: File,
    pub(super) file: File,
    pub(super) opening: Opening,
    /// The last complete line, and the byte after it.
    pub(super) head: Head,
    end: u64,
    /// Half a line after that.
    pub(super) torn: Option<Vec<u8>>,
    registered: u64,
    closed: bool,
}

impl Left {
    pub(super) fn examine(
        place: Place,
        lock: File,
        registered: Option<&LogEntry>,
        keys: &Keys,
    ) -> Result<Self, LogFault> {
        if !place.has_log() {
            return Err(LogFault::Missing);
        }
        let mut file = place.open_log()?;
        let keys = keys.verify_keys();
        let scan = match registered {
            Some(entry) if entry.is_shared() => Scan::tail(&mut file, entry, &keys)?,
            _ => Scan::whole(BufReader::new(&file), registered, &keys),
        };
        if let Some(fault) = scan.fault() {
            return Err(fault);
        }
        let (Some(opening), Some(head)) = (scan.chain.opening(), scan.chain.head()) else {
            return Err(LogFault::Unregistered);
        };
        // SECURITY: whoever creates a log registers it before writing to it, so one that is not
        // registered has an opening record and no more.
        let just_created = head.seq == 0 && scan.torn.is_none() && opening.belongs_in(place.name());
        if registered.is_none() && !just_created {
            return Err(LogFault::Unregistered);
        }
        Ok(Self {
            opening: opening.clone(),
            head,
            end: scan.end,
            closed: scan.chain.closed,
            registered: registered.map_or(head.seq, |entry| entry.head.seq),
            torn: scan.torn.map(|torn| torn.bytes),
            place,
            lock,
            file,
        })
    }

    /// Cuts off half a line.
    pub(super) fn cut(&self) -> io::Result<()> {
        self.file.set_len(self.end)?;
        self.file.sync_data()
    }

    /// The log, with a record of what was found.
    pub(super) fn resume(self, means: Means, now: DateTime<Utc>) -> Result<AuditLog, AppendError> {
        let record = self.record(now);
        let log = means.attach(self.place, self.lock, self.file, &self.opening, self.head, now);
        let _receipt = log.put(record, Durability::Buffered)?;
        Ok(log)
    }

    fn end(self, means: &Means, now: DateTime<Utc>) -> Option<RecoveryOutcome> {
        let shared = self.opening.is_shared_in(self.place.name());
        if shared && self.torn.is_none() {
            return None;
        }
        let healed = RecoveryOutcome::Healed {
            registered: self.registered,
            found: self.head.seq,
            torn: self.torn.as_ref().map_or(0, Vec::len),
        };
        let ended = if self.closed {
            // All is there but the word of it.
            let closed = means.registry.closed(&self.opening.log, self.head.seq, &self.head.hash);
            closed.map_err(|error| error.to_string())
        } else {
            self.cut().map_err(|error| error.to_string()).and_then(|()| {
                let log = self.resume(means.clone(), now).map_err(|error| error.to_string())?;
                log.close(now).map_err(|error| error.to_string())
            })
        };
        Some(ended.map_or_else(RecoveryOutcome::Failed, |()| healed))
    }

    fn record(&self, now: DateTime<Utc>) -> Record {
        let mut detail = Map::from_iter([
            ("registered-seq".to_owned(), Value::from(self.registered)),
            ("found-seq".to_owned(), Value::from(self.head.seq)),
        ]);
        if let Some(torn) = &self.torn {
            let kept = torn.get(..KEPT).unwrap_or(torn);
            detail.insert("torn-bytes".to_owned(), Value::from(torn.len()));
            detail.insert("torn".to_owned(), Value::from(encode(kept)));
        }
        Record::new(Kind::Recovered, "", now)
            .reason("the log had no owner; records of the last moments before may be missing")
            .detail(detail)
    }
}
