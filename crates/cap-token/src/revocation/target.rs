use cap_core::{CapabilityId, Principal};
use cap_crypto::KeyId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::RevokeError;
use super::item::Item;
use crate::TokenId;

/// The most bytes that the name of an issuer may have.
pub const MAX_ISSUER_BYTES: usize = 2048;

/// What a revocation covers. Each is one record, however much that is.
///
/// Wire form: `{"token":"<jti>"}`, `{"capability":"<uuid>"}`, `{"principal":"<name>"}`,
/// `{"principal-before":["<name>","<RFC 3339 instant>"]}`, `{"issuer":"<iss>"}`,
/// `{"key":"<kid>"}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RevocationTarget {
    /// One token.
    Token(TokenId),
    /// A capability and all that descend from it: every token that carries one of them.
    Capability(CapabilityId),
    /// Every token of a principal, also those yet to be issued.
    Principal(Principal),
    /// Every token of a principal that was issued up to the instant, or within the skew after it.
    /// Parts of a second count as a whole one.
    PrincipalBefore(Principal, DateTime<Utc>),
    /// Every token of an issuer.
    Issuer(String),
    /// Every token that the key with this name has signed, whosever key that is.
    Key(KeyId),
}

impl RevocationTarget {
    /// Whether a set can hold it: asked by whoever writes a revocation down before it is in a set.
    ///
    /// # Errors
    /// See [`RevokeError`].
    pub fn validate(&self) -> Result<(), RevokeError> {
        Item::of(self).map(drop)
    }
}

/// A target, and how long its revocation must be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// What.
    pub target: RevocationTarget,
    /// The latest expiry of anything that it covers; none when something has none, or nobody
    /// knows: then it is kept for ever. So is that of a principal, an issuer or a key, whatever stands
    /// here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covers_until: Option<DateTime<Utc>>,
}
