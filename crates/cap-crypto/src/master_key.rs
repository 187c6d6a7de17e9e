//! The key that seals key files: where it comes from, and what is derived from it.

use std::fmt;
use std::path::Path;

use argon2::{Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use parking_lot::Mutex;
use ring::hmac;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::keyring::read_private;
use crate::{KeyringError, Purpose, RandomError, SecureRandom, encoding};

/// Bytes of a master key, and of every key that is derived from it.
const LENGTH: usize = 32;

/// The most bytes that a master key's file may have.
const LARGEST_FILE: u64 = 4096;

/// How many different bytes a master key must have. Random ones have fewer about once in 10²⁵.
const DIFFERENT_BYTES: usize = 12;

/// The most derived keys that are kept: one for each salt, so for each file.
const KEPT: usize = 16;

/// What seals the key files of a [`KeyStore`](crate::KeyStore): 32 random bytes, or a passphrase.
///
/// Each purpose is sealed under a key of its own, derived from this one with HMAC-SHA-256. All
/// of it is wiped from memory when dropped. Nothing is sealed with it but the files of keyrings.
pub struct MasterKey {
    source: Source,
    /// Argon2id takes long on purpose; a file that is read again must not pay again.
    derived: Mutex<Vec<(Kdf, Zeroizing<[u8; LENGTH]>)>>,
}

/// What a guess at a passphrase costs: Argon2id (RFC 9106), version 0x13. Stored in the file that
/// it seals. The default is the second recommendation of RFC 9106 §4: 64 MiB, 3 passes, 4 lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argon2Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// Why there is no master key.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MasterKeyError {
    /// The text is not 32 bytes in a form that we read.
    #[error("a master key is 32 bytes: 64 hexadecimal digits, or 43 characters of base64")]
    Malformed,
    /// The bytes are so uniform that they cannot be random.
    #[error("the master key is not random; make one with: openssl rand -hex 32")]
    Predictable,
    /// The passphrase is too easy to guess, or longer than 1,024 bytes.
    #[error("a passphrase has at least 12 characters, 6 of them different, and at most 1024 bytes")]
    Passphrase,
    /// Less than 19 MiB and 2 passes is too cheap to guess; more than 1 GiB, 16 passes or 16 lanes
    /// would let a changed file stop us.
    #[error("argon2id takes 19 MiB to 1 GiB of memory, 2 to 16 passes and 1 to 16 lanes")]
    Cost,
    /// The file cannot be read, or others may read it.
    #[error(transparent)]
    File(#[from] KeyringError),
}

enum Source {
    Bytes(Zeroizing<[u8; LENGTH]>),
    Passphrase { text: Zeroizing<String>, cost: Argon2Cost },
}

/// How a file's key comes from the master key. Written in the file, in the clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Kdf {
    /// The master key is 32 bytes.
    Direct {},
    /// It is a passphrase.
    Argon2id { memory_kib: u32, passes: u32, lanes: u32, salt: String },
}

/// The key of a file could not be derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeriveError {
    /// The file wants what this master key is not, or costs out of bounds.
    Refused,
    /// Argon2id did not get its memory.
    Memory,
}

impl MasterKey {
    /// From a file that only its owner may read (0600 or 0400): 64 hexadecimal digits, or 43
    /// characters of base64 (both alphabets, padded or not); white space around is dropped.
    ///
    /// # Errors
    /// See [`MasterKeyError`].
    pub fn from_file(path: &Path) -> Result<Self, MasterKeyError> {
        let bytes = read_private(path, LARGEST_FILE).map_err(|error| match error {
            // Too large; it is no keyring that would be damaged.
            KeyringError::Corrupt { .. } => MasterKeyError::Malformed,
            other => MasterKeyError::File(other),
        })?;
        Self::from_text(std::str::from_utf8(&bytes).map_err(|_| MasterKeyError::Malformed)?)
    }

    /// From a text, as [`from_file`](Self::from_file) reads it: for callers that take it from the
    /// environment.
    ///
    /// # Errors
    /// [`MasterKeyError::Malformed`], [`MasterKeyError::Predictable`].
    pub fn from_text(text: &str) -> Result<Self, MasterKeyError> {
        let bytes = decode(text.trim()).ok_or(MasterKeyError::Malformed)?;
        let mut different = Zeroizing::new(bytes.to_vec());
        different.sort_unstable();
        different.dedup();
        if different.len() < DIFFERENT_BYTES {
            return Err(MasterKeyError::Predictable);
        }
        Ok(Self::new(Source::Bytes(bytes)))
    }

    /// From a passphrase, taken as it is: two texts that look the same may be different ones.
    /// `cost` is for files that are sealed anew; one that is sealed says its own.
    ///
    /// # Errors
    /// [`MasterKeyError::Passphrase`].
    pub fn from_passphrase(text: &str, cost: Argon2Cost) -> Result<Self, MasterKeyError> {
        let mut characters: Zeroizing<Vec<char>> = Zeroizing::new(text.chars().collect());
        let long_enough = characters.len() >= 12 && text.len() <= 1024;
        characters.sort_unstable();
        characters.dedup();
        if !long_enough || characters.len() < 6 {
            return Err(MasterKeyError::Passphrase);
        }
        Ok(Self::new(Source::Passphrase { text: Zeroizing::new(text.to_owned()), cost }))
    }

