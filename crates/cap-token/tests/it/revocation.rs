use std::collections::BTreeMap;
use std::time::Duration;

use cap_core::{CapabilityId, Principal};
use cap_crypto::{KeyId, Signer as _, SigningKey, sha256};
use cap_token::{
    Epoch, ExportError, Facts, ImportError, MAX_ISSUER_BYTES, MAX_REVOCATIONS_BYTES,
    MalformedRevocations, Publisher, REVOCATION_DOMAIN, Revocation, RevocationSet,
    RevocationTarget, RevokeError, Revoked, TokenId,
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use crate::support::now;

const PUBLISHER: &str = "https://issuer.example";

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_ed25519_seed(&[seed; 32]).unwrap()
}

fn publisher(key: &SigningKey) -> Publisher {
    Publisher::new(PUBLISHER, vec![key.key().clone()])
}

/// A UUIDv7.
fn bytes(number: u32) -> [u8; 16] {
    let mut bytes = [7; 16];
    bytes[6] = 0x70;
    bytes[8] = 0x80;
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    bytes
}

pub(crate) fn token(number: u32) -> TokenId {
    TokenId::from_bytes(bytes(number)).unwrap()
}

pub(crate) fn capability(number: u32) -> CapabilityId {
    CapabilityId::from_bytes(bytes(number)).unwrap()
}

fn principal(name: &str) -> Principal {
    name.parse().unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    now() + TimeDelta::seconds(seconds)
}

/// A token with four ancestors.
#[derive(Clone, Debug)]
struct Subject {
    token: TokenId,
    capability: CapabilityId,
    ancestors: Vec<CapabilityId>,
    principal: Principal,
    issuer: String,
    key: KeyId,
    issued_at: DateTime<Utc>,
}

impl Subject {
    fn new() -> Self {
        Self {
            token: token(1),
            capability: capability(14),
            ancestors: (10..14).map(capability).collect(),
            principal: principal("alice"),
            issuer: PUBLISHER.to_owned(),
            key: "key-1".parse().unwrap(),
            issued_at: now(),
        }
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            token: self.token,
            capability: self.capability,
            ancestors: &self.ancestors,
            principal: &self.principal,
            issuer: &self.issuer,
            key: &self.key,
            issued_at: self.issued_at,
        }
    }

    fn check(&self, set: &RevocationSet) -> Result<(), Revoked> {
        set.check(&self.facts())
    }
}

fn revoked(target: RevocationTarget) -> RevocationSet {
    let set = RevocationSet::new();
    set.revoke(target, None, now()).unwrap();
    set
}

/// As the subject has them.
fn targets() -> Vec<(RevocationTarget, Revoked)> {
    vec![
        (RevocationTarget::Token(token(1)), Revoked::Token),
        (RevocationTarget::Capability(capability(14)), Revoked::Capability),
        (RevocationTarget::Capability(capability(10)), Revoked::Ancestor),
        (RevocationTarget::Capability(capability(13)), Revoked::Ancestor),
        (RevocationTarget::Principal(principal("alice")), Revoked::Principal),
        (RevocationTarget::PrincipalBefore(principal("alice"), now()), Revoked::Principal),
        (RevocationTarget::Issuer(PUBLISHER.to_owned()), Revoked::Issuer),
        (RevocationTarget::Key("key-1".parse().unwrap()), Revoked::Key),
    ]
}

/// So long before the subject was issued that the skew does not matter.
fn earlier() -> RevocationTarget {
    RevocationTarget::PrincipalBefore(principal("alice"), at(-301))
}

/// None of which the subject has.
fn others() -> Vec<RevocationTarget> {
    vec![
        RevocationTarget::Token(token(2)),
        // The numbers of capabilities and tokens are apart.
        RevocationTarget::Token(token(14)),
        RevocationTarget::Capability(capability(1)),
        RevocationTarget::Capability(capability(15)),
        RevocationTarget::Principal(principal("bob")),
        RevocationTarget::PrincipalBefore(principal("bob"), now()),
        earlier(),
        RevocationTarget::Principal(principal("key-1")),
        RevocationTarget::Issuer("https://issuer.example/".to_owned()),
        RevocationTarget::Key("key-2".parse().unwrap()),
    ]
}

