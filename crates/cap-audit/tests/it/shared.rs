//! The log that short commands write in turn.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::sync::Arc;
use std::thread;

use cap_audit::{AuditLog, Durability, Kind, LogFault, LogState, OpenError, recover_abandoned};
use cap_crypto::OsRandom;

use crate::scene::{Scene, append, at, lines, read, ruling};

fn open(scene: &Scene) -> Result<AuditLog, OpenError> {
    let registry = Arc::clone(&scene.registry);
    AuditLog::open_shared(&scene.folder(), "shell", scene.keys.clone(), registry, &OsRandom, at(0))
}

fn untrusted(opened: Result<AuditLog, OpenError>) -> LogFault {
    match opened {
        Err(OpenError::Untrusted { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn commands_continue_one_log_in_turn() {
    let scene = Scene::new();
    for turn in 0..3 {
        let log = open(&scene).unwrap();
        append(&log, &turn.to_string());
        log.close(at(1)).unwrap();
    }
    let entries = scene.entries();
    assert_eq!(entries.len(), 1);
    assert!(entries[0].is_shared());
    assert_eq!((entries[0].folder.as_str(), entries[0].state), ("shell", LogState::Open));
    let read = read(&scene.folder().join("shell/log.jsonl"));
    let kinds: Vec<Kind> = read.iter().map(|entry| entry.body.kind).collect();
    let [turn, signed] = [Kind::Ruling, Kind::Checkpoint];
    assert_eq!(kinds, [Kind::Opened, turn, signed, turn, signed, turn, signed]);
    assert_eq!(entries[0].head.seq, 6);
    scene.assert_intact();
    assert!(
        recover_abandoned(&scene.folder(), &scene.keys, &scene.registry, at(9)).unwrap().is_empty()
    );
}

#[test]
fn commands_at_the_same_time_wait_for_each_other() {
    let scene = Scene::new();
    thread::scope(|scope| {
        for command in 0..8 {
            let scene = &scene;
            scope.spawn(move || {
                for turn in 0..5 {
                    let log = open(scene).unwrap();
                    append(&log, &format!("{command}-{turn}"));
                    // Every other one forgets to close.
                    if turn % 2 == 0 {
                        log.close(at(1)).unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(scene.entries().len(), 1);
    let read = read(&scene.folder().join("shell/log.jsonl"));
    assert_eq!(read.iter().filter(|entry| entry.body.kind == Kind::Ruling).count(), 40);
    scene.assert_intact();
}

#[test]
fn a_command_that_holds_the_log_too_long_makes_the_next_one_give_up() {
    let scene = Scene::new();
    let log = open(&scene).unwrap();
    assert!(matches!(open(&scene), Err(OpenError::Busy(_))));
    log.close(at(1)).unwrap();
    // Closed is enough.
    open(&scene).unwrap();
}

#[test]
fn a_closed_command_writes_no_more() {
    let scene = Scene::new();
    let log = open(&scene).unwrap();
    log.close(at(1)).unwrap();
    assert!(log.append(ruling("late"), Durability::Buffered).is_err());
}

#[test]
fn half_a_line_of_the_last_command_is_cut_with_a_record_of_it() {
    let scene = Scene::new();
    let log = open(&scene).unwrap();
    append(&log, "one");
    log.close(at(1)).unwrap();
    let path = log.path();
    for by_recovery in [false, true] {
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"seq\":3,\"pr").unwrap();
        assert!(matches!(scene.fault(), LogFault::Bad(_)));
        if by_recovery {
            let recovered =
                recover_abandoned(&scene.folder(), &scene.keys, &scene.registry, at(9)).unwrap();
            assert_eq!(recovered.len(), 1);
        } else {
            open(&scene).unwrap().close(at(2)).unwrap();
        }
        let entries = read(&path);
        let [.., healed, signed] = entries.as_slice() else { panic!() };
        assert_eq!(healed.body.kind, Kind::Recovered);
        assert_eq!(healed.body.detail["torn-bytes"], 12);
        assert_eq!(signed.body.kind, Kind::Checkpoint);
        assert_eq!(scene.entries()[0].state, LogState::Open);
        scene.assert_intact();
    }
}

#[test]
fn a_log_that_does_not_continue_its_registered_head_is_not_continued() {
    let scene = Scene::new();
    let log = open(&scene).unwrap();
    for turn in 0..300 {
        append(&log, &turn.to_string());
    }
    log.close(at(1)).unwrap();
    let path = log.path();
    let good = fs::read(&path).unwrap();
    let head = scene.entries()[0].head.seq;

    // Cut.
    let cut = lines(&good)[..200].concat();
    fs::write(&path, &cut).unwrap();
    assert_eq!(untrusted(open(&scene)), LogFault::Behind { registered: head, found: None });
    assert_eq!(fs::read(&path).unwrap(), cut);
    // Another record there.
    let other = Scene::new();
    let foreign = open(&other).unwrap();
    for turn in 0..300 {
        append(&foreign, &turn.to_string());
    }
    foreign.close(at(1)).unwrap();
    fs::copy(foreign.path(), &path).unwrap();
    assert_eq!(untrusted(open(&scene)), LogFault::HeadMismatch { seq: head });
    // Something after it that is none of ours.
    fs::write(&path, [good.as_slice(), b"{}\n"].concat()).unwrap();
    let LogFault::Bad(bad) = untrusted(open(&scene)) else { panic!() };
    assert_eq!((bad.seq, bad.line), (head + 1, head + 2));
    assert_eq!(bad.offset, u64::try_from(good.len()).unwrap());
    // Gone.
    fs::remove_file(&path).unwrap();
    assert_eq!(untrusted(open(&scene)), LogFault::Missing);
    assert!(!path.exists());
    // And back.
    fs::write(&path, &good).unwrap();
    open(&scene).unwrap().close(at(2)).unwrap();
    scene.assert_intact();
}

#[test]
fn the_registered_head_is_found_however_far_from_the_end_it_is() {
    let scene = Scene::new();
    open(&scene).unwrap().close(at(1)).unwrap();
    let log = open(&scene).unwrap();
    for turn in 0..900 {
        append(&log, &format!("{turn} {}", "x".repeat(200)));
    }
    let path = log.path();
    drop(log);
    assert!(fs::metadata(&path).unwrap().len() > 300_000);
    assert_eq!(scene.entries()[0].head.seq, 1);
    open(&scene).unwrap().close(at(2)).unwrap();
    scene.assert_intact();
    assert!(scene.entries()[0].head.seq > 900);
}

#[test]
fn a_log_whose_creator_fell_before_registering_it_is_taken_over_only_when_it_is_empty() {
    let scene = Scene::new();
    let log = open(&scene).unwrap();
    let path = log.path();
    drop(log);
    let unaware = scene.forgotten();
    let log = open(&unaware).unwrap();
    append(&log, "one");
    log.close(at(1)).unwrap();
    unaware.assert_intact();

    let unaware = scene.forgotten();
    assert_eq!(untrusted(open(&unaware)), LogFault::Unregistered);
    assert!(unaware.registry.entries().unwrap().is_empty());
    assert_eq!(lines(&fs::read(path).unwrap()).len(), 3);
}
