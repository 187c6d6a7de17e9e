//! JSON Web Key Sets (RFC 7517 §5): ours, as others fetch it, and those of other issuers.

mod document;
mod json;
mod source;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cap_core::canonical;
use cap_crypto::{SigningKeyring, VerifyingKey, sha256};
use serde_json::{Value, json};

pub use document::{ForeignKeys, JwksError, MAX_JWKS_BYTES, MAX_JWKS_KEYS};
pub use source::{Applied, JwksSource, JwksSourceError, JwksTiming};

/// What an issuer publishes so that anyone can check its tokens: the keys that sign, will sign,
/// or have signed what is still valid. It holds no secrets.
///
/// The same keys give the same bytes, in whatever order they came.
///
/// ```
/// use cap_crypto::{OsRandom, Purpose, SigningKeyring};
/// use cap_token::{Jwks, JwksSource, JwksTiming};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let now = chrono::DateTime::UNIX_EPOCH;
/// let keys = SigningKeyring::ephemeral(Purpose::TokenSign, &OsRandom)?;
/// let published = Jwks::of(&keys);
/// assert_eq!(published.cache_control(), "public, max-age=1800, must-revalidate");
///
/// // Elsewhere: what the caller has fetched for the issuer that it trusts.
/// let mut source = JwksSource::new("https://issuer.example", JwksTiming::default())?;
/// assert!(source.claim_refresh(now));
/// let requested = now;
/// source.apply(published.as_bytes(), Some(published.max_age()), requested, now)?;
/// assert_eq!(source.keys(now), keys.verifying_keys());
/// assert!(source.stale_at().is_some_and(|good_until| good_until > now));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwks {
    bytes: Vec<u8>,
    etag: String,
    max_age: Duration,
}

impl Jwks {
    /// The media type (RFC 7517 §8.5.2).
    pub const CONTENT_TYPE: &'static str = "application/jwk-set+json";

    /// The published keys of a keyring, to be kept for as long as its rotation policy allows. To
    /// be made anew when the keyring's generation changes.
    #[must_use]
    pub fn of(keyring: &SigningKeyring) -> Self {
        Self::new(&keyring.verifying_keys(), keyring.policy().max_age())
    }

    /// These keys, to be kept for `max_age` (whole seconds). Of different keys with one name only one
    /// is published: the one with the lowest thumbprint (RFC 7638).
    #[must_use]
    pub fn new(keys: &[VerifyingKey], max_age: Duration) -> Self {
        let mut sorted: Vec<_> = keys.iter().collect();
        sorted.sort_by(|left, right| {
            left.id().cmp(right.id()).then_with(|| left.thumbprint().cmp(&right.thumbprint()))
        });
        sorted.dedup_by_key(|key| key.id());
        let keys: Vec<Value> = sorted.into_iter().map(VerifyingKey::to_jwk).collect();
        // INVARIANT: strings in arrays and objects always have a canonical text.
        let bytes = canonical::to_jcs(&json!({ "keys": keys })).unwrap_or_default().into_bytes();
        let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(sha256(&bytes)));
        Self { bytes, etag, max_age: Duration::from_secs(max_age.as_secs()) }
    }

    /// `{"keys":[…]}`, in canonical form (RFC 8785), the keys in the order of their names.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The value of `ETag` (RFC 9110 §8.8.3), quotes included: strong, a digest of the bytes.
    #[must_use]
    pub fn etag(&self) -> &str {
        &self.etag
    }

    /// How long it may be kept.
    #[must_use]
    pub fn max_age(&self) -> Duration {
        self.max_age
    }

    /// The value of `Cache-Control` (RFC 9111 §5.2.2): a cache that cannot ask us gives no stale keys.
    #[must_use]
    pub fn cache_control(&self) -> String {
        format!("public, max-age={}, must-revalidate", self.max_age.as_secs())
    }
}
