//! Instants and windows of the week.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{list, number, text};

const DAY: i64 = 24 * 60 * 60;
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

pub(super) fn instant(value: &Value) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text(value)).unwrap().to_utc()
}

/// A window begins on each named weekday at `from`, in its offset, and ends before the next `to`
/// after that: on the same day, or on the following one. So an instant is in it when it began
/// today or yesterday and has not ended.
pub(super) fn is_in_window(window: &Value, now: DateTime<Utc>) -> bool {
    let (from, to) = (of_day(text(&window["from"])), of_day(text(&window["to"])));
    let length = if to > from { to - from } else { DAY - from + to };
    let local = now.timestamp() + offset(text(&window["offset"]));
    let today = local.div_euclid(DAY);
    [today, today - 1].into_iter().any(|day| {
        let begin = day * DAY + from;
        is_named(&window["days"], day) && begin <= local && local < begin + length
    })
}

/// Whether the days have the weekday of a day that is counted from 1970-01-01, a Thursday.
fn is_named(days: &Value, day: i64) -> bool {
    let weekday = WEEKDAYS[usize::try_from((day + 3).rem_euclid(7)).unwrap()];
    list(days).iter().any(|name| name == weekday || name == "*")
}

/// Seconds from midnight to `HH:MM`.
fn of_day(text: &str) -> i64 {
    let (hours, minutes) = text.split_once(':').unwrap();
    i64::try_from(60 * (60 * number(hours) + number(minutes))).unwrap()
}

/// Seconds that a clock there is ahead of UTC.
fn offset(text: &str) -> i64 {
    match text.split_at(1) {
        ("+", ahead) => of_day(ahead),
        ("-", behind) => -of_day(behind),
        _ => 0,
    }
}
