use std::time::Duration;

use cap_crypto::{SecureRandom, Signer, VerifyingKey};
use chrono::{DateTime, Utc};

use self::text::{Members, Token, compact, unique_id};
use super::bridge::CapabilityRoot;
use super::claims::{Claims, Position, Terms};
use super::error::ChainError;
use super::json::{self, JsonError};
use super::jws::Jws;
use super::known::Known;
use super::policy::is_uri;
use super::verify::seconds;
use super::{ChainLimits, PROOF_TYPE, THUMBPRINT_URI, TOKEN_TYPE, Tools, Vocabulary};

mod error;
mod text;

pub use error::{DeriveError, MintError, ProveError};

/// Makes tokens and proofs. What it signs is well-formed, within its limits and vocabulary, no wider
/// than the parent and, for a proof, permitted by the leaf.
///
/// What only the enforcement point knows it does not ask about: the signatures above, the anchors,
/// audiences and nonces that count there, and what time it is there.
#[derive(Clone, Debug)]
pub struct Author {
    vocabulary: Vocabulary,
    limits: ChainLimits,
}

/// What a root is to say.
#[derive(Clone, Debug)]
pub struct RootToken {
    /// `iss`: a URI, the issuer of the trust anchor whose key signs.
    pub issuer: String,
    /// Whose it will be: an Ed25519 key.
    pub holder: VerifyingKey,
    /// What its holder may do; at least one tool.
    pub tools: Tools,
    /// Where the chain may be presented; nothing means anywhere.
    pub audiences: Vec<String>,
    /// Links that may hang below it at most; 0: it cannot be passed on.
    pub max_depth: u32,
    /// How long it lives, in whole seconds.
    pub lifetime: Duration,
}

/// What a derived token is to say; what is not said is as in its parent.
#[derive(Clone, Debug)]
pub struct Derivation {
    /// Whose it will be.
    pub holder: NextHolder,
    /// What its holder may do.
    pub tools: Option<Tools>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// How deep the chain may become, counted from the root.
    pub max_depth: Option<u32>,
    /// Where it may be presented, besides what its ancestors say; nothing means no restriction more.
    pub audiences: Vec<String>,
}

/// Whose a derived token will be.
#[derive(Clone, Debug)]
pub enum NextHolder {
    /// Somebody else's: a key that is not the parent's.
    Other(VerifyingKey),
    /// The parent's holder keeps it.
    ///
    /// SECURITY: never when it crosses a boundary of processes or trust: whoever has the parent's
    /// key can present the parent, too (AAT-02 §6.2).
    Same,
}

/// A call for which possession is proved.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The tool, exactly as the leaf names it.
    pub tool: &'a str,
    /// The arguments: a JSON object.
    pub arguments: &'a str,
    /// `aat_aud`: the next hop, if the proof is for it alone.
    pub audience: Option<&'a str>,
    /// A nonce that the enforcement point gave.
    pub nonce: Option<&'a str>,
}

impl Default for Author {
    /// The core vocabulary and the default limits: what every enforcement point accepts.
    fn default() -> Self {
        Self { vocabulary: Vocabulary::Core, limits: ChainLimits::default() }
    }
}

impl Derivation {
    /// To another holder, everything as in the parent.
    #[must_use]
    pub const fn to(holder: VerifyingKey) -> Self {
        Self {
            holder: NextHolder::Other(holder),
            tools: None,
            expires_at: None,
            max_depth: None,
            audiences: Vec::new(),
        }
    }

    /// With these tools instead of the parent's.
    #[must_use]
    pub fn with_tools(mut self, tools: Tools) -> Self {
        self.tools = Some(tools);
        self
    }

    /// Ending then.
    #[must_use]
    pub const fn until(mut self, expires_at: DateTime<Utc>) -> Self {
        self.expires_at = Some(expires_at);
        self
    }

    /// With this bound on the depth of the chain, counted from the root.
    #[must_use]
    pub const fn with_max_depth(mut self, max_depth: u32) -> Self {
        self.max_depth = Some(max_depth);
        self
    }

    /// To be presented there only.
    #[must_use]
    pub fn for_audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }
}

impl<'a> Call<'a> {
    /// A call, its proof bound to no audience.
    #[must_use]
    pub const fn new(tool: &'a str, arguments: &'a str) -> Self {
        Self { tool, arguments, audience: None, nonce: None }
    }

    /// The same, proved to this next hop alone.
    #[must_use]
    pub const fn to(mut self, audience: &'a str) -> Self {
        self.audience = Some(audience);
        self
    }

