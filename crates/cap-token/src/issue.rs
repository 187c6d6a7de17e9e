use std::sync::Arc;
use std::time::Duration;

use cap_core::{Capability, CapabilityId};
use cap_crypto::{Purpose, SecureRandom, SignError, Signer, SigningKeyring};
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::claims::entry::{EntryOut, is_instant};
use crate::issued::{Issued, IssuedToken};
use crate::status_list::{Reserved, StatusList, StatusOut, Tracked};
use crate::{MAX_TOKEN_BYTES, TokenId, VerifiedToken, jose, lineage};

mod delegated;
mod error;

pub use delegated::DelegatedToken;
pub use error::{BatchError, IssueError};

/// How long a token lives unless the caller says otherwise: 15 minutes.
pub const DEFAULT_TTL: Duration = Duration::from_secs(900);

/// How long a token may live: 24 hours.
pub const MAX_TTL: Duration = Duration::from_secs(24 * 3600);

/// Makes capability tokens: one issuer, one audience, one keyring or signer.
#[derive(Debug, Clone)]
pub struct Issuer<'a> {
    issuer: String,
    audience: String,
    keys: Keys<'a>,
    register: Option<&'a Issued>,
    status_list: Option<&'a StatusList>,
}

#[derive(Debug, Clone)]
enum Keys<'a> {
    Ring(&'a SigningKeyring),
    Signer(Arc<dyn Signer>),
}

/// One token of a [batch](Issuer::issue_all).
#[derive(Debug, Clone, Copy)]
pub struct TokenRequest<'a> {
    /// What it is to carry.
    pub capability: &'a Capability,
    /// The ancestors of that, the root first.
    pub ancestors: &'a [CapabilityId],
    /// How long it is to live.
    pub ttl: Duration,
}

/// The claims of RFC 9068 §2.2.
#[derive(Serialize)]
struct ClaimsOut<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    client_id: &'a str,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: TokenId,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<StatusOut<'a>>,
    authorization_details: [EntryOut<'a>; 1],
}

/// A token that nobody has seen yet.
struct Made<'a> {
    text: String,
    fact: IssuedToken,
    listed: Option<(Reserved<'a>, Tracked)>,
}

impl<'a> Issuer<'a> {
    /// An issuer under its name (`iss`, an URL by RFC 8414), for one audience (`aud`). The active
    /// key of `keys` signs; its purpose must be [`Purpose::TokenSign`].
    pub fn new(
        issuer: impl Into<String>,
        audience: impl Into<String>,
        keys: &'a SigningKeyring,
    ) -> Self {
        Self::with_keys(issuer.into(), audience.into(), Keys::Ring(keys))
    }

    /// The same with one key, wherever it lives: in memory, in a smart card, in a service. That it
    /// signs nothing but tokens is for the caller to see to.
    pub fn with_signer(
        issuer: impl Into<String>,
        audience: impl Into<String>,
        signer: Arc<dyn Signer>,
    ) -> Self {
        Self::with_keys(issuer.into(), audience.into(), Keys::Signer(signer))
    }

    fn with_keys(issuer: String, audience: String, keys: Keys<'a>) -> Self {
        Self { issuer, audience, keys, register: None, status_list: None }
    }

    /// Keeps account of every token in `register`; one that has no room there is not issued.
    #[must_use]
    pub fn tracked_by(self, register: &'a Issued) -> Self {
        Self { register: Some(register), ..self }
    }

    /// Gives every token a place in `list`, which must be one of the same issuer, and lets it say so
    /// (`status`); one that has no room there is not issued.
    #[must_use]
    pub fn listed_in(self, list: &'a StatusList) -> Self {
        Self { status_list: Some(list), ..self }
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
        self.one(TokenRequest { capability, ancestors, ttl }, None, random, now)
    }

