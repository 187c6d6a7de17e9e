use super::*;
use crate::read_error::{About, Fault};
use crate::{MAX_DEPTH, MAX_LINE_BYTES};

fn fault(line: &[u8]) -> Fault {
    read(line).unwrap_err().fault
}

fn about(line: &[u8]) -> Option<About> {
    read(line).unwrap_err().about
}

fn request(line: &str) -> Request<'_> {
    match read(line.as_bytes()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{line}: {other:?}"),
    }
}

/// A `tools/call` whose `arguments.a` is this text.
fn call_with(value: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"t","arguments":{{"a":{value}}}}}}}"#
    )
}

fn error_answer(id: Id) -> Option<About> {
    Some(About::Request(Answer { id, form: AnswerForm::Error }))
}

fn tool_answer(id: Id, era: Era) -> Option<About> {
    Some(About::Request(Answer { id, form: AnswerForm::ToolResult(era) }))
}

#[test]
fn a_request_is_read_with_its_places() {
    let line = r#" {"jsonrpc":"2.0", "id":"a\u0062", "method":"tools\/call","x":[1],
"#
    .trim_end()
    .to_owned()
        + r#""params":{"_meta":{"progressToken":7}, "name":"read","arguments":{"path":"/a"} } } "#;
    let request = request(&line);
    assert_eq!(*request.id(), Id::Text("ab".into()));
    assert_eq!(request.method(), "tools/call");
    assert_eq!(request.era(), Era::Legacy);
    assert_eq!(request.meta("progressToken").unwrap().text(), "7");
    let call = request.call().unwrap();
    assert_eq!(call.name, "read");
    let arguments = call.arguments.unwrap();
    assert_eq!(arguments.text(), r#"{"path":"/a"}"#);
    assert_eq!(line.get(arguments.span()), Some(arguments.text()));
    assert_eq!(request.answer().form, AnswerForm::ToolResult(Era::Legacy));
}

#[test]
fn a_request_that_says_its_protocol_version_is_stateless() {
    let line = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
    assert_eq!(request(line).era(), Era::Stateless);
    assert_eq!(request(line).answer().form, AnswerForm::ToolResult(Era::Stateless));
}

#[test]
fn a_call_that_asks_for_a_task_is_answered_with_an_error() {
    let line = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","task":{}}}"#;
    assert_eq!(request(line).answer().form, AnswerForm::Error);
    let line = r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"t"}}"#;
    assert_eq!(request(line).answer().form, AnswerForm::Error);
}

