//! Tokens and chains, through the facade.

use std::time::Duration;

use chrono::{DateTime, Utc};
use mcp_security::RequestError;
use mcp_security::crypto::{Algorithm, Backend, KeyStatus, OsRandom, Signer, SigningKey};
use mcp_security::prelude::*;
use mcp_security::token::chain::{
    Author, Call, ChainPolicy, Constraint, MemoryReplayStore, Presentation, RootToken, ToolRules,
    Tools, TrustAnchor,
};
use serde_json::json;

use crate::scene::{both, path_grant, read_with};

#[test]
fn a_key_that_is_rotated_or_compromised_is_so_in_every_program_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Security::open(folder.path().join("state")).unwrap();
    let (one, other) = (open(), open());
    one.set_token_mode(TokenMode::Token);
    let old = one.request_capability(path_grant("agent", "/srv")).unwrap();
    assert!(one.change_keys(&KeyChange::Rotate).unwrap());
    let new = one.evidence_in(TokenMode::Token, old.capability.id()).unwrap();
    // Within a second.
    std::thread::sleep(Duration::from_millis(1100));
    for security in [&one, &other] {
        assert_eq!(read_with(security, &old.evidence, "/srv/a"), None);
        assert_eq!(read_with(security, &new, "/srv/a"), None);
    }
    let keys = one.kernel().tokens().unwrap().keys().unwrap();
    let retiring = keys.keys().into_iter().find(|key| key.status == KeyStatus::Retiring).unwrap();
    assert!(one.change_keys(&KeyChange::Compromised(retiring.id)).unwrap());
    let invalid = Some(DenyCode::EvidenceInvalid);
    assert_eq!(read_with(&one, &old.evidence, "/srv/a"), invalid);
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(read_with(&other, &old.evidence, "/srv/a"), invalid);
    for security in [&one, &other] {
        assert_eq!(read_with(security, &new, "/srv/a"), None);
    }
}

#[test]
fn what_was_issued_without_evidence_is_told_with_its_id() {
    for security in both() {
        let keys = security.kernel().tokens().unwrap().keys().unwrap();
        let target = RevocationTarget::Key(keys.active());
        security.revoke_evidence(target, "by mistake").unwrap();
        security.set_token_mode(TokenMode::Token);
        let issued = security.request_capability(path_grant("agent", "/srv"));
        let Err(RequestError::Evidence { id, .. }) = issued else { panic!("{issued:?}") };
        let listed = security.list_capabilities().unwrap();
        assert_eq!(listed.iter().map(|it| it.capability.id()).collect::<Vec<_>>(), [id]);
        let central = security.evidence_in(TokenMode::Central, id).unwrap();
        assert_eq!(read_with(&security, &central, "/srv/a"), None);
    }
}

#[test]
fn tokens_live_for_a_second_to_a_day() {
    let open = || Security::in_memory().unwrap();
    for seconds in [0, 24 * 3600 + 1] {
        assert!(open().with_token_ttl(Duration::from_secs(seconds)).is_err());
    }
    for seconds in [1, 24 * 3600] {
        assert!(open().with_token_ttl(Duration::from_secs(seconds)).is_ok());
    }
}

fn now() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

struct Agent {
    anchor: SigningKey,
    key: SigningKey,
    token: String,
}

impl Agent {
    fn new() -> Self {
        let key = || SigningKey::generate(Algorithm::EdDsa, Backend::default(), &OsRandom).unwrap();
        let (anchor, key) = (key(), key());
        let reports = Constraint::one_of(["/q3", "/q4"]).unwrap();
        let root = RootToken {
            issuer: "https://anchor.example".into(),
            holder: key.key().clone(),
            tools: Tools::new().with("files/read", ToolRules::required("path", reports)),
            audiences: vec![],
            max_depth: 0,
            lifetime: Duration::from_secs(600),
        };
        let now = now();
        let token = Author::default().mint_root(&root, &anchor, &OsRandom, now).unwrap();
        Self { anchor, key, token }
    }

    fn policy(&self) -> ChainPolicy {
        let issuer = "https://anchor.example".to_owned();
        ChainPolicy::new([TrustAnchor { issuer, key: self.anchor.key().clone() }])
    }

    /// What it sends for one call.
    fn evidence(&self, path: &str) -> Evidence {
        let arguments = json!({ "path": path }).to_string();
        let call = Call::new("files/read", &arguments);
        let now = now();
        let proof = Author::default().prove(&self.token, &call, &self.key, &OsRandom, now).unwrap();
        let presentation = Presentation { aat_chain: vec![self.token.clone()], aat_pop: proof };
        Evidence::from_text(&presentation.to_json())
    }
}

fn tool(path: &str) -> AccessRequest {
    let arguments = json!({ "path": path }).as_object().unwrap().clone();
    let name = "files/read".parse().unwrap();
    let tool = ToolRequest { name, arguments, mapping: Mapping::Unlisted };
    AccessRequest::new(Resource::Tool(tool), Operations::CALL)
}

fn code(security: &Security, evidence: &Evidence, requests: &[AccessRequest]) -> Option<DenyCode> {
    let validation = security.validate_capability(evidence, requests, ());
    validation.denial().map(Denial::code)
}

#[test]
fn a_chain_is_evidence_for_one_call_once() {
    for security in both() {
        let agent = Agent::new();
        let invalid = Some(DenyCode::EvidenceInvalid);
        let first = agent.evidence("/q3");
        // Nobody said that chains are accepted.
        assert_eq!(code(&security, &first, &[tool("/q3")]), invalid);

        let security = security.with(|it| {
            it.with_clock(now).with_chains(agent.policy(), MemoryReplayStore::new(100)).unwrap()
        });
        assert_eq!(code(&security, &first, &[tool("/q4")]), invalid);
        assert_eq!(code(&security, &first, &[]), invalid);
        assert_eq!(code(&security, &first, &[tool("/q3"), tool("/q3")]), invalid);
        assert_eq!(code(&security, &first, &[tool("/q3")]), None);
        assert_eq!(code(&security, &first, &[tool("/q3")]), invalid);
        assert_eq!(code(&security, &agent.evidence("/q4"), &[tool("/q4")]), None);
        assert!(security.audit_stats().unwrap().is_intact());
    }
}

#[test]
fn a_chain_of_a_revoked_issuer_is_denied() {
    for security in both() {
        let agent = Agent::new();
        let security = security.with(|it| {
            it.with_clock(now).with_chains(agent.policy(), MemoryReplayStore::new(100)).unwrap()
        });
        assert_eq!(code(&security, &agent.evidence("/q3"), &[tool("/q3")]), None);
        let issuer = RevocationTarget::Issuer("https://anchor.example".into());
        security.revoke_evidence(issuer, "not to be trusted any more").unwrap();
        let revoked = code(&security, &agent.evidence("/q3"), &[tool("/q3")]);
        assert_eq!(revoked, Some(DenyCode::CapabilityRevoked));
    }
}
