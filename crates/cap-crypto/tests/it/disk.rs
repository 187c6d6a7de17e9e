//! Keyrings in files: what is written, who may read it, and what happens to damaged ones.

use std::fs;
use std::path::{Path, PathBuf};

use cap_crypto::{
    KeyStatus, KeyringError, MacKeyring, OsRandom, Purpose, RandomError, SecureRandom,
    SigningKeyring, Unverified,
};
use chrono::{DateTime, Utc};
use tempfile::TempDir;

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

fn mac(folder: &Path) -> Result<MacKeyring, KeyringError> {
    MacKeyring::open_or_create(folder, Purpose::CapabilityMac, &OsRandom, NOW)
}

fn sign(folder: &Path) -> Result<SigningKeyring, KeyringError> {
    SigningKeyring::open_or_create(folder, Purpose::TokenSign, &OsRandom, NOW)
}

fn folder() -> (TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("state/keys");
    (root, folder)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[cfg(unix)]
fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_first_use_creates_a_key_and_the_second_finds_it() {
    let (_root, folder) = folder();
    let first = mac(&folder).unwrap();
    let proof = first.mac(b"message");
    let second = mac(&folder).unwrap();
    assert_eq!(first.active(), second.active());
    assert_eq!(second.verify(&proof, b"message"), Ok(()));
    assert_eq!(names(&folder), ["capability-mac.json", "capability-mac.lock"]);

    let first = sign(&folder).unwrap();
    let signature = first.sign(b"message").unwrap();
    let second = sign(&folder).unwrap();
    assert_eq!(second.active_key().verify(b"message", &signature.bytes), Ok(()));
    assert_eq!(first.verifying_keys(), second.verifying_keys());
}

#[cfg(unix)]
#[test]
fn folders_and_files_are_for_their_owner_alone() {
    let (root, folder) = folder();
    mac(&folder).unwrap();
    assert_eq!(mode(&root.path().join("state")), 0o700);
    assert_eq!(mode(&folder), 0o700);
    for name in names(&folder) {
        assert_eq!(mode(&folder.join(&name)), 0o600, "{name}");
    }
    mac(&folder).unwrap().rotate(&OsRandom, NOW).unwrap();
    assert_eq!(mode(&folder.join("capability-mac.json")), 0o600);
}

#[cfg(unix)]
#[test]
fn a_file_or_folder_that_others_may_open_is_refused_with_what_to_do() {
    let (_root, folder) = folder();
    let ring = mac(&folder).unwrap();
    let file = folder.join("capability-mac.json");
    for wrong in [0o640, 0o604, 0o620, 0o602, 0o610, 0o666, 0o777] {
        chmod(&file, wrong);
        for refused in [mac(&folder).unwrap_err(), ring.reload().unwrap_err()] {
            assert!(matches!(refused, KeyringError::Exposed { mode, .. } if mode == wrong));
            assert!(refused.to_string().ends_with(&format!("chmod 600 '{}'", file.display())));
        }
    }
    chmod(&file, 0o600);
    for wrong in [0o770, 0o720, 0o702, 0o1777] {
        chmod(&folder, wrong);
        let refused = mac(&folder).unwrap_err();
        assert!(matches!(refused, KeyringError::Exposed { mode, .. } if mode == wrong));
        assert!(refused.to_string().ends_with(&format!("chmod 700 '{}'", folder.display())));
    }
    chmod(&folder, 0o755);
    chmod(&file, 0o400);
    assert_eq!(mac(&folder).unwrap().active(), ring.active());
}

#[test]
fn a_damaged_file_is_an_error_that_names_it_and_is_never_replaced() {
    let (_root, folder) = folder();
    let ring = mac(&folder).unwrap();
    let active = ring.active();
    let file = folder.join("capability-mac.json");
    let good = fs::read_to_string(&file).unwrap();
    let replaced = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replace(from, to)
    };
    let key = good.split_once("\"keys\": [").unwrap().1.rsplit_once(']').unwrap().0;
    let damaged = [
        String::new(),
        "\0".repeat(100),
        "{}".to_owned(),
        "null".to_owned(),
        format!("{good}x"),
        format!("{good}{good}"),
        replaced("\"version\": 2", "\"version\": 3"),
        replaced("\"version\": 2", "\"version\": 1"),
        replaced("\"version\": 2", "\"version\": 0"),
        replaced("\"changes\": 1", "\"changes\": -1"),
        replaced("\"active\"", "\"pending\""),
        replaced("\"active\"", "\"compromised\""),
        replaced("\"version\": 2", "\"version\": 2, \"version\": 2"),
        replaced("\"version\": 2", "\"version\": 2, \"note\": \"\""),
        replaced("\"status\"", "\"note\": 1, \"status\""),
        replaced("\"secret\": \"", "\"secret\": \"A"),
        replaced("\"secret\": \"", "\"secret\": \"="),
        replaced("\"secret\"", "\"public\": {}, \"secret\""),
        replaced("\"secret\"", "\"public\": null, \"secrets\""),
        replaced("\"active\"", "\"retiring\""),
        replaced("\"active\"", "\"retired\""),
        replaced("\"active\"", "\"sleeping\""),
        replaced("HS256", "EdDSA"),
        replaced("HS256", "none"),
        replaced("\"purpose\": \"capability-mac\"", "\"purpose\": \"audit-mac\""),
        replaced("\"purpose\": \"capability-mac\"", "\"purpose\": \"token-sign\""),
        replaced(active.as_str(), "../x"),
        replaced(key, ""),
        replaced(key, &format!("{key},{key}")),
        replaced(key, &format!("{key},{}", key.replace("\"active\"", "\"retiring\""))),
        replaced(key, &format!("{key},{}", key.replace(active.as_str(), "other"))),
        replaced(
            key,
            &format!(
                "{key},{}",
                key.replace(active.as_str(), "b").replace("\"active\"", "\"retired\"")
            ),
        ),
    ];
    let truncated = (1..good.trim_end().len()).step_by(7).map(|length| good[..length].to_owned());
    let secret = good.split_once("\"secret\": \"").unwrap().1[..43].to_owned();
    for content in damaged.into_iter().chain(truncated) {
        fs::write(&file, &content).unwrap();
        for refused in [mac(&folder).unwrap_err(), ring.reload().unwrap_err()] {
            assert!(
                matches!(&refused, KeyringError::Corrupt { path, .. } if *path == file),
                "{content}"
            );
            let message = format!("{refused} {refused:?}");
            assert!(message.contains("capability-mac.json"));
            assert!(!message.contains(&secret), "{message}");
        }
        assert!(ring.rotate(&OsRandom, NOW).is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), content);
        assert_eq!(ring.active(), active);
    }
    fs::write(&file, &good).unwrap();
    assert!(!ring.reload().unwrap());
    assert_eq!(mac(&folder).unwrap().active(), active);
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let (_root, folder) = folder();
    mac(&folder).unwrap();
    fs::write(folder.join("capability-mac.json"), " ".repeat((1 << 20) + 1)).unwrap();
    assert!(matches!(mac(&folder).unwrap_err(), KeyringError::Corrupt { .. }));
}

