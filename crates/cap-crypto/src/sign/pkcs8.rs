//! Private keys as PKCS#8 (RFC 5958), unencrypted.

use zeroize::Zeroizing;

use super::Private;
use crate::KeyRejected;
use crate::encoding::der::{
    BIT_STRING, NULL, OBJECT, OCTET_STRING, Reader, SEQUENCE, element, unsigned,
};
use crate::encoding::pem::{self, PemError};
use crate::verify::spki::{self, KeyKind};

/// `attributes [0]` of a PKCS#8 key, `parameters [0]` of an EC key.
const CONTEXT_0: u8 = 0xa0;
/// `publicKey [1]` of an EC key (RFC 5915 §3).
const CONTEXT_1: u8 = 0xa1;
/// `publicKey [1] IMPLICIT BIT STRING` of PKCS#8 version 2 (RFC 5958 §2).
const PUBLIC_KEY: u8 = 0x81;

pub(super) fn from_pem_or_der(bytes: &[u8]) -> Result<Private, KeyRejected> {
    let der = pem::der(bytes, "PRIVATE KEY").map_err(|error| match error {
        PemError::Label => KeyRejected::NotPkcs8,
        PemError::Base64 => KeyRejected::Malformed,
    })?;
    parse(&der)
}

pub(super) fn parse(der: &[u8]) -> Result<Private, KeyRejected> {
    let info = PrivateKeyInfo::read(der).ok_or(KeyRejected::PrivateKey)?;
    let kind = info.kind.ok_or(KeyRejected::Unsupported)?;
    match kind {
        KeyKind::Ed25519 => ed25519(&info),
        KeyKind::P256 if info.public.is_none() => p256(info.key),
        KeyKind::Rsa if info.public.is_none() => Private::rsa(Zeroizing::new(info.key.to_vec())),
        KeyKind::P256 | KeyKind::Rsa => None,
    }
    .ok_or(KeyRejected::PrivateKey)
}

pub(super) fn write(private: &Private) -> Zeroizing<Vec<u8>> {
    let named = |oid| element(OBJECT, &[oid]);
    let (algorithm, key) = match private {
        Private::Ed25519 { seed, .. } => {
            (named(spki::ED25519), element(OCTET_STRING, &[seed.as_slice()]))
        }
        Private::P256 { scalar, point } => {
            let mut algorithm = named(spki::EC);
            algorithm.extend_from_slice(&named(spki::P256));
            (algorithm, ec_private_key(scalar, point))
        }
        Private::Rsa { der, .. } => {
            let mut algorithm = named(spki::RSA);
            algorithm.extend_from_slice(&element(NULL, &[]));
            (algorithm, der.clone())
        }
    };
    let version = unsigned(&[]);
    let algorithm = element(SEQUENCE, &[&algorithm]);
    element(SEQUENCE, &[&version, &algorithm, &element(OCTET_STRING, &[&key])])
}

/// OneAsymmetricKey. Attributes are skipped.
struct PrivateKeyInfo<'a> {
    /// `None` for one that is not ours.
    kind: Option<KeyKind>,
    key: &'a [u8],
    public: Option<&'a [u8]>,
}

impl<'a> PrivateKeyInfo<'a> {
    fn read(der: &'a [u8]) -> Option<Self> {
        let mut outer = Reader::new(der);
        let mut info = outer.sequence()?;
        outer.end()?;
        let version_2 = match info.unsigned()? {
            [] => false,
            [1] => true,
            _ => return None,
        };
        let kind = spki::algorithm(&mut info)?;
        let key = info.take(OCTET_STRING)?;
        info.take_optional(CONTEXT_0)?;
        let public = if version_2 { info.take_optional(PUBLIC_KEY)? } else { None };
        info.end()?;
        // The bits that are not used come first: none.
        let public = match public {
            Some(bits) => Some(bits.strip_prefix(&[0])?),
            None => None,
        };
        Some(Self { kind, key, public })
    }
}

/// CurvePrivateKey (RFC 8410 §7).
fn ed25519(info: &PrivateKeyInfo<'_>) -> Option<Private> {
    let mut outer = Reader::new(info.key);
    let seed = Zeroizing::new(outer.take(OCTET_STRING)?.try_into().ok()?);
    outer.end()?;
    let point = match info.public {
        Some(point) => Some(point.try_into().ok()?),
        None => None,
    };
    Some(Private::Ed25519 { seed, point })
}

/// ECPrivateKey (RFC 5915 §3).
fn p256(key: &[u8]) -> Option<Private> {
    let mut outer = Reader::new(key);
    let mut fields = outer.sequence()?;
    outer.end()?;
    if fields.unsigned()? != [1] {
        return None;
    }
    let scalar = Zeroizing::new(fields.take(OCTET_STRING)?.try_into().ok()?);
    if let Some(parameters) = fields.take_optional(CONTEXT_0)? {
        let mut parameters = Reader::new(parameters);
        if parameters.take(OBJECT)? != spki::P256 {
            return None;
        }
        parameters.end()?;
    }
    let mut public = Reader::new(fields.take(CONTEXT_1)?);
    fields.end()?;
    let point = public.bytes_of_bits()?.try_into().ok()?;
    public.end()?;
    Some(Private::P256 { scalar, point })
}

fn ec_private_key(scalar: &[u8; 32], point: &[u8; 65]) -> Zeroizing<Vec<u8>> {
    let version = unsigned(&[1]);
    let scalar = element(OCTET_STRING, &[scalar]);
    let point = element(BIT_STRING, &[&[0], point]);
    element(SEQUENCE, &[&version, &scalar, &element(CONTEXT_1, &[&point])])
}
