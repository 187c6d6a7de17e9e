//! What others collected, and vectors of our own for the same classes.

use std::fmt::Display;
use std::str::FromStr;

use cap_core::{
    AbsPath, ArgumentRules, Capability, CapabilityId, DomainPattern, Evidence, MethodPattern,
    PathPattern, Principal, Program, ResourceType, ToolName, ToolPattern, UrlPattern, UrlTarget,
};
use cap_testkit::strategy::{granted_at, id};
use cap_testkit::{shared, shared_jsonl};
use serde_json::{Value, json};

use crate::support::*;

const ROOT: &str = "/srv/data";

fn data() -> Capability {
    grant(ResourceType::Path, ROOT, json!({}))
}

/// The path that is permitted under the root, if it is.
fn admitted(capability: &Capability, base: &str, payload: &str) -> Option<AbsPath> {
    let path = AbsPath::parse(base).unwrap().join(payload).ok()?;
    permits(capability, &read(path.as_str())).then_some(path)
}

/// By the text alone, and by nothing of ours.
fn is_plainly_inside(path: &str, root: &str) -> bool {
    let names: Vec<&str> = path.split('/').skip(1).collect();
    let root: Vec<&str> = root.split('/').skip(1).filter(|name| !name.is_empty()).collect();
    path.starts_with('/')
        && !path.contains('\0')
        && names.len() >= root.len()
        && names[..root.len()] == root[..]
        && (path == "/" || names.iter().all(|name| !["", ".", ".."].contains(name)))
}

#[test]
fn traversals_do_not_leave_their_folder() {
    let data = data();
    for payload in [
        "..",
        "../data_evil/x",
        "a/../../x",
        "../../../../etc/passwd",
        "/etc/passwd",
        "//etc/passwd",
        "/srv/data/../../etc/passwd",
        "./../x",
        "a/b/../../../..",
        "..//..//etc",
        "%2e%2e/x",
        "..%2fx",
        "%2e%2e%2fx",
        "..%5cx",
        "%2E%2E/x",
        "a%00.txt",
        "a\0.txt",
        "a\r\nb",
        "",
    ] {
        assert_eq!(admitted(&data, ROOT, payload), None, "{payload:?}");
    }
    // Names, to a POSIX system: whoever decodes them later finds no separator of ours.
    for payload in [
        "..\\..\\etc",
        "%252e%252e/x",
        "....//x",
        "..;/x",
        "．．／x",
        "C:\\x",
        "..%c0%af",
        "%u002e",
    ] {
        let path = admitted(&data, ROOT, payload).unwrap();
        assert!(is_plainly_inside(path.as_str(), ROOT), "{path}");
    }
}

