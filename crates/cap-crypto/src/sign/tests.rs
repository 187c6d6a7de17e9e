use super::*;
use crate::{Backend, OsRandom};

const RSA: &str = include_str!("../../tests/fixtures/rsa-2048.pem");

/// RSA keys are where a faulty part is not seen by looking: one byte of each stretch of the
/// encoding (modulus, exponents, primes, CRT parts) is changed.
#[test]
fn an_rsa_key_with_one_faulty_part_is_refused() {
    let good = SigningKey::from_pkcs8(RSA.as_bytes()).unwrap().to_pkcs8();
    for backend in Backend::ALL {
        let accepted = |at: &usize| {
            let mut faulty = good.to_vec();
            faulty[*at] ^= 0x10;
            let private = pkcs8::parse(&faulty);
            private.and_then(|private| SigningKey::build(private, *backend)).is_ok()
        };
        let accepted: Vec<_> = (0..good.len()).step_by(41).filter(accepted).collect();
        match backend {
            // The private exponent (bytes 298 to 557) is neither checked nor used.
            Backend::Ring => {
                assert!(accepted.iter().all(|at| (298..558).contains(at)), "{accepted:?}");
            }
            #[cfg(feature = "aws-lc-rs")]
            Backend::AwsLcRs => assert!(accepted.is_empty(), "{accepted:?}"),
        }
    }
}

#[test]
fn a_private_key_is_for_the_public_part_that_it_makes() {
    let key = |algorithm| SigningKey::generate(algorithm, Backend::Ring, &OsRandom).unwrap();
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let (one, other) = (key(algorithm), key(algorithm));
        let public = |key: &SigningKey| Pair::new(Backend::Ring, &key.private).unwrap().1;
        assert!(one.private.belongs_to(&public(&one)));
        // Ed25519 seeds that came alone belong to what they make.
        assert_eq!(one.private.belongs_to(&public(&other)), algorithm == Algorithm::EdDsa);
    }
    for backend in Backend::ALL {
        let rsa = |edit: fn(&mut Vec<u8>, &mut Vec<u8>)| {
            let mut private = pkcs8::from_pem_or_der(RSA.as_bytes()).unwrap();
            if let Private::Rsa { n, e, .. } = &mut private {
                edit(n, e);
            }
            private.belongs_to(&Pair::new(*backend, &private).unwrap().1)
        };
        assert!(rsa(|_, _| ()));
        assert!(!rsa(|n, _| n[0] ^= 1));
        assert!(!rsa(|_, e| e[1] ^= 1));
    }
    let (ed25519, p256) = (key(Algorithm::EdDsa), key(Algorithm::Es256));
    let public = Pair::new(Backend::Ring, &p256.private).unwrap().1;
    assert!(!ed25519.private.belongs_to(&public));
}
