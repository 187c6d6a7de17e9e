use std::time::Duration;

use cap_token::{ExportError, ImportError, MAX_ISSUER_BYTES, Revocation, RevokeError};

use super::*;

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
    let delta = |since| set.export_delta(since, PUBLISHER, &key, now()).unwrap();
    tokens(0..10);
    let (first, early) = (delta(Epoch(0)), set.export_snapshot(PUBLISHER, &key, now()).unwrap());
    tokens(10..20);
    // A token of the first ten is revoked for longer.
    set.revoke(RevocationTarget::Token(token(3)), Some(at(1000)), now()).unwrap();
    let (second, from_five) = (delta(epoch(10)), delta(epoch(5)));
    tokens(20..22);
    let third = delta(epoch(21));
    assert!(second.len() < first.len() + 40 && third.len() < second.len());

    let follower = RevocationSet::new();
    let import = |document: &[u8]| follower.import(document, &publisher, now());
    let gap = ImportError::Gap { position: Epoch(0), from: epoch(10) };
    assert_eq!(import(&second), Err(gap));
    assert_eq!(import(&first), Ok(epoch(10)));
    let gap = ImportError::Gap { position: epoch(10), from: epoch(21) };
    assert_eq!(import(&third), Err(gap));
    assert_eq!(follower.stats().tokens, 10);
    assert_eq!(import(&from_five), Ok(epoch(21)));
    assert_eq!(import(&second), Ok(epoch(21)));
    let back = ImportError::RolledBack { floor: epoch(21), found: epoch(10) };
    assert_eq!(import(&first), Err(back));
    assert_eq!(import(&early), Err(back));
    assert_eq!(import(&third), Ok(epoch(23)));
    assert_eq!(follower.stats().tokens, 22);
    assert_eq!(follower.cleanup(at(701)), 21);
    assert!(follower.is_revoked(&RevocationTarget::Token(token(3))));
    assert_eq!(set.export_delta(epoch(24), PUBLISHER, &key, now()), Err(ExportError::Ahead));
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
    let publisher = Publisher::for_everything("https://other.example", vec![key.key().clone()]);
    follower.import(&document, &publisher, now()).unwrap();
    assert!(stranger.check(&follower).is_err_and(|why| why != Revoked::Behind));
    let high = Epoch(set.epoch().0 + 1);
    let publisher = super::publisher(&key);
    assert!(matches!(
        RevocationSet::restore(&snapshot, &publisher, high, now()),
        Err(ImportError::RolledBack { .. })
    ));
}

#[test]
fn a_set_that_follows_refuses_everything_until_it_has_heard_from_each() {
    let (key, subject) = (key(1), Subject::new());
    let follower = RevocationSet::new();
    assert_eq!(subject.check(&follower), Ok(()));
    follower.raise_floor(PUBLISHER, Epoch(0));
    follower.raise_floor("https://other.example", Epoch(0));
    assert_eq!(subject.check(&follower), Err(Revoked::Behind));
    assert_eq!((follower.position(PUBLISHER), follower.as_of(PUBLISHER)), (Epoch(0), None));
    // That there is nothing, too, must be heard.
    let nothing = RevocationSet::new().export_snapshot(PUBLISHER, &key, now()).unwrap();
    follower.import(&nothing, &publisher(&key), now()).unwrap();
    assert!(follower.is_behind(now()));
    let other = Publisher::for_everything("https://other.example", vec![key.key().clone()]);
    let nothing = RevocationSet::new().export_delta(Epoch(0), other.issuer(), &key, now()).unwrap();
    follower.import(&nothing, &other, now()).unwrap();
    assert_eq!(subject.check(&follower), Ok(()));
    assert!(!follower.is_behind(now()));
}

