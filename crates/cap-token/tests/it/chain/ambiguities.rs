//! Where AAT-02 can be read in two ways, the strict reading (the table in `docs/protocol.md`).

use cap_token::chain::{ChainPolicy, JsonError, MAX_PRESENTATION_BYTES, Presentation, Untracked};
use serde_json::{Value, json};

use super::support::{AUDIENCE, Case, ISSUER, NOW, anchor, base64, entry, jwk, outcome, tools};

#[test]
fn a1_big_integers_are_judged_by_the_text_of_their_double() {
    let case = |number: &str| Case::call(json!({}), &format!(r#"{{"n":{number}}}"#));
    case("1152921504606846976").is_denied_at("6b"); // 2^60
    case("9223372036854775808").is_denied_at("6b"); // 2^63
    case("18446744073709551616").is_denied_at("6b"); // 2^64
    case("100000000000000000000000").is_permitted(); // 10^23
    case("1152921504606847000").is_permitted();
}

#[test]
fn a2_the_arguments_of_the_proof_are_admissible_too() {
    let mut case = Case::call(json!({}), r#"{"n":9007199254740993}"#);
    case.args = r#"{"n":9007199254740992}"#.to_owned();
    case.is_denied_at("7f");
}

#[test]
fn a3_no_object_anywhere_has_two_members_of_one_name() {
    for header in [
        r#"{"alg":"Ed25519","typ":"aat+jwt","typ":"aat+jwt"}"#,
        r#"{"alg":"EdDSA","alg":"Ed25519","typ":"aat+jwt"}"#,
        r#"{"alg":"Ed25519","\u0061lg":"Ed25519","typ":"aat+jwt"}"#,
        r#"{"alg":"Ed25519","typ":"aat+jwt","x":{"a":1,"a":1}}"#,
    ] {
        Case::of(1).header(0, header).is_denied_at("3a");
    }
    for args in [r#"{"path":"/a","path":"/a"}"#, r#"{"path":"/a","p\u0061th":"/b"}"#] {
        let mut case = Case::of(1);
        case.args = args.to_owned();
        case.is_denied_at("6b");
    }
    let nested = r#"{"path":[{"a":1,"a":1}]}"#;
    let mut case = Case::of(1);
    case.args = nested.to_owned();
    case.is_denied_at("6b");
    let good = Case::of(1).presentation().to_json();
    let twice = good.replacen('{', r#"{"aat_pop":"x","#, 1);
    assert_eq!(Presentation::from_json(&twice), Err(JsonError::Duplicate));
}

#[test]
fn a4_integers_are_those_of_64_bits_and_zero_has_no_sign() {
    let with = |text: &str| Case::of(1).claim(0, "del_depth", "X").replace(0, "\"X\"", text);
    with("0").is_permitted();
    with("-0").is_denied_at("3c");
    let with = |text: &str| Case::of(1).claim(0, "exp", "X").replace(0, "\"X\"", text);
    with("-1").is_denied_at("3e");
    with("9223372036854775808").is_denied_at("3b");
    with("-9223372036854775809").is_denied_at("3b");
}

#[test]
fn a5_an_audience_of_the_proof_is_one_string() {
    for wrong in [json!(null), json!([]), json!([AUDIENCE]), json!(""), json!(7), json!({})] {
        Case::of(1).proof("aat_aud", wrong.clone()).is_denied_at("7d");
        let required = |policy: ChainPolicy| policy.require_pop_aud();
        Case::of(1).proof("aat_aud", wrong).policy(required).is_denied_at("7d");
    }
}

#[test]
fn a7_arguments_are_the_text_of_one_object() {
    for wrong in
        ["", "null", "[]", "7", "\"{}\"", "{}{}", "{} x", "\u{feff}{}", "{\"a\":1,}", "{'a':1}"]
    {
        let mut case = Case::call(json!({}), "{}");
        case.args = wrong.to_owned();
        case.is_denied_at("6b");
    }
    let mut case = Case::call(json!({}), "{}");
    case.args = " \t\r\n{ } ".to_owned();
    case.is_permitted();
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(262_144));
    case.args = long;
    case.is_denied_at("6b");
}

#[test]
fn a8_kid_selects_nothing() {
    for kid in [json!("unknown"), json!(7), json!(null), json!("../../key")] {
        let header = json!({"alg": "Ed25519", "typ": "aat+jwt", "kid": kid});
        Case::of(2).header(0, &header.to_string()).header(1, &header.to_string()).is_permitted();
    }
    // Two issuers that share a key, in either order.
    for order in [[ISSUER, "urn:other"], ["urn:other", ISSUER]] {
        let anchors = order.map(|issuer| anchor(issuer, 1));
        Case::of(1).policy(|_| ChainPolicy::new(anchors)).is_permitted();
    }
}

#[test]
fn a9_the_type_is_compared_byte_for_byte() {
    for typ in ["AAT+JWT", "application/aat+jwt", "aat+jwt ", "at+jwt"] {
        let header = json!({"alg": "Ed25519", "typ": typ}).to_string();
        Case::of(1).header(0, &header).is_denied_at("3a");
        let mut case = Case::of(1);
        case.proof_header = header.replace("aat+jwt", "aat-pop+jwt").replace("AAT+", "AAT-POP+");
        case.is_denied_at("7a");
    }
}

#[test]
fn a10_claims_that_the_draft_does_not_know_are_ignored_nbf_among_them() {
    for (name, value) in [
        ("nbf", json!(NOW + 1_000_000)),
        ("nbf", json!("soon")),
        ("sub", json!({"a": [1.5]})),
        ("scope", json!(9_007_199_254_740_993_u64)),
        ("tools", json!({"write_file": {}})),
    ] {
        Case::of(2).claim(0, name, value.clone()).claim(1, name, value.clone()).is_permitted();
        Case::of(1).proof(name, value).is_permitted();
    }
}

#[test]
fn a11_a_malformed_audience_denies() {
    for wrong in
        [json!(null), json!([AUDIENCE, 7]), json!([[AUDIENCE]]), json!({}), json!(7), json!(true)]
    {
        Case::of(1).claim(0, "aud", wrong.clone()).is_denied_at("6c");
        Case::of(2).claim(1, "aud", wrong).is_denied_at("6c");
    }
}

#[test]
fn a12_an_entry_has_two_members_and_every_entry_is_an_object_with_a_type() {
    let mut locations = entry(tools());
    locations[0]["locations"] = json!([AUDIENCE]);
    Case::of(1).claim(0, "authorization_details", locations.clone()).is_denied_at("3m");
    Case::of(2).claim(1, "authorization_details", locations).is_denied_at("4n");
    for odd in [json!("x"), json!(7), json!(null), json!([]), json!({}), json!({"type": 7})] {
        let details = json!([odd, entry(tools())[0]]);
        Case::of(1).claim(0, "authorization_details", details.clone()).is_denied_at("3m");
        Case::of(2).claim(1, "authorization_details", details).is_denied_at("4n");
    }
    let other =
        json!([{"type": "Attenuating_Agent_Token", "tools": 7, "n": 1e-7}, entry(tools())[0]]);
    Case::of(1).claim(0, "authorization_details", other).is_permitted();
}

#[test]
fn a13_seconds_are_rounded_down_and_bounds_are_inclusive() {
    let mut case = Case::of(1).claim(0, "exp", NOW + 1).claim(0, "iat", NOW + 30 - 300);
    case.now += chrono::TimeDelta::milliseconds(999);
    case.is_permitted();
    case = case.proof("iat", NOW - 30);
    case.is_permitted();
    case = Case::of(1).claim(0, "iat", NOW + 31);
    case.now += chrono::TimeDelta::milliseconds(999);
    case.is_denied_at("3f");
}

#[test]
fn a14_a_proof_is_no_longer_than_a_token() {
    let case = Case::of(1).proof("note", "x".repeat(65_536));
    case.is_denied_at("7a");
    let chain = Case::of(2).chain();
    let total: usize = chain.iter().map(String::len).sum();
    let mut limits = cap_token::chain::ChainLimits::default();
    limits.max_chain_bytes = total;
    Case::of(2).policy(|policy| policy.with_limits(limits)).is_permitted();
}

#[test]
fn a15_a_token_has_one_encoding() {
    let case = Case::of(1);
    let good = case.presentation();
    let token = good.aat_chain[0].clone();
    let (input, signature) = token.rsplit_once('.').unwrap();
    // The last character of 64 bytes in base64url has four bits that must be zero.
    let last = signature.chars().last().unwrap();
    let stray = match last {
        'A' => 'B',
        'Q' => 'R',
        'g' => 'h',
        'w' => 'x',
        other => panic!("{other}"),
    };
    let body = &signature[..85];
    for bad in [
        format!("{input}.{body}{stray}"),
        format!("{input}.{signature}="),
        format!("{input}.{signature}=="),
        format!("{input}.{signature} "),
        format!("{input}.{signature}\n"),
        format!("{input}.{}", signature.replace('-', "+").replace('_', "/") + "+"),
    ] {
        let presentation = Presentation { aat_chain: vec![bad], ..good.clone() };
        assert_eq!(outcome(&case.present(&presentation, &Untracked)), "3b");
    }
    // S + L is no signature, though it solves the equation.
    let bytes =
        base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, signature);
    let mut bytes = bytes.unwrap();
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0_u16;
    for (byte, add) in bytes[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
    let chain = vec![format!("{input}.{}", base64(&bytes))];
    let presentation = Presentation { aat_chain: chain, ..good };
    assert_eq!(outcome(&case.present(&presentation, &Untracked)), "3b");
}

#[test]
fn a17_what_else_stands_beside_the_key_is_ignored_and_other_keys_sign_nothing() {
    let mut extra = jwk(2);
    for (name, value) in
        [("kid", json!(7)), ("use", json!("enc")), ("key_ops", json!([])), ("alg", json!("RS256"))]
    {
        extra[name] = value;
    }
    Case::of(1).claim(0, "cnf", json!({"jwk": extra, "jkt": "x", "kid": "y"})).is_permitted();
    for other in [
        json!({"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"}),
        json!({"kty": "RSA", "n": "AQ", "e": "AQAB"}),
        json!({"kty": "OKP", "crv": "X25519", "x": jwk(2)["x"]}),
        json!({"kty": "okp", "crv": "Ed25519", "x": jwk(2)["x"]}),
    ] {
        Case::of(1).claim(0, "cnf", json!({"jwk": other})).is_denied_at("7a");
        Case::of(2).claim(0, "cnf", json!({"jwk": other})).is_denied_at("4a");
    }
}

#[test]
fn a18_only_the_member_of_the_claims_itself_is_the_jti() {
    Case::of(1).without(0, "jti").claim(0, "note", json!({"jti": "x"})).is_denied_at("3j");
    let twice = Case::of(1).replace(0, r#""jti":"#, r#""jti":"x","jti":"#);
    twice.is_denied_at("3b");
    let escaped = Case::of(1).replace(0, r#""jti":"#, r#""\u006ati":"x","jti":"#);
    escaped.is_denied_at("3b");
    Case::of(1).replace(0, r#""jti":"#, r#""\u006ati":"#).is_permitted();
    let strange = json!({"note": "\"}]{,:\\", "more": [[], {}, "jti", {"jti": 7}], "zzz": "\\\""});
    let mut case = Case::of(1);
    for (name, value) in strange.as_object().unwrap() {
        case = case.claim(0, name, value.clone());
    }
    case.is_permitted();
}

#[test]
fn a19_what_is_nested_too_deeply_is_denied_wherever_it_stands() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let noted = |levels| Case::of(1).claim(0, "note", "X").replace(0, "\"X\"", &deep(levels));
    noted(127).is_permitted();
    noted(128).is_denied_at("3b");
    noted(20_000).is_denied_at("3b");
    let called = |levels| Case::call(json!({}), &format!(r#"{{"a":{}}}"#, deep(levels)));
    called(126).is_permitted();
    called(128).is_denied_at("7b");
    let mut case = Case::call(json!({}), "{}");
    case.args = format!(r#"{{"a":{}}}"#, deep(20_000));
    case.is_denied_at("6b");
}

#[test]
fn a21_half_a_surrogate_pair_is_no_text() {
    for half in
        [r"\ud83d", r"\ude00", r"\ud83d\ud83d", r"\ude00\ud83d", r"\ud83dx", r"\uD83D\u0041"]
    {
        Case::of(1)
            .claim(0, "note", "X")
            .replace(0, "\"X\"", &format!("\"{half}\""))
            .is_denied_at("3b");
        Case::of(1)
            .claim(0, "note", "X")
            .replace(0, "\"X\"", &format!("{{\"{half}\":1}}"))
            .is_denied_at("3b");
        Case::of(1).replace_proof("\"/a\"", &format!("\"{half}\"")).is_denied_at("7b");
        let mut case = Case::of(1);
        case.args = format!(r#"{{"path":"{half}"}}"#);
        case.is_denied_at("6b");
    }
    let mut case = Case::call(json!({}), "{\"path\":\"\u{1f600}\"}");
    case.args = r#"{"path":"\ud83d\uDE00"}"#.to_owned();
    case.is_permitted();
}

#[test]
fn a22_the_issuer_is_that_of_the_anchor_to_the_byte() {
    for wrong in
        ["https://auth.example.com:443", "https://auth.example.com?", "https://Auth.example.com"]
    {
        Case::of(1).claim(0, "iss", wrong).is_denied_at("3k");
    }
    Case::of(1).claim(0, "iss", Value::from(7)).is_denied_at("3k");
}

#[test]
fn a_presentation_is_read_strictly_and_unknown_members_are_ignored() {
    let good = Case::of(2).presentation();
    assert_eq!(Presentation::from_json(&good.to_json()), Ok(good.clone()));
    let more = good.to_json().replacen('{', r#"{"more":[1,{"x":null}],"#, 1);
    assert_eq!(Presentation::from_json(&more), Ok(good.clone()));
    for (bad, error) in [
        ("", JsonError::Syntax),
        ("[]", JsonError::Type),
        ("{}", JsonError::Type),
        (r#"{"aat_chain":["a"]}"#, JsonError::Type),
        (r#"{"aat_pop":"a"}"#, JsonError::Type),
        (r#"{"aat_chain":"a","aat_pop":"a"}"#, JsonError::Type),
        (r#"{"aat_chain":[1],"aat_pop":"a"}"#, JsonError::Type),
        (r#"{"aat_chain":[null],"aat_pop":"a"}"#, JsonError::Type),
        (r#"{"aat_chain":[],"aat_pop":null}"#, JsonError::Type),
        (r#"{"aat_chain":[],"aat_pop":"a"} x"#, JsonError::Syntax),
        (r#"{"aat_chain":[],"aat_pop":"\ud800"}"#, JsonError::Surrogate),
    ] {
        assert_eq!(Presentation::from_json(bad), Err(error), "{bad}");
    }
    let padded = |bytes: usize| {
        let json = good.to_json();
        let spaces = " ".repeat(bytes - json.len());
        json + &spaces
    };
    assert_eq!(Presentation::from_json(&padded(MAX_PRESENTATION_BYTES)), Ok(good.clone()));
    let long = padded(MAX_PRESENTATION_BYTES + 1);
    assert_eq!(Presentation::from_json(&long), Err(JsonError::TooLong));
    assert_eq!(format!("{good:?}"), "Presentation(2 tokens)");
}
