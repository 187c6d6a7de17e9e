use std::fmt;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Digest, Head, LogId};

/// Where it is remembered which logs there are and how far each of them had come, apart from the
/// logs themselves: a log that is gone, or cut, or an older copy of itself, contradicts it.
///
/// `cap-store` implements it.
pub trait LogRegistry: Send + Sync + fmt::Debug {
    /// A log was created. Durable before this returns; an error if its id or its folder is known.
    ///
    /// # Errors
    /// When it cannot be remembered.
    fn created(&self, entry: &LogEntry) -> Result<(), RegistryError>;

    /// An open log has come this far, durably. A position below the registered one changes
    /// nothing; another hash for the registered one is an error, and so is a log that is unknown
    /// or closed.
    ///
    /// # Errors
    /// When it cannot be remembered.
    fn head(
        &self,
        log: &LogId,
        seq: u64,
        hash: &Digest,
        now: DateTime<Utc>,
    ) -> Result<(), RegistryError>;

    /// A log has ended here, durably. Never below the registered position.
    ///
    /// # Errors
    /// When it cannot be remembered.
    fn closed(&self, log: &LogId, seq: u64, hash: &Digest) -> Result<(), RegistryError>;

    /// All logs, in the order of their creation.
    ///
    /// # Errors
    /// When they cannot be read.
    fn entries(&self) -> Result<Vec<LogEntry>, RegistryError>;
}

/// What the registry remembers of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// The log's name.
    pub log: LogId,
    /// The node that writes it.
    pub node: String,
    /// Its folder, relative to the folder of all logs. Equal to `node` for a log that short
    /// commands share.
    pub folder: String,
    /// How far it had come.
    pub head: Head,
    /// Whether it has ended.
    pub state: LogState,
}

/// Whether a log has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogState {
    /// More may come.
    Open,
    /// Nothing may come.
    Closed,
}

/// The registry failed, or refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the registry of logs failed: {0}")]
pub struct RegistryError(pub String);

/// A registry in memory: for tests, and for one process that keeps its logs' heads elsewhere.
#[derive(Debug, Default)]
pub struct MemoryRegistry(Mutex<Vec<LogEntry>>);

impl LogEntry {
    /// Whether short commands write this log in turn.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.folder == self.node
    }
}

impl MemoryRegistry {
    /// One that knows these logs.
    #[must_use]
    pub const fn new(entries: Vec<LogEntry>) -> Self {
        Self(Mutex::new(entries))
    }

    fn advance(&self, log: &LogId, head: Head, state: LogState) -> Result<(), RegistryError> {
        let mut entries = self.0.lock();
        let entry = entries.iter_mut().find(|entry| entry.log == *log);
        let entry = entry.ok_or_else(|| refused("the log is unknown"))?;
        if entry.state == LogState::Closed {
            return Err(refused("the log is closed"));
        }
        let contradicts = head.seq == entry.head.seq && head.hash != entry.head.hash;
        if contradicts || (head.seq < entry.head.seq && state == LogState::Closed) {
            return Err(refused("the registered head says otherwise"));
        }
        if head.seq >= entry.head.seq {
            entry.head = head;
            entry.state = state;
        }
        Ok(())
    }
}

impl LogRegistry for MemoryRegistry {
    fn created(&self, entry: &LogEntry) -> Result<(), RegistryError> {
        let mut entries = self.0.lock();
        if entries.iter().any(|known| known.log == entry.log || known.folder == entry.folder) {
            return Err(refused("the log is known"));
        }
        entries.push(entry.clone());
        Ok(())
    }

    fn head(
        &self,
        log: &LogId,
        seq: u64,
        hash: &Digest,
        _now: DateTime<Utc>,
    ) -> Result<(), RegistryError> {
        self.advance(log, Head { seq, hash: *hash }, LogState::Open)
    }

    fn closed(&self, log: &LogId, seq: u64, hash: &Digest) -> Result<(), RegistryError> {
        self.advance(log, Head { seq, hash: *hash }, LogState::Closed)
    }

    fn entries(&self) -> Result<Vec<LogEntry>, RegistryError> {
        Ok(self.0.lock().clone())
    }
}

fn refused(why: &str) -> RegistryError {
    RegistryError(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registered_head_never_goes_back() {
        let registry = MemoryRegistry::default();
        let log: LogId = "0".repeat(32).parse().unwrap();
        let [a, b] = [Digest::of(b"a"), Digest::of(b"b")];
        let now = DateTime::UNIX_EPOCH;
        let entry = LogEntry {
            log,
            node: "n".into(),
            folder: "f".into(),
            head: Head { seq: 5, hash: a },
            state: LogState::Open,
        };
        assert!(registry.head(&log, 6, &a, now).is_err(), "unknown");
        registry.created(&entry).unwrap();
        assert!(registry.created(&entry).is_err());
        registry.head(&log, 4, &b, now).unwrap();
        assert_eq!(registry.entries().unwrap(), [entry]);
        assert!(registry.head(&log, 5, &b, now).is_err());
        assert!(registry.closed(&log, 4, &b).is_err());
        registry.head(&log, 6, &b, now).unwrap();
        registry.closed(&log, 7, &a).unwrap();
        assert!(registry.head(&log, 8, &a, now).is_err());
        let entries = registry.entries().unwrap();
        assert_eq!(entries[0].head, Head { seq: 7, hash: a });
        assert_eq!(entries[0].state, LogState::Closed);
    }
}
