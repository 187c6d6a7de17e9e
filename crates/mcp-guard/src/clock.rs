//! The one place that reads the clock.

use chrono::{DateTime, Utc};

/// Now.
#[expect(clippy::disallowed_methods, reason = "the rim reads the clock, here")]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}
