//! Messages of others, which are no access tokens: run against what stands between the form and
//! the claims — form, header, algorithm and signature.

use std::collections::BTreeMap;

use cap_core::{Capability, CapabilityId, Constraints, Operations, ResourceType, RootGrant};
use cap_crypto::{Purpose, RandomError, SecureRandom, SigningKeyring};
use serde_json::Value;

use super::*;
use crate::MalformedToken;
use crate::{DEFAULT_TTL, Issuer};

/// What became of the cases of a set.
#[derive(Default)]
struct Verdicts {
    accepted: usize,
    refused: usize,
    /// The valid ones that we do not support, by why.
    unsupported: BTreeMap<String, usize>,
}

impl Verdicts {
    fn of(file: &str, message: &str) -> Self {
        let mut verdicts = Self::default();
        for group in read(&format!("wycheproof/{file}"))["testGroups"].as_array().unwrap() {
            let jwk = group.get("public").unwrap_or(&group["private"]);
            for test in group["tests"].as_array().unwrap() {
                let message = test.get(message).unwrap_or(&test["jwe"]);
                verdicts.add(test, jwk, message);
            }
        }
        verdicts
    }

    fn add(&mut self, test: &Value, jwk: &Value, message: &Value) {
        let key = nameless(jwk);
        let verified = key.as_ref().is_some_and(|key| signed_by(key, message));
        match (test["result"].as_str().unwrap(), verified) {
            ("valid", true) => self.accepted += 1,
            ("valid", false) => {
                assert!(key.is_none(), "case {}", test["tcId"]);
                let why = jwk.get("alg").and_then(Value::as_str).unwrap_or("a set of keys");
                *self.unsupported.entry(why.to_owned()).or_default() += 1;
            }
            (_, verified) => {
                assert!(!verified, "case {}", test["tcId"]);
                self.refused += 1;
            }
        }
    }

    fn unsupported(&self) -> Vec<(&str, usize)> {
        self.unsupported.iter().map(|(why, number)| (why.as_str(), *number)).collect()
    }
}

