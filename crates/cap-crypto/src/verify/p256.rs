//! What is refused of P-256 before a backend sees it: a key that is no point of the curve (libraries
//! say so when they verify, we when the key is made), and r or s outside 1 … n − 1
//! (CVE-2022-21449: a library that did not look took 0, 0 for everybody's signature).
//!
//! Numbers are four limbs, the lowest first. All of them are public: the time may tell.

use std::cmp::Ordering;

/// p = 2²⁵⁶ − 2²²⁴ + 2¹⁹² + 2⁹⁶ − 1 (FIPS 186-5, SP 800-186 §3.2.1.3).
const P: Number = [0xffff_ffff_ffff_ffff, 0x0000_0000_ffff_ffff, 0, 0xffff_ffff_0000_0001];

/// The order of the group.
const N: Number =
    [0xf3b9_cac2_fc63_2551, 0xbce6_faad_a717_9e84, 0xffff_ffff_ffff_ffff, 0xffff_ffff_0000_0000];

/// The coefficient b of y² = x³ − 3x + b.
const B: Number =
    [0x3bce_3c3e_27d2_604b, 0x651d_06b0_cc53_b0f6, 0xb3eb_bd55_7698_86bc, 0x5ac6_35d8_aa3a_93e7];

type Number = [u64; 4];

/// Whether the bytes are an uncompressed point of the curve (SEC 1 §2.3.3: 04, x, y), the
/// coordinates reduced. The point at infinity has no such form.
pub(super) fn is_on_curve(point: &[u8; 65]) -> bool {
    let Some((x, y)) = coordinates(point) else {
        return false;
    };
    let (x, y) = (number(x), number(y));
    if !is_less(&x, &P) || !is_less(&y, &P) {
        return false;
    }
    // y² + 3x = x³ + b
    let three_x = add(&add(&x, &x), &x);
    add(&multiply(&y, &y), &three_x) == add(&multiply(&multiply(&x, &x), &x), &B)
}

/// x and y of an uncompressed point.
pub(super) fn coordinates(point: &[u8; 65]) -> Option<(&[u8; 32], &[u8; 32])> {
    let (x, y) = point.strip_prefix(&[4])?.split_first_chunk()?;
    Some((x, y.try_into().ok()?))
}

/// Whether a signature is r and s of 32 bytes each (RFC 7518 §3.4), both of 1 … n − 1.
pub(super) fn is_sound_signature(signature: &[u8]) -> bool {
    let Some((r, s)) = signature.split_first_chunk::<32>() else {
        return false;
    };
    let in_range = |bytes| {
        let number = number(bytes);
        number != [0; 4] && is_less(&number, &N)
    };
    <&[u8; 32]>::try_from(s).is_ok_and(|s| in_range(r) && in_range(s))
}

fn number(bytes: &[u8; 32]) -> Number {
    let mut number = [0; 4];
    let (limbs, _) = bytes.as_chunks::<8>();
    for (limb, bytes) in number.iter_mut().rev().zip(limbs) {
        *limb = u64::from_be_bytes(*bytes);
    }
    number
}

fn is_less(left: &Number, right: &Number) -> bool {
    left.iter().rev().cmp(right.iter().rev()) == Ordering::Less
}

/// left + right mod p; both are reduced.
fn add(left: &Number, right: &Number) -> Number {
    let (sum, carry) = chain(left, right, u64::carrying_add);
    let (reduced, borrow) = chain(&sum, &P, u64::borrowing_sub);
    if carry || !borrow { reduced } else { sum }
}

/// left · right mod p, bit by bit: some microseconds, once for each key.
fn multiply(left: &Number, right: &Number) -> Number {
    let bits = right.iter().rev().flat_map(|limb| (0..64).rev().map(move |bit| limb >> bit & 1));
    bits.fold([0; 4], |product, bit| {
        let double = add(&product, &product);
        if bit == 1 { add(&double, left) } else { double }
    })
}

