//! Attacks on the form of the token and of its JSON.

use cap_token::MalformedToken::{Duplicate, Encoding, NotCompact, NotJson, TooDeep, TooLarge};
use cap_token::{MAX_TOKEN_BYTES, Part, ValidateError as E};
use serde_json::json;

use super::{Attack, attacks, with_parts};
use crate::support::{Bench, base64, text};

/// The token with `part` in place of its part number `at`, signed anew where that is not the
/// signature.
fn with(bench: &Bench, at: usize, part: &str) -> super::Answer {
    let mut parts = bench.parts();
    parts[at] = part;
    let [header, claims, signature] = parts;
    let input = format!("{header}.{claims}");
    bench.validate(&if at == 2 { format!("{input}.{signature}") } else { bench.sign_input(&input) })
}

/// The last character of a part, one further: bits beyond the last byte, where there are such.
fn bits_beyond(part: &str) -> String {
    let (rest, last) = part.split_at(part.len() - 1);
    format!("{rest}{}", char::from(last.as_bytes()[0] + 1))
}

/// Good claims or headers, filled up until their length leaves `rest` of three.
fn filled(members: &serde_json::Map<String, serde_json::Value>, rest: usize) -> Vec<u8> {
    (0..3)
        .map(|fill| {
            let mut members = members.clone();
            members.insert("x".to_owned(), json!("x".repeat(fill)));
            text(&members)
        })
        .find(|text| text.len() % 3 == rest)
        .unwrap()
}

