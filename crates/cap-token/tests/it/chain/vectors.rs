//! The published vectors.

use std::collections::BTreeSet;
use std::sync::Arc;

use cap_crypto::VerifyingKey;
use cap_token::chain::{
    ChainError, ChainPolicy, ChainVerifier, MemoryReplayStore, Presentation, TrustAnchor,
    VerifiedChain,
};
use serde_json::Value;
use serde_json::value::RawValue;

use super::support::{at, outcome};

/// What of the file must be read as text.
#[derive(serde::Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    vectors: Vec<Vector<'a>>,
}

#[derive(serde::Deserialize)]
struct Vector<'a> {
    id: String,
    now: i64,
    tool: String,
    #[serde(borrow)]
    args: &'a RawValue,
    policy: Value,
    #[serde(borrow)]
    presentation: &'a RawValue,
    expected: Expected,
}

#[derive(serde::Deserialize)]
struct Expected {
    verdict: String,
    step: Option<String>,
}

fn policy(file: &Value, vector: &Vector<'_>) -> ChainPolicy {
    let anchors = file["trust_anchors"].as_array().unwrap().iter().map(|anchor| TrustAnchor {
        issuer: anchor["iss"].as_str().unwrap().to_owned(),
        key: VerifyingKey::from_jwk(&anchor["jwk"]).unwrap(),
    });
    let mut policy =
        ChainPolicy::new(anchors).with_audience(file["params"]["audience"].as_str().unwrap());
    for (name, value) in vector.policy.as_object().unwrap() {
        policy = match name.as_str() {
            "require_pop_aud" if *value == true => policy.require_pop_aud(),
            "require_chain_aud" if *value == true => policy.require_chain_aud(),
            "nonce" => {
                let nonce = value.as_str().unwrap().to_owned();
                policy.require_nonce(Arc::new(BTreeSet::from([nonce])))
            }
            _ => panic!("unknown policy {name}"),
        };
    }
    policy
}

fn verify(
    verifier: &ChainVerifier,
    vector: &Vector<'_>,
    replay: &MemoryReplayStore,
) -> Result<VerifiedChain, ChainError> {
    let presentation = Presentation::from_json(vector.presentation.get()).unwrap();
    verifier.verify(&presentation, &vector.tool, vector.args.get(), replay, at(vector.now))
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_every_vector_of_the_suite_has_its_verdict() {
    let text = std::fs::read_to_string(cap_testkit::shared("standards/aat-02/vectors.json"));
    let text = text.unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let vectors = serde_json::from_str::<File<'_>>(&text).unwrap().vectors;
    let (mut permits, mut denials, mut other_steps) = (0, 0, 0);
    for vector in &vectors {
        let verifier = ChainVerifier::new(policy(&file, vector)).unwrap();
        // The second time the chain comes out of the cache.
        for round in ["fresh", "cached"] {
            let result = verify(&verifier, vector, &MemoryReplayStore::new(10));
            let expected = vector.expected.verdict.as_str();
            let verdict = if result.is_ok() { "PERMIT" } else { "DENY" };
            assert_eq!(verdict, expected, "{} {round}: {:?}", vector.id, result.err());
            let step = outcome(&result);
            let named = vector.expected.step.as_deref().unwrap_or("PERMIT");
            if round == "fresh" && !named.split('/').any(|name| name == step) {
                println!("{}: {step} here, {named} in the suite", vector.id);
                other_steps += 1;
            }
        }
        if vector.expected.verdict == "PERMIT" { permits += 1 } else { denials += 1 }
    }
    assert_eq!((permits, denials), (17, 52));
    println!("{other_steps} of 69 are denied at another step");
}
