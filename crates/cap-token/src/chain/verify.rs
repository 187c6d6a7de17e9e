use std::sync::Arc;
use std::time::Duration;

use cap_core::DenyCode;
use cap_crypto::VerifyingKey;
use chrono::{DateTime, Utc};

use super::cache::{Cache, Link};
use super::claims::{Claims, Position, Terms};
use super::error::{ChainError, require};
use super::jws::Jws;
use super::known::Known;
use super::policy::{ChainPolicy, PolicyError};
use super::replay::ReplayStore;
use super::{Presentation, TOKEN_TYPE, VerifiedChain};

mod proof;

const NOT_TEXT: &str = "the payload is not base64url of UTF-8";

/// An enforcement point's verifier: AAT-02 §8 under one policy.
///
/// It remembers the links that it has verified (see [`ChainLimits`](super::ChainLimits)), so that a
/// chain whose beginning is known costs only the new links and the proof. Another policy, such as
/// one without an anchor that is no longer trusted, is another verifier, which knows none.
#[derive(Debug)]
pub struct ChainVerifier {
    policy: ChainPolicy,
    cache: Cache,
    /// Whose [`CheckedChain`]s these are: compared by address.
    identity: Arc<()>,
}

/// A chain that passed steps 1 to 5. It permits nothing: whoever presents it must prove possession
/// of the leaf's key for each call ([`ChainVerifier::verify_proof`]).
#[derive(Clone, Debug)]
pub struct CheckedChain {
    leaf: Arc<Link>,
    verifier: Arc<()>,
}

impl CheckedChain {
    /// The issuer of the root.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.leaf.root().claims.issuer
    }

    /// The `jti` of every token, the root first.
    #[must_use]
    pub fn token_ids(&self) -> Vec<&str> {
        self.leaf.each_from_root(|link| &*link.claims.jti)
    }
}

impl ChainVerifier {
    /// A verifier that has verified nothing yet.
    ///
    /// # Errors
    /// When the policy cannot be enforced; see [`PolicyError`].
    pub fn new(policy: ChainPolicy) -> Result<Self, PolicyError> {
        policy.check()?;
        let cache = Cache::new(policy.limits.cache_bytes);
        Ok(Self { policy, cache, identity: Arc::new(()) })
    }

    /// The whole of §8: whether the call of `tool` with `arguments`, a JSON object as it arrived on
    /// the wire (`{}` where there were none), is permitted.
    ///
    /// # Errors
    /// The first step that denies. A denied call uses up nothing.
    pub fn verify(
        &self,
        presentation: &Presentation,
        tool: &str,
        arguments: &str,
        replay: &dyn ReplayStore,
        now: DateTime<Utc>,
    ) -> Result<VerifiedChain, ChainError> {
        let chain = self.verify_chain(&presentation.aat_chain, now)?;
        self.verify_proof(&chain, &presentation.aat_pop, tool, arguments, replay, now)
    }

    /// Steps 1 to 5: the chain alone, the root first.
    ///
    /// # Errors
    /// The first step that denies.
    pub fn verify_chain<T: AsRef<str>>(
        &self,
        chain: &[T],
        now: DateTime<Utc>,
    ) -> Result<CheckedChain, ChainError> {
        self.check_sizes(chain)?;
        let (mut leaf, known) = self.cache.longest_prefix(chain);
        let mut new = Vec::new();
        let mut rules = Known::default();
        for (at, token) in chain.iter().enumerate().skip(known) {
            let link = self.verify_link(leaf.as_ref(), token.as_ref(), &mut rules, now);
            let link = Arc::new(link.map_err(|error| unproved(error, at))?);
            new.push(Arc::clone(&link));
            leaf = Some(link);
        }
        let leaf = leaf.ok_or(ChainError::new("1", "the chain is empty"))?;
        self.check_lifetime(&leaf.claims, Position::of(&leaf), now)
            .map_err(|error| unproved(error, chain.len().saturating_sub(1)))?;
        let length = u32::try_from(chain.len()).ok();
        require(
            length.is_some_and(|length| length == leaf.claims.depth.saturating_add(1)),
            "5",
            "the chain is not as long as the leaf is deep",
        )?;
        new.into_iter().for_each(|link| self.cache.insert(link));
        Ok(CheckedChain { leaf, verifier: Arc::clone(&self.identity) })
    }

