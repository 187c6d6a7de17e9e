//! Chains that are built claim by claim, so that each can be wrong in one place.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cap_crypto::{RandomError, SecureRandom, Signer, SigningKey};
use cap_token::chain::{
    ChainError, ChainPolicy, ChainVerifier, Presentation, ReplayStore, TrustAnchor, Untracked,
    VerifiedChain,
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) const NOW: i64 = 1_704_067_500;
pub(crate) const ISSUER: &str = "https://auth.example.com";
pub(crate) const RSA: &str = include_str!("../../fixtures/rsa-2048.pem");
pub(crate) const AUDIENCE: &str = "https://tools.example.com";
pub(crate) const TOOL: &str = "read_file";
pub(crate) const TOKEN_HEADER: &str = r#"{"alg":"Ed25519","typ":"aat+jwt"}"#;
pub(crate) const PROOF_HEADER: &str = r#"{"alg":"Ed25519","typ":"aat-pop+jwt"}"#;

/// Other bytes on each call.
#[derive(Debug)]
pub(crate) struct Counting(AtomicU64);

pub(crate) static RANDOM: Counting = Counting(AtomicU64::new(1));

impl SecureRandom for Counting {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        let next = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        out.iter_mut().rev().zip(next.into_iter().rev()).for_each(|(out, byte)| *out = byte);
        Ok(())
    }
}

pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

/// Number 1 is the anchor's, number i + 2 that of the holder of token i.
pub(crate) fn key(number: u8) -> SigningKey {
    SigningKey::from_ed25519_seed(&[number; 32]).unwrap()
}

pub(crate) fn x(number: u8) -> String {
    base64(key(number).key().as_ed25519().unwrap())
}

pub(crate) fn jwk(number: u8) -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": x(number)})
}

pub(crate) fn thumbprint(number: u8) -> String {
    base64(&key(number).key().thumbprint())
}

