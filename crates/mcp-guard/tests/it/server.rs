//! What a server says is hostile, too.

use serde_json::{Value, json};

use crate::support::{ALLOW_ALL, Place, assert_refused, code, tools_policy};

const MARKER: &[u8] = b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n";

fn call(id: u64) -> String {
    crate::support::request(id, "tools/call", &json!({ "name": "t", "arguments": {} }))
}

#[test]
fn an_ambiguous_response_becomes_an_error_for_its_pending_id() {
    let place = Place::new();
    let (mut client, mut server) = place.play(ALLOW_ALL);
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":7,"result":{{"a":{}{}}}}}"#,
        "[".repeat(127),
        "]".repeat(127)
    );
    for (what, response, expected) in [
        (
            "a member twice",
            &br#"{"jsonrpc":"2.0","id":7,"result":{"isError":true,"isError":false}}"#[..],
            "message-ambiguous",
        ),
        (
            "the same by an escape",
            br#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"text":"a","t\u0065xt":"b"}]}}"#,
            "message-ambiguous",
        ),
        (
            "the result twice",
            br#"{"jsonrpc":"2.0","id":7,"result":{},"result":{"x":1}}"#,
            "message-ambiguous",
        ),
        (
            "result and error",
            br#"{"jsonrpc":"2.0","id":7,"result":{},"error":{"code":1,"message":""}}"#,
            "message-invalid",
        ),
        (
            "the result also in capitals",
            br#"{"jsonrpc":"2.0","id":7,"result":{},"Result":{"x":1}}"#,
            "message-ambiguous",
        ),
        (
            "no UTF-8",
            b"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"a\":\"\xff\"}}",
            "message-ambiguous",
        ),
        (
            "a lone surrogate in a key",
            br#"{"jsonrpc":"2.0","id":7,"result":{"\udc00":1}}"#,
            "message-ambiguous",
        ),
        ("nested too deep", deep.as_bytes(), "message-invalid"),
        ("no version", br#"{"id":7,"result":{}}"#, "message-invalid"),
        (
            "params in a response",
            br#"{"jsonrpc":"2.0","id":7,"result":{},"params":{}}"#,
            "message-invalid",
        ),
    ] {
        client.tell(&call(7));
        server.heard();
        server.say(&[response, b"\n"].concat());
        let answer = client.message();
        assert_eq!(answer["id"], 7, "{what}");
        assert_eq!(code(&answer), expected, "{what}: {answer}");
        assert_eq!(answer["result"]["isError"], true, "{what}");
        // Nobody waits for a second one, however good it is.
        server.tell(r#"{"jsonrpc":"2.0","id":7,"result":{"late":true}}"#);
        server.say(MARKER);
        assert_eq!(client.line(), MARKER, "{what}");
    }
    assert_eq!(client.finish().code, Some(0));
    let records = place.records();
    let events = records.iter().filter(|record| record["body"]["kind"] == "security-event");
    assert_eq!(events.count(), 20);
}

#[test]
fn what_of_the_server_answers_no_request_is_never_shown() {
    let place = Place::new();
    let (mut client, mut server) = place.play(ALLOW_ALL);
    client.tell(&call(7));
    server.heard();
    for line in [
        r#"{"jsonrpc":"2.0","id":8,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":"7","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":7.0,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":7,"id":7,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":null,"result":{}}"#,
        r#"{"jsonrpc":"2.0","result":{}}"#,
        r#"[{"jsonrpc":"2.0","id":7,"result":{}}]"#,
        "Server listening on stdio",
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"a":1,"a":2}}"#,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\r\"params\":{}}",
    ] {
        server.tell(line);
    }
    server.say(MARKER);
    assert_eq!(client.line(), MARKER);
    let good = r#"{"jsonrpc":"2.0","id":7,"result":{"good":true}}"#;
    server.tell(good);
    assert_eq!(client.line(), format!("{good}\n").as_bytes());
}

#[test]
fn a_line_of_the_server_over_16_mib_is_dropped_and_the_next_one_is_whole() {
    let place = Place::new();
    let (mut client, mut server) = place.play(ALLOW_ALL);
    client.tell(&call(7));
    server.heard();
    let long = "x".repeat(16 * 1024 * 1024);
    server.tell(&format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"a":"{long}"}}}}"#
    ));
    server.say(MARKER);
    assert_eq!(client.line(), MARKER);
}

