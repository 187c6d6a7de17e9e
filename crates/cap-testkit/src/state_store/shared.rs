//! What holds for two users of one state.

use super::*;

pub(super) fn a_change_is_visible_to_the_other_as_soon_as_it_is_committed(
    [one, other]: [Store; 2],
) {
    for n in 0..100 {
        for (writer, reader) in [(&one, &other), (&other, &one)] {
            let before = reader.epoch().unwrap();
            let epoch = writer.commit(&[revocation(n)]).unwrap();
            assert_eq!(reader.epoch(), Ok(epoch));
            assert_eq!(reader.changes_since(before), Ok((epoch, vec![revocation(n)])));
        }
    }
}

pub(super) fn a_commit_is_never_seen_in_part([writer, reader]: [Store; 2]) {
    let committing = thread::spawn(move || {
        for n in 0..100 {
            patiently(|| writer.commit(&[revocation(n), revocation(n), revocation(n)]));
        }
    });
    let mut seen = Epoch(0);
    while seen.0 < 300 {
        let epoch = patiently(|| reader.epoch());
        let (end, changes) = patiently(|| reader.changes_since(seen));
        assert_eq!((epoch.0 % 3, end.0 % 3, changes.len() % 3), (0, 0, 0));
        assert!(end >= epoch && changes.len() as u64 == end.0 - seen.0);
        seen = end;
    }
    committing.join().unwrap();
}

pub(super) fn a_thousand_commits_of_two_are_seen_by_both_in_one_order(stores: [Store; 2]) {
    let start = Barrier::new(2);
    let work = |number: u64, store: &Store| {
        start.wait();
        let (mut seen, mut followed) = (Epoch(0), Vec::new());
        for n in 0..500 {
            let mine = revocation(number * 1_000 + n);
            let epoch = patiently(|| store.commit(std::slice::from_ref(&mine)));
            let (end, changes) = patiently(|| store.changes_since(seen));
            assert!(end >= epoch);
            followed.extend(changes);
            // The change is where its commit has said.
            assert_eq!(followed[usize::try_from(epoch.0).unwrap() - 1], mine);
            seen = end;
        }
        (seen, followed)
    };
    let [mut one, mut other] = thread::scope(|scope| {
        let work = &work;
        let both = [(0, &stores[0]), (1, &stores[1])]
            .map(|(number, store)| scope.spawn(move || work(number, store)));
        both.map(|thread| thread.join().unwrap())
    });
    for (store, (seen, followed)) in stores.iter().zip([&mut one, &mut other]) {
        followed.extend(store.changes_since(*seen).unwrap().1);
    }
    assert_eq!(one.1, other.1);
    assert_eq!(one.1.len(), 1_000);
    for number in [0, 1_000] {
        let of_one: Vec<Change> = (number..number + 500).map(revocation).collect();
        let seen: Vec<Change> =
            one.1.iter().filter(|change| of_one.contains(change)).cloned().collect();
        assert_eq!(seen, of_one);
    }
}

pub(super) fn draws_of_many_never_exceed_the_limit_and_reach_it(stores: [Store; 2]) {
    for (max, needs) in [(3, [1, 1]), (40, [1, 3]), (1_000, [1, 1]), (1_001, [7, 50])] {
        let draws = [
            Draw { need: needs[0], ..draw(max, 1, max) },
            Draw { need: needs[1], meter: Meter::Bytes, ..draw(max, 0, 3 * max) },
        ];
        let work = |store: &Store| {
            let mut units = [0, 0];
            while let Drawn::Leased(leases) = patiently(|| store.draw(&draws)) {
                assert!(leases.len() == 2 && leases.iter().zip(needs).all(|(a, b)| *a >= b));
                units = [units[0] + leases[0], units[1] + leases[1]];
            }
            units
        };
        let units = thread::scope(|scope| {
            let work = &work;
            let threads: Vec<_> = stores
                .iter()
                .cycle()
                .take(8)
                .map(|store| scope.spawn(move || work(store)))
                .collect();
            let units = threads.into_iter().map(|thread| thread.join().unwrap());
            units.fold([0, 0], |[a, b], [first, second]| [a + first, b + second])
        });
        let left: Vec<u64> = (0..2).map(|n| draws[n].max.checked_sub(units[n]).unwrap()).collect();
        assert!(left[0] < needs[0] || left[1] < needs[1], "{units:?}");
        for (draw, units) in draws.iter().zip(units) {
            assert_eq!(stores[0].drawn(draw.owner, draw.meter, draw.period), Ok(units));
        }
    }
}

