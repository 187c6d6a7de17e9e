use std::fmt;
use std::iter;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use ring::hmac;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::keyring::document::{KeyAlgorithm, Record, Secret};
use crate::keyring::{Key, Keyring, Kind};
use crate::{
    KeyId, KeyInfo, KeyStatus, KeyStore, KeyringError, Purpose, SecureRandom, Unverified, encoding,
};

/// HMAC-SHA-256 keys of one purpose (RFC 2104, FIPS 198-1), 32 random bytes each. Many threads may
/// use one at the same time.
///
/// The input of every MAC is `mcp-security/<purpose>/v1`, a NUL byte and the caller's message, so
/// that a MAC made for one purpose is worth nothing for another, even under the same key.
pub struct MacKeyring(pub(crate) Keyring<HmacSha256>);

/// A MAC: the name of the key that made it, and 32 bytes.
///
/// The text form is `<key id>.<43 characters of base64url>`, and one MAC has one text. It may be
/// a bearer secret (a capability's proof is one), so `Debug` shows the key only; and it cannot be
/// compared with `==`, which would take a time that depends on the tag: use [`MacKeyring::verify`].
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac {
    /// Which key made it.
    pub key: KeyId,
    /// The whole tag; there are no truncated ones.
    pub tag: [u8; 32],
}

/// The text is no MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a MAC is a key id, a dot and 43 characters of base64url")]
pub struct InvalidMac;

impl MacKeyring {
    /// Opens `<folder>/<purpose>.json`. If there is none, the folder (0700) and the file (0600) are
    /// created with one new key; of several processes that do so at once, one wins and the
    /// others load its key.
    ///
    /// # Errors
    /// See [`KeyringError`]. A file that exists is never replaced, however damaged it is.
    pub fn open_or_create(
        store: impl Into<KeyStore>,
        purpose: Purpose,
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> Result<Self, KeyringError> {
        Keyring::open_or_create(store.into(), purpose, (), || new_key(random, now)).map(Self)
    }

    /// Opens a keyring that must exist: for those who only verify.
    ///
    /// # Errors
    /// See [`KeyringError`].
    pub fn open(store: impl Into<KeyStore>, purpose: Purpose) -> Result<Self, KeyringError> {
        Keyring::open(store.into(), purpose, ()).map(Self)
    }

    /// A keyring of one new key that lives and dies with this value.
    ///
    /// # Errors
    /// [`KeyringError::WrongKind`], [`KeyringError::Random`].
    pub fn ephemeral(purpose: Purpose, random: &dyn SecureRandom) -> Result<Self, KeyringError> {
        Keyring::ephemeral(purpose, (), new_key(random, DateTime::UNIX_EPOCH)?).map(Self)
    }

    /// The MAC of `message` under the active key.
    #[must_use]
    pub fn mac(&self, message: &[u8]) -> Mac {
        let state = self.0.state();
        let Key { id, key } = &state.active;
        Mac { key: id.clone(), tag: tag_of(key, state.document().purpose().domain(), message) }
    }

    /// Whether `mac` is that of `message` under the active or a retiring key. Takes the same time
    /// whatever the tag.
    ///
    /// # Errors
    /// [`Unverified`], which says nothing of why.
    pub fn verify(&self, mac: &Mac, message: &[u8]) -> Result<(), Unverified> {
        let state = self.0.state();
        let mut keys = iter::once(&state.active).chain(&state.retiring);
        let Key { key, .. } = keys.find(|key| key.id == mac.key).ok_or(Unverified)?;
        verify(key, state.document().purpose().domain(), message, &mac.tag)
    }

    /// Makes a new active key; the old one verifies until it is retired. On disk this starts from
    /// what the file holds, not from what this value remembers.
    ///
    /// # Errors
    /// See [`KeyringError`]; the keyring then stays as it was.
    pub fn rotate(
        &self,
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> Result<KeyId, KeyringError> {
        self.0.rotate_to(&new_key(random, now)?, None, now)
    }

    /// Forgets the secret of a retiring key for good. To retire what is retired changes nothing.
    ///
    /// # Errors
    /// [`KeyringError::ActiveKey`], [`KeyringError::UnknownKey`], and those of the file.
    pub fn retire(&self, id: &KeyId) -> Result<(), KeyringError> {
        self.0.retire(id)
    }

    /// Reads the file again; `true` when it had changed. A keyring in memory has not.
    ///
    /// # Errors
    /// See [`KeyringError`]; the keyring then stays as it was.
    pub fn reload(&self) -> Result<bool, KeyringError> {
        self.0.reload()
    }

    /// What its keys are for.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        self.0.state().document().purpose()
    }

    /// The key that makes new MACs.
    #[must_use]
    pub fn active(&self) -> KeyId {
        self.0.state().active.id.clone()
    }

    /// All keys, the oldest first, retired ones included.
    #[must_use]
    pub fn keys(&self) -> Vec<KeyInfo> {
        self.0.state().document().infos()
    }
}

impl fmt::Debug for MacKeyring {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("MacKeyring")
            .field("purpose", &self.purpose())
            .field("keys", &self.keys())
            .finish()
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.key, encoding::encode(&self.tag))
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Mac").field("key", &self.key).finish_non_exhaustive()
    }
}

