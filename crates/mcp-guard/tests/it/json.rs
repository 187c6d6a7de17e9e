//! Documents as the value of one argument: what is no JSON to every reader is never passed on, and
//! what is comes out as it went in.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cap_testkit::shared_jsonl;

use crate::puppet::Server;
use crate::support::{Client, PATIENCE, Place, code, tools_policy};

/// What became of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Accepted,
    /// With this code.
    Refused(String),
    /// The connection was closed.
    Closed,
}

/// A guard, and another one where a document has closed it.
struct Scene {
    place: Place,
    ends: Option<(Client, Server)>,
    guards: usize,
}

impl Scene {
    fn new() -> Self {
        Self { place: Place::new(), ends: None, guards: 0 }
    }

    /// Sends a call with `document` as the value of its one argument.
    fn send(&mut self, document: &[u8]) -> Outcome {
        let (mut client, mut server) = self.ends.take().unwrap_or_else(|| {
            self.guards += 1;
            self.place.play(&tools_policy(""))
        });
        let before = format!(
            r#"{{"jsonrpc":"2.0","id":{},"method":"tools/call","params":{{"name":"t","arguments":{{"a":"#,
            client.fresh_id()
        );
        let line = [before.as_bytes(), document, b"}}}\n"].concat();
        client.send(&line);
        let until = Instant::now() + PATIENCE;
        let moment = Duration::from_micros(200);
        let outcome = loop {
            if let Some(heard) = server.heard_within(moment) {
                assert!(heard == line, "it was changed: {}", String::from_utf8_lossy(&heard));
                break Outcome::Accepted;
            }
            if let Some(answer) = client.line_within(moment) {
                let answer = serde_json::from_slice(&answer).unwrap();
                break Outcome::Refused(code(&answer).to_owned());
            }
            if !client.is_running() {
                server.assert_hears_no_more();
                assert_eq!(client.ended().code, Some(1));
                return Outcome::Closed;
            }
            assert!(Instant::now() < until, "nothing became of it");
        };
        self.ends = Some((client, server));
        outcome
    }
}

#[test]
fn a_document_that_every_reader_reads_alike_is_passed_on_as_it_is() {
    let mut scene = Scene::new();
    for document in [
        "null",
        "true",
        " 1 ",
        "-0",
        "-1.5E-10",
        "1e400",
        "123456789012345678901234567890",
        "\"\"",
        r#""\u0000\u001f\/\"""#,
        r#""\ud83d\ude00""#,
        r#""\ud83d""#,
        "\"\u{7f}\u{2028}\"",
        "[]",
        "[ ]",
        "{}",
        "[[],[[]]]",
        r#"{"":0," ":{}}"#,
        r#"{"a":{"a":{"a":[]}}}"#,
        "\t{\"b\":[1 ,2]}\t",
    ] {
        assert_eq!(scene.send(document.as_bytes()), Outcome::Accepted, "{document}");
    }
    assert_eq!(scene.guards, 1);
}

#[test]
fn a_document_that_is_no_json_is_never_passed_on() {
    let mut scene = Scene::new();
    for document in [
        "",
        ",",
        "1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        "{a:1}",
        "{'a':1}",
        "nul",
        "True",
        "NaN",
        "Infinity",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "0x1",
        "--1",
        "\"",
        "'a'",
        "\"\t\"",
        r#""\x""#,
        r#""\u12""#,
        "\"\0\"",
        "1 //",
        "/**/1",
        "[1]]",
        "{}}",
        "1}}}{",
        "\u{a0}1",
        "\u{feff}1",
        "1\u{c}",
    ] {
        assert_eq!(scene.send(document.as_bytes()), Outcome::Closed, "{document:?}");
    }
}

#[test]
fn a_document_that_two_readers_could_read_differently_is_refused_under_its_id() {
    let mut scene = Scene::new();
    let ambiguous = Outcome::Refused("message-ambiguous".into());
    for document in [
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"[[{"a":{"b":1,"b":2}}]]"#,
        r#"{"\ud800":1}"#,
        r#"{"a\u0000":1,"a\u0000":2}"#,
    ] {
        assert_eq!(scene.send(document.as_bytes()), ambiguous, "{document}");
    }
    for bytes in [
        &b"\"\xff\""[..],
        b"\"\xc0\x80\"",
        b"\"\xed\xa0\x80\"",
        b"\"\xf4\x90\x80\x80\"",
        b"\"\xe2\x82\"",
    ] {
        assert_eq!(scene.send(bytes), ambiguous);
    }
    let deep = "[".repeat(126) + &"]".repeat(126);
    assert_eq!(scene.send(deep.as_bytes()), Outcome::Refused("message-invalid".into()));
    assert_eq!(scene.guards, 1);
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_json_parsing_is_judged_as_the_corpus_says() {
    let mut scene = Scene::new();
    let (mut accepted, mut refused, mut twice, mut direct) = (0, 0, Vec::new(), 0);
    let mut either = BTreeMap::new();
    let mut slowest = Duration::ZERO;
    let cases = shared_jsonl("corpora/json-parsing/jsontestsuite.jsonl");
    assert_eq!(cases.len(), 318);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let document = base64(case["bytes_b64"].as_str().unwrap());
        let since = Instant::now();
        let outcome = if document.contains(&b'\n') || document.contains(&b'\r') {
            direct += 1;
            parsed(&document)
        } else {
            scene.send(&document)
        };
        slowest = slowest.max(since.elapsed());
        match (case["expect"].as_str().unwrap(), outcome) {
            ("accept", Outcome::Accepted) => accepted += 1,
            ("accept", Outcome::Refused(code)) => {
                assert_eq!(code, "message-ambiguous", "{name}");
                twice.push(name.to_owned());
            }
            ("reject", Outcome::Refused(_) | Outcome::Closed) => refused += 1,
            ("either", outcome) => drop(either.insert(name.to_owned(), outcome)),
            (expected, outcome) => panic!("{name}: {expected}, but {outcome:?}"),
        }
    }
    for (name, outcome) in &either {
        println!("either: {name}: {outcome:?}");
    }
    println!(
        "{accepted} accepted, {refused} refused, {} either, {} with a key twice, {direct} by the parser directly, {} guards, slowest {slowest:?}",
        either.len(),
        twice.len(),
        scene.guards
    );
    assert_eq!((accepted, refused, either.len(), direct), (93, 188, 35, DIRECT));
    assert_eq!(twice, ["y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"]);
    assert_eq!(either.values().filter(|outcome| **outcome == Outcome::Accepted).count(), 19);
    scene.ends = None;
    scene.place.shell(&[
        "grant",
        "--principal",
        "p",
        "--type",
        "any",
        "--resource",
        "*",
        "--operations",
        "*",
    ]);
    scene.place.assert_intact();
}

/// Documents that no line can hold.
const DIRECT: usize = 10;

fn parsed(document: &[u8]) -> Outcome {
    match cap_mcp::check_document(document) {
        Ok(_) => Outcome::Accepted,
        Err(error) => Outcome::Refused(error.fault.code().code().to_owned()),
    }
}

fn base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => panic!("not base64"),
    };
    let digits: Vec<u8> = text.trim_end_matches('=').bytes().map(value).collect();
    let mut bytes = Vec::new();
    for group in digits.chunks(4) {
        let bits = group.iter().fold(0_u32, |bits, digit| bits << 6 | u32::from(*digit));
        let bits = bits << (6 * (4 - group.len()));
        bytes.extend(bits.to_be_bytes()[1..].iter().take(group.len() * 6 / 8));
    }
    bytes
}