#[test]
fn what_the_server_asks_the_client_is_refused_to_it_and_never_shown() {
    let place = Place::new();
    for policy in [crate::support::GRANT_NOTHING.to_owned(), tools_policy("")] {
        let (mut client, mut server) = place.play(&policy);
        for (id, method) in [
            ("1", "sampling/createMessage"),
            (r#""e""#, "elicitation/create"),
            ("-3", "roots/list"),
            ("4", "tasks/get"),
            ("5", "tasks/result"),
            ("6", "tasks/list"),
            ("7", "tasks/cancel"),
            ("8", "tools/call"),
            ("9", "initialize"),
            ("10", "x-vendor/ask"),
            ("11", ""),
        ] {
            server.tell(&format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{}}}}"#
            ));
            let answer = server.message();
            assert_eq!(answer["id"].to_string(), id);
            assert!(crate::support::refusal(&answer).is_some(), "{answer}");
            assert_eq!(answer["error"]["code"], 40300, "{answer}");
        }
        for method in ["x-vendor/note", "notifications/initialized", "sampling/createMessage", ""] {
            server.tell(&format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#));
        }
        server.say(MARKER);
        assert_eq!(client.line(), MARKER);
        // The client's word on what it was never asked goes nowhere either.
        client.tell(r#"{"jsonrpc":"2.0","id":1,"result":{"role":"assistant"}}"#);
        client.tell(r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#);
        server.hears(b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n");
    }
}

#[test]
fn what_the_policy_grants_the_server_may_ask() {
    let place = Place::new();
    let granted = r#"allowed_methods = ["sampling/createMessage", "roots/list"]"#;
    let (mut client, mut server) = place.play(&tools_policy(granted));
    for (id, method) in [(1, "sampling/createMessage"), (2, "roots/list"), (3, "ping")] {
        let asked = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}"}}"#);
        server.tell(&asked);
        assert_eq!(client.line(), format!("{asked}\n").as_bytes());
        let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#);
        client.tell(&answer);
        server.hears(format!("{answer}\n").as_bytes());
    }
    server.tell(r#"{"jsonrpc":"2.0","id":4,"method":"elicitation/create","params":{}}"#);
    assert_refused(&server.message(), "method-not-allowed");
}

#[test]
fn a_server_that_asks_and_asks_is_refused_beyond_1024_questions() {
    let place = Place::new();
    let (mut client, mut server) = place.play(ALLOW_ALL);
    let ping = |id: u64| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}\n");
    for id in 0..1024 {
        server.say(ping(id).as_bytes());
        assert_eq!(client.line(), ping(id).as_bytes());
    }
    server.say(ping(1024).as_bytes());
    let refused = server.message();
    assert_refused(&refused, "too-many-pending");
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(1024), &json!(42900)));
    server.say(ping(7).as_bytes());
    assert_refused(&server.message(), "id-in-flight");
    // What is answered or taken back makes room.
    client.tell(r#"{"jsonrpc":"2.0","id":7,"result":{}}"#);
    server.heard();
    server.say(ping(7).as_bytes());
    assert_eq!(client.line(), ping(7).as_bytes());
    let cancelled =
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":8}}"#;
    server.tell(cancelled);
    assert_eq!(client.line(), format!("{cancelled}\n").as_bytes());
    server.say(ping(1024).as_bytes());
    assert_eq!(client.line(), ping(1024).as_bytes());
}

#[test]
fn an_ambiguous_request_of_the_server_is_never_shown() {
    let place = Place::new();
    let (mut client, mut server) = place.play(ALLOW_ALL);
    server.tell(r#"{"jsonrpc":"2.0","id":1,"method":"roots/list","params":{"a":1,"a":2}}"#);
    server.tell(r#"{"jsonrpc":"2.0","id":null,"method":"roots/list"}"#);
    server.tell(r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"roots/list"}"#);
    server.say(MARKER);
    assert_eq!(client.line(), MARKER);
}

#[test]
fn input_requests_in_a_result_need_a_grant_each() {
    let place = Place::new();
    let granted = tools_policy(r#"allowed_methods = ["elicitation/create"]"#);
    let (mut client, mut server) = place.play(&granted);
    let mut result = |requests: &str| -> (String, Value) {
        let id = client.fresh_id();
        client.tell(&call(id));
        server.heard();
        let line = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{{"resultType":"inputRequired","inputRequests":{requests},"requestState":"\u0073"}}}}"#
        );
        server.tell(&line);
        let got = String::from_utf8(client.line()).unwrap();
        (
            format!("{line}\n"),
            serde_json::from_str(&got)
                .map(|value: Value| json!({ "raw": got, "value": value }))
                .unwrap(),
        )
    };
    for requests in ["{}", r#"{"a":{"method":"elicitation/create","params":{"x":1.0}}}"#] {
        let (sent, got) = result(requests);
        assert_eq!(got["raw"], sent);
    }
    for (requests, code) in [
        (r#"{"a":{"method":"sampling/createMessage"}}"#, "method-not-allowed"),
        (
            r#"{"a":{"method":"elicitation/create"},"b":{"method":"roots/list"}}"#,
            "method-not-allowed",
        ),
        (r#"{"a":{"method":"\u0072oots/list"}}"#, "method-not-allowed"),
        (r#"{"a":{}}"#, "message-invalid"),
        (r#"{"a":{"method":1}}"#, "message-invalid"),
        (r#"["elicitation/create"]"#, "message-invalid"),
        ("null", "message-invalid"),
    ] {
        let (_, got) = result(requests);
        assert_refused(&got["value"], code);
        assert_eq!(got["value"]["result"]["isError"], true);
    }
}

#[test]
fn a_server_that_does_not_read_does_not_stop_what_it_says() {
    // It asks and asks, and never reads an answer: what the guard tells it must fill the pipe.
    let script = r#"
        n=0
        while [ $n -lt 3000 ]; do
            n=$((n+1))
            echo '{"jsonrpc":"2.0","id":'$n',"method":"sampling/createMessage","params":{}}'
        done
        echo '{"jsonrpc":"2.0","method":"notifications/message"}'
        sleep 1000
    "#;
    let place = Place::new();
    let command = &mut place.run(&tools_policy(""), &["/bin/sh", "-c", script]);
    let mut client = crate::support::Client::start(command);
    assert_eq!(client.line(), MARKER);
    assert_eq!(client.finish().code, Some(0));
}
