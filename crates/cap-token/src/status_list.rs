use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cap_core::{CapabilityId, Principal};
use cap_crypto::{KeyId, RandomError, SecureRandom, SignError, Signer};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::sync::Mutex;
use crate::{Facts, MAX_TTL, RevocationSet, Revoked, TokenId};

mod bitmap;
mod read;
mod reference;
mod saved;

use self::bitmap::Bitmap;
pub use read::{ReadStatusListError, Status, StatusListToken};
pub(crate) use reference::StatusOut;
pub use reference::StatusReference;
pub use saved::SavedStatusList;

/// The most statuses in one list: one MiB of bits.
pub const MAX_STATUSES: u32 = 8 * 1024 * 1024;

/// The most characters of a status list token.
pub const MAX_STATUS_LIST_CHARS: usize = 2 * 1024 * 1024;

/// An OAuth Token Status List (draft-ietf-oauth-status-list-17) of one issuer: one bit for each
/// token that it tracks, published as a signed JWT for verifiers that know no other form of
/// revocation. Tokens get their place in it from the [`Issuer`](crate::Issuer::listed_in).
///
/// An index belongs to one token for ever, and is a random one (§12.4: neighbours say nothing of
/// each other). A list that is full is followed by another one, under another URI. A bit that was
/// set stays so. A tracked token takes about 300 bytes until [`cleanup`](Self::cleanup).
///
/// A restart does not make a revoked token valid again: what was [saved](Self::save) is published
/// on, while new tokens go into a new list.
pub struct StatusList {
    uri: String,
    issuer: String,
    state: Mutex<State>,
}

struct State {
    /// The indices that were given away; `None`: no more are.
    given: Option<Bitmap>,
    invalid: Bitmap,
    /// By index.
    tracked: BTreeMap<u32, Tracked>,
}

/// A token that is listed: what revocations are asked about.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tracked {
    pub(crate) token: TokenId,
    pub(crate) capability: CapabilityId,
    pub(crate) ancestors: Box<[CapabilityId]>,
    pub(crate) principal: Principal,
    pub(crate) key: KeyId,
    pub(crate) issued_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
}

/// A place for a token that is being made. It becomes free again unless a token is bound to it.
#[derive(Debug)]
pub(crate) struct Reserved<'l> {
    list: &'l StatusList,
    index: u32,
    is_bound: bool,
}

/// How long a status list token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusListLifetime {
    /// Until nobody may rely on it any more (`exp`), from now; at least a second.
    pub expires_in: Duration,
    /// Until a fresh one should be fetched (`ttl`), from the time of fetching; at least a second.
    pub refresh_after: Duration,
}

