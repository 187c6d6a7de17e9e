use super::json::members;
use super::*;

const HEADER: &str = "eyJhIjoxfQ"; // {"a":1}
const CLAIMS: &str = "eyJiIjoyfQ"; // {"b":2}

fn refused(token: &str) -> MalformedToken {
    let read = |token| {
        let compact = Compact::split(token)?;
        members(&compact.header_text()?, Part::Header)?;
        compact.signature()?;
        members(&compact.claims_text()?, Part::Claims)
    };
    read(token).unwrap_err()
}

fn of_header(json: &[u8]) -> MalformedToken {
    refused(&format!("{}.{CLAIMS}.AA", URL_SAFE_NO_PAD.encode(json)))
}

#[test]
fn a_compact_token_is_taken_apart() {
    let token = format!("{HEADER}.{CLAIMS}.AQI");
    let compact = Compact::split(&token).unwrap();
    assert_eq!(compact.signing_input, format!("{HEADER}.{CLAIMS}"));
    assert_eq!(compact.header_text().unwrap(), r#"{"a":1}"#);
    assert_eq!(compact.claims_text().unwrap(), r#"{"b":2}"#);
    assert_eq!(compact.verified_claims_text().unwrap(), r#"{"b":2}"#);
    assert_eq!(compact.signature().unwrap(), [1, 2]);
    let mut built = encode(br#"{"a":1}"#);
    append(&mut built, br#"{"b":2}"#);
    append(&mut built, &[1, 2]);
    assert_eq!(built, token);
}

#[test]
fn every_value_has_one_text() {
    use MalformedToken::Encoding;
    use Part::{Claims, Header, Signature};
    for (token, expected) in [
        // Bits beyond the last byte: `AR` and `AS` would decode to the byte of `AQ`.
        (format!("{HEADER}.{CLAIMS}.AR"), Encoding(Signature)),
        (format!("{HEADER}.eyJiIjoyfR.AA"), Encoding(Claims)),
        (format!("eyJhIjoxfR.{CLAIMS}.AA"), Encoding(Header)),
        (format!("{HEADER}.{CLAIMS}.AA=="), Encoding(Signature)),
        (format!("{HEADER}.{CLAIMS}.A"), Encoding(Signature)),
        (format!("{HEADER}.{CLAIMS}.+/8A"), Encoding(Signature)),
        (format!("{HEADER}.{CLAIMS}.A A"), Encoding(Signature)),
        (format!("{HEADER}.{CLAIMS}.AA\n"), Encoding(Signature)),
        (format!("{HEADER}.{CLAIMS}.Ａ"), Encoding(Signature)),
        (format!("{HEADER}.{CLAIMS}\0.AA"), Encoding(Claims)),
        (format!(" {HEADER}.{CLAIMS}.AA"), Encoding(Header)),
    ] {
        assert_eq!(refused(&token), expected, "{token:?}");
    }
}

#[test]
fn a_part_is_one_json_object_without_twins() {
    use MalformedToken::{Duplicate, NotJson};
    for json in [
        &b""[..],
        b"null",
        b"1",
        b"\"a\"",
        b"[]",
        b"[{}]",
        b"{",
        b"{}{}",
        b"{} x",
        b"{}\0",
        b"\xef\xbb\xbf{}",
        b"{a:1}",
        b"{'a':1}",
        b"{\"a\":1,}",
        b"{\"a\":NaN}",
        b"{\"a\":1e400}",
        b"{\"a\":\"\xff\"}",
        b"{\"a\":\"\\ud800\"}",
        b"{\"a\":01}",
        b"/**/{}",
    ] {
        assert_eq!(of_header(json), NotJson(Part::Header), "{:?}", String::from_utf8_lossy(json));
    }
    for json in [
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"x":{"a":1,"b":2,"a":3}}"#,
        r#"{"x":[1,[{"":1,"":1}]]}"#,
    ] {
        assert_eq!(of_header(json.as_bytes()), Duplicate(Part::Header), "{json}");
    }
}

#[test]
fn the_bound_of_the_depth_is_exact_and_keeps_the_stack_small() {
    let nested = |levels: usize, open: &str, close: &str| {
        let json = format!("{}{}", open.repeat(levels), close.repeat(levels));
        members(&format!(r#"{{"a":{json}}}"#), Part::Claims).map(drop)
    };
    assert_eq!(nested(31, "[", "]"), Ok(()));
    assert_eq!(nested(32, "[", "]"), Err(MalformedToken::TooDeep(Part::Claims)));
    assert_eq!(nested(15, r#"[{"a":"#, "}]"), Err(MalformedToken::NotJson(Part::Claims)));
    assert_eq!(nested(16, r#"[{"a":"#, "}]"), Err(MalformedToken::TooDeep(Part::Claims)));
    assert_eq!(nested(5000, "[", ""), Err(MalformedToken::TooDeep(Part::Claims)));
}

#[test]
fn the_bound_of_the_size_is_exact_and_comes_first() {
    let read = |token: &str| Compact::split(token).and_then(|compact| compact.signature());
    let padded = |bytes: usize| {
        let rest = bytes - HEADER.len() - CLAIMS.len() - 2;
        format!("{HEADER}.{CLAIMS}.{}", "A".repeat(rest))
    };
    assert!(read(&padded(MAX_TOKEN_BYTES)).is_ok());
    assert_eq!(refused(&padded(MAX_TOKEN_BYTES + 4)), MalformedToken::TooLarge);
    assert_eq!(refused(&".".repeat(MAX_TOKEN_BYTES + 1)), MalformedToken::TooLarge);
    let header = |chars: usize| format!("{}.{CLAIMS}.AA", "A".repeat(chars));
    assert!(read(&header(MAX_HEADER_CHARS)).is_ok());
    assert_eq!(refused(&header(MAX_HEADER_CHARS + 1)), MalformedToken::TooLarge);
}

#[test]
fn both_decoders_of_the_payload_are_one() {
    let good: Vec<u8> = (0..=255).cycle().take(300).collect();
    for bytes in 0..good.len() {
        let encoded = encode(&good[..bytes]);
        assert_eq!(decode_verified(&encoded).unwrap(), &good[..bytes]);
    }
    let encoded = encode(&good);
    for at in 0..encoded.len() {
        for byte in 0..=0x7f_u8 {
            let mut other = encoded.clone().into_bytes();
            other[at] = byte;
            let other = String::from_utf8(other).unwrap();
            assert_eq!(decode_verified(&other), URL_SAFE_NO_PAD.decode(&other), "{other:?}");
        }
        let cut = encoded.get(at..).unwrap();
        assert_eq!(decode_verified(cut), URL_SAFE_NO_PAD.decode(cut));
    }
    for other in ["A", "AR", "AAB", "AA=", "AA==", "AAA=", "é", " AAA", "AAAA\n"] {
        let long = format!("{encoded}{other}");
        assert_eq!(decode_verified(other), URL_SAFE_NO_PAD.decode(other), "{other:?}");
        assert_eq!(decode_verified(&long), URL_SAFE_NO_PAD.decode(&long), "{other:?}");
    }
}
