//! Attacks on what the claims say.

use cap_token::ValidateError as E;
use serde_json::{Value, json};

use super::{Answer, Attack, attacks, signed_again};
use crate::support::{AUDIENCE, Bench, ISSUER, base64, ed25519, id, now};

pub(super) fn whose_for_whom_and_when() -> Vec<Attack> {
    attacks! {
        another_audience: |bench| bench.claim("aud", "https://else.example") => E::Audience;
        an_audience_that_begins_like_ours: |bench| bench.claim("aud", format!("{AUDIENCE}.evil")) => E::Audience;
        an_audience_that_ours_begins_with: |bench| bench.claim("aud", "https://server.example") => E::Audience;
        an_audience_in_another_case: |bench| bench.claim("aud", AUDIENCE.to_uppercase()) => E::Audience;
        an_audience_with_white_space: |bench| bench.claim("aud", format!("{AUDIENCE} ")) => E::Audience;
        an_audience_that_is_a_list_in_a_text: |bench| bench.claim("aud", format!("[\"{AUDIENCE}\"]")) => E::Audience;
        an_empty_audience: |bench| bench.claim("aud", "") => E::Audience;
        an_empty_list_of_audiences: |bench| bench.claim("aud", json!([])) => E::Audience;
        a_list_of_other_audiences: |bench| bench.claim("aud", json!(["a", "b"])) => E::Audience;
        any_audience: |bench| bench.claim("aud", "*") => E::Audience;
        another_issuer: |bench| bench.claim("iss", "https://else.example") => E::Issuer;
        an_issuer_with_a_slash_more: |bench| bench.claim("iss", format!("{ISSUER}/")) => E::Issuer;
        an_issuer_in_another_case: |bench| bench.claim("iss", ISSUER.to_uppercase()) => E::Issuer;
        an_empty_issuer: |bench| bench.claim("iss", "") => E::Issuer;
        the_name_of_one_trusted_issuer_under_the_key_of_another: |bench| {
            let mut other = Bench::with(ed25519(2));
            let validator = bench.validator().trust("https://other.example", other.keys.active_key());
            other.claims["iss"] = json!(ISSUER);
            validator.validate(&other.sign(), now())
        } => E::Issuer;
        an_expiry_long_ago: |bench| bench.claim("exp", 0) => E::Expired;
        an_expiry_at_the_end_of_the_leeway: |bench| bench.claim("exp", now().timestamp() - 300) => E::Expired;
        a_token_of_tomorrow: |bench| bench.claim("nbf", now().timestamp() + 86_400) => E::NotYetValid;
        a_token_issued_tomorrow: |bench| bench.claim("iat", now().timestamp() + 86_400) => E::IssuedInFuture;
        another_subject: |bench| bench.claim("sub", "root") => E::Principal;
        a_subject_in_another_case: |bench| bench.claim("sub", "Alice") => E::Principal;
        another_client: |bench| bench.claim("client_id", "root") => E::Principal;
        a_holder_with_a_line_end: |mut bench| {
            bench.claims["client_id"] = json!("alice\nroot");
            bench.claim("sub", "alice\nroot")
        } => E::Capability;
        a_holder_without_a_name: |mut bench| {
            bench.claims["client_id"] = json!("");
            bench.claim("sub", "")
        } => E::Capability;
        a_holder_with_hidden_characters: |mut bench| {
            bench.claims["client_id"] = json!("ali\u{202e}ce");
            bench.claim("sub", "ali\u{202e}ce")
        } => E::Capability;
        a_token_id_that_is_no_uuid: |bench| bench.claim("jti", "1") => E::TokenId;
        a_token_id_that_is_empty: |bench| bench.claim("jti", "") => E::TokenId;
        a_token_id_of_another_version: |bench| bench.claim("jti", "mywvfj9OS4qaVn0fDCs6TQ") => E::TokenId;
        a_token_id_in_its_long_form: |bench| {
            bench.claim("jti", "019b76da-a800-7707-8707-070707070707")
        } => E::TokenId;
        a_token_id_with_bits_beyond_its_end: |bench| bench.claim("jti", "AZt22qgAdweHBwcHBwcHBx") => E::TokenId;
        a_token_id_with_padding: |bench| bench.claim("jti", "AZt22qgAdweHBwcHBwcHBw==") => E::TokenId;
    }
}

