//! What must hold of every message and every tool table that is read.

use std::sync::OnceLock;

use cap_core::{AbsPath, AccessRequest, Resource};
use cap_mcp::{
    Audience, BUILTIN_TABLES, Era, ListKind, Message, Request, Response, ToolTable, filter_list,
    needs_of_tool, read, request_of_tool, requests_of, requests_of_resource,
};

pub(super) fn is_read_safely(line: &[u8]) {
    let Ok(message) = read(line) else { return };
    assert!(std::str::from_utf8(line).is_ok());
    is_stripped_of_evidence(&message);
    match &message {
        Message::Request(request) => can_be_answered_and_ruled_on(request),
        Message::Response(response) => can_be_filtered(response),
        _ => {}
    }
}

/// Every tool that a table lists can be asked for, with arguments that hit and miss.
pub(super) fn table_derives_safely(table: &ToolTable) {
    for tool in table.tools() {
        let _ = needs_of_tool(tool, table);
        let Ok(listed) = request_of_tool(tool, "server", table) else { continue };
        assert_eq!(listed.name.tool(), tool);
        for arguments in [
            r#"{}"#,
            r#"{"path":"a/../b.txt","url":"https://a.example","command":"git"}"#,
            r#"{"path":"/srv/data/x","paths":["/a","b"],"source":"/a","destination":"../b"}"#,
            r#"{"path":"~","files":["-x"],"repo_path":"/r","edits":[{"file":"/a"},{"file":1}]}"#,
        ] {
            let name = serde_json::Value::from(tool);
            let line = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":{name},"arguments":{arguments}}}}}"#
            );
            if let Ok(Message::Request(request)) = read(line.as_bytes()) {
                derives_well_formed_requests(&request, table);
            }
        }
    }
}

fn is_stripped_of_evidence(message: &Message<'_>) {
    let Some(stripped) = message.without_authority() else { return };
    let again = read(&stripped).unwrap();
    assert!(again.without_authority().is_none());
    match (message, &again) {
        (Message::Request(was), Message::Request(is)) => {
            assert_eq!((was.id(), was.method()), (is.id(), is.method()));
            assert!(was.authority().is_some() && is.authority().is_none());
        }
        (Message::Notification(was), Message::Notification(is)) => {
            assert_eq!(was.method(), is.method());
        }
        (Message::Response(was), Message::Response(is)) => assert_eq!(was.id(), is.id()),
        _ => panic!("another kind of message: {}", stripped.escape_ascii()),
    }
}

fn can_be_answered_and_ruled_on(request: &Request<'_>) {
    assert_eq!(request.answer().id, *request.id());
    if let Ok(uri) = request.uri() {
        let _ = requests_of_resource(&uri);
    }
    for table in tables() {
        derives_well_formed_requests(request, table);
    }
}

fn derives_well_formed_requests(request: &Request<'_>, table: &ToolTable) {
    let Ok(call) = request.call() else { return };
    let Ok(requests) = requests_of(&call, "server", table) else { return };
    let (tool, resources) = requests.split_first().unwrap();
    let Resource::Tool(tool) = &tool.resource else { panic!("{tool:?}") };
    assert_eq!(tool.name.tool(), call.name);
    for AccessRequest { resource, operations } in resources {
        assert!(!operations.is_empty());
        if let Resource::Path(path) = resource {
            assert_eq!(AbsPath::parse(&path.raw).as_ref(), Ok(&path.path));
        }
    }
}

fn can_be_filtered(response: &Response<'_>) {
    let _ = response.input_requests();
    for list in
        [ListKind::Tools, ListKind::Prompts, ListKind::Resources, ListKind::ResourceTemplates]
    {
        for era in [Era::Legacy, Era::Stateless] {
            let mut kept = Vec::new();
            let mut keep = |name: &str| {
                let keeps = name.len().is_multiple_of(2);
                kept.extend(keeps.then(|| name.to_owned()));
                keeps
            };
            let Ok(Some(filtered)) = filter_list(response, list, era, Audience::Caller, &mut keep)
            else {
                continue;
            };
            let Ok(Message::Response(again)) = read(&filtered) else {
                panic!("{}", filtered.escape_ascii());
            };
            assert_eq!(again.id(), response.id());
            let mut left = Vec::new();
            let mut see = |name: &str| {
                left.push(name.to_owned());
                true
            };
            let unchanged = filter_list(&again, list, era, Audience::Caller, &mut see).unwrap();
            assert_eq!(unchanged, None);
            assert_eq!(left, kept);
        }
    }
}

fn tables() -> &'static [ToolTable] {
    static TABLES: OnceLock<Vec<ToolTable>> = OnceLock::new();
    TABLES.get_or_init(|| {
        let base = AbsPath::parse("/srv/data").unwrap();
        let read = |(_, text): &(&str, &str)| toml::from_str::<ToolTable>(text).unwrap();
        BUILTIN_TABLES.iter().map(read).map(|table| table.with_base(base.clone())).collect()
    })
}
