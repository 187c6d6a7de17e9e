//! Inputs on which libraries differ. Each has one verdict here, whatever the backend.

use cap_crypto::{Backend, KeyRejected, Unverified, VerifyingKey};
use proptest::prelude::*;

use crate::unhex;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Verdict {
    Verified,
    Unverified,
    KeyRefused(KeyRejected),
}

use Verdict::{KeyRefused, Unverified as Refused, Verified};

struct Case {
    name: &'static str,
    key: &'static str,
    message: &'static str,
    signature: &'static str,
    verdict: Verdict,
}

fn verdict(key: Result<VerifyingKey, KeyRejected>, message: &[u8], signature: &[u8]) -> Verdict {
    let key = match key {
        Ok(key) => key,
        Err(rejected) => return KeyRefused(rejected),
    };
    let verdicts: Vec<_> = Backend::ALL
        .iter()
        .map(|backend| key.clone().with_backend(*backend).unwrap().verify(message, signature))
        .collect();
    assert!(verdicts.iter().all(|one| *one == verdicts[0]), "backends differ: {verdicts:?}");
    match verdicts[0] {
        Ok(()) => Verified,
        Err(Unverified) => Refused,
    }
}

/// Chalkias, Garillot, Nikolaenko: "Taming the many EdDSAs" (IACR ePrint 2020/1244), table of test
/// vectors, from the repository novifinancial/ed25519-speccheck.
const ED25519: [Case; 15] = [
    Case {
        name: "0: S = 0, A and R of small order",
        key: "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        message: "2a66241a42a9ee12994d8068dcf1bb7dfc6637b45450acd43711f637fa5080fc",
        signature: "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a\
                    0000000000000000000000000000000000000000000000000000000000000000",
        verdict: KeyRefused(KeyRejected::WeakPoint),
    },
    Case {
        name: "1: S = 0, A and R of small order, cofactorless too",
        key: "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        message: "8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6",
        signature: "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a\
                    0000000000000000000000000000000000000000000000000000000000000000",
        verdict: KeyRefused(KeyRejected::WeakPoint),
    },
    Case {
        name: "2: A of small order, R mixed, cofactored only",
        key: "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        message: "9bedc267423725d473888631ebf45988bad3db83851ee85c85e241a07d148b41",
        signature: "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43\
                    a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
        verdict: KeyRefused(KeyRejected::WeakPoint),
    },
    Case {
        name: "3: A of small order, R mixed",
        key: "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        message: "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
        signature: "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43\
                    a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
        verdict: KeyRefused(KeyRejected::WeakPoint),
    },
    Case {
        name: "4: R of small order, A mixed, cofactored only",
        key: "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
        message: "9bedc267423725d473888631ebf45988bad3db83851ee85c85e241a07d148b41",
        signature: "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa\
                    182ef1a5b928da07fec769cc8a12db6bcf70dab3f3227fa315e9d5e3e01a3405",
        verdict: Refused,
    },
    Case {
        name: "5: R of small order, A mixed, cofactorless too",
        key: "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
        message: "aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab",
        signature: "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa\
                    8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e",
        verdict: Refused,
    },
    Case {
        name: "6: A and R mixed, cofactorless too",
        key: "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
        message: "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
        signature: "9046a64750444938de19f227bb80485e92b83fdb4b6506c160484c016cc1852f\
                    87909e14428a7a1d62e9f22f3d3ad7802db02eb2e688b6c52fcd6648a98bd009",
        verdict: Verified,
    },
    Case {
        name: "7: A and R mixed, cofactored only",
        key: "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
        message: "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
        signature: "160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed512\
                    5ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09",
        verdict: Refused,
    },
    Case {
        name: "8: A mixed, cofactored only if k is not multiplied by 8 first",
        key: "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
        message: "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
        signature: "21122a84e0b5fca4052f5b1235c80a537878b38f3142356b2c2384ebad4668b7\
                    e40bc836dac0f71076f9abe3a53f9c03c1ceeeddb658d0030494ace586687405",
        verdict: Refused,
    },
    Case {
        name: "9: S above L",
        key: "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
        message: "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
        signature: "e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e\
                    547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514",
        verdict: Refused,
    },
    Case {
        name: "10: S far above L",
        key: "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
        message: "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
        signature: "8ce5b96c8f26d0ab6c47958c9e68b937104cd36e13c33566acd2fe8d38aa1942\
                    7e71f98a473474f2f13f06f97c20d58cc3f54b8bd0d272f42b695dd7e89a8c22",
        verdict: Refused,
    },
    Case {
        name: "11: R is not canonical and of small order, hashed as it is",
        key: "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
        message: "9bedc267423725d473888631ebf45988bad3db83851ee85c85e241a07d148b41",
        signature: "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
                    03be9678ac102edcd92b0210bb34d7428d12ffc5df5f37e359941266a4e35f0f",
        verdict: Refused,
    },
    Case {
        name: "12: R is not canonical and of small order, hashed reduced",
        key: "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
        message: "9bedc267423725d473888631ebf45988bad3db83851ee85c85e241a07d148b41",
        signature: "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
                    ca8c5b64cd208982aa38d4936621a4775aa233aa0505711d8fdcfdaa943d4908",
        verdict: Refused,
    },
    Case {
        name: "13: A is not canonical and of small order, hashed reduced",
        key: "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        message: "e96b7021eb39c1a163b6da4e3093dcd3f21387da4cc4572be588fafae23c155b",
        signature: "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dc\
                    a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
        verdict: KeyRefused(KeyRejected::WeakPoint),
    },
    Case {
        name: "14: A is not canonical and of small order, hashed as it is",
        key: "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        message: "39a591f5321bbe07fd5a23dc2f39d025d74526615746727ceefd6e82ae65c06f",
        signature: "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dc\
                    a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
        verdict: KeyRefused(KeyRejected::WeakPoint),
    },
];

