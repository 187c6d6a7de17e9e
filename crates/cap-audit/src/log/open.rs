//! Creating a log, and continuing one that short commands share.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use cap_crypto::{RandomError, SecureRandom};
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use thiserror::Error;

use super::recover::Left;
use super::{AppendError, AuditLog, Ownership, Writer};
use crate::chain::{Opening, link};
use crate::line::write_line;
use crate::place::{Patience, Place};
use crate::verify::entry_of;
use crate::{Digest, Head, Keys, LogEntry, LogFault, LogId, LogRegistry, LogState, RegistryError};

/// Why a log could not be created or continued.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The name of the node would not do as the name of a folder.
    #[error(
        "the name of a node is 1 to 64 letters, digits, hyphens, underscores and dots, and begins with a letter or digit"
    )]
    Node,
    /// Other commands held the log for longer than 5 seconds.
    #[error("the log `{}` is in use", .0.display())]
    Busy(PathBuf),
    /// Creating, opening or locking failed.
    #[error("cannot {action} the log `{}`", path.display())]
    Io {
        /// What was being done: `create`, `open`, `lock`, …
        action: &'static str,
        /// The log.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// What is there does not continue what is registered. Nothing was changed.
    #[error("the log `{}` must not be continued: {fault}", path.display())]
    Untrusted {
        /// The log.
        path: PathBuf,
        /// What is wrong with it.
        fault: LogFault,
    },
    /// The last command left half a line, and the record that says so could not be written.
    #[error("the torn log could not be healed")]
    Heal(#[from] AppendError),
    /// The random source failed.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The registry failed. A log that it does not know is not written to.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// What a log is written with.
#[derive(Clone)]
pub(super) struct Means {
    pub(super) keys: Keys,
    pub(super) registry: Arc<dyn LogRegistry>,
}

impl AuditLog {
    /// Creates a log of this process alone, in `<folder>/<node>-<log id>/log.jsonl` (folder 0700,
    /// file 0600), and registers it. Its first record is on the disk before this returns, and
    /// names the last log that is registered for `node`, if there is one.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn create(
        folder: &Path,
        node: &str,
        keys: Keys,
        registry: Arc<dyn LogRegistry>,
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> Result<Self, OpenError> {
        check_node(node)?;
        let opening = Opening { log: LogId::random(random)?, node: node.to_owned() };
        let place = Place::new(folder, &opening.own_folder());
        let lock = lock(&place, Patience::None)?;
        Means { keys, registry }.create(place, lock, &opening, now)
    }

    /// Opens the log that short commands of this node share, `<folder>/<node>/log.jsonl`, or
    /// creates it. Waits up to 5 seconds for the commands before; they wait until this value is
    /// closed or dropped. What is there must continue the registered head; half a last line is
    /// cut, and a record says so.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_shared(
        folder: &Path,
        node: &str,
        keys: Keys,
        registry: Arc<dyn LogRegistry>,
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> Result<Self, OpenError> {
        check_node(node)?;
        let place = Place::new(folder, node);
        let lock = lock(&place, Patience::Bounded)?;
        let means = Means { keys, registry };
        let entries = means.registry.entries()?;
        match entry_of(&entries, node) {
            None if !place.has_log() => {
                let opening = Opening { log: LogId::random(random)?, node: node.to_owned() };
                means.create(place, lock, &opening, now)
            }
            registered => means.reopen(place, lock, registered, now),
        }
    }
}

impl Means {
    fn create(
        self,
        place: Place,
        lock: File,
        opening: &Opening,
        now: DateTime<Utc>,
    ) -> Result<AuditLog, OpenError> {
        let entries = self.registry.entries()?;
        let previous = entries.iter().rev().find(|entry| entry.node == opening.node);
        let sealed = opening.record(&self.keys, previous, now).seal();
        let (hash, mac) = link(&self.keys, &opening.log, 0, &Digest::NONE, &sealed);
        let mut line = Vec::new();
        write_line(&mut line, 0, &Digest::NONE, &sealed, &hash, &mac);
        let file = place.create_log(&line).map_err(failed("create", &place))?;
        let head = Head { seq: 0, hash };
        self.register(&place, opening, head)?;
        Ok(self.attach(place, lock, file, opening, head, now))
    }

    fn reopen(
        self,
        place: Place,
        lock: File,
        registered: Option<&LogEntry>,
        now: DateTime<Utc>,
    ) -> Result<AuditLog, OpenError> {
        if registered.is_some_and(|entry| entry.state == LogState::Closed) {
            return Err(RegistryError("the shared log is closed".to_owned()).into());
        }
        let path = place.log();
        let left = Left::examine(place, lock, registered, &self.keys)
            .map_err(|fault| OpenError::Untrusted { path, fault })?;
        if registered.is_none() {
            self.register(&left.place, &left.opening, left.head)?;
        }
        if left.torn.is_none() {
            return Ok(self.attach(
                left.place,
                left.lock,
                left.file,
                &left.opening,
                left.head,
                now,
            ));
        }
        left.cut().map_err(failed("heal", &left.place))?;
        Ok(left.resume(self, now)?)
    }

    /// Registers a log that was just created.
    pub(super) fn register(
        &self,
        place: &Place,
        opening: &Opening,
        head: Head,
    ) -> Result<(), RegistryError> {
        self.registry.created(&LogEntry {
            log: opening.log,
            node: opening.node.clone(),
            folder: place.name().to_owned(),
            head,
            state: LogState::Open,
        })
    }

    /// The log that goes on after `head`, its last line.
    pub(super) fn attach(
        self,
        place: Place,
        lock: File,
        file: File,
        opening: &Opening,
        head: Head,
        now: DateTime<Utc>,
    ) -> AuditLog {
        let shared = opening.is_shared_in(place.name());
        AuditLog {
            id: opening.log,
            ownership: if shared { Ownership::Shared } else { Ownership::Own },
            place,
            keys: self.keys,
            registry: self.registry,
            lock,
            file,
            writer: Mutex::new(Writer::after(head, now)),
            sync_turn: Mutex::new(()),
            registered: Mutex::new(None),
            broken: OnceLock::new(),
        }
    }
}

fn lock(place: &Place, patience: Patience) -> Result<File, OpenError> {
    place.create_folder().map_err(failed("create", place))?;
    let lock = place.lock(patience).map_err(failed("lock", place))?;
    lock.ok_or_else(|| OpenError::Busy(place.log()))
}

fn failed(action: &'static str, place: &Place) -> impl FnOnce(io::Error) -> OpenError + use<> {
    let path = place.log();
    move |source| OpenError::Io { action, path, source }
}

fn check_node(node: &str) -> Result<(), OpenError> {
    let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let begins_well = node.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if begins_well && node.len() <= 64 && node.bytes().all(may_stand) {
        Ok(())
    } else {
        Err(OpenError::Node)
    }
}
