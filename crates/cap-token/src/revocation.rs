use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher as _;
use std::time::Duration;

use cap_core::{CapabilityId, DenyCode, Principal};
use cap_crypto::KeyId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use self::item::{FOREVER, Item, Until};
use self::table::Table;
use crate::sync::{AtomicU64, Mutex, Ordering};
use crate::{DEFAULT_LEEWAY, TokenId};

mod document;
mod exchange;
mod filter;
mod item;
mod table;
mod target;

pub use document::{MAX_REVOCATIONS_BYTES, MalformedRevocations, REVOCATION_DOMAIN};
pub use exchange::{ExportError, ImportError, Publisher};
pub use target::{MAX_ISSUER_BYTES, Revocation, RevocationTarget};

/// Shards of a table of ids: with 10 million of them, one that grows holds up for a millisecond or
/// two those readers that want this very shard.
const ID_SHARDS: usize = 256;
const NAME_SHARDS: usize = 16;
/// Words of a filter when the first key comes.
const WORDS: usize = 64;

/// What was revoked, in memory: asked with every token, by any number of threads, without an
/// allocation; and without a lock unless something is found.
///
/// **Retention.** A revocation stays until the latest expiry of what it covers, plus the skew
/// [twice](Self::with_skew): once for the leeway with which validators still accept an expired
/// token, once for a clock that runs behind. Without an expiry it stays for ever. Revoking again
/// only lengthens that, and moves a [`PrincipalBefore`](RevocationTarget::PrincipalBefore) only
/// forward. What is past its retention is still refused until [`cleanup`](Self::cleanup).
///
/// **Memory.** An id takes 33 bytes of a bucket, and buckets are 44 to 88 % full: 38 to 76 bytes,
/// plus 1 to 4 of the filter; the ten million of the benchmark about 60 each.
pub struct RevocationSet {
    tokens: Table<u128, Kept>,
    capabilities: Table<u128, Kept>,
    principals: Table<Box<str>, KeptPrincipal>,
    issuers: Table<Box<str>, Kept>,
    keys: Table<Box<str>, Kept>,
    /// Seconds.
    skew: AtomicU64,
    /// The last change that is in the tables as a whole.
    epoch: AtomicU64,
    /// How many publishers have not yet come to their floor.
    behind: AtomicU64,
    /// Whom it follows. INVARIANT: held by whoever changes the epoch.
    sources: Mutex<BTreeMap<String, Source>>,
}

/// The number of the last change of a revocation set: 0 for an empty one.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// What is known of a token when the set is asked about it.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The token (`jti`).
    pub token: TokenId,
    /// The capability that it carries.
    pub capability: CapabilityId,
    /// Those from which that one descends.
    pub ancestors: &'a [CapabilityId],
    /// Whose it is.
    pub principal: &'a Principal,
    /// Who issued it.
    pub issuer: &'a str,
    /// Which key signed it.
    pub key: &'a KeyId,
    /// When it was issued (`iat`).
    pub issued_at: DateTime<Utc>,
}

/// Why the set refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Revoked {
    /// The token itself.
    #[error("the token was revoked")]
    Token,
    /// Its capability.
    #[error("the capability was revoked")]
    Capability,
    /// A capability that its own descends from.
    #[error("a capability that it descends from was revoked")]
    Ancestor,
    /// Its principal, for good or for what was issued up to an instant.
    #[error("its principal was revoked")]
    Principal,
    /// Its issuer.
    #[error("its issuer was revoked")]
    Issuer,
    /// The key that signed it.
    #[error("its key was revoked")]
    Key,
    /// Nobody knows: the set has not come to the floor of a publisher that it follows.
    #[error("the revocations are older than they may be")]
    Behind,
}

/// How much a set holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RevocationStats {
    /// Tokens.
    pub tokens: usize,
    /// Capabilities.
    pub capabilities: usize,
    /// Principals, for good.
    pub principals: usize,
    /// Principals, for what was issued up to an instant.
    pub principals_before: usize,
    /// Issuers.
    pub issuers: usize,
    /// Keys.
    pub keys: usize,
    /// An estimate of the memory, in bytes.
    pub bytes: usize,
}

/// Why nothing was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RevokeError {
    /// The name of an issuer is empty, too long, or has control characters.
    #[error("an issuer has 1 to {MAX_ISSUER_BYTES} bytes and no control characters")]
    Issuer,
    /// The instant of a principal's revocation is before 1970 or after the year 9999.
    #[error("the instant is before 1970 or after the year 9999")]
    Instant,
}

