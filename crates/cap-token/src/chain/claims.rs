//! The claims of a token (AAT-02 §3.2), each of its one type: steps 3b to 3n and 4b of §8, as far
//! as they are about one token alone.

use cap_crypto::VerifyingKey;

use super::error::{ChainError, require};
use super::json::{self, Json, Object};
use super::jws;
use super::known::Known;
use super::policy::ChainLimits;
use super::tools::Tools;
use super::{ENTRY_TYPE, THUMBPRINT_URI, Vocabulary};

/// The members that only private and symmetric keys have (RFC 7518 §6, RFC 8037 §2).
const PRIVATE: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// What a token says, well-typed.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) jti: String,
    pub(super) issuer: String,
    /// Seconds since 1970, as the one below.
    pub(super) issued: i64,
    pub(super) expires: i64,
    pub(super) depth: u32,
    pub(super) max_depth: u32,
    pub(super) parent_hash: Option<String>,
    pub(super) holder: Holder,
    pub(super) audiences: Option<Vec<String>>,
    /// `None` where a token in the middle has no entry: the empty set of capabilities.
    pub(super) tools: Option<Tools>,
}

/// The key in `cnf.jwk`.
#[derive(Debug)]
pub(super) enum Holder {
    /// INVARIANT: named by its thumbprint (RFC 7638 with SHA-256, base64url).
    Ed25519(VerifyingKey),
    /// A public key of a type that is not implemented: nobody can sign with it here.
    Unsupported,
}

/// Where a token stands: the steps of §8 have other names for the root.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    Root,
    Derived,
}

/// By what constraints are read.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) vocabulary: Vocabulary,
    pub(super) limits: &'a ChainLimits,
}

impl Claims {
    /// SECURITY: only for a payload whose signature was verified.
    pub(super) fn read(
        payload: &str,
        position: Position,
        terms: Terms<'_>,
        known: &mut Known,
    ) -> Result<Self, ChainError> {
        let label = |root, derived| match position {
            Position::Root => root,
            Position::Derived => derived,
        };
        let step = label("3b", "4b");
        let json = json::parse_claims(payload, known)
            .map_err(|_| ChainError::new(step, "the claims are not strict JSON"))?;
        let claims = json.as_object();
        let claims = claims.ok_or(ChainError::new(step, "the claims are not an object"))?;
        let integer = |name, step, what| {
            claims.get(name).and_then(Json::as_integer).ok_or(ChainError::new(step, what))
        };
        let text = |name, step, what| {
            let text = claims.get(name).and_then(Json::as_str).map(str::to_owned);
            text.ok_or(ChainError::new(step, what))
        };
        let depth = |name, step, what| {
            let depth = integer(name, step, what)?;
            u32::try_from(depth).map_err(|_| ChainError::new(step, what))
        };
        let times = label("3b", "4b5");
        let issued = integer("iat", times, "`iat` is not a NumericDate")?;
        let expires = integer("exp", times, "`exp` is not a NumericDate")?;
        let own = depth("del_depth", label("3c", "4b4"), "`del_depth` is not a depth")?;
        let parent_hash = match (position, claims.get("par_hash")) {
            (Position::Root, None) => None,
            (Position::Root, Some(_)) => {
                return Err(ChainError::new("3d", "a root has `par_hash`"));
            }
            (Position::Derived, _) => Some(text("par_hash", "4b5", "`par_hash` is not a string")?),
        };
        let max = depth("del_max_depth", label("3i", "4b4"), "`del_max_depth` is not a depth")?;
        let jti = text("jti", label("3j", "4b1"), "`jti` is not a string")?;
        require(!jti.is_empty(), label("3j", "4b1"), "`jti` is empty")?;
        let issuer = text("iss", label("3k", "4b5"), "`iss` is not a string")?;
        Ok(Self {
            jti,
            issuer,
            issued,
            expires,
            depth: own,
            max_depth: max,
            parent_hash,
            holder: holder(claims).map_err(|what| ChainError::new(label("3l", "4b2"), what))?,
            audiences: audiences(claims)?,
            tools: tools(claims, position, terms, known)?,
        })
    }
}

impl Holder {
    /// The thumbprint of the key.
    pub(super) fn thumbprint(&self) -> Option<&str> {
        self.key().map(|key| key.id().as_str())
    }

