use std::collections::{BTreeMap, HashMap};
use std::fmt;

use cap_core::{Capability, CapabilityId, Meter, Principal};
use cap_token::RevocationTarget;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// The number of the last change of a state: 0 for an empty one, and one more with every change.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// One change of the authority. The state is the fold of all of them, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Change {
    /// A capability was granted or delegated.
    Issued {
        /// It.
        capability: Box<Capability>,
        /// The session that it ends with; none for one made in the shell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<SessionId>,
    },
    /// Something was revoked, with everything below it.
    Revoked {
        /// What.
        target: Target,
        /// When.
        at: DateTime<Utc>,
    },
}

/// What a revocation covers. Each is one record, whatever hangs below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Target {
    /// A capability and all of its descendants.
    Capability(CapabilityId),
    /// Every capability of a principal that was issued up to the instant of the revocation, with
    /// all descendants.
    Principal(Principal),
    /// Every capability of a session, with all descendants.
    Session(SessionId),
    /// What a token or chain may be known by, wherever it comes from: its id, its issuer, a key, a
    /// capability that this state need not know, a principal. One of a capability or of a principal
    /// reaches what this state has issued, too.
    Evidence(RevocationTarget),
}

/// A session of a guard: a capability id's form, made when the session opens.
pub type SessionId = CapabilityId;

/// Units to be drawn from the counter of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Whose limit it is.
    pub owner: CapabilityId,
    /// Which of its counters.
    pub meter: Meter,
    /// The period to draw from.
    pub period: u64,
    /// Units that are wanted at least; 0 counts as 1.
    pub need: u64,
    /// Units of a whole period.
    pub max: u64,
}

/// The durable, shared state behind the kernel. Many processes use one at the same time.
///
/// Contract: `commit` is atomic and durable before it returns; a change is visible to every
/// process's `epoch` from the moment that its `commit` has returned; nothing blocks for more than
/// a bound that the adapter states, after which it is [`StoreError::Busy`].
pub trait StateStore: Send + Sync + fmt::Debug {
    /// The number of the last change: cheap enough to be asked before every decision.
    ///
    /// # Errors
    /// When the store cannot be read in time.
    fn epoch(&self) -> Result<Epoch, StoreError>;

    /// The changes after `epoch`, in order, and the epoch that they lead to.
    ///
    /// # Errors
    /// When the store cannot be read in time, holds what is no change, or has not come to `epoch`
    /// yet: it is older than it was.
    fn changes_since(&self, epoch: Epoch) -> Result<(Epoch, Vec<Change>), StoreError>;

    /// Adds changes, all or none of them.
    ///
    /// # Errors
    /// When they could not be made durable: then none of them is visible.
    fn commit(&self, changes: &[Change]) -> Result<Epoch, StoreError>;

    /// Draws a lease from every counter, all or none: of each as many units as [`lease_of`] says.
    /// The sum of all leases of a period never exceeds `max`, whatever crashes. A period older
    /// than the counter's yields nothing. Counters of one owner are apart from each other.
    ///
    /// # Errors
    /// When the counters could not be charged durably.
    fn draw(&self, draws: &[Draw]) -> Result<Drawn, StoreError>;

    /// Units of a counter of `owner` already drawn in `period`, all of them (`u64::MAX`) where a
    /// later period has begun: for simulation, it charges nothing.
    ///
    /// # Errors
    /// When the store cannot be read in time.
    fn drawn(&self, owner: CapabilityId, meter: Meter, period: u64) -> Result<u64, StoreError>;

    /// Opens a session: takes its owner lock, which this process holds until it ends, and a lease.
    ///
    /// # Errors
    /// When the session exists, or cannot be made durable.
    fn open_session(&self, session: SessionId, until: DateTime<Utc>) -> Result<(), StoreError>;

    /// Prolongs the lease of a session of this process. One that is closed stays so.
    ///
    /// # Errors
    /// When the session is not open, or cannot be made durable.
    fn renew_session(&self, session: SessionId, until: DateTime<Utc>) -> Result<(), StoreError>;

    /// Until when a session is open; `None` for one that is closed or was never opened.
    ///
    /// # Errors
    /// When the store cannot be read in time.
    fn session_until(&self, session: SessionId) -> Result<Option<DateTime<Utc>>, StoreError>;

    /// Marks a session closed and lets go of its lock. A closed one stays closed.
    ///
    /// # Errors
    /// When it cannot be made durable.
    fn close_session(&self, session: SessionId) -> Result<(), StoreError>;

    /// The open sessions that nobody owns any more: their lock is free, or their lease is over.
    ///
    /// # Errors
    /// When the store cannot be read in time.
    fn abandoned_sessions(&self, now: DateTime<Utc>) -> Result<Vec<SessionId>, StoreError>;
}

/// How many times what is needed one lease has at most.
pub const MAX_LEASE: u64 = 256;

