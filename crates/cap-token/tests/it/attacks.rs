//! One test per attack, each with the reason for which it must fail. Unless it says otherwise, the
//! trusted key has signed what is presented: the attack is on the reader, not on the signature.

use cap_core::CapabilityId;
use cap_token::{MAX_TOKEN_BYTES, MalformedToken, Part, ValidateError, Validator, VerifiedToken};
use serde_json::{Value, json};

use crate::support::{
    AUDIENCE, Bench, ISSUER, base64, delegated, ed25519, granted, id, json as text, now, rsa,
};

type Answer = Result<VerifiedToken, ValidateError>;

macro_rules! attacks {
    ($($name:ident: $attack:expr => $reason:expr;)+) => {$(
        #[test]
        fn $name() {
            let attack: fn(Bench) -> Answer = $attack;
            assert_eq!(attack(Bench::new()), Err(ValidateError::from($reason)));
        }
    )+};
}

/// An attacker's key, under the name of the trusted one or its own.
fn forged(bench: &Bench, alter: impl FnOnce(&mut Bench)) -> Answer {
    let mut attacker = Bench::with(ed25519(66));
    attacker.header = bench.header.clone();
    attacker.claims = bench.claims.clone();
    alter(&mut attacker);
    bench.validate(&attacker.sign())
}

fn with_signature(bench: &Bench, signature: &[u8]) -> Answer {
    let [header, claims, _] = bench.parts();
    bench.validate(&format!("{header}.{claims}.{}", base64(signature)))
}

fn unsigned(mut bench: Bench, alg: &str) -> Answer {
    bench.header["alg"] = json!(alg);
    let input = format!("{}.{}", base64(&text(&bench.header)), base64(&text(&bench.claims)));
    bench.validate(&format!("{input}."))
}

use MalformedToken::{Duplicate, Encoding, NotCompact, NotJson, TooLarge};
use ValidateError as E;

// Algorithms.
attacks! {
    no_algorithm_and_no_signature: |bench| unsigned(bench, "none") => E::Algorithm;
    no_algorithm_in_capitals: |bench| unsigned(bench, "NONE") => E::Algorithm;
    no_algorithm_in_mixed_case: |bench| unsigned(bench, "nOnE") => E::Algorithm;
    no_algorithm_over_a_good_signature: |bench| bench.header("alg", "none") => E::Algorithm;
    an_empty_algorithm: |bench| bench.header("alg", "") => E::Algorithm;
    an_hmac_algorithm: |bench| bench.header("alg", "HS256") => E::Algorithm;
    an_elliptic_curve_algorithm: |bench| bench.header("alg", "ES256") => E::Algorithm;
    a_pss_algorithm: |bench| bench.header("alg", "PS256") => E::Algorithm;
    a_longer_hash: |bench| bench.header("alg", "RS512") => E::Algorithm;
    an_algorithm_in_another_case: |bench| bench.header("alg", "eddsa") => E::Algorithm;
    an_algorithm_with_white_space: |bench| bench.header("alg", "EdDSA ") => E::Algorithm;
    an_algorithm_that_is_a_list: |bench| bench.header("alg", json!(["EdDSA"])) => E::HeaderType("alg");
    an_algorithm_that_is_null: |bench| bench.header("alg", Value::Null) => E::HeaderType("alg");
    a_missing_algorithm: |bench| bench.without_header("alg") => E::MissingHeader("alg");
    rsa_over_an_ed25519_key: |bench| bench.header("alg", "RS256") => E::AlgorithmOfKey;
    ed25519_over_an_rsa_key: |_| Bench::with(rsa()).header("alg", "EdDSA") => E::AlgorithmOfKey;
}