#[test]
fn the_file_of_one_purpose_does_not_serve_another() {
    let (_root, folder) = folder();
    mac(&folder).unwrap();
    fs::copy(folder.join("capability-mac.json"), folder.join("audit-mac.json")).unwrap();
    let refused =
        MacKeyring::open_or_create(&folder, Purpose::AuditMac, &OsRandom, NOW).unwrap_err();
    assert!(refused.to_string().contains("its keys are for `capability-mac`, not for `audit-mac`"));
    sign(&folder).unwrap();
    fs::copy(folder.join("token-sign.json"), folder.join("audit-sign.json")).unwrap();
    assert!(SigningKeyring::open(&folder, Purpose::AuditSign).is_err());
    let refused = MacKeyring::open(&folder, Purpose::TokenSign).unwrap_err();
    assert!(matches!(refused, KeyringError::WrongKind(Purpose::TokenSign)));
}

#[cfg(unix)]
#[test]
fn symlinks_folders_and_pipes_in_the_place_of_the_file_are_refused() {
    let (root, folder) = folder();
    mac(&folder).unwrap();
    let file = folder.join("capability-mac.json");
    let elsewhere = root.path().join("elsewhere.json");
    fs::rename(&file, &elsewhere).unwrap();

    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    assert!(matches!(mac(&folder).unwrap_err(), KeyringError::NotAFile(path) if path == file));
    fs::remove_file(&file).unwrap();

    std::os::unix::fs::symlink(root.path().join("nowhere"), &file).unwrap();
    assert!(matches!(mac(&folder).unwrap_err(), KeyringError::NotAFile(path) if path == file));
    fs::remove_file(&file).unwrap();

    fs::create_dir(&file).unwrap();
    assert!(matches!(mac(&folder).unwrap_err(), KeyringError::NotAFile(path) if path == file));
    fs::remove_dir(&file).unwrap();

    rustix::fs::mkfifoat(rustix::fs::CWD, &file, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    assert!(matches!(mac(&folder).unwrap_err(), KeyringError::NotAFile(path) if path == file));
}

#[test]
fn a_file_where_the_folder_should_be_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("keys");
    fs::write(&path, "").unwrap();
    assert!(
        matches!(mac(&path).unwrap_err(), KeyringError::Io { path: named, .. } if named == path)
    );
}

#[test]
fn open_creates_nothing() {
    let (root, folder) = folder();
    assert!(MacKeyring::open(&folder, Purpose::AuditMac).is_err());
    assert!(SigningKeyring::open(&folder, Purpose::AuditSign).is_err());
    assert!(names(root.path()).is_empty());
    mac(&folder).unwrap();
    assert!(MacKeyring::open(&folder, Purpose::AuditMac).is_err());
    assert!(MacKeyring::open(&folder, Purpose::CapabilityMac).is_ok());
}

