//! What needs to reach inside: failures of the operating system.

use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::Path;

use cap_crypto::{MacKeyring, OsRandom, Purpose, SigningKeyring};

use super::*;
use crate::{MemoryRegistry, verify};

fn log(folder: &Path) -> AuditLog {
    let keys = Keys {
        mac: Arc::new(MacKeyring::ephemeral(Purpose::AuditMac, &OsRandom).unwrap()),
        signer: Arc::new(SigningKeyring::ephemeral(Purpose::AuditSign, &OsRandom).unwrap()),
    };
    let registry = Arc::new(MemoryRegistry::default());
    AuditLog::create(folder, "guard", keys, registry, &OsRandom, DateTime::UNIX_EPOCH).unwrap()
}

fn record() -> Record {
    Record::new(Kind::Ruling, "t", DateTime::UNIX_EPOCH)
}

fn device(path: &str) -> File {
    File::options().write(true).open(path).unwrap()
}

#[track_caller]
fn assert_broken(log: &AuditLog) {
    for durability in [Durability::Buffered, Durability::Written, Durability::Synced] {
        assert!(matches!(log.append(record(), durability), Err(AppendError::Broken(_))));
    }
    let now = DateTime::UNIX_EPOCH;
    assert!(matches!(log.flush(), Err(AppendError::Broken(_))));
    assert!(matches!(log.checkpoint(now), Err(AppendError::Broken(_))));
    assert!(matches!(log.register_head(now), Err(AppendError::Broken(_))));
    assert!(matches!(log.close(now), Err(AppendError::Broken(_))));
    assert_eq!(log.registry.entries().unwrap()[0].head.seq, 0);
}

#[test]
fn a_full_disk_ends_the_log_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = log(dir.path());
    let good = std::mem::replace(&mut log.file, device("/dev/full"));
    let error = log.append(record(), Durability::Written).unwrap_err();
    assert!(matches!(error, AppendError::Write { written: 0, .. }), "{error}");
    // Even when there is room again.
    log.file = good;
    assert_broken(&log);
    let report = verify(dir.path(), &*log.registry, &log.keys.verify_keys()).unwrap();
    assert_eq!((report.is_intact(), report.logs[0].records), (true, 1));
}

#[test]
fn a_failed_sync_ends_the_log_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = log(dir.path());
    // Takes every byte and cannot be synced.
    let good = std::mem::replace(&mut log.file, device("/dev/null"));
    let _receipt = log.append(record(), Durability::Written).unwrap();
    let error = log.append(record(), Durability::Synced).unwrap_err();
    assert!(matches!(error, AppendError::Sync(_)), "{error}");
    log.file = good;
    assert_broken(&log);
}

#[test]
fn a_buffered_record_that_cannot_be_written_ends_the_log_at_the_next_chance() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = log(dir.path());
    let good = std::mem::replace(&mut log.file, device("/dev/full"));
    let _receipt = log.append(record(), Durability::Buffered).unwrap();
    assert!(matches!(log.flush(), Err(AppendError::Write { .. })));
    log.file = good;
    assert_broken(&log);
}

#[test]
fn a_half_written_line_is_noted() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = log(dir.path());
    // A pipe takes 64 KiB, then its reader goes away.
    let (mut reader, writer) = io::pipe().unwrap();
    log.file = File::from(OwnedFd::from(writer));
    let away = std::thread::spawn(move || reader.read_exact(&mut [0]));
    let error = loop {
        let long = record().reason(&"\u{1}".repeat(1024));
        match log.append(long, Durability::Buffered) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    away.join().unwrap().unwrap();
    match &error {
        AppendError::Write { written, of, .. } => assert!(0 < *written && written < of, "{error}"),
        other => panic!("{other}"),
    }
    assert_broken(&log);
}

#[test]
fn an_append_does_not_wait_for_one_that_hangs() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path());
    let hanging = log.writer.lock();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| log.append(record(), Durability::Buffered));
        assert!(matches!(waiting.join().unwrap(), Err(AppendError::Busy)));
    });
    drop(hanging);
    let _receipt = log.append(record(), Durability::Written).unwrap();
}