// Signatures.
attacks! {
    a_signature_that_was_cut_off: |bench| with_signature(&bench, &[]) => E::Signature;
    a_signature_of_zeros: |bench| with_signature(&bench, &[0; 64]) => E::Signature;
    a_signature_of_small_order: |bench| {
        let mut signature = [0; 64];
        signature[0] = 1;
        with_signature(&bench, &signature)
    } => E::Signature;
    a_signature_with_one_byte_more: |bench| {
        let mut signature = bench.keys.sign(bench.token.rsplit_once('.').unwrap().0.as_bytes()).unwrap().bytes;
        signature.push(0);
        with_signature(&bench, &signature)
    } => E::Signature;
    a_signature_of_another_key_under_the_trusted_name: |bench| forged(&bench, |_| {}) => E::Signature;
    the_signature_of_another_token: |mut bench| {
        bench.claims["exp"] = json!(now().timestamp() + 3600);
        let other = bench.sign();
        let [header, claims, _] = bench.parts();
        bench.validate(&format!("{header}.{claims}.{}", other.rsplit_once('.').unwrap().1))
    } => E::Signature;
    the_claims_of_another_token: |mut bench| {
        bench.claims["exp"] = json!(now().timestamp() + 3600);
        let other = bench.sign();
        let [header, _, signature] = bench.parts();
        bench.validate(&format!("{header}.{}.{signature}", other.split('.').nth(1).unwrap()))
    } => E::Signature;
    a_signature_of_the_claims_alone: |bench| {
        let signature = bench.keys.sign(bench.parts()[1].as_bytes()).unwrap().bytes;
        with_signature(&bench, &signature)
    } => E::Signature;
    an_rsa_signature_of_ones: |_| with_signature(&Bench::with(rsa()), &[1; 256]) => E::Signature;
}

// The name of the key.
attacks! {
    an_unknown_key: |bench| bench.header("kid", "somebody-else") => E::UnknownKey;
    an_attackers_key_under_its_own_name: |bench| forged(&bench, |attacker| {
        attacker.header["kid"] = json!(attacker.keys.active());
    }) => E::UnknownKey;
    a_key_embedded_in_the_header: |bench| forged(&bench, |attacker| {
        attacker.header["kid"] = json!(attacker.keys.active());
        attacker.header.insert("jwk".to_owned(), attacker.keys.active_key().to_jwk());
    }) => E::UnknownKey;
    a_key_embedded_under_the_trusted_name: |bench| forged(&bench, |attacker| {
        attacker.header.insert("jwk".to_owned(), attacker.keys.active_key().to_jwk());
    }) => E::Signature;
    a_key_to_be_fetched: |bench| forged(&bench, |attacker| {
        attacker.header.insert("jku".to_owned(), json!("https://attacker.example/jwks"));
        attacker.header.insert("x5u".to_owned(), json!("https://attacker.example/x5u"));
    }) => E::Signature;
    a_key_name_that_is_a_path: |bench| bench.header("kid", "../../../../dev/null") => E::UnknownKey;
    a_key_name_that_is_sql: |bench| bench.header("kid", "' UNION SELECT 'key' --") => E::UnknownKey;
    a_key_name_that_is_a_command: |bench| bench.header("kid", "|whoami") => E::UnknownKey;
    a_key_name_that_is_empty: |bench| bench.header("kid", "") => E::UnknownKey;
    a_key_name_in_another_case: |bench| {
        let name = bench.keys.active().as_str().to_uppercase();
        bench.header("kid", name)
    } => E::UnknownKey;
    a_key_name_with_a_nul: |bench| {
        let name = format!("{}\0", bench.keys.active());
        bench.header("kid", name)
    } => E::UnknownKey;
    a_key_name_that_is_a_number: |bench| bench.header("kid", 1) => E::HeaderType("kid");
    a_missing_key_name: |bench| bench.without_header("kid") => E::MissingHeader("kid");
}

