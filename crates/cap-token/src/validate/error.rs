use cap_core::DenyCode;
use thiserror::Error;

use crate::MalformedToken;
use crate::revocation::Revoked;

/// Why a token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ValidateError {
    /// It is no compact JWS with JSON inside.
    #[error(transparent)]
    Malformed(#[from] MalformedToken),
    /// A member of the header is missing.
    #[error("the header has no `{0}`")]
    MissingHeader(&'static str),
    /// A member of the header is not a string.
    #[error("`{0}` in the header is not a string")]
    HeaderType(&'static str),
    /// It is not an access token (RFC 9068 §2.1: `at+jwt`).
    #[error("the type of the token is not `at+jwt`")]
    NotAnAccessToken,
    /// The header demands an extension (`crit`, RFC 7515 §4.1.11); we know none.
    #[error("the header demands an extension")]
    Critical,
    /// The header speaks of an unencoded payload (`b64`, RFC 7797).
    #[error("the header speaks of an unencoded payload")]
    Unencoded,
    /// `alg` is none of ours.
    #[error("the algorithm is none of EdDSA, ES256 and RS256")]
    Algorithm,
    /// No trusted key has this `kid`.
    #[error("the key is not known")]
    UnknownKey,
    /// The key of this `kid` is for another algorithm than `alg` says.
    #[error("the key is for another algorithm")]
    AlgorithmOfKey,
    /// The signature is not that of the key.
    #[error("the signature did not verify")]
    Signature,
    /// A required claim is missing.
    #[error("the claim `{0}` is missing")]
    MissingClaim(&'static str),
    /// A claim has another type or range than its own.
    #[error("the claim `{0}` has the wrong type")]
    ClaimType(&'static str),
    /// `jti` is not a UUIDv7 in 22 characters of base64url.
    #[error("the claim `jti` is not a UUIDv7")]
    TokenId,
    /// The key is not one of the issuer that the token names.
    #[error("the token names another issuer than its key's")]
    Issuer,
    /// The token is for somebody else.
    #[error("the token is for another audience")]
    Audience,
    /// It has expired.
    #[error("the token has expired")]
    Expired,
    /// It is not valid yet (`nbf`).
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It was issued in the future (`iat`).
    #[error("the token was issued in the future")]
    IssuedInFuture,
    /// No entry of `authorization_details` is ours.
    #[error("the token carries no capability")]
    NoCapability,
    /// Several entries of `authorization_details` are ours.
    #[error("the token carries several capabilities")]
    SeveralCapabilities,
    /// Our entry lacks a member, or has one that does not belong there or of the wrong type.
    #[error("the entry of the capability has missing, unknown or wrong-typed members")]
    Entry,
    /// The capability is no capability.
    #[error("the capability is not well formed")]
    Capability,
    /// `client_id` is not `sub`, the capability's principal.
    #[error("`client_id` is not `sub`")]
    Principal,
    /// The ids of the capability and its ancestors are not each a UUIDv7, each once, at most 17.
    #[error("the chain of the capability's ancestors is not well formed")]
    Ancestors,
    /// The token would outlive its capability.
    #[error("the token outlives its capability")]
    OutlivesCapability,
    /// It is a good token, and revoked.
    #[error(transparent)]
    Revoked(#[from] Revoked),
}

impl ValidateError {
    /// The code under which a refusal is recorded and told to the caller. It is one and the same
    /// for all evidence that did not verify; only a good token that is too old or revoked says so.
    #[must_use]
    pub const fn deny_code(&self) -> DenyCode {
        match self {
            Self::Expired => DenyCode::CapabilityExpired,
            Self::Revoked(revoked) => revoked.deny_code(),
            _ => DenyCode::EvidenceInvalid,
        }
    }
}
