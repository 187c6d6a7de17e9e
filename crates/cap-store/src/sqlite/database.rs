//! The database file: what it must be, how it is created, and how a connection is set up.

use std::thread::sleep;
use std::time::Duration;

use cap_kernel::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::BUSY_BOUND;
use super::error::{OpenError, store_error};
use super::place::Place;

/// `mcpS`: what tells our files from those of others (SQLite file format §1.3.14).
const APPLICATION_ID: i32 = 0x6d63_7053;

/// The version of [`SCHEMA`]. Version 1 had one counter for each owner, that of its rate limit.
const VERSION: i32 = 2;

/// How often a connection looks again whether it is its turn.
const PAUSE: Duration = Duration::from_millis(1);

/// How long an opener waits for those who have the state open.
const OPEN_BOUND: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
CREATE TABLE changes (
    epoch INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE TRIGGER changes_are_never_deleted BEFORE DELETE ON changes
    BEGIN SELECT RAISE(ABORT, 'changes are never deleted'); END;
CREATE TRIGGER changes_are_never_changed BEFORE UPDATE ON changes
    BEGIN SELECT RAISE(ABORT, 'changes are never changed'); END;
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    until TEXT CHECK (until IS NOT NULL OR closed = 1),
    closed INTEGER NOT NULL CHECK (closed IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX open_sessions ON sessions (id) WHERE closed = 0;
CREATE TABLE logs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    log TEXT NOT NULL UNIQUE,
    node TEXT NOT NULL,
    folder TEXT NOT NULL UNIQUE,
    seq INTEGER NOT NULL,
    hash TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'closed')),
    head_at TEXT
) STRICT;
";

const COUNTERS: &str = "
CREATE TABLE counters (
    owner TEXT NOT NULL,
    meter TEXT NOT NULL,
    period INTEGER NOT NULL,
    used INTEGER NOT NULL,
    PRIMARY KEY (owner, meter)
) STRICT, WITHOUT ROWID;
";

/// What is in the place of a state.
enum Found {
    Nothing,
    Version1,
    Current,
}

/// The connection that writes; creates the state where there is none, and brings one of an older
/// version up to this one. The caller holds the lock of openers.
pub(super) fn open_writer(place: &Place) -> Result<Connection, OpenError> {
    place.refuse_other_than_file()?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection =
        Connection::open_with_flags(place.database(), flags).map_err(store_error)?;
    set_bound(&mut connection, OPEN_BOUND)?;
    let found = recognise(&connection, place)?;
    if matches!(found, Found::Nothing) {
        place.close_database_to_others()?;
    }
    place.refuse_exposed_database()?;
    configure(&connection)?;
    match found {
        Found::Nothing => {
            create(&mut connection)?;
            place.sync()?;
        }
        Found::Version1 => migrate_from_1(&mut connection)?,
        Found::Current => {}
    }
    set_bound(&mut connection, BUSY_BOUND)?;
    Ok(connection)
}

/// A connection that only reads a state that exists.
pub(super) fn open_reader(place: &Place) -> Result<Connection, OpenError> {
    // A reader of a write-ahead log takes part in its index, so the file is opened for both.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection =
        Connection::open_with_flags(place.database(), flags).map_err(store_error)?;
    set_bound(&mut connection, BUSY_BOUND)?;
    harden(&connection)
        .and_then(|()| connection.pragma_update(None, "query_only", true))
        .map_err(store_error)?;
    Ok(connection)
}

/// SQLite's own check of the structure of the file.
pub(super) fn check(connection: &Connection) -> Result<(), StoreError> {
    let first: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(store_error)?;
    if first == "ok" { Ok(()) } else { Err(StoreError::Damaged(first)) }
}

/// What the file is. Changes nothing.
fn recognise(connection: &Connection, place: &Place) -> Result<Found, OpenError> {
    let path = place.database();
    let not_a_state = |reason: String| OpenError::NotAState { path: path.clone(), reason };
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i32>(0));
    let read = || -> rusqlite::Result<_> {
        Ok((
            number("PRAGMA application_id")?,
            number("PRAGMA user_version")?,
            number("SELECT count(*) FROM sqlite_schema")?,
        ))
    };
    let (application, version, items) = match read() {
        Ok(read) => read,
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            return Err(not_a_state("it is not a SQLite database".into()));
        }
        Err(error) => return Err(store_error(error).into()),
    };
    match (application, version) {
        (APPLICATION_ID, VERSION) => Ok(Found::Current),
        (APPLICATION_ID, 1) => Ok(Found::Version1),
        (APPLICATION_ID, found) if found > VERSION => {
            Err(OpenError::Newer { path, found, known: VERSION })
        }
        (APPLICATION_ID, found) => Err(not_a_state(format!("its version is {found}"))),
        (0, 0) if items == 0 => Ok(Found::Nothing),
        (found, _) => Err(not_a_state(format!("its application id is {found:#010x}"))),
    }
}

fn configure(connection: &Connection) -> Result<(), StoreError> {
    harden(connection).map_err(store_error)?;
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(store_error)?;
    if mode != "wal" {
        let why = "the file system does not support a write-ahead log; is it a network one?";
        return Err(StoreError::Failed(why.into()));
    }
    connection.pragma_update(None, "synchronous", "FULL").map_err(store_error)?;
    // On macOS alone, and there nothing less reaches the disk.
    connection.pragma_update(None, "fullfsync", true).map_err(store_error)
}

/// SECURITY: a state that somebody prepared must not run code through its schema.
fn harden(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    Ok(())
}

fn create(connection: &mut Connection) -> Result<(), StoreError> {
    apply(connection, &format!("{SCHEMA}{COUNTERS}PRAGMA application_id = {APPLICATION_ID};"))
}

/// A program that knows version 1 alone and has the state open can draw nothing from then on.
fn migrate_from_1(connection: &mut Connection) -> Result<(), StoreError> {
    let counters = format!(
        "ALTER TABLE counters RENAME TO counters_of_version_1;
         {COUNTERS}
         INSERT INTO counters (owner, meter, period, used)
             SELECT owner, 'rate', period, used FROM counters_of_version_1;
         DROP TABLE counters_of_version_1;"
    );
    apply(connection, &counters)
}

/// Runs `sql`, after which the state is of this version, or changes nothing.
fn apply(connection: &mut Connection, sql: &str) -> Result<(), StoreError> {
    let apply = |connection: &mut Connection| {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()
    };
    apply(connection).map_err(store_error)
}

/// SQLite's own waiting sleeps for up to 100 ms at a time, which is far longer than a writer
/// needs.
fn set_bound(connection: &mut Connection, bound: Duration) -> Result<(), StoreError> {
    let attempts = bound.as_millis() / PAUSE.as_millis();
    let again = move |attempt: i32| {
        let more = u128::try_from(attempt).is_ok_and(|attempt| attempt < attempts);
        if more {
            sleep(PAUSE);
        }
        more
    };
    connection.busy_handler(Some(again)).map_err(store_error)
}