pub(super) fn what_one_has_drawn_the_other_cannot_draw([one, other]: [Store; 2]) {
    assert_eq!(one.draw(&[draw(1, 0, 80)]), Ok(Drawn::Leased(vec![10])));
    assert_eq!(other.drawn(id(1), Meter::Rate, 0), Ok(10));
    assert_eq!(draw_all(&*other, draw(1, 0, 80)), 70);
    assert_eq!(one.draw(&[draw(1, 0, 80)]), Ok(exhausted(draw(1, 0, 80), 0)));
}

pub(super) fn of_those_who_open_a_session_at_once_one_succeeds(stores: [Store; 2]) {
    for n in 0..20 {
        let start = Barrier::new(2);
        let open = |store: &Store, until| {
            start.wait();
            match store.open_session(id(n), until) {
                Err(StoreError::Busy(why)) => panic!("{why}"),
                opened => opened.is_ok(),
            }
        };
        let [one, other] = thread::scope(|scope| {
            let open = &open;
            let both = [(&stores[0], at(60)), (&stores[1], at(61))]
                .map(|(store, until)| scope.spawn(move || open(store, until)));
            both.map(|thread| thread.join().unwrap())
        });
        assert!(one != other, "{n}: {one} {other}");
        let until = if one { at(60) } else { at(61) };
        assert_eq!(stores[0].session_until(id(n)), Ok(Some(until)));
        let owner = if one { &stores[0] } else { &stores[1] };
        owner.renew_session(id(n), at(90)).unwrap();
    }
}

pub(super) fn a_session_that_the_other_has_closed_is_closed([owner, other]: [Store; 2]) {
    owner.open_session(id(1), at(60)).unwrap();
    assert_eq!(other.session_until(id(1)), Ok(Some(at(60))));
    other.close_session(id(1)).unwrap();
    assert_eq!(owner.session_until(id(1)), Ok(None));
    assert!(owner.renew_session(id(1), at(90)).is_err());
    owner.close_session(id(1)).unwrap();
    assert_eq!(owner.abandoned_sessions(at(1_000)), Ok(Vec::new()));
}

pub(super) fn a_session_whose_owner_lives_is_not_abandoned(stores: [Store; 2]) {
    stores[0].open_session(id(1), at(60)).unwrap();
    for store in stores.iter().chain(&stores) {
        assert_eq!(store.abandoned_sessions(at(59)), Ok(Vec::new()));
    }
    for store in &stores {
        assert_eq!(store.abandoned_sessions(at(60)), Ok(vec![id(1)]));
    }
}

pub(super) fn a_session_whose_owner_is_gone_is_abandoned([owner, other]: [Store; 2]) {
    owner.open_session(id(1), at(60)).unwrap();
    owner.open_session(id(2), at(60)).unwrap();
    other.open_session(id(3), at(60)).unwrap();
    owner.close_session(id(2)).unwrap();
    drop(owner);
    assert_eq!(other.abandoned_sessions(at(0)), Ok(vec![id(1)]));
    other.close_session(id(1)).unwrap();
    assert_eq!(other.abandoned_sessions(at(0)), Ok(Vec::new()));
}

pub(super) fn a_session_is_renewed_by_its_owner_alone([owner, other]: [Store; 2]) {
    owner.open_session(id(1), at(60)).unwrap();
    assert!(other.renew_session(id(1), at(90)).is_err());
    assert_eq!(owner.session_until(id(1)), Ok(Some(at(60))));
    drop(owner);
    assert!(other.renew_session(id(1), at(90)).is_err());
}

pub(super) fn what_was_committed_outlives_the_handle([one, other]: [Store; 2]) {
    let all = one_of_each();
    one.commit(&all).unwrap();
    one.draw(&[draw(1, 0, 80)]).unwrap();
    one.close_session(id(1)).unwrap();
    drop(one);
    assert_eq!(other.changes_since(Epoch(0)), Ok((Epoch(all.len() as u64), all)));
    assert_eq!(other.drawn(id(1), Meter::Rate, 0), Ok(10));
    assert!(other.open_session(id(1), at(60)).is_err());
}
