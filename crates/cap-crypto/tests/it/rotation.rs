//! The life of signing keys: what the clock, the operator and several processes do to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use cap_crypto::{
    Algorithm, Backend, KeyId, KeyInfo, KeyStatus, KeyringError, OsRandom, Purpose, RandomError,
    RotationPolicy, SecureRandom, Signature, Signer as _, SigningKey, SigningKeyring,
};
use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use proptest::prelude::*;

const START: DateTime<Utc> = DateTime::UNIX_EPOCH;
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Tokens of ten minutes, two of skew; a key each ten hours, announced for an hour.
fn policy() -> RotationPolicy {
    let policy = RotationPolicy::new(10 * MINUTE, 2 * MINUTE).unwrap();
    policy.with_interval(10 * HOUR).unwrap().with_overlap(30 * MINUTE).unwrap()
}

fn ephemeral() -> SigningKeyring {
    let first = SigningKey::generate(Algorithm::EdDsa, Backend::default(), &OsRandom).unwrap();
    SigningKeyring::ephemeral_with(Purpose::TokenSign, &first, START).unwrap().with_policy(policy())
}

fn at(minutes: i64) -> DateTime<Utc> {
    START + TimeDelta::minutes(minutes)
}

fn statuses(ring: &SigningKeyring) -> Vec<KeyStatus> {
    ring.keys().iter().map(|key| key.status).collect()
}

fn verifies(ring: &SigningKeyring, signature: &Signature, message: &[u8]) -> bool {
    let keys = ring.verifying_keys();
    let key = keys.iter().find(|key| *key.id() == signature.key);
    key.is_some_and(|key| key.verify(message, &signature.bytes).is_ok())
}

use KeyStatus::{Active, Compromised, Pending, Retired, Retiring};

#[test]
fn a_key_is_announced_then_active_then_retiring_then_retired() {
    let ring = ephemeral();
    let first = ring.sign(b"message").unwrap();
    assert!(!ring.tick(&OsRandom, at(9 * 60 - 1)).unwrap());
    assert_eq!(statuses(&ring), [Active]);

    assert!(ring.tick(&OsRandom, at(9 * 60)).unwrap());
    assert_eq!(statuses(&ring), [Active, Pending]);
    assert_eq!(ring.keys()[1].until, Some(at(10 * 60)));
    assert_eq!(ring.verifying_keys().len(), 2);
    assert_eq!(ring.sign(b"message").unwrap(), first);

    assert!(!ring.tick(&OsRandom, at(10 * 60 - 1)).unwrap());
    assert!(ring.tick(&OsRandom, at(10 * 60)).unwrap());
    assert_eq!(statuses(&ring), [Retiring, Active]);
    assert_eq!(ring.keys()[0].until, Some(at(10 * 60 + 90)));
    let second = ring.sign(b"message").unwrap();
    assert_ne!(second.key, first.key);
    assert!(verifies(&ring, &first, b"message") && verifies(&ring, &second, b"message"));

    assert!(!ring.tick(&OsRandom, at(10 * 60 + 89)).unwrap());
    assert!(verifies(&ring, &first, b"message"));
    assert!(ring.tick(&OsRandom, at(10 * 60 + 90)).unwrap());
    assert_eq!(statuses(&ring), [Retired, Active]);
    assert!(!verifies(&ring, &first, b"message") && verifies(&ring, &second, b"message"));
}

#[test]
fn after_a_long_sleep_the_next_key_is_still_announced_first() {
    let ring = ephemeral();
    let first = ring.active();
    assert!(ring.tick(&OsRandom, at(1_000_000)).unwrap());
    assert_eq!((statuses(&ring), ring.active()), (vec![Active, Pending], first));
    assert!(!ring.tick(&OsRandom, at(1_000_059)).unwrap());
    assert!(ring.tick(&OsRandom, at(1_000_060)).unwrap());
    assert_eq!(statuses(&ring), [Retiring, Active]);
}

