//! Windows of time.

use cap_core::{Capability, DenyCode, TimeWindow};
use chrono::{DateTime, Datelike, Days, FixedOffset, NaiveTime, TimeDelta, Timelike, Utc};
use proptest::collection::btree_set;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use std::collections::BTreeSet;

use crate::support::*;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

fn window(days: &[&str], from: &str, to: &str, offset: &str) -> TimeWindow {
    TimeWindow::parse(days.iter().copied(), from, to, offset).unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

/// A window as its texts say it.
#[derive(Clone, Debug)]
struct Texts {
    days: Vec<&'static str>,
    from: String,
    to: String,
    offset: String,
}

impl Texts {
    fn window(&self) -> TimeWindow {
        window(&self.days, &self.from, &self.to, &self.offset)
    }

    fn json(&self) -> Value {
        json!({"days": self.days, "from": self.from, "to": self.to, "offset": self.offset})
    }

    fn names(&self, day: usize) -> bool {
        self.days == ["*"] || self.days.contains(&DAYS[day])
    }

    /// By the calendar of `chrono`, in the zone of the offset.
    fn has(&self, now: DateTime<Utc>) -> bool {
        let text = if self.offset == "Z" { "+00:00" } else { &self.offset };
        let zone: FixedOffset = text.parse().unwrap();
        let local = now.with_timezone(&zone).naive_local();
        let clock = |text: &str| NaiveTime::parse_from_str(text, "%H:%M").unwrap();
        let from = clock(&self.from);
        let to = if self.to == "24:00" { NaiveTime::MIN } else { clock(&self.to) };
        [local.date(), local.date() - Days::new(1)].into_iter().any(|date| {
            let begin = date.and_time(from);
            let end = if to > from { date } else { date + Days::new(1) }.and_time(to);
            let weekday = usize::try_from(date.weekday().num_days_from_monday()).unwrap();
            self.names(weekday) && begin <= local && local < end
        })
    }

    /// Every minute of the week in it, stepped through from each beginning until a clock shows
    /// `to`; counted from Monday 00:00 UTC.
    fn minutes(&self) -> BTreeSet<i64> {
        let clock = |minute: i64| {
            let minute = minute.rem_euclid(24 * 60);
            format!("{:02}:{:02}", minute / 60, minute % 60)
        };
        let ahead = match self.offset.split_at(1) {
            ("Z", _) => 0,
            (sign, text) => {
                let steps = (0..=14 * 60).find(|steps| clock(*steps) == text).unwrap();
                if sign == "+" { steps } else { -steps }
            }
        };
        let to = if self.to == "24:00" { "00:00" } else { &self.to };
        let mut all = BTreeSet::new();
        for day in (0..7).filter(|day| self.names(*day)) {
            let midnight = i64::try_from(day).unwrap() * 24 * 60;
            let begin = (0..24 * 60).find(|minute| clock(*minute) == self.from).unwrap() + midnight;
            let length = (1..).find(|steps| clock(begin + steps) == to).unwrap();
            all.extend((begin..begin + length).map(|minute| (minute - ahead).rem_euclid(7 * 1440)));
        }
        all
    }
}

fn texts() -> impl Strategy<Value = Texts> {
    let clock = || {
        let hour = prop_oneof![0..24, select(&[0, 1, 12, 23][..])];
        let minute = prop_oneof![0..60, select(&[0, 1, 30, 59][..])];
        (hour, minute).prop_map(|(hour, minute)| format!("{hour:02}:{minute:02}"))
    };
    let days = prop_oneof![
        3 => btree_set(select(&DAYS[..]), 1..7).prop_map(|days| days.into_iter().collect()),
        1 => Just(vec!["*"]),
    ];
    let to = prop_oneof![9 => clock(), 1 => Just("24:00".to_owned())];
    let offset = prop_oneof![
        1 => Just("Z".to_owned()),
        4 => (select(&["+", "-"][..]), 0..14, 0..60).prop_map(|(sign, h, m)| format!("{sign}{h:02}:{m:02}")),
        1 => select(&["+14:00", "-14:00"][..]).prop_map(str::to_owned),
    ];
    (days, clock(), to, offset, any::<bool>()).prop_map(|(days, from, to, offset, full)| {
        let to = if full { from.clone() } else { to };
        Texts { days, from, to, offset }
    })
}

proptest! {
    #[test]
    fn a_window_has_what_the_calendar_says(
        texts in texts(),
        instants in proptest::collection::vec((-200_000_000_000_i64..400_000_000_000, 0..2_000_000_000_u32), 60),
    ) {
        let window = texts.window();
        for (seconds, nanos) in instants {
            let now = DateTime::from_timestamp(seconds, nanos % 1_000_000_000).unwrap();
            prop_assert_eq!(window.contains(now), texts.has(now), "{:?} {}", texts, now);
        }
    }

    #[test]
    fn a_window_has_its_minutes_whole_in_every_week(
        texts in texts(),
        week in prop_oneof![-5_000_i64..5_000, select(&[-1, 0, 1][..])],
    ) {
        let (window, minutes) = (texts.window(), texts.minutes());
        // 1970-01-05 was a Monday.
        let monday = at("1970-01-05T00:00:00Z") + TimeDelta::weeks(week);
        for minute in 0..7 * 24 * 60 {
            let begin = monday + TimeDelta::minutes(minute);
            for now in [begin, begin + TimeDelta::nanoseconds(59_999_999_999)] {
                prop_assert_eq!(window.contains(now), minutes.contains(&minute), "{:?} {}", texts, now);
            }
        }
    }

    #[test]
    fn a_window_is_written_as_it_is_read(texts in texts()) {
        let read: TimeWindow = serde_json::from_value(texts.json()).unwrap();
        prop_assert_eq!(read, texts.window());
        let written = serde_json::to_value(read).unwrap();
        prop_assert_eq!(serde_json::from_value::<TimeWindow>(written.clone()).unwrap(), read);
        prop_assert_eq!(&written["from"], &json!(texts.from));
        let to = if texts.to == "00:00" { "24:00" } else { &texts.to };
        prop_assert_eq!(&written["to"], &json!(to));
    }
}

#[test]
fn a_window_begins_and_ends_on_the_minute() {
    let office = window(&["mon", "fri"], "09:00", "17:30", "+02:00");
    for (now, inside) in [
        // Monday.
        ("2026-03-02T06:59:59.999999999Z", false),
        ("2026-03-02T07:00:00Z", true),
        ("2026-03-02T15:29:59.999999999Z", true),
        ("2026-03-02T15:30:00Z", false),
        ("2026-03-03T07:00:00Z", false),
        ("2026-03-06T07:00:00Z", true),
        ("2026-03-07T07:00:00Z", false),
        // The same instant, said elsewhere.
        ("2026-03-02T09:00:00+02:00", true),
        ("2026-03-01T21:00:00-10:00", true),
    ] {
        assert_eq!(office.contains(at(now)), inside, "{now}");
    }
}

#[test]
fn a_window_may_last_past_midnight_and_past_the_week() {
    let night = window(&["sun"], "22:00", "06:00", "Z");
    for (now, inside) in [
        ("2026-03-01T21:59:59Z", false),
        ("2026-03-01T22:00:00Z", true),
        ("2026-03-02T00:00:00Z", true),
        ("2026-03-02T05:59:59Z", true),
        ("2026-03-02T06:00:00Z", false),
        // The morning of the day that is named belongs to the night before.
        ("2026-03-01T05:00:00Z", false),
        ("2026-03-02T22:30:00Z", false),
    ] {
        assert_eq!(night.contains(at(now)), inside, "{now}");
    }
}

#[test]
fn an_offset_moves_a_window_to_another_day() {
    let there = window(&["mon"], "00:00", "02:00", "+14:00");
    assert!(
        there.contains(at("2026-03-01T10:00:00Z")) && !there.contains(at("2026-03-02T00:00:00Z"))
    );
    let here = window(&["sun"], "23:00", "24:00", "-14:00");
    assert!(
        here.contains(at("2026-03-02T13:59:59Z")) && !here.contains(at("2026-03-01T23:30:00Z"))
    );
}

#[test]
fn a_window_that_ends_when_it_begins_is_a_day() {
    let day = window(&["wed"], "09:30", "09:30", "Z");
    for (now, inside) in [
        ("2026-03-04T09:29:59Z", false),
        ("2026-03-04T09:30:00Z", true),
        ("2026-03-05T09:29:59Z", true),
        ("2026-03-05T09:30:00Z", false),
    ] {
        assert_eq!(day.contains(at(now)), inside, "{now}");
    }
    let from_midnight = window(&["wed"], "00:00", "00:00", "Z");
    assert_eq!(from_midnight, window(&["wed"], "00:00", "24:00", "Z"));
    assert!(from_midnight.contains(at("2026-03-04T23:59:59Z")));
    assert!(!from_midnight.contains(at("2026-03-05T00:00:00Z")));
    assert!(window(&["*"], "12:00", "12:00", "Z").contains(at("2026-03-05T11:59:59Z")));
}

#[test]
fn instants_before_1970_and_at_the_ends_of_time_have_a_place_in_the_week() {
    // Both were Wednesdays.
    for (now, minute) in [("1969-12-31T23:59:59.5Z", "23:59"), ("1582-10-13T00:00:00Z", "00:00")] {
        let now = at(now);
        assert_eq!(now.format("%a %H:%M").to_string(), format!("Wed {minute}"));
        assert_eq!(window(&["wed"], "23:59", "24:00", "Z").contains(now), minute == "23:59");
        assert_eq!(window(&["wed"], "00:00", "00:01", "Z").contains(now), minute == "00:00");
        assert!(!window(&["thu"], "00:00", "24:00", "Z").contains(now));
    }
    for now in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
        let day = DAYS[usize::try_from(now.weekday().num_days_from_monday()).unwrap()];
        assert!(window(&[day], "00:00", "24:00", "Z").contains(now), "{now}");
        assert!(window(&["*"], "00:00", "00:00", "+14:00").contains(now), "{now}");
    }
}

