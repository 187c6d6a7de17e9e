use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};
use zeroize::Zeroizing;

use crate::sign::Private;
use crate::verify::{Public, spki};
use crate::{KeyRejected, SignError};

pub(crate) use aws_lc_rs::signature::ParsedPublicKey;

pub(super) fn parse(public: &Public) -> Result<ParsedPublicKey, KeyRejected> {
    match public {
        Public::Ed25519(point) => ParsedPublicKey::new(&ED25519, point),
        Public::P256(point) => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point),
        Public::Rsa { n, e } => {
            RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        }
    }
    .map_err(|_| KeyRejected::Malformed)
}

pub(crate) enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Pair {
    pub(super) fn new(private: &Private) -> Result<(Self, Public), KeyRejected> {
        match private {
            Private::Ed25519 { seed, .. } => {
                let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice())
                    .map_err(|_| KeyRejected::PrivateKey)?;
                let public = Public::ed25519(pair.public_key().as_ref())?;
                Ok((Self::Ed25519(pair), public))
            }
            Private::P256 { scalar, point } => {
                let pair = EcdsaKeyPair::from_private_key_and_public_key(
                    &ECDSA_P256_SHA256_FIXED_SIGNING,
                    scalar.as_slice(),
                    point,
                )
                .map_err(|_| KeyRejected::PrivateKey)?;
                let public = Public::p256(pair.public_key().as_ref())?;
                Ok((Self::P256(pair), public))
            }
            Private::Rsa { der, .. } => {
                let pair = RsaKeyPair::from_der(der).map_err(|_| KeyRejected::PrivateKey)?;
                let public = spki::rsa(pair.public_key().as_ref())?;
                Ok((Self::Rsa(pair), public))
            }
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        // The library ignores the random source that it is given and takes its own.
        match self {
            Self::Ed25519(pair) => pair.try_sign(message).map(|signed| signed.as_ref().to_vec()),
            Self::P256(pair) => {
                pair.sign(&SystemRandom::new(), message).map(|signed| signed.as_ref().to_vec())
            }
            Self::Rsa(pair) => {
                let mut bytes = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut bytes)
                    .map(|()| bytes)
            }
        }
        .map_err(|_| SignError)
    }
}

pub(super) fn new_p256() -> Option<Zeroizing<Vec<u8>>> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).ok()?;
    let document = pair.to_pkcs8v1().ok()?;
    Some(Zeroizing::new(document.as_ref().to_vec()))
}

pub(super) fn new_rsa() -> Option<Zeroizing<Vec<u8>>> {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).ok()?;
    let document: Pkcs8V1Der<'_> = pair.as_der().ok()?;
    Some(Zeroizing::new(document.as_ref().to_vec()))
}