/// How long a revocation is kept, and which change made it what it is.
#[derive(Clone, Copy, Debug)]
struct Kept {
    until: Until,
    epoch: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct KeptPrincipal {
    always: Option<Kept>,
    /// Tokens issued up to this second.
    before: Option<(i64, Kept)>,
}

/// How far a publisher is followed.
#[derive(Clone, Copy, Debug, Default)]
struct Source {
    position: Epoch,
    floor: Epoch,
    as_of: Option<DateTime<Utc>>,
}

impl RevocationSet {
    /// An empty set, whose skew is [`DEFAULT_LEEWAY`].
    #[must_use]
    pub fn new() -> Self {
        // The standard library's seeds are secret and different for each.
        let seed = || RandomState::new().hash_one(0);
        Self {
            tokens: Table::new(ID_SHARDS, WORDS, seed()),
            capabilities: Table::new(ID_SHARDS, WORDS, seed()),
            principals: Table::new(NAME_SHARDS, WORDS, seed()),
            issuers: Table::new(NAME_SHARDS, WORDS, seed()),
            keys: Table::new(NAME_SHARDS, WORDS, seed()),
            skew: AtomicU64::new(DEFAULT_LEEWAY.as_secs()),
            epoch: AtomicU64::new(0),
            behind: AtomicU64::new(0),
            sources: Mutex::new(BTreeMap::new()),
        }
    }

    /// By how much clocks may differ, in whole seconds: at least the leeway of every validator that
    /// asks this set ([`require_skew`](Self::require_skew)).
    #[must_use]
    pub fn with_skew(self, skew: Duration) -> Self {
        self.skew.store(skew.as_secs(), Ordering::Relaxed);
        self
    }

    /// Makes the skew at least `skew`. Nothing makes a shared set's smaller.
    pub fn require_skew(&self, skew: Duration) {
        self.skew.fetch_max(skew.as_secs(), Ordering::AcqRel);
    }

