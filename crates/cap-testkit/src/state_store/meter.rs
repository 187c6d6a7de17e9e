//! What holds for the needs of draws, and for the counters of one owner.

use super::*;

pub(super) fn a_lease_is_what_is_needed_where_an_eighth_is_less(store: &dyn StateStore) {
    // Most of what is left: the need; then what is left, to the last unit.
    let needing = |need| Draw { need, ..draw(1, 0, 1_000) };
    for (need, units) in [(900, 900), (1, 12), (80, 80), (7, 7), (1, 1)] {
        assert_eq!(store.draw(&[needing(need)]), Ok(Drawn::Leased(vec![units])), "{need}");
    }
    // An eighth of what is left, and as many times the need as a lease has at most.
    let needing = |need| Draw { need, ..draw(2, 0, 1_000_000) };
    assert_eq!(store.draw(&[needing(3)]), Ok(Drawn::Leased(vec![3 * MAX_LEASE])));
    let eighth = (1_000_000 - 3 * MAX_LEASE) / 8;
    assert_eq!(store.draw(&[needing(1_000)]), Ok(Drawn::Leased(vec![eighth])));
    let all = Draw { need: u64::MAX >> 1, ..draw(3, 0, u64::MAX >> 1) };
    assert_eq!(store.draw(&[all]), Ok(Drawn::Leased(vec![all.need])));
}

pub(super) fn less_than_is_needed_is_never_drawn(store: &dyn StateStore) {
    let needing = |need| Draw { need, ..draw(1, 0, 10) };
    for need in [11, 12, u64::MAX] {
        assert_eq!(store.draw(&[needing(need)]), Ok(exhausted(needing(need), 10)));
    }
    assert_eq!(store.drawn(id(1), Meter::Rate, 0), Ok(0));
    assert_eq!(store.draw(&[needing(6)]), Ok(Drawn::Leased(vec![6])));
    assert_eq!(store.draw(&[needing(5)]), Ok(exhausted(needing(5), 4)));
    assert_eq!(store.draw(&[needing(4)]), Ok(Drawn::Leased(vec![4])));
    assert_eq!(store.draw(&[needing(1)]), Ok(exhausted(needing(1), 0)));
    assert_eq!(store.drawn(id(1), Meter::Rate, 0), Ok(10));
}

pub(super) fn a_need_of_nothing_counts_as_one(store: &dyn StateStore) {
    let nothing = Draw { need: 0, ..draw(1, 0, 9) };
    assert_eq!(store.draw(&[nothing]), Ok(Drawn::Leased(vec![1])));
    assert_eq!(draw_all(store, nothing), 8);
}

pub(super) fn the_counters_of_one_owner_are_apart_from_each_other(store: &dyn StateStore) {
    for (max, meter) in (10..).zip(Meter::ALL) {
        for other in Meter::ALL {
            let before = Meter::ALL.iter().zip(10..).take_while(|(known, _)| **known != meter);
            let drawn = before.filter(|(known, _)| **known == other).map(|(_, max)| max).sum();
            assert_eq!(store.drawn(id(1), other, 0), Ok(drawn), "{meter} {other}");
        }
        assert_eq!(draw_all(store, Draw { meter, ..draw(1, 0, max) }), max);
    }
    // A clock that goes back, and a period that is over, are those of one counter.
    assert_eq!(draw_all(store, draw(1, 5, 10)), 10);
    assert_eq!(store.draw(&[draw(1, 4, 10)]), Ok(exhausted(draw(1, 4, 10), 0)));
    let burst = Draw { meter: Meter::Burst, ..draw(1, 4, 10) };
    assert_eq!(draw_all(store, burst), 10);
    assert_eq!(store.drawn(id(1), Meter::Rate, 4), Ok(u64::MAX));
    assert_eq!(store.drawn(id(1), Meter::Burst, 4), Ok(10));
    assert_eq!(store.drawn(id(2), Meter::Burst, 4), Ok(0));
}

pub(super) fn all_meters_of_an_owner_are_drawn_from_together_or_not_at_all(store: &dyn StateStore) {
    let draws = |needs: [u64; 5]| -> Vec<Draw> {
        let of = |(meter, need)| Draw { meter, need, ..draw(1, 0, 16) };
        Meter::ALL.into_iter().zip(needs).map(of).collect()
    };
    assert_eq!(store.draw(&draws([1, 1, 2, 10, 3])), Ok(Drawn::Leased(vec![2, 2, 2, 10, 3])));
    let drawn = || Meter::ALL.map(|meter| store.drawn(id(1), meter, 0).unwrap());
    for (needs, short, left) in
        [([1, 1, 1, 7, 1], 3, 6), ([15, 1, 1, 7, 1], 0, 14), ([1, 1, 1, 1, 14], 4, 13)]
    {
        let draws = draws(needs);
        assert_eq!(store.draw(&draws), Ok(exhausted(draws[short], left)));
        assert_eq!(drawn(), [2, 2, 2, 10, 3]);
    }
    assert_eq!(store.draw(&draws([14, 1, 1, 6, 13])), Ok(Drawn::Leased(vec![14, 1, 1, 6, 13])));
    assert_eq!(drawn(), [16, 3, 3, 16, 16]);
}