#[test]
fn notifications_and_responses_are_told_apart() {
    let note =
        read(br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":4}}"#);
    let Ok(Message::Notification(note)) = note else { panic!("{note:?}") };
    assert_eq!(Id::read(&note.param("requestId").unwrap()), Some(Id::Number(4)));

    let response = read(br#"{"jsonrpc":"2.0","id":4,"result":{"resultType":"complete"}}"#);
    let Ok(Message::Response(response)) = response else { panic!("{response:?}") };
    assert_eq!(response.id(), Some(&Id::Number(4)));
    assert!(response.error().is_none());
    assert_eq!(response.result_member("resultType").unwrap().text(), "\"complete\"");

    for line in [
        r#"{"jsonrpc":"2.0","error":{"code":-32700,"message":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}"#,
    ] {
        let Ok(Message::Response(response)) = read(line.as_bytes()) else { panic!("{line}") };
        assert_eq!(response.id(), None);
        assert!(response.error().is_some());
    }
}

#[test]
fn a_carriage_return_at_the_end_belongs_to_the_line() {
    assert!(read(b"{\"jsonrpc\":\"2.0\",\"method\":\"x\"}\r").is_ok());
}

#[test]
fn a_line_break_inside_is_refused() {
    // Python's universal newlines would see a tool call of its own between the two.
    let smuggled = "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"ping\",\"params\":{\"x\":\r{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}\r}}";
    assert_eq!(fault(smuggled.as_bytes()), Fault::LineBreak);
    assert_eq!(about(smuggled.as_bytes()), None);
    for line in
        ["\r{\"jsonrpc\":\"2.0\",\"method\":\"x\"}", "{\"jsonrpc\":\"2.0\",\n\"method\":\"x\"}"]
    {
        assert_eq!(fault(line.as_bytes()), Fault::LineBreak);
    }
}

#[test]
fn what_is_not_json_is_refused_and_has_no_answer() {
    for line in [
        r#"{"jsonrpc":"2.0","id":1,"method":"x",}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":NaN}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":01}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":+1}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":.5}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":1.}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":1e}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{'a':1}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{a:1}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"\x"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"\u12g4"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":True}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":[1 2]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"x"/* */}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"x""#,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\ty\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\u{a0}\"method\":\"x\"}",
    ] {
        assert_eq!(fault(line.as_bytes()), Fault::Syntax, "{line}");
        assert_eq!(about(line.as_bytes()), None, "{line}");
    }
    assert_eq!(fault(b""), Fault::Empty);
    assert_eq!(fault(b" \t"), Fault::Empty);
}

#[test]
fn two_documents_on_a_line_are_refused() {
    let line =
        br#"{"jsonrpc":"2.0","id":1,"method":"ping"} {"jsonrpc":"2.0","id":2,"method":"ping"}"#;
    assert_eq!(fault(line), Fault::TrailingBytes);
    assert_eq!(about(line), None);
}

#[test]
fn batches_and_scalars_are_refused() {
    assert_eq!(fault(br#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#), Fault::Batch);
    for line in ["1", "\"a\"", "null", "true"] {
        assert_eq!(fault(line.as_bytes()), Fault::NotAnObject);
    }
}

#[test]
fn bytes_that_are_not_utf8_are_refused_under_the_id() {
    for bytes in
        [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xe0\xff", b"\xf4\xbf\xbf\xbf", b"\x81"]
    {
        let [before, after] = [
            &b"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\",\"params\":{\"a\":\""[..],
            b"\"}}",
        ];
        let line = [before, bytes, after].concat();
        assert_eq!(fault(&line), Fault::Encoding);
        assert_eq!(about(&line), error_answer(Id::Number(3)));
    }
    assert_eq!(
        fault(b"\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}"),
        Fault::ByteOrderMark
    );
    assert_eq!(
        fault(
            "{\"jsonrpc\":\"2.0\"}"
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<_>>()
                .as_slice()
        ),
        Fault::Syntax
    );
}

#[test]
fn duplicate_members_are_refused_at_any_depth_and_in_any_spelling() {
    let deep = call_with(r#"[{"b":{"c":1,"c":1}}]"#);
    assert_eq!(fault(deep.as_bytes()), Fault::DuplicateMember);
    assert_eq!(about(deep.as_bytes()), tool_answer(Id::Number(1), Era::Legacy));
    for value in [
        r#"{"a":1,"\u0061":2}"#,
        r#"{"\u00e9":1,"é":2}"#,
        r#"{"\ud83d\ude39":1,"😹":2}"#,
        r#"{"":1,"b":2,"":3}"#,
        r#"{"\/":1,"/":2}"#,
    ] {
        assert_eq!(fault(call_with(value).as_bytes()), Fault::DuplicateMember, "{value}");
    }
    assert!(read(call_with(r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}"#).as_bytes()).is_ok());
}

#[test]
fn a_duplicate_among_many_members_is_found_where_it_stands() {
    let mut members: Vec<String> = (0..1000).map(|nth| format!("\"k{nth}\":0")).collect();
    assert!(read(call_with(&format!("{{{}}}", members.join(","))).as_bytes()).is_ok());
    members.push("\"k500\":0".into());
    let line = call_with(&format!("{{{}}}", members.join(",")));
    let error = read(line.as_bytes()).unwrap_err();
    assert_eq!(error.fault, Fault::DuplicateMember);
    assert_eq!(error.at, line.rfind("\"k500\"").unwrap());
}

#[test]
fn a_duplicate_id_or_method_leaves_no_answer() {
    for line in [
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"\u0069d":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"ID":2,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","Id":2,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
    ] {
        assert_eq!(about(line.as_bytes()), None, "{line}");
    }
    let params = r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{},"params":{}}"#;
    assert_eq!(about(params.as_bytes()), error_answer(Id::Number(1)));
}

#[test]
fn a_refused_tool_call_is_answered_in_its_own_form() {
    let stateless = r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"t","name":"u","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
    assert_eq!(about(stateless.as_bytes()), tool_answer(Id::Text("x".into()), Era::Stateless));
    let task = r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"t","name":"u","task":{}}}"#;
    assert_eq!(about(task.as_bytes()), error_answer(Id::Text("x".into())));
}

#[test]
fn a_refused_response_is_told_by_its_id() {
    let line = r#"{"jsonrpc":"2.0","id":9,"result":{"a":1,"a":2}}"#;
    assert_eq!(fault(line.as_bytes()), Fault::DuplicateMember);
    assert_eq!(about(line.as_bytes()), Some(About::Response(Id::Number(9))));
    let both = r#"{"jsonrpc":"2.0","id":9,"result":{},"error":{}}"#;
    assert_eq!(fault(both.as_bytes()), Fault::Shape);
    assert_eq!(about(both.as_bytes()), Some(About::Response(Id::Number(9))));
}

#[test]
fn lone_surrogates_are_refused_in_keys_and_where_they_decide() {
    for key in [r"\ud800", r"\udfaa", r"\ud800\ud800\n", r"\ud888\u1234", r"\uDd1e\uD834"] {
        let line = call_with(&format!(r#"{{"{key}":1}}"#));
        assert_eq!(fault(line.as_bytes()), Fault::LoneSurrogateKey, "{key}");
        let value = call_with(&format!("\"{key}\""));
        assert!(request(&value).call().unwrap().arguments.is_some(), "data is passed on: {key}");
    }
    let name = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\ud800"}}"#;
    assert_eq!(request(name).call().unwrap_err(), CallError::Name);
    let method = r#"{"jsonrpc":"2.0","id":1,"method":"\ud800"}"#;
    assert_eq!(fault(method.as_bytes()), Fault::Method);
    let id = r#"{"jsonrpc":"2.0","id":"\ud800","method":"ping"}"#;
    assert_eq!(fault(id.as_bytes()), Fault::Id);
    let uri = r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"\ud800"}}"#;
    assert_eq!(request(uri).uri().unwrap_err(), CallError::Uri);
}

#[test]
fn nesting_is_bounded_at_128() {
    // Envelope, params and arguments are three.
    let nested = |depth: usize| call_with(&("[".repeat(depth - 3) + &"]".repeat(depth - 3)));
    assert!(read(nested(MAX_DEPTH).as_bytes()).is_ok());
    assert_eq!(fault(nested(MAX_DEPTH + 1).as_bytes()), Fault::TooDeep);
    assert_eq!(about(nested(MAX_DEPTH + 1).as_bytes()), tool_answer(Id::Number(1), Era::Legacy));
    assert_eq!(fault("[".repeat(1_000_000).as_bytes()), Fault::TooDeep);
    assert_eq!(fault("{\"a\":".repeat(1_000_000).as_bytes()), Fault::TooDeep);
    assert_eq!(about("[".repeat(1_000_000).as_bytes()), None);
}

#[test]
fn length_is_bounded_at_16_mib() {
    let frame = call_with("\"\"").len();
    let longest = call_with(&format!("\"{}\"", "x".repeat(MAX_LINE_BYTES - frame)));
    assert_eq!(longest.len(), MAX_LINE_BYTES);
    assert!(read(longest.as_bytes()).is_ok());
    let longer = longest + " ";
    assert_eq!(fault(longer.as_bytes()), Fault::TooLong);
    assert_eq!(about(longer.as_bytes()), None);
}

#[test]
fn the_version_is_exact() {
    for version in ["\"2.00\"", "\"1.0\"", "2.0", "2", "null", "[\"2.0\"]"] {
        let line = format!(r#"{{"jsonrpc":{version},"id":1,"method":"ping"}}"#);
        assert_eq!(fault(line.as_bytes()), Fault::Version, "{version}");
    }
    assert_eq!(fault(br#"{"id":1,"method":"ping"}"#), Fault::Version);
    assert_eq!(about(br#"{"id":1,"method":"ping"}"#), error_answer(Id::Number(1)));
}

#[test]
fn an_id_is_a_string_or_an_exact_integer() {
    for (id, value) in [
        ("0", Id::Number(0)),
        ("-7", Id::Number(-7)),
        ("9007199254740991", Id::Number(9_007_199_254_740_991)),
        ("-9007199254740991", Id::Number(-9_007_199_254_740_991)),
        ("\"\"", Id::Text(String::new())),
        ("\"1\"", Id::Text("1".into())),
    ] {
        let line = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        assert_eq!(*request(&line).id(), value);
    }
    let long = format!("\"{}\"", "x".repeat(MAX_ID_BYTES + 1));
    for id in [
        "null",
        "1.0",
        "1.5",
        "1e3",
        "-0",
        "9007199254740992",
        "-9007199254740992",
        "1e400",
        "true",
        "[1]",
        "{}",
        "123456789012345678901234567890",
        &long,
    ] {
        let line = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        assert_eq!(fault(line.as_bytes()), Fault::Id, "{id}");
        assert_eq!(about(line.as_bytes()), None, "{id}");
    }
    assert_eq!(fault(br#"{"jsonrpc":"2.0","result":{}}"#), Fault::Id);
    assert_eq!(fault(br#"{"jsonrpc":"2.0","id":null,"result":{}}"#), Fault::Id);
}

#[test]
fn a_message_has_exactly_one_shape() {
    for line in [
        r#"{"jsonrpc":"2.0"}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"params":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","error":{}}"#,
        r#"{"jsonrpc":"2.0","method":"ping","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"params":{}}"#,
    ] {
        assert_eq!(fault(line.as_bytes()), Fault::Shape, "{line}");
    }
    for method in ["1", "null", "[\"ping\"]", "{}"] {
        let line = format!(r#"{{"jsonrpc":"2.0","id":1,"method":{method}}}"#);
        assert_eq!(fault(line.as_bytes()), Fault::Method, "{method}");
    }
    for params in ["[]", "[1]", "\"x\"", "1", "false"] {
        let line = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{params}}}"#);
        assert_eq!(fault(line.as_bytes()), Fault::Params, "{params}");
        assert_eq!(about(line.as_bytes()), error_answer(Id::Number(1)), "{params}");
    }
}

#[test]
fn a_call_needs_an_object_a_name_and_arguments_that_are_an_object() {
    for (params, error) in [
        ("null", CallError::Params),
        ("{}", CallError::Name),
        (r#"{"name":1}"#, CallError::Name),
        (r#"{"name":null}"#, CallError::Name),
        (r#"{"name":"t","arguments":[]}"#, CallError::Arguments),
        (r#"{"name":"t","arguments":"x"}"#, CallError::Arguments),
    ] {
        let line = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        assert_eq!(request(&line).call().unwrap_err(), error, "{params}");
    }
    let line = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#;
    assert_eq!(request(line).call().unwrap_err(), CallError::Params);
    for line in [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":null}}"#,
    ] {
        assert!(request(line).call().unwrap().arguments.is_none());
    }
}

#[test]
fn look_alike_keys_are_refused_in_envelope_params_and_meta_only() {
    for line in [
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","Params":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","paramſ":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","param\u017f":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","Name":"u"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments ":{}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","taſK":{}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","meta":{}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"Dev.mcp-security/authority":"x"}}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"RequestId":1}}"#,
    ] {
        assert_eq!(fault(line.as_bytes()), Fault::LookAlikeKey, "{line}");
    }
    for line in [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"Path":1,"path":2,"Name":3,"_Meta":4}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"Tools":[],"ID":1,"Meta":2,"_meta":{"Baggage":1}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"Code":1,"code":2,"message":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"x","vendor":{"Method":1},"params":{"vendor":{"Name":1}}}"#,
    ] {
        assert!(read(line.as_bytes()).is_ok(), "{line}");
    }
}

#[test]
fn our_evidence_is_taken_out_and_nothing_else() {
    let cases = [
        (r#"{"dev.mcp-security/authority":"t"}"#, "{}"),
        (r#"{ "dev.mcp-security/authority" : "t" }"#, "{  }"),
        (r#"{"dev.mcp-security/authority":{"id":"x","mac":[1,2]},"a":1}"#, r#"{"a":1}"#),
        (r#"{"a":1, "dev.mcp-security/authority":"t"}"#, r#"{"a":1}"#),
        (r#"{"a":1 , "dev.mcp-security/authority":"t" , "b" : 2}"#, r#"{"a":1 , "b" : 2}"#),
        (r#"{"dev.mcp-security\/authority":"t","a":1.0e0}"#, r#"{"a":1.0e0}"#),
    ];
    for (before, after) in cases {
        let wrap = |meta: &str| {
            format!(
                r#" {{"method":"x" , "jsonrpc":"2.0","params":{{"b":[1,2], "_meta":{meta},"c":-0}}, "id":1}} "#
            )
        };
        let line = wrap(before);
        let message = read(line.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(message.without_authority().unwrap()).unwrap(), wrap(after));
    }
}

#[test]
fn our_evidence_is_taken_out_of_every_kind_of_message() {
    for (before, after) in [
        (
            r#"{"jsonrpc":"2.0","method":"x","params":{"_meta":{"dev.mcp-security/authority":1}}}"#,
            r#"{"jsonrpc":"2.0","method":"x","params":{"_meta":{}}}"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"result":{"_meta":{"dev.mcp-security/authority":1,"b":2}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{"_meta":{"b":2}}}"#,
        ),
    ] {
        let edited = read(before.as_bytes()).unwrap().without_authority().unwrap();
        assert_eq!(String::from_utf8(edited).unwrap(), after);
    }
    for line in [
        r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"a":1}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"dev.mcp-security/authority":1}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"_meta":{"dev.mcp-security/authority":1}}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"x"}"#,
    ] {
        assert!(read(line.as_bytes()).unwrap().without_authority().is_none(), "{line}");
    }
}

#[test]
fn input_requests_are_told_by_their_methods() {
    let methods = |result: &str| {
        let line = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
        let Ok(Message::Response(response)) = read(line.as_bytes()) else { panic!("{line}") };
        response
            .input_requests()
            .map(|methods| methods.into_iter().map(Cow::into_owned).collect::<Vec<_>>())
    };
    let both = r#"{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{}},"b":{"params":{"method":"x"},"method":"roots/list"}}}"#;
    assert_eq!(methods(both).unwrap(), ["elicitation/create", "roots/list"]);
    // A client may go by the member alone.
    let disguised =
        r#"{"resultType":"complete","inputRequests":{"a":{"method":"sampling/createMessage"}}}"#;
    assert_eq!(methods(disguised).unwrap(), ["sampling/createMessage"]);
    assert_eq!(methods(r#"{"content":[]}"#).unwrap(), [""; 0]);
    assert_eq!(methods(r#"{"resultType":"input_required","requestState":"x"}"#).unwrap(), [""; 0]);
    for result in [
        r#"{"inputRequests":[]}"#,
        r#"{"inputRequests":{"a":1}}"#,
        r#"{"inputRequests":{"a":{"params":{}}}}"#,
        r#"{"inputRequests":{"a":{"method":1}}}"#,
        r#"{"inputRequests":{"a":{"method":"\ud800"}}}"#,
    ] {
        assert_eq!(methods(result), Err(InputRequestError), "{result}");
    }
}

#[test]
fn an_error_says_what_and_where() {
    let error = read(br#"{"jsonrpc":"2.0","id":1,"method":"x",}"#).unwrap_err();
    assert_eq!(error.to_string(), "not JSON at byte 37");
}
