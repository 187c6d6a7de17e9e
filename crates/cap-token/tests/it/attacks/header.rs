//! Attacks on algorithm, signature, key and header.

use cap_token::{MalformedToken, Part, ValidateError as E, Validator};
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};

use super::{Answer, Attack, attacks, forged, with_parts};
use crate::support::{ALGORITHMS, AUDIENCE, Bench, ISSUER, attacker, base64, keys, now, text};

/// Another algorithm of ours than that of the key.
fn other(bench: &Bench) -> &'static str {
    let own = bench.keys.active_key().algorithm();
    ALGORITHMS.iter().find(|algorithm| **algorithm != own).unwrap().as_str()
}

fn unsigned(mut bench: Bench, alg: &str) -> Answer {
    bench.header["alg"] = json!(alg);
    let input = format!("{}.{}", base64(&text(&bench.header)), base64(&text(&bench.claims)));
    bench.validate(&format!("{input}."))
}

/// A MAC whose key is something that everybody knows, under `alg`.
fn mac(mut bench: Bench, alg: &str, secret: impl FnOnce(&Value) -> Vec<u8>) -> Answer {
    let secret = secret(&bench.keys.active_key().to_jwk());
    bench.header["alg"] = json!(alg);
    let input = format!("{}.{}", base64(&text(&bench.header)), base64(&text(&bench.claims)));
    let key = EncodingKey::from_secret(&secret);
    let tag =
        jsonwebtoken::crypto::sign(input.as_bytes(), &key, jsonwebtoken::Algorithm::HS256).unwrap();
    bench.validate(&format!("{input}.{tag}"))
}

/// The public members of a JWK that are not names: `x`, or `x` and `y`, or `n`.
fn public_text(jwk: &Value) -> Vec<u8> {
    jwk["n"].as_str().or(jwk["x"].as_str()).unwrap().as_bytes().to_vec()
}

pub(super) fn algorithms() -> Vec<Attack> {
    attacks! {
        no_algorithm_and_no_signature: |bench| unsigned(bench, "none") => E::Algorithm;
        no_algorithm_in_capitals: |bench| unsigned(bench, "NONE") => E::Algorithm;
        no_algorithm_in_mixed_case: |bench| unsigned(bench, "nOnE") => E::Algorithm;
        no_algorithm_over_a_good_signature: |bench| bench.header("alg", "none") => E::Algorithm;
        an_empty_algorithm: |bench| bench.header("alg", "") => E::Algorithm;
        an_hmac_algorithm_over_a_good_signature: |bench| bench.header("alg", "HS256") => E::Algorithm;
        a_mac_under_the_public_key_as_text: |bench| mac(bench, "HS256", public_text) => E::Algorithm;
        a_mac_under_the_public_jwk: |bench| mac(bench, "HS256", |jwk| jwk.to_string().into_bytes()) => E::Algorithm;
        a_mac_under_an_empty_secret: |bench| mac(bench, "HS256", |_| Vec::new()) => E::Algorithm;
        a_mac_under_the_name_of_the_right_algorithm: |bench| {
            let own = bench.keys.active_key().algorithm().as_str();
            mac(bench, own, public_text)
        } => E::Signature;
        an_algorithm_of_another_trusted_kind: |bench| {
            let other = other(&bench);
            bench.header("alg", other)
        } => E::AlgorithmOfKey;
        a_signature_of_another_trusted_key_of_another_kind: |mut bench| {
            let own = bench.keys.active_key();
            let others = ALGORITHMS.iter().find(|one| **one != own.algorithm()).unwrap();
            let others = Bench::of(*others);
            let validator = bench.validator().trust(ISSUER, others.keys.active_key());
            bench.header["alg"] = others.header["alg"].clone();
            let input = format!("{}.{}", base64(&text(&bench.header)), base64(&text(&bench.claims)));
            validator.validate(&others.sign_input(&input), now())
        } => E::AlgorithmOfKey;
        the_name_of_ed25519_in_chains: |bench| bench.header("alg", "Ed25519") => E::Algorithm;
        an_elliptic_curve_of_another_size: |bench| bench.header("alg", "ES384") => E::Algorithm;
        an_elliptic_curve_of_other_people: |bench| bench.header("alg", "ES256K") => E::Algorithm;
        a_pss_algorithm: |bench| bench.header("alg", "PS256") => E::Algorithm;
        a_longer_hash: |bench| bench.header("alg", "RS512") => E::Algorithm;
        an_encryption_algorithm: |bench| bench.header("alg", "RSA-OAEP") => E::Algorithm;
        an_algorithm_in_another_case: |bench| {
            let own = bench.keys.active_key().algorithm().as_str().to_lowercase();
            bench.header("alg", own)
        } => E::Algorithm;
        an_algorithm_with_white_space: |bench| {
            let own = format!("{} ", bench.keys.active_key().algorithm());
            bench.header("alg", own)
        } => E::Algorithm;
        an_algorithm_that_is_a_list: |bench| bench.header("alg", json!(["EdDSA", "ES256", "RS256"])) => E::HeaderType("alg");
        an_algorithm_that_is_null: |bench| bench.header("alg", Value::Null) => E::HeaderType("alg");
        an_algorithm_that_is_false: |bench| bench.header("alg", false) => E::HeaderType("alg");
        a_missing_algorithm: |bench| bench.without_header("alg") => E::MissingHeader("alg");
    }
}

