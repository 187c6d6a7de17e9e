//! Authors sign what is well-formed and no wider than what they hold.

use std::time::Duration;

use cap_crypto::{Signer, SigningKey};
use cap_token::chain::{
    Author, Call, ChainVerifier, Constraint, Derivation, DeriveError, MemoryReplayStore, MintError,
    NextHolder, Presentation, ProveError, RootToken, ToolRules, Tools, Untracked,
};
use chrono::TimeDelta;
use serde_json::Value;

use super::support::{
    AUDIENCE, Case, ISSUER, NOW, RANDOM, RSA, at, hash, key, outcome, policy, uri,
};

fn author() -> Author {
    Author::default()
}

fn tools() -> Tools {
    let path = Constraint::one_of(["/a", "/b"]).unwrap();
    let head = Constraint::range(1.0..=200.0).unwrap();
    Tools::new()
        .with("read_file", ToolRules::required("path", path).and_optional("head", head))
        .with("search", ToolRules::any_arguments())
}

fn root() -> RootToken {
    RootToken {
        issuer: ISSUER.into(),
        holder: key(2).key().clone(),
        tools: tools(),
        audiences: vec![],
        max_depth: 3,
        lifetime: Duration::from_secs(3600),
    }
}

fn mint(root: &RootToken) -> Result<String, MintError> {
    author().mint_root(root, &key(1), &RANDOM, at(NOW))
}

fn to(holder: u8) -> Derivation {
    Derivation::to(key(holder).key().clone())
}

fn derive(parent: &str, child: &Derivation, holder: u8) -> Result<String, DeriveError> {
    author().derive(parent, child, &key(holder), &RANDOM, at(NOW + 1))
}

fn prove(leaf: &str, tool: &str, args: &str, holder: u8) -> Result<String, ProveError> {
    author().prove(leaf, &Call::new(tool, args), &key(holder), &RANDOM, at(NOW + 2))
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, payload);
    serde_json::from_slice(&bytes.unwrap()).unwrap()
}

