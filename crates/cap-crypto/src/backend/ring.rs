use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
    UnparsedPublicKey,
};
use zeroize::Zeroizing;

use crate::sign::Private;
use crate::verify::{Public, spki};
use crate::{KeyRejected, SignError, Unverified};

pub(super) fn verify(public: &Public, message: &[u8], signature: &[u8]) -> Result<(), Unverified> {
    match public {
        Public::Ed25519(point) => {
            UnparsedPublicKey::new(&ED25519, point).verify(message, signature)
        }
        Public::P256(point) => {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
        }
        Public::Rsa { n, e } => {
            PublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
        }
    }
    .map_err(|_| Unverified)
}

pub(crate) enum Pair {
    Ed25519(Box<Ed25519KeyPair>),
    P256(Box<EcdsaKeyPair>),
    Rsa(Box<RsaKeyPair>),
}

impl Pair {
    pub(super) fn new(private: &Private) -> Result<(Self, Public), KeyRejected> {
        match private {
            Private::Ed25519 { seed, .. } => {
                let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice())
                    .map_err(|_| KeyRejected::PrivateKey)?;
                let public = Public::ed25519(pair.public_key().as_ref())?;
                Ok((Self::Ed25519(Box::new(pair)), public))
            }
            Private::P256 { scalar, point } => {
                let pair = EcdsaKeyPair::from_private_key_and_public_key(
                    &ECDSA_P256_SHA256_FIXED_SIGNING,
                    scalar.as_slice(),
                    point,
                    &SystemRandom::new(),
                )
                .map_err(|_| KeyRejected::PrivateKey)?;
                let public = Public::p256(pair.public_key().as_ref())?;
                Ok((Self::P256(Box::new(pair)), public))
            }
            Private::Rsa { der, .. } => {
                let pair = RsaKeyPair::from_der(der).map_err(|_| KeyRejected::PrivateKey)?;
                let public = spki::rsa(pair.public_key().as_ref())?;
                Ok((Self::Rsa(Box::new(pair)), public))
            }
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match self {
            Self::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Self::P256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message).map_err(|_| SignError)?;
                Ok(signature.as_ref().to_vec())
            }
            Self::Rsa(pair) => {
                let mut bytes = vec![0; pair.public().modulus_len()];
                // PKCS#1 v1.5 is deterministic; the random source is for paddings that are not.
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut bytes)
                    .map_err(|_| SignError)?;
                Ok(bytes)
            }
        }
    }
}

pub(super) fn new_p256() -> Option<Zeroizing<Vec<u8>>> {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).ok()?;
    Some(Zeroizing::new(document.as_ref().to_vec()))
}