pub(super) fn missing() -> Vec<Attack> {
    attacks! {
        no_issuer: |bench| bench.without_claim("iss") => E::MissingClaim("iss");
        no_subject: |bench| bench.without_claim("sub") => E::MissingClaim("sub");
        no_audience: |bench| bench.without_claim("aud") => E::MissingClaim("aud");
        no_expiry: |bench| bench.without_claim("exp") => E::MissingClaim("exp");
        no_instant_of_issue: |bench| bench.without_claim("iat") => E::MissingClaim("iat");
        no_beginning: |bench| bench.without_claim("nbf") => E::MissingClaim("nbf");
        no_token_id: |bench| bench.without_claim("jti") => E::MissingClaim("jti");
        no_client: |bench| bench.without_claim("client_id") => E::MissingClaim("client_id");
        no_details: |bench| bench.without_claim("authorization_details") => E::MissingClaim("authorization_details");
    }
}

/// One of the numbers of the claims, as another text.
fn number(mut bench: Bench, name: &str, text: &str) -> Answer {
    let claim = format!("\"{name}\":{}", bench.claims.remove(name).unwrap());
    bench.claims = Bench::new().claims;
    bench.claims_text(&claim, &format!("\"{name}\":{text}"))
}

pub(super) fn wrong_types() -> Vec<Attack> {
    attacks! {
        an_issuer_that_is_null: |bench| bench.claim("iss", Value::Null) => E::ClaimType("iss");
        a_list_of_issuers: |bench| bench.claim("iss", json!([ISSUER])) => E::ClaimType("iss");
        a_subject_that_is_a_number: |bench| bench.claim("sub", 0) => E::ClaimType("sub");
        a_list_of_subjects: |bench| bench.claim("sub", json!(["alice"])) => E::ClaimType("sub");
        a_subject_that_is_an_object: |bench| bench.claim("sub", json!({ "a": "alice" })) => E::ClaimType("sub");
        a_client_that_is_true: |bench| bench.claim("client_id", true) => E::ClaimType("client_id");
        an_audience_that_is_a_number: |bench| bench.claim("aud", 1) => E::ClaimType("aud");
        an_audience_that_is_null: |bench| bench.claim("aud", Value::Null) => E::ClaimType("aud");
        an_audience_that_is_an_object: |bench| bench.claim("aud", json!({ AUDIENCE: true })) => E::ClaimType("aud");
        a_list_of_audiences_that_are_not_all_texts: |bench| {
            bench.claim("aud", json!([AUDIENCE, 1]))
        } => E::ClaimType("aud");
        a_list_in_the_list_of_audiences: |bench| bench.claim("aud", json!([[AUDIENCE]])) => E::ClaimType("aud");
        a_token_id_that_is_a_number: |bench| bench.claim("jti", 7) => E::ClaimType("jti");
        an_expiry_that_is_a_text: |bench| number(bench, "exp", "\"1767226500\"") => E::ClaimType("exp");
        an_expiry_that_is_a_date: |bench| number(bench, "exp", "\"2026-01-01T00:15:00Z\"") => E::ClaimType("exp");
        an_expiry_that_is_null: |bench| number(bench, "exp", "null") => E::ClaimType("exp");
        an_expiry_that_is_true: |bench| number(bench, "exp", "true") => E::ClaimType("exp");
        an_expiry_with_a_fraction_of_nothing: |bench| number(bench, "exp", "1767226500.0") => E::ClaimType("exp");
        an_expiry_with_a_fraction: |bench| number(bench, "exp", "1767226500.5") => E::ClaimType("exp");
        an_expiry_with_an_exponent: |bench| number(bench, "exp", "1.7672265e9") => E::ClaimType("exp");
        an_expiry_of_less_than_nothing: |bench| number(bench, "exp", "-0") => E::ClaimType("exp");
        a_negative_expiry: |bench| number(bench, "exp", "-1") => E::ClaimType("exp");
        an_expiry_in_a_list: |bench| number(bench, "exp", "[1767226500]") => E::ClaimType("exp");
        an_expiry_that_is_an_object: |bench| number(bench, "exp", "{}") => E::ClaimType("exp");
        an_expiry_of_63_bits: |bench| number(bench, "exp", "9223372036854775807") => E::ClaimType("exp");
        an_expiry_of_64_bits: |bench| number(bench, "exp", "18446744073709551615") => E::ClaimType("exp");
        an_expiry_of_65_bits: |bench| number(bench, "exp", "18446744073709551616") => E::ClaimType("exp");
        an_expiry_beyond_all_integers: |bench| number(bench, "exp", "1e300") => E::ClaimType("exp");
        an_expiry_beyond_the_calendar: |bench| number(bench, "exp", "8210266876800000") => E::ClaimType("exp");
        an_expiry_in_the_year_10000: |bench| number(bench, "exp", "253402300800") => E::ClaimType("exp");
        an_instant_of_issue_that_is_a_text: |bench| number(bench, "iat", "\"1767225600\"") => E::ClaimType("iat");
        an_instant_of_issue_with_a_fraction: |bench| number(bench, "iat", "1767225600.0") => E::ClaimType("iat");
        a_negative_instant_of_issue: |bench| number(bench, "iat", "-1767225600") => E::ClaimType("iat");
        a_beginning_that_is_a_text: |bench| number(bench, "nbf", "\"1767225600\"") => E::ClaimType("nbf");
        a_beginning_with_a_fraction: |bench| number(bench, "nbf", "1767225600.0") => E::ClaimType("nbf");
        a_negative_beginning: |bench| number(bench, "nbf", "-1") => E::ClaimType("nbf");
    }
}

