//! RSA private keys from PKCS#8 (RFC 5958), as DER or as PEM (RFC 7468).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rsa::PublicKeyComponents;
use ring::signature::RsaKeyPair;
use zeroize::Zeroizing;

use crate::{KeyRejected, VerifyingKey};

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// The key pair and its public half.
pub(super) fn parse(der: &[u8]) -> Result<(RsaKeyPair, VerifyingKey), KeyRejected> {
    let pair = RsaKeyPair::from_pkcs8(der).map_err(|_| KeyRejected::PrivateKey)?;
    let PublicKeyComponents::<Vec<u8>> { n, e } = pair.public().into();
    let public = VerifyingKey::from_rsa_components(&n, &e)?;
    Ok((pair, public))
}

/// The DER bytes of a PEM text, or the bytes themselves.
pub(super) fn der(pkcs8: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyRejected> {
    match std::str::from_utf8(pkcs8).map(str::trim) {
        Ok(text) if text.starts_with("-----BEGIN ") => from_pem(text),
        _ => Ok(Zeroizing::new(pkcs8.to_vec())),
    }
}

fn from_pem(text: &str) -> Result<Zeroizing<Vec<u8>>, KeyRejected> {
    let body = text
        .strip_prefix(BEGIN)
        .and_then(|rest| rest.strip_suffix(END))
        .ok_or(KeyRejected::NotPkcs8)?;
    let mut base64 = Zeroizing::new(String::with_capacity(body.len()));
    base64.extend(body.split_ascii_whitespace());
    STANDARD.decode(base64.as_bytes()).map(Zeroizing::new).map_err(|_| KeyRejected::Malformed)
}