#[test]
fn ed25519_has_one_verdict_on_the_cases_on_which_libraries_differ() {
    for case in ED25519 {
        let key = VerifyingKey::from_ed25519(&unhex(case.key).try_into().unwrap());
        let verdict = verdict(key, &unhex(case.message), &unhex(case.signature));
        assert_eq!(verdict, case.verdict, "{}", case.name);
    }
    let verified = ED25519.iter().filter(|case| case.verdict == Verified).count();
    assert_eq!((ED25519.len(), verified), (15, 1));
}

/// A key that signs honestly, and what it signed (RFC 8032 §7.1, test 2).
const HONEST: Case = Case {
    name: "honest",
    key: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    message: "72",
    signature: "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    verdict: Verified,
};

#[test]
fn ed25519_signatures_with_one_odd_part_are_refused() {
    let key = || VerifyingKey::from_ed25519(&unhex(HONEST.key).try_into().unwrap());
    let (message, good) = (unhex(HONEST.message), unhex(HONEST.signature));
    assert_eq!(verdict(key(), &message, &good), HONEST.verdict);
    let order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    let p = "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";
    let identity = "0100000000000000000000000000000000000000000000000000000000000000";
    let zero = "0000000000000000000000000000000000000000000000000000000000000000";
    let ones = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
    // y = 2 is no x-coordinate's: not on the curve.
    let off_curve = "0200000000000000000000000000000000000000000000000000000000000000";
    for r in [p, identity, zero, ones, off_curve] {
        assert_eq!(verdict(key(), &message, &[&unhex(r), &good[32..]].concat()), Refused, "R {r}");
    }
    for s in [order, zero, ones, p] {
        assert_eq!(verdict(key(), &message, &[&good[..32], &unhex(s)].concat()), Refused, "S {s}");
    }
    let s_plus_order: Vec<u8> = {
        let mut carry = 0;
        let sum = good[32..].iter().zip(unhex(order)).map(|(left, right)| {
            let sum = u16::from(*left) + u16::from(right) + carry;
            carry = sum >> 8;
            sum.to_le_bytes()[0]
        });
        sum.collect()
    };
    assert_eq!(verdict(key(), &message, &[&good[..32], &s_plus_order].concat()), Refused);
    assert_eq!(verdict(key(), &message, &unhex(&[zero, zero].concat())), Refused);
    assert_eq!(verdict(key(), &message, &unhex(&[identity, zero].concat())), Refused);
    for length in [0, 32, 63, 65, 128] {
        let resized: Vec<u8> = good.iter().copied().cycle().take(length).collect();
        assert_eq!(verdict(key(), &message, &resized), Refused, "{length} bytes");
    }
    // The key's point is no point of the curve: both backends say so when they verify.
    let off_curve = VerifyingKey::from_ed25519(&unhex(off_curve).try_into().unwrap());
    assert_eq!(verdict(off_curve, &message, &good), Refused);
}

