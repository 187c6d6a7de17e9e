//! One folder: several programs, restarts, and what those leave that were killed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use mcp_security::OpenError;
use mcp_security::audit::{AuditLog, Keys, LogState};
use mcp_security::crypto::{MacKeyring, OsRandom, Purpose, SigningKeyring};
use mcp_security::kernel::StateStore;
use mcp_security::prelude::*;
use mcp_security::store::SqliteStore;
use mcp_security::token::Issuer;
use tempfile::TempDir;

use crate::scene::{limited, pass_on, path_grant, read_with};

const REVOKED: Option<DenyCode> = Some(DenyCode::CapabilityRevoked);

const fn is_shared_by_threads<T: Send + Sync>() {}
const _: () = is_shared_by_threads::<Security>();

/// For its owner alone.
struct StateFolder {
    path: PathBuf,
    _temporary: TempDir,
}

impl StateFolder {
    fn path(&self) -> &Path {
        &self.path
    }
}

fn state_folder() -> StateFolder {
    let temporary = tempfile::tempdir().unwrap();
    StateFolder { path: temporary.path().join("state"), _temporary: temporary }
}

fn open(folder: &Path) -> Security {
    Security::open(folder).unwrap()
}

#[test]
fn two_programs_in_one_folder_see_each_others_grants_and_revocations() {
    let folder = state_folder();
    let (one, other) = (open(folder.path()), open(folder.path()));
    for _ in 0..20 {
        let root = one.request_capability(path_grant("agent", "/srv")).unwrap();
        let sub = other.delegate_capability(root.capability.id(), pass_on("sub-agent")).unwrap();
        for security in [&one, &other] {
            assert_eq!(read_with(security, &root.evidence, "/srv/a"), None);
            assert_eq!(read_with(security, &sub.evidence, "/srv/a"), None);
        }
        other.revoke_capability(root.capability.id(), "done").unwrap();
        assert_eq!(read_with(&one, &sub.evidence, "/srv/a"), REVOKED);
        assert_eq!(read_with(&one, &root.evidence, "/srv/a"), REVOKED);
    }
    let stats = one.audit_stats().unwrap();
    assert!(stats.is_intact());
    assert_eq!((stats.report.logs.len(), stats.allowed), (2, 40));
}

#[test]
fn two_programs_in_one_folder_share_a_limit() {
    let folder = state_folder();
    let (one, other) = (open(folder.path()), open(folder.path()));
    let issued = one.request_capability(limited("agent", 20)).unwrap();
    let permitted = (0..60)
        .filter(|n| {
            let security = if n % 2 == 0 { &one } else { &other };
            read_with(security, &issued.evidence, "/srv/a").is_none()
        })
        .count();
    assert_eq!(permitted, 20);
}

#[test]
fn a_restart_forgets_nothing() {
    let folder = state_folder();
    let security = open(folder.path());
    let standing = security.request_capability(limited("agent", 8)).unwrap();
    let revoked = security.request_capability(path_grant("agent", "/srv")).unwrap();
    security.revoke_capability(revoked.capability.id(), "done").unwrap();
    for _ in 0..5 {
        assert_eq!(read_with(&security, &standing.evidence, "/srv/a"), None);
    }
    security.close().unwrap();

    let security = open(folder.path());
    assert_eq!(read_with(&security, &revoked.evidence, "/srv/a"), REVOKED);
    for _ in 0..3 {
        assert_eq!(read_with(&security, &standing.evidence, "/srv/a"), None);
    }
    let reached = read_with(&security, &standing.evidence, "/srv/a");
    assert_eq!(reached, Some(DenyCode::LimitRate));
    let stats = security.audit_stats().unwrap();
    assert!(stats.is_intact());
    let states: Vec<_> = stats.report.logs.iter().map(|log| log.state).collect();
    assert_eq!(states.iter().filter(|state| **state == LogState::Closed).count(), 1);
    assert_eq!(states.len(), 2);
}

