//! Attenuating chains: authority that a holder narrows and passes on by itself, offline, and that
//! is proved for every call (draft-niyikiza-oauth-attenuating-agent-tokens-02, «AAT-02»).
//!
//! A chain is a list of tokens, the root first. A [`TrustAnchor`] signs the root; every other token
//! is signed by the key that its parent names. Each lists tools and what their arguments must be, and
//! may only narrow what its parent lists. Whoever holds the key of the last one, the leaf, signs a
//! proof for each call.
//!
//! * an enforcement point: [`ChainPolicy`] → [`ChainVerifier::verify`] → [`VerifiedChain`];
//! * an author: [`Author::mint_root`], [`Author::derive`], [`Author::prove`].
//!
//! Where the draft can be read in two ways the strict one is taken, as `docs/protocol.md` lists.
//!
//! ```
//! # use cap_crypto::{Backend, Algorithm, OsRandom, SigningKey, Signer};
//! # use cap_token::chain::*;
//! # use chrono::{DateTime, Utc};
//! # use std::time::Duration;
//! # let now = DateTime::from_timestamp(1_767_225_600, 0).unwrap();
//! # let key = || SigningKey::generate(Algorithm::EdDsa, Backend::default(), &OsRandom).unwrap();
//! let (anchor, agent, helper) = (key(), key(), key());
//! let author = Author::default();
//!
//! // The server lets the agent read two reports …
//! let reports = Constraint::one_of(["/q3.pdf", "/q4.pdf"])?;
//! let root = RootToken {
//!     issuer: "https://auth.example.com".into(),
//!     holder: agent.key().clone(),
//!     tools: Tools::new().with("read_file", ToolRules::required("path", reports)),
//!     audiences: vec![],
//!     max_depth: 3,
//!     lifetime: Duration::from_secs(3600),
//! };
//! let root = author.mint_root(&root, &anchor, &OsRandom, now)?;
//!
//! // … the agent lets its helper read one of them, without asking anybody …
//! let one = ToolRules::required("path", Constraint::exact("/q3.pdf")?);
//! let narrowed = Derivation::to(helper.key().clone()).with_tools(Tools::new().with("read_file", one));
//! let leaf = author.derive(&root, &narrowed, &agent, &OsRandom, now)?;
//!
//! // … and the helper calls.
//! let arguments = r#"{"path":"/q3.pdf"}"#;
//! let proof = author.prove(&leaf, &Call::new("read_file", arguments), &helper, &OsRandom, now)?;
//! let presentation = Presentation { aat_chain: vec![root, leaf], aat_pop: proof };
//!
//! let issuer = "https://auth.example.com".to_owned();
//! let anchors = [TrustAnchor { issuer, key: anchor.key().clone() }];
//! let verifier = ChainVerifier::new(ChainPolicy::new(anchors))?;
//! let replay = MemoryReplayStore::new(10_000);
//! let verified = verifier.verify(&presentation, "read_file", arguments, &replay, now)?;
//! assert_eq!(verified.tool(), "read_file");
//!
//! // Not twice, and nothing else.
//! assert!(verifier.verify(&presentation, "read_file", arguments, &replay, now).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::sync::Arc;

use chrono::{DateTime, Utc};

mod author;
mod bridge;
mod cache;
mod claims;
mod constraint;
mod error;
mod json;
mod jws;
mod known;
mod policy;
mod replay;
mod tools;
mod verify;

pub use author::{
    Author, Call, Derivation, DeriveError, MintError, NextHolder, ProveError, RootToken,
};
pub use bridge::{BridgeError, CapabilityRoot};
pub use constraint::{Constraint, MalformedConstraint};
pub use error::{ChainError, Step};
pub use json::JsonError;
pub use policy::{
    AcceptedNonces, ChainLimits, ChainPolicy, Exposure, MAX_TRUST_ANCHORS, PolicyError,
    TrustAnchor, Vocabulary,
};
pub use replay::{MemoryReplayStore, ProofId, ReplayError, ReplayStore, Untracked};
pub use tools::{ToolRules, Tools, Widening};
pub use verify::{ChainVerifier, CheckedChain};

use cache::Link;
use json::{Json, write_string};

/// Bytes of a presentation that is read: 384 KiB, which is what the default limits let through
/// (256 KiB of tokens, 64 KiB of proof) and 64 KiB for what else stands there. Where a policy has
/// greater limits the members are given to [`Presentation`] one by one.
pub const MAX_PRESENTATION_BYTES: usize = 262_144 + 65_536 + 65_536;

