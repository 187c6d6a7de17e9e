use super::*;
use crate::keyring::document::PublicPart;
use crate::{OsRandom, RandomError, Unverified};

const RSA: &str = include_str!("../../../tests/fixtures/rsa-2048.pem");
const RSA_1024: &str = include_str!("../../../tests/fixtures/rsa-1024.pem");
const RSA_E3: &str = include_str!("../../../tests/fixtures/rsa-2048-e3.pem");
const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// 01 02 … 20, as seed of every key.
#[derive(Debug)]
struct Fixed;

impl SecureRandom for Fixed {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        out.iter_mut().zip(1..).for_each(|(byte, value)| *byte = value);
        Ok(())
    }
}

fn ed25519(random: &dyn SecureRandom) -> Result<Record, KeyringError> {
    let key = SigningKey::generate(Algorithm::EdDsa, Backend::default(), random)?;
    record(&key, Purpose::TokenSign, NOW)
}

fn active(record: &Record) -> Result<Arc<SigningKey>, &'static str> {
    Signing::active(record, &Backend::default())
}

fn to_retiring(record: &Record) -> Result<VerifyingKey, &'static str> {
    Signing::retiring(record, &Backend::default())
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks_exact(2);
    pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn ed25519_keys_and_signatures_are_those_of_openssl() {
    let ring = SigningKeyring::ephemeral(Purpose::TokenSign, &Fixed).unwrap();
    let point = "79b5562e8fe654f94078b112e8a98ba7901f853ae695bed7e0e3910bad049664";
    assert_eq!(ring.active_key().public_part().x, Some(encoding::encode(&unhex(point))));
    let signature = ring.sign(b"a message").unwrap();
    assert_eq!(
        signature.bytes,
        unhex(
            "f04253a5633b0a74d8ce276a067423271c2009493db86a85a00fe307a0a05b78\
             32b5e00b16614516c7c04c5b7de098cbfaf17ce7c0ea629eae9370b890a77804"
        )
    );
    assert_eq!(signature.key, ring.active());
    assert_eq!(ring.active_key().verify(b"a message", &signature.bytes), Ok(()));
    assert_eq!(ring.active_key().verify(b"a massage", &signature.bytes), Err(Unverified));
}

#[test]
fn rsa_keys_are_imported_from_pem_and_der_and_sign_as_openssl_does() {
    let expected = unhex(
        "6a2587a3ed118058d43ede4e3134ba10458a93b126ac3c89f78d2f7e66822c6d4f0e02b81de5e48330e427ff\
         e28a1f49696ef91dc58bf498eeda37a4ef0ac84c0f2e81e1bfc788236f575212a0870db7877c2eba4928b8d1\
         89449c2dcbc552dd010b954fbdc26c8da3b5e2e656b4c81e9aa478d8e16834f173e196ec450c1351e14a6333\
         d82b2563c639ec0ca30ec560c60f508aa31d913929fe182e79e51c68bca1cfbd7ba3ea822c60db785d61e3a3\
         803a7b676f95c4602dcb5508e21d99be2cb411608e34cebbf24dad93e75fdb80559c957c4f15166fd2c77941\
         0bf682e8713e92ca544ada477db4ef8da748aa81839ba8313cda7ebe65dc40411a3f81ad",
    );
    let crlf = RSA.replace('\n', "\r\n");
    let der = SigningKey::from_pkcs8(RSA.as_bytes()).unwrap().to_pkcs8();
    for pkcs8 in [RSA.as_bytes(), crlf.as_bytes(), &der] {
        let ring = SigningKeyring::ephemeral(Purpose::TokenSign, &Fixed).unwrap();
        let first = ring.active();
        let id = ring.import_rsa(pkcs8, NOW).unwrap();
        assert_eq!(id.as_str(), "MG9VEYnESZouW28bu_UxMDDf5ZdQM0GhjyBevAK0XV4");
        assert_eq!(ring.active(), id);
        assert_eq!(ring.active_key().algorithm(), Algorithm::Rs256);
        assert_eq!(ring.sign(b"a message").unwrap().bytes, expected);
        let known: Vec<_> = ring.verifying_keys().iter().map(|key| key.id().clone()).collect();
        assert_eq!(known, [id.clone(), first]);
        assert!(
            matches!(ring.import_rsa(pkcs8, NOW), Err(KeyringError::KnownKey(key)) if key == id)
        );
    }
}