#[test]
fn a_leap_second_belongs_to_the_minute_that_it_ends() {
    let leap = at("2016-12-31T23:59:60.5Z");
    assert_eq!(leap.nanosecond(), 1_500_000_000);
    assert!(window(&["sat"], "23:59", "24:00", "Z").contains(leap));
    assert!(!window(&["sun"], "00:00", "24:00", "Z").contains(leap));
}

#[test]
fn a_window_is_read_from_its_four_members_only() {
    let good = json!({"days": ["mon"], "from": "09:00", "to": "17:00", "offset": "Z"});
    assert!(serde_json::from_value::<TimeWindow>(good.clone()).is_ok());
    let with = |name: &str, value: Value| {
        let mut window = good.clone();
        window[name] = value;
        serde_json::from_value::<TimeWindow>(window)
    };
    for (name, values) in [
        (
            "days",
            json!([
                [],
                ["Mon"],
                ["monday"],
                ["mon", "mon"],
                ["*", "mon"],
                ["mon", "*"],
                ["*", "*"],
                [""],
                [0],
                "mon",
                "*",
                null
            ]),
        ),
        (
            "from",
            json!([
                "24:00", "9:00", "09:0", "09:00:00", "0900", "09.00", "09:60", "+9:00", "-1:00",
                " 09:00", "09:00 ", "0９:00", "", 9, null
            ]),
        ),
        ("to", json!(["24:01", "25:00", "9:00", "17:60", "17", "", 17, null])),
        (
            "offset",
            json!([
                "",
                "z",
                "+00",
                "+0100",
                "01:00",
                "+1:00",
                "+14:01",
                "-14:01",
                "+15:00",
                "+01:60",
                "UTC",
                "−01:00",
                "Europe/Berlin",
                0,
                null
            ]),
        ),
    ] {
        for value in values.as_array().unwrap() {
            assert!(with(name, value.clone()).is_err(), "{name} {value}");
        }
    }
    for (name, values) in [
        ("days", json!([["*"], DAYS, ["sun", "mon"]])),
        ("from", json!(["00:00", "23:59"])),
        ("to", json!(["00:00", "24:00", "00:01"])),
        ("offset", json!(["Z", "+00:00", "-00:00", "+14:00", "-14:00", "+05:45"])),
    ] {
        for value in values.as_array().unwrap() {
            assert!(with(name, value.clone()).is_ok(), "{name} {value}");
        }
    }
    for name in ["days", "from", "to", "offset"] {
        let mut window = good.clone();
        window.as_object_mut().unwrap().remove(name);
        assert!(serde_json::from_value::<TimeWindow>(window).is_err(), "{name}");
    }
    for text in [
        r#"{"days":["mon"],"from":"09:00","to":"17:00","offset":"Z","zone":"Z"}"#,
        r#"{"days":["mon"],"from":"09:00","from":"09:00","to":"17:00","offset":"Z"}"#,
        r#"[["mon"],"09:00","Z","17:00"]"#,
        "null",
        r#""mon 09:00-17:00 Z""#,
    ] {
        assert!(serde_json::from_str::<TimeWindow>(text).is_err(), "{text}");
    }
}

