//! Under an allow-all policy every byte passes as it came, in both directions: what the server
//! reads is what the client wrote, what the client reads is what the server wrote, and both are
//! what they are without the guard.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::support::{
    Client, Folders, Policy, everything_server, filesystem_server, git_server, guarded,
    leaking_filesystem_server, time_server,
};

// ---- Recording ---------------------------------------------------------------------------------

/// One line of a client, and what follows it.
enum Line {
    /// A request; the next line is sent when its response has come.
    Ask(String),
    /// As `Ask`, with an answer that differs from run to run (times, identifiers).
    AskVarying(String),
    /// A message without a response.
    Tell(String),
}

/// What passed at the two ends of a session.
struct Recording {
    client_wrote: Vec<u8>,
    server_read: Vec<u8>,
    server_wrote: Vec<u8>,
    client_read: Vec<u8>,
    /// Of what the client read, the responses that are the same in every run.
    repeatable: Vec<u8>,
}

/// Plays `lines`, with a tee on each side of the server, directly or behind the guard.
fn record(
    server: &[String],
    policy: Option<&Policy>,
    working_folder: &Path,
    lines: &[Line],
) -> Recording {
    let folder = tempfile::tempdir().unwrap();
    let (read, wrote) = (folder.path().join("read"), folder.path().join("wrote"));
    let tees = tees(server, &read, &wrote);
    let command = match policy {
        Some(policy) => guarded(policy, folder.path(), &tees),
        None => tees,
    };
    let mut client = Client::start(&command, working_folder);
    let mut recording = Recording {
        client_wrote: Vec::new(),
        server_read: Vec::new(),
        server_wrote: Vec::new(),
        client_read: Vec::new(),
        repeatable: Vec::new(),
    };
    for line in lines {
        recording.play(&mut client, line);
    }
    let (_, rest) = client.finish();
    recording.client_read.extend(rest.concat());
    recording.server_read = std::fs::read(read).unwrap();
    recording.server_wrote = std::fs::read(wrote).unwrap();
    recording
}

/// `server` between two tees: files of what it read and of what it wrote.
fn tees(server: &[String], read: &Path, wrote: &Path) -> Vec<String> {
    let script = r#"read=$1; wrote=$2; shift 2; tee "$read" | "$@" | tee "$wrote""#;
    let mut command = ["sh", "-c", script, "tees"].map(str::to_owned).to_vec();
    command.extend([read, wrote].map(|path| path.to_str().unwrap().to_owned()));
    command.extend_from_slice(server);
    command
}

