//! A token from its issue to its end: the first half of `docs/guide/tokens.md`.
//!
//! `cargo run -q -p cap-token --example tokens`

use std::error::Error;
use std::io::{Write, stdout};
use std::time::Duration;

use cap_core::{Attenuation, Constraints, Delegation, Operation, Operations};
use cap_crypto::{Purpose, SigningKeyring};
use cap_token::{
    DEFAULT_TTL, ForeignKeys, Issued, Issuer, Jwks, TokenRequest, Validator, VerifiedToken,
    explain_chain,
};
use chrono::{DateTime, TimeDelta, Utc};

use scene::{AUDIENCE, Counting, ISSUER, Outcome, granted, now, refused};

#[path = "support/scene.rs"]
mod scene;

fn main() -> Outcome {
    run(&mut stdout())
}

pub(crate) fn run(out: &mut dyn Write) -> Outcome {
    let now = now();
    let random = Counting::default();
    let keys = SigningKeyring::ephemeral(Purpose::TokenSign, &random)?;
    let register = Issued::new(1000);
    let issuer = Issuer::new(ISSUER, AUDIENCE, &keys).tracked_by(&register);

    let token = issuer.issue(&granted("alice", 7)?, &[], DEFAULT_TTL, &random, now)?;
    let key_set = Jwks::of(&keys);
    let alices = elsewhere(key_set.as_bytes(), &token, now)?;
    writeln!(out, "{} bytes, good for {}", token.len(), alices.principal())?;

    let bobs = delegate(&issuer, &alices, &random, now, out)?;
    let bobs = elsewhere(key_set.as_bytes(), &bobs, now)?;
    write!(out, "{}", explain_chain(&bobs))?;
    grow(&issuer, key_set.as_bytes(), alices.clone(), &random, now, out)?;

    let later = now + TimeDelta::minutes(10);
    let renewed = issuer.refresh(&alices, DEFAULT_TTL, &random, later)?;
    let renewed = elsewhere(key_set.as_bytes(), &renewed, later)?;
    assert_eq!(renewed.capability(), alices.capability());
    writeln!(out, "renewed until {}", renewed.expires_at())?;
    writeln!(out, "bob: {}", refused(issuer.refresh(&bobs, DEFAULT_TTL, &random, later))?)?;
    let late = now + TimeDelta::minutes(15);
    writeln!(out, "late: {}", refused(issuer.refresh(&alices, DEFAULT_TTL, &random, late))?)?;

    batch(&issuer, &register, &random, later, out)
}

/// Another process. What it has is a key set, which is public, and what it was sent.
fn elsewhere(
    key_set: &[u8],
    token: &str,
    now: DateTime<Utc>,
) -> Result<VerifiedToken, Box<dyn Error>> {
    let validator = Validator::new(AUDIENCE);
    validator.set_keys(ISSUER, ForeignKeys::parse(key_set)?.keys);
    Ok(validator.validate(token, now)?)
}

fn delegate(
    issuer: &Issuer<'_>,
    parent: &VerifiedToken,
    random: &Counting,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<String, Box<dyn Error>> {
    let mut wanted = to("bob")?;
    wanted.resource = Some("/srv/data/reports".to_owned());
    wanted.operations = Some(Operations::NONE.with(Operation::Read).with(Operation::Write));
    let strict = issuer.issue_delegated(parent, wanted.clone(), DEFAULT_TTL, random, now);
    writeln!(out, "{}", refused(strict)?)?;

    wanted.attenuation = Attenuation::Intersect;
    let passed_on = issuer.issue_delegated(parent, wanted, DEFAULT_TTL, random, now)?;
    for cut in &passed_on.cut {
        writeln!(out, "cut: {} {}", cut.field, cut.value)?;
    }
    Ok(passed_on.token)
}

/// From each holder to the next, without a change.
fn grow(
    issuer: &Issuer<'_>,
    key_set: &[u8],
    mut token: VerifiedToken,
    random: &Counting,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Outcome {
    for name in ["a", "b", "c", "d", "e"] {
        let next = issuer.issue_delegated(&token, to(name)?, DEFAULT_TTL, random, now)?.token;
        token = elsewhere(key_set, &next, now)?;
        writeln!(out, "depth {}: {} bytes", token.ancestors().len(), next.len())?;
    }
    let deeper = issuer.issue_delegated(&token, to("f")?, DEFAULT_TTL, random, now);
    writeln!(out, "deeper: {}", refused(deeper)?)?;
    Ok(())
}

fn batch(
    issuer: &Issuer<'_>,
    register: &Issued,
    random: &Counting,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Outcome {
    let (one, other) = (granted("carol", 8)?, granted("dave", 9)?);
    let request = |capability| TokenRequest { capability, ancestors: &[], ttl: DEFAULT_TTL };
    let all = issuer.issue_all(&[request(&one), request(&other)], random, now)?;
    writeln!(out, "{} at once, {} in the register", all.len(), register.len())?;

    let too_long = TokenRequest { ttl: Duration::from_secs(48 * 3600), ..request(&other) };
    let none = issuer.issue_all(&[request(&one), too_long], random, now);
    writeln!(out, "none of both: {}", refused(none)?)?;

    for issued in register.tokens_of_principal(&"alice".parse()?) {
        writeln!(out, "alice: {} until {}", issued.token, issued.expires_at)?;
    }
    let tomorrow = now + TimeDelta::days(1);
    writeln!(out, "{} cleaned up, {} left", register.cleanup(tomorrow), register.len())?;
    Ok(())
}

fn to(principal: &str) -> Result<Delegation, Box<dyn Error>> {
    Ok(Delegation {
        principal: principal.parse()?,
        resource_type: None,
        resource: None,
        operations: None,
        constraints: Constraints::default(),
        expires_at: None,
        attenuation: Attenuation::Strict,
    })
}
