//! A folder of logs with its keys and its registry.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_audit::{
    AuditLog, Decision, Durability, Entry, Keys, Kind, LogEntry, LogFault, LogRegistry,
    MemoryRegistry, Reader, Record, Report, verify,
};
use cap_crypto::{MacKeyring, OsRandom, Purpose, SigningKeyring};
use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;

pub(crate) struct Scene {
    dir: Arc<TempDir>,
    pub(crate) keys: Keys,
    pub(crate) registry: Arc<dyn LogRegistry>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self {
            dir: Arc::new(tempfile::tempdir().unwrap()),
            keys: keys(),
            registry: Arc::new(MemoryRegistry::default()),
        }
    }

    /// The same folder and keys under another registry, which knows nothing.
    pub(crate) fn forgotten(&self) -> Self {
        Self {
            dir: Arc::clone(&self.dir),
            keys: self.keys.clone(),
            registry: Arc::new(MemoryRegistry::default()),
        }
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.dir.path().join("audit")
    }

    pub(crate) fn log(&self) -> AuditLog {
        let registry = Arc::clone(&self.registry);
        AuditLog::create(&self.folder(), "guard", self.keys.clone(), registry, &OsRandom, at(0))
            .unwrap()
    }

    pub(crate) fn entries(&self) -> Vec<LogEntry> {
        self.registry.entries().unwrap()
    }

    pub(crate) fn verify(&self) -> Report {
        verify(&self.folder(), &*self.registry, &self.keys.verify_keys()).unwrap()
    }

    /// The only fault that there is.
    pub(crate) fn fault(&self) -> LogFault {
        let report = self.verify();
        let faults: Vec<_> = report.faults().collect();
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults[0].1.clone()
    }

    pub(crate) fn assert_intact(&self) {
        let report = self.verify();
        assert!(report.is_intact(), "{report:#?}");
    }
}

pub(crate) fn keys() -> Keys {
    Keys {
        mac: Arc::new(MacKeyring::ephemeral(Purpose::AuditMac, &OsRandom).unwrap()),
        signer: Arc::new(SigningKeyring::ephemeral(Purpose::AuditSign, &OsRandom).unwrap()),
    }
}

/// Milliseconds after some beginning.
pub(crate) fn at(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_788_168_600, 0).unwrap() + TimeDelta::milliseconds(millis)
}

pub(crate) fn ruling(trace: &str) -> Record {
    Record::new(Kind::Ruling, trace, at(1))
        .principal("agent")
        .server("files")
        .tool("read_file")
        .decision(Decision::Allow)
}

/// Appends a ruling and tells its number.
pub(crate) fn append(log: &AuditLog, trace: &str) -> u64 {
    log.append(ruling(trace), Durability::Written).unwrap().index()
}

pub(crate) fn read(log: &Path) -> Vec<Entry> {
    Reader::open(log).unwrap().map(Result::unwrap).collect()
}

pub(crate) fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}
