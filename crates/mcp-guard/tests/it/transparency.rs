//! Under an allow-all policy every byte goes through as it came; of our own evidence, and of
//! nothing else, a message is freed on its way.

use serde_json::Value;

use crate::support::{ALLOW_ALL, AUTHORITY, Place};

/// Lines as no serialiser of ours would write them.
const ODD_REQUESTS: [&str; 14] = [
    r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
    "  {\t\"method\" : \"ping\" ,\"id\":  2,   \"jsonrpc\":\"2.0\"  }  ",
    r#"{"x-top":{"b":1,"a":[ ]},"params":{"z":null,"a":{"k":-0}},"jsonrpc":"2.0","method":"ping","id":3}"#,
    r#"{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"t","arguments":{"n":[1.0,1.10,1E+2,-0,-0.0,0.1e1,12345678901234567890123,1e400,100000000000000000001]}}}"#,
    r#"{"jsonrpc":"2.0","id":5,"method":"tools\/call","params":{"arguments":{"s":"\u0041\u00e9\ud83d\ude00\/\b\f\n\r\t\"\\","\u0061":"Aé😀"},"name":"\u0074"}}"#,
    r#"{"jsonrpc":"2.0","id":"\u0061\u00e9-6","method":"tools/call","params":{"name":"t","x-unknown":true,"arguments":null}}"#,
    r#"{"jsonrpc":"2.0","id":-7,"method":"x-vendor/unknown","params":{"deep":[[[[[[[[{"k":"v"}]]]]]]]]}}"#,
    r#"{"jsonrpc":"2.0","id":9007199254740991,"method":"tools/list","params":{"cursor":"","_meta":{"org.example/k":[1e2,null],"progressToken":"p"}}}"#,
    r#"{"jsonrpc":"2.0","id":"","method":"resources/read","params":{"uri":"test://a%20b"}}"#,
    "{\"jsonrpc\":\"2.0\",\"id\":10,\"method\":\"prompts/get\",\"params\":{\"name\":\"\u{7f}\u{2028}\u{feff}\u{10ffff}\"}}",
    r#"{"jsonrpc":"2.0","id":11,"method":"tools/call","params":{"name":"t","arguments":{"lone":"\ud800","":{"":[]}}}}"#,
    r#"{"jsonrpc":"2.0","id":12,"method":"tools/call","params":{"name":"t","task":{"ttl":1.0},"arguments":{}}}"#,
    r#"{"jsonrpc":"2.0","id":13,"method":"ping","params":null}"#,
    r#"{"jsonrpc":"2.0","id":14,"method":"completion/complete","params":{"argument":{"Name":"n","name":"N"},"ref":{}}}"#,
];

const ODD_NOTIFICATIONS: [&str; 3] = [
    r#"{ "method":"notifications/initialized" , "jsonrpc":"2.0","params":{"_meta":{"a/b":1.50}} }"#,
    r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99,"reason":"\u00e9"}}"#,
    r#"{"jsonrpc":"2.0","method":"x-vendor/note","params":{"n":1E-2}}"#,
];

#[test]
fn every_line_of_the_client_reaches_the_server_as_it_came() {
    for ending in ["\n", "\r\n"] {
        let place = Place::new();
        let (mut client, mut server) = place.play(ALLOW_ALL);
        for line in ODD_REQUESTS.iter().chain(&ODD_NOTIFICATIONS) {
            let line = format!("{line}{ending}");
            client.send(line.as_bytes());
            server.hears(line.as_bytes());
        }
        assert_eq!(client.finish().code, Some(0));
        server.assert_hears_no_more();
        place.assert_intact();
    }
}

#[test]
fn every_line_of_the_server_reaches_the_client_as_it_came() {
    let place = Place::new();
    let (mut client, mut server) = place.play(ALLOW_ALL);
    let results = [
        r#"{"jsonrpc":"2.0","id":ID,"result":{}}"#,
        " {\t\"result\" : {\"b\":1.0,\"a\":[ ]} ,\"id\":  ID,   \"jsonrpc\":\"2.0\"  }  ",
        r#"{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":"\u0041\ud83d\ude00 Aé😀 \ud800"}],"isError":false,"x":[1.10,1E+2,-0,1e400,12345678901234567890123]}}"#,
        r#"{"error":{"message":"no \/ such","code":-32601.0,"data":{"b":[],"a":null}},"jsonrpc":"2.0","id":ID}"#,
        r#"{"jsonrpc":"2.0","id":ID,"result":{"Content":[],"content":[],"META":1,"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"},"ioModelcontextprotocol":1}}}"#,
        r#"{"x-more":{"n":1.0},"jsonrpc":"2.0","id":ID,"result":null}"#,
        r#"{"jsonrpc":"2.0","id":ID,"result":[1, 2]}"#,
    ];
    let mut id = 0;
    for ending in ["\n", "\r\n"] {
        for result in results {
            id += 1;
            client.tell(&format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"t"}}}}"#
            ));
            server.heard();
            let line = result.replace("ID", &id.to_string()) + ending;
            server.say(line.as_bytes());
            assert_eq!(client.line(), line.as_bytes());
        }
        for line in [
            r#"{ "jsonrpc":"2.0", "method":"notifications/message", "params":{"level":"info","data":1.50} }"#,
            r#"{"method":"x-vendor/note","jsonrpc":"2.0","params":{"\u0061":1E-2}}"#,
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"?"}}"#,
        ] {
            let line = format!("{line}{ending}");
            server.say(line.as_bytes());
            assert_eq!(client.line(), line.as_bytes());
        }
    }
    let ended = client.finish();
    assert_eq!((ended.code, ended.rest.len()), (Some(0), 0));
}

