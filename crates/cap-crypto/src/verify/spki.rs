//! Public keys as SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), DER or PEM (RFC 7468 §13).

use super::{KeyRejected, Public};
use crate::encoding::der::{NULL, OBJECT, Reader};
use crate::encoding::pem::{self, PemError};

/// id-Ed25519 (RFC 8410 §3).
pub(crate) const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
/// id-ecPublicKey (RFC 5480 §2.1.1).
pub(crate) const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// secp256r1 (RFC 5480 §2.1.1.1).
pub(crate) const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// rsaEncryption (RFC 3279 §2.3.1).
pub(crate) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// The kind of a key as an AlgorithmIdentifier names it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Ed25519,
    P256,
    Rsa,
}

pub(super) fn parse(bytes: &[u8]) -> Result<Public, KeyRejected> {
    let der = pem::der(bytes, "PUBLIC KEY").map_err(|error| match error {
        PemError::Label => KeyRejected::NotSpki,
        PemError::Base64 => KeyRejected::Malformed,
    })?;
    let (kind, key) = subject_public_key(&der).ok_or(KeyRejected::Malformed)?;
    match kind.ok_or(KeyRejected::Unsupported)? {
        KeyKind::Ed25519 => Public::ed25519(key),
        KeyKind::P256 => Public::p256(key),
        KeyKind::Rsa => rsa(key),
    }
}

/// An RSAPublicKey (RFC 8017 A.1.1), DER.
pub(crate) fn rsa(der: &[u8]) -> Result<Public, KeyRejected> {
    let (n, e) = rsa_public_key(der).ok_or(KeyRejected::Malformed)?;
    Public::rsa(n, e)
}

/// The next element as an AlgorithmIdentifier; `Some(None)` for one of a kind that is not ours.
#[expect(clippy::option_option, reason = "unknown and malformed are two answers")]
pub(crate) fn algorithm(reader: &mut Reader<'_>) -> Option<Option<KeyKind>> {
    let mut identifier = reader.sequence()?;
    let kind = match identifier.take(OBJECT)? {
        ED25519 => KeyKind::Ed25519,
        EC if identifier.take(OBJECT) == Some(P256) => KeyKind::P256,
        RSA if identifier.take(NULL)?.is_empty() => KeyKind::Rsa,
        _ => return Some(None),
    };
    identifier.end()?;
    Some(Some(kind))
}

fn subject_public_key(der: &[u8]) -> Option<(Option<KeyKind>, &[u8])> {
    let mut outer = Reader::new(der);
    let mut info = outer.sequence()?;
    outer.end()?;
    let (kind, key) = (algorithm(&mut info)?, info.bytes_of_bits()?);
    info.end()?;
    Some((kind, key))
}

/// Modulus and exponent.
fn rsa_public_key(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut outer = Reader::new(der);
    let mut numbers = outer.sequence()?;
    outer.end()?;
    let (n, e) = (numbers.unsigned()?, numbers.unsigned()?);
    numbers.end()?;
    Some((n, e))
}
