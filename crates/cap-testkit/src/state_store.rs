//! What every [`StateStore`] must do: the sentences of its contract, each a test.
#![allow(clippy::needless_pass_by_value, reason = "all sentences get their handles, some end one")]

use std::sync::{Arc, Barrier};
use std::thread;

use cap_core::{Capability, CapabilityId, Constraints, Meter, Operations, ResourceType, RootGrant};
use cap_kernel::{
    Change, Draw, Drawn, Epoch, MAX_LEASE, MemoryStore, RevocationTarget, SessionId, StateStore,
    StoreError, Target,
};
use cap_token::TokenId;
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

mod meter;
mod shared;

use self::meter::*;
use self::shared::*;

/// A store as the kernel holds it.
pub type Store = Arc<dyn StateStore>;

/// Functions with their names.
macro_rules! sentences {
    ($kind:ty; $($name:ident),+ $(,)?) => { [$((stringify!($name), $name as $kind)),+] };
}

/// Runs every sentence for a single handle; `make` makes a new, empty state each time.
pub fn conformance(make: impl Fn() -> Store) {
    for (name, sentence) in sentences![fn(&dyn StateStore);
        an_empty_state_is_at_epoch_zero,
        every_change_adds_one_to_the_epoch,
        changes_come_back_in_order_as_they_were,
        a_commit_of_nothing_changes_nothing,
        a_lease_is_an_eighth_of_what_is_left_and_at_least_one_unit,
        a_lease_is_bounded,
        a_lease_is_what_is_needed_where_an_eighth_is_less,
        less_than_is_needed_is_never_drawn,
        a_need_of_nothing_counts_as_one,
        the_counters_of_one_owner_are_apart_from_each_other,
        all_meters_of_an_owner_are_drawn_from_together_or_not_at_all,
        the_leases_of_a_period_add_up_to_the_limit,
        several_counters_are_drawn_from_together_or_not_at_all,
        a_new_period_starts_afresh,
        a_period_that_is_over_yields_nothing,
        a_limit_below_what_was_drawn_yields_nothing,
        a_limit_of_nothing_yields_nothing,
        asking_what_was_drawn_charges_nothing,
        a_session_is_open_until_its_lease_ends,
        a_session_is_opened_once,
        a_closed_session_stays_closed,
        a_session_that_was_closed_unopened_cannot_be_opened,
        only_an_open_session_is_renewed,
        a_session_is_abandoned_when_its_lease_is_over,
        instants_are_kept_exactly,
    ] {
        println!("{name}");
        sentence(&*make());
    }
    println!("any_use_is_answered_as_by_the_memory_store");
    any_use_is_answered_as_by_the_memory_store(&make);
    conformance_of_two(|| {
        let store = make();
        [Arc::clone(&store), store]
    });
}

/// Runs every sentence about two users of one state; `make_two` makes two handles on a new, empty
/// state each time.
pub fn conformance_of_two(make_two: impl Fn() -> [Store; 2]) {
    for (name, sentence) in sentences![fn([Store; 2]);
        a_change_is_visible_to_the_other_as_soon_as_it_is_committed,
        a_commit_is_never_seen_in_part,
        a_thousand_commits_of_two_are_seen_by_both_in_one_order,
        draws_of_many_never_exceed_the_limit_and_reach_it,
        what_one_has_drawn_the_other_cannot_draw,
        of_those_who_open_a_session_at_once_one_succeeds,
        a_session_that_the_other_has_closed_is_closed,
    ] {
        println!("{name}");
        sentence(make_two());
    }
}

/// Runs every sentence about the owners of sessions, for a state that outlives its handles.
pub fn conformance_of_owners(make_two: impl Fn() -> [Store; 2]) {
    for (name, sentence) in sentences![fn([Store; 2]);
        a_session_whose_owner_lives_is_not_abandoned,
        a_session_whose_owner_is_gone_is_abandoned,
        a_session_is_renewed_by_its_owner_alone,
        what_was_committed_outlives_the_handle,
    ] {
        println!("{name}");
        sentence(make_two());
    }
}

