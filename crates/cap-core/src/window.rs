use core::fmt;

use chrono::{DateTime, Utc};

use crate::ConstraintError;

const DAY: i64 = 24 * 60;
const WEEK: i64 = 7 * DAY;
/// 1970-01-01 was a Thursday; weeks begin on Monday.
const EPOCH: i64 = 3 * DAY;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const ALL_DAYS: u8 = 0b111_1111;
const MAX_OFFSET: i64 = 14 * 60;

/// A time of the week, exact to the minute: it begins on each of its weekdays at `from` and ends,
/// exclusive, at the next `to`, both in the zone of its offset from UTC.
///
/// Where `to` is not after `from`, it ends on the following day: `22:00` to `06:00` is a night,
/// `09:00` to `09:00` are 24 hours. There are no time zones with rules (no summer time) here: an
/// offset means the same on every machine and in every year.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(into = "wire::Wire", try_from = "wire::Wire"))]
pub struct TimeWindow {
    /// Bit 0 is Monday. INVARIANT: at least one of seven.
    days: u8,
    /// Minute of the day. INVARIANT: 0 to 1439.
    from: i64,
    /// Minute of the day. INVARIANT: 1 to 1440 (`00:00` is the end of the day, too).
    to: i64,
    /// Minutes ahead of UTC. INVARIANT: −840 to 840.
    offset: i64,
}

impl TimeWindow {
    /// A window from its four texts: `days` are `mon` to `sun` or `*` alone, `from` is `00:00` to
    /// `23:59`, `to` is `00:00` to `24:00`, `offset` is `Z` or `±HH:MM` up to 14 hours (RFC 3339
    /// §5.6).
    ///
    /// # Errors
    /// When one of them is not of that form, a day stands twice or there is none.
    pub fn parse<'a>(
        days: impl IntoIterator<Item = &'a str>,
        from: &str,
        to: &str,
        offset: &str,
    ) -> Result<Self, ConstraintError> {
        let days = parse_days(days)?;
        let from = parse_minutes(from)
            .filter(|from| *from < DAY)
            .ok_or_else(|| wrong(from, "`from` is a time of day, `00:00` to `23:59`"))?;
        let to = parse_minutes(to)
            .filter(|to| *to <= DAY)
            .ok_or_else(|| wrong(to, "`to` is a time of day, `00:00` to `24:00`"))?;
        let offset = parse_offset(offset)
            .ok_or_else(|| wrong(offset, "`offset` is `Z` or `±HH:MM`, up to 14 hours"))?;
        Ok(Self { days, from, to: if to == 0 { DAY } else { to }, offset })
    }

    /// Whether `now` lies in it.
    #[must_use]
    pub fn contains(&self, now: DateTime<Utc>) -> bool {
        // Both bounds are whole minutes, so that the seconds of `now` change nothing; a leap
        // second belongs to the minute that it ends.
        self.has(now.timestamp().div_euclid(60) + EPOCH)
    }

    /// Whether the minute, counted from some Monday 00:00 UTC, lies in it.
    fn has(&self, minute: i64) -> bool {
        let local = (minute + self.offset).rem_euclid(WEEK);
        let (day, minute) = (local / DAY, local % DAY);
        let begins_on = |day: i64| (self.days >> day) & 1 == 1;
        if self.from < self.to {
            return begins_on(day) && (self.from..self.to).contains(&minute);
        }
        (begins_on(day) && minute >= self.from) || (begins_on((day + 6) % 7) && minute < self.to)
    }

    /// The minutes of the week, in UTC, at which it begins.
    fn starts(&self) -> impl Iterator<Item = i64> {
        let Self { days, from, offset, .. } = *self;
        let named = (0..7).filter(move |day| (days >> day) & 1 == 1);
        named.map(move |day: i64| (day * DAY + from - offset).rem_euclid(WEEK))
    }

    /// The first minutes after it, in UTC.
    fn ends(&self) -> impl Iterator<Item = i64> {
        let length = if self.from < self.to { 0 } else { DAY } + self.to - self.from;
        self.starts().map(move |start| (start + length) % WEEK)
    }
}

