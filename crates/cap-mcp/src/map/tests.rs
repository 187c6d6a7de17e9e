use cap_core::{
    ArgumentRules, Capability, CapabilityId, CommandRequest, Constraints, Denial, DenyCode, Kind,
    Mapping, Operation, PathRequest, Reach, ResourceType, RootGrant,
};
use serde_json::json;

use super::*;
use crate::message::{Message, read};
use crate::table::builtin_table;

fn table(text: &str) -> ToolTable {
    toml::from_str(text).unwrap()
}

fn map(table: &ToolTable, tool: &str, arguments: &str) -> Result<Vec<AccessRequest>, Denial> {
    let line = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
    );
    let Ok(Message::Request(request)) = read(line.as_bytes()) else { panic!("{line}") };
    requests_of(&request.call().unwrap(), "srv", table)
}

fn code(table: &ToolTable, tool: &str, arguments: &str) -> DenyCode {
    map(table, tool, arguments).unwrap_err().code()
}

fn tool(requests: &[AccessRequest]) -> &ToolRequest {
    let Some(Resource::Tool(tool)) = requests.first().map(|request| &request.resource) else {
        panic!("the tool comes first: {requests:?}");
    };
    tool
}

fn paths(requests: &[AccessRequest]) -> Vec<(&PathRequest, Operations)> {
    let path = |request: &'_ AccessRequest| request.operations;
    requests
        .iter()
        .filter_map(|request| match &request.resource {
            Resource::Path(inner) => Some((inner, path(request))),
            _ => None,
        })
        .collect()
}

fn operations(list: &[Operation]) -> Operations {
    list.iter().copied().collect()
}

fn unlisted(requests: &[AccessRequest]) -> Option<String> {
    match &tool(requests).mapping {
        Mapping::Listed { unlisted_argument, .. } => unlisted_argument.clone(),
        Mapping::Unlisted => panic!("the tool is listed"),
    }
}

fn filesystem() -> ToolTable {
    table(builtin_table("server-filesystem").unwrap())
        .with_base(cap_core::AbsPath::parse("/srv/data").unwrap())
}

const PLAIN: &str = "[tools.t.arguments]\npath = { kind = \"path\", operations = [\"read\"] }";

