//! Both ways with `jsonwebtoken` over another cryptographic library.

use base64::Engine as _;
use cap_crypto::SigningKeyring;
use cap_token::{DEFAULT_TTL, Issuer, Validator};
use chrono::{DateTime, Utc};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::Value;

use crate::support::{
    ALGORITHMS, AUDIENCE, Bench, Fixed, ISSUER, RSA, ed25519, granted, keys, signing_key,
};

mod pyjwt;

/// `jsonwebtoken` reads the clock by itself.
fn today() -> DateTime<Utc> {
    let seconds = i64::try_from(jsonwebtoken::get_current_timestamp()).unwrap();
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn issue(keys: &SigningKeyring) -> String {
    let now = today();
    let issuer = Issuer::new(ISSUER, AUDIENCE, keys);
    issuer.issue(&granted(now), &[], DEFAULT_TTL, &Fixed(7), now).unwrap()
}

fn strict(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    validation.validate_nbf = true;
    validation.leeway = 5;
    validation
}

#[test]
fn what_we_issue_verifies_there_with_the_jwk_that_we_publish() {
    for ours in ALGORITHMS {
        let (keys, algorithm) = (keys(ours), theirs(ours));
        let jwk: Jwk = serde_json::from_value(keys.active_key().to_jwk()).unwrap();
        let key = DecodingKey::from_jwk(&jwk).unwrap();
        let token = issue(&keys);
        let read = jsonwebtoken::decode::<Value>(&token, &key, &strict(algorithm)).unwrap();
        assert_eq!(read.header.kid.as_deref(), Some(keys.active().as_str()));
        assert_eq!(read.header.typ.as_deref(), Some("at+jwt"));
        assert_eq!(read.claims["sub"], "alice");
        let entry = &read.claims["authorization_details"][0];
        assert_eq!(entry["resource"], "path:/srv/data/**");

        let wrong = strict(Algorithm::HS256);
        assert!(jsonwebtoken::decode::<Value>(&token, &key, &wrong).is_err());
    }
}

#[test]
fn what_it_issues_of_our_profile_verifies_here() {
    for ours in ALGORITHMS {
        let (algorithm, private) = (theirs(ours), private_key(ours));
        let bench = Bench::of(ours);
        let mut header = Header::new(algorithm);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(bench.keys.active().to_string());
        let token = jsonwebtoken::encode(&header, &bench.claims, &private).unwrap();
        let read = bench.validate(&token).unwrap();
        assert_eq!(read.capability(), bench.validate(&bench.token).unwrap().capability());
    }
}

#[test]
fn a_mac_under_the_public_key_is_no_signature() {
    for ours in ALGORITHMS {
        let bench = Bench::of(ours);
        let jwk = bench.keys.active_key().to_jwk();
        let text = jwk["x"].as_str().or(jwk["n"].as_str()).unwrap();
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap();
        for secret in [text.as_bytes(), &bytes, jwk.to_string().as_bytes()] {
            let mut header = Header::new(Algorithm::HS256);
            header.typ = Some("at+jwt".to_owned());
            header.kid = Some(bench.keys.active().to_string());
            let key = EncodingKey::from_secret(secret);
            let token = jsonwebtoken::encode(&header, &bench.claims, &key).unwrap();
            assert_eq!(bench.validate(&token), Err(cap_token::ValidateError::Algorithm));
            // The same MAC under a header that names the key's own algorithm.
            let honest = bench.token.split_once('.').unwrap().0;
            let (_, rest) = token.split_once('.').unwrap();
            let relabelled = format!("{honest}.{rest}");
            assert_eq!(bench.validate(&relabelled), Err(cap_token::ValidateError::Signature));
        }
    }
}

#[test]
fn both_agree_on_whose_key_it_is() {
    let ours = ed25519(1);
    let token = issue(&ours);
    let other = ed25519(2);
    let jwk: Jwk = serde_json::from_value(other.active_key().to_jwk()).unwrap();
    let key = DecodingKey::from_jwk(&jwk).unwrap();
    assert!(jsonwebtoken::decode::<Value>(&token, &key, &strict(Algorithm::EdDSA)).is_err());
    let validator = Validator::new(AUDIENCE).trust(ISSUER, other.active_key());
    assert!(validator.validate(&token, today()).is_err());
}

fn theirs(algorithm: cap_crypto::Algorithm) -> Algorithm {
    match algorithm {
        cap_crypto::Algorithm::Es256 => Algorithm::ES256,
        cap_crypto::Algorithm::Rs256 => Algorithm::RS256,
        _ => Algorithm::EdDSA,
    }
}

fn private_key(algorithm: cap_crypto::Algorithm) -> EncodingKey {
    match algorithm {
        cap_crypto::Algorithm::Es256 => {
            EncodingKey::from_ec_der(&signing_key(algorithm).to_pkcs8())
        }
        cap_crypto::Algorithm::Rs256 => rsa_key(),
        _ => ed25519_key(1),
    }
}

/// PKCS#8 v2 (RFC 5958) around the seed of [`ed25519`] and its public key.
fn ed25519_key(seed: u8) -> EncodingKey {
    let jwk = ed25519(seed).active_key().to_jwk();
    let point = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(jwk["x"].as_str().unwrap());
    let before = [0x30, 0x51, 2, 1, 1, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let der = [&before[..], &[seed; 32], &[0x81, 0x21, 0], &point.unwrap()].concat();
    EncodingKey::from_ed_der(&der)
}

/// The PKCS#1 key inside the PKCS#8 of the fixture, whose header has 26 bytes.
fn rsa_key() -> EncodingKey {
    let body: String = RSA.lines().filter(|line| !line.starts_with('-')).collect();
    let der = base64::engine::general_purpose::STANDARD.decode(body).unwrap();
    EncodingKey::from_rsa_der(&der[26..])
}
