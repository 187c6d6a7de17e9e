//! Public keys that are published and followed: a part of `docs/guide/keys.md`.
//!
//! `cargo run -q -p cap-token --example key_sets`

use std::io::{Write, stdout};
use std::str;

use cap_crypto::{Purpose, SigningKeyring};
use cap_token::{
    DEFAULT_TTL, ForeignKeys, Issuer, Jwks, JwksSource, JwksTiming, MAX_TTL, Validator,
};
use chrono::TimeDelta;

use scene::{AUDIENCE, Counting, ISSUER, Outcome, granted, now, refused};

#[path = "support/scene.rs"]
mod scene;

fn main() -> Outcome {
    run(&mut stdout())
}

pub(crate) fn run(out: &mut dyn Write) -> Outcome {
    let random = Counting::default();
    let keys = SigningKeyring::ephemeral(Purpose::TokenSign, &random)?;
    publish(&keys, out)?;
    follow(&keys, &random, out)?;
    for document in UNFIT {
        let text = refused(ForeignKeys::parse(document.as_bytes()))?;
        writeln!(out, "{document}\n  {text}")?;
    }
    Ok(())
}

fn publish(keys: &SigningKeyring, out: &mut dyn Write) -> Outcome {
    let published = Jwks::of(keys);
    writeln!(out, "Content-Type: {}", Jwks::CONTENT_TYPE)?;
    writeln!(out, "Cache-Control: {}", published.cache_control())?;
    writeln!(out, "ETag: {}", published.etag())?;
    writeln!(out, "\n{}", str::from_utf8(published.as_bytes())?)?;
    Ok(())
}

fn follow(keys: &SigningKeyring, random: &Counting, out: &mut dyn Write) -> Outcome {
    let now = now();
    let issuer = Issuer::new(ISSUER, AUDIENCE, keys);
    let token = issuer.issue(&granted("alice", 7)?, &[], DEFAULT_TTL, random, now)?;
    let validator = Validator::new(AUDIENCE);
    writeln!(out, "no keys yet: {}", refused(validator.validate(&token, now))?)?;

    let mut source = JwksSource::new(ISSUER, JwksTiming::default())?;
    assert!(source.claim_refresh(now));
    let fetched = Jwks::of(keys); // here a GET over TLS
    source.apply(fetched.as_bytes(), Some(fetched.max_age()), now, now)?;
    let good_until = source.stale_at().ok_or("nothing was applied")?;
    validator.set_keys_until(ISSUER, source.keys(now), good_until);
    writeln!(out, "fetched: good for {}", validator.validate(&token, now)?.principal())?;

    // A token with another `kid` is a reason to ask again, but not more often than every 30 s.
    keys.compromise(&keys.active(), random, now)?;
    let soon = now + TimeDelta::seconds(40);
    assert!(!source.claim_refresh(soon));
    assert!(source.claim_refresh_for(&keys.active(), soon));
    assert!(!source.claim_refresh_for(&keys.active(), soon + TimeDelta::seconds(20)));
    source.apply(Jwks::of(keys).as_bytes(), None, soon, soon)?;
    let good_until = source.stale_at().ok_or("nothing was applied")?;
    validator.set_keys_until(ISSUER, source.keys(soon), good_until);
    writeln!(out, "fetched again: {}", refused(validator.validate(&token, soon))?)?;

    // Nobody could fetch for a day.
    let token = issuer.issue(&granted("alice", 7)?, &[], MAX_TTL, random, soon)?;
    assert!(validator.validate(&token, soon).is_ok());
    let stale = validator.validate(&token, good_until);
    writeln!(out, "a day later: {}", refused(stale)?)?;
    Ok(())
}

/// What another issuer may publish, and we do not take.
const UNFIT: [&str; 4] = [
    r#"{"keys":[],"keys":[]}"#,
    r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#,
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"#,
    "<html>",
];
