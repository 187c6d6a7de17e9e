//! Key sets: ours as others read them, and those of others, honest and not.

use std::time::Duration;

use cap_crypto::{
    Algorithm, Backend, KeyId, KeyRejected, KeyStatus, OsRandom, Purpose, RotationPolicy,
    Signer as _, SigningKey, SigningKeyring, VerifyingKey,
};
use cap_token::{
    ForeignKeys, Jwks, JwksError, JwksSource, JwksSourceError, JwksTiming, MAX_JWKS_BYTES,
    MAX_JWKS_KEYS,
};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use proptest::prelude::*;
use serde_json::{Value, json};

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// RFC 7517 A.1: an EC key for encryption and an RSA key for RS256.
const RFC_7517_A1: &str = r#"{"keys":
 [
   {"kty":"EC",
    "crv":"P-256",
    "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    "use":"enc",
    "kid":"1"},

   {"kty":"RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e":"AQAB",
    "alg":"RS256",
    "kid":"2011-04-29"}
 ]
}"#;

/// RFC 7517 A.2 (the EC key): the same with its private part.
const RFC_7517_A2: &str = r#"{"keys":
 [
   {"kty":"EC",
    "crv":"P-256",
    "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    "d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
    "use":"enc",
    "kid":"1"}
 ]
}"#;

/// RFC 7517 A.3: two symmetric keys.
const RFC_7517_A3: &str = r#"{"keys":
 [
   {"kty":"oct",
    "alg":"A128KW",
    "k":"GawgguFyGrWKav7AX4VKUg"},

   {"kty":"oct",
    "k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    "kid":"HMAC key used in JWS spec Appendix A.1 example"}
 ]
}"#;

/// RFC 8037 A.2.
const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn parse(document: &Value) -> Result<ForeignKeys, JwksError> {
    ForeignKeys::parse(document.to_string().as_bytes())
}

fn ed25519(kid: &str) -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": X, "kid": kid })
}

fn with(name: &str, value: Value) -> Value {
    let mut key = ed25519("a");
    key[name] = value;
    key
}

fn generated(algorithm: Algorithm) -> SigningKey {
    SigningKey::generate(algorithm, Backend::default(), &OsRandom).unwrap()
}

fn rsa() -> SigningKey {
    SigningKey::from_pkcs8(crate::support::RSA.as_bytes()).unwrap()
}

/// Ed25519, P-256 and RSA in one keyring, each once active.
fn keyring() -> SigningKeyring {
    let ring =
        SigningKeyring::ephemeral_with(Purpose::TokenSign, &generated(Algorithm::EdDsa), NOW)
            .unwrap();
    ring.import(&generated(Algorithm::Es256), NOW).unwrap();
    ring.import(&rsa(), NOW).unwrap();
    ring
}

fn ids(keys: &[VerifyingKey]) -> Vec<&str> {
    keys.iter().map(|key| key.id().as_str()).collect()
}

#[test]
fn the_keys_of_rfc_7517_are_taken_skipped_and_refused_as_their_use_says() {
    let keys = ForeignKeys::parse(RFC_7517_A1.as_bytes()).unwrap();
    assert_eq!((ids(&keys.keys), keys.skipped), (vec!["2011-04-29"], 1));
    assert_eq!(keys.keys[0].algorithm(), Algorithm::Rs256);
    // For signatures the EC key would be good.
    let signing = RFC_7517_A1.replace("\"enc\"", "\"sig\"");
    let keys = ForeignKeys::parse(signing.as_bytes()).unwrap();
    assert_eq!((ids(&keys.keys), keys.skipped), (vec!["1", "2011-04-29"], 0));
    assert_eq!(ForeignKeys::parse(RFC_7517_A2.as_bytes()), Err(JwksError::Secret(0)));
    assert_eq!(ForeignKeys::parse(RFC_7517_A3.as_bytes()), Err(JwksError::Secret(0)));
}

