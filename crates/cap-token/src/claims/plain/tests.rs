use cap_core::{
    Attenuation, Capability, CapabilityId, Constraints, Delegation, Obligation, Operations,
    ResourceType, RootGrant,
};
use cap_crypto::{Purpose, RandomError, SecureRandom, SigningKeyring};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::json;

use super::super::{Audiences, Claims};
use super::*;
use crate::jose::Compact;
use crate::{DEFAULT_TTL, Issuer, ValidateError};

#[derive(Debug)]
struct Fixed(u8);

impl SecureRandom for Fixed {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        out.fill(self.0);
        Ok(())
    }
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).unwrap()
}

fn root(constraints: serde_json::Value) -> Capability {
    let grant = RootGrant {
        principal: "agent:é".parse().unwrap(),
        resource_type: ResourceType::Path,
        resource: "/srv/**".to_owned(),
        operations: Operations::ALL,
        constraints: serde_json::from_value(constraints).unwrap(),
        expires_at: Some(now() + TimeDelta::days(1)),
    };
    Capability::grant(CapabilityId::new([1; 10], now()), grant, now()).unwrap()
}

fn child(parent: &Capability) -> Capability {
    let delegation = Delegation {
        principal: "b".parse().unwrap(),
        resource_type: None,
        resource: Some("/srv/data".to_owned()),
        operations: None,
        constraints: serde_json::from_value(json!({ "paths": ["/srv/data", "/srv/x"] })).unwrap(),
        expires_at: None,
        attenuation: Attenuation::Strict,
    };
    let id = CapabilityId::new([2; 10], now());
    parent.delegate(id, delegation, now() + TimeDelta::seconds(7)).unwrap().0
}

/// Good claims of several shapes, as they are issued.
fn issued() -> Vec<String> {
    let keys = SigningKeyring::ephemeral(Purpose::TokenSign, &Fixed(1)).unwrap();
    let issuer = Issuer::new("https://issuer.example", "https://server.example", &keys);
    let plain = root(json!({}));
    let limited = root(json!({
        "max_calls": 5,
        "allowed_tools": ["files/*", "a/b{c]"],
        "arguments": { "a/b": { "x": { "constraint_type": "exact", "value": 1 } } },
    }));
    let delegated = child(&limited);
    let all: [(&Capability, &[CapabilityId]); 3] =
        [(&plain, &[]), (&limited, &[]), (&delegated, &[limited.id()])];
    let text = |(capability, ancestors)| {
        let token = issuer.issue(capability, ancestors, DEFAULT_TTL, &Fixed(7), now()).unwrap();
        Compact::split(&token).unwrap().claims_text().unwrap()
    };
    all.into_iter().map(text).collect()
}

/// Everything that is read.
type Told = (String, Vec<String>, [i64; 3], crate::TokenId, Capability, Vec<CapabilityId>, String);

fn told(claims: Result<Claims<'_>, ValidateError>) -> Result<Told, ValidateError> {
    claims.map(|claims| {
        let audiences = match claims.audiences {
            Audiences::One(one) => vec![one.into_owned()],
            Audiences::Several(several) => several.into_iter().map(Cow::into_owned).collect(),
        };
        (
            claims.issuer.into_owned(),
            audiences,
            [claims.expires, claims.issued, claims.not_before],
            claims.token_id,
            claims.capability,
            claims.ancestors,
            format!("{:?}", claims.status),
        )
    })
}

fn both_agree(text: &str) -> bool {
    told(Claims::read(text)) == told(Claims::read_any(text))
}

fn is_plain(text: &str) -> bool {
    read(text).is_some_and(|raw| raw.checked().is_ok())
}

#[test]
fn what_we_issue_is_plain() {
    for text in issued() {
        assert!(is_plain(&text) && both_agree(&text), "{text}");
        // In whatever order the members stand, and with the reference to a status.
        let (first, rest) = text.strip_prefix('{').unwrap().split_once(',').unwrap();
        let turned = format!("{{{},{first}}}", rest.strip_suffix('}').unwrap());
        assert!(is_plain(&turned) && both_agree(&turned), "{turned}");
        let status = r#"{"status":{"status_list":{"idx":7,"uri":"https://s.example/1"}},"#;
        let listed = text.replacen('{', status, 1);
        assert!(is_plain(&listed) && both_agree(&listed), "{listed}");
    }
}

