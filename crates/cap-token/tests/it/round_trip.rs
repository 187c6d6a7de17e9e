use std::time::Duration;

use cap_core::DenyCode;
use cap_crypto::{Purpose, RandomError, SecureRandom, SigningKeyring};
use cap_token::{
    DEFAULT_TTL, ENTRY_TYPE, IssueError, Issuer, MAX_TOKEN_BYTES, MAX_TTL, MalformedToken, Part,
    Revoked, ValidateError, Validator, inspect,
};
use chrono::TimeDelta;
use serde_json::json;

use crate::support::{
    ALGORITHMS, AUDIENCE, Bench, Fixed, ISSUER, delegated, ed25519, granted, id, now,
};

#[test]
fn what_was_issued_is_validated_with_every_algorithm() {
    for algorithm in ALGORITHMS {
        let bench = Bench::of(algorithm);
        let token = bench.validate(&bench.token).unwrap();
        assert_eq!(*token.capability(), granted(now()));
        assert!(token.ancestors().is_empty());
        assert_eq!(token.issuer(), ISSUER);
        assert_eq!(*token.key(), bench.keys.active());
        assert_eq!(token.audience(), AUDIENCE);
        assert_eq!(token.principal().as_str(), "alice");
        assert_eq!(token.not_before(), now());
        assert_eq!(token.issued_at(), now());
        assert_eq!(token.expires_at(), now() + TimeDelta::seconds(900));
        assert_eq!(token.token_id().to_string(), bench.claims["jti"]);
    }
}

#[test]
fn a_delegated_capability_travels_with_its_ancestors() {
    let keys = ed25519(1);
    let root = granted(now());
    let child = delegated(&root, 2, "bob");
    let leaf = delegated(&child, 3, "carol");
    let ancestors = [root.id(), child.id()];
    let issuer = Issuer::new(ISSUER, AUDIENCE, &keys);
    let token = issuer.issue(&leaf, &ancestors, DEFAULT_TTL, &Fixed(7), now()).unwrap();
    let validator = Validator::new(AUDIENCE).trust(ISSUER, keys.active_key());
    let token = validator.validate(&token, now()).unwrap();
    assert_eq!(*token.capability(), leaf);
    assert_eq!(token.ancestors(), ancestors);
    assert_eq!(token.capability().principal().as_str(), "carol");

    for wrong in [
        &[][..],
        &[child.id()],
        &[child.id(), root.id()],
        &[root.id(), root.id()],
        &[leaf.id(), child.id()],
        &[root.id(), child.id(), child.id()],
        &[child.id(), child.id()],
    ] {
        let refused = issuer.issue(&leaf, wrong, DEFAULT_TTL, &Fixed(7), now());
        assert_eq!(refused, Err(IssueError::Ancestors), "{wrong:?}");
    }
    let refused = issuer.issue(&root, &[id(9)], DEFAULT_TTL, &Fixed(7), now());
    assert_eq!(refused, Err(IssueError::Ancestors));
}

#[test]
fn the_profile_is_that_of_the_rfcs() {
    let bench = Bench::new();
    let header = json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": bench.keys.active() });
    assert_eq!(json!(bench.header), header);
    let claims = json!({
        "iss": ISSUER, "sub": "alice", "aud": AUDIENCE, "client_id": "alice",
        "iat": 1_767_225_600, "nbf": 1_767_225_600, "exp": 1_767_226_500,
        "jti": "AZt22qgAdweHBwcHBwcHBw",
        "authorization_details": [{
            "type": ENTRY_TYPE,
            "chain": "AZt22qgAcQGBAQEBAQEBAQ",
            "exp": 1_767_229_200,
            "resource": "path:/srv/data/**",
            "actions": ["list", "read"],
            "constraints": {},
        }],
    });
    assert_eq!(json!(bench.claims), claims);
}

#[test]
fn a_token_never_outlives_its_capability() {
    let keys = ed25519(1);
    let issuer = Issuer::new(ISSUER, AUDIENCE, &keys);
    let capability = granted(now());
    let end = capability.expires_at().unwrap();
    let validator = Validator::new(AUDIENCE).trust(ISSUER, keys.active_key());
    for (ttl, at, expected) in [
        (DEFAULT_TTL, now(), now() + TimeDelta::seconds(900)),
        (MAX_TTL, now(), end),
        (DEFAULT_TTL, end - TimeDelta::seconds(1), end),
    ] {
        let token = issuer.issue(&capability, &[], ttl, &Fixed(7), at).unwrap();
        assert_eq!(validator.validate(&token, at).unwrap().expires_at(), expected);
    }
    for at in [end, end + TimeDelta::days(1)] {
        let refused = issuer.issue(&capability, &[], DEFAULT_TTL, &Fixed(7), at);
        assert_eq!(refused, Err(IssueError::Expired));
    }
}

