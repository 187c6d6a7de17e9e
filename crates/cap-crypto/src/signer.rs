use std::fmt;

use thiserror::Error;

use crate::{KeyId, VerifyingKey};

/// One key that signs, wherever it lives: in this process ([`SigningKey`](crate::SigningKey)) or in
/// a token (`Pkcs11Signer`, feature `pkcs11`).
pub trait Signer: Send + Sync + fmt::Debug {
    /// Its public half, which says algorithm and name.
    fn key(&self) -> &VerifyingKey;

    /// The signature of `message` in the form that JOSE wants: 64 bytes for EdDSA (R, S: RFC 8032
    /// §5.1.6) and ES256 (r, s: RFC 7518 §3.4), as many as the modulus has for RS256 (RFC 8017
    /// §8.2).
    ///
    /// # Errors
    /// [`SignError`], which says nothing of why.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// A signature and the name of the key that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Which key made it.
    pub key: KeyId,
    /// In the form that [`Signer::sign`] says.
    pub bytes: Vec<u8>,
}

/// The signature could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the signature could not be made")]
pub struct SignError;
