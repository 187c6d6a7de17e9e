//! Revocation for verifiers that know no other form of it: the last part of `docs/guide/revocation.md`.
//!
//! `cargo run -q -p cap-token --example status_list`

use std::io::{Write, stdout};
use std::time::Duration;

use cap_crypto::{Purpose, SigningKeyring};
use cap_token::{
    DEFAULT_LEEWAY, DEFAULT_TTL, Issuer, RevocationSet, RevocationTarget, StatusList,
    StatusListLifetime, StatusListToken, Validator, inspect,
};
use chrono::TimeDelta;

use scene::{AUDIENCE, Counting, ISSUER, Outcome, granted, now, refused};

#[path = "support/scene.rs"]
mod scene;

fn main() -> Outcome {
    run(&mut stdout())
}

const URI: &str = "https://issuer.example/status/1";

pub(crate) fn run(out: &mut dyn Write) -> Outcome {
    let random = Counting::default();
    let keys = SigningKeyring::ephemeral(Purpose::TokenSign, &random)?;
    let list = StatusList::new(URI, ISSUER, 100_000)?;
    let issuer = Issuer::new(ISSUER, AUDIENCE, &keys).listed_in(&list);
    let token = issuer.issue(&granted("alice", 7)?, &[], DEFAULT_TTL, &random, now())?;
    writeln!(out, "{}", inspect(&token)?.claims()["status"])?;

    let revocations = RevocationSet::new();
    let export =
        || list.export(&revocations, &*keys.signer(), StatusListLifetime::default(), now());
    let before = export()?;
    revocations.revoke(RevocationTarget::Principal("alice".parse()?), None, now())?;
    let after = export()?;

    // Elsewhere: the token says where to look.
    let validator = Validator::new(AUDIENCE).trust(ISSUER, keys.active_key());
    let token = validator.validate(&token, now())?;
    let place = token.status().ok_or("the token is in no list")?;
    let published = keys.verifying_keys();
    for text in [&before, &after] {
        let list = StatusListToken::read(text, place.uri(), &published, DEFAULT_LEEWAY, now())?;
        let status = list.status(place.index());
        writeln!(
            out,
            "{} bytes: {status:?}; fetch again after {:?}",
            text.len(),
            list.refresh_after()
        )?;
    }
    let later = now() + TimeDelta::hours(2);
    let old = StatusListToken::read(&after, place.uri(), &published, Duration::ZERO, later);
    writeln!(out, "two hours later: {}", refused(old)?)?;
    let other = StatusListToken::read(
        &after,
        "https://issuer.example/status/2",
        &published,
        DEFAULT_LEEWAY,
        now(),
    );
    writeln!(out, "another list: {}", refused(other)?)?;
    Ok(())
}
