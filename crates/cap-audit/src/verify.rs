use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use thiserror::Error;

use crate::place::Place;
use crate::scan::{LogFault, Scan};
use crate::{Head, LogEntry, LogId, LogRegistry, LogState, RegistryError, VerifyKeys};

/// Something that looks wrong may be something that a writer is about to finish: the last line of
/// a log, the registration of a new one, the healing of a torn one. So it is looked at again.
const LOOKS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(50);

/// What [`verify`] found.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Every log that is there or registered, in the order of their folders' names.
    pub logs: Vec<LogReport>,
    /// Whether MACs were checked; without the MAC keys they were not, and whoever can write to
    /// the folder could have written the records after each last checkpoint.
    pub macs_checked: bool,
}

/// What was found of one log.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct LogReport {
    /// Its folder, relative to the folder of all logs.
    pub folder: String,
    /// Its name.
    pub log: Option<LogId>,
    /// The node that writes it.
    pub node: Option<String>,
    /// Whether it has ended, or more may come.
    pub state: LogState,
    /// Good records, checkpoints included: all up to the fault, if there is one.
    pub records: u64,
    /// Signatures among them.
    pub checkpoints: u64,
    /// Good records after the last signature.
    pub unsigned: u64,
    /// The last good record.
    pub head: Option<Head>,
    /// What is wrong, if something is.
    pub fault: Option<LogFault>,
}

/// Why logs could not be verified at all.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// It is not known which logs there should be.
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

impl Report {
    /// Whether nothing is wrong with any log.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.faults().next().is_none()
    }

    /// The logs with which something is wrong.
    pub fn faults(&self) -> impl Iterator<Item = (&LogReport, &LogFault)> {
        self.logs.iter().filter_map(|log| Some((log, log.fault.as_ref()?)))
    }
}

/// Verifies every log in a folder, and that every registered log is there. Logs that are being
/// written meanwhile are fine.
///
/// Found are: a missing or an unregistered log; one that ends before its registered head or has
/// another record there; and in each log the first record that is not byte for byte what its
/// owner wrote in that place.
///
/// Not found are records cut off after the registered head of a log that was never closed.
///
/// # Errors
/// [`VerifyError`]: nothing could be verified. What is wrong with a log is in the report.
pub fn verify(
    folder: &Path,
    registry: &dyn LogRegistry,
    keys: &VerifyKeys,
) -> Result<Report, VerifyError> {
    let mut registered = registry.entries()?;
    let places = Place::all(folder)
        .map_err(|source| VerifyError::Folder { path: folder.to_owned(), source })?;
    for _ in 1..LOOKS {
        if places.iter().all(|place| entry_of(&registered, place.name()).is_some()) {
            break;
        }
        thread::sleep(PAUSE);
        add_new(&mut registered, registry.entries()?);
    }
    let mut logs: Vec<LogReport> = places
        .iter()
        .map(|place| verify_place(place, entry_of(&registered, place.name()), keys))
        .collect();
    let gone = |entry: &&LogEntry| places.iter().all(|place| place.name() != entry.folder);
    logs.extend(registered.iter().filter(gone).map(LogReport::missing));
    logs.sort_by(|one, other| one.folder.cmp(&other.folder));
    Ok(Report { logs, macs_checked: keys.check_macs() })
}

/// Verifies the bytes of one log, which nobody is writing. `registered` is what the registry knows
/// of it, if it does.
#[must_use]
pub fn verify_bytes(log: &[u8], registered: Option<&LogEntry>, keys: &VerifyKeys) -> LogReport {
    let scan = Scan::whole(log, registered, keys);
    let folder = registered.map_or("", |entry| &entry.folder);
    LogReport::of(folder, registered, &scan)
}

fn verify_place(place: &Place, registered: Option<&LogEntry>, keys: &VerifyKeys) -> LogReport {
    let mut report = look(place, registered, keys);
    for _ in 1..LOOKS {
        if report.fault.is_none() {
            break;
        }
        thread::sleep(PAUSE);
        report = look(place, registered, keys);
    }
    if registered.is_none() {
        report.fault = report.fault.or(Some(LogFault::Unregistered));
    }
    report
}

fn look(place: &Place, registered: Option<&LogEntry>, keys: &VerifyKeys) -> LogReport {
    match File::open(place.log()) {
        Ok(file) => {
            let scan = Scan::whole(BufReader::new(file), registered, keys);
            LogReport::of(place.name(), registered, &scan)
        }
        Err(error) => LogReport::unread(place.name(), registered, LogFault::from(error)),
    }
}

impl LogReport {
    fn of(folder: &str, registered: Option<&LogEntry>, scan: &Scan<'_>) -> Self {
        let opening = scan.chain.opening();
        let state = if scan.chain.closed { LogState::Closed } else { LogState::Open };
        Self {
            log: opening.map(|opening| opening.log),
            node: opening.map(|opening| opening.node.clone()),
            state,
            records: scan.chain.next(),
            checkpoints: scan.chain.checkpoints,
            unsigned: scan.chain.unsigned,
            head: scan.chain.head(),
            ..Self::unread(folder, registered, scan.fault_or_torn())
        }
    }

    fn missing(entry: &LogEntry) -> Self {
        Self::unread(&entry.folder, Some(entry), LogFault::Missing)
    }

    fn unread(
        folder: &str,
        registered: Option<&LogEntry>,
        fault: impl Into<Option<LogFault>>,
    ) -> Self {
        Self {
            folder: folder.to_owned(),
            log: registered.map(|entry| entry.log),
            node: registered.map(|entry| entry.node.clone()),
            state: registered.map_or(LogState::Open, |entry| entry.state),
            records: 0,
            checkpoints: 0,
            unsigned: 0,
            head: None,
            fault: fault.into(),
        }
    }
}

pub(crate) fn entry_of<'e>(registered: &'e [LogEntry], folder: &str) -> Option<&'e LogEntry> {
    registered.iter().find(|entry| entry.folder == folder)
}

/// SECURITY: heads of logs that were known before stay as they were read before the files were:
/// a later head may be of a record that was written after its file was read.
fn add_new(registered: &mut Vec<LogEntry>, later: Vec<LogEntry>) {
    for entry in later {
        if entry_of(registered, &entry.folder).is_none() {
            registered.push(entry);
        }
    }
}
