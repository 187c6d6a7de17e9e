//! `jsonwebtoken` over aws-lc-rs: the same claims, by serde into types of their own. Keys, header
//! and what is to be validated are made once. It asks about issuer, audience, `exp` and `nbf`;
//! neither about revocation, nor whether the claims are a capability.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use cap_crypto::{Algorithm, Signer as _, SigningKey};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::token::tokens::{AUDIENCE, ISSUER};

pub struct Jsonwebtoken {
    header: Header,
    claims: Claims,
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

#[derive(Serialize, Deserialize)]
pub struct Claims {
    iss: String,
    sub: String,
    aud: String,
    client_id: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
    authorization_details: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    r#type: String,
    chain: String,
    exp: i64,
    resource: String,
    actions: Vec<String>,
    constraints: Constraints,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Constraints {
    allowed_extensions: Vec<String>,
    allowed_tools: Vec<String>,
    max_file_size: u64,
    paths: Vec<String>,
}

impl Jsonwebtoken {
    /// Encodes the claims of `token`, one of ours, with this key.
    pub fn new(key: &SigningKey, token: &str) -> Self {
        let ours = cap_token::inspect(token).expect("a token");
        let claims = serde_json::Value::Object(ours.claims().clone());
        let claims: Claims = serde_json::from_value(claims).expect("the claims");
        let again = serde_json::to_value(&claims).expect("JSON");
        assert_eq!(again.as_object(), Some(ours.claims()), "the same claims");

        let algorithm = algorithm(key.key().algorithm());
        let mut header = Header::new(algorithm);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(key.key().id().to_string());
        let mut validation = Validation::new(algorithm);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = 300;
        Self { header, claims, encoding: private(key), decoding: public(key), validation }
    }

    pub fn decode(&self, token: &str) -> Option<Claims> {
        let decoded = jsonwebtoken::decode(token, &self.decoding, &self.validation);
        decoded.ok().map(|decoded| decoded.claims)
    }

    pub fn encode(&self) -> String {
        jsonwebtoken::encode(&self.header, &self.claims, &self.encoding).expect("a token")
    }
}

fn algorithm(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
        _ => jsonwebtoken::Algorithm::EdDSA,
    }
}

fn private(key: &SigningKey) -> EncodingKey {
    let pkcs8 = key.to_pkcs8();
    match key.key().algorithm() {
        Algorithm::Es256 => EncodingKey::from_ec_der(&pkcs8),
        // The PKCS#1 key inside the PKCS#8, whose header has 26 bytes.
        Algorithm::Rs256 => EncodingKey::from_rsa_der(&pkcs8[26..]),
        _ => {
            // In version 2, which has the public key, too.
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8).expect("a key");
            EncodingKey::from_ed_der(pair.to_pkcs8().expect("a document").as_ref())
        }
    }
}

fn public(key: &SigningKey) -> DecodingKey {
    if key.key().algorithm() == Algorithm::Rs256 {
        let pair = RsaKeyPair::from_pkcs8(&key.to_pkcs8()).expect("a key");
        return DecodingKey::from_rsa_der(pair.public_key().as_ref());
    }
    let jwk: Jwk = serde_json::from_value(key.key().to_jwk()).expect("a JWK");
    DecodingKey::from_jwk(&jwk).expect("a key")
}
