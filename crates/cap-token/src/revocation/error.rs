use cap_core::DenyCode;
use thiserror::Error;

use super::MAX_ISSUER_BYTES;

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
    /// Nobody knows: the set has not come to the floor of a publisher that it follows, or has not
    /// heard from it for too long, or only by a clock that this one is far behind.
    #[error("the revocations are older than they may be")]
    Behind,
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
    /// The set holds as many as it may. SECURITY: what was to be revoked is still accepted.
    #[error("the set of revocations is full")]
    Full,
}
