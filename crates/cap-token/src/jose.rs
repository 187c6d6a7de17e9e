//! The strict reader of compact JWS (RFC 7515 §7.1): what two readers could take for different
//! tokens is refused before a key is looked at.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use thiserror::Error;

mod json;

/// The most bytes that a token may have; nothing is done with a longer one.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Which part of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The JOSE header.
    Header,
    /// The payload.
    Claims,
    /// The signature.
    Signature,
}

/// Why a text is no compact JWS with JSON inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MalformedToken {
    /// It has more than [`MAX_TOKEN_BYTES`].
    #[error("the token has more than {MAX_TOKEN_BYTES} bytes")]
    TooLarge,
    /// It is not three parts with two dots between them.
    #[error("the token is not in compact form: three parts, separated by dots")]
    NotCompact,
    /// A part is not canonical base64url without padding.
    #[error("the {0} is not canonical base64url")]
    Encoding(Part),
    /// A part is not one JSON object.
    #[error("the {0} is not a JSON object")]
    NotJson(Part),
    /// An object, at any depth, has two members of the same name.
    #[error("the {0} has two members of the same name")]
    Duplicate(Part),
}

/// A token taken apart; nothing in it is verified.
#[derive(Debug)]
pub(crate) struct Compact<'a> {
    /// What the signature covers: the first two parts, as they came.
    pub(crate) signing_input: &'a str,
    pub(crate) header: Map<String, Value>,
    payload: &'a str,
    pub(crate) signature: Vec<u8>,
}

impl<'a> Compact<'a> {
    pub(crate) fn parse(token: &'a str) -> Result<Self, MalformedToken> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(MalformedToken::TooLarge);
        }
        let (signing_input, signature) =
            token.rsplit_once('.').ok_or(MalformedToken::NotCompact)?;
        let (header, payload) = signing_input.split_once('.').ok_or(MalformedToken::NotCompact)?;
        if payload.contains('.') {
            return Err(MalformedToken::NotCompact);
        }
        Ok(Self {
            signing_input,
            header: object(header, Part::Header)?,
            payload,
            signature: decode(signature, Part::Signature)?,
        })
    }

    /// SECURITY: to be called once the signature has been verified, or to show them to a person.
    pub(crate) fn claims(&self) -> Result<Map<String, Value>, MalformedToken> {
        object(self.payload, Part::Claims)
    }
}

/// The compact form up to the signature.
pub(crate) fn signing_input(header: &[u8], claims: &[u8]) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

pub(crate) fn with_signature(signing_input: &str, signature: &[u8]) -> String {
    format!("{signing_input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Refuses padding, white space, other alphabets, and bits set beyond the last byte.
fn decode(text: &str, part: Part) -> Result<Vec<u8>, MalformedToken> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| MalformedToken::Encoding(part))
}

fn object(text: &str, part: Part) -> Result<Map<String, Value>, MalformedToken> {
    json::object(&decode(text, part)?).map_err(|error| match error {
        json::Refused::Duplicate => MalformedToken::Duplicate(part),
        json::Refused::NotAnObject => MalformedToken::NotJson(part),
    })
}

impl fmt::Display for Part {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Header => "header",
            Self::Claims => "payload",
            Self::Signature => "signature",
        })
    }
}

#[cfg(test)]
mod tests;