#[test]
fn requests_of_the_server_and_their_answers_go_through_as_they_came() {
    let place = Place::new();
    let (mut client, mut server) = place.play(ALLOW_ALL);
    let asked = [
        r#"{ "id":1 ,"method":"sampling/createMessage","params":{"maxTokens":1.0,"messages":[ ]},"jsonrpc":"2.0"}"#,
        r#"{"jsonrpc":"2.0","id":"\u0072-2","method":"roots/list"}"#,
        r#"{"jsonrpc":"2.0","id":3,"method":"elicitation/create","params":{"requestedSchema":{"type":"object","properties":{}},"message":"\ud83d\ude00"}}"#,
        r#"{"jsonrpc":"2.0","id":4,"method":"ping"}"#,
    ];
    let answers = [
        r#"{"result":{"role":"assistant","content":{"type":"text","text":"\u00e9"},"model":"m"},"id":1,"jsonrpc":"2.0"}"#,
        "{ \"result\" : {\"roots\":[{\"uri\":\"file:///r\\u006Fot\",\"x\":[1.0]}]} , \"jsonrpc\":\"2.0\",\"id\":\"r-2\" }\r",
        r#"{"jsonrpc":"2.0","id":3,"error":{"code":-1,"message":"no","data":[1E+2]}}"#,
        r#"{"jsonrpc":"2.0","id":4,"result":{}}"#,
    ];
    for (asked, answer) in asked.iter().zip(answers) {
        server.tell(asked);
        assert_eq!(client.line(), format!("{asked}\n").as_bytes());
        client.tell(answer);
        server.hears(format!("{answer}\n").as_bytes());
    }
}

#[test]
fn a_line_may_come_in_pieces_and_many_lines_at_once() {
    let place = Place::new();
    let (mut client, mut server) = place.play(ALLOW_ALL);
    let (one, two, three) = (ODD_REQUESTS[3], ODD_REQUESTS[4], ODD_REQUESTS[1]);
    for piece in one.as_bytes().chunks(7) {
        client.send(piece);
    }
    client.send(format!("\n{two}\n{three}").as_bytes());
    server.hears(format!("{one}\n").as_bytes());
    server.hears(format!("{two}\n").as_bytes());
    // The end of the input ends the last line, and nothing is put in the place of its newline.
    client.hang_up();
    server.hears(three.as_bytes());
    server.assert_hears_no_more();
    assert_eq!(client.ended().code, Some(0));
}

#[test]
fn a_line_of_a_megabyte_goes_through_as_it_came_both_ways() {
    let place = Place::new();
    let (mut client, mut server) = place.play(ALLOW_ALL);
    let big: String = (0..100_000).map(|n| format!("\\u00e9 {n} \u{1f600}")).collect();
    let request = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"t","arguments":{{"a":"{big}"}}}}}}"#
    );
    assert!(request.len() > 1024 * 1024);
    client.tell(&request);
    server.hears(format!("{request}\n").as_bytes());
    let response = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"x":"{big}"}}}}"#);
    server.tell(&response);
    assert_eq!(client.line(), format!("{response}\n").as_bytes());
}

