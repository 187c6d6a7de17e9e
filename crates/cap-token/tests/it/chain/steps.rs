//! Every step of the verification algorithm denies what it is there for (AAT-02 §8).

use std::collections::BTreeSet;
use std::sync::Arc;

use cap_token::chain::{ChainLimits, ChainVerifier, MemoryReplayStore, Presentation, Untracked};
use serde_json::{Value, json};

use super::support::{
    AUDIENCE, Case, ISSUER, NOW, anchor, at, entry, jwk, outcome, policy, thumbprint, tools, uri,
};

fn limits(change: impl FnOnce(&mut ChainLimits)) -> ChainLimits {
    let mut limits = ChainLimits::default();
    change(&mut limits);
    limits
}

#[test]
fn chains_of_one_to_nine_tokens_are_permitted() {
    for tokens in 1..=9 {
        let verified = Case::of(tokens).run().unwrap();
        assert_eq!(verified.depth() as usize, tokens - 1);
        let ids: Vec<_> = (0..tokens).map(|at| format!("token-{at}")).collect();
        assert_eq!(verified.token_ids(), ids);
        assert_eq!(verified.issuer(), ISSUER);
        assert_eq!(verified.holder(), thumbprint(u8::try_from(tokens + 1).unwrap()));
        assert_eq!(verified.holders().len(), tokens);
        assert_eq!(verified.expires_at(), at(NOW + 3300));
        assert_eq!(verified.issued_at(), at(NOW - 300));
        assert_eq!(verified.arguments(), r#"{"path":"/a"}"#);
        assert_eq!(verified.tools().map(|(tool, _)| tool).collect::<Vec<_>>(), ["read_file"]);
    }
}

#[test]
fn step_1_an_empty_chain_is_denied() {
    let case = Case::of(1);
    let empty = Presentation { aat_chain: vec![], ..case.presentation() };
    assert_eq!(outcome(&case.present(&empty, &Untracked)), "1");
}

#[test]
fn step_2_sizes_are_bounded_and_the_bound_itself_is_permitted() {
    let chain = Case::of(2).chain();
    let (longest, total) = (chain[1].len(), chain[0].len() + chain[1].len());
    for (token_bound, chain_bound, expected) in
        [(longest, total, "PERMIT"), (longest - 1, total, "2a"), (longest, total - 1, "2b")]
    {
        let case = Case::of(2).policy(|policy| {
            policy.with_limits(limits(|limits| {
                limits.max_token_bytes = token_bound;
                limits.max_chain_bytes = chain_bound;
            }))
        });
        assert_eq!(case.outcome(), expected);
    }
    let long = Case::of(1).claim(0, "note", "x".repeat(65_536));
    long.is_denied_at("2a");
    let mut long = Case::of(6);
    for token in 0..6 {
        long = long.claim(token, "note", "x".repeat(40_000));
    }
    long.is_denied_at("2b");
}

#[test]
fn step_2c_every_token_has_a_jti_of_its_own() {
    Case::of(2).claim(1, "jti", "token-0").is_denied_at("2c");
    Case::of(3).claim(2, "jti", "token-0").is_denied_at("2c");
    Case::of(1).without(0, "jti").is_denied_at("3j");
    for wrong in [json!(7), json!(null), json!(["token-0"]), json!({"jti": "a"})] {
        Case::of(2).claim(0, "jti", wrong.clone()).is_denied_at("3j");
        Case::of(2).claim(1, "jti", wrong).is_denied_at("4b1");
    }
    let case = Case::of(2);
    let mut twice = case.presentation();
    twice.aat_chain.insert(1, twice.aat_chain[0].clone());
    assert_eq!(outcome(&case.present(&twice, &Untracked)), "2c");
}

#[test]
fn a_text_that_is_no_compact_jws_is_denied() {
    let case = Case::of(1);
    let good = case.presentation();
    let token = &good.aat_chain[0];
    let (input, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = input.split_once('.').unwrap();
    for text in [String::new(), ".".to_owned(), input.to_owned(), format!("{token}.")] {
        let presentation = Presentation { aat_chain: vec![text], ..good.clone() };
        assert_eq!(outcome(&case.present(&presentation, &Untracked)), "2c");
    }
    let headless = Presentation { aat_chain: vec!["..".to_owned()], ..good.clone() };
    assert_eq!(outcome(&case.present(&headless, &Untracked)), "3a");
    for text in [
        format!("{header}.{payload}=.{signature}"),
        format!("{header}. {payload}.{signature}"),
        format!("{header}.{}.{signature}", super::support::base64(b"\xff{}")),
        format!("{header}.{}.{signature}", super::support::base64(b"[]")),
    ] {
        let presentation = Presentation { aat_chain: vec![text], ..good.clone() };
        assert_eq!(outcome(&case.present(&presentation, &Untracked)), "3b");
    }
}

#[test]
fn steps_3a_4a_and_7a_the_header_is_what_it_must_be() {
    let bad = [
        r#"{"typ":"TYP"}"#,
        r#"{"alg":"EdDSA","typ":"TYP"}"#,
        r#"{"alg":"none","typ":"TYP"}"#,
        r#"{"alg":"HS256","typ":"TYP"}"#,
        r#"{"alg":"ES256","typ":"TYP"}"#,
        r#"{"alg":"ed25519","typ":"TYP"}"#,
        r#"{"alg":["Ed25519"],"typ":"TYP"}"#,
        r#"{"alg":null,"typ":"TYP"}"#,
        r#"{"alg":"Ed25519"}"#,
        r#"{"alg":"Ed25519","typ":"JWT"}"#,
        r#"{"alg":"Ed25519","typ":"OTHER"}"#,
        r#"{"alg":"Ed25519","typ":null}"#,
        r#"{"alg":"Ed25519","typ":"TYP","crit":["exp"]}"#,
        r#"{"alg":"Ed25519","typ":"TYP","crit":[]}"#,
        r#"{"alg":"Ed25519","typ":"TYP","crit":["b64"],"b64":false}"#,
        r#"{"alg":"Ed25519","typ":"TYP""#,
        r#"["alg"]"#,
        "",
    ];
    for header in bad {
        let token = header.replace("TYP", "aat+jwt").replace("OTHER", "aat-pop+jwt");
        Case::of(2).header(0, &token).is_denied_at("3a");
        Case::of(2).header(1, &token).is_denied_at("4a");
        let proof = header.replace("TYP", "aat-pop+jwt").replace("OTHER", "aat+jwt");
        let mut case = Case::of(2);
        case.proof_header = proof;
        case.is_denied_at("7a");
    }
}

#[test]
fn keys_and_unknown_parameters_in_a_header_are_ignored() {
    let attacker = jwk(9);
    let header = json!({
        "alg": "Ed25519", "typ": "aat+jwt", "jwk": attacker, "jku": "https://evil.example",
        "x5u": "https://evil.example", "x5c": ["AAAA"], "kid": 7, "b64": false, "zip": "DEF",
    });
    Case::of(2).header(0, &header.to_string()).header(1, &header.to_string()).is_permitted();
    let mut forged = Case::of(2).header(0, &header.to_string());
    forged.signers[0] = 9;
    forged.is_denied_at("3b");
    let mut forged = Case::of(2).header(1, &header.to_string());
    forged.signers[1] = 9;
    forged.is_denied_at("4b");
}

#[test]
fn steps_3b_4b_and_7b_the_right_key_must_have_signed() {
    for wrong in [1, 3, 4, 9] {
        let mut case = Case::of(3);
        case.signers[1] = wrong;
        case.is_denied_at("4b");
        let mut case = Case::of(3);
        case.proof_signer = if wrong == 4 { 2 } else { wrong };
        case.is_denied_at("7b");
    }
    let mut case = Case::of(1);
    case.signers[0] = 2;
    case.is_denied_at("3b");
    let case = Case::of(1);
    let good = case.presentation();
    let input = good.aat_chain[0].rsplit_once('.').unwrap().0;
    for signature in ["", "AAAA", "A=", &"A".repeat(86)] {
        let chain = vec![format!("{input}.{signature}")];
        let presentation = Presentation { aat_chain: chain, ..good.clone() };
        assert_eq!(outcome(&case.present(&presentation, &Untracked)), "3b");
    }
}

#[test]
fn steps_3b_4b_and_7b_no_object_has_two_members_of_one_name() {
    for (from, to) in [
        (r#""del_max_depth""#, r#""note":1,"note":1,"del_max_depth""#),
        (r#""del_max_depth""#, r#""note":1,"n\u006fte":1,"del_max_depth""#),
        (r#""del_max_depth""#, r#""note":[{"a":{"b":1,"b":2}}],"del_max_depth""#),
        (r#""path":{"#, r#""path":{"constraint_type":"wildcard"},"path":{"#),
        (r#""read_file":{"#, r#""read_file":{},"read_file":{"#),
        (r#""kty":"OKP""#, r#""kty":"OKP","kty":"OKP""#),
    ] {
        Case::of(2).replace(0, from, to).is_denied_at("3b");
        Case::of(2).replace(1, from, to).is_denied_at("4b");
    }
    Case::of(1).replace_proof(r#""hta":{"#, r#""hta":{},"hta":{"#).is_denied_at("7b");
    Case::of(1).replace_proof(r#""path""#, r#""path":"/a","path""#).is_denied_at("7b");
}

#[test]
fn dates_and_depths_are_numbers_without_fraction_and_exponent() {
    let wrong = [
        "1704067200.0",
        "1704067200.5",
        "1.7040672e9",
        "17040672e2",
        "-0",
        "\"1704067200\"",
        "true",
        "null",
        "[]",
        "99999999999999999999",
    ];
    for value in wrong {
        for name in ["iat", "exp"] {
            let at =
                |token: usize| Case::of(2).claim(token, name, "X").replace(token, "\"X\"", value);
            at(0).is_denied_at("3b");
            at(1).is_denied_at("4b5");
        }
        for (name, root) in [("del_depth", "3c"), ("del_max_depth", "3i")] {
            let at =
                |token: usize| Case::of(2).claim(token, name, "X").replace(token, "\"X\"", value);
            at(0).is_denied_at(root);
            at(1).is_denied_at("4b4");
        }
        Case::of(1).proof("iat", "X").replace_proof("\"X\"", value).is_denied_at("7c");
    }
    for value in ["0.0", "0e0", "-1", "false"] {
        Case::of(1).claim(0, "del_depth", "X").replace(0, "\"X\"", value).is_denied_at("3c");
    }
    for value in ["1.0", "1e0", "10e-1", "true"] {
        Case::of(2).claim(1, "del_depth", "X").replace(1, "\"X\"", value).is_denied_at("4b4");
    }
}

#[test]
fn step_3_a_root_lacks_nothing() {
    for (name, step) in [
        ("iat", "3b"),
        ("exp", "3b"),
        ("del_depth", "3c"),
        ("del_max_depth", "3i"),
        ("iss", "3k"),
        ("cnf", "3l"),
        ("authorization_details", "3m"),
    ] {
        Case::of(1).without(0, name).is_denied_at(step);
        Case::of(1).claim(0, name, Value::Null).is_denied_at(step);
    }
}

#[test]
fn step_3_what_a_root_says_of_itself_holds() {
    Case::of(1).claim(0, "del_depth", 1).is_denied_at("3c");
    Case::of(1).claim(0, "par_hash", "").is_denied_at("3d");
    Case::of(1).claim(0, "par_hash", Value::Null).is_denied_at("3d");
    Case::of(1).claim(0, "exp", NOW).is_denied_at("3e");
    Case::of(1).claim(0, "exp", NOW + 1).is_permitted();
    Case::of(1).claim(0, "iat", NOW + 31).is_denied_at("3f");
    Case::of(1).claim(0, "iat", NOW + 30).is_permitted();
    Case::of(1).claim(0, "iat", NOW + 20).claim(0, "exp", NOW + 10).is_denied_at("3g");
    Case::of(1).claim(0, "iat", NOW + 20).claim(0, "exp", NOW + 20).is_denied_at("3g");
    Case::of(1).claim(0, "exp", NOW - 300 + 7_776_000).is_permitted();
    Case::of(1).claim(0, "exp", NOW - 300 + 7_776_001).is_denied_at("3h");
    Case::of(1).claim(0, "exp", i64::MAX).is_denied_at("3h");
    Case::of(1).claim(0, "iat", i64::MIN).is_denied_at("3h");
    Case::of(1).claim(0, "iat", i64::MAX).is_denied_at("3f");
    Case::of(1).claim(0, "del_max_depth", 9).is_denied_at("3i");
    Case::of(1).claim(0, "del_max_depth", -1).is_denied_at("3i");
    Case::of(1).claim(0, "del_max_depth", 4_294_967_296_i64).is_denied_at("3i");
    Case::of(1).claim(0, "del_max_depth", 0).is_permitted();
    Case::of(1).claim(0, "jti", "").is_denied_at("3j");
    for issuer in ["https://auth.example.com/", "HTTPS://auth.example.com", "auth", "", &uri(1)] {
        Case::of(1).claim(0, "iss", issuer).is_denied_at("3k");
    }
}

#[test]
fn steps_3l_and_4b2_the_holder_has_a_public_key() {
    let point = |bytes: [u8; 32]| json!({"jwk": {"kty": "OKP", "crv": "Ed25519", "x": super::support::base64(&bytes)}});
    let mut minus_one = [0xff; 32];
    (minus_one[0], minus_one[31]) = (0xec, 0x7f);
    let mut beyond_p = [0xff; 32];
    beyond_p[31] = 0x7f;
    let with = |name: &str, value: Value| {
        let mut jwk = jwk(2);
        jwk[name] = value;
        json!({ "jwk": jwk })
    };
    let x = jwk(2)["x"].as_str().unwrap().to_owned();
    for cnf in [
        json!({}),
        json!({"jkt": thumbprint(2)}),
        json!({"jwk": null}),
        json!({"jwk": "x"}),
        json!({"jwk": {}}),
        json!({"jwk": {"kty": "OKP", "crv": "Ed25519"}}),
        json!({"jwk": {"kty": "oct", "k": "AAAA"}}),
        json!({"jwk": {"kty": "oct"}}),
        json!({"jwk": {"kty": "RSA", "n": "AQ", "e": "AQAB", "p": "AQ"}}),
        json!({"jwk": {"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ", "d": "AQ"}}),
        with("d", json!("AAAA")),
        with("d", Value::Null),
        with("k", json!("AAAA")),
        with("x", json!(format!("{x}="))),
        with("x", json!(format!("{}_", x.strip_suffix(x.chars().last().unwrap()).unwrap()))),
        with("x", json!(&x[..42])),
        with("x", json!(7)),
        point([0; 32]),
        point(minus_one),
        point(beyond_p),
    ] {
        Case::of(1).claim(0, "cnf", cnf.clone()).is_denied_at("3l");
        Case::of(2).claim(1, "cnf", cnf).is_denied_at("4b2");
    }
}

#[test]
fn steps_3m_and_4n_there_is_one_entry_with_tools() {
    let ours = entry(tools())[0].clone();
    let other = json!({"type": "payment", "amount": 1.5e300});
    let none = json!([other]);
    let two = json!([ours, ours]);
    for details in [json!([]), none.clone(), two.clone()] {
        Case::of(1).claim(0, "authorization_details", details).is_denied_at("3m");
    }
    for details in [json!({}), json!("x"), json!(7)] {
        Case::of(2).claim(0, "authorization_details", details.clone()).is_denied_at("3m");
        Case::of(2).claim(1, "authorization_details", details).is_denied_at("4b3");
    }
    Case::of(2).claim(1, "authorization_details", two).is_denied_at("4n");
    for tools in
        [json!(null), json!([]), json!("x"), json!({"read_file": []}), json!({"read_file": null})]
    {
        Case::of(2).tools(0, tools.clone()).is_denied_at("3m");
        Case::of(2).tools(1, tools).is_denied_at("4n");
    }
    let untooled = json!([{"type": "attenuating_agent_token"}]);
    Case::of(2).claim(0, "authorization_details", untooled.clone()).is_denied_at("3m");
    Case::of(2).claim(1, "authorization_details", untooled).is_denied_at("4n");
    let beside = json!([other, ours]);
    Case::of(2)
        .claim(0, "authorization_details", beside.clone())
        .claim(1, "authorization_details", beside)
        .is_permitted();
}

#[test]
fn step_4b_a_derived_token_lacks_nothing() {
    for (name, step) in [
        ("cnf", "4b2"),
        ("authorization_details", "4b3"),
        ("del_depth", "4b4"),
        ("del_max_depth", "4b4"),
        ("iss", "4b5"),
        ("par_hash", "4b5"),
        ("iat", "4b5"),
        ("exp", "4b5"),
    ] {
        Case::of(2).without(1, name).is_denied_at(step);
        Case::of(2).claim(1, name, Value::Null).is_denied_at(step);
    }
    Case::of(2).claim(1, "jti", "").is_denied_at("4b1");
    Case::of(2).claim(1, "del_depth", -1).is_denied_at("4b4");
    Case::of(2).claim(1, "del_max_depth", -1).is_denied_at("4b4");
    Case::of(2).claim(1, "iss", 7).is_denied_at("4b5");
    Case::of(2).claim(1, "par_hash", json!([])).is_denied_at("4b5");
}

#[test]
fn steps_4c_to_4m_a_derived_token_is_no_more_than_its_parent() {
    Case::of(2).claim(1, "iss", ISSUER).is_denied_at("4c");
    Case::of(2).claim(1, "iss", uri(3)).is_denied_at("4c");
    Case::of(2).claim(1, "iss", thumbprint(2)).is_denied_at("4c");
    Case::of(2).claim(1, "iss", uri(2).to_uppercase()).is_denied_at("4c");
    Case::of(2).claim(1, "del_depth", 0).is_denied_at("4d");
    Case::of(2).claim(1, "del_depth", 2).is_denied_at("4d");
    Case::of(2).claim(0, "del_max_depth", 0).claim(1, "del_max_depth", 1).is_denied_at("4e");
    Case::of(2).claim(0, "del_max_depth", 0).claim(1, "del_max_depth", 0).is_denied_at("4e");
    Case::of(10).is_denied_at("4f");
    Case::of(2).claim(0, "del_max_depth", 3).claim(1, "del_max_depth", 4).is_denied_at("4g");
    Case::of(2).claim(0, "del_max_depth", 1).claim(1, "del_max_depth", 1).is_permitted();
    Case::of(2).claim(1, "exp", NOW + 3301).is_denied_at("4h");
    Case::of(2).claim(1, "exp", NOW).is_denied_at("4i");
    Case::of(2).claim(1, "exp", NOW + 1).is_permitted();
    Case::of(2).claim(1, "iat", NOW - 301).is_denied_at("4j");
    Case::of(2).claim(1, "iat", NOW + 31).is_denied_at("4k");
    Case::of(2).claim(1, "iat", NOW + 30).is_permitted();
    Case::of(2).claim(1, "iat", NOW + 20).claim(1, "exp", NOW + 10).is_denied_at("4l");
    Case::of(2).claim(1, "iat", NOW + 20).claim(1, "exp", NOW + 20).is_denied_at("4l");
    Case::of(2).claim(1, "del_max_depth", 0).is_denied_at("4m");
    Case::of(2).claim(1, "del_max_depth", 1).is_permitted();
    let terminal = Case::of(3).claim(1, "del_max_depth", 1).claim(2, "del_max_depth", 2);
    terminal.is_denied_at("4e");
}

#[test]
fn step_4f_a_deeper_limit_lets_deeper_chains_in_and_a_root_claim_no_more_than_it() {
    let deep = limits(|limits| limits.max_delegation_depth = 12);
    let mut case = Case::of(10).policy(|policy| policy.with_limits(deep));
    for token in 0..10 {
        case = case.claim(token, "del_max_depth", 12);
    }
    case.is_permitted();
    case.claim(0, "del_max_depth", 13).is_denied_at("3i");
}

#[test]
fn step_4q_a_child_belongs_to_one_parent() {
    Case::of(2).claim(1, "par_hash", "").is_denied_at("4q");
    Case::of(2).claim(1, "par_hash", thumbprint(2)).is_denied_at("4q");
    // Two parents of the same holder: the child of the narrow one is presented under the wide one.
    let narrow = Case::of(2).chain();
    let wide = Case::of(2).claim(0, "jti", "wide").chain();
    let mut case = Case::of(2);
    case.proof["aat_hash"] = super::support::hash(&narrow[1]).into();
    let spliced =
        Presentation { aat_chain: vec![wide[0].clone(), narrow[1].clone()], ..case.presentation() };
    assert_eq!(outcome(&case.present(&spliced, &Untracked)), "4q");
    // The same with the proof's padding of a hash.
    let mut padded = Case::of(1).chain().remove(0);
    padded = super::support::hash(&padded);
    Case::of(2).claim(1, "par_hash", format!("{padded}=")).is_denied_at("4q");
}

#[test]
fn tokens_must_stand_in_their_order() {
    let case = Case::of(3);
    let good = case.presentation();
    for order in [[1, 0, 2], [0, 2, 1], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
        let chain = order.iter().map(|at| good.aat_chain[*at].clone()).collect();
        let shuffled = Presentation { aat_chain: chain, ..good.clone() };
        assert!(case.present(&shuffled, &Untracked).is_err(), "{order:?}");
    }
    // A chain that does not begin with its root, or leaves one out.
    for skip in [0, 1] {
        let mut chain = good.aat_chain.clone();
        chain.remove(skip);
        let shortened = Presentation { aat_chain: chain, ..good.clone() };
        assert!(case.present(&shortened, &Untracked).is_err());
    }
}

#[test]
fn a_prefix_of_a_chain_needs_the_proof_of_its_own_leaf() {
    let mut case = Case::of(2);
    let good = case.presentation();
    let prefix = Presentation { aat_chain: good.aat_chain[..1].to_vec(), ..good };
    assert_eq!(outcome(&case.present(&prefix, &Untracked)), "7b");
    case = Case::of(1);
    case.is_permitted();
}

#[test]
fn step_6a_a_leaf_has_an_entry_and_below_none_nothing_can_follow() {
    let none = || json!([]);
    Case::of(2).claim(1, "authorization_details", none()).is_denied_at("6a");
    Case::of(3)
        .claim(1, "authorization_details", none())
        .claim(2, "authorization_details", none())
        .is_denied_at("6a");
    Case::of(3).claim(1, "authorization_details", none()).is_denied_at("4p1");
    let empty = Case::of(3).claim(1, "authorization_details", none()).tools(2, json!({}));
    empty.is_denied_at("6b");
}

#[test]
fn step_6b_the_tool_is_compared_exactly() {
    for tool in ["", "Read_file", "read_file ", "read_fil\u{435}", "https://x.example/read_file"] {
        let mut case = Case::of(1).proof("aat_tool", tool);
        case.tool = tool.to_owned();
        let expected = if tool.is_empty() { "7c" } else { "6b" };
        case.is_denied_at(expected);
    }
    // No Unicode normalisation: é and e with an accent are two tools.
    let composed = json!({"caf\u{e9}": {"path": {"constraint_type": "wildcard"}}});
    let mut case = Case::of(1).tools(0, composed).proof("aat_tool", "caf\u{e9}");
    case.tool = "caf\u{e9}".to_owned();
    case.is_permitted();
    let mut case = case.proof("aat_tool", "cafe\u{301}");
    case.tool = "cafe\u{301}".to_owned();
    case.is_denied_at("6b");
}

#[test]
fn step_6c_every_audience_of_the_chain_is_this_enforcement_point() {
    let required = |case: Case| case.policy(|policy| policy.require_chain_aud());
    for good in [json!(AUDIENCE), json!(["https://other.example", AUDIENCE])] {
        required(Case::of(2).claim(0, "aud", good.clone())).is_permitted();
        required(Case::of(2).claim(1, "aud", good)).is_permitted();
    }
    for bad in [
        json!("https://other.example"),
        json!(["https://other.example"]),
        json!([]),
        json!(null),
        json!(format!("{AUDIENCE}/")),
        json!(AUDIENCE.to_uppercase()),
        json!(""),
    ] {
        Case::of(2).claim(0, "aud", bad.clone()).is_denied_at("6c");
        Case::of(2).claim(1, "aud", bad.clone()).is_denied_at("6c");
        Case::of(2).claim(0, "aud", AUDIENCE).claim(1, "aud", bad).is_denied_at("6c");
    }
    required(Case::of(2)).is_denied_at("6c");
    Case::of(2).is_permitted();
    let two = Case::of(2).policy(|policy| policy.with_audience("urn:second"));
    two.claim(0, "aud", AUDIENCE).claim(1, "aud", "urn:second").is_permitted();
}

#[test]
fn step_7c_a_proof_lacks_nothing_and_is_for_this_leaf() {
    for name in ["jti", "iat", "aat_id", "aat_hash", "aat_tool", "hta"] {
        Case::of(1).without_proof(name).is_denied_at("7c");
        Case::of(1).proof(name, Value::Null).is_denied_at("7c");
    }
    for name in ["jti", "aat_id", "aat_hash", "aat_tool"] {
        Case::of(1).proof(name, "").is_denied_at("7c");
        Case::of(1).proof(name, 7).is_denied_at("7c");
    }
    for wrong in [json!([]), json!("{}"), json!(7)] {
        Case::of(1).proof("hta", wrong).is_denied_at("7c");
    }
    Case::of(2).proof("aat_id", "token-0").is_denied_at("7c");
    Case::of(2).proof("aat_hash", thumbprint(3)).is_denied_at("7c");
}

#[test]
fn step_7d_a_named_audience_of_a_proof_is_this_enforcement_point() {
    let required = |case: Case| case.policy(|policy| policy.require_pop_aud());
    Case::of(1).proof("aat_aud", AUDIENCE).is_permitted();
    required(Case::of(1).proof("aat_aud", AUDIENCE)).is_permitted();
    required(Case::of(1)).is_denied_at("7d");
    Case::of(1).proof("aat_aud", "https://other.example").is_denied_at("7d");
}

#[test]
fn steps_7e_and_7f_the_proof_is_for_this_call() {
    let mut case = Case::of(1).proof("aat_tool", "write_file");
    case.is_denied_at("7e");
    case = Case::of(1);
    case.args = r#"{"path":"/b"}"#.to_owned();
    case.is_denied_at("7f");
    for args in ["{}", r#"{"path":"/a","x":1}"#, r#"{"path":["/a"]}"#] {
        let mut case = Case::of(1);
        case.args = args.to_owned();
        case.is_denied_at("7f");
    }
    let map =
        || json!({"a": {"constraint_type": "wildcard"}, "b": {"constraint_type": "wildcard"}});
    let mut case = Case::call(map(), r#"{"a":1.0,"b":"é"}"#);
    case.args = r#" { "b" : "\u00e9" , "a" : 1 } "#.to_owned();
    case.is_permitted();
}

#[test]
fn step_7g_the_window_is_inclusive_on_both_sides() {
    for (seconds, good) in [(-31, false), (-30, true), (0, true), (30, true), (31, false)] {
        let case = Case::of(1).proof("iat", NOW + seconds);
        if good { case.is_permitted() } else { case.is_denied_at("7g") }
    }
    Case::of(1).proof("iat", i64::MIN).is_denied_at("7g");
    Case::of(1).proof("iat", i64::MAX).is_denied_at("7g");
}

#[test]
fn step_7h_a_required_nonce_is_one_of_those_accepted() {
    let nonces = Arc::new(BTreeSet::from(["n-1".to_owned(), "n-2".to_owned()]));
    let with = |case: Case| {
        let nonces = Arc::clone(&nonces);
        case.policy(|policy| policy.require_nonce(nonces))
    };
    with(Case::of(1).proof("nonce", "n-1")).is_permitted();
    with(Case::of(1).proof("nonce", "n-2")).is_permitted();
    with(Case::of(1)).is_denied_at("7h");
    for wrong in [json!("n-3"), json!(""), json!(null), json!(["n-1"])] {
        with(Case::of(1).proof("nonce", wrong.clone())).is_denied_at("7h");
        // Nobody asked for one.
        Case::of(1).proof("nonce", wrong).is_permitted();
    }
}

#[test]
fn step_7i_a_proof_is_accepted_once_and_a_denied_call_uses_nothing_up() {
    let replay = MemoryReplayStore::new(10);
    let case = Case::of(1);
    let mut wrong = Case::of(1);
    wrong.args = r#"{"path":"/b"}"#.to_owned();
    assert_eq!(outcome(&wrong.present(&case.presentation(), &replay)), "7f");
    assert!(replay.is_empty());
    assert_eq!(outcome(&case.run_with(&replay)), "PERMIT");
    assert_eq!(outcome(&case.run_with(&replay)), "7i");
    // Another proof with the same `jti` by the same holder is the same.
    assert_eq!(outcome(&Case::of(1).proof("iat", NOW - 1).run_with(&replay)), "7i");
    assert_eq!(outcome(&Case::of(1).proof("jti", "proof-2").run_with(&replay)), "PERMIT");
}

#[test]
fn steps_3n_and_4o_constraints_of_tools_that_are_not_called_are_looked_at_too() {
    let bad = json!({
        "read_file": {"path": {"constraint_type": "wildcard"}},
        "other": {"x": {"constraint_type": "regex", "pattern": ".*"}},
    });
    Case::of(1).tools(0, bad.clone()).is_denied_at("3n");
    let parent = json!({"read_file": {}, "other": {}});
    Case::of(2).tools(0, parent).tools(1, bad).is_denied_at("4o");
}

#[test]
fn several_anchors_are_all_tried_and_each_speaks_for_its_issuer_only() {
    let second = "https://second.example";
    let both = || {
        cap_token::chain::ChainPolicy::new([
            anchor(ISSUER, 1),
            anchor(second, 7),
            anchor(ISSUER, 8),
            anchor("https://third.example", 1),
        ])
    };
    let signed_by = |signer: u8, issuer: &str| {
        let mut case = Case::of(2).claim(0, "iss", issuer).policy(|_| both());
        case.signers[0] = signer;
        case
    };
    signed_by(1, ISSUER).is_permitted();
    signed_by(8, ISSUER).is_permitted();
    signed_by(7, second).is_permitted();
    signed_by(1, "https://third.example").is_permitted();
    signed_by(1, second).is_denied_at("3k");
    signed_by(7, ISSUER).is_denied_at("3k");
    signed_by(8, "https://third.example").is_denied_at("3k");
    signed_by(9, ISSUER).is_denied_at("3b");
}

#[test]
fn a_chain_that_was_checked_earlier_is_asked_for_its_lifetime_again() {
    let verifier = ChainVerifier::new(policy()).unwrap();
    let case = Case::of(2).claim(1, "exp", NOW + 20);
    let presentation = case.presentation();
    let checked = verifier.verify_chain(&presentation.aat_chain, at(NOW)).unwrap();
    assert_eq!(checked.token_ids(), ["token-0", "token-1"]);
    assert_eq!(checked.issuer(), ISSUER);
    let prove = |seconds| {
        let pop = &presentation.aat_pop;
        verifier.verify_proof(&checked, pop, &case.tool, &case.args, &Untracked, at(seconds))
    };
    assert_eq!(outcome(&prove(NOW + 19)), "PERMIT");
    assert_eq!(outcome(&prove(NOW + 20)), "4i");
    let other = ChainVerifier::new(policy()).unwrap();
    let foreign = other.verify_proof(
        &checked,
        &presentation.aat_pop,
        &case.tool,
        &case.args,
        &Untracked,
        at(NOW),
    );
    assert_eq!(outcome(&foreign), "3b");
}

#[test]
fn an_error_names_the_step_and_the_token_and_nothing_else() {
    let error = Case::of(3).claim(2, "del_depth", 5).run().unwrap_err();
    assert_eq!((error.step().as_str(), error.token()), ("4d", Some(2)));
    assert_eq!(error.to_string(), "step 4d denies: `del_depth` is not one more");
    let error = Case::of(1).without_proof("jti").run().unwrap_err();
    assert_eq!((error.step().as_str(), error.token()), ("7c", None));
    assert!(!error.what().is_empty());
}

#[test]
fn a_denial_says_more_than_that_the_evidence_is_bad_only_once_it_is_good() {
    let code = |case: Case| case.run().unwrap_err().deny_code().code();
    for mut expired in [Case::of(1).claim(0, "exp", NOW), Case::of(2).claim(1, "exp", NOW)] {
        expired.proof_signer = 9;
        assert_eq!(code(expired), "evidence-invalid");
    }
    let expired_since = |signer: u8, hta: Value| {
        let mut case = Case::of(2).claim(1, "exp", NOW + 20).proof("hta", hta);
        case.proof_signer = signer;
        let presentation = case.presentation();
        let verifier = ChainVerifier::new(policy()).unwrap();
        let checked = verifier.verify_chain(&presentation.aat_chain, at(NOW)).unwrap();
        let pop = &presentation.aat_pop;
        let replay = &Untracked;
        let later = at(NOW + 20);
        let denied = verifier.verify_proof(&checked, pop, &case.tool, &case.args, replay, later);
        denied.unwrap_err().deny_code().code()
    };
    assert_eq!(expired_since(3, json!({"path": "/a"})), "capability-expired");
    assert_eq!(expired_since(9, json!({"path": "/a"})), "evidence-invalid");
    assert_eq!(expired_since(3, json!({"path": "/b"})), "evidence-invalid");
    let mut other = Case::of(1).proof("aat_tool", "other");
    other.tool = "other".to_owned();
    assert_eq!(code(other), "tool-not-allowed");
    assert_eq!(
        code(Case::call(json!({"a": {"constraint_type": "wildcard"}}), "{}")),
        "argument-refused"
    );
    assert_eq!(code(Case::call(json!({}), r#"{"a":9007199254740993}"#)), "argument-invalid");
    let mut unproved = Case::call(json!({"a": {"constraint_type": "wildcard"}}), "{}");
    unproved.proof_signer = 9;
    assert_eq!(code(unproved), "evidence-invalid");
    assert_eq!(code(Case::of(2).claim(1, "par_hash", "x")), "evidence-invalid");
}