/// Another `authorization_details`.
fn details_of(bench: Bench, details: Value) -> Answer {
    bench.claim("authorization_details", details)
}

/// One more entry beside ours.
fn beside(mut bench: Bench, entry: Value) -> Answer {
    bench.claims["authorization_details"].as_array_mut().unwrap().push(entry);
    signed_again(&bench)
}

pub(super) fn details() -> Vec<Attack> {
    const NAME: &str = "authorization_details";
    attacks! {
        details_without_ours: |bench| details_of(bench, json!([{ "type": "other" }])) => E::NoCapability;
        details_that_are_empty: |bench| details_of(bench, json!([])) => E::NoCapability;
        details_that_are_null: |bench| details_of(bench, Value::Null) => E::ClaimType(NAME);
        details_that_are_a_text: |bench| {
            let text = bench.claims[NAME].to_string();
            details_of(bench, json!(text))
        } => E::ClaimType(NAME);
        details_that_are_an_object: |bench| {
            let entry = bench.claims[NAME][0].clone();
            details_of(bench, entry)
        } => E::ClaimType(NAME);
        details_in_a_list: |bench| {
            let details = json!([bench.claims[NAME]]);
            details_of(bench, details)
        } => E::ClaimType(NAME);
        two_capabilities: |bench| {
            let entry = bench.claims[NAME][0].clone();
            beside(bench, entry)
        } => E::SeveralCapabilities;
        a_detail_without_a_type: |bench| beside(bench, json!({})) => E::ClaimType(NAME);
        a_detail_whose_type_is_a_number: |bench| beside(bench, json!({ "type": 1 })) => E::ClaimType(NAME);
        a_detail_that_is_a_text: |bench| beside(bench, json!("x")) => E::ClaimType(NAME);
        a_detail_that_is_null: |bench| beside(bench, Value::Null) => E::ClaimType(NAME);
        an_entry_of_the_next_version: |bench| {
            bench.entry(|entry| entry["type"] = json!("https://mcp-security.dev/cap/v2"))
        } => E::NoCapability;
        an_entry_whose_type_has_a_slash_more: |bench| {
            bench.entry(|entry| entry["type"] = json!("https://mcp-security.dev/cap/v1/"))
        } => E::NoCapability;
        an_entry_with_an_unknown_member: |bench| {
            bench.entry(|entry| entry["locations"] = json!([AUDIENCE]))
        } => E::Entry;
        an_entry_that_says_its_holder: |bench| {
            bench.entry(|entry| entry["principal"] = json!("root"))
        } => E::Entry;
        an_entry_without_a_chain: |bench| without(bench, "chain") => E::Entry;
        an_entry_without_a_resource: |bench| without(bench, "resource") => E::Entry;
        an_entry_without_actions: |bench| without(bench, "actions") => E::Entry;
        an_entry_without_constraints: |bench| without(bench, "constraints") => E::Entry;
        a_chain_that_is_a_list: |bench| bench.entry(|entry| entry["chain"] = json!([id(1)])) => E::Entry;
        a_resource_that_is_a_list: |bench| bench.entry(|entry| entry["resource"] = json!(["path:/"])) => E::Entry;
        a_resource_without_a_type: |bench| bench.entry(|entry| entry["resource"] = json!("/srv")) => E::Entry;
        an_end_that_is_a_text: |bench| bench.entry(|entry| entry["exp"] = json!("1767229200")) => E::Entry;
        an_end_that_is_null: |bench| bench.entry(|entry| entry["exp"] = Value::Null) => E::Entry;
        an_end_with_a_fraction: |bench| bench.entry(|entry| entry["exp"] = json!(1_767_229_200.0)) => E::Entry;
        a_negative_end: |bench| bench.entry(|entry| entry["exp"] = json!(-1)) => E::Entry;
        an_end_in_the_year_10000: |bench| bench.entry(|entry| entry["exp"] = json!(253_402_300_800_u64)) => E::Entry;
        an_issue_of_the_capability_that_is_a_text: |bench| bench.entry(|entry| entry["iat"] = json!("1767225600")) => E::Entry;
    }
}