#[test]
fn rsa_keys_that_are_weak_broken_or_in_another_form_are_refused() {
    let ring = SigningKeyring::ephemeral(Purpose::TokenSign, &OsRandom).unwrap();
    let rejected = |pkcs8: &[u8]| match ring.import_rsa(pkcs8, NOW) {
        Err(KeyringError::Rejected(rejected)) => rejected,
        other => panic!("{other:?}"),
    };
    let der = SigningKey::from_pkcs8(RSA.as_bytes()).unwrap().to_pkcs8();
    assert_eq!(rejected(RSA_1024.as_bytes()), KeyRejected::PrivateKey);
    assert_eq!(rejected(RSA_E3.as_bytes()), KeyRejected::PrivateKey);
    assert_eq!(rejected(b""), KeyRejected::PrivateKey);
    assert_eq!(rejected(&der[..der.len() - 1]), KeyRejected::PrivateKey);
    for label in ["RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "PUBLIC KEY"] {
        let pem = RSA.replace("PRIVATE KEY", label);
        assert_eq!(rejected(pem.as_bytes()), KeyRejected::NotPkcs8, "{label}");
    }
    let twice = RSA.repeat(2);
    assert_eq!(rejected(twice.as_bytes()), KeyRejected::Malformed);
    assert_eq!(ring.keys().len(), 1);
}

#[test]
fn an_rsa_key_with_one_faulty_part_never_becomes_active() {
    let der = SigningKey::from_pkcs8(RSA.as_bytes()).unwrap().to_pkcs8();
    let ring = SigningKeyring::ephemeral(Purpose::TokenSign, &OsRandom).unwrap();
    // One byte of each stretch of the encoding: modulus, exponents, primes and CRT parts.
    let mut accepted = Vec::new();
    for at in (0..der.len()).step_by(41) {
        let mut faulty = der.to_vec();
        faulty[at] ^= 0x10;
        if ring.import_rsa(&faulty, NOW).is_ok() {
            accepted.push(at);
        }
    }
    // The private exponent d (bytes 298 to 557) is the one part that is neither checked nor used.
    assert!(accepted.iter().all(|at| (298..558).contains(at)), "{accepted:?}");
}

#[test]
fn an_audit_log_is_signed_with_ed25519_only() {
    let ring = SigningKeyring::ephemeral(Purpose::AuditSign, &OsRandom).unwrap();
    let refused = ring.import_rsa(RSA.as_bytes(), NOW).unwrap_err();
    assert!(matches!(refused, KeyringError::WrongKind(Purpose::AuditSign)));
    let refused = SigningKeyring::ephemeral(Purpose::AuditMac, &OsRandom).unwrap_err();
    assert!(matches!(refused, KeyringError::WrongKind(Purpose::AuditMac)));
}

#[test]
fn a_rotated_key_verifies_has_no_secret_and_is_gone_once_retired() {
    let ring = SigningKeyring::ephemeral(Purpose::TokenSign, &OsRandom).unwrap();
    let old = ring.sign(b"message").unwrap();
    ring.rotate(&OsRandom, NOW).unwrap();
    let keys = ring.verifying_keys();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[1].id(), &old.key);
    assert_eq!(keys[1].verify(b"message", &old.bytes), Ok(()));
    ring.retire(&old.key).unwrap();
    assert_eq!(ring.verifying_keys().len(), 1);
    assert_eq!(ring.keys().len(), 2);
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let good = ed25519(&Fixed).unwrap();
    let other = ed25519(&OsRandom).unwrap();
    assert!(active(&good).is_ok());
    let public = |public: Option<PublicPart>| Record { public, ..good.clone() };
    for broken in [
        public(other.public.clone()),
        public(None),
        Record { id: other.id.clone(), ..good.clone() },
        Record { secret: other.secret.clone(), ..good.clone() },
        Record { secret: None, ..good.clone() },
        Record { secret: Some(Secret::new(zeroize::Zeroizing::new(vec![1; 31]))), ..good.clone() },
        Record { algorithm: KeyAlgorithm::Rs256, ..good.clone() },
        Record { algorithm: KeyAlgorithm::Hs256, ..good.clone() },
    ] {
        assert!(active(&broken).is_err());
    }
    let retiring = Record { secret: None, ..good.clone() };
    assert!(to_retiring(&retiring).is_ok());
    for broken in [
        good.clone(),
        Record { public: None, ..retiring.clone() },
        Record { public: other.public.clone(), ..retiring.clone() },
        Record { id: other.id.clone(), ..retiring.clone() },
        Record { algorithm: KeyAlgorithm::Rs256, ..retiring.clone() },
    ] {
        assert!(to_retiring(&broken).is_err());
    }
}

#[test]
fn debug_output_shows_no_secrets() {
    let ring = SigningKeyring::ephemeral(Purpose::TokenSign, &Fixed).unwrap();
    let seed = encoding::encode(&(1..=32).collect::<Vec<u8>>());
    let shown = format!(
        "{ring:?} {:?} {:?}",
        ring.active_key(),
        Secret::new(zeroize::Zeroizing::new(vec![1, 2, 3]))
    );
    assert!(shown.contains(ring.active().as_str()));
    assert!(!shown.contains(&seed) && !shown.contains("1, 2, 3"), "{shown}");
}