/// Units of the next lease of a counter of which `left` units are left and `need` are needed: an
/// eighth of what is left, but never less than the need, nor more than [`MAX_LEASE`] times that.
/// Nothing (0) where less is left than is needed. A `need` of 0 counts as 1.
#[must_use]
pub fn lease_of(left: u64, need: u64) -> u64 {
    let need = need.max(1);
    if left < need { 0 } else { (left / 8).clamp(need, need.saturating_mul(MAX_LEASE)) }
}

/// What came of drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Drawn {
    /// Units by draw, in their order; none is less than its need.
    Leased(Vec<u64>),
    /// The first counter that has less left than is needed; nothing was drawn.
    Exhausted {
        /// Whose limit it is.
        owner: CapabilityId,
        /// Which of its counters.
        meter: Meter,
        /// Units that nobody has drawn.
        left: u64,
    },
}

/// Why the store did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Others kept it busy past the bound.
    #[error("the state is busy: {0}")]
    Busy(String),
    /// It holds what this version does not understand, or contradicts itself.
    #[error("the state is damaged: {0}")]
    Damaged(String),
    /// It could not be read or written.
    #[error("the state could not be used: {0}")]
    Failed(String),
}

/// A store in memory: for tests, and for a server that owns its state alone and may lose it.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    changes: Vec<Change>,
    /// Period and units drawn in it.
    counters: HashMap<(CapabilityId, Meter), (u64, u64)>,
    sessions: BTreeMap<SessionId, Option<DateTime<Utc>>>,
}

impl Memory {
    fn used(&self, draw: &Draw) -> u64 {
        match self.counters.get(&(draw.owner, draw.meter)) {
            Some((period, used)) if *period == draw.period => *used,
            // A clock that went back finds the period spent.
            Some((period, _)) if *period > draw.period => draw.max,
            _ => 0,
        }
    }
}

impl StateStore for MemoryStore {
    fn epoch(&self) -> Result<Epoch, StoreError> {
        Ok(Epoch(self.0.lock().changes.len().try_into().unwrap_or(u64::MAX)))
    }

    fn changes_since(&self, epoch: Epoch) -> Result<(Epoch, Vec<Change>), StoreError> {
        let skip = usize::try_from(epoch.0).unwrap_or(usize::MAX);
        let memory = self.0.lock();
        let changes = memory.changes.get(skip..);
        let changes = changes.ok_or_else(|| StoreError::Damaged("older than it was".into()))?;
        let changes = changes.to_vec();
        let more = u64::try_from(changes.len()).unwrap_or(0);
        Ok((Epoch(epoch.0.saturating_add(more)), changes))
    }

    fn commit(&self, changes: &[Change]) -> Result<Epoch, StoreError> {
        let mut memory = self.0.lock();
        memory.changes.extend_from_slice(changes);
        Ok(Epoch(memory.changes.len().try_into().unwrap_or(u64::MAX)))
    }

    fn draw(&self, draws: &[Draw]) -> Result<Drawn, StoreError> {
        let mut memory = self.0.lock();
        let mut leases = Vec::new();
        let before = memory.counters.clone();
        for draw in draws {
            let used = memory.used(draw);
            let left = draw.max.saturating_sub(used);
            let units = lease_of(left, draw.need);
            if units == 0 {
                memory.counters = before;
                return Ok(Drawn::Exhausted { owner: draw.owner, meter: draw.meter, left });
            }
            let counter = (draw.period, used.saturating_add(units));
            memory.counters.insert((draw.owner, draw.meter), counter);
            leases.push(units);
        }
        Ok(Drawn::Leased(leases))
    }

    fn drawn(&self, owner: CapabilityId, meter: Meter, period: u64) -> Result<u64, StoreError> {
        let memory = self.0.lock();
        Ok(memory.used(&Draw { owner, meter, period, need: 0, max: u64::MAX }))
    }

    fn open_session(&self, session: SessionId, until: DateTime<Utc>) -> Result<(), StoreError> {
        match self.0.lock().sessions.entry(session) {
            std::collections::btree_map::Entry::Occupied(_) => {
                Err(StoreError::Failed("the session exists".into()))
            }
            std::collections::btree_map::Entry::Vacant(vacant) => {
                vacant.insert(Some(until));
                Ok(())
            }
        }
    }

    fn renew_session(&self, session: SessionId, until: DateTime<Utc>) -> Result<(), StoreError> {
        match self.0.lock().sessions.get_mut(&session) {
            Some(Some(open)) => {
                *open = until;
                Ok(())
            }
            _ => Err(StoreError::Failed("the session is not open".into())),
        }
    }

    fn session_until(&self, session: SessionId) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(self.0.lock().sessions.get(&session).copied().flatten())
    }

    fn close_session(&self, session: SessionId) -> Result<(), StoreError> {
        self.0.lock().sessions.insert(session, None);
        Ok(())
    }

    fn abandoned_sessions(&self, now: DateTime<Utc>) -> Result<Vec<SessionId>, StoreError> {
        let over = |until: &Option<DateTime<Utc>>| until.is_some_and(|until| until <= now);
        let memory = self.0.lock();
        Ok(memory.sessions.iter().filter(|(_, until)| over(until)).map(|(id, _)| *id).collect())
    }
}
