use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{RandomError, SecureRandom, encoding};

/// The name of a key: 1 to 64 characters of `A-Z a-z 0-9 - _`, so that it can stand in a URL, a
/// file and a JWT header as it is.
///
/// The id of a signing key that we generate or import is its JWK thumbprint (RFC 7638, SHA-256,
/// base64url: 43 characters); that of a MAC key is 12 random bytes in base64url.
///
/// A key id says which key *may* have made something. It proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

/// The text is no key id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a key id is 1 to 64 letters, digits, hyphens and underscores")]
pub struct InvalidKeyId;

impl KeyId {
    const LONGEST: usize = 64;

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn random(random: &dyn SecureRandom) -> Result<Self, RandomError> {
        let mut bytes = [0; 12];
        random.fill(&mut bytes)?;
        Ok(Self(encoding::encode(&bytes)))
    }

    /// From the SHA-256 digest of a canonical public JWK (RFC 7638 §3).
    pub(crate) fn thumbprint(canonical_jwk: &str) -> Self {
        Self(encoding::encode(&crate::sha256(canonical_jwk.as_bytes())))
    }
}

impl FromStr for KeyId {
    type Err = InvalidKeyId;

    fn from_str(text: &str) -> Result<Self, InvalidKeyId> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for KeyId {
    type Error = InvalidKeyId;

    fn try_from(text: String) -> Result<Self, InvalidKeyId> {
        let length_fits = (1..=Self::LONGEST).contains(&text.len());
        let url_safe = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if length_fits && text.bytes().all(url_safe) { Ok(Self(text)) } else { Err(InvalidKeyId) }
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_id_holds_nothing_but_url_safe_characters() {
        for good in ["a", "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", &"x".repeat(64)] {
            assert_eq!(good.parse::<KeyId>().unwrap().as_str(), good);
        }
        for bad in ["", "a.b", "../key", "a b", "a\0", "k'--", "é", &"x".repeat(65)] {
            assert_eq!(bad.parse::<KeyId>(), Err(InvalidKeyId), "{bad:?}");
        }
        assert!(serde_json::from_str::<KeyId>("\"a/b\"").is_err());
    }
}
