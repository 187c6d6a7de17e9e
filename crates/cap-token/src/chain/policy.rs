use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cap_crypto::VerifyingKey;
use thiserror::Error;

/// Trust anchors that a policy may have at most: an unknown root costs as many verifications.
pub const MAX_TRUST_ANCHORS: usize = 64;

/// A root issuer that is trusted, and the key with which it signs roots (AAT-02 §8). Several keys
/// of one issuer are several anchors.
#[derive(Clone, Debug)]
pub struct TrustAnchor {
    /// The root's `iss`: a URI (RFC 3986 §3), compared exactly.
    pub issuer: String,
    /// An Ed25519 key.
    pub key: VerifyingKey,
}

/// The bounds that an enforcement point sets. The defaults are those that AAT-02 recommends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChainLimits {
    /// MAX_TOKEN_SIZE: bytes of each encoded token. 65,536.
    pub max_token_bytes: usize,
    /// MAX_CHAIN_SIZE: bytes of all encoded tokens together. 262,144.
    pub max_chain_bytes: usize,
    /// Bytes of an encoded proof, which the draft does not bound. 65,536.
    pub max_proof_bytes: usize,
    /// Bytes of the arguments of a call as they arrive, which the draft does not bound. 262,144.
    pub max_arguments_bytes: usize,
    /// MAX_DELEGATION_DEPTH: 8, the least that the draft permits; at most 64.
    pub max_delegation_depth: u32,
    /// MAX_CONSTRAINT_DEPTH: levels of a constraint tree. 32; at most 48.
    pub max_constraint_depth: usize,
    /// Appendix B.5: tools of a token. 256.
    pub max_tools: usize,
    /// Appendix B.5: constraints of a tool, nested ones counted. 64.
    pub max_constraints_per_tool: usize,
    /// Appendix B.5: bytes of a tool's identifier. 256.
    pub max_tool_bytes: usize,
    /// Appendix B.5: bytes of a value in a constraint, in canonical form. 4,096.
    pub max_value_bytes: usize,
    /// MAX_IAT_SKEW: how far in the future a token may be issued. 30 s.
    pub max_iat_skew: Duration,
    /// MAX_TOKEN_LIFETIME: from `iat` to `exp`. 90 days, an upper bound: set far less.
    pub max_token_lifetime: Duration,
    /// How far the `iat` of a proof may be from now, either way. 30 s; beyond 60 s is not
    /// recommended.
    pub proof_window: Duration,
    /// Bytes of verified tokens that are remembered; 0 for none. 8 MiB.
    pub cache_bytes: usize,
}

impl Default for ChainLimits {
    fn default() -> Self {
        Self {
            max_token_bytes: 65_536,
            max_chain_bytes: 262_144,
            max_proof_bytes: 65_536,
            max_arguments_bytes: 262_144,
            max_delegation_depth: 8,
            max_constraint_depth: 32,
            max_tools: 256,
            max_constraints_per_tool: 64,
            max_tool_bytes: 256,
            max_value_bytes: 4096,
            max_iat_skew: Duration::from_secs(30),
            max_token_lifetime: Duration::from_secs(90 * 24 * 3600),
            proof_window: Duration::from_secs(30),
            cache_bytes: 8 << 20,
        }
    }
}

/// Which types of constraints are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vocabulary {
    /// The nine of AAT-02 §3.4; a chain with any other is denied.
    Core,
    /// Those and `path`, `url`, `cidr`, `glob` and `length` of [`cap_core::ArgumentConstraint`].
    /// They are in no registry: whoever evaluates them does not conform for chains that contain
    /// them (AAT-02 §5).
    Extended,
}

/// The nonces that this enforcement point has issued (AAT-02 §8 step 7h).
pub trait AcceptedNonces: Send + Sync + fmt::Debug {
    /// Whether `nonce` was issued by this enforcement point and is still accepted.
    fn accepts(&self, nonce: &str) -> bool;
}

impl AcceptedNonces for BTreeSet<String> {
    fn accepts(&self, nonce: &str) -> bool {
        self.contains(nonce)
    }
}

/// Where else a chain that is accepted here would be accepted (AAT-02 §9.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Exposure {
    /// Nowhere: this is the only enforcement point, server and tenant for its anchors.
    #[default]
    Alone,
    /// At others, which share the replay store with this one, so that a proof is accepted by one of
    /// them only.
    ///
    /// SECURITY: the caller promises that, and nothing here can see whether it is so. Every call at
    /// every one of them goes to one store (a [`MemoryReplayStore`](super::MemoryReplayStore) is
    /// that of one process, [`Untracked`](super::Untracked) is none), and all have the same
    /// `proof_window`: the store forgets a proof when the window of the one that accepted it ends.
    SharedReplayStore,
    /// At others. The policy must then require an audience of the chain or of the proof, or a
    /// nonce; else a proof seen here could be replayed there.
    Several,
}

