//! Public keys: JWK, sizes, and the vectors of Wycheproof.

use cap_crypto::{Algorithm, KeyRejected, OsRandom, Purpose, SigningKeyring, VerifyingKey};
use serde_json::{Value, json};

const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

/// Odd, with the highest bit set.
fn modulus(bits: usize) -> Vec<u8> {
    let mut n = vec![0xab; bits.div_ceil(8)];
    n[0] = 1 << ((bits - 1) % 8);
    n
}

#[test]
fn thumbprints_are_those_of_the_rfcs() {
    // RFC 8037 A.2 and A.3.
    let key = VerifyingKey::from_jwk(&json!({ "kty": "OKP", "crv": "Ed25519", "x": X })).unwrap();
    assert_eq!(key.id().as_str(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert_eq!(key.algorithm(), Algorithm::EdDsa);

    // RFC 7638 §3.1.
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    let key = VerifyingKey::from_jwk(&json!({ "kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256" }));
    assert_eq!(key.unwrap().id().as_str(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

#[test]
fn a_public_jwk_comes_back_as_it_went() {
    let ring = SigningKeyring::ephemeral(Purpose::TokenSign, &OsRandom).unwrap();
    let pem = include_bytes!("../fixtures/rsa-2048.pem");
    ring.import_rsa(pem, chrono::DateTime::UNIX_EPOCH).unwrap();
    let keys = ring.verifying_keys();
    assert_eq!(keys.len(), 2);
    for key in keys {
        let jwk = key.to_jwk();
        assert_eq!(jwk["kid"], key.id().as_str());
        assert_eq!(jwk["use"], "sig");
        assert!(jwk.get("d").is_none());
        assert_eq!(VerifyingKey::from_jwk(&jwk), Ok(key));
    }
}

#[test]
fn a_jwk_may_name_its_key() {
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": X, "kid": "key-1", "x5c": [1] });
    let key = VerifyingKey::from_jwk(&jwk).unwrap();
    assert_eq!(key.id().as_str(), "key-1");
    let unnamed = json!({ "kty": "OKP", "crv": "Ed25519", "x": X });
    let unnamed = VerifyingKey::from_jwk(&unnamed).unwrap();
    assert_eq!(unnamed.id().as_str(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert_eq!(key.thumbprint(), unnamed.thumbprint());
}

#[test]
fn a_jwk_that_is_private_for_something_else_or_malformed_is_refused() {
    use KeyRejected::{Malformed, Name, NotPublic, OffCurve, Unsupported, WeakPoint};
    let with = |name: &str, value: Value| {
        let mut jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": X });
        jwk[name] = value;
        jwk
    };
    for (jwk, expected) in [
        (json!(null), Malformed),
        (json!([]), Malformed),
        (json!({}), Malformed),
        (with("d", json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")), NotPublic),
        (json!({ "kty": "oct", "k": "AAAA" }), NotPublic),
        (json!({ "kty": "oct" }), Unsupported),
        (json!({ "kty": "EC", "crv": "P-256", "x": X, "y": X }), OffCurve),
        (json!({ "kty": "EC", "crv": "P-384", "x": X, "y": X }), Unsupported),
        (with("crv", json!("X25519")), Unsupported),
        (with("crv", json!("Ed448")), Unsupported),
        (with("kty", json!("okp")), Unsupported),
        (with("kty", json!(1)), Malformed),
        (with("alg", json!("HS256")), Unsupported),
        (with("alg", json!("RS256")), Unsupported),
        (with("alg", json!("none")), Unsupported),
        (with("alg", json!(["EdDSA"])), Malformed),
        (with("use", json!("enc")), Unsupported),
        (with("key_ops", json!(["sign"])), Unsupported),
        (with("key_ops", json!("verify")), Malformed),
        (with("kid", json!("../../etc/passwd")), Name),
        (with("kid", json!("")), Name),
        (with("kid", json!(7)), Malformed),
        (with("x", json!(format!("{X}="))), Malformed),
        (with("x", json!(&X[1..])), Malformed),
        (with("x", json!("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp")), Malformed),
        (with("x", json!("A".repeat(43))), WeakPoint),
        (json!({ "kty": "RSA", "e": "AQAB" }), Malformed),
    ] {
        assert_eq!(VerifyingKey::from_jwk(&jwk), Err(expected), "{jwk}");
    }
    for operations in [json!(["verify"]), json!(["sign", "verify"])] {
        assert!(VerifyingKey::from_jwk(&with("key_ops", operations)).is_ok());
    }
}

#[test]
fn rsa_keys_outside_the_bounds_are_refused() {
    use KeyRejected::{Exponent, Malformed, Modulus};
    let e = [1, 0, 1];
    for bits in [2048, 2049, 3072, 4096, 8192] {
        assert!(VerifyingKey::from_rsa_components(&modulus(bits), &e).is_ok(), "{bits}");
    }
    for bits in [512, 1024, 2040, 2047, 8193, 16384] {
        assert_eq!(VerifyingKey::from_rsa_components(&modulus(bits), &e), Err(Modulus), "{bits}");
    }
    let even = {
        let mut n = modulus(2048);
        n[255] = 2;
        n
    };
    assert_eq!(VerifyingKey::from_rsa_components(&even, &e), Err(Modulus));
    let padded = [&[0][..], &modulus(2048)].concat();
    assert_eq!(VerifyingKey::from_rsa_components(&padded, &e), Err(Malformed));
    assert_eq!(VerifyingKey::from_rsa_components(&[], &e), Err(Malformed));

    let n = modulus(2048);
    for good in [&[3][..], &[17], &[1, 0, 1], &[1, 0, 0, 0, 1]] {
        assert!(VerifyingKey::from_rsa_components(&n, good).is_ok(), "{good:?}");
    }
    for bad in [&[1][..], &[2], &[4], &[1, 0, 0], &[2, 0, 0, 0, 1], &[1, 0, 0, 0, 0, 1]] {
        assert_eq!(VerifyingKey::from_rsa_components(&n, bad), Err(Exponent), "{bad:?}");
    }
    for bad in [&[][..], &[0], &[0, 3]] {
        assert_eq!(VerifyingKey::from_rsa_components(&n, bad), Err(Malformed), "{bad:?}");
    }
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_wycheproof_ed25519() {
    let counts = wycheproof("ed25519_test.json", |group| {
        let point = unhex(&group["publicKey"]["pk"]).try_into().unwrap();
        VerifyingKey::from_ed25519(&point).unwrap()
    });
    assert_eq!(counts, Counts { valid: 88, invalid: 63, acceptable: 0 });
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_wycheproof_rsa_2048() {
    let counts = wycheproof("rsa_signature_2048_sha256_test.json", |group| {
        let n = unhex(&group["publicKey"]["modulus"]);
        let e = unhex(&group["publicKey"]["publicExponent"]);
        let stripped =
            |number: &[u8]| number.iter().copied().skip_while(|byte| *byte == 0).collect();
        let (n, e): (Vec<u8>, Vec<u8>) = (stripped(&n), stripped(&e));
        VerifyingKey::from_rsa_components(&n, &e).unwrap()
    });
    assert_eq!(counts, Counts { valid: 9, invalid: 249, acceptable: 1 });
}

#[derive(Debug, Default, PartialEq)]
struct Counts {
    valid: usize,
    invalid: usize,
    acceptable: usize,
}

/// Runs all cases: valid ones verify, invalid ones do not, acceptable ones may.
fn wycheproof(file: &str, key: impl Fn(&Value) -> VerifyingKey) -> Counts {
    let path = cap_testkit::shared(&format!("corpora/wycheproof/{file}"));
    let set: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut counts = Counts::default();
    for group in set["testGroups"].as_array().unwrap() {
        let key = key(group);
        for test in group["tests"].as_array().unwrap() {
            let verdict = key.verify(&unhex(&test["msg"]), &unhex(&test["sig"]));
            match test["result"].as_str().unwrap() {
                "valid" => {
                    assert!(verdict.is_ok(), "case {}", test["tcId"]);
                    counts.valid += 1;
                }
                "invalid" => {
                    assert!(verdict.is_err(), "case {}", test["tcId"]);
                    counts.invalid += 1;
                }
                _ => counts.acceptable += 1,
            }
        }
    }
    counts
}

fn unhex(value: &Value) -> Vec<u8> {
    let pairs = value.as_str().unwrap().as_bytes().chunks_exact(2);
    pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