#[test]
fn what_is_wrong_with_a_window_is_said() {
    let parse = |days: &[&str], from, to, offset| {
        TimeWindow::parse(days.iter().copied(), from, to, offset).unwrap_err().to_string()
    };
    for (error, words) in [
        (parse(&["mo"], "09:00", "17:00", "Z"), "`mo`: a day is `mon` to `sun`"),
        (parse(&["mon", "mon"], "09:00", "17:00", "Z"), "`mon`: a day stands once"),
        (parse(&[], "09:00", "17:00", "Z"), "names a day at least"),
        (parse(&["*"], "24:00", "17:00", "Z"), "`24:00`: `from` is a time of day"),
        (parse(&["*"], "09:00", "24:01", "Z"), "`24:01`: `to` is a time of day"),
        (parse(&["*"], "09:00", "17:00", "CET"), "`CET`: `offset` is `Z` or"),
    ] {
        assert!(error.starts_with("`time_windows`: ") && error.contains(words), "{error}");
    }
}

#[test]
fn windows_that_mean_the_same_texts_are_equal_and_shown_in_one_line() {
    let every = window(&DAYS, "09:05", "00:00", "-00:00");
    assert_eq!(every, window(&["*"], "09:05", "24:00", "+00:00"));
    assert_eq!(every.to_string(), "* 09:05-24:00 Z");
    assert_eq!(
        window(&["sun", "tue"], "22:00", "06:00", "+05:45").to_string(),
        "tue,sun 22:00-06:00 +05:45"
    );
    assert_eq!(window(&["sat"], "00:00", "00:01", "-03:30").to_string(), "sat 00:00-00:01 -03:30");
}

#[test]
fn a_capability_permits_within_any_of_its_windows_only() {
    let windows = json!([
        {"days": ["mon"], "from": "09:00", "to": "12:00", "offset": "Z"},
        {"days": ["*"], "from": "22:00", "to": "02:00", "offset": "+01:00"},
    ]);
    let capability = constrained(json!({"time_windows": windows}));
    let decided = |capability: &Capability, now: &str| capability.permits(&read("/a"), at(now));
    for now in ["2026-03-02T09:00:00Z", "2026-03-03T21:00:00Z", "2026-03-03T00:59:59Z"] {
        assert!(decided(&capability, now).is_allow(), "{now}");
    }
    for now in ["2026-03-02T12:00:00Z", "2026-03-03T09:00:00Z", "2026-03-03T01:00:00Z"] {
        let decision = decided(&capability, now);
        let denial = decision.denial().unwrap();
        assert_eq!(denial.code(), DenyCode::OutsideTimeWindow, "{now}");
        assert_eq!(denial.constraint(), Some("time_windows"));
        assert!(denial.reason().contains("mon 09:00-12:00 Z"), "{denial}");
    }
}
