use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cap_crypto::{RandomError, SecureRandom};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The identity of one token (`jti`): the 16 bytes of a UUIDv7 (RFC 9562 §5.7) in base64url, 22
/// characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenId([u8; 16]);

/// The text or the bytes are no token id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a token id is a UUIDv7 in 22 characters of base64url")]
pub struct InvalidTokenId;

impl TokenId {
    pub(crate) fn new(random: &dyn SecureRandom, now: DateTime<Utc>) -> Result<Self, RandomError> {
        let mut bytes = [0; 10];
        random.fill(&mut bytes)?;
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid();
        Ok(Self(uuid.into_bytes()))
    }

    /// The id that these bytes spell.
    ///
    /// # Errors
    /// When they are not a UUIDv7.
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Self, InvalidTokenId> {
        let uuid = uuid::Uuid::from_bytes(bytes);
        if uuid.get_version_num() == 7 { Ok(Self(bytes)) } else { Err(InvalidTokenId) }
    }

    /// The id under which a token of others is revoked whose `jti` may be any text, as in a chain: the
    /// text itself where it is an id, else one made of its SHA-256.
    #[must_use]
    pub fn of_jti(jti: &str) -> Self {
        let digest = || {
            let [bytes @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] =
                cap_crypto::sha256(jti.as_bytes());
            let id = uuid::Builder::from_bytes(bytes).with_version(uuid::Version::SortRand);
            Self(id.with_variant(uuid::Variant::RFC4122).into_uuid().into_bytes())
        };
        jti.parse().unwrap_or_else(|_| digest())
    }

    /// The 16 bytes of the id.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl FromStr for TokenId {
    type Err = InvalidTokenId;

    /// Reads the one form that is written.
    fn from_str(text: &str) -> Result<Self, InvalidTokenId> {
        decode_id(text).ok_or(InvalidTokenId).and_then(Self::from_bytes)
    }
}

impl TryFrom<String> for TokenId {
    type Error = InvalidTokenId;

    fn try_from(text: String) -> Result<Self, InvalidTokenId> {
        text.parse()
    }
}

impl From<TokenId> for String {
    fn from(id: TokenId) -> Self {
        encode_id(&id.0)
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&encode_id(&self.0))
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

pub(crate) fn encode_id(bytes: &[u8; 16]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Exactly 16 bytes in canonical base64url.
pub(crate) fn decode_id(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    let canonical = text.len() == 22 && URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) == Ok(16);
    canonical.then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_id_has_one_text() {
        let bytes = [1, 0x9b, 0x76, 0xda, 0xa8, 0, 0x77, 7, 0x87, 7, 7, 7, 7, 7, 7, 7];
        let id = TokenId::from_bytes(bytes).unwrap();
        assert_eq!(id.to_string(), "AZt22qgAdweHBwcHBwcHBw");
        assert_eq!("AZt22qgAdweHBwcHBwcHBw".parse(), Ok(id));
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"AZt22qgAdweHBwcHBwcHBw\"");
        for bad in [
            "",
            "AZt22qgAdweHBwcHBwcHB",
            "AZt22qgAdweHBwcHBwcHBw=",
            "AZt22qgAdweHBwcHBwcHBx", // bits beyond the last byte
            "AZt22qgAdweHBwcHBwcHB/",
            " AZt22qgAdweHBwcHBwcHB",
            "AZt22qgARweHBwcHBwcHBw", // UUIDv4
            "019b76da-a800-7707-8707-070707070707",
        ] {
            assert_eq!(bad.parse::<TokenId>(), Err(InvalidTokenId), "{bad:?}");
            assert!(serde_json::from_value::<TokenId>(bad.into()).is_err());
        }
    }
}