impl Recording {
    fn play(&mut self, client: &mut Client, line: &Line) {
        let (text, repeatable) = match line {
            Line::Ask(text) => (text, true),
            Line::AskVarying(text) => (text, false),
            Line::Tell(text) => return self.send(client, text),
        };
        self.send(client, text);
        let request: Value = serde_json::from_str(text).unwrap();
        loop {
            let line = client.receive();
            let message: Value = serde_json::from_slice(&line).unwrap();
            let is_response = message.get("method").is_none() && message["id"] == request["id"];
            self.client_read.extend_from_slice(&line);
            if is_response {
                self.repeatable.extend(if repeatable { line } else { Vec::new() });
                return;
            }
            if let Some(result) = message.get("id").and_then(|_| answer(&message)) {
                let id = &message["id"];
                // An order of members and a spacing that no serialiser of ours would write.
                self.send(
                    client,
                    &format!(r#"{{"result": {result},"id":{id} , "jsonrpc":"2.0"}}"#),
                );
            }
        }
    }

    fn send(&mut self, client: &mut Client, text: &str) {
        client.send(text.as_bytes());
        self.client_wrote.extend_from_slice(text.as_bytes());
        self.client_wrote.push(b'\n');
    }
}

/// What the client answers to a request of the server.
fn answer(request: &Value) -> Option<&'static str> {
    match request["method"].as_str()? {
        "roots/list" => {
            Some(r#"{"roots":[{"uri":"file:///r\u006Fot","name":"r","x-more":[1.0]}]}"#)
        }
        "sampling/createMessage" => Some(
            r#"{"role":"assistant","model":"m","content":{"type":"text","text":"\u00e9 \ud83d\ude00"}}"#,
        ),
        "elicitation/create" => Some(r#"{ "action" : "decline" }"#),
        _ => None,
    }
}

#[track_caller]
fn assert_same(what: &str, a: &[u8], b: &[u8]) {
    let differ = a.iter().zip(b).position(|(a, b)| a != b).unwrap_or(a.len().min(b.len()));
    let around = |bytes: &[u8]| {
        let part = bytes.get(differ.saturating_sub(80)..).unwrap_or_default();
        String::from_utf8_lossy(&part[..part.len().min(160)]).into_owned()
    };
    assert!(a == b, "{what}: byte {differ}:\n  {}\n  {}", around(a), around(b));
}

/// Plays `lines` without and with the guard and compares.
fn is_transparent(server: &[String], working_folder: &Path, lines: &[Line]) {
    let direct = record(server, None, working_folder, lines);
    assert_same("the tees, to the server", &direct.client_wrote, &direct.server_read);
    assert_same("the tees, to the client", &direct.server_wrote, &direct.client_read);

    let policy = Policy::allow_all("server");
    let behind = record(server, Some(&policy), working_folder, lines);
    assert_same("client to server", &behind.client_wrote, &behind.server_read);
    assert_same("server to client", &behind.server_wrote, &behind.client_read);

    // Notifications and requests of a server may come at any moment; they were compared above.
    assert!(direct.repeatable.contains(&b'\n'), "nothing to compare");
    assert_same("without and with the guard", &direct.repeatable, &behind.repeatable);
}

// ---- The lines of the clients ------------------------------------------------------------------

fn ask(text: impl Into<String>) -> Line {
    Line::Ask(text.into())
}

fn tell(text: impl Into<String>) -> Line {
    Line::Tell(text.into())
}

/// The opening of a legacy session, with members, spacing and number formats of no SDK.
fn handshake(version: &str, capabilities: &str) -> [Line; 2] {
    [
        ask(format!(
            r#"{{ "id" : 0 ,"params":{{"x-unknown":{{"b":1.50,"a":-0}},"clientInfo":{{"version":"1","name":"e2e \u00e9\ud83d\ude00","x":[ ]}},"capabilities":{capabilities},"protocolVersion":"{version}"}},"method":"initialize","jsonrpc":"2.0" }}"#
        )),
        tell(
            r#"{"method":"notifications/initialized","params":{"_meta":{"org.example/k":[1e2,null]}},"jsonrpc":"2.0"}"#,
        ),
    ]
}

/// The `_meta` of a stateless request, with members that are not the protocol's.
const META: &str = r#""_meta":{"org.example/trace":{"z":1.0,"a":[0.1e1,-0.0]},"io.modelcontextprotocol/clientCapabilities":{ },"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"version":"1","name":"e2e"},"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}"#;

/// A call whose envelope is odd in its order and spacing; `more` is put behind the arguments.
fn odd_call(id: &str, tool: &str, arguments: &str, more: &str) -> String {
    format!(
        "{{ \"params\" :\t{{\"x\":[12345678901234567890123,1.10,1E+2],\"arguments\": {arguments} , \"name\":\"{tool}\"{more}}},\"id\":{id},\"jsonrpc\":\"2.0\",\"method\":\"tools/call\"}} "
    )
}

/// The same with a member beside the protocol's. The TypeScript SDK 1.x answers no such request.
fn odder_call(id: &str, tool: &str, arguments: &str, more: &str) -> String {
    odd_call(id, tool, arguments, more).replacen('{', r#"{ "x-top":{"n":1.0,"a":[ ]},"#, 1)
}

/// Lines that any legacy server answers somehow.
fn legacy_oddities() -> Vec<Line> {
    vec![
        ask(r#"{"jsonrpc":"2.0","id":"\u0061\u00e9-1","method":"ping"}"#),
        ask(r#"{"jsonrpc":"2.0","id":-7,"method":"ping","params":{}}"#),
        ask(
            r#"{"jsonrpc":"2.0","id":9007199254740991,"method":"tools/list","params":{"cursor":"bm9uZQ==","x":[[],{}]}}"#,
        ),
        ask(r#"{"jsonrpc":"2.0","id":21,"method":"tools/list"}"#),
        ask(
            r#"{"jsonrpc":"2.0","id":22,"method":"x-vendor/unknown","params":{"deep":[[[[[[[[{"k":"v"}]]]]]]]]}}"#,
        ),
        ask(r#"{"jsonrpc":"2.0","id":23,"method":"server/discover","params":{}}"#),
        ask("{\"jsonrpc\":\"2.0\",\"id\":24,\"method\":\"ping\"}\r"),
        tell(
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":21,"reason":"\u2028 late"}}"#,
        ),
        tell(r#"{"jsonrpc":"2.0","method":"notifications/x-unknown","params":{"a":1.0}}"#),
    ]
}

fn filesystem_lines(folders: &Folders, read: &str) -> Vec<Line> {
    std::fs::write(folders.data().join("w.txt"), "").unwrap();
    let path = |below: &str| json!(folders.path(below)).to_string();
    let (a, data, outside) = (path("data/a.txt"), path("data"), path("data_evil/s.txt"));
    // The same path, a letter of it escaped, the way no serialiser writes it.
    let escaped = a.replacen("a.txt", "\\u0061.t\\u0078t", 1).replace('/', "\\/");
    let mut lines = Vec::from(handshake("2025-11-25", "{}"));
    lines.extend(legacy_oddities());
    lines.extend([
        ask(odd_call("1", read, &format!(r#"{{"path":{a}}}"#), "")),
        ask(odd_call("2", read, &format!(r#"{{ "p\u0061th" : {escaped} ,"x":1.0}}"#), "")),
        ask(odd_call("3", read, &format!(r#"{{"path":{outside}}}"#), r#","_meta":{"progressToken":1.0}"#)),
        ask(odd_call("4", read, &format!(r#"{{"path":{a},"head":1e0}}"#), r#","x-more":"\/""#)),
        ask(odd_call("5", "list_directory", &format!(r#"{{"path":{data}}}"#), "")),
        ask(odd_call("6", "read_multiple_files", &format!(r#"{{"paths":[{a},{outside}]}}"#), "")),
        ask(odd_call("7", "write_file", &format!(r#"{{"content":"\u0000\ud83d\ude00\u2028\ttab","path":{}}}"#, path("data/w.txt")), "")),
        ask(odd_call("8", "edit_file", &format!(r#"{{"edits":[{{"newText":"x","oldText":"two"}}],"dryRun":true,"path":{}}}"#, path("data/b.txt")), "")),
        ask(odd_call("9", "search_files", &format!(r#"{{"path":{data},"pattern":"**"}}"#), "")),
        Line::AskVarying(odd_call("10", "get_file_info", &format!(r#"{{"path":{a}}}"#), "")),
        ask(odd_call("11", "no_such_tool", "{}", "")),
        ask(r#"{"jsonrpc":"2.0","id":12,"method":"tools/call","params":{"name":"list_allowed_directories"}}"#),
    ]);
    lines
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_the_filesystem_server_is_the_same_behind_the_guard() {
    let folders = Folders::new();
    let server = filesystem_server(&folders.data());
    is_transparent(&server, &folders.data(), &filesystem_lines(&folders, "read_text_file"));
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_the_filesystem_server_of_2025_is_the_same_behind_the_guard() {
    let folders = Folders::new();
    let server = leaking_filesystem_server(&folders.data());
    is_transparent(&server, &folders.data(), &filesystem_lines(&folders, "read_file"));
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_the_everything_server_is_the_same_behind_the_guard() {
    let capabilities =
        r#"{"sampling":{"x":1.0},"elicitation":{},"roots":{"listChanged":true},"x-unknown":{}}"#;
    let mut lines = Vec::from(handshake("2025-06-18", capabilities));
    lines.extend(legacy_oddities());
    let progress = r#","_meta":{"progressToken":"t\u00e9"}"#;
    lines.extend([
        ask(odd_call("1", "echo", r#"{"message":"\u00e9\ud83d\ude00\/ \u2028"}"#, "")),
        ask(odd_call("2", "get-sum", r#"{"b":2.50,"a":1e0}"#, "")),
        ask(odd_call("3", "get-tiny-image", "{}", "")),
        ask(odd_call("4", "get-resource-links", r#"{"count":3.0}"#, "")),
        ask(odd_call("5", "get-annotated-message", r#"{"messageType":"error","includeImage":true}"#, "")),
        ask(odd_call("6", "trigger-long-running-operation", r#"{"duration":0.2,"steps":4}"#, progress)),
        ask(odd_call("7", "trigger-sampling-request", r#"{"prompt":"p","maxTokens":5}"#, "")),
        ask(odd_call("8", "trigger-elicitation-request", "{}", "")),
        ask(odd_call("9", "get-roots-list", "{}", "")),
        ask(odd_call("10", "gzip-file-as-resource", r#"{"data":"data:text\/plain,hello","name":"x.gz","outputType":"resource"}"#, "")),
        ask(r#"{"jsonrpc":"2.0","id":31,"method":"resources/list","params":{"cursor":"\u0078"}}"#),
        ask(r#"{"jsonrpc":"2.0","id":32,"method":"resources/templates/list"}"#),
        ask(r#"{"jsonrpc":"2.0","id":33,"method":"resources/read","params":{"uri":"demo://resource/static/document/features.md"}}"#),
        ask(r#"{"jsonrpc":"2.0","id":34,"method":"resources/subscribe","params":{"uri":"demo://resource/dynamic/text/1"}}"#),
        ask(r#"{"jsonrpc":"2.0","id":35,"method":"prompts/list","params":{}}"#),
        ask(r#"{"jsonrpc":"2.0","id":36,"method":"prompts/get","params":{"arguments":{"state":"x","city":"y"},"name":"args-prompt"}}"#),
        ask(r#"{"jsonrpc":"2.0","id":37,"method":"completion/complete","params":{"argument":{"value":"E","name":"department"},"ref":{"name":"completable-prompt","type":"ref/prompt"}}}"#),
        ask(r#"{"jsonrpc":"2.0","id":38,"method":"logging/setLevel","params":{"level":"emergency"}}"#),
        ask(r#"{"jsonrpc":"2.0","id":39,"method":"tasks/list","params":{}}"#),
        Line::AskVarying(odd_call("11", "get-resource-reference", r#"{"resourceType":"Blob","resourceId":2}"#, "")),
        Line::AskVarying(odd_call("12", "get-structured-content", r#"{"location":"Chicago"}"#, "")),
    ]);
    let folder = tempfile::tempdir().unwrap();
    is_transparent(&everything_server(), folder.path(), &lines);
}

fn time_calls(more: &str) -> [Line; 4] {
    let now = r#"{"timezone":"Etc\/UTC"}"#;
    let convert = r#"{"time":"12:00","target_timezone":"Asia/Tokyo","source_timezone":"Etc/UTC"}"#;
    [
        Line::AskVarying(odder_call("1", "get_current_time", now, more)),
        // The answer has the date of the day.
        Line::AskVarying(odder_call("\"two\"", "convert_time", convert, more)),
        ask(odder_call("3", "get_current_time", r#"{"timezone":"No/Where","x":[1.0]}"#, more)),
        ask(odder_call("4", "no_such_tool", "{}", more)),
    ]
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_the_time_server_is_the_same_behind_the_guard_in_the_legacy_era() {
    let mut lines = Vec::from(handshake("2025-11-25", "{}"));
    lines.extend(legacy_oddities());
    lines.extend(time_calls(""));
    let folder = tempfile::tempdir().unwrap();
    is_transparent(&time_server(), folder.path(), &lines);
}

/// Requests of the modern era that any server of it answers.
fn modern_oddities() -> Vec<Line> {
    let request = |id: &str, method: &str, more: &str| {
        ask(format!(
            r#"{{"id": {id},"params":{{ {META}{more} }},"method":"{method}","jsonrpc":"2.0"}}"#
        ))
    };
    vec![
        request(r#""d\u00e9-1""#, "server/discover", r#","x-unknown":{"b":1,"a":2.0}"#),
        request("21", "tools/list", ""),
        request("22", "tools/list", r#","cursor":"bm9uZQ==""#),
        request("23", "resources/list", ""),
        request("24", "prompts/list", ""),
        request("25", "x-vendor/unknown", r#","deep":[[[[{"k":1E-2}]]]]"#),
        request("26", "initialize", r#","protocolVersion":"2025-11-25""#),
        ask(
            r#"{"jsonrpc":"2.0","id":27,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"1900-01-01","io.modelcontextprotocol/clientCapabilities":{}}}}"#,
        ),
        tell(
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"gone","reason":""}}"#,
        ),
    ]
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_the_time_server_is_the_same_behind_the_guard_in_the_modern_era() {
    let mut lines = modern_oddities();
    lines.extend(time_calls(&format!(",{META}")));
    let folder = tempfile::tempdir().unwrap();
    is_transparent(&time_server(), folder.path(), &lines);
}

fn git_calls(repository: &Path, more: &str) -> Vec<Line> {
    let repository = json!(repository).to_string();
    let calls = [
        ("git_status", ""),
        ("git_log", r#","max_count":1"#),
        ("git_show", r#","revision":"HE\u0041D""#),
        ("git_diff_unstaged", r#","context_lines":3.0"#),
        ("git_branch", r#","contains":null,"branch_type":"local""#),
        ("git_diff", r#","target":"-x""#),
    ];
    let calls = calls.iter().enumerate().map(|(id, (tool, arguments))| {
        let arguments = format!(r#"{{ "repo_path":{repository}{arguments}}}"#);
        ask(odder_call(&id.to_string(), tool, &arguments, more))
    });
    calls.collect()
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_the_git_server_is_the_same_behind_the_guard_in_the_legacy_era() {
    let folder = super::git::repositories();
    let mut lines = Vec::from(handshake("2025-06-18", "{}"));
    lines.extend(legacy_oddities());
    lines.extend(git_calls(&folder.path().join("granted"), ""));
    is_transparent(&git_server(), folder.path(), &lines);
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_the_git_server_is_the_same_behind_the_guard_in_the_modern_era() {
    let folder = super::git::repositories();
    let mut lines = modern_oddities();
    lines.extend(git_calls(&folder.path().join("granted"), &format!(",{META}")));
    is_transparent(&git_server(), folder.path(), &lines);
}

// ---- A server that says what it is told to -----------------------------------------------------

/// One line of the client, and what the server then writes.
struct Exchange {
    client: String,
    server: Vec<String>,
}

/// Plays `exchanges` through the guard against a server that records each line and writes the
/// lines given, and asserts that both ends have the same bytes.
fn forwards_unchanged(exchanges: &[Exchange]) {
    let folder = tempfile::tempdir().unwrap();
    let (seen, replies) = (folder.path().join("seen"), folder.path().join("replies"));
    let script: Vec<_> = exchanges
        .iter()
        .flat_map(|exchange| [&exchange.server[..], &[String::new()]].concat())
        .collect();
    std::fs::write(&replies, script.join("\n") + "\n").unwrap();
    let server = scripted_server(&seen, &replies);
    let command = guarded(&Policy::allow_all("server"), folder.path(), &server);
    let mut client = Client::start(&command, folder.path());
    let mut written = Vec::new();
    for exchange in exchanges {
        client.send(exchange.client.as_bytes());
        written.extend_from_slice(exchange.client.as_bytes());
        written.push(b'\n');
        for line in &exchange.server {
            let read = client.receive();
            assert_same("server to client", format!("{line}\n").as_bytes(), &read);
        }
    }
    let (_, rest) = client.finish();
    assert!(rest.is_empty(), "more than the server wrote: {rest:?}");
    assert_same("client to server", &written, &std::fs::read(seen).unwrap());
}

/// A shell that appends every line it reads to `seen`, then writes the lines of `replies` up to
/// the next empty one.
fn scripted_server(seen: &Path, replies: &Path) -> Vec<String> {
    let script = r#"
        seen=$1; exec 3<"$2"; : >"$seen"
        while IFS= read -r line; do
            printf '%s\n' "$line" >>"$seen"
            while IFS= read -r reply <&3 && [ -n "$reply" ]; do printf '%s\n' "$reply"; done
        done"#;
    let mut command = ["sh", "-c", script, "server"].map(str::to_owned).to_vec();
    command.extend([seen, replies].map(|path| path.to_str().unwrap().to_owned()));
    command
}

/// A stateless call with this id; `arguments` and `more` as they are to be written.
fn call(id: &str, arguments: &str, more: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{{META},"name":"example","arguments":{arguments}{more}}}}}"#
    )
}

fn result(id: &str, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

#[test]
fn odd_messages_of_a_server_are_forwarded_unchanged() {
    let exchange = |client: String, server: &[String]| Exchange { client, server: server.to_vec() };
    let text = r#"{"resultType":"complete","content":[{"x-new":1.0,"text":"\u00e9\ud83d\ude00\/\u2028","type":"text"},{"type":"x-unknown","n":[12345678901234567890123,1E400,-0.0]}],"x-more":{"b":1,"a":{}},"isError":false}"#;
    forwards_unchanged(&[
        exchange(call("1", "{}", ""), &[result("1", text)]),
        exchange(
            call(r#""\u0061""#, r#"{"k":[1.0,1e0,-0,1E+2,0.10],"\u006b2":null}"#, ""),
            &[format!("  {{\t\"result\" : {text} , \"x-top\":[ ] ,\"id\":\"a\",\"jsonrpc\":\"2.0\" }} ")],
        ),
        exchange(
            call("-3", "{}", r#","x-unknown":[{}]"#),
            &[
                r#"{"method":"notifications/progress","params":{"progress":0.50,"progressToken":"t","x":1},"jsonrpc":"2.0"}"#.to_owned(),
                r#"{"jsonrpc":"2.0","method":"notifications/x-unknown"}"#.to_owned(),
                r#"{"error":{"data":{"x":[1.0]},"message":"\u0065","code":-32603,"x-more":0},"id":-3,"jsonrpc":"2.0"}"#.to_owned(),
            ],
        ),
        exchange(
            format!(r#"{{"jsonrpc":"2.0","id":4,"method":"tools/list","params":{{{META}}}}}"#),
            &[result("4", r#"{"ttlMs":1.0e3,"tools":[{"inputSchema":{"type":"object","$ref":"x","a":{"a":1,"A":2}},"name":"t\u00e9","x-new":{}}],"nextCursor":"\u0061","cacheScope":"public","resultType":"complete"}"#)],
        ),
        exchange(
            call("5", "{}", ""),
            &[result("5", r#"{"requestState":"\u0073","resultType":"input_required","inputRequests":{"r":{"params":{},"method":"roots/list"}}}"#)],
        ),
    ]);
}

#[test]
fn a_message_of_eight_mebibytes_is_forwarded_unchanged() {
    let text = "0123456789abcdef".repeat(512 * 1024);
    let arguments = format!(r#"{{"text":"{text}"}}"#);
    let answer =
        format!(r#"{{"resultType":"complete","content":[],"structuredContent":"{text}"}}"#);
    forwards_unchanged(&[Exchange {
        client: call("1", &arguments, ""),
        server: vec![result("1", &answer)],
    }]);
}

// ---- The examples of the specification ---------------------------------------------------------

/// Where an example document stands in a message.
enum Place {
    /// It is a message of the client.
    Client,
    /// It is a message of the server.
    Server,
    /// It is the result of a request with this method.
    Result(&'static str),
    /// It is the error of a response.
    Error,
    /// It is the parameters of a request or notification of the client.
    ClientParams(&'static str),
    /// It is the parameters of a notification of the server.
    ServerParams(&'static str),
    /// It is a value inside messages: an argument, and structured content.
    Value,
}

fn place(kind: &str, document: &Value) -> Place {
    let is_message = document.get("jsonrpc").is_some();
    match kind {
        "CancelledNotification" => Place::Client,
        _ if is_message && kind.ends_with("Request") => Place::Client,
        _ if is_message => Place::Server,
        "CallToolRequestParams" => Place::ClientParams("tools/call"),
        "CompleteRequestParams" => Place::ClientParams("completion/complete"),
        "GetPromptRequestParams" => Place::ClientParams("prompts/get"),
        "PaginatedRequestParams" => Place::ClientParams("tools/list"),
        "CancelledNotificationParams" => Place::ClientParams("notifications/cancelled"),
        "LoggingMessageNotificationParams" => Place::ServerParams("notifications/message"),
        "ProgressNotificationParams" => Place::ServerParams("notifications/progress"),
        "ResourceUpdatedNotificationParams" => {
            Place::ServerParams("notifications/resources/updated")
        }
        "CallToolResult" | "InputRequiredResult" => Place::Result("tools/call"),
        "CompleteResult" => Place::Result("completion/complete"),
        "DiscoverResult" => Place::Result("server/discover"),
        "GetPromptResult" => Place::Result("prompts/get"),
        "ListPromptsResult" => Place::Result("prompts/list"),
        "ListResourceTemplatesResult" => Place::Result("resources/templates/list"),
        "ListResourcesResult" => Place::Result("resources/list"),
        "ListToolsResult" => Place::Result("tools/list"),
        "ReadResourceResult" => Place::Result("resources/read"),
        "SubscriptionsListenResult" => Place::Result("subscriptions/listen"),
        "MethodNotFoundError" | "InvalidParamsError" | "InternalError" | "ParseError" => {
            Place::Error
        }
        _ => Place::Value,
    }
}

/// The documents, each with the name of its type and its text on one line. Newlines stand between
/// tokens only, so a space in their place changes nothing.
fn examples() -> Vec<(String, String)> {
    let root = cap_testkit::shared("standards/mcp/examples-2026-07-28");
    let mut files: Vec<PathBuf> = std::fs::read_dir(root)
        .unwrap()
        .flat_map(|kind| std::fs::read_dir(kind.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    let read = |file: PathBuf| {
        let kind = file.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        (kind, std::fs::read_to_string(file).unwrap().trim_end().replace('\n', " "))
    };
    files.into_iter().map(read).collect()
}

/// A request of the client with this id and method, whose response is `server`.
fn answered(id: &str, method: &str, server: String) -> Exchange {
    let client = match method {
        "tools/call" => call(id, "{}", ""),
        _ => format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{META}{}}}}}"#,
            required_params(method)
        ),
    };
    Exchange { client, server: vec![server] }
}

/// What a request with this method must have beside `_meta`.
fn required_params(method: &str) -> &'static str {
    match method {
        "completion/complete" => {
            r#","ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":"v"}"#
        }
        "prompts/get" => r#","name":"p""#,
        "resources/read" => r#","uri":"file:///project/x""#,
        "subscriptions/listen" => r#","notifications":{}"#,
        _ => "",
    }
}

/// A result that a request with this method may have.
fn valid_result(method: &str) -> &'static str {
    match method {
        "tools/list" => r#"{"resultType":"complete","tools":[],"ttlMs":0,"cacheScope":"public"}"#,
        "prompts/list" => {
            r#"{"resultType":"complete","prompts":[],"ttlMs":0,"cacheScope":"public"}"#
        }
        "resources/list" => {
            r#"{"resultType":"complete","resources":[],"ttlMs":0,"cacheScope":"public"}"#
        }
        "resources/templates/list" => {
            r#"{"resultType":"complete","resourceTemplates":[],"ttlMs":0,"cacheScope":"public"}"#
        }
        _ => r#"{"resultType":"complete","content":[]}"#,
    }
}

/// The method whose response an example of this type is.
fn method_of_response(kind: &str) -> &'static str {
    match kind {
        "CompleteResultResponse" => "completion/complete",
        "DiscoverResultResponse" => "server/discover",
        "GetPromptResultResponse" => "prompts/get",
        "ListPromptsResultResponse" => "prompts/list",
        "ListResourceTemplatesResultResponse" => "resources/templates/list",
        "ListResourcesResultResponse" => "resources/list",
        "ListToolsResultResponse" => "tools/list",
        "ReadResourceResultResponse" => "resources/read",
        "SubscriptionsListenResultResponse" => "subscriptions/listen",
        _ => "tools/call",
    }
}

fn exchange_of(index: usize, kind: &str, text: &str) -> Exchange {
    let document: Value = serde_json::from_str(text).unwrap();
    let id = format!("{}", 1000 + index);
    let called = result(&id, valid_result("tools/call"));
    match place(kind, &document) {
        Place::Client => {
            let method = document["method"].as_str().unwrap();
            let answer = |id: &Value| result(&id.to_string(), valid_result(method));
            let answer = document.get("id").map(answer);
            Exchange { client: text.to_owned(), server: answer.into_iter().collect() }
        }
        Place::Server => match document.get("id") {
            Some(id) => answered(&id.to_string(), method_of_response(kind), text.to_owned()),
            None => Exchange { client: call(&id, "{}", ""), server: vec![text.to_owned(), called] },
        },
        Place::Result(method) => answered(&id, method, result(&id, text)),
        Place::Error => {
            answered(&id, "tools/call", format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{text}}}"#))
        }
        Place::ClientParams(method) if method.starts_with("notifications/") => Exchange {
            client: format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{text}}}"#),
            server: Vec::new(),
        },
        Place::ClientParams(method) => Exchange {
            client: format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{text}}}"#),
            server: vec![result(&id, valid_result(method))],
        },
        Place::ServerParams(method) => Exchange {
            client: call(&id, "{}", ""),
            server: vec![
                format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{text}}}"#),
                called,
            ],
        },
        Place::Value => Exchange {
            client: call(&id, &format!(r#"{{"document":{text}}}"#), ""),
            server: vec![result(
                &id,
                &format!(r#"{{"resultType":"complete","content":[],"structuredContent":{text}}}"#),
            )],
        },
    }
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_mcp_examples_forwarded_unchanged() {
    let examples = examples();
    let count = |wanted: fn(&Place) -> bool| {
        let places =
            examples.iter().map(|(kind, text)| place(kind, &serde_json::from_str(text).unwrap()));
        places.filter(wanted).count()
    };
    assert_eq!(examples.len(), 129);
    assert_eq!(count(|place| matches!(place, Place::Client)), 11);
    assert_eq!(count(|place| matches!(place, Place::Server)), 21);
    let exchanges: Vec<_> = examples
        .iter()
        .enumerate()
        .map(|(index, (kind, text))| exchange_of(index, kind, text))
        .collect();
    forwards_unchanged(&exchanges);
}