fn with_signature(bench: &Bench, signature: &[u8]) -> Answer {
    let [header, claims, _] = bench.parts();
    bench.validate(&format!("{header}.{claims}.{}", base64(signature)))
}

fn good_signature(bench: &Bench) -> Vec<u8> {
    let (input, _) = bench.token.rsplit_once('.').unwrap();
    bench.keys.sign(input.as_bytes()).unwrap().bytes
}

/// Both halves as integers in a DER sequence, as X9.62 writes an ECDSA signature.
fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |half: &[u8]| {
        let half: Vec<u8> = half.iter().copied().skip_while(|byte| *byte == 0).collect();
        let sign = half.first().is_none_or(|byte| byte & 0x80 != 0);
        let half = [if sign { &[0][..] } else { &[] }, &half].concat();
        [&[2, u8::try_from(half.len() % 128).unwrap()][..], &half].concat()
    };
    let (r, s) = signature.split_at(signature.len() / 2);
    let body = [integer(r), integer(s)].concat();
    [&[0x30, u8::try_from(body.len() % 128).unwrap()][..], &body].concat()
}

pub(super) fn signatures() -> Vec<Attack> {
    attacks! {
        a_missing_signature: |bench| with_signature(&bench, &[]) => E::Signature;
        a_signature_of_one_byte: |bench| with_signature(&bench, &[0]) => E::Signature;
        a_signature_of_zeros: |bench| {
            let length = good_signature(&bench).len();
            with_signature(&bench, &vec![0; length])
        } => E::Signature;
        a_signature_of_ones: |bench| {
            let length = good_signature(&bench).len();
            with_signature(&bench, &vec![0xff; length])
        } => E::Signature;
        a_signature_with_a_first_half_of_zeros: |bench| {
            let mut signature = good_signature(&bench);
            let half = signature.len() / 2;
            signature[..half].fill(0);
            with_signature(&bench, &signature)
        } => E::Signature;
        a_signature_with_a_second_half_of_zeros: |bench| {
            let mut signature = good_signature(&bench);
            let half = signature.len() / 2;
            signature[half..].fill(0);
            with_signature(&bench, &signature)
        } => E::Signature;
        a_signature_of_the_group_order: |bench| {
            // n of P-256, twice: r and s must be below it.
            let n = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
            let n: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&n[2 * at..2 * at + 2], 16).unwrap()).collect();
            with_signature(&bench, &[n.clone(), n].concat())
        } => E::Signature;
        a_signature_of_small_order: |bench| {
            let mut signature = [0; 64];
            signature[0] = 1;
            with_signature(&bench, &signature)
        } => E::Signature;
        a_signature_cut_by_one_byte: |bench| {
            let mut signature = good_signature(&bench);
            signature.pop();
            with_signature(&bench, &signature)
        } => E::Signature;
        half_a_signature: |bench| {
            let signature = good_signature(&bench);
            with_signature(&bench, &signature[..signature.len() / 2])
        } => E::Signature;
        a_signature_with_one_byte_more: |bench| {
            let mut signature = good_signature(&bench);
            signature.push(0);
            with_signature(&bench, &signature)
        } => E::Signature;
        a_signature_with_one_byte_before: |bench| {
            let signature = [vec![0], good_signature(&bench)].concat();
            with_signature(&bench, &signature)
        } => E::Signature;
        a_signature_twice: |bench| with_signature(&bench, &good_signature(&bench).repeat(2)) => E::Signature;
        a_signature_with_its_halves_swapped: |bench| {
            let mut signature = good_signature(&bench);
            let half = signature.len() / 2;
            signature.rotate_left(half);
            with_signature(&bench, &signature)
        } => E::Signature;
        a_signature_backwards: |bench| {
            let mut signature = good_signature(&bench);
            signature.reverse();
            with_signature(&bench, &signature)
        } => E::Signature;
        a_signature_in_der: |bench| with_signature(&bench, &der(&good_signature(&bench))) => E::Signature;
        a_signature_in_hexadecimal: |bench| {
            let hex: String = good_signature(&bench).iter().map(|byte| format!("{byte:02x}")).collect();
            with_signature(&bench, hex.as_bytes())
        } => E::Signature;
        a_signature_encoded_twice: |bench| {
            let once = base64(&good_signature(&bench));
            with_signature(&bench, once.as_bytes())
        } => E::Signature;
        a_signature_of_the_largest_size: |bench| with_signature(&bench, &[1; 8192]) => E::Signature;
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
        the_header_of_another_token: |bench| {
            let mut header = bench.header.clone();
            header.insert("cty".to_owned(), json!("JWT"));
            let [_, claims, signature] = bench.parts();
            bench.validate(&format!("{}.{claims}.{signature}", base64(&text(&header))))
        } => E::Signature;
        a_signature_of_the_claims_alone: |bench| {
            let signature = bench.keys.sign(bench.parts()[1].as_bytes()).unwrap().bytes;
            with_signature(&bench, &signature)
        } => E::Signature;
        a_signature_of_the_texts_that_are_not_encoded: |bench| {
            let input = [text(&bench.header), b".".to_vec(), text(&bench.claims)].concat();
            let signature = bench.keys.sign(&input).unwrap().bytes;
            with_signature(&bench, &signature)
        } => E::Signature;
    }
}

