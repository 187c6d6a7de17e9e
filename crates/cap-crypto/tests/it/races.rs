//! Many threads and processes at once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::thread;

use cap_crypto::{MacKeyring, OsRandom, Purpose, SigningKeyring};
use chrono::{DateTime, Utc};

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;
const FOLDER: &str = "CAP_CRYPTO_TEST_FOLDER";

fn open(folder: &Path) -> MacKeyring {
    MacKeyring::open_or_create(folder, Purpose::AuditMac, &OsRandom, NOW).unwrap()
}

#[test]
fn threads_that_create_at_once_end_with_one_key() {
    for _ in 0..20 {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b");
        let start = Barrier::new(16);
        let keys: BTreeSet<_> = thread::scope(|scope| {
            let opened: Vec<_> = (0..16)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        let ring = open(&folder);
                        (ring.active(), ring.mac(b"same").tag)
                    })
                })
                .collect();
            opened.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(keys.len(), 1);
        assert_eq!(open(&folder).keys().len(), 1);
    }
}

#[test]
fn rotations_at_once_all_take_place() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("keys");
    let first = open(&folder).mac(b"message");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let ring = open(&folder);
                for _ in 0..5 {
                    ring.rotate(&OsRandom, NOW).unwrap();
                    ring.reload().unwrap();
                }
            });
        }
        scope.spawn(|| {
            // A reader sees whole files only, and always one active key.
            let ring = open(&folder);
            for _ in 0..200 {
                ring.reload().unwrap();
                ring.verify(&first, b"message").unwrap();
            }
        });
    });
    let ring = open(&folder);
    assert_eq!(ring.keys().len(), 41);
    assert_eq!(ring.verify(&first, b"message"), Ok(()));
}

/// One process's part of the race, in the folder that the other test names, else in its own.
#[test]
fn a_process_creates_or_finds_the_keys_and_says_which() {
    let own = tempfile::tempdir().unwrap();
    let folder = std::env::var_os(FOLDER).map_or_else(|| own.path().join("keys"), PathBuf::from);
    let mac = open(&folder);
    let sign = SigningKeyring::open_or_create(&folder, Purpose::AuditSign, &OsRandom, NOW).unwrap();
    assert_eq!(open(&folder).active(), mac.active());
    println!("keys={} {}", mac.active(), sign.active());
}

#[test]
fn processes_that_create_at_once_end_with_one_key() {
    for _ in 0..3 {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("keys");
        let children: Vec<_> = (0..12).map(|_| child(&folder)).collect();
        let mut seen = BTreeSet::new();
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success());
            let text = String::from_utf8(output.stdout).unwrap();
            let keys = text.lines().find_map(|line| line.split_once("keys=")).unwrap().1;
            seen.insert(keys.to_owned());
        }
        assert_eq!(seen.len(), 1, "{seen:?}");
    }
}

fn child(folder: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "races::a_process_creates_or_finds_the_keys_and_says_which",
            "--exact",
            "--nocapture",
        ])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
