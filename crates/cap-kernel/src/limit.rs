use std::collections::HashMap;

use cap_core::{CapabilityId, Denial, DenyCode, Obligation};
use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use crate::port::{Draw, Drawn, StateStore, StoreError};

/// Units drawn from the shared counters and not yet spent by this process.
///
/// INVARIANT: what is spent here was drawn before, so that all processes together never spend more
/// than a limit has, whatever crashes.
#[derive(Debug, Default)]
pub(crate) struct Leases(Mutex<HashMap<CapabilityId, Lease>>);

#[derive(Clone, Copy, Debug)]
struct Lease {
    period: u64,
    left: u64,
}

impl Leases {
    /// Charges one unit of each limit, or none of any.
    pub(crate) fn charge(
        &self,
        limits: &[Obligation],
        store: &dyn StateStore,
        now: DateTime<Utc>,
    ) -> Result<(), Denial> {
        if limits.is_empty() {
            return Ok(());
        }
        let mut leases = self.0.lock();
        let lacking: Vec<Draw> = limits
            .iter()
            .map(|limit| draw_of(limit, now))
            .filter(|draw| !leases.get(&draw.owner).is_some_and(|lease| lease.covers(draw)))
            .collect();
        if !lacking.is_empty() {
            match store.draw(&lacking) {
                Ok(Drawn::Leased(units)) if units.len() == lacking.len() => {
                    for (draw, units) in lacking.iter().zip(units) {
                        leases.insert(draw.owner, Lease { period: draw.period, left: units });
                    }
                }
                Ok(Drawn::Exhausted(owner)) => return Err(exhausted(limits, owner)),
                Ok(Drawn::Leased(_)) | Err(_) => {
                    return Err(Denial::new(DenyCode::LimitUnavailable));
                }
            }
        }
        for limit in limits {
            let lease = leases.get_mut(&limit.owner);
            let lease = lease.ok_or_else(|| Denial::new(DenyCode::LimitUnavailable))?;
            lease.left =
                lease.left.checked_sub(1).ok_or_else(|| Denial::new(DenyCode::LimitUnavailable))?;
        }
        Ok(())
    }
}

impl Leases {
    /// Units of a limit that are spent: drawn by anybody, and not left over here.
    fn spent(&self, draw: &Draw, store: &dyn StateStore) -> Result<u64, StoreError> {
        let leases = self.0.lock();
        let drawn = store.drawn(draw.owner, draw.period)?;
        let lease = leases.get(&draw.owner).filter(|lease| lease.covers(draw));
        Ok(drawn.saturating_sub(lease.map_or(0, |lease| lease.left)))
    }
}

impl Lease {
    const fn covers(self, draw: &Draw) -> bool {
        self.period == draw.period && self.left > 0
    }
}

/// What calls would have spent, on top of what is spent: it charges nothing.
#[derive(Debug, Default)]
pub struct Simulation(HashMap<(CapabilityId, u64), u64>);

impl Simulation {
    /// Spends one unit of each limit in the simulation, or says why it could not.
    pub(crate) fn charge(
        &mut self,
        limits: &[Obligation],
        leases: &Leases,
        store: &dyn StateStore,
        now: DateTime<Utc>,
    ) -> Result<(), Denial> {
        for limit in limits {
            let draw = draw_of(limit, now);
            let spent = leases.spent(&draw, store).map_err(|error| unavailable(&error))?;
            let simulated = self.0.get(&(draw.owner, draw.period)).copied().unwrap_or(0);
            if spent.saturating_add(simulated) >= draw.max {
                return Err(exhausted(limits, draw.owner));
            }
        }
        for limit in limits {
            let draw = draw_of(limit, now);
            *self.0.entry((draw.owner, draw.period)).or_default() += 1;
        }
        Ok(())
    }
}

pub(crate) fn unavailable(_: &StoreError) -> Denial {
    Denial::new(DenyCode::StoreUnavailable)
}

fn draw_of(limit: &Obligation, now: DateTime<Utc>) -> Draw {
    Draw { owner: limit.owner, period: limit.rate_limit.period(now), max: limit.rate_limit.max }
}

fn exhausted(limits: &[Obligation], owner: CapabilityId) -> Denial {
    let limit = limits.iter().find(|limit| limit.owner == owner);
    let reason = limit.map_or_else(String::new, |limit| {
        let (max, seconds) = (limit.rate_limit.max, limit.rate_limit.per_seconds);
        format!(
            "the limit of {max} calls in {seconds} s, which capability {owner} sets for itself \
             and its descendants, is reached; a call in the next period would pass"
        )
    });
    Denial::because(DenyCode::LimitRate, reason).by("rate_limit")
}
