//! One block of PEM (RFC 7468), strict: no text around it, no headers, one label.

use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::decode_wiped;

/// Why a text is not the block that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PemError {
    /// It is another kind of block, or there is text before or after it.
    Label,
    /// What is between the lines is not base64.
    Base64,
}

/// The DER bytes of a PEM text with this label; bytes that are no PEM are DER already.
pub(crate) fn der(bytes: &[u8], label: &str) -> Result<Zeroizing<Vec<u8>>, PemError> {
    match std::str::from_utf8(bytes).map(str::trim) {
        Ok(text) if text.starts_with("-----BEGIN ") => decode(text, label),
        _ => Ok(Zeroizing::new(bytes.to_vec())),
    }
}

fn decode(text: &str, label: &str) -> Result<Zeroizing<Vec<u8>>, PemError> {
    let body = text
        .strip_prefix(format!("-----BEGIN {label}-----").as_str())
        .and_then(|rest| rest.strip_suffix(format!("-----END {label}-----").as_str()))
        .ok_or(PemError::Label)?;
    let mut base64 = Zeroizing::new(String::with_capacity(body.len()));
    base64.extend(body.split_ascii_whitespace());
    decode_wiped(&STANDARD, &base64).ok_or(PemError::Base64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_block_of_the_label_and_nothing_around_it() {
        let good = "-----BEGIN PUBLIC KEY-----\nAAEC\nAwQ=\n-----END PUBLIC KEY-----\n";
        assert_eq!(der(good.as_bytes(), "PUBLIC KEY").unwrap().as_slice(), [0, 1, 2, 3, 4]);
        assert_eq!(der(b"\x30\x00", "PUBLIC KEY").unwrap().as_slice(), [0x30, 0]);
        assert_eq!(der(good.as_bytes(), "PRIVATE KEY"), Err(PemError::Label));
        for (bad, why) in [
            (format!("{good}text"), PemError::Label),
            (good.repeat(2), PemError::Base64),
            (good.replace("AwQ=", "AwQ"), PemError::Base64),
            (good.replace("AAEC", "Proc-Type: 4,ENCRYPTED"), PemError::Base64),
        ] {
            assert_eq!(der(bad.as_bytes(), "PUBLIC KEY"), Err(why), "{bad}");
        }
    }
}