#[test]
fn everything_that_hangs_below_a_target_is_refused_and_nothing_else() {
    let subject = Subject::new();
    assert_eq!(subject.check(&RevocationSet::new()), Ok(()));
    for (target, why) in targets() {
        let set = revoked(target.clone());
        assert_eq!(subject.check(&set), Err(why), "{target:?}");
        assert!(set.is_revoked(&target));
        // An earlier instant of hers is covered by a later one, and by all.
        let covered = |other: &RevocationTarget| *other == earlier() && why == Revoked::Principal;
        for other in others() {
            assert_eq!(set.is_revoked(&other), covered(&other), "{target:?} and {other:?}");
        }
    }
    let set = RevocationSet::new();
    for other in others() {
        set.revoke(other, None, now()).unwrap();
    }
    assert_eq!(subject.check(&set), Ok(()));
    for (target, _) in targets() {
        assert!(!set.is_revoked(&target), "{target:?}");
    }
}

#[test]
fn a_principals_revocation_takes_the_skew_and_whole_seconds() {
    let mut subject = Subject::new();
    let instant = now() + TimeDelta::milliseconds(1);
    let set = revoked(RevocationTarget::PrincipalBefore(principal("alice"), instant));
    for (seconds, refused) in [(0, true), (1, true), (301, true), (302, false), (900, false)] {
        subject.issued_at = at(seconds);
        assert_eq!(subject.check(&set).is_err(), refused, "{seconds}");
    }
    // Only forward.
    let back = RevocationTarget::PrincipalBefore(principal("alice"), at(-600));
    set.revoke(back, None, now()).unwrap();
    subject.issued_at = at(301);
    assert_eq!(subject.check(&set), Err(Revoked::Principal));
    let on = RevocationTarget::PrincipalBefore(principal("alice"), at(600));
    set.revoke(on, None, now()).unwrap();
    subject.issued_at = at(900);
    assert_eq!(subject.check(&set), Err(Revoked::Principal));
    subject.issued_at = at(901);
    assert_eq!(subject.check(&set), Ok(()));
}

#[test]
fn a_revocation_outlives_the_latest_expiry_by_twice_the_skew_and_nothing_shortens_it() {
    let subject = Subject::new();
    for (target, why) in targets() {
        let set = RevocationSet::new();
        set.revoke(target.clone(), Some(at(100)), now()).unwrap();
        set.revoke(target.clone(), Some(at(50)), now()).unwrap();
        set.cleanup(at(700));
        assert_eq!(subject.check(&set), Err(why), "{target:?}");
        set.revoke(target.clone(), Some(at(1000)), now()).unwrap();
        assert_eq!(set.cleanup(at(1600)), 0);
        assert_eq!(subject.check(&set), Err(why), "{target:?}");
        assert_eq!(set.cleanup(at(1601)), 1, "{target:?}");
        assert_eq!(subject.check(&set), Ok(()), "{target:?}");
        set.revoke(target.clone(), Some(at(100)), now()).unwrap();
        set.revoke(target.clone(), None, now()).unwrap();
        set.revoke(target.clone(), Some(at(100)), now()).unwrap();
        assert_eq!(set.cleanup(DateTime::<Utc>::MAX_UTC), 0);
        assert_eq!(subject.check(&set), Err(why), "{target:?}");
    }
}

#[test]
fn a_skew_is_only_ever_widened_and_an_expiry_that_is_over_counts_as_now() {
    let set = RevocationSet::new().with_skew(Duration::from_secs(10));
    set.require_skew(Duration::from_secs(100));
    set.require_skew(Duration::from_secs(1));
    let target = RevocationTarget::Token(token(1));
    set.revoke(target.clone(), Some(at(-100_000)), now()).unwrap();
    assert_eq!(set.cleanup(at(200)), 0);
    assert!(set.is_revoked(&target));
    assert_eq!(set.cleanup(at(201)), 1);
}

