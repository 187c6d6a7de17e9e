//! What happens when something other than a keyring touches its file.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::{MacKeyring, OsRandom};

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

fn opened(folder: &std::path::Path) -> MacKeyring {
    MacKeyring::open_or_create(folder, Purpose::AuditMac, &OsRandom, NOW).unwrap()
}

#[test]
fn a_change_that_started_from_an_older_file_is_refused_and_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let ours = opened(folder.path());
    ours.rotate(&OsRandom, NOW).unwrap();
    let file = folder.path().join("audit-mac.json");
    // A writer that does not honour the lock: it puts another newer file there meanwhile.
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("audit-mac.json");
    fs::copy(&file, &copy).unwrap();
    let theirs = opened(elsewhere.path());
    theirs.rotate(&OsRandom, NOW).unwrap();

    let attempts = AtomicUsize::new(0);
    let seen = ours.keyring().change(|document| {
        if attempts.fetch_add(1, Ordering::Relaxed) == 0 {
            fs::copy(&copy, &file).unwrap();
        }
        document.leave_all_retiring();
        Ok(document.records().len())
    });
    assert_eq!(seen.unwrap(), 3);
    assert_eq!(attempts.load(Ordering::Relaxed), 2);
    assert_eq!(ours.active(), theirs.active());
    let statuses: Vec<_> = ours.keys().iter().map(|key| key.status).collect();
    assert_eq!(statuses, [KeyStatus::Retired, KeyStatus::Retired, KeyStatus::Active]);
    assert!(!folder.path().join("audit-mac.json.new").exists());
}

#[test]
fn a_file_that_never_stops_changing_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let ring = opened(folder.path());
    ring.rotate(&OsRandom, NOW).unwrap();
    let file = folder.path().join("audit-mac.json");
    let before = ring.keys();
    let attempts = AtomicUsize::new(0);
    let refused = ring.keyring().change(|document| {
        let spaces = " ".repeat(attempts.fetch_add(1, Ordering::Relaxed) + 1);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{text}{spaces}")).unwrap();
        document.leave_all_retiring();
        Ok(())
    });
    assert!(matches!(refused.unwrap_err(), KeyringError::Changed(path) if path == file));
    assert_eq!(attempts.load(Ordering::Relaxed), ATTEMPTS);
    assert_eq!(ring.keys(), before);
    assert!(!folder.path().join("audit-mac.json.new").exists());
}

#[test]
fn a_change_that_changes_nothing_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ring = opened(folder.path());
    let old = ring.active();
    ring.rotate(&OsRandom, NOW).unwrap();
    ring.retire(&old).unwrap();
    let file = folder.path().join("audit-mac.json");
    let before = (fs::read(&file).unwrap(), inode(&file));
    let generation = ring.keyring().state().generation;
    ring.retire(&old).unwrap();
    assert_eq!(before, (fs::read(&file).unwrap(), inode(&file)));
    assert_eq!(ring.keyring().state().generation, generation);
}

/// Each write puts another file there.
#[cfg(unix)]
fn inode(file: &std::path::Path) -> u64 {
    std::os::unix::fs::MetadataExt::ino(&fs::metadata(file).unwrap())
}

#[cfg(not(unix))]
fn inode(_: &std::path::Path) -> u64 {
    0
}

#[test]
fn a_fork_with_a_higher_number_does_not_bring_back_a_retired_key() {
    let folder = tempfile::tempdir().unwrap();
    let ring = opened(folder.path());
    let file = folder.path().join("audit-mac.json");
    let mac = ring.mac(b"message");
    ring.rotate(&OsRandom, NOW).unwrap();
    let backup = fs::read(&file).unwrap();
    ring.retire(&mac.key).unwrap();
    let newest = fs::read(&file).unwrap();
    // The backup is put back, and others work with it.
    fs::write(&file, &backup).unwrap();
    let theirs = opened(folder.path());
    for _ in 0..5 {
        theirs.rotate(&OsRandom, NOW).unwrap();
    }
    let fork = fs::read(&file).unwrap();
    assert!(theirs.verify(&mac, b"message").is_ok());
    for refused in
        [ring.reload().map(drop).unwrap_err(), ring.rotate(&OsRandom, NOW).map(drop).unwrap_err()]
    {
        assert!(matches!(refused, KeyringError::RolledBack(path) if path == file));
    }
    assert!(ring.verify(&mac, b"message").is_err());
    assert_eq!(fs::read(&file).unwrap(), fork);
    fs::write(&file, &newest).unwrap();
    assert!(!ring.reload().unwrap());
}

#[test]
fn a_file_may_not_forget_that_a_key_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let ring = opened(folder.path());
    let old = ring.active();
    ring.rotate(&OsRandom, NOW).unwrap();
    let with = |status: KeyStatus| {
        let mut document = ring.keyring().state().document().clone();
        document.records_mut().filter(|record| record.id == old).for_each(|record| {
            if status.is_alive() { record.status = status } else { record.leave(status, None) }
        });
        document
    };
    let may = |from, to| {
        let mut next = with(to);
        next.count_change();
        with(from).may_become(&next)
    };
    use KeyStatus::{Compromised, Retired, Retiring};
    for (from, to, expected) in [
        (Retiring, Retired, true),
        (Retiring, Compromised, true),
        (Retired, Retired, true),
        (Retired, Compromised, true),
        (Compromised, Compromised, true),
        (Retired, Retiring, false),
        (Compromised, Retiring, false),
        (Compromised, Retired, false),
    ] {
        assert_eq!(may(from, to), expected, "{from:?} to {to:?}");
    }
}

#[test]
fn a_lock_that_somebody_holds_is_not_waited_for_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let ring = opened(folder.path());
    let held = fs::File::options().write(true).open(folder.path().join("audit-mac.lock")).unwrap();
    held.lock().unwrap();
    let before = ring.keys();
    assert!(matches!(ring.rotate(&OsRandom, NOW).unwrap_err(), KeyringError::Busy(_)));
    assert_eq!(ring.keys(), before);
    held.unlock().unwrap();
    ring.rotate(&OsRandom, NOW).unwrap();
}

#[test]
fn an_older_file_does_not_bring_back_a_retired_key() {
    let folder = tempfile::tempdir().unwrap();
    let ring = opened(folder.path());
    let file = folder.path().join("audit-mac.json");
    let mac = ring.mac(b"message");
    ring.rotate(&OsRandom, NOW).unwrap();
    let older = fs::read(&file).unwrap();
    ring.retire(&mac.key).unwrap();
    let newest = fs::read(&file).unwrap();
    fs::write(&file, &older).unwrap();
    for refused in [
        ring.reload().map(drop).unwrap_err(),
        ring.rotate(&OsRandom, NOW).map(drop).unwrap_err(),
        ring.retire(&mac.key).unwrap_err(),
    ] {
        assert!(matches!(refused, KeyringError::RolledBack(path) if path == file));
    }
    assert!(ring.verify(&mac, b"message").is_err());
    assert_eq!(fs::read(&file).unwrap(), older);
    fs::write(&file, &newest).unwrap();
    assert!(!ring.reload().unwrap());
    ring.rotate(&OsRandom, NOW).unwrap();
}

impl Document {
    fn leave_all_retiring(&mut self) {
        for record in self.records_mut().filter(|record| record.status == KeyStatus::Retiring) {
            record.leave(KeyStatus::Retired, None);
        }
    }
}

impl MacKeyring {
    fn keyring(&self) -> &Keyring<crate::mac::HmacSha256> {
        &self.0
    }
}