fn an_empty_state_is_at_epoch_zero(store: &dyn StateStore) {
    assert_eq!(store.epoch(), Ok(Epoch(0)));
    assert_eq!(store.changes_since(Epoch(0)), Ok((Epoch(0), Vec::new())));
}

fn every_change_adds_one_to_the_epoch(store: &dyn StateStore) {
    for (count, epoch) in [(1, 1), (3, 4), (0, 4), (2, 6)] {
        let changes: Vec<Change> = (0..count).map(revocation).collect();
        assert_eq!(store.commit(&changes), Ok(Epoch(epoch)));
        assert_eq!(store.epoch(), Ok(Epoch(epoch)));
    }
}

fn changes_come_back_in_order_as_they_were(store: &dyn StateStore) {
    let all = one_of_each();
    let (first, rest) = all.split_at(2);
    store.commit(first).unwrap();
    store.commit(rest).unwrap();
    let end = Epoch(all.len() as u64);
    for (skip, epoch) in (0..=end.0).enumerate() {
        assert_eq!(store.changes_since(Epoch(epoch)), Ok((end, all[skip..].to_vec())));
    }
}

fn a_commit_of_nothing_changes_nothing(store: &dyn StateStore) {
    assert_eq!(store.commit(&[]), Ok(Epoch(0)));
    store.commit(&[revocation(1)]).unwrap();
    assert_eq!(store.commit(&[]), Ok(Epoch(1)));
    assert_eq!(store.changes_since(Epoch(0)), Ok((Epoch(1), vec![revocation(1)])));
}

fn a_lease_is_an_eighth_of_what_is_left_and_at_least_one_unit(store: &dyn StateStore) {
    for (max, leases) in [
        (1, vec![1]),
        (7, vec![1; 7]),
        (24, [vec![3, 2, 2, 2], vec![1; 15]].concat()),
        (100, vec![12, 11, 9, 8, 7, 6, 5, 5, 4, 4, 3, 3, 2, 2, 2, 2]),
    ] {
        let draw = draw(max, 0, max);
        for units in leases {
            assert_eq!(store.draw(&[draw]), Ok(Drawn::Leased(vec![units])), "of {max}");
        }
    }
}

fn a_lease_is_bounded(store: &dyn StateStore) {
    assert_eq!(store.draw(&[draw(1, 0, 1_000_000)]), Ok(Drawn::Leased(vec![MAX_LEASE])));
    assert_eq!(store.draw(&[draw(2, 0, u64::MAX)]), Ok(Drawn::Leased(vec![MAX_LEASE])));
}

fn the_leases_of_a_period_add_up_to_the_limit(store: &dyn StateStore) {
    for max in [1, 2, 8, 9, 100, 1_000] {
        let draw = draw(max, 7, max);
        assert_eq!(draw_all(store, draw), max);
        assert_eq!(store.draw(&[draw]), Ok(exhausted(draw, 0)));
        assert_eq!(store.drawn(draw.owner, Meter::Rate, 7), Ok(max));
    }
}

fn several_counters_are_drawn_from_together_or_not_at_all(store: &dyn StateStore) {
    let (wide, narrow, other) = (draw(1, 0, 80), draw(2, 0, 1), draw(3, 5, 16));
    assert_eq!(store.draw(&[]), Ok(Drawn::Leased(Vec::new())));
    assert_eq!(store.draw(&[wide, narrow, other]), Ok(Drawn::Leased(vec![10, 1, 2])));
    let none = Ok(exhausted(narrow, 0));
    assert_eq!(store.draw(&[wide, narrow, other]), none);
    assert_eq!(store.draw(&[narrow, wide]), none);
    assert_eq!(store.draw(&[wide, other, narrow]), none);
    assert_eq!(store.drawn(wide.owner, Meter::Rate, 0), Ok(10));
    assert_eq!(store.drawn(narrow.owner, Meter::Rate, 0), Ok(1));
    assert_eq!(store.drawn(other.owner, Meter::Rate, 5), Ok(2));
}

fn a_new_period_starts_afresh(store: &dyn StateStore) {
    assert_eq!(draw_all(store, draw(1, 3, 10)), 10);
    assert_eq!(store.drawn(id(1), Meter::Rate, 4), Ok(0));
    assert_eq!(draw_all(store, draw(1, 4, 10)), 10);
    assert_eq!(draw_all(store, draw(1, 1_000_000, 10)), 10);
}