/// RFC 6979 A.2.5: P-256 with SHA-256.
const EC_KEY: &str = "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
                      7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
const EC_R: &str = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716";
const EC_S: &str = "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
const EC_ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const EC_P: &str = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
const ZERO: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const ONE: &str = "0000000000000000000000000000000000000000000000000000000000000001";
const ONES: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

fn p256(point: &str) -> Result<VerifyingKey, KeyRejected> {
    VerifyingKey::from_p256(&unhex(point).try_into().unwrap())
}

/// `left − right`, big-endian.
fn minus(left: &str, right: &str) -> String {
    let (left, right) = (unhex(left), unhex(right));
    let mut borrow = 0;
    let mut out = vec![0; left.len()];
    for ((out, left), right) in out.iter_mut().zip(&left).zip(&right).rev() {
        let difference = 256 + u16::from(*left) - u16::from(*right) - borrow;
        borrow = u16::from(difference < 256);
        *out = difference.to_le_bytes()[0];
    }
    out.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn ecdsa_has_one_verdict_on_every_odd_r_and_s() {
    let signature = |r: &str, s: &str| unhex(&[r, s].concat());
    assert_eq!(verdict(p256(EC_KEY), b"sample", &signature(EC_R, EC_S)), Verified);
    // −s is as good as s (SEC 1 §4.1.4): JOSE does not ask for the lower one.
    let negative = minus(EC_ORDER, EC_S);
    assert_eq!(verdict(p256(EC_KEY), b"sample", &signature(EC_R, &negative)), Verified);

    let order_plus_one = minus(ONES, &minus(&minus(ONES, EC_ORDER), ONE));
    let below = minus(EC_ORDER, ONE);
    let odd = [ZERO, ONE, EC_ORDER, &order_plus_one, &below, ONES, EC_P];
    let mut refused = 0;
    for one in odd {
        for (r, s) in [(one, EC_S), (EC_R, one)].into_iter().chain(odd.map(|other| (one, other))) {
            assert_eq!(verdict(p256(EC_KEY), b"sample", &signature(r, s)), Refused, "{r} {s}");
            refused += 1;
        }
    }
    assert_eq!(refused, 63);
    assert_eq!(verdict(p256(EC_KEY), b"sample", &signature(EC_S, EC_R)), Refused);
    assert_eq!(verdict(p256(EC_KEY), b"samples", &signature(EC_R, EC_S)), Refused);
}

/// CVE-2022-21449: r = s = 0 for every message under every key.
#[test]
fn the_psychic_signature_is_nobodys() {
    for message in [&b""[..], b"sample", &[0; 32]] {
        assert_eq!(verdict(p256(EC_KEY), message, &[0; 64]), Refused);
    }
    let ed25519 = VerifyingKey::from_ed25519(&unhex(HONEST.key).try_into().unwrap());
    assert_eq!(verdict(ed25519, b"", &[0; 64]), Refused);
}

#[test]
fn ecdsa_signatures_have_exactly_64_bytes() {
    let good = unhex(&[EC_R, EC_S].concat());
    for length in [0, 32, 63, 65, 66, 96, 128] {
        let resized: Vec<u8> = good.iter().copied().chain([0; 64]).take(length).collect();
        assert_eq!(verdict(p256(EC_KEY), b"sample", &resized), Refused, "{length} bytes");
    }
    // The same numbers in DER, and with a zero before each of them.
    let der = unhex(&["3046022100", EC_R, "022100", EC_S].concat());
    assert_eq!(verdict(p256(EC_KEY), b"sample", &der), Refused);
    let padded = unhex(&["00", EC_R, "00", EC_S].concat());
    assert_eq!(verdict(p256(EC_KEY), b"sample", &padded), Refused);
}

#[test]
fn points_that_are_not_on_the_curve_are_no_keys() {
    let (x, y) = (&EC_KEY[2..66], &EC_KEY[66..]);
    let off = KeyRefused(KeyRejected::OffCurve);
    let changed = format!("{}98", &y[..62]);
    for point in [
        format!("04{x}{changed}"),
        format!("04{y}{x}"),
        format!("04{ZERO}{ZERO}"),
        format!("00{ZERO}{ZERO}"),
        format!("04{x}{ZERO}"),
        format!("04{EC_P}{y}"),
        format!("04{x}{EC_P}"),
        format!("04{ONES}{ONES}"),
        format!("02{x}{y}"),
        format!("05{x}{y}"),
        // Hybrid form.
        format!("07{x}{y}"),
    ] {
        let good = unhex(&[EC_R, EC_S].concat());
        assert_eq!(verdict(p256(&point), b"sample", &good), off, "{point}");
    }
    // −y is another key, not an error.
    let negative = format!("04{x}{}", minus(EC_P, y));
    assert_eq!(verdict(p256(&negative), b"sample", &unhex(&[EC_R, EC_S].concat())), Refused);
}

#[test]
fn rsa_signatures_have_the_length_of_the_modulus_and_are_below_it() {
    let public = include_bytes!("../fixtures/rsa-2048.pub.pem");
    let key = || VerifyingKey::from_spki(public);
    let n = {
        use cap_crypto::{Signer as _, SigningKey};
        let signer = SigningKey::from_pkcs8(include_bytes!("../fixtures/rsa-2048.pem")).unwrap();
        let good = signer.sign(b"sample").unwrap();
        assert_eq!(verdict(key(), b"sample", &good), Verified);
        let zero_before = [&[0], &good[..]].concat();
        assert_eq!(verdict(key(), b"sample", &zero_before), Refused);
        assert_eq!(verdict(key(), b"sample", &good[1..]), Refused);
        let jwk = signer.key().to_jwk();
        base64url(jwk["n"].as_str().unwrap())
    };
    for value in [vec![0; 256], n.clone(), vec![0xff; 256]] {
        assert_eq!(verdict(key(), b"sample", &value), Refused);
    }
    let one: Vec<u8> = [0; 255].into_iter().chain([1]).collect();
    assert_eq!(verdict(key(), b"sample", &one), Refused);
    let minus_one: Vec<u8> = n[..255].iter().copied().chain([n[255] - 1]).collect();
    assert_eq!(verdict(key(), b"sample", &minus_one), Refused);
}

fn base64url(text: &str) -> Vec<u8> {
    crate::algorithms::base64(&text.replace('-', "+").replace('_', "/"))
}

proptest! {
    #[test]
    fn backends_agree_on_any_bytes(
        key: [u8; 32],
        r: [u8; 32],
        s in prop::array::uniform32(any::<u8>()),
        message: Vec<u8>,
    ) {
        let signature = [r, s].concat();
        let under_any_key = verdict(VerifyingKey::from_ed25519(&key), &message, &signature);
        prop_assert_ne!(under_any_key, Verified);
        prop_assert_eq!(verdict(p256(EC_KEY), &message, &signature), Refused);
    }

    /// Points with a small y: half of them are on the curve.
    #[test]
    fn backends_agree_on_small_numbers(key in 2..=255_u8, r: u8, s: u8, sign: bool) {
        let number = |low: u8| {
            let mut bytes = [0; 32];
            bytes[0] = low;
            bytes
        };
        let mut point = number(key);
        point[31] = u8::from(sign) << 7;
        let signature = [number(r), number(s)].concat();
        let verdict = verdict(VerifyingKey::from_ed25519(&point), b"message", &signature);
        prop_assert_eq!(verdict, Refused);
    }
}
