use cap_testkit::strategy;
use cap_token::{DEFAULT_TTL, IssueError, Issuer, MAX_TOKEN_BYTES, Validator, inspect};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::{AUDIENCE, Bench, Fixed, ISSUER, base64, ed25519, granted, now, text as json};

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_capability_comes_back_as_it_went(capability in strategy::capability()) {
        let keys = ed25519(1);
        let at = capability.issued_at();
        let issued = Issuer::new(ISSUER, AUDIENCE, &keys)
            .issue(&capability, &[], DEFAULT_TTL, &Fixed(7), at);
        prop_assume!(!matches!(issued, Err(IssueError::TooLarge | IssueError::Expired)));
        let token = issued.unwrap();
        prop_assert!(token.len() <= MAX_TOKEN_BYTES);
        let validator = Validator::new(AUDIENCE).trust(ISSUER, keys.active_key());
        let read = validator.validate(&token, at).unwrap();
        prop_assert_eq!(read.capability(), &capability);
        prop_assert_eq!(read.capability().to_json(), capability.to_json());
    }

    /// Every token of a tree of delegations carries its capability to the letter, and its ancestors.
    #[test]
    fn any_delegated_capability_comes_back_as_it_went(tree in strategy::tree()) {
        let keys = ed25519(1);
        let issuer = Issuer::new(ISSUER, AUDIENCE, &keys);
        let validator = Validator::new(AUDIENCE).trust(ISSUER, keys.active_key());
        for place in tree.places() {
            let capability = tree.at(place);
            let mut ancestors: Vec<_> =
                tree.to_the_root(place).skip(1).map(|above| tree.at(above).id()).collect();
            ancestors.reverse();
            let at = capability.issued_at();
            let token = match issuer.issue(capability, &ancestors, DEFAULT_TTL, &Fixed(7), at) {
                Err(IssueError::TooLarge | IssueError::Expired) => continue,
                issued => issued.unwrap(),
            };
            let read = validator.validate(&token, at).unwrap();
            prop_assert_eq!(read.capability(), capability);
            prop_assert_eq!(read.capability().to_json(), capability.to_json());
            prop_assert_eq!(read.ancestors(), ancestors);
        }
    }

    #[test]
    fn random_text_is_never_a_token(text in "\\PC*", ascii in "[ -~]{0,600}") {
        let bench = Bench::new();
        for text in [text, ascii] {
            prop_assert!(bench.validate(&text).is_err());
            let _ = inspect(&text);
        }
    }

    #[test]
    fn random_parts_are_never_a_token(
        header in prop::collection::vec(any::<u8>(), 0..100),
        claims in prop::collection::vec(any::<u8>(), 0..300),
        signature in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let bench = Bench::new();
        let signed = bench.sign_texts(&json(&bench.header), &claims);
        prop_assert!(bench.validate(&signed).is_err());
        let signed = bench.sign_texts(&header, &json(&bench.claims));
        prop_assert!(bench.validate(&signed).is_err());
        let [header, claims, _] = bench.parts();
        let forged = format!("{header}.{claims}.{}", base64(&signature));
        prop_assert!(bench.validate(&forged).is_err());
    }

    #[test]
    fn a_token_that_was_altered_anywhere_is_refused(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..4),
    ) {
        let bench = Bench::new();
        let mut bytes = bench.token.clone().into_bytes();
        for (at, byte, edit) in edits {
            let at = at.index(bytes.len());
            match edit {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => { bytes.remove(at); }
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        prop_assume!(text != bench.token);
        prop_assert!(bench.validate(&text).is_err());
    }

    /// Claims of any shape under a good signature: an answer, and never a token whose capability
    /// is not the one that was signed.
    #[test]
    fn signed_claims_of_any_shape_are_answered(
        name in prop::sample::select(vec![
            "iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id", "authorization_details",
        ]),
        value in any_json(),
    ) {
        let mut bench = Bench::new();
        let good = bench.claims[name].clone();
        prop_assume!(value != good);
        bench.claims.insert(name.to_owned(), value.clone());
        let answer = bench.validate(&bench.sign());
        if !["exp", "iat", "nbf", "aud"].contains(&name) {
            prop_assert!(answer.is_err());
        } else if let Ok(token) = answer {
            prop_assert_eq!(token.capability(), &granted(now()));
            let is_ours = match name {
                "exp" => value == token.expires_at().timestamp(),
                "iat" => value == token.issued_at().timestamp(),
                "nbf" => value == token.not_before().timestamp(),
                _ => value.as_array().is_some_and(|all| all.contains(&AUDIENCE.into()))
                    || value == AUDIENCE,
            };
            prop_assert!(is_ours, "{} of {}", name, value);
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        Just(Value::from(AUDIENCE)),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("type|chain|constraints|exp|.{0,5}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}
