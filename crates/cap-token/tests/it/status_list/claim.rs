//! What tokens say of their place in a list.

use super::*;

#[test]
fn a_token_names_its_place_and_one_without_a_list_does_not_grow() {
    let (list, random) = (list(64), Counting::default());
    let keys = ed25519(1);
    let plain = Issuer::new(ISSUER, AUDIENCE, &keys);
    let capability = granted(now());
    let issue =
        |issuer: &Issuer<'_>| issuer.issue(&capability, &[], DEFAULT_TTL, &random, now()).unwrap();
    let claims = |token: &str| cap_token::inspect(token).unwrap().claims().clone();
    let token = issue(&plain);
    assert!(!claims(&token).contains_key("status"));
    let validator = Validator::new(AUDIENCE).trust(ISSUER, keys.active_key());
    assert_eq!(validator.validate(&token, now()).unwrap().status(), None);
    let listed = issue(&plain.clone().listed_in(&list));
    let verified = validator.validate(&listed, now()).unwrap();
    let status = json!({"status_list": {"idx": index(&verified), "uri": URI}});
    assert_eq!(claims(&listed)["status"], status);
    let more = listed.len() - token.len();
    assert!((60..140).contains(&more), "{more}");
    // Handing on and renewing give places of their own.
    let issuer = plain.listed_in(&list);
    let renewed = issuer.refresh(&verified, DEFAULT_TTL, &random, now()).unwrap();
    let renewed = validator.validate(&renewed, now()).unwrap();
    assert_ne!(index(&renewed), index(&verified));
}

#[test]
fn a_token_that_was_not_handed_out_takes_no_place() {
    let (list, random, register) = (list(8), Counting::default(), Issued::new(1));
    let keys = ed25519(1);
    let plain = Issuer::new(ISSUER, AUDIENCE, &keys).listed_in(&list);
    let tracked = plain.clone().tracked_by(&register);
    let capability = granted(now());
    let issue = |issuer: &Issuer<'_>| issuer.issue(&capability, &[], DEFAULT_TTL, &random, now());
    issue(&tracked).unwrap();
    for _ in 0..20 {
        assert_eq!(issue(&tracked), Err(IssueError::RegisterFull));
        let request = TokenRequest { capability: &capability, ancestors: &[], ttl: DEFAULT_TTL };
        assert!(tracked.issue_all(&[request; 5], &random, now()).is_err());
        // One of a batch that does not fit: none of them.
        let full = plain.issue_all(&[request; 8], &random, now()).unwrap_err();
        assert_eq!(full.source, IssueError::Status(StatusListError::Full));
    }
    let request = TokenRequest { capability: &capability, ancestors: &[], ttl: DEFAULT_TTL };
    assert_eq!(plain.issue_all(&[request; 7], &random, now()).unwrap().len(), 7);
    assert_eq!(issue(&plain), Err(IssueError::Status(StatusListError::Full)));
}

#[test]
fn a_list_takes_nothing_that_was_revoked_back_and_knows_ancestors_and_holders() {
    let targets = |token: &VerifiedToken| {
        [
            RevocationTarget::Token(token.token_id()),
            RevocationTarget::Capability(id(2)),
            RevocationTarget::Capability(id(1)),
            RevocationTarget::Principal("bob".parse().unwrap()),
            RevocationTarget::PrincipalBefore("bob".parse().unwrap(), now()),
            RevocationTarget::Issuer(ISSUER.to_owned()),
            RevocationTarget::Key(token.key().clone()),
        ]
    };
    for number in 0..7 {
        let (list, random) = (list(8), Counting::default());
        let token = issue(&list, 2, &random).unwrap();
        let (none, set) = (RevocationSet::new(), RevocationSet::new());
        let status = |set| read(&export(&list, set)).unwrap().status(index(&token));
        assert_eq!(status(&none), Some(Status::Valid));
        set.revoke(targets(&token)[number].clone(), None, now()).unwrap();
        assert_eq!(status(&set), Some(Status::Invalid), "{number}");
        assert_eq!(status(&none), Some(Status::Invalid), "{number}");
    }
}

