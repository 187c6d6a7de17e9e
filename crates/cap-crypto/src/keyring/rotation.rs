//! When keys change their status. Everything here works on the content of a file and an instant;
//! nothing waits, and nothing reads a clock.
//!
//! ```text
//! pending ──(announced long enough)──▶ active ──(next one active)──▶ retiring ──(overlap)──▶ retired
//!    └───────────────┬───────────────────┴──────────────┬───────────────┘
//!                    └──────────▶ compromised ◀─────────┘
//! ```

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use super::document::{Document, Record};
use super::{KeyStatus, KeyringError, Kind, refuse_known};
use crate::{KeyId, Purpose};

/// When the keys that sign tokens change.
///
/// INVARIANT: a key verifies for longer than anything that it signed lives, and is published for
/// longer than a verifier may keep what it fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationPolicy {
    /// The longest life of a token, and the skew of clocks.
    needed: Duration,
    interval: Duration,
    overlap: Duration,
    announcement: Duration,
}

/// Why a rotation policy is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Tokens would outlive the key that verifies them.
    #[error("the overlap must be at least the longest lifetime of a token and the skew together")]
    Overlap,
    /// A key must sign for longer than it is announced, and at most ten years.
    #[error("the interval must be longer than the announcement, and at most ten years")]
    Interval,
    /// Verifiers need time to fetch a key, and all times are at most ten years.
    #[error("a key must be announced for at least two seconds, and less than the interval")]
    Announcement,
}

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The longest of all times here.
const LONGEST: Duration = Duration::from_secs(3653 * 24 * 3600);

impl RotationPolicy {
    /// For tokens that live at most `lifetime`, checked by clocks that differ by at most `skew`:
    /// a new key every 30 days, announced for an hour; the old one verifies for `lifetime` and
    /// `skew` together (the shortest overlap there may be).
    ///
    /// # Errors
    /// [`PolicyError::Overlap`] if they are more than ten years together.
    pub fn new(lifetime: Duration, skew: Duration) -> Result<Self, PolicyError> {
        let needed = lifetime.checked_add(skew).ok_or(PolicyError::Overlap)?;
        let announcement = Duration::from_secs(3600);
        Self { needed, interval: 30 * DAY, overlap: needed, announcement }.checked()
    }

    /// How long a key is active before the next one is.
    ///
    /// # Errors
    /// [`PolicyError::Interval`].
    pub fn with_interval(self, interval: Duration) -> Result<Self, PolicyError> {
        Self { interval, ..self }.checked()
    }

    /// How long a key verifies after it has signed the last time. Processes that share the file may
    /// sign with it until they reload, so this is counted from the end of one more announcement
    /// after the next key became active.
    ///
    /// # Errors
    /// [`PolicyError::Overlap`].
    pub fn with_overlap(self, overlap: Duration) -> Result<Self, PolicyError> {
        Self { overlap, ..self }.checked()
    }

    /// How long a key is published before it signs. Verifiers are told to fetch twice as often.
    ///
    /// # Errors
    /// [`PolicyError::Announcement`].
    pub fn with_announcement(self, announcement: Duration) -> Result<Self, PolicyError> {
        Self { announcement, ..self }.checked()
    }

    /// How long a key is active before the next one is.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        self.interval
    }

    /// How long a key verifies after it has signed the last time.
    #[must_use]
    pub const fn overlap(&self) -> Duration {
        self.overlap
    }

    /// How long a key is published before it signs.
    #[must_use]
    pub const fn announcement(&self) -> Duration {
        self.announcement
    }

    /// How long a verifier may keep the keys that it fetched: half of the announcement, so that
    /// everyone who keeps to it knows a key before it signs.
    #[must_use]
    pub fn max_age(&self) -> Duration {
        self.announcement / 2
    }

    /// When a key that stops signing at `now` stops verifying; `None` for keys whose signatures
    /// do not expire: they verify until somebody retires them.
    ///
    /// SECURITY: another process that has not reloaded signs on with it. It has the time of an
    /// announcement to reload; what it signs until then verifies for the overlap as well.
    pub(super) fn retirement(
        &self,
        purpose: Purpose,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, KeyringError> {
        match purpose {
            Purpose::TokenSign => after(after(now, self.announcement)?, self.overlap).map(Some),
            _ => Ok(None),
        }
    }

    fn checked(self) -> Result<Self, PolicyError> {
        if self.overlap < self.needed || self.overlap > LONGEST {
            Err(PolicyError::Overlap)
        } else if self.interval > LONGEST {
            Err(PolicyError::Interval)
        } else if self.announcement < Duration::from_secs(2) || self.announcement >= self.interval {
            Err(PolicyError::Announcement)
        } else {
            Ok(self)
        }
    }
}

