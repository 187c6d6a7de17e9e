//! Several threads, one log.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use cap_audit::{AppendError, Digest, Durability, Kind, Record};
use proptest::prelude::*;

use crate::scene::{Scene, append, at, read, ruling};

#[test]
fn receipts_name_their_records_and_no_number_is_missing() {
    let scene = Scene::new();
    let log = scene.log();
    let receipts: BTreeMap<u64, Digest> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let log = &log;
                scope.spawn(move || {
                    let durabilities =
                        [Durability::Buffered, Durability::Written, Durability::Buffered];
                    (0..200)
                        .map(|turn| {
                            let durability = durabilities[turn % 3];
                            let durability =
                                if turn == 100 { Durability::Synced } else { durability };
                            let record = ruling(&format!("{thread}-{turn}"));
                            let digest = record.digest();
                            let receipt = log.append(record, durability).unwrap();
                            assert_eq!(receipt.digest(), digest);
                            assert_eq!(receipt.durability(), durability);
                            assert_eq!(receipt.log_id(), log.id());
                            (receipt.index(), digest)
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    log.close(at(2)).unwrap();
    assert_eq!(receipts.len(), 1600);
    let entries = read(&log.path());
    assert!(entries.iter().zip(0..).all(|(entry, seq)| entry.seq == seq));
    for entry in &entries {
        match entry.body.kind {
            Kind::Ruling => assert_eq!(receipts[&entry.seq], entry.digest),
            Kind::Opened | Kind::Checkpoint | Kind::Closed => {}
            other => panic!("{other:?}"),
        }
    }
    scene.assert_intact();
}

#[test]
fn a_log_verifies_while_it_is_written() {
    let scene = Scene::new();
    let log = scene.log();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                append(&log, &"x".repeat(200));
                log.register_head(at(1)).unwrap();
            }
        });
        for _ in 0..30 {
            let report = scene.verify();
            if !report.is_intact() {
                done.store(true, Ordering::Relaxed);
                panic!("{report:#?}");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_ticker_that_runs_into_the_end_tells_the_registry_nothing_wrong() {
    for _ in 0..20 {
        let scene = Scene::new();
        let log = scene.log();
        thread::scope(|scope| {
            let ticker = scope.spawn(|| {
                loop {
                    append_until_closed(&log);
                    match log.register_head(at(1)) {
                        Ok(()) => {}
                        Err(AppendError::Closed) => return,
                        Err(other) => panic!("{other}"),
                    }
                }
            });
            append(&log, "one");
            log.close(at(2)).unwrap();
            ticker.join().unwrap();
        });
        assert_eq!(scene.entries()[0].state, cap_audit::LogState::Closed);
        scene.assert_intact();
    }
}

fn append_until_closed(log: &cap_audit::AuditLog) {
    match log.append(ruling("ticker"), Durability::Written) {
        Ok(_) | Err(AppendError::Closed) => {}
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_checkpoint_follows_after_256_records_or_a_second() {
    let scene = Scene::new();
    let log = scene.log();
    for turn in 0..600 {
        append(&log, &turn.to_string());
    }
    let late = |millis| Record::new(Kind::Completed, "", at(millis));
    for millis in [999, 1000, 1500, 1999, 2000] {
        let _receipt = log.append(late(millis), Durability::Written).unwrap();
    }
    let entries = read(&log.path());
    let checkpoints: Vec<u64> = entries
        .iter()
        .filter(|entry| entry.body.kind == Kind::Checkpoint)
        .map(|entry| entry.seq)
        .collect();
    // The opening counts. The checkpoints by number are at the rulings' instant, 1 ms; the next one
    // comes with the first record that is at least one second later.
    assert_eq!(checkpoints, [256, 513, 606]);
    assert_eq!(entries[605].body.at, at(1500));
    scene.assert_intact();
}

#[test]
fn a_ticker_signs_what_is_left_and_nothing_twice() {
    let scene = Scene::new();
    let log = scene.log();
    let _receipt = log.append(ruling("one"), Durability::Buffered).unwrap();
    log.checkpoint(at(1)).unwrap();
    log.checkpoint(at(2)).unwrap();
    let kinds: Vec<Kind> = read(&log.path()).iter().map(|entry| entry.body.kind).collect();
    assert_eq!(kinds, [Kind::Opened, Kind::Ruling, Kind::Checkpoint]);
}

#[test]
fn what_is_buffered_is_written_when_asked_when_full_and_in_order() {
    let scene = Scene::new();
    let log = scene.log();
    let buffer = |trace: &str| {
        let receipt = log.append(ruling(trace), Durability::Buffered).unwrap();
        assert_eq!(receipt.durability(), Durability::Buffered);
    };
    buffer("one");
    assert_eq!(read(&log.path()).len(), 1);
    log.flush().unwrap();
    assert_eq!(read(&log.path()).len(), 2);
    buffer("two");
    append(&log, "three");
    assert_eq!(read(&log.path()).len(), 4);
    let long = Record::new(Kind::SecurityEvent, "", at(1)).reason(&"\u{1}".repeat(1024));
    let mut appended = 0;
    while read(&log.path()).len() == 4 {
        let _receipt = log.append(long.clone(), Durability::Buffered).unwrap();
        appended += 1;
    }
    assert!((9..=11).contains(&appended), "{appended} of about 6.5 KiB each");
    buffer("last");
    let path = log.path();
    drop(log);
    assert_eq!(read(&path).last().unwrap().body.trace, "last");
    scene.assert_intact();
}

#[test]
fn what_only_the_log_may_say_nobody_else_says() {
    let scene = Scene::new();
    let log = scene.log();
    for kind in [Kind::Opened, Kind::Checkpoint, Kind::Recovered, Kind::Closed] {
        let result = log.append(Record::new(kind, "", at(1)), Durability::Written);
        assert!(matches!(result, Err(AppendError::Reserved(of)) if of == kind));
    }
    assert_eq!(read(&log.path()).len(), 1);
}

#[test]
fn a_closed_log_takes_nothing_more() {
    let scene = Scene::new();
    let log = scene.log();
    log.close(at(1)).unwrap();
    let bytes = std::fs::read(log.path()).unwrap();
    assert!(matches!(log.append(ruling("x"), Durability::Buffered), Err(AppendError::Closed)));
    assert!(matches!(log.close(at(2)), Err(AppendError::Closed)));
    assert!(matches!(log.checkpoint(at(2)), Err(AppendError::Closed)));
    assert!(matches!(log.flush(), Err(AppendError::Closed)));
    assert!(matches!(log.register_head(at(2)), Err(AppendError::Closed)));
    let path = log.path();
    drop(log);
    assert_eq!(std::fs::read(path).unwrap(), bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_records_verify_and_are_read_back(
        records in prop::collection::vec((any::<String>(), any::<String>(), -5_000i64..5_000, 0u8..3), 0..40)
    ) {
        let scene = Scene::new();
        let log = scene.log();
        let mut bodies = Vec::new();
        for (trace, reason, millis, durability) in &records {
            let record = Record::new(Kind::SecurityEvent, trace, at(*millis)).reason(reason);
            bodies.push(record.body().clone());
            let durability = match durability {
                0 => Durability::Buffered,
                1 => Durability::Written,
                _ => Durability::Synced,
            };
            let receipt = log.append(record, durability).unwrap();
            prop_assert_eq!(receipt.durability(), durability);
        }
        log.close(at(6_000)).unwrap();
        let read: Vec<_> = read(&log.path())
            .into_iter()
            .map(|entry| entry.body)
            .filter(|body| body.kind == Kind::SecurityEvent)
            .collect();
        prop_assert_eq!(read, bodies);
        scene.assert_intact();
    }
}