fn chain(
    left: &Number,
    right: &Number,
    step: impl Fn(u64, u64, bool) -> (u64, bool),
) -> (Number, bool) {
    let mut out = [0; 4];
    let mut carry = false;
    for ((out, left), right) in out.iter_mut().zip(left).zip(right) {
        (*out, carry) = step(*left, *right, carry);
    }
    (out, carry)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

    use super::*;

    fn point() -> [u8; 65] {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
        pair.public_key().as_ref().try_into().unwrap()
    }

    #[test]
    fn points_of_the_curve_are_and_their_neighbours_are_not() {
        for _ in 0..20 {
            let good = point();
            assert!(is_on_curve(&good));
            for at in 0..65 {
                let mut bad = good;
                bad[at] ^= 1;
                assert!(!is_on_curve(&bad), "byte {at} of {good:?}");
            }
        }
    }

    #[test]
    fn a_point_is_on_the_curve_with_reduced_coordinates_only() {
        // x = 0 has y = √b; SP 800-186 gives b, and y below was computed apart from this code.
        let y = "66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4";
        let mut zero = [0; 65];
        zero[0] = 4;
        for (byte, digits) in zero[33..].iter_mut().zip(y.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(str::from_utf8(digits).unwrap(), 16).unwrap();
        }
        assert!(is_on_curve(&zero));
        // The same point with x = p instead of 0.
        let mut unreduced = zero;
        for (bytes, limb) in unreduced[1..33].chunks_exact_mut(8).zip(P.iter().rev()) {
            bytes.copy_from_slice(&limb.to_be_bytes());
        }
        assert!(!is_on_curve(&unreduced));
        let mut infinity = [0; 65];
        assert!(!is_on_curve(&infinity));
        infinity[0] = 4;
        assert!(!is_on_curve(&infinity));
    }

    #[test]
    fn r_and_s_are_between_one_and_the_order() {
        let bytes = |number: Number| {
            let bytes: Vec<u8> = number.iter().rev().flat_map(|limb| limb.to_be_bytes()).collect();
            bytes
        };
        let below = [N[0] - 1, N[1], N[2], N[3]];
        let above = [N[0] + 1, N[1], N[2], N[3]];
        let good = [[1, 0, 0, 0], below];
        let bad = [[0; 4], N, above, [u64::MAX; 4]];
        for r in good {
            for s in good {
                assert!(is_sound_signature(&[bytes(r), bytes(s)].concat()));
            }
            for s in bad {
                assert!(!is_sound_signature(&[bytes(r), bytes(s)].concat()));
                assert!(!is_sound_signature(&[bytes(s), bytes(r)].concat()));
            }
        }
        assert!(!is_sound_signature(&[1; 63]));
        assert!(!is_sound_signature(&[1; 65]));
        assert!(!is_sound_signature(&[]));
    }

    #[test]
    fn sums_and_products_at_the_edge_are_reduced() {
        let p_minus = |number: u64| [P[0] - number, P[1], P[2], P[3]];
        assert_eq!(add(&p_minus(1), &[1, 0, 0, 0]), [0; 4]);
        assert_eq!(add(&p_minus(1), &p_minus(1)), p_minus(2));
        assert_eq!(multiply(&p_minus(1), &p_minus(1)), [1, 0, 0, 0]);
    }

    fn reduced() -> impl Strategy<Value = Number> {
        any::<Number>().prop_filter("below p", |number| is_less(number, &P))
    }

    proptest! {
        #[test]
        fn the_field_has_the_laws_of_a_field(a in reduced(), b in reduced(), c in reduced()) {
            prop_assert!(is_less(&add(&a, &b), &P) && is_less(&multiply(&a, &b), &P));
            prop_assert_eq!(multiply(&a, &b), multiply(&b, &a));
            prop_assert_eq!(multiply(&a, &multiply(&b, &c)), multiply(&multiply(&a, &b), &c));
            prop_assert_eq!(multiply(&a, &add(&b, &c)), add(&multiply(&a, &b), &multiply(&a, &c)));
            prop_assert_eq!(multiply(&a, &[1, 0, 0, 0]), a);
        }
    }
}
