//! Follows the lines of a log from its beginning or from its registered head to its end.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};

use serde::Serialize;
use thiserror::Error;

use crate::chain::Chain;
use crate::line::{MAX_LINE, Reason, parse_line};
use crate::reader::{BadRecord, Lines};
use crate::{Head, LogEntry, LogState, VerifyKeys};

/// What is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LogFault {
    /// The log is registered, and not there.
    #[error("the log is missing")]
    Missing,
    /// The log is there, and not registered.
    #[error("the log is not registered")]
    Unregistered,
    /// The log cannot be read.
    #[error("the log cannot be read: {0}")]
    Unreadable(String),
    /// The log ends before its registered head: records were cut off, or it is an older copy.
    #[error("the log ends before record {registered}, which is registered")]
    Behind {
        /// The number of the registered record.
        registered: u64,
        /// The number of the last record that is there.
        found: Option<u64>,
    },
    /// The log has another record where its registered head was.
    #[error("record {seq} is not the one that is registered")]
    HeadMismatch {
        /// The number of the registered record.
        seq: u64,
    },
    /// The log goes on after the record with which it was closed.
    #[error("the log was closed with record {registered}, and goes on to {found}")]
    PastClose {
        /// The number of the registered record.
        registered: u64,
        /// The number of the last record that is there.
        found: u64,
    },
    /// A record is bad.
    #[error(transparent)]
    Bad(#[from] BadRecord),
}

impl From<io::Error> for LogFault {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// What was found in a log.
#[derive(Debug)]
pub(crate) struct Scan<'k> {
    /// Everything that was accepted.
    pub(crate) chain: Chain<'k>,
    /// The byte after the last line that was accepted.
    pub(crate) end: u64,
    /// The last line, if it is not all there.
    pub(crate) torn: Option<Torn>,
    fault: Option<LogFault>,
    against_registry: Option<LogFault>,
}

/// A line that is not all there.
#[derive(Debug)]
pub(crate) struct Torn {
    pub(crate) bytes: Vec<u8>,
    at: BadRecord,
}

impl<'k> Scan<'k> {
    /// All of a log.
    pub(crate) fn whole(
        from: impl BufRead,
        registered: Option<&LogEntry>,
        keys: &'k VerifyKeys,
    ) -> Self {
        Self::run(Lines::new(from), Chain::new(keys), registered)
    }

    /// What a log has after its registered head, which is near its end.
    pub(crate) fn tail(
        file: &mut File,
        registered: &LogEntry,
        keys: &'k VerifyKeys,
    ) -> Result<Self, LogFault> {
        let offset = after_head(file, registered)?;
        let mismatch = LogFault::HeadMismatch { seq: registered.head.seq };
        let chain = Chain::resume(keys, registered).ok_or(mismatch)?;
        file.seek(SeekFrom::Start(offset))?;
        let lines = Lines::starting_at(BufReader::new(file), chain.next() + 1, offset);
        Ok(Self::run(lines, chain, Some(registered)))
    }

    /// Why the log must not be continued, if it is so. A torn last line is no reason.
    pub(crate) fn fault(&self) -> Option<LogFault> {
        self.fault.clone().or_else(|| self.against_registry.clone()).or_else(|| {
            let empty = self.chain.opening().is_none();
            let reason = Reason::Opening;
            empty.then_some(LogFault::Bad(BadRecord { seq: 0, line: 1, offset: 0, reason }))
        })
    }

    /// Why the log is not intact, if it is so.
    pub(crate) fn fault_or_torn(&self) -> Option<LogFault> {
        let torn = self.torn.as_ref().map(|torn| LogFault::Bad(torn.at.clone()));
        self.fault.clone().or(torn).or_else(|| self.fault())
    }

    fn run(
        mut lines: Lines<impl BufRead>,
        mut chain: Chain<'k>,
        registered: Option<&LogEntry>,
    ) -> Self {
        let mut end = lines.end();
        let fault = loop {
            match lines.next() {
                Err(error) => break Some(error.into()),
                Ok(None) => break None,
                Ok(Some(line)) => {
                    if let Err(bad) = line.parse(|bytes| accept(&mut chain, bytes, registered)) {
                        break Some(bad.into());
                    }
                    if let Some(mismatch) = mismatch(&chain, registered) {
                        break Some(mismatch);
                    }
                    end = lines.end();
                }
            }
        };
        let torn = lines.torn().filter(|_| fault.is_none());
        let torn = torn.map(|at| Torn { bytes: lines.rest().to_vec(), at });
        let against_registry = registered.and_then(|entry| against(&chain, entry));
        Self { chain, end, torn, fault, against_registry }
    }
}

fn accept(chain: &mut Chain<'_>, line: &[u8], registered: Option<&LogEntry>) -> Result<(), Reason> {
    chain.accept(line)?;
    match (registered, chain.opening()) {
        (Some(entry), Some(opening)) if entry.log != opening.log || entry.node != opening.node => {
            Err(Reason::WrongLog)
        }
        _ => Ok(()),
    }
}

/// Whether the line just accepted is the registered one, and another.
fn mismatch(chain: &Chain<'_>, registered: Option<&LogEntry>) -> Option<LogFault> {
    let registered = registered?.head;
    let head = chain.head()?;
    (head.seq == registered.seq && head.hash != registered.hash)
        .then_some(LogFault::HeadMismatch { seq: head.seq })
}

/// Whether the log ends where the registry does not have it end.
fn against(chain: &Chain<'_>, entry: &LogEntry) -> Option<LogFault> {
    let registered = entry.head.seq;
    match chain.head() {
        Some(Head { seq: found, .. }) if found >= registered => {
            let past = found > registered && entry.state == LogState::Closed;
            past.then_some(LogFault::PastClose { registered, found })
        }
        found => Some(LogFault::Behind { registered, found: found.map(|head| head.seq) }),
    }
}

/// The byte after the line of the registered head, looked for from the end of the log backwards.
fn after_head(file: &mut File, registered: &LogEntry) -> Result<u64, LogFault> {
    let length = file.metadata()?.len();
    let mut window = 64 * 1024;
    loop {
        let start = length.saturating_sub(window);
        match look_from(file, start, registered.head.seq)? {
            Some((head, end)) if head == registered.head => return Ok(end),
            Some((head, _)) => return Err(LogFault::HeadMismatch { seq: head.seq }),
            None if start == 0 => {
                return Err(LogFault::Behind { registered: registered.head.seq, found: None });
            }
            None => window = window.saturating_mul(4),
        }
    }
}

/// The line of record `seq` among those that begin after `start`, and the byte after it.
fn look_from(file: &mut File, start: u64, seq: u64) -> io::Result<Option<(Head, u64)>> {
    file.seek(SeekFrom::Start(start))?;
    let mut from = BufReader::new(file);
    let mut offset = start;
    if start > 0 {
        let most = u64::try_from(MAX_LINE).unwrap_or(u64::MAX).saturating_add(1);
        let skipped = from.by_ref().take(most).skip_until(b'\n')?;
        offset = offset.saturating_add(u64::try_from(skipped).unwrap_or(u64::MAX));
    }
    let mut lines = Lines::starting_at(from, 1, offset);
    while let Some(line) = lines.next()? {
        // What does not read is none of ours to judge here: the chain after the head is followed
        // line by line, and all of the log by `verify`.
        match line.parse(parse_line) {
            Ok(entry) if entry.seq == seq => {
                return Ok(Some((Head { seq, hash: entry.hash }, lines.end())));
            }
            Ok(entry) if entry.seq > seq => return Ok(None),
            _ => {}
        }
    }
    Ok(None)
}
