use super::*;
use crate::OsRandom;

const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn cheap() -> Argon2Cost {
    Argon2Cost::new(19 * 1024, 2, 1).unwrap()
}

fn bytes(text: &str) -> Vec<u8> {
    match MasterKey::from_text(text).unwrap().source {
        Source::Bytes(bytes) => bytes.to_vec(),
        Source::Passphrase { .. } => panic!("not a passphrase"),
    }
}

#[test]
fn a_master_key_is_read_in_every_form_that_openssl_writes() {
    let expected: Vec<u8> = (0..32).collect();
    assert_eq!(bytes(HEX), expected);
    assert_eq!(bytes(&HEX.to_uppercase()), expected);
    assert_eq!(bytes(&format!("  {HEX}\n")), expected);
    assert_eq!(bytes("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="), expected);
    assert_eq!(bytes("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"), expected);
    // Bytes that the two alphabets of base64 write differently.
    let standard = "+/8AAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0=";
    assert_eq!(bytes(standard), bytes(&standard.replace('+', "-").replace('/', "_")));
}

#[test]
fn what_is_no_master_key_or_no_random_one_is_refused() {
    let repeated = "00010203".repeat(8);
    for (text, malformed) in [
        ("", true),
        (HEX.trim_end_matches('f'), true),
        (HEX.trim_end_matches("1f"), true),
        (&format!("{HEX}00"), true),
        (&HEX.replace('f', "g"), true),
        ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8==", true),
        ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==", true),
        ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9", true),
        (&"00".repeat(32), false),
        (&"ff".repeat(32), false),
        (&repeated, false),
    ] {
        let refused = MasterKey::from_text(text).unwrap_err();
        assert_eq!(matches!(refused, MasterKeyError::Malformed), malformed, "{text}");
        assert_eq!(matches!(refused, MasterKeyError::Predictable), !malformed, "{text}");
    }
}

#[test]
fn short_and_uniform_passphrases_are_refused() {
    for weak in
        ["", "short", "elevenchars", "aaaaaaaaaaaaaaaaaaaa", "abcabcabcabcabc", "ababab \t\n"]
    {
        let refused = MasterKey::from_passphrase(weak, cheap()).unwrap_err();
        assert!(matches!(refused, MasterKeyError::Passphrase), "{weak:?}");
    }
    assert!(MasterKey::from_passphrase(&"correct ".repeat(129), cheap()).is_err());
    for strong in ["correct horse battery", "äöüßéèêñçå≠∂", "twelve chars"] {
        assert!(MasterKey::from_passphrase(strong, cheap()).is_ok(), "{strong}");
    }
}

#[test]
fn the_cost_of_a_guess_has_bounds() {
    for (memory, passes, lanes) in [
        (19 * 1024 - 1, 2, 1),
        (1024 * 1024 + 1, 2, 1),
        (64 * 1024, 1, 1),
        (64 * 1024, 17, 1),
        (64 * 1024, 3, 0),
        (64 * 1024, 3, 17),
    ] {
        assert!(Argon2Cost::new(memory, passes, lanes).is_err(), "{memory} {passes} {lanes}");
    }
    let Argon2Cost { memory_kib, passes, lanes } = Argon2Cost::default();
    assert_eq!(Argon2Cost::new(memory_kib, passes, lanes).unwrap(), Argon2Cost::default());
}

#[test]
fn argon2id_is_that_of_the_reference_implementation() {
    // argon2-cffi 25: hash_secret_raw(.., 2, 19456, 1, 32, Type.ID, 19).
    let kdf = Kdf::Argon2id {
        memory_kib: 19456,
        passes: 2,
        lanes: 1,
        salt: encoding::encode(b"0123456789abcdef"),
    };
    let key = argon2id("correct horse battery", &kdf).unwrap();
    assert_eq!(encoding::encode(key.as_slice()), "69I7qCjDTsQwhQqFvpQJiqEI0lGQvxC84fXE0Ktxca4");
}

