//! Each method, end to end.

use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;

use chrono::{DateTime, TimeDelta, Utc};
use mcp_security::RequestError;
use mcp_security::capability::{DelegateError, GrantError};
use mcp_security::kernel::{IssueError, RevokeError};
use mcp_security::prelude::*;

use crate::scene::{both, limited, pass_on, path_grant, read, read_with};

const REVOKED: Option<DenyCode> = Some(DenyCode::CapabilityRevoked);

#[test]
fn a_requested_capability_permits_what_was_granted_and_gives_the_message_back() {
    for security in both() {
        let issued = security.request_capability(path_grant("agent", "/srv")).unwrap();
        assert_eq!(issued.capability.principal().as_str(), "agent");
        assert!(issued.cut.is_empty());
        let message = vec![1, 2, 3];
        let validation = security.validate_capability(&issued.evidence, &[read("/srv/a")], message);
        assert!(validation.is_permitted());
        assert_eq!((validation.trace.len(), validation.to_string()), (16, "permitted".into()));
        assert_eq!(validation.outcome.unwrap().into_message(), [1, 2, 3]);

        let validation = security.validate_capability(&issued.evidence, &[read("/etc/a")], ());
        assert_eq!(validation.denial().unwrap().code(), DenyCode::PathOutside);
        assert!(!validation.is_permitted() && validation.outcome.is_err());
    }
}

#[test]
fn what_is_no_capability_is_not_granted() {
    for security in both() {
        let refused = security.request_capability(path_grant("agent", "srv"));
        assert!(matches!(
            refused,
            Err(RequestError::Issue(IssueError::Grant(GrantError::Constraint(_))))
        ));
        assert!(security.list_capabilities().unwrap().is_empty());
    }
}

#[test]
fn evidence_is_handed_over_as_text_and_never_printed() {
    for security in both() {
        let issued = security.request_capability(path_grant("agent", "/srv")).unwrap();
        let text = issued.evidence_text().to_owned();
        assert_eq!(Evidence::from_text(&text), issued.evidence);
        assert_eq!(read_with(&security, &Evidence::from_text(&text), "/srv/a"), None);
        let secret = text.rsplit('.').next().unwrap();
        assert!(secret.len() == 43 && !format!("{issued:?} {:?}", *security).contains(secret));
        let log = std::fs::read_to_string(security.log().path()).unwrap();
        assert!(log.contains(&issued.capability.id().to_string()) && !log.contains(secret));
    }
}

#[test]
fn evidence_that_does_not_verify_is_denied_with_one_code() {
    for security in both() {
        let issued = security.request_capability(path_grant("agent", "/srv")).unwrap();
        let other = security.request_capability(path_grant("agent", "/srv")).unwrap();
        let (id, _) = issued.evidence_text().split_once('.').unwrap();
        let (_, mac) = other.evidence_text().split_once('.').unwrap();
        for text in ["", "x", "eyJ.e30.x", id, &format!("{id}.{mac}")] {
            let code = read_with(&security, &Evidence::from_text(text), "/srv/a");
            assert_eq!(code, Some(DenyCode::EvidenceInvalid));
        }
    }
}

#[test]
fn a_call_is_permitted_when_one_capability_permits_all_of_it() {
    for security in both() {
        let issued = security.request_capability(path_grant("agent", "/srv")).unwrap();
        let code = |requests: &[AccessRequest]| {
            let validation = security.validate_capability(&issued.evidence, requests, ());
            validation.denial().map(Denial::code)
        };
        assert_eq!(code(&[read("/srv/a"), read("/srv/b")]), None);
        assert_eq!(code(&[read("/srv/a"), read("/etc/b")]), Some(DenyCode::PathOutside));
        assert_eq!(code(&[]), Some(DenyCode::Internal));
    }
}

#[test]
fn a_delegated_capability_is_narrower_and_spends_from_its_parents_limit() {
    for security in both() {
        let root = security.request_capability(limited("agent", 3)).unwrap();
        let narrower = Delegation { resource: Some("/srv/public".into()), ..pass_on("sub-agent") };
        let sub = security.delegate_capability(root.capability.id(), narrower).unwrap();
        assert_eq!(sub.capability.parent(), Some(root.capability.id()));
        let outside = read_with(&security, &sub.evidence, "/srv/a");
        assert_eq!(outside, Some(DenyCode::PathOutside));
        for _ in 0..2 {
            assert_eq!(read_with(&security, &sub.evidence, "/srv/public/a"), None);
        }
        assert_eq!(read_with(&security, &root.evidence, "/srv/a"), None);
        for issued in [&root, &sub] {
            let reached = read_with(&security, &issued.evidence, "/srv/public/a");
            assert_eq!(reached, Some(DenyCode::LimitRate));
        }
    }
}

