//! The claims of our profile (RFC 9068 §2.2, RFC 9396 §9.1), each of its one type.

use cap_core::{Capability, CapabilityId};
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::validate::ValidateError;
use crate::{ENTRY_TYPE, TokenId, lineage};

/// What a token says, well-typed and consistent in itself. Whose it is, for whom and when is not
/// looked at here.
pub(crate) struct Claims {
    pub(crate) issuer: String,
    pub(crate) audiences: Vec<String>,
    /// Seconds since 1970, as the two below.
    pub(crate) expires: i64,
    pub(crate) issued: i64,
    pub(crate) not_before: i64,
    pub(crate) token_id: TokenId,
    pub(crate) capability: Capability,
    pub(crate) ancestors: Vec<CapabilityId>,
}

/// Our entry in `authorization_details`.
#[derive(Serialize)]
pub(crate) struct EntryOut<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) capability: &'a Capability,
    pub(crate) ancestors: &'a [CapabilityId],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(rename = "type")]
    _kind: String,
    capability: Value,
    ancestors: Vec<CapabilityId>,
}

impl Claims {
    /// Unknown claims are ignored; those of the profile must all be there, each of its type.
    pub(crate) fn read(mut claims: Map<String, Value>) -> Result<Self, ValidateError> {
        let claims = &mut claims;
        let (issuer, subject) = (text(claims, "iss")?, text(claims, "sub")?);
        let (client, audiences) = (text(claims, "client_id")?, audiences(claims)?);
        let (expires, issued) = (instant(claims, "exp")?, instant(claims, "iat")?);
        let not_before = instant(claims, "nbf")?;
        let token_id = TokenId::parse(&text(claims, "jti")?).ok_or(ValidateError::TokenId)?;
        let Entry { capability, ancestors, .. } = entry(claims)?;
        let capability: Capability =
            serde_json::from_value(capability).map_err(|_| ValidateError::Capability)?;
        let principal = capability.principal().as_str();
        if subject != principal || client != principal {
            return Err(ValidateError::Principal);
        }
        if !lineage::fits(&capability, &ancestors) {
            return Err(ValidateError::Ancestors);
        }
        if capability.expires_at().is_some_and(|end| expires > end.timestamp()) {
            return Err(ValidateError::OutlivesCapability);
        }
        Ok(Self { issuer, audiences, expires, issued, not_before, token_id, capability, ancestors })
    }
}

fn take(claims: &mut Map<String, Value>, name: &'static str) -> Result<Value, ValidateError> {
    claims.remove(name).ok_or(ValidateError::MissingClaim(name))
}

fn text(claims: &mut Map<String, Value>, name: &'static str) -> Result<String, ValidateError> {
    match take(claims, name)? {
        Value::String(text) => Ok(text),
        _ => Err(ValidateError::ClaimType(name)),
    }
}

/// Whole seconds from 1970 on, as far as the calendar goes. RFC 7519 §2 would allow fractions; we
/// write none, and a reader that rounds is a reader that differs.
fn instant(claims: &mut Map<String, Value>, name: &'static str) -> Result<i64, ValidateError> {
    take(claims, name)?
        .as_i64()
        .filter(|seconds| *seconds >= 0 && DateTime::from_timestamp(*seconds, 0).is_some())
        .ok_or(ValidateError::ClaimType(name))
}

/// One string, or an array of them (RFC 7519 §4.1.3).
fn audiences(claims: &mut Map<String, Value>) -> Result<Vec<String>, ValidateError> {
    match take(claims, "aud")? {
        Value::String(audience) => Ok(vec![audience]),
        Value::Array(audiences) => {
            let texts = audiences.into_iter().map(|audience| match audience {
                Value::String(audience) => Ok(audience),
                _ => Err(ValidateError::ClaimType("aud")),
            });
            texts.collect()
        }
        _ => Err(ValidateError::ClaimType("aud")),
    }
}

/// The one entry of our type; entries of other types are other people's.
fn entry(claims: &mut Map<String, Value>) -> Result<Entry, ValidateError> {
    const NAME: &str = "authorization_details";
    let Value::Array(entries) = take(claims, NAME)? else {
        return Err(ValidateError::ClaimType(NAME));
    };
    let mut ours = Vec::new();
    for entry in entries {
        let kind = entry.get("type").and_then(Value::as_str);
        if kind.ok_or(ValidateError::ClaimType(NAME))? == ENTRY_TYPE {
            ours.push(entry);
        }
    }
    match (ours.pop(), ours.is_empty()) {
        (Some(entry), true) => serde_json::from_value(entry).map_err(|_| ValidateError::Entry),
        (Some(_), false) => Err(ValidateError::SeveralCapabilities),
        (None, _) => Err(ValidateError::NoCapability),
    }
}
