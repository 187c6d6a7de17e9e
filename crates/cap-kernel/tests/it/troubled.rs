//! A store that goes wrong when it is told to.

use std::sync::Arc;

use cap_core::{CapabilityId, Meter};
use cap_kernel::{Change, Draw, Drawn, Epoch, MemoryStore, SessionId, StateStore, StoreError};
use chrono::{DateTime, Utc};
use parking_lot::Mutex;

/// An operation of the kernel's port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Epoch,
    ChangesSince,
    Commit,
    Draw,
    Drawn,
    SessionUntil,
}

impl Operation {
    pub(crate) const ALL: [Self; 6] = [
        Self::Epoch,
        Self::ChangesSince,
        Self::Commit,
        Self::Draw,
        Self::Drawn,
        Self::SessionUntil,
    ];
}

/// What is done when something is to be committed, before it is.
type Witness = Box<dyn Fn(&[Change]) + Send>;

#[derive(Default)]
pub(crate) struct Troubled {
    state: Mutex<Arc<MemoryStore>>,
    trouble: Mutex<Option<(Operation, StoreError)>>,
    hidden: Mutex<bool>,
    witness: Mutex<Option<Witness>>,
    drawn: Mutex<Option<Drawn>>,
}

impl std::fmt::Debug for Troubled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Troubled").finish_non_exhaustive()
    }
}

impl Troubled {
    /// From now on, `operation` fails.
    pub(crate) fn fail(&self, operation: Operation, error: StoreError) {
        *self.trouble.lock() = Some((operation, error));
    }

    pub(crate) fn heal(&self) {
        *self.trouble.lock() = None;
    }

    /// From now on, changes are counted but not told.
    pub(crate) fn hide_changes(&self) {
        *self.hidden.lock() = true;
    }

    /// Puts another state in the place of this one: a backup, for example.
    pub(crate) fn replace(&self, state: Arc<MemoryStore>) {
        *self.state.lock() = state;
    }

    /// From now on, every draw is answered so, and nothing is drawn; or it is drawn again.
    pub(crate) fn answer_draws(&self, answer: Option<Drawn>) {
        *self.drawn.lock() = answer;
    }

    pub(crate) fn watch_commits(&self, witness: impl Fn(&[Change]) + Send + 'static) {
        *self.witness.lock() = Some(Box::new(witness));
    }

    fn reached(&self, operation: Operation) -> Result<Arc<MemoryStore>, StoreError> {
        match &*self.trouble.lock() {
            Some((troubled, error)) if *troubled == operation => Err(error.clone()),
            _ => Ok(Arc::clone(&self.state.lock())),
        }
    }
}

impl StateStore for Troubled {
    fn epoch(&self) -> Result<Epoch, StoreError> {
        self.reached(Operation::Epoch)?.epoch()
    }

    fn changes_since(&self, epoch: Epoch) -> Result<(Epoch, Vec<Change>), StoreError> {
        let (epoch, mut changes) = self.reached(Operation::ChangesSince)?.changes_since(epoch)?;
        if *self.hidden.lock() {
            changes.pop();
        }
        Ok((epoch, changes))
    }

    fn commit(&self, changes: &[Change]) -> Result<Epoch, StoreError> {
        if let Some(witness) = &*self.witness.lock() {
            witness(changes);
        }
        self.reached(Operation::Commit)?.commit(changes)
    }

    fn draw(&self, draws: &[Draw]) -> Result<Drawn, StoreError> {
        let state = self.reached(Operation::Draw)?;
        match &*self.drawn.lock() {
            Some(answer) => Ok(answer.clone()),
            None => state.draw(draws),
        }
    }

    fn drawn(&self, owner: CapabilityId, meter: Meter, period: u64) -> Result<u64, StoreError> {
        self.reached(Operation::Drawn)?.drawn(owner, meter, period)
    }

    fn open_session(&self, session: SessionId, until: DateTime<Utc>) -> Result<(), StoreError> {
        self.state.lock().open_session(session, until)
    }

    fn renew_session(&self, session: SessionId, until: DateTime<Utc>) -> Result<(), StoreError> {
        self.state.lock().renew_session(session, until)
    }

    fn session_until(&self, session: SessionId) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.reached(Operation::SessionUntil)?.session_until(session)
    }

    fn close_session(&self, session: SessionId) -> Result<(), StoreError> {
        self.state.lock().close_session(session)
    }

    fn abandoned_sessions(&self, now: DateTime<Utc>) -> Result<Vec<SessionId>, StoreError> {
        self.state.lock().abandoned_sessions(now)
    }
}