#[test]
fn a_delegation_that_asks_for_more_is_refused_or_cut() {
    for security in both() {
        let root = security.request_capability(path_grant("agent", "/srv")).unwrap();
        let id = root.capability.id();
        let wider = Delegation { resource: Some("/".into()), ..pass_on("sub-agent") };
        let refused = security.delegate_capability(id, wider.clone());
        assert!(matches!(
            refused,
            Err(RequestError::Issue(IssueError::Delegate(DelegateError::Widens(_))))
        ));
        let cut = Delegation { attenuation: Attenuation::Intersect, ..wider };
        let issued = security.delegate_capability(id, cut).unwrap();
        assert_eq!(issued.cut.len(), 1);
        assert_eq!(read_with(&security, &issued.evidence, "/srv/a"), None);
        let outside = read_with(&security, &issued.evidence, "/etc/a");
        assert_eq!(outside, Some(DenyCode::PathOutside));
        assert_eq!(security.list_capabilities().unwrap().len(), 2);
    }
}

#[test]
fn a_revoked_capability_takes_everything_below_it_and_nothing_else() {
    for security in both() {
        let root = security.request_capability(path_grant("agent", "/srv")).unwrap();
        let id = root.capability.id();
        let sub = security.delegate_capability(id, pass_on("sub-agent")).unwrap();
        let sibling = security.delegate_capability(id, pass_on("sibling")).unwrap();
        security.revoke_capability(sub.capability.id(), "no longer needed").unwrap();
        assert_eq!(read_with(&security, &sub.evidence, "/srv/a"), REVOKED);
        assert_eq!(read_with(&security, &sibling.evidence, "/srv/a"), None);
        security.revoke_capability(id, "no longer needed").unwrap();
        for issued in [&root, &sub, &sibling] {
            assert_eq!(read_with(&security, &issued.evidence, "/srv/a"), REVOKED);
        }
        let refused = security.delegate_capability(id, pass_on("late"));
        assert!(matches!(
            refused,
            Err(RequestError::Issue(IssueError::Parent(DenyCode::CapabilityRevoked)))
        ));
        let unknown = security.kernel().new_id(DateTime::UNIX_EPOCH).unwrap();
        let refused = security.revoke_capability(unknown, "");
        assert!(matches!(refused, Err(RevokeError::Unknown)));
    }
}

#[test]
fn a_revoked_principal_loses_what_it_has_and_not_what_it_is_granted_later() {
    for security in both() {
        let agent: Principal = "agent".parse().unwrap();
        let one = security.request_capability(path_grant("agent", "/srv")).unwrap();
        let two = security.request_capability(path_grant("agent", "/srv")).unwrap();
        let other = security.request_capability(path_grant("another", "/srv")).unwrap();
        let sub = security.delegate_capability(one.capability.id(), pass_on("sub-agent")).unwrap();
        security.revoke_all_for_principal(&agent, "went astray").unwrap();
        for issued in [&one, &two, &sub] {
            assert_eq!(read_with(&security, &issued.evidence, "/srv/a"), REVOKED);
        }
        assert_eq!(read_with(&security, &other.evidence, "/srv/a"), None);
        let later = security.request_capability(path_grant("agent", "/srv")).unwrap();
        assert_eq!(read_with(&security, &later.evidence, "/srv/a"), None);
        security.revoke_all_for_principal(&"nobody".parse().unwrap(), "").unwrap();
    }
}

#[test]
fn capabilities_are_listed_in_the_order_of_issue_with_how_they_stand() {
    for security in both() {
        let root = security.request_capability(path_grant("agent", "/srv")).unwrap();
        let id = root.capability.id();
        let sub = security.delegate_capability(id, pass_on("sub-agent")).unwrap();
        security.revoke_capability(sub.capability.id(), "").unwrap();
        let listed = security.list_capabilities().unwrap();
        let listed: Vec<_> =
            listed.into_iter().map(|standing| (standing.capability, standing.refused)).collect();
        assert_eq!(listed, [(root.capability, None), (sub.capability, REVOKED)]);
    }
}

#[test]
fn the_clock_decides_what_has_expired() {
    static NOW: AtomicI64 = AtomicI64::new(0);
    fn clock() -> DateTime<Utc> {
        DateTime::from_timestamp(NOW.load(Ordering::SeqCst), 0).unwrap()
    }
    let begin = 1_790_000_000;
    for security in both() {
        NOW.store(begin, Ordering::SeqCst);
        let security = security.with(|security| security.with_clock(clock));
        let mut grant = path_grant("agent", "/srv");
        grant.expires_at = Some(clock() + TimeDelta::seconds(60));
        let issued = security.request_capability(grant).unwrap();
        assert_eq!(issued.capability.issued_at(), clock());
        NOW.store(begin + 59, Ordering::SeqCst);
        assert_eq!(read_with(&security, &issued.evidence, "/srv/a"), None);
        NOW.store(begin + 60, Ordering::SeqCst);
        let expired = read_with(&security, &issued.evidence, "/srv/a");
        assert_eq!(expired, Some(DenyCode::CapabilityExpired));
    }
}

#[test]
fn threads_share_one_facade_and_its_limits() {
    for security in both() {
        let issued = security.request_capability(limited("agent", 50)).unwrap();
        let permitted = thread::scope(|scope| {
            let calls = || {
                let permitted = || read_with(&security, &issued.evidence, "/srv/a").is_none();
                (0..25).filter(|_| permitted()).count()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(calls)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!(permitted, 50);
        let stats = security.audit_stats().unwrap();
        assert_eq!((stats.allowed, stats.denied), (50, 50));
        assert!(stats.is_intact());
    }
}