#[test]
fn a_publisher_that_was_silent_for_too_long_makes_everything_be_refused() {
    let (key, subject) = (key(1), Subject::new());
    let publisher = publisher(&key);
    let (set, follower) = (RevocationSet::new(), RevocationSet::new());
    let check = |seconds| follower.check(&subject.facts(), at(seconds));
    let delta = |seconds| set.export_delta(set.epoch(), PUBLISHER, &key, at(seconds)).unwrap();
    follower.require_fresh(PUBLISHER, Duration::from_secs(60));
    follower.require_fresh(PUBLISHER, Duration::from_secs(3600));
    assert_eq!(check(0), Err(Revoked::Behind));
    let first = delta(0);
    follower.import(&first, &publisher, at(0)).unwrap();
    assert_eq!((check(-300), check(0), check(59)), (Ok(()), Ok(()), Ok(())));
    // A clock that was put back makes no view younger.
    assert_eq!((check(-301), follower.is_behind(at(-301))), (Err(Revoked::Behind), true));
    assert_eq!(check(60), Err(Revoked::Behind));
    // The same once more is no news.
    follower.import(&first, &publisher, at(60)).unwrap();
    assert_eq!(check(60), Err(Revoked::Behind));
    follower.import(&delta(60), &publisher, at(61)).unwrap();
    assert_eq!((check(119), check(120)), (Ok(()), Err(Revoked::Behind)));
    follower.import(&delta(120), &publisher, at(120)).unwrap();
    assert_eq!((check(179), check(180)), (Ok(()), Err(Revoked::Behind)));
    follower.require_fresh(PUBLISHER, Duration::from_secs(10));
    assert_eq!((check(129), check(130)), (Ok(()), Err(Revoked::Behind)));
    // A set that was not told so asks for nothing.
    let careless = RevocationSet::new();
    careless.import(&first, &publisher, at(0)).unwrap();
    assert_eq!(careless.check(&subject.facts(), at(1_000_000)), Ok(()));
}

#[test]
fn a_document_that_is_dated_ahead_keeps_nothing_fresh() {
    let (key, subject) = (key(1), Subject::new());
    let publisher = publisher(&key);
    let (set, follower) = (RevocationSet::new(), RevocationSet::new());
    follower.require_fresh(PUBLISHER, Duration::from_secs(60));
    let check = |seconds| follower.check(&subject.facts(), at(seconds));
    let made = |seconds| set.export_snapshot(PUBLISHER, &key, at(seconds)).unwrap();
    let ahead = made(10_000);
    for seconds in [0, 60, 9_699] {
        let refused = follower.import(&ahead, &publisher, at(seconds));
        assert_eq!(refused, Err(ImportError::MadeInFuture), "{seconds}");
        assert_eq!(check(seconds), Err(Revoked::Behind), "{seconds}");
        let restored = RevocationSet::restore(&ahead, &publisher, Epoch(0), at(seconds));
        assert_eq!(restored.err(), Some(ImportError::MadeInFuture));
    }
    // Within the skew, and shown again and again.
    let early = made(300);
    for seconds in [0, 60, 299, 359] {
        follower.import(&early, &publisher, at(seconds)).unwrap();
        assert_eq!(check(seconds), Ok(()), "{seconds}");
    }
    follower.import(&early, &publisher, at(360)).unwrap();
    assert_eq!(check(360), Err(Revoked::Behind));
    assert_eq!(follower.as_of(PUBLISHER), Some(at(300)));
    follower.import(&ahead, &publisher, at(9_700)).unwrap();
    assert_eq!(check(9_700), Ok(()));
}

#[test]
fn an_issuer_that_is_followed_speaks_for_nobody_but_itself() {
    const HOSTILE: &str = "https://hostile.example";
    let (key, subject) = (key(1), Subject::new());
    let set = full();
    set.revoke(RevocationTarget::Issuer(HOSTILE.to_owned()), None, now()).unwrap();
    let document = set.export_snapshot(HOSTILE, &key, now()).unwrap();
    let hostile = Publisher::new(HOSTILE, vec![key.key().clone()]);
    for everybody in [RevocationSet::new(), RevocationSet::of_issuer(PUBLISHER)] {
        assert_eq!(everybody.import(&document, &hostile, now()), Err(ImportError::Scope));
        assert_eq!((everybody.epoch(), everybody.stats().tokens), (Epoch(0), 0));
        assert_eq!(subject.check(&everybody), Ok(()));
    }
    let own = RevocationSet::of_issuer(HOSTILE);
    own.raise_floor(HOSTILE, Epoch(0));
    let theirs = Subject { issuer: HOSTILE.to_owned(), ..subject.clone() };
    // Nor does it hold up others by saying nothing.
    assert_eq!((subject.check(&own), theirs.check(&own)), (Ok(()), Err(Revoked::Behind)));
    own.import(&document, &hostile, now()).unwrap();
    assert_eq!((subject.check(&own), theirs.check(&own)), (Ok(()), Err(Revoked::Token)));
    let everything = Publisher::for_everything(HOSTILE, vec![key.key().clone()]);
    let everybody = RevocationSet::new();
    everybody.import(&document, &everything, now()).unwrap();
    assert_eq!(subject.check(&everybody), Err(Revoked::Token));
}