#[test]
fn a_batch_is_one_change_or_none() {
    let set = RevocationSet::new();
    let batch = |targets: Vec<RevocationTarget>| -> Vec<Revocation> {
        targets.into_iter().map(|target| Revocation { target, covers_until: None }).collect()
    };
    let all = batch(targets().into_iter().map(|(target, _)| target).collect());
    for bad in ["", "a\nb", &"x".repeat(MAX_ISSUER_BYTES + 1)] {
        let mut broken = all.clone();
        broken.extend(batch(vec![RevocationTarget::Issuer(bad.to_owned())]));
        assert_eq!(set.revoke_batch(&broken, now()), Err(RevokeError::Issuer));
    }
    for bad in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
        let mut broken = all.clone();
        let target = RevocationTarget::PrincipalBefore(principal("alice"), bad);
        broken.extend(batch(vec![target]));
        assert_eq!(set.revoke_batch(&broken, now()), Err(RevokeError::Instant));
    }
    assert_eq!((set.epoch(), Subject::new().check(&set)), (Epoch(0), Ok(())));
    assert_eq!(set.revoke_batch(&all, now()), Ok(Epoch(1)));
    let stats = set.stats();
    assert_eq!((stats.tokens, stats.capabilities, stats.principals), (1, 3, 1));
    assert_eq!((stats.principals_before, stats.issuers, stats.keys), (1, 1, 1));
    // What is there already is no change.
    assert_eq!(set.revoke_batch(&all, now()), Ok(Epoch(1)));
    assert_eq!(set.revoke_batch(&[], now()), Ok(Epoch(1)));
}

#[test]
fn a_set_grows_and_shrinks_and_says_how_much_it_takes() {
    let set = RevocationSet::new();
    let empty = set.stats().bytes;
    let batch: Vec<_> = (0..100_000)
        .map(|number| Revocation {
            target: RevocationTarget::Token(token(number)),
            covers_until: (number % 10 > 0).then(|| at(0)),
        })
        .collect();
    set.revoke_batch(&batch, now()).unwrap();
    // One by one, too, so that everything grows by itself.
    for number in 0..20_000 {
        set.revoke(RevocationTarget::Capability(capability(number)), None, now()).unwrap();
    }
    let per_entry = (set.stats().bytes - empty) / 120_000;
    assert!((35..90).contains(&per_entry), "{per_entry} bytes");
    assert!((0..100_000).all(|n| set.is_revoked(&RevocationTarget::Token(token(n)))));
    assert!((0..20_000).all(|n| set.is_revoked(&RevocationTarget::Capability(capability(n)))));
    assert!(!(100_000..200_000).any(|n| set.is_revoked(&RevocationTarget::Token(token(n)))));
    let full = set.stats().bytes;
    assert_eq!(set.cleanup(at(601)), 90_000);
    assert!(set.stats().bytes < full / 2, "{} of {full}", set.stats().bytes);
    for number in 0..100_000 {
        let is_revoked = set.is_revoked(&RevocationTarget::Token(token(number)));
        assert_eq!(is_revoked, number % 10 == 0, "{number}");
    }
}