/// Why a list takes or exports nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StatusListError {
    /// The number of statuses is not one of the multiples of 8 up to [`MAX_STATUSES`].
    #[error("a list has a multiple of 8 statuses, at most {MAX_STATUSES}")]
    Size,
    /// All indices are given away, or the list is a restored one.
    #[error("the list takes no more tokens")]
    Full,
    /// What was saved contradicts itself.
    #[error("the saved list is not well formed")]
    Saved,
    /// The token is another issuer's, or the revocations are those of another one.
    #[error("the token or the revocations are another issuer's")]
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
    /// An empty list under its URI, with room for `statuses` tokens of `issuer`. Its URI was never
    /// that of another list: an index is given away once, and not once in every run.
    ///
    /// # Errors
    /// [`StatusListError::Size`].
    pub fn new(
        uri: impl Into<String>,
        issuer: impl Into<String>,
        statuses: u32,
    ) -> Result<Self, StatusListError> {
        require_size(statuses)?;
        let state = State {
            given: Some(Bitmap::new(statuses)),
            invalid: Bitmap::new(statuses),
            tracked: BTreeMap::new(),
        };
        Ok(Self { uri: uri.into(), issuer: issuer.into(), state: Mutex::new(state) })
    }

    /// A random place that nobody has.
    pub(crate) fn reserve(
        &self,
        issuer: &str,
        random: &dyn SecureRandom,
    ) -> Result<Reserved<'_>, StatusListError> {
        if issuer != self.issuer {
            return Err(StatusListError::Issuer);
        }
        let mut bytes = [0; 4];
        random.fill(&mut bytes)?;
        let start = u32::from_le_bytes(bytes);
        let mut state = self.state.lock();
        let index = state.given.as_mut().and_then(|given| given.set_next_unset(start));
        index
            .map(|index| Reserved { list: self, index, is_bound: false })
            .ok_or(StatusListError::Full)
    }

    /// What [`restore`](Self::restore) needs: to be kept where nobody else can write, before tokens
    /// are handed out, and after each [`export`](Self::export) before that is published. What was
    /// published as invalid and saved as good is good again once the set that is asked has forgotten
    /// it.
    #[must_use]
    pub fn save(&self) -> SavedStatusList {
        let state = self.state.lock();
        SavedStatusList::of(&self.uri, &self.issuer, &state)
    }

    /// The list that was saved, to be published on until its last token has expired. It takes no new
    /// tokens, so that no index is given away twice, whatever happened after it was saved; they go
    /// into another list. For the same reason what it does not know is invalid: an index that was
    /// given away afterwards belongs to a token that nobody could revoke any more.
    ///
    /// # Errors
    /// [`StatusListError::Saved`], [`StatusListError::Size`].
    pub fn restore(saved: SavedStatusList) -> Result<Self, StatusListError> {
        saved.list()
    }

    /// The signed list (§5.1): tracked tokens that `revocations` speaks of are invalid, and remain
    /// so.
    ///
    /// # Errors
    /// [`StatusListError::Issuer`] for the set of [another issuer](RevocationSet::of_issuer), which
    /// would say nothing; [`StatusListError::Lifetime`], [`StatusListError::Behind`],
    /// [`StatusListError::Sign`].
    pub fn export(
        &self,
        revocations: &RevocationSet,
        signer: &dyn Signer,
        lifetime: StatusListLifetime,
        now: DateTime<Utc>,
    ) -> Result<String, StatusListError> {
        if !revocations.is_asked_about(&self.issuer) {
            return Err(StatusListError::Issuer);
        }
        let (iat, exp) = lifetime.instants(now)?;
        let bits = self.state.lock().update(revocations, &self.issuer, now)?;
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
        now: DateTime<Utc>,
    ) -> Result<Vec<u8>, StatusListError> {
        let invalid = self.tracked.iter().map(|(index, token)| {
            match revocations.check(&token.facts(issuer), now) {
                Ok(()) => Ok(None),
                // That nobody knows must not stay in the list.
                Err(Revoked::Behind) => Err(StatusListError::Behind),
                Err(_) => Ok(Some(*index)),
            }
        });
        let invalid: Vec<_> = invalid.collect::<Result<_, _>>()?;
        invalid.into_iter().flatten().for_each(|index| self.invalid.set(index));
        Ok(self.invalid.bytes().to_vec())
    }
}

impl Tracked {
    fn facts<'a>(&'a self, issuer: &'a str) -> Facts<'a> {
        Facts {
            token: self.token,
            capability: self.capability,
            ancestors: &self.ancestors,
            principal: &self.principal,
            issuer,
            key: &self.key,
            issued_at: self.issued_at,
        }
    }
}

impl<'l> Reserved<'l> {
    pub(crate) const fn uri(&self) -> &'l str {
        self.list.uri.as_str()
    }

    pub(crate) const fn index(&self) -> u32 {
        self.index
    }

    /// The place is the token's.
    pub(crate) fn bind(mut self, token: Tracked) {
        self.list.state.lock().tracked.insert(self.index, token);
        self.is_bound = true;
    }
}

/// SECURITY: given back only where no token was handed out that names it.
impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if self.is_bound {
            return;
        }
        if let Some(given) = &mut self.list.state.lock().given {
            given.unset(self.index);
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

fn require_size(statuses: u32) -> Result<(), StatusListError> {
    let fits = (1..=MAX_STATUSES).contains(&statuses) && statuses.is_multiple_of(8);
    if fits { Ok(()) } else { Err(StatusListError::Size) }
}

fn encoded(part: &impl Serialize) -> Result<String, SignError> {
    // INVARIANT: texts and numbers always serialise.
    serde_json::to_vec(part).map(|json| URL_SAFE_NO_PAD.encode(json)).map_err(|_| SignError)
}
