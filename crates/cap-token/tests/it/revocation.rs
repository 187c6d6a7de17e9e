use cap_core::{CapabilityId, Principal};
use cap_crypto::{KeyId, Signer as _, SigningKey};
use cap_token::{Epoch, Facts, Publisher, RevocationSet, RevocationTarget, Revoked, TokenId};
use chrono::{DateTime, TimeDelta, Utc};

use crate::support::now;

mod covering;
mod documents;
mod following;
mod model;
mod restoring;

const PUBLISHER: &str = "https://issuer.example";

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_ed25519_seed(&[seed; 32]).unwrap()
}

fn publisher(key: &SigningKey) -> Publisher {
    Publisher::for_everything(PUBLISHER, vec![key.key().clone()])
}

/// A UUIDv7.
fn bytes(number: u32) -> [u8; 16] {
    let mut bytes = [7; 16];
    bytes[6] = 0x70;
    bytes[8] = 0x80;
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    bytes
}

pub(crate) fn token(number: u32) -> TokenId {
    TokenId::from_bytes(bytes(number)).unwrap()
}

pub(crate) fn capability(number: u32) -> CapabilityId {
    CapabilityId::from_bytes(bytes(number)).unwrap()
}

fn principal(name: &str) -> Principal {
    name.parse().unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    now() + TimeDelta::seconds(seconds)
}

/// That of the change of this number, all of them made now.
pub(crate) fn epoch(number: u64) -> Epoch {
    Epoch(1_767_225_600_000_000 + number - 1)
}

/// A token with four ancestors.
#[derive(Clone, Debug)]
struct Subject {
    token: TokenId,
    capability: CapabilityId,
    ancestors: Vec<CapabilityId>,
    principal: Principal,
    issuer: String,
    key: KeyId,
    issued_at: DateTime<Utc>,
}

impl Subject {
    fn new() -> Self {
        Self {
            token: token(1),
            capability: capability(14),
            ancestors: (10..14).map(capability).collect(),
            principal: principal("alice"),
            issuer: PUBLISHER.to_owned(),
            key: "key-1".parse().unwrap(),
            issued_at: now(),
        }
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            token: self.token,
            capability: self.capability,
            ancestors: &self.ancestors,
            principal: &self.principal,
            issuer: &self.issuer,
            key: &self.key,
            issued_at: self.issued_at,
        }
    }

    fn check(&self, set: &RevocationSet) -> Result<(), Revoked> {
        set.check(&self.facts(), now())
    }
}

fn revoked(target: RevocationTarget) -> RevocationSet {
    let set = RevocationSet::new();
    set.revoke(target, None, now()).unwrap();
    set
}

/// As the subject has them.
fn targets() -> Vec<(RevocationTarget, Revoked)> {
    vec![
        (RevocationTarget::Token(token(1)), Revoked::Token),
        (RevocationTarget::Capability(capability(14)), Revoked::Capability),
        (RevocationTarget::Capability(capability(10)), Revoked::Ancestor),
        (RevocationTarget::Capability(capability(13)), Revoked::Ancestor),
        (RevocationTarget::Principal(principal("alice")), Revoked::Principal),
        (RevocationTarget::PrincipalBefore(principal("alice"), now()), Revoked::Principal),
        (RevocationTarget::Issuer(PUBLISHER.to_owned()), Revoked::Issuer),
        (RevocationTarget::Key("key-1".parse().unwrap()), Revoked::Key),
    ]
}

/// So long before the subject was issued that the skew does not matter.
fn earlier() -> RevocationTarget {
    RevocationTarget::PrincipalBefore(principal("alice"), at(-301))
}

/// None of which the subject has.
fn others() -> Vec<RevocationTarget> {
    vec![
        RevocationTarget::Token(token(2)),
        // The numbers of capabilities and tokens are apart.
        RevocationTarget::Token(token(14)),
        RevocationTarget::Capability(capability(1)),
        RevocationTarget::Capability(capability(15)),
        RevocationTarget::Principal(principal("bob")),
        RevocationTarget::PrincipalBefore(principal("bob"), now()),
        earlier(),
        RevocationTarget::Principal(principal("key-1")),
        RevocationTarget::Issuer("https://issuer.example/".to_owned()),
        RevocationTarget::Key("key-2".parse().unwrap()),
    ]
}
/// A set with one of everything.
fn full() -> RevocationSet {
    let set = RevocationSet::new();
    for (at, target) in targets().into_iter().map(|(target, _)| target).chain(others()).enumerate()
    {
        let until = (at % 2 == 0).then(|| now() + TimeDelta::hours(1));
        set.revoke(target, until, now()).unwrap();
    }
    set
}

fn all_targets() -> Vec<RevocationTarget> {
    targets().into_iter().map(|(target, _)| target).chain(others()).collect()
}
