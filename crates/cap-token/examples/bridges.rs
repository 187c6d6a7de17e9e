//! Between capabilities and chains: the last part of `docs/guide/chains.md`.
//!
//! `cargo run -q -p cap-token --example bridges`

use std::error::Error;
use std::io::{Write, stdout};

use cap_core::{Capability, CapabilityId, Operations, ResourceType, RootGrant};
use cap_crypto::{Purpose, Signer, SigningKey, SigningKeyring};
use cap_token::chain::{
    Author, Call, ChainLimits, ChainPolicy, ChainVerifier, MemoryReplayStore, Presentation,
    RootToken, TrustAnchor, VerifiedChain,
};
use cap_token::{DEFAULT_TTL, Issuer, Validator, VerifiedToken};
use chrono::TimeDelta;
use serde_json::{Value, json};

use scene::{AUDIENCE, Counting, ISSUER, Outcome, now, refused};

#[path = "support/scene.rs"]
mod scene;

fn main() -> Outcome {
    run(&mut stdout())
}

pub(crate) fn run(out: &mut dyn Write) -> Outcome {
    let random = Counting::default();
    let rules = json!({ "path": { "constraint_type": "exact", "value": "/q3.pdf" } });
    let named =
        json!({ "allowed_tools": ["reports/read"], "arguments": { "reports/read": rules } });
    let token = token_of(&of_tools(named)?, &random)?;
    let verified = chain_of(&token, &random, out)?;
    writeln!(out, "{}", serde_json::to_string_pretty(&verified.to_constraints()?)?)?;

    let holder = SigningKey::from_ed25519_seed(&[2; 32])?;
    let refused_root = |capability: &Capability| {
        let (holder, limits) = (holder.key().clone(), ChainLimits::default());
        refused(RootToken::from_capability(capability, ISSUER, holder, &limits, now()))
    };
    let limited = json!({ "allowed_tools": ["reports/read"], "max_calls": 3 });
    let ours = json!({ "path": { "constraint_type": "path", "within": ["/2026"] } });
    let ours = json!({ "allowed_tools": ["reports/read"], "arguments": { "reports/read": ours } });
    let files = json!({ "allowed_tools": ["reports/read"], "paths": ["/2026"] });
    writeln!(out, "files: {}", refused_root(&of_tools(files)?)?)?;
    writeln!(out, "any tool: {}", refused_root(&of_tools(json!({}))?)?)?;
    writeln!(out, "a limit: {}", refused_root(&of_tools(limited)?)?)?;
    writeln!(out, "our own type: {}", refused_root(&of_tools(ours)?)?)?;
    Ok(())
}

/// As it arrives somewhere else.
fn token_of(capability: &Capability, random: &Counting) -> Result<VerifiedToken, Box<dyn Error>> {
    let keys = SigningKeyring::ephemeral(Purpose::TokenSign, random)?;
    let issuer = Issuer::new(ISSUER, AUDIENCE, &keys);
    let token = issuer.issue(capability, &[], DEFAULT_TTL, random, now())?;
    Ok(Validator::new(AUDIENCE).trust(ISSUER, keys.active_key()).validate(&token, now())?)
}

fn chain_of(
    token: &VerifiedToken,
    random: &Counting,
    out: &mut dyn Write,
) -> Result<VerifiedChain, Box<dyn Error>> {
    let (anchor, holder) =
        (SigningKey::from_ed25519_seed(&[1; 32])?, SigningKey::from_ed25519_seed(&[2; 32])?);
    let author = Author::default();
    let mut root = RootToken::from_capability(
        token.capability(),
        ISSUER,
        holder.key().clone(),
        &ChainLimits::default(),
        now(),
    )?;
    // The root ends with the capability; here with the token that brought it.
    root.token.lifetime = (token.expires_at() - now()).to_std()?;
    root.token.audiences.push(AUDIENCE.to_owned());
    let root = author.mint_root_of(&root, &anchor, random, now())?;
    writeln!(out, "a root of {} bytes", root.len())?;

    let arguments = r#"{"path":"/q3.pdf"}"#;
    let proof =
        author.prove(&root, &Call::new("reports/read", arguments), &holder, random, now())?;
    let anchor = TrustAnchor { issuer: ISSUER.to_owned(), key: anchor.key().clone() };
    let verifier = ChainVerifier::new(ChainPolicy::new([anchor]).with_audience(AUDIENCE))?;
    let presentation = Presentation { aat_chain: vec![root], aat_pop: proof };
    let replay = MemoryReplayStore::new(10_000);
    Ok(verifier.verify(&presentation, "reports/read", arguments, &replay, now())?)
}

fn of_tools(constraints: Value) -> Result<Capability, Box<dyn Error>> {
    let grant = RootGrant {
        principal: "agent".parse()?,
        resource_type: ResourceType::Tool,
        resource: "reports/*".to_owned(),
        operations: Operations::CALL,
        constraints: serde_json::from_value(constraints)?,
        expires_at: Some(now() + TimeDelta::hours(1)),
    };
    Ok(Capability::grant(CapabilityId::new([8; 10], now()), grant, now())?)
}
