//! What is acknowledged holds for everything that starts afterwards. The sources of the set's
//! tables and of the cache are compiled here against `crate::sync`, which tries the interleavings;
//! then threads do the same with the real thing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::thread;

use cap_crypto::Signer as _;
use cap_token::{
    CacheLimits, CachedValidator, DEFAULT_TTL, Issuer, Publisher, RevocationSet, RevocationTarget,
    ValidateError, Validator,
};
use loom::sync::Arc as LoomArc;

use self::shared::{Exchanged, Shared};
use self::store::{Source, Store, Validated};
use self::table::Table;
use crate::support::{AUDIENCE, Fixed, ISSUER, ed25519, granted, now};
use crate::sync::{AtomicU64, Ordering};

mod rotation;

#[allow(dead_code, reason = "the models use a part of it")]
#[path = "../../src/revocation/filter.rs"]
mod filter;
#[path = "../../src/validate/shared.rs"]
mod shared;
#[allow(dead_code, reason = "the models use a part of it")]
#[path = "../../src/cache/store.rs"]
mod store;
#[allow(dead_code, reason = "the models use a part of it")]
#[path = "../../src/revocation/table.rs"]
mod table;

/// With so many switches of threads where none is forced.
fn model(preemptions: usize, run: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 10_000;
    builder.check(run);
}

fn small_table() -> Table<u64, ()> {
    Table::new(1, 1, 7)
}

fn put(table: &Table<u64, ()>, key: u64) {
    table.put(key, |_| Some(()));
}

#[test]
fn what_was_put_in_is_found_by_whoever_knows_of_it() {
    model(3, || {
        let table = LoomArc::new(small_table());
        let done = LoomArc::new(AtomicU64::new(0));
        let writer = {
            let (table, done) = (table.clone(), done.clone());
            loom::thread::spawn(move || {
                for key in 1..=2 {
                    put(&table, key);
                    done.store(key, Ordering::Release);
                }
            })
        };
        let known = done.load(Ordering::Acquire);
        assert!((1..=known).all(|key| table.contains(&key)));
        writer.join().unwrap();
    });
}

#[test]
fn what_is_in_a_table_is_found_while_its_filter_is_built_anew_in_its_place() {
    model(3, || {
        let table = LoomArc::new(small_table());
        (1..=4).for_each(|key| put(&table, key));
        let writer = {
            let table = table.clone();
            // Three of four go: the filter is built anew from the one that stays.
            loom::thread::spawn(move || {
                let seen = std::cell::Cell::new(0);
                table.retain(|_, ()| seen.replace(seen.get() + 1) == 0)
            })
        };
        let kept: Vec<u64> = (1..=4).filter(|key| table.contains(key)).collect();
        assert_eq!(writer.join().unwrap(), 3);
        let left: Vec<u64> = (1..=4).filter(|key| table.contains(key)).collect();
        assert_eq!(left.len(), 1);
        assert!(kept.contains(&left[0]), "{left:?} was not seen among {kept:?}");
    });
}

#[test]
fn what_is_in_a_table_is_found_while_its_filter_grows_and_shrinks() {
    model(3, || {
        // What is false is to go.
        let table: LoomArc<Table<u64, bool>> = LoomArc::new(Table::new(1, 1, 7));
        table.put(1, |_| Some(true));
        let writer = {
            let table = table.clone();
            loom::thread::spawn(move || {
                table.reserve(9);
                table.put(2, |_| Some(false));
                table.put(3, |_| Some(false));
                let large = table.bytes();
                assert_eq!(table.retain(|_, keep| *keep), 2);
                table.put(4, |_| Some(true));
                large
            })
        };
        assert!(table.contains(&1));
        assert!(table.contains(&1));
        writer.join().unwrap();
        let held: Vec<u64> = (1..=4).filter(|key| table.contains(key)).collect();
        assert_eq!(held, [1, 4]);
    });
}

/// A filter that has shrunk takes words of another level: it tells what it could not tell before.
#[test]
fn a_filter_shrinks_once_most_of_what_was_in_it_has_gone() {
    model(1, || {
        let filter = filter::Filter::new(1);
        filter.rebuild(100, |put| put(1));
        assert_eq!(filter.capacity(), 128);
        filter.rebuild(5, |put| put(1));
        assert_eq!(filter.capacity(), 8);
        assert_eq!(filter.maybe(|| 1), Some(1));
        filter.rebuild(0, |_| ());
        assert_eq!((filter.capacity(), filter.maybe(|| 1)), (0, None));
    });
}

