//! Revocations that are published and followed: the second part of `docs/guide/revocation.md`.
//!
//! `cargo run -q -p cap-token --example followers`

use std::io::{Write, stdout};
use std::sync::Arc;
use std::time::Duration;

use cap_crypto::{Purpose, SigningKeyring};
use cap_token::{
    DEFAULT_TTL, Epoch, Issuer, Publisher, RevocationSet, RevocationTarget, Validator,
};
use chrono::{DateTime, TimeDelta, Utc};

use scene::{AUDIENCE, Counting, ISSUER, Outcome, granted, now, refused};

#[path = "support/scene.rs"]
mod scene;

fn main() -> Outcome {
    run(&mut stdout())
}

const OURS: &str = "https://revocations.example";

pub(crate) fn run(out: &mut dyn Write) -> Outcome {
    let random = Counting::default();
    let keys = SigningKeyring::ephemeral(Purpose::TokenSign, &random)?;
    let token = Issuer::new(ISSUER, AUDIENCE, &keys).issue(
        &granted("alice", 7)?,
        &[],
        DEFAULT_TTL,
        &random,
        now(),
    )?;

    // Whoever revokes.
    let published = RevocationSet::new();
    let snapshot = published.export_snapshot(OURS, &*keys.signer(), now())?;

    // Whoever validates: refuses everything until it has heard from the publisher, and again when it
    // has heard nothing for ten minutes.
    let publisher = Publisher::for_everything(OURS, keys.verifying_keys());
    let followed = Arc::new(RevocationSet::new());
    followed.require_fresh(OURS, Duration::from_secs(600));
    let validator = Validator::new(AUDIENCE)
        .trust(ISSUER, keys.active_key())
        .with_revocations(Arc::clone(&followed));
    let verdict = |now: DateTime<Utc>| match validator.validate(&token, now) {
        Ok(_) => "good".to_owned(),
        Err(refusal) => format!("{refusal} ({})", refusal.deny_code()),
    };
    writeln!(out, "at first: {}", verdict(now()))?;
    followed.import(&snapshot, &publisher, now())?;
    writeln!(out, "a snapshot of {} bytes: {}", snapshot.len(), verdict(now()))?;
    writeln!(out, "ten minutes of silence: {}", verdict(now() + TimeDelta::minutes(10)))?;

    let all_of_alice = RevocationTarget::Principal("alice".parse()?);
    published.revoke(all_of_alice, None, now())?;
    let delta = published.export_delta(followed.position(OURS), OURS, &*keys.signer(), now())?;
    let epoch = followed.import(&delta, &publisher, now())?;
    writeln!(out, "a delta of {} bytes to epoch {epoch}: {}", delta.len(), verdict(now()))?;

    unfit(&followed, &publisher, &snapshot, &delta, out)?;
    restart(&published, &publisher, &keys, epoch, out)
}

fn unfit(
    followed: &RevocationSet,
    publisher: &Publisher,
    snapshot: &[u8],
    delta: &[u8],
    out: &mut dyn Write,
) -> Outcome {
    let text = refused(followed.import(snapshot, publisher, now()))?;
    writeln!(out, "an older snapshot: {text}")?;
    let mut changed = delta.to_vec();
    changed.iter_mut().rev().skip(2).take(1).for_each(|byte| *byte ^= 1); // of the signature
    writeln!(out, "changed: {}", refused(followed.import(&changed, publisher, now()))?)?;
    let stranger = SigningKeyring::ephemeral(Purpose::TokenSign, &Counting::starting_at(99))?;
    let stranger = Publisher::for_everything(OURS, stranger.verifying_keys());
    writeln!(out, "another key: {}", refused(followed.import(delta, &stranger, now()))?)?;
    let partner = Publisher::new(OURS, Vec::new());
    writeln!(out, "another issuer's: {}", refused(followed.import(delta, &partner, now()))?)?;
    Ok(())
}

/// Of both: neither goes back.
fn restart(
    published: &RevocationSet,
    publisher: &Publisher,
    keys: &SigningKeyring,
    epoch: Epoch,
    out: &mut dyn Write,
) -> Outcome {
    let saved = published.export_snapshot(OURS, &*keys.signer(), now())?;
    let later = now() + TimeDelta::minutes(1);
    let published = RevocationSet::restore(&saved, publisher, epoch, later)?;
    writeln!(out, "the publisher goes on from epoch {}", published.epoch())?;

    let followed = RevocationSet::new();
    followed.raise_floor(OURS, epoch);
    assert!(followed.is_behind(later));
    let delta = published.export_delta(epoch, OURS, &*keys.signer(), later)?;
    let missing = followed.import(&delta, publisher, later);
    writeln!(out, "a delta alone: {}", refused(missing)?)?;
    followed.import(&saved, publisher, later)?;
    followed.import(&delta, publisher, later)?;
    assert!(!followed.is_behind(later));
    Ok(())
}