#[test]
fn what_we_publish_is_what_verifies_in_one_order_with_one_tag() {
    let ring = keyring();
    let published = Jwks::of(&ring);
    let text = std::str::from_utf8(published.as_bytes()).unwrap();
    assert!(text.starts_with(r#"{"keys":[{"alg":""#) && text.ends_with("}]}"), "{text}");
    for secret in ["\"d\"", "\"p\"", "\"q\"", "\"dp\"", "\"dq\"", "\"qi\"", "\"k\""] {
        assert!(!text.contains(secret));
    }
    let mut keys = ring.verifying_keys();
    assert_eq!(keys.len(), 3);
    for _ in 0..3 {
        keys.rotate_left(1);
        assert_eq!(Jwks::new(&keys, ring.policy().max_age()), published);
    }
    let twice = [keys.clone(), keys.clone()].concat();
    assert_eq!(Jwks::new(&twice, ring.policy().max_age()), published);

    let read = ForeignKeys::parse(published.as_bytes()).unwrap();
    assert_eq!(read.skipped, 0);
    keys.sort_by(|left, right| left.id().cmp(right.id()));
    assert_eq!(read.keys, keys);

    assert!(published.etag().starts_with('"') && published.etag().ends_with('"'));
    assert_eq!(published.etag().len(), 45);
    let fewer = Jwks::new(&keys[1..], ring.policy().max_age());
    assert_ne!(fewer.etag(), published.etag());
    assert_eq!(Jwks::new(&[], Duration::ZERO).as_bytes(), br#"{"keys":[]}"#);
}

#[test]
fn how_long_it_may_be_kept_comes_from_the_rotation_policy() {
    let policy = RotationPolicy::default().with_announcement(Duration::from_secs(601)).unwrap();
    let published = Jwks::of(&keyring().with_policy(policy));
    assert_eq!(published.max_age(), Duration::from_secs(300));
    assert_eq!(published.cache_control(), "public, max-age=300, must-revalidate");
    assert_eq!(Jwks::CONTENT_TYPE, "application/jwk-set+json");
}

#[test]
fn a_pending_key_is_published_before_it_signs_and_a_retired_one_no_more() {
    let ring =
        SigningKeyring::ephemeral_with(Purpose::TokenSign, &generated(Algorithm::EdDsa), NOW)
            .unwrap();
    let policy = *ring.policy();
    let published = |ring: &SigningKeyring| {
        let keys = ForeignKeys::parse(Jwks::of(ring).as_bytes()).unwrap().keys;
        keys.iter().map(|key| key.id().clone()).collect::<Vec<KeyId>>()
    };
    let first = ring.active();
    let announce = NOW + policy.interval() - policy.announcement();
    assert!(ring.tick(&OsRandom, announce).unwrap());
    let pending = ring.keys().last().unwrap().id.clone();
    assert_eq!(ring.keys().last().unwrap().status, KeyStatus::Pending);
    let seen = published(&ring);
    assert!(seen.contains(&pending) && seen.contains(&first) && ring.active() == first);
    ring.tick(&OsRandom, NOW + policy.interval()).unwrap();
    let seen = published(&ring);
    assert!(seen.contains(&pending) && seen.contains(&first) && ring.active() == pending);
    let ended = NOW + policy.interval() + policy.announcement() + policy.overlap();
    ring.tick(&OsRandom, ended).unwrap();
    assert_eq!(published(&ring), std::slice::from_ref(&pending));
    ring.compromise(&pending, &OsRandom, ended).unwrap();
    assert_eq!(published(&ring), [ring.active()]);
}

#[test]
fn jsonwebtoken_reads_our_sets_and_verifies_with_their_keys() {
    let ring = keyring();
    let set: JwkSet = serde_json::from_slice(Jwks::of(&ring).as_bytes()).unwrap();
    assert_eq!(set.keys.len(), 3);
    for key in [generated(Algorithm::EdDsa), generated(Algorithm::Es256), rsa()] {
        let document = Jwks::new(std::slice::from_ref(key.key()), Duration::ZERO);
        let set: JwkSet = serde_json::from_slice(document.as_bytes()).unwrap();
        let jwk = set.find(key.key().id().as_str()).unwrap();
        let algorithm = match key.key().algorithm() {
            Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
            _ => jsonwebtoken::Algorithm::RS256,
        };
        let decoding = jsonwebtoken::DecodingKey::from_jwk(jwk).unwrap();
        let signature = key.sign(b"message").unwrap();
        let encoded = base64(&signature);
        let verified =
            jsonwebtoken::crypto::verify(&encoded, b"message", &decoding, algorithm).unwrap();
        assert!(verified, "{algorithm:?}");
        assert!(!jsonwebtoken::crypto::verify(&encoded, b"massage", &decoding, algorithm).unwrap());
    }
}

#[test]
fn we_read_the_sets_of_jsonwebtoken_and_verify_with_their_keys() {
    use jsonwebtoken::{Algorithm as Theirs, EncodingKey};
    let (ed, ec, rsa) = (generated(Algorithm::EdDsa), generated(Algorithm::Es256), rsa());
    let cases = [
        (EncodingKey::from_ed_der(&ed.to_pkcs8()), Theirs::EdDSA, &ed),
        (EncodingKey::from_ec_der(&ec.to_pkcs8()), Theirs::ES256, &ec),
        (EncodingKey::from_rsa_der(&rsa.to_pkcs8()[26..]), Theirs::RS256, &rsa),
    ];
    let mut set = JwkSet { keys: Vec::new() };
    for (encoding, algorithm, ours) in &cases {
        let mut jwk = Jwk::from_encoding_key(encoding, *algorithm).unwrap();
        jwk.common.key_id = Some(ours.key().id().to_string());
        set.keys.push(jwk);
    }
    let read = ForeignKeys::parse(&serde_json::to_vec(&set).unwrap()).unwrap();
    assert_eq!((read.keys.len(), read.skipped), (3, 0));
    for ((encoding, algorithm, ours), key) in cases.iter().zip(&read.keys) {
        assert_eq!(key, ours.key());
        let signature = jsonwebtoken::crypto::sign(b"message", encoding, *algorithm).unwrap();
        assert_eq!(key.verify(b"message", &unbase64(&signature)), Ok(()), "{algorithm:?}");
    }
}

#[test]
fn keys_for_something_else_are_skipped_and_counted() {
    let keys = json!({ "keys": [
        with("use", json!("enc")),
        with("kid", json!("a name that no key id can be")),
        with("kid", json!("1234example=")),
        { "kty": "OKP", "crv": "X25519", "x": X, "kid": "x25519" },
        { "kty": "OKP", "crv": "Ed448", "x": X, "kid": "ed448" },
        { "kty": "EC", "crv": "P-384", "x": X, "y": X, "kid": "p384" },
        { "kty": "EC", "crv": "secp256k1", "x": X, "y": X, "kid": "k256" },
        { "kty": "oct", "kid": "without its k" },
        { "kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA", "kid": "ml-dsa" },
        { "kty": "something new", "kid": "new", "x": 7 },
        { "kty": "OKP", "crv": "Ed25519", "x": X, "kid": "b", "alg": "HS256" },
        { "kty": "OKP", "crv": "Ed25519", "x": X, "kid": "c", "alg": "RS256" },
        { "kty": "OKP", "crv": "Ed25519", "x": X, "kid": "d", "key_ops": ["sign"] },
        { "kty": "OKP", "crv": "Ed25519", "x": X, "kid": "e", "key_ops": [] },
        { "kty": "OKP", "crv": "Ed25519", "x": X, "kid": "f", "use": "enc", "key_ops": ["verify"] },
        { "kty": "OKP", "crv": "Ed25519", "x": X, "kid": "good", "use": "sig", "key_ops": ["verify"],
          "alg": "EdDSA", "x5u": "https://evil.example", "note": { "any": ["thing"] } },
        { "kty": "OKP", "crv": "Ed25519", "x": X },
    ], "issuer": "https://other.example", "next": null });
    let read = parse(&keys).unwrap();
    assert_eq!(ids(&read.keys), ["good", "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"]);
    assert_eq!(read.skipped, 15);
    assert_eq!(parse(&json!({ "keys": [] })).unwrap().keys, []);
}

#[test]
fn a_set_with_one_bad_key_is_refused_as_a_whole() {
    use KeyRejected::{Exponent, Malformed, Modulus, OffCurve, WeakPoint};
    let e = "AQAB";
    let modulus = |bytes: usize| {
        let mut n = vec![0xab; bytes];
        n[0] = 0x80;
        base64(&n)
    };
    let p256 = |x: &str, y: &str| json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
    let (px, py) = (
        "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    );
    assert!(parse(&json!({ "keys": [p256(px, py)] })).is_ok());
    for (attack, key, expected) in [
        ("no key at all", json!(null), Malformed),
        ("a key that is text", json!("key"), Malformed),
        ("a key without a kind", json!({ "kid": "a" }), Malformed),
        ("a kind that is no text", json!({ "kty": 1 }), Malformed),
        ("a kind that is an array", json!({ "kty": ["OKP"] }), Malformed),
        ("a curve without its point", json!({ "kty": "OKP", "crv": "Ed25519" }), Malformed),
        ("a curve without a name", json!({ "kty": "OKP", "x": X }), Malformed),
        ("a curve that is a number", json!({ "kty": "EC", "crv": 256, "x": X, "y": X }), Malformed),
        ("padding", with("x", json!(format!("{X}="))), Malformed),
        (
            "trailing bits",
            with("x", json!("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp")),
            Malformed,
        ),
        ("the other alphabet", with("x", json!(X.replace('_', "/"))), Malformed),
        ("a short point", with("x", json!(&X[1..])), Malformed),
        ("a point of small order", with("x", json!("A".repeat(43))), WeakPoint),
        ("a point off the curve", p256(px, px), OffCurve),
        ("the coordinates exchanged", p256(py, px), OffCurve),
        ("a modulus of 1024 bits", json!({ "kty": "RSA", "n": modulus(128), "e": e }), Modulus),
        ("a modulus of 16384 bits", json!({ "kty": "RSA", "n": modulus(2048), "e": e }), Modulus),
        ("an exponent of 1", json!({ "kty": "RSA", "n": modulus(256), "e": "AQ" }), Exponent),
        ("no exponent", json!({ "kty": "RSA", "n": modulus(256) }), Malformed),
        ("a modulus that is a number", json!({ "kty": "RSA", "n": 65537, "e": e }), Malformed),
        ("a name that is a number", with("kid", json!(7)), Malformed),
        ("a use that is an array", with("use", json!(["sig"])), Malformed),
        ("an algorithm that is null", with("alg", json!(null)), Malformed),
        ("operations as text", with("key_ops", json!("verify")), Malformed),
        ("an operation twice", with("key_ops", json!(["verify", "verify"])), Malformed),
        ("an operation that is a number", with("key_ops", json!(["verify", 1])), Malformed),
    ] {
        let refused = parse(&json!({ "keys": [ed25519("good"), key] }));
        assert_eq!(refused, Err(JwksError::Key(1, expected)), "{attack}");
    }
}

#[test]
fn a_key_that_shows_its_secret_refuses_the_set_whatever_its_kind() {
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
        for value in [json!("AAAA"), json!(null), json!([]), json!(1)] {
            let key = with(name, value);
            let refused = parse(&json!({ "keys": [ed25519("b"), key] }));
            assert_eq!(refused, Err(JwksError::Secret(1)), "{name}");
        }
        let mut unknown = json!({ "kty": "something new", "use": "enc" });
        unknown[name] = json!("AAAA");
        assert_eq!(parse(&json!({ "keys": [unknown] })), Err(JwksError::Secret(0)), "{name}");
    }
}

#[test]
fn two_keys_of_one_name_are_refused_even_if_one_would_be_skipped() {
    let thumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
    let unnamed = json!({ "kty": "OKP", "crv": "Ed25519", "x": X });
    for (first, second) in [
        (ed25519("a"), ed25519("a")),
        (ed25519("a"), with("use", json!("enc"))),
        (with("use", json!("enc")), ed25519("a")),
        (ed25519("a"), json!({ "kty": "something new", "kid": "a" })),
        (unnamed.clone(), unnamed.clone()),
        (unnamed.clone(), ed25519(thumbprint)),
    ] {
        let refused = parse(&json!({ "keys": [first, second] }));
        assert_eq!(refused, Err(JwksError::DuplicateName(1)));
    }
    assert_eq!(parse(&json!({ "keys": [ed25519("a"), ed25519("A")] })).unwrap().keys.len(), 2);
}

#[test]
fn a_member_that_stands_twice_at_any_depth_is_refused() {
    let key = ed25519("a").to_string();
    for twice in [
        format!(r#"{{"keys":[{key}],"keys":[]}}"#),
        format!(r#"{{"keys":[],"keys":[{key}]}}"#),
        format!(r#"{{"keys":[{}]}}"#, key.replace("\"kid\"", "\"kid\":\"b\",\"kid\"")),
        format!(r#"{{"keys":[{}]}}"#, key.replace("\"kid\"", "\"k\\u0069d\":\"b\",\"kid\"")),
        format!(r#"{{"keys":[{}]}}"#, key.replace("\"kty\"", "\"kty\":\"RSA\",\"kty\"")),
        format!(r#"{{"keys":[{key}],"x":{{"a":[{{"b":1,"b":1}}]}}}}"#),
        format!(r#"{{"keys":[{{"kty":"new","o":{{"a":1,"a":2}}}},{key}]}}"#),
    ] {
        let refused = ForeignKeys::parse(twice.as_bytes());
        assert_eq!(refused, Err(JwksError::DuplicateMember), "{twice}");
    }
}

#[test]
fn what_is_no_key_set_is_refused() {
    let good = json!({ "keys": [ed25519("a")] }).to_string();
    assert!(ForeignKeys::parse(good.as_bytes()).is_ok());
    assert!(ForeignKeys::parse(format!(" {good}\r\n").as_bytes()).is_ok());
    for broken in [
        String::new(),
        " ".to_owned(),
        format!("{good}{good}"),
        format!("{good},"),
        format!("\u{feff}{good}"),
        good.replace('}', ",}"),
        good.replace('"', "'"),
        good[..good.len() - 1].to_owned(),
        format!("{{\"keys\":[],\"x\":1e400{}", &good[good.len() - 1..]),
        "[".repeat(10_000),
    ] {
        assert_eq!(ForeignKeys::parse(broken.as_bytes()), Err(JwksError::NotJson), "{broken:.40}");
    }
    let latin_1 = [b"{\"keys\":[],\"x\":\"".as_slice(), &[0xe9], b"\"}"].concat();
    assert_eq!(ForeignKeys::parse(&latin_1), Err(JwksError::NotJson));
    for other in [
        json!(null),
        json!([]),
        json!([ed25519("a")]),
        ed25519("a"),
        json!({ "keys": {} }),
        json!({ "Keys": [] }),
        json!({ "keys": null }),
        json!("keys"),
    ] {
        assert_eq!(parse(&other), Err(JwksError::NoKeys), "{other}");
    }
}

#[test]
fn a_set_that_is_too_large_is_refused_before_it_is_read() {
    let many = |count: usize| {
        let keys: Vec<_> = (0..count).map(|number| ed25519(&format!("key-{number}"))).collect();
        parse(&json!({ "keys": keys }))
    };
    assert_eq!(many(MAX_JWKS_KEYS).unwrap().keys.len(), MAX_JWKS_KEYS);
    assert_eq!(many(MAX_JWKS_KEYS + 1), Err(JwksError::TooManyKeys));
    let skipped: Vec<_> = (0..=MAX_JWKS_KEYS).map(|_| json!({ "kty": "new" })).collect();
    assert_eq!(parse(&json!({ "keys": skipped })), Err(JwksError::TooManyKeys));

    let good = json!({ "keys": [ed25519("a")] }).to_string();
    let padded = |length: usize| format!("{good}{}", " ".repeat(length - good.len()));
    assert!(ForeignKeys::parse(padded(MAX_JWKS_BYTES).as_bytes()).is_ok());
    let refused = ForeignKeys::parse(padded(MAX_JWKS_BYTES + 1).as_bytes());
    assert_eq!(refused, Err(JwksError::TooLarge));
    assert_eq!(ForeignKeys::parse(&[b'['; MAX_JWKS_BYTES + 1]), Err(JwksError::TooLarge));
}

/// What holds of every document, however it came to be.
fn check(document: &[u8]) -> Result<(), TestCaseError> {
    let Ok(ForeignKeys { keys, skipped, .. }) = ForeignKeys::parse(document) else {
        return Ok(());
    };
    prop_assert!(document.len() <= MAX_JWKS_BYTES && keys.len() + skipped <= MAX_JWKS_KEYS);
    let mut names = ids(&keys);
    names.sort_unstable();
    names.dedup();
    prop_assert_eq!(names.len(), keys.len());
    let written = Jwks::new(&keys, Duration::ZERO);
    let again = ForeignKeys::parse(written.as_bytes()).unwrap();
    prop_assert_eq!(again.skipped, 0);
    prop_assert_eq!(Jwks::new(&again.keys, Duration::ZERO), written);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_document_is_read_into_something_that_cannot_be_written(
        at in any::<prop::sample::Index>(),
        with in prop::collection::vec(any::<u8>(), 0..4),
        removed in 0..4usize,
        which in 0..3usize,
    ) {
        let seed = [RFC_7517_A1, RFC_7517_A2, r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#][which];
        let mut document = seed.as_bytes().to_vec();
        let from = at.index(document.len());
        let to = (from + removed).min(document.len());
        document.splice(from..to, with);
        check(&document)?;
    }
}

const ISSUER: &str = "https://other.example";

fn source() -> JwksSource {
    JwksSource::new(ISSUER, JwksTiming::default()).unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    NOW + TimeDelta::seconds(seconds)
}

fn document(kid: &str) -> Vec<u8> {
    json!({ "keys": [ed25519(kid)] }).to_string().into_bytes()
}

#[test]
fn a_source_is_fetched_when_it_is_empty_when_it_is_due_and_by_one_only() {
    let mut source = source();
    assert_eq!((source.issuer(), source.keys(at(0)), source.stale_at()), (ISSUER, vec![], None));
    assert!(source.claim_refresh(at(0)));
    assert!(!source.claim_refresh(at(0)) && !source.claim_refresh(at(29)));
    // The fetch failed: the next one may try after the cool-down.
    assert!(source.claim_refresh(at(30)));
    let applied = source.apply(&document("a"), None, at(31), at(31)).unwrap();
    assert!(applied.changed && applied.skipped == 0);
    assert_eq!(ids(&source.keys(at(31))), ["a"]);
    assert_eq!(source.stale_at(), Some(at(31 + 24 * 3600)));
    assert!(!source.claim_refresh(at(31 + 3599)));
    assert!(source.claim_refresh(at(31 + 3600)));
    assert!(!source.apply(&document("a"), None, at(31 + 3600), at(31 + 3600)).unwrap().changed);
    assert!(source.apply(&document("b"), None, at(31 + 3601), at(31 + 3601)).unwrap().changed);
}

#[test]
fn the_issuer_may_ask_for_sooner_but_neither_for_later_nor_for_all_the_time() {
    for (max_age, wait) in [(600, 600), (0, 30), (7200, 3600), (u64::MAX, 3600)] {
        let mut source = source();
        source.apply(&document("a"), Some(Duration::from_secs(max_age)), at(0), at(0)).unwrap();
        assert!(!source.claim_refresh(at(wait - 1)), "{max_age}");
        assert!(source.claim_refresh(at(wait)), "{max_age}");
    }
}

#[test]
fn unknown_names_cause_one_fetch_in_each_cool_down() {
    let mut source = source();
    source.apply(&document("a"), None, at(0), at(0)).unwrap();
    let known: KeyId = "a".parse().unwrap();
    assert!(!source.claim_refresh_for(&known, at(100)));
    let fetches = (0..10_000)
        .filter(|number| {
            let unknown = format!("unknown-{number}").parse().unwrap();
            source.claim_refresh_for(&unknown, at(100 + number / 100))
        })
        .count();
    // 100 seconds of 100 tokens each.
    assert_eq!(fetches, 4);
    // A regular fetch waits too, and counts as well.
    let mut source = self::source();
    assert!(source.claim_refresh(at(0)));
    assert!(!source.claim_refresh_for(&known, at(1)));
    assert!(source.claim_refresh_for(&known, at(30)));
}

#[test]
fn a_bad_document_changes_nothing_and_staleness_fails_closed() {
    let mut source = source();
    source.apply(&document("a"), None, at(0), at(0)).unwrap();
    let day = 24 * 3600;
    for hour in 1..=23 {
        assert!(source.claim_refresh(at(hour * 3600)));
        for bad in [&b""[..], RFC_7517_A2.as_bytes(), br#"{"keys":null}"#] {
            assert!(source.apply(bad, None, at(hour * 3600), at(hour * 3600)).is_err());
        }
        assert_eq!(ids(&source.keys(at(hour * 3600))), ["a"]);
    }
    assert_eq!(ids(&source.keys(at(day - 1))), ["a"]);
    assert_eq!(source.keys(at(day)), []);
    assert_eq!(source.keys(at(10 * day)), []);
    assert_eq!(source.stale_at(), Some(at(day)));
    assert!(source.claim_refresh(at(day)));
    // Stale keys are not known any more.
    assert!(source.claim_refresh_for(&"a".parse().unwrap(), at(day + 30)));
    assert!(source.apply(&document("a"), None, at(day + 31), at(day + 31)).unwrap().changed);
    assert_eq!(ids(&source.keys(at(day + 31))), ["a"]);
}

#[test]
fn an_issuer_that_withdraws_its_keys_has_none() {
    let mut source = source();
    source.apply(&document("a"), None, at(0), at(0)).unwrap();
    let applied = source.apply(br#"{"keys":[{"kty":"new"}]}"#, None, at(1), at(1)).unwrap();
    assert!(applied.changed && applied.skipped == 1);
    assert_eq!(source.keys(at(1)), []);
}

#[test]
fn a_clock_that_was_put_back_makes_no_document_last_longer() {
    let mut source = source();
    source.apply(&document("a"), None, at(1_000_000), at(1_000_000)).unwrap();
    assert_eq!(ids(&source.keys(at(1_000_000 - 299))), ["a"]);
    assert_eq!(source.keys(at(1_000_000 - 301)), []);
    assert!(source.claim_refresh(at(1_000_000 - 301)));
    assert!(
        source
            .apply(&document("b"), None, at(1_000_000 - 301), at(1_000_000 - 301))
            .unwrap()
            .changed
    );
    assert_eq!(ids(&source.keys(at(1_000_000 - 301))), ["b"]);
    for far in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
        assert_eq!(source.keys(far), []);
    }
    source.apply(&document("c"), None, DateTime::<Utc>::MAX_UTC, DateTime::<Utc>::MAX_UTC).unwrap();
    assert_eq!(source.stale_at(), Some(DateTime::<Utc>::MAX_UTC));
}

#[test]
fn an_answer_that_was_held_back_neither_displaces_a_later_one_nor_counts_as_fresh() {
    let mut source = source();
    source.apply(&document("b"), None, at(100), at(101)).unwrap();
    let late = source.apply(&document("a"), None, at(99), at(10_000)).unwrap_err();
    assert_eq!(late, JwksError::Outdated);
    assert_eq!(ids(&source.keys(at(10_000))), ["b"]);
    assert_eq!(source.stale_at(), Some(at(100 + 24 * 3600)));
    // It took an hour to come: it is as old as its request, and due again at once.
    source.apply(&document("c"), None, at(200), at(3800)).unwrap();
    assert_eq!(source.stale_at(), Some(at(200 + 24 * 3600)));
    assert!(source.claim_refresh(at(3800)));
    // No request lies in the future.
    source.apply(&document("c"), None, at(1_000_000), at(3900)).unwrap();
    assert_eq!(source.stale_at(), Some(at(3900 + 24 * 3600)));
}

#[test]
fn two_keys_of_one_name_are_published_the_same_in_any_order() {
    let named = || generated(Algorithm::EdDsa).with_id("same".parse().unwrap()).key().clone();
    let (one, other) = (named(), named());
    let published = Jwks::new(&[one.clone(), other.clone()], Duration::ZERO);
    assert_eq!(published, Jwks::new(&[other, one], Duration::ZERO));
    assert_eq!(ForeignKeys::parse(published.as_bytes()).unwrap().keys.len(), 1);
}

#[test]
fn a_source_needs_a_name_and_times_that_fit_together() {
    for name in ["", "https://a\n.example", "a\0", &"x".repeat(2049)] {
        let refused = JwksSource::new(name, JwksTiming::default()).unwrap_err();
        assert_eq!(refused, JwksSourceError::Issuer);
    }
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    for (refresh_every, stale_after, cool_down) in [
        (hours(1), hours(24), Duration::ZERO),
        (hours(1), hours(24), hours(2)),
        (hours(24), hours(24), hours(1)),
        (hours(25), hours(24), hours(1)),
        (hours(1), hours(367 * 24), hours(1)),
        (hours(1), Duration::MAX, hours(1)),
    ] {
        let timing = JwksTiming { refresh_every, stale_after, cool_down };
        assert_eq!(JwksSource::new(ISSUER, timing).unwrap_err(), JwksSourceError::Timing);
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

fn unbase64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
}