pub(super) fn encodings() -> Vec<Attack> {
    attacks! {
        an_empty_text: |bench| bench.validate("") => NotCompact;
        dots_alone: |bench| bench.validate("..") => NotJson(Part::Header);
        one_part: |bench| bench.validate(bench.parts()[1]) => NotCompact;
        two_parts: |bench| {
            let [header, claims, _] = bench.parts();
            bench.validate(&format!("{header}.{claims}"))
        } => NotCompact;
        four_parts: |bench| bench.validate(&format!("{}.", bench.token)) => NotCompact;
        a_token_behind_a_dot: |bench| bench.validate(&format!(".{}", bench.token)) => NotCompact;
        an_encrypted_token: |bench| bench.validate(&format!("{}.AA.AA", bench.token)) => NotCompact;
        two_tokens: |bench| bench.validate(&format!("{},{}", bench.token, bench.token)) => NotCompact;
        a_token_within_a_token: |bench| {
            let mut header = bench.header.clone();
            header.insert("cty".to_owned(), json!("JWT"));
            with_parts(&bench, &text(&header), bench.token.as_bytes())
        } => NotJson(Part::Claims);
        flattened_json_serialisation: |bench| {
            let [protected, payload, signature] = bench.parts();
            let json = json!({ "protected": protected, "payload": payload, "signature": signature });
            bench.validate(&json.to_string())
        } => NotCompact;
        general_json_serialisation: |bench| {
            let [protected, payload, signature] = bench.parts();
            let signatures = json!([{ "protected": protected, "signature": signature }]);
            bench.validate(&json!({ "payload": payload, "signatures": signatures }).to_string())
        } => NotCompact;
        json_serialisation_that_holds_a_whole_token: |bench| {
            bench.validate(&format!(r#"{{"a":"{}"}}"#, bench.token))
        } => Encoding(Part::Header);
        a_token_in_quotes: |bench| bench.validate(&format!("\"{}\"", bench.token)) => Encoding(Part::Header);
        a_scheme_before_it: |bench| bench.validate(&format!("Bearer {}", bench.token)) => Encoding(Part::Header);
        white_space_before_it: |bench| bench.validate(&format!(" {}", bench.token)) => Encoding(Part::Header);
        a_byte_order_mark_before_it: |bench| bench.validate(&format!("\u{feff}{}", bench.token)) => Encoding(Part::Header);
        a_line_end_behind_it: |bench| bench.validate(&format!("{}\n", bench.token)) => Encoding(Part::Signature);
        a_nul_behind_it: |bench| bench.validate(&format!("{}\0", bench.token)) => Encoding(Part::Signature);
        a_query_behind_it: |bench| bench.validate(&format!("{}&x=1", bench.token)) => Encoding(Part::Signature);
        padding_behind_it: |bench| bench.validate(&format!("{}==", bench.token)) => Encoding(Part::Signature);
        bits_behind_the_header: |bench| {
            let header = base64(&filled(&bench.header, 1));
            with(&bench, 0, &bits_beyond(&header))
        } => Encoding(Part::Header);
        bits_behind_the_claims: |bench| {
            let claims = base64(&filled(&bench.claims, 2));
            with(&bench, 1, &bits_beyond(&claims))
        } => Encoding(Part::Claims);
        bits_behind_the_signature: |bench| {
            let signature = bits_beyond(bench.parts()[2]);
            with(&bench, 2, &signature)
        } => Encoding(Part::Signature);
        a_padded_header: |bench| {
            let header = format!("{}==", base64(&filled(&bench.header, 1)));
            with(&bench, 0, &header)
        } => Encoding(Part::Header);
        padded_claims: |bench| {
            let claims = format!("{}=", base64(&filled(&bench.claims, 2)));
            with(&bench, 1, &claims)
        } => Encoding(Part::Claims);
        a_header_with_one_character_too_many: |bench| {
            let header = format!("{}A", base64(&filled(&bench.header, 0)));
            with(&bench, 0, &header)
        } => Encoding(Part::Header);
        claims_with_one_character_too_many: |bench| {
            let claims = format!("{}A", base64(&filled(&bench.claims, 0)));
            with(&bench, 1, &claims)
        } => Encoding(Part::Claims);
        a_header_in_the_other_alphabet: |bench| with(&bench, 0, "eyJhIjoiPz8/In0") => Encoding(Part::Header);
        claims_in_the_other_alphabet: |bench| with(&bench, 1, "eyJhIjoiPz8/In0") => Encoding(Part::Claims);
        a_signature_in_the_other_alphabet: |bench| with(&bench, 2, "+/8A") => Encoding(Part::Signature);
        white_space_within_the_header: |bench| {
            let header = format!("{} ", bench.parts()[0]);
            with(&bench, 0, &header)
        } => Encoding(Part::Header);
        a_line_break_within_the_claims: |bench| {
            let (before, after) = bench.parts()[1].split_at(76);
            let claims = format!("{before}\r\n{after}");
            with(&bench, 1, &claims)
        } => Encoding(Part::Claims);
        a_nul_within_the_claims: |bench| {
            let claims = format!("{}\0", bench.parts()[1]);
            with(&bench, 1, &claims)
        } => Encoding(Part::Claims);
        letters_of_another_script_in_the_signature: |bench| with(&bench, 2, "ＡＡ") => Encoding(Part::Signature);
        a_percent_encoded_signature: |bench| {
            let signature = format!("%41{}", bench.parts()[2]);
            with(&bench, 2, &signature)
        } => Encoding(Part::Signature);
        claims_that_are_empty: |bench| with(&bench, 1, "") => NotJson(Part::Claims);
        detached_claims: |bench| {
            let [header, _, signature] = bench.parts();
            bench.validate(&format!("{header}..{signature}"))
        } => E::Signature;
        claims_that_are_not_encoded: |bench| with(&bench, 1, r#"{"iss":"x"}"#) => Encoding(Part::Claims);
        claims_encoded_twice: |bench| {
            let claims = base64(bench.parts()[1].as_bytes());
            with(&bench, 1, &claims)
        } => NotJson(Part::Claims);
        a_token_that_is_too_large: |bench| bench.claim("filler", "x".repeat(MAX_TOKEN_BYTES)) => TooLarge;
        a_token_one_byte_too_large: |bench| {
            let rest = MAX_TOKEN_BYTES + 1 - bench.token.len();
            bench.validate(&format!("{}{}", bench.token, "A".repeat(rest)))
        } => TooLarge;
        a_megabyte_of_dots: |bench| bench.validate(&".".repeat(1 << 20)) => TooLarge;
    }
}

pub(super) fn json() -> Vec<Attack> {
    attacks! {
        two_issuers: |bench| bench.claims_text("{", r#"{"iss":"https://else.example","#) => Duplicate(Part::Claims);
        two_expiries: |bench| bench.claims_text("{", r#"{"exp":99999999999,"#) => Duplicate(Part::Claims);
        two_audiences: |bench| bench.claims_text("{", r#"{"aud":"https://else.example","#) => Duplicate(Part::Claims);
        two_lists_of_details: |bench| bench.claims_text("{", r#"{"authorization_details":[],"#) => Duplicate(Part::Claims);
        two_subjects_one_of_them_escaped: |bench| {
            bench.claims_text("{", r#"{"s\u0075b":"root","#)
        } => Duplicate(Part::Claims);
        twins_among_claims_that_are_ignored: |bench| {
            bench.claims_text("{", r#"{"x":1,"y":2,"x":1,"#)
        } => Duplicate(Part::Claims);
        twins_in_a_claim_that_is_ignored: |bench| {
            bench.claims_text("{", r#"{"x":[{"a":1,"a":2}],"#)
        } => Duplicate(Part::Claims);
        twins_of_the_empty_name: |bench| bench.claims_text("{", r#"{"x":{"":1,"":1},"#) => Duplicate(Part::Claims);
        twins_in_an_entry_of_somebody_else: |bench| {
            bench.claims_text(r#""authorization_details":["#, r#""authorization_details":[{"type":"x","a":[{"b":1,"b":1}]},"#)
        } => Duplicate(Part::Claims);
        two_chains_in_our_entry: |bench| {
            bench.claims_text(r#""chain":"#, r#""chain":"AZt22qgAdweHBwcHBwcHBw","chain":"#)
        } => Duplicate(Part::Claims);
        two_unknown_members_of_our_entry: |bench| {
            bench.claims_text(r#""chain":"#, r#""x":1,"x":1,"chain":"#)
        } => Duplicate(Part::Claims);
        twins_among_the_constraints: |bench| {
            bench.claims_text(r#""constraints":{"#, r#""constraints":{"paths":["/"],"paths":["/x"]"#)
        } => E::Capability;
        bytes_behind_the_claims: |bench| {
            let claims = [text(&bench.claims), b"{}".to_vec()].concat();
            with_parts(&bench, &text(&bench.header), &claims)
        } => NotJson(Part::Claims);
        a_nul_behind_the_claims: |bench| {
            let claims = [text(&bench.claims), b"\0".to_vec()].concat();
            with_parts(&bench, &text(&bench.header), &claims)
        } => NotJson(Part::Claims);
        a_byte_order_mark_before_the_claims: |bench| {
            let claims = [b"\xef\xbb\xbf".to_vec(), text(&bench.claims)].concat();
            with_parts(&bench, &text(&bench.header), &claims)
        } => NotJson(Part::Claims);
        claims_that_are_a_list: |bench| with_parts(&bench, &text(&bench.header), b"[]") => NotJson(Part::Claims);
        claims_that_are_a_text: |bench| with_parts(&bench, &text(&bench.header), b"\"{}\"") => NotJson(Part::Claims);
        claims_that_are_null: |bench| with_parts(&bench, &text(&bench.header), b"null") => NotJson(Part::Claims);
        claims_that_are_an_empty_object: |bench| with_parts(&bench, &text(&bench.header), b"{}") => E::MissingClaim("iss");
        claims_with_half_a_surrogate: |bench| bench.claims_text("alice", "alice\\ud800") => NotJson(Part::Claims);
        claims_that_are_no_utf8: |bench| {
            let good = text(&bench.claims);
            let claims = [&good[..good.len() - 1], b",\"x\":\"\xc0\xaf\"}"].concat();
            with_parts(&bench, &text(&bench.header), &claims)
        } => NotJson(Part::Claims);
        claims_in_utf16: |bench| {
            let good = String::from_utf8(text(&bench.claims)).unwrap();
            let claims: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
            with_parts(&bench, &text(&bench.header), &claims)
        } => NotJson(Part::Claims);
        claims_with_a_comment: |bench| bench.claims_text("{", "{/* */") => NotJson(Part::Claims);
        claims_with_a_comma_at_the_end: |bench| {
            let good = text(&bench.claims);
            let claims = [&good[..good.len() - 1], b",}"].concat();
            with_parts(&bench, &text(&bench.header), &claims)
        } => NotJson(Part::Claims);
        claims_with_single_quotes: |bench| bench.claims_text(r#""sub""#, "'sub'") => NotJson(Part::Claims);
        claims_with_a_control_character: |bench| bench.claims_text("alice", "al\u{1}ice") => NotJson(Part::Claims);
        a_claim_that_is_not_a_number: |bench| bench.claims_text("{", r#"{"x":NaN,"#) => NotJson(Part::Claims);
        an_expiry_beyond_all_numbers: |bench| {
            bench.claims_text("\"exp\":1767226500", "\"exp\":1e400")
        } => NotJson(Part::Claims);
        an_ignored_claim_beyond_all_numbers: |bench| bench.claims_text("{", r#"{"x":-1e400,"#) => NotJson(Part::Claims);
        an_expiry_with_a_leading_zero: |bench| {
            bench.claims_text("\"exp\":1767226500", "\"exp\":01767226500")
        } => NotJson(Part::Claims);
        an_expiry_with_a_plus: |bench| {
            bench.claims_text("\"exp\":1767226500", "\"exp\":+1767226500")
        } => NotJson(Part::Claims);
        an_expiry_in_hexadecimal: |bench| {
            bench.claims_text("\"exp\":1767226500", "\"exp\":0x6955b904")
        } => NotJson(Part::Claims);
        claims_nested_one_level_too_deep: |bench| {
            let deep = format!(r#"{{"x":{}{},"#, "[".repeat(32), "]".repeat(32));
            bench.claims_text("{", &deep)
        } => TooDeep(Part::Claims);
        claims_nested_beyond_measure: |bench| {
            let deep = format!(r#"{{"x":{}{},"#, "[".repeat(4000), "]".repeat(4000));
            bench.claims_text("{", &deep)
        } => TooDeep(Part::Claims);
        claims_nested_without_an_end: |bench| {
            let claims = r#"{"x":"#.repeat(2000);
            with_parts(&bench, &text(&bench.header), claims.as_bytes())
        } => TooDeep(Part::Claims);
        an_entry_nested_beyond_measure: |bench| {
            let deep = format!(r#""authorization_details":[{{"type":"x","x":{}{}}},"#, "[".repeat(100), "]".repeat(100));
            bench.claims_text(r#""authorization_details":["#, &deep)
        } => TooDeep(Part::Claims);
    }
}
