//! A publisher that starts again from its own snapshot.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use cap_token::{ExportError, ImportError, Revocation};

use super::documents::{body, signed};
use super::*;

fn batch(numbers: std::ops::Range<u32>) -> Vec<Revocation> {
    numbers
        .map(|number| Revocation {
            target: RevocationTarget::Token(token(number)),
            covers_until: None,
        })
        .collect()
}

/// What a follower knows after the next delta of a publisher that was restored.
fn followed(set: &RevocationSet, follower: &RevocationSet, key: &SigningKey) -> usize {
    let since = follower.position(PUBLISHER);
    let delta = set.export_delta(since, PUBLISHER, key, now()).unwrap();
    assert_eq!(follower.import(&delta, &publisher(key), now()), Ok(set.epoch()));
    follower.stats().tokens
}

#[test]
fn followers_get_what_was_being_revoked_when_the_snapshot_was_made() {
    let key = key(1);
    // Epoch 1, and one token of the change after it.
    let id = |number| [&token(number).as_bytes()[..], &i64::MAX.to_be_bytes()].concat();
    let none = || 0_u32.to_be_bytes().to_vec();
    let tokens = [&2_u32.to_be_bytes()[..], &id(1), &id(2)].concat();
    let lists = [tokens, none(), none(), none(), none(), none()];
    let snapshot = signed(&body(&key, &lists), &key);
    let first = [&1_u32.to_be_bytes()[..], &id(1)].concat();
    let first = signed(&body(&key, &[first, none(), none(), none(), none(), none()]), &key);
    let follower = RevocationSet::new();
    assert_eq!(follower.import(&first, &publisher(&key), now()), Ok(Epoch(1)));
    assert_eq!(follower.stats().tokens, 1);

    let set = RevocationSet::restore(&snapshot, &publisher(&key), Epoch(1), now()).unwrap();
    // Whoever asks for it once more is told an epoch by which followers have it.
    let epoch = set.revoke_batch(&batch(2..3), now()).unwrap();
    assert_eq!(followed(&set, &follower, &key), 2);
    assert!(follower.position(PUBLISHER) >= epoch);
    assert!(follower.is_revoked(&RevocationTarget::Token(token(2))));
}

/// The same with a snapshot that really was made during a batch.
#[test]
fn followers_of_a_restored_set_have_everything_that_it_has() {
    const BATCH: u32 = 20_000;
    let key = key(1);
    let is_partial = || {
        let (set, done) = (RevocationSet::new(), AtomicBool::new(false));
        set.revoke_batch(&batch(0..1), now()).unwrap();
        let follower = RevocationSet::new();
        followed(&set, &follower, &key);
        let snapshots = thread::scope(|scope| {
            scope.spawn(|| {
                set.revoke_batch(&batch(1..BATCH), now()).unwrap();
                done.store(true, Ordering::Release);
            });
            let mut snapshots = Vec::new();
            while !done.load(Ordering::Acquire) {
                snapshots.push(set.export_snapshot(PUBLISHER, &key, now()).unwrap());
            }
            snapshots
        });
        let mut partial = false;
        for snapshot in snapshots {
            let set = RevocationSet::restore(&snapshot, &publisher(&key), epoch(1), now()).unwrap();
            let held = set.stats().tokens;
            let follower = RevocationSet::new();
            let before = RevocationSet::new();
            before.revoke_batch(&batch(0..1), now()).unwrap();
            followed(&before, &follower, &key);
            assert_eq!(followed(&set, &follower, &key), held);
            partial |= (2..usize::try_from(BATCH).unwrap()).contains(&held);
        }
        partial
    };
    assert!((0..200).any(|_| is_partial()), "no snapshot was made in the middle of a batch");
}

#[test]
fn no_epoch_means_two_things() {
    let key = key(1);
    let publisher = publisher(&key);
    let restore =
        |document: &[u8], now| RevocationSet::restore(document, &publisher, Epoch(0), now);
    let set = RevocationSet::new();
    let early = at(-10);
    set.revoke_batch(&batch(0..1), early).unwrap();
    let old = set.export_snapshot(PUBLISHER, &key, early).unwrap();
    // Two more changes, of which the snapshot knows nothing, reach a follower.
    set.revoke_batch(&batch(1..2), early).unwrap();
    set.revoke_batch(&batch(2..3), early).unwrap();
    let follower = RevocationSet::new();
    followed(&set, &follower, &key);
    let restored = restore(&old, now()).unwrap();
    assert_eq!(restored.epoch(), epoch(1));
    assert!(restored.epoch() > follower.position(PUBLISHER));
    assert_eq!(followed(&restored, &follower, &key), 3);
    let next = restored.revoke_batch(&batch(3..4), now()).unwrap();
    assert_eq!(next, epoch(2));
    assert_eq!(followed(&restored, &follower, &key), 4);
    // Once more within the same microsecond, and by a clock that stands a little before it.
    let again = restored.export_snapshot(PUBLISHER, &key, now()).unwrap();
    assert_eq!(restore(&again, now()).unwrap().epoch(), epoch(3));
    assert_eq!(restore(&again, at(-300)).unwrap().epoch(), epoch(3));
    // Readers follow to the last epoch that a document may have, and no further.
    let none = || 0_u32.to_be_bytes().to_vec();
    let mut last = body(&key, &[none(), none(), none(), none(), none(), none()]);
    let to = last.len() - 6 * 4 - 8;
    last[to..to + 8].copy_from_slice(&(u64::MAX >> 1).to_be_bytes());
    let document = signed(&last, &key);
    assert!(RevocationSet::new().import(&document, &publisher, now()).is_ok());
    assert!(matches!(restore(&document, now()), Err(ImportError::Malformed(_))));
    last[to..to + 8].copy_from_slice(&((u64::MAX >> 1) - 1).to_be_bytes());
    let restored = restore(&signed(&last, &key), now()).unwrap();
    let export = || restored.export_snapshot(PUBLISHER, &key, now());
    let document = export().unwrap();
    assert!(RevocationSet::new().import(&document, &publisher, now()).is_ok());
    restored.revoke_batch(&batch(0..1), now()).unwrap();
    assert_eq!(export(), Err(ExportError::Epoch));
    last[to..to + 8].copy_from_slice(&u64::MAX.to_be_bytes());
    assert!(matches!(restore(&signed(&last, &key), now()), Err(ImportError::Malformed(_))));
}

/// A publisher that may only revoke what is its own does not get everybody's tokens that way.
#[test]
fn what_a_scoped_publisher_made_is_restored_to_the_set_of_that_issuer() {
    const FOREIGN: &str = "https://foreign.example";
    let (key, subject) = (key(1), Subject::new());
    let snapshot = full().export_snapshot(FOREIGN, &key, now()).unwrap();
    let foreign = Publisher::new(FOREIGN, vec![key.key().clone()]);
    let set = RevocationSet::restore(&snapshot, &foreign, Epoch(0), now()).unwrap();
    let theirs = Subject { issuer: FOREIGN.to_owned(), ..subject.clone() };
    assert_eq!((subject.check(&set), theirs.check(&set)), (Ok(()), Err(Revoked::Token)));
    let ours = Publisher::for_everything(FOREIGN, vec![key.key().clone()]);
    let set = RevocationSet::restore(&snapshot, &ours, Epoch(0), now()).unwrap();
    assert_eq!(subject.check(&set), Err(Revoked::Token));
}
