//! Keys as JSON Web Keys.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Algorithm, KeyRejected, Public, VerifyingKey};
use crate::{KeyId, encoding};

/// The members of a JWK.
pub(crate) type Members = Map<String, Value>;

/// The members that only private and symmetric keys have (RFC 7518 §6.3.2 and §6.4, RFC 8037 §2).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

pub(super) fn parse(jwk: &Value) -> Result<VerifyingKey, KeyRejected> {
    let members = jwk.as_object().ok_or(KeyRejected::Malformed)?;
    if PRIVATE.iter().any(|name| members.contains_key(*name)) {
        return Err(KeyRejected::NotPublic);
    }
    let public = public(members)?;
    require_use(members, public.algorithm(), "verify")?;
    let key = VerifyingKey::from_public(public)?;
    Ok(match name(members)? {
        Some(id) => key.with_id(id),
        None => key,
    })
}

pub(super) fn write(key: &VerifyingKey) -> Value {
    let about =
        [("kid", key.id.as_str()), ("alg", key.algorithm().as_str()), ("use", "sig")].into_iter();
    let members = key.public.members().into_iter();
    members.chain(about.map(|(name, text)| (name, text.to_owned()))).collect()
}

/// The public half: `OKP` with `Ed25519` (RFC 8037 §2), `EC` with `P-256` or `RSA` (RFC 7518 §6.2
/// and §6.3).
pub(crate) fn public(members: &Members) -> Result<Public, KeyRejected> {
    match (required(members, "kty")?, text(members, "crv")?) {
        ("OKP", Some("Ed25519")) => Public::ed25519(&bytes(members, "x")?),
        ("EC", Some("P-256")) => {
            let (x, y) = (bytes(members, "x")?, bytes(members, "y")?);
            // Both have the length of the field (RFC 7518 §6.2.1.2), leading zeros included.
            if x.len() != 32 || y.len() != 32 {
                return Err(KeyRejected::Malformed);
            }
            Public::p256(&[[4].as_slice(), &x, &y].concat())
        }
        ("RSA", _) => Public::rsa(&bytes(members, "n")?, &bytes(members, "e")?),
        _ => Err(KeyRejected::Unsupported),
    }
}

/// `alg`, `use` and `key_ops` (RFC 7517 §4.2 to §4.4) may be missing, but must not disagree.
pub(crate) fn require_use(
    members: &Members,
    algorithm: Algorithm,
    operation: &str,
) -> Result<(), KeyRejected> {
    let alg_fits = text(members, "alg")?.is_none_or(|alg| is_name_of(alg, algorithm));
    let purpose = text(members, "use")?;
    let use_fits = purpose.is_none_or(|purpose| purpose == "sig");
    let operations_fit = operations(members)?.is_none_or(|operations| {
        // Given both, they must say the same (RFC 7517 §4.3).
        let consistent =
            purpose.is_none() || operations.iter().all(|one| matches!(*one, "sign" | "verify"));
        operations.contains(operation) && consistent
    });
    if alg_fits && use_fits && operations_fit { Ok(()) } else { Err(KeyRejected::Unsupported) }
}

/// `key_ops`, if it is there: texts, none of them twice (RFC 7517 §4.3).
fn operations(members: &Members) -> Result<Option<BTreeSet<&str>>, KeyRejected> {
    let Some(value) = members.get("key_ops") else {
        return Ok(None);
    };
    let values = value.as_array().ok_or(KeyRejected::Malformed)?;
    let texts: Option<BTreeSet<_>> = values.iter().map(Value::as_str).collect();
    match texts {
        Some(texts) if texts.len() == values.len() => Ok(Some(texts)),
        _ => Err(KeyRejected::Malformed),
    }
}

/// The key's own name, if it has one.
pub(crate) fn name(members: &Members) -> Result<Option<KeyId>, KeyRejected> {
    text(members, "kid")?.map(|kid| kid.parse().map_err(|_| KeyRejected::Name)).transpose()
}

pub(crate) fn required<'a>(members: &'a Members, name: &str) -> Result<&'a str, KeyRejected> {
    text(members, name)?.ok_or(KeyRejected::Malformed)
}

/// RFC 9864 §2.2 gives Ed25519 a second name.
fn is_name_of(alg: &str, algorithm: Algorithm) -> bool {
    alg == algorithm.as_str() || (algorithm == Algorithm::EdDsa && alg == "Ed25519")
}

fn bytes(members: &Members, name: &str) -> Result<Vec<u8>, KeyRejected> {
    encoding::decode(required(members, name)?).ok_or(KeyRejected::Malformed)
}

fn text<'a>(members: &'a Members, name: &str) -> Result<Option<&'a str>, KeyRejected> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(KeyRejected::Malformed),
    }
}