    /// All of these tokens, in their order, or none of them.
    ///
    /// # Errors
    /// Which one could not be made, and why.
    pub fn issue_all(
        &self,
        requests: &[TokenRequest<'_>],
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> Result<Vec<String>, BatchError> {
        let signer = self.signer().map_err(|source| BatchError { index: 0, source })?;
        let mut made = Vec::with_capacity(requests.len());
        for (index, request) in requests.iter().enumerate() {
            let one = self.make(&*signer, *request, None, random, now);
            made.push(one.map_err(|source| BatchError { index, source })?);
        }
        let last = requests.len().saturating_sub(1);
        let facts: Vec<_> = made.iter().map(|made| made.fact.clone()).collect();
        self.account_for(&facts, now).map_err(|source| BatchError { index: last, source })?;
        Ok(made.into_iter().map(Made::handed_out).collect())
    }

    /// A new token for the root capability of one that has not expired: the same authority and
    /// holder, another id. It does not outlive the capability either.
    ///
    /// Validate `token` right before, with the revocations: what was revoked is not renewed.
    ///
    /// # Errors
    /// See [`IssueError`]: among others [`TokenExpired`](IssueError::TokenExpired) from its expiry
    /// on, without leeway, [`Foreign`](IssueError::Foreign) for tokens of others, and
    /// [`Delegated`](IssueError::Delegated) for one whose capability has ancestors: it would outlive
    /// the token that it was made of.
    pub fn refresh(
        &self,
        token: &VerifiedToken,
        ttl: Duration,
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> Result<String, IssueError> {
        self.require_own(token, now)?;
        let (capability, ancestors) = (token.capability(), token.ancestors());
        if !ancestors.is_empty() {
            return Err(IssueError::Delegated);
        }
        self.one(TokenRequest { capability, ancestors, ttl }, None, random, now)
    }

    /// SECURITY: whoever has keys of several issuers, or several audiences, must not turn a token of
    /// one into a token of another.
    fn require_own(&self, token: &VerifiedToken, now: DateTime<Utc>) -> Result<(), IssueError> {
        if token.issuer() != self.issuer || token.audience() != self.audience {
            Err(IssueError::Foreign)
        } else if now >= token.expires_at() {
            Err(IssueError::TokenExpired)
        } else {
            Ok(())
        }
    }

    fn one(
        &self,
        request: TokenRequest<'_>,
        until: Option<DateTime<Utc>>,
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> Result<String, IssueError> {
        let made = self.make(&*self.signer()?, request, until, random, now)?;
        self.account_for(std::slice::from_ref(&made.fact), now)?;
        Ok(made.handed_out())
    }

    fn signer(&self) -> Result<Arc<dyn Signer>, IssueError> {
        match &self.keys {
            Keys::Signer(signer) => Ok(Arc::clone(signer)),
            Keys::Ring(keys) if keys.purpose() == Purpose::TokenSign => Ok(keys.signer()),
            Keys::Ring(keys) => Err(IssueError::Purpose(keys.purpose())),
        }
    }

    /// Makes a token that does not outlive `until`.
    fn make(
        &self,
        signer: &dyn Signer,
        request: TokenRequest<'_>,
        until: Option<DateTime<Utc>>,
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> Result<Made<'a>, IssueError> {
        let TokenRequest { capability, ancestors, ttl } = request;
        if !lineage::fits(capability, ancestors) {
            return Err(IssueError::Ancestors);
        }
        let end = capability.expires_at().into_iter().chain(until).min();
        let (issued, expires) = lifetime(end, ttl, now)?;
        let token = TokenId::new(random, now)?;
        let principal = capability.principal().as_str();
        let entry = EntryOut::new(capability, ancestors).ok_or(IssueError::Clock)?;
        let place = self.status_list.map(|list| list.reserve(&self.issuer, random)).transpose()?;
        let claims = ClaimsOut {
            iss: &self.issuer,
            sub: principal,
            aud: &self.audience,
            client_id: principal,
            iat: issued,
            nbf: issued,
            exp: expires,
            jti: token,
            status: place.as_ref().map(StatusOut::of),
            authorization_details: [entry],
        };
        let expires_at = DateTime::from_timestamp(expires, 0).ok_or(IssueError::Clock)?;
        let fact = IssuedToken {
            token,
            capability: capability.id(),
            principal: capability.principal().clone(),
            expires_at,
        };
        let text = signed(signer, &claims)?;
        let tracked = || Tracked {
            token,
            capability: capability.id(),
            ancestors: ancestors.into(),
            principal: capability.principal().clone(),
            key: signer.key().id().clone(),
            // INVARIANT: `lifetime` gives instants of the calendar only.
            issued_at: DateTime::from_timestamp(issued, 0).unwrap_or(now),
            expires_at,
        };
        let listed = place.map(|place| (place, tracked()));
        Ok(Made { text, fact, listed })
    }

    /// To be called before they are handed out.
    fn account_for(&self, facts: &[IssuedToken], now: DateTime<Utc>) -> Result<(), IssueError> {
        self.register.map_or(Ok(()), |register| register.record(facts, now))
    }
}

impl Made<'_> {
    /// The token, whose place in the list is its own from now on.
    fn handed_out(self) -> String {
        if let Some((place, tracked)) = self.listed {
            place.bind(tracked);
        }
        self.text
    }
}

fn signed(signer: &dyn Signer, claims: &ClaimsOut<'_>) -> Result<String, IssueError> {
    let key = signer.key();
    // INVARIANT: strings, numbers and constraints always serialise.
    let json = serde_json::to_string(claims).map_err(|_| SignError)?;
    if !jose::json::is_shallow(&json) {
        return Err(IssueError::TooDeep);
    }
    let mut token = jose::header::of_our_own(key.algorithm(), key.id());
    token.reserve(json.len() / 3 * 4 + 768);
    jose::append(&mut token, json.as_bytes());
    let signature = signer.sign(token.as_bytes())?;
    jose::append(&mut token, &signature);
    if token.len() > MAX_TOKEN_BYTES { Err(IssueError::TooLarge) } else { Ok(token) }
}

/// `iat` and `exp`, in seconds since 1970.
fn lifetime(
    end: Option<DateTime<Utc>>,
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
    let end = end.map_or(i64::MAX, |end| end.timestamp());
    let expires = issued.saturating_add(seconds).min(end);
    if !is_instant(issued) || !is_instant(expires.max(0)) {
        Err(IssueError::Clock)
    } else if expires <= issued {
        Err(IssueError::Expired)
    } else {
        Ok((issued, expires))
    }
}
