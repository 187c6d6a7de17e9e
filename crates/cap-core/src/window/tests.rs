use alloc::vec::Vec;
use core::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn window(days: &str, from: &str, to: &str, offset: &str) -> TimeWindow {
    TimeWindow::parse(days.split(','), from, to, offset).unwrap()
}

/// Minute by minute over the whole week, which begins on Monday.
fn naive_within(windows: &[TimeWindow], others: &[TimeWindow]) -> bool {
    let lies_in = |list: &[TimeWindow], minute: i64| {
        let now = DateTime::from_timestamp(4 * 24 * 3600 + minute * 60, 0).unwrap();
        list.iter().any(|window| window.contains(now))
    };
    (0..WEEK).all(|minute| !lies_in(windows, minute) || lies_in(others, minute))
}

fn windows(times: Range<i64>, offsets: &'static [i64]) -> impl Strategy<Value = Vec<TimeWindow>> {
    let one = (1..=ALL_DAYS, times.clone(), times, select(offsets)).prop_map(
        |(days, from, to, offset)| {
            let (from, to) = (from * 60 % DAY, to * 60);
            TimeWindow { days, from, to: if to == 0 { DAY } else { to }, offset }
        },
    );
    vec(one, 0..5)
}

proptest! {
    #[test]
    fn lists_are_compared_as_every_minute_of_the_week_would(
        a in windows(0..25, &[0, 60, -30, 840, -840]),
        b in windows(0..25, &[0, 60, -30, 840, -840]),
    ) {
        prop_assert_eq!(all_within(&a, &b), naive_within(&a, &b), "{:?} {:?}", a, b);
        prop_assert!(all_within(&a, &a));
        let both = [a.as_slice(), &b].concat();
        prop_assert!(all_within(&a, &both));
        prop_assert_eq!(all_within(&both, &b), naive_within(&a, &b));
    }

    // Few bounds, so that many lists are within others, and cover the week.
    #[test]
    fn lists_that_touch_are_compared_as_every_minute_of_the_week_would(
        a in windows(8..10, &[0, 60]),
        b in windows(8..10, &[0, 60]),
    ) {
        prop_assert_eq!(all_within(&a, &b), naive_within(&a, &b), "{:?} {:?}", a, b);
    }
}

#[test]
fn what_several_windows_cover_together_is_covered() {
    let all = [window("*", "00:00", "24:00", "Z")];
    let office = [window("mon,tue,wed,thu,fri", "09:00", "17:00", "Z")];
    for (windows, others, within) in [
        (&all[..], &[window("*", "12:34", "12:34", "-07:30")][..], true),
        (&all, &[window("*", "06:00", "18:00", "Z"), window("*", "18:00", "06:00", "Z")], true),
        (&all, &[window("*", "06:00", "18:00", "Z"), window("*", "18:01", "06:00", "Z")], false),
        (&all, &[window("mon,tue,wed,thu,fri,sat", "00:00", "00:00", "Z")], false),
        (&office, &all, true),
        (&all, &office, false),
        (&office, &[window("*", "10:00", "18:00", "+01:00")], true),
        (&office, &[window("*", "10:00", "18:00", "-01:00")], false),
        (&office, &[window("*", "09:00", "13:00", "Z"), window("*", "13:00", "17:00", "Z")], true),
        (&office, &[window("*", "09:00", "13:00", "Z"), window("*", "13:01", "17:00", "Z")], false),
        // Sunday evening there is Monday morning here.
        (
            &[window("sun", "20:00", "23:00", "-08:00")],
            &[window("mon", "04:00", "07:00", "Z")],
            true,
        ),
        (
            &[window("sun", "22:00", "06:00", "Z")],
            &[window("sun", "22:00", "24:00", "Z"), window("mon", "00:00", "06:00", "Z")],
            true,
        ),
        (&[window("sun", "22:00", "06:00", "Z")], &[window("sun", "22:00", "24:00", "Z")], false),
        (&[], &[], true),
        (&[], &office, true),
        (&office, &[], false),
        (&all, &[], false),
    ] {
        assert_eq!(all_within(windows, others), within, "{windows:?} {others:?}");
        assert_eq!(naive_within(windows, others), within, "{windows:?} {others:?}");
    }
}
