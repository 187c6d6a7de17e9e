//! Private keys as JSON Web Keys (RFC 7518 §6.2.2 and §6.3.2, RFC 8037 §2).

use serde_json::Value;
use zeroize::Zeroizing;

use super::Private;
use crate::verify::Public;
use crate::verify::jwk::{self, Members};
use crate::{KeyId, KeyRejected, encoding};

pub(super) fn parse(jwk: &Value) -> Result<(Private, Option<KeyId>), KeyRejected> {
    let members = jwk.as_object().ok_or(KeyRejected::Malformed)?;
    let public = jwk::public(members)?;
    jwk::require_use(members, public.algorithm(), "sign")?;
    // A key of more than two primes: the form is old, and no backend takes it.
    if members.contains_key("oth") {
        return Err(KeyRejected::PrivateKey);
    }
    let private = match public {
        Public::Ed25519(point) => {
            Private::Ed25519 { seed: secret_array(members, "d")?, point: Some(point) }
        }
        Public::P256(point) => Private::P256 { scalar: secret_array(members, "d")?, point },
        Public::Rsa { n, e } => {
            let secret = |name| secret_number(members, name);
            let numbers = [
                Zeroizing::new(n),
                Zeroizing::new(e),
                secret("d")?,
                secret("p")?,
                secret("q")?,
                secret("dp")?,
                secret("dq")?,
                secret("qi")?,
            ];
            Private::rsa_of_numbers(&numbers).ok_or(KeyRejected::PrivateKey)?
        }
    };
    Ok((private, jwk::name(members)?))
}

fn secret(members: &Members, name: &str) -> Result<Zeroizing<Vec<u8>>, KeyRejected> {
    encoding::decode_secret(jwk::required(members, name)?).ok_or(KeyRejected::Malformed)
}

/// Base64urlUInt (RFC 7518 §2): without leading zeros, so that one number has one text.
fn secret_number(members: &Members, name: &str) -> Result<Zeroizing<Vec<u8>>, KeyRejected> {
    let number = secret(members, name)?;
    if number.first().is_some_and(|byte| *byte != 0) {
        Ok(number)
    } else {
        Err(KeyRejected::Malformed)
    }
}

fn secret_array(members: &Members, name: &str) -> Result<Zeroizing<[u8; 32]>, KeyRejected> {
    let bytes = secret(members, name)?;
    bytes.as_slice().try_into().map(Zeroizing::new).map_err(|_| KeyRejected::PrivateKey)
}
