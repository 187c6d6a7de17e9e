use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use self::store::{Source, Store, Validated};
use self::weight::weight;
use crate::{Revoked, ValidateError, Validator, VerifiedToken};

mod store;
mod weight;

/// A [`Validator`] that remembers which tokens were good, for a short time.
///
/// What is remembered is that a token's form, signature and claims are good: facts. Whether it was
/// revoked is asked every time. A refusal is never remembered.
///
/// A token is found by all of its bytes. It is validated anew when it is older than
/// [`max_age`](CacheLimits::max_age), from the second of its expiry
/// or of [its key's end](Validator::set_keys_until) on, when the clock stands
/// before the validation that is remembered, and after every change of the trusted keys: a key may
/// come back under the same name with other bytes.
#[derive(Debug)]
pub struct CachedValidator {
    validator: Validator,
    store: Store<Arc<VerifiedToken>>,
    /// Seconds.
    max_age: i64,
}

/// How much a cache remembers, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// How long a validation is remembered, in whole seconds.
    pub max_age: Duration,
    /// Tokens at the most. From 512 on they are divided among shards by chance: leave an eighth
    /// for some that are full before others.
    pub entries: usize,
    /// Bytes at the most, by an estimate that is on the safe side: for tokens as they are usual about
    /// twice what they take.
    pub bytes: usize,
}

/// How much a cache holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Tokens.
    pub entries: usize,
    /// An estimate of the memory, in bytes.
    pub bytes: usize,
}

impl CachedValidator {
    /// Remembers what `validator` validates, within `limits`.
    #[must_use]
    pub fn new(validator: Validator, limits: CacheLimits) -> Self {
        Self {
            validator,
            // The standard library's seeds are secret and different for each.
            store: Store::new(limits.entries, limits.bytes, RandomState::new().hash_one(0)),
            max_age: i64::try_from(limits.max_age.as_secs()).unwrap_or(i64::MAX),
        }
    }

    /// As [`Validator::validate`], with the same outcome. A token that is remembered costs no
    /// signature and no allocation.
    ///
    /// No call that starts after a revocation, or a removal of a key, was acknowledged returns a
    /// token to which it applies.
    ///
    /// # Errors
    /// See [`ValidateError`].
    pub fn validate(
        &self,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<Arc<VerifiedToken>, ValidateError> {
        let source = Uncached { validator: &self.validator, max_age: self.max_age, token, now };
        self.store.validated(token, &source, now.timestamp())
    }

    /// The validator.
    #[must_use]
    pub const fn validator(&self) -> &Validator {
        &self.validator
    }

    /// Drops what is too old to be used. Without it, that happens when others need the place.
    pub fn cleanup(&self, now: DateTime<Utc>) {
        self.store.cleanup(now.timestamp());
    }

    /// How much it holds.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        let (entries, bytes) = self.store.size();
        CacheStats { entries, bytes }
    }
}

/// 30 seconds, 10,000 tokens, 64 MiB.
impl Default for CacheLimits {
    fn default() -> Self {
        Self { max_age: Duration::from_secs(30), entries: 10_000, bytes: 64 * 1024 * 1024 }
    }
}

/// One validation.
struct Uncached<'a> {
    validator: &'a Validator,
    max_age: i64,
    token: &'a str,
    now: DateTime<Utc>,
}

impl Source for Uncached<'_> {
    type Value = Arc<VerifiedToken>;
    type Error = ValidateError;

    fn generation(&self) -> u64 {
        self.validator.key_generation()
    }

    fn check(&self, token: &Arc<VerifiedToken>) -> Result<(), ValidateError> {
        self.validator.check_revoked(token, self.now)
    }

    fn is_final(refused: &ValidateError) -> bool {
        *refused != ValidateError::Revoked(Revoked::Behind)
    }

    fn validate(&self) -> Result<Validated<Arc<VerifiedToken>>, ValidateError> {
        let (token, key_until) = self.validator.validate_until(self.token, self.now)?;
        let old = self.now.timestamp().saturating_add(self.max_age);
        Ok(Validated {
            // Within the leeway after its expiry a token is validated every time.
            // In the second in which its key ends, too.
            until: key_until
                .into_iter()
                .chain([token.expires_at()])
                .fold(old, |until, end| until.min(end.timestamp())),
            bytes: weight(self.token, &token),
            value: Arc::new(token),
        })
    }
}
