//! Texts that have broken other logs.

use cap_audit::{Durability, Kind, Record};
use serde_json::{Map, Value};

use crate::scene::{Scene, at, read};

/// One record for each text, with the text everywhere; the log verifies, and every text comes back.
fn survive(texts: &[String]) {
    let scene = Scene::new();
    let log = scene.log();
    let mut bodies = Vec::new();
    for text in texts {
        let nested = Map::from_iter([(text.clone(), Value::from(vec![text.as_str()]))]);
        let record = Record::new(Kind::SecurityEvent, text, at(1))
            .principal(text)
            .capability(text)
            .chain([text.as_str()])
            .server(text)
            .method(text)
            .tool(text)
            .code(text)
            .reason(text)
            .detail(nested);
        bodies.push(record.body().clone());
        let digest = record.digest();
        let receipt = log.append(record, Durability::Written).unwrap();
        assert_eq!(receipt.digest(), digest);
    }
    log.close(at(2)).unwrap();
    scene.assert_intact();

    let events: Vec<_> = read(&log.path())
        .into_iter()
        .map(|entry| entry.body)
        .filter(|body| body.kind == Kind::SecurityEvent)
        .collect();
    assert_eq!(events, bodies);
    for (body, text) in events.iter().zip(texts) {
        if text.len() <= 256 {
            assert_eq!(&body.trace, text);
            assert_eq!(&body.detail[text][0], text);
        } else {
            assert!(body.trace.ends_with(&format!("…[{} bytes]", text.len())));
        }
    }

    let bytes = std::fs::read(log.path()).unwrap();
    let newlines = bytes.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(u64::try_from(newlines).unwrap(), scene.verify().logs[0].records);
    let raw = String::from_utf8(bytes).unwrap();
    let unseen = |c: char| c != '\n' && (c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c));
    assert!(!raw.contains(unseen));
}

#[test]
fn texts_of_our_own_survive() {
    let mut texts: Vec<String> = [
        "",
        " ",
        "\n",
        "\r\n",
        "{\"seq\":1}",
        "\"}\n{\"seq\":2,\"prev\":\"",
        ",\"hash\":\"",
        "\",\"mac\":\"",
        "\",\"body\":",
        ",\"prev\":\"",
        "\\",
        "\\u0000",
        "\\\"",
        "\0",
        "\u{7f}\u{80}\u{85}\u{9b}31m",
        "\u{1b}[2J\u{1b}]0;owned\u{7}",
        "\u{2028}\u{2029}",
        "\u{202e}txt.exe\u{202c}\u{2066}x\u{2069}",
        "\u{feff}\u{200b}\u{200d}\u{2060}",
        "\u{fffe}\u{ffff}\u{10ffff}",
        "\u{e0041}\u{e007f}",
        "null",
        "undefined",
        "NaN",
        "1e400",
        "-0",
        "Ω≈ç√∫˜µ≤≥÷",
        "表ポあA鷗ŒéＢ逍Üßªąñ丂㐀𠀀",
        "👩🏽‍👩🏽‍👧",
        "Z̮̞̠͙͔ͅḀ̗̞͈̻̗Ḷ͙͎̯̹̞͓G̻O̭̗̮",
        "<script>alert(1)</script>",
        "'; DROP TABLE audit; --",
        "../../../etc/passwd%00",
        "${jndi:ldap://x/a}",
        "%s%n%x",
        "=cmd|' /C calc'!A0",
        "__proto__",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("é".repeat(300));
    texts.push("\u{1f4a9}".repeat(3_000));
    survive(&texts);
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_naughty_strings_survive() {
    let text = std::fs::read_to_string(cap_testkit::shared("corpora/naughty-strings/blns.json"));
    let texts: Vec<String> = serde_json::from_str(&text.unwrap()).unwrap();
    assert_eq!(texts.len(), 515);
    survive(&texts);
}
