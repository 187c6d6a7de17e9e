//! What a revocation reaches, and how long it is kept: the first part of
//! `docs/guide/revocation.md`.
//!
//! `cargo run -q -p cap-token --example revocation`

use std::error::Error;
use std::io::{Write, stdout};
use std::sync::Arc;

use cap_core::{Attenuation, Constraints, Delegation};
use cap_crypto::{Purpose, SigningKeyring};
use cap_token::{
    DEFAULT_TTL, Issuer, Revocation, RevocationSet, RevocationTarget, Validator, VerifiedToken,
};
use chrono::TimeDelta;

use scene::{AUDIENCE, Counting, ISSUER, Outcome, granted, now};

#[path = "support/scene.rs"]
mod scene;

fn main() -> Outcome {
    run(&mut stdout())
}

pub(crate) fn run(out: &mut dyn Write) -> Outcome {
    let random = Counting::default();
    let keys = SigningKeyring::ephemeral(Purpose::TokenSign, &random)?;
    let [alice, bob, carol] = three_tokens(&keys, &random)?;
    reach(&keys, &[&alice, &bob, &carol], out)?;
    keep(&bob, out)
}

/// Alice's, what she has handed on to bob, and what he has handed on to carol.
fn three_tokens(
    keys: &SigningKeyring,
    random: &Counting,
) -> Result<[VerifiedToken; 3], Box<dyn Error>> {
    let issuer = Issuer::new(ISSUER, AUDIENCE, keys);
    let validator = Validator::new(AUDIENCE).trust(ISSUER, keys.active_key());
    let hand_on = |parent: &VerifiedToken, name: &str| -> Result<_, Box<dyn Error>> {
        let delegation = Delegation {
            principal: name.parse()?,
            resource_type: None,
            resource: None,
            operations: None,
            constraints: Constraints::default(),
            expires_at: None,
            attenuation: Attenuation::Strict,
        };
        let passed = issuer.issue_delegated(parent, delegation, DEFAULT_TTL, random, now())?;
        Ok(validator.validate(&passed.token, now())?)
    };
    let alice = issuer.issue(&granted("alice", 7)?, &[], DEFAULT_TTL, random, now())?;
    let alice = validator.validate(&alice, now())?;
    let bob = hand_on(&alice, "bob")?;
    let carol = hand_on(&bob, "carol")?;
    Ok([alice, bob, carol])
}

fn reach(keys: &SigningKeyring, tokens: &[&VerifiedToken; 3], out: &mut dyn Write) -> Outcome {
    let [_, bob, _] = tokens;
    let principal = bob.principal().clone();
    let targets = [
        RevocationTarget::Token(bob.token_id()),
        RevocationTarget::Capability(bob.capability().id()),
        RevocationTarget::Principal(principal.clone()),
        RevocationTarget::PrincipalBefore(principal.clone(), now() - TimeDelta::minutes(4)),
        RevocationTarget::PrincipalBefore(principal, now() - TimeDelta::minutes(6)),
        RevocationTarget::Issuer(ISSUER.to_owned()),
        RevocationTarget::Key(keys.active()),
    ];
    for target in targets {
        writeln!(out, "{}", serde_json::to_string(&target)?)?;
        let revocations = Arc::new(RevocationSet::new());
        let validator = Validator::new(AUDIENCE).with_revocations(Arc::clone(&revocations));
        revocations.revoke(target, Some(bob.expires_at()), now())?;
        for token in tokens {
            let verdict = match validator.check_revoked(token, now()) {
                Ok(()) => "good".to_owned(),
                Err(refusal) => format!("{refusal} ({})", refusal.deny_code()),
            };
            writeln!(out, "  {}: {verdict}", token.principal())?;
        }
    }
    Ok(())
}

fn keep(token: &VerifiedToken, out: &mut dyn Write) -> Outcome {
    let revocations = RevocationSet::new();
    let forever = RevocationTarget::Principal("mallory".parse()?);
    let both = [
        Revocation {
            target: RevocationTarget::Token(token.token_id()),
            covers_until: Some(token.expires_at()),
        },
        Revocation { target: forever, covers_until: None },
    ];
    let epoch = revocations.revoke_batch(&both, now())?;
    assert_eq!(revocations.revoke_batch(&both, now())?, epoch, "nothing new");
    for minutes in [25, 26] {
        let cleaned = revocations.cleanup(now() + TimeDelta::minutes(minutes));
        let stats = revocations.stats();
        let (tokens, principals) = (stats.tokens, stats.principals);
        writeln!(
            out,
            "{minutes} minutes: {cleaned} cleaned up, {tokens} token, {principals} principal"
        )?;
    }
    Ok(())
}