#[test]
fn what_cannot_be_issued_is_refused() {
    #[derive(Debug)]
    struct Broken;
    impl SecureRandom for Broken {
        fn fill(&self, _: &mut [u8]) -> Result<(), RandomError> {
            Err(RandomError)
        }
    }
    let keys = ed25519(1);
    let issuer = Issuer::new(ISSUER, AUDIENCE, &keys);
    let capability = granted(now());
    let issue = |ttl| issuer.issue(&capability, &[], ttl, &Fixed(7), now());
    for ttl in [
        Duration::ZERO,
        Duration::from_millis(999),
        MAX_TTL + Duration::from_nanos(1),
        Duration::MAX,
    ] {
        assert_eq!(issue(ttl), Err(IssueError::Lifetime), "{ttl:?}");
    }
    assert!(issue(Duration::from_secs(1)).is_ok());

    let refused = issuer.issue(&capability, &[], DEFAULT_TTL, &Broken, now());
    assert_eq!(refused, Err(IssueError::Random(RandomError)));

    let before = now() - TimeDelta::days(365 * 100);
    let refused = issuer.issue(&capability, &[], DEFAULT_TTL, &Fixed(7), before);
    assert_eq!(refused, Err(IssueError::Clock));

    let audit = SigningKeyring::ephemeral(Purpose::AuditSign, &Fixed(1)).unwrap();
    let refused = Issuer::new(ISSUER, AUDIENCE, &audit).issue(
        &capability,
        &[],
        DEFAULT_TTL,
        &Fixed(7),
        now(),
    );
    assert_eq!(refused, Err(IssueError::Purpose(Purpose::AuditSign)));

    let long = "x".repeat(MAX_TOKEN_BYTES);
    let refused =
        Issuer::new(long, AUDIENCE, &keys).issue(&capability, &[], DEFAULT_TTL, &Fixed(7), now());
    assert_eq!(refused, Err(IssueError::TooLarge));
}

#[test]
fn the_lifetime_is_exact_to_the_second_with_and_without_leeway() {
    let bench = Bench::new();
    let at = |leeway: u64, seconds: i64| {
        let validator = bench.validator().with_leeway(Duration::from_secs(leeway));
        validator.validate(&bench.token, now() + TimeDelta::seconds(seconds)).map(drop)
    };
    for leeway in [0, 1, 300] {
        let late = i64::try_from(leeway).unwrap();
        assert_eq!(at(leeway, 900 + late - 1), Ok(()));
        assert_eq!(at(leeway, 900 + late), Err(ValidateError::Expired));
        assert_eq!(at(leeway, -late), Ok(()));
        assert_eq!(at(leeway, -late - 1), Err(ValidateError::NotYetValid));
    }
    let default =
        |seconds| bench.validator().validate(&bench.token, now() + TimeDelta::seconds(seconds));
    assert!(default(1199).is_ok());
    assert_eq!(default(1200), Err(ValidateError::Expired));
    assert_eq!(default(-301), Err(ValidateError::NotYetValid));
    let forgiving = bench.validator().with_leeway(Duration::MAX);
    assert!(forgiving.validate(&bench.token, now() + TimeDelta::days(1)).is_ok());
}

#[test]
fn the_instants_of_not_before_and_of_issue_are_looked_at_each() {
    let at = now().timestamp();
    assert_eq!(Bench::new().claim("nbf", at + 301), Err(ValidateError::NotYetValid));
    assert!(Bench::new().claim("nbf", at + 300).is_ok());
    assert_eq!(Bench::new().claim("iat", at + 301), Err(ValidateError::IssuedInFuture));
    assert!(Bench::new().claim("iat", at + 300).is_ok());
}

#[test]
fn retired_and_rotated_keys_are_what_the_validator_was_told() {
    let bench = Bench::new();
    let keys = ed25519(1);
    keys.rotate(&Fixed(2), now()).unwrap();
    let trusting = |keys: &SigningKeyring| {
        let keys = keys.verifying_keys();
        keys.into_iter().fold(Validator::new(AUDIENCE), |all, key| all.trust(ISSUER, key))
    };
    assert!(trusting(&keys).validate(&bench.token, now()).is_ok());
    keys.retire(&bench.keys.active()).unwrap();
    assert_eq!(trusting(&keys).validate(&bench.token, now()), Err(ValidateError::UnknownKey));
}