/// An array in an array, so many levels deep.
pub(crate) fn nested(levels: usize) -> Value {
    (1..levels).fold(json!([]), |inner, _| json!([inner]))
}

fn without(bench: Bench, member: &str) -> Answer {
    bench.entry(|entry| drop(entry.as_object_mut().unwrap().remove(member).unwrap()))
}

pub(super) fn capability() -> Vec<Attack> {
    attacks! {
        an_unknown_constraint: |bench| bench.entry(|entry| entry["constraints"]["colour"] = json!("red")) => E::Capability;
        a_constraint_that_is_null: |bench| bench.entry(|entry| entry["constraints"]["paths"] = Value::Null) => E::Capability;
        a_constraint_of_the_wrong_type: |bench| bench.entry(|entry| entry["constraints"]["paths"] = json!("/srv")) => E::Capability;
        constraints_that_are_null: |bench| bench.entry(|entry| entry["constraints"] = Value::Null) => E::Capability;
        constraints_that_are_a_text: |bench| bench.entry(|entry| entry["constraints"] = json!("{}")) => E::Capability;
        constraints_in_lists_of_lists: |bench| bench.entry(|entry| entry["constraints"] = json!([[{}]])) => E::Capability;
        constraints_that_permit_nothing: |bench| bench.entry(|entry| entry["constraints"]["paths"] = json!([])) => E::Capability;
        a_depth_among_the_constraints_and_in_the_chain: |bench| {
            let chain = format!("{}/3", base64(id(1).as_bytes()));
            bench.entry(|entry| {
                entry["chain"] = json!(chain);
                entry["constraints"]["max_delegation_depth"] = json!(3);
            })
        } => E::Capability;
        a_depth_among_the_constraints_and_not_in_the_chain: |bench| {
            let chain = base64(id(1).as_bytes());
            bench.entry(|entry| {
                entry["chain"] = json!(chain);
                entry["constraints"]["max_delegation_depth"] = json!(3);
            })
        } => E::Capability;
        a_parameter_of_a_constraint_nested_too_deep: |bench| {
            bench.entry(|entry| entry["constraints"]["custom"] = json!({ "x": nested(28) }))
        } => cap_token::MalformedToken::TooDeep(cap_token::Part::Claims);
        a_depth_under_an_escaped_name: |bench| {
            bench.claims_text(r#""constraints":{}"#, r#""constraints":{"max_delegation_dept\u0068":3}"#)
        } => E::Capability;
        a_depth_beyond_the_hard_limit: |bench| {
            let chain = format!("{}/17", base64(id(1).as_bytes()));
            bench.entry(|entry| entry["chain"] = json!(chain))
        } => E::Capability;
        an_unknown_action: |bench| bench.entry(|entry| entry["actions"] = json!(["own"])) => E::Capability;
        an_action_twice: |bench| bench.entry(|entry| entry["actions"] = json!(["read", "read"])) => E::Capability;
        actions_that_are_a_text: |bench| bench.entry(|entry| entry["actions"] = json!("read")) => E::Capability;
        an_unknown_type_of_resource: |bench| bench.entry(|entry| entry["resource"] = json!("planet:mars")) => E::Capability;
        a_path_that_is_relative: |bench| bench.entry(|entry| entry["resource"] = json!("path:srv")) => E::Capability;
        everything_of_a_path: |bench| bench.entry(|entry| entry["resource"] = json!("path:**")) => E::Capability;
        limits_of_nobody: |bench| {
            bench.entry(|entry| entry["inherited_limits"] = json!([{ "owner": id(9), "max_calls": 1 }]))
        } => E::Capability;
        limits_that_are_null: |bench| bench.entry(|entry| entry["inherited_limits"] = Value::Null) => E::Capability;
        a_capability_that_ends_before_it_begins: |bench| {
            bench.entry(|entry| entry["iat"] = json!(1_767_229_200))
        } => E::Capability;
        a_token_that_outlives_its_capability: |bench| {
            bench.claim("exp", now().timestamp() + 3601)
        } => E::OutlivesCapability;
        a_capability_cut_short_under_its_token: |bench| {
            bench.entry(|entry| entry["exp"] = json!(now().timestamp() + 60))
        } => E::OutlivesCapability;
    }
}

/// A chain of these texts.
fn chain(bench: Bench, chain: &[&str]) -> Answer {
    bench.entry(|entry| entry["chain"] = json!(chain.concat()))
}

pub(super) fn lineage() -> Vec<Attack> {
    const OWN: &str = "AZt22qgAcQGBAQEBAQEBAQ";
    const OTHER: &str = "AZt22qgAdweHBwcHBwcHBw";
    attacks! {
        a_chain_that_is_empty: |bench| chain(bench, &[]) => E::Ancestors;
        a_chain_of_dots: |bench| chain(bench, &["."]) => E::Ancestors;
        a_chain_that_begins_with_a_dot: |bench| chain(bench, &[".", OWN]) => E::Ancestors;
        a_chain_that_ends_with_a_dot: |bench| chain(bench, &[OWN, "."]) => E::Ancestors;
        itself_as_its_ancestor: |bench| chain(bench, &[OWN, ".", OWN]) => E::Ancestors;
        an_ancestor_twice: |bench| chain(bench, &[OTHER, ".", OTHER, ".", OWN]) => E::Ancestors;
        an_ancestor_in_its_long_form: |bench| {
            chain(bench, &["019b76da-a800-7707-8707-070707070707", ".", OWN])
        } => E::Ancestors;
        an_ancestor_that_is_no_uuid_of_version_7: |bench| chain(bench, &["AZt22qgARweHBwcHBwcHBw.", OWN]) => E::Ancestors;
        an_ancestor_with_bits_beyond_its_end: |bench| chain(bench, &["AZt22qgAdweHBwcHBwcHBx.", OWN]) => E::Ancestors;
        an_ancestor_that_was_cut: |bench| chain(bench, &["AZt22qgAdweHBwcHBwcHB.", OWN]) => E::Ancestors;
        a_chain_with_white_space: |bench| chain(bench, &[OTHER, ". ", OWN]) => E::Ancestors;
        a_chain_with_commas: |bench| chain(bench, &[OTHER, ",", OWN]) => E::Ancestors;
        a_chain_of_eighteen: |bench| {
            let many: Vec<_> = (1..=18).map(|byte| base64(id(byte).as_bytes())).collect();
            bench.entry(|entry| entry["chain"] = json!(many.join(".")))
        } => E::Ancestors;
        a_chain_of_a_thousand: |bench| chain(bench, &[&format!("{OTHER}.").repeat(300), OWN]) => E::Ancestors;
        a_chain_without_its_number: |bench| chain(bench, &[OWN, "/"]) => E::Ancestors;
        a_chain_with_a_negative_number: |bench| chain(bench, &[OWN, "/-1"]) => E::Ancestors;
        a_chain_with_a_large_number: |bench| chain(bench, &[OWN, "/256"]) => E::Ancestors;
        a_chain_with_a_leading_zero: |bench| chain(bench, &[OWN, "/05"]) => E::Ancestors;
        a_chain_with_two_numbers: |bench| chain(bench, &[OWN, "/5/5"]) => E::Ancestors;
    }
}
