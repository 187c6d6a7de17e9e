//! Tokens and proofs as texts.

use cap_crypto::{RandomError, SecureRandom, SignError, Signer, VerifyingKey};
use chrono::{DateTime, Utc};
use uuid::{Builder, Uuid};

use super::MintError;
use crate::chain::json::{self, JsonError, write_string};
use crate::chain::jws::{ALGORITHM, encode};
use crate::chain::{ENTRY_TYPE, Tools};

/// A token that is about to be signed.
pub(super) struct Token<'a> {
    pub(super) issuer: &'a str,
    pub(super) issued: i64,
    pub(super) expires: i64,
    pub(super) depth: u32,
    pub(super) max_depth: u32,
    pub(super) parent_hash: Option<&'a str>,
    pub(super) holder: &'a VerifyingKey,
    pub(super) audiences: &'a [String],
    pub(super) tools: &'a Tools,
}

impl Token<'_> {
    pub(super) fn claims(&self, jti: &str) -> Result<Members, MintError> {
        let point = self.holder.as_ed25519().ok_or(MintError::Key)?;
        let x = encode(point);
        let mut claims = Members::new();
        claims.text("jti", jti);
        claims.text("iss", self.issuer);
        claims.raw("iat", &self.issued.to_string());
        claims.raw("exp", &self.expires.to_string());
        claims.raw("del_depth", &self.depth.to_string());
        claims.raw("del_max_depth", &self.max_depth.to_string());
        claims.raw("cnf", &format!(r#"{{"jwk":{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}}}"#));
        if let Some(hash) = self.parent_hash {
            claims.text("par_hash", hash);
        }
        match self.audiences {
            [] => {}
            [one] => claims.text("aud", one),
            several => {
                let quoted: Vec<_> = several.iter().map(|audience| quoted(audience)).collect();
                claims.raw("aud", &format!("[{}]", quoted.join(",")));
            }
        }
        let mut tools = String::new();
        self.tools.write(&mut tools);
        claims.raw(
            "authorization_details",
            &format!(r#"[{{"tools":{tools},"type":"{ENTRY_TYPE}"}}]"#),
        );
        Ok(claims)
    }
}

/// The members of an object that is being written.
pub(super) struct Members(String);

impl Members {
    pub(super) fn new() -> Self {
        Self(String::from("{"))
    }

    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.raw(name, &quoted(value));
    }

    pub(super) fn raw(&mut self, name: &str, json: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&format!("\"{name}\":{json}"));
    }

    /// RFC 8785.
    pub(super) fn canonical(mut self) -> Result<String, JsonError> {
        self.0.push('}');
        json::canonical(&self.0)
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    write_string(&mut out, text);
    out
}

pub(super) fn compact(typ: &str, claims: &str, signer: &dyn Signer) -> Result<String, SignError> {
    let header = format!(r#"{{"alg":"{ALGORITHM}","typ":"{typ}"}}"#);
    let input = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
    let signature = signer.sign(input.as_bytes())?;
    Ok(format!("{input}.{}", encode(&signature)))
}

/// A UUIDv7 (RFC 9562 §5.7), lower case with hyphens.
pub(super) fn unique_id(
    random: &dyn SecureRandom,
    now: DateTime<Utc>,
) -> Result<String, RandomError> {
    let mut bytes = [0; 10];
    random.fill(&mut bytes)?;
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
    let id = Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid();
    Ok(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).to_owned())
}
