//! Instants, and what constrains them.

use chrono::{DateTime, Duration, Utc};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

/// The instant at which everything is granted: 2026-11-21T12:00:00Z, a Saturday.
pub fn granted_at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_262_400, 0).unwrap()
}

/// An instant of the twelve hours after the grant, or of the nine days after it at or beside a
/// border of a window.
pub fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    prop_oneof![
        2 => (0_i64..12 * 60).prop_map(|minutes| granted_at() + Duration::minutes(minutes)),
        1 => border(),
    ]
}

/// An instant at or beside a border that windows have.
pub fn border() -> impl Strategy<Value = DateTime<Utc>> {
    let beside = select(&[-60_000, -1_000, -1, 0, 0, 1, 1_000, 60_000][..]);
    (0_i64..9, select(&TIMES[..]), select(&OFFSETS[..]), beside).prop_map(
        |(day, (_, minutes), (_, ahead), beside)| {
            let midnight = granted_at() - Duration::hours(12);
            let local = midnight + Duration::days(day) + Duration::minutes(minutes - ahead);
            (local + Duration::milliseconds(beside)).max(granted_at())
        },
    )
}

/// An expiry, rarely before six hours have passed.
pub fn expiry() -> impl Strategy<Value = DateTime<Utc>> {
    prop_oneof![1 => 1_i64..6, 3 => 6_i64..24, 4 => 24_i64..24 * 10]
        .prop_map(|hours| granted_at() + Duration::hours(hours))
}

/// An instant from which something is valid, mostly before the grant.
pub(super) fn not_before() -> impl Strategy<Value = DateTime<Utc>> {
    prop_oneof![3 => -48_i64..=0, 2 => 0_i64..24]
        .prop_map(|hours| granted_at() + Duration::hours(hours))
}

/// Up to three windows of the week.
pub fn time_windows() -> impl Strategy<Value = Value> {
    vec(time_window(), 1..=3).prop_map(Value::Array)
}

/// A window of the week. Some go past midnight, some past the end of the week.
fn time_window() -> impl Strategy<Value = Value> {
    let from = select(TIMES.map(|(text, _)| text).to_vec());
    let to = select(TIMES.map(|(text, _)| text).into_iter().chain(["24:00"]).collect::<Vec<_>>());
    let offset = select(OFFSETS.map(|(text, _)| text).to_vec());
    (days(), from, to, offset).prop_map(
        |(days, from, to, offset)| json!({"days": days, "from": from, "to": to, "offset": offset}),
    )
}

fn days() -> impl Strategy<Value = Vec<&'static str>> {
    const WEEK: [&str; 7] = ["sat", "sun", "mon", "fri", "tue", "wed", "thu"];
    prop_oneof![
        2 => Just(vec!["*"]),
        2 => subsequence(WEEK.to_vec(), 1..=7),
        1 => subsequence(WEEK[..3].to_vec(), 1..=3),
    ]
}

/// Times of day, and the minutes from midnight to them.
const TIMES: [(&str, i64); 8] = [
    ("00:00", 0),
    ("00:01", 1),
    ("08:00", 8 * 60),
    ("12:00", 12 * 60),
    ("12:30", 12 * 60 + 30),
    ("17:00", 17 * 60),
    ("22:00", 22 * 60),
    ("23:59", 24 * 60 - 1),
];

/// Offsets, and the minutes that clocks there are ahead of UTC.
const OFFSETS: [(&str, i64); 6] = [
    ("Z", 0),
    ("+00:00", 0),
    ("+02:00", 120),
    ("-05:30", -330),
    ("+14:00", 14 * 60),
    ("-14:00", -14 * 60),
];