fn a_period_that_is_over_yields_nothing(store: &dyn StateStore) {
    assert_eq!(store.draw(&[draw(1, 5, 80)]), Ok(Drawn::Leased(vec![10])));
    for period in [4, 0] {
        assert_eq!(store.draw(&[draw(1, period, 80)]), Ok(exhausted(draw(1, 0, 0), 0)));
    }
    assert_eq!(store.drawn(id(1), Meter::Rate, 5), Ok(10));
    assert_eq!(draw_all(store, draw(1, 5, 80)), 70);
}

fn a_limit_below_what_was_drawn_yields_nothing(store: &dyn StateStore) {
    assert_eq!(store.draw(&[draw(1, 0, 80)]), Ok(Drawn::Leased(vec![10])));
    for max in [10, 9, 0] {
        assert_eq!(store.draw(&[draw(1, 0, max)]), Ok(exhausted(draw(1, 0, 0), 0)));
    }
    assert_eq!(store.draw(&[draw(1, 0, 11)]), Ok(Drawn::Leased(vec![1])));
}

fn a_limit_of_nothing_yields_nothing(store: &dyn StateStore) {
    assert_eq!(store.draw(&[draw(1, 0, 0)]), Ok(exhausted(draw(1, 0, 0), 0)));
    assert_eq!(store.drawn(id(1), Meter::Rate, 0), Ok(0));
}

fn asking_what_was_drawn_charges_nothing(store: &dyn StateStore) {
    store.draw(&[draw(1, 0, 80)]).unwrap();
    for _ in 0..3 {
        assert_eq!(store.drawn(id(1), Meter::Rate, 0), Ok(10));
        assert_eq!(store.drawn(id(2), Meter::Rate, 0), Ok(0));
    }
    assert_eq!(draw_all(store, draw(1, 0, 80)), 70);
}

fn a_session_is_open_until_its_lease_ends(store: &dyn StateStore) {
    assert_eq!(store.session_until(id(1)), Ok(None));
    store.open_session(id(1), at(60)).unwrap();
    assert_eq!(store.session_until(id(1)), Ok(Some(at(60))));
    store.renew_session(id(1), at(90)).unwrap();
    assert_eq!(store.session_until(id(1)), Ok(Some(at(90))));
    assert_eq!(store.session_until(id(2)), Ok(None));
    store.close_session(id(1)).unwrap();
    assert_eq!(store.session_until(id(1)), Ok(None));
}

fn a_session_is_opened_once(store: &dyn StateStore) {
    store.open_session(id(1), at(60)).unwrap();
    assert!(store.open_session(id(1), at(90)).is_err());
    assert_eq!(store.session_until(id(1)), Ok(Some(at(60))));
    store.renew_session(id(1), at(70)).unwrap();
}

fn a_closed_session_stays_closed(store: &dyn StateStore) {
    store.open_session(id(1), at(60)).unwrap();
    for _ in 0..2 {
        store.close_session(id(1)).unwrap();
        assert!(store.renew_session(id(1), at(90)).is_err());
        assert!(store.open_session(id(1), at(90)).is_err());
        assert_eq!(store.session_until(id(1)), Ok(None));
        assert_eq!(store.abandoned_sessions(at(1_000)), Ok(Vec::new()));
    }
}

fn a_session_that_was_closed_unopened_cannot_be_opened(store: &dyn StateStore) {
    store.close_session(id(1)).unwrap();
    assert!(store.open_session(id(1), at(60)).is_err());
    assert_eq!(store.session_until(id(1)), Ok(None));
    assert_eq!(store.abandoned_sessions(at(1_000)), Ok(Vec::new()));
}

fn only_an_open_session_is_renewed(store: &dyn StateStore) {
    assert!(store.renew_session(id(1), at(60)).is_err());
    assert_eq!(store.session_until(id(1)), Ok(None));
    store.open_session(id(1), at(60)).unwrap();
}