#[test]
fn the_guard_says_nothing_to_the_server_by_itself() {
    let place = Place::new();
    let (mut client, mut server) = place.play(ALLOW_ALL);
    server.tell(r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#);
    client.line();
    client.tell(ODD_REQUESTS[0]);
    server.hears(format!("{}\n", ODD_REQUESTS[0]).as_bytes());
    assert_eq!(client.finish().code, Some(0));
    server.assert_hears_no_more();
}

#[test]
fn what_passes_under_an_allow_all_policy_was_read_and_ruled_on_like_everything() {
    let place = Place::new();
    let (mut client, mut server) = place.play(ALLOW_ALL);
    client.tell(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"told","arguments":{"a":"a secret"}}}"#);
    client.tell(r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"t","arguments":{"a":1,"\u0061":2}}}"#);
    client.tell(r#"{"jsonrpc":"2.0","method":"x-vendor/note"}"#);
    assert_eq!(server.message()["params"]["name"], "told");
    assert_eq!(server.message()["method"], "x-vendor/note");
    assert_eq!(crate::support::code(&client.message()), "message-ambiguous");
    server.tell(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    client.line();
    assert_eq!(client.finish().code, Some(0));
    let records = place.records();
    let of = |kind: &str, method: &str| {
        let found = records.iter().map(|record| &record["body"]);
        found.filter(|body| body["kind"] == kind && body["method"] == method).count()
    };
    assert_eq!(of("ruling", "tools/call"), 1);
    assert_eq!(of("completed", "tools/call"), 1);
    assert_eq!(of("ruling", "x-vendor/note"), 1);
    let refused = records.iter().filter(|record| record["body"]["code"] == "message-ambiguous");
    assert_eq!(refused.count(), 1);
    assert!(!records.iter().any(|record| record.to_string().contains("a secret")));
}

/// Each with our evidence somewhere in it, where `EVIDENCE` stands for its key and value.
const WITH_EVIDENCE: [&str; 9] = [
    r#"{"jsonrpc":"2.0","id":NUMBER,"method":"ping","params":{"_meta":{EVIDENCE}}}"#,
    r#"{ "params" : { "_meta" : { EVIDENCE , "a/b" : 1.50 } , "x":1E2 } ,"id":NUMBER,"method":"ping","jsonrpc":"2.0" }"#,
    r#"{"id":NUMBER,"method":"tools/call","jsonrpc":"2.0","params":{"arguments":{"n":1.0},"_meta":{"z/y":[ ], EVIDENCE},"name":"\u0074"}}"#,
    r#"{"id":NUMBER,"method":"tools/call","jsonrpc":"2.0","params":{"_meta":{"z/y":[ ] ,EVIDENCE, "progressToken":-0},"name":"t"}}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":0.50,"_meta":{ EVIDENCE }}}"#,
    r#"{"jsonrpc":"2.0","id":NUMBER,"method":"tools/call","params":{"name":"t","arguments":{"_meta":{"kept":true}},"_meta":{"\u0061":1 ,	EVIDENCE}}} 	"#,
    r#"{"jsonrpc":"2.0","id":NUMBER,"method":"resources/read","params":{"uri":"x://y","_meta":{"a/a":{"EVIDENCE":1},EVIDENCE}}}"#,
    r#"{"jsonrpc":"2.0","id":NUMBER,"method":"tools/list","params":{"_meta":{EVIDENCE}}}"#,
    r#"{"jsonrpc":"2.0","id":NUMBER,"method":"x/y","params":{"_meta":{EVIDENCE},"cursor":"\/"}}"#,
];

#[test]
fn our_evidence_is_cut_out_of_every_message_of_the_client_and_nothing_else_changes() {
    let place = Place::new();
    let granted = place.shell_json(&[
        "grant",
        "--principal",
        "p",
        "--type",
        "any",
        "--resource",
        "*",
        "--operations",
        "*",
        "--json",
    ]);
    let evidence = granted["evidence"].as_str().unwrap();
    let (mut client, mut server) = place.play(ALLOW_ALL);
    for (n, line) in WITH_EVIDENCE.iter().enumerate() {
        for (m, key) in [AUTHORITY, r"dev.mcp-security\u002fauthority"].iter().enumerate() {
            let id = (2 * n + m).to_string();
            let member = format!(r#""{key}" : "{evidence}""#);
            let line = line.replace("\"EVIDENCE\"", "\"kept\"");
            let line = line.replace("NUMBER", &id).replace("EVIDENCE", &member);
            client.tell(&line);
            assert_is_cut(&line, &server.heard(), evidence);
        }
    }
    assert_eq!(client.finish().code, Some(0));
    server.assert_hears_no_more();
}

#[test]
fn our_evidence_is_cut_out_of_responses_of_the_client_too() {
    let place = Place::new();
    let (mut client, mut server) = place.play(ALLOW_ALL);
    server.tell(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    client.line();
    let line = format!(
        r#"{{"jsonrpc":"2.0","id":1, "result":{{"_meta":{{"a/b":1.0, "{AUTHORITY}":"secret"}}}}}}"#
    );
    client.tell(&line);
    assert_is_cut(&line, &server.heard(), "secret");
}

/// `heard` is `line` without one piece, in which our key was, and with its newline.
#[track_caller]
fn assert_is_cut(line: &str, heard: &[u8], secret: &str) {
    let heard = std::str::from_utf8(heard).unwrap();
    assert!(!heard.contains(secret) && !heard.contains("authority"), "{heard}");
    let before = line.bytes().zip(heard.bytes()).take_while(|(a, b)| a == b).count();
    let line_end = format!("{line}\n");
    let after = line_end.bytes().rev().zip(heard.bytes().rev()).take_while(|(a, b)| a == b).count();
    assert!(before + after >= heard.len(), "more than one piece was changed:\n{line}\n{heard}");
    let mut expected: Value = serde_json::from_str(line).unwrap();
    for body in ["/params/_meta", "/result/_meta"] {
        if let Some(meta) = expected.pointer_mut(body).and_then(Value::as_object_mut) {
            meta.remove(AUTHORITY).unwrap();
        }
    }
    assert_eq!(serde_json::from_str::<Value>(heard).unwrap(), expected);
}