fn read(file: &str) -> Value {
    let file = cap_testkit::shared(&format!("corpora/{file}"));
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

/// The public key, under its thumbprint: the names of some are none of ours (`@`, dots).
fn nameless(jwk: &Value) -> Option<VerifyingKey> {
    let mut jwk = jwk.clone();
    if let Some(members) = jwk.as_object_mut() {
        members.remove("kid");
    }
    VerifyingKey::from_jwk(&jwk).ok()
}

fn signed_by(key: &VerifyingKey, jws: &Value) -> bool {
    let text = jws.as_str().map_or_else(|| jws.to_string(), ToOwned::to_owned);
    verify(key, &text).is_ok()
}

fn verify(key: &VerifyingKey, jws: &str) -> Result<(), ValidateError> {
    let compact = Compact::split(jws)?;
    let text = compact.header_text()?;
    if Header::read(&text)?.algorithm()? != key.algorithm().as_str() {
        return Err(ValidateError::AlgorithmOfKey);
    }
    let signature = compact.signature()?;
    key.verify(compact.signing_input.as_bytes(), &signature).map_err(|_| ValidateError::Signature)
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_wycheproof_jws() {
    let verdicts = Verdicts::of("json_web_signature_test.json", "jws");
    assert_eq!((verdicts.accepted, verdicts.refused), (10, 355));
    // Algorithms that we do not have, by choice: MACs (a shared secret proves nothing to a third),
    // longer hashes, PSS, and a curve whose algorithm the set itself misspells.
    assert_eq!(
        verdicts.unsupported(),
        [
            ("ES521", 2),
            ("HS256", 10),
            ("PS256", 8),
            ("PS384", 4),
            ("PS512", 4),
            ("RS384", 4),
            ("RS512", 4),
        ]
    );
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_wycheproof_web_crypto() {
    let verdicts = Verdicts::of("json_web_crypto_test.json", "jws");
    assert_eq!((verdicts.accepted, verdicts.refused), (2, 77));
    // MACs, encrypted tokens, and a set of MAC keys where one key belongs.
    assert_eq!(
        verdicts.unsupported(),
        [("A256KW", 1), ("ECDH-ES+A128KW", 1), ("HS256", 1), ("a set of keys", 1)]
    );
}

/// The examples of RFC 7520 §4, RFC 8037 A.4 and RFC 7797 §4, each by its name.
#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_jose_cookbook() {
    let (mut accepted, mut unsupported, mut serialised) = (Vec::new(), Vec::new(), 0);
    for file in [
        "curve25519_jws",
        "jws_4_1.rsa_v15_signature",
        "jws_4_2.rsa-pss_signature",
        "jws_4_3.ecdsa_signature",
        "jws_4_4.hmac-sha2_integrity_protection",
        "jws_4_5.signature_with_detached_content",
        "jws_4_6.protecting_specific_header_fields",
        "jws_4_7.protecting_content_only",
        "jws_4_8.multiple_signatures",
        "rfc7797_4.2.hmac-sha2_b64_false",
        "rfc7797_hmac-sha2_b64_false",
        "curve25519_ecdh-es",
    ] {
        let example = read(&format!("jose-cookbook/{file}.json"));
        let mut jwk = example["input"]["key"].clone();
        for secret in ["d", "p", "q", "dp", "dq", "qi"] {
            jwk.as_object_mut().map(|members| members.remove(secret));
        }
        let output = &example["output"];
        for json in ["json", "json_flat"] {
            let Some(json) = output.get(json) else { continue };
            assert!(nameless(&jwk).is_none_or(|key| !signed_by(&key, json)), "{file}");
            assert_eq!(refusal(json), MalformedToken::NotCompact.into(), "{file}");
            serialised += 1;
        }
        let Some(compact) = output.get("compact").and_then(Value::as_str) else { continue };
        match nameless(&jwk) {
            Some(key) if verify(&key, compact).is_ok() => accepted.push(file),
            key => unsupported.push((file, key.is_none(), refusal(&compact.into()))),
        }
    }
    assert_eq!(accepted, ["curve25519_jws", "jws_4_1.rsa_v15_signature"]);
    let (algorithm, no_key) = (ValidateError::Algorithm, true);
    assert_eq!(
        unsupported,
        [
            ("jws_4_2.rsa-pss_signature", false, algorithm.clone()),
            ("jws_4_3.ecdsa_signature", no_key, algorithm.clone()),
            ("jws_4_4.hmac-sha2_integrity_protection", no_key, algorithm.clone()),
            ("jws_4_5.signature_with_detached_content", no_key, algorithm),
            ("rfc7797_hmac-sha2_b64_false", no_key, ValidateError::Critical),
            ("curve25519_ecdh-es", no_key, MalformedToken::NotCompact.into()),
        ]
    );
    assert_eq!(serialised, 23);
}

/// Why a message is refused before any key is looked at.
fn refusal(jws: &Value) -> ValidateError {
    let text = jws.as_str().map_or_else(|| jws.to_string(), ToOwned::to_owned);
    let read = || {
        let compact = Compact::split(&text)?;
        let header = compact.header_text()?;
        Header::read(&header)?.algorithm()?;
        Ok(())
    };
    read().unwrap_err()
}

/// The keys of the cookbook (RFC 7520 §3): test keys, of which the public RSA key alone is one that
/// we could verify with, were it not for its name.
#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_jose_cookbook_keys() {
    let keys = [
        ("jwk_3_1.ec_public_key", false),
        ("jwk_3_2.ec_private_key", false),
        ("jwk_3_3.rsa_public_key", true),
        ("jwk_3_4.rsa_private_key", false),
        ("jwk_3_5.symmetric_key_mac_computation", false),
        ("jwk_3_6.symmetric_key_encryption", false),
    ];
    for (file, good) in keys {
        let jwk = read(&format!("jose-cookbook/{file}.json"));
        assert_eq!(nameless(&jwk).is_some(), good, "{file}");
        assert!(VerifyingKey::from_jwk(&jwk).is_err(), "{file}");
    }
}

#[derive(Debug)]
struct Fixed;

impl SecureRandom for Fixed {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        out.fill(5);
        Ok(())
    }
}

/// A header that is known by its text must mean what reading it says.
#[test]
fn a_header_of_our_own_is_read_as_what_it_is_taken_for() {
    let now = DateTime::from_timestamp(1_767_225_600, 0).unwrap();
    let keys = SigningKeyring::ephemeral(Purpose::TokenSign, &Fixed).unwrap();
    let capability = Capability::grant(
        CapabilityId::new([1; 10], now),
        RootGrant {
            principal: "alice".parse().unwrap(),
            resource_type: ResourceType::Any,
            resource: "*".to_owned(),
            operations: Operations::ALL,
            constraints: Constraints::default(),
            expires_at: None,
        },
        now,
    )
    .unwrap();
    let token =
        Issuer::new("i", "a", &keys).issue(&capability, &[], DEFAULT_TTL, &Fixed, now).unwrap();
    let validator = Validator::new("a").trust("i", keys.active_key());
    let trusted = Arc::clone(&validator.keys.read());
    let compact = Compact::split(&token).unwrap();
    let known = trusted.known(compact.header).unwrap();
    let text = compact.header_text().unwrap();
    let header = Header::read(&text).unwrap();
    let found: Vec<_> = trusted.find(&header.named().unwrap()).unwrap().collect();
    assert_eq!((known.len(), found.len()), (1, 1));
    assert_eq!(known[0].origin, found[0].origin);
    assert!(trusted.known("e30").is_none());
}
