//! The reference data that lies beside the workspace.

use std::path::{Path, PathBuf};

use cap_mcp::{Fault, Form, Kind, Message, MethodClass, Sender, check_document, classify, read};
use cap_testkit::{shared, shared_jsonl};
use serde_json::Value;

const BEFORE: &[u8] =
    br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"a":"#;
const AFTER: &[u8] = b"}}}";

/// Whether a document is accepted: on a line as the value of one argument, or, when it has line
/// breaks, by the parser itself.
fn accepts(document: &[u8]) -> Result<(), Fault> {
    if document.contains(&b'\n') || document.contains(&b'\r') {
        return check_document(document).map(drop).map_err(|error| error.fault);
    }
    let line = [BEFORE, document, AFTER].concat();
    let message = read(&line).map_err(|error| error.fault)?;
    let Message::Request(request) = message else { panic!("not read as a request") };
    let arguments = request.call().unwrap().arguments.unwrap();
    let value = arguments.members().next().unwrap().value;
    assert_eq!(value.text().as_bytes(), document.trim_ascii(), "the span is the document");
    Ok(())
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_json_parsing_is_judged_as_the_corpus_says() {
    let (mut accepted, mut refused, mut twice, mut either) = (0, 0, Vec::new(), Vec::new());
    for case in shared_jsonl("corpora/json-parsing/jsontestsuite.jsonl") {
        let name = case["name"].as_str().unwrap();
        let document = base64(case["bytes_b64"].as_str().unwrap());
        let outcome = accepts(&document);
        match (case["expect"].as_str().unwrap(), outcome) {
            ("accept", Ok(())) => accepted += 1,
            ("accept", Err(Fault::DuplicateMember)) => twice.push(name.to_owned()),
            ("reject", Err(_)) => refused += 1,
            ("either", outcome) => either.push((name.to_owned(), outcome)),
            (expected, outcome) => panic!("{name}: {expected}, but {outcome:?}"),
        }
    }
    assert_eq!((accepted, refused, either.len()), (93, 188, 35));
    assert_eq!(twice, ["y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"]);
    for (name, outcome) in &either {
        println!(
            "either: {name}: {}",
            outcome.map_or_else(|fault| fault.to_string(), |()| "accepted".into())
        );
    }
    let count = |fault| either.iter().filter(|(_, outcome)| *outcome == Err(fault)).count();
    let accepted = either.iter().filter(|(_, outcome)| outcome.is_ok()).count();
    println!("accepted {accepted} of 35");
    // The numbers and the lone surrogates in values are data; they are passed on.
    assert_eq!(accepted, 19);
    assert_eq!(count(Fault::LoneSurrogateKey), 1);
    assert_eq!(count(Fault::TooDeep), 1);
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_mcp_examples_are_all_accepted_and_keep_their_bytes() {
    let mut files = Vec::new();
    collect(&shared("standards/mcp/examples-2026-07-28"), &mut files);
    assert_eq!(files.len(), 129);
    let mut messages = 0;
    for file in files {
        let document = std::fs::read(&file).unwrap();
        let value: Value = serde_json::from_slice(&document).unwrap();
        assert!(check_document(&document).is_ok(), "{}", file.display());
        let line = on_one_line(&document);
        let whole = value.get("jsonrpc").is_some();
        if whole {
            messages += 1;
            let message = read(&line).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            agrees(&message, &value);
            assert!(message.without_authority().is_none());
        }
        let line = [BEFORE, &line, AFTER].concat();
        let Ok(Message::Request(request)) = read(&line) else { panic!("{}", file.display()) };
        let arguments = request.call().unwrap().arguments.unwrap();
        let span = arguments.members().next().unwrap().value.span();
        assert_eq!(line[span], *on_one_line(&document), "{}", file.display());
    }
    assert_eq!(messages, 32);
}

/// What the message says is what `serde_json` sees.
fn agrees(message: &Message<'_>, value: &Value) {
    match message {
        Message::Request(request) => {
            assert_eq!(request.method(), value["method"]);
            assert_eq!(serde_json::to_value(request.id()).unwrap(), value["id"]);
            let params: Value = serde_json::from_str(request.params().unwrap().text()).unwrap();
            assert_eq!(params, value["params"]);
            let class = classify(Sender::Client, Form::Request, request.method());
            assert_ne!(class, MethodClass::Unknown, "{}", request.method());
        }
        Message::Notification(note) => {
            assert_eq!(note.method(), value["method"]);
            assert!(value.get("id").is_none());
            let class = classify(Sender::Server, Form::Notification, note.method());
            assert_eq!(class, MethodClass::Free, "{}", note.method());
        }
        Message::Response(response) => {
            let outcome = response.result().or(response.error()).unwrap();
            let outcome: Value = serde_json::from_str(outcome.text()).unwrap();
            assert_eq!(Some(&outcome), value.get("result").or(value.get("error")));
            assert_eq!(response.input_requests().unwrap().len(), 0);
        }
        _ => panic!("another message"),
    }
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_input_requests_are_told() {
    let file = "standards/mcp/examples-2026-07-28/InputRequiredResult/input-required-result-with-elicitation-and-sampling-and-request-state.json";
    let result = on_one_line(&std::fs::read(shared(file)).unwrap());
    let line = [br#"{"jsonrpc":"2.0","id":1,"result":"#, &result[..], b"}"].concat();
    let Ok(Message::Response(response)) = read(&line) else { panic!("no response") };
    let mut methods = response.input_requests().unwrap();
    methods.sort();
    assert_eq!(methods, ["elicitation/create", "sampling/createMessage"]);
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_refusals_have_what_the_schemas_require() {
    use cap_mcp::{Answer, AnswerForm, Era, Id, Refusal, RefusalKind, refusal};
    let words =
        Refusal { kind: RefusalKind::Denied, code: "path-outside", reason: "no", trace: "t" };
    for (era, revision) in [(Era::Legacy, "2025-11-25"), (Era::Stateless, "2026-07-28")] {
        let schema =
            std::fs::read(shared("standards/mcp/schema").join(revision).join("schema.json"));
        let schema: Value = serde_json::from_slice(&schema.unwrap()).unwrap();
        let write = |form| -> Value {
            let answer = Answer { id: Id::Number(1), form };
            serde_json::from_slice(&refusal(&answer, &words)).unwrap()
        };
        let result = write(AnswerForm::ToolResult(era));
        conforms(&schema, "CallToolResult", &result["result"]);
        conforms(&schema, "TextContent", &result["result"]["content"][0]);
        let error = write(AnswerForm::Error);
        conforms(&schema, "JSONRPCErrorResponse", &error);
        conforms(&schema, "Error", &error["error"]);
    }
}

/// Every required member is there, and each member that the definition names has its type.
fn conforms(schema: &Value, definition: &str, value: &Value) {
    let definition = &schema["$defs"][definition];
    assert!(definition.is_object());
    for name in definition["required"].as_array().unwrap() {
        assert!(value.get(name.as_str().unwrap()).is_some(), "{name} in {value}");
    }
    for (name, value) in value.as_object().unwrap() {
        let property = &definition["properties"][name];
        if let Some(constant) = property.get("const") {
            assert_eq!(value, constant, "{name}");
        }
        let fits = match property["type"].as_str() {
            Some("string") => value.is_string(),
            Some("boolean") => value.is_boolean(),
            Some("integer") => value.is_i64(),
            Some("array") => value.is_array(),
            Some("object") => value.is_object(),
            _ => true,
        };
        assert!(fits, "{name}: {value}");
    }
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_benign_names_are_never_refused_as_paths() {
    use cap_core::{Resource, ToolName};
    let table: cap_mcp::ToolTable = toml::from_str(
        "base = \"/srv/data\"\n[tools.t.arguments]\npath = { kind = \"path\", operations = [\"read\"] }",
    )
    .unwrap();
    let cases = shared_jsonl("corpora/path-traversal/benign.jsonl");
    assert_eq!(cases.len(), 1859);
    for case in cases {
        let name = case["payload"].as_str().unwrap();
        let line = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": "t", "arguments": { "path": name } } })
        .to_string();
        let Ok(Message::Request(request)) = read(line.as_bytes()) else { panic!("{name}") };
        let requests = cap_mcp::requests_of(&request.call().unwrap(), "s", &table).unwrap();
        let [tool, path] = &requests[..] else { panic!("{name}: {requests:?}") };
        let Resource::Tool(tool) = &tool.resource else { panic!("{name}") };
        assert_eq!(tool.name, ToolName::new("s", "t").unwrap());
        let Resource::Path(path) = &path.resource else { panic!("{name}") };
        assert_eq!(path.raw, format!("/srv/data/{name}"));
    }
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_traversals_are_refused_or_told_for_what_they_are() {
    use cap_core::{AbsPath, Resource};
    let table: cap_mcp::ToolTable = toml::from_str(
        "base = \"/srv/data\"\n[tools.t.arguments]\npath = { kind = \"path\", operations = [\"read\"], literal = [\"backslash\", \"dash\", \"glob\", \"tilde\", \"variable\"] }",
    )
    .unwrap();
    let root = AbsPath::parse("/srv/data").unwrap();
    let (mut inside, mut outside, mut refused) = (0, 0, 0);
    for case in shared_jsonl("corpora/path-traversal/payloads.jsonl") {
        let Some(payload) = case["payload"].as_str() else {
            refused += 1; // Not UTF-8: no message can carry it.
            continue;
        };
        let line = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": "t", "arguments": { "path": payload } } })
        .to_string();
        let Ok(Message::Request(request)) = read(line.as_bytes()) else { panic!("{payload}") };
        let Ok(requests) = cap_mcp::requests_of(&request.call().unwrap(), "s", &table) else {
            refused += 1;
            continue;
        };
        let Resource::Path(path) = &requests[1].resource else { panic!("{payload}") };
        if path.path.is_within(&root) {
            assert_ne!(case["raw"], "escape", "{payload}");
            assert_ne!(case["worst_decoded"], "nul", "{payload}");
            inside += 1;
        } else {
            outside += 1;
        }
    }
    println!("inside {inside}, outside {outside}, refused {refused}");
    assert_eq!(inside + outside + refused, 9956);
    assert!(outside > 0 && inside > 0);
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
}

/// The document with its line breaks (which stand between tokens) taken out.
fn on_one_line(document: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(document.to_vec()).unwrap();
    text.lines().map(str::trim_start).collect::<String>().into_bytes()
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

#[test]
fn the_harness_tells_kinds_apart() {
    assert_eq!(check_document(b" [1,\r\n2] ").unwrap(), Kind::Array);
    assert_eq!(accepts(b"[1\n]"), Ok(()));
    assert_eq!(accepts(b"[1 ]"), Ok(()));
    assert_eq!(accepts(b"[1,]"), Err(Fault::Syntax));
    assert_eq!(base64("aGk="), b"hi");
    assert_eq!(base64("aGkh"), b"hi!");
}