#[test]
fn issuers_that_give_their_keys_the_same_name_are_told_apart() {
    let named = |keys: &SigningKeyring| {
        let mut jwk = keys.active_key().to_jwk();
        jwk["kid"] = json!("key-1");
        cap_crypto::VerifyingKey::from_jwk(&jwk).unwrap()
    };
    let (mut ours, mut theirs) = (Bench::with(ed25519(1)), Bench::with(ed25519(2)));
    let validator = Validator::new(AUDIENCE)
        .trust(ISSUER, named(&ours.keys))
        .trust("https://other.example", named(&theirs.keys));
    for bench in [&mut ours, &mut theirs] {
        bench.header["kid"] = json!("key-1");
    }
    assert!(validator.validate(&ours.sign(), now()).is_ok());
    assert_eq!(validator.validate(&theirs.sign(), now()), Err(ValidateError::Issuer));
    theirs.claims["iss"] = json!("https://other.example");
    assert_eq!(
        validator.validate(&theirs.sign(), now()).unwrap().issuer(),
        "https://other.example"
    );
}

#[test]
fn what_is_not_ours_is_ignored() {
    assert!(Bench::new().claim("scope", json!({ "any": [1.5, null] })).is_ok());
    assert!(Bench::new().claim("aud", json!(["https://else.example", AUDIENCE])).is_ok());
    let mut bench = Bench::new();
    let other = json!({ "type": "payment_initiation", "amount": "123.50" });
    bench.claims["authorization_details"].as_array_mut().unwrap().insert(0, other);
    assert!(bench.validate(&bench.sign()).is_ok());
    for typ in ["AT+JWT", "application/at+jwt", "Application/AT+JWT"] {
        assert!(Bench::new().header("typ", typ).is_ok(), "{typ}");
    }
    for name in ["jwk", "jku", "x5u", "x5c", "cty", "zip"] {
        assert!(Bench::new().header(name, json!({ "never": "used" })).is_ok(), "{name}");
    }
}

#[test]
fn a_capability_that_has_expired_is_the_kernels_to_refuse() {
    let mut bench = Bench::new();
    let end = granted(now()).expires_at().unwrap();
    bench.claims["exp"] = json!(end.timestamp());
    let token = bench.validator().validate(&bench.sign(), end + TimeDelta::seconds(299)).unwrap();
    assert!(token.capability().is_expired(end));
}

#[test]
fn inspection_shows_what_is_written_and_verifies_nothing() {
    let bench = Bench::new();
    let [header, claims, _] = bench.parts();
    let forged = format!("{header}.{claims}.AAAA");
    let shown = inspect(&forged).unwrap();
    assert_eq!((shown.header(), shown.claims()), (&bench.header, &bench.claims));
    assert_eq!(bench.validate(&forged), Err(ValidateError::Signature));
    assert_eq!(inspect("nonsense"), Err(MalformedToken::NotCompact));
}

#[test]
fn evidence_that_did_not_verify_has_one_code() {
    let all = [
        MalformedToken::TooLarge.into(),
        MalformedToken::NotCompact.into(),
        MalformedToken::TooDeep(Part::Claims).into(),
        ValidateError::MissingHeader("alg"),
        ValidateError::HeaderType("alg"),
        ValidateError::NotAnAccessToken,
        ValidateError::Critical,
        ValidateError::Unencoded,
        ValidateError::Algorithm,
        ValidateError::UnknownKey,
        ValidateError::AlgorithmOfKey,
        ValidateError::Signature,
        ValidateError::MissingClaim("iss"),
        ValidateError::ClaimType("iss"),
        ValidateError::TokenId,
        ValidateError::Issuer,
        ValidateError::Audience,
        ValidateError::NotYetValid,
        ValidateError::IssuedInFuture,
        ValidateError::NoCapability,
        ValidateError::SeveralCapabilities,
        ValidateError::Entry,
        ValidateError::Capability,
        ValidateError::Principal,
        ValidateError::Ancestors,
        ValidateError::OutlivesCapability,
    ];
    for error in all {
        assert_eq!(error.deny_code(), DenyCode::EvidenceInvalid, "{error}");
    }
    assert_eq!(ValidateError::Expired.deny_code(), DenyCode::CapabilityExpired);
    let revoked = ValidateError::Revoked(Revoked::Token);
    assert_eq!(revoked.deny_code(), DenyCode::CapabilityRevoked);
}
