use std::collections::HashMap;
use std::time::Duration;

use cap_core::{Capability, CapabilityId, DenyCode};
use cap_crypto::{Algorithm, KeyId, VerifyingKey};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::TokenId;
use crate::claims::Claims;
use crate::jose::{Compact, MalformedToken};

/// By how much clocks may differ unless the caller says otherwise: five minutes.
pub const DEFAULT_LEEWAY: Duration = Duration::from_secs(300);

/// Checks capability tokens: for one audience, from the issuers and keys that it was told to trust.
#[derive(Debug, Clone)]
pub struct Validator {
    audience: String,
    leeway: i64,
    /// By `kid`. Issuers name their keys themselves, so several may use one name.
    trusted: HashMap<String, Vec<Trusted>>,
}

#[derive(Debug, Clone)]
struct Trusted {
    issuer: String,
    key: VerifyingKey,
}

/// A token that was validated; there is no other way to get one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedToken {
    capability: Capability,
    ancestors: Vec<CapabilityId>,
    issuer: String,
    token_id: TokenId,
    issued_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    key: KeyId,
}

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
    #[error("the algorithm is neither EdDSA nor RS256")]
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
    /// `jti` is not a UUIDv7 in its 36-character lower-case form.
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
    /// `sub` or `client_id` is not the capability's principal.
    #[error("the token is not that of the capability's principal")]
    Principal,
    /// The ancestors cannot be those of the capability.
    #[error("the ancestors are not those of the capability, the root first")]
    Ancestors,
    /// The token would outlive its capability.
    #[error("the token outlives its capability")]
    OutlivesCapability,
}

impl ValidateError {
    /// The code under which a refusal is recorded and told to the caller. It is one and the same
    /// for all evidence that did not verify; only a good token that is too old says so.
    #[must_use]
    pub const fn deny_code(&self) -> DenyCode {
        match self {
            Self::Expired => DenyCode::CapabilityExpired,
            _ => DenyCode::EvidenceInvalid,
        }
    }
}

impl Validator {
    /// A validator for tokens whose `aud` is or contains `audience`. It trusts nobody yet.
    #[must_use]
    pub fn new(audience: impl Into<String>) -> Self {
        Self { audience: audience.into(), leeway: seconds(DEFAULT_LEEWAY), trusted: HashMap::new() }
    }

    /// Trusts `key` for tokens of `issuer`, and of nobody else.
    #[must_use]
    pub fn trust(mut self, issuer: impl Into<String>, key: VerifyingKey) -> Self {
        let trusted = Trusted { issuer: issuer.into(), key };
        self.trusted.entry(trusted.key.id().to_string()).or_default().push(trusted);
        self
    }

    /// By how much clocks may differ, in whole seconds; zero is allowed.
    #[must_use]
    pub fn with_leeway(self, leeway: Duration) -> Self {
        Self { leeway: seconds(leeway), ..self }
    }

