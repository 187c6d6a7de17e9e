//! The registry against the folder.

use std::fs;
use std::sync::Arc;

use cap_audit::{
    AuditLog, Durability, LogFault, LogRegistry, LogState, MemoryRegistry, Reader, Reason, logs,
    recover_abandoned, verify,
};
use cap_crypto::OsRandom;
use serde_json::Value;

use crate::scene::{Scene, append, at, keys, lines, read};

#[test]
fn a_missing_log_is_found() {
    let scene = Scene::new();
    let [kept, gone] = [scene.log(), scene.log()];
    append(&kept, "kept");
    gone.close(at(1)).unwrap();
    fs::remove_dir_all(gone.path().parent().unwrap()).unwrap();
    assert_eq!(scene.fault(), LogFault::Missing);
    let report = scene.verify();
    let (log, _) = report.faults().next().unwrap();
    assert_eq!(log.log, Some(gone.id()));
}

#[test]
fn an_unregistered_log_is_found() {
    let scene = Scene::new();
    let log = scene.log();
    append(&log, "one");
    let copy = scene.folder().join("copy");
    fs::create_dir(&copy).unwrap();
    fs::copy(log.path(), copy.join("log.jsonl")).unwrap();
    assert_eq!(scene.fault(), LogFault::Unregistered);
    assert!(!scene.verify().is_intact());
}

#[test]
fn a_folder_without_a_log_is_none() {
    let scene = Scene::new();
    let log = scene.log();
    fs::create_dir(scene.folder().join("empty")).unwrap();
    fs::write(scene.folder().join("stray"), "x").unwrap();
    scene.assert_intact();
    assert_eq!(logs(&scene.folder()).unwrap(), [log.path()]);
}

#[test]
fn no_folder_has_no_logs() {
    let scene = Scene::new();
    scene.assert_intact();
    assert!(logs(&scene.folder()).unwrap().is_empty());
}

#[test]
fn an_older_copy_is_found() {
    let scene = Scene::new();
    let log = scene.log();
    append(&log, "one");
    let older = fs::read(log.path()).unwrap();
    append(&log, "two");
    log.register_head(at(2)).unwrap();
    scene.assert_intact();
    fs::write(log.path(), older).unwrap();
    assert_eq!(scene.fault(), LogFault::Behind { registered: 2, found: Some(1) });
}

#[test]
fn a_closed_log_must_end_where_it_was_closed() {
    let scene = Scene::new();
    let log = scene.log();
    append(&log, "one");
    log.close(at(2)).unwrap();
    assert_eq!(scene.entries()[0].state, LogState::Closed);
    let good = fs::read(log.path()).unwrap();
    fs::write(log.path(), lines(&good)[..2].concat()).unwrap();
    assert_eq!(scene.fault(), LogFault::Behind { registered: 2, found: Some(1) });
    fs::write(log.path(), [good.as_slice(), &lines(&good)[1]].concat()).unwrap();
    let LogFault::Bad(bad) = scene.fault() else { panic!() };
    assert_eq!((bad.seq, bad.reason), (3, Reason::AfterClose));
}

#[test]
fn two_logs_that_changed_places_are_found() {
    let scene = Scene::new();
    let [one, other] = [scene.log(), scene.log()];
    let bytes = fs::read(one.path()).unwrap();
    fs::copy(other.path(), one.path()).unwrap();
    fs::write(other.path(), bytes).unwrap();
    let report = scene.verify();
    assert_eq!(report.faults().count(), 2);
    for (_, fault) in report.faults() {
        let LogFault::Bad(bad) = fault else { panic!() };
        assert_eq!((bad.seq, &bad.reason), (0, &Reason::WrongLog));
    }
}

#[test]
fn a_log_that_cannot_be_read_is_not_intact() {
    let scene = Scene::new();
    let log = scene.log();
    fs::remove_file(log.path()).unwrap();
    fs::create_dir(log.path()).unwrap();
    assert!(matches!(scene.fault(), LogFault::Unreadable(_)));
}

#[test]
fn a_registered_head_is_on_the_disk_and_told_once() {
    let scene = Scene::new();
    let log = scene.log();
    let receipt = log.append(crate::scene::ruling("one"), Durability::Buffered).unwrap();
    assert_eq!(read(&log.path()).len(), 1);
    log.register_head(at(2)).unwrap();
    assert_eq!(scene.entries()[0].head.seq, receipt.index());
    let entries = read(&log.path());
    assert_eq!(entries.len(), 2);
    assert_eq!(scene.entries()[0].head.hash, entries[1].hash);
    log.register_head(at(3)).unwrap();
    scene.assert_intact();
}

