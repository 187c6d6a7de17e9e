//! Lists show only what could be permitted, and say whom they are for.

use serde_json::{Value, json};

use crate::puppet::Server;
use crate::support::{
    ALLOW_ALL, Client, GRANT_NOTHING, Place, assert_refused, folder_policy, stateless, tools_policy,
};

/// Asks for a list, gives `result` for it, and returns the line that the client gets.
#[track_caller]
fn listed(
    client: &mut Client,
    server: &mut Server,
    method: &str,
    params: &Value,
    result: &str,
) -> String {
    let id = client.fresh_id();
    client.tell(&crate::support::request(id, method, params));
    server.heard();
    server.tell(&format!(r#"{{ "id":{id},"result":{result} , "jsonrpc":"2.0"}}"#));
    let line = String::from_utf8(client.line()).unwrap();
    let (before, after) = (format!(r#"{{ "id":{id},"result":"#), " , \"jsonrpc\":\"2.0\"}\n");
    match line.strip_prefix(&before).and_then(|rest| rest.strip_suffix(after)) {
        Some(result) => result.to_owned(),
        None => line,
    }
}

const TOOLS: &str = r#"{"nextCursor":"\u0041", "tools":[ {"name":"a","x":1.0} , {"x":2E1,"name":"b" },{"name":"c"}], "ttlMs":1.50}"#;

#[test]
fn a_list_of_tools_shows_what_could_be_called_and_is_otherwise_as_it_came() {
    for (granted, expected) in [
        (
            r#""puppet/a""#,
            r#"{"nextCursor":"\u0041", "tools":[ {"name":"a","x":1.0}], "ttlMs":1.50}"#,
        ),
        (
            r#""puppet/b""#,
            r#"{"nextCursor":"\u0041", "tools":[ {"x":2E1,"name":"b" }], "ttlMs":1.50}"#,
        ),
        (r#""puppet/c""#, r#"{"nextCursor":"\u0041", "tools":[ {"name":"c"}], "ttlMs":1.50}"#),
        (
            r#""puppet/a","puppet/c""#,
            r#"{"nextCursor":"\u0041", "tools":[ {"name":"a","x":1.0},{"name":"c"}], "ttlMs":1.50}"#,
        ),
        (r#""puppet/a","puppet/b","puppet/c""#, TOOLS),
        (r#""puppet/*""#, TOOLS),
        (r#""other/*""#, r#"{"nextCursor":"\u0041", "tools":[ ], "ttlMs":1.50}"#),
    ] {
        let place = Place::new();
        let policy = tools_policy(&format!("allowed_tools = [{granted}]"))
            .replace(r#"resource = "puppet/*""#, r#"resource = "*""#);
        let (mut client, mut server) = place.play(&policy);
        let shown = listed(&mut client, &mut server, "tools/list", &json!({}), TOOLS);
        assert_eq!(shown, expected);
    }
}

#[test]
fn without_a_grant_no_tool_is_shown() {
    let place = Place::new();
    let (mut client, mut server) = place.play(GRANT_NOTHING);
    let shown = listed(&mut client, &mut server, "tools/list", &json!({}), TOOLS);
    assert_eq!(shown, r#"{"nextCursor":"\u0041", "tools":[ ], "ttlMs":1.50}"#);
}

#[test]
fn in_the_stateless_era_a_filtered_list_says_that_it_is_private() {
    let place = Place::new();
    let (mut client, mut server) = place.play(&tools_policy(r#"allowed_tools = ["puppet/a"]"#));
    let (legacy, modern) = (json!({}), stateless(json!({})));
    let mut shown = |params: &Value, result: &str| {
        listed(&mut client, &mut server, "tools/list", params, result)
    };
    let with = |scope: &str| format!(r#"{{"tools":[{{"name":"a"}},{{"name":"b"}}]{scope}}}"#);
    let public = with(r#","cacheScope":"public","x":1.0"#);
    let private = r#"{"tools":[{"name":"a"}],"cacheScope":"private","x":1.0}"#;
    assert_eq!(shown(&modern, &public), private);
    assert_eq!(shown(&modern, &with(r#","cacheScope":"private","x":1.0"#)), private);
    assert_eq!(shown(&modern, &with("")), r#"{"tools":[{"name":"a"}],"cacheScope":"private"}"#);
    assert_eq!(
        shown(&modern, r#"{"tools":[{"name":"a"}]}"#),
        r#"{"tools":[{"name":"a"}],"cacheScope":"private"}"#
    );
    // The earlier era has no such field, but who sends it is taken at its word.
    assert_eq!(shown(&legacy, &with("")), r#"{"tools":[{"name":"a"}]}"#);
    assert_eq!(shown(&legacy, &public), private);
}

#[test]
fn under_an_allow_all_policy_a_list_is_not_touched() {
    let place = Place::new();
    let (mut client, mut server) = place.play(ALLOW_ALL);
    let public = r#"{"tools":[ {"name":"a"} ], "cacheScope" : "public"}"#;
    for params in [json!({}), stateless(json!({}))] {
        for result in [TOOLS, public, r#"{"tools":[]}"#] {
            assert_eq!(listed(&mut client, &mut server, "tools/list", &params, result), result);
        }
    }
}

#[test]
fn a_list_that_cannot_be_decided_on_becomes_an_error() {
    let place = Place::new();
    let (mut client, mut server) = place.play(&tools_policy(""));
    for result in [
        r#"{"tools":[{"name":"a"},{"name":"a"}]}"#,
        r#"{"tools":[{"name":"a"},{"\u006eame":"\u0061"}]}"#,
        r#"{"tools":[{"title":"a"}]}"#,
        r#"{"tools":[{"name":1}]}"#,
        r#"{"tools":[{"name":"\ud800"}]}"#,
        r#"{"tools":["a"]}"#,
        r#"{"tools":{"name":"a"}}"#,
        r#"{"Tools":[{"name":"a"}]}"#,
        r#"{}"#,
        "[]",
        "null",
    ] {
        let line = listed(&mut client, &mut server, "tools/list", &json!({}), result);
        let response: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        assert_refused(&response, "message-invalid");
        assert_eq!(response["error"]["code"], 50200);
    }
}

#[test]
fn a_tool_is_shown_by_what_the_evidence_of_the_request_permits() {
    let place = Place::new();
    let granted = place.shell_json(&[
        "grant",
        "--principal",
        "p",
        "--type",
        "tool",
        "--resource",
        "puppet/b",
        "--operations",
        "call",
        "--json",
    ]);
    let (mut client, mut server) = place.play(&tools_policy(r#"allowed_tools = ["puppet/a"]"#));
    let params = json!({ "_meta": { crate::support::AUTHORITY: granted["evidence"] } });
    let shown = listed(
        &mut client,
        &mut server,
        "tools/list",
        &params,
        r#"{"tools":[{"name":"a"},{"name":"b"}]}"#,
    );
    assert_eq!(shown, r#"{"tools":[{"name":"b"}]}"#);
}

#[test]
fn the_bundled_server_shows_the_tools_that_a_folder_to_read_needs() {
    let place = Place::new();
    place.write("data/a.txt", "a");
    let data = place.path("data");
    for (operations, expected) in [
        (&["read"][..], &["read_file"][..]),
        (&["read", "list"], &["list_directory", "read_file"]),
        (&["write"], &["write_file"]),
        (&["read", "write", "delete"], &["move_file", "read_file", "write_file"]),
    ] {
        let mut client = place.demo(&folder_policy(&data, operations, ""), &data);
        let list = client.ask("tools/list", &stateless(json!({})));
        let tools = list["result"]["tools"].as_array().unwrap();
        let mut names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, expected);
        assert_eq!(list["result"]["cacheScope"], "private");
    }
}

#[test]
fn prompts_and_resources_are_shown_where_they_could_be_had() {
    let prompts = r#"{"prompts":[{"name":"p"}]}"#;
    let resources =
        r#"{"resources":[{"uri":"file:///data/x"},{"uri":"file:///other"},{"uri":"test://x"}]}"#;
    let templates = r#"{"resourceTemplates":[{"uriTemplate":"test://{x}"}]}"#;
    let place = Place::new();
    let (mut client, mut server) = place.play(&tools_policy(""));
    let mut shown =
        |method: &str, result: &str| listed(&mut client, &mut server, method, &json!({}), result);
    assert_eq!(shown("prompts/list", prompts), r#"{"prompts":[]}"#);
    assert_eq!(shown("resources/list", resources), r#"{"resources":[]}"#);
    assert_eq!(shown("resources/templates/list", templates), r#"{"resourceTemplates":[]}"#);

    let granted = tools_policy(r#"allowed_methods = ["prompts/get", "resources/read"]"#);
    let (mut client, mut server) = place.play(&granted);
    let mut shown =
        |method: &str, result: &str| listed(&mut client, &mut server, method, &json!({}), result);
    assert_eq!(shown("prompts/list", prompts), prompts);
    assert_eq!(shown("resources/list", resources), r#"{"resources":[{"uri":"test://x"}]}"#);
    assert_eq!(shown("resources/templates/list", templates), templates);

    let data = std::path::Path::new("/data");
    let (mut client, mut server) = place.play(&folder_policy(data, &["read"], ""));
    let shown = listed(&mut client, &mut server, "resources/list", &json!({}), resources);
    assert_eq!(shown, r#"{"resources":[{"uri":"file:///data/x"}]}"#);
}
