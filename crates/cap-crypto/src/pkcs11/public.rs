//! The public key that a token keeps beside a private one.

use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use super::{Pkcs11Error, Pkcs11Key, attributes, find_key};
use crate::VerifyingKey;
use crate::encoding::der::{OBJECT, OCTET_STRING, Reader};
use crate::verify::{Public, spki};

/// The curve's name as some modules write it (the choice `curveName` of CKA_EC_PARAMS).
const EDWARDS25519: &[u8] = b"edwards25519";
const PRINTABLE_STRING: u8 = 0x13;

pub(super) fn read(
    session: &Session,
    private: ObjectHandle,
    key: &Pkcs11Key,
) -> Result<VerifyingKey, Pkcs11Error> {
    let found = attributes(session, private, &[AttributeType::Id])?;
    let same = found.into_iter().find(|one| matches!(one, Attribute::Id(id) if !id.is_empty()));
    let same = vec![same.unwrap_or_else(|| key.attribute())];
    let object = find_key(session, "public", ObjectClass::PUBLIC_KEY, same)?;
    let public = match attributes(session, object, &[AttributeType::KeyType])?.as_slice() {
        [Attribute::KeyType(KeyType::RSA)] => rsa(session, object)?,
        [Attribute::KeyType(KeyType::EC)] => p256(session, object)?,
        [Attribute::KeyType(KeyType::EC_EDWARDS)] => ed25519(session, object)?,
        _ => return Err(Pkcs11Error::Unsupported),
    };
    Ok(VerifyingKey::from_public(public)?)
}

fn rsa(session: &Session, object: ObjectHandle) -> Result<Public, Pkcs11Error> {
    let wanted = [AttributeType::Modulus, AttributeType::PublicExponent];
    let (mut n, mut e) = (Vec::new(), Vec::new());
    for attribute in attributes(session, object, &wanted)? {
        match attribute {
            Attribute::Modulus(number) => n = significant(&number),
            Attribute::PublicExponent(number) => e = significant(&number),
            _ => {}
        }
    }
    Ok(Public::rsa(&n, &e)?)
}

fn p256(session: &Session, object: ObjectHandle) -> Result<Public, Pkcs11Error> {
    let (parameters, point) = curve_and_point(session, object)?;
    if only(&parameters, OBJECT) != Some(spki::P256) {
        return Err(Pkcs11Error::Unsupported);
    }
    Ok(Public::p256(unwrapped(&point, 65))?)
}

fn ed25519(session: &Session, object: ObjectHandle) -> Result<Public, Pkcs11Error> {
    let (parameters, point) = curve_and_point(session, object)?;
    let by_number = only(&parameters, OBJECT) == Some(spki::ED25519);
    let by_name = only(&parameters, PRINTABLE_STRING) == Some(EDWARDS25519);
    if !by_number && !by_name {
        return Err(Pkcs11Error::Unsupported);
    }
    Ok(Public::ed25519(unwrapped(&point, 32))?)
}

fn curve_and_point(
    session: &Session,
    object: ObjectHandle,
) -> Result<(Vec<u8>, Vec<u8>), Pkcs11Error> {
    let wanted = [AttributeType::EcParams, AttributeType::EcPoint];
    let (mut parameters, mut point) = (Vec::new(), Vec::new());
    for attribute in attributes(session, object, &wanted)? {
        match attribute {
            Attribute::EcParams(bytes) => parameters = bytes,
            Attribute::EcPoint(bytes) => point = bytes,
            _ => {}
        }
    }
    Ok((parameters, point))
}

/// The point of so many bytes: inside an OCTET STRING, as the standard wants it, or bare, as some
/// modules have it.
fn unwrapped(point: &[u8], length: usize) -> &[u8] {
    if point.len() == length { point } else { only(point, OCTET_STRING).unwrap_or_default() }
}

/// The content of the one element that there is, if it has this tag.
fn only(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let mut reader = Reader::new(bytes);
    let content = reader.take(tag)?;
    reader.end()?;
    Some(content)
}

fn significant(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|byte| *byte == 0).collect()
}