#[test]
fn a_log_names_the_one_before_it() {
    let scene = Scene::new();
    let first = scene.log();
    append(&first, "one");
    first.close(at(1)).unwrap();
    let second = scene.log();
    let detail = &read(&second.path())[0].body.detail;
    assert_eq!(detail["previous-log"], first.id().to_string());
    assert_eq!(detail["previous-seq"], 2);
    assert_eq!(detail["previous-head"], scene.entries()[0].head.hash.to_string());
    assert_eq!(read(&first.path())[0].body.detail.get("previous-log"), None::<&Value>);
}

#[derive(Debug)]
struct Failing;

impl LogRegistry for Failing {
    fn created(&self, _: &cap_audit::LogEntry) -> Result<(), cap_audit::RegistryError> {
        Err(cap_audit::RegistryError("down".to_owned()))
    }

    fn head(
        &self,
        _: &cap_audit::LogId,
        _: u64,
        _: &cap_audit::Digest,
        _: chrono::DateTime<chrono::Utc>,
    ) -> Result<(), cap_audit::RegistryError> {
        panic!("no log is created")
    }

    fn closed(
        &self,
        _: &cap_audit::LogId,
        _: u64,
        _: &cap_audit::Digest,
    ) -> Result<(), cap_audit::RegistryError> {
        panic!("no log is created")
    }

    fn entries(&self) -> Result<Vec<cap_audit::LogEntry>, cap_audit::RegistryError> {
        Ok(Vec::new())
    }
}

#[test]
fn a_log_that_cannot_be_registered_is_not_written_and_is_ended_later() {
    let scene = Scene::new();
    let failing = Arc::new(Failing);
    let created =
        AuditLog::create(&scene.folder(), "guard", scene.keys.clone(), failing, &OsRandom, at(0));
    assert!(created.is_err());
    assert_eq!(scene.fault(), LogFault::Unregistered);
    let recovered =
        recover_abandoned(&scene.folder(), &scene.keys, &scene.registry, at(1)).unwrap();
    assert_eq!(recovered.len(), 1);
    scene.assert_intact();
    assert_eq!(scene.entries()[0].state, LogState::Closed);
}

#[test]
fn names_that_would_leave_the_folder_are_refused() {
    let scene = Scene::new();
    for node in ["", ".", "..", "../x", "a/b", "a\0", "a b", "ä", "-a", &"a".repeat(65)] {
        let registry = Arc::clone(&scene.registry);
        let made =
            AuditLog::create(&scene.folder(), node, scene.keys.clone(), registry, &OsRandom, at(0));
        assert!(matches!(made, Err(cap_audit::OpenError::Node)), "{node:?}");
    }
    assert!(!scene.folder().exists());
}

#[cfg(unix)]
#[test]
fn logs_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::new();
    let log = scene.log();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = log.path().parent().unwrap().to_owned();
    assert_eq!(mode(&log.path()), 0o600);
    assert_eq!(mode(&folder.join("lock")), 0o600);
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&scene.folder()), 0o700);
}

#[test]
fn a_registry_of_other_logs_finds_nothing_good() {
    let scene = Scene::new();
    let _log = scene.log();
    let empty = MemoryRegistry::default();
    let report = verify(&scene.folder(), &empty, &scene.keys.verify_keys()).unwrap();
    assert_eq!(report.faults().next().unwrap().1, &LogFault::Unregistered);
    let other = verify(&scene.folder(), &*scene.registry, &keys().verify_keys()).unwrap();
    assert!(!other.is_intact());
}

#[test]
fn a_reader_gives_what_is_there_and_later_the_rest() {
    let scene = Scene::new();
    let log = scene.log();
    let mut reader = Reader::open(&log.path()).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().seq, 0);
    assert!(reader.next().is_none());
    append(&log, "one");
    assert_eq!(reader.next().unwrap().unwrap().body.trace, "one");
    assert!(reader.next().is_none());

    // Half a line is not there yet.
    append(&log, "two");
    let bytes = fs::read(log.path()).unwrap();
    for cut in [bytes.len() - 1, bytes.len() - 100] {
        let mut reader = Reader::new(&bytes[..cut]);
        assert_eq!(reader.by_ref().count(), 2);
        assert!(reader.next().is_none());
    }
    // A bad line does not hide the next one.
    let mut bad = bytes.clone();
    let second = lines(&bytes)[0].len();
    bad[second] = b'[';
    let read: Vec<bool> = Reader::new(bad.as_slice()).map(|entry| entry.is_ok()).collect();
    assert_eq!(read, [true, false, true]);
    // One without an end does.
    let endless = [lines(&bytes)[0].as_slice(), &vec![b'x'; 300_000], &lines(&bytes)[1]].concat();
    let read: Vec<bool> = Reader::new(endless.as_slice()).map(|entry| entry.is_ok()).collect();
    assert_eq!(read, [true, false]);
}
