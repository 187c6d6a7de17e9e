//! What a private key is, whatever it came from and whoever computes with it.

use zeroize::Zeroizing;

use crate::encoding::der::{self, Reader, SEQUENCE};
use crate::verify::{Public, rsa};

pub(crate) enum Private {
    Ed25519 {
        seed: Zeroizing<[u8; 32]>,
        /// The public key that came with it, if one did.
        point: Option<[u8; 32]>,
    },
    P256 {
        scalar: Zeroizing<[u8; 32]>,
        /// Uncompressed. It must come with the scalar, because a backend cannot compute it.
        point: [u8; 65],
    },
    Rsa {
        /// RSAPrivateKey (RFC 8017 A.1.2), of two primes.
        der: Zeroizing<Vec<u8>>,
        n: Vec<u8>,
        e: Vec<u8>,
    },
}

impl Private {
    /// From RSAPrivateKey, which is read strictly, within the bounds in which both backends sign.
    pub(super) fn rsa(der: Zeroizing<Vec<u8>>) -> Option<Self> {
        let mut outer = Reader::new(&der);
        let mut numbers = outer.sequence()?;
        outer.end()?;
        // Version 0 has two primes.
        if !numbers.unsigned()?.is_empty() {
            return None;
        }
        let mut next = || numbers.unsigned().filter(|number| !number.is_empty());
        let (n, e, _d) = (next()?.to_vec(), next()?.to_vec(), next()?);
        let (p, q) = (next()?, next()?);
        let (_dp, _dq, _qi) = (next()?, next()?, next()?);
        numbers.end()?;
        let fits = has_common_size(&n, p, q) && rsa::bit_length(&e) >= 17;
        fits.then_some(Self::Rsa { der, n, e })
    }

    /// From n, e, d, p, q, dP, dQ and qInv, big-endian.
    pub(super) fn rsa_of_numbers(numbers: &[Zeroizing<Vec<u8>>; 8]) -> Option<Self> {
        let encoded: Vec<_> = numbers.iter().map(|number| der::unsigned(number)).collect();
        let version = der::unsigned(&[]);
        let mut parts = vec![version.as_slice()];
        parts.extend(encoded.iter().map(|number| number.as_slice()));
        Self::rsa(der::element(SEQUENCE, &parts))
    }

    /// Whether the public part that came with the secret is `public`, which was made from it.
    pub(super) fn belongs_to(&self, public: &Public) -> bool {
        match (self, public) {
            (Self::Ed25519 { point, .. }, Public::Ed25519(made)) => {
                point.is_none_or(|point| point == *made)
            }
            (Self::P256 { point, .. }, Public::P256(made)) => point == made,
            (Self::Rsa { n, e, .. }, Public::Rsa { n: made_n, e: made_e }) => {
                n == made_n && e == made_e
            }
            _ => false,
        }
    }
}

/// `ring` signs with primes of half the modulus' length only, which must be a multiple of 512 bits.
fn has_common_size(n: &[u8], p: &[u8], q: &[u8]) -> bool {
    let bits = rsa::bit_length(n);
    matches!(bits, 2048 | 3072 | 4096)
        && [p, q].iter().all(|prime| rsa::bit_length(prime) == bits / 2)
}
