use std::time::Duration;

use cap_crypto::{KeyId, VerifyingKey};
use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use super::{ForeignKeys, JwksError};

/// The keys of one other issuer, and when they are to be fetched again. It fetches nothing itself:
/// the caller asks whether to, fetches over an authenticated channel, and hands in what came.
///
/// The keys are good for tokens of this issuer and no other, until the last good document is older
/// than the staleness bound: they belong, after every [`apply`](Self::apply), into
/// `Validator::set_keys_until(source.issuer(), source.keys(now), good_until)`, where `good_until` is
/// [`stale_at`](Self::stale_at).
///
/// SECURITY: once the last good document is stale, [`keys`](Self::keys) has none. A validator holds
/// what it was given, and is not asked to come back: without the instant it would trust the keys
/// for as long as nobody sets others, also while somebody keeps us from fetching.
#[derive(Debug)]
pub struct JwksSource {
    issuer: String,
    timing: JwksTiming,
    good: Option<Good>,
    attempted: Option<DateTime<Utc>>,
}

/// When a key set is fetched, and for how long it is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JwksTiming {
    /// After how long it is fetched again, if its issuer does not ask for sooner. One hour.
    pub refresh_every: Duration,
    /// For how long it is believed at most. 24 hours.
    pub stale_after: Duration,
    /// The shortest time between two fetches, for whatever reason. 30 seconds.
    pub cool_down: Duration,
}

/// What a new document has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// Whether the keys are others than before. If not, they are good for longer all the same.
    pub changed: bool,
    /// How many keys were skipped.
    pub skipped: usize,
}

/// Why there is no such source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JwksSourceError {
    /// The issuer's name is empty, longer than 2,048 bytes, or has control characters.
    #[error("an issuer has a name of 1 to 2048 bytes without control characters")]
    Issuer,
    /// The times do not fit together.
    #[error(
        "the cool-down must be at least a second and at most the refresh interval, which must be \
         shorter than the staleness bound, which is at most a year"
    )]
    Timing,
}

#[derive(Debug, Clone)]
struct Good {
    keys: Vec<VerifyingKey>,
    fetched: DateTime<Utc>,
    refresh_at: DateTime<Utc>,
}

/// How far a document may lie in the future before the clock is taken to have been put back.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);

impl JwksSource {
    /// A source without keys. `issuer` is what `iss` of its tokens says, compared exactly; it is
    /// fixed here and never taken from a document.
    ///
    /// # Errors
    /// See [`JwksSourceError`].
    pub fn new(issuer: impl Into<String>, timing: JwksTiming) -> Result<Self, JwksSourceError> {
        let issuer = issuer.into();
        let length_fits = (1..=2048).contains(&issuer.len());
        if !length_fits || issuer.contains(char::is_control) {
            return Err(JwksSourceError::Issuer);
        }
        let JwksTiming { refresh_every, stale_after, cool_down } = timing;
        let ordered = cool_down >= Duration::from_secs(1)
            && cool_down <= refresh_every
            && refresh_every < stale_after
            && stale_after <= YEAR;
        if !ordered {
            return Err(JwksSourceError::Timing);
        }
        Ok(Self { issuer, timing, good: None, attempted: None })
    }

    /// Whose keys these are.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The keys that verify tokens of the issuer now: none before the first document and none once
    /// the last one is stale. They are good until [`stale_at`](Self::stale_at): whoever keeps them
    /// keeps that instant with them.
    #[must_use]
    pub fn keys(&self, now: DateTime<Utc>) -> Vec<VerifyingKey> {
        self.fresh(now).map(|good| good.keys.clone()).unwrap_or_default()
    }

    /// When there will be no keys any more unless a document is applied before: the staleness bound
    /// after the request for the last good one. To be given to a validator together with the keys.
    #[must_use]
    pub fn stale_at(&self) -> Option<DateTime<Utc>> {
        self.good.as_ref().map(|good| after(good.fetched, self.timing.stale_after))
    }

