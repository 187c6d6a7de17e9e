//! The one place that reads the clock.

use chrono::{DateTime, Utc};

/// Where the time comes from.
pub type Clock = fn() -> DateTime<Utc>;

/// The clock of the system.
#[expect(clippy::disallowed_methods, reason = "the rim reads the clock, here")]
pub(crate) fn system() -> DateTime<Utc> {
    Utc::now()
}
