//! Central and token mode, and an attenuating chain, through the facade: `docs/guide/modes.md`.
//!
//! `cargo run -q -p mcp-security --example modes`

use std::error::Error;
use std::io::{Write, stdout};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use mcp_security::crypto::{Algorithm, Backend, OsRandom, Signer, SigningKey};
use mcp_security::prelude::*;
use mcp_security::token::chain::{
    Author, Call, ChainPolicy, Constraint, MemoryReplayStore, Presentation, RootToken, ToolRules,
    Tools, TrustAnchor,
};
use serde_json::{Value, json};

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    run(&mut stdout())
}

pub(crate) fn run(out: &mut dyn Write) -> Outcome {
    // Without this, the clock of the system.
    let security = Security::in_memory()?.with_clock(now);
    modes(&security, out)?;
    keys(&security, out)?;
    chain(security, out)
}

/// The same capability in either form.
fn modes(security: &Security, out: &mut dyn Write) -> Outcome {
    let agent = security.request_capability(grant()?)?;
    writeln!(out, "{:?}: {} bytes", security.token_mode(), agent.evidence_text().len())?;
    security.set_token_mode(TokenMode::Token);
    let helper = security.delegate_capability(agent.capability.id(), narrower()?)?;
    writeln!(out, "{:?}: {} segments", security.token_mode(), segments(helper.evidence_text()))?;

    // For one request alone, whatever the mode; so a token is renewed, too.
    let id = helper.capability.id();
    let central = security.evidence_in(TokenMode::Central, id)?;
    for (form, evidence) in [("token", &helper.evidence), ("central", &central)] {
        for path in ["/srv/data/public/a.txt", "/srv/data/a.txt"] {
            let outcome = security.validate_capability(evidence, &[read(path)?], ());
            writeln!(out, "{form:8}{path}: {}", word(&outcome))?;
        }
    }
    security.revoke_capability(agent.capability.id(), "the task is done")?;
    for (form, evidence) in [("token", &helper.evidence), ("central", &central)] {
        let outcome =
            security.validate_capability(evidence, &[read("/srv/data/public/a.txt")?], ());
        writeln!(out, "{form:8}after the revocation of its parent: {}", word(&outcome))?;
    }
    Ok(())
}

/// Another key, and one that somebody else may have.
fn keys(security: &Security, out: &mut dyn Write) -> Outcome {
    let agent = security.request_capability(grant()?)?;
    let keyring = security.kernel().tokens().and_then(|tokens| tokens.keys());
    let signed_with = keyring.ok_or("no keys")?.active();
    security.change_keys(&KeyChange::Rotate)?;
    let request = [read("/srv/data/a.txt")?];
    let outcome = security.validate_capability(&agent.evidence, &request, ());
    writeln!(out, "after a rotation: {}", word(&outcome))?;
    security.change_keys(&KeyChange::Compromised(signed_with))?;
    let outcome = security.validate_capability(&agent.evidence, &request, ());
    writeln!(out, "after the key was given up: {}", word(&outcome))?;
    Ok(())
}

/// A chain whose root somebody else has signed.
fn chain(security: Security, out: &mut dyn Write) -> Outcome {
    let new_key = || SigningKey::generate(Algorithm::EdDsa, Backend::default(), &OsRandom);
    let (anchor, agent) = (new_key()?, new_key()?);
    let issuer = "https://tools.example".to_owned();
    let trusted = [TrustAnchor { issuer: issuer.clone(), key: anchor.key().clone() }];
    let security = security.with_chains(ChainPolicy::new(trusted), MemoryReplayStore::new(1000))?;

    let rules = ToolRules::required("path", Constraint::one_of(["/q3.pdf", "/q4.pdf"])?);
    let root = RootToken {
        issuer,
        holder: agent.key().clone(),
        tools: Tools::new().with("files/read", rules),
        audiences: vec![],
        max_depth: 2,
        lifetime: Duration::from_secs(600),
    };
    let (author, now) = (Author::default(), now());
    let root = author.mint_root(&root, &anchor, &OsRandom, now)?;

    let arguments = json!({ "path": "/q3.pdf" });
    let text = arguments.to_string();
    let call = Call::new("files/read", &text);
    let proof = author.prove(&root, &call, &agent, &OsRandom, now)?;
    let presented = Presentation { aat_chain: vec![root], aat_pop: proof }.to_json();

    let evidence = Evidence::from_text(&presented);
    for (what, arguments) in [
        ("another call", json!({ "path": "/q4.pdf" })),
        ("the call that was proved", arguments.clone()),
        ("the same again", arguments),
    ] {
        let outcome = security.validate_capability(&evidence, &[tool(arguments)?], ());
        writeln!(out, "chain, {what}: {}", word(&outcome))?;
    }
    Ok(())
}

fn now() -> DateTime<Utc> {
    DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn grant() -> Result<RootGrant, Box<dyn Error>> {
    Ok(RootGrant {
        principal: "agent".parse()?,
        resource_type: ResourceType::Path,
        resource: "/srv/data".into(),
        operations: Operations::NONE.with(Operation::Read),
        constraints: Constraints::default(),
        expires_at: None,
    })
}

fn narrower() -> Result<Delegation, Box<dyn Error>> {
    Ok(Delegation {
        principal: "helper".parse()?,
        resource_type: None,
        resource: Some("/srv/data/public".into()),
        operations: None,
        constraints: Constraints::default(),
        expires_at: None,
        attenuation: Attenuation::Strict,
    })
}

fn read(path: &str) -> Result<AccessRequest, Box<dyn Error>> {
    let path = PathRequest::lexical(AbsPath::parse(path)?);
    Ok(AccessRequest::new(Resource::Path(path), Operations::NONE.with(Operation::Read)))
}

fn tool(arguments: Value) -> Result<AccessRequest, Box<dyn Error>> {
    let Value::Object(arguments) = arguments else { return Err("no object".into()) };
    let mapping = Mapping::Unlisted;
    let tool = ToolRequest { name: "files/read".parse()?, arguments, mapping };
    Ok(AccessRequest::new(Resource::Tool(tool), Operations::CALL))
}

fn word(validation: &Validation<()>) -> &'static str {
    validation.denial().map_or("permitted", |denial| denial.code().code())
}

fn segments(token: &str) -> usize {
    token.split('.').count()
}