/// A validator in small: two keys, a token of each, and a table of revocations.
struct Model {
    store: Store<u64>,
    keys: Shared<Keys>,
    revoked: Table<u64, ()>,
    acknowledged: AtomicU64,
}

/// Bits: 1 and 2.
#[derive(Clone, Copy, PartialEq)]
struct Keys {
    trusted: u64,
    distrusted: u64,
}

impl Exchanged for Keys {
    fn renews(&self, old: &Self) -> bool {
        self == old
    }
}

impl Keys {
    fn set(self, keys: u64) -> Self {
        Self { trusted: keys & !self.distrusted, ..self }
    }

    fn without(self, key: u64) -> Self {
        let distrusted = self.distrusted | key;
        Self { trusted: self.trusted & !distrusted, distrusted }
    }
}

/// The token that is named as its key.
struct Asked<'m>(&'m Model, u64);

impl Source for Asked<'_> {
    type Value = u64;
    type Error = ();

    fn generation(&self) -> u64 {
        self.0.keys.generation()
    }

    fn check(&self, value: &u64) -> Result<(), ()> {
        if self.0.revoked.contains(value) { Err(()) } else { Ok(()) }
    }

    fn is_final((): &()) -> bool {
        true
    }

    fn validate(&self) -> Result<Validated<u64>, ()> {
        if self.0.keys.read().trusted & self.1 == 0 {
            return Err(());
        }
        self.check(&self.1)?;
        Ok(Validated { value: self.1, until: 30, bytes: 1 })
    }
}

impl Model {
    /// Key 1 is trusted.
    fn new() -> LoomArc<Self> {
        LoomArc::new(Self {
            store: Store::new(4, 100, 7),
            keys: Shared::new(Keys { trusted: 1, distrusted: 0 }, 0),
            revoked: small_table(),
            acknowledged: AtomicU64::new(0),
        })
    }

    fn accepts(&self, token: u64) -> bool {
        let text = if token == 1 { "token of 1" } else { "token of 2" };
        self.store.validated(text, &Asked(self, token), 0).is_ok()
    }

    fn validates(&self) -> bool {
        self.accepts(1)
    }

    /// Two validators run while `change` does; afterwards nothing of key 1 is accepted.
    fn never_accepts_after(preemptions: usize, change: fn(&Self)) {
        model(preemptions, move || {
            let model = Self::new();
            let asker = |model: LoomArc<Self>| {
                move || {
                    let acknowledged = model.acknowledged.load(Ordering::Acquire) == 1;
                    let accepted = model.validates();
                    assert!(!(acknowledged && accepted), "accepted after the acknowledgement");
                }
            };
            let other = loom::thread::spawn(asker(model.clone()));
            let changer = {
                let model = model.clone();
                loom::thread::spawn(move || {
                    change(&model);
                    model.acknowledged.store(1, Ordering::Release);
                })
            };
            asker(model.clone())();
            other.join().unwrap();
            changer.join().unwrap();
            assert!(!model.validates());
        });
    }
}

#[test]
fn no_remembered_token_is_accepted_after_its_revocation_was_acknowledged() {
    Model::never_accepts_after(2, |model| put(&model.revoked, 1));
}

#[test]
fn no_remembered_token_is_accepted_after_the_end_of_its_key_was_acknowledged() {
    Model::never_accepts_after(2, |model| model.keys.change(|keys| keys.set(0)));
}

#[test]
fn no_remembered_token_is_accepted_after_the_compromise_of_its_key_was_acknowledged() {
    Model::never_accepts_after(2, |model| model.keys.change(|keys| keys.without(1)));
}

