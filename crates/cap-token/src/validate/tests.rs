use super::*;

/// All cases of Wycheproof's JWS set. Its messages are no access tokens, so they are run against
/// what stands between the reader and the claims: form, `crit`, `kid`, `alg` and signature.
#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_wycheproof_jws() {
    let file = cap_testkit::shared("corpora/wycheproof/json_web_signature_test.json");
    let set: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let (mut accepted, mut unsupported, mut refused) = (0, 0, 0);
    for group in set["testGroups"].as_array().unwrap() {
        let jwk = group.get("public").unwrap_or(&group["private"]);
        let key = VerifyingKey::from_jwk(jwk).ok();
        for test in group["tests"].as_array().unwrap() {
            let verified = key.as_ref().is_some_and(|key| signed_by(key, &test["jws"]));
            match (test["result"].as_str().unwrap(), verified) {
                ("valid", true) => accepted += 1,
                // HMAC, elliptic curves, PSS, SHA-384 and SHA-512, and a `kid` with an `@`.
                ("valid", false) => {
                    assert!(key.is_none(), "case {}", test["tcId"]);
                    unsupported += 1;
                }
                (_, verified) => {
                    assert!(!verified, "case {}", test["tcId"]);
                    refused += 1;
                }
            }
        }
    }
    assert_eq!((accepted, unsupported, refused), (6, 40, 355));
}

fn signed_by(key: &VerifyingKey, jws: &Value) -> bool {
    let text = jws.as_str().map_or_else(|| jws.to_string(), ToOwned::to_owned);
    let validator = Validator::new("anybody").trust("issuer", key.clone());
    Compact::parse(&text).is_ok_and(|compact| validator.signers(&compact).is_ok())
}
