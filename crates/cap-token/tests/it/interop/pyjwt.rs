//! Both ways with PyJWT, over the cryptography of Python.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cap_token::{DEFAULT_TTL, Issuer, Validator, inspect};
use serde_json::{Value, json};

use super::today;
use crate::support::{
    ALGORITHMS, AUDIENCE, Bench, Fixed, ISSUER, attacker, delegated, granted, keys, signing_key,
};

const SCRIPT: &str = include_str!("pyjwt.py");

/// The Python that `cargo xtask test` installs, which has PyJWT.
fn python(plan: &Value) -> Value {
    let Some(folder) = std::env::var_os("MCP_SECURITY_E2E") else {
        panic!("MCP_SECURITY_E2E names no folder: run these tests with `cargo xtask test`");
    };
    let mut child = Command::new(Path::new(&folder).join("py/bin/python"))
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(plan.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "see above what Python says");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn pem(der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<_> = body.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_tokens_verify_with_pyjwt_and_those_of_pyjwt_verify_here() {
    let now = today();
    let root = granted(now);
    let child = delegated(&root, 2, "bob");
    let plan = |part: &dyn Fn(cap_crypto::Algorithm) -> Vec<Value>| -> Vec<Value> {
        ALGORITHMS.into_iter().flat_map(part).collect()
    };
    let tokens = |algorithm| {
        let keys = keys(algorithm);
        let issuer = Issuer::new(ISSUER, AUDIENCE, &keys);
        [
            issuer.issue(&root, &[], DEFAULT_TTL, &Fixed(7), now).unwrap(),
            issuer.issue(&child, &[root.id()], DEFAULT_TTL, &Fixed(8), now).unwrap(),
        ]
    };
    let verify = plan(&|algorithm| {
        let jwk = keys(algorithm).active_key().to_jwk();
        let case = |token| json!({ "jwk": jwk, "alg": algorithm.as_str(), "token": token });
        tokens(algorithm).map(case).to_vec()
    });
    let refuse = plan(&|algorithm| {
        let other = attacker(algorithm).active_key();
        if other.algorithm() != algorithm {
            return Vec::new();
        }
        let [token, _] = tokens(algorithm);
        vec![json!({ "jwk": other.to_jwk(), "alg": algorithm.as_str(), "token": token })]
    });
    let sign = plan(&|algorithm| {
        let [token, _] = tokens(algorithm);
        let read = inspect(&token).unwrap();
        let header = json!({ "typ": "at+jwt", "kid": keys(algorithm).active() });
        let pem = pem(&signing_key(algorithm).to_pkcs8());
        let alg = algorithm.as_str();
        vec![json!({ "claims": read.claims(), "header": header, "pem": pem, "alg": alg })]
    });
    assert_eq!((verify.len(), refuse.len(), sign.len()), (6, 2, 3));
    let answer = python(&json!({
        "issuer": ISSUER, "audience": AUDIENCE, "verify": verify, "refuse": refuse, "sign": sign,
    }));

    for (case, read) in verify.iter().zip(answer["verified"].as_array().unwrap()) {
        let ours = inspect(case["token"].as_str().unwrap()).unwrap();
        assert_eq!(json!(ours.header()), read["header"]);
        assert_eq!(json!(ours.claims()), read["claims"]);
    }
    assert_eq!(answer["verified"].as_array().unwrap().len(), verify.len());
    assert_eq!(answer["refused"], json!(["InvalidSignatureError", "InvalidSignatureError"]));
    let signed = answer["signed"].as_array().unwrap();
    assert_eq!(signed.len(), ALGORITHMS.len());
    for (algorithm, token) in ALGORITHMS.into_iter().zip(signed) {
        let bench = Bench::of(algorithm);
        let read = bench.validator().validate(token.as_str().unwrap(), now).unwrap();
        assert_eq!(read.capability(), &root);
        let nobody = Validator::new(AUDIENCE).validate(token.as_str().unwrap(), now);
        assert!(nobody.is_err());
    }
}
