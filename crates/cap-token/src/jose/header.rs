//! What is taken from a JOSE header (RFC 7515 §4, RFC 9068 §2.1).

use std::borrow::Cow;

use cap_crypto::{Algorithm, KeyId};
use serde::de::MapAccess;

use super::json::{self, Field, Members, Reading};
use super::{MalformedToken, Part, encode};
use crate::ValidateError;

/// The members that are looked at; all others are read for their duplicates only.
///
/// SECURITY: `jwk`, `jku`, `x5u`, `x5c` and their like are among the others.
#[derive(Default)]
pub(crate) struct Header<'de> {
    typ: Field<'de>,
    alg: Field<'de>,
    kid: Field<'de>,
    crit: Field<'de>,
    b64: Field<'de>,
}

/// What says which key to take.
pub(crate) struct Named<'h> {
    pub(crate) algorithm: &'h str,
    pub(crate) kid: &'h str,
}

impl<'de> Header<'de> {
    pub(crate) fn read(text: &'de str) -> Result<Self, MalformedToken> {
        let mut header = Self::default();
        json::object(text, Part::Header, &mut header)?;
        Ok(header)
    }

    /// The algorithm and the key that it names, if it is the header of an access token that demands
    /// nothing which we do not know.
    pub(crate) fn named(&self) -> Result<Named<'_>, ValidateError> {
        require_access_token(text(&self.typ, "typ")?)?;
        Ok(Named { algorithm: self.algorithm()?, kid: text(&self.kid, "kid")? })
    }

    /// The algorithm of a JWS of any type, if it is one of ours and no extension is demanded.
    pub(crate) fn algorithm(&self) -> Result<&str, ValidateError> {
        if !matches!(self.crit, Field::Missing) {
            return Err(ValidateError::Critical);
        }
        if !matches!(self.b64, Field::Missing) {
            return Err(ValidateError::Unencoded);
        }
        let algorithm = text(&self.alg, "alg")?;
        if ALGORITHMS.contains(&algorithm) { Ok(algorithm) } else { Err(ValidateError::Algorithm) }
    }
}

/// By their names in JOSE.
const ALGORITHMS: [&str; 3] =
    [Algorithm::EdDsa.as_str(), Algorithm::Es256.as_str(), Algorithm::Rs256.as_str()];

impl<'de> Members<'de> for Header<'de> {
    fn member<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        values: &mut A,
        reading: Reading<'_>,
    ) -> Result<bool, A::Error> {
        let field = match name {
            "typ" => &mut self.typ,
            "alg" => &mut self.alg,
            "kid" => &mut self.kid,
            "crit" => &mut self.crit,
            "b64" => &mut self.b64,
            _ => return Ok(false),
        };
        reading.place(field, values)
    }
}

/// The header that we write for tokens of this key, as it stands in them.
///
/// A header is known by this text, without being read: most tokens have one of a few headers.
pub(crate) fn of_our_own(algorithm: Algorithm, kid: &KeyId) -> String {
    // INVARIANT: neither name has a character that JSON escapes.
    encode(format!(r#"{{"typ":"at+jwt","alg":"{algorithm}","kid":"{kid}"}}"#).as_bytes())
}

/// RFC 9068 §4: `at+jwt` or, unabbreviated, `application/at+jwt`; media types have no case.
fn require_access_token(typ: &str) -> Result<(), ValidateError> {
    let ours = ["at+jwt", "application/at+jwt"];
    if ours.iter().any(|ours| typ.eq_ignore_ascii_case(ours)) {
        Ok(())
    } else {
        Err(ValidateError::NotAnAccessToken)
    }
}

fn text<'h>(field: &'h Field<'_>, name: &'static str) -> Result<&'h str, ValidateError> {
    match field {
        Field::Text(Cow::Borrowed(text)) => Ok(text),
        Field::Text(Cow::Owned(text)) => Ok(text),
        Field::Missing => Err(ValidateError::MissingHeader(name)),
        _ => Err(ValidateError::HeaderType(name)),
    }
}