#[test]
fn a_rotation_on_demand_takes_the_announced_key_if_there_is_one() {
    let ring = ephemeral();
    let second = ring.rotate(&OsRandom, at(5)).unwrap();
    assert_eq!((statuses(&ring), ring.active()), (vec![Retiring, Active], second));
    // The interval starts anew with the key.
    assert!(ring.tick(&OsRandom, at(5 + 9 * 60)).unwrap());
    assert_eq!(statuses(&ring), [Retired, Active, Pending]);
    let pending = ring.keys()[2].id.clone();
    assert_eq!(ring.rotate(&OsRandom, at(5 + 9 * 60)).unwrap(), pending);
    assert_eq!(statuses(&ring), [Retired, Retiring, Active]);
    assert_eq!(ring.active(), pending);
}

#[test]
fn a_compromised_key_stops_verifying_at_once_and_a_new_one_signs() {
    let ring = ephemeral();
    let first = ring.sign(b"message").unwrap();
    ring.rotate(&OsRandom, at(0)).unwrap();
    let second = ring.sign(b"message").unwrap();
    ring.tick(&OsRandom, at(9 * 60)).unwrap();
    assert_eq!(statuses(&ring), [Retired, Active, Pending]);

    ring.compromise(&second.key, &OsRandom, at(9 * 60)).unwrap();
    // The pending key lay beside it.
    assert_eq!(statuses(&ring), [Retired, Compromised, Retired, Active]);
    assert!(!verifies(&ring, &second, b"message"));
    assert!(verifies(&ring, &ring.sign(b"message").unwrap(), b"message"));
    assert_eq!(ring.verifying_keys().len(), 1);

    let generation = ring.generation();
    ring.compromise(&second.key, &OsRandom, at(9 * 60)).unwrap();
    assert_eq!(ring.generation(), generation);
    ring.compromise(&first.key, &OsRandom, at(9 * 60)).unwrap();
    assert_eq!(statuses(&ring)[0], Compromised);
    let unknown = "unknown".parse().unwrap();
    let refused = ring.compromise(&unknown, &OsRandom, at(9 * 60)).unwrap_err();
    assert!(matches!(refused, KeyringError::UnknownKey(id) if id == unknown));
}

#[test]
fn a_compromised_retiring_or_pending_key_leaves_the_active_one() {
    let ring = ephemeral();
    let first = ring.sign(b"message").unwrap();
    ring.rotate(&OsRandom, at(9)).unwrap();
    let active = ring.active();
    ring.compromise(&first.key, &OsRandom, at(9)).unwrap();
    assert_eq!((statuses(&ring), ring.active()), (vec![Compromised, Active], active.clone()));
    assert!(!verifies(&ring, &first, b"message"));
    ring.tick(&OsRandom, at(10 * 60)).unwrap();
    let pending = ring.keys()[2].id.clone();
    ring.compromise(&pending, &OsRandom, at(10 * 60)).unwrap();
    assert_eq!(statuses(&ring), [Compromised, Active, Compromised]);
    assert_eq!(ring.active(), active);
}

#[test]
fn a_key_that_was_compromised_cannot_come_back_by_import() {
    let key = SigningKey::generate(Algorithm::EdDsa, Backend::default(), &OsRandom).unwrap();
    let ring = SigningKeyring::ephemeral_with(Purpose::TokenSign, &key, START).unwrap();
    let id = ring.active();
    ring.compromise(&id, &OsRandom, START).unwrap();
    for refused in [ring.import(&key, START), ring.import_pending(&key, START)] {
        assert!(matches!(refused.unwrap_err(), KeyringError::KnownKey(known) if known == id));
    }
}

#[test]
fn a_key_of_a_jwk_with_a_name_is_kept_under_its_thumbprint() {
    let ring = ephemeral();
    let key = SigningKey::generate(Algorithm::EdDsa, Backend::default(), &OsRandom).unwrap();
    let thumbprint = key.key().id().clone();
    let named = key.with_id("mine".parse().unwrap());
    assert_eq!(ring.import(&named, at(1)).unwrap(), thumbprint);
    assert_eq!(ring.sign(b"message").unwrap().key, thumbprint);
    assert!(verifies(&ring, &ring.sign(b"message").unwrap(), b"message"));
}

