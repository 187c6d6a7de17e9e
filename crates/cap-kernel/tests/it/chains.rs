//! Attenuating chains as evidence.

use std::time::Duration;

use cap_core::{
    AccessRequest, DenyCode, Evidence, Kind, Mapping, Operations, Resource, ToolRequest,
};
use cap_crypto::{Algorithm, Backend, OsRandom, Signer, SigningKey};
use cap_kernel::{Claim, RevocationTarget, Target};
use cap_token::TokenId;
use cap_token::chain::{
    Author, Call, ChainPolicy, ChainVerifier, Constraint, Derivation, Presentation, RootToken,
    ToolRules, Tools, TrustAnchor, Untracked, VerifiedChain,
};
use serde_json::json;

use crate::scene::{Scene, after, decide, now, read, refusal, send};

const ANCHOR: &str = "https://anchor.example";
const REVOKED: Option<DenyCode> = Some(DenyCode::CapabilityRevoked);

/// An anchor, an agent that it trusts with two reports, a helper whom the agent lets read one.
struct Chain {
    anchor: SigningKey,
    agent: SigningKey,
    helper: SigningKey,
    links: Vec<String>,
}

fn key() -> SigningKey {
    SigningKey::generate(Algorithm::EdDsa, Backend::default(), &OsRandom).unwrap()
}

fn rules(reports: &[&str]) -> ToolRules {
    ToolRules::required("path", Constraint::one_of(reports.iter().copied()).unwrap())
}

impl Chain {
    fn new() -> Self {
        let (anchor, agent, helper) = (key(), key(), key());
        let author = Author::default();
        let root = RootToken {
            issuer: ANCHOR.into(),
            holder: agent.key().clone(),
            tools: Tools::new().with("files/read", rules(&["/q3", "/q4"])),
            audiences: vec![],
            max_depth: 3,
            lifetime: Duration::from_secs(3600),
        };
        let root = author.mint_root(&root, &anchor, &OsRandom, now()).unwrap();
        let narrowed = Derivation::to(helper.key().clone())
            .with_tools(Tools::new().with("files/read", rules(&["/q3"])));
        let leaf = author.derive(&root, &narrowed, &agent, &OsRandom, now()).unwrap();
        Self { anchor, agent, helper, links: vec![root, leaf] }
    }

    fn verified(&self, path: &str) -> VerifiedChain {
        let arguments = json!({ "path": path }).to_string();
        let leaf = self.links.last().unwrap();
        let call = Call::new("files/read", &arguments);
        let proof = Author::default().prove(leaf, &call, &self.helper, &OsRandom, now()).unwrap();
        let presentation = Presentation { aat_chain: self.links.clone(), aat_pop: proof };
        let anchors = [TrustAnchor { issuer: ANCHOR.into(), key: self.anchor.key().clone() }];
        let verifier = ChainVerifier::new(ChainPolicy::new(anchors)).unwrap();
        verifier.verify(&presentation, "files/read", &arguments, &Untracked, now()).unwrap()
    }

    fn claim(&self) -> Claim {
        Claim::Chain(Box::new(self.verified("/q3")))
    }
}

fn call(tool: &str, arguments: &serde_json::Value, mapping: Mapping) -> AccessRequest {
    let arguments = arguments.as_object().unwrap().clone();
    let tool = ToolRequest { name: tool.parse().unwrap(), arguments, mapping };
    AccessRequest::new(Resource::Tool(tool), Operations::CALL)
}

fn read_report(path: &str) -> AccessRequest {
    call("files/read", &json!({ "path": path }), Mapping::Unlisted)
}

#[test]
fn a_chain_permits_the_call_that_was_proved_and_its_record_names_the_leaf() {
    let scene = Scene::new();
    let chain = Chain::new();
    let verified = chain.verified("/q3");
    let leaf = verified.token_ids()[1].to_owned();
    let holder = verified.holder().to_owned();
    let claim = Claim::Chain(Box::new(verified));
    assert!(send(&scene, &claim, &[read_report("/q3")]).is_ok());
    let records = scene.records();
    let record = records.last().unwrap();
    assert_eq!(record.principal.as_deref(), Some(&*holder));
    assert!(serde_json::to_string(record).unwrap().contains(&leaf));
}

