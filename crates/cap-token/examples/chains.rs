//! Authority that is narrowed and proved without asking anybody: the walk of `docs/guide/chains.md`.
//!
//! `cargo run -q -p cap-token --example chains`

use std::error::Error;
use std::io::{Write, stdout};
use std::time::Duration;

use cap_core::ArgumentConstraint;
use cap_crypto::{Signer, SigningKey};
use cap_token::chain::{
    Author, Call, ChainLimits, ChainPolicy, ChainVerifier, Constraint, Derivation,
    MemoryReplayStore, Presentation, RootToken, ToolRules, Tools, TrustAnchor, Vocabulary,
};
use chrono::TimeDelta;
use serde_json::json;

use scene::{AUDIENCE, Counting, ISSUER, Outcome, now, refused};

#[path = "support/scene.rs"]
mod scene;

fn main() -> Outcome {
    run(&mut stdout())
}

pub(crate) fn run(out: &mut dyn Write) -> Outcome {
    let keys = Keys {
        server: SigningKey::from_ed25519_seed(&[1; 32])?,
        agent: SigningKey::from_ed25519_seed(&[2; 32])?,
        helper: SigningKey::from_ed25519_seed(&[3; 32])?,
    };
    let random = Counting::default();
    let presentation = narrow(&keys, &random, out)?;
    enforce(&keys, &presentation, out)?;
    extend(&keys, &random, out)
}

/// Ed25519 keys; nobody has more than one of them.
struct Keys {
    server: SigningKey,
    agent: SigningKey,
    helper: SigningKey,
}

const CALL: &str = r#"{"path":"/q3.pdf"}"#;

fn narrow(
    keys: &Keys,
    random: &Counting,
    out: &mut dyn Write,
) -> Result<Presentation, Box<dyn Error>> {
    let author = Author::default();
    let reports = |rules| Tools::new().with("reports/read", ToolRules::required("path", rules));

    // The server: the agent may read two reports, and pass that on up to three times.
    let root = RootToken {
        issuer: ISSUER.to_owned(),
        holder: keys.agent.key().clone(),
        tools: reports(Constraint::one_of(["/q3.pdf", "/q4.pdf"])?),
        audiences: vec![AUDIENCE.to_owned()],
        max_depth: 3,
        lifetime: Duration::from_secs(3600),
    };
    let root = author.mint_root(&root, &keys.server, random, now())?;

    // The agent: its helper may read one of them, for ten minutes.
    let narrower = Derivation::to(keys.helper.key().clone())
        .with_tools(reports(Constraint::exact("/q3.pdf")?))
        .until(now() + TimeDelta::minutes(10));
    let leaf = author.derive(&root, &narrower, &keys.agent, random, now())?;
    let wider = narrower.clone().with_tools(reports(Constraint::wildcard()));
    let wider = author.derive(&root, &wider, &keys.agent, random, now());
    writeln!(out, "any report: {}", refused(wider)?)?;
    let longer = narrower.until(now() + TimeDelta::hours(2));
    let longer = author.derive(&root, &longer, &keys.agent, random, now());
    writeln!(out, "two hours: {}", refused(longer)?)?;

    // The helper: a proof for one call.
    let call = Call::new("reports/read", CALL).to(AUDIENCE);
    let proof = author.prove(&leaf, &call, &keys.helper, random, now())?;
    let thief = author.prove(&leaf, &call, &keys.agent, random, now());
    writeln!(out, "another key: {}", refused(thief)?)?;
    let other = Call::new("reports/read", r#"{"path":"/q4.pdf"}"#);
    let other = author.prove(&leaf, &other, &keys.helper, random, now());
    writeln!(out, "another report: {}", refused(other)?)?;
    writeln!(out, "{} + {} bytes, {} of proof", root.len(), leaf.len(), proof.len())?;
    Ok(Presentation { aat_chain: vec![root, leaf], aat_pop: proof })
}

fn enforce(keys: &Keys, presentation: &Presentation, out: &mut dyn Write) -> Outcome {
    let verifier = ChainVerifier::new(policy(keys))?;
    let replay = MemoryReplayStore::new(10_000);

    let presentation = Presentation::from_json(&presentation.to_json())?; // as it was received
    let verify =
        |arguments, now| verifier.verify(&presentation, "reports/read", arguments, &replay, now);
    let other = verify(r#"{"path":"/q4.pdf"}"#, now());
    writeln!(out, "another call: {}", refused(other)?)?;
    let late = verify(CALL, now() + TimeDelta::seconds(31));
    writeln!(out, "31 s later: {}", refused(late)?)?;

    let verified = verify(CALL, now())?;
    writeln!(out, "permitted: {} {}", verified.tool(), verified.arguments())?;
    writeln!(out, "once more: {}", refused(verify(CALL, now()))?)?;
    Ok(())
}

fn extend(keys: &Keys, random: &Counting, out: &mut dyn Write) -> Outcome {
    let glob = json!({ "constraint_type": "glob", "pattern": "/2026/*.pdf" });
    let glob = Constraint::from_argument_constraint(&ArgumentConstraint::from_value(&glob)?)?;
    let root = RootToken {
        issuer: ISSUER.to_owned(),
        holder: keys.agent.key().clone(),
        tools: Tools::new().with("reports/read", ToolRules::required("path", glob)),
        audiences: vec![AUDIENCE.to_owned()],
        max_depth: 0,
        lifetime: Duration::from_secs(60),
    };
    let core = Author::default().mint_root(&root, &keys.server, random, now());
    writeln!(out, "core author: {}", refused(core)?)?;
    let author = Author::new(Vocabulary::Extended, ChainLimits::default());
    let chain = [author.mint_root(&root, &keys.server, random, now())?];

    let core = ChainVerifier::new(policy(keys))?.verify_chain(&chain, now());
    writeln!(out, "core verifier: {}", refused(core)?)?;
    let checked =
        ChainVerifier::new(policy(keys).with_extensions())?.verify_chain(&chain, now())?;
    writeln!(out, "extended verifier: a good chain of {}", checked.issuer())?;
    Ok(())
}

fn policy(keys: &Keys) -> ChainPolicy {
    let anchor = TrustAnchor { issuer: ISSUER.to_owned(), key: keys.server.key().clone() };
    ChainPolicy::new([anchor]).with_audience(AUDIENCE).require_pop_aud()
}