#[test]
fn a_keyring_that_has_gone_is_an_error_not_a_new_one() {
    let (_root, folder) = folder();
    let ring = mac(&folder).unwrap();
    fs::remove_file(folder.join("capability-mac.json")).unwrap();
    assert!(matches!(ring.reload().unwrap_err(), KeyringError::Io { .. }));
    assert!(matches!(ring.rotate(&OsRandom, NOW).unwrap_err(), KeyringError::Io { .. }));
    assert_eq!(names(&folder), ["capability-mac.lock"]);
}

#[test]
fn rotation_and_retirement_reach_the_other_openers_when_they_reload() {
    let (_root, folder) = folder();
    let ours = mac(&folder).unwrap();
    let theirs = mac(&folder).unwrap();
    let old = ours.mac(b"message");
    let file = folder.join("capability-mac.json");
    let secret = secrets(&file).remove(0);

    let later = NOW + chrono::TimeDelta::days(1);
    let new = theirs.rotate(&OsRandom, later).unwrap();
    assert_eq!(ours.verify(&theirs.mac(b"message"), b"message"), Err(Unverified));
    assert!(ours.reload().unwrap());
    assert!(!ours.reload().unwrap());
    assert_eq!(ours.active(), new);
    assert_eq!(ours.verify(&theirs.mac(b"message"), b"message"), Ok(()));
    assert_eq!(ours.verify(&old, b"message"), Ok(()));
    assert_eq!(ours.keys().last().map(|key| key.created), Some(later));
    assert!(secrets(&file).contains(&secret));

    theirs.retire(&old.key).unwrap();
    assert!(!fs::read_to_string(&file).unwrap().contains(&secret));
    assert!(ours.reload().unwrap());
    assert_eq!(ours.verify(&old, b"message"), Err(Unverified));
    assert_eq!(ours.keys()[0].status, KeyStatus::Retired);
}

#[test]
fn a_rotation_starts_from_the_file_and_loses_nobody_elses() {
    let (_root, folder) = folder();
    let ours = mac(&folder).unwrap();
    let theirs = mac(&folder).unwrap();
    let proof = theirs.mac(b"message");
    theirs.rotate(&OsRandom, NOW).unwrap();
    let newer = theirs.mac(b"message");
    ours.rotate(&OsRandom, NOW).unwrap();
    assert_eq!(ours.keys().len(), 3);
    for mac in [proof, newer] {
        assert_eq!(ours.verify(&mac, b"message"), Ok(()));
    }
}

#[test]
fn a_rotated_signing_key_leaves_no_secret_in_the_file() {
    let (_root, folder) = folder();
    let ring = sign(&folder).unwrap();
    let file = folder.join("token-sign.json");
    let secret = secrets(&file).remove(0);
    let old = ring.sign(b"message").unwrap();
    ring.import_rsa(include_bytes!("../fixtures/rsa-2048.pem"), NOW).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains(&secret));
    assert_eq!(secrets(&file).len(), 1);

    let again = SigningKeyring::open(&folder, Purpose::TokenSign).unwrap();
    assert_eq!(again.active(), ring.active());
    assert_eq!(again.verifying_keys(), ring.verifying_keys());
    assert_eq!(again.verifying_keys()[1].verify(b"message", &old.bytes), Ok(()));
    assert_eq!(again.sign(b"message"), ring.sign(b"message"));
}

#[test]
fn what_a_crash_left_behind_does_not_disturb_and_goes_away() {
    let (_root, folder) = folder();
    let ring = mac(&folder).unwrap();
    fs::write(folder.join("capability-mac.json.new"), "half a file with a secret").unwrap();
    assert_eq!(mac(&folder).unwrap().active(), ring.active());
    ring.rotate(&OsRandom, NOW).unwrap();
    assert_eq!(names(&folder), ["capability-mac.json", "capability-mac.lock"]);

    fs::remove_file(folder.join("capability-mac.json")).unwrap();
    fs::write(folder.join("capability-mac.json.new"), "half a file with a secret").unwrap();
    mac(&folder).unwrap();
    assert_eq!(names(&folder), ["capability-mac.json", "capability-mac.lock"]);
}

#[test]
fn a_broken_random_source_leaves_the_files_as_they_were() {
    #[derive(Debug)]
    struct Broken;
    impl SecureRandom for Broken {
        fn fill(&self, _: &mut [u8]) -> Result<(), RandomError> {
            Err(RandomError)
        }
    }
    let (_root, folder) = folder();
    let refused = MacKeyring::open_or_create(&folder, Purpose::CapabilityMac, &Broken, NOW);
    assert!(matches!(refused.unwrap_err(), KeyringError::Random(RandomError)));
    assert_eq!(names(&folder), ["capability-mac.lock"]);

    let ring = mac(&folder).unwrap();
    let before = fs::read(folder.join("capability-mac.json")).unwrap();
    assert!(ring.rotate(&Broken, NOW).is_err());
    assert_eq!(fs::read(folder.join("capability-mac.json")).unwrap(), before);
}

fn secrets(file: &Path) -> Vec<String> {
    let content: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let keys = content["keys"].as_array().unwrap();
    keys.iter().filter_map(|key| Some(key.get("secret")?.as_str()?.to_owned())).collect()
}