#[test]
fn what_is_minted_derived_and_proved_is_permitted() {
    let root = mint(&root()).unwrap();
    let one = ToolRules::required("path", Constraint::exact("/a").unwrap());
    let narrowed = to(3).with_tools(Tools::new().with("read_file", one)).for_audience(AUDIENCE);
    let middle = derive(&root, &narrowed, 2).unwrap();
    let leaf = derive(&middle, &to(4).until(at(NOW + 60)).with_max_depth(2), 3).unwrap();
    let args = r#"{ "path": "/\u0061" }"#;
    let call = Call::new("read_file", args).to(AUDIENCE).with_nonce("n");
    let proof = author().prove(&leaf, &call, &key(4), &RANDOM, at(NOW + 2)).unwrap();
    let presentation = Presentation {
        aat_chain: vec![root.clone(), middle.clone(), leaf.clone()],
        aat_pop: proof,
    };
    let nonces = std::sync::Arc::new(std::collections::BTreeSet::from(["n".to_owned()]));
    let policy = policy().require_chain_aud().require_pop_aud().require_nonce(nonces);
    let verifier = ChainVerifier::new(policy).unwrap();
    let replay = MemoryReplayStore::new(1);
    let verified = verifier.verify(&presentation, "read_file", args, &replay, at(NOW + 2)).unwrap();
    assert_eq!(verified.arguments(), r#"{"path":"/a"}"#);
    assert_eq!(verified.expires_at(), at(NOW + 60));
    let [root, middle, leaf] = [&root, &middle, &leaf].map(|token| claims(token));
    assert_eq!(middle["iss"], uri(2));
    assert_eq!(leaf["par_hash"], hash(&presentation.aat_chain[1]));
    assert_eq!((&root["exp"], &middle["exp"]), (&Value::from(NOW + 3600), &root["exp"]));
    assert_eq!((&middle["iat"], &leaf["del_max_depth"]), (&Value::from(NOW + 1), &Value::from(2)));
    let id = root["jti"].as_str().unwrap();
    assert_eq!((id.len(), &id[14..15]), (36, "7"));
    assert_eq!(id, id.to_lowercase());
    assert!(root.get("par_hash").is_none() && root.get("aud").is_none());
}

#[test]
fn what_is_signed_is_canonical() {
    let mut root = root();
    root.audiences = vec!["urn:\u{1f600}".into(), "urn:b".into()];
    root.tools = root
        .tools
        .with("\u{fb33}\"\n", ToolRules::any_arguments())
        .with("\u{1f600}", ToolRules::any_arguments());
    let token = mint(&root).unwrap();
    let parts: Vec<_> = token.split('.').collect();
    let decode = |text: &str| {
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text);
        String::from_utf8(bytes.unwrap()).unwrap()
    };
    assert_eq!(decode(parts[0]), r#"{"alg":"Ed25519","typ":"aat+jwt"}"#);
    let payload = decode(parts[1]);
    let value: Value = serde_json::from_str(&payload).unwrap();
    assert_eq!(cap_core::canonical::to_jcs(&value).unwrap(), payload);
    // By UTF-16 code units the emoji stands before the Hebrew letter.
    assert!(payload.find('\u{1f600}').unwrap() < payload.find('\u{fb33}').unwrap());
    let args = "{\"path\":\"/a\",\"head\":1e2}";
    let proof = prove(&token, "read_file", args, 2).unwrap();
    let payload = decode(proof.split('.').nth(1).unwrap());
    assert!(payload.contains(r#""hta":{"head":100,"path":"/a"}"#), "{payload}");
    let value: Value = serde_json::from_str(&payload).unwrap();
    assert_eq!(cap_core::canonical::to_jcs(&value).unwrap(), payload);
}

#[test]
fn a_root_that_would_be_denied_is_not_minted() {
    let with = |change: fn(&mut RootToken)| {
        let mut root = root();
        change(&mut root);
        mint(&root).err()
    };
    assert_eq!(with(|_| {}), None);
    assert_eq!(with(|it| it.issuer = "auth".into()), Some(MintError::Issuer));
    assert_eq!(with(|it| it.max_depth = 9), Some(MintError::Depth));
    assert_eq!(with(|it| it.lifetime = Duration::ZERO), Some(MintError::Lifetime));
    assert_eq!(with(|it| it.lifetime = Duration::from_secs(7_776_000)), None);
    assert_eq!(with(|it| it.lifetime = Duration::from_secs(7_776_001)), Some(MintError::Lifetime));
    assert_eq!(with(|it| it.tools = Tools::new()), Some(MintError::Empty));
    let star = |it: &mut RootToken| {
        it.tools = Tools::new().with("t", ToolRules::required("*", Constraint::wildcard()));
    };
    assert_eq!(with(star), Some(MintError::Tools("`*` names no argument")));
    let deep = |it: &mut RootToken| {
        let mut deep = Constraint::wildcard();
        for _ in 0..32 {
            deep = Constraint::any([deep]).unwrap();
        }
        it.tools = Tools::new().with("t", ToolRules::required("a", deep));
    };
    assert!(matches!(with(deep), Some(MintError::Tools(_))));
    let long = |it: &mut RootToken| {
        it.tools = Tools::new().with("t".repeat(257), ToolRules::any_arguments())
    };
    assert!(matches!(with(long), Some(MintError::Tools(_))));
    let large = |it: &mut RootToken| {
        let rules = |at: usize| (format!("{at}{}", "t".repeat(250)), ToolRules::any_arguments());
        it.tools = (0..250).map(rules).collect();
    };
    assert_eq!(with(large), Some(MintError::TooLarge));
    let rsa = SigningKey::from_pkcs8(RSA.as_bytes()).unwrap();
    let by_rsa = author().mint_root(&root(), &rsa, &RANDOM, at(NOW));
    assert_eq!(by_rsa, Err(MintError::Key));
    let mut for_rsa = root();
    for_rsa.holder = rsa.key().clone();
    assert_eq!(mint(&for_rsa), Err(MintError::Key));
}

#[test]
fn a_derivation_that_widens_is_told_where() {
    let root = mint(&root()).unwrap();
    let widened = |tools: Tools| match derive(&root, &to(3).with_tools(tools), 2) {
        Err(DeriveError::Widens(it)) => (it.step, it.tool, it.argument),
        other => panic!("{other:?}"),
    };
    let read = |rules: ToolRules| Tools::new().with("read_file", rules);
    let exact = |value: &str| Constraint::exact(value).unwrap();
    let name = |text: &str| Some(text.to_owned());
    let other = Tools::new().with("write", ToolRules::any_arguments());
    assert_eq!(widened(other), ("4p1", "write".into(), None));
    assert_eq!(widened(read(ToolRules::any_arguments())), ("4p2", "read_file".into(), name("*")));
    let more =
        ToolRules::required("path", exact("/a")).and_optional("tail", Constraint::wildcard());
    assert_eq!(widened(read(more)), ("4p2", "read_file".into(), name("tail")));
    let less = ToolRules::required("head", Constraint::range(1.0..=2.0).unwrap());
    assert_eq!(widened(read(less)), ("4p2", "read_file".into(), name("path")));
    let looser = ToolRules::optional("path", exact("/a"));
    assert_eq!(widened(read(looser)), ("4p3", "read_file".into(), name("path")));
    let wider = ToolRules::required("path", exact("/c"));
    assert_eq!(widened(read(wider.clone())), ("4p4", "read_file".into(), name("path")));
    let error = derive(&root, &to(3).with_tools(read(wider)), 2).unwrap_err();
    assert_eq!(
        error.to_string(),
        "step 4p4: tool `read_file`, argument `path` is wider than in the parent"
    );
}

#[test]
fn a_derivation_that_would_be_denied_is_not_signed() {
    let root = mint(&root()).unwrap();
    assert_eq!(derive(&root, &to(3), 3), Err(DeriveError::NotHolder));
    assert_eq!(derive(&root, &to(2), 2), Err(DeriveError::SameHolder));
    let kept = Derivation { holder: NextHolder::Same, ..to(2) };
    assert!(derive(&root, &kept, 2).is_ok());
    assert_eq!(derive(&root, &to(3).until(at(NOW + 3601)), 2), Err(DeriveError::Expiry));
    assert_eq!(derive(&root, &to(3).until(at(NOW + 1)), 2), Err(DeriveError::Expiry));
    assert!(derive(&root, &to(3).until(at(NOW + 3600)), 2).is_ok());
    assert_eq!(derive(&root, &to(3).with_max_depth(4), 2), Err(DeriveError::Depth));
    assert_eq!(derive(&root, &to(3).with_max_depth(0), 2), Err(DeriveError::Depth));
    let terminal = derive(&root, &to(3).with_max_depth(1), 2).unwrap();
    assert_eq!(derive(&terminal, &to(4), 3), Err(DeriveError::Terminal));
    let empty = to(3).with_tools(Tools::new());
    assert_eq!(derive(&root, &empty, 2), Err(DeriveError::Token(MintError::Empty)));
    let late = author().derive(&root, &to(3), &key(2), &RANDOM, at(NOW + 3600));
    assert_eq!(late, Err(DeriveError::ParentExpired));
    assert!(matches!(derive("x", &to(3), 2), Err(DeriveError::Parent(_))));
    assert!(matches!(derive(&root.replace('.', ".."), &to(3), 2), Err(DeriveError::Parent(_))));
    let none = Case::of(2).claim(1, "authorization_details", serde_json::json!([])).chain();
    assert_eq!(derive(&none[1], &to(5), 3), Err(DeriveError::Token(MintError::Empty)));
}

#[test]
fn a_clock_that_lags_behind_waits_at_the_parents_instant() {
    let root = mint(&root()).unwrap();
    let early = at(NOW) - TimeDelta::seconds(20);
    let leaf = author().derive(&root, &to(3), &key(2), &RANDOM, early).unwrap();
    assert_eq!(claims(&leaf)["iat"], NOW);
    let verifier = ChainVerifier::new(policy()).unwrap();
    assert!(verifier.verify_chain(&[root, leaf], early).is_ok());
}

#[test]
fn a_call_that_the_leaf_does_not_permit_is_not_proved() {
    let root = mint(&root()).unwrap();
    assert!(prove(&root, "read_file", r#"{"path":"/a","head":200}"#, 2).is_ok());
    assert_eq!(prove(&root, "read_file", r#"{"path":"/a"}"#, 3), Err(ProveError::NotHolder));
    for (tool, args) in [
        ("write_file", "{}"),
        ("read_file", "{}"),
        ("read_file", r#"{"path":"/c"}"#),
        ("read_file", r#"{"path":"/a","head":201}"#),
        ("read_file", r#"{"path":"/a","tail":1}"#),
    ] {
        assert!(matches!(prove(&root, tool, args, 2), Err(ProveError::NotPermitted(_))));
    }
    for args in ["", "[]", r#"{"a":1,"a":1}"#, r#"{"a":9007199254740993}"#, r#"{"a":"\ud800"}"#] {
        assert!(matches!(prove(&root, "search", args, 2), Err(ProveError::Arguments(_))), "{args}");
    }
    let late = author().prove(&root, &Call::new("search", "{}"), &key(2), &RANDOM, at(NOW + 3600));
    assert_eq!(late, Err(ProveError::Expired));
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(50_000));
    assert_eq!(prove(&root, "search", &long, 2), Err(ProveError::TooLarge));
    assert!(matches!(prove("..", "search", "{}", 2), Err(ProveError::Leaf(_))));
}

#[test]
fn a_proof_is_for_one_leaf_one_tool_and_these_arguments() {
    let root = mint(&root()).unwrap();
    let proof = prove(&root, "search", r#"{"q":1}"#, 2).unwrap();
    let verifier = ChainVerifier::new(policy()).unwrap();
    let run = |chain: &[&str], tool: &str, args: &str| {
        let aat_chain = chain.iter().map(|&token| token.to_owned()).collect();
        let presentation = Presentation { aat_chain, aat_pop: proof.clone() };
        outcome(&verifier.verify(&presentation, tool, args, &Untracked, at(NOW + 2)))
    };
    assert_eq!(run(&[&root], "search", r#"{"q":1.0}"#), "PERMIT");
    assert_eq!(run(&[&root], "search", r#"{"q":2}"#), "7f");
    assert_eq!(run(&[&root], "read_file", r#"{"path":"/a"}"#), "7e");
    let another = author().mint_root(&self::root(), &key(1), &RANDOM, at(NOW + 1)).unwrap();
    assert_eq!(run(&[&another], "search", r#"{"q":1}"#), "7c");
}