// The rest of the header.
attacks! {
    a_critical_extension: |mut bench| {
        bench.header.insert("https://extension.example".to_owned(), json!(true));
        bench.header("crit", json!(["https://extension.example"]))
    } => E::Critical;
    a_critical_list_that_is_empty: |bench| bench.header("crit", json!([])) => E::Critical;
    a_critical_member_that_is_null: |bench| bench.header("crit", Value::Null) => E::Critical;
    a_critical_list_of_what_is_known: |bench| bench.header("crit", json!(["alg"])) => E::Critical;
    an_unencoded_payload: |mut bench| {
        bench.header.insert("b64".to_owned(), json!(false));
        bench.header("crit", json!(["b64"]))
    } => E::Critical;
    an_unencoded_payload_that_is_not_critical: |bench| bench.header("b64", false) => E::Unencoded;
    an_encoded_payload_that_says_so: |bench| bench.header("b64", true) => E::Unencoded;
    an_identity_token: |bench| bench.header("typ", "JWT") => E::NotAnAccessToken;
    a_proof_of_possession: |bench| bench.header("typ", "dpop+jwt") => E::NotAnAccessToken;
    a_type_with_a_parameter: |bench| bench.header("typ", "at+jwt;v=1") => E::NotAnAccessToken;
    a_type_with_white_space: |bench| bench.header("typ", " at+jwt") => E::NotAnAccessToken;
    a_type_that_is_a_number: |bench| bench.header("typ", 1) => E::HeaderType("typ");
    a_missing_type: |bench| bench.without_header("typ") => E::MissingHeader("typ");
    two_algorithms: |bench| bench.header_text("{", r#"{"alg":"none","#) => Duplicate(Part::Header);
    two_key_names_one_of_them_escaped: |bench| {
        bench.header_text("{", r#"{"k\u0069d":"other","#)
    } => Duplicate(Part::Header);
    a_header_that_is_a_list: |bench| {
        let token = bench.sign_texts(b"[]", &text(&bench.claims));
        bench.validate(&token)
    } => NotJson(Part::Header);
    bytes_behind_the_header: |bench| bench.header_text("}", "}x") => NotJson(Part::Header);
}

// The form.
attacks! {
    an_empty_text: |bench| bench.validate("") => NotCompact;
    dots_alone: |bench| bench.validate("..") => NotJson(Part::Header);
    two_parts: |bench| {
        let [header, claims, _] = bench.parts();
        bench.validate(&format!("{header}.{claims}"))
    } => NotCompact;
    four_parts: |bench| bench.validate(&format!("{}.", bench.token)) => NotCompact;
    an_encrypted_token: |bench| bench.validate(&format!("{}.AA.AA", bench.token)) => NotCompact;
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
    a_scheme_before_it: |bench| bench.validate(&format!("Bearer {}", bench.token)) => Encoding(Part::Header);
    white_space_before_it: |bench| bench.validate(&format!(" {}", bench.token)) => Encoding(Part::Header);
    a_line_end_behind_it: |bench| bench.validate(&format!("{}\n", bench.token)) => Encoding(Part::Signature);
    padding_behind_it: |bench| bench.validate(&format!("{}==", bench.token)) => Encoding(Part::Signature);
    bits_behind_the_signature: |bench| {
        let (rest, last) = bench.token.split_at(bench.token.len() - 1);
        let next = char::from(last.as_bytes()[0] + 1);
        bench.validate(&format!("{rest}{next}"))
    } => Encoding(Part::Signature);
    a_padded_payload_that_was_signed: |bench| {
        let [header, ..] = bench.parts();
        let padded = format!("{header}.{}==", base64(b"{\"a\":1}"));
        bench.validate(&bench.sign_input(&padded))
    } => Encoding(Part::Claims);
    a_payload_in_the_other_alphabet_that_was_signed: |bench| {
        let [header, ..] = bench.parts();
        bench.validate(&bench.sign_input(&format!("{header}.eyJhIjoiPz8/In0")))
    } => Encoding(Part::Claims);
    an_empty_payload_that_was_signed: |bench| {
        let [header, ..] = bench.parts();
        bench.validate(&bench.sign_input(&format!("{header}.")))
    } => NotJson(Part::Claims);
    a_detached_payload: |bench| {
        let [header, _, signature] = bench.parts();
        bench.validate(&format!("{header}..{signature}"))
    } => E::Signature;
    a_token_that_is_too_large: |bench| bench.claim("filler", "x".repeat(MAX_TOKEN_BYTES)) => TooLarge;
    a_megabyte_of_dots: |bench| bench.validate(&".".repeat(1 << 20)) => TooLarge;
}

// The claims as JSON.
attacks! {
    two_expiries: |bench| bench.claims_text("{", r#"{"exp":99999999999,"#) => Duplicate(Part::Claims);
    two_subjects_one_of_them_escaped: |bench| {
        bench.claims_text("{", r#"{"s\u0075b":"root","#)
    } => Duplicate(Part::Claims);
    twins_deep_in_the_capability: |bench| {
        bench.claims_text(r#""constraints":{"#, r#""constraints":{"paths":["/"],"paths":["/x"],"#)
    } => Duplicate(Part::Claims);
    twins_in_a_claim_that_is_ignored: |bench| {
        bench.claims_text("{", r#"{"x":[{"a":1,"a":2}],"#)
    } => Duplicate(Part::Claims);
    bytes_behind_the_claims: |bench| {
        let claims = [text(&bench.claims), b"{}".to_vec()].concat();
        let token = bench.sign_texts(&text(&bench.header), &claims);
        bench.validate(&token)
    } => NotJson(Part::Claims);
    claims_that_are_a_list: |bench| {
        let token = bench.sign_texts(&text(&bench.header), b"[]");
        bench.validate(&token)
    } => NotJson(Part::Claims);
    claims_in_another_encoding: |bench| {
        bench.claims_text("alice", "alice\\ud800")
    } => NotJson(Part::Claims);
    an_expiry_beyond_all_numbers: |bench| {
        bench.claims_text("\"exp\":1767226500", "\"exp\":1e400")
    } => NotJson(Part::Claims);
    claims_nested_beyond_measure: |bench| {
        let deep = format!(r#"{{"x":{}{},"#, "[".repeat(4000), "]".repeat(4000));
        bench.claims_text("{", &deep)
    } => NotJson(Part::Claims);
}

// Whose it is, for whom, and when.
attacks! {
    another_audience: |bench| bench.claim("aud", "https://else.example") => E::Audience;
    an_audience_that_begins_like_ours: |bench| bench.claim("aud", format!("{AUDIENCE}.evil")) => E::Audience;
    an_audience_that_ours_begins_with: |bench| bench.claim("aud", "https://server.example") => E::Audience;
    an_audience_in_another_case: |bench| bench.claim("aud", AUDIENCE.to_uppercase()) => E::Audience;
    an_empty_list_of_audiences: |bench| bench.claim("aud", json!([])) => E::Audience;
    a_list_of_other_audiences: |bench| bench.claim("aud", json!(["a", "b"])) => E::Audience;
    a_list_of_audiences_that_are_not_all_texts: |bench| {
        bench.claim("aud", json!([AUDIENCE, 1]))
    } => E::ClaimType("aud");
    another_issuer: |bench| bench.claim("iss", "https://else.example") => E::Issuer;
    an_issuer_with_a_slash_more: |bench| bench.claim("iss", format!("{ISSUER}/")) => E::Issuer;
    the_name_of_one_trusted_issuer_under_the_key_of_another: |bench| {
        let mut other = Bench::with(ed25519(2));
        let validator = bench.validator().trust("https://other.example", other.keys.active_key().clone());
        other.claims["iss"] = json!(ISSUER);
        validator.validate(&other.sign(), now())
    } => E::Issuer;
    nobody_is_trusted: |bench| Validator::new(AUDIENCE).validate(&bench.token, now()) => E::UnknownKey;
    an_expiry_long_ago: |bench| bench.claim("exp", 0) => E::Expired;
    an_expiry_at_the_end_of_the_leeway: |bench| bench.claim("exp", now().timestamp() - 300) => E::Expired;
    a_token_of_tomorrow: |bench| bench.claim("nbf", now().timestamp() + 86_400) => E::NotYetValid;
    a_token_issued_tomorrow: |bench| bench.claim("iat", now().timestamp() + 86_400) => E::IssuedInFuture;
    a_token_id_that_is_no_uuid: |bench| bench.claim("jti", "1") => E::TokenId;
    a_token_id_of_another_version: |bench| {
        bench.claim("jti", "9b2c2f7e-3f4e-4b8a-9a56-7d1f0c2b3a4d")
    } => E::TokenId;
    a_token_id_in_capitals: |bench| {
        bench.claim("jti", "019B76DA-A800-7707-8707-070707070707")
    } => E::TokenId;
    a_token_id_without_hyphens: |bench| {
        bench.claim("jti", "019b76daa80077078707070707070707")
    } => E::TokenId;
}

// The capability inside.
attacks! {
    details_without_ours: |bench| {
        bench.claim("authorization_details", json!([{ "type": "other" }]))
    } => E::NoCapability;
    details_that_are_empty: |bench| bench.claim("authorization_details", json!([])) => E::NoCapability;
    two_capabilities: |mut bench| {
        let entry = bench.claims["authorization_details"][0].clone();
        bench.claims["authorization_details"].as_array_mut().unwrap().push(entry);
        bench.validate(&bench.sign())
    } => E::SeveralCapabilities;
    details_that_are_an_object: |bench| {
        let entry = bench.claims["authorization_details"][0].clone();
        bench.claim("authorization_details", entry)
    } => E::ClaimType("authorization_details");
    a_detail_without_a_type: |mut bench| {
        bench.claims["authorization_details"].as_array_mut().unwrap().push(json!({}));
        bench.validate(&bench.sign())
    } => E::ClaimType("authorization_details");
    a_detail_that_is_no_object: |mut bench| {
        bench.claims["authorization_details"].as_array_mut().unwrap().push(json!("x"));
        bench.validate(&bench.sign())
    } => E::ClaimType("authorization_details");
    an_entry_of_the_next_version: |bench| {
        bench.entry(|entry| entry["type"] = json!("https://mcp-security.dev/capability/v2"))
    } => E::NoCapability;
    an_entry_with_an_unknown_member: |bench| {
        bench.entry(|entry| entry["locations"] = json!([AUDIENCE]))
    } => E::Entry;
    an_entry_without_ancestors: |bench| {
        bench.entry(|entry| drop(entry.as_object_mut().unwrap().remove("ancestors")))
    } => E::Entry;
    an_entry_without_a_capability: |bench| {
        bench.entry(|entry| drop(entry.as_object_mut().unwrap().remove("capability")))
    } => E::Entry;
    ancestors_that_are_no_ids: |bench| bench.entry(|entry| entry["ancestors"] = json!(["x"])) => E::Entry;
    a_capability_with_an_unknown_constraint: |bench| {
        bench.entry(|entry| entry["capability"]["constraints"]["colour"] = json!("red"))
    } => E::Capability;
    a_capability_with_an_unknown_member: |bench| {
        bench.entry(|entry| entry["capability"]["admin"] = json!(true))
    } => E::Capability;
    a_capability_without_an_id: |bench| {
        bench.entry(|entry| drop(entry["capability"].as_object_mut().unwrap().remove("id")))
    } => E::Capability;
    a_capability_of_the_next_version: |bench| {
        bench.entry(|entry| entry["capability"]["version"] = json!(2))
    } => E::Capability;
    a_capability_that_is_a_text: |bench| {
        bench.entry(|entry| entry["capability"] = json!(entry["capability"].to_string()))
    } => E::Capability;
    another_subject: |bench| bench.claim("sub", "root") => E::Principal;
    a_subject_in_another_case: |bench| bench.claim("sub", "Alice") => E::Principal;
    another_client: |bench| bench.claim("client_id", "root") => E::Principal;
    a_capability_of_somebody_else: |bench| {
        bench.entry(|entry| entry["capability"]["principal"] = json!("root"))
    } => E::Principal;
    an_ancestor_too_many: |bench| bench.entry(|entry| entry["ancestors"] = json!([id(9)])) => E::Ancestors;
    itself_as_its_ancestor: |bench| bench.entry(|entry| entry["ancestors"] = json!([id(1)])) => E::Ancestors;
    a_token_that_outlives_its_capability: |bench| {
        bench.claim("exp", now().timestamp() + 3601)
    } => E::OutlivesCapability;
}

#[test]
fn a_delegated_capability_cannot_leave_out_or_swap_an_ancestor() {
    let root = granted(now());
    let child = delegated(&root, 2, "bob");
    let leaf = delegated(&child, 3, "alice");
    let with = |ancestors: &[CapabilityId]| {
        Bench::new().entry(|entry| {
            entry["capability"] = serde_json::from_str(&leaf.to_json()).unwrap();
            entry["ancestors"] = json!(ancestors);
        })
    };
    assert!(with(&[root.id(), child.id()]).is_ok());
    for wrong in [
        &[][..],
        &[child.id()],
        &[root.id()],
        &[child.id(), root.id()],
        &[child.id(), child.id()],
        &[root.id(), leaf.id()],
        &[leaf.id(), child.id()],
        &[id(9), root.id(), child.id()],
    ] {
        assert_eq!(with(wrong), Err(E::Ancestors), "{wrong:?}");
    }
}

#[test]
fn every_claim_of_the_profile_is_required() {
    for name in
        ["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id", "authorization_details"]
    {
        assert_eq!(Bench::new().without_claim(name), Err(E::MissingClaim(name)));
    }
}

#[test]
fn every_claim_has_one_type() {
    let texts = ["iss", "sub", "jti", "client_id"];
    for name in texts {
        for wrong in [json!(null), json!(true), json!(1), json!(["alice"]), json!({ "a": "alice" })]
        {
            assert_eq!(Bench::new().claim(name, wrong), Err(E::ClaimType(name)));
        }
    }
    for wrong in [
        json!(null),
        json!(true),
        json!(1),
        json!({}),
        json!([1]),
        json!([[AUDIENCE]]),
        json!([null]),
    ] {
        assert_eq!(Bench::new().claim("aud", wrong.clone()), Err(E::ClaimType("aud")), "{wrong}");
    }
    for name in ["exp", "iat", "nbf"] {
        for wrong in [
            "null",
            "true",
            "\"1767226500\"",
            "1767226500.0",
            "1767226500.5",
            "1.7672265e9",
            "-1",
            "-0",
            "-1767226500",
            "[1767226500]",
            "{}",
            "9223372036854775807",
            "18446744073709551615",
            "18446744073709551616",
            "1e300",
            "8210266876800000",
        ] {
            let mut bench = Bench::new();
            let claim = format!("\"{name}\":{}", bench.claims.remove(name).unwrap());
            bench.claims = Bench::new().claims;
            let answer = bench.claims_text(&claim, &format!("\"{name}\":{wrong}"));
            assert_eq!(answer, Err(E::ClaimType(name)), "{wrong}");
        }
    }
}

#[test]
fn no_near_equal_token_is_a_token() {
    let bench = Bench::new();
    assert!(bench.validate(&bench.token).is_ok());
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.= ";
    for at in 0..bench.token.len() {
        let (before, rest) = bench.token.split_at(at);
        let (here, after) = rest.split_at(1);
        let replaced = alphabet.chars().nth(at % alphabet.len()).unwrap().to_string();
        for instead in ["", &here.repeat(2), &here.to_lowercase(), &here.to_uppercase(), &replaced]
        {
            if instead != here {
                assert!(bench.validate(&format!("{before}{instead}{after}")).is_err(), "{at}");
            }
        }
    }
}