    /// The same, with a nonce that the enforcement point gave.
    #[must_use]
    pub const fn with_nonce(mut self, nonce: &'a str) -> Self {
        self.nonce = Some(nonce);
        self
    }
}

impl Author {
    /// An author for enforcement points with other limits or the extended vocabulary.
    #[must_use]
    pub const fn new(vocabulary: Vocabulary, limits: ChainLimits) -> Self {
        Self { vocabulary, limits }
    }

    /// A root, signed by the key of a trust anchor.
    ///
    /// # Errors
    /// See [`MintError`].
    pub fn mint_root(
        &self,
        root: &RootToken,
        anchor: &dyn Signer,
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> Result<String, MintError> {
        self.mint(root, None, anchor, random, now)
    }

    /// A root that means what a capability means, signed by the key of a trust anchor. It ends when
    /// the capability does, if its lifetime goes beyond that.
    ///
    /// # Errors
    /// See [`MintError`]; [`MintError::Lifetime`] when the capability has ended.
    pub fn mint_root_of(
        &self,
        root: &CapabilityRoot,
        anchor: &dyn Signer,
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> Result<String, MintError> {
        self.mint(&root.token, root.ends_at, anchor, random, now)
    }

    fn mint(
        &self,
        root: &RootToken,
        ends_at: Option<DateTime<Utc>>,
        anchor: &dyn Signer,
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> Result<String, MintError> {
        if !is_uri(&root.issuer) {
            return Err(MintError::Issuer);
        }
        if root.max_depth > self.limits.max_delegation_depth {
            return Err(MintError::Depth);
        }
        let lifetime = seconds(root.lifetime);
        if !(1..=seconds(self.limits.max_token_lifetime)).contains(&lifetime) {
            return Err(MintError::Lifetime);
        }
        let issued = now.timestamp();
        let expires = issued.saturating_add(lifetime);
        let expires = ends_at.map_or(expires, |end| expires.min(end.timestamp()));
        if expires <= issued {
            return Err(MintError::Lifetime);
        }
        let token = Token {
            issuer: &root.issuer,
            issued,
            expires,
            depth: 0,
            max_depth: root.max_depth,
            parent_hash: None,
            holder: &root.holder,
            audiences: &root.audiences,
            tools: &root.tools,
        };
        self.sign(&token, anchor, random, now)
    }

    /// A child of `parent`, a token that the signer holds, never wider than it (AAT-02 §6.2).
    ///
    /// The parent's own signature is not asked about: who derives from a token that nobody trusts
    /// has a chain that nobody trusts.
    ///
    /// # Errors
    /// See [`DeriveError`]; what is wider is named.
    pub fn derive(
        &self,
        parent: &str,
        child: &Derivation,
        holder: &dyn Signer,
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> Result<String, DeriveError> {
        let (parent, hash) = self.read(parent).map_err(DeriveError::Parent)?;
        if !is_held_by(&parent, holder) {
            return Err(DeriveError::NotHolder);
        }
        let next = match &child.holder {
            NextHolder::Same => holder.key(),
            NextHolder::Other(key) if key.as_ed25519() == holder.key().as_ed25519() => {
                return Err(DeriveError::SameHolder);
            }
            NextHolder::Other(key) => key,
        };
        if parent.depth >= parent.max_depth {
            return Err(DeriveError::Terminal);
        }
        let depth = parent.depth.saturating_add(1);
        let max_depth = child.max_depth.unwrap_or(parent.max_depth);
        if !(depth..=parent.max_depth).contains(&max_depth) {
            return Err(DeriveError::Depth);
        }
        let (issued, expires) = self.span(&parent, child, now)?;
        let tools = self.narrowed(&parent, child)?;
        let thumbprint = parent.holder.thumbprint().ok_or(DeriveError::NotHolder)?;
        let issuer = format!("{THUMBPRINT_URI}{thumbprint}");
        let token = Token {
            issuer: &issuer,
            issued,
            expires,
            depth,
            max_depth,
            parent_hash: Some(&hash),
            holder: next,
            audiences: &child.audiences,
            tools,
        };
        Ok(self.sign(&token, holder, random, now)?)
    }

    /// A proof that the signer holds `leaf` and makes this call now (AAT-02 §7.2).
    ///
    /// # Errors
    /// See [`ProveError`]; a call that the leaf does not permit is not proved.
    pub fn prove(
        &self,
        leaf: &str,
        call: &Call<'_>,
        holder: &dyn Signer,
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> Result<String, ProveError> {
        let (leaf, hash) = self.read(leaf).map_err(ProveError::Leaf)?;
        if !is_held_by(&leaf, holder) {
            return Err(ProveError::NotHolder);
        }
        if leaf.expires <= now.timestamp() {
            return Err(ProveError::Expired);
        }
        let arguments = json::parse(call.arguments)?;
        let canonical = arguments.to_jcs()?;
        let rules = leaf.tools.as_ref().and_then(|tools| tools.get(call.tool));
        let rules = rules.ok_or(ProveError::NotPermitted("the leaf does not have the tool"))?;
        let members = arguments.as_object().ok_or(JsonError::Type)?;
        rules.check(members).map_err(ProveError::NotPermitted)?;
        let mut claims = Members::new();
        claims.text("aat_hash", &hash);
        claims.text("aat_id", &leaf.jti);
        claims.text("aat_tool", call.tool);
        claims.raw("hta", &canonical);
        claims.raw("iat", &now.timestamp().to_string());
        claims.text("jti", &unique_id(random, now)?);
        if let Some(audience) = call.audience {
            claims.text("aat_aud", audience);
        }
        if let Some(nonce) = call.nonce {
            claims.text("nonce", nonce);
        }
        let proof = compact(PROOF_TYPE, &claims.canonical()?, holder)?;
        if proof.len() > self.limits.max_proof_bytes {
            return Err(ProveError::TooLarge);
        }
        Ok(proof)
    }

    /// A token that the author holds, and its hash. Its signature is not verified.
    fn read(&self, text: &str) -> Result<(Claims, String), ChainError> {
        let malformed = |what| ChainError::new("2c", what);
        let jws = Jws::split(text).ok_or(malformed("the token is not a compact JWS"))?;
        jws.check_header(TOKEN_TYPE).map_err(|what| ChainError::new("3a", what))?;
        let payload = jws.payload().ok_or(malformed("the payload is not base64url of UTF-8"))?;
        let derived = json::parse(&payload).is_ok_and(|json| {
            json.as_object().is_some_and(|claims| claims.get("par_hash").is_some())
        });
        let position = if derived { Position::Derived } else { Position::Root };
        let terms = Terms { vocabulary: self.vocabulary, limits: &self.limits };
        Ok((Claims::read(&payload, position, terms, &mut Known::default())?, jws.hash()))
    }

    /// `iat` and `exp` of a child: a clock that lags behind the issuer's waits at the parent's.
    fn span(
        &self,
        parent: &Claims,
        child: &Derivation,
        now: DateTime<Utc>,
    ) -> Result<(i64, i64), DeriveError> {
        if parent.expires <= now.timestamp() {
            return Err(DeriveError::ParentExpired);
        }
        let issued = now.timestamp().max(parent.issued);
        let expires = child.expires_at.map_or(parent.expires, |at| at.timestamp());
        let longest = issued.saturating_add(seconds(self.limits.max_token_lifetime));
        if expires <= issued || expires > parent.expires || expires > longest {
            return Err(DeriveError::Expiry);
        }
        Ok((issued, expires))
    }

    fn narrowed<'a>(
        &self,
        parent: &'a Claims,
        child: &'a Derivation,
    ) -> Result<&'a Tools, DeriveError> {
        let above = parent.tools.as_ref().ok_or(MintError::Empty)?;
        let Some(tools) = &child.tools else {
            return Ok(above);
        };
        tools.check_within(above).map_err(DeriveError::Widens)?;
        Ok(tools)
    }

    fn sign(
        &self,
        token: &Token<'_>,
        signer: &dyn Signer,
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> Result<String, MintError> {
        if token.tools.is_empty() {
            return Err(MintError::Empty);
        }
        if signer.key().as_ed25519().is_none() {
            return Err(MintError::Key);
        }
        token.tools.check(self.vocabulary, &self.limits).map_err(MintError::Tools)?;
        let claims = token.claims(&unique_id(random, now)?)?.canonical();
        let claims = claims.map_err(|_| MintError::Tools("a constraint is nested too deeply"))?;
        let text = compact(TOKEN_TYPE, &claims, signer)?;
        if text.len() > self.limits.max_token_bytes {
            return Err(MintError::TooLarge);
        }
        Ok(text)
    }
}

fn is_held_by(token: &Claims, signer: &dyn Signer) -> bool {
    let point = token.holder.key().and_then(VerifyingKey::as_ed25519);
    point.is_some() && point == signer.key().as_ed25519()
}