#[test]
fn an_imported_key_can_be_announced_like_a_generated_one() {
    let ring = ephemeral();
    let key = SigningKey::generate(Algorithm::Es256, Backend::default(), &OsRandom).unwrap();
    let id = ring.import_pending(&key, at(60)).unwrap();
    assert_eq!(ring.keys()[1].until, Some(at(10 * 60)));
    let other = SigningKey::generate(Algorithm::Es256, Backend::default(), &OsRandom).unwrap();
    let refused = ring.import_pending(&other, at(60)).unwrap_err();
    assert!(matches!(refused, KeyringError::PendingKey(pending) if pending == id));
    assert!(ring.tick(&OsRandom, at(10 * 60)).unwrap());
    assert_eq!(ring.active(), id);
    assert_eq!(ring.signer().key().algorithm(), Algorithm::Es256);

    // Late in the interval, an hour of announcement still.
    let ring = ephemeral();
    ring.import_pending(&other, at(10 * 60 - 5)).unwrap();
    assert_eq!(ring.keys()[1].until, Some(at(11 * 60 - 5)));
}

#[test]
fn what_must_end_ends_even_when_no_new_key_can_be_made() {
    let pem = include_bytes!("../fixtures/rsa-2048.pem");
    let ring = ephemeral().with_backend(Backend::Ring).unwrap();
    let first = ring.sign(b"message").unwrap();
    ring.import_rsa(pem, at(0)).unwrap();
    for now in [at(10 * 60), at(20 * 60)] {
        let refused = ring.tick(&OsRandom, now).unwrap_err();
        assert!(matches!(&refused, KeyringError::Generate(_)));
        assert!(refused.to_string().contains("aws-lc-rs"), "{refused}");
    }
    assert_eq!(statuses(&ring), [Retired, Active]);
    assert!(!verifies(&ring, &first, b"message"));
    let before = ring.keys();
    assert!(ring.rotate(&OsRandom, at(20 * 60)).is_err());
    assert!(ring.compromise(&ring.active(), &OsRandom, at(20 * 60)).is_err());
    assert_eq!(ring.keys(), before);
}

#[test]
fn a_keyring_of_audit_keys_rotates_but_its_old_keys_verify_until_somebody_retires_them() {
    let ring = SigningKeyring::ephemeral(Purpose::AuditSign, &OsRandom).unwrap();
    let ring = ring.with_policy(policy());
    let first = ring.sign(b"checkpoint").unwrap();
    for minutes in (0..100 * 60).step_by(30) {
        ring.tick(&OsRandom, at(minutes)).unwrap();
    }
    assert!(ring.keys().len() > 9);
    assert!(verifies(&ring, &first, b"checkpoint"));
    ring.retire(&first.key).unwrap();
    assert!(!verifies(&ring, &first, b"checkpoint"));
}

#[test]
fn a_clock_out_of_range_is_an_error_and_changes_nothing() {
    let ring = ephemeral();
    let before = ring.keys();
    let refused = ring.rotate(&OsRandom, DateTime::<Utc>::MAX_UTC).unwrap_err();
    assert!(matches!(refused, KeyringError::Clock));
    assert!(ring.tick(&OsRandom, DateTime::<Utc>::MAX_UTC).is_ok_and(|changed| !changed));
    assert_eq!(ring.keys(), before);
}

#[test]
fn a_clock_that_was_put_back_does_not_end_a_key_early() {
    let ring = ephemeral();
    ring.rotate(&OsRandom, at(1000)).unwrap();
    let second = ring.active();
    ring.rotate(&OsRandom, at(10)).unwrap();
    let kept = ring.keys().into_iter().find(|key| key.id == second).unwrap();
    assert_eq!(kept.until, Some(at(1090)));
}

fn on_disk(folder: &Path) -> SigningKeyring {
    SigningKeyring::open_or_create(folder, Purpose::TokenSign, &OsRandom, START)
        .unwrap()
        .with_policy(policy())
}

#[test]
fn the_times_are_in_the_file_and_every_process_goes_on_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let ours = on_disk(folder.path());
    ours.tick(&OsRandom, at(9 * 60)).unwrap();
    let theirs = on_disk(folder.path());
    assert_eq!(theirs.keys(), ours.keys());
    theirs.tick(&OsRandom, at(10 * 60)).unwrap();
    // Ours has not reloaded, but knows the pending key already; the step is not done twice.
    let theirs_signed = theirs.sign(b"message").unwrap();
    assert!(verifies(&ours, &theirs_signed, b"message"));
    assert!(ours.tick(&OsRandom, at(10 * 60)).unwrap());
    assert_eq!(ours.keys(), theirs.keys());
    assert!(!ours.reload().unwrap());
}

