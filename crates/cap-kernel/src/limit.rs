use std::collections::HashMap;

use cap_core::{CapabilityId, Charge, Denial, DenyCode, Meter};
use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use crate::port::{Draw, Drawn, StateStore, StoreError};

/// Units drawn from the shared counters and not yet spent by this process.
///
/// INVARIANT: what is spent here was drawn before, so that all processes together never spend more
/// than a limit has, whatever crashes.
#[derive(Debug, Default)]
pub(crate) struct Leases(Mutex<Left>);

/// What is left of each lease. One holds in its period alone.
#[derive(Debug, Default)]
struct Left(HashMap<(CapabilityId, Meter), Lease>);

#[derive(Clone, Copy, Debug)]
struct Lease {
    period: u64,
    units: u64,
}

impl Leases {
    /// Charges all of `charges`, or none.
    pub(crate) fn charge(
        &self,
        charges: &[Charge],
        store: &dyn StateStore,
        now: DateTime<Utc>,
    ) -> Result<(), Denial> {
        if charges.is_empty() {
            return Ok(());
        }
        let mut left = self.0.lock();
        let lacking: Vec<Draw> =
            charges.iter().filter_map(|charge| left.lacking(charge, now)).collect();
        if !lacking.is_empty() {
            match store.draw(&lacking) {
                Ok(Drawn::Leased(leases)) => left.add(&lacking, &leases)?,
                Ok(Drawn::Exhausted { owner, meter, left: undrawn }) => {
                    let of = |charge: &&Charge| charge.owner == owner && charge.meter == meter;
                    let charge = charges.iter().find(of).ok_or_else(unchargeable)?;
                    let units = undrawn.saturating_add(left.units(charge, now));
                    return Err(charge.refusal(units));
                }
                Err(_) => return Err(unchargeable()),
            }
        }
        charges.iter().try_for_each(|charge| left.spend(charge))
    }

    /// Units of a limit that are spent: drawn by anybody, and not left over here.
    fn spent(
        &self,
        charge: &Charge,
        store: &dyn StateStore,
        now: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let left = self.0.lock();
        let drawn = store.drawn(charge.owner, charge.meter, charge.period(now))?;
        Ok(drawn.min(charge.max).saturating_sub(left.units(charge, now)))
    }
}

impl Left {
    /// Units of the lease that `charge` spends from.
    fn units(&self, charge: &Charge, now: DateTime<Utc>) -> u64 {
        let lease = self.0.get(&(charge.owner, charge.meter));
        lease.filter(|lease| lease.period == charge.period(now)).map_or(0, |lease| lease.units)
    }

    /// What must be drawn before `charge` can be spent; `None` when the lease covers it.
    fn lacking(&self, charge: &Charge, now: DateTime<Utc>) -> Option<Draw> {
        let need = charge.amount.saturating_sub(self.units(charge, now));
        let &Charge { owner, meter, max, .. } = charge;
        (need > 0).then(|| Draw { owner, meter, period: charge.period(now), need, max })
    }

    fn add(&mut self, draws: &[Draw], leases: &[u64]) -> Result<(), Denial> {
        // What a store gives short is forfeited.
        let short = |(draw, units): (&Draw, &u64)| *units < draw.need;
        if draws.len() != leases.len() || draws.iter().zip(leases).any(short) {
            return Err(unchargeable());
        }
        for (draw, units) in draws.iter().zip(leases) {
            let fresh = Lease { period: draw.period, units: 0 };
            let lease = self.0.entry((draw.owner, draw.meter)).or_insert(fresh);
            if lease.period != draw.period {
                *lease = fresh;
            }
            lease.units = lease.units.saturating_add(*units);
        }
        Ok(())
    }

    fn spend(&mut self, charge: &Charge) -> Result<(), Denial> {
        let lease = self.0.get_mut(&(charge.owner, charge.meter)).ok_or_else(unchargeable)?;
        lease.units = lease.units.checked_sub(charge.amount).ok_or_else(unchargeable)?;
        Ok(())
    }
}

/// What calls would have spent, on top of what is spent: it charges nothing.
#[derive(Debug, Default)]
pub struct Simulation(HashMap<(CapabilityId, Meter, u64), u64>);

impl Simulation {
    /// Spends all of `charges` in the simulation, or says why it could not.
    pub(crate) fn charge(
        &mut self,
        charges: &[Charge],
        leases: &Leases,
        store: &dyn StateStore,
        now: DateTime<Utc>,
    ) -> Result<(), Denial> {
        for charge in charges {
            let spent = leases.spent(charge, store, now).map_err(|error| unavailable(&error))?;
            let simulated = self.0.get(&key(charge, now)).copied().unwrap_or(0);
            let left = charge.max.saturating_sub(spent).saturating_sub(simulated);
            if charge.amount > left {
                return Err(charge.refusal(left));
            }
        }
        for charge in charges {
            let simulated = self.0.entry(key(charge, now)).or_default();
            *simulated = simulated.saturating_add(charge.amount);
        }
        Ok(())
    }
}

fn key(charge: &Charge, now: DateTime<Utc>) -> (CapabilityId, Meter, u64) {
    (charge.owner, charge.meter, charge.period(now))
}

pub(crate) fn unavailable(_: &StoreError) -> Denial {
    Denial::new(DenyCode::StoreUnavailable)
}

fn unchargeable() -> Denial {
    Denial::new(DenyCode::LimitUnavailable)
}