pub(super) fn key_names() -> Vec<Attack> {
    attacks! {
        an_unknown_key: |bench| bench.header("kid", "somebody-else") => E::UnknownKey;
        an_attackers_key_under_its_own_name: |bench| forged(&bench, |forger| {
            forger.header["kid"] = json!(forger.keys.active());
        }) => E::UnknownKey;
        a_key_embedded_in_the_header: |bench| forged(&bench, |forger| {
            forger.header["kid"] = json!(forger.keys.active());
            forger.header.insert("jwk".to_owned(), forger.keys.active_key().to_jwk());
        }) => E::UnknownKey;
        a_key_embedded_under_the_trusted_name: |bench| forged(&bench, |forger| {
            forger.header.insert("jwk".to_owned(), forger.keys.active_key().to_jwk());
        }) => E::Signature;
        a_key_embedded_without_a_name: |bench| forged(&bench, |forger| {
            forger.header.remove("kid");
            forger.header.insert("jwk".to_owned(), forger.keys.active_key().to_jwk());
        }) => E::MissingHeader("kid");
        a_set_of_keys_to_be_fetched: |bench| forged(&bench, |forger| {
            forger.header.insert("jku".to_owned(), json!("https://attacker.example/jwks"));
        }) => E::Signature;
        a_certificate_to_be_fetched: |bench| forged(&bench, |forger| {
            forger.header.insert("x5u".to_owned(), json!("https://attacker.example/x5u"));
        }) => E::Signature;
        a_certificate_embedded: |bench| forged(&bench, |forger| {
            forger.header.insert("x5c".to_owned(), json!(["MIIB"]));
            forger.header.insert("x5t".to_owned(), json!("AAAA"));
        }) => E::Signature;
        a_key_name_that_is_a_path: |bench| bench.header("kid", "../../../../dev/null") => E::UnknownKey;
        a_key_name_that_is_an_absolute_path: |bench| bench.header("kid", "/proc/self/environ") => E::UnknownKey;
        a_key_name_that_is_a_url: |bench| bench.header("kid", "https://attacker.example/key") => E::UnknownKey;
        a_key_name_that_is_sql: |bench| bench.header("kid", "' UNION SELECT 'key' --") => E::UnknownKey;
        a_key_name_that_is_a_command: |bench| bench.header("kid", "|whoami") => E::UnknownKey;
        a_key_name_that_is_ldap: |bench| bench.header("kid", "*)(uid=*") => E::UnknownKey;
        a_key_name_that_is_empty: |bench| bench.header("kid", "") => E::UnknownKey;
        a_key_name_of_a_kilobyte: |bench| bench.header("kid", "k".repeat(1024)) => E::UnknownKey;
        a_key_name_in_another_case: |bench| {
            let name = bench.keys.active().as_str().to_uppercase();
            bench.header("kid", name)
        } => E::UnknownKey;
        a_key_name_with_a_nul: |bench| {
            let name = format!("{}\0", bench.keys.active());
            bench.header("kid", name)
        } => E::UnknownKey;
        a_key_name_with_white_space: |bench| {
            let name = format!(" {}", bench.keys.active());
            bench.header("kid", name)
        } => E::UnknownKey;
        the_beginning_of_a_key_name: |bench| {
            let name = bench.keys.active().as_str()[..20].to_owned();
            bench.header("kid", name)
        } => E::UnknownKey;
        a_key_name_that_is_a_number: |bench| bench.header("kid", 1) => E::HeaderType("kid");
        a_key_name_that_is_null: |bench| bench.header("kid", Value::Null) => E::HeaderType("kid");
        a_list_of_key_names: |bench| {
            let names = json!([bench.keys.active()]);
            bench.header("kid", names)
        } => E::HeaderType("kid");
        a_key_name_that_is_an_object: |bench| bench.header("kid", json!({ "$ne": null })) => E::HeaderType("kid");
        a_missing_key_name: |bench| bench.without_header("kid") => E::MissingHeader("kid");
        another_issuers_key_under_our_name: |mut bench| {
            let theirs = attacker(bench.keys.active_key().algorithm());
            let named = theirs.active_key().with_id(bench.keys.active());
            bench.header["alg"] = json!(named.algorithm().as_str());
            let validator = Validator::new(AUDIENCE)
                .trust(ISSUER, keys(named.algorithm()).active_key().with_id(bench.keys.active()))
                .trust("https://other.example", named);
            let mut forger = Bench::with(theirs);
            forger.header = bench.header.clone();
            forger.claims = bench.claims.clone();
            validator.validate(&forger.sign(), now())
        } => E::Issuer;
        nobody_is_trusted: |bench| Validator::new(AUDIENCE).validate(&bench.token, now()) => E::UnknownKey;
        a_key_that_is_no_longer_trusted: |bench| {
            let validator = bench.validator();
            validator.distrust_key(&bench.keys.active());
            validator.validate(&bench.token, now())
        } => E::UnknownKey;
        a_key_of_a_set_that_was_replaced: |bench| {
            let validator = bench.validator();
            let others = attacker(bench.keys.active_key().algorithm());
            validator.set_keys(ISSUER, others.verifying_keys());
            validator.validate(&bench.token, now())
        } => E::UnknownKey;
    }
}

