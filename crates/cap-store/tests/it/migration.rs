//! States that older versions have written.

use std::fs;
use std::sync::Barrier;
use std::thread;

use cap_core::Meter;
use cap_kernel::{Draw, Drawn, Epoch, StateStore as _};
use cap_store::SqliteStore;
use cap_testkit::state_store::{at, draw, exhausted, id, revocation};

use crate::Home;

/// Version 1, word for word.
const VERSION_1: &str = "
DROP TABLE counters;
CREATE TABLE counters (
    owner TEXT PRIMARY KEY,
    period INTEGER NOT NULL,
    used INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 1;
";

/// A state of version 1 with a change, a session and two counters. The other tables have not
/// changed since.
fn version_1() -> Home {
    let home = Home::new();
    let store = home.open();
    store.commit(&[revocation(1)]).unwrap();
    store.close_session(id(9)).unwrap();
    drop(store);
    let counters = format!(
        "{VERSION_1} INSERT INTO counters VALUES ('{}', 3, 70), ('{}', 0, 5);",
        id(1),
        id(2)
    );
    home.tool().execute_batch(&counters).unwrap();
    home
}

fn number(home: &Home, sql: &str) -> i64 {
    home.tool().query_row(sql, [], |row| row.get(0)).unwrap()
}

fn schema(home: &Home) -> Vec<(String, String)> {
    let tool = home.tool();
    let mut all = tool
        .prepare("SELECT name, sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name")
        .unwrap();
    all.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_state_of_version_1_keeps_what_was_spent_and_everything_else() {
    let home = version_1();
    assert_eq!(number(&home, "PRAGMA user_version"), 1);
    for _ in 0..2 {
        let store = home.open();
        store.verify().unwrap();
        assert_eq!(number(&home, "PRAGMA user_version"), 2);
        assert_eq!(store.changes_since(Epoch(0)), Ok((Epoch(1), vec![revocation(1)])));
        assert!(store.open_session(id(9), at(60)).is_err(), "it was closed");
        assert_eq!(store.drawn(id(1), Meter::Rate, 3), Ok(70));
        assert_eq!(store.drawn(id(2), Meter::Rate, 0), Ok(5));
        assert_eq!(store.drawn(id(1), Meter::Calls, 0), Ok(0));
        assert_eq!(store.draw(&[draw(1, 3, 70)]), Ok(exhausted(draw(1, 3, 70), 0)));
        assert_eq!(store.draw(&[draw(1, 2, 80)]), Ok(exhausted(draw(1, 2, 80), 0)));
    }
    let calls = Draw { meter: Meter::Calls, ..draw(1, 0, 8) };
    assert_eq!(home.open().draw(&[draw(1, 3, 78), calls]), Ok(Drawn::Leased(vec![1, 1])));
}

#[test]
fn a_state_that_was_brought_up_is_like_a_new_one() {
    let (old, new) = (version_1(), Home::new());
    drop((old.open(), new.open()));
    assert_eq!(schema(&old), schema(&new));
    assert!(schema(&old).len() > 5);
}

#[test]
fn many_may_open_a_state_of_version_1_at_once() {
    let home = version_1();
    let start = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                assert_eq!(home.open().drawn(id(1), Meter::Rate, 3), Ok(70));
            });
        }
    });
    home.open().verify().unwrap();
}

#[test]
fn a_program_of_version_1_that_has_it_open_can_draw_nothing_any_more() {
    let home = version_1();
    let old = home.tool();
    let save = "INSERT INTO counters (owner, period, used) VALUES (?1, 3, 71)
                ON CONFLICT (owner) DO UPDATE SET period = excluded.period, used = excluded.used";
    // Prepared before, as a program does that has drawn before.
    let mut prepared = old.prepare(save).unwrap();
    prepared.execute([id(1).to_string()]).unwrap();
    drop(home.open());
    assert!(prepared.execute([id(1).to_string()]).is_err());
    assert!(old.prepare(save).is_err());
    assert_eq!(home.open().drawn(id(1), Meter::Rate, 3), Ok(71));
}

#[test]
fn a_state_of_version_1_that_cannot_be_brought_up_is_left_alone() {
    for spoil in [
        "DROP TABLE counters",
        "CREATE TABLE counters_of_version_1 (x)",
        "ALTER TABLE counters RENAME COLUMN used TO spent",
    ] {
        let home = version_1();
        home.tool().execute_batch(spoil).unwrap();
        home.tool().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        let (before, file) = (schema(&home), fs::read(home.file("state.db")).unwrap());
        assert!(SqliteStore::open(&home.folder()).is_err(), "{spoil}");
        assert_eq!(number(&home, "PRAGMA user_version"), 1);
        assert_eq!(schema(&home), before);
        assert_eq!(fs::read(home.file("state.db")).unwrap(), file);
    }
}