    /// Revokes what `target` covers. That of a capability reaches everything that descends from it;
    /// that of a token or a principal does not reach what was handed on before: whoever wants that
    /// gone, too, revokes the capability ([`Issued`](crate::Issued) names those of a principal).
    ///
    /// `covers_until` is the latest expiry of anything that it covers; `None` when something has
    /// none, or nobody knows.
    ///
    /// No [`check`](Self::check) that starts after this has returned lets such a token pass.
    ///
    /// # Errors
    /// See [`RevokeError`].
    pub fn revoke(
        &self,
        target: RevocationTarget,
        covers_until: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Epoch, RevokeError> {
        self.revoke_batch(&[Revocation { target, covers_until }], now)
    }

    /// Revokes all of them, or none, as one change. The epoch in which all are in force.
    ///
    /// # Errors
    /// See [`RevokeError`].
    pub fn revoke_batch(
        &self,
        revocations: &[Revocation],
        now: DateTime<Utc>,
    ) -> Result<Epoch, RevokeError> {
        let items: Vec<_> = revocations
            .iter()
            .map(|each| Ok((Item::of(&each.target)?, item::until(each.covers_until, now))))
            .collect::<Result<_, RevokeError>>()?;
        Ok(self.apply(&items))
    }

    /// `Ok` for a token that nothing here speaks of: neither of itself, nor of its capability or
    /// one of its ancestors, its principal, its issuer or its key.
    ///
    /// # Errors
    /// See [`Revoked`].
    #[inline]
    pub fn check(&self, facts: &Facts<'_>) -> Result<(), Revoked> {
        if self.behind.load(Ordering::Acquire) != 0 {
            return Err(Revoked::Behind);
        }
        if self.tokens.contains(&item::bits(facts.token.as_bytes())) {
            return Err(Revoked::Token);
        }
        let capability = |id: &CapabilityId| self.capabilities.contains(&item::bits(id.as_bytes()));
        if capability(&facts.capability) {
            return Err(Revoked::Capability);
        }
        if facts.ancestors.iter().any(capability) {
            return Err(Revoked::Ancestor);
        }
        if self.covers_principal(facts.principal, facts.issued_at) {
            return Err(Revoked::Principal);
        }
        if self.issuers.contains(facts.issuer) {
            return Err(Revoked::Issuer);
        }
        if self.keys.contains(facts.key.as_str()) { Err(Revoked::Key) } else { Ok(()) }
    }

    /// Whether `target` itself was revoked; that of a principal up to an instant also when the
    /// principal was revoked for good, or up to a later one.
    #[must_use]
    pub fn is_revoked(&self, target: &RevocationTarget) -> bool {
        match target {
            RevocationTarget::Token(id) => self.tokens.contains(&item::bits(id.as_bytes())),
            RevocationTarget::Capability(id) => {
                self.capabilities.contains(&item::bits(id.as_bytes()))
            }
            RevocationTarget::Principal(principal) => {
                self.principals.get(principal.as_str()).is_some_and(|kept| kept.always.is_some())
            }
            RevocationTarget::PrincipalBefore(principal, instant) => {
                let instant = item::second_after(*instant);
                self.principals.get(principal.as_str()).is_some_and(|kept| {
                    kept.always.is_some() || kept.before.is_some_and(|(until, _)| instant <= until)
                })
            }
            RevocationTarget::Issuer(issuer) => self.issuers.contains(issuer.as_str()),
            RevocationTarget::Key(key) => self.keys.contains(key.as_str()),
        }
    }

    /// The last change.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    /// Forgets what is past its retention; how many revocations that were. To be called now and
    /// then: with the clock that validators use, since what it forgets is accepted again.
    pub fn cleanup(&self, now: DateTime<Utc>) -> usize {
        let skew = i64::try_from(self.skew.load(Ordering::Acquire)).unwrap_or(i64::MAX);
        let dead = now.timestamp().saturating_sub(skew.saturating_mul(2));
        let lives = |kept: &Kept| kept.until == FOREVER || kept.until >= dead;
        let mut parts = 0;
        self.principals.retain(|kept| {
            let before = kept.parts();
            kept.always = kept.always.filter(lives);
            kept.before = kept.before.filter(|(_, kept)| lives(kept));
            parts += before - kept.parts();
            kept.parts() > 0
        });
        parts
            + self.tokens.retain(|kept| lives(kept))
            + self.capabilities.retain(|kept| lives(kept))
            + self.issuers.retain(|kept| lives(kept))
            + self.keys.retain(|kept| lives(kept))
    }

    /// How much it holds.
    #[must_use]
    pub fn stats(&self) -> RevocationStats {
        let mut stats = RevocationStats {
            tokens: self.tokens.len(),
            capabilities: self.capabilities.len(),
            bytes: size_of::<Self>()
                + self.tokens.bytes()
                + self.capabilities.bytes()
                + self.principals.bytes()
                + self.issuers.bytes()
                + self.keys.bytes(),
            ..RevocationStats::default()
        };
        self.principals.for_each(|name, kept| {
            stats.principals += usize::from(kept.always.is_some());
            stats.principals_before += usize::from(kept.before.is_some());
            stats.bytes += name.len();
        });
        self.issuers.for_each(|name, _| {
            stats.issuers += 1;
            stats.bytes += name.len();
        });
        self.keys.for_each(|name, _| {
            stats.keys += 1;
            stats.bytes += name.len();
        });
        stats
    }

    fn covers_principal(&self, principal: &Principal, issued_at: DateTime<Utc>) -> bool {
        self.principals.get(principal.as_str()).is_some_and(|kept| {
            let skew = i64::try_from(self.skew.load(Ordering::Acquire)).unwrap_or(i64::MAX);
            let issued = issued_at.timestamp();
            let before = |(until, _): (i64, Kept)| issued <= until.saturating_add(skew);
            kept.always.is_some() || kept.before.is_some_and(before)
        })
    }

    /// One change; none if all of it was there.
    fn apply(&self, items: &[(Item<'_>, Until)]) -> Epoch {
        let _sources = self.sources.lock();
        let next = self.epoch().0.saturating_add(1);
        self.reserve(items);
        let mut changed = false;
        for (item, until) in items {
            changed |= self.put(item, *until, next);
        }
        // SECURITY: published once all of it can be found: whoever exports up to an epoch exports
        // the whole of it.
        if changed {
            self.epoch.store(next, Ordering::Release);
        }
        self.epoch()
    }

    fn reserve(&self, items: &[(Item<'_>, Until)]) {
        let count = |of: fn(&Item<'_>) -> bool| items.iter().filter(|(item, _)| of(item)).count();
        self.tokens.reserve(count(|item| matches!(item, Item::Token(_))));
        self.capabilities.reserve(count(|item| matches!(item, Item::Capability(_))));
    }

    fn put(&self, item: &Item<'_>, until: Until, epoch: u64) -> bool {
        let longer = |old: Option<Kept>| match old {
            Some(kept) if kept.until >= until => None,
            _ => Some(Kept { until, epoch }),
        };
        match item {
            Item::Token(id) => self.tokens.put(*id, longer),
            Item::Capability(id) => self.capabilities.put(*id, longer),
            Item::Principal(name) => self.principals.put((*name).into(), |old| {
                let old = old.unwrap_or_default();
                Some(KeptPrincipal { always: Some(longer(old.always)?), ..old })
            }),
            Item::Before(name, instant) => self.principals.put((*name).into(), |old| {
                let old = old.unwrap_or_default();
                let before = match old.before {
                    Some((at, kept)) if at >= *instant => (at, longer(Some(kept))?),
                    Some((_, kept)) => (*instant, Kept { until: until.max(kept.until), epoch }),
                    None => (*instant, Kept { until, epoch }),
                };
                Some(KeptPrincipal { before: Some(before), ..old })
            }),
            Item::Issuer(name) => self.issuers.put((*name).into(), longer),
            Item::Key(name) => self.keys.put((*name).into(), longer),
        }
    }
}

impl Default for RevocationSet {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RevocationSet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("RevocationSet")
            .field("epoch", &self.epoch())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl KeptPrincipal {
    fn parts(&self) -> usize {
        usize::from(self.always.is_some()) + usize::from(self.before.is_some())
    }
}

impl Revoked {
    /// The code under which the refusal is recorded.
    #[must_use]
    pub const fn deny_code(self) -> DenyCode {
        match self {
            Self::Behind => DenyCode::StoreUnavailable,
            _ => DenyCode::CapabilityRevoked,
        }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}
