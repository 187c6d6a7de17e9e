//! Proofs are accepted once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cap_token::chain::{MemoryReplayStore, ProofId, ReplayError, ReplayStore};
use chrono::{DateTime, Utc};

use super::support::{Case, NOW, at, outcome};

#[derive(Debug)]
struct Unreachable;

impl ReplayStore for Unreachable {
    fn accept(
        &self,
        _: ProofId<'_>,
        _: DateTime<Utc>,
        _: DateTime<Utc>,
    ) -> Result<(), ReplayError> {
        Err(ReplayError::Unavailable)
    }
}

#[test]
fn a_store_that_cannot_be_reached_denies() {
    assert_eq!(outcome(&Case::of(1).run_with(&Unreachable)), "7i");
}

#[test]
fn a_full_store_denies_until_a_window_has_ended() {
    let replay = MemoryReplayStore::new(2);
    let run = |jti: &str, issued: i64, now: i64| {
        let mut case = Case::of(1).proof("jti", jti).proof("iat", issued);
        case.now = at(now);
        outcome(&case.run_with(&replay))
    };
    assert_eq!(run("a", NOW, NOW), "PERMIT");
    assert_eq!(run("b", NOW + 30, NOW), "PERMIT");
    assert_eq!(run("c", NOW, NOW), "7i");
    // The first is remembered through its last second, and only then makes room.
    assert_eq!(run("c", NOW + 30, NOW + 30), "7i");
    assert_eq!(run("c", NOW + 31, NOW + 31), "PERMIT");
    assert_eq!(replay.len(), 2);
    // The second, dated 30 seconds ahead, lives twice as long.
    assert_eq!(run("b", NOW + 30, NOW + 60), "7i");
}

#[test]
fn a_proof_cannot_be_replayed_in_any_second_of_its_window() {
    for ahead in [-30, 0, 30] {
        let replay = MemoryReplayStore::new(1000);
        let mut case = Case::of(1).proof("iat", NOW + ahead);
        let presentation = case.presentation();
        assert_eq!(outcome(&case.present(&presentation, &replay)), "PERMIT");
        for second in 0..=61 {
            case.now = at(NOW + second);
            let denied = outcome(&case.present(&presentation, &replay));
            assert_eq!(denied, if second <= ahead + 30 { "7i" } else { "7g" });
        }
    }
}

#[test]
fn a_clock_that_is_set_back_revives_no_proof() {
    let replay = MemoryReplayStore::new(1000);
    let mut case = Case::of(1);
    assert_eq!(outcome(&case.run_with(&replay)), "PERMIT");
    let mut later = Case::of(1).proof("jti", "later").proof("iat", NOW + 100);
    later.now = at(NOW + 100);
    assert_eq!(outcome(&later.run_with(&replay)), "PERMIT");
    assert_eq!(replay.len(), 1);
    case.now = at(NOW);
    let denied = case.run_with(&replay).unwrap_err();
    assert_eq!(denied.step().as_str(), "7i");
    assert_eq!(denied.what(), "the proof is older than what the replay store remembers");
    later.now = at(NOW + 100);
    let denied = later.run_with(&replay).unwrap_err();
    assert_eq!(denied.what(), "the proof was accepted before");
}

#[test]
fn a_restart_revives_no_proof_whatever_it_was_dated() {
    let window = Duration::from_secs(30);
    for ahead in -30..=30 {
        let mut case = Case::of(1).proof("iat", NOW + ahead);
        let presentation = case.presentation();
        let before = MemoryReplayStore::new(1000);
        assert_eq!(outcome(&case.present(&presentation, &before)), "PERMIT");
        let after = MemoryReplayStore::starting_at(1000, window, at(NOW));
        for second in [0, 1, 30, 59, 60] {
            case.now = at(NOW + second);
            assert_ne!(outcome(&case.present(&presentation, &after)), "PERMIT", "{ahead} {second}");
        }
    }
    // Once the clock is beyond what could have been dated ahead, calls go through, once each.
    let after = MemoryReplayStore::starting_at(1000, window, at(NOW));
    let run = |issued: i64, now: i64| {
        let mut case = Case::of(1).proof("iat", issued);
        case.now = at(now);
        outcome(&case.run_with(&after))
    };
    assert_eq!(run(NOW + 30, NOW + 30), "7i");
    assert_eq!(run(NOW + 31, NOW + 31), "PERMIT");
    assert_eq!(run(NOW + 31, NOW + 32), "7i");
    let never = MemoryReplayStore::starting_at(1, Duration::MAX, at(NOW));
    assert_eq!(outcome(&Case::of(1).run_with(&never)), "7i");
}

#[test]
fn holders_do_not_use_up_each_others_ids() {
    let replay = MemoryReplayStore::new(1000);
    assert_eq!(outcome(&Case::of(1).run_with(&replay)), "PERMIT");
    assert_eq!(outcome(&Case::of(2).run_with(&replay)), "PERMIT");
    assert_eq!(outcome(&Case::of(1).run_with(&replay)), "7i");
    // The same key at another depth, in another chain, is the same holder.
    let again = Case::of(1).claim(0, "jti", "another");
    assert_eq!(outcome(&again.run_with(&replay)), "7i");
}

#[test]
fn of_many_at_once_one_is_permitted() {
    let replay = MemoryReplayStore::new(1000);
    let (case, permitted) = (Case::of(1), AtomicUsize::new(0));
    let presentation = case.presentation();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                if case.present(&presentation, &replay).is_ok() {
                    permitted.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(permitted.into_inner(), 1);
}