    /// How the key of a new file is to be derived: a passphrase gets a salt of its own for each.
    pub(crate) fn new_kdf(&self, random: &dyn SecureRandom) -> Result<Kdf, RandomError> {
        match &self.source {
            Source::Bytes(_) => Ok(Kdf::Direct {}),
            Source::Passphrase { cost: Argon2Cost { memory_kib, passes, lanes }, .. } => {
                let mut salt = [0; 16];
                random.fill(&mut salt)?;
                Ok(Kdf::Argon2id {
                    memory_kib: *memory_kib,
                    passes: *passes,
                    lanes: *lanes,
                    salt: encoding::encode(&salt),
                })
            }
        }
    }

    /// The key that seals the file of `purpose`.
    pub(crate) fn derive(
        &self,
        kdf: &Kdf,
        purpose: Purpose,
    ) -> Result<Zeroizing<[u8; LENGTH]>, DeriveError> {
        let base = match (&self.source, kdf) {
            (Source::Bytes(bytes), Kdf::Direct {}) => bytes.clone(),
            (Source::Passphrase { text, .. }, Kdf::Argon2id { .. }) => self.stretch(text, kdf)?,
            _ => return Err(DeriveError::Refused),
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, base.as_slice());
        let tag = hmac::sign(&key, format!("mcp-security/seal/v1\0{purpose}").as_bytes());
        let mut derived = Zeroizing::new([0; LENGTH]);
        // INVARIANT: a tag of HMAC-SHA-256 has 32 bytes.
        derived.copy_from_slice(tag.as_ref());
        Ok(derived)
    }

    fn stretch(&self, text: &str, kdf: &Kdf) -> Result<Zeroizing<[u8; LENGTH]>, DeriveError> {
        if let Some((_, key)) = self.derived.lock().iter().find(|(known, _)| known == kdf) {
            return Ok(key.clone());
        }
        let key = argon2id(text, kdf)?;
        let mut derived = self.derived.lock();
        if derived.len() >= KEPT {
            derived.remove(0);
        }
        derived.push((kdf.clone(), key.clone()));
        Ok(key)
    }

    fn new(source: Source) -> Self {
        Self { source, derived: Mutex::new(Vec::new()) }
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.source {
            Source::Bytes(_) => "MasterKey(32 bytes)",
            Source::Passphrase { .. } => "MasterKey(passphrase)",
        })
    }
}

impl Argon2Cost {
    /// `memory_kib` from 19,456 (19 MiB) to 1,048,576 (1 GiB), 2 to 16 passes, 1 to 16 lanes.
    ///
    /// # Errors
    /// [`MasterKeyError::Cost`].
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, MasterKeyError> {
        let within = (19 * 1024..=1024 * 1024).contains(&memory_kib)
            && (2..=16).contains(&passes)
            && (1..=16).contains(&lanes);
        if within { Ok(Self { memory_kib, passes, lanes }) } else { Err(MasterKeyError::Cost) }
    }
}

impl Default for Argon2Cost {
    fn default() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3, lanes: 4 }
    }
}

fn argon2id(text: &str, kdf: &Kdf) -> Result<Zeroizing<[u8; LENGTH]>, DeriveError> {
    let Kdf::Argon2id { memory_kib, passes, lanes, salt } = kdf else {
        return Err(DeriveError::Refused);
    };
    // SECURITY: before anything is computed; the numbers are those of a file that may have been
    // changed.
    let cost = Argon2Cost::new(*memory_kib, *passes, *lanes).map_err(|_| DeriveError::Refused)?;
    let salt: [u8; 16] = encoding::decode_array(salt).ok_or(DeriveError::Refused)?;
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(LENGTH))
        .map_err(|_| DeriveError::Refused)?;
    let mut key = Zeroizing::new([0; LENGTH]);
    Argon2::new(argon2::Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(text.as_bytes(), &salt, key.as_mut_slice())
        .map_err(|_| DeriveError::Memory)?;
    Ok(key)
}

fn decode(text: &str) -> Option<Zeroizing<[u8; LENGTH]>> {
    let bytes = if text.len() == 2 * LENGTH { unhex(text)? } else { unbase64(text)? };
    let mut key = Zeroizing::new([0; LENGTH]);
    if bytes.len() != LENGTH {
        return None;
    }
    key.copy_from_slice(&bytes);
    Some(key)
}

fn unhex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let mut bytes = Zeroizing::new(Vec::with_capacity(LENGTH));
    for pair in text.as_bytes().chunks_exact(2) {
        let [high, low] = pair else { return None };
        bytes.push(u8::try_from(digit(high)? * 16 + digit(low)?).ok()?);
    }
    Some(bytes)
}

fn unbase64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let unpadded = text.strip_suffix('=').unwrap_or(text);
    let decoded = URL_SAFE_NO_PAD
        .decode(unpadded)
        .or_else(|_| STANDARD.decode(Zeroizing::new(format!("{unpadded}=")).as_bytes()));
    decoded.ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests;
