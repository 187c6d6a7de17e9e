use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher as _;
use std::time::Duration;

use cap_core::{CapabilityId, Principal};
use cap_crypto::KeyId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use self::item::{FOREVER, Item, Until, name_weight};
use self::table::Table;
use crate::sync::{AtomicU64, Mutex, Ordering};
use crate::{DEFAULT_LEEWAY, TokenId};

mod document;
mod error;
mod exchange;
mod filter;
mod item;
mod stats;
mod table;
mod target;

pub use document::{MAX_REVOCATIONS_BYTES, MalformedRevocations, REVOCATION_DOMAIN};
pub use error::{RevokeError, Revoked};
pub use exchange::{DEFAULT_MAX_IMPORT_BYTES, ExportError, ImportError, Publisher};
pub use stats::RevocationStats;
pub use target::{MAX_ISSUER_BYTES, Revocation, RevocationTarget};

/// Shards of a table of ids: with 10 million of them, one that grows holds up for a millisecond or
/// two those readers that want this very shard.
const ID_SHARDS: usize = 256;
const NAME_SHARDS: usize = 16;
/// Words of a filter when the first key comes.
const WORDS: usize = 64;

/// How many ids and names a set holds unless it is told otherwise: about a gigabyte.
pub const DEFAULT_MAX_REVOCATIONS: usize = 16 * 1024 * 1024;

/// What was revoked, in memory: asked with every token, by any number of threads, without an
/// allocation; and without a lock, but for what is found and for one unknown id or name in thirty
/// to two hundred, which the filter cannot tell from a known one.
///
/// **Scope.** [`new`](Self::new) makes a set that is asked about every token,
/// [`of_issuer`](Self::of_issuer) one that is asked about the tokens of one issuer, whose own
/// revocations it is to follow: what that issuer says, or fails to say, is nothing to the tokens of
/// others. A [`Validator`](crate::Validator) asks any number of sets.
///
/// **Freshness.** A set that follows publishers refuses everything in its scope as
/// [`Behind`](Revoked::Behind), until it has heard from each of them ([`raise_floor`](Self::raise_floor))
/// and, where it was told so, as soon as one has been silent for too long, or the clock stands too
/// far before what was heard ([`require_fresh`](Self::require_fresh)).
///
/// **Retention.** A revocation stays until the latest expiry of what it covers, plus the skew
/// [twice](Self::with_skew): once for the leeway with which validators still accept an expired
/// token, once for a clock that runs behind. Without an expiry it stays for ever, and so does that of
/// a principal, an issuer or a key, which covers what is yet to be issued. Revoking again only
/// lengthens that, and moves a [`PrincipalBefore`](RevocationTarget::PrincipalBefore) only
/// forward. What is past its retention is still refused until [`cleanup`](Self::cleanup).
///
/// **Memory.** An id takes 33 bytes of a bucket, and buckets are 44 to 88 % full: 38 to 76 bytes,
/// plus 1 to 4 of the filter. It is bounded by [`with_max_entries`](Self::with_max_entries).
pub struct RevocationSet {
    /// Whose tokens it is asked about; `None`: everybody's.
    issuer: Option<Box<str>>,
    max_entries: usize,
    tokens: Table<u128, Kept>,
    capabilities: Table<u128, Kept>,
    principals: Table<Box<str>, KeptPrincipal>,
    issuers: Table<Box<str>, Kept>,
    keys: Table<Box<str>, Kept>,
    /// How much the names count. INVARIANT: changed by whoever holds `sources`.
    names: AtomicU64,
    /// Seconds.
    skew: AtomicU64,
    /// The last change that is in the tables as a whole.
    epoch: AtomicU64,
    /// The second since 1970 from which on the view of a publisher is too old: 0 while one has not
    /// come to its floor, `u64::MAX` where none ever is.
    good_until: AtomicU64,
    /// When the youngest view was made of those that must be fresh, in seconds since 1970.
    made: AtomicU64,
    /// Whom it follows. INVARIANT: held by whoever changes the epoch.
    sources: Mutex<BTreeMap<String, Source>>,
}

/// The number of the last change of a revocation set: 0 for one that had none. That of a change is the
/// microsecond since 1970 in which it is made, or the one after the last where that is later: so a
/// publisher that lost its set, and begins with an empty one, gives no number a second time.
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

