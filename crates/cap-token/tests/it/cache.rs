use std::sync::Arc;
use std::time::Duration;

use cap_token::{
    CacheLimits, CachedValidator, DEFAULT_TTL, Epoch, ImportError, Issuer, Publisher,
    RevocationSet, RevocationTarget, Revoked, ValidateError, Validator,
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use crate::support::{AUDIENCE, Fixed, ISSUER, delegated, ed25519, granted, id, now};

/// A cache over a validator with revocations, and tokens for it.
struct Bench {
    cached: CachedValidator,
    revocations: Arc<RevocationSet>,
    keys: cap_crypto::SigningKeyring,
}

impl Bench {
    fn new() -> Self {
        Self::with(CacheLimits::default())
    }

    fn with(limits: CacheLimits) -> Self {
        let keys = ed25519(1);
        let revocations = Arc::new(RevocationSet::new());
        let validator = Validator::new(AUDIENCE)
            .trust(ISSUER, keys.active_key())
            .with_revocations(Arc::clone(&revocations));
        Self { cached: CachedValidator::new(validator, limits), revocations, keys }
    }

    /// Number `number` of tokens of Carol's, the second link below Alice's.
    fn token(&self, number: u8) -> String {
        let alice = granted(now());
        let bob = delegated(&alice, 2, "bob");
        let carol = delegated(&bob, 3, "carol");
        Issuer::new(ISSUER, AUDIENCE, &self.keys)
            .issue(&carol, &[id(1), id(2)], DEFAULT_TTL, &Fixed(number), now())
            .unwrap()
    }

    /// Whether it is the very value that is remembered.
    fn is_remembered(&self, token: &str, now: DateTime<Utc>) -> bool {
        let first = self.cached.validate(token, now).unwrap();
        Arc::ptr_eq(&first, &self.cached.validate(token, now).unwrap())
    }

    fn same(&self, token: &str, one: DateTime<Utc>, other: DateTime<Utc>) -> bool {
        let first = self.cached.validate(token, one).unwrap();
        Arc::ptr_eq(&first, &self.cached.validate(token, other).unwrap())
    }
}

fn at(seconds: i64) -> DateTime<Utc> {
    now() + TimeDelta::seconds(seconds)
}

#[test]
fn a_remembered_token_is_the_one_that_was_validated() {
    let bench = Bench::new();
    let (one, other) = (bench.token(1), bench.token(2));
    let plain = bench.cached.validator().validate(&one, now()).unwrap();
    assert_eq!(*bench.cached.validate(&one, now()).unwrap(), plain);
    assert!(bench.is_remembered(&one, now()));
    assert!(bench.is_remembered(&other, now()));
    let first = bench.cached.validate(&one, now()).unwrap();
    let second = bench.cached.validate(&other, now()).unwrap();
    assert_ne!(first.token_id(), second.token_id());
    assert_eq!(bench.cached.stats().entries, 2);
}

/// The cache finds by the end of a token: whatever else differs, it must be another one.
#[test]
fn a_token_that_nearly_equals_a_remembered_one_is_refused() {
    let bench = Bench::new();
    let good = bench.token(1);
    bench.cached.validate(&good, now()).unwrap();
    let mut refused = 0;
    for at in 0..good.len() {
        for other in ["A", "B", "_", ".", "=", "\0", "é"] {
            let changed = format!("{}{other}{}", &good[..at], &good[at + 1..]);
            if changed != good {
                let cached = bench.cached.validate(&changed, now());
                let plain = bench.cached.validator().validate(&changed, now());
                assert!(cached.is_err(), "{other} at {at}");
                assert_eq!(cached.err(), plain.err());
                refused += 1;
            }
        }
    }
    for near in [
        good[1..].to_owned(),
        good[..good.len() - 1].to_owned(),
        format!("{good}="),
        format!(" {good}"),
        format!("{good} "),
        good.replacen('.', "..", 1),
        good[good.len() - 32..].to_owned(),
        String::new(),
    ] {
        assert!(bench.cached.validate(&near, now()).is_err(), "{near:?}");
        refused += 1;
    }
    assert!(refused > 5_000, "{refused}");
    assert_eq!(bench.cached.stats().entries, 1);
}

#[test]
fn a_refusal_is_not_remembered() {
    let bench = Bench::new();
    let token = bench.token(1);
    assert_eq!(bench.cached.validate(&token, at(-301)), Err(ValidateError::NotYetValid));
    assert_eq!(bench.cached.stats().entries, 0);
    assert!(bench.is_remembered(&token, now()));
    // What is remembered is not given out for a time before.
    assert_eq!(bench.cached.validate(&token, at(-301)), Err(ValidateError::NotYetValid));
    let stranger = Validator::new(AUDIENCE).trust(ISSUER, ed25519(2).active_key());
    let stranger = CachedValidator::new(stranger, CacheLimits::default());
    assert!(stranger.validate(&token, now()).is_err());
    stranger.validator().set_keys(ISSUER, vec![bench.keys.active_key()]);
    assert!(stranger.validate(&token, now()).is_ok());
}

#[test]
fn an_entry_dies_with_its_age_and_with_the_token() {
    let bench = Bench::new();
    let token = bench.token(1);
    assert!(bench.same(&token, now(), at(29)));
    assert!(!bench.same(&token, at(29), at(30)));
    // In its last seconds it is remembered for no longer than it lives.
    assert!(bench.same(&token, at(895), at(899)));
    assert!(!bench.same(&token, at(899), at(900)));
    assert!(!bench.same(&token, at(1000), at(1000)));
    assert_eq!(bench.cached.validate(&token, at(1200)), Err(ValidateError::Expired));
    let short = CacheLimits { max_age: Duration::from_secs(0), ..CacheLimits::default() };
    let bench = Bench::with(short);
    assert!(!bench.is_remembered(&token, now()));
}

#[test]
fn a_revocation_of_anything_stops_a_remembered_token_at_once() {
    let targets = |bench: &Bench, token: &str| {
        let verified = bench.cached.validate(token, now()).unwrap();
        let principal = verified.capability().principal().clone();
        [
            (RevocationTarget::Token(verified.token_id()), Revoked::Token),
            (RevocationTarget::Capability(id(3)), Revoked::Capability),
            (RevocationTarget::Capability(id(2)), Revoked::Ancestor),
            (RevocationTarget::Capability(id(1)), Revoked::Ancestor),
            (RevocationTarget::Principal(principal.clone()), Revoked::Principal),
            (RevocationTarget::PrincipalBefore(principal, now()), Revoked::Principal),
            (RevocationTarget::Issuer(ISSUER.to_owned()), Revoked::Issuer),
            (RevocationTarget::Key(verified.key().clone()), Revoked::Key),
        ]
    };
    for number in 0..8 {
        let bench = Bench::new();
        let token = bench.token(1);
        assert!(bench.is_remembered(&token, now()));
        let (target, why) = targets(&bench, &token)[number].clone();
        bench.revocations.revoke(target.clone(), Some(at(900)), now()).unwrap();
        let refused = bench.cached.validate(&token, now());
        assert_eq!(refused, Err(ValidateError::Revoked(why)), "{target:?}");
        assert_eq!(bench.cached.stats().entries, 0);
        // It does not come back as long as the leeway lets it live.
        bench.revocations.cleanup(at(1199));
        assert!(bench.cached.validate(&token, at(1199)).is_err(), "{target:?}");
    }
}

#[test]
fn a_change_of_keys_makes_every_token_be_validated_anew() {
    let bench = Bench::new();
    let token = bench.token(1);
    let validated = bench.cached.validate(&token, now()).unwrap();
    bench.cached.validator().set_keys("https://other.example", vec![ed25519(2).active_key()]);
    let again = bench.cached.validate(&token, now()).unwrap();
    assert!(!Arc::ptr_eq(&validated, &again));
    assert_eq!(validated, again);
    bench.cached.validator().set_keys(ISSUER, vec![]);
    assert_eq!(bench.cached.validate(&token, now()), Err(ValidateError::UnknownKey));
    // Back under its name, with other bytes.
    let named = crate::revocation::key(9).with_id(bench.keys.active());
    let other = cap_crypto::Signer::key(&named).clone();
    bench.cached.validator().set_keys(ISSUER, vec![other]);
    assert_eq!(bench.cached.validate(&token, now()), Err(ValidateError::Signature));
    bench.cached.validator().set_keys(ISSUER, vec![bench.keys.active_key()]);
    assert!(bench.is_remembered(&token, now()));
    bench.cached.validator().distrust_key(&bench.keys.active());
    assert_eq!(bench.cached.validate(&token, now()), Err(ValidateError::UnknownKey));
}

#[test]
fn it_holds_no_more_than_it_may() {
    let limits = CacheLimits { entries: 4, ..CacheLimits::default() };
    let bench = Bench::with(limits);
    let tokens: Vec<_> = (0..10).map(|number| bench.token(number)).collect();
    let mut bytes = 0;
    for token in &tokens {
        bench.cached.validate(token, now()).unwrap();
        let stats = bench.cached.stats();
        assert!(stats.entries <= 4);
        bytes = stats.bytes;
    }
    assert_eq!(bench.cached.stats().entries, 4);
    // The oldest have gone.
    assert!(tokens[6..].iter().all(|token| bench.same(token, now(), now())));
    assert!(bytes / 4 > tokens[0].len() * 2);

    let two = CacheLimits { bytes: bytes / 2, ..CacheLimits::default() };
    // Limits of a shard: of one, for so few entries.
    let bench = Bench::with(CacheLimits { entries: 100, ..two });
    for token in &tokens {
        bench.cached.validate(token, now()).unwrap();
        assert!(bench.cached.stats().bytes <= two.bytes);
    }
    assert_eq!(bench.cached.stats().entries, 2);
    for none in [
        CacheLimits { bytes: 100, ..CacheLimits::default() },
        CacheLimits { entries: 0, ..CacheLimits::default() },
    ] {
        let bench = Bench::with(none);
        assert!(!bench.is_remembered(&tokens[0], now()));
        assert_eq!(bench.cached.stats().entries, 0);
    }
}

#[test]
fn what_is_too_old_is_dropped() {
    let bench = Bench::new();
    for number in 0..5 {
        bench.cached.validate(&bench.token(number), at(i64::from(number) * 5)).unwrap();
    }
    bench.cached.cleanup(at(29));
    assert_eq!(bench.cached.stats().entries, 5);
    bench.cached.cleanup(at(40));
    assert_eq!(bench.cached.stats().entries, 2);
    bench.cached.cleanup(at(50));
    assert_eq!((bench.cached.stats().entries, bench.cached.stats().bytes), (0, 0));
}

#[test]
fn the_same_tokens_again_and_again_leave_nothing_behind() {
    // Every validation is remembered anew.
    let at_once = CacheLimits { max_age: Duration::ZERO, ..CacheLimits::default() };
    let bench = Bench::with(at_once);
    let tokens: Vec<_> = (0..3).map(|number| bench.token(number)).collect();
    let validate = |times: usize| {
        let counted = allocation_counter::measure(|| {
            for token in tokens.iter().cycle().take(times) {
                bench.cached.validate(token, now()).unwrap();
            }
        });
        counted.bytes_current
    };
    let once = validate(60);
    assert!(once > 0);
    let more = validate(1500);
    assert!(more < 2_000, "{more} bytes");
    assert!(bench.cached.stats().entries <= 3);
}

#[test]
fn the_same_keys_once_more_leave_what_is_remembered() {
    let bench = Bench::new();
    let (token, validator) = (bench.token(1), bench.cached.validator());
    let own = || vec![bench.keys.active_key()];
    let first = bench.cached.validate(&token, now()).unwrap();
    let is_kept = || Arc::ptr_eq(&first, &bench.cached.validate(&token, now()).unwrap());
    let generation = validator.key_generation();
    validator.set_keys(ISSUER, own());
    validator.set_keys("https://nobody.example", vec![]);
    assert!(is_kept());
    assert_eq!(validator.key_generation(), generation);
    let change = |change: &dyn Fn()| {
        let (before, remembered) =
            (validator.key_generation(), bench.cached.validate(&token, now()).unwrap());
        change();
        let kept = bench
            .cached
            .validate(&token, now())
            .is_ok_and(|again| Arc::ptr_eq(&again, &remembered));
        assert_eq!(kept, validator.key_generation() == before);
        kept
    };
    // An end where there was none, a later one, an earlier one, none.
    assert!(!change(&|| validator.set_keys_until(ISSUER, own(), at(100))));
    assert!(change(&|| validator.set_keys_until(ISSUER, own(), at(200))));
    assert!(!change(&|| validator.set_keys_until(ISSUER, own(), at(150))));
    assert!(change(&|| validator.set_keys(ISSUER, own())));
    // And the later end is the one that holds.
    assert!(!change(&|| validator.set_keys_until(ISSUER, own(), at(10))));
    assert!(change(&|| validator.set_keys_until(ISSUER, own(), at(20))));
    assert!(bench.cached.validate(&token, at(19)).is_ok());
    assert_eq!(bench.cached.validate(&token, at(20)), Err(ValidateError::UnknownKey));
    validator.set_keys(ISSUER, own());
    // One more, other bytes under its name, another issuer, distrust of anything.
    let both = || vec![bench.keys.active_key(), ed25519(2).active_key()];
    assert!(!change(&|| validator.set_keys(ISSUER, both())));
    assert!(change(&|| validator.set_keys(ISSUER, both().into_iter().rev().collect())));
    let named = crate::revocation::key(9).with_id(ed25519(2).active());
    let other = vec![bench.keys.active_key(), cap_crypto::Signer::key(&named).clone()];
    assert!(!change(&|| validator.set_keys(ISSUER, other.clone())));
    assert!(!change(&|| validator.set_keys("https://other.example", both())));
    assert!(change(&|| validator.set_keys("https://other.example", both())));
    assert!(!change(&|| validator.distrust_key(&ed25519(3).active())));
    assert!(change(&|| validator.distrust_key(&ed25519(3).active())));
    assert!(!change(&|| validator.distrust_key(&bench.keys.active())));
}

#[test]
fn revocations_that_are_too_old_refuse_a_remembered_token_and_forget_nothing() {
    let bench = Bench::new();
    let token = bench.token(1);
    let key = crate::revocation::key(1);
    let publisher = Publisher::for_everything(ISSUER, vec![cap_crypto::Signer::key(&key).clone()]);
    let hear = |seconds| {
        let nothing = RevocationSet::new().export_snapshot(ISSUER, &key, at(seconds)).unwrap();
        bench.revocations.import(&nothing, &publisher, at(seconds)).unwrap();
    };
    let first = bench.cached.validate(&token, now()).unwrap();
    let is_kept =
        |seconds| Arc::ptr_eq(&first, &bench.cached.validate(&token, at(seconds)).unwrap());
    bench.revocations.require_fresh(ISSUER, Duration::from_secs(10));
    let behind = Err(ValidateError::Revoked(Revoked::Behind));
    assert_eq!(bench.cached.validate(&token, now()), behind);
    hear(0);
    assert!(is_kept(0) && is_kept(9));
    assert_eq!(bench.cached.validate(&token, at(10)), behind);
    assert_eq!(bench.cached.stats().entries, 1);
    hear(10);
    assert!(is_kept(19));
}

#[test]
fn another_issuers_revocations_stop_its_own_tokens_only() {
    const OTHER: &str = "https://other.example";
    let (own, theirs) = (Bench::new(), ed25519(2));
    let of_other = Arc::new(RevocationSet::of_issuer(OTHER));
    of_other.raise_floor(OTHER, Epoch(0));
    let validator = Validator::new(AUDIENCE)
        .trust(ISSUER, own.keys.active_key())
        .trust(OTHER, theirs.active_key())
        .with_revocations(Arc::new(RevocationSet::new()))
        .with_revocations(Arc::clone(&of_other));
    let cached = CachedValidator::new(validator, CacheLimits::default());
    let ours = own.token(1);
    let issuer = Issuer::new(OTHER, AUDIENCE, &theirs);
    let other = issuer.issue(&granted(now()), &[], DEFAULT_TTL, &Fixed(9), now()).unwrap();
    let refused = |why| Err(ValidateError::Revoked(why));
    assert!(cached.validate(&ours, now()).is_ok());
    assert_eq!(cached.validate(&other, now()), refused(Revoked::Behind));
    // It revokes everything that it has ever heard of.
    let key = crate::revocation::key(1);
    let publisher = Publisher::new(OTHER, vec![cap_crypto::Signer::key(&key).clone()]);
    let hostile = RevocationSet::new();
    let verified = cached.validate(&ours, now()).unwrap();
    for target in [
        RevocationTarget::Token(verified.token_id()),
        RevocationTarget::Capability(id(1)),
        RevocationTarget::Principal("alice".parse().unwrap()),
        RevocationTarget::Principal("carol".parse().unwrap()),
        RevocationTarget::Issuer(ISSUER.to_owned()),
        RevocationTarget::Key(own.keys.active()),
    ] {
        hostile.revoke(target, None, now()).unwrap();
    }
    let document = hostile.export_snapshot(OTHER, &key, now()).unwrap();
    assert_eq!(own.revocations.import(&document, &publisher, now()), Err(ImportError::Scope));
    of_other.import(&document, &publisher, now()).unwrap();
    assert!(cached.validate(&ours, now()).is_ok());
    assert_eq!(cached.validate(&other, now()), refused(Revoked::Capability));
}

#[derive(Clone, Debug)]
enum Step {
    Validate(usize),
    Revoke(usize),
    Trust(u8),
    Wait(i64),
    Cleanup,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (0..6_usize).prop_map(Step::Validate),
        1 => (0..4_usize).prop_map(Step::Revoke),
        2 => (0..3_u8).prop_map(Step::Trust),
        4 => (-40..200_i64).prop_map(Step::Wait),
        1 => Just(Step::Cleanup),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever happens in whatever order: the cache says what the validator says.
    #[test]
    fn a_cache_changes_no_outcome(steps in prop::collection::vec(step(), 1..60)) {
        let bench = Bench::with(CacheLimits { entries: 3, ..CacheLimits::default() });
        let validator = bench.cached.validator();
        let mut tokens: Vec<_> = (0..5).map(|number| bench.token(number)).collect();
        tokens.push(format!("{}A", tokens[0]));
        let ids: Vec<_> = tokens
            .iter()
            .take(4)
            .map(|token| validator.validate(token, now()).unwrap().token_id())
            .collect();
        let mut clock = 0;
        for step in steps {
            match step {
                Step::Validate(number) => {
                    let token = &tokens[number];
                    let cached = bench.cached.validate(token, at(clock));
                    let plain = validator.validate(token, at(clock));
                    prop_assert_eq!(cached.map(Arc::unwrap_or_clone), plain);
                }
                Step::Revoke(number) => {
                    let target = RevocationTarget::Token(ids[number]);
                    bench.revocations.revoke(target, Some(at(900)), at(clock)).unwrap();
                }
                Step::Trust(0) => validator.set_keys(ISSUER, vec![]),
                Step::Trust(1) => validator.set_keys(ISSUER, vec![ed25519(2).active_key()]),
                Step::Trust(_) => validator.set_keys(ISSUER, vec![bench.keys.active_key()]),
                Step::Wait(seconds) => clock += seconds,
                Step::Cleanup => {
                    bench.cached.cleanup(at(clock));
                    bench.revocations.cleanup(at(clock));
                }
            }
            prop_assert!(bench.cached.stats().entries <= 3);
        }
    }
}