pub(super) fn other_members() -> Vec<Attack> {
    use MalformedToken::{Duplicate, NotJson, TooDeep, TooLarge};
    attacks! {
        a_critical_extension: |mut bench| {
            bench.header.insert("https://extension.example".to_owned(), json!(true));
            bench.header("crit", json!(["https://extension.example"]))
        } => E::Critical;
        a_critical_list_that_is_empty: |bench| bench.header("crit", json!([])) => E::Critical;
        a_critical_member_that_is_null: |bench| bench.header("crit", Value::Null) => E::Critical;
        a_critical_member_that_is_a_text: |bench| bench.header("crit", "alg") => E::Critical;
        a_critical_list_of_what_is_known: |bench| bench.header("crit", json!(["alg"])) => E::Critical;
        an_unencoded_payload: |mut bench| {
            bench.header.insert("b64".to_owned(), json!(false));
            bench.header("crit", json!(["b64"]))
        } => E::Critical;
        an_unencoded_payload_that_is_not_critical: |bench| bench.header("b64", false) => E::Unencoded;
        an_encoded_payload_that_says_so: |bench| bench.header("b64", true) => E::Unencoded;
        an_identity_token: |bench| bench.header("typ", "JWT") => E::NotAnAccessToken;
        a_proof_of_possession: |bench| bench.header("typ", "dpop+jwt") => E::NotAnAccessToken;
        an_attenuating_token: |bench| bench.header("typ", "aat+jwt") => E::NotAnAccessToken;
        a_refresh_token: |bench| bench.header("typ", "rt+jwt") => E::NotAnAccessToken;
        a_type_with_a_parameter: |bench| bench.header("typ", "at+jwt;v=1") => E::NotAnAccessToken;
        a_type_with_white_space: |bench| bench.header("typ", " at+jwt") => E::NotAnAccessToken;
        a_type_that_is_empty: |bench| bench.header("typ", "") => E::NotAnAccessToken;
        a_type_that_is_a_number: |bench| bench.header("typ", 1) => E::HeaderType("typ");
        a_type_that_is_null: |bench| bench.header("typ", Value::Null) => E::HeaderType("typ");
        a_missing_type: |bench| bench.without_header("typ") => E::MissingHeader("typ");
        two_algorithms: |bench| bench.header_text("{", r#"{"alg":"none","#) => Duplicate(Part::Header);
        two_types: |bench| bench.header_text("{", r#"{"typ":"JWT","#) => Duplicate(Part::Header);
        two_key_names_one_of_them_escaped: |bench| {
            bench.header_text("{", r#"{"k\u0069d":"other","#)
        } => Duplicate(Part::Header);
        two_members_that_are_ignored: |bench| {
            bench.header_text("{", r#"{"cty":"a","zip":"DEF","cty":"a","#)
        } => Duplicate(Part::Header);
        twins_in_an_embedded_key: |bench| {
            bench.header_text("{", r#"{"jwk":{"kty":"OKP","kty":"oct"},"#)
        } => Duplicate(Part::Header);
        twins_in_a_member_of_the_wrong_type: |bench| {
            bench.header_text(r#""typ":"at+jwt""#, r#""typ":[{"a":1,"a":1}]"#)
        } => Duplicate(Part::Header);
        a_header_nested_beyond_measure: |bench| {
            let deep = format!(r#"{{"x":{}{},"#, "[".repeat(40), "]".repeat(40));
            bench.header_text("{", &deep)
        } => TooDeep(Part::Header);
        a_header_of_the_size_of_a_book: |bench| bench.header("x5c", "A".repeat(4096)) => TooLarge;
        a_header_that_is_a_list: |bench| with_parts(&bench, b"[]", &text(&bench.claims)) => NotJson(Part::Header);
        a_header_that_is_null: |bench| with_parts(&bench, b"null", &text(&bench.claims)) => NotJson(Part::Header);
        a_header_that_is_empty: |bench| with_parts(&bench, b"{}", &text(&bench.claims)) => E::MissingHeader("typ");
        a_header_with_a_byte_order_mark: |bench| {
            let header = [b"\xef\xbb\xbf".to_vec(), text(&bench.header)].concat();
            with_parts(&bench, &header, &text(&bench.claims))
        } => NotJson(Part::Header);
        a_header_that_is_no_utf8: |bench| {
            let header = text(&bench.header);
            let header = [&header[..header.len() - 1], b",\"x\":\"\xff\"}"].concat();
            with_parts(&bench, &header, &text(&bench.claims))
        } => NotJson(Part::Header);
        bytes_behind_the_header: |bench| bench.header_text("}", "}x") => NotJson(Part::Header);
        a_nul_behind_the_header: |bench| bench.header_text("}", "}\0") => NotJson(Part::Header);
    }
}
