use super::*;
use crate::{Argon2Cost, OsRandom};

const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const PLAIN: &[u8] = b"a document";

#[derive(Debug)]
struct Ones;

impl SecureRandom for Ones {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        out.fill(1);
        Ok(())
    }
}

fn master() -> MasterKey {
    MasterKey::from_text(HEX).unwrap()
}

fn sealed(master: &MasterKey) -> Vec<u8> {
    seal(master, Purpose::TokenSign, PLAIN, None, &OsRandom).unwrap()
}

fn open(master: &MasterKey, file: &[u8]) -> Result<Vec<u8>, UnsealError> {
    unseal(master, Purpose::TokenSign, file).map(|plain| plain.to_vec())
}

#[test]
fn the_envelope_is_that_of_another_implementation() {
    // pyca/cryptography: AESGCM(hmac_sha256(key, "mcp-security/seal/v1\0token-sign")), with the
    // first member as associated data.
    let expected = "{\"sealed\":{\"version\":1,\"purpose\":\"token-sign\",\"kdf\":{\"name\":\"direct\"}},\
                    \"nonce\":\"AQEBAQEBAQEBAQEB\",\
                    \"ciphertext\":\"lLidZe3MXFXcJqxC0269g43I4-P20KGbxQ4\"}\n";
    let file = seal(&master(), Purpose::TokenSign, PLAIN, None, &Ones).unwrap();
    assert_eq!(String::from_utf8(file).unwrap(), expected);
    assert_eq!(open(&master(), expected.as_bytes()).unwrap(), PLAIN);
}

#[test]
fn every_changed_removed_or_added_byte_breaks_the_seal() {
    let master = master();
    let file = sealed(&master);
    assert_eq!(open(&master, &file).unwrap(), PLAIN);
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut changed = file.clone();
            changed[at] ^= 1 << bit;
            assert_eq!(open(&master, &changed), Err(UnsealError::Broken), "byte {at}, bit {bit}");
        }
        assert_eq!(open(&master, &file[..at]), Err(UnsealError::Broken), "{at} bytes");
        let mut longer = file.clone();
        longer.insert(at, b' ');
        assert_eq!(open(&master, &longer), Err(UnsealError::Broken), "a space at {at}");
    }
    for added in [&b"\n"[..], b" ", b"{}", b"\0"] {
        assert_eq!(open(&master, &[&file[..], added].concat()), Err(UnsealError::Broken));
    }
}

#[test]
fn another_key_or_purpose_does_not_open_it() {
    let file = sealed(&master());
    let other = MasterKey::from_text(&HEX.replace("1f", "2f")).unwrap();
    assert_eq!(open(&other, &file), Err(UnsealError::Broken));
    let passphrase =
        MasterKey::from_passphrase("correct horse battery", Argon2Cost::default()).unwrap();
    assert_eq!(open(&passphrase, &file), Err(UnsealError::Broken));
    let refused = unseal(&master(), Purpose::AuditSign, &file).unwrap_err();
    assert_eq!(refused, UnsealError::Broken);
    let text = String::from_utf8(file).unwrap();
    let moved = text.replace("token-sign", "audit-sign");
    let refused = unseal(&master(), Purpose::AuditSign, moved.as_bytes()).unwrap_err();
    assert_eq!(refused, UnsealError::Broken);
}

#[test]
fn the_parameters_of_the_derivation_are_sealed_too() {
    let cost = Argon2Cost::new(19 * 1024, 2, 1).unwrap();
    let master = MasterKey::from_passphrase("correct horse battery", cost).unwrap();
    let file = sealed(&master);
    assert_eq!(open(&master, &file).unwrap(), PLAIN);
    let text = String::from_utf8(file.clone()).unwrap();
    for (from, to) in [
        ("\"memory_kib\":19456", "\"memory_kib\":19457"),
        ("\"passes\":2", "\"passes\":3"),
        ("\"lanes\":1", "\"lanes\":2"),
        ("\"version\":1", "\"version\":2"),
        ("\"memory_kib\":19456", "\"memory_kib\":4294967295"),
        ("argon2id", "direct"),
    ] {
        assert!(text.contains(from), "{from}");
        let changed = text.replace(from, to);
        assert_eq!(open(&master, changed.as_bytes()), Err(UnsealError::Broken), "{to}");
    }
    let again = MasterKey::from_passphrase("correct horse batterz", cost).unwrap();
    assert_eq!(open(&again, &file), Err(UnsealError::Broken));
    // Who has the passphrase needs to know no cost: the file says it.
    let other_cost = Argon2Cost::new(20 * 1024, 2, 1).unwrap();
    let again = MasterKey::from_passphrase("correct horse battery", other_cost).unwrap();
    assert_eq!(open(&again, &file).unwrap(), PLAIN);
}

#[test]
fn a_new_nonce_for_each_write_and_the_same_salt() {
    let cost = Argon2Cost::new(19 * 1024, 2, 1).unwrap();
    let master = MasterKey::from_passphrase("correct horse battery", cost).unwrap();
    let first = sealed(&master);
    let next = seal(&master, Purpose::TokenSign, PLAIN, Some(&first), &OsRandom).unwrap();
    let parse = |file: &[u8]| Envelope::parse(file).unwrap();
    assert_eq!(parse(&first).sealed.kdf, parse(&next).sealed.kdf);
    assert_ne!(parse(&first).nonce, parse(&next).nonce);
    assert_ne!(parse(&first).ciphertext, parse(&next).ciphertext);
    assert_ne!(parse(&sealed(&master)).sealed.kdf, parse(&first).sealed.kdf);
}

#[test]
fn plain_files_do_not_look_sealed() {
    assert!(is_sealed(&sealed(&master())));
    for plain in [&b"{\n  \"version\": 2"[..], b"", b"{}", b"{\"sealed\"", b" {\"sealed\":"] {
        assert!(!is_sealed(plain));
    }
}