    pub(super) const fn key(&self) -> Option<&VerifyingKey> {
        match self {
            Self::Ed25519(key) => Some(key),
            Self::Unsupported => None,
        }
    }

    /// Whether `issuer` is the JWK Thumbprint URI (RFC 9278) of this holder's key.
    pub(super) fn is_named_by(&self, issuer: &str) -> bool {
        let named = issuer.strip_prefix(THUMBPRINT_URI);
        named.is_some_and(|named| self.thumbprint() == Some(named))
    }
}

/// Members that are not looked at (`kid`, `use`, `alg`, …) are ignored.
fn holder(claims: &Object<'_>) -> Result<Holder, &'static str> {
    let cnf = claims.get("cnf").and_then(Json::as_object).ok_or("`cnf` is not an object")?;
    let jwk = cnf.get("jwk").and_then(Json::as_object).ok_or("`cnf.jwk` is not an object")?;
    if PRIVATE.iter().any(|name| jwk.get(name).is_some()) {
        return Err("`cnf.jwk` is not a public key");
    }
    let text = |name| jwk.get(name).and_then(Json::as_str);
    match (text("kty").ok_or("`cnf.jwk` has no `kty`")?, text("crv")) {
        ("oct", _) => Err("`cnf.jwk` is not a public key"),
        ("OKP", Some("Ed25519")) => {
            let x = text("x").ok_or("`cnf.jwk` has no `x`")?;
            // SECURITY: canonical base64url of a canonical point only, so that a key has one
            // thumbprint.
            let point: Option<[u8; 32]> = jws::decode(x).and_then(|it| it.try_into().ok());
            let point = point.ok_or("`x` is not canonical base64url of 32 bytes")?;
            let key = VerifyingKey::from_ed25519(&point);
            let weak = |_| "the holder's key is a weak or non-canonical point";
            key.map(Holder::Ed25519).map_err(weak)
        }
        _ => Ok(Holder::Unsupported),
    }
}

/// One string or an array of strings; whatever else stands there could be meant as a restriction.
fn audiences(claims: &Object<'_>) -> Result<Option<Vec<String>>, ChainError> {
    const MALFORMED: ChainError =
        ChainError::new("6c", "`aud` is neither a string nor an array of strings");
    let one = |json: &Json<'_>| json.as_str().map(str::to_owned).ok_or(MALFORMED);
    match claims.get("aud") {
        None => Ok(None),
        Some(Json::Array(items)) => items.iter().map(one).collect::<Result<_, _>>().map(Some),
        Some(audience) => Ok(Some(vec![one(audience)?])),
    }
}

/// Steps 3m and 3n, or 4b3, 4n and 4o.
fn tools(
    claims: &Object<'_>,
    position: Position,
    terms: Terms<'_>,
    known: &mut Known,
) -> Result<Option<Tools>, ChainError> {
    let (array, shape, constraints) = match position {
        Position::Root => ("3m", "3m", "3n"),
        Position::Derived => ("4b3", "4n", "4o"),
    };
    let details = claims.get("authorization_details").and_then(Json::as_array);
    let details =
        details.ok_or(ChainError::new(array, "`authorization_details` is not an array"))?;
    let wrong = |what| ChainError::new(shape, what);
    let mut entries = Vec::new();
    for detail in details {
        let detail = detail.as_object().ok_or(wrong("an authorization detail is not an object"))?;
        let kind = detail.get("type").and_then(Json::as_str);
        if kind.ok_or(wrong("an authorization detail has no `type`"))? == ENTRY_TYPE {
            entries.push(detail);
        }
    }
    let entry = match (entries.as_slice(), position) {
        ([], Position::Derived) => return Ok(None),
        ([entry], _) => entry,
        _ => return Err(wrong("there is not exactly one `attenuating_agent_token` entry")),
    };
    // SECURITY: another member could be a restriction.
    require(entry.has_only(&["type", "tools"]), shape, "the entry has an unknown member")?;
    let maps = entry.get("tools").and_then(Tools::maps);
    let maps = maps.ok_or(wrong("`tools` is not an object of objects"))?;
    let tools = Tools::read(&maps, terms.vocabulary, terms.limits, known);
    tools.map(Some).map_err(|what| ChainError::new(constraints, what))
}
