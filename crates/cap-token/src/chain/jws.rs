//! Compact JWS (RFC 7515 §7.1) with an Ed25519 signature, read strictly.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cap_crypto::VerifyingKey;

use super::TOKEN_TYPE;
use super::json::{self, Object};

/// The one algorithm (RFC 9864). `EdDSA`, which names no curve, must not be used (AAT-02 §9.12).
pub(super) const ALGORITHM: &str = "Ed25519";

/// `{"alg":"Ed25519","typ":"aat+jwt"}`.
const USUAL_TOKEN_HEADER: &str = "eyJhbGciOiJFZDI1NTE5IiwidHlwIjoiYWF0K2p3dCJ9";
/// `{"alg":"Ed25519","typ":"aat-pop+jwt"}`.
const USUAL_PROOF_HEADER: &str = "eyJhbGciOiJFZDI1NTE5IiwidHlwIjoiYWF0LXBvcCtqd3QifQ";

/// A text taken apart; nothing in it is verified.
#[derive(Clone, Copy)]
pub(super) struct Jws<'a> {
    /// What the signature covers, as it was presented.
    pub(super) signing_input: &'a str,
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Jws<'a> {
    pub(super) fn split(text: &'a str) -> Option<Self> {
        let (signing_input, signature) = text.rsplit_once('.')?;
        let (header, payload) = signing_input.split_once('.')?;
        // Every byte is looked at, which is faster than to search one.
        let compact = !payload.bytes().fold(false, |dot, byte| dot | (byte == b'.'));
        compact.then_some(Self { signing_input, header, payload, signature })
    }

    /// Steps 3a, 4a and 7a but for the key: what is wrong with the header, if anything is.
    pub(super) fn check_header(&self, typ: &str) -> Result<(), &'static str> {
        // As everybody writes it.
        let usual = match typ {
            TOKEN_TYPE => USUAL_TOKEN_HEADER,
            _ => USUAL_PROOF_HEADER,
        };
        if self.header == usual {
            return Ok(());
        }
        let text = decode_text(self.header).ok_or("the header is not base64url of UTF-8")?;
        let header = json::parse(&text).map_err(|_| "the header is not strict JSON")?;
        let header = header.as_object().ok_or("the header is not an object")?;
        // SECURITY: no extension is understood, so that everything critical is refused. Keys in
        // the header (`jwk`, `jku`, `x5c`, `x5u`) and `kid` are never looked at.
        if header.get("crit").is_some() {
            return Err("the header has `crit`");
        }
        if !is(header, "alg", ALGORITHM) {
            return Err("`alg` is not `Ed25519`");
        }
        if !is(header, "typ", typ) {
            return Err("`typ` is missing or another one");
        }
        Ok(())
    }

    /// The payload as text.
    pub(super) fn payload(&self) -> Option<String> {
        decode_text(self.payload)
    }

    pub(super) fn is_signed_by(&self, key: &VerifyingKey) -> bool {
        let signature = URL_SAFE_NO_PAD.decode(self.signature);
        signature.is_ok_and(|it| key.verify(self.signing_input.as_bytes(), &it).is_ok())
    }

    /// base64url(SHA-256(signing input)): `par_hash` of a child, `aat_hash` of a proof.
    pub(super) fn hash(&self) -> String {
        sha256_text(self.signing_input)
    }
}

/// base64url(SHA-256(text)).
fn sha256_text(text: &str) -> String {
    encode(&cap_crypto::sha256(text.as_bytes()))
}

pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Refuses padding, white space, other alphabets, and bits set beyond the last byte.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn decode_text(text: &str) -> Option<String> {
    String::from_utf8(decode(text)?).ok()
}

fn is(header: &Object<'_>, name: &str, value: &str) -> bool {
    header.get(name).and_then(|it| it.as_str()) == Some(value)
}