/// For tokens that live a day, and clocks that differ by five minutes.
impl Default for RotationPolicy {
    fn default() -> Self {
        let needed = DAY + Duration::from_secs(300);
        let announcement = Duration::from_secs(3600);
        Self { needed, interval: 30 * DAY, overlap: needed, announcement }
    }
}

/// Whether [`advance`] would find something to do.
pub(super) fn is_due(document: &Document, policy: &RotationPolicy, now: DateTime<Utc>) -> bool {
    let purpose = document.purpose();
    document.records().iter().any(|record| match record.status {
        KeyStatus::Pending => is_over(record, now) || is_too_far(record, policy, now),
        KeyStatus::Retiring => is_over(record, now) || lacks_an_end(record, purpose),
        KeyStatus::Active | KeyStatus::Retired | KeyStatus::Compromised => false,
    })
}

/// Retires what has been retiring long enough, and makes the pending key active when its time has
/// come.
pub(super) fn advance<K: Kind>(
    document: &mut Document,
    policy: &RotationPolicy,
    now: DateTime<Utc>,
) -> Result<(), KeyringError> {
    let purpose = document.purpose();
    let end = policy.retirement(purpose, now)?;
    retire_overdue(document, now);
    for record in document.records_mut().filter(|record| lacks_an_end(record, purpose)) {
        // Version 1 did not say since when it retires: the whole overlap from now on is safe.
        record.until = end;
    }
    announce_again(document, policy, now)?;
    if document.only(KeyStatus::Pending).is_some_and(|record| is_over(record, now)) {
        activate_pending::<K>(document, policy, now)?;
    }
    Ok(())
}

/// Retires what has been retiring long enough.
pub(super) fn retire_overdue(document: &mut Document, now: DateTime<Utc>) {
    for record in document.records_mut().filter(|record| is_overdue(record, now)) {
        record.leave(KeyStatus::Retired, Some(now));
    }
}

/// Whether a retiring key has verified for long enough.
pub(super) fn is_overdue(record: &Record, now: DateTime<Utc>) -> bool {
    record.status == KeyStatus::Retiring && is_over(record, now)
}

/// A clock that was wrong once, far in the future, must not keep a pending key from its turn.
fn announce_again(
    document: &mut Document,
    policy: &RotationPolicy,
    now: DateTime<Utc>,
) -> Result<(), KeyringError> {
    if !document.only(KeyStatus::Pending).is_some_and(|record| is_too_far(record, policy, now)) {
        return Ok(());
    }
    let latest = after(now, policy.interval)?;
    let until = next_rotation(document, policy)
        .map_or(latest, |next| next.min(latest))
        .max(after(now, policy.announcement)?);
    for record in document.records_mut().filter(|record| record.status == KeyStatus::Pending) {
        record.enter(KeyStatus::Pending, now, Some(until));
    }
    Ok(())
}

/// Lets a pending key wait until the key that is active now has had its interval.
pub(super) fn postpone_pending(
    document: &mut Document,
    policy: &RotationPolicy,
) -> Result<(), KeyringError> {
    let next = next_rotation(document, policy)?;
    for record in document.records_mut().filter(|record| record.status == KeyStatus::Pending) {
        record.until = record.until.max(Some(next));
    }
    Ok(())
}

/// Discards the pending key if its secret was published no later than `id` gave up its own: both
/// lay in one place, and whoever has the one may have the other.
pub(super) fn discard_pending_beside(document: &mut Document, id: &KeyId, now: DateTime<Utc>) {
    let Some(record) = document.find(id) else { return };
    let stepped_down = match record.status {
        KeyStatus::Active => None,
        KeyStatus::Retiring => record.since,
        KeyStatus::Pending | KeyStatus::Retired | KeyStatus::Compromised => return,
    };
    let lay_beside = |pending: &&mut Record| {
        pending.status == KeyStatus::Pending
            && stepped_down.is_none_or(|ended| pending.created <= ended)
    };
    for pending in document.records_mut().filter(lay_beside) {
        pending.leave(KeyStatus::Retired, Some(now));
    }
}