    /// Steps 1, 2a and 2b, and that no chain is longer than the deepest leaf could be.
    fn check_sizes<T: AsRef<str>>(&self, chain: &[T]) -> Result<(), ChainError> {
        let limits = &self.policy.limits;
        require(!chain.is_empty(), "1", "the chain is empty")?;
        let sizes = chain.iter().map(|token| token.as_ref().len());
        if let Some(at) = sizes.clone().position(|size| size > limits.max_token_bytes) {
            return Err(ChainError::new("2a", "a token is too long").of_token(at));
        }
        let total = sizes.fold(0_usize, usize::saturating_add);
        require(total <= limits.max_chain_bytes, "2b", "the chain is too long")?;
        let deepest = u32::try_from(chain.len() - 1).unwrap_or(u32::MAX);
        require(deepest <= limits.max_delegation_depth, "4f", "the chain has too many links")
    }

    /// Step 3 or, under a parent, 4; and 2c.
    ///
    /// SECURITY: the draft permits to extract `jti` before the signature is verified. It is read
    /// after that, with the other claims: nothing at all is parsed that nobody signed.
    fn verify_link(
        &self,
        parent: Option<&Arc<Link>>,
        text: &str,
        rules: &mut Known,
        now: DateTime<Utc>,
    ) -> Result<Link, ChainError> {
        let denied = |what| ChainError::new("2c", what);
        let above = || parent.into_iter().flat_map(|parent| parent.ancestry());
        let twice = above().any(|link| *link.text == *text);
        require(!twice, "2c", "a token appears twice")?;
        let jws = Jws::split(text).ok_or(denied("the token is not a compact JWS"))?;
        let (claims, anchor) = match parent {
            None => self.verify_root(&jws, rules, now).map(|(claims, key)| (claims, Some(key)))?,
            Some(parent) => (self.verify_derived(parent, &jws, rules, now)?, None),
        };
        let known = above().any(|link| link.claims.jti == claims.jti);
        require(!known, "2c", "a `jti` appears twice")?;
        Ok(Link { text: text.into(), parent: parent.cloned(), hash: jws.hash(), claims, anchor })
    }

    /// Step 3; with the name of the anchor's key.
    fn verify_root(
        &self,
        jws: &Jws<'_>,
        rules: &mut Known,
        now: DateTime<Utc>,
    ) -> Result<(Claims, String), ChainError> {
        jws.check_header(TOKEN_TYPE).map_err(|what| ChainError::new("3a", what))?;
        // Several issuers may share a key, and one issuer may have several: any anchor will do
        // whose key verifies and whose issuer is named.
        let keys = || self.policy.anchors.iter().map(|anchor| &anchor.key);
        let key = keys().find(|key| jws.is_signed_by(key));
        let key = key.ok_or(ChainError::new("3b", "no trust anchor signed the root"))?;
        let claims = self.read_claims(jws, Position::Root, rules)?;
        require(claims.depth == 0, "3c", "`del_depth` of a root is not 0")?;
        self.check_lifetime(&claims, Position::Root, now)?;
        self.check_span(&claims, "3g", "3h")?;
        let limit = self.policy.limits.max_delegation_depth;
        require(claims.max_depth <= limit, "3i", "`del_max_depth` is beyond the limit")?;
        let anchors = &self.policy.anchors;
        let same = |other: &VerifyingKey| {
            std::ptr::eq(other, key) || other.as_ed25519() == key.as_ed25519()
        };
        let named = anchors.iter().any(|it| it.issuer == claims.issuer && same(&it.key));
        require(named, "3k", "`iss` is not the issuer of the anchor that signed")?;
        Ok((claims, key.id().as_str().to_owned()))
    }