impl FromStr for Mac {
    type Err = InvalidMac;

    fn from_str(text: &str) -> Result<Self, InvalidMac> {
        let (key, tag) = text.split_once('.').ok_or(InvalidMac)?;
        Ok(Self {
            key: key.parse().map_err(|_| InvalidMac)?,
            tag: encoding::decode_array(tag).ok_or(InvalidMac)?,
        })
    }
}

impl TryFrom<String> for Mac {
    type Error = InvalidMac;

    fn try_from(text: String) -> Result<Self, InvalidMac> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

/// Bytes of a key: as long as the tag (RFC 2104 §3).
const KEY_LENGTH: usize = 32;

pub(crate) struct HmacSha256;

impl Kind for HmacSha256 {
    type Active = hmac::Key;
    type Retiring = hmac::Key;
    type Context = ();

    const HAS_PENDING: bool = false;

    fn serves(purpose: Purpose) -> bool {
        purpose.is_mac()
    }

    fn active(record: &Record, (): &()) -> Result<hmac::Key, &'static str> {
        if record.public.is_some() {
            return Err("a key for MACs has a public part");
        }
        match record.secret.as_ref().map(Secret::bytes) {
            Some(secret) if secret.len() == KEY_LENGTH => {
                Ok(hmac::Key::new(hmac::HMAC_SHA256, secret))
            }
            _ => Err("one of its secrets is missing or has the wrong length"),
        }
    }

    fn retiring(record: &Record, (): &()) -> Result<hmac::Key, &'static str> {
        Self::active(record, &())
    }

    /// To verify takes the secret.
    fn strip(_: &mut Record) {}
}

fn tag_of(key: &hmac::Key, domain: &[u8], message: &[u8]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    context.update(domain);
    context.update(message);
    let mut tag = [0; 32];
    // INVARIANT: a tag of HMAC-SHA-256 has 32 bytes.
    tag.copy_from_slice(context.sign().as_ref());
    tag
}

fn verify(key: &hmac::Key, domain: &[u8], message: &[u8], tag: &[u8]) -> Result<(), Unverified> {
    // SECURITY: `hmac::verify` compares in constant time, and takes the whole message at once.
    let input = [domain, message].concat();
    hmac::verify(key, &input, tag).map_err(|_| Unverified)
}

fn new_key(random: &dyn SecureRandom, now: DateTime<Utc>) -> Result<Record, KeyringError> {
    let mut secret = Zeroizing::new(vec![0; KEY_LENGTH]);
    random.fill(&mut secret)?;
    Ok(Record {
        id: KeyId::random(random)?,
        algorithm: KeyAlgorithm::Hs256,
        status: KeyStatus::Active,
        created: now,
        since: Some(now),
        until: None,
        public: None,
        secret: Some(Secret::new(secret)),
    })
}

#[cfg(test)]
mod tests;
