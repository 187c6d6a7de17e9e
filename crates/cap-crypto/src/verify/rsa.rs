//! Which RSA public keys are good enough.

use super::KeyRejected;

/// The primes up to 167 modulo which not every remainder is a power of 65537.
const PRIMES: [u32; 17] =
    [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];

/// Big-endian numbers: 2048 to 8192 bits of modulus, an exponent of 3 to 2³³ − 1, both odd and
/// without leading zeros, and no key of a chip with ROCA.
pub(super) fn check(n: &[u8], e: &[u8]) -> Result<(), KeyRejected> {
    if n.first().is_none_or(|byte| *byte == 0) || e.first().is_none_or(|byte| *byte == 0) {
        return Err(KeyRejected::Malformed);
    }
    if !(2048..=8192).contains(&bit_length(n)) || !is_odd(n) {
        return Err(KeyRejected::Modulus);
    }
    if !(2..=33).contains(&bit_length(e)) || !is_odd(e) {
        return Err(KeyRejected::Exponent);
    }
    if has_roca_fingerprint(n) {
        return Err(KeyRejected::Roca);
    }
    Ok(())
}

/// The bits of a big-endian number without leading zero bytes.
pub(crate) fn bit_length(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |byte| byte.leading_zeros());
    (number.len() * 8).saturating_sub(usize::try_from(unused).unwrap_or(0))
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|byte| byte % 2 == 1)
}

/// Whether the modulus can be one of the weak generator of CVE-2017-15361: its primes are
/// k·M + (65537^a mod M), with M a product of the first primes, so that the modulus is a power
/// of 65537 modulo each of them (Nemec, Sýs, Švenda, Klinec, Matyáš: "The Return of Coppersmith's
/// Attack", CCS 2017). One modulus of random primes in about 2²⁸ is taken for one.
fn has_roca_fingerprint(n: &[u8]) -> bool {
    PRIMES.iter().all(|prime| is_power_of_65537(remainder(n, *prime), *prime))
}

fn remainder(number: &[u8], prime: u32) -> u32 {
    number.iter().fold(0, |rest, byte| (rest << 8 | u32::from(*byte)) % prime)
}

fn is_power_of_65537(remainder: u32, prime: u32) -> bool {
    // The powers come round to 1 after fewer than `prime` steps.
    let mut power = 1;
    (0..prime).any(|_| {
        power = power * (65537 % prime) % prime;
        power == remainder
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The product of two primes of the weak form, 1024 bits each, made for this test with M the
    /// product of the first 126 primes.
    const WEAK: &str = include_str!("../../tests/fixtures/roca-2048.hex");

    fn weak() -> Vec<u8> {
        let digits = WEAK.trim().as_bytes().chunks_exact(2);
        digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    #[test]
    fn a_modulus_of_the_weak_generator_is_found() {
        let n = weak();
        assert_eq!(bit_length(&n), 2048);
        assert!(has_roca_fingerprint(&n));
        assert_eq!(check(&n, &[1, 0, 1]), Err(KeyRejected::Roca));
    }

    #[test]
    fn a_modulus_beside_it_is_not() {
        let mut n = weak();
        let last = n.len() - 1;
        for odd in (1..=255).step_by(2).filter(|odd| *odd != weak()[last]) {
            n[last] = odd;
            assert!(!has_roca_fingerprint(&n), "{odd}");
        }
    }

    /// The table holds exactly the primes that tell: for the others every remainder but 0 is a power.
    #[test]
    fn the_primes_are_those_that_discriminate() {
        let is_prime = |number: u32| (2..number).all(|divisor| !number.is_multiple_of(divisor));
        let tells = |prime: u32| !(1..prime).all(|rest| is_power_of_65537(rest, prime));
        let expected: Vec<u32> =
            (2..=167).filter(|number| is_prime(*number) && tells(*number)).collect();
        assert_eq!(PRIMES.as_slice(), expected);
    }
}
