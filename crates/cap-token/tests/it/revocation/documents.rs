use cap_crypto::sha256;
use cap_token::{
    DEFAULT_MAX_IMPORT_BYTES, ExportError, ImportError, MAX_REVOCATIONS_BYTES,
    MalformedRevocations, REVOCATION_DOMAIN, Revocation,
};

use super::*;

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
    let restored = RevocationSet::restore(&snapshot, &publisher(&key), set.epoch(), now()).unwrap();
    let again = restored.export_snapshot(PUBLISHER, &key, now()).unwrap();
    assert_eq!(lists_of(&again, &key), lists_of(&snapshot, &key));
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
    let (restored, set) = (
        restored.export_snapshot(PUBLISHER, &key, late).unwrap(),
        set.export_snapshot(PUBLISHER, &key, late).unwrap(),
    );
    assert_eq!(lists_of(&restored, &key), lists_of(&set, &key));
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
        RevocationSet::restore(&delta, &publisher(&key), Epoch(0), now()).err(),
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
pub(super) fn signed(body: &[u8], key: &SigningKey) -> Vec<u8> {
    let signature = key.sign(&[REVOCATION_DOMAIN, &sha256(body)].concat()).unwrap();
    let length = u16::try_from(signature.len()).unwrap().to_be_bytes();
    [body, &signature, &length].concat()
}

pub(super) fn text(text: &str) -> Vec<u8> {
    [&u16::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat()
}

/// The lists of a document, without what stands before and behind them.
pub(super) fn lists_of<'d>(document: &'d [u8], key: &SigningKey) -> &'d [u8] {
    let header = 5 + text(PUBLISHER).len() + text(key.key().id().as_str()).len() + 24;
    &document[header..document.len() - 66]
}

/// A snapshot of epoch 1 with these six lists.
pub(super) fn body(key: &SigningKey, lists: &[Vec<u8>; 6]) -> Vec<u8> {
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
    let name = text;
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
        assert_eq!(import(lists(at, &[name("a\u{7f}")])), Err(MalformedRevocations.into()));
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
    // none, an epoch beyond the last.
    let good = body(&key, &[none(), none(), none(), none(), none(), none()]);
    let numbers = good.len() - 6 * 4 - 24;
    // The last: no epoch could follow.
    let bad = [(4, 2), (0, b'X'), (numbers, 0x80), (numbers + 15, 1), (numbers + 16, 0x80)];
    for (place, byte) in bad {
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
}

#[test]
fn no_more_is_taken_from_a_publisher_than_was_allowed() {
    let key = key(1);
    let good = full().export_snapshot(PUBLISHER, &key, now()).unwrap();
    let set = RevocationSet::new();
    let small = publisher(&key).with_max_bytes(good.len() - 1);
    assert_eq!(set.import(&good, &small, now()), Err(ImportError::TooLarge));
    assert!(set.import(&good, &publisher(&key).with_max_bytes(good.len()), now()).is_ok());
    let default = vec![0; DEFAULT_MAX_IMPORT_BYTES + 1];
    assert_eq!(set.import(&default, &publisher(&key), now()), Err(ImportError::TooLarge));
    let everything = publisher(&key).with_max_bytes(usize::MAX);
    assert_eq!(set.import(&default, &everything, now()), Err(MalformedRevocations.into()));
    let huge = vec![0; MAX_REVOCATIONS_BYTES + 1];
    assert_eq!(set.import(&huge, &everything, now()), Err(ImportError::TooLarge));
}
