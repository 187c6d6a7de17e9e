//! What is accepted, and what is refused: the second half of `docs/guide/tokens.md`.
//!
//! `cargo run -q -p cap-token --example validation`

use std::io::{Write, stdout};
use std::sync::Arc;
use std::time::Duration;

use cap_crypto::{Purpose, SigningKeyring};
use cap_token::{CacheLimits, CachedValidator, DEFAULT_TTL, Issuer, Validator, introspect};
use chrono::{DateTime, TimeDelta, Utc};

use scene::{AUDIENCE, Counting, ISSUER, Outcome, granted, now, refused};

#[path = "support/scene.rs"]
mod scene;

fn main() -> Outcome {
    run(&mut stdout())
}

const THEIRS: &str = "https://partner.example";

pub(crate) fn run(out: &mut dyn Write) -> Outcome {
    let now = now();
    let random = Counting::default();
    let keyring = || SigningKeyring::ephemeral(Purpose::TokenSign, &random);
    let (ours, theirs, unknown) = (keyring()?, keyring()?, keyring()?);
    let capability = granted("alice", 7)?;
    let token = |issuer: &str, audience: &str, keys: &SigningKeyring| {
        Issuer::new(issuer, audience, keys).issue(&capability, &[], DEFAULT_TTL, &random, now)
    };

    let validator = Validator::new(AUDIENCE)
        .trust(ISSUER, ours.active_key())
        .trust(THEIRS, theirs.active_key());
    let good = token(ISSUER, AUDIENCE, &ours)?;
    for token in [&good, &token(THEIRS, AUDIENCE, &theirs)?] {
        writeln!(out, "good: {}", validator.validate(token, now)?.issuer())?;
    }

    let mut forged = good.clone();
    forged.replace_range(200..201, if forged.get(200..201) == Some("A") { "B" } else { "A" });
    let none = good.replacen(good.split('.').next().unwrap_or(""), NO_ALGORITHM, 1);
    let bad = [
        ("no token", "alice".to_owned()),
        ("changed", forged),
        ("`alg` none", none),
        ("key of nobody", token(ISSUER, AUDIENCE, &unknown)?),
        ("key of another issuer", token(ISSUER, AUDIENCE, &theirs)?),
        ("for another server", token(ISSUER, "https://else.example", &ours)?),
    ];
    for (what, token) in bad {
        let outcome = validator.validate(&token, now);
        let code = outcome.as_ref().err().map(|refusal| refusal.deny_code().to_string());
        writeln!(out, "{what}: {} ({})", refused(outcome)?, code.unwrap_or_default())?;
    }
    lifetime(&validator, &good, now, out)?;
    writeln!(out, "{}", introspect(&validator.validate("alice", now)))?;
    writeln!(out, "{:#}", introspect(&validator.validate(&good, now)))?;
    cache(validator, &good, now, out)
}

/// `{"typ":"at+jwt","alg":"none"}`.
const NO_ALGORITHM: &str = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJub25lIn0";

fn lifetime(
    validator: &Validator,
    token: &str,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Outcome {
    let strict = validator.clone().with_leeway(Duration::ZERO);
    for minutes in [-6, -4, 14, 15, 19, 20] {
        let then = now + TimeDelta::minutes(minutes);
        let [usual, strict] = [validator, &strict].map(|it| match it.validate(token, then) {
            Ok(_) => "good".to_owned(),
            Err(refusal) => refusal.deny_code().to_string(),
        });
        writeln!(out, "{minutes:>3} minutes: {usual}; without leeway: {strict}")?;
    }
    Ok(())
}

fn cache(validator: Validator, token: &str, now: DateTime<Utc>, out: &mut dyn Write) -> Outcome {
    let cached = CachedValidator::new(validator, CacheLimits::default());
    let first = cached.validate(token, now)?;
    let again = cached.validate(token, now)?;
    assert!(Arc::ptr_eq(&first, &again), "nothing was computed again");
    writeln!(out, "{} token remembered", cached.stats().entries)?;

    cached.validator().distrust_key(first.key());
    writeln!(out, "its key is gone: {}", refused(cached.validate(token, now))?)?;
    Ok(())
}