#[test]
fn what_is_not_plain_is_left_to_the_reader_of_all_json() {
    let good = issued().remove(0);
    for (from, to) in [
        (r#"{"iss""#, r#"{ "iss""#),
        (r#""iss":"#, r#""iss" :"#),
        (r#""iss":"#, r#""\u0069ss":"#),
        (r#""iss":"#, r#""x":1,"iss":"#),
        (r#""iss":"#, r#""iss":"x","iss":"#),
        (r#""iss":"https:"#, r#""iss":"https\u003a"#),
        (r#""aud":"https://server.example""#, r#""aud":["https://server.example"]"#),
        (r#""iat":1"#, r#""iat":01"#),
        (r#""iat":1"#, r#""iat":-1"#),
        (r#""iat":1767225600"#, r#""iat":1767225600.0"#),
        (r#""iat":1767225600"#, r#""iat":17672256e2"#),
        (r#""actions":["#, r#""actions":[ "#),
        (r#""authorization_details":["#, r#""authorization_details":[{"type":"x"},"#),
        (r#""constraints":{"#, r#""x":1,"constraints":{"#),
        (r#""constraints":{"#, r#""constraints":{"max_calls":1,"max_calls":1"#),
        (r#""constraints":{"#, r#""constraints":[{}}"#),
        (r#""resource":"path:/"#, r#""resource":"path:\/"#),
        ("}]}", "}]} "),
        ("}]}", "}]}}"),
        ("}]}", "}]"),
        ("}]}", "},{}]}"),
        ("agent:é", "agent:\u{1}"),
    ] {
        assert!(good.contains(from), "{from}");
        let text = good.replacen(from, to, 1);
        assert!(both_agree(&text), "{text}");
    }
    for text in ["", "{", "{}", "[]", "1", "\"", r#"{"iss"}"#, r#"{"iss":"#, r#"{"iss":"a"#] {
        assert!(read(text).is_none() && both_agree(text), "{text}");
    }
}

#[test]
fn what_is_nested_deep_is_left_to_the_reader_of_all_json() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let levels = usize::from(LEVELS);
    let value =
        |text: &str| Plain { text, at: 0, levels: MAX_DEPTH }.value().map(ToOwned::to_owned);
    assert_eq!(value(&nested(levels)), Some(nested(levels)));
    assert_eq!(value(&nested(levels + 1)), None);
    assert_eq!(value(&nested(300)), None);
    let with = |levels| {
        let custom = format!(r#""constraints":{{"custom":{{"x":{}}}"#, nested(levels));
        issued().remove(0).replacen(r#""constraints":{"#, &custom, 1)
    };
    for deep in 20..36 {
        assert!(both_agree(&with(deep)), "{deep}");
    }
    assert!(is_plain(&with(levels - 2)) && !is_plain(&with(levels - 1)));
    assert!(Claims::read(&with(levels - 2)).is_ok());
    assert!(Claims::read(&with(levels - 1)).is_err());
}

/// Constraints with every sort of value.
const SETS: [&str; 4] = [
    r#"{"allowed_extensions":["csv","é"],"max_file_size":1048576,"paths":["/a","/b/**/*.c"]}"#,
    r#"{"and":[{"operations":["read","list"]},{}],"private_networks":true,"kinds":["*"]}"#,
    r#"{"custom":{"x":{"a":[1,true,false,{}],"b":""}},"ports":[1,"2-3"],"rate_limit":{"max":1,"per_seconds":60}}"#,
    r#"{"expires_at":"2026-01-01T00:00:00Z","command_args":{"git":[["log","**"]]},"arguments":{"a/b":{"x":{"constraint_type":"range","min":1,"max":9}}}}"#,
];

fn of_json<'de, T: serde::Deserialize<'de>>(text: &'de str) -> Option<T> {
    serde_json::from_str(text).ok()
}

/// Whether what is read from the plain form, if anything, is what is read from JSON.
fn is_of_json<'de, T: serde::Deserialize<'de> + PartialEq>(text: &'de str) -> bool {
    let plain = value::read::<T>(text);
    plain.is_none() || plain == of_json::<T>(text)
}

fn are_of_json(text: &str) -> bool {
    is_of_json::<Constraints>(text)
        && is_of_json::<Vec<Constraints>>(text)
        && is_of_json::<Operations>(text)
        && is_of_json::<Vec<Obligation>>(text)
        && is_of_json::<u8>(text)
        && is_of_json::<bool>(text)
        && is_of_json::<String>(text)
        && is_of_json::<Option<u64>>(text)
        && is_of_json::<f64>(text)
        && is_of_json::<(u8, u8)>(text)
        && is_of_json::<Vec<(u8, u8)>>(text)
        && is_of_json::<[u8; 2]>(text)
        && is_of_json::<serde_json::Value>(text)
}

#[test]
fn what_is_nested_too_deep_is_not_plain() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let reads = |levels: usize| value::read::<serde_json::Value>(&nested(levels)).is_some();
    assert!(reads(MAX_DEPTH.into()) && !reads(usize::from(MAX_DEPTH) + 1) && !reads(1_000_000));
    // One beside the other is not deep.
    let flat = format!("[{}[]]", "[],".repeat(1000));
    assert!(value::read::<serde_json::Value>(&flat).is_some());
}

#[test]
fn values_without_fraction_or_escape_are_plain() {
    for set in SETS {
        let read = value::read::<Constraints>(set);
        assert!(read.is_some() && read == of_json(set) && are_of_json(set), "{set}");
        let list = format!("[{set},{{}}]");
        let read = value::read::<Vec<Constraints>>(&list);
        assert!(read.is_some() && read == of_json(&list), "{list}");
    }
    for other in [
        "",
        "1",
        "-1",
        "01",
        "1.0",
        "1e3",
        "\"\"",
        "\"a",
        "null",
        "true",
        "truth",
        "fals",
        "[]",
        "[",
        "]",
        "[,]",
        "[1",
        "[1,",
        "[1,]",
        "[1,2",
        "[[1,2]",
        "[[1,2],",
        "[1,2]",
        "[1 ,2]",
        "[1,2,3]",
        "{",
        "{}",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1",
        "{\"a\":1,}",
        "{\"a\":1,\"a\":1}",
        "{\"kinds\":null}",
        "{\"max_calls\":18446744073709551616}",
        "{\"max_delegation_depth\":256}",
        "{}{}",
        "{} ",
        "{\"paths\":[\"\\u002fa\"]}",
        "{\"x\":1}",
        "[\"read\",\"read\"]",
        "[\"*\",\"read\"]",
    ] {
        assert!(are_of_json(other), "{other}");
    }
}

/// What stands in JSON, whole and broken.
const PIECES: [&str; 30] = [
    "",
    "\"",
    "\\",
    ",",
    ":",
    "{",
    "}",
    "[",
    "]",
    " ",
    "\n",
    "\u{1}",
    "0",
    "1",
    "-",
    ".",
    "e1",
    "é",
    "\\u0061",
    "\\\"",
    "{}",
    "[]",
    "null",
    "true",
    "\"x\":1,",
    "\"iss\":\"x\",",
    "\"exp\":1,",
    "\"a\",",
    "*",
    "/",
];

/// With pieces put in, and characters taken out, at these places.
fn altered(text: &str, edits: Vec<(usize, usize, usize)>) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for (at, gone, piece) in edits {
        let at = at % text.len();
        let end = (at + gone).min(text.len());
        text.splice(at..end, PIECES[piece].chars());
    }
    text.into_iter().collect()
}

proptest! {
    #[test]
    fn a_text_that_was_altered_is_read_alike_by_both(
        which in 0..3_usize,
        edits in proptest::collection::vec((0..1500_usize, 0..3_usize, 0..PIECES.len()), 1..3),
    ) {
        let text = altered(&issued().remove(which), edits);
        prop_assert!(both_agree(&text), "{text}");
    }

    #[test]
    fn a_value_that_was_altered_is_read_alike_by_both(
        which in 0..SETS.len(),
        edits in proptest::collection::vec((0..200_usize, 0..3_usize, 0..PIECES.len()), 0..3),
    ) {
        let text = altered(SETS[which], edits);
        prop_assert!(are_of_json(&text), "{text}");
    }
}
