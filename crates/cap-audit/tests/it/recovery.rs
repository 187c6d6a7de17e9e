//! Processes that did not end their logs.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use cap_audit::AuditLog;
use cap_audit::{
    Durability, Head, Keys, Kind, LogEntry, LogFault, LogRegistry, LogState, MemoryRegistry,
    Recovered, RecoveryOutcome, recover_abandoned, verify,
};
use cap_crypto::{MacKeyring, OsRandom, Purpose, SigningKeyring};

use crate::scene::{Scene, append, at, lines, read, ruling};

fn recover(scene: &Scene) -> Vec<Recovered> {
    recover_abandoned(&scene.folder(), &scene.keys, &scene.registry, at(9)).unwrap()
}

fn kinds(scene: &Scene) -> Vec<Kind> {
    let folder = &scene.entries()[0].folder;
    let log = scene.folder().join(folder).join("log.jsonl");
    read(&log).iter().map(|entry| entry.body.kind).collect()
}

#[test]
fn a_log_that_nobody_holds_is_ended_and_says_why() {
    let scene = Scene::new();
    let log = scene.log();
    append(&log, "one");
    log.register_head(at(1)).unwrap();
    append(&log, "two");
    let path = log.path();
    drop(log);
    scene.assert_intact();

    let recovered = recover(&scene);
    assert_eq!(recovered.len(), 1);
    assert_eq!(recovered[0].outcome, RecoveryOutcome::Healed { registered: 1, found: 2, torn: 0 });
    let expected = [Kind::Opened, Kind::Ruling, Kind::Ruling, Kind::Recovered, Kind::Closed];
    assert_eq!(kinds(&scene), expected);
    let entry = &read(&path)[3].body;
    assert_eq!((entry.at, &entry.detail["registered-seq"]), (at(9), &1.into()));
    assert_eq!(scene.entries()[0].state, LogState::Closed);
    scene.assert_intact();
    assert!(recover(&scene).is_empty(), "once is enough");
}

#[test]
fn a_log_that_somebody_holds_is_not_touched() {
    let scene = Scene::new();
    let log = scene.log();
    append(&log, "one");
    assert!(recover(&scene).is_empty());
    append(&log, "two");
    log.close(at(3)).unwrap();
    assert!(recover(&scene).is_empty());
    scene.assert_intact();
}

#[test]
fn a_torn_last_line_is_cut_and_kept() {
    for torn in [1, 7, 100] {
        let scene = Scene::new();
        let log = scene.log();
        append(&log, "one");
        append(&log, "two");
        let path = log.path();
        drop(log);
        let bytes = fs::read(&path).unwrap();
        let half = &lines(&bytes)[2][..torn];
        fs::write(&path, [&lines(&bytes)[..2].concat(), half].concat()).unwrap();
        assert!(matches!(scene.fault(), LogFault::Bad(_)));

        let outcome = RecoveryOutcome::Healed { registered: 0, found: 1, torn };
        assert_eq!(recover(&scene)[0].outcome, outcome);
        let expected = [Kind::Opened, Kind::Ruling, Kind::Recovered, Kind::Closed];
        assert_eq!(kinds(&scene), expected);
        let detail = &read(&path)[2].body.detail;
        assert_eq!(detail["torn-bytes"], torn);
        assert_eq!(base64_of(&detail["torn"]), half);
        scene.assert_intact();
    }
}

fn base64_of(text: &serde_json::Value) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap()
}

#[test]
fn a_long_torn_line_is_kept_in_part() {
    let scene = Scene::new();
    let log = scene.log();
    let path = log.path();
    drop(log);
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(&[0xff; 50_000]).unwrap();
    let outcome = RecoveryOutcome::Healed { registered: 0, found: 0, torn: 50_000 };
    assert_eq!(recover(&scene)[0].outcome, outcome);
    let detail = &read(&path)[1].body.detail;
    assert_eq!(detail["torn-bytes"], 50_000);
    assert_eq!(base64_of(&detail["torn"]), vec![0xff; 3_000]);
    scene.assert_intact();
}

#[test]
fn a_log_behind_its_registered_head_is_left_as_it_is() {
    let scene = Scene::new();
    let log = scene.log();
    append(&log, "one");
    log.register_head(at(1)).unwrap();
    let path = log.path();
    drop(log);
    let bytes = fs::read(&path).unwrap();
    // Cut at a line, and within one: what is registered is no torn line.
    for kept in [lines(&bytes)[0].len(), bytes.len() - 1] {
        fs::write(&path, &bytes[..kept]).unwrap();
        let fault = LogFault::Behind { registered: 1, found: Some(0) };
        assert_eq!(recover(&scene)[0].outcome, RecoveryOutcome::Untouched(fault));
        assert_eq!(fs::read(&path).unwrap(), &bytes[..kept]);
        assert!(!scene.verify().is_intact());
    }
}