fn a_session_is_abandoned_when_its_lease_is_over(store: &dyn StateStore) {
    for (session, until) in [(1, 60), (2, 80), (3, 60)] {
        store.open_session(id(session), at(until)).unwrap();
    }
    store.close_session(id(3)).unwrap();
    assert_eq!(store.abandoned_sessions(at(59)), Ok(Vec::new()));
    assert_eq!(store.abandoned_sessions(at(60)), Ok(vec![id(1)]));
    store.renew_session(id(1), at(90)).unwrap();
    assert_eq!(store.abandoned_sessions(at(60)), Ok(Vec::new()));
    assert_eq!(sorted(store.abandoned_sessions(at(90))), [id(1), id(2)]);
    store.close_session(id(1)).unwrap();
    assert_eq!(store.abandoned_sessions(at(90)), Ok(vec![id(2)]));
}

fn instants_are_kept_exactly(store: &dyn StateStore) {
    let instants = [
        at(0) + TimeDelta::nanoseconds(1),
        at(0) + TimeDelta::microseconds(999_999),
        DateTime::UNIX_EPOCH - TimeDelta::nanoseconds(1),
        DateTime::<Utc>::MIN_UTC,
        DateTime::<Utc>::MAX_UTC,
    ];
    for (session, until) in (1..).zip(instants) {
        store.open_session(id(session), until).unwrap();
        assert_eq!(store.session_until(id(session)), Ok(Some(until)));
    }
}

/// One thing that a single user may do.
#[derive(Clone, Debug)]
enum Use {
    Commit(u64, u64),
    ChangesSince(u64),
    Draw(Vec<Draw>),
    Drawn(u64, Meter),
    Open(u64, i64),
    Renew(u64, i64),
    Until(u64),
    Close(u64),
    Abandoned(i64),
}

fn any_use_is_answered_as_by_the_memory_store(make: &dyn Fn() -> Store) {
    // A draw names a counter once, as the obligations of a capability do.
    let meter = || prop::sample::select(&Meter::ALL);
    let counters =
        prop::collection::btree_map((1..4_u64, meter()), (0..4_u64, 0..60_u64, 0..20_u64), 1..4);
    let draws = counters.prop_map(|draws| {
        let draws = draws.into_iter();
        draws
            .map(|((owner, meter), (period, max, need))| Draw {
                meter,
                need,
                ..draw(owner, period, max)
            })
            .collect()
    });
    let any_use = prop_oneof![
        1 => (0..50_u64, 0..4_u64).prop_map(|(first, count)| Use::Commit(first, count)),
        1 => (0..12_u64).prop_map(Use::ChangesSince),
        4 => draws.prop_map(Use::Draw),
        1 => (1..4_u64, meter()).prop_map(|(owner, meter)| Use::Drawn(owner, meter)),
        2 => (1..5_u64, 0..10_i64).prop_map(|(session, until)| Use::Open(session, until)),
        1 => (1..5_u64, 0..10_i64).prop_map(|(session, until)| Use::Renew(session, until)),
        1 => (1..5_u64).prop_map(Use::Until),
        1 => (1..5_u64).prop_map(Use::Close),
        1 => (0..10_i64).prop_map(Use::Abandoned),
    ];
    let config = Config { cases: 32, failure_persistence: None, ..Config::default() };
    let uses = prop::collection::vec(any_use, 1..40);
    TestRunner::new(config)
        .run(&uses, |uses| {
            let (store, model) = (make(), MemoryStore::default());
            for each in uses {
                prop_assert_eq!(answer(&*store, &each), answer(&model, &each), "{:?}", each);
            }
            Ok(())
        })
        .unwrap();
}

/// What a store answers, errors by their variant alone.
fn answer(store: &dyn StateStore, asked: &Use) -> String {
    fn show<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
        match answer {
            Ok(answer) => format!("{answer:?}"),
            Err(StoreError::Failed(_)) => "failed".into(),
            Err(other) => panic!("{other}"),
        }
    }
    match asked {
        Use::Commit(first, count) => {
            let changes: Vec<Change> = (*first..first + count).map(revocation).collect();
            show(store.commit(&changes))
        }
        Use::ChangesSince(epoch) => {
            let epoch = store.epoch().map(|end| Epoch(end.0.min(*epoch)));
            show(epoch.and_then(|epoch| store.changes_since(epoch)))
        }
        Use::Draw(draws) => show(store.draw(draws)),
        Use::Drawn(owner, meter) => show(store.drawn(id(*owner), *meter, 3)),
        Use::Open(session, until) => show(store.open_session(id(*session), at(*until))),
        Use::Renew(session, until) => show(store.renew_session(id(*session), at(*until))),
        Use::Until(session) => show(store.session_until(id(*session))),
        Use::Close(session) => show(store.close_session(id(*session))),
        Use::Abandoned(now) => show(store.abandoned_sessions(at(*now)).map(|ids| sorted(Ok(ids)))),
    }
}