    /// Step 4.
    fn verify_derived(
        &self,
        parent: &Link,
        jws: &Jws<'_>,
        rules: &mut Known,
        now: DateTime<Utc>,
    ) -> Result<Claims, ChainError> {
        jws.check_header(TOKEN_TYPE).map_err(|what| ChainError::new("4a", what))?;
        let key = parent.claims.holder.key();
        let key = key.ok_or(ChainError::new("4a", "the parent's holder has no Ed25519 key"))?;
        require(jws.is_signed_by(key), "4b", "the parent's holder did not sign")?;
        let claims = self.read_claims(jws, Position::Derived, rules)?;
        let above = &parent.claims;
        let signer = above.holder.is_named_by(&claims.issuer);
        require(signer, "4c", "`iss` is not the signer")?;
        let next = above.depth.checked_add(1);
        require(next == Some(claims.depth), "4d", "`del_depth` is not one more")?;
        require(claims.depth <= above.max_depth, "4e", "`del_depth` is beyond the parent's bound")?;
        let limit = self.policy.limits.max_delegation_depth;
        require(claims.depth <= limit, "4f", "`del_depth` is beyond the limit")?;
        require(claims.max_depth <= above.max_depth, "4g", "`del_max_depth` was raised")?;
        require(claims.expires <= above.expires, "4h", "the token outlives its parent")?;
        require(claims.issued >= above.issued, "4j", "the token is older than its parent")?;
        self.check_lifetime(&claims, Position::Derived, now)?;
        self.check_span(&claims, "4l", "3h")?;
        require(claims.depth <= claims.max_depth, "4m", "`del_depth` is beyond its own bound")?;
        check_tools(above, &claims)?;
        let hash = claims.parent_hash.as_ref();
        require(hash == Some(&parent.hash), "4q", "`par_hash` is not that of the parent")?;
        Ok(claims)
    }

    /// SECURITY: only once the signature was verified.
    fn read_claims(
        &self,
        jws: &Jws<'_>,
        position: Position,
        rules: &mut Known,
    ) -> Result<Claims, ChainError> {
        let step = match position {
            Position::Root => "3b",
            Position::Derived => "4b",
        };
        let payload = jws.payload().ok_or(ChainError::new(step, NOT_TEXT))?;
        Claims::read(&payload, position, self.terms(), rules)
    }

    /// Steps 3e and 3f, or 4i and 4k: what time changes.
    ///
    /// INVARIANT: along a chain `exp` never rises and `iat` never falls, so that the leaf's stand
    /// for those of all.
    fn check_lifetime(
        &self,
        claims: &Claims,
        position: Position,
        now: DateTime<Utc>,
    ) -> Result<(), ChainError> {
        let (expired, early) = match position {
            Position::Root => ("3e", "3f"),
            Position::Derived => ("4i", "4k"),
        };
        // Rounded down to the second, as the claims are; no leeway for `exp`.
        let now = now.timestamp();
        if claims.expires <= now {
            let error = ChainError::new(expired, "the token has expired");
            return Err(error.coded(DenyCode::CapabilityExpired));
        }
        let latest = now.saturating_add(seconds(self.policy.limits.max_iat_skew));
        require(claims.issued <= latest, early, "the token was issued in the future")
    }

    /// Steps 3g and 3h, or 4l; the length of a child's life is bounded by its parent's.
    fn check_span(
        &self,
        claims: &Claims,
        reversed: &'static str,
        long: &'static str,
    ) -> Result<(), ChainError> {
        require(claims.expires > claims.issued, reversed, "the token ends before it begins")?;
        let longest = seconds(self.policy.limits.max_token_lifetime);
        let end = claims.issued.saturating_add(longest);
        require(claims.expires <= end, long, "the token lives too long")
    }

    const fn terms(&self) -> Terms<'_> {
        Terms { vocabulary: self.policy.vocabulary(), limits: &self.policy.limits }
    }
}

impl Position {
    const fn of(link: &Link) -> Self {
        match link.parent {
            None => Self::Root,
            Some(_) => Self::Derived,
        }
    }
}

/// SECURITY: that a chain has expired is told only to those who prove possession of its leaf's key.
const fn unproved(error: ChainError, token: usize) -> ChainError {
    error.of_token(token).coded(DenyCode::EvidenceInvalid)
}

/// Step 4p.
fn check_tools(parent: &Claims, child: &Claims) -> Result<(), ChainError> {
    let Some(tools) = &child.tools else {
        return Ok(());
    };
    let none = super::Tools::new();
    let above = parent.tools.as_ref().unwrap_or(&none);
    let what = "the token permits more than its parent";
    tools.check_within(above).map_err(|widening| ChainError::new(widening.step, what))
}

pub(super) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
