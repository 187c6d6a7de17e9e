//! The table `counters`: how much of each limit was drawn in its latest period.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use cap_core::{CapabilityId, Meter};
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
    // A counter may stand in several draws: each sees what those before it have taken.
    let mut charged: BTreeMap<(CapabilityId, Meter), Counter> = BTreeMap::new();
    let mut leases = Vec::with_capacity(draws.len());
    for draw in draws {
        let &Draw { owner, meter, period, need, max } = draw;
        let counter = match charged.get(&(owner, meter)) {
            Some(counter) => *counter,
            None => load(connection, owner, meter)?,
        };
        // A clock that went back finds the period spent.
        let used = counter.used_in(period).unwrap_or(max);
        let left = max.saturating_sub(used);
        let units = lease_of(left, need);
        if units == 0 {
            return Ok(Drawn::Exhausted { owner, meter, left });
        }
        charged.insert((owner, meter), Counter { period, used: used.saturating_add(units) });
        leases.push(units);
    }
    for ((owner, meter), counter) in charged {
        save(connection, owner, meter, counter)?;
    }
    Ok(Drawn::Leased(leases))
}

/// Units drawn in `period`.
pub(super) fn drawn(
    connection: &Connection,
    owner: CapabilityId,
    meter: Meter,
    period: u64,
) -> Result<u64, StoreError> {
    let counter = load(connection, owner, meter)?;
    Ok(counter.used_in(period).unwrap_or(u64::MAX))
}

/// Reads every counter.
pub(super) fn check(connection: &Connection) -> Result<(), StoreError> {
    let mut statement = connection
        .prepare("SELECT owner, meter, period, used FROM counters")
        .map_err(store_error)?;
    let mut rows = statement.query([]).map_err(store_error)?;
    while let Some(row) = rows.next().map_err(store_error)? {
        let owner: String = row.get(0).map_err(store_error)?;
        let meter: String = row.get(1).map_err(store_error)?;
        let numbers: [i64; 2] =
            [row.get(2).map_err(store_error)?, row.get(3).map_err(store_error)?];
        let is_known = Meter::ALL.iter().any(|known| known.name() == meter)
            && owner.parse::<CapabilityId>().is_ok();
        if !is_known || numbers.iter().any(|number| *number < 0) {
            return Err(StoreError::Damaged(format!("the counter of {owner}, {meter}")));
        }
    }
    Ok(())
}

fn load(connection: &Connection, owner: CapabilityId, meter: Meter) -> Result<Counter, StoreError> {
    let row: Option<(i64, i64)> = connection
        .prepare_cached("SELECT period, used FROM counters WHERE owner = ?1 AND meter = ?2")
        .and_then(|mut statement| {
            statement
                .query_row(params![owner.to_string(), meter.name()], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()
        })
        .map_err(store_error)?;
    let Some((period, used)) = row else {
        return Ok(Counter::default());
    };
    Ok(Counter { period: unsigned(period)?, used: unsigned(used)? })
}

fn save(
    connection: &Connection,
    owner: CapabilityId,
    meter: Meter,
    counter: Counter,
) -> Result<(), StoreError> {
    let (period, used) = (signed(counter.period)?, signed(counter.used)?);
    connection
        .prepare_cached(
            "INSERT INTO counters (owner, meter, period, used) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (owner, meter)
             DO UPDATE SET period = excluded.period, used = excluded.used",
        )
        .and_then(|mut statement| {
            statement.execute(params![owner.to_string(), meter.name(), period, used])
        })
        .map_err(store_error)?;
    Ok(())
}