#[test]
fn processes_that_tick_at_once_do_each_step_once() {
    let folder = tempfile::tempdir().unwrap();
    on_disk(folder.path());
    let rings: Vec<_> = (0..8).map(|_| on_disk(folder.path())).collect();
    for hour in 1..=60 {
        thread::scope(|scope| {
            for ring in &rings {
                scope.spawn(|| ring.tick(&OsRandom, at(hour * 60)).unwrap());
            }
        });
    }
    let ring = on_disk(folder.path());
    // A key each ten hours: one from the start, and six more.
    assert_eq!(ring.keys().len(), 7);
    assert_eq!(ring.keys().iter().filter(|key| key.status == Active).count(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_key_whose_time_is_up_does_not_verify_even_if_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let ring = on_disk(folder.path());
    let first = ring.sign(b"message").unwrap();
    ring.rotate(&OsRandom, at(0)).unwrap();
    // A folder in the place of the temporary file: nothing can be written.
    std::fs::create_dir(folder.path().join("token-sign.json.new")).unwrap();
    assert!(ring.rotate(&OsRandom, at(1)).is_err());
    assert!(verifies(&ring, &first, b"message"));
    let generation = ring.generation();
    assert!(ring.tick(&OsRandom, at(90)).is_err());
    assert!(!verifies(&ring, &first, b"message"));
    assert_ne!(ring.generation(), generation);
    assert!(!ring.reload().unwrap());
    assert!(!verifies(&ring, &first, b"message"));
    std::fs::remove_dir(folder.path().join("token-sign.json.new")).unwrap();
    assert!(ring.tick(&OsRandom, at(90)).unwrap());
    assert_eq!(statuses(&ring), [Retired, Active]);
}

#[test]
fn what_a_process_signs_that_has_not_reloaded_yet_verifies_for_as_long_as_it_lives() {
    let folder = tempfile::tempdir().unwrap();
    let (stale, other) = (on_disk(folder.path()), on_disk(folder.path()));
    other.tick(&OsRandom, at(9 * 60)).unwrap();
    other.tick(&OsRandom, at(10 * 60)).unwrap();
    // An announcement later, just before it reloads; the token lives ten minutes, with two of skew.
    let late = stale.sign(b"token").unwrap();
    other.tick(&OsRandom, at(10 * 60 + 59 + 12)).unwrap();
    assert!(verifies(&other, &late, b"token"));
    other.tick(&OsRandom, at(10 * 60 + 60 + 30)).unwrap();
    assert!(!verifies(&other, &late, b"token"));
}

#[test]
fn a_process_that_has_not_reloaded_rotates_within_the_algorithm_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (stale, other) = (on_disk(folder.path()), on_disk(folder.path()));
    let key = SigningKey::generate(Algorithm::Es256, Backend::default(), &OsRandom).unwrap();
    other.import(&key, at(1)).unwrap();
    assert_eq!(stale.active_key().algorithm(), Algorithm::EdDsa);
    stale.rotate(&OsRandom, at(2)).unwrap();
    assert_eq!(stale.active_key().algorithm(), Algorithm::Es256);
}

#[test]
fn an_imported_key_signs_for_a_whole_interval_before_the_pending_one() {
    let ring = ephemeral();
    ring.tick(&OsRandom, at(9 * 60)).unwrap();
    let old = ring.active();
    let key = SigningKey::generate(Algorithm::Es256, Backend::default(), &OsRandom).unwrap();
    let imported = ring.import(&key, at(9 * 60 + 30)).unwrap();
    ring.tick(&OsRandom, at(19 * 60 + 29)).unwrap();
    assert_eq!(ring.active(), imported);
    let pending = ring.keys().into_iter().find(|key| key.status == Pending).unwrap();
    assert_eq!(pending.until, Some(at(19 * 60 + 30)));

    // It lay beside the key from before the import.
    let ring = ephemeral();
    ring.tick(&OsRandom, at(9 * 60)).unwrap();
    let beside = ring.active();
    ring.import(&key, at(9 * 60 + 30)).unwrap();
    ring.compromise(&beside, &OsRandom, at(9 * 60 + 31)).unwrap();
    assert_eq!(statuses(&ring), [Compromised, Retired, Active]);
    assert_ne!(old, beside);
}

#[test]
fn a_key_that_was_announced_by_a_clock_far_ahead_gets_its_turn_all_the_same() {
    let ring = ephemeral();
    ring.tick(&OsRandom, at(1_000_000)).unwrap();
    assert_eq!(ring.keys()[1].until, Some(at(1_000_060)));
    assert!(ring.tick(&OsRandom, at(5)).unwrap());
    assert_eq!(ring.keys()[1].until, Some(at(10 * 60)));
    assert!(!ring.tick(&OsRandom, at(6)).unwrap());
    assert!(ring.tick(&OsRandom, at(10 * 60)).unwrap());
    assert_eq!(statuses(&ring), [Retiring, Active]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_compromised_key_is_not_used_even_if_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let ring = on_disk(folder.path());
    let first = ring.sign(b"message").unwrap();
    ring.rotate(&OsRandom, at(0)).unwrap();
    let second = ring.sign(b"message").unwrap();
    let before = ring.signer();
    std::fs::create_dir(folder.path().join("token-sign.json.new")).unwrap();
    for signature in [&first, &second] {
        let generation = ring.generation();
        assert!(verifies(&ring, signature, b"message"));
        assert!(ring.compromise(&signature.key, &OsRandom, at(1)).is_err());
        assert!(!verifies(&ring, signature, b"message"));
        assert_ne!(ring.generation(), generation);
    }
    assert_eq!(ring.verifying_keys(), []);
    assert!(ring.sign(b"message").is_err() && ring.signer().sign(b"message").is_err());
    assert_eq!(ring.signer().key(), before.key());
    assert!(!ring.reload().unwrap());
    assert!(ring.rotate(&OsRandom, at(1)).is_err());
    assert_eq!(ring.verifying_keys(), []);
    std::fs::remove_dir(folder.path().join("token-sign.json.new")).unwrap();
    // Another key signs; neither of the two verifies, though the file still says so.
    ring.rotate(&OsRandom, at(2)).unwrap();
    assert_eq!(statuses(&ring), [Retiring, Retiring, Active]);
    assert!(verifies(&ring, &ring.sign(b"message").unwrap(), b"message"));
    assert_eq!(ring.verifying_keys().len(), 1);
    for signature in [&first, &second] {
        ring.compromise(&signature.key, &OsRandom, at(3)).unwrap();
    }
    assert_eq!(statuses(&ring), [Compromised, Compromised, Active]);
}

#[test]
fn a_key_is_compromised_whatever_the_clock_says() {
    let ring = ephemeral();
    let first = ring.active();
    ring.compromise(&first, &OsRandom, DateTime::<Utc>::MAX_UTC).unwrap();
    assert_eq!(statuses(&ring), [Compromised, Active]);
}

#[cfg(target_os = "linux")]
#[test]
fn what_was_dropped_when_its_time_was_up_stays_dropped_whatever_changes_next() {
    let folder = tempfile::tempdir().unwrap();
    let ring = on_disk(folder.path());
    let first = ring.sign(b"message").unwrap();
    ring.rotate(&OsRandom, at(0)).unwrap();
    std::fs::create_dir(folder.path().join("token-sign.json.new")).unwrap();
    assert!(ring.tick(&OsRandom, at(90)).is_err());
    std::fs::remove_dir(folder.path().join("token-sign.json.new")).unwrap();
    // Another process, whose clock is behind, changes the file.
    on_disk(folder.path()).rotate(&OsRandom, at(89)).unwrap();
    assert!(ring.reload().unwrap());
    assert_eq!(statuses(&ring), [Retiring, Retiring, Active]);
    assert!(!verifies(&ring, &first, b"message"));
    ring.rotate(&OsRandom, at(90)).unwrap();
    assert_eq!(statuses(&ring), [Retired, Retiring, Retiring, Active]);
}

#[test]
fn a_pending_key_that_another_process_made_active_is_not_given_up_with_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (on_disk(folder.path()), on_disk(folder.path()));
    let first = one.active();
    let next = SigningKey::generate(Algorithm::EdDsa, Backend::default(), &OsRandom).unwrap();
    let next = one.import_pending(&next, at(0)).unwrap();
    other.rotate(&OsRandom, at(0)).unwrap();
    // It does not know yet that the pending key is the active one.
    assert_eq!(one.active(), first);
    one.compromise(&first, &OsRandom, at(0)).unwrap();
    for ring in [&one, &other] {
        ring.reload().unwrap();
        assert_eq!((statuses(ring), ring.active()), (vec![Compromised, Active], next.clone()));
        let signed = ring.sign(b"message").unwrap();
        assert!(verifies(&one, &signed, b"message") && verifies(&other, &signed, b"message"));
    }
}

#[derive(Debug, Clone)]
enum Step {
    Tick,
    Rotate,
    Import,
    Announce,
    Compromise(usize),
    Retire(usize),
    BrokenTick,
    BrokenRotate,
    Reload,
}

fn steps() -> impl Strategy<Value = Vec<(Step, i64)>> {
    let step = prop_oneof![
        8 => Just(Step::Tick),
        3 => Just(Step::Rotate),
        1 => Just(Step::Import),
        1 => Just(Step::Announce),
        1 => (0..40usize).prop_map(Step::Compromise),
        1 => (0..40usize).prop_map(Step::Retire),
        1 => Just(Step::BrokenTick),
        1 => Just(Step::BrokenRotate),
        1 => Just(Step::Reload),
    ];
    // Mostly forward by minutes or hours; sometimes far, sometimes back.
    let minutes = prop_oneof![
        6 => 0..90i64,
        3 => 60..660i64,
        1 => 660..100_000i64,
        2 => -700..0i64,
    ];
    prop::collection::vec((step, minutes), 1..60)
}

#[derive(Debug)]
struct Broken;

impl SecureRandom for Broken {
    fn fill(&self, _: &mut [u8]) -> Result<(), RandomError> {
        Err(RandomError)
    }
}

/// What must hold after every step, told from the outside.
#[derive(Default)]
struct Watch {
    /// A signature of every key that has ever signed.
    signed: BTreeMap<KeyId, Signature>,
    /// Keys that may never verify again.
    gone: BTreeSet<KeyId>,
    /// The earliest instant at which a retiring key may be dropped by the clock.
    kept_until: BTreeMap<KeyId, DateTime<Utc>>,
    /// Since when a key has been published.
    published: BTreeMap<KeyId, DateTime<Utc>>,
}

impl Watch {
    fn check(
        &mut self,
        ring: &SigningKeyring,
        before: &[KeyInfo],
        step: &Step,
        now: DateTime<Utc>,
    ) {
        let keys = ring.keys();
        let count = |status| keys.iter().filter(|key| key.status == status).count();
        assert_eq!(count(Active), 1);
        assert!(count(Pending) <= 1);
        let status = |id: &KeyId| keys.iter().find(|key| key.id == *id).unwrap().status;
        let verifying: BTreeSet<_> =
            ring.verifying_keys().iter().map(|key| key.id().clone()).collect();

        // Exactly the living keys verify, and only the active one signs.
        for key in &keys {
            let living = matches!(key.status, Pending | Active | Retiring);
            assert_eq!(verifying.contains(&key.id), living, "{key:?}");
            assert!(!(living && self.gone.contains(&key.id)), "{key:?} came back");
            if !living {
                self.gone.insert(key.id.clone());
            }
        }
        let signature = ring.sign(b"message").unwrap();
        assert_eq!(status(&signature.key), Active);
        assert_eq!(*ring.signer().key().id(), signature.key);
        self.signed.entry(signature.key.clone()).or_insert(signature);

        for old in before {
            let new = status(&old.id);
            // Nobody goes back.
            let rank = |status| match status {
                Pending => 0,
                Active => 1,
                Retiring => 2,
                Retired => 3,
                _ => 4,
            };
            assert!(rank(old.status) <= rank(new), "{old:?} became {new:?}");
            if old.status == Active && new == Retiring {
                let overlap = policy().overlap() + policy().announcement();
                let until = now + TimeDelta::from_std(overlap).unwrap();
                self.kept_until.insert(old.id.clone(), until);
            }
            // The clock drops a retiring key only when its time is up.
            let by_hand = matches!(step, Step::Retire(_) | Step::Compromise(_));
            if old.status == Retiring && new == Retired && !by_hand {
                assert!(self.kept_until[&old.id] <= now, "{old:?} was dropped at {now}");
            }
            // Announced anew, or made to wait behind one that was imported.
            let until = |keys: &[KeyInfo]| {
                keys.iter().find(|key| key.id == old.id).and_then(|key| key.until)
            };
            if old.status == Pending && new == Pending && until(&keys) != old.until {
                self.published.insert(old.id.clone(), now);
            }
            // The clock activates a key only when it has been published long enough.
            if old.status == Pending && new == Active && matches!(step, Step::Tick) {
                let since = self.published[&old.id];
                assert!(now - since >= TimeDelta::from_std(policy().announcement()).unwrap());
            }
        }
        // After a tick, nothing whose time is up is left.
        if matches!(step, Step::Tick) {
            let overdue = |key: &&KeyInfo| {
                key.status == Retiring && key.until.is_none_or(|until| until <= now)
            };
            assert_eq!(keys.iter().find(overdue), None);
        }
        for (id, signature) in &self.signed {
            assert_eq!(verifies(ring, signature, b"message"), !self.gone.contains(id));
        }
        for id in verifying {
            self.published.entry(id).or_insert(now);
        }
    }
}

fn act(ring: &SigningKeyring, step: &Step, now: DateTime<Utc>) {
    let nth = |number: usize| {
        let keys = ring.keys();
        keys[number % keys.len()].clone()
    };
    let new = || SigningKey::generate(Algorithm::EdDsa, Backend::default(), &OsRandom).unwrap();
    match step {
        Step::Tick => drop(ring.tick(&OsRandom, now).unwrap()),
        Step::Rotate => drop(ring.rotate(&OsRandom, now).unwrap()),
        Step::Import => drop(ring.import(&new(), now).unwrap()),
        Step::Announce => match ring.import_pending(&new(), now) {
            Ok(_) | Err(KeyringError::PendingKey(_)) => {}
            Err(other) => panic!("{other}"),
        },
        Step::Compromise(number) => {
            ring.compromise(&nth(*number).id, &OsRandom, now).unwrap();
        }
        Step::Retire(number) => match ring.retire(&nth(*number).id) {
            Ok(()) | Err(KeyringError::ActiveKey(_)) => {}
            Err(other) => panic!("{other}"),
        },
        Step::BrokenTick => drop(ring.tick(&Broken, now)),
        Step::BrokenRotate => drop(ring.rotate(&Broken, now)),
        Step::Reload => drop(ring.reload().unwrap()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 32, failure_persistence: None, max_shrink_iters: 500, ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_happens_one_key_signs_and_no_key_comes_back(steps in steps()) {
        let ring = ephemeral();
        let mut watch = Watch::default();
        let mut now = at(0);
        for (step, minutes) in steps {
            now += TimeDelta::minutes(minutes);
            let before = ring.keys();
            act(&ring, &step, now);
            watch.check(&ring, &before, &step, now);
        }
    }

    #[test]
    fn the_same_holds_for_two_processes_with_one_file(steps in steps()) {
        let folder = tempfile::tempdir().unwrap();
        let rings = [on_disk(folder.path()), on_disk(folder.path())];
        let mut watch = Watch::default();
        let mut now = at(0);
        for (number, (step, minutes)) in steps.into_iter().take(24).enumerate() {
            now += TimeDelta::minutes(minutes);
            let ring = &rings[number % 2];
            let other = &rings[(number + 1) % 2];
            // What one process sees when it acts may be older than the file, not what it decides.
            let before = { other.reload().unwrap(); other.keys() };
            act(ring, &step, now);
            ring.reload().unwrap();
            watch.check(ring, &before, &step, now);
        }
    }
}

/// Issue and validate at the level of signatures: a message is the instant at which it was signed;
/// issuers and validators have one clock, a counter of seconds that moves by a minute.
#[test]
fn a_thousand_rotations_under_load_refuse_nothing_early_and_accept_nothing_late() {
    const ROTATIONS: usize = 1000;
    let clock = AtomicU64::new(0);
    let now = |seconds: u64| START + TimeDelta::seconds(i64::try_from(seconds).unwrap());
    // A key for two or three steps of the clock, so that a step rotates more often than not.
    let quick = policy().with_announcement(MINUTE).unwrap().with_interval(2 * MINUTE).unwrap();
    let ring = ephemeral().with_policy(quick);
    let overlap = (quick.overlap() + quick.announcement()).as_secs();
    let (done, issued) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let (accepted, refused_late) = (AtomicU64::new(0), AtomicU64::new(0));
    // Key → the second by which it had signed for the last time.
    let stepped_down = Mutex::new(BTreeMap::<KeyId, u64>::new());

    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    let at = clock.load(Ordering::Acquire);
                    let signer = ring.signer();
                    let bytes = signer.sign(&at.to_be_bytes()).unwrap();
                    let signature = Signature { key: signer.key().id().clone(), bytes };
                    issued.lock().push((at, signature));
                    thread::yield_now();
                }
            });
        }
        let validators = [(); 2].map(|()| {
            scope.spawn(|| {
                let (mut generation, mut keys, mut turn) = (u64::MAX, Vec::new(), 0usize);
                while !done.load(Ordering::Acquire) {
                    thread::yield_now();
                    turn = turn.wrapping_add(7919);
                    // One of all, then one of the newest.
                    let sample = {
                        let issued = issued.lock();
                        let count = if turn % 2 == 0 { issued.len() } else { issued.len().min(64) };
                        (count > 0).then(|| issued[issued.len() - 1 - turn % count].clone())
                    };
                    let Some((at, signature)) = sample else { continue };
                    let early = clock.load(Ordering::Acquire);
                    // As a validator that keeps the keys until their generation changes.
                    let current = ring.generation();
                    if current != generation {
                        (generation, keys) = (current, ring.verifying_keys());
                    }
                    let key = keys.iter().find(|key| *key.id() == signature.key);
                    let good = key
                        .is_some_and(|key| key.verify(&at.to_be_bytes(), &signature.bytes).is_ok());
                    let late = clock.load(Ordering::Acquire);
                    // Its key signed until `at` or longer.
                    if late < at + overlap {
                        assert!(good, "a message of {at} was refused at {late}");
                        accepted.fetch_add(1, Ordering::Relaxed);
                    }
                    // One step of the clock later, the tick that had to retire it is done.
                    let ended = stepped_down.lock().get(&signature.key).copied();
                    if ended.is_some_and(|ended| early > ended + overlap) {
                        assert!(!good, "a key that ended at {ended:?} verified at {early}");
                        refused_late.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        });
        let mut rotations = 0;
        while rotations < ROTATIONS {
            let seconds = clock.fetch_add(60, Ordering::AcqRel) + 60;
            let before = ring.active();
            if rotations % 3 == 0 {
                ring.rotate(&OsRandom, now(seconds)).unwrap();
            }
            ring.tick(&OsRandom, now(seconds)).unwrap();
            if ring.active() != before {
                stepped_down.lock().insert(before, seconds);
                rotations += 1;
            }
            thread::yield_now();
        }
        // However the threads were scheduled: until both have been seen often enough, unless a
        // validator has ended, which says what is wrong.
        let seen = |count: &AtomicU64| count.load(Ordering::Relaxed) > 1000;
        let ended = || validators.iter().any(thread::ScopedJoinHandle::is_finished);
        let enough = || seen(&accepted) && seen(&refused_late);
        while !enough() && !ended() {
            thread::yield_now();
        }
        done.store(true, Ordering::Release);
    });
    let count = |status| statuses(&ring).iter().filter(|other| **other == status).count();
    assert_eq!(count(Active), 1);
    assert!(count(Retired) >= ROTATIONS - 40, "{}", count(Retired));
    assert!(accepted.into_inner() > 1000 && refused_late.into_inner() > 1000);
}
