//! Instants in microseconds: `2026-08-31T09:30:00.000000Z` (RFC 3339).

use chrono::{DateTime, Datelike as _, SecondsFormat, SubsecRound as _, Utc};
use serde::{Deserialize as _, Deserializer, Serializer};

/// The latest instant that RFC 3339 can write, in microseconds since 1970.
const LATEST: i64 = 253_402_300_799_999_999;
/// The earliest one.
const EARLIEST: i64 = -62_167_219_200_000_000;

pub(super) fn bounded(at: DateTime<Utc>) -> DateTime<Utc> {
    let edge = match at.year() {
        0..=9999 => None,
        year if year < 0 => DateTime::from_timestamp_micros(EARLIEST),
        _ => DateTime::from_timestamp_micros(LATEST),
    };
    edge.unwrap_or_else(|| at.trunc_subsecs(6))
}

pub(super) fn text(at: &DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

pub(super) fn serialize<S: Serializer>(at: &DateTime<Utc>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&text(at))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<DateTime<Utc>, D::Error> {
    DateTime::deserialize(from)
}