#[test]
fn a_target_has_one_wire_form() {
    let forms = [
        (RevocationTarget::Token(token(1)), r#"{"token":"BwcHBwcHcAeABwcHAAAAAQ"}"#),
        (
            RevocationTarget::Capability(capability(1)),
            r#"{"capability":"07070707-0707-7007-8007-070700000001"}"#,
        ),
        (RevocationTarget::Principal(principal("alice")), r#"{"principal":"alice"}"#),
        (
            RevocationTarget::PrincipalBefore(principal("alice"), now()),
            r#"{"principal-before":["alice","2026-01-01T00:00:00Z"]}"#,
        ),
        (RevocationTarget::Issuer("https://a".to_owned()), r#"{"issuer":"https://a"}"#),
        (RevocationTarget::Key("k".parse().unwrap()), r#"{"key":"k"}"#),
    ];
    for (target, json) in forms {
        assert_eq!(serde_json::to_string(&target).unwrap(), json);
        assert_eq!(serde_json::from_str::<RevocationTarget>(json).unwrap(), target);
    }
    let bad = [r#"{"token":"x"}"#, r#"{"other":"x"}"#, r#"{"key":"a b"}"#, r#"{"principal":""}"#];
    for json in bad {
        assert!(serde_json::from_str::<RevocationTarget>(json).is_err(), "{json}");
    }
}

/// A set with one of everything.
fn full() -> RevocationSet {
    let set = RevocationSet::new();
    for (at, target) in targets().into_iter().map(|(target, _)| target).chain(others()).enumerate()
    {
        let until = (at % 2 == 0).then(|| now() + TimeDelta::hours(1));
        set.revoke(target, until, now()).unwrap();
    }
    set
}

fn all_targets() -> Vec<RevocationTarget> {
    targets().into_iter().map(|(target, _)| target).chain(others()).collect()
}

#[test]
fn a_snapshot_carries_everything_and_equal_sets_have_equal_bytes() {
    let key = key(1);
    let set = full();
    let snapshot = set.export_snapshot(PUBLISHER, &key, now()).unwrap();
    let follower = RevocationSet::new();
    assert_eq!(follower.import(&snapshot, &publisher(&key), now()), Ok(set.epoch()));
    assert_eq!(follower.position(PUBLISHER), set.epoch());
    assert_eq!(follower.as_of(PUBLISHER), Some(now()));
    assert!(all_targets().iter().all(|target| follower.is_revoked(target)));
    let restored = RevocationSet::restore(&snapshot, &publisher(&key), set.epoch()).unwrap();
    assert_eq!(restored.epoch(), set.epoch());
    assert_eq!(restored.export_snapshot(PUBLISHER, &key, now()).unwrap(), snapshot);
    // The other way round.
    let mut batch: Vec<_> =
        all_targets().into_iter().map(|target| Revocation { target, covers_until: None }).collect();
    let (forwards, backwards) = (RevocationSet::new(), RevocationSet::new());
    forwards.revoke_batch(&batch, now()).unwrap();
    batch.reverse();
    backwards.revoke_batch(&batch, now()).unwrap();
    assert_eq!(
        forwards.export_snapshot(PUBLISHER, &key, now()).unwrap(),
        backwards.export_snapshot(PUBLISHER, &key, now()).unwrap()
    );
    // And retention with it.
    let late = now() + TimeDelta::hours(2);
    assert_eq!(restored.cleanup(late), set.cleanup(late));
    assert_eq!(
        restored.export_snapshot(PUBLISHER, &key, late).unwrap(),
        set.export_snapshot(PUBLISHER, &key, late).unwrap()
    );
}

#[test]
fn deltas_carry_what_is_new_and_a_gap_or_a_step_back_is_refused() {
    let key = key(1);
    let publisher = publisher(&key);
    let set = RevocationSet::new();
    let tokens = |range: std::ops::Range<u32>| {
        for number in range {
            set.revoke(RevocationTarget::Token(token(number)), Some(at(100)), now()).unwrap();
        }
        set.epoch()
    };
    let delta = |since| set.export_delta(Epoch(since), PUBLISHER, &key, now()).unwrap();
    tokens(0..10);
    let (first, early) = (delta(0), set.export_snapshot(PUBLISHER, &key, now()).unwrap());
    tokens(10..20);
    // A token of the first ten is revoked for longer.
    set.revoke(RevocationTarget::Token(token(3)), Some(at(1000)), now()).unwrap();
    let (second, from_five) = (delta(10), delta(5));
    tokens(20..22);
    let third = delta(21);
    assert!(second.len() < first.len() + 40 && third.len() < second.len());

    let follower = RevocationSet::new();
    let import = |document: &[u8]| follower.import(document, &publisher, now());
    let gap = ImportError::Gap { position: Epoch(0), from: Epoch(10) };
    assert_eq!(import(&second), Err(gap));
    assert_eq!(import(&first), Ok(Epoch(10)));
    let gap = ImportError::Gap { position: Epoch(10), from: Epoch(21) };
    assert_eq!(import(&third), Err(gap));
    assert_eq!(follower.stats().tokens, 10);
    assert_eq!(import(&from_five), Ok(Epoch(21)));
    assert_eq!(import(&second), Ok(Epoch(21)));
    let back = ImportError::RolledBack { floor: Epoch(21), found: Epoch(10) };
    assert_eq!(import(&first), Err(back));
    assert_eq!(import(&early), Err(back));
    assert_eq!(import(&third), Ok(Epoch(23)));
    assert_eq!(follower.stats().tokens, 22);
    assert_eq!(follower.cleanup(at(701)), 21);
    assert!(follower.is_revoked(&RevocationTarget::Token(token(3))));
    assert_eq!(set.export_delta(Epoch(24), PUBLISHER, &key, now()), Err(ExportError::Ahead));
}

#[test]
fn until_the_floor_is_reached_everything_is_refused() {
    let (key, subject) = (key(1), Subject::new());
    let set = full();
    let old = RevocationSet::new().export_snapshot(PUBLISHER, &key, now()).unwrap();
    let snapshot = set.export_snapshot(PUBLISHER, &key, now()).unwrap();
    let follower = RevocationSet::new();
    let stranger = Subject { token: token(99), ..subject };
    assert_eq!(stranger.check(&follower), Ok(()));
    follower.raise_floor(PUBLISHER, Epoch(5));
    follower.raise_floor(PUBLISHER, Epoch(3));
    assert_eq!(follower.floor(PUBLISHER), Epoch(5));
    assert_eq!(stranger.check(&follower), Err(Revoked::Behind));
    assert_eq!(Revoked::Behind.deny_code(), cap_core::DenyCode::StoreUnavailable);
    let back = ImportError::RolledBack { floor: Epoch(5), found: Epoch(0) };
    assert_eq!(follower.import(&old, &publisher(&key), now()), Err(back));
    follower.raise_floor("https://other.example", Epoch(1));
    follower.import(&snapshot, &publisher(&key), now()).unwrap();
    assert_eq!(stranger.check(&follower), Err(Revoked::Behind));
    let other = RevocationSet::new();
    other.revoke(RevocationTarget::Token(token(77)), None, now()).unwrap();
    let document = other.export_snapshot("https://other.example", &key, now()).unwrap();
    let publisher = Publisher::new("https://other.example", vec![key.key().clone()]);
    follower.import(&document, &publisher, now()).unwrap();
    assert!(stranger.check(&follower).is_err_and(|why| why != Revoked::Behind));
    let high = Epoch(set.epoch().0 + 1);
    let publisher = Publisher::new(PUBLISHER, vec![key.key().clone()]);
    assert!(matches!(
        RevocationSet::restore(&snapshot, &publisher, high),
        Err(ImportError::RolledBack { .. })
    ));
}

#[test]
fn a_document_of_anybody_else_is_refused() {
    let (key, stranger) = (key(1), key(2));
    let good = full().export_snapshot(PUBLISHER, &key, now()).unwrap();
    let other = full().export_snapshot("https://other.example", &key, now()).unwrap();
    let forged = full().export_snapshot(PUBLISHER, &stranger, now()).unwrap();
    // The stranger's key under the name of the publisher's.
    let named = key_named(2, key.key().id());
    let renamed = full().export_snapshot(PUBLISHER, &named, now()).unwrap();
    let follower = RevocationSet::new();
    let import = |document: &[u8]| follower.import(document, &publisher(&key), now());
    assert_eq!(import(&other), Err(ImportError::Issuer));
    assert_eq!(import(&forged), Err(ImportError::UnknownKey));
    assert_eq!(import(&renamed), Err(ImportError::Signature));
    let delta = full().export_delta(Epoch(0), PUBLISHER, &key, now()).unwrap();
    assert_eq!(
        RevocationSet::restore(&delta, &publisher(&key), Epoch(0)).err(),
        Some(ImportError::NotASnapshot)
    );
    // Every bit of it counts.
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut changed = good.clone();
            changed[at] ^= 1 << bit;
            assert!(import(&changed).is_err(), "byte {at}, bit {bit}");
        }
    }
    for end in 0..good.len() {
        assert!(import(&good[..end]).is_err(), "cut at {end}");
    }
    assert_eq!(follower.epoch(), Epoch(0));
    assert!(import(&good).is_ok());
    assert_eq!(full().export_snapshot("", &key, now()), Err(ExportError::Issuer));
    assert_eq!(
        full().export_snapshot(PUBLISHER, &key, DateTime::<Utc>::MIN_UTC),
        Err(ExportError::Clock)
    );
}

fn key_named(seed: u8, id: &KeyId) -> SigningKey {
    key(seed).with_id(id.clone())
}

/// `body` with a good signature.
fn signed(body: &[u8], key: &SigningKey) -> Vec<u8> {
    let signature = key.sign(&[REVOCATION_DOMAIN, &sha256(body)].concat()).unwrap();
    let length = u16::try_from(signature.len()).unwrap().to_be_bytes();
    [body, &signature, &length].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&u16::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat()
}

/// A snapshot of epoch 1 with these six lists.
fn body(key: &SigningKey, lists: &[Vec<u8>; 6]) -> Vec<u8> {
    let header = [
        b"CRV1\0".to_vec(),
        text(PUBLISHER),
        text(key.key().id().as_str()),
        1_767_225_600_i64.to_be_bytes().to_vec(),
        0_u64.to_be_bytes().to_vec(),
        1_u64.to_be_bytes().to_vec(),
    ];
    [header.concat(), lists.concat()].concat()
}

fn list(entries: &[Vec<u8>]) -> Vec<u8> {
    [&u32::try_from(entries.len()).unwrap().to_be_bytes()[..], &entries.concat()].concat()
}

fn until(seconds: i64) -> Vec<u8> {
    seconds.to_be_bytes().to_vec()
}

#[test]
fn a_publisher_cannot_write_a_set_in_two_ways() {
    let key = key(1);
    let import = |lists: [Vec<u8>; 6]| {
        let document = signed(&body(&key, &lists), &key);
        RevocationSet::new().import(&document, &publisher(&key), now())
    };
    let none = || list(&[]);
    let id = |number: u32| [bytes(number).to_vec(), until(i64::MAX)].concat();
    let name = |name: &str| [text(name), until(0)].concat();
    let before = |name: &str, at: i64| [text(name), until(at), until(0)].concat();
    let lists = |at: usize, entries: &[Vec<u8>]| {
        let mut lists = [none(), none(), none(), none(), none(), none()];
        lists[at] = list(entries);
        lists
    };
    assert_eq!(import([none(), none(), none(), none(), none(), none()]), Ok(Epoch(1)));
    for at in [0, 1] {
        assert_eq!(import(lists(at, &[id(1), id(2)])), Ok(Epoch(1)));
        let mut version_4 = id(1);
        version_4[6] = 0x40;
        let bad = [
            vec![id(2), id(1)],
            vec![id(1), id(1)],
            vec![version_4],
            vec![[bytes(1).to_vec(), until(-1)].concat()],
            vec![[bytes(1).to_vec(), until(i64::MAX - 1)].concat()],
        ];
        for entries in bad {
            assert_eq!(import(lists(at, &entries)), Err(MalformedRevocations.into()));
        }
    }
    for at in [2, 4, 5] {
        assert_eq!(import(lists(at, &[name("a"), name("b")])), Ok(Epoch(1)));
        for bad in [vec![name("b"), name("a")], vec![name("a"), name("a")], vec![name("")]] {
            assert_eq!(import(lists(at, &bad)), Err(MalformedRevocations.into()));
        }
        let control = [text("a\u{7f}"), until(0)].concat();
        assert_eq!(import(lists(at, &[control])), Err(MalformedRevocations.into()));
    }
    assert_eq!(import(lists(3, &[before("a", 5), before("b", 4)])), Ok(Epoch(1)));
    for bad in [vec![before("a", 5), before("a", 6)], vec![before("a", -1)]] {
        assert_eq!(import(lists(3, &bad)), Err(MalformedRevocations.into()));
    }
    // More promised than there is, and more there than promised.
    let mut short = lists(0, &[id(1)]);
    short[0][..4].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(import(short), Err(MalformedRevocations.into()));
    let mut long = lists(5, &[]);
    long[5].push(0);
    assert_eq!(import(long), Err(MalformedRevocations.into()));
    // A form that is none, a snapshot with a start, an end before the start, an instant that is
    // none.
    let good = body(&key, &[none(), none(), none(), none(), none(), none()]);
    let numbers = good.len() - 6 * 4 - 24;
    for (place, byte) in [(4, 2), (0, b'X'), (numbers, 0x80), (numbers + 15, 1)] {
        let mut bad = good.clone();
        bad[place] = byte;
        let document = signed(&bad, &key);
        let imported = RevocationSet::new().import(&document, &publisher(&key), now());
        assert_eq!(imported, Err(MalformedRevocations.into()), "{place}");
    }
    let mut ends_before = good;
    ends_before[4] = 1;
    ends_before[numbers + 15] = 9;
    let document = signed(&ends_before, &key);
    let imported = RevocationSet::new().import(&document, &publisher(&key), now());
    assert_eq!(imported, Err(MalformedRevocations.into()));
    let huge = vec![0; MAX_REVOCATIONS_BYTES + 1];
    let imported = RevocationSet::new().import(&huge, &publisher(&key), now());
    assert_eq!(imported, Err(ImportError::TooLarge));
}

/// What the set ought to hold, by nothing but a map: how long each target must be kept, and for a
/// principal's instant that instant.
#[derive(Clone, Debug, Default)]
struct Naive(BTreeMap<String, (Option<i64>, i64)>);

impl Naive {
    fn revoke(&mut self, key: String, until: Option<i64>, instant: i64) {
        let kept = self.0.entry(key).or_insert((until, instant));
        kept.0 = kept.0.zip(until).map(|(one, other)| one.max(other));
        kept.1 = kept.1.max(instant);
    }

    fn cleanup(&mut self, now: i64) {
        self.0.retain(|_, (until, _)| until.is_none_or(|until| until + 600 >= now));
    }

    fn refuses(&self, subject: &Subject, issued: i64) -> bool {
        let has = |kind: &str, name: &str| self.0.contains_key(&format!("{kind} {name}"));
        let before = self.0.get(&format!("before {}", subject.principal));
        has("token", &subject.token.to_string())
            || has("capability", &subject.capability.to_string())
            || subject.ancestors.iter().any(|id| has("capability", &id.to_string()))
            || has("principal", subject.principal.as_str())
            || before.is_some_and(|(_, instant)| issued <= instant + 300)
            || has("issuer", &subject.issuer)
            || has("key", subject.key.as_str())
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// Kind, number, until, instant.
    Revoke(u8, u32, Option<i64>, i64),
    Cleanup,
    Snapshot,
    Delta,
    Restore,
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let until = prop::option::of(0..3000_i64);
    prop_oneof![
        6 => (0..6_u8, 0..4_u32, until, -2000..2000_i64)
            .prop_map(|(kind, number, until, instant)| Step::Revoke(kind, number, until, instant)),
        1 => Just(Step::Cleanup),
        1 => Just(Step::Snapshot),
        2 => Just(Step::Delta),
        1 => Just(Step::Restore),
        2 => (1..800_i64).prop_map(Step::Wait),
    ]
}

fn subject(numbers: [u32; 8], issued: i64) -> Subject {
    let [token_number, own, first, second, third, who, issuer, key] = numbers;
    Subject {
        token: token(token_number),
        capability: capability(own),
        ancestors: [first, second, third].map(capability).to_vec(),
        principal: principal(&format!("p{who}")),
        issuer: format!("i{issuer}"),
        key: format!("k{key}").parse().unwrap(),
        issued_at: at(issued),
    }
}

fn target(kind: u8, number: u32, instant: i64) -> (RevocationTarget, String) {
    match kind {
        0 => (RevocationTarget::Token(token(number)), format!("token {}", token(number))),
        1 => {
            let id = capability(number);
            (RevocationTarget::Capability(id), format!("capability {id}"))
        }
        2 => {
            let name = format!("p{number}");
            (RevocationTarget::Principal(principal(&name)), format!("principal {name}"))
        }
        3 => {
            let name = format!("p{number}");
            let target = RevocationTarget::PrincipalBefore(principal(&name), at(instant));
            (target, format!("before {name}"))
        }
        4 => (RevocationTarget::Issuer(format!("i{number}")), format!("issuer i{number}")),
        _ => {
            let id: KeyId = format!("k{number}").parse().unwrap();
            (RevocationTarget::Key(id), format!("key k{number}"))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A set, one that follows it, and a map say the same, whatever happens in whatever order.
    #[test]
    fn a_set_is_what_a_map_says(
        steps in prop::collection::vec(step(), 1..40),
        asked in prop::collection::vec((prop::array::uniform8(0..6_u32), -3000..3000_i64), 8),
    ) {
        let key = key(1);
        let publisher = publisher(&key);
        let (mut set, follower) = (RevocationSet::new(), RevocationSet::new());
        let (mut naive, mut followed, mut clock) = (Naive::default(), Naive::default(), 0);
        for step in steps {
            match step {
                Step::Revoke(kind, number, until, instant) => {
                    let (target, name) = target(kind, number, instant);
                    let until = until.map(|until| until.max(clock));
                    set.revoke(target, until.map(at), at(clock)).unwrap();
                    naive.revoke(name, until, instant);
                }
                Step::Cleanup => {
                    let held = naive.0.len();
                    naive.cleanup(clock);
                    followed.cleanup(clock);
                    prop_assert_eq!(set.cleanup(at(clock)), held - naive.0.len());
                    follower.cleanup(at(clock));
                }
                Step::Snapshot => {
                    let document = set.export_snapshot(PUBLISHER, &key, at(clock)).unwrap();
                    follower.import(&document, &publisher, at(clock)).unwrap();
                    for (name, (until, instant)) in &naive.0 {
                        followed.revoke(name.clone(), *until, *instant);
                    }
                }
                Step::Delta => {
                    let since = follower.position(PUBLISHER);
                    let document =
                        set.export_delta(since, PUBLISHER, &key, at(clock)).unwrap();
                    prop_assert_eq!(
                        follower.import(&document, &publisher, at(clock)),
                        Ok(set.epoch())
                    );
                    for (name, (until, instant)) in &naive.0 {
                        followed.revoke(name.clone(), *until, *instant);
                    }
                }
                Step::Restore => {
                    let document = set.export_snapshot(PUBLISHER, &key, at(clock)).unwrap();
                    set = RevocationSet::restore(&document, &publisher, set.epoch()).unwrap();
                    let again = set.export_snapshot(PUBLISHER, &key, at(clock)).unwrap();
                    prop_assert_eq!(document, again);
                }
                Step::Wait(seconds) => clock += seconds,
            }
            for (numbers, issued) in &asked {
                let subject = subject(*numbers, *issued);
                let refused = subject.check(&set).is_err();
                let follows = subject.check(&follower).is_err();
                prop_assert_eq!(refused, naive.refuses(&subject, *issued), "{:?}", subject);
                prop_assert_eq!(follows, followed.refuses(&subject, *issued), "{:?}", subject);
            }
        }
    }
}
