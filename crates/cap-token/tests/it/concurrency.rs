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

use self::store::{Source, Store, Validated};
use self::table::Table;
use crate::support::{AUDIENCE, Fixed, ISSUER, ed25519, granted, now};
use crate::sync::{AtomicU64, Ordering, RwLock};

#[allow(dead_code, reason = "the models use a part of it")]
#[path = "../../src/revocation/filter.rs"]
mod filter;
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
                table.retain(|_| seen.replace(seen.get() + 1) == 0)
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
        let table = LoomArc::new(small_table());
        put(&table, 1);
        let writer = {
            let table = table.clone();
            loom::thread::spawn(move || {
                table.reserve(9);
                put(&table, 2);
                table.reserve(20);
            })
        };
        assert!(table.contains(&1));
        assert!(table.contains(&1));
        writer.join().unwrap();
        assert!(table.contains(&2));
    });
}

/// A validator of one token, in small: one key, and a table of revocations.
struct Model {
    store: Store<u64>,
    /// Whether the key is trusted.
    keys: RwLock<bool>,
    generation: AtomicU64,
    revoked: Table<u64, ()>,
    acknowledged: AtomicU64,
}

impl Source for Model {
    type Value = u64;
    type Error = ();

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn check(&self, value: &u64) -> Result<(), ()> {
        if self.revoked.contains(value) { Err(()) } else { Ok(()) }
    }

    fn validate(&self) -> Result<Validated<u64>, ()> {
        if !*self.keys.read() {
            return Err(());
        }
        self.check(&1)?;
        Ok(Validated { value: 1, until: 30, bytes: 1 })
    }
}

impl Model {
    fn new() -> LoomArc<Self> {
        LoomArc::new(Self {
            store: Store::new(4, 100, 7),
            keys: RwLock::new(true),
            generation: AtomicU64::new(0),
            revoked: small_table(),
            acknowledged: AtomicU64::new(0),
        })
    }

    fn validates(&self) -> bool {
        self.store.validated("token", self, 0).is_ok()
    }

    /// Two validators run while `change` does; afterwards nothing is accepted.
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
    Model::never_accepts_after(2, |model| {
        let mut keys = model.keys.write();
        *keys = false;
        model.generation.store(1, Ordering::Release);
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
    // Even: the key is not trusted.
    let round = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (cached, token, round) = (&cached, &token, &round);
        for _ in 0..3 {
            scope.spawn(move || {
                loop {
                    let before = round.load(Ordering::Acquire);
                    if before >= 2 * ROUNDS {
                        break;
                    }
                    let accepted = cached.validate(token, now()).is_ok();
                    let after = round.load(Ordering::Acquire);
                    // Nothing but this state was there in between: the next change is announced
                    // before it is made.
                    if before == after && before % 2 == 0 {
                        assert_eq!(accepted, before % 4 == 2, "in state {before}");
                    }
                }
            });
        }
        for at in 0..ROUNDS {
            let trusted = if at % 2 == 0 { &keys } else { &others };
            round.store(2 * at + 1, Ordering::Release);
            cached.validator().set_keys(ISSUER, vec![trusted.active_key()]);
            round.store(2 * at + 2, Ordering::Release);
            for _ in 0..20 {
                thread::yield_now();
            }
        }
    });
}

/// A set is followed by deltas while it grows: what is known up to an epoch is known as a whole.
#[test]
fn who_follows_by_deltas_misses_nothing_up_to_the_epoch_that_was_reached() {
    const LAST: u32 = 2000;
    let key = crate::revocation::key(1);
    let publisher = Publisher::new(ISSUER, vec![key.key().clone()]);
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
        while follower.stats().tokens < usize::try_from(LAST).unwrap() {
            let since = follower.position(ISSUER);
            let delta = set.export_delta(since, ISSUER, &key, now()).unwrap();
            let reached = follower.import(&delta, &publisher, now()).unwrap();
            // Each change is one token.
            let known = follower.stats().tokens;
            assert!(known >= usize::try_from(reached.0).unwrap(), "{known} at {reached}");
            imports += 1;
            assert!(imports < 1_000_000);
        }
    });
    assert!((0..LAST).all(|number| follower.is_revoked(&token(number))));
    assert_eq!(follower.position(ISSUER), set.epoch());
}
