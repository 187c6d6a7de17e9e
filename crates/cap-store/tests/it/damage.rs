use std::fs;

use cap_core::Meter;
use cap_kernel::{Draw, Drawn, Epoch, StateStore as _, StoreError};
use cap_testkit::state_store::{at, draw, exhausted, id, revocation};
use rusqlite::TransactionBehavior;

use crate::Home;

/// What makes a tool able to change the changes.
const UNLOCK: &str =
    "DROP TRIGGER changes_are_never_changed; DROP TRIGGER changes_are_never_deleted;";

/// A state of five changes, and what a tool then does to it.
fn damaged(sql: &str) -> Home {
    let home = Home::new();
    let changes: Vec<_> = (1..=5).map(revocation).collect();
    home.open().commit(&changes).unwrap();
    home.tool().execute_batch(&format!("{UNLOCK} {sql}")).unwrap();
    home
}

#[track_caller]
fn assert_damaged<T: std::fmt::Debug>(answer: Result<T, StoreError>, hint: &str) {
    match answer {
        Err(StoreError::Damaged(why)) => assert!(why.contains(hint), "`{why}` has no `{hint}`"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_change_that_is_not_understood_is_an_error_that_names_it() {
    let body = |from: &str, to: &str| {
        format!("UPDATE changes SET body = replace(body, '{from}', '{to}') WHERE epoch = 3")
    };
    for sql in [
        body("revoked", "forgiven"),
        body(r#""target":{"capability""#, r#""target":{"world""#),
        body(r#""at""#, r#""why":1,"at""#),
        body("}}", "}"),
        body("{", ""),
        "UPDATE changes SET kind = 'issued' WHERE epoch = 3".into(),
        "UPDATE changes SET kind = 'forgiven' WHERE epoch = 3".into(),
        "UPDATE changes SET subject = 'session 1' WHERE epoch = 3".into(),
        "UPDATE changes SET body = '' WHERE epoch = 3".into(),
        "UPDATE changes SET body = CAST(x'ff' AS TEXT) WHERE epoch = 3".into(),
        "UPDATE changes SET subject = CAST(x'ff' AS TEXT) WHERE epoch = 3".into(),
        "UPDATE changes SET body = (SELECT body FROM changes WHERE epoch = 4) WHERE epoch = 3"
            .into(),
    ] {
        let home = damaged(&sql);
        let store = home.open();
        assert_eq!(store.epoch(), Ok(Epoch(5)), "{sql}");
        assert_damaged(store.changes_since(Epoch(0)), "change 3: ");
        assert_damaged(store.changes_since(Epoch(2)), "change 3: ");
        assert_damaged(store.verify(), "change 3: ");
        assert_eq!(store.changes_since(Epoch(4)), Ok((Epoch(5), vec![revocation(5)])));
    }
}

#[test]
fn a_change_that_is_gone_is_missed() {
    let home = damaged("DELETE FROM changes WHERE epoch = 3");
    let store = home.open();
    assert_damaged(store.changes_since(Epoch(0)), "change 3: it is missing");
    assert_damaged(store.changes_since(Epoch(3)), "change 3: it is missing");
    assert_damaged(store.verify(), "change 3: it is missing");
    assert_eq!(store.changes_since(Epoch(4)), Ok((Epoch(5), vec![revocation(5)])));

    let home = damaged("DELETE FROM changes WHERE epoch = 1");
    let store = home.open();
    assert_damaged(store.changes_since(Epoch(0)), "change 1: it is missing");
}

#[test]
fn changes_cut_off_at_the_end_are_missed_by_who_saw_them_and_by_the_next_commit() {
    let home = damaged("DELETE FROM changes WHERE epoch > 3");
    let store = home.open();
    assert_damaged(store.changes_since(Epoch(5)), "change 5: it is missing");
    assert_damaged(store.changes_since(Epoch(u64::from(u32::MAX))), "it is missing");
    assert!(store.changes_since(Epoch(u64::MAX)).is_err());
    assert_damaged(store.commit(&[revocation(9)]), "change 4: it is missing");
    assert_eq!(store.epoch(), Ok(Epoch(3)));
}

#[test]
fn a_tool_cannot_change_a_change_by_mistake() {
    let home = Home::new();
    let store = home.open();
    store.commit(&[revocation(1), revocation(2)]).unwrap();
    for sql in ["DELETE FROM changes", "UPDATE changes SET body = '{}' WHERE epoch = 1"] {
        let refused = home.tool().execute_batch(sql).unwrap_err().to_string();
        assert!(refused.contains("changes are never"), "{refused}");
    }
    assert_eq!(store.changes_since(Epoch(1)), Ok((Epoch(2), vec![revocation(2)])));
}

#[test]
fn a_commit_that_fails_halfway_leaves_nothing_behind() {
    let home = Home::new();
    let store = home.open();
    store.commit(&[revocation(1)]).unwrap();
    let poison = format!(
        "CREATE TRIGGER poison BEFORE INSERT ON changes WHEN NEW.subject = 'capability {}'
         BEGIN SELECT RAISE(ABORT, 'no'); END;",
        id(4)
    );
    home.tool().execute_batch(&poison).unwrap();
    for _ in 0..3 {
        let failed = store.commit(&[revocation(2), revocation(3), revocation(4)]);
        assert!(matches!(failed, Err(StoreError::Failed(_))), "{failed:?}");
        assert_eq!(store.epoch(), Ok(Epoch(1)));
    }
    assert_eq!(store.commit(&[revocation(5)]), Ok(Epoch(2)));
    let changes = vec![revocation(1), revocation(5)];
    assert_eq!(store.changes_since(Epoch(0)), Ok((Epoch(2), changes)));
}

#[test]
fn a_draw_that_fails_halfway_charges_nothing() {
    let home = Home::new();
    let store = home.open();
    let poison = format!(
        "CREATE TRIGGER poison BEFORE INSERT ON counters WHEN NEW.owner = '{}'
         BEGIN SELECT RAISE(ABORT, 'no'); END;",
        id(2)
    );
    home.tool().execute_batch(&poison).unwrap();
    assert!(store.draw(&[draw(1, 0, 80), draw(2, 0, 80), draw(3, 0, 80)]).is_err());
    for owner in 1..4 {
        assert_eq!(store.drawn(id(owner), Meter::Rate, 0), Ok(0));
    }
}

#[test]
fn a_counter_in_several_draws_at_once_never_exceeds_its_limit() {
    let home = Home::new();
    let store = home.open();
    let twice = |max| [draw(1, 0, max), draw(1, 0, max)];
    assert_eq!(store.draw(&twice(1)), Ok(exhausted(draw(1, 0, 1), 0)));
    assert_eq!(store.drawn(id(1), Meter::Rate, 0), Ok(0));
    assert_eq!(store.draw(&twice(80)), Ok(Drawn::Leased(vec![10, 8])));
    assert_eq!(store.drawn(id(1), Meter::Rate, 0), Ok(18));
    let newer_first = [draw(1, 1, 80), draw(1, 0, 80)];
    assert_eq!(store.draw(&newer_first), Ok(exhausted(draw(1, 0, 1), 0)));
    assert_eq!(store.drawn(id(1), Meter::Rate, 0), Ok(18));
}

#[test]
fn a_period_that_a_counter_cannot_hold_is_an_error() {
    let home = Home::new();
    let store = home.open();
    let failed = store.draw(&[draw(1, 0, 80), Draw { period: u64::MAX, ..draw(2, 0, 80) }]);
    assert!(matches!(failed, Err(StoreError::Failed(_))), "{failed:?}");
    assert_eq!(store.drawn(id(1), Meter::Rate, 0), Ok(0));
}

#[test]
fn verify_reads_every_table() {
    let home = Home::new();
    let store = home.open();
    store.commit(&[revocation(1)]).unwrap();
    store.draw(&[draw(1, 0, 80)]).unwrap();
    store.open_session(id(1), at(60)).unwrap();
    store.verify().unwrap();
    let log = "INSERT INTO logs (log, node, folder, seq, hash, state)";
    for (sql, undo, hint) in [
        ("UPDATE counters SET used = -1", "UPDATE counters SET used = 1", "the counter of"),
        ("UPDATE counters SET period = -1", "UPDATE counters SET period = 1", "the counter of"),
        ("UPDATE counters SET meter = 'x'", "UPDATE counters SET meter = 'rate'", "the counter of"),
        ("UPDATE sessions SET until = 'soon'", "DELETE FROM sessions", "session "),
        (&format!("{log} VALUES ('x', 'n', 'f', 0, 'h', 'open')"), "DELETE FROM logs", "log x: "),
        (
            &format!("{log} VALUES (printf('%032d', 0), 'n', 'f', 0, 'h', 'open')"),
            "DELETE FROM logs",
            "log 00000000000000000000000000000000: ",
        ),
    ] {
        home.tool().execute_batch(sql).unwrap();
        assert_damaged(store.verify(), hint);
        home.tool().execute_batch(undo).unwrap();
        store.verify().unwrap();
    }
}

#[test]
fn bytes_written_over_the_file_are_found_by_verify() {
    let home = Home::new();
    let changes: Vec<_> = (1..=100).map(revocation).collect();
    home.open().commit(&changes).unwrap();
    let good = fs::read(home.file("state.db")).unwrap();
    // A page that is gone to zeros, and one that is another page.
    for (page, with) in [(2, vec![0; 4_096]), (3, good[4_096..8_192].to_vec())] {
        let mut bad = good.clone();
        bad[page * 4_096..][..4_096].copy_from_slice(&with);
        assert_ne!(bad, good);
        fs::write(home.file("state.db"), &bad).unwrap();
        let verified = cap_store::SqliteStore::open(&home.folder())
            .map_err(|error| error.to_string())
            .and_then(|store| store.verify().map_err(|error| error.to_string()));
        assert!(verified.is_err(), "page {page}");
    }
    fs::write(home.file("state.db"), &good).unwrap();
    home.open().verify().unwrap();
}

#[test]
fn while_another_writes_a_writer_is_told_so_and_a_reader_is_served() {
    let home = Home::new();
    let store = home.open();
    store.commit(&[revocation(1)]).unwrap();
    let mut tool = home.tool();
    let writing = tool.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    let busy = store.commit(&[revocation(2)]);
    assert!(matches!(busy, Err(StoreError::Busy(_))), "{busy:?}");
    let busy = store.draw(&[draw(1, 0, 80)]);
    assert!(matches!(busy, Err(StoreError::Busy(_))), "{busy:?}");
    let busy = store.open_session(id(1), at(60));
    assert!(matches!(busy, Err(StoreError::Busy(_))), "{busy:?}");
    assert_eq!(store.changes_since(Epoch(0)), Ok((Epoch(1), vec![revocation(1)])));
    writing.rollback().unwrap();
    assert_eq!(store.commit(&[revocation(2)]), Ok(Epoch(2)));
    store.open_session(id(1), at(60)).unwrap();
}

#[test]
fn a_writer_that_ends_in_time_is_waited_for() {
    let home = Home::new();
    let store = home.open();
    let mut tool = home.tool();
    let writing = tool.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    std::thread::scope(|scope| {
        let commit = scope.spawn(|| store.commit(&[revocation(1)]));
        writing.commit().unwrap();
        assert_eq!(commit.join().unwrap(), Ok(Epoch(1)));
    });
}

#[cfg(unix)]
#[test]
fn a_state_that_was_taken_away_serves_nobody() {
    use std::{fs, thread::sleep, time::Duration};

    let home = Home::new();
    let aside = home.0.path().join("aside");
    for replace in [false, true] {
        let store = home.open();
        let epoch = store.commit(&[revocation(1)]).unwrap();
        fs::rename(home.folder(), &aside).unwrap();
        if replace {
            drop(home.open());
        }
        let failed = store.commit(&[revocation(2)]);
        assert!(matches!(failed, Err(StoreError::Failed(_))), "{failed:?}");
        sleep(Duration::from_millis(60));
        let failed = store.epoch();
        assert!(matches!(failed, Err(StoreError::Failed(_))), "{failed:?}");
        assert!(store.changes_since(epoch).is_err());
        if replace {
            fs::remove_dir_all(home.folder()).unwrap();
        }
        fs::rename(&aside, home.folder()).unwrap();
        assert_eq!(store.epoch(), Ok(epoch));
    }
}
