use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cap_core::{CapabilityId, Principal};
use cap_crypto::{KeyId, RandomError, SecureRandom, SignError, Signer};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use thiserror::Error;

use crate::sync::Mutex;
use crate::{Facts, MAX_TTL, RevocationSet, Revoked, TokenId};

mod bitmap;
mod read;

use self::bitmap::Bitmap;
pub use read::{ReadStatusListError, Status, StatusListToken};

/// The most statuses in one list: one MiB of bits.
pub const MAX_STATUSES: u32 = 8 * 1024 * 1024;

/// The most characters of a status list token.
pub const MAX_STATUS_LIST_CHARS: usize = 2 * 1024 * 1024;

/// An OAuth Token Status List (draft-ietf-oauth-status-list-17) of one issuer: one bit for each
/// token that it tracks, published as a signed JWT for verifiers that know no other form of
/// revocation.
///
/// An index belongs to one token for ever, and is a random one (§12.4: neighbours say nothing of
/// each other). A list that is full is followed by another one, under another URI. A bit that was
/// set stays so. A tracked token takes about 300 bytes until [`cleanup`](Self::cleanup).
pub struct StatusList {
    uri: String,
    issuer: String,
    state: Mutex<State>,
}

struct State {
    /// The indices that were given away.
    given: Bitmap,
    invalid: Bitmap,
    tracked: HashMap<TokenId, Tracked>,
}

/// What revocations are asked about.
struct Tracked {
    index: u32,
    capability: CapabilityId,
    ancestors: Box<[CapabilityId]>,
    principal: Principal,
    key: KeyId,
    issued_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// How long a status list token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusListLifetime {
    /// Until nobody may rely on it any more (`exp`), from now; at least a second.
    pub expires_in: Duration,
    /// Until a fresh one should be fetched (`ttl`), from the time of fetching; at least a second.
    pub refresh_after: Duration,
}

/// Why a list tracks or exports nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StatusListError {
    /// The number of statuses is not one of the multiples of 8 up to [`MAX_STATUSES`].
    #[error("a list has a multiple of 8 statuses, at most {MAX_STATUSES}")]
    Size,
    /// All indices are given away.
    #[error("the list is full")]
    Full,
    /// The token is another issuer's.
    #[error("the token is another issuer's")]
    Issuer,
    /// The lifetime is shorter than a second, or the time is outside of 1970 to 9999.
    #[error("the lifetime of the list is not one")]
    Lifetime,
    /// The revocations are older than they may be.
    #[error("the revocations are older than they may be")]
    Behind,
    /// The random source failed.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The backend could not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    kid: &'a str,
    typ: &'static str,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    iat: i64,
    exp: i64,
    ttl: u64,
    status_list: Body,
}

#[derive(Serialize)]
struct Body {
    bits: u8,
    lst: String,
}

impl StatusList {
    /// An empty list under its URI, with room for `statuses` tokens of `issuer`.
    ///
    /// # Errors
    /// [`StatusListError::Size`].
    pub fn new(
        uri: impl Into<String>,
        issuer: impl Into<String>,
        statuses: u32,
    ) -> Result<Self, StatusListError> {
        if statuses == 0 || statuses > MAX_STATUSES || !statuses.is_multiple_of(8) {
            return Err(StatusListError::Size);
        }
        let state = State {
            given: Bitmap::new(statuses),
            invalid: Bitmap::new(statuses),
            tracked: HashMap::new(),
        };
        Ok(Self { uri: uri.into(), issuer: issuer.into(), state: Mutex::new(state) })
    }

    /// Tracks a token that was issued; its index. One that is tracked keeps the index that it has.
    ///
    /// # Errors
    /// [`StatusListError::Full`], [`StatusListError::Issuer`], [`StatusListError::Random`].
    pub fn track(
        &self,
        token: &Facts<'_>,
        expires_at: DateTime<Utc>,
        random: &dyn SecureRandom,
    ) -> Result<u32, StatusListError> {
        if token.issuer != self.issuer {
            return Err(StatusListError::Issuer);
        }
        let mut state = self.state.lock();
        if let Some(tracked) = state.tracked.get(&token.token) {
            return Ok(tracked.index);
        }
        let mut bytes = [0; 4];
        random.fill(&mut bytes)?;
        let start = u32::from_le_bytes(bytes);
        let index = state.given.set_next_unset(start).ok_or(StatusListError::Full)?;
        let tracked = Tracked {
            index,
            capability: token.capability,
            ancestors: token.ancestors.into(),
            principal: token.principal.clone(),
            key: token.key.clone(),
            issued_at: token.issued_at,
            expires_at,
        };
        state.tracked.insert(token.token, tracked);
        Ok(index)
    }