#[test]
fn a_set_that_is_full_says_so_and_what_it_holds_stays_in_force() {
    let key = key(1);
    let set = RevocationSet::new().with_max_entries(3);
    let token = |number| RevocationTarget::Token(token(number));
    let batch = |targets: Vec<RevocationTarget>| -> Vec<Revocation> {
        let until = Some(at(100));
        targets.into_iter().map(|target| Revocation { target, covers_until: until }).collect()
    };
    let alice = RevocationTarget::Principal(principal("alice"));
    set.revoke_batch(&batch(vec![token(1), alice.clone()]), now()).unwrap();
    let two = batch(vec![token(2), token(3)]);
    assert_eq!(set.revoke_batch(&two, now()), Err(RevokeError::Full));
    assert!(!set.is_revoked(&token(2)));
    assert_eq!(set.epoch(), epoch(1));
    set.revoke(token(2), Some(at(1000)), now()).unwrap();
    // What is there can be lengthened.
    let known = batch(vec![token(1), alice, token(2), earlier()]);
    let longer: Vec<_> =
        known.into_iter().map(|one| Revocation { covers_until: Some(at(500)), ..one }).collect();
    assert_eq!(set.revoke_batch(&longer, now()), Ok(epoch(3)));
    assert_eq!(set.revoke(token(3), None, now()), Err(RevokeError::Full));
    // Alice's instant, and a token.
    assert_eq!(set.cleanup(at(1101)), 2);
    set.revoke(token(3), None, now()).unwrap();
    assert_eq!(set.revoke(token(4), None, now()), Err(RevokeError::Full));

    let large = RevocationSet::new();
    for number in 0..10_000 {
        large.revoke(token(number), None, now()).unwrap();
    }
    let document = large.export_snapshot(PUBLISHER, &key, now()).unwrap();
    let follower = RevocationSet::new().with_max_entries(5_000);
    follower.raise_floor(PUBLISHER, Epoch(0));
    let imported = follower.import(&document, &publisher(&key), now());
    assert_eq!(imported, Err(ImportError::Full));
    assert!((1..=5_000).contains(&follower.stats().tokens));
    assert_eq!(follower.position(PUBLISHER), Epoch(0));
    assert!(follower.is_behind(now()));
}

#[test]
fn a_set_that_is_full_takes_the_broad_ones_by_hand_and_from_nobody_else() {
    let key = key(1);
    for (target, why) in targets() {
        use RevocationTarget::{Issuer, Key, Principal};
        let is_broad = matches!(target, Principal(_) | Issuer(_) | Key(_));
        let document = revoked(target.clone()).export_snapshot(PUBLISHER, &key, now()).unwrap();
        let follower = RevocationSet::new().with_max_entries(0);
        let refused = follower.import(&document, &publisher(&key), now());
        assert_eq!(refused, Err(ImportError::Full));
        let by_hand = RevocationSet::new().with_max_entries(0);
        let expected = if is_broad { Ok(epoch(1)) } else { Err(RevokeError::Full) };
        assert_eq!(by_hand.revoke(target, None, now()), expected);
        assert_eq!(Subject::new().check(&by_hand), if is_broad { Err(why) } else { Ok(()) });
    }
}

