use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use super::*;
use crate::{Backend, KeyRejected, Unverified, VerifyingKey};

const IDENTITY: [u8; 32] = SMALL_ORDER[0];
const SIGN: u8 = 0x80;

fn with_sign(mut point: [u8; 32]) -> [u8; 32] {
    point[31] |= SIGN;
    point
}

fn both_signs() -> impl Iterator<Item = [u8; 32]> {
    SMALL_ORDER.into_iter().flat_map(|y| [y, with_sign(y)])
}

fn backend(point: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, point).verify(message, signature).is_ok()
}

/// R ‖ S of the identity and zero: the signature of everything under a key whose order divides
/// the challenge.
fn empty_signature() -> [u8; 64] {
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&IDENTITY);
    signature
}

/// `number + addend`, little-endian.
fn plus(number: [u8; 32], addend: &[u8; 32]) -> [u8; 32] {
    let mut carry = 0;
    std::array::from_fn(|index| {
        let sum = u16::from(number[index]) + u16::from(addend[index]) + carry;
        carry = sum >> 8;
        sum.to_le_bytes()[0]
    })
}

fn small(number: u8) -> [u8; 32] {
    let mut out = [0; 32];
    out[0] = number;
    out
}

fn honest() -> (Ed25519KeyPair, VerifyingKey) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let key = VerifyingKey::from_ed25519(pair.public_key().as_ref().try_into().unwrap()).unwrap();
    (pair, key)
}

/// The table is right: the backend, which takes small-order keys, lets the empty signature pass for
/// some of 256 messages (those whose challenge the order divides) under exactly the eight
/// points of the torsion subgroup.
#[test]
fn the_listed_points_are_those_of_small_order() {
    let forged = |point: &[u8; 32]| {
        (0..=255_u8).filter(|message| backend(point, &[*message], &empty_signature())).count()
    };
    let canonical = |point: &[u8; 32]| {
        *point != with_sign(SMALL_ORDER[0]) && *point != with_sign(SMALL_ORDER[1])
    };
    let weak: Vec<_> = both_signs().filter(canonical).map(|point| forged(&point)).collect();
    assert_eq!(weak.len(), 8);
    assert!(weak.iter().all(|count| *count > 0), "{weak:?}");
    assert_eq!(forged(&IDENTITY), 256);
    assert_eq!(forged(&honest().0.public_key().as_ref().try_into().unwrap()), 0);
}

#[test]
fn keys_of_small_order_are_refused_with_either_sign() {
    for point in both_signs() {
        assert_eq!(VerifyingKey::from_ed25519(&point), Err(KeyRejected::WeakPoint));
        let jwk = serde_json::json!({
            "kty": "OKP", "crv": "Ed25519", "x": crate::encoding::encode(&point),
        });
        assert_eq!(VerifyingKey::from_jwk(&jwk), Err(KeyRejected::WeakPoint));
    }
}

#[test]
fn keys_that_are_not_reduced_are_refused_with_either_sign() {
    for above in 0..19 {
        let y = plus(P, &small(above));
        assert_eq!(VerifyingKey::from_ed25519(&y), Err(KeyRejected::WeakPoint), "p + {above}");
        assert_eq!(VerifyingKey::from_ed25519(&with_sign(y)), Err(KeyRejected::WeakPoint));
    }
    // p − 2 is the largest y that is neither; whether it is on the curve is the backend's to say.
    let largest = {
        let mut y = P;
        y[0] -= 2;
        y
    };
    assert!(is_sound_point(&largest) && is_sound_point(&with_sign(largest)));
    assert!(is_sound_point(&small(2)));
}

#[test]
fn signatures_with_an_unsound_r_are_refused_before_the_backend() {
    let unreduced = (0..19).map(|above| plus(P, &small(above))).flat_map(|y| [y, with_sign(y)]);
    for r in both_signs().chain(unreduced) {
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&r);
        assert!(!is_sound_signature(&signature), "{r:?}");
    }
}

#[test]
fn a_scalar_from_l_up_is_refused() {
    let (pair, key) = honest();
    let signature = pair.sign(b"message");
    assert_eq!(key.verify(b"message", signature.as_ref()), Ok(()));

    let (r, s) = signature.as_ref().split_at(32);
    let s: [u8; 32] = s.try_into().unwrap();
    let malleable = [r, &plus(s, &L)].concat();
    assert!(!is_sound_signature(&malleable));
    assert_eq!(key.verify(b"message", &malleable), Err(Unverified));

    let with = |s: &[u8; 32]| [r, s].concat();
    let below = {
        let mut s = L;
        s[0] -= 1;
        s
    };
    assert!(is_sound_signature(&with(&below)));
    assert!(!is_sound_signature(&with(&L)));
    assert!(!is_sound_signature(&with(&[0xff; 32])));
}

#[test]
fn a_signature_of_another_length_is_refused() {
    let (pair, key) = honest();
    let signature = pair.sign(b"message");
    for length in 0..64 {
        assert_eq!(key.verify(b"message", &signature.as_ref()[..length]), Err(Unverified));
    }
    let longer = [signature.as_ref(), &[0]].concat();
    assert_eq!(key.verify(b"message", &longer), Err(Unverified));
}

#[test]
fn what_the_backend_alone_would_accept_is_refused() {
    assert!(backend(&IDENTITY, b"any message", &empty_signature()));
    // The backend that takes the key at each call, so that it does get the identity.
    let mut key = honest().1.with_backend(Backend::Ring).unwrap();
    // Even a key that had come past the constructor: R is looked at too.
    key.public = super::super::Public::Ed25519(IDENTITY);
    assert_eq!(key.verify(b"any message", &empty_signature()), Err(Unverified));
}
