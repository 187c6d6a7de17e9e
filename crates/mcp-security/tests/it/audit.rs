//! What is recorded, and what the figures say of it.

use mcp_security::RequestError;
use mcp_security::audit::{Durability, Kind, Reader};
use mcp_security::kernel::{IssueError, RevokeError};
use mcp_security::prelude::*;
use serde_json::{Map, json};

use crate::scene::{both, limited, pass_on, path_grant, read_with};

#[test]
fn the_figures_count_what_happened_since_the_opening() {
    for security in both() {
        let before = security.audit_stats().unwrap();
        assert_eq!((before.allowed, before.denied), (0, 0));
        assert_eq!(before.by_kind, [("opened", 1)].into_iter().collect());

        let root = security.request_capability(limited("agent", 2)).unwrap();
        security.delegate_capability(root.capability.id(), pass_on("sub-agent")).unwrap();
        for path in ["/srv/a", "/srv/b", "/srv/c", "/etc/d"] {
            read_with(&security, &root.evidence, path);
        }
        security.log_security_event("strange", Map::new()).unwrap();
        security.revoke_capability(root.capability.id(), "done").unwrap();
        security.checkpoint().unwrap();

        let stats = security.audit_stats().unwrap();
        assert!(stats.is_intact() && stats.report.macs_checked);
        assert_eq!((stats.allowed, stats.denied), (2, 2));
        let of = |kind| stats.by_kind.get(kind).copied();
        let kinds = ["grant", "delegation", "ruling", "security-event", "revocation"];
        assert_eq!(kinds.map(of), [1, 1, 4, 1, 1].map(Some));
        assert_eq!(of("checkpoint"), Some(stats.checkpoints));
        assert!(stats.checkpoints >= 1);
        assert_eq!(stats.by_kind.values().sum::<u64>(), stats.records);
        assert_eq!(stats.head.unwrap().seq + 1, stats.records);
        assert_eq!(stats.log, security.log().id());
        assert_eq!(stats.report.logs.len(), 1);
    }
}

#[test]
fn a_security_event_is_recorded_under_the_trace_id_that_is_returned() {
    for security in both() {
        let detail = Map::from_iter([("from".to_owned(), json!("10.0.0.1"))]);
        let trace = security.log_security_event("too many failures", detail).unwrap();
        let mut entries = Reader::open(&security.log().path()).unwrap();
        let body = entries.find_map(|entry| {
            let body = entry.unwrap().body;
            (body.trace == trace).then_some(body)
        });
        let body = body.unwrap();
        assert_eq!(body.kind, Kind::SecurityEvent);
        assert_eq!(body.reason.as_deref(), Some("too many failures"));
        assert_eq!(body.detail["from"], "10.0.0.1");
    }
}

#[test]
fn the_trace_id_of_a_call_leads_to_its_record() {
    for security in both() {
        let issued = security.request_capability(path_grant("agent", "/srv")).unwrap();
        let requests = [crate::scene::read("/etc/a")];
        let denied = security.validate_capability(&issued.evidence, &requests, ());
        let entries = Reader::open(&security.log().path()).unwrap();
        let bodies: Vec<_> = entries
            .map(|entry| entry.unwrap().body)
            .filter(|body| body.trace == denied.trace)
            .collect();
        assert_eq!(bodies.len(), 1);
        assert_eq!(bodies[0].code.as_deref(), Some("path-outside"));
        assert_eq!(bodies[0].capability, Some(issued.capability.id().to_string()));
    }
}

#[test]
fn every_durability_permits_what_it_records() {
    for durability in [Durability::Buffered, Durability::Written, Durability::Synced] {
        for security in both() {
            let security = security.with(|security| security.with_durability(durability));
            let issued = security.request_capability(path_grant("agent", "/srv")).unwrap();
            assert_eq!(read_with(&security, &issued.evidence, "/srv/a"), None);
            assert_eq!(security.audit_stats().unwrap().allowed, 1);
        }
    }
}

#[test]
fn what_cannot_be_recorded_is_not_permitted_and_not_granted_but_revoked() {
    for security in both() {
        let issued = security.request_capability(path_grant("agent", "/srv")).unwrap();
        assert_eq!(read_with(&security, &issued.evidence, "/srv/a"), None);
        security.log().close(chrono::DateTime::UNIX_EPOCH).unwrap();
        let unrecorded = read_with(&security, &issued.evidence, "/srv/a");
        assert_eq!(unrecorded, Some(DenyCode::AuditUnavailable));
        // A denial leaves with its own code.
        let outside = read_with(&security, &issued.evidence, "/etc/a");
        assert_eq!(outside, Some(DenyCode::PathOutside));
        let granted = security.request_capability(path_grant("agent", "/srv"));
        assert!(matches!(granted, Err(RequestError::Issue(IssueError::Audit(_)))));
        let delegated = security.delegate_capability(issued.capability.id(), pass_on("sub"));
        assert!(matches!(delegated, Err(RequestError::Issue(IssueError::Audit(_)))));
        assert!(security.log_security_event("", Map::new()).is_err());
        assert!(security.checkpoint().is_err());
        assert_eq!(security.list_capabilities().unwrap().len(), 1);

        let revoked = security.revoke_capability(issued.capability.id(), "");
        assert!(matches!(revoked, Err(RevokeError::Audit(_))));
        let refused = read_with(&security, &issued.evidence, "/srv/a");
        assert_eq!(refused, Some(DenyCode::CapabilityRevoked));
    }
}

#[test]
fn a_changed_byte_shows_in_the_figures() {
    for security in both() {
        let issued = security.request_capability(path_grant("agent", "/srv")).unwrap();
        read_with(&security, &issued.evidence, "/srv/a");
        assert!(security.audit_stats().unwrap().is_intact());
        let path = security.log().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.windows(5).rposition(|five| five == b"allow").unwrap();
        bytes[at] = b'b';
        std::fs::write(&path, bytes).unwrap();
        let stats = security.audit_stats().unwrap();
        assert!(!stats.is_intact());
        // Only what is good is counted.
        assert_eq!((stats.allowed, stats.by_kind.get("grant")), (0, Some(&1)));
    }
}
