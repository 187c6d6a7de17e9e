//! The envelope around a key file: AES-256-GCM (NIST SP 800-38D) under a key that comes from a
//! [`MasterKey`].
//!
//! `{"sealed":{"version":1,"purpose":…,"kdf":{…}},"nonce":…,"ciphertext":…}`: the first member, in
//! exactly these bytes, is the associated data. The text has one form only, so that there is no
//! byte of the file that can be changed unnoticed.

use aes_gcm::aead::AeadInOut as _;
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::master_key::{DeriveError, Kdf};
use crate::{MasterKey, Purpose, RandomError, SecureRandom, encoding};

const VERSION: u32 = 1;

/// Bytes of a GCM tag.
const TAG: usize = 16;

/// How every sealed file begins; no other key file does.
const BEGIN: &[u8] = b"{\"sealed\":";

/// Why nothing was sealed.
#[derive(Debug)]
pub(crate) enum SealError {
    Random(RandomError),
    /// No memory for Argon2id, or a file's KDF that is not this master key's.
    Derive(DeriveError),
    Cipher,
}

/// Why a seal did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnsealError {
    /// Another key, or changed bytes: nobody can tell which.
    Broken,
    /// No memory for Argon2id.
    Memory,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    sealed: Header,
    nonce: String,
    ciphertext: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    purpose: Purpose,
    kdf: Kdf,
}

/// Whether a file is sealed, or says that it is.
pub(crate) fn is_sealed(file: &[u8]) -> bool {
    file.starts_with(BEGIN)
}

/// Seals what a file is to hold. `previous` is the sealed file that it replaces: the salt stays,
/// so that those who have derived the key need not do so again.
pub(crate) fn seal(
    master: &MasterKey,
    purpose: Purpose,
    plain: &[u8],
    previous: Option<&[u8]>,
    random: &dyn SecureRandom,
) -> Result<Vec<u8>, SealError> {
    let kdf = match previous.and_then(Envelope::parse) {
        Some(envelope) => envelope.sealed.kdf,
        None => master.new_kdf(random).map_err(SealError::Random)?,
    };
    let key = master.derive(&kdf, purpose).map_err(SealError::Derive)?;
    let header = Header { version: VERSION, purpose, kdf };
    // SECURITY: 96 random bits for each write: 2³² writes under one key keep the chance of a
    // repetition below 2⁻³² (SP 800-38D §8.3).
    let mut nonce = [0; 12];
    random.fill(&mut nonce).map_err(SealError::Random)?;
    // With room for the tag from the start the plain text is not moved.
    let mut bytes = Zeroizing::new(Vec::with_capacity(plain.len() + TAG));
    bytes.extend_from_slice(plain);
    Aes256Gcm::new_from_slice(key.as_slice())
        .map_err(|_| SealError::Cipher)?
        .encrypt_in_place(
            &Nonce::from(nonce),
            &header.bytes().ok_or(SealError::Cipher)?,
            &mut *bytes,
        )
        .map_err(|_| SealError::Cipher)?;
    let envelope = Envelope {
        sealed: header,
        nonce: encoding::encode(&nonce),
        ciphertext: encoding::encode(&bytes),
    };
    envelope.bytes().ok_or(SealError::Cipher)
}

/// What a sealed file holds.
pub(crate) fn unseal(
    master: &MasterKey,
    purpose: Purpose,
    file: &[u8],
) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
    let envelope = Envelope::parse(file).ok_or(UnsealError::Broken)?;
    let header = &envelope.sealed;
    if header.version != VERSION || header.purpose != purpose {
        return Err(UnsealError::Broken);
    }
    let nonce: [u8; 12] = encoding::decode_array(&envelope.nonce).ok_or(UnsealError::Broken)?;
    let associated = header.bytes().ok_or(UnsealError::Broken)?;
    let mut bytes = encoding::decode_secret(&envelope.ciphertext).ok_or(UnsealError::Broken)?;
    let key = master.derive(&header.kdf, purpose).map_err(|error| match error {
        DeriveError::Refused => UnsealError::Broken,
        DeriveError::Memory => UnsealError::Memory,
    })?;
    Aes256Gcm::new_from_slice(key.as_slice())
        .map_err(|_| UnsealError::Broken)?
        .decrypt_in_place(&Nonce::from(nonce), &associated, &mut *bytes)
        .map_err(|_| UnsealError::Broken)?;
    Ok(bytes)
}

impl Envelope {
    /// SECURITY: only the text that we would write, so that the members are all there is.
    fn parse(file: &[u8]) -> Option<Self> {
        let envelope: Self = serde_json::from_slice(file).ok()?;
        (envelope.bytes()? == file).then_some(envelope)
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        let mut bytes = serde_json::to_vec(self).ok()?;
        bytes.push(b'\n');
        Some(bytes)
    }
}

impl Header {
    fn bytes(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(self).ok()
    }
}

#[cfg(test)]
mod tests;