pub(crate) fn uri(number: u8) -> String {
    format!("urn:ietf:params:oauth:jwk-thumbprint:sha-256:{}", thumbprint(number))
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn hash(token: &str) -> String {
    base64(&cap_crypto::sha256(token.rsplit_once('.').unwrap().0.as_bytes()))
}

pub(crate) fn sign(header: &str, payload: &str, signer: u8) -> String {
    let input = format!("{}.{}", base64(header.as_bytes()), base64(payload.as_bytes()));
    let signature = key(signer).sign(input.as_bytes()).unwrap();
    format!("{input}.{}", base64(&signature))
}

pub(crate) fn anchor(issuer: &str, number: u8) -> TrustAnchor {
    TrustAnchor { issuer: issuer.to_owned(), key: key(number).key().clone() }
}

pub(crate) fn policy() -> ChainPolicy {
    ChainPolicy::new([anchor(ISSUER, 1)]).with_audience(AUDIENCE)
}

pub(crate) fn entry(tools: Value) -> Value {
    json!([{"type": "attenuating_agent_token", "tools": tools}])
}

/// `read_file`, whose `path` is anything.
pub(crate) fn tools() -> Value {
    json!({"read_file": {"path": {"constraint_type": "wildcard"}}})
}

/// A presentation in the making, with the call. As it is made, it is permitted.
pub(crate) struct Case {
    pub(crate) headers: Vec<String>,
    pub(crate) claims: Vec<Value>,
    pub(crate) signers: Vec<u8>,
    pub(crate) proof_header: String,
    pub(crate) proof: Value,
    pub(crate) proof_signer: u8,
    pub(crate) tool: String,
    pub(crate) args: String,
    pub(crate) policy: ChainPolicy,
    pub(crate) now: DateTime<Utc>,
    replacements: Vec<(Option<usize>, String, String)>,
}

impl Case {
    /// A chain of so many tokens.
    pub(crate) fn of(tokens: usize) -> Self {
        let holder = |at: usize| u8::try_from(at + 2).unwrap();
        let claims = (0..tokens).map(|at| {
            let mut claims = json!({
                "jti": format!("token-{at}"),
                "iss": if at == 0 { ISSUER.to_owned() } else { uri(holder(at - 1)) },
                "iat": NOW - 300,
                "exp": NOW + 3300,
                "del_depth": at,
                "del_max_depth": 8,
                "cnf": {"jwk": jwk(holder(at))},
                "authorization_details": entry(tools()),
            });
            if at > 0 {
                claims["par_hash"] = "auto".into();
            }
            claims
        });
        Self {
            claims: claims.collect(),
            headers: vec![TOKEN_HEADER.to_owned(); tokens],
            signers: (0..tokens).map(|at| u8::try_from(at + 1).unwrap()).collect(),
            proof_header: PROOF_HEADER.to_owned(),
            proof: json!({
                "jti": "proof-1", "iat": NOW, "aat_id": "auto", "aat_hash": "auto",
                "aat_tool": TOOL, "hta": {"path": "/a"},
            }),
            proof_signer: u8::try_from(tokens + 1).unwrap(),
            tool: TOOL.to_owned(),
            args: r#"{"path":"/a"}"#.to_owned(),
            policy: policy(),
            now: at(NOW),
            replacements: Vec::new(),
        }
    }

    /// One token whose constraint map for the tool is this; the call has these arguments.
    pub(crate) fn call(map: Value, args: &str) -> Self {
        Self::of(1).tools(0, json!({"read_file": map})).args(args)
    }

    /// Two tokens with these constraint maps.
    pub(crate) fn narrowing(parent: Value, child: Value) -> Self {
        Self::of(2).tools(0, json!({"read_file": parent})).tools(1, json!({"read_file": child}))
    }

    pub(crate) fn tools(mut self, token: usize, tools: Value) -> Self {
        self.claims[token]["authorization_details"] = entry(tools);
        self
    }

    /// The call, and the proof with it.
    pub(crate) fn args(mut self, args: &str) -> Self {
        self.args = args.to_owned();
        self.proof["hta"] = "ARGS".into();
        self.replace_proof("\"ARGS\"", args)
    }

    pub(crate) fn claim(mut self, token: usize, name: &str, value: impl Into<Value>) -> Self {
        self.claims[token][name] = value.into();
        self
    }

    pub(crate) fn without(mut self, token: usize, name: &str) -> Self {
        self.claims[token].as_object_mut().unwrap().remove(name).unwrap();
        self
    }

    pub(crate) fn header(mut self, token: usize, header: &str) -> Self {
        self.headers[token] = header.to_owned();
        self
    }

    pub(crate) fn proof(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.proof[name] = value.into();
        self
    }

    pub(crate) fn without_proof(mut self, name: &str) -> Self {
        self.proof.as_object_mut().unwrap().remove(name).unwrap();
        self
    }

    pub(crate) fn policy(mut self, change: impl FnOnce(ChainPolicy) -> ChainPolicy) -> Self {
        self.policy = change(self.policy);
        self
    }

    /// Another text in the payload of a token, before it is signed.
    pub(crate) fn replace(mut self, token: usize, from: &str, to: &str) -> Self {
        self.replacements.push((Some(token), from.to_owned(), to.to_owned()));
        self
    }

    /// Another text in the payload of the proof, before it is signed.
    pub(crate) fn replace_proof(mut self, from: &str, to: &str) -> Self {
        self.replacements.push((None, from.to_owned(), to.to_owned()));
        self
    }

    fn payload(&self, claims: &Value, token: Option<usize>) -> String {
        let mut text = claims.to_string();
        for (_, from, to) in self.replacements.iter().filter(|(at, ..)| *at == token) {
            assert!(text.contains(from.as_str()), "{from} is not in {text}");
            text = text.replacen(from.as_str(), to, 1);
        }
        text
    }

    pub(crate) fn chain(&self) -> Vec<String> {
        let mut chain: Vec<String> = Vec::new();
        for (at, claims) in self.claims.iter().enumerate() {
            let mut claims = claims.clone();
            if claims.get("par_hash").is_some_and(|hash| hash == "auto") {
                claims["par_hash"] = hash(&chain[at - 1]).into();
            }
            let payload = self.payload(&claims, Some(at));
            chain.push(sign(&self.headers[at], &payload, self.signers[at]));
        }
        chain
    }

    pub(crate) fn presentation(&self) -> Presentation {
        let chain = self.chain();
        let mut proof = self.proof.clone();
        if let (Some(leaf), Some(claims)) = (chain.last(), self.claims.last()) {
            if proof.get("aat_id").is_some_and(|id| id == "auto") {
                proof["aat_id"] = claims["jti"].clone();
            }
            if proof.get("aat_hash").is_some_and(|hash| hash == "auto") {
                proof["aat_hash"] = hash(leaf).into();
            }
        }
        let payload = self.payload(&proof, None);
        let proof = sign(&self.proof_header, &payload, self.proof_signer);
        Presentation { aat_chain: chain, aat_pop: proof }
    }

    pub(crate) fn run(&self) -> Result<VerifiedChain, ChainError> {
        self.run_with(&Untracked)
    }

    pub(crate) fn run_with(&self, replay: &dyn ReplayStore) -> Result<VerifiedChain, ChainError> {
        self.present(&self.presentation(), replay)
    }

    pub(crate) fn present(
        &self,
        presentation: &Presentation,
        replay: &dyn ReplayStore,
    ) -> Result<VerifiedChain, ChainError> {
        let verifier = ChainVerifier::new(self.policy.clone()).unwrap();
        verifier.verify(presentation, &self.tool, &self.args, replay, self.now)
    }

    pub(crate) fn outcome(&self) -> &'static str {
        outcome(&self.run())
    }

    #[track_caller]
    pub(crate) fn is_permitted(&self) {
        assert_eq!(self.outcome(), "PERMIT");
    }

    #[track_caller]
    pub(crate) fn is_denied_at(&self, step: &str) {
        assert_eq!(self.outcome(), step, "{:?}", self.run().err());
    }
}

pub(crate) fn outcome(result: &Result<VerifiedChain, ChainError>) -> &'static str {
    match result {
        Ok(_) => "PERMIT",
        Err(error) => error.step().as_str(),
    }
}
