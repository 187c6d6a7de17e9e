//! Ours: keys of one issuer, and tokens that carry the grant of the benchmarks.

use std::sync::Arc;
use std::time::Duration;

use cap_core::{
    Attenuation, Capability, CapabilityId, Constraints, Delegation, Operation, ResourceType,
    RootGrant,
};
use cap_crypto::{Algorithm, Backend, OsRandom, Purpose, SigningKey, SigningKeyring};
use cap_token::{Issuer, Revocation, RevocationSet, RevocationTarget, TokenId, Validator};
use chrono::{DateTime, TimeDelta, Utc};

use super::grant::{AGENT, ALLOWED, Grant};
use super::ours::constraints;

pub const ISSUER: &str = "https://issuer.example";
pub const AUDIENCE: &str = "https://server.example";
pub const TTL: Duration = Duration::from_secs(3_600);

/// RSA-2048, of the tests: not every backend generates one.
const RSA: &str = include_str!("../../../crates/cap-token/tests/fixtures/rsa-2048.pem");

/// When the calls of the benchmarks are made.
pub fn instant() -> DateTime<Utc> {
    DateTime::from_timestamp(ALLOWED[0].now, 0).expect("an instant")
}

pub fn signing_key(algorithm: Algorithm) -> SigningKey {
    match algorithm {
        Algorithm::Rs256 => SigningKey::from_pkcs8(RSA.as_bytes()).expect("a key"),
        _ => SigningKey::generate(algorithm, Backend::default(), &OsRandom).expect("a key"),
    }
}

/// A keyring whose active key is this one.
pub fn keyring(key: &SigningKey, now: DateTime<Utc>) -> SigningKeyring {
    SigningKeyring::ephemeral_with(Purpose::TokenSign, key, now).expect("a keyring")
}

pub fn issuer(keys: &SigningKeyring) -> Issuer<'_> {
    Issuer::new(ISSUER, AUDIENCE, keys)
}

/// Trusts the active key, and asks `revocations`.
pub fn validator(keys: &SigningKeyring, revocations: &Arc<RevocationSet>) -> Validator {
    Validator::new(AUDIENCE)
        .trust(ISSUER, keys.active_key())
        .with_revocations(Arc::clone(revocations))
}

/// The grant, delegated so many times as it is, with its ancestors.
pub fn lineage(number: u32, depth: u8, now: DateTime<Utc>) -> (Capability, Vec<CapabilityId>) {
    let grant = RootGrant {
        principal: AGENT.parse().expect("a principal"),
        resource_type: ResourceType::Path,
        resource: "*".into(),
        operations: [Operation::Read, Operation::Write, Operation::List].into_iter().collect(),
        constraints: serde_json::from_value(constraints(Grant::Plain)).expect("constraints"),
        expires_at: Some(now + TimeDelta::days(30)),
    };
    let mut capability = Capability::grant(id(number, 0, now), grant, now).expect("a grant");
    let mut ancestors = Vec::new();
    for level in 1..=depth {
        let delegation = Delegation {
            principal: AGENT.parse().expect("a principal"),
            resource_type: None,
            resource: None,
            operations: None,
            constraints: Constraints::default(),
            expires_at: None,
            attenuation: Attenuation::Strict,
        };
        let child = capability.delegate(id(number, level, now), delegation, now);
        ancestors.push(capability.id());
        capability = child.expect("a delegation").0;
    }
    (capability, ancestors)
}

fn id(number: u32, level: u8, now: DateTime<Utc>) -> CapabilityId {
    let mut random = [level; 10];
    random[6..].copy_from_slice(&number.to_be_bytes());
    CapabilityId::new(random, now)
}

/// Revocations of others, of every kind: nothing is answered by there being none.
pub fn revocations_of_others(now: DateTime<Utc>) -> RevocationSet {
    let set = RevocationSet::new();
    let revoke = |targets: &mut dyn Iterator<Item = RevocationTarget>| {
        let covers_until = Some(now + TimeDelta::hours(1));
        let batch: Vec<_> = targets.map(|target| Revocation { target, covers_until }).collect();
        set.revoke_batch(&batch, now).expect("revoked");
    };
    let id = |number: u32| id(number, 0xff, now);
    revoke(&mut (0..10_000).map(|number| RevocationTarget::Capability(id(number))));
    revoke(&mut (10_000..20_000).map(|number| {
        RevocationTarget::Token(TokenId::from_bytes(*id(number).as_bytes()).expect("an id"))
    }));
    revoke(&mut (0..1_000).map(|number| {
        RevocationTarget::Principal(format!("agent:gone-{number}").parse().expect("a principal"))
    }));
    revoke(
        &mut (0..10)
            .map(|number| RevocationTarget::Issuer(format!("https://gone-{number}.example"))),
    );
    revoke(&mut (0..10).map(|number| {
        RevocationTarget::Key(format!("{number:0>43}").parse().expect("the name of a key"))
    }));
    set
}