/// Nothing of a change was made: the set would hold more than it may.
#[derive(Debug)]
struct Full;

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
    /// `None` until it was heard from.
    position: Option<Epoch>,
    floor: Epoch,
    as_of: Option<DateTime<Utc>>,
    /// Seconds.
    max_age: Option<u64>,
}

impl RevocationSet {
    /// An empty set that is asked about every token. A publisher whose set is not
    /// [restored](Self::restore) but begins anew has forgotten what it revoked: those who followed it
    /// know, whoever begins to does not. Its skew is [`DEFAULT_LEEWAY`], its bound
    /// [`DEFAULT_MAX_REVOCATIONS`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_scope(None)
    }

    /// The same for the tokens of `issuer` alone: [`check`](Self::check) lets all others pass.
    #[must_use]
    pub fn of_issuer(issuer: &str) -> Self {
        Self::with_scope(Some(issuer.into()))
    }

    fn with_scope(issuer: Option<Box<str>>) -> Self {
        // The standard library's seeds, as in every `HashMap`: the only randomness that nobody gave.
        // No outcome depends on it.
        let seed = || RandomState::new().hash_one(0);
        Self {
            issuer,
            max_entries: DEFAULT_MAX_REVOCATIONS,
            tokens: Table::new(ID_SHARDS, WORDS, seed()),
            capabilities: Table::new(ID_SHARDS, WORDS, seed()),
            principals: Table::new(NAME_SHARDS, WORDS, seed()),
            issuers: Table::new(NAME_SHARDS, WORDS, seed()),
            keys: Table::new(NAME_SHARDS, WORDS, seed()),
            names: AtomicU64::new(0),
            skew: AtomicU64::new(DEFAULT_LEEWAY.as_secs()),
            epoch: AtomicU64::new(0),
            good_until: AtomicU64::new(u64::MAX),
            made: AtomicU64::new(0),
            sources: Mutex::new(BTreeMap::new()),
        }
    }

    /// By how much clocks may differ, in whole seconds: at least the leeway of every validator that
    /// asks this set, or one that follows it, on whatever machine. A validator of this process says
    /// so itself ([`require_skew`](Self::require_skew)); for all others it must be right before the
    /// first [`cleanup`](Self::cleanup), since what that has forgotten is in no snapshot.
    #[must_use]
    pub fn with_skew(self, skew: Duration) -> Self {
        self.skew.store(skew.as_secs(), Ordering::Relaxed);
        self
    }

    /// Bounds how many ids and names it holds, its own and those that it takes over; a name counts
    /// one more for each 32 bytes. A set that is full refuses to revoke more, which leaves tokens in
    /// force that should not be: choose the bound by the memory, and ask [`stats`](Self::stats). The
    /// principals, issuers and keys that are [revoked](Self::revoke) by itself are never refused,
    /// only those that it takes over: each of them stops what no list of ids could.
    #[must_use]
    pub fn with_max_entries(self, max_entries: usize) -> Self {
        Self { max_entries, ..self }
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
    /// none, or nobody knows. That of a principal, an issuer or a key is for ever.
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
            .map(|each| {
                let item = Item::of(&each.target)?;
                let end = each.covers_until.filter(|_| !item.covers_future());
                Ok((item, item::until(end, now)))
            })
            .collect::<Result<_, RevokeError>>()?;
        self.apply(&items, |item| !item.covers_future(), now).map_err(|Full| RevokeError::Full)
    }

    /// `Ok` for a token that nothing here speaks of: neither of itself, nor of its capability or
    /// one of its ancestors, its principal, its issuer or its key; and for one that is not in the
    /// scope of this set.
    ///
    /// # Errors
    /// See [`Revoked`].
    #[inline]
    pub fn check(&self, facts: &Facts<'_>, now: DateTime<Utc>) -> Result<(), Revoked> {
        if !self.is_asked_about(facts.issuer) {
            return Ok(());
        }
        if self.is_behind(now) {
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

    /// Whether it has not come to the floor of a publisher that it follows, or has not heard from it
    /// for too long, or only by a clock that this one is behind by more than the skew: then it refuses
    /// everything in its scope.
    #[inline]
    #[must_use]
    pub fn is_behind(&self, now: DateTime<Utc>) -> bool {
        let until = self.good_until.load(Ordering::Acquire);
        if until == u64::MAX {
            return false;
        }
        let now = u64::try_from(now.timestamp()).unwrap_or(0);
        let latest = now.saturating_add(self.skew.load(Ordering::Acquire));
        // SECURITY: a clock that was put back would make an old view young.
        now >= until || latest < self.made.load(Ordering::Acquire)
    }

    /// The last change.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    /// Forgets what is past its retention; how many revocations that were. To be called now and
    /// then: with the clock that validators use, since what it forgets is accepted again.
    pub fn cleanup(&self, now: DateTime<Utc>) -> usize {
        let _sources = self.sources.lock();
        let dead = now.timestamp().saturating_sub(self.skew().saturating_mul(2));
        let lives = |kept: &Kept| kept.until == FOREVER || kept.until >= dead;
        let (mut instants, mut weight) = (0, 0);
        self.principals.retain(|name, kept| {
            let had = kept.before.is_some();
            kept.before = kept.before.filter(|(_, kept)| lives(kept));
            instants += usize::from(had && kept.before.is_none());
            let stays = kept.always.is_some() || kept.before.is_some();
            weight += if stays { 0 } else { name_weight(name) };
            stays
        });
        self.names.fetch_sub(weight, Ordering::Relaxed);
        instants
            + self.tokens.retain(|_, kept| lives(kept))
            + self.capabilities.retain(|_, kept| lives(kept))
    }

    fn covers_principal(&self, principal: &Principal, issued_at: DateTime<Utc>) -> bool {
        self.principals.get(principal.as_str()).is_some_and(|kept| {
            let issued = issued_at.timestamp();
            let before = |(until, _): (i64, Kept)| issued <= until.saturating_add(self.skew());
            kept.always.is_some() || kept.before.is_some_and(before)
        })
    }

    /// Whether it is asked about the tokens of `issuer`.
    pub(crate) fn is_asked_about(&self, issuer: &str) -> bool {
        self.issuer.as_deref().is_none_or(|own| own == issuer)
    }

    /// Seconds.
    fn skew(&self) -> i64 {
        i64::try_from(self.skew.load(Ordering::Acquire)).unwrap_or(i64::MAX)
    }

    /// One change; none if all of it was there. There must be room for those that are `counted`.
    fn apply(
        &self,
        items: &[(Item<'_>, Until)],
        counted: fn(&Item<'_>) -> bool,
        now: DateTime<Utc>,
    ) -> Result<Epoch, Full> {
        let _sources = self.sources.lock();
        if !self.has_room(items.iter().map(|(item, _)| item).filter(|item| counted(item))) {
            return Err(Full);
        }
        let Epoch(next) = self.epoch().next(now);
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
        Ok(self.epoch())
    }

    fn has_room<'i>(&self, items: impl Iterator<Item = &'i Item<'i>> + Clone) -> bool {
        let names = usize::try_from(self.names.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        let held = (self.tokens.len() + self.capabilities.len()).saturating_add(names);
        let room = u64::try_from(self.max_entries.saturating_sub(held)).unwrap_or(u64::MAX);
        let all: u64 = items.clone().map(Item::weight).sum();
        all <= room || items.filter(|item| !self.holds(item)).map(Item::weight).sum::<u64>() <= room
    }

    fn holds(&self, item: &Item<'_>) -> bool {
        match item {
            Item::Token(id) => self.tokens.contains(id),
            Item::Capability(id) => self.capabilities.contains(id),
            Item::Principal(name) | Item::Before(name, _) => self.principals.contains(*name),
            Item::Issuer(name) => self.issuers.contains(*name),
            Item::Key(name) => self.keys.contains(*name),
        }
    }

    fn reserve(&self, items: &[(Item<'_>, Until)]) {
        let count = |of: fn(&Item<'_>) -> bool| items.iter().filter(|(item, _)| of(item)).count();
        self.tokens.reserve(count(|item| matches!(item, Item::Token(_))));
        self.capabilities.reserve(count(|item| matches!(item, Item::Capability(_))));
    }

    fn put(&self, item: &Item<'_>, until: Until, epoch: u64) -> bool {
        if let Some(name) = item.name().filter(|_| !self.holds(item)) {
            self.names.fetch_add(name_weight(name), Ordering::Relaxed);
        }
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
            .field("issuer", &self.issuer)
            .field("epoch", &self.epoch())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Epoch {
    /// That of a change after it.
    fn next(self, now: DateTime<Utc>) -> Self {
        let instant = u64::try_from(now.timestamp_micros()).unwrap_or(0);
        Self(instant.max(self.0.saturating_add(1)))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}
