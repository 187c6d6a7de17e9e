use std::sync::atomic::{AtomicU8, Ordering};

use super::*;
use crate::{OsRandom, RandomError};

/// Counts up from 0: the first key has the bytes 00 01 … 1f.
#[derive(Debug, Default)]
struct Counting(AtomicU8);

impl SecureRandom for Counting {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        out.fill_with(|| self.0.fetch_add(1, Ordering::Relaxed));
        Ok(())
    }
}

#[derive(Debug)]
struct Broken;

impl SecureRandom for Broken {
    fn fill(&self, _: &mut [u8]) -> Result<(), RandomError> {
        Err(RandomError)
    }
}

fn keyring(purpose: Purpose) -> MacKeyring {
    MacKeyring::ephemeral(purpose, &Counting::default()).unwrap()
}

#[test]
fn macs_are_those_of_openssl_over_the_domain_and_the_message() {
    let expected = [
        (Purpose::CapabilityMac, "fy4EAGFqIjycjOqSq33Xfu56Hw-wQuhEbNdKd61ZOy0"),
        (Purpose::AuditMac, "Et_3p84OPaV9OMWjR9LMpfksouF1fTzAvePr2naStAc"),
    ];
    for (purpose, tag) in expected {
        assert_eq!(keyring(purpose).mac(b"hello").to_string(), format!("ICEiIyQlJicoKSor.{tag}"));
    }
}

#[test]
fn a_mac_of_one_purpose_is_worth_nothing_for_another_under_the_same_key() {
    let mac = keyring(Purpose::AuditMac).mac(b"hello");
    let other = keyring(Purpose::CapabilityMac);
    assert_eq!(mac.key, other.active());
    assert_eq!(other.verify(&mac, b"hello"), Err(Unverified));
    assert_eq!(keyring(Purpose::AuditMac).verify(&mac, b"hello"), Ok(()));
}

#[test]
fn every_changed_bit_and_every_other_message_is_refused() {
    let ring = keyring(Purpose::CapabilityMac);
    let mac = ring.mac(b"message");
    for bit in 0..256 {
        let mut forged = mac.clone();
        forged.tag[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(ring.verify(&forged, b"message"), Err(Unverified));
    }
    for message in [&b""[..], b"messag", b"message ", b"Message"] {
        assert_eq!(ring.verify(&mac, message), Err(Unverified));
    }
}

#[test]
fn a_mac_of_another_keyring_is_refused_even_under_our_key_id() {
    let ring = MacKeyring::ephemeral(Purpose::CapabilityMac, &OsRandom).unwrap();
    let other = MacKeyring::ephemeral(Purpose::CapabilityMac, &OsRandom).unwrap();
    let mut mac = other.mac(b"message");
    assert_eq!(ring.verify(&mac, b"message"), Err(Unverified));
    mac.key = ring.active();
    assert_eq!(ring.verify(&mac, b"message"), Err(Unverified));
}

#[test]
fn a_rotated_key_verifies_until_it_is_retired() {
    let ring = keyring(Purpose::AuditMac);
    let old = ring.mac(b"message");
    let id = ring.rotate(&OsRandom, DateTime::UNIX_EPOCH).unwrap();
    assert_eq!((ring.active(), ring.mac(b"message").key), (id.clone(), id.clone()));
    assert_eq!(ring.verify(&old, b"message"), Ok(()));

    assert!(matches!(ring.retire(&id), Err(KeyringError::ActiveKey(key)) if key == id));
    ring.retire(&old.key).unwrap();
    ring.retire(&old.key).unwrap();
    assert_eq!(ring.verify(&old, b"message"), Err(Unverified));
    let statuses: Vec<_> = ring.keys().into_iter().map(|key| (key.id, key.status)).collect();
    assert_eq!(statuses, [(old.key, KeyStatus::Retired), (id, KeyStatus::Active)]);

    let unknown: KeyId = "nobody".parse().unwrap();
    assert!(matches!(ring.retire(&unknown), Err(KeyringError::UnknownKey(key)) if key == unknown));
}

#[test]
fn keys_for_signatures_are_refused_and_a_broken_random_source_makes_no_key() {
    for purpose in [Purpose::TokenSign, Purpose::AuditSign] {
        let refused = MacKeyring::ephemeral(purpose, &OsRandom).unwrap_err();
        assert!(matches!(refused, KeyringError::WrongKind(named) if named == purpose));
    }
    let refused = MacKeyring::ephemeral(Purpose::AuditMac, &Broken).unwrap_err();
    assert!(matches!(refused, KeyringError::Random(RandomError)));
}

#[test]
fn one_mac_has_one_text() {
    let mac = keyring(Purpose::AuditMac).mac(b"message");
    let text = mac.to_string();
    let read: Mac = text.parse().unwrap();
    assert_eq!((&read.key, read.tag), (&mac.key, mac.tag));
    let json = serde_json::to_string(&mac).unwrap();
    assert_eq!(json, format!("\"{text}\""));
    assert_eq!(serde_json::from_str::<Mac>(&json).unwrap().tag, mac.tag);

    let (key, tag) = text.split_once('.').unwrap();
    let longer = format!("{text}A");
    let padded = format!("{text}=");
    let shorter = text.strip_suffix(|_: char| true).unwrap();
    let trailing_bits = format!("{shorter}B");
    let standard = format!("{key}.{}", "+".repeat(43));
    let two_dots = format!("{key}.{tag}.");
    let spaced = format!(" {text}");
    for bad in [
        "",
        ".",
        key,
        tag,
        &format!(".{tag}"),
        &format!("{key}."),
        shorter,
        &longer,
        &padded,
        &trailing_bits,
        &standard,
        &two_dots,
        &spaced,
        &format!("a/b.{tag}"),
        &format!("{}.{tag}", "k".repeat(65)),
    ] {
        assert_eq!(bad.parse::<Mac>().unwrap_err(), InvalidMac, "{bad:?}");
    }
}

#[test]
fn debug_output_shows_neither_secrets_nor_tags() {
    let ring = keyring(Purpose::CapabilityMac);
    let mac = ring.mac(b"message");
    let tag = encoding::encode(&mac.tag);
    let secret = encoding::encode(&(0..32).collect::<Vec<u8>>());
    let shown = format!("{ring:?} {mac:?} {:?}", mac.tag.first());
    assert!(shown.contains(ring.active().as_str()));
    for hidden in [tag.as_str(), secret.as_str(), "[0, 1, 2", &format!("{:?}", mac.tag)] {
        assert!(!shown.contains(hidden), "{shown}");
    }
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_wycheproof_hmac() {
    let file = cap_testkit::shared("corpora/wycheproof/hmac_sha256_test.json");
    let set: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let bytes = |value: &serde_json::Value| unhex(value.as_str().unwrap());
    let (mut accepted, mut refused, mut truncated) = (0, 0, 0);
    for group in set["testGroups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes(&test["key"]));
            let verdict = verify(&key, b"", &bytes(&test["msg"]), &bytes(&test["tag"]));
            // We have no truncated tags: those of 128 bits are refused, right or wrong.
            let supported = group["tagSize"] == 256;
            let good = test["result"] == "valid" && supported;
            assert_eq!(verdict.is_ok(), good, "case {}", test["tcId"]);
            if good {
                assert_eq!(tag_of(&key, b"", &bytes(&test["msg"])), *bytes(&test["tag"]));
                accepted += 1;
            } else if supported {
                refused += 1;
            } else {
                truncated += 1;
            }
        }
    }
    assert_eq!((accepted, refused, truncated), (33, 54, 87));
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks_exact(2);
    pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
