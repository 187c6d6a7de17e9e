//! What a verifier refuses to start with, and what it does with extensions.

use std::time::Duration;

use cap_core::ArgumentConstraint;
use cap_crypto::{Signer, SigningKey};
use cap_token::chain::{
    Author, Call, ChainLimits, ChainPolicy, ChainVerifier, Constraint, Derivation, Exposure,
    PolicyError, Presentation, RootToken, ToolRules, Tools, TrustAnchor, Untracked, Vocabulary,
};
use serde_json::json;

use super::support::{AUDIENCE, Case, ISSUER, NOW, RANDOM, RSA, anchor, at, key, outcome, policy};

fn refused(policy: ChainPolicy) -> PolicyError {
    ChainVerifier::new(policy).err().unwrap()
}

#[test]
fn a_policy_that_cannot_be_enforced_is_refused() {
    assert_eq!(refused(ChainPolicy::new([])), PolicyError::Anchors);
    let many = (0..65).map(|_| anchor(ISSUER, 1));
    assert_eq!(refused(ChainPolicy::new(many)), PolicyError::Anchors);
    for issuer in
        ["", "auth", "https:", "1https://a", ":x", "https://a b", "https://\u{e9}", "a\n:b"]
    {
        let error = refused(ChainPolicy::new([anchor(issuer, 1)]));
        assert_eq!(error, PolicyError::Issuer(issuer.to_owned()));
    }
    for issuer in ["https://a", "urn:x", "did:web:a.example", "a+b-c.d:e"] {
        assert!(ChainVerifier::new(ChainPolicy::new([anchor(issuer, 1)])).is_ok());
    }
    let anchors = || ChainPolicy::new([anchor(ISSUER, 1)]);
    assert_eq!(refused(anchors().require_chain_aud()), PolicyError::NoAudience);
    assert_eq!(refused(anchors().require_pop_aud()), PolicyError::NoAudience);
    let limit = |change: fn(&mut ChainLimits)| {
        let mut limits = ChainLimits::default();
        change(&mut limits);
        refused(anchors().with_limits(limits))
    };
    let depth = PolicyError::Limit("max_delegation_depth");
    assert_eq!(limit(|it| it.max_delegation_depth = 7), depth);
    assert_eq!(limit(|it| it.max_delegation_depth = 65), depth);
    assert_eq!(
        limit(|it| it.max_constraint_depth = 49),
        PolicyError::Limit("max_constraint_depth")
    );
    assert_eq!(
        limit(|it| it.max_token_lifetime = Duration::MAX),
        PolicyError::Limit("max_token_lifetime")
    );
    assert_eq!(limit(|it| it.max_iat_skew = Duration::MAX), PolicyError::Limit("max_iat_skew"));
    assert_eq!(limit(|it| it.proof_window = Duration::MAX), PolicyError::Limit("proof_window"));
}

#[test]
fn only_ed25519_keys_are_anchors() {
    let rsa = SigningKey::from_pkcs8(RSA.as_bytes()).unwrap();
    let issuer = ISSUER.to_owned();
    let policy = ChainPolicy::new([TrustAnchor { issuer: issuer.clone(), key: rsa.key().clone() }]);
    assert_eq!(refused(policy), PolicyError::Key(issuer));
}

#[test]
fn several_enforcement_points_need_one_of_the_four_bindings() {
    let several = || policy().with_exposure(Exposure::Several);
    assert_eq!(refused(several()), PolicyError::Unbound);
    assert!(ChainVerifier::new(several().require_chain_aud()).is_ok());
    assert!(ChainVerifier::new(several().require_pop_aud()).is_ok());
    let nonces = std::sync::Arc::new(std::collections::BTreeSet::new());
    assert!(ChainVerifier::new(several().require_nonce(nonces)).is_ok());
    assert!(ChainVerifier::new(policy().with_exposure(Exposure::SharedReplayStore)).is_ok());
}

