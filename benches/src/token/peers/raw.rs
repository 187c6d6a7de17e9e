//! The signature of a token and nothing else, by the library that ours calls, with a key that was
//! parsed once; the signature is decoded already.

use std::hint::black_box;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use cap_crypto::{Algorithm, Backend, Signer as _, SigningKey};

pub struct Raw {
    pair: Pair,
    public: ParsedPublicKey,
    message: Vec<u8>,
    signature: Vec<u8>,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Raw {
    /// Signs and verifies what is signed of `token`, with this key.
    pub fn new(key: &SigningKey, token: &str) -> Self {
        assert_eq!(key.key().backend(), Backend::AwsLcRs, "the same library");
        let (pair, public) = pair(key.key().algorithm(), &key.to_pkcs8());
        let message = token.rsplit_once('.').expect("a compact JWS").0.as_bytes().to_vec();
        let signature = key.sign(&message).expect("a signature");
        let raw = Self { pair, public, message, signature };
        assert!(raw.verifies());
        assert!(raw.public.verify_sig(b"another message", &raw.signature).is_err());
        raw
    }

    pub fn verifies(&self) -> bool {
        self.public.verify_sig(black_box(&self.message), &self.signature).is_ok()
    }

    pub fn sign(&self) {
        let message = black_box(self.message.as_slice());
        match &self.pair {
            Pair::Ed25519(pair) => drop(black_box(pair.sign(message))),
            Pair::P256(pair) => drop(black_box(pair.sign(&SystemRandom::new(), message))),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let signed =
                    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature);
                drop(black_box((signed, signature)));
            }
        }
    }
}

fn pair(algorithm: Algorithm, pkcs8: &[u8]) -> (Pair, ParsedPublicKey) {
    match algorithm {
        Algorithm::Es256 => {
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8);
            let pair = pair.expect("a key");
            let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key());
            (Pair::P256(pair), public.expect("a key"))
        }
        Algorithm::Rs256 => {
            let pair = RsaKeyPair::from_pkcs8(pkcs8).expect("a key");
            let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key());
            (Pair::Rsa(pair), public.expect("a key"))
        }
        _ => {
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).expect("a key");
            let public = ParsedPublicKey::new(&ED25519, pair.public_key());
            (Pair::Ed25519(pair), public.expect("a key"))
        }
    }
}
