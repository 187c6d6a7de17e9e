//! The table `counters`: how much of each limit was drawn in its latest period.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use cap_core::CapabilityId;
use cap_kernel::{Draw, Drawn, StoreError, lease_of};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::{signed, store_error, unsigned};

#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    period: u64,
    used: u64,
}

impl Counter {
    /// Units used of a period; `None` for one that is over.
    fn used_in(self, period: u64) -> Option<u64> {
        match self.period.cmp(&period) {
            Ordering::Less => Some(0),
            Ordering::Equal => Some(self.used),
            Ordering::Greater => None,
        }
    }
}

/// Charges a lease to every counter, or none to any.
pub(super) fn draw(connection: &Connection, draws: &[Draw]) -> Result<Drawn, StoreError> {
    // An owner may stand in several draws: each sees what those before it have taken.
    let mut charged: BTreeMap<CapabilityId, Counter> = BTreeMap::new();
    let mut leases = Vec::with_capacity(draws.len());
    for draw in draws {
        let counter = match charged.get(&draw.owner) {
            Some(counter) => *counter,
            None => load(connection, draw.owner)?,
        };
        // A clock that went back finds the period spent.
        let used = counter.used_in(draw.period).unwrap_or(draw.max);
        let units = lease_of(draw.max.saturating_sub(used));
        if units == 0 {
            return Ok(Drawn::Exhausted(draw.owner));
        }
        let used = used.saturating_add(units);
        charged.insert(draw.owner, Counter { period: draw.period, used });
        leases.push(units);
    }
    for (owner, counter) in charged {
        save(connection, owner, counter)?;
    }
    Ok(Drawn::Leased(leases))
}

/// Units drawn in `period`.
pub(super) fn drawn(
    connection: &Connection,
    owner: CapabilityId,
    period: u64,
) -> Result<u64, StoreError> {
    let counter = load(connection, owner)?;
    Ok(counter.used_in(period).unwrap_or(u64::MAX))
}

/// Reads every counter.
pub(super) fn check(connection: &Connection) -> Result<(), StoreError> {
    let wrong: Option<String> = connection
        .query_row("SELECT owner FROM counters WHERE period < 0 OR used < 0", [], |row| row.get(0))
        .optional()
        .map_err(store_error)?;
    wrong.map_or(Ok(()), |owner| Err(StoreError::Damaged(format!("the counter of {owner}"))))
}

fn load(connection: &Connection, owner: CapabilityId) -> Result<Counter, StoreError> {
    let row: Option<(i64, i64)> = connection
        .prepare_cached("SELECT period, used FROM counters WHERE owner = ?1")
        .and_then(|mut statement| {
            statement
                .query_row([owner.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
        .map_err(store_error)?;
    let Some((period, used)) = row else {
        return Ok(Counter::default());
    };
    Ok(Counter { period: unsigned(period)?, used: unsigned(used)? })
}

fn save(connection: &Connection, owner: CapabilityId, counter: Counter) -> Result<(), StoreError> {
    let (period, used) = (signed(counter.period)?, signed(counter.used)?);
    connection
        .prepare_cached(
            "INSERT INTO counters (owner, period, used) VALUES (?1, ?2, ?3)
             ON CONFLICT (owner) DO UPDATE SET period = excluded.period, used = excluded.used",
        )
        .and_then(|mut statement| statement.execute(params![owner.to_string(), period, used]))
        .map_err(store_error)?;
    Ok(())
}