/// Whether every instant that lies in one of `windows` lies in one of `others`, too: exactly.
///
/// What is in `windows` and not in `others`, if anything, has a first minute or is the whole week.
/// Either way a window of `windows` begins there, or one of `others` ends there.
pub(crate) fn all_within(windows: &[TimeWindow], others: &[TimeWindow]) -> bool {
    let in_one = |list: &[TimeWindow], minute| list.iter().any(|window| window.has(minute));
    let starts = windows.iter().flat_map(TimeWindow::starts);
    let ends = others.iter().flat_map(TimeWindow::ends);
    starts.chain(ends).all(|minute| !in_one(windows, minute) || in_one(others, minute))
}

impl fmt::Display for TimeWindow {
    /// `mon,tue 09:00-17:00 +02:00`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, day) in self.day_names().enumerate() {
            f.write_str(if place == 0 { "" } else { "," })?;
            f.write_str(day)?;
        }
        let (from, to, offset) = (Clock(self.from), Clock(self.to), Offset(self.offset));
        write!(f, " {from}-{to} {offset}")
    }
}

impl fmt::Debug for TimeWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl TimeWindow {
    fn day_names(&self) -> impl Iterator<Item = &'static str> {
        let days = self.days;
        let named = move |(day, _): &(usize, &'static str)| (days >> *day) & 1 == 1;
        let every = (days == ALL_DAYS).then_some("*");
        let each = if every.is_some() { &[] } else { DAYS.as_slice() };
        every.into_iter().chain(each.iter().copied().enumerate().filter(named).map(|(_, day)| day))
    }
}

/// Minutes as `HH:MM`.
struct Clock(i64);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// Minutes ahead of UTC as `Z` or `±HH:MM`.
struct Offset(i64);

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("Z"),
            ahead @ 1.. => write!(f, "+{}", Clock(ahead)),
            behind => write!(f, "-{}", Clock(-behind)),
        }
    }
}

fn parse_days<'a>(days: impl IntoIterator<Item = &'a str>) -> Result<u8, ConstraintError> {
    let mut named = 0_u8;
    for day in days {
        let bits = match DAYS.iter().position(|name| *name == day) {
            Some(place) => 1 << place,
            None if day == "*" => ALL_DAYS,
            None => return Err(wrong(day, "a day is `mon` to `sun`, or `*` alone")),
        };
        if named & bits != 0 {
            return Err(wrong(day, "a day stands once, and `*` alone"));
        }
        named |= bits;
    }
    if named == 0 { Err(wrong("", "`days` names a day at least, or `*`")) } else { Ok(named) }
}

/// `HH:MM`, up to `99:59`.
fn parse_minutes(text: &str) -> Option<i64> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    match text.as_bytes() {
        [h, hh, b':', m @ b'0'..=b'5', mm] => {
            Some(digit(h)? * 600 + digit(hh)? * 60 + digit(m)? * 10 + digit(mm)?)
        }
        _ => None,
    }
}

fn parse_offset(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let ahead = text.strip_prefix('+').map(|rest| (1, rest));
    let (sign, rest) = ahead.or_else(|| text.strip_prefix('-').map(|rest| (-1, rest)))?;
    parse_minutes(rest).filter(|minutes| *minutes <= MAX_OFFSET).map(|minutes| sign * minutes)
}

fn wrong(value: &str, wanted: &'static str) -> ConstraintError {
    ConstraintError::new("time_windows", value, wanted)
}

#[cfg(feature = "serde")]
mod wire {
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    use super::{Clock, ConstraintError, Offset, TimeWindow};

    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields, remote = "Self")]
    pub(super) struct Wire {
        days: Vec<String>,
        from: String,
        offset: String,
        to: String,
    }

    crate::constraints::serde_as_object!(Wire);

    impl From<TimeWindow> for Wire {
        fn from(window: TimeWindow) -> Self {
            Self {
                days: window.day_names().map(String::from).collect(),
                from: Clock(window.from).to_string(),
                offset: Offset(window.offset).to_string(),
                to: Clock(window.to).to_string(),
            }
        }
    }

    impl TryFrom<Wire> for TimeWindow {
        type Error = ConstraintError;

        fn try_from(wire: Wire) -> Result<Self, ConstraintError> {
            let days = wire.days.iter().map(String::as_str);
            Self::parse(days, &wire.from, &wire.to, &wire.offset)
        }
    }
}

#[cfg(test)]
mod tests;