#[test]
fn a_bad_or_missing_log_is_left_as_it_is() {
    let scene = Scene::new();
    let [bad, gone, good] = [scene.log(), scene.log(), scene.log()];
    append(&bad, "one");
    let [bad, gone] = [bad, gone].map(|log| log.path());
    drop(good);
    let mut bytes = fs::read(&bad).unwrap();
    bytes[30] ^= 1;
    fs::write(&bad, &bytes).unwrap();
    fs::remove_dir_all(gone.parent().unwrap()).unwrap();

    let outcomes: Vec<_> = recover(&scene).into_iter().map(|one| one.outcome).collect();
    assert_eq!(outcomes.len(), 3);
    let count = |is: fn(&RecoveryOutcome) -> bool| outcomes.iter().filter(|one| is(one)).count();
    assert_eq!(count(|one| matches!(one, RecoveryOutcome::Healed { .. })), 1);
    assert_eq!(count(|one| *one == RecoveryOutcome::Untouched(LogFault::Missing)), 1);
    assert_eq!(count(|one| matches!(one, RecoveryOutcome::Untouched(LogFault::Bad(_)))), 1);
    assert_eq!(fs::read(&bad).unwrap(), bytes);
    assert_eq!(scene.verify().faults().count(), 2);
}

#[test]
fn an_unregistered_log_with_more_than_its_opening_is_left_as_it_is() {
    let scene = Scene::new();
    let log = scene.log();
    append(&log, "one");
    let path = log.path();
    drop(log);
    let unaware: Arc<dyn LogRegistry> = Arc::new(MemoryRegistry::default());
    let recovered = recover_abandoned(&scene.folder(), &scene.keys, &unaware, at(9)).unwrap();
    assert_eq!(recovered[0].outcome, RecoveryOutcome::Untouched(LogFault::Unregistered));
    assert!(unaware.entries().unwrap().is_empty());

    // The same log in a folder that is not its own.
    let bytes = fs::read(&path).unwrap();
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
    fs::create_dir(scene.folder().join("elsewhere")).unwrap();
    fs::write(scene.folder().join("elsewhere/log.jsonl"), &lines(&bytes)[0]).unwrap();
    let recovered = recover_abandoned(&scene.folder(), &scene.keys, &unaware, at(9)).unwrap();
    assert_eq!(recovered[0].outcome, RecoveryOutcome::Untouched(LogFault::Unregistered));
}

/// A registry that does not learn of the end.
#[test]
fn a_log_that_was_closed_without_a_word_to_the_registry_only_gets_the_word() {
    let scene = Scene::new();
    let log = scene.log();
    append(&log, "one");
    let before = scene.entries();
    log.close(at(2)).unwrap();
    let path = log.path();
    drop(log);
    let bytes = fs::read(&path).unwrap();
    let registry: Arc<dyn LogRegistry> = Arc::new(MemoryRegistry::new(before));
    let recovered = recover_abandoned(&scene.folder(), &scene.keys, &registry, at(9)).unwrap();
    let outcome = RecoveryOutcome::Healed { registered: 0, found: 2, torn: 0 };
    assert_eq!(recovered[0].outcome, outcome);
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(registry.entries().unwrap()[0].state, LogState::Closed);
}

const FOLDER: &str = "CAP_AUDIT_TEST_FOLDER";

fn keys_in(folder: &std::path::Path) -> Keys {
    let keys = folder.join("keys");
    Keys {
        mac: Arc::new(
            MacKeyring::open_or_create(&keys, Purpose::AuditMac, &OsRandom, at(0)).unwrap(),
        ),
        signer: Arc::new(
            SigningKeyring::open_or_create(&keys, Purpose::AuditSign, &OsRandom, at(0)).unwrap(),
        ),
    }
}

/// Not a test by itself: what the next test starts and kills.
#[test]
fn a_process_that_appends_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let registry: Arc<dyn LogRegistry> = Arc::new(MemoryRegistry::default());
    let audit = folder.join("audit");
    let keys = keys_in(&folder);
    let log = AuditLog::create(&audit, "victim", keys, registry, &OsRandom, at(0)).unwrap();
    let mut out = std::io::stdout();
    for trace in 0.. {
        let receipt = log.append(ruling(&trace.to_string()), Durability::Written).unwrap();
        writeln!(out, "\nreceipt {}", receipt.index()).unwrap();
    }
}

#[test]
fn after_a_kill_every_acknowledged_record_is_there() {
    for round in 1..=5 {
        let dir = tempfile::tempdir().unwrap();
        let keys = keys_in(dir.path());
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "recovery::a_process_that_appends_until_it_is_killed", "--nocapture"])
            .env(FOLDER, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut acknowledged = 0;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        for line in lines.by_ref() {
            let Some(index) = line.strip_prefix("receipt ") else { continue };
            acknowledged = index.parse().unwrap();
            if acknowledged > 400 * round {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines {
            if let Some(index) = line.strip_prefix("receipt ") {
                acknowledged = index.parse().unwrap();
            }
        }
        assert!(acknowledged > 400 * round);

        let audit = dir.path().join("audit");
        let log = cap_audit::logs(&audit).unwrap().remove(0);
        let opened = &read(&log)[0];
        let folder = log.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        let registry: Arc<dyn LogRegistry> = Arc::new(MemoryRegistry::new(vec![LogEntry {
            log: opened.body.detail["log"].as_str().unwrap().parse().unwrap(),
            node: "victim".to_owned(),
            folder,
            head: Head { seq: 0, hash: opened.hash },
            state: LogState::Open,
        }]));
        let recovered = recover_abandoned(&audit, &keys, &registry, at(9)).unwrap();
        let RecoveryOutcome::Healed { found, .. } = recovered[0].outcome else {
            panic!("{recovered:?}")
        };
        assert!(found >= acknowledged, "{found} < {acknowledged}");
        assert!(verify(&audit, &*registry, &keys.verify_keys()).unwrap().is_intact());
    }
}
