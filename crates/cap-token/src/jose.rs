//! The strict reader of compact JWS (RFC 7515 §7.1): what two readers could take for different
//! tokens is refused before a key is looked at.

use std::fmt;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use std::sync::LazyLock;

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use base64::engine::general_purpose::NO_PAD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use base64::engine::simd::Simd;
use base64::{DecodeError, Engine as _};
use thiserror::Error;

pub(crate) mod header;
pub(crate) mod json;

/// The most bytes that a token may have; nothing is done with a longer one.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The most characters that the header of a token may have: it is read before anything is
/// verified.
pub(crate) const MAX_HEADER_CHARS: usize = 4 * 1024;

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
    /// It has more than [`MAX_TOKEN_BYTES`], or its header more than a quarter of that.
    #[error(
        "the token has more than {MAX_TOKEN_BYTES} bytes, or its header more than a quarter of that"
    )]
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
    /// Arrays and objects stand in each other more than 32 levels deep.
    #[error("the {0} is nested over 32 levels deep")]
    TooDeep(Part),
}

/// A token taken apart; nothing in it is verified, or even decoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compact<'a> {
    /// What the signature covers: the first two parts, as they came.
    pub(crate) signing_input: &'a str,
    pub(crate) header: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Compact<'a> {
    pub(crate) fn split(token: &'a str) -> Result<Self, MalformedToken> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(MalformedToken::TooLarge);
        }
        let (signing_input, signature) =
            token.rsplit_once('.').ok_or(MalformedToken::NotCompact)?;
        let (header, payload) = signing_input.split_once('.').ok_or(MalformedToken::NotCompact)?;
        // Every byte is looked at, which is faster than to search one.
        if payload.bytes().fold(false, |dot, byte| dot | (byte == b'.')) {
            return Err(MalformedToken::NotCompact);
        }
        if header.len() > MAX_HEADER_CHARS {
            return Err(MalformedToken::TooLarge);
        }
        Ok(Self { signing_input, header, payload, signature })
    }

    /// The text of the header.
    pub(crate) fn header_text(&self) -> Result<String, MalformedToken> {
        text(URL_SAFE_NO_PAD.decode(self.header), Part::Header)
    }

    pub(crate) fn signature(&self) -> Result<Vec<u8>, MalformedToken> {
        decode(self.signature, Part::Signature)
    }

    /// The text of the payload, for people to read.
    pub(crate) fn claims_text(&self) -> Result<String, MalformedToken> {
        text(URL_SAFE_NO_PAD.decode(self.payload), Part::Claims)
    }

    /// The same.
    ///
    /// SECURITY: to be called once the signature has been verified.
    pub(crate) fn verified_claims_text(&self) -> Result<String, MalformedToken> {
        text(decode_verified(self.payload), Part::Claims)
    }
}

/// One part in its encoding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Appends a part, after a dot.
pub(crate) fn append(token: &mut String, bytes: &[u8]) {
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(bytes, token);
}

/// Refuses padding, white space, other alphabets, and bits set beyond the last byte.
fn decode(text: &str, part: Part) -> Result<Vec<u8>, MalformedToken> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| MalformedToken::Encoding(part))
}

/// The same with the vector instructions of the processor, where there are any.
///
/// SECURITY: with `unsafe` code of the `base64` crate, which therefore sees nothing that whoever has
/// no key wrote.
fn decode_verified(text: &str) -> Result<Vec<u8>, DecodeError> {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    {
        static ENGINE: LazyLock<Simd> = LazyLock::new(|| Simd::url_safe(NO_PAD));
        ENGINE.decode(text)
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    URL_SAFE_NO_PAD.decode(text)
}

fn text(decoded: Result<Vec<u8>, DecodeError>, part: Part) -> Result<String, MalformedToken> {
    let bytes = decoded.map_err(|_| MalformedToken::Encoding(part))?;
    String::from_utf8(bytes).map_err(|_| MalformedToken::NotJson(part))
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