#[test]
fn the_claim_has_its_type_or_the_token_is_refused() {
    let status = |value: Value| {
        let verified = Bench::new().claim("status", value)?;
        Ok(verified.status().map(|status| (status.index(), status.uri().to_owned())))
    };
    let place = Some((7, "https://a.example/1".to_owned()));
    let good = json!({"idx": 7, "uri": "https://a.example/1", "other": [{}]});
    for (value, expected) in [
        (json!({}), None),
        (json!({"identifier_list": {"id": "x"}}), None),
        (json!({"status_list": good, "other": 1}), place),
        (json!({"status_list": {"idx": u32::MAX, "uri": "x"}}), Some((u32::MAX, "x".to_owned()))),
    ] {
        assert_eq!(status(value.clone()), Ok(expected), "{value}");
    }
    let list = |idx: Value, uri: Value| json!({"status_list": {"idx": idx, "uri": uri}});
    for bad in [
        Value::Null,
        json!("x"),
        json!(1),
        json!([]),
        json!({"status_list": null}),
        json!({"status_list": "x"}),
        json!({"status_list": []}),
        json!({"status_list": {}}),
        json!({"status_list": {"idx": 1}}),
        json!({"status_list": {"uri": "x"}}),
        list(json!("1"), json!("x")),
        list(json!(-1), json!("x")),
        list(json!(1.5), json!("x")),
        list(json!(1_u64 << 32), json!("x")),
        list(json!(1), json!(1)),
        list(json!(1), json!("")),
        list(json!(1), json!(["x"])),
    ] {
        assert_eq!(status(bad.clone()), Err(ValidateError::ClaimType("status")), "{bad}");
    }
    let twice = |from: &str, to: &str| {
        let mut bench = Bench::new();
        bench.claims.insert("status".to_owned(), json!({"status_list": {"idx": 1, "uri": "x"}}));
        bench.claims_text(from, to)
    };
    for (from, to) in [
        (r#""status":"#, r#""status":{},"status":"#),
        (r#""status_list":"#, r#""status_list":{},"status_list":"#),
        (r#""idx":"#, r#""idx":1,"idx":"#),
        (r#""status_list":"#, r#""other":{"a":1,"a":1},"status_list":"#),
        (r#""idx":"#, r#""other":[{"a":1,"a":1}],"idx":"#),
    ] {
        let refused = ValidateError::Malformed(MalformedToken::Duplicate(Part::Claims));
        assert_eq!(twice(from, to), Err(refused), "{to}");
    }
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    let refused = ValidateError::Malformed(MalformedToken::TooDeep(Part::Claims));
    assert_eq!(status(json!({"other": deep})), Err(refused));
}

#[test]
fn the_revocations_of_another_issuer_say_nothing_of_a_list() {
    let (list, random) = (list(8), Counting::default());
    issue(&list, 2, &random).unwrap();
    let export = |set: &RevocationSet| {
        list.export(set, &key(1), StatusListLifetime::default(), now()).map(drop)
    };
    let other = RevocationSet::of_issuer("https://other.example");
    assert_eq!(export(&other), Err(StatusListError::Issuer));
    assert_eq!(export(&RevocationSet::of_issuer(ISSUER)), Ok(()));
}

/// A token that is forgotten while it is being bound.
#[test]
fn an_index_is_given_away_once_whoever_cleans_up_meanwhile() {
    let random = Counting::default();
    let done = std::sync::atomic::AtomicBool::new(false);
    let late = now() + DEFAULT_TTL + MAX_TTL + MAX_TTL;
    for _ in 0..20 {
        let list = list(64);
        let indices = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    list.cleanup(late);
                }
            });
            let indices: std::collections::BTreeSet<_> =
                (0..64).map(|_| index(&issue(&list, 2, &random).unwrap())).collect();
            done.store(true, Ordering::Release);
            indices
        });
        done.store(false, Ordering::Release);
        assert_eq!(indices.len(), 64);
    }
}