    /// What the token says, if it is one of a trusted issuer for this audience and `now` is within
    /// its lifetime. Revocation and the capability's own expiry are the kernel's to ask about.
    ///
    /// # Errors
    /// See [`ValidateError`].
    pub fn validate(
        &self,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<VerifiedToken, ValidateError> {
        let compact = Compact::parse(token)?;
        require_access_token(&compact.header)?;
        let signers = self.signers(&compact)?;
        // SECURITY: nothing of the payload has been looked at up to here.
        let claims = Claims::read(compact.claims()?)?;
        let signer = signers.into_iter().find(|signer| signer.issuer == claims.issuer);
        let key = signer.ok_or(ValidateError::Issuer)?.key.id().clone();
        if !claims.audiences.contains(&self.audience) {
            return Err(ValidateError::Audience);
        }
        self.check_lifetime(&claims, now)?;
        Ok(VerifiedToken::new(claims, key))
    }

    /// The trusted keys that made the signature, found by `kid` and fit for `alg`; at least one.
    fn signers(&self, compact: &Compact<'_>) -> Result<Vec<&Trusted>, ValidateError> {
        let header = Header::read(&compact.header)?;
        // SECURITY: `kid` is an index into keys that are trusted already, and nothing else; `jwk`,
        // `jku`, `x5u` and `x5c` are never looked at. The algorithm is the key's.
        let named = self.trusted.get(header.kid).ok_or(ValidateError::UnknownKey)?;
        let fit: Vec<_> =
            named.iter().filter(|trusted| trusted.key.algorithm() == header.algorithm).collect();
        if fit.is_empty() {
            return Err(ValidateError::AlgorithmOfKey);
        }
        let input = compact.signing_input.as_bytes();
        let made_it = |trusted: &&Trusted| trusted.key.verify(input, &compact.signature).is_ok();
        let signers: Vec<_> = fit.into_iter().filter(made_it).collect();
        if signers.is_empty() { Err(ValidateError::Signature) } else { Ok(signers) }
    }

    fn check_lifetime(&self, claims: &Claims, now: DateTime<Utc>) -> Result<(), ValidateError> {
        let now = now.timestamp();
        let latest = now.saturating_add(self.leeway);
        if claims.expires.saturating_add(self.leeway) <= now {
            Err(ValidateError::Expired)
        } else if claims.not_before > latest {
            Err(ValidateError::NotYetValid)
        } else if claims.issued > latest {
            Err(ValidateError::IssuedInFuture)
        } else {
            Ok(())
        }
    }
}

impl VerifiedToken {
    fn new(claims: Claims, key: KeyId) -> Self {
        // INVARIANT: `Claims` holds instants of the calendar only.
        let instant = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        Self {
            issued_at: instant(claims.issued),
            expires_at: instant(claims.expires),
            capability: claims.capability,
            ancestors: claims.ancestors,
            issuer: claims.issuer,
            token_id: claims.token_id,
            key,
        }
    }

    /// The capability that it carries.
    #[must_use]
    pub const fn capability(&self) -> &Capability {
        &self.capability
    }

    /// The capabilities from which that one descends, the root first.
    #[must_use]
    pub fn ancestors(&self) -> &[CapabilityId] {
        &self.ancestors
    }

    /// Who issued it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Its own identity.
    #[must_use]
    pub const fn token_id(&self) -> TokenId {
        self.token_id
    }

    /// When it was issued.
    #[must_use]
    pub const fn issued_at(&self) -> DateTime<Utc> {
        self.issued_at
    }

    /// When it ends, leeway aside.
    #[must_use]
    pub const fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }

    /// Which key signed it.
    #[must_use]
    pub const fn key(&self) -> &KeyId {
        &self.key
    }
}

/// What is taken from the header.
struct Header<'a> {
    algorithm: Algorithm,
    kid: &'a str,
}

impl<'a> Header<'a> {
    fn read(members: &'a Map<String, Value>) -> Result<Self, ValidateError> {
        if members.contains_key("crit") {
            return Err(ValidateError::Critical);
        }
        if members.contains_key("b64") {
            return Err(ValidateError::Unencoded);
        }
        let alg = text(members, "alg")?;
        let algorithm = [Algorithm::EdDsa, Algorithm::Rs256]
            .into_iter()
            .find(|known| known.as_str() == alg)
            .ok_or(ValidateError::Algorithm)?;
        Ok(Self { algorithm, kid: text(members, "kid")? })
    }
}

/// RFC 9068 §4: `at+jwt` or, unabbreviated, `application/at+jwt`; media types have no case.
fn require_access_token(header: &Map<String, Value>) -> Result<(), ValidateError> {
    let typ = text(header, "typ")?;
    let ours = ["at+jwt", "application/at+jwt"];
    if ours.iter().any(|ours| typ.eq_ignore_ascii_case(ours)) {
        Ok(())
    } else {
        Err(ValidateError::NotAnAccessToken)
    }
}

fn text<'a>(members: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, ValidateError> {
    let value = members.get(name).ok_or(ValidateError::MissingHeader(name))?;
    value.as_str().ok_or(ValidateError::HeaderType(name))
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
