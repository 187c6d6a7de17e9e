//! Sealed keyrings, and files of before there were sealed ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_crypto::{
    Algorithm, Argon2Cost, Backend, KeyStatus, KeyStore, KeyringError, MacKeyring, MasterKey,
    OsRandom, Purpose, RandomError, SecureRandom, SigningKey, SigningKeyring,
};
use chrono::{DateTime, Utc};
use tempfile::TempDir;

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;
const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const OTHER: &str = "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f";

fn folder() -> (TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("keys");
    (root, folder)
}

fn sealed(folder: &Path, hex: &str) -> KeyStore {
    let master = MasterKey::from_text(hex).unwrap();
    KeyStore::new(folder).sealed_with(Arc::new(master), Arc::new(OsRandom))
}

fn sign(store: impl Into<KeyStore>) -> Result<SigningKeyring, KeyringError> {
    SigningKeyring::open_or_create(store, Purpose::TokenSign, &OsRandom, NOW)
}

#[test]
fn a_sealed_keyring_works_as_a_plain_one_and_shows_nothing() {
    let (_root, folder) = folder();
    let store = sealed(&folder, HEX);
    let ring = sign(&store).unwrap();
    let signature = ring.sign(b"message").unwrap();
    ring.rotate(&OsRandom, NOW).unwrap();
    let again = SigningKeyring::open(&store, Purpose::TokenSign).unwrap();
    assert_eq!(again.verifying_keys(), ring.verifying_keys());
    let old = again.verifying_keys().into_iter().find(|key| *key.id() == signature.key).unwrap();
    assert_eq!(old.verify(b"message", &signature.bytes), Ok(()));
    again.retire(&signature.key).unwrap();
    assert!(ring.reload().unwrap());
    assert_eq!(ring.keys()[0].status, KeyStatus::Retired);

    let mac = MacKeyring::open_or_create(&store, Purpose::AuditMac, &OsRandom, NOW).unwrap();
    let tag = mac.mac(b"message");
    let again = MacKeyring::open(&store, Purpose::AuditMac).unwrap();
    assert_eq!(again.verify(&tag, b"message"), Ok(()));

    for (name, id) in [("token-sign.json", ring.active()), ("audit-mac.json", mac.active())] {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        assert!(text.starts_with("{\"sealed\":"), "{text}");
        for hidden in [id.as_str(), "EdDSA", "secret", "active", HEX] {
            assert!(!text.contains(hidden), "{hidden}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_sealed_file_is_for_its_owner_alone_as_well() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_root, folder) = folder();
    let store = sealed(&folder, HEX);
    sign(&store).unwrap().rotate(&OsRandom, NOW).unwrap();
    let file = folder.join("token-sign.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(sign(&store).unwrap_err(), KeyringError::Exposed { .. }));
}

#[test]
fn a_passphrase_seals_too() {
    let (_root, folder) = folder();
    let store = |text: &str| {
        let cost = Argon2Cost::new(19 * 1024, 2, 1).unwrap();
        let master = Arc::new(MasterKey::from_passphrase(text, cost).unwrap());
        KeyStore::new(&folder).sealed_with(master, Arc::new(OsRandom))
    };
    let ring = sign(store("correct horse battery")).unwrap();
    ring.rotate(&OsRandom, NOW).unwrap();
    let again = sign(store("correct horse battery")).unwrap();
    assert_eq!(again.active(), ring.active());
    let refused = sign(store("correct horse batterz")).unwrap_err();
    assert!(matches!(refused, KeyringError::SealBroken(_)));
}

#[test]
fn a_wrong_key_and_a_changed_byte_are_one_error_and_replace_nothing() {
    let (_root, folder) = folder();
    let store = sealed(&folder, HEX);
    let ring = sign(&store).unwrap();
    let file = folder.join("token-sign.json");
    let good = fs::read(&file).unwrap();
    let refused = |store: &KeyStore| {
        let (created, opened) = (sign(store), SigningKeyring::open(store, Purpose::TokenSign));
        let messages = [created.unwrap_err(), opened.unwrap_err()].map(|error| {
            assert!(matches!(&error, KeyringError::SealBroken(path) if *path == file), "{error}");
            error.to_string()
        });
        assert_eq!(messages[0], messages[1]);
        messages[0].clone()
    };
    let message = refused(&sealed(&folder, OTHER));
    assert!(message.contains("token-sign.json") && message.contains("master key"), "{message}");
    for at in (0..good.len()).chain([0, 1, good.len() - 1]) {
        let mut changed = good.clone();
        changed[at] ^= 1;
        fs::write(&file, &changed).unwrap();
        assert_eq!(refused(&store), message, "byte {at}");
        assert!(matches!(ring.reload().unwrap_err(), KeyringError::SealBroken(_)));
        assert!(matches!(ring.rotate(&OsRandom, NOW).unwrap_err(), KeyringError::SealBroken(_)));
        assert_eq!(fs::read(&file).unwrap(), changed);
    }
    fs::write(&file, &good).unwrap();
    assert_eq!(sign(&store).unwrap().active(), ring.active());
}

#[test]
fn sealed_without_a_key_and_plain_with_one_say_what_to_do() {
    let (_root, folder) = folder();
    let file = folder.join("token-sign.json");
    let plain = sign(&folder).unwrap();
    let store = sealed(&folder, HEX);
    let refused = sign(&store).unwrap_err();
    assert!(matches!(&refused, KeyringError::NotSealed(path) if *path == file));
    assert!(refused.to_string().contains("seal it"), "{refused}");

    store.seal(Purpose::TokenSign).unwrap();
    let opened = sign(&store).unwrap();
    assert_eq!(opened.active(), plain.active());
    assert_eq!(opened.sign(b"message"), plain.sign(b"message"));
    let bytes = fs::read(&file).unwrap();
    store.seal(Purpose::TokenSign).unwrap();
    assert_eq!(fs::read(&file).unwrap(), bytes);

    for refused in [
        sign(&folder).unwrap_err(),
        plain.reload().unwrap_err(),
        plain.rotate(&OsRandom, NOW).unwrap_err(),
    ] {
        assert!(matches!(&refused, KeyringError::Sealed(path) if *path == file));
        assert!(refused.to_string().contains("master key"), "{refused}");
    }
    let refused = sealed(&folder, OTHER).seal(Purpose::TokenSign).unwrap_err();
    assert!(matches!(refused, KeyringError::SealBroken(_)));
    let refused = KeyStore::new(&folder).seal(Purpose::TokenSign).unwrap_err();
    assert!(matches!(refused, KeyringError::NoMasterKey));
    assert!(store.seal(Purpose::AuditSign).is_err());
    assert_eq!(fs::read(&file).unwrap(), bytes);
}

#[test]
fn a_damaged_plain_file_is_not_sealed() {
    let (_root, folder) = folder();
    sign(&folder).unwrap();
    let file = folder.join("token-sign.json");
    fs::write(&file, "{").unwrap();
    let refused = sealed(&folder, HEX).seal(Purpose::TokenSign).unwrap_err();
    assert!(matches!(refused, KeyringError::Corrupt { .. }));
    assert_eq!(fs::read_to_string(&file).unwrap(), "{");
}

#[test]
fn a_broken_random_source_seals_nothing() {
    #[derive(Debug)]
    struct Broken;
    impl SecureRandom for Broken {
        fn fill(&self, _: &mut [u8]) -> Result<(), RandomError> {
            Err(RandomError)
        }
    }
    let (_root, folder) = folder();
    sign(&folder).unwrap();
    let file = folder.join("token-sign.json");
    let before = fs::read(&file).unwrap();
    let master = Arc::new(MasterKey::from_text(HEX).unwrap());
    let store = KeyStore::new(&folder).sealed_with(master, Arc::new(Broken));
    assert!(matches!(store.seal(Purpose::TokenSign).unwrap_err(), KeyringError::Random(_)));
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn keys_of_every_algorithm_come_back_from_the_file() {
    let (_root, folder) = folder();
    let pem: &[u8] = include_bytes!("../fixtures/rsa-2048.pem");
    let store = sealed(&folder, HEX);
    let first = || Ok(SigningKey::generate(Algorithm::Es256, Backend::default(), &OsRandom)?);
    let ring = SigningKeyring::open_or_create_with(&store, Purpose::TokenSign, first, NOW).unwrap();
    assert_eq!(ring.active_key().algorithm(), Algorithm::Es256);
    ring.rotate(&OsRandom, NOW).unwrap();
    assert_eq!(ring.active_key().algorithm(), Algorithm::Es256);
    let rsa = ring.import_pending(&SigningKey::from_pkcs8(pem).unwrap(), NOW).unwrap();
    for &backend in Backend::ALL {
        let again = SigningKeyring::open(&store, Purpose::TokenSign).unwrap();
        let again = again.with_backend(backend).unwrap();
        assert_eq!(again.keys(), ring.keys());
        assert_eq!(again.verifying_keys(), ring.verifying_keys());
        assert!(again.verifying_keys().iter().all(|key| key.backend() == backend));
        assert_eq!(again.signer().key().backend(), backend);
        let signature = again.sign(b"message").unwrap();
        assert_eq!(ring.active_key().verify(b"message", &signature.bytes), Ok(()));
    }
    assert_eq!(ring.rotate(&OsRandom, NOW).unwrap(), rsa);
    let again = SigningKeyring::open(&store, Purpose::TokenSign).unwrap();
    assert_eq!(again.sign(b"message"), ring.sign(b"message"));
}

#[test]
fn audit_keyrings_take_ed25519_only() {
    let es256 = SigningKey::generate(Algorithm::Es256, Backend::default(), &OsRandom).unwrap();
    let refused = SigningKeyring::ephemeral_with(Purpose::AuditSign, &es256, NOW).unwrap_err();
    assert!(matches!(refused, KeyringError::WrongKind(Purpose::AuditSign)));
    let ring = SigningKeyring::ephemeral(Purpose::AuditSign, &OsRandom).unwrap();
    for refused in [ring.import(&es256, NOW), ring.import_pending(&es256, NOW)] {
        assert!(matches!(refused.unwrap_err(), KeyringError::WrongKind(Purpose::AuditSign)));
    }
}

/// As version 1 wrote it: an Ed25519 seed of 01 02 … 20 active, one key retiring, one retired.
const VERSION_1: &str = r#"{
  "version": 1,
  "purpose": "token-sign",
  "keys": [
    {
      "id": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
      "algorithm": "RS256",
      "status": "retired",
      "created": "2025-01-01T00:00:00Z"
    },
    {
      "id": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
      "algorithm": "EdDSA",
      "status": "retiring",
      "created": "2025-01-02T03:04:05.678Z",
      "public": { "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }
    },
    {
      "id": "@ID@",
      "algorithm": "EdDSA",
      "status": "active",
      "created": "2025-02-02T00:00:00Z",
      "public": { "x": "ebVWLo_mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmQ" },
      "secret": "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA"
    }
  ]
}
"#;

#[cfg(unix)]
fn version_1(folder: &Path) -> PathBuf {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    fs::DirBuilder::new().mode(0o700).create(folder).unwrap();
    let seed: [u8; 32] = std::array::from_fn(|at| u8::try_from(at + 1).unwrap());
    let key = SigningKey::from_ed25519_seed(&seed).unwrap();
    let id = cap_crypto::Signer::key(&key).id().to_string();
    let file = folder.join("token-sign.json");
    fs::write(&file, VERSION_1.replace("@ID@", &id)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file
}

#[cfg(unix)]
#[test]
fn a_file_of_version_1_loads_rotates_and_gives_its_retiring_key_the_whole_overlap() {
    let (_root, folder) = folder();
    let file = version_1(&folder);
    let before = fs::read(&file).unwrap();
    let ring = SigningKeyring::open(&folder, Purpose::TokenSign).unwrap();
    assert_eq!(fs::read(&file).unwrap(), before);
    assert_eq!(ring.verifying_keys().len(), 2);
    let old = ring.sign(b"message").unwrap();
    assert_eq!(ring.active_key().verify(b"message", &old.bytes), Ok(()));

    // Long after both: one step starts the clock of the retiring key and announces a new one.
    let now = "2025-12-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap();
    assert!(ring.tick(&OsRandom, now).unwrap());
    let statuses =
        |ring: &SigningKeyring| -> Vec<_> { ring.keys().iter().map(|key| key.status).collect() };
    let expected = [KeyStatus::Retired, KeyStatus::Retiring, KeyStatus::Active, KeyStatus::Pending];
    assert_eq!(statuses(&ring), expected);
    let overlap = ring.policy().overlap();
    let ended = now + overlap + ring.policy().announcement();
    assert_eq!(ring.keys()[1].until, Some(ended));
    assert!(fs::read_to_string(&file).unwrap().starts_with("{\n  \"version\": 2,"));
    assert_eq!(ring.sign(b"message").unwrap(), old);

    assert!(ring.tick(&OsRandom, now + ring.policy().announcement()).unwrap());
    assert!(ring.tick(&OsRandom, ended).unwrap());
    let again = SigningKeyring::open(&folder, Purpose::TokenSign).unwrap();
    let expected = [KeyStatus::Retired, KeyStatus::Retired, KeyStatus::Retiring, KeyStatus::Active];
    assert_eq!(statuses(&again), expected);
    assert!(!fs::read_to_string(&file).unwrap().contains("AQIDBAUG"));
}

#[cfg(unix)]
#[test]
fn members_of_version_2_in_a_file_of_version_1_are_refused() {
    let (_root, folder) = folder();
    let file = version_1(&folder);
    let good = fs::read_to_string(&file).unwrap();
    for (from, to) in [
        ("\"purpose\"", "\"changes\": 3, \"purpose\""),
        ("\"created\"", "\"since\": \"2025-01-01T00:00:00Z\", \"created\""),
        ("\"created\"", "\"until\": \"2025-01-01T00:00:00Z\", \"created\""),
        ("\"retired\"", "\"compromised\""),
    ] {
        fs::write(&file, good.replacen(from, to, 1)).unwrap();
        let refused = SigningKeyring::open(&folder, Purpose::TokenSign).unwrap_err();
        assert!(matches!(refused, KeyringError::Corrupt { .. }), "{to}");
    }
    fs::write(&file, good).unwrap();
    assert!(SigningKeyring::open(&folder, Purpose::TokenSign).is_ok());
}