#[test]
fn ordinary_names_are_permitted() {
    let data = data();
    for payload in [
        "a",
        "a/b.txt",
        ".hidden",
        "...",
        "..a",
        "a..b",
        "a b",
        "100%",
        "%41",
        "é/ü.md",
        "x~",
        "~x",
        "$HOME",
        "a'b",
        "a\"b",
        "[x]",
        "#",
        "@scope/pkg",
        "a+b=c",
        "-rf",
        "C++",
        "./a",
        "a/./b",
        "a//b",
        "a/../b",
    ] {
        assert!(admitted(&data, ROOT, payload).is_some(), "{payload}");
    }
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_path_traversal_lexical() {
    let data = data();
    let payloads = shared_jsonl("corpora/path-traversal/payloads.jsonl");
    assert_eq!(payloads.len(), 9956);
    let (mut admitted_count, mut escapes, mut nuls) = (0, 0, 0);
    for case in &payloads {
        let payload = case["payload"].as_str().unwrap();
        let path = admitted(&data, ROOT, payload);
        let escapes_raw = case["raw"] == "escape";
        escapes += u32::from(escapes_raw);
        nuls += u32::from(payload.contains('\0'));
        if escapes_raw || payload.contains('\0') {
            assert_eq!(path, None, "{case}");
        }
        if let Some(path) = path {
            assert!(is_plainly_inside(path.as_str(), ROOT), "{case}: {path}");
            admitted_count += 1;
        }
    }
    println!(
        "path-traversal payloads: {} cases, {escapes} escape as they are, {nuls} have a NUL; \
         {admitted_count} permitted, {} refused",
        payloads.len(),
        payloads.len() - admitted_count
    );
    assert_eq!(escapes, 605);

    let benign = shared_jsonl("corpora/path-traversal/benign.jsonl");
    assert_eq!(benign.len(), 1859);
    for case in &benign {
        let payload = case["payload"].as_str().unwrap();
        assert!(admitted(&data, ROOT, payload).is_some(), "{case}");
    }
    println!("path-traversal benign: {} cases, 0 refused", benign.len());
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_path_traversal_cases_of_a_file_server() {
    let cases = shared_jsonl("corpora/path-traversal/mcp-filesystem-cases.jsonl");
    assert_eq!(cases.len(), 50);
    let mut stricter = Vec::new();
    for case in &cases {
        assert_eq!(case["windows_form"], false, "a form that only Windows has: {case}");
        let allowed: Vec<&str> =
            case["allowed"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        // A folder that is no path permits nothing. Relative paths are taken from the first.
        let patterns: Vec<&str> =
            allowed.iter().copied().filter(|it| it.parse::<PathPattern>().is_ok()).collect();
        let capability = constrained(json!({ "paths": patterns }));
        let base = patterns.first().copied().unwrap_or("/");
        let base = AbsPath::parse(base).unwrap();
        let path = admitted(&capability, base.as_str(), case["path"].as_str().unwrap());
        if let Some(path) = &path {
            assert!(patterns.iter().any(|root| {
                is_plainly_inside(path.as_str(), AbsPath::parse(root).unwrap().as_str())
            }));
        }
        match (case["expect"].as_str().unwrap(), path) {
            ("allow", None) => stricter.push(case["id"].as_str().unwrap().to_owned()),
            ("allow", Some(_)) | ("deny", None) => {}
            (_, path) => panic!("{path:?} is permitted: {case}"),
        }
    }
    println!(
        "mcp-filesystem cases: {} cases, refused beyond expectation: {stricter:?}",
        cases.len()
    );
    // `%2e%2e` is a name to that server; to whoever decodes later it is not.
    assert_eq!(stricter, ["mcp083"]);
}

/// Whether it is read; if so, it comes back as it was written.
fn survives<T: FromStr + Display + PartialEq>(text: &str) -> bool {
    let Ok(value) = text.parse::<T>() else { return false };
    let shown = value.to_string();
    assert!(shown.parse::<T>().is_ok_and(|again| again == value), "{text:?} {shown:?}");
    true
}

/// How many of the readers take it; none panics, and none changes it on the way.
fn readers_that_take(text: &str) -> [bool; 12] {
    let url = UrlTarget::parse(text);
    if let Ok(url) = &url {
        assert_eq!(UrlTarget::parse(&url.to_string()).as_ref(), Ok(url));
    }
    let _ = Evidence::from_text(text);
    [
        survives::<Principal>(text) && is_kept_as_principal(text),
        survives::<ToolName>(&format!("server/{text}")),
        survives::<ToolPattern>(text),
        survives::<MethodPattern>(text),
        survives::<Program>(text),
        survives::<AbsPath>(&format!("/{text}")),
        survives::<PathPattern>(&format!("/{text}")),
        survives::<DomainPattern>(text),
        survives::<UrlPattern>(text),
        url.is_ok(),
        survives::<CapabilityId>(text),
        is_kept_as_argument(text),
    ]
}

fn is_kept_as_principal(text: &str) -> bool {
    let grant = root_grant(ResourceType::Any, "*", json!({}));
    let principal = text.parse().unwrap();
    let grant = cap_core::RootGrant { principal, ..grant };
    let capability = Capability::grant(id(0), grant, granted_at()).unwrap();
    let json = capability.to_json();
    assert!(!json.contains(['\n', '\r']));
    Capability::from_json(&json).unwrap().principal().as_str() == text
}

/// As a name and as a value, in the rule and in the call; and every refusal is one clean line.
fn is_kept_as_argument(text: &str) -> bool {
    let name = if text == "*" { "star" } else { text };
    let exact = json!({"constraint_type": "exact", "value": text});
    let rules = json!({ name: exact, "p": exact });
    let read = ArgumentRules::from_value(&rules).unwrap();
    assert_eq!(ArgumentRules::from_value(&read.to_value()), Ok(read));
    let capability = constrained(json!({"arguments": {"fs/read": rules}, "commands": []}));
    let call = |arguments: Value| tool("fs/read", arguments, Some(cap_core::Kinds::NONE));
    for refused in [
        call(json!({ "p": text, name: [text] })),
        call(json!({ "p": [text], name: text })),
        call(json!({ "p": text, name: text, "extra": text })),
        command(text),
    ] {
        let reason = denial(&capability, &refused).to_string();
        assert!(!reason.chars().any(char::is_control) && reason.len() < 2500, "{reason:?}");
    }
    permits(&capability, &call(json!({ "p": text, name: text })))
}

#[test]
fn odd_texts_are_kept_as_they_are_or_refused() {
    // A mark for each reader, in the order above.
    let taken = |text: &str| readers_that_take(text).map(|taken| if taken { '+' } else { '-' });
    for (text, wanted) in [
        ("plain", "++-+++++---+"),
        ("", "-----++----+"),
        ("*", "+-+++++-+--+"),
        ("server/*", "+++++++----+"),
        ("a\u{202e}b", "-----++----+"),
        ("'; DROP TABLE x;--", "++-++++----+"),
        ("../../etc/passwd", "+++++++----+"),
        ("\u{0}", "-----------+"),
        ("line\nbreak", "-----------+"),
        ("\u{1f600}", "++-++++----+"),
        ("https://a.example/%2e", "+++++----+-+"),
        ("<script>alert(1)</script>", "+++++++----+"),
        ("%s%n%p", "++-++++----+"),
        ("{{7*7}}", "++--+++----+"),
    ] {
        let taken: String = taken(text).iter().collect();
        assert_eq!(taken, wanted, "{text:?}");
    }
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_naughty_strings() {
    let text = std::fs::read_to_string(shared("corpora/naughty-strings/blns.json")).unwrap();
    let strings: Vec<String> = serde_json::from_str(&text).unwrap();
    assert_eq!(strings.len(), 515);
    let mut counts = [0_u32; 12];
    for string in &strings {
        for (count, taken) in counts.iter_mut().zip(readers_that_take(string)) {
            *count += u32::from(taken);
        }
    }
    println!("naughty strings: {} of them, taken by each reader: {counts:?}", strings.len());
    assert_eq!(counts[11], 515, "as arguments, all are kept as they are");
    assert!(counts[0] > 400, "most are names");
}
