//! `@modelcontextprotocol/server-everything`: every feature of the legacy era, requests to the
//! client included.

use serde_json::{Value, json};

use super::support::{
    Client, Era, Outcome, Policy, SECRET_VARIABLE, Session, assert_method_refused,
    everything_server, guarded,
};

const TABLE: &str = "server-everything";

/// Every tool that is shown to a client without capabilities and can be called without a network.
fn calls() -> [(&'static str, Value); 11] {
    [
        ("echo", json!({ "message": "hi" })),
        ("get-annotated-message", json!({ "messageType": "success", "includeImage": false })),
        ("get-env", json!({})),
        ("get-resource-links", json!({ "count": 2 })),
        ("get-resource-reference", json!({ "resourceType": "Text", "resourceId": 1 })),
        ("get-structured-content", json!({ "location": "Chicago" })),
        ("get-sum", json!({ "a": 1, "b": 2 })),
        ("get-tiny-image", json!({})),
        ("toggle-simulated-logging", json!({})),
        ("toggle-subscriber-updates", json!({})),
        ("trigger-long-running-operation", json!({ "duration": 0.1, "steps": 2 })),
    ]
}

fn session(policy: &Policy, folder: &tempfile::TempDir, capabilities: &Value) -> Session {
    let command = guarded(policy, folder.path(), &everything_server());
    Session::open_with(&command, folder.path(), Era::Legacy, capabilities)
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_the_everything_server_shows_and_runs_only_the_granted_tool() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(&Policy::tools("everything", "everything/echo"), &folder, &json!({}));
    assert_eq!(session.tool_names(), ["echo"]);
    for (tool, arguments) in calls() {
        let outcome = session.call(tool, &arguments);
        match tool {
            "echo" => assert_eq!(outcome, Outcome::Done("Echo: hi".to_owned())),
            _ => outcome.refused(&["tool-not-allowed"]),
        }
    }
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_the_table_lists_every_tool_of_the_everything_server() {
    let folder = tempfile::tempdir().unwrap();
    let policy =
        Policy::urls("everything", TABLE, "https://example.org/").only_tools(&["everything/*"]);
    let server = everything_server();
    for capabilities in [
        json!({}),
        json!({ "sampling": {}, "roots": {}, "elicitation": { "form": {}, "url": {} } }),
    ] {
        // Tools that the table does not list are not shown under a grant that speaks of URLs.
        let mut alone = Session::open_with(&server, folder.path(), Era::Legacy, &capabilities);
        let mut guarded = session(&policy, &folder, &capabilities);
        assert_eq!(guarded.tool_names(), alone.tool_names());
    }
    let mut session = session(&policy, &folder, &json!({}));
    for (tool, arguments) in calls() {
        session.call(tool, &arguments).done();
        let mut unlisted = arguments;
        unlisted["unlisted"] = json!("https://example.com/");
        session.call(tool, &unlisted).refused(&["tool-unmapped"]);
    }
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_the_environment_of_a_server_is_what_the_policy_passes() {
    let folder = tempfile::tempdir().unwrap();
    let printed = |command: &[String]| {
        let mut session = Session::open(command, folder.path(), Era::Legacy);
        let text = session.call("get-env", &json!({})).done();
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let (name, value) = SECRET_VARIABLE;
    assert_eq!(printed(&everything_server())[name], value, "the test sets no variable");

    let policy = Policy::tools("everything", "everything/get-env");
    let environment = printed(&guarded(&policy, folder.path(), &everything_server()));
    let usual = ["HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "TERM", "TMPDIR", "TZ", "USER"];
    let names: Vec<_> = environment.as_object().unwrap().keys().collect();
    assert!(names.iter().all(|name| usual.contains(&name.as_str())), "{names:?}");
    assert!(environment["PATH"].is_string(), "{names:?}");

    let policy = policy.passing(&[name]);
    let environment = printed(&guarded(&policy, folder.path(), &everything_server()));
    assert_eq!(environment[name], value);
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_a_url_to_fetch_is_ruled() {
    let folder = tempfile::tempdir().unwrap();
    let policy = Policy::urls("everything", TABLE, "https://example.org/docs");
    let mut session = session(&policy, &folder, &json!({}));
    for url in [
        "http://127.0.0.1:9/",
        "https://example.com/docs",
        "https://example.org.example.com/docs",
        "https://example.org@127.0.0.1/docs",
        "https://example.org/docs/../private",
        "file:///etc/hostname",
        "data:text/plain,hello",
    ] {
        let gzip = json!({ "name": "x.gz", "data": url, "outputType": "resource" });
        let outcome = session.call("gzip-file-as-resource", &gzip);
        outcome.refused(&[
            "url-outside",
            "url-invalid",
            "domain-not-allowed",
            "protocol-not-allowed",
        ]);
    }
    // The argument has a default that is a URL: leaving it out must not fetch that.
    let Outcome::Refused(_) = session.call("gzip-file-as-resource", &json!({})) else {
        panic!("the default URL was fetched");
    };
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_methods_beside_tools_need_a_grant() {
    let asked = [
        ("resources/read", json!({ "uri": "demo://resource/static/document/features.md" })),
        ("resources/subscribe", json!({ "uri": "demo://resource/dynamic/text/1" })),
        ("prompts/get", json!({ "name": "simple-prompt" })),
        (
            "completion/complete",
            json!({
                "ref": { "type": "ref/prompt", "name": "completable-prompt" },
                "argument": { "name": "department", "value": "E" },
            }),
        ),
        ("tasks/list", json!({})),
        ("no/such/method", json!({})),
    ];
    let folder = tempfile::tempdir().unwrap();
    let refusing = Policy::tools("everything", "everything/*");
    let mut denied = session(&refusing, &folder, &json!({}));
    for (method, params) in &asked {
        assert_method_refused(&denied.ask(method, params.clone()));
    }
    for method in
        ["ping", "tools/list", "prompts/list", "resources/list", "resources/templates/list"]
    {
        let response = denied.ask(method, json!({}));
        assert!(response["result"].is_object(), "{response}");
    }

    let folder = tempfile::tempdir().unwrap();
    let granting = refusing.methods(&["prompts/get", "completion/complete", "tasks/list"]);
    let mut allowed = session(&granting, &folder, &json!({}));
    for (method, params) in asked {
        let response = allowed.ask(method, params);
        match method {
            "prompts/get" | "completion/complete" | "tasks/list" => {
                assert!(response["result"].is_object(), "{response}");
            }
            _ => assert_method_refused(&response),
        }
    }
}

/// What the server may ask of the client: the tool that does, the method, and a client's answer.
fn asked_by_the_server() -> [(&'static str, Value, &'static str, Value); 2] {
    [
        (
            "trigger-sampling-request",
            json!({ "prompt": "hi", "maxTokens": 5 }),
            "sampling/createMessage",
            json!({
                "role": "assistant",
                "model": "none",
                "content": { "type": "text", "text": "SAMPLED" },
            }),
        ),
        (
            "trigger-elicitation-request",
            json!({}),
            "elicitation/create",
            json!({ "action": "decline" }),
        ),
    ]
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_a_server_asks_the_client_only_what_the_policy_grants() {
    let capabilities = json!({ "sampling": {}, "elicitation": {} });
    let policy = Policy::tools("everything", "everything/*");
    for (tool, arguments, method, answer) in asked_by_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let mut denied = session(&policy, &folder, &capabilities);
        let Outcome::Failed(_) = denied.call(tool, &arguments) else {
            panic!("{tool} went well without {method}");
        };
        let reached = denied.client.others.iter().any(|message| message["method"] == method);
        assert!(!reached, "{method} reached the client: {:?}", denied.client.others);

        let folder = tempfile::tempdir().unwrap();
        let mut allowed = session(&policy.clone().methods(&[method]), &folder, &capabilities);
        let response = call_and_answer(&mut allowed.client, tool, &arguments, method, &answer);
        assert!(response["result"]["content"].is_array(), "{response}");
        assert_ne!(response["result"]["isError"], true, "{response}");
    }
}

/// Calls a tool, answers the one request of the server in between, and returns the response.
fn call_and_answer(
    client: &mut Client,
    tool: &str,
    arguments: &Value,
    method: &str,
    answer: &Value,
) -> Value {
    let params = json!({ "name": tool, "arguments": arguments });
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    client.send(request.to_string().as_bytes());
    loop {
        let message: Value = serde_json::from_slice(&client.receive()).unwrap();
        if message["method"] == method {
            let answer = json!({ "jsonrpc": "2.0", "id": message["id"], "result": answer });
            client.send(answer.to_string().as_bytes());
        } else if message["id"] == 1 {
            return message;
        }
    }
}

/// The server of today knows the legacy era only. Its own answer must reach the client, which then
/// falls back.
#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_a_modern_client_falls_back_to_the_handshake() {
    let folder = tempfile::tempdir().unwrap();
    let policy = Policy::tools("everything", "everything/echo");
    let command = guarded(&policy, folder.path(), &everything_server());
    let mut client = Client::start(&command, folder.path());
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let discover = client.ask("server/discover", &json!({ "_meta": meta }));
    assert_eq!(discover["error"]["code"], -32601, "{discover}");
    let hello = json!({
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": { "name": "e2e", "version": "1" },
    });
    let initialize = client.ask("initialize", &hello);
    assert_eq!(initialize["result"]["protocolVersion"], "2025-11-25", "{initialize}");
    client.tell("notifications/initialized");
    let call =
        client.ask("tools/call", &json!({ "name": "echo", "arguments": { "message": "x" } }));
    assert_eq!(call["result"]["content"][0]["text"], "Echo: x", "{call}");
}