#[test]
fn dropping_ends_the_log_as_closing_does() {
    let folder = state_folder();
    let first = open(folder.path());
    let (closed, path) = (first.log().id(), first.log().path());
    first.close().unwrap();
    let second = open(folder.path());
    let dropped = second.log().id();
    drop(second);
    let last = std::fs::read_to_string(path).unwrap();
    assert!(last.lines().last().unwrap().contains(r#""kind":"closed""#));

    let third = open(folder.path());
    let report = third.audit_stats().unwrap().report;
    assert!(report.is_intact());
    for id in [closed, dropped] {
        let log = report.logs.iter().find(|log| log.log == Some(id)).unwrap();
        assert_eq!((log.state, log.unsigned), (LogState::Closed, 0));
    }
}

#[test]
fn what_was_in_memory_is_gone_when_it_is_dropped() {
    let security = Security::in_memory().unwrap();
    let path = security.log().path();
    assert!(path.exists());
    security.close().unwrap();
    assert!(!path.exists() && !path.parent().unwrap().exists());
}

#[test]
fn what_killed_programs_have_left_is_ended_by_the_next_opening() {
    let folder = state_folder();
    open(folder.path()).close().unwrap();
    let keys = folder.path().join("keys");
    let now: DateTime<Utc> = "2026-11-21T12:00:00Z".parse().unwrap();
    let log_keys = Keys {
        mac: Arc::new(MacKeyring::open(&keys, Purpose::AuditMac).unwrap()),
        signer: Arc::new(SigningKeyring::open(&keys, Purpose::AuditSign).unwrap()),
    };
    // A log that is not closed, and a session whose lock nobody holds any more.
    let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
    let audit = folder.path().join("audit");
    let log = AuditLog::create(&audit, "killed", log_keys, store.clone(), &OsRandom, now).unwrap();
    let left = log.id();
    let kernel = mcp_security::kernel::Kernel::open(
        store.clone(),
        MacKeyring::open(&keys, Purpose::CapabilityMac).unwrap(),
        None,
        Arc::new(OsRandom),
    )
    .unwrap();
    let session = kernel.new_id(now).unwrap();
    store.open_session(session, now + TimeDelta::days(36_500)).unwrap();
    let granted = kernel.grant(path_grant("agent", "/srv"), Some(session), &log, now).unwrap();
    assert_eq!(kernel.find(granted.id(), now).unwrap().unwrap().refused, None);
    drop((kernel, log, store));

    let security = open(folder.path());
    let listed = security.list_capabilities().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].refused, REVOKED);
    let stats = security.audit_stats().unwrap();
    assert!(stats.is_intact());
    assert_eq!(stats.by_kind.get("revocation"), Some(&1));
    let log = stats.report.logs.iter().find(|log| log.log == Some(left)).unwrap();
    assert_eq!(log.state, LogState::Closed);
    // Once is enough.
    security.close().unwrap();
    let again = open(folder.path()).audit_stats().unwrap();
    assert_eq!(again.by_kind.get("revocation"), None);
}

#[test]
fn tokens_of_the_folders_own_guard_are_evidence() {
    let folder = state_folder();
    let security = open(folder.path());
    let issued = security.request_capability(path_grant("agent", "/srv")).unwrap();
    let keys = SigningKeyring::open(&folder.path().join("keys"), Purpose::TokenSign).unwrap();
    let token = |issuer: &str| {
        let text = Issuer::new(issuer, "mcp-guard:local", &keys).issue(
            &issued.capability,
            &[],
            Duration::from_secs(3600),
            &OsRandom,
            issued.capability.issued_at(),
        );
        Evidence::from_text(&text.unwrap())
    };
    assert_eq!(read_with(&security, &token("mcp-guard:local"), "/srv/a"), None);
    let foreign = read_with(&security, &token("somebody"), "/srv/a");
    assert_eq!(foreign, Some(DenyCode::EvidenceInvalid));
    security.revoke_capability(issued.capability.id(), "").unwrap();
    assert_eq!(read_with(&security, &token("mcp-guard:local"), "/srv/a"), REVOKED);
}

#[test]
fn what_is_no_state_is_not_opened() {
    let folder = state_folder();
    open(folder.path()).close().unwrap();
    let damaged = folder.path().join("keys/capability-mac.json");
    std::fs::write(&damaged, "{}").unwrap();
    assert!(matches!(Security::open(folder.path()), Err(OpenError::Keys(_))));
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(Security::open(&file), Err(OpenError::Open(_))));
}

#[cfg(unix)]
#[test]
fn a_folder_that_others_can_write_to_is_not_opened() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = state_folder();
    open(folder.path()).close().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(Security::open(folder.path()).is_err());
}