#[test]
fn our_own_types_deny_unless_they_are_turned_on() {
    let on = |case: Case| case.policy(|policy| policy.with_extensions());
    for (constraint, good, bad) in [
        (json!({"constraint_type": "path", "within": ["/srv/**"]}), "\"/srv/a\"", "\"/etc/a\""),
        (
            json!({"constraint_type": "cidr", "within": ["10.0.0.0/8"]}),
            "\"10.1.2.3\"",
            "\"11.1.2.3\"",
        ),
        (json!({"constraint_type": "glob", "pattern": "a/*"}), "\"a/b\"", "\"b/a\""),
        (json!({"constraint_type": "length", "max": 2}), "[1,2]", "[1,2,3]"),
    ] {
        let call = |value: &str| {
            Case::call(json!({"path": constraint}), &format!(r#"{{"path":{value}}}"#))
        };
        call(good).is_denied_at("3n");
        on(call(good)).is_permitted();
        on(call(bad)).is_denied_at("6b");
        on(call("7")).is_denied_at("6b");
        let mut optional = constraint.clone();
        optional["optional"] = true.into();
        on(Case::call(json!({"path": optional}), "{}")).is_permitted();
        let mut odd = constraint.clone();
        odd["note"] = 1.into();
        on(Case::call(json!({"path": odd}), "{}")).is_denied_at("3n");
        let exact = json!({"constraint_type": "exact", "value": serde_json::from_str::<serde_json::Value>(good).unwrap()});
        if exact["value"].is_string() {
            let narrowing =
                |child| Case::narrowing(json!({"path": constraint}), json!({"path": child}));
            on(narrowing(exact.clone()).args(&format!(r#"{{"path":{good}}}"#))).is_permitted();
            on(narrowing(json!({"constraint_type": "wildcard"}))).is_denied_at("4p4");
            let outside: serde_json::Value = serde_json::from_str(bad).unwrap();
            on(narrowing(json!({"constraint_type": "exact", "value": outside})))
                .is_denied_at("4p4");
            on(Case::narrowing(json!({"path": exact}), json!({"path": constraint})))
                .is_denied_at("4p4");
        }
    }
    // Nested ones, too.
    let nested = json!({"path": {"constraint_type": "any", "constraints": [{"constraint_type": "glob", "pattern": "*"}]}});
    Case::call(nested.clone(), r#"{"path":"a"}"#).is_denied_at("3n");
    on(Case::call(nested, r#"{"path":"a"}"#)).is_permitted();
}

#[test]
fn an_author_of_the_extended_vocabulary_writes_our_own_types() {
    let path =
        ArgumentConstraint::from_value(&json!({"constraint_type": "path", "within": ["/srv/**"]}));
    let path = Constraint::from_argument_constraint(&path.unwrap()).unwrap();
    let tools = Tools::new().with("fs/read", ToolRules::required("path", path.clone()));
    let root = RootToken {
        issuer: ISSUER.into(),
        holder: key(2).key().clone(),
        tools,
        audiences: vec![AUDIENCE.into()],
        max_depth: 2,
        lifetime: Duration::from_secs(600),
    };
    let random = &RANDOM;
    assert!(Author::default().mint_root(&root, &key(1), random, at(NOW)).is_err());
    let author = Author::new(Vocabulary::Extended, ChainLimits::default());
    let token = author.mint_root(&root, &key(1), random, at(NOW)).unwrap();
    let exact = ToolRules::required("path", Constraint::exact("/srv/a").unwrap());
    let child =
        Derivation::to(key(3).key().clone()).with_tools(Tools::new().with("fs/read", exact));
    assert!(Author::default().derive(&token, &child, &key(2), random, at(NOW)).is_err());
    let leaf = author.derive(&token, &child, &key(2), random, at(NOW)).unwrap();
    let args = r#"{"path":"/srv/a"}"#;
    let proof = author.prove(&leaf, &Call::new("fs/read", args), &key(3), random, at(NOW)).unwrap();
    let presentation = Presentation { aat_chain: vec![token.clone(), leaf], aat_pop: proof };
    let verify = |policy: ChainPolicy| {
        let verifier = ChainVerifier::new(policy).unwrap();
        verifier.verify(&presentation, "fs/read", args, &Untracked, at(NOW))
    };
    assert_eq!(outcome(&verify(policy())), "3n");
    let verified = verify(policy().with_extensions()).unwrap();
    assert!(verified.to_constraints().is_ok());
    assert!(path.to_json().starts_with(r#"{"constraint_type":"path","within":["/srv"#));
}
