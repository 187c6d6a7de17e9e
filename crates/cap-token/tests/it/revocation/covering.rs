use std::time::Duration;

use cap_token::{Epoch, MAX_ISSUER_BYTES, Revocation, RevokeError};

use super::*;

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

/// What is issued to whom, by whom or with what was revoked is refused however late that is.
fn covers_future(target: &RevocationTarget) -> bool {
    use RevocationTarget::{Issuer, Key, Principal};
    matches!(target, Principal(_) | Issuer(_) | Key(_))
}

#[test]
fn a_revocation_outlives_the_latest_expiry_by_twice_the_skew_and_nothing_shortens_it() {
    let subject = Subject::new();
    for (target, why) in targets() {
        let set = RevocationSet::new();
        set.revoke(target.clone(), Some(at(100)), now()).unwrap();
        if covers_future(&target) {
            assert_eq!(set.cleanup(DateTime::<Utc>::MAX_UTC), 0, "{target:?}");
            assert_eq!(subject.check(&set), Err(why), "{target:?}");
            continue;
        }
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
    assert_eq!(set.revoke_batch(&all, now()), Ok(epoch(1)));
    let stats = set.stats();
    assert_eq!((stats.tokens, stats.capabilities, stats.principals), (1, 3, 1));
    assert_eq!((stats.principals_before, stats.issuers, stats.keys), (1, 1, 1));
    // What is there already is no change.
    assert_eq!(set.revoke_batch(&all, at(1)), Ok(epoch(1)));
    assert_eq!(set.revoke_batch(&[], at(1)), Ok(epoch(1)));
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
