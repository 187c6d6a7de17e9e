//! Every algorithm with every backend: making, importing and exporting keys, signing, verifying.

use cap_crypto::{
    Algorithm, Backend, GenerateError, KeyRejected, OsRandom, RandomError, SecureRandom,
    Signer as _, SigningKey, Unverified, VerifyingKey,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::unhex;

const ED25519: &str = include_str!("../fixtures/ed25519.pem");
const P256: &str = include_str!("../fixtures/p256.pem");
const RSA: &str = include_str!("../fixtures/rsa-2048.pem");
const RSA_E3: &str = include_str!("../fixtures/rsa-2048-e3.pem");
const RSA_1024: &str = include_str!("../fixtures/rsa-1024.pem");

/// 2056 bits, 2560 bits, and 2048 bits of primes with 1040 and 1008.
const RSA_ODD_SIZES: [&str; 3] = [
    include_str!("../fixtures/rsa-2056.pem"),
    include_str!("../fixtures/rsa-2560.pem"),
    include_str!("../fixtures/rsa-2048-uneven.pem"),
];

/// One key of each algorithm, made by OpenSSL: private and public.
const PAIRS: [(Algorithm, &str, &str); 3] = [
    (Algorithm::EdDsa, ED25519, include_str!("../fixtures/ed25519.pub.pem")),
    (Algorithm::Es256, P256, include_str!("../fixtures/p256.pub.pem")),
    (Algorithm::Rs256, RSA, include_str!("../fixtures/rsa-2048.pub.pem")),
];

/// RFC 7515 A.3: key, signing input, signature.
const EC_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const EC_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const EC_D: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";
const EC_INPUT: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const EC_SIGNATURE: &str = "0ed1215379636c483c2f7f155807d402a3b228033af97c7e17819ac3169ea665\
     c50a07d38c3c70e5d8f12daf084a5480a66590c5f293509a8f3f7f8a83a354d5";

/// RFC 8037 A.1.
const ED_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const ED_D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

fn rsa_jwk() -> Value {
    serde_json::from_str(include_str!("../fixtures/rsa-2048.jwk.json")).unwrap()
}

fn ec_jwk() -> Value {
    json!({ "kty": "EC", "crv": "P-256", "x": EC_X, "y": EC_Y, "d": EC_D })
}

fn ed_jwk() -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": ED_X, "d": ED_D })
}

fn imported(pem: &str, backend: Backend) -> SigningKey {
    SigningKey::from_pkcs8(pem.as_bytes()).unwrap().with_backend(backend).unwrap()
}

fn der(pem: &str) -> Vec<u8> {
    SigningKey::from_pkcs8(pem.as_bytes()).unwrap().to_pkcs8().to_vec()
}

fn with(mut jwk: Value, name: &str, value: impl Into<Value>) -> Value {
    jwk[name] = value.into();
    jwk
}

fn without(mut jwk: Value, name: &str) -> Value {
    jwk.as_object_mut().unwrap().remove(name).unwrap();
    jwk
}

#[derive(Debug)]
struct Broken;

impl SecureRandom for Broken {
    fn fill(&self, _: &mut [u8]) -> Result<(), RandomError> {
        Err(RandomError)
    }
}

#[test]
fn this_build_has_the_backends_of_its_features() {
    assert_eq!(Backend::ALL[0], Backend::Ring);
    assert_eq!(Backend::ALL.len(), 1 + usize::from(cfg!(feature = "aws-lc-rs")));
    assert!(Backend::ALL.contains(&Backend::default()));
    let names: Vec<_> = Backend::ALL.iter().map(|backend| backend.to_string()).collect();
    assert!(
        ["ring", "aws-lc-rs"].starts_with(&names.iter().map(String::as_str).collect::<Vec<_>>())
    );
}

#[test]
fn what_one_backend_signs_the_others_verify() {
    for (algorithm, pem, public) in PAIRS {
        let public = VerifyingKey::from_spki(public.as_bytes()).unwrap();
        for signing in Backend::ALL {
            let key = imported(pem, *signing);
            assert_eq!(key.key(), &public);
            assert_eq!(key.key().algorithm(), algorithm);
            assert_eq!(key.key().backend(), *signing);
            let signature = key.sign(b"a message").unwrap();
            assert_eq!(signature.len(), if algorithm == Algorithm::Rs256 { 256 } else { 64 });
            for verifying in Backend::ALL {
                let key = public.clone().with_backend(*verifying).unwrap();
                assert_eq!(key.verify(b"a message", &signature), Ok(()));
                assert_eq!(key.verify(b"a massage", &signature), Err(Unverified));
                assert_eq!(key.verify(b"a message", &[]), Err(Unverified));
            }
        }
    }
}