/// `typ` of a token.
const TOKEN_TYPE: &str = "aat+jwt";
/// `typ` of a proof.
const PROOF_TYPE: &str = "aat-pop+jwt";
/// `type` of the entry in `authorization_details`.
const ENTRY_TYPE: &str = "attenuating_agent_token";
/// What stands before a thumbprint in a JWK Thumbprint URI (RFC 9278).
const THUMBPRINT_URI: &str = "urn:ietf:params:oauth:jwk-thumbprint:sha-256:";

/// What a holder sends for one call (AAT-02 §7.4): the chain, the root first, and the proof; compact
/// JWS texts. Nothing in it is verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Presentation {
    /// The tokens, the root first.
    pub aat_chain: Vec<String>,
    /// The proof.
    pub aat_pop: String,
}

impl Presentation {
    /// Reads `{"aat_chain":["…"],"aat_pop":"…"}`. Members that are not known are ignored.
    ///
    /// # Errors
    /// When it is not that, an object has two members of the same name, or the text has more than
    /// [`MAX_PRESENTATION_BYTES`].
    pub fn from_json(text: &str) -> Result<Self, JsonError> {
        if text.len() > MAX_PRESENTATION_BYTES {
            return Err(JsonError::TooLong);
        }
        let json = json::parse(text)?;
        let members = json.as_object().ok_or(JsonError::Type)?;
        let text = |json: &Json<'_>| json.as_str().map(str::to_owned).ok_or(JsonError::Type);
        let chain = members.get("aat_chain").and_then(Json::as_array).ok_or(JsonError::Type)?;
        Ok(Self {
            aat_chain: chain.iter().map(text).collect::<Result<_, _>>()?,
            aat_pop: text(members.get("aat_pop").ok_or(JsonError::Type)?)?,
        })
    }

    /// The JSON object that travels.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::from("{\"aat_chain\":[");
        for (at, token) in self.aat_chain.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            write_string(&mut out, token);
        }
        out.push_str("],\"aat_pop\":");
        write_string(&mut out, &self.aat_pop);
        out.push('}');
        out
    }
}

impl std::fmt::Debug for Presentation {
    /// SECURITY: a proof may be replayed while its window lasts, and is never printed.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Presentation({} tokens)", self.aat_chain.len())
    }
}

/// A call that AAT-02 §8 permits, with the chain on which that rests. There is no other way to get
/// one than [`ChainVerifier`].
#[derive(Clone, Debug)]
pub struct VerifiedChain {
    leaf: Arc<Link>,
    tool: String,
    arguments: String,
}

impl VerifiedChain {
    /// The tool that may be called.
    #[must_use]
    pub fn tool(&self) -> &str {
        &self.tool
    }

    /// The arguments with which it may be called, in canonical form (RFC 8785).
    #[must_use]
    pub fn arguments(&self) -> &str {
        &self.arguments
    }

    /// What the leaf permits: its tools and the rules of their arguments.
    pub fn tools(&self) -> impl Iterator<Item = (&str, &ToolRules)> {
        self.leaf.claims.tools.iter().flat_map(Tools::iter)
    }

    /// The thumbprint (RFC 7638, SHA-256, base64url) of the key that made the proof.
    #[must_use]
    pub fn holder(&self) -> &str {
        self.leaf.holder()
    }

    /// The thumbprints of the holders' keys, that of the root's first.
    #[must_use]
    pub fn holders(&self) -> Vec<&str> {
        self.leaf.each_from_root(Link::holder)
    }

    /// The issuer of the root: that of the trust anchor which signed it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.leaf.root().claims.issuer
    }

    /// The name of the trust anchor's key that signed the root: its thumbprint, unless a JWK named it.
    #[must_use]
    pub fn anchor(&self) -> &str {
        // INVARIANT: every root was signed by an anchor.
        self.leaf.root().anchor.as_deref().unwrap_or_default()
    }

    /// The `jti` of every token, the root first. What may be revoked is named by these.
    #[must_use]
    pub fn token_ids(&self) -> Vec<&str> {
        self.leaf.each_from_root(|link| &*link.claims.jti)
    }

    /// Links below the root: 0 where the root itself is the leaf.
    #[must_use]
    pub fn depth(&self) -> u32 {
        self.leaf.claims.depth
    }

    /// When the chain ends: the `exp` of the leaf, which no other token's precedes.
    #[must_use]
    pub fn expires_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.leaf.claims.expires, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// When the root was issued; every other token was issued then or later.
    #[must_use]
    pub fn issued_at(&self) -> DateTime<Utc> {
        let issued = self.leaf.root().claims.issued;
        DateTime::from_timestamp(issued, 0).unwrap_or(DateTime::<Utc>::MIN_UTC)
    }
}