#[test]
fn a_follower_that_cannot_hold_what_it_was_told_lets_nothing_pass_until_it_can() {
    let key = key(1);
    let publisher = publisher(&key);
    let set = RevocationSet::new();
    let stranger = Subject { token: token(999), ..Subject::new() };
    let follower = RevocationSet::new().with_max_entries(10);
    for number in 100..110 {
        set.revoke(RevocationTarget::Token(token(number)), Some(at(100)), now()).unwrap();
    }
    let first = set.export_delta(Epoch(0), PUBLISHER, &key, now()).unwrap();
    assert_eq!(follower.import(&first, &publisher, now()), Ok(epoch(10)));
    assert_eq!(stranger.check(&follower), Ok(()));
    for number in 110..120 {
        set.revoke(RevocationTarget::Token(token(number)), None, now()).unwrap();
    }
    let second = set.export_delta(epoch(10), PUBLISHER, &key, now()).unwrap();
    assert_eq!(follower.import(&second, &publisher, now()), Err(ImportError::Full));
    assert_eq!(stranger.check(&follower), Err(Revoked::Behind));
    assert_eq!((follower.position(PUBLISHER), follower.floor(PUBLISHER)), (epoch(10), epoch(20)));
    // Once there is room, the same is taken.
    assert_eq!(follower.cleanup(at(701)), 10);
    assert_eq!(follower.import(&second, &publisher, now()), Ok(epoch(20)));
    assert_eq!(stranger.check(&follower), Ok(()));
}

#[test]
fn a_name_counts_by_its_length_and_gives_that_back() {
    let key = key(1);
    let long = |mark: char| RevocationTarget::Issuer(String::from(mark).repeat(MAX_ISSUER_BYTES));
    let (two, three) = (RevocationSet::new(), RevocationSet::new());
    for (set, marks) in [(&two, "ab"), (&three, "abc")] {
        marks.chars().for_each(|mark| {
            set.revoke(long(mark), None, now()).unwrap();
        });
    }
    // 2,048 bytes: 65.
    let follower = RevocationSet::new().with_max_entries(130);
    let import = |set: &RevocationSet| {
        let document = set.export_snapshot(PUBLISHER, &key, now()).unwrap();
        follower.import(&document, &publisher(&key), now())
    };
    assert_eq!(import(&two), Ok(epoch(2)));
    assert_eq!(import(&two), Ok(epoch(2)));
    assert_eq!(import(&three), Err(ImportError::Full));
    // 64 bytes: 3.
    let set = RevocationSet::new().with_max_entries(3);
    let before = |mark: &str| {
        let target = RevocationTarget::PrincipalBefore(principal(&mark.repeat(64)), now());
        set.revoke(target, Some(now()), now())
    };
    for mark in ["a", "b"] {
        before(mark).unwrap();
        before(mark).unwrap();
        assert_eq!(before("c"), Err(RevokeError::Full));
        assert_eq!(set.cleanup(at(601)), 1);
    }
}

#[test]
fn the_set_of_an_issuer_takes_over_no_other_issuers_name() {
    let key = key(1);
    let own = Publisher::new(PUBLISHER, vec![key.key().clone()]);
    let set = RevocationSet::new();
    let issuers = ["https://a.example", PUBLISHER, "https://z.example"];
    for issuer in issuers {
        set.revoke(RevocationTarget::Issuer(issuer.to_owned()), None, now()).unwrap();
    }
    let document = set.export_snapshot(PUBLISHER, &key, now()).unwrap();
    let follower = RevocationSet::of_issuer(PUBLISHER).with_max_entries(1);
    assert_eq!(follower.import(&document, &own, now()), Ok(epoch(3)));
    assert_eq!(follower.stats().issuers, 1);
    assert_eq!(Subject::new().check(&follower), Err(Revoked::Issuer));
}

#[test]
fn a_publisher_that_begins_anew_gives_no_epoch_a_second_time() {
    let key = key(1);
    let publisher = publisher(&key);
    let (lost, follower) = (RevocationSet::new(), RevocationSet::new());
    for number in 0..500 {
        lost.revoke(RevocationTarget::Token(token(number)), None, now()).unwrap();
    }
    let document = lost.export_snapshot(PUBLISHER, &key, now()).unwrap();
    assert_eq!(follower.import(&document, &publisher, now()), Ok(epoch(500)));
    let set = RevocationSet::new();
    for number in 500..1100 {
        set.revoke(RevocationTarget::Token(token(number)), None, at(1)).unwrap();
    }
    let delta = set.export_delta(epoch(500), PUBLISHER, &key, at(1)).unwrap();
    assert_eq!(follower.import(&delta, &publisher, at(1)), Ok(set.epoch()));
    assert!((0..1100).all(|at| follower.is_revoked(&RevocationTarget::Token(token(at)))));
}