/// Somebody who has not heard of the compromise sets the keys that he knows.
#[test]
fn a_compromised_key_does_not_come_back_with_a_set_that_still_has_it() {
    model(2, || {
        let model = Model::new();
        let other = {
            let model = model.clone();
            loom::thread::spawn(move || model.keys.change(|keys| keys.set(1 | 2)))
        };
        let asker = {
            let model = model.clone();
            loom::thread::spawn(move || {
                let acknowledged = model.acknowledged.load(Ordering::Acquire) == 1;
                assert!(!(acknowledged && model.validates()));
            })
        };
        model.keys.change(|keys| keys.without(1));
        model.acknowledged.store(1, Ordering::Release);
        assert!(!model.validates());
        other.join().unwrap();
        asker.join().unwrap();
        assert!(!model.validates());
        assert!(model.accepts(2));
    });
}

/// Key 2 is announced, then key 1 retired.
#[test]
fn a_rotation_refuses_nothing_before_and_accepts_nothing_after_the_end_of_the_overlap() {
    model(2, || {
        let model = Model::new();
        let rotation = {
            let model = model.clone();
            loom::thread::spawn(move || {
                model.keys.change(|keys| keys.set(1 | 2));
                model.acknowledged.store(1, Ordering::Release);
                // The same once more.
                model.keys.change(|keys| keys.set(1 | 2));
                model.acknowledged.store(2, Ordering::Release);
                model.keys.change(|keys| keys.set(2));
                model.acknowledged.store(3, Ordering::Release);
            })
        };
        for _ in 0..2 {
            let before = model.acknowledged.load(Ordering::Acquire);
            let (old, new) = (model.accepts(1), model.accepts(2));
            let after = model.acknowledged.load(Ordering::Acquire);
            assert!(after >= 2 || old, "key 1 was refused in state {before} to {after}");
            assert!(before < 3 || !old, "key 1 was accepted in state {before}");
            assert!(before < 1 || new, "key 2 was refused in state {before}");
        }
        rotation.join().unwrap();
        assert_eq!((model.accepts(1), model.accepts(2)), (false, true));
    });
}

/// Many tokens; each is revoked while threads validate them all.
#[test]
fn threads_accept_no_token_after_its_revocation_was_acknowledged() {
    const TOKENS: usize = 60;
    let keys = ed25519(1);
    let issuer = Issuer::new(ISSUER, AUDIENCE, &keys);
    let capability = granted(now());
    let tokens: Vec<String> = (0..TOKENS)
        .map(|at| {
            let random = Fixed(u8::try_from(at).unwrap());
            issuer.issue(&capability, &[], DEFAULT_TTL, &random, now()).unwrap()
        })
        .collect();
    let revocations = Arc::new(RevocationSet::new());
    let validator = Validator::new(AUDIENCE)
        .trust(ISSUER, keys.active_key())
        .with_revocations(Arc::clone(&revocations));
    let cached = CachedValidator::new(validator, CacheLimits::default());
    let ids: Vec<_> =
        tokens.iter().map(|token| cached.validate(token, now()).unwrap().token_id()).collect();
    let (revoked, accepted, refused) =
        (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let end = AtomicBool::new(false);
    thread::scope(|scope| {
        let (cached, tokens, revoked) = (&cached, &tokens, &revoked);
        let (accepted, refused, end) = (&accepted, &refused, &end);
        let askers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(move || {
                    while !end.load(Ordering::Acquire) {
                        for (at, token) in tokens.iter().enumerate() {
                            let acknowledged = revoked.load(Ordering::Acquire);
                            match cached.validate(token, now()) {
                                Ok(_) => {
                                    assert!(at >= acknowledged, "{at} of {acknowledged}");
                                    accepted.fetch_add(1, Ordering::Relaxed);
                                }
                                Err(ValidateError::Revoked(_)) => {
                                    refused.fetch_add(1, Ordering::Relaxed);
                                }
                                Err(other) => panic!("{other}"),
                            }
                        }
                    }
                })
            })
            .collect();
        while accepted.load(Ordering::Acquire) == 0 {
            thread::yield_now();
        }
        for (at, id) in ids.iter().enumerate() {
            revocations.revoke(RevocationTarget::Token(*id), None, now()).unwrap();
            revoked.store(at + 1, Ordering::Release);
            thread::yield_now();
        }
        while refused.load(Ordering::Acquire) == 0 {
            thread::yield_now();
        }
        end.store(true, Ordering::Release);
        askers.into_iter().for_each(|asker| asker.join().unwrap());
    });
    assert!(tokens.iter().all(|token| cached.validate(token, now()).is_err()));
}