#[test]
fn signatures_that_others_made_verify() {
    // Made by OpenSSL with the keys above.
    let made = [
        "61a4ae3b2b60d405328d2d802afa205c271e7ab6742a19cf6ce5e3968bce85854c138369c3383c401ae66a04b595\
         d4d2124a11f58cb1f041b951691d659e9b07",
        "5d026f585f3b5c67972ed8ef2f5eac726a29b3745383d32509fe85c0f50aa029c88bfb7bce5ce18bdf5226028841\
         738ef6bd6d1c494430fda21124286eac855d",
        "6a2587a3ed118058d43ede4e3134ba10458a93b126ac3c89f78d2f7e66822c6d4f0e02b81de5e48330e427ff\
         e28a1f49696ef91dc58bf498eeda37a4ef0ac84c0f2e81e1bfc788236f575212a0870db7877c2eba4928b8d1\
         89449c2dcbc552dd010b954fbdc26c8da3b5e2e656b4c81e9aa478d8e16834f173e196ec450c1351e14a6333\
         d82b2563c639ec0ca30ec560c60f508aa31d913929fe182e79e51c68bca1cfbd7ba3ea822c60db785d61e3a3\
         803a7b676f95c4602dcb5508e21d99be2cb411608e34cebbf24dad93e75fdb80559c957c4f15166fd2c77941\
         0bf682e8713e92ca544ada477db4ef8da748aa81839ba8313cda7ebe65dc40411a3f81ad",
    ];
    for backend in Backend::ALL {
        for ((_, pem, public), signature) in PAIRS.iter().zip(made) {
            let key = VerifyingKey::from_spki(public.as_bytes()).unwrap();
            let key = key.with_backend(*backend).unwrap();
            assert_eq!(key.verify(b"a message", &unhex(signature)), Ok(()));
            if key.algorithm() != Algorithm::Es256 {
                // The other two are deterministic.
                assert_eq!(imported(pem, *backend).sign(b"a message").unwrap(), unhex(signature));
            }
        }
        let key = VerifyingKey::from_jwk(&without(ec_jwk(), "d")).unwrap();
        let key = key.with_backend(*backend).unwrap();
        assert_eq!(key.verify(EC_INPUT.as_bytes(), &unhex(EC_SIGNATURE)), Ok(()));
    }
}

