use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::verify::seconds;

/// What makes a proof itself: its `jti` and who made it. A `jti` is unique for its holder only, so
/// that one holder cannot use up another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProofId<'a> {
    /// The thumbprint (RFC 7638, base64url) of the key that made the proof.
    pub holder: &'a str,
    /// Its `jti`, as long as a proof can be.
    pub jti: &'a str,
    /// The tool that is called: a store may let proofs for tools without side effects pass.
    pub tool: &'a str,
}

impl ProofId<'_> {
    /// 32 bytes under which the proof can be kept: SHA-256 of holder and `jti`.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        // INVARIANT: a thumbprint has no NUL.
        cap_crypto::sha256(format!("{}\0{}", self.holder, self.jti).as_bytes())
    }
}

/// Why a proof is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// It was accepted before.
    #[error("the proof was accepted before")]
    Seen,
    /// It may have been accepted before, and the store would no longer know: the clock was set back,
    /// or the store has only just started.
    #[error("the proof is older than what the replay store remembers")]
    Forgotten,
    /// There is no room to remember it.
    #[error("the replay store is full")]
    Full,
    /// The store cannot be reached.
    #[error("the replay store cannot be reached")]
    Unavailable,
}

/// The proofs that were accepted (AAT-02 §7.3, §8 step 7i). Replicas of one enforcement point share
/// one store.
pub trait ReplayStore: Send + Sync + fmt::Debug {
    /// Remembers that a proof is accepted, unless it was before: one atomic step, so that of two
    /// calls with the same proof at most one succeeds. Called last, when everything else permits:
    /// a denied call uses up nothing.
    ///
    /// It must be remembered through `until`, the last second in which the proof could be
    /// presented.
    ///
    /// # Errors
    /// When it was accepted before or cannot be remembered; the call is then denied.
    fn accept(
        &self,
        proof: ProofId<'_>,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), ReplayError>;
}

/// Remembers nothing: a captured proof can be used again until its window ends.
///
/// SECURITY: only for tools without side effects whose answers are not sensitive (AAT-02 §9.5).
#[derive(Clone, Copy, Debug, Default)]
pub struct Untracked;

impl ReplayStore for Untracked {
    fn accept(
        &self,
        _: ProofId<'_>,
        _: DateTime<Utc>,
        _: DateTime<Utc>,
    ) -> Result<(), ReplayError> {
        Ok(())
    }
}

/// The proofs accepted by one process, at most so many at once. When it is full it denies: to
/// forget one early would let it be replayed.
///
/// All holders share the room, so that one of them can fill it with good calls, and all are denied
/// until its proofs have ended. `capacity` is the calls per second of all holders together times
/// twice the proof window; who must keep holders from each other bounds the calls of each first.
#[derive(Debug)]
pub struct MemoryReplayStore {
    capacity: usize,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    proofs: HashSet<[u8; 32]>,
    by_end: BTreeSet<(i64, [u8; 32])>,
    /// What ends before this second is refused, and forgotten.
    floor: i64,
}

impl MemoryReplayStore {
    /// An empty store. A proof takes about 100 bytes, for twice the window of the policy at most.
    ///
    /// SECURITY: it knows nothing of what was accepted before it was made: after a restart a proof
    /// that was captured can be used once more while its window lasts. Only where nothing was
    /// accepted before; else [`MemoryReplayStore::starting_at`].
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self::with_floor(capacity, i64::MIN)
    }

    /// An empty store of a process that starts at `started`: every proof that could have been
    /// accepted by then is refused, so that a restart revives none.
    ///
    /// `proof_window` is the longest of the policies that use the store, before the restart and
    /// after it. A proof may have been dated so far ahead of its acceptance: for that long after the
    /// start, those that are dated rightly are refused.
    ///
    /// SECURITY: a clock that was set back between the runs is not noticed.
    #[must_use]
    pub fn starting_at(capacity: usize, proof_window: Duration, started: DateTime<Utc>) -> Self {
        // What was accepted in the second of the start or before is dated at most a window later,
        // and ends at most a window after that.
        let last = started.timestamp().saturating_add(seconds(proof_window.saturating_mul(2)));
        Self::with_floor(capacity, last.saturating_add(1))
    }

    fn with_floor(capacity: usize, floor: i64) -> Self {
        let seen = Seen { proofs: HashSet::new(), by_end: BTreeSet::new(), floor };
        Self { capacity, seen: Mutex::new(seen) }
    }

    /// How many proofs it remembers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).proofs.len()
    }

    /// Whether it remembers none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl ReplayStore for MemoryReplayStore {
    fn accept(
        &self,
        proof: ProofId<'_>,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), ReplayError> {
        let (digest, until) = (proof.digest(), until.timestamp());
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.forget_before(now.timestamp());
        // SECURITY: after the clock was set back, a proof that has been forgotten looks new.
        if until < seen.floor {
            return Err(ReplayError::Forgotten);
        }
        if seen.proofs.contains(&digest) {
            return Err(ReplayError::Seen);
        }
        if seen.proofs.len() >= self.capacity {
            return Err(ReplayError::Full);
        }
        seen.proofs.insert(digest);
        seen.by_end.insert((until, digest));
        Ok(())
    }
}

impl Seen {
    fn forget_before(&mut self, now: i64) {
        self.floor = self.floor.max(now);
        while let Some((end, _)) = self.by_end.first()
            && *end < self.floor
            && let Some((_, digest)) = self.by_end.pop_first()
        {
            self.proofs.remove(&digest);
        }
    }
}
