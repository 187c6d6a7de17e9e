//! The table `changes`: one row for each change, its epoch the key. Rows are only ever added.

use cap_kernel::{Change, Epoch, RevocationTarget, StoreError, Target};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::{signed, store_error, unsigned};

/// A change as it stands in the table: `kind` and `subject` repeat for a person what `body`, the
/// JSON of the change, says.
#[derive(Debug)]
pub(super) struct Row {
    kind: String,
    subject: String,
    body: String,
}

/// Consecutive rows.
#[derive(Debug)]
pub(super) struct Rows {
    /// The epoch before the first row.
    before: u64,
    rows: Vec<Row>,
}

/// The number of the last change.
pub(super) fn last(connection: &Connection) -> Result<Epoch, StoreError> {
    connection
        .prepare_cached("SELECT epoch FROM changes ORDER BY epoch DESC LIMIT 1")
        .and_then(|mut statement| statement.query_row([], |row| row.get::<_, i64>(0)).optional())
        .map_err(store_error)
        .and_then(|last| unsigned(last.unwrap_or(0)))
        .map(Epoch)
}

/// The rows after `epoch`.
pub(super) fn after(connection: &Connection, epoch: Epoch) -> Result<Rows, StoreError> {
    let Epoch(before) = epoch;
    let mut statement = connection
        .prepare_cached(
            "SELECT epoch, kind, subject, body FROM changes WHERE epoch >= ?1 ORDER BY epoch",
        )
        .map_err(store_error)?;
    // A state that was put back to an older copy is found by the row that the caller has seen.
    let mut expected = before.max(1);
    let mut found = statement.query([signed(before)?]).map_err(store_error)?;
    let mut rows = Vec::new();
    while let Some(row) = found.next().map_err(store_error)? {
        let epoch = row.get(0).map_err(store_error).and_then(unsigned)?;
        if epoch != expected {
            return Err(missing(expected));
        }
        expected = expected.saturating_add(1);
        if epoch > before {
            rows.push(Row::from_sql(row).map_err(|error| damaged(epoch, &error))?);
        }
    }
    if expected <= before {
        return Err(missing(expected));
    }
    Ok(Rows { before, rows })
}

impl Rows {
    /// What they say, and the epoch that they lead to.
    pub(super) fn read(self) -> Result<(Epoch, Vec<Change>), StoreError> {
        let mut epoch = self.before;
        let mut changes = Vec::with_capacity(self.rows.len());
        for row in self.rows {
            epoch = epoch.saturating_add(1);
            changes.push(row.read().map_err(|why| damaged(epoch, &why))?);
        }
        Ok((Epoch(epoch), changes))
    }
}

/// The rows for some changes.
pub(super) fn rows(changes: &[Change]) -> Result<Vec<Row>, StoreError> {
    changes.iter().map(Row::of).collect()
}

/// Adds rows; answers with the epoch of the last one.
pub(super) fn append(connection: &Connection, rows: &[Row]) -> Result<Epoch, StoreError> {
    let Epoch(mut epoch) = last(connection)?;
    let mut insert = connection
        .prepare_cached("INSERT INTO changes (kind, subject, body) VALUES (?1, ?2, ?3)")
        .map_err(store_error)?;
    for row in rows {
        let key = insert
            .insert(params![row.kind, row.subject, row.body])
            .map_err(store_error)
            .and_then(unsigned)?;
        epoch = epoch.saturating_add(1);
        // SQLite never gives a key twice, so a key that leaves a gap betrays removed rows.
        if key != epoch {
            return Err(missing(epoch));
        }
    }
    Ok(Epoch(epoch))
}

impl Row {
    fn of(change: &Change) -> Result<Self, StoreError> {
        let unwritable =
            |why: String| StoreError::Failed(format!("a change that cannot be written: {why}"));
        let body = serde_json::to_string(change).map_err(|error| unwritable(error.to_string()))?;
        let (kind, subject) = name(change).map_err(unwritable)?;
        let row = Self { kind: kind.to_owned(), subject, body };
        // INVARIANT: what is written can be read; a row that cannot would stop every process.
        match row.read() {
            Ok(read) if read == *change => Ok(row),
            Ok(_) => Err(unwritable("it would be read as another one".into())),
            Err(why) => Err(unwritable(why)),
        }
    }

    fn from_sql(row: &rusqlite::Row<'_>) -> Result<Self, String> {
        let text = |column: usize| row.get(column).map_err(|error| error.to_string());
        Ok(Self { kind: text(1)?, subject: text(2)?, body: text(3)? })
    }

    /// SECURITY: a kind, target or member that this version does not know is an error, never
    /// skipped: it may be a revocation.
    fn read(&self) -> Result<Change, String> {
        let change: Change = serde_json::from_str(&self.body).map_err(|error| error.to_string())?;
        let (kind, subject) = name(&change)?;
        if kind != self.kind || subject != self.subject {
            return Err(format!("it is entered as `{} {}`", self.kind, self.subject));
        }
        Ok(change)
    }
}

/// Kind and subject of a change.
fn name(change: &Change) -> Result<(&'static str, String), String> {
    Ok(match change {
        Change::Issued { capability, .. } => ("issued", format!("capability {}", capability.id())),
        Change::Revoked { target, .. } => (
            "revoked",
            match target {
                Target::Capability(id) => format!("capability {id}"),
                Target::Principal(name) => format!("principal {name}"),
                Target::Session(id) => format!("session {id}"),
                Target::Evidence(target) => format!("evidence {}", wire(target)?),
                _ => return Err("its target is unknown".into()),
            },
        ),
        _ => return Err("its kind is unknown".into()),
    })
}

fn wire(target: &RevocationTarget) -> Result<String, String> {
    serde_json::to_string(target).map_err(|error| error.to_string())
}

fn damaged(epoch: u64, why: &str) -> StoreError {
    StoreError::Damaged(format!("change {epoch}: {why}"))
}

fn missing(epoch: u64) -> StoreError {
    damaged(epoch, "it is missing")
}
