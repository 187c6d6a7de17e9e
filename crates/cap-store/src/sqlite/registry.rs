//! The table `logs`: which audit logs there are, and how far each of them has come.

use cap_audit::{Digest, Head, LogEntry, LogId, LogRegistry, LogState, RegistryError};
use cap_kernel::StoreError;
use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::SqliteStore;
use super::error::{signed, store_error, unsigned};

impl LogRegistry for SqliteStore {
    fn created(&self, entry: &LogEntry) -> Result<(), RegistryError> {
        self.write(|transaction| create(transaction, entry)).map_err(refused)
    }

    fn head(
        &self,
        log: &LogId,
        seq: u64,
        hash: &Digest,
        now: DateTime<Utc>,
    ) -> Result<(), RegistryError> {
        let head = Head { seq, hash: *hash };
        self.write(|transaction| advance(transaction, log, head, now)).map_err(refused)
    }

    fn closed(&self, log: &LogId, seq: u64, hash: &Digest) -> Result<(), RegistryError> {
        let head = Head { seq, hash: *hash };
        self.write(|transaction| close(transaction, log, head)).map_err(refused)
    }

    fn entries(&self) -> Result<Vec<LogEntry>, RegistryError> {
        self.reader().and_then(|reader| entries(&reader)).map_err(refused)
    }
}

/// All logs, in the order of their creation.
pub(super) fn entries(connection: &Connection) -> Result<Vec<LogEntry>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT log, node, folder, seq, hash, state FROM logs ORDER BY number")
        .map_err(store_error)?;
    let mut rows = statement.query([]).map_err(store_error)?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        entries.push(entry(row)?);
    }
    Ok(entries)
}

fn create(connection: &Connection, entry: &LogEntry) -> Result<(), StoreError> {
    let added = connection
        .execute(
            "INSERT INTO logs (log, node, folder, seq, hash, state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
            params![
                entry.log.to_string(),
                entry.node,
                entry.folder,
                signed(entry.head.seq)?,
                entry.head.hash.to_string(),
                state_name(entry.state),
            ],
        )
        .map_err(store_error)?;
    if added == 1 { Ok(()) } else { Err(StoreError::Failed("the log is known".into())) }
}

fn advance(
    connection: &Connection,
    log: &LogId,
    head: Head,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if head.seq <= open_head(connection, log, head)?.seq {
        return Ok(());
    }
    connection
        .prepare_cached("UPDATE logs SET seq = ?2, hash = ?3, head_at = ?4 WHERE log = ?1")
        .map_err(store_error)?
        .execute(params![
            log.to_string(),
            signed(head.seq)?,
            head.hash.to_string(),
            now.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        ])
        .map_err(store_error)?;
    Ok(())
}

fn close(connection: &Connection, log: &LogId, head: Head) -> Result<(), StoreError> {
    if head.seq < open_head(connection, log, head)?.seq {
        return Err(StoreError::Failed("the log had come further".into()));
    }
    connection
        .execute(
            "UPDATE logs SET seq = ?2, hash = ?3, state = ?4 WHERE log = ?1",
            params![
                log.to_string(),
                signed(head.seq)?,
                head.hash.to_string(),
                state_name(LogState::Closed),
            ],
        )
        .map_err(store_error)?;
    Ok(())
}

/// How far an open log had come; an error when `head` contradicts that.
fn open_head(connection: &Connection, log: &LogId, head: Head) -> Result<Head, StoreError> {
    let known = connection
        .prepare_cached("SELECT log, node, folder, seq, hash, state FROM logs WHERE log = ?1")
        .and_then(|mut statement| {
            statement.query_row([log.to_string()], |row| Ok(entry(row))).optional()
        })
        .map_err(store_error)?
        .ok_or_else(|| StoreError::Failed("the log is unknown".into()))??;
    if known.state == LogState::Closed {
        return Err(StoreError::Failed("the log is closed".into()));
    }
    if known.head.seq == head.seq && known.head.hash != head.hash {
        return Err(StoreError::Failed("another record is registered there".into()));
    }
    Ok(known.head)
}

fn entry(row: &rusqlite::Row<'_>) -> Result<LogEntry, StoreError> {
    let text = |column: usize| row.get::<_, String>(column).map_err(store_error);
    let log = text(0)?;
    let damaged = |why: String| StoreError::Damaged(format!("log {log}: {why}"));
    Ok(LogEntry {
        log: log.parse().map_err(|error| damaged(format!("{error}")))?,
        node: text(1)?,
        folder: text(2)?,
        head: Head {
            seq: row.get(3).map_err(store_error).and_then(unsigned)?,
            hash: text(4)?.parse().map_err(|error| damaged(format!("{error}")))?,
        },
        state: match text(5)?.as_str() {
            "open" => LogState::Open,
            "closed" => LogState::Closed,
            other => return Err(damaged(format!("its state is `{other}`"))),
        },
    })
}

const fn state_name(state: LogState) -> &'static str {
    match state {
        LogState::Open => "open",
        LogState::Closed => "closed",
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
fn refused(error: StoreError) -> RegistryError {
    RegistryError(error.to_string())
}
