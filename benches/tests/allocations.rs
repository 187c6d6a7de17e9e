//! A check allocates nothing, whatever comes of it; nor does the validation of a token that is
//! remembered.

#[path = "../src/check/grant.rs"]
#[expect(dead_code, reason = "shared with the benchmark, which uses more of it")]
mod grant;
#[path = "../src/token/kept.rs"]
mod kept;
#[path = "../src/check/ours.rs"]
mod ours;
#[path = "../src/token/tokens.rs"]
mod tokens;

use std::hint::black_box;

use grant::{ALLOWED, ALLOWED_SIX, Call, DENIED, DENIED_SIX, Evaluator, Grant};
use kept::Kept;
use ours::Ours;

#[test]
fn a_check_of_what_is_permitted_allocates_nothing() {
    assert_none(Grant::Plain, &ALLOWED, true);
    assert_none(Grant::SixConstraints, &ALLOWED_SIX, true);
}

#[test]
fn a_check_of_what_is_refused_allocates_nothing() {
    assert_none(Grant::Plain, &DENIED, false);
    assert_none(Grant::SixConstraints, &DENIED, false);
    assert_none(Grant::SixConstraints, &DENIED_SIX, false);
}

#[test]
fn a_token_that_is_remembered_is_validated_without_an_allocation() {
    Kept::assert_verdicts();
    let count = 1_000;
    let mut kept = Kept::new(count);
    for _ in 0..count {
        let mut permitted = false;
        let counted = allocation_counter::measure(|| permitted = black_box(kept.permits_next()));
        assert!(permitted);
        assert_eq!(counted.count_total, 0);
    }
}

#[test]
fn allocations_are_counted() {
    let counted = allocation_counter::measure(|| drop(black_box(Box::new(1))));
    assert_eq!(counted.count_total, 1);
}

fn assert_none(grant: Grant, calls: &[Call], permitted: bool) {
    let mut ours = Ours::new(grant);
    for call in calls {
        let mut request = ours.request(call);
        let mut verdict = !permitted;
        let counted = allocation_counter::measure(|| {
            verdict = black_box(ours.permits(black_box(&mut request)));
        });
        assert_eq!(verdict, permitted, "{grant:?}, {call:?}");
        assert_eq!(counted.count_total, 0, "{grant:?}, {call:?}");
    }
}