#[test]
fn thumbprints_of_every_kind_are_those_of_rfc_7638() {
    let key = VerifyingKey::from_jwk(&without(ec_jwk(), "d")).unwrap();
    assert_eq!(key.id().as_str(), "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
    let digest = unhex("a0a232c2f194a53553cb1310ddbc0821e414b9d7ebfc290b323084d7d1020fe5");
    assert_eq!(key.thumbprint().as_slice(), digest);
    let named = key.clone().with_id("another".parse().unwrap());
    assert_eq!(named.thumbprint(), key.thumbprint());
    assert_ne!(named, key);
    assert_eq!(named.as_ed25519(), None);
    let key = SigningKey::from_jwk(&ed_jwk()).unwrap();
    assert_eq!(key.key().id().as_str(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    let point = unhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    assert_eq!(key.key().as_ed25519().unwrap().as_slice(), point);
}

#[test]
fn keys_are_generated_and_survive_export_and_import() {
    for backend in Backend::ALL {
        for algorithm in Algorithm::ALL {
            let key = match SigningKey::generate(*algorithm, *backend, &OsRandom) {
                Err(GenerateError::NoRsa(Backend::Ring)) => {
                    assert_eq!((*algorithm, *backend), (Algorithm::Rs256, Backend::Ring));
                    continue;
                }
                key => key.unwrap(),
            };
            let another = SigningKey::generate(*algorithm, *backend, &OsRandom).unwrap();
            assert_ne!(key.key(), another.key());
            assert_eq!(key.key().algorithm(), *algorithm);
            assert_eq!(key.key().backend(), *backend);
            let signature = key.sign(b"message").unwrap();
            for other in Backend::ALL {
                let back = SigningKey::from_pkcs8(&key.to_pkcs8()).unwrap();
                let back = back.with_backend(*other).unwrap();
                assert_eq!(back.key(), key.key());
                assert_eq!(back.key().verify(b"message", &signature), Ok(()));
                assert_eq!(back.to_pkcs8(), key.to_pkcs8());
            }
        }
    }
}

#[test]
fn ring_says_where_rsa_keys_come_from() {
    let error = SigningKey::generate(Algorithm::Rs256, Backend::Ring, &OsRandom).unwrap_err();
    assert_eq!(error, GenerateError::NoRsa(Backend::Ring));
    assert!(error.to_string().contains("feature `aws-lc-rs`"), "{error}");
}

#[test]
fn an_ed25519_key_is_made_of_what_the_random_source_gives() {
    #[derive(Debug)]
    struct Seed;
    impl SecureRandom for Seed {
        fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
            out.copy_from_slice(&unhex(
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            ));
            Ok(())
        }
    }
    for backend in Backend::ALL {
        let key = SigningKey::generate(Algorithm::EdDsa, *backend, &Seed).unwrap();
        assert_eq!(key.key(), SigningKey::from_jwk(&ed_jwk()).unwrap().key());
        let failed = SigningKey::generate(Algorithm::EdDsa, *backend, &Broken).unwrap_err();
        assert_eq!(failed, GenerateError::Random(RandomError));
    }
}

#[test]
fn the_export_is_what_openssl_wrote() {
    for (_, pem, _) in PAIRS {
        let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let decoded = base64(&lines);
        assert_eq!(der(pem), decoded);
    }
}

/// A decoder of its own, so that the test does not check the crate with itself.
pub(crate) fn base64(text: &str) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let value = |byte: u8| alphabet.iter().position(|one| *one == byte);
    let mut out = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for digit in text.bytes().map_while(value) {
        bits = bits << 6 | u32::try_from(digit).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    out
}

#[test]
fn keys_are_imported_from_pem_der_and_jwk() {
    for (_, pem, _) in PAIRS {
        let crlf = pem.replace('\n', "\r\n");
        let from_pem = SigningKey::from_pkcs8(pem.as_bytes()).unwrap();
        for bytes in [crlf.into_bytes(), der(pem)] {
            assert_eq!(SigningKey::from_pkcs8(&bytes).unwrap().key(), from_pem.key());
        }
    }
    for backend in Backend::ALL {
        for jwk in [ed_jwk(), ec_jwk(), rsa_jwk()] {
            let key = SigningKey::from_jwk(&jwk).unwrap().with_backend(*backend).unwrap();
            let signature = key.sign(b"message").unwrap();
            assert_eq!(key.key().verify(b"message", &signature), Ok(()));
            let named = with(jwk.clone(), "kid", "mine");
            let named = SigningKey::from_jwk(&named).unwrap().with_backend(*backend).unwrap();
            assert_eq!(named.key().id().as_str(), "mine");
            assert_eq!(named.key().thumbprint(), key.key().thumbprint());
            let public = key.key().to_jwk();
            assert!(["d", "p", "q", "dp", "dq", "qi"].iter().all(|name| public[name].is_null()));
            assert_eq!(VerifyingKey::from_jwk(&public).unwrap(), *key.key());
        }
    }
    let jwk = SigningKey::from_jwk(&rsa_jwk()).unwrap();
    assert_eq!(jwk.key(), SigningKey::from_pkcs8(RSA.as_bytes()).unwrap().key());
    assert_eq!(jwk.to_pkcs8().to_vec(), der(RSA));
}

#[test]
fn private_jwks_whose_parts_are_missing_wrong_or_of_another_key_are_refused() {
    use KeyRejected::{Malformed, NotPublic, OffCurve, PrivateKey, Unsupported};
    let other_d = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE";
    let zero = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for (jwk, expected) in [
        (with(ed_jwk(), "d", other_d), PrivateKey),
        (with(ec_jwk(), "d", other_d), PrivateKey),
        (with(ec_jwk(), "d", zero), PrivateKey),
        (with(ed_jwk(), "d", &ED_D[1..]), PrivateKey),
        (with(ed_jwk(), "d", &ED_D[..42]), Malformed),
        (with(ed_jwk(), "d", format!("{ED_D}=")), Malformed),
        (with(ec_jwk(), "d", 1), Malformed),
        (with(ec_jwk(), "x", EC_Y), OffCurve),
        (with(ec_jwk(), "x", ED_X), OffCurve),
        (with(ec_jwk(), "crv", "P-384"), Unsupported),
        (with(ec_jwk(), "alg", "ES384"), Unsupported),
        (with(ec_jwk(), "use", "enc"), Unsupported),
        (with(ec_jwk(), "key_ops", json!(["verify"])), Unsupported),
        (with(ec_jwk(), "key_ops", json!([])), Unsupported),
        (with(ec_jwk(), "key_ops", json!("sign")), Malformed),
        (with(ec_jwk(), "key_ops", json!(["sign", "sign"])), Malformed),
        (with(ec_jwk(), "key_ops", json!(["sign", 1])), Malformed),
        (without(ec_jwk(), "y"), Malformed),
        (without(ec_jwk(), "d"), Malformed),
        (without(ed_jwk(), "x"), Malformed),
        (json!({ "kty": "oct", "k": "AAAA" }), Unsupported),
        (with(rsa_jwk(), "oth", json!([])), PrivateKey),
        (with(rsa_jwk(), "qi", "AQ"), PrivateKey),
        (with(rsa_jwk(), "dp", "AQ"), PrivateKey),
        (with(rsa_jwk(), "p", rsa_jwk()["q"].clone()), PrivateKey),
        (with(rsa_jwk(), "e", "AQAD"), PrivateKey),
        (with(rsa_jwk(), "d", "AA"), Malformed),
        (with(rsa_jwk(), "d", ""), Malformed),
        (with(rsa_jwk(), "alg", "PS256"), Unsupported),
    ] {
        assert_eq!(SigningKey::from_jwk(&jwk).unwrap_err(), expected, "{jwk}");
    }
    for name in ["d", "p", "q", "dp", "dq", "qi", "n", "e"] {
        let jwk = without(rsa_jwk(), name);
        assert_eq!(SigningKey::from_jwk(&jwk).unwrap_err(), Malformed, "{name}");
    }
    // A zero that the number does not need.
    for name in ["d", "p", "q", "dp", "dq", "qi", "n", "e"] {
        let padded = format!("AAAA{}", rsa_jwk()[name].as_str().unwrap());
        let jwk = with(rsa_jwk(), name, padded);
        assert_eq!(SigningKey::from_jwk(&jwk).unwrap_err(), Malformed, "{name}");
    }
    for operations in [json!(["sign"]), json!(["sign", "verify"])] {
        assert!(SigningKey::from_jwk(&with(ec_jwk(), "key_ops", operations)).is_ok());
    }
    for private in [ed_jwk(), ec_jwk(), rsa_jwk()] {
        assert_eq!(VerifyingKey::from_jwk(&private), Err(NotPublic));
    }
}

#[test]
fn what_a_jwk_is_for_is_said_once_and_without_contradiction() {
    use KeyRejected::{Malformed, Unsupported};
    for (operations, alone, with_use) in [
        (json!(["verify"]), Ok(()), Ok(())),
        (json!(["sign", "verify"]), Ok(()), Ok(())),
        (json!(["verify", "encrypt"]), Ok(()), Err(Unsupported)),
        (json!(["verify", "another"]), Ok(()), Err(Unsupported)),
        (json!(["sign"]), Err(Unsupported), Err(Unsupported)),
        (json!([]), Err(Unsupported), Err(Unsupported)),
        (json!(["verify", "verify"]), Err(Malformed), Err(Malformed)),
        (json!(["verify", null]), Err(Malformed), Err(Malformed)),
        (json!({ "verify": true }), Err(Malformed), Err(Malformed)),
        (json!(null), Err(Malformed), Err(Malformed)),
    ] {
        let jwk = with(without(ec_jwk(), "d"), "key_ops", operations);
        assert_eq!(VerifyingKey::from_jwk(&jwk).map(|_| ()), alone, "{jwk}");
        let jwk = with(jwk, "use", "sig");
        assert_eq!(VerifyingKey::from_jwk(&jwk).map(|_| ()), with_use, "{jwk}");
    }
}

#[test]
fn a_secret_under_another_public_key_is_refused() {
    // PKCS#8 version 2 carries the public key of Ed25519 (RFC 8410 §10.3, with another seed's key).
    let seed = unhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    let own = unhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    let foreign = unhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    let version_2 = |public: &[u8]| {
        let head = unhex("3051020101300506032b657004220420");
        [&head, &seed, &unhex("812100")[..], public].concat()
    };
    assert!(SigningKey::from_pkcs8(&version_2(&own)).is_ok());
    assert_eq!(SigningKey::from_pkcs8(&version_2(&foreign)).unwrap_err(), KeyRejected::PrivateKey);
    // The point of another key at the end of P-256's.
    let (mut mixed, other) = (der(P256), SigningKey::from_jwk(&ec_jwk()).unwrap().to_pkcs8());
    let at = mixed.len() - 64;
    mixed[at..].copy_from_slice(&other[at..]);
    assert_eq!(SigningKey::from_pkcs8(&mixed).unwrap_err(), KeyRejected::PrivateKey);
}

#[test]
fn private_keys_that_are_weak_or_in_another_form_are_refused() {
    use KeyRejected::{NotPkcs8, PrivateKey, Unsupported};
    let rejected = |bytes: &[u8]| SigningKey::from_pkcs8(bytes).unwrap_err();
    assert_eq!(rejected(RSA_1024.as_bytes()), PrivateKey);
    assert_eq!(rejected(RSA_E3.as_bytes()), PrivateKey);
    // Sound keys, but not every backend signs with them.
    for pem in RSA_ODD_SIZES {
        assert_eq!(rejected(pem.as_bytes()), PrivateKey, "{pem}");
    }
    for label in ["RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "PUBLIC KEY"] {
        let pem = P256.replace("PRIVATE KEY", label);
        assert_eq!(rejected(pem.as_bytes()), NotPkcs8, "{label}");
    }
    for (_, pem, _) in PAIRS {
        let good = der(pem);
        assert_eq!(rejected(&good[..good.len() - 1]), PrivateKey);
        assert_eq!(rejected(&[&good[..], &[0]].concat()), PrivateKey);
    }
    assert_eq!(rejected(b""), PrivateKey);
    // X25519 and P-384 by their names.
    let mut x25519 = der(ED25519);
    x25519[11] = 0x6e;
    assert_eq!(rejected(&x25519), Unsupported);
    let mut p384 = der(P256);
    let at = p384.windows(8).position(|oid| oid == unhex("2a8648ce3d030107")).unwrap();
    p384[at + 7] = 0x22;
    assert_eq!(rejected(&p384), Unsupported);
}

#[test]
fn public_keys_are_read_from_spki_strictly() {
    use KeyRejected::{Malformed, NotSpki, OffCurve, Unsupported, WeakPoint};
    let ed25519 = unhex("302a300506032b6570032100");
    let point = unhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    let good = [&ed25519[..], &point].concat();
    let key = VerifyingKey::from_spki(&good).unwrap();
    assert_eq!(key.as_ed25519().unwrap().as_slice(), point);
    let rejected = |bytes: &[u8]| VerifyingKey::from_spki(bytes).unwrap_err();
    assert_eq!(rejected(&[&ed25519[..], &[0; 32]].concat()), WeakPoint);
    assert_eq!(rejected(&good[..43]), Malformed);
    assert_eq!(rejected(&[&good[..], &[0]].concat()), Malformed);
    assert_eq!(rejected(b""), Malformed);
    assert_eq!(rejected(ED25519.as_bytes()), NotSpki);
    let x25519 = good.iter().enumerate().map(|(at, byte)| if at == 8 { 0x6e } else { *byte });
    assert_eq!(rejected(&x25519.collect::<Vec<_>>()), Unsupported);
    // Bits that are not used; Ed25519 with NULL parameters (RFC 8410 §3 has none).
    let unused = good.iter().enumerate().map(|(at, byte)| if at == 11 { 1 } else { *byte });
    assert_eq!(rejected(&unused.collect::<Vec<_>>()), Malformed);
    let null = [&unhex("302c300706032b65700500032100")[..], &point].concat();
    assert_eq!(rejected(&null), Malformed);

    let public = PAIRS[1].2.lines().filter(|line| !line.starts_with('-')).collect::<String>();
    let p256 = base64(&public);
    assert!(VerifyingKey::from_spki(&p256).is_ok());
    let mut off_curve = p256.clone();
    off_curve[90] ^= 1;
    assert_eq!(rejected(&off_curve), OffCurve);
    // The same point compressed, which is one more form of one key, and infinity.
    let parity = 2 + (p256[90] & 1);
    let compressed = [
        &unhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")[..],
        &[parity],
        &p256[27..59],
    ]
    .concat();
    assert_eq!(rejected(&compressed), Malformed);
    let infinity = unhex("3019301306072a8648ce3d020106082a8648ce3d03010703020000");
    assert_eq!(rejected(&infinity), Malformed);
}

#[test]
fn ec_jwks_are_exact() {
    use KeyRejected::{Malformed, OffCurve, Unsupported};
    let good = without(ec_jwk(), "d");
    let key = VerifyingKey::from_jwk(&good).unwrap();
    assert_eq!(key.algorithm(), Algorithm::Es256);
    assert_eq!(key.to_jwk()["alg"], "ES256");
    // One byte less, one more, a leading zero, padding, bits beyond the last byte.
    let longer = format!("AAAA{EC_X}");
    for (jwk, expected) in [
        (with(good.clone(), "x", &EC_X[..42]), Malformed),
        (with(good.clone(), "x", longer), Malformed),
        (with(good.clone(), "x", format!("{EC_X}=")), Malformed),
        (with(good.clone(), "x", EC_X.replace("VEU", "VEV")), Malformed),
        (with(good.clone(), "y", EC_X), OffCurve),
        (with(good.clone(), "y", "A".repeat(43)), OffCurve),
        (with(good.clone(), "crv", "P-384"), Unsupported),
        (with(good.clone(), "crv", "secp256k1"), Unsupported),
        (with(good.clone(), "kty", "OKP"), Unsupported),
        (with(good.clone(), "alg", "ES384"), Unsupported),
        (with(good.clone(), "alg", "RS256"), Unsupported),
        (without(good.clone(), "y"), Malformed),
        (without(good.clone(), "crv"), Unsupported),
    ] {
        assert_eq!(VerifyingKey::from_jwk(&jwk), Err(expected), "{jwk}");
    }
    // RFC 9864 gives Ed25519 a name of its own.
    for (alg, fits) in [("Ed25519", true), ("EdDSA", true), ("Ed448", false), ("ES256", false)] {
        let jwk = with(without(ed_jwk(), "d"), "alg", alg);
        assert_eq!(VerifyingKey::from_jwk(&jwk).is_ok(), fits, "{alg}");
    }
}

#[test]
fn debug_output_shows_the_id_only() {
    for (_, pem, _) in PAIRS {
        let key = SigningKey::from_pkcs8(pem.as_bytes()).unwrap();
        let id = key.key().id().as_str();
        assert_eq!(format!("{key:?}"), format!("SigningKey {{ id: KeyId(\"{id}\"), .. }}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_message_round_trips_and_no_changed_signature_verifies(
        message: Vec<u8>,
        flip in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        for (_, pem, _) in PAIRS {
            for backend in Backend::ALL {
                let key = imported(pem, *backend);
                let good = key.sign(&message).unwrap();
                let mut bad = good.clone();
                bad[flip.index(good.len())] ^= 1 << bit;
                for backend in Backend::ALL {
                    let key = key.key().clone().with_backend(*backend).unwrap();
                    prop_assert_eq!(key.verify(&message, &good), Ok(()));
                    prop_assert_eq!(key.verify(&message, &bad), Err(Unverified));
                }
            }
        }
    }

    #[test]
    fn a_changed_pkcs8_key_is_refused_or_signs(
        pair in 0..2_usize,
        flip in any::<prop::sample::Index>(),
        value: u8,
    ) {
        let mut bytes = der(PAIRS[pair].1);
        let at = flip.index(bytes.len());
        bytes[at] = value;
        if let Ok(key) = SigningKey::from_pkcs8(&bytes) {
            for backend in Backend::ALL {
                let key = SigningKey::from_pkcs8(&bytes).unwrap().with_backend(*backend).unwrap();
                prop_assert_eq!(key.key().verify(b"m", &key.sign(b"m").unwrap()), Ok(()));
            }
            // One key has one encoding, up to what the reader skips: nothing in these.
            prop_assert_eq!(key.to_pkcs8().to_vec(), bytes);
        }
    }

    #[test]
    fn a_changed_spki_is_refused_or_another_key(
        pair in 0..3_usize,
        flip in any::<prop::sample::Index>(),
        value: u8,
    ) {
        let lines: String = PAIRS[pair].2.lines().filter(|line| !line.starts_with('-')).collect();
        let good = base64(&lines);
        let mut bytes = good.clone();
        bytes[flip.index(good.len())] = value;
        if let Ok(key) = VerifyingKey::from_spki(&bytes) {
            prop_assert_eq!(key == VerifyingKey::from_spki(&good).unwrap(), bytes == good);
        }
    }
}