#[test]
fn a_call_asks_for_its_tool_first_and_then_for_its_resources() {
    let requests =
        map(&filesystem(), "read_file", r#"{"path":"/srv/data/./a/../b.txt","head":3}"#).unwrap();
    assert_eq!(tool(&requests).name.as_str(), "srv/read_file");
    assert_eq!(requests[0].operations, Operations::CALL);
    assert_eq!(tool(&requests).arguments["head"], json!(3));
    let [(path, wanted)] = paths(&requests)[..] else { panic!("{requests:?}") };
    assert_eq!(path.path.as_str(), "/srv/data/b.txt");
    assert_eq!(path.raw, "/srv/data/./a/../b.txt");
    assert_eq!((path.reach, path.size), (Reach::Object, None));
    assert_eq!(wanted, operations(&[Operation::Read]));
    assert_eq!(unlisted(&requests), None);
}

#[test]
fn a_move_takes_from_one_place_and_writes_to_the_other() {
    let requests =
        map(&filesystem(), "move_file", r#"{"source":"a","destination":"/srv/data/b"}"#).unwrap();
    let found: Vec<_> =
        paths(&requests).into_iter().map(|(path, wanted)| (path.path.as_str(), wanted)).collect();
    // In the order of the arguments' names.
    assert_eq!(
        found,
        [
            ("/srv/data/b", operations(&[Operation::Write])),
            ("/srv/data/a", operations(&[Operation::Delete, Operation::Read])),
        ]
    );
}

#[test]
fn an_array_makes_one_request_for_each_element() {
    let requests =
        map(&filesystem(), "read_multiple_files", r#"{"paths":["a","b","../c"]}"#).unwrap();
    let found: Vec<_> = paths(&requests).into_iter().map(|(path, _)| path.path.as_str()).collect();
    assert_eq!(found, ["/srv/data/a", "/srv/data/b", "/srv/c"]);
    assert_eq!(map(&filesystem(), "read_multiple_files", r#"{"paths":[]}"#).unwrap().len(), 1);
    for wrong in [
        r#"{"paths":"a"}"#,
        r#"{"paths":[1]}"#,
        r#"{"paths":[null]}"#,
        r#"{"paths":[["a"]]}"#,
        r#"{"paths":{"0":"a"}}"#,
    ] {
        assert_eq!(
            code(&filesystem(), "read_multiple_files", wrong),
            DenyCode::ArgumentInvalid,
            "{wrong}"
        );
    }
}

#[test]
fn a_call_names_at_most_1024_resources_with_its_tool() {
    let list = |count: usize| format!(r#"{{"paths":[{}]}}"#, vec!["\"a\""; count].join(","));
    let most = map(&filesystem(), "read_multiple_files", &list(MAX_REQUESTS - 1)).unwrap();
    assert_eq!(most.len(), MAX_REQUESTS);
    assert_eq!(
        code(&filesystem(), "read_multiple_files", &list(MAX_REQUESTS)),
        DenyCode::ArgumentInvalid
    );
}

#[test]
fn a_recursive_tool_reaches_everything_below() {
    let requests = map(&filesystem(), "directory_tree", r#"{"path":"/srv/data"}"#).unwrap();
    assert_eq!(paths(&requests)[0].0.reach, Reach::Subtree);
}

#[test]
fn the_size_of_what_is_written_is_told_in_bytes() {
    let size =
        |arguments: &str| paths(&map(&filesystem(), "write_file", arguments).unwrap())[0].0.size;
    assert_eq!(size(r#"{"path":"a","content":"é\n"}"#), Some(3));
    assert_eq!(size(r#"{"path":"a","content":"\ud800"}"#), None);
    assert_eq!(size(r#"{"path":"a"}"#), None);
}

#[test]
fn what_the_table_does_not_list_is_told_to_the_ruling() {
    let unknown = map(&filesystem(), "read_fil", r#"{"path":"/etc/passwd"}"#).unwrap();
    assert_eq!(tool(&unknown).mapping, Mapping::Unlisted);
    assert_eq!(unknown.len(), 1);
    for (tool, arguments, name) in [
        ("read_file", r#"{"path":"/a","Path":"/b"}"#, "Path"),
        ("read_file", r#"{"path":"/a","file":"/b"}"#, "file"),
        (
            "edit_file",
            r#"{"path":"/a","edits":[{"oldText":"","newText":"","file":"/b"}]}"#,
            "edits[].file",
        ),
        ("list_allowed_directories", r#"{"path":"/a"}"#, "path"),
    ] {
        let requests = map(&filesystem(), tool, arguments).unwrap();
        assert_eq!(unlisted(&requests).as_deref(), Some(name));
    }
    let edit = map(
        &filesystem(),
        "edit_file",
        r#"{"path":"/a","edits":[{"oldText":"x","newText":"y"}],"dryRun":true}"#,
    );
    assert_eq!(unlisted(&edit.unwrap()), None);
}

#[test]
fn nested_selectors_find_what_they_name() {
    let table = table(
        "[tools.t.arguments]\n\
         \"edits[].file\" = { kind = \"path\", operations = [\"write\"] }\n\
         \"edits[].text\" = \"data\"\n\
         \"options.root.path\" = { kind = \"path\", operations = [\"list\"], optional = true }\n\
         \"grid[][]\" = { kind = \"path\", operations = [\"read\"] }\n\
         one = { kind = \"path\", operations = [\"read\"] , optional = true}\n\
         \"one[]\" = { kind = \"path\", operations = [\"read\"] }",
    );
    let found = |arguments: &str| -> Vec<String> {
        let requests = map(&table, "t", arguments).unwrap();
        paths(&requests).into_iter().map(|(path, _)| path.raw.clone()).collect()
    };
    assert_eq!(found(r#"{"edits":[{"file":"/a","text":1},{"file":"/b"}]}"#), ["/a", "/b"]);
    assert_eq!(found(r#"{"options":{"root":{"path":"/c"}}}"#), ["/c"]);
    assert_eq!(found(r#"{"options":{"root":{"path":null}}}"#), [""; 0]);
    assert_eq!(found(r#"{"options":{"root":{}},"edits":null}"#), [""; 0]);
    assert_eq!(found(r#"{"grid":[["/a","/b"],[],["/c"]]}"#), ["/a", "/b", "/c"]);
    assert_eq!(found(r#"{"one":"/a"}"#), ["/a"]);
    assert_eq!(found(r#"{"one":["/a","/b"]}"#), ["/a", "/b"]);
    for wrong in [
        r#"{"edits":[{"text":"no file"}]}"#,
        r#"{"edits":["/a"]}"#,
        r#"{"edits":{"file":"/a"}}"#,
        r#"{"edits":"/a"}"#,
        r#"{"options":{"root":"/a"}}"#,
        r#"{"options":[{"root":{"path":"/a"}}]}"#,
        r#"{"grid":["/a"]}"#,
        r#"{"one":{"path":"/a"}}"#,
        r#"{"one":7}"#,
    ] {
        assert_eq!(code(&table, "t", wrong), DenyCode::ArgumentInvalid, "{wrong}");
    }
}

#[test]
fn a_path_of_the_wrong_type_or_missing_is_refused() {
    for wrong in [
        "{}",
        r#"{"path":null}"#,
        r#"{"path":1}"#,
        r#"{"path":true}"#,
        r#"{"path":["/a"]}"#,
        r#"{"path":{"a":1}}"#,
        r#"{"path":"\ud800"}"#,
    ] {
        assert_eq!(code(&table(PLAIN), "t", wrong), DenyCode::ArgumentInvalid, "{wrong}");
    }
}

#[test]
fn a_path_that_the_server_may_read_otherwise_is_refused() {
    for value in [
        "",
        "~",
        "~/a",
        "~root/a",
        "/a/*",
        "/a/?.txt",
        "/a/[ab].txt",
        "/a/{a,b}",
        "/a/{1..3}",
        "/a/$HOME",
        "$HOME/a",
        "${HOME}/a",
        "/a/$(id)",
        "/a/`id`",
        "%HOME%/a",
        "/a/%USERPROFILE%/b",
        " /a",
        "/a ",
        "\\u00a0/a",
        "\\\"/a\\\"",
        "'/a'",
        "-rf",
        "a\\\\b",
        "..\\\\..\\\\etc",
        "/a\\u0000b",
        "/a\\nb",
        "/a%2fb",
        "/a%2e%2e/b",
        "/a%00",
        "/a%5cb",
        "a",
        "./a",
        "../a",
    ] {
        let arguments = format!(r#"{{"path":"{value}"}}"#);
        assert_eq!(code(&table(PLAIN), "t", &arguments), DenyCode::PathInvalid, "{value}");
    }
    for value in [
        "/a/[",
        "/a/b~",
        "/a/1~rc.txt",
        "/a/b$",
        "/a/50%.txt",
        "/a/25%_x",
        "/a/{b}",
        "/a/]b[",
        "/a/b c",
        "/a/😹",
    ] {
        let arguments = format!(r#"{{"path":"{value}"}}"#);
        assert!(map(&table(PLAIN), "t", &arguments).is_ok(), "{value}");
    }
}

#[test]
fn what_is_declared_literal_is_taken_literally() {
    let declared = |literal: &str| {
        table(
            &format!("base = \"/b\"\n{PLAIN}")
                .replace("] }", &format!("], literal = [\"{literal}\"] }}")),
        )
    };
    for (literal, value, path) in [
        ("tilde", "~/a", "/b/~/a"),
        ("glob", "/a/*", "/a/*"),
        ("variable", "/a/$HOME", "/a/$HOME"),
        ("dash", "-a", "/b/-a"),
        ("backslash", "a\\\\b", "/b/a\\b"),
    ] {
        let arguments = format!(r#"{{"path":"{value}"}}"#);
        let requests = map(&declared(literal), "t", &arguments).unwrap();
        assert_eq!(paths(&requests)[0].0.path.as_str(), path);
        let other = if literal == "glob" { "tilde" } else { "glob" };
        assert_eq!(code(&declared(other), "t", &arguments), DenyCode::PathInvalid, "{value}");
    }
}

#[test]
fn relative_paths_lie_in_the_folder_that_the_table_says() {
    let text = "base = \"/table/\"\n[tools.t.arguments]\n\
        a = { kind = \"path\", operations = [\"read\"], optional = true }\n\
        b = { kind = \"path\", operations = [\"read\"], base = \"/own\", optional = true }\n\
        c = { kind = \"path\", operations = [\"read\"], base_argument = \"a\", optional = true }";
    let found = |arguments: &str| -> Vec<(String, String)> {
        let requests = map(&table(text), "t", arguments).unwrap();
        let all = paths(&requests).into_iter();
        all.map(|(path, _)| (path.raw.clone(), path.path.as_str().to_owned())).collect()
    };
    let pair = |raw: &str, path: &str| (raw.to_owned(), path.to_owned());
    assert_eq!(found(r#"{"a":"x/../y"}"#), [pair("/table/x/../y", "/table/y")]);
    assert_eq!(found(r#"{"b":"x"}"#), [pair("/own/x", "/own/x")]);
    assert_eq!(found(r#"{"b":"/x"}"#), [pair("/x", "/x")]);
    assert_eq!(
        found(r#"{"a":"r/","c":"../../x"}"#),
        [pair("/table/r/", "/table/r"), pair("/table/r/../../x", "/x")]
    );
    assert_eq!(code(&table(text), "t", r#"{"c":"x"}"#), DenyCode::PathInvalid);
}

#[test]
fn a_default_counts_as_if_the_call_had_said_it() {
    let everything = table(builtin_table("server-everything").unwrap());
    for arguments in ["{}", r#"{"data":null}"#] {
        let requests = map(&everything, "gzip-file-as-resource", arguments).unwrap();
        let Resource::Url(url) = &requests[1].resource else { panic!("{requests:?}") };
        assert_eq!(url.url.host(), "raw.githubusercontent.com");
    }
    let requests = map(&everything, "gzip-file-as-resource", r#"{"data":"https://Example.org/a"}"#);
    assert_eq!(requests.unwrap()[1].kind(), Kind::Url);
    for bad in [
        "data:text/plain,x",
        "file:///etc/passwd",
        "https://a@b/",
        "not a url",
        "/x",
        " https://a/",
    ] {
        let arguments = format!(r#"{{"data":"{bad}"}}"#);
        assert_eq!(
            code(&everything, "gzip-file-as-resource", &arguments),
            DenyCode::UrlInvalid,
            "{bad}"
        );
    }
}

#[test]
fn an_operand_is_no_option() {
    let git = table(builtin_table("mcp-server-git").unwrap());
    let show = |revision: &str| {
        map(&git, "git_show", &format!(r#"{{"repo_path":"/r","revision":{revision}}}"#))
    };
    assert!(show("\"HEAD~1\"").is_ok());
    for bad in ["\"--output=/tmp/x\"", "\"-p\"", "\" -p\"", "1", "[\"-p\"]", "\"\\ud800\""] {
        assert_eq!(show(bad).unwrap_err().code(), DenyCode::ArgumentInvalid, "{bad}");
    }
    let add = map(&git, "git_add", r#"{"repo_path":"/r","files":["a","../../x"]}"#).unwrap();
    let found: Vec<_> = paths(&add).into_iter().map(|(path, _)| path.path.as_str()).collect();
    assert_eq!(found, ["/r/a", "/x", "/r"]);
    assert_eq!(
        code(&git, "git_add", r#"{"repo_path":"/r","files":["--all"]}"#),
        DenyCode::PathInvalid
    );
}

#[test]
fn a_command_is_a_program_and_its_arguments() {
    let beside = table(
        "[tools.t.arguments]\nprogram = { kind = \"command\", operations = [\"execute\"], arguments = \"args\" }\nargs = \"data\"",
    );
    let alone =
        table("[tools.t.arguments]\nargv = { kind = \"command\", operations = [\"execute\"] }");
    let command = |table: &ToolTable, arguments: &str| match &map(table, "t", arguments).unwrap()[..]
    {
        [_, AccessRequest { resource: Resource::Command(command), operations }] => {
            assert_eq!(*operations, Operations::NONE.with(Operation::Execute));
            command.clone()
        }
        other => panic!("{other:?}"),
    };
    let git = |arguments: &[&str]| CommandRequest {
        program: "git".into(),
        arguments: arguments.iter().map(|&argument| argument.into()).collect(),
        environment: Vec::new(),
    };
    assert_eq!(
        command(&beside, r#"{"program":"git","args":["log","$(x)"]}"#),
        git(&["log", "$(x)"])
    );
    assert_eq!(command(&beside, r#"{"program":"git"}"#), git(&[]));
    assert_eq!(command(&alone, r#"{"argv":["git","log"]}"#), git(&["log"]));
    assert_eq!(command(&alone, r#"{"argv":"git"}"#), git(&[]));
    for bad in [
        r#"{"argv":"git log"}"#,
        r#"{"argv":"git;id"}"#,
        r#"{"argv":"$(id)"}"#,
        r#"{"argv":"~/git"}"#,
        r#"{"argv":"-c"}"#,
        r#"{"argv":""}"#,
        r#"{"argv":[]}"#,
        r#"{"argv":[1]}"#,
        r#"{"argv":["sh -c","id"]}"#,
        r#"{"argv":["git","a\u0000b"]}"#,
        r#"{"argv":{"git":1}}"#,
        r#"{"argv":null}"#,
    ] {
        assert_eq!(code(&alone, "t", bad), DenyCode::CommandInvalid, "{bad}");
    }
    assert_eq!(code(&alone, "t", "{}"), DenyCode::ArgumentInvalid);
    assert_eq!(code(&beside, "t", r#"{"program":"git","args":"log"}"#), DenyCode::CommandInvalid);
    assert_eq!(
        code(&beside, "t", r#"{"program":["git"],"args":["log"]}"#),
        DenyCode::CommandInvalid
    );
}

#[test]
fn nothing_is_decided_on_a_value_that_readers_read_differently() {
    let rules = |rules: Value| ArgumentRules::from_value(&rules).unwrap();
    let decides = [
        rules(json!({ "a": { "constraint_type": "exact", "value": 0.1 } })),
        rules(json!({ "a": { "constraint_type": "range", "min": -1e300 } })),
        rules(json!({ "a": { "constraint_type": "not_one_of", "excluded": [1] } })),
        rules(json!({ "a": { "constraint_type": "one_of", "values": ["\u{fffd}", 0.1] } })),
        rules(json!({ "a": { "constraint_type": "subset", "allowed": ["\u{fffd}", 0.1, 1] } })),
    ];
    let any = rules(json!({ "a": { "constraint_type": "wildcard" } }));
    let permits = |rules: &ArgumentRules, value: &str| {
        let requests = map(&ToolTable::default(), "t", &format!(r#"{{"a":{value}}}"#)).unwrap();
        let now = "2026-11-21T00:00:00Z".parse().unwrap();
        let mut constraints = Constraints::default();
        constraints.arguments.insert("srv/t".parse().unwrap(), rules.clone());
        let grant = RootGrant {
            principal: "agent".parse().unwrap(),
            resource_type: ResourceType::Tool,
            resource: "srv/t".into(),
            operations: Operations::CALL,
            constraints,
            expires_at: None,
        };
        let capability = Capability::grant(CapabilityId::new([1; 10], now), grant, now).unwrap();
        requests.iter().all(|request| capability.permits(request, now).is_allow())
    };
    assert!(permits(&decides[0], "0.1"));
    assert!(permits(&decides[1], "5"));
    for value in [
        "0.1000000000000000000000000001",
        "9007199254740993",
        "1e400",
        "-1e400",
        "100000000000000000000",
        r#""\ud800""#,
        r#"["\ud800"]"#,
        "[0.10000000000000000000000001]",
    ] {
        assert!(permits(&any, value), "it can be passed on: {value}");
        for rules in &decides {
            assert!(!permits(rules, value), "{value}: {}", rules.to_value());
        }
    }
}

#[test]
fn a_tool_name_that_no_capability_can_name_is_refused() {
    for name in ["", "\\u0000", "a\\nb", "\\u200b", &"x".repeat(300)] {
        assert_eq!(code(&ToolTable::default(), name, "{}"), DenyCode::ToolInvalid, "{name}");
    }
    assert_eq!(
        request_of_tool("", "srv", &filesystem()).unwrap_err().code(),
        DenyCode::ToolInvalid
    );
    let listed = request_of_tool("read_file", "srv", &filesystem()).unwrap();
    assert!(matches!(listed.mapping, Mapping::Listed { kinds, .. } if kinds.contains(Kind::Path)));
    let unlisted = request_of_tool("x", "srv", &filesystem()).unwrap();
    assert_eq!(unlisted.mapping, Mapping::Unlisted);
}

#[test]
fn a_file_uri_is_decoded_once_and_ruled_as_a_path() {
    let path = |uri: &str| match &requests_of_resource(uri).unwrap()[..] {
        [AccessRequest { resource: Resource::Path(path), operations }] => {
            assert_eq!(*operations, Operations::NONE.with(Operation::Read));
            (path.raw.clone(), path.path.as_str().to_owned())
        }
        other => panic!("{other:?}"),
    };
    let pair = |raw: &str, path: &str| (raw.to_owned(), path.to_owned());
    for uri in [
        "file:///srv/a%20b",
        "FILE:///srv/a%20b",
        "file://localhost/srv/a b".replace(' ', "%20").as_str(),
        "file:/srv/a%20b",
    ] {
        assert_eq!(path(uri), pair("/srv/a b", "/srv/a b"), "{uri}");
    }
    assert_eq!(path("file:///srv/%2e%2e/etc"), pair("/srv/../etc", "/etc"));
    assert_eq!(path("file:///srv%2fx"), pair("/srv/x", "/srv/x"));
    assert_eq!(path("file:///srv/100%25.txt"), pair("/srv/100%.txt", "/srv/100%.txt"));
    for bad in [
        "file://host/a",
        "file:a",
        "file:",
        "file://",
        "file:///a?b",
        "file:///a#b",
        "file:///a%",
        "file:///a%2",
        "file:///a%zz",
        "file:///a%00",
        "file:///a%ff",
        "file:///a%252fb",
        "file:///a%252e%252e/b",
        "file:///a\\b",
        "file:///a%5cb",
        " file:///a",
        "fi\tle:///a",
        "file:///a b",
        "/a",
        "a",
        "",
        ":a",
        "1a:b",
        "a b:c",
        "../a",
        "file:////../x%0a",
    ] {
        assert_eq!(
            requests_of_resource(bad).unwrap_err().code(),
            DenyCode::ArgumentInvalid,
            "{bad}"
        );
    }
}

#[test]
fn every_other_uri_is_ruled_as_the_method() {
    for uri in ["demo://resource/1", "https://example.org/", "urn:x:y", "filex:///a"] {
        let requests = requests_of_resource(uri).unwrap();
        let method = Resource::Method("resources/read".into());
        assert_eq!(requests, [AccessRequest::new(method, Operations::CALL)]);
    }
}