#[test]
fn a_chain_permits_no_other_call_than_the_one_that_was_proved() {
    let scene = Scene::new();
    let root_alone = {
        let mut chain = Chain::new();
        // The agent itself, whose token permits both reports.
        chain.links.pop();
        chain.helper = SigningKey::from_pkcs8(&chain.agent.to_pkcs8()).unwrap();
        chain
    };
    let claim = root_alone.claim();
    assert!(decide(&scene.kernel, &claim, &[read_report("/q3")], now()).is_allow());
    let invalid = Some(DenyCode::EvidenceInvalid);
    for other in [
        read_report("/q4"),
        call("files/read", &json!({}), Mapping::Unlisted),
        call("files/read", &json!({"path": "/q3", "more": 1}), Mapping::Unlisted),
        call("files/write", &json!({"path": "/q3"}), Mapping::Unlisted),
    ] {
        let decision = decide(&scene.kernel, &claim, &[other], now());
        assert_eq!(crate::scene::code(&decision), invalid);
    }
    let both = [read_report("/q3"), read_report("/q4")];
    assert_eq!(crate::scene::code(&decide(&scene.kernel, &claim, &both, now())), invalid);
}

#[test]
fn a_chain_permits_nothing_but_the_tool() {
    let scene = Scene::new();
    let claim = Chain::new().claim();
    let kinds = [Kind::Path].into_iter().collect();
    let mapped = Mapping::Listed { kinds, unlisted_argument: None };
    let tool = call("files/read", &json!({ "path": "/q3" }), mapped);
    assert!(!decide(&scene.kernel, &claim, &[tool, read("/q3")], now()).is_allow());
    assert!(!decide(&scene.kernel, &claim, &[read("/q3")], now()).is_allow());
}

#[test]
fn a_chain_that_ends_before_the_ruling_permits_nothing() {
    let scene = Scene::new();
    let claim = Chain::new().claim();
    assert_eq!(refusal(&scene.kernel, &claim, after(3599)), None);
    let ended = refusal(&scene.kernel, &claim, after(3600));
    assert_eq!(ended, Some(DenyCode::CapabilityExpired));
}

#[test]
fn a_chain_falls_with_any_of_its_links_holders_and_its_issuer() {
    let chain = Chain::new();
    let verified = chain.verified("/q3");
    let token = |at: usize| RevocationTarget::Token(TokenId::of_jti(verified.token_ids()[at]));
    let holder = |at: usize| verified.holders()[at];
    let key = |at: usize| RevocationTarget::Key(holder(at).parse().unwrap());
    let principal = |at: usize| RevocationTarget::Principal(holder(at).parse().unwrap());
    let before = RevocationTarget::PrincipalBefore(holder(0).parse().unwrap(), now());
    let issuer = RevocationTarget::Issuer(ANCHOR.into());
    let anchor = RevocationTarget::Key(chain.anchor.key().id().clone());
    for target in
        [token(0), token(1), key(0), key(1), principal(0), principal(1), before, issuer, anchor]
    {
        let scene = Scene::new();
        assert_eq!(refusal(&scene.kernel, &chain.claim(), now()), None);
        scene.revoke(Target::Evidence(target.clone()));
        assert_eq!(refusal(&scene.kernel, &chain.claim(), now()), REVOKED, "{target:?}");
        // Another process learns of it from the store.
        assert_eq!(refusal(&scene.another_kernel(), &chain.claim(), now()), REVOKED);
        let other = Chain::new().claim();
        let expected = matches!(target, RevocationTarget::Issuer(_)).then_some(REVOKED).flatten();
        assert_eq!(refusal(&scene.kernel, &other, now()), expected);
    }
}

#[test]
fn every_holder_of_a_chain_is_revoked_as_any_principal_is() {
    for holder in 0..2 {
        let scene = Scene::new();
        let chain = Chain::new();
        assert_eq!(refusal(&scene.kernel, &chain.claim(), now()), None);
        let name = chain.verified("/q3").holders()[holder].parse().unwrap();
        scene.revoke(Target::Principal(name));
        assert_eq!(refusal(&scene.kernel, &chain.claim(), now()), REVOKED);
    }
}

#[test]
fn a_presentation_that_nobody_has_verified_is_no_evidence() {
    let scene = Scene::new();
    let chain = Chain::new();
    let text = Presentation { aat_chain: chain.links, aat_pop: String::new() }.to_json();
    let claim = Claim::Evidence(Evidence::from_text(&text));
    assert!(matches!(&claim, Claim::Evidence(Evidence::Chain(_))));
    assert_eq!(refusal(&scene.kernel, &claim, now()), Some(DenyCode::EvidenceInvalid));
}
