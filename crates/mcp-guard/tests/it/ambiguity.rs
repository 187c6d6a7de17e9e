//! What two readers could read differently is never passed on.

use serde_json::{Value, json};

use crate::support::{ALLOW_ALL, Place, assert_refused, code, stateless};

const MARKER: &[u8] = b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n";

fn call(id: &str, params: &str) -> Vec<u8> {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}"#).into_bytes()
}

fn nested(depth: usize) -> String {
    // The message, `params` and `arguments` are three of them.
    let inner = depth - 3;
    format!(r#"{{"name":"t","arguments":{{"a":{}{}}}}}"#, "[".repeat(inner), "]".repeat(inner))
}

/// Lines that are refused under their id, which is 7, with a code.
fn answered() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let ambiguous = "message-ambiguous";
    let broken = |at: &str, bytes: &[u8]| {
        let line = call("7", r#"{"name":"t","arguments":{"a":"HERE"}}"#);
        let at = line.windows(4).position(|four| four == at.as_bytes()).unwrap();
        [&line[..at], bytes, &line[at + 4..]].concat()
    };
    vec![
        ("a member twice in the arguments", call("7", r#"{"name":"t","arguments":{"a":1,"a":1}}"#), ambiguous),
        ("the same by an escape", call("7", r#"{"name":"t","arguments":{"a":1,"\u0061":1}}"#), ambiguous),
        ("a member twice far inside", call("7", r#"{"name":"t","arguments":{"a":[{"b":[[{"c":1,"d":2,"c":3}]]}]}}"#), ambiguous),
        ("the tool twice", call("7", r#"{"name":"t","name":"u"}"#), ambiguous),
        ("params twice", br#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t"},"params":{"name":"u"}}"#.to_vec(), ambiguous),
        ("a member twice in _meta", call("7", r#"{"name":"t","_meta":{"a/b":1,"a/b":2}}"#), ambiguous),
        ("jsonrpc twice", br#"{"jsonrpc":"2.0","jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t"}}"#.to_vec(), ambiguous),
        ("a byte that is no UTF-8", broken("HERE", b"\xff"), ambiguous),
        ("an overlong form", broken("HERE", b"\xc0\xae\xc0\xae"), ambiguous),
        ("a surrogate in UTF-8", broken("HERE", b"\xed\xa0\x80"), ambiguous),
        ("a character that is cut", broken("HERE", b"\xf0\x9f\x98"), ambiguous),
        ("a lone surrogate in a key", call("7", r#"{"name":"t","arguments":{"\ud800":1}}"#), ambiguous),
        ("a lone surrogate in the tool's name", call("7", r#"{"name":"t\udc00"}"#), "tool-invalid"),
        ("params in capitals", br#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t"},"Params":{"name":"u"}}"#.to_vec(), ambiguous),
        ("a key of params in capitals", call("7", r#"{"name":"t","Arguments":{}}"#), ambiguous),
        ("a key of params with a long s", call("7", "{\"name\":\"t\",\"argument\u{17f}\":{}}"), ambiguous),
        ("a key of params in Cyrillic", call("7", "{\"name\":\"t\",\"n\u{430}me\":\"u\"}"), ambiguous),
        ("meta for _meta", call("7", r#"{"name":"t","meta":{}}"#), ambiguous),
        ("a key of _meta in capitals", call("7", r#"{"name":"t","_meta":{"ProgressToken":1}}"#), ambiguous),
        ("our own key in capitals", call("7", r#"{"name":"t","_meta":{"dev.mcp-security/Authority":"x"}}"#), ambiguous),
        ("our own key with an invisible character", call("7", "{\"name\":\"t\",\"_meta\":{\"dev.mcp-security/\u{200b}authority\":\"x\"}}"), ambiguous),
        ("nested too deep", call("7", &nested(129)), "message-invalid"),
        ("params that are a list", call("7", r#"["t"]"#), "message-invalid"),
        ("params that are a string", call("7", r#""t""#), "message-invalid"),
        ("no params", br#"{"jsonrpc":"2.0","id":7,"method":"tools/call"}"#.to_vec(), "message-invalid"),
        ("params that are null", call("7", "null"), "message-invalid"),
        ("another version", br#"{"jsonrpc":"1.0","id":7,"method":"tools/call","params":{"name":"t"}}"#.to_vec(), "message-invalid"),
        ("no version", br#"{"id":7,"method":"tools/call","params":{"name":"t"}}"#.to_vec(), "message-invalid"),
        ("arguments that are a list", call("7", r#"{"name":"t","arguments":[]}"#), "argument-invalid"),
        ("arguments that are a string", call("7", r#"{"name":"t","arguments":"{}"}"#), "argument-invalid"),
        ("no name", call("7", r#"{"arguments":{}}"#), "tool-invalid"),
        ("a name that is a number", call("7", r#"{"name":1}"#), "tool-invalid"),
    ]
}

#[test]
fn an_ambiguous_call_is_refused_under_its_id_and_never_passed_on() {
    let place = Place::new();
    let (mut client, mut server) = place.play(ALLOW_ALL);
    for (what, line, expected) in answered() {
        client.send(&[&line[..], b"\n"].concat());
        let response = client.message();
        assert_eq!(response["id"], 7, "{what}");
        assert_eq!(code(&response), expected, "{what}: {response}");
        assert_eq!(response["result"]["isError"], true, "{what}: {response}");
        client.send(MARKER);
        server.hears(MARKER);
    }
    assert_eq!(client.finish().code, Some(0));
    server.assert_hears_no_more();
}

#[test]
fn an_ambiguous_request_that_is_no_call_is_answered_with_an_error() {
    let place = Place::new();
    let (mut client, mut server) = place.play(ALLOW_ALL);
    for line in [
        r#"{"jsonrpc":"2.0","id":"s","method":"ping","params":{"a":{"b":1,"b":1}}}"#,
        r#"{"jsonrpc":"2.0","id":"s","method":"resources/read","params":{"uri":"a:b","URI":"a:c"}}"#,
        r#"{"jsonrpc":"2.0","id":"s","method":"initialize","params":{"protocolVersion":"1","ProtocolVersion":"2"}}"#,
        r#"{"jsonrpc":"2.0","id":"s","method":"tools/call","params":{"name":"t","task":{"a":1,"a":2}}}"#,
    ] {
        client.tell(line);
        let response = client.message();
        assert_refused(&response, "message-ambiguous");
        assert_eq!((&response["id"], &response["error"]["code"]), (&json!("s"), &json!(40000)));
    }
    client.send(MARKER);
    server.hears(MARKER);
}

/// Lines that can be answered under no id.
fn unanswerable() -> Vec<(&'static str, Vec<u8>)> {
    let long = " ".repeat(16 * 1024 * 1024);
    vec![
        ("the id twice", br#"{"jsonrpc":"2.0","id":7,"id":8,"method":"ping"}"#.to_vec()),
        ("the id twice, the same", br#"{"jsonrpc":"2.0","id":7,"id":7,"method":"ping"}"#.to_vec()),
        ("the id also in capitals", br#"{"jsonrpc":"2.0","id":7,"ID":7,"method":"ping"}"#.to_vec()),
        (
            "the method twice",
            br#"{"jsonrpc":"2.0","id":7,"method":"ping","method":"tools/call"}"#.to_vec(),
        ),
        (
            "the method also by an escape",
            br#"{"jsonrpc":"2.0","id":7,"method":"ping","\u006dethod":"x"}"#.to_vec(),
        ),
        (
            "the method also in capitals",
            br#"{"jsonrpc":"2.0","id":7,"method":"ping","Method":"x"}"#.to_vec(),
        ),
        ("an id of 2^53", call("9007199254740992", r#"{"name":"t"}"#)),
        ("an id of 2^64", call("18446744073709551616", r#"{"name":"t"}"#)),
        ("an id with a fraction", call("7.0", r#"{"name":"t"}"#)),
        ("an id with an exponent", call("7e0", r#"{"name":"t"}"#)),
        ("a negative zero as id", call("-0", r#"{"name":"t"}"#)),
        ("a null id", call("null", r#"{"name":"t"}"#)),
        ("an id that is a list", call("[7]", r#"{"name":"t"}"#)),
        ("an id that is a truth value", call("true", r#"{"name":"t"}"#)),
        ("an id with a lone surrogate", call(r#""\ud800""#, r#"{"name":"t"}"#)),
        ("a batch", [&b"["[..], &call("7", r#"{"name":"t"}"#), b"]"].concat()),
        ("an empty batch", b"[]".to_vec()),
        ("a string", br#""ping""#.to_vec()),
        ("no JSON", b"ping".to_vec()),
        ("half a message", br#"{"jsonrpc":"2.0","id":7,"method":"ping""#.to_vec()),
        ("two messages on a line", [call("7", "{}"), call("8", "{}")].concat()),
        (
            "two messages with a carriage return between",
            [&call("7", "{}")[..], b"\r", &call("8", "{}")].concat(),
        ),
        (
            "a carriage return inside",
            b"{\"jsonrpc\":\"2.0\",\r\"id\":7,\"method\":\"ping\"}".to_vec(),
        ),
        ("a byte-order mark", [&b"\xef\xbb\xbf"[..], &call("7", r#"{"name":"t"}"#)].concat()),
        ("a NUL behind", [&call("7", r#"{"name":"t"}"#)[..], b"\0"].concat()),
        (
            "an ambiguous notification",
            br#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"a":1,"a":2}}"#
                .to_vec(),
        ),
        (
            "request and response at once",
            br#"{"jsonrpc":"2.0","id":7,"method":"ping","result":{}}"#.to_vec(),
        ),
        (
            "a line over 16 MiB",
            call("7", &format!(r#"{{"name":"t","arguments":{{"a":"{long}"}}}}"#)),
        ),
    ]
}

#[test]
fn what_can_be_answered_under_no_id_closes_the_connection_with_a_failure() {
    for (what, line) in unanswerable() {
        let place = Place::new();
        let (mut client, mut server) = place.play(ALLOW_ALL);
        // The guard may be gone before it has read what follows.
        drop(client.try_send(&[&line[..], b"\n", MARKER].concat()));
        client.assert_silent_to_the_end();
        assert_eq!(client.ended().code, Some(1), "{what}");
        server.assert_hears_no_more();
        let records = place.records();
        let refused = records.iter().filter(|record| record["body"]["kind"] == "security-event");
        assert_eq!(refused.count(), 1, "{what}");
        place.assert_intact();
    }
}

#[test]
fn an_ambiguous_answer_of_the_client_goes_nowhere() {
    let place = Place::new();
    let (mut client, mut server) = place.play(ALLOW_ALL);
    server.tell(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    client.line();
    client.tell(r#"{"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2}}"#);
    // Not asked for, and of another type than what was.
    client.tell(r#"{"jsonrpc":"2.0","id":2,"result":{}}"#);
    client.tell(r#"{"jsonrpc":"2.0","id":"1","result":{}}"#);
    client.tell(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    // A second answer to the same question.
    client.tell(r#"{"jsonrpc":"2.0","id":1,"result":{"second":true}}"#);
    client.send(MARKER);
    server.hears(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n");
    server.hears(MARKER);
}

#[test]
fn the_bounds_themselves_are_within_them() {
    let place = Place::new();
    let (mut client, mut server) = place.play(ALLOW_ALL);
    let deep = call("1", &nested(128));
    client.send(&[&deep[..], b"\n"].concat());
    assert_eq!(server.heard(), [&deep[..], b"\n"].concat());
    for id in ["9007199254740991", "-9007199254740991"] {
        let line = call(id, r#"{"name":"t"}"#);
        client.send(&[&line[..], b"\n"].concat());
        assert_eq!(server.heard(), [&line[..], b"\n"].concat());
    }
    // 16 MiB to the byte, without the newline.
    let empty = call("2", r#"{"name":"t","arguments":{"a":""}}"#);
    let long = "x".repeat(16 * 1024 * 1024 - empty.len());
    let line = call("2", &format!(r#"{{"name":"t","arguments":{{"a":"{long}"}}}}"#));
    assert_eq!(line.len(), 16 * 1024 * 1024);
    client.send(&[&line[..], b"\n"].concat());
    assert!(server.heard() == [&line[..], b"\n"].concat());
    client.send(MARKER);
    server.hears(MARKER);
}

#[test]
fn blank_lines_are_no_messages() {
    let place = Place::new();
    let (mut client, mut server) = place.play(ALLOW_ALL);
    client.send(b"\n\r\n  \n\t\n");
    client.send(MARKER);
    server.hears(MARKER);
    server.say(b"\n\r\n");
    server.say(MARKER);
    assert_eq!(client.line(), MARKER);
}

#[test]
fn more_than_1024_requests_at_once_are_refused() {
    let place = Place::new();
    let (mut client, mut server) = place.play(ALLOW_ALL);
    let ping = |id: u64| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}\n");
    for id in 0..1024 {
        client.send(ping(id).as_bytes());
        server.hears(ping(id).as_bytes());
    }
    client.send(ping(1024).as_bytes());
    let response = client.message();
    assert_refused(&response, "too-many-pending");
    assert_eq!((&response["id"], &response["error"]["code"]), (&json!(1024), &json!(42900)));
    client.tell(r#"{"jsonrpc":"2.0","id":1025,"method":"tools/call","params":{"name":"t"}}"#);
    let response = client.message();
    assert_refused(&response, "too-many-pending");
    assert_eq!(response["result"]["isError"], true);
    // One that is answered makes room for one.
    server.tell(r#"{"jsonrpc":"2.0","id":5,"result":{}}"#);
    assert_eq!(client.message()["id"], 5);
    client.send(ping(5).as_bytes());
    server.hears(ping(5).as_bytes());
    client.send(ping(1024).as_bytes());
    assert_refused(&client.message(), "too-many-pending");
}

#[test]
fn an_id_in_flight_is_not_taken_twice() {
    let place = Place::new();
    let (mut client, mut server) = place.play(ALLOW_ALL);
    let first = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"first"}}"#;
    let second = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"second"}}"#;
    client.tell(first);
    server.hears(format!("{first}\n").as_bytes());
    client.tell(second);
    assert_refused(&client.message(), "id-in-flight");
    // By any way to write it; a string is another id than a number.
    client.tell(r#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#);
    server.heard();
    client.tell(r#"{"jsonrpc":"2.0","id":"\u0061","method":"ping"}"#);
    assert_refused(&client.message(), "id-in-flight");
    let text = r#"{"jsonrpc":"2.0","id":"1","method":"ping"}"#;
    client.tell(text);
    server.hears(format!("{text}\n").as_bytes());
    // A cancelled one is still in flight: the server may answer it.
    client.tell(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#);
    server.heard();
    client.tell(second);
    assert_refused(&client.message(), "id-in-flight");
    server.tell(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert_eq!(client.message(), json!({ "jsonrpc": "2.0", "id": 1, "result": {} }));
    client.tell(second);
    server.hears(format!("{second}\n").as_bytes());
}

#[test]
fn a_refusal_has_the_form_of_the_era_and_is_never_a_success() {
    let place = Place::new();
    let (mut client, mut server) = place.play(crate::support::GRANT_NOTHING);
    let params = json!({ "name": "t", "arguments": {} });
    let legacy = client.ask("tools/call", &params);
    assert_refused(&legacy, "evidence-missing");
    assert_eq!(legacy["result"]["isError"], true);
    assert_eq!(legacy["result"].get("resultType"), None);
    assert_eq!(legacy["result"]["content"][0]["type"], "text");
    assert_eq!(legacy["result"].as_object().unwrap().len(), 3, "{legacy}");

    let modern = client.ask("tools/call", &stateless(params.clone()));
    assert_refused(&modern, "evidence-missing");
    assert_eq!(modern["result"]["isError"], true);
    assert_eq!(modern["result"]["resultType"], "complete");

    for params in [params.clone(), stateless(params)] {
        for task in [json!({}), json!({ "ttl": 1000 }), Value::Null] {
            let mut params = params.clone();
            params["task"] = task;
            let task = client.ask("tools/call", &params);
            assert_refused(&task, "evidence-missing");
            assert_eq!((&task["error"]["code"], task.get("result")), (&json!(40300), None));
        }
    }
    let method = client.ask("prompts/get", &stateless(json!({ "name": "p" })));
    assert_refused(&method, "evidence-missing");
    assert_eq!(method["error"]["code"], 40300);
    client.send(MARKER);
    server.hears(MARKER);
}
