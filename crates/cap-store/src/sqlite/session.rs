//! The table `sessions`: until when each one is open, as an RFC 3339 instant. Rows are never
//! removed, so that an id is never opened twice.

use std::fmt::Display;

use cap_kernel::{SessionId, StoreError};
use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::store_error;

/// Enters a new session.
pub(super) fn insert(
    connection: &Connection,
    session: SessionId,
    until: DateTime<Utc>,
) -> Result<(), StoreError> {
    let added = execute(
        connection,
        "INSERT INTO sessions (id, until, closed) VALUES (?1, ?2, 0) ON CONFLICT DO NOTHING",
        session,
        Some(until),
    )?;
    if added == 1 { Ok(()) } else { Err(StoreError::Failed("the session exists".into())) }
}

/// Prolongs an open session.
pub(super) fn renew(
    connection: &Connection,
    session: SessionId,
    until: DateTime<Utc>,
) -> Result<(), StoreError> {
    let renewed = execute(
        connection,
        "UPDATE sessions SET until = ?2 WHERE id = ?1 AND closed = 0",
        session,
        Some(until),
    )?;
    if renewed == 1 { Ok(()) } else { Err(StoreError::Failed("the session is not open".into())) }
}

/// Closes a session; one that was never opened is entered as closed.
pub(super) fn close(connection: &Connection, session: SessionId) -> Result<(), StoreError> {
    execute(
        connection,
        "INSERT INTO sessions (id, until, closed) VALUES (?1, ?2, 1)
         ON CONFLICT (id) DO UPDATE SET closed = 1",
        session,
        None,
    )?;
    Ok(())
}

/// Until when a session is open.
pub(super) fn until(
    connection: &Connection,
    session: SessionId,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let until: Option<String> = connection
        .prepare_cached("SELECT until FROM sessions WHERE id = ?1 AND closed = 0")
        .and_then(|mut statement| {
            statement.query_row([session.to_string()], |row| row.get(0)).optional()
        })
        .map_err(store_error)?;
    until.map(|until| read_instant(session, &until)).transpose()
}

/// All open sessions.
pub(super) fn open_ones(
    connection: &Connection,
) -> Result<Vec<(SessionId, DateTime<Utc>)>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT id, until FROM sessions WHERE closed = 0")
        .map_err(store_error)?;
    let mut rows = statement.query([]).map_err(store_error)?;
    let mut sessions = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        let id: String = row.get(0).map_err(store_error)?;
        let until: String = row.get(1).map_err(store_error)?;
        let session = id.parse().map_err(|error| damaged(&id, error))?;
        sessions.push((session, read_instant(session, &until)?));
    }
    Ok(sessions)
}

fn execute(
    connection: &Connection,
    sql: &str,
    session: SessionId,
    until: Option<DateTime<Utc>>,
) -> Result<usize, StoreError> {
    let until = until.map(|until| until.to_rfc3339_opts(SecondsFormat::AutoSi, true));
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute(params![session.to_string(), until]))
        .map_err(store_error)
}

fn read_instant(session: SessionId, text: &str) -> Result<DateTime<Utc>, StoreError> {
    text.parse().map_err(|error| damaged(session, error))
}

fn damaged(session: impl Display, why: impl Display) -> StoreError {
    StoreError::Damaged(format!("session {session}: {why}"))
}