/// Asks again while the store is busy, which it may be when many use it at once.
fn patiently<T>(mut ask: impl FnMut() -> Result<T, StoreError>) -> T {
    for _ in 0..100 {
        match ask() {
            Err(StoreError::Busy(_)) => {}
            answer => return answer.unwrap(),
        }
    }
    panic!("the store stays busy");
}

/// Draws until nothing is left; answers with the sum.
fn draw_all(store: &dyn StateStore, draw: Draw) -> u64 {
    let already = store.drawn(draw.owner, draw.meter, draw.period).unwrap();
    let mut sum = 0;
    loop {
        match store.draw(&[draw]).unwrap() {
            Drawn::Leased(leases) => {
                assert!(leases.len() == 1 && leases[0] > 0, "{leases:?}");
                sum += leases[0];
            }
            nothing => {
                assert_eq!(nothing, exhausted(draw, draw.max - sum - already));
                return sum;
            }
        }
    }
}

/// A change of every kind.
fn one_of_each() -> Vec<Change> {
    let moment = at(5) + TimeDelta::nanoseconds(123_456_789);
    let issued = |n, session| Change::Issued { capability: Box::new(capability(n)), session };
    let revoked = |target| Change::Revoked { target, at: moment };
    vec![
        issued(1, None),
        issued(2, Some(id(7))),
        revoked(Target::Capability(id(1))),
        revoked(Target::Principal("agent \"ü\" 'x'; --".parse().unwrap())),
        revoked(Target::Session(id(7))),
        revoked(Target::Evidence(RevocationTarget::Capability(id(1)))),
        revoked(Target::Evidence(RevocationTarget::Principal("ü '".parse().unwrap()))),
        revoked(Target::Evidence(RevocationTarget::PrincipalBefore("a".parse().unwrap(), moment))),
        revoked(Target::Evidence(RevocationTarget::Issuer("https://i.example \"x\"".into()))),
        revoked(Target::Evidence(RevocationTarget::Key("a-key".parse().unwrap()))),
        revoked(Target::Evidence(RevocationTarget::Token(TokenId::of_jti("any text")))),
    ]
}

fn capability(n: u64) -> Capability {
    let grant = RootGrant {
        principal: format!("agent-{n}").parse().unwrap(),
        resource_type: ResourceType::Path,
        resource: "/srv/données".into(),
        operations: Operations::ALL,
        constraints: Constraints::default(),
        expires_at: Some(at(3_600)),
    };
    Capability::grant(id(n), grant, at(0)).unwrap()
}

/// A change that is told from others by `n`.
pub fn revocation(n: u64) -> Change {
    Change::Revoked { target: Target::Capability(id(n)), at: at(0) }
}

/// A draw of at least one unit from the counter of calls of the capability `owner`.
pub fn draw(owner: u64, period: u64, max: u64) -> Draw {
    Draw { owner: id(owner), meter: Meter::Rate, period, need: 1, max }
}

/// The answer that the counter of `draw` has only `left` units left.
pub fn exhausted(draw: Draw, left: u64) -> Drawn {
    Drawn::Exhausted { owner: draw.owner, meter: draw.meter, left }
}

/// The id that is told from others by `n`.
pub fn id(n: u64) -> CapabilityId {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&n.to_be_bytes());
    CapabilityId::new(random, at(0))
}

/// An instant, in seconds from an arbitrary one.
pub fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_795_000_000 + seconds)
}

fn sorted(sessions: Result<Vec<SessionId>, StoreError>) -> Vec<SessionId> {
    let mut sessions = sessions.unwrap();
    sessions.sort_unstable();
    sessions
}
