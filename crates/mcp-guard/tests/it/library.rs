//! The state as the libraries see it: for what must be done fast, or seen from beside the program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_audit::{AuditLog, Body, Keys, LogRegistry, Reader, Report, logs, verify};
use cap_core::{Capability, Constraints, Operations, RateLimit, ResourceType, RootGrant};
use cap_crypto::{MacKeyring, OsRandom, Purpose, SigningKeyring};
use cap_kernel::Kernel;
use cap_store::SqliteStore;
use chrono::{DateTime, Utc};

/// Seconds of the longest period of a limit.
const PERIOD: u64 = 366 * 24 * 3600;

pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

/// A state folder that a guard has opened before.
pub(crate) struct Library {
    folder: PathBuf,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) kernel: Kernel,
    keys: Keys,
}

impl Library {
    pub(crate) fn open(folder: &Path) -> Self {
        let keys = folder.join("keys");
        let mac = |purpose| MacKeyring::open_or_create(&keys, purpose, &OsRandom, now()).unwrap();
        let signer = SigningKeyring::open_or_create(&keys, Purpose::AuditSign, &OsRandom, now());
        let store = Arc::new(SqliteStore::open(folder).unwrap());
        let macs = mac(Purpose::CapabilityMac);
        Self {
            folder: folder.to_owned(),
            kernel: Kernel::open(store.clone(), macs, None, Arc::new(OsRandom)).unwrap(),
            store,
            keys: Keys { mac: Arc::new(mac(Purpose::AuditMac)), signer: Arc::new(signer.unwrap()) },
        }
    }

    /// A log of this process alone.
    pub(crate) fn log(&self, node: &str) -> AuditLog {
        let folder = self.folder.join("audit");
        let registry: Arc<dyn LogRegistry> = self.store.clone();
        AuditLog::create(&folder, node, self.keys.clone(), registry, &OsRandom, now()).unwrap()
    }

    pub(crate) fn verify(&self) -> Report {
        let keys = self.keys.verify_keys();
        verify(&self.folder.join("audit"), &*self.store, &keys).unwrap()
    }

    #[track_caller]
    pub(crate) fn assert_intact(&self) {
        let report = self.verify();
        let faults: BTreeMap<_, _> =
            report.faults().map(|(log, fault)| (&log.folder, fault.to_string())).collect();
        assert!(faults.is_empty(), "{faults:?}");
    }

    /// What all logs hold, each in its order.
    pub(crate) fn records(&self) -> Vec<Body> {
        let files = logs(&self.folder.join("audit")).unwrap();
        let entries = files.iter().flat_map(|file| Reader::open(file).unwrap());
        entries.map(|entry| entry.unwrap().body).collect()
    }

    /// The capabilities of sessions, and how they stand.
    pub(crate) fn of_sessions(&self) -> Vec<cap_kernel::Standing> {
        let all = self.kernel.list(now()).unwrap();
        all.into_iter().filter(|standing| standing.session.is_some()).collect()
    }

    pub(crate) fn grant(&self, grant: RootGrant, log: &AuditLog) -> Arc<Capability> {
        self.kernel.grant(grant, None, log, now()).unwrap()
    }
}

/// Everything, for `principal`.
pub(crate) fn everything(principal: &str) -> RootGrant {
    RootGrant {
        principal: principal.parse().unwrap(),
        resource_type: ResourceType::Any,
        resource: "*".into(),
        operations: Operations::ALL,
        constraints: Constraints::default(),
        expires_at: None,
    }
}

/// At most `max` calls, in a period of 366 days counted from the epoch of Unix.
pub(crate) fn limited(principal: &str, max: u64) -> RootGrant {
    let rate_limit = Some(RateLimit::new(max, PERIOD));
    RootGrant {
        constraints: Constraints { rate_limit, ..Constraints::default() },
        ..everything(principal)
    }
}