/// What an enforcement point trusts, is called, requires and bounds.
#[derive(Clone, Debug, Default)]
pub struct ChainPolicy {
    pub(super) anchors: Vec<TrustAnchor>,
    pub(super) audiences: Vec<String>,
    pub(super) limits: ChainLimits,
    pub(super) extensions: bool,
    pub(super) chain_aud: bool,
    pub(super) pop_aud: bool,
    pub(super) nonces: Option<Arc<dyn AcceptedNonces>>,
    exposure: Exposure,
}

/// Why a policy cannot be enforced.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// There is no anchor, or there are more than [`MAX_TRUST_ANCHORS`].
    #[error("one to {MAX_TRUST_ANCHORS} trust anchors are wanted")]
    Anchors,
    /// An issuer is not a URI.
    #[error("the issuer of a trust anchor is not a URI: `{0}`")]
    Issuer(String),
    /// The key of an anchor is not an Ed25519 key.
    #[error("the key of a trust anchor is not an Ed25519 key: `{0}`")]
    Key(String),
    /// An audience is required, but the enforcement point has no name.
    #[error("an audience is required, but none is configured")]
    NoAudience,
    /// A limit is outside what the draft or this implementation permits.
    #[error("the limit `{0}` is out of range")]
    Limit(&'static str),
    /// Several enforcement points accept the same chains and nothing binds a proof to one of them
    /// (AAT-02 §9.5).
    #[error(
        "several enforcement points accept the same chains: require an audience or a nonce, or \
         share the replay store"
    )]
    Unbound,
}

impl ChainPolicy {
    /// A policy with these anchors, no audience, the default limits and the core vocabulary.
    #[must_use]
    pub fn new(anchors: impl IntoIterator<Item = TrustAnchor>) -> Self {
        Self { anchors: anchors.into_iter().collect(), ..Self::default() }
    }

    /// With one more name of this enforcement point: `aud` and `aat_aud` identify it when they are
    /// exactly equal to one of them.
    #[must_use]
    pub fn with_audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// With other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: ChainLimits) -> Self {
        self.limits = limits;
        self
    }

    /// With the constraint types of this project besides the core ones (see
    /// [`Vocabulary::Extended`]).
    #[must_use]
    pub const fn with_extensions(mut self) -> Self {
        self.extensions = true;
        self
    }

    /// Some token of a chain must carry `aud` (step 6c).
    #[must_use]
    pub const fn require_chain_aud(mut self) -> Self {
        self.chain_aud = true;
        self
    }

    /// A proof must carry `aat_aud` (step 7d).
    #[must_use]
    pub const fn require_pop_aud(mut self) -> Self {
        self.pop_aud = true;
        self
    }

    /// A proof must carry one of these as `nonce` (step 7h).
    #[must_use]
    pub fn require_nonce(mut self, nonces: Arc<dyn AcceptedNonces>) -> Self {
        self.nonces = Some(nonces);
        self
    }

    /// Where else the same chains are accepted.
    #[must_use]
    pub const fn with_exposure(mut self, exposure: Exposure) -> Self {
        self.exposure = exposure;
        self
    }

    pub(super) const fn vocabulary(&self) -> Vocabulary {
        if self.extensions { Vocabulary::Extended } else { Vocabulary::Core }
    }

    pub(super) fn check(&self) -> Result<(), PolicyError> {
        if !(1..=MAX_TRUST_ANCHORS).contains(&self.anchors.len()) {
            return Err(PolicyError::Anchors);
        }
        for TrustAnchor { issuer, key } in &self.anchors {
            if !is_uri(issuer) {
                return Err(PolicyError::Issuer(issuer.clone()));
            }
            if key.as_ed25519().is_none() {
                return Err(PolicyError::Key(issuer.clone()));
            }
        }
        if self.audiences.is_empty() && (self.chain_aud || self.pop_aud) {
            return Err(PolicyError::NoAudience);
        }
        let bound = self.chain_aud || self.pop_aud || self.nonces.is_some();
        if self.exposure == Exposure::Several && !bound {
            return Err(PolicyError::Unbound);
        }
        self.limits.check()
    }
}

impl ChainLimits {
    fn check(&self) -> Result<(), PolicyError> {
        const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
        let ranges = [
            // AAT-02 §4.3: so that chains verify across implementations.
            ("max_delegation_depth", (8..=64).contains(&self.max_delegation_depth)),
            ("max_constraint_depth", (1..=48).contains(&self.max_constraint_depth)),
            ("max_token_lifetime", self.max_token_lifetime <= LONGEST),
            ("max_iat_skew", self.max_iat_skew <= LONGEST),
            ("proof_window", self.proof_window <= LONGEST),
        ];
        match ranges.into_iter().find(|(_, good)| !good) {
            Some((name, _)) => Err(PolicyError::Limit(name)),
            None => Ok(()),
        }
    }
}

/// A scheme, a colon, and nothing but the characters of RFC 3986 §2.
pub(super) fn is_uri(text: &str) -> bool {
    let in_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let in_rest =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    text.split_once(':').is_some_and(|(scheme, rest)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(in_scheme)
            && !rest.is_empty()
            && rest.bytes().all(in_rest)
    })
}