    /// The index of a tracked token.
    #[must_use]
    pub fn index(&self, token: &TokenId) -> Option<u32> {
        self.state.lock().tracked.get(token).map(|tracked| tracked.index)
    }

    /// The signed list (§5.1): tracked tokens that `revocations` speaks of are invalid, and remain
    /// so.
    ///
    /// # Errors
    /// [`StatusListError::Lifetime`], [`StatusListError::Behind`], [`StatusListError::Sign`].
    pub fn export(
        &self,
        revocations: &RevocationSet,
        signer: &dyn Signer,
        lifetime: StatusListLifetime,
        now: DateTime<Utc>,
    ) -> Result<String, StatusListError> {
        let (iat, exp) = lifetime.instants(now)?;
        let bits = self.state.lock().update(revocations, &self.issuer)?;
        // Level 9, as §4.1 recommends.
        let list = miniz_oxide::deflate::compress_to_vec_zlib(&bits, 9);
        let header = Header {
            alg: signer.key().algorithm().as_str(),
            kid: signer.key().id().as_str(),
            typ: "statuslist+jwt",
        };
        let claims = Claims {
            sub: &self.uri,
            iat,
            exp,
            ttl: lifetime.refresh_after.as_secs(),
            status_list: Body { bits: 1, lst: URL_SAFE_NO_PAD.encode(list) },
        };
        let input = format!("{}.{}", encoded(&header)?, encoded(&claims)?);
        let signature = signer.sign(input.as_bytes())?;
        Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Forgets tokens that have expired more than [`MAX_TTL`] ago; how many. Their indices are not
    /// given away again, and their statuses stay as they are.
    pub fn cleanup(&self, now: DateTime<Utc>) -> usize {
        let margin = TimeDelta::from_std(MAX_TTL).unwrap_or(TimeDelta::MAX);
        let dead = now.checked_sub_signed(margin).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let tracked = &mut self.state.lock().tracked;
        let before = tracked.len();
        tracked.retain(|_, token| token.expires_at >= dead);
        before - tracked.len()
    }
}

impl State {
    /// The bits as they stand now.
    fn update(
        &mut self,
        revocations: &RevocationSet,
        issuer: &str,
    ) -> Result<Vec<u8>, StatusListError> {
        let invalid = self.tracked.iter().map(|(id, token)| {
            match revocations.check(&token.facts(*id, issuer)) {
                Ok(()) => Ok(None),
                // That nobody knows must not stay in the list.
                Err(Revoked::Behind) => Err(StatusListError::Behind),
                Err(_) => Ok(Some(token.index)),
            }
        });
        let invalid: Vec<_> = invalid.collect::<Result<_, _>>()?;
        invalid.into_iter().flatten().for_each(|index| self.invalid.set(index));
        Ok(self.invalid.bytes().to_vec())
    }
}

impl Tracked {
    fn facts<'a>(&'a self, token: TokenId, issuer: &'a str) -> Facts<'a> {
        Facts {
            token,
            capability: self.capability,
            ancestors: &self.ancestors,
            principal: &self.principal,
            issuer,
            key: &self.key,
            issued_at: self.issued_at,
        }
    }
}

impl StatusListLifetime {
    fn instants(self, now: DateTime<Utc>) -> Result<(i64, i64), StatusListError> {
        let seconds = i64::try_from(self.expires_in.as_secs()).ok().filter(|seconds| *seconds > 0);
        let issued = Some(now.timestamp()).filter(|now| *now >= 0);
        let expires = issued
            .zip(seconds)
            .and_then(|(issued, seconds)| issued.checked_add(seconds))
            .filter(|end| DateTime::from_timestamp(*end, 0).is_some());
        match (issued, expires) {
            (Some(issued), Some(expires)) if self.refresh_after.as_secs() > 0 => {
                Ok((issued, expires))
            }
            _ => Err(StatusListError::Lifetime),
        }
    }
}

/// An hour, and a quarter of it.
impl Default for StatusListLifetime {
    fn default() -> Self {
        Self { expires_in: Duration::from_secs(3600), refresh_after: Duration::from_secs(900) }
    }
}

impl fmt::Debug for StatusList {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("StatusList")
            .field("uri", &self.uri)
            .field("issuer", &self.issuer)
            .field("tracked", &self.state.lock().tracked.len())
            .finish_non_exhaustive()
    }
}

fn encoded(part: &impl Serialize) -> Result<String, SignError> {
    // INVARIANT: texts and numbers always serialise.
    serde_json::to_vec(part).map(|json| URL_SAFE_NO_PAD.encode(json)).map_err(|_| SignError)
}