/// Whether it is time for a pending key.
pub(super) fn announcement_due(
    document: &Document,
    policy: &RotationPolicy,
    now: DateTime<Utc>,
) -> bool {
    let ahead = after(now, policy.announcement);
    document.only(KeyStatus::Pending).is_none()
        && next_rotation(document, policy).is_ok_and(|at| ahead.is_ok_and(|ahead| ahead >= at))
}

/// Publishes a key that is to become active when the interval is over, but never before it has been
/// announced long enough.
pub(super) fn announce(
    document: &mut Document,
    record: Record,
    policy: &RotationPolicy,
    now: DateTime<Utc>,
) -> Result<KeyId, KeyringError> {
    refuse_known(document, &record.id)?;
    if let Some(pending) = document.only(KeyStatus::Pending) {
        return Err(KeyringError::PendingKey(pending.id.clone()));
    }
    let until = next_rotation(document, policy)?.max(after(now, policy.announcement)?);
    let id = record.id.clone();
    let mut record = record;
    record.enter(KeyStatus::Pending, now, Some(until));
    document.push(record);
    Ok(id)
}

/// Makes the pending key active, if there is one.
pub(super) fn activate_pending<K: Kind>(
    document: &mut Document,
    policy: &RotationPolicy,
    now: DateTime<Utc>,
) -> Result<Option<KeyId>, KeyringError> {
    let Some(id) = document.only(KeyStatus::Pending).map(|record| record.id.clone()) else {
        return Ok(None);
    };
    let until = end_of_active(document, policy, now)?;
    step_down::<K>(document, until, now);
    for record in document.records_mut().filter(|record| record.id == id) {
        record.enter(KeyStatus::Active, now, None);
    }
    Ok(Some(id))
}

/// When the key that is active now is to stop verifying, if it stops signing now.
///
/// A clock that was put back must not end a key early: the overlap starts no earlier than the key
/// did.
pub(super) fn end_of_active(
    document: &Document,
    policy: &RotationPolicy,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, KeyringError> {
    let began = document.only(KeyStatus::Active).map(began);
    policy.retirement(document.purpose(), began.map_or(now, |began| began.max(now)))
}

/// The active key signs no more: the caller puts another one in its place.
pub(super) fn step_down<K: Kind>(
    document: &mut Document,
    until: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) {
    for old in document.records_mut().filter(|record| record.status == KeyStatus::Active) {
        old.enter(KeyStatus::Retiring, now, until);
        K::strip(old);
    }
}

/// Whether the time of a record has come.
pub(super) fn is_over(record: &Record, now: DateTime<Utc>) -> bool {
    record.until.is_some_and(|until| until <= now)
}

fn is_too_far(record: &Record, policy: &RotationPolicy, now: DateTime<Utc>) -> bool {
    let latest = after(now, policy.interval).and_then(|latest| after(latest, policy.announcement));
    latest.is_ok_and(|latest| record.until.is_some_and(|until| until > latest))
}

fn lacks_an_end(record: &Record, purpose: Purpose) -> bool {
    record.status == KeyStatus::Retiring && purpose == Purpose::TokenSign && record.until.is_none()
}

fn next_rotation(
    document: &Document,
    policy: &RotationPolicy,
) -> Result<DateTime<Utc>, KeyringError> {
    let began = document.only(KeyStatus::Active).map(began).ok_or(KeyringError::Clock)?;
    after(began, policy.interval)
}

fn began(record: &Record) -> DateTime<Utc> {
    record.since.unwrap_or(record.created)
}

fn after(instant: DateTime<Utc>, duration: Duration) -> Result<DateTime<Utc>, KeyringError> {
    TimeDelta::from_std(duration)
        .ok()
        .and_then(|delta| instant.checked_add_signed(delta))
        .ok_or(KeyringError::Clock)
}

#[cfg(test)]
mod tests;
