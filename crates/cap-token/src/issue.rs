use std::time::Duration;

use cap_core::{Capability, CapabilityId};
use cap_crypto::{Purpose, RandomError, SecureRandom, SignError, SigningKeyring};
use chrono::{DateTime, Utc};
use serde::Serialize;
use thiserror::Error;

use crate::claims::EntryOut;
use crate::{ENTRY_TYPE, MAX_TOKEN_BYTES, TokenId, jose, lineage};

/// How long a token lives unless the caller says otherwise: 15 minutes.
pub const DEFAULT_TTL: Duration = Duration::from_secs(900);

/// How long a token may live: 24 hours.
pub const MAX_TTL: Duration = Duration::from_secs(24 * 3600);

/// Makes capability tokens: one issuer, one audience, one keyring.
#[derive(Debug)]
pub struct Issuer<'a> {
    issuer: String,
    audience: String,
    keys: &'a SigningKeyring,
}

/// Why no token was issued.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The lifetime is shorter than a second or longer than [`MAX_TTL`].
    #[error("a token lives for one second to 24 hours")]
    Lifetime,
    /// The capability has expired, or does so within the second.
    #[error("the capability has expired")]
    Expired,
    /// The clock stands before 1970.
    #[error("the time is before 1970")]
    Clock,
    /// The ids given are not those of the capability's ancestors, the root first.
    #[error("the ancestors are not those of the capability, the root first")]
    Ancestors,
    /// The capability does not fit into a token.
    #[error("the token would have more than {MAX_TOKEN_BYTES} bytes")]
    TooLarge,
    /// The keys are not for tokens.
    #[error("the keys are for `{0}`, not for signing tokens")]
    Purpose(Purpose),
    /// The random source failed.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The backend could not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// The header of RFC 9068 §2.1.
#[derive(Serialize)]
struct Header<'a> {
    typ: &'static str,
    alg: &'static str,
    kid: &'a str,
}

#[derive(Serialize)]
struct ClaimsOut<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    client_id: &'a str,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
    authorization_details: [EntryOut<'a>; 1],
}

impl<'a> Issuer<'a> {
    /// An issuer under its name (`iss`, an URL by RFC 8414), for one audience (`aud`). The active
    /// key of `keys` signs; its purpose must be [`Purpose::TokenSign`].
    pub fn new(
        issuer: impl Into<String>,
        audience: impl Into<String>,
        keys: &'a SigningKeyring,
    ) -> Self {
        Self { issuer: issuer.into(), audience: audience.into(), keys }
    }

    /// A token that carries `capability`, for `ttl` (whole seconds), but never longer than the
    /// capability itself. `ancestors` are those of the capability, the root first.
    ///
    /// # Errors
    /// See [`IssueError`].
    pub fn issue(
        &self,
        capability: &Capability,
        ancestors: &[CapabilityId],
        ttl: Duration,
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> Result<String, IssueError> {
        if self.keys.purpose() != Purpose::TokenSign {
            return Err(IssueError::Purpose(self.keys.purpose()));
        }
        if !lineage::fits(capability, ancestors) {
            return Err(IssueError::Ancestors);
        }
        let (issued, expires) = lifetime(capability, ttl, now)?;
        let principal = capability.principal().as_str();
        self.sign(&ClaimsOut {
            iss: &self.issuer,
            sub: principal,
            aud: &self.audience,
            client_id: principal,
            iat: issued,
            nbf: issued,
            exp: expires,
            jti: TokenId::new(random, now)?.to_string(),
            authorization_details: [EntryOut { kind: ENTRY_TYPE, capability, ancestors }],
        })
    }

    fn sign(&self, claims: &ClaimsOut<'_>) -> Result<String, IssueError> {
        let key = self.keys.active_key();
        let header =
            Header { typ: "at+jwt", alg: key.algorithm().as_str(), kid: key.id().as_str() };
        // INVARIANT: strings, numbers and a capability always serialise.
        let json = |result: serde_json::Result<Vec<u8>>| result.map_err(|_| SignError);
        let input = jose::signing_input(
            &json(serde_json::to_vec(&header))?,
            &json(serde_json::to_vec(claims))?,
        );
        let token = jose::with_signature(&input, &self.keys.sign(input.as_bytes())?.bytes);
        if token.len() > MAX_TOKEN_BYTES { Err(IssueError::TooLarge) } else { Ok(token) }
    }
}

/// `iat` and `exp`.
fn lifetime(
    capability: &Capability,
    ttl: Duration,
    now: DateTime<Utc>,
) -> Result<(i64, i64), IssueError> {
    if ttl > MAX_TTL {
        return Err(IssueError::Lifetime);
    }
    let seconds = i64::try_from(ttl.as_secs()).map_err(|_| IssueError::Lifetime)?;
    if seconds == 0 {
        return Err(IssueError::Lifetime);
    }
    let issued = now.timestamp();
    if issued < 0 {
        return Err(IssueError::Clock);
    }
    let end = capability.expires_at().map_or(i64::MAX, |end| end.timestamp());
    let expires = issued.saturating_add(seconds).min(end);
    if expires <= issued { Err(IssueError::Expired) } else { Ok((issued, expires)) }
}