    /// Whether the caller should fetch the key set now: because there is none, or it is time to.
    /// A `true` is an attempt, and starts the cool-down: of several that ask, one fetches.
    #[must_use]
    pub fn claim_refresh(&mut self, now: DateTime<Utc>) -> bool {
        let due = self.fresh(now).is_none_or(|good| good.refresh_at <= now);
        due && self.claim(now)
    }

    /// Whether the caller should fetch the key set because a token names this key.
    ///
    /// SECURITY: anyone can send tokens with unknown names; between two fetches lies the cool-down.
    #[must_use]
    pub fn claim_refresh_for(&mut self, key: &KeyId, now: DateTime<Utc>) -> bool {
        let known = self.fresh(now).is_some_and(|good| good.keys.iter().any(|k| k.id() == key));
        !known && self.claim(now)
    }

    /// Takes a fetched document in place of the one before. `requested` is when the request was sent
    /// (the instant given to [`claim_refresh`](Self::claim_refresh)): the document is as old as
    /// that, however long it took to come. `max_age` is what the response said of how long it may
    /// be kept, less its `Age` (RFC 9111 §4.2.3); it can only shorten the interval, and not below
    /// the cool-down. An answer that went through caches should be asked for with `no-cache`:
    /// for how long they had it, `requested` does not say.
    ///
    /// On `304 Not Modified` the bytes that were kept are applied again, with the instant of the
    /// conditional request.
    ///
    /// A good set without a usable key is taken: its issuer has withdrawn them.
    ///
    /// # Errors
    /// See [`JwksError`]; then the document before stays, until it is stale.
    /// [`JwksError::Outdated`] if the answer to a later request was applied already.
    pub fn apply(
        &mut self,
        document: &[u8],
        max_age: Option<Duration>,
        requested: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Applied, JwksError> {
        let requested = requested.min(now);
        // SECURITY: an answer that was held back must not bring back a key that a later one has
        // withdrawn. Where the clock was put back, nobody can tell which is the later one.
        let is_outdated = |good: &Good| requested < good.fetched && !is_from_the_future(good, now);
        if self.good.as_ref().is_some_and(is_outdated) {
            return Err(JwksError::Outdated);
        }
        let ForeignKeys { keys, skipped } = ForeignKeys::parse(document)?;
        let JwksTiming { refresh_every, cool_down, .. } = self.timing;
        let wait = max_age.unwrap_or(refresh_every).clamp(cool_down, refresh_every);
        let changed = self.keys(now) != keys;
        let refresh_at = after(requested, wait);
        self.good = Some(Good { keys, fetched: requested, refresh_at });
        Ok(Applied { changed, skipped })
    }

    /// The last good document, unless it is stale. One that comes from the future, because the
    /// clock was put back, has no known age: it counts as stale.
    fn fresh(&self, now: DateTime<Utc>) -> Option<&Good> {
        let good = self.good.as_ref()?;
        let age = now.signed_duration_since(good.fetched);
        let limit = TimeDelta::from_std(self.timing.stale_after).unwrap_or_default();
        (!is_from_the_future(good, now) && age < limit).then_some(good)
    }

    fn claim(&mut self, now: DateTime<Utc>) -> bool {
        let cool_down = TimeDelta::from_std(self.timing.cool_down).unwrap_or_default();
        let cool = self.attempted.is_none_or(|attempted| {
            let since = now.signed_duration_since(attempted);
            since >= cool_down || since < -TOLERANCE
        });
        if cool {
            self.attempted = Some(now);
        }
        cool
    }
}

impl Default for JwksTiming {
    fn default() -> Self {
        Self {
            refresh_every: Duration::from_secs(3600),
            stale_after: Duration::from_secs(24 * 3600),
            cool_down: Duration::from_secs(30),
        }
    }
}

fn is_from_the_future(good: &Good, now: DateTime<Utc>) -> bool {
    now.signed_duration_since(good.fetched) < -TOLERANCE
}

/// INVARIANT: the durations are at most a year, so only the end of time itself is cut off.
fn after(instant: DateTime<Utc>, duration: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(duration)
        .ok()
        .and_then(|delta| instant.checked_add_signed(delta))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}
