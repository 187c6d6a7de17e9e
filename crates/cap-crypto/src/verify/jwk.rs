//! Public keys as JSON Web Keys.

use serde_json::{Map, Value, json};

use super::{KeyRejected, Public, VerifyingKey};
use crate::encoding;

/// The members that only private and symmetric keys have (RFC 7518 §6.3.2 and §6.4, RFC 8037 §2).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

pub(super) fn parse(jwk: &Value) -> Result<VerifyingKey, KeyRejected> {
    let members = jwk.as_object().ok_or(KeyRejected::Malformed)?;
    if PRIVATE.iter().any(|name| members.contains_key(*name)) {
        return Err(KeyRejected::NotPublic);
    }
    let mut key = match text(members, "kty")? {
        Some("OKP") if text(members, "crv")? == Some("Ed25519") => {
            VerifyingKey::from_base64url_point(required(members, "x")?)?
        }
        Some("RSA") => VerifyingKey::from_base64url_components(
            required(members, "n")?,
            required(members, "e")?,
        )?,
        Some(_) => return Err(KeyRejected::Unsupported),
        None => return Err(KeyRejected::Malformed),
    };
    require_verifying(members, &key)?;
    if let Some(kid) = text(members, "kid")? {
        key.id = kid.parse().map_err(|_| KeyRejected::Name)?;
    }
    Ok(key)
}

pub(super) fn write(key: &VerifyingKey) -> Value {
    let (id, alg) = (key.id.as_str(), key.algorithm().as_str());
    match &key.public {
        Public::Ed25519(point) => json!({
            "kty": "OKP", "crv": "Ed25519", "x": encoding::encode(point),
            "kid": id, "alg": alg, "use": "sig",
        }),
        Public::Rsa { n, e } => json!({
            "kty": "RSA", "n": encoding::encode(n), "e": encoding::encode(e),
            "kid": id, "alg": alg, "use": "sig",
        }),
    }
}

/// `alg`, `use` and `key_ops` (RFC 7517 §4.2 to §4.4) may be missing, but must not disagree.
fn require_verifying(members: &Map<String, Value>, key: &VerifyingKey) -> Result<(), KeyRejected> {
    let alg_fits = text(members, "alg")?.is_none_or(|alg| alg == key.algorithm().as_str());
    let use_fits = text(members, "use")?.is_none_or(|purpose| purpose == "sig");
    let operations_fit = match members.get("key_ops") {
        None => true,
        Some(Value::Array(operations)) => operations.iter().any(|operation| operation == "verify"),
        Some(_) => return Err(KeyRejected::Malformed),
    };
    if alg_fits && use_fits && operations_fit { Ok(()) } else { Err(KeyRejected::Unsupported) }
}

fn required<'a>(members: &'a Map<String, Value>, name: &str) -> Result<&'a str, KeyRejected> {
    text(members, name)?.ok_or(KeyRejected::Malformed)
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, KeyRejected> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(KeyRejected::Malformed),
    }
}
