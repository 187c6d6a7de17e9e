use std::collections::BTreeMap;
use std::io;

use cap_audit::{AppendError, Decision, Head, Kind, LogId, ReadError, Reader, Report, VerifyError};

use super::Security;

/// What is in the log of this [`Security`] since it was opened, and whether all logs of its folder
/// are what their writers wrote.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuditStats {
    /// The log's name.
    pub log: LogId,
    /// Its records, those of its opening and its checkpoints included.
    pub records: u64,
    /// Signatures among them.
    pub checkpoints: u64,
    /// Its last record.
    pub head: Option<Head>,
    /// Its records by the name of their kind: `grant`, `ruling`, …
    pub by_kind: BTreeMap<&'static str, u64>,
    /// Rulings that permitted.
    pub allowed: u64,
    /// Rulings that denied.
    pub denied: u64,
    /// What verification found, log by log, those of other programs included.
    pub report: Report,
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatsError {
    /// The log takes nothing more.
    #[error(transparent)]
    Log(#[from] AppendError),
    /// The log could not be read.
    #[error("cannot read the log")]
    Io(#[from] io::Error),
    /// The log could be read, and is no log.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The logs could not be verified.
    #[error(transparent)]
    Verify(#[from] VerifyError),
}

impl AuditStats {
    /// Whether every log is there and none was changed.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.report.is_intact()
    }
}

impl Security {
    /// Counts the records of this log, and verifies all logs of the folder. Reads all of them: for
    /// people and tickers, not for the road of a request.
    ///
    /// # Errors
    /// When the logs cannot be read. What is wrong with one of them is in the report.
    pub fn audit_stats(&self) -> Result<AuditStats, StatsError> {
        self.log.flush()?;
        let report = cap_audit::verify(&self.logs, &*self.registry, &self.keys.verify_keys())?;
        let own = report.logs.iter().find(|log| log.log == Some(self.log.id()));
        let mut stats = AuditStats {
            log: self.log.id(),
            records: own.map_or(0, |log| log.records),
            checkpoints: own.map_or(0, |log| log.checkpoints),
            head: own.and_then(|log| log.head),
            by_kind: BTreeMap::new(),
            allowed: 0,
            denied: 0,
            report,
        };
        // What came in between verifying and counting is left for the next time.
        let records = usize::try_from(stats.records).unwrap_or(usize::MAX);
        for entry in Reader::open(&self.log.path())?.take(records) {
            let body = entry?.body;
            *stats.by_kind.entry(body.kind.as_str()).or_default() += 1;
            match (body.kind, body.decision) {
                (Kind::Ruling, Some(Decision::Allow)) => stats.allowed += 1,
                (Kind::Ruling, Some(Decision::Deny)) => stats.denied += 1,
                _ => {}
            }
        }
        Ok(stats)
    }
}
