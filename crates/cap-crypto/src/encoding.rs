//! Base64url without padding, canonical only (RFC 4648 §5 and §3.5); and, for keys, DER and PEM.

pub(crate) mod der;
pub(crate) mod pem;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// `None` for padding, other alphabets, white space, and bits set beyond the last byte: one value
/// has one text.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// As [`decode`], for exactly `N` bytes.
pub(crate) fn decode_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    decode(text)?.try_into().ok()
}

/// As [`encode`], in memory that is wiped when it is dropped.
pub(crate) fn encode_secret(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(encode(bytes))
}

/// As [`decode`], in memory that is wiped when it is dropped.
pub(crate) fn decode_secret(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    decode_wiped(&URL_SAFE_NO_PAD, text)
}

/// What the text says, in memory that is wiped when it is dropped, also what was decoded of it before
/// a fault.
fn decode_wiped(engine: &impl Engine, text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.len())]);
    let length = engine.decode_slice(text, &mut bytes).ok()?;
    bytes.truncate(length);
    Some(bytes)
}
