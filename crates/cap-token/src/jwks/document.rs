use std::collections::BTreeSet;

use cap_crypto::{KeyRejected, VerifyingKey};
use serde_json::{Map, Value};
use thiserror::Error;

use super::json;

/// The most bytes that a key set may have; nothing is done with a longer one.
pub const MAX_JWKS_BYTES: usize = 64 * 1024;

/// The most keys that a key set may have, those that are skipped included.
pub const MAX_JWKS_KEYS: usize = 32;

/// What a key set of another issuer says, read strictly.
///
/// Keys that verify EdDSA, ES256 or RS256 signatures are taken. A key of another kind, for another
/// use, or with a name that no token of ours could give is skipped and counted. Everything else
/// refuses the whole set: what is broken in one place is not trusted in another.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForeignKeys {
    /// The keys that verify, in the order of the set; each name once.
    pub keys: Vec<VerifyingKey>,
    /// How many keys were skipped.
    pub skipped: usize,
}

/// Why a key set was refused as a whole. Positions count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JwksError {
    /// It has more than [`MAX_JWKS_BYTES`].
    #[error("the key set has more than {MAX_JWKS_BYTES} bytes")]
    TooLarge,
    /// It is not JSON, or has something behind it.
    #[error("the key set is not JSON")]
    NotJson,
    /// An object, at any depth, has two members of the same name.
    #[error("the key set has two members of the same name")]
    DuplicateMember,
    /// It is no object with an array `keys` (RFC 7517 §5).
    #[error("the key set is not an object with an array `keys`")]
    NoKeys,
    /// It has more than [`MAX_JWKS_KEYS`].
    #[error("the key set has more than {MAX_JWKS_KEYS} keys")]
    TooManyKeys,
    /// A private or symmetric key: whoever reads the set can sign. Its issuer must replace it.
    #[error("key {0} of the key set shows its secret part")]
    Secret(usize),
    /// A key of a kind that we know is malformed or weak, or any key has members of the wrong
    /// types.
    #[error("key {0} of the key set: {1}")]
    Key(usize, KeyRejected),
    /// The answer to a later request was applied before this one came.
    #[error("the key set is older than the one that was applied last")]
    Outdated,
    /// Two keys have the same name.
    #[error("key {0} of the key set has the name of another one")]
    DuplicateName(usize),
}

/// The members that only private and symmetric keys have: RFC 7518 §6.3.2 and §6.4, RFC 8037 §2, and
/// `priv` of the newer kinds.
const SECRET: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

impl ForeignKeys {
    /// Reads a key set.
    ///
    /// # Errors
    /// See [`JwksError`].
    pub fn parse(document: &[u8]) -> Result<Self, JwksError> {
        if document.len() > MAX_JWKS_BYTES {
            return Err(JwksError::TooLarge);
        }
        let set = json::parse(document).map_err(|refused| match refused {
            json::Refused::NotJson => JwksError::NotJson,
            json::Refused::Duplicate => JwksError::DuplicateMember,
        })?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or(JwksError::NoKeys)?;
        if keys.len() > MAX_JWKS_KEYS {
            return Err(JwksError::TooManyKeys);
        }
        let mut foreign = Self { keys: Vec::new(), skipped: 0 };
        let mut names = BTreeSet::new();
        for (position, jwk) in keys.iter().enumerate() {
            let key = read_key(position, jwk)?;
            if name_of(jwk, key.as_ref()).is_some_and(|name| !names.insert(name)) {
                return Err(JwksError::DuplicateName(position));
            }
            match key {
                Some(key) => foreign.keys.push(key),
                None => foreign.skipped += 1,
            }
        }
        Ok(foreign)
    }
}

/// The key, or `None` if it is one to skip.
fn read_key(position: usize, jwk: &Value) -> Result<Option<VerifyingKey>, JwksError> {
    let rejected = |reason| JwksError::Key(position, reason);
    let members = jwk.as_object().ok_or(rejected(KeyRejected::Malformed))?;
    if SECRET.iter().any(|name| members.contains_key(*name)) {
        return Err(JwksError::Secret(position));
    }
    require_form(members).map_err(rejected)?;
    match VerifyingKey::from_jwk(jwk) {
        Ok(key) => Ok(Some(key)),
        // A name that no header of ours can hold: the key is never asked for.
        Err(KeyRejected::Unsupported | KeyRejected::Name) => Ok(None),
        Err(reason) => Err(rejected(reason)),
    }
}

/// What a key is called, also one that is skipped: by its `kid`, else by its thumbprint.
fn name_of(jwk: &Value, key: Option<&VerifyingKey>) -> Option<String> {
    let kid = jwk.get("kid").and_then(Value::as_str);
    kid.or_else(|| key.map(|key| key.id().as_str())).map(str::to_owned)
}

/// What holds for keys of all kinds (RFC 7517 §4): `kty` is there, and `crv` where that has curves;
/// the members have their types, and no operation stands twice.
fn require_form(members: &Map<String, Value>) -> Result<(), KeyRejected> {
    let is_text = |name: &str| members.get(name).is_none_or(Value::is_string);
    let has_curves = members.get("kty").is_some_and(|kty| kty == "OKP" || kty == "EC");
    let operations = match members.get("key_ops") {
        None => true,
        Some(Value::Array(operations)) => {
            let mut seen = BTreeSet::new();
            operations.iter().all(|operation| operation.as_str().is_some_and(|op| seen.insert(op)))
        }
        Some(_) => false,
    };
    let texts = ["kty", "crv", "kid", "use", "alg"].into_iter().all(is_text);
    let complete = members.contains_key("kty") && (members.contains_key("crv") || !has_curves);
    if complete && texts && operations { Ok(()) } else { Err(KeyRejected::Malformed) }
}