#[test]
fn each_purpose_is_sealed_under_a_key_of_its_own() {
    let master = MasterKey::from_text(HEX).unwrap();
    let kdf = master.new_kdf(&OsRandom).unwrap();
    let keys: Vec<_> = [Purpose::TokenSign, Purpose::AuditSign, Purpose::CapabilityMac]
        .map(|purpose| master.derive(&kdf, purpose).unwrap().to_vec())
        .into();
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
    assert_ne!(keys[0], (0..32).collect::<Vec<u8>>());
}

#[test]
fn a_file_cannot_choose_a_cheap_or_an_endless_derivation() {
    let master = MasterKey::from_passphrase("correct horse battery", cheap()).unwrap();
    let salt = encoding::encode(&[7; 16]);
    let kdf = |memory_kib, passes, lanes, salt: &str| Kdf::Argon2id {
        memory_kib,
        passes,
        lanes,
        salt: salt.to_owned(),
    };
    for bad in [
        kdf(8, 1, 1, &salt),
        kdf(u32::MAX, 2, 1, &salt),
        kdf(19456, u32::MAX, 1, &salt),
        kdf(19456, 2, u32::MAX, &salt),
        kdf(19456, 2, 1, ""),
        kdf(19456, 2, 1, &encoding::encode(&[7; 15])),
        kdf(19456, 2, 1, "not base64url!"),
        Kdf::Direct {},
    ] {
        assert_eq!(master.derive(&bad, Purpose::TokenSign), Err(DeriveError::Refused), "{bad:?}");
    }
    let direct = MasterKey::from_text(HEX).unwrap();
    let refused = direct.derive(&kdf(19456, 2, 1, &salt), Purpose::TokenSign);
    assert_eq!(refused, Err(DeriveError::Refused));
}

#[test]
fn a_derived_key_is_kept_and_the_kept_ones_are_bounded() {
    let master = MasterKey::from_passphrase("correct horse battery", cheap()).unwrap();
    let kdf = master.new_kdf(&OsRandom).unwrap();
    assert_ne!(kdf, master.new_kdf(&OsRandom).unwrap());
    let key = master.derive(&kdf, Purpose::TokenSign).unwrap();
    assert_eq!(master.derived.lock().len(), 1);
    assert_eq!(master.derive(&kdf, Purpose::TokenSign).unwrap(), key);
    assert_ne!(master.derive(&kdf, Purpose::AuditSign).unwrap(), key);
    assert_eq!(master.derived.lock().len(), 1);
    for _ in 0..KEPT {
        let other = master.new_kdf(&OsRandom).unwrap();
        master.derive(&other, Purpose::TokenSign).unwrap();
    }
    assert_eq!(master.derived.lock().len(), KEPT);
}

#[cfg(unix)]
#[test]
fn a_master_key_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    std::fs::write(&path, format!("{HEX}\n")).unwrap();
    let mode = |mode| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for exposed in [0o644, 0o640, 0o604, 0o666] {
        mode(exposed);
        let refused = MasterKey::from_file(&path).unwrap_err();
        assert!(matches!(refused, MasterKeyError::File(KeyringError::Exposed { .. })));
    }
    for private in [0o600, 0o400] {
        mode(private);
        assert!(MasterKey::from_file(&path).is_ok());
    }
    mode(0o600);
    std::fs::write(&path, "x".repeat(5000)).unwrap();
    assert!(matches!(MasterKey::from_file(&path).unwrap_err(), MasterKeyError::Malformed));
    std::fs::write(&path, [0xff; 32]).unwrap();
    assert!(matches!(MasterKey::from_file(&path).unwrap_err(), MasterKeyError::Malformed));
    assert!(MasterKey::from_file(&folder.path().join("none")).is_err());
}

#[test]
fn debug_output_and_errors_show_no_secrets() {
    let key = MasterKey::from_text(HEX).unwrap();
    let passphrase = MasterKey::from_passphrase("correct horse battery", cheap()).unwrap();
    assert_eq!(format!("{key:?} {passphrase:?}"), "MasterKey(32 bytes) MasterKey(passphrase)");
    let refused = MasterKey::from_text("hunter2hunter2").unwrap_err();
    assert!(!format!("{refused} {refused:?}").contains("hunter2"));
}