/// A key comes and goes while threads validate with it.
#[test]
fn threads_accept_no_token_after_the_end_of_its_key_was_acknowledged() {
    const ROUNDS: usize = 200;
    let (keys, others) = (ed25519(1), ed25519(2));
    let issuer = Issuer::new(ISSUER, AUDIENCE, &keys);
    let token = issuer.issue(&granted(now()), &[], DEFAULT_TTL, &Fixed(7), now()).unwrap();
    let cached = CachedValidator::new(Validator::new(AUDIENCE), CacheLimits::default());
    // Even: one set of keys is trusted, the right one in every second state.
    let round = AtomicUsize::new(0);
    let (accepted, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        let (cached, token, round) = (&cached, &token, &round);
        let (accepted, refused) = (&accepted, &refused);
        for _ in 0..3 {
            scope.spawn(move || {
                loop {
                    let before = round.load(Ordering::Acquire);
                    if before == usize::MAX {
                        break;
                    }
                    let is_good = cached.validate(token, now()).is_ok();
                    let after = round.load(Ordering::Acquire);
                    // Nothing but this state was there in between: the next change is announced
                    // before it is made.
                    if before == after && before % 2 == 0 {
                        let count = if before % 4 == 2 { accepted } else { refused };
                        count.fetch_add(1, Ordering::Relaxed);
                        assert_eq!(is_good, before % 4 == 2, "in state {before}");
                    }
                }
            });
        }
        // However the threads were scheduled: until both states have been seen often enough.
        let seen = |count: &AtomicUsize| count.load(Ordering::Relaxed) > 100;
        let mut at = 0;
        while at < ROUNDS || !(seen(accepted) && seen(refused)) {
            let trusted = if at % 2 == 0 { &keys } else { &others };
            round.store(2 * at + 1, Ordering::Release);
            cached.validator().set_keys(ISSUER, vec![trusted.active_key()]);
            round.store(2 * at + 2, Ordering::Release);
            for _ in 0..20 {
                thread::yield_now();
            }
            at += 1;
        }
        round.store(usize::MAX, Ordering::Release);
    });
    assert!(accepted.into_inner() > 100 && refused.into_inner() > 100);
}

/// A set is followed by deltas while it grows: what is known up to an epoch is known as a whole.
#[test]
fn who_follows_by_deltas_misses_nothing_up_to_the_epoch_that_was_reached() {
    assert!((0..200).any(|_| an_import_fell_among_the_changes()), "all imports came too late");
}

fn an_import_fell_among_the_changes() -> bool {
    const LAST: u32 = 2000;
    let all = usize::try_from(LAST).unwrap();
    let mut among = false;
    let key = crate::revocation::key(1);
    let publisher = Publisher::for_everything(ISSUER, vec![key.key().clone()]);
    let (set, follower) = (RevocationSet::new(), RevocationSet::new());
    let token = |number| RevocationTarget::Token(crate::revocation::token(number));
    thread::scope(|scope| {
        // Two writers: the numbers of their changes are in each other.
        for writer in 0..2 {
            let set = &set;
            scope.spawn(move || {
                for number in (writer..LAST).step_by(2) {
                    set.revoke(token(number), None, now()).unwrap();
                }
            });
        }
        let mut imports = 0;
        while follower.stats().tokens < all {
            let since = follower.position(ISSUER);
            let delta = set.export_delta(since, ISSUER, &key, now()).unwrap();
            let reached = follower.import(&delta, &publisher, now()).unwrap();
            // Each change is one token.
            let known = follower.stats().tokens;
            let before_first = crate::revocation::epoch(1).0 - 1;
            let changes = usize::try_from(reached.0.saturating_sub(before_first)).unwrap();
            assert!(known >= changes, "{known} at {reached}");
            among |= 0 < changes && known < all;
            imports += 1;
            assert!(imports < 1_000_000);
        }
    });
    assert!((0..LAST).all(|number| follower.is_revoked(&token(number))));
    // A delta may have changes of which its epoch does not speak yet.
    let delta = set.export_delta(follower.position(ISSUER), ISSUER, &key, now()).unwrap();
    follower.import(&delta, &publisher, now()).unwrap();
    assert_eq!(follower.position(ISSUER), set.epoch());
    among
}
