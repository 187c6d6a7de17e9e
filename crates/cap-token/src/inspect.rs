use std::borrow::Borrow;

use serde_json::{Map, Value, json};

use crate::claims::entry::EntryOut;
use crate::jose::json::members;
use crate::jose::{Compact, MalformedToken, Part};
use crate::{ValidateError, VerifiedToken};

/// What a token says of itself, for people to read. **Nothing in it is verified**: anybody can
/// write such a text. Decide with [`Validator::validate`](crate::Validator::validate).
#[derive(Debug, Clone, PartialEq)]
pub struct UnverifiedToken {
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl UnverifiedToken {
    /// The members of the header.
    #[must_use]
    pub fn header(&self) -> &Map<String, Value> {
        &self.header
    }

    /// The claims.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

/// Takes a token apart without verifying it, for people to read.
///
/// # Errors
/// See [`MalformedToken`].
pub fn inspect(token: &str) -> Result<UnverifiedToken, MalformedToken> {
    let compact = Compact::split(token)?;
    let header = members(&compact.header_text()?, Part::Header)?;
    compact.signature()?;
    Ok(UnverifiedToken { header, claims: members(&compact.claims_text()?, Part::Claims)? })
}

/// The answer of an introspection endpoint (RFC 7662 §2.2, RFC 9396 §9.2) about a token that was
/// just validated. Of a token that was refused it says that it is not active, and nothing else: the
/// one who asks may not even hold it.
///
/// ```
/// # let validator = cap_token::Validator::new("https://server.example");
/// # let (token, now) = ("no token", chrono::DateTime::UNIX_EPOCH);
/// let answer = cap_token::introspect(&validator.validate(token, now));
/// assert_eq!(answer.to_string(), r#"{"active":false}"#);
/// ```
#[must_use]
pub fn introspect<T: Borrow<VerifiedToken>>(outcome: &Result<T, ValidateError>) -> Value {
    let Ok(token) = outcome else {
        return json!({ "active": false });
    };
    let token: &VerifiedToken = token.borrow();
    let entry = EntryOut::new(token.capability(), token.ancestors());
    json!({
        "active": true,
        "token_type": "Bearer",
        "iss": token.issuer(),
        "sub": token.principal(),
        "aud": token.audience(),
        "client_id": token.principal(),
        "iat": token.issued_at().timestamp(),
        "nbf": token.not_before().timestamp(),
        "exp": token.expires_at().timestamp(),
        "jti": token.token_id(),
        "authorization_details": entry.as_slice(),
    })
}
