use cap_core::{Kind, Kinds};

use super::*;

fn table(text: &str) -> Result<ToolTable, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

fn arguments(rules: &str) -> Result<ToolTable, String> {
    table(&format!("[tools.t.arguments]\n{rules}"))
}

#[test]
fn every_shipped_table_is_read() {
    for (name, text) in BUILTIN_TABLES {
        let table = table(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(table.tools().count() > 0, "{name}");
        assert_eq!(table.base(), None, "the base is the policy's to say: {name}");
        assert_eq!(builtin_table(name), Some(text));
    }
    assert_eq!(builtin_table("server-unknown"), None);
}

/// The tools of a server, each with the names of its arguments.
type Listing = &'static [(&'static str, &'static [&'static str])];

/// What the servers themselves list (`tools/list`), each tool with its arguments; the client
/// offered roots, sampling and elicitation.
const LISTED: [(&str, &str, Listing); 5] = [
    (
        "server-filesystem",
        "2026.8.31",
        &[
            ("read_file", &["path", "tail", "head"]),
            ("read_text_file", &["path", "tail", "head"]),
            ("read_media_file", &["path"]),
            ("read_multiple_files", &["paths"]),
            ("write_file", &["path", "content"]),
            ("edit_file", &["path", "edits", "dryRun"]),
            ("create_directory", &["path"]),
            ("list_directory", &["path"]),
            ("list_directory_with_sizes", &["path", "sortBy"]),
            ("directory_tree", &["path", "excludePatterns"]),
            ("move_file", &["source", "destination"]),
            ("search_files", &["path", "pattern", "excludePatterns"]),
            ("get_file_info", &["path"]),
            ("list_allowed_directories", &[]),
        ],
    ),
    (
        // Its list says no arguments; these are the ones that it parses.
        "server-filesystem",
        "2025.3.28",
        &[
            ("read_file", &["path"]),
            ("read_multiple_files", &["paths"]),
            ("write_file", &["path", "content"]),
            ("edit_file", &["path", "edits", "dryRun"]),
            ("create_directory", &["path"]),
            ("list_directory", &["path"]),
            ("directory_tree", &["path"]),
            ("move_file", &["source", "destination"]),
            ("search_files", &["path", "pattern", "excludePatterns"]),
            ("get_file_info", &["path"]),
            ("list_allowed_directories", &[]),
        ],
    ),
    (
        "server-everything",
        "2026.8.31",
        &[
            ("echo", &["message"]),
            ("get-annotated-message", &["messageType", "includeImage"]),
            ("get-env", &[]),
            ("get-resource-links", &["count"]),
            ("get-resource-reference", &["resourceType", "resourceId"]),
            ("get-roots-list", &[]),
            ("get-structured-content", &["location"]),
            ("get-sum", &["a", "b"]),
            ("get-tiny-image", &[]),
            ("gzip-file-as-resource", &["name", "data", "outputType"]),
            ("simulate-research-query", &["topic", "ambiguous"]),
            ("toggle-simulated-logging", &[]),
            ("toggle-subscriber-updates", &[]),
            ("trigger-elicitation-request", &[]),
            ("trigger-elicitation-request-async", &[]),
            ("trigger-long-running-operation", &["duration", "steps"]),
            ("trigger-sampling-request", &["prompt", "maxTokens"]),
            ("trigger-sampling-request-async", &["prompt", "maxTokens"]),
            ("trigger-url-elicitation", &["url", "message", "elicitationId", "errorPath"]),
        ],
    ),
    (
        "mcp-server-time",
        "2026.10.19",
        &[
            ("get_current_time", &["timezone"]),
            ("convert_time", &["source_timezone", "time", "target_timezone"]),
        ],
    ),
    (
        "mcp-server-git",
        "2026.10.19",
        &[
            ("git_status", &["repo_path"]),
            ("git_diff_unstaged", &["repo_path", "context_lines"]),
            ("git_diff_staged", &["repo_path", "context_lines"]),
            ("git_diff", &["repo_path", "target", "context_lines"]),
            ("git_commit", &["repo_path", "message"]),
            ("git_add", &["repo_path", "files"]),
            ("git_reset", &["repo_path"]),
            ("git_log", &["repo_path", "max_count", "start_timestamp", "end_timestamp"]),
            ("git_create_branch", &["repo_path", "branch_name", "base_branch"]),
            ("git_checkout", &["repo_path", "branch_name"]),
            ("git_show", &["repo_path", "revision"]),
            ("git_branch", &["repo_path", "branch_type", "contains", "not_contains"]),
        ],
    ),
];

#[test]
fn the_tables_list_every_tool_and_argument_of_the_servers() {
    for (name, version, tools) in LISTED {
        let table = table(builtin_table(name).unwrap()).unwrap();
        for (tool, arguments) in tools {
            let listed = &table.tool(tool).unwrap_or_else(|| panic!("{name} {version}: {tool}"));
            for argument in *arguments {
                let node = listed.arguments.members.get(*argument);
                assert!(node.is_some(), "{name} {version}: {tool} {argument}");
            }
        }
    }
}

#[test]
fn the_tables_list_nothing_that_the_newest_servers_do_not_have() {
    for (name, version, tools) in LISTED.iter().filter(|(_, version, _)| *version != "2025.3.28") {
        let table = table(builtin_table(name).unwrap()).unwrap();
        let mut served: Vec<&str> = tools.iter().map(|(tool, _)| *tool).collect();
        served.sort_unstable();
        assert_eq!(table.tools().collect::<Vec<_>>(), served, "{name} {version}");
        for (tool, arguments) in *tools {
            let listed = table.tool(tool).unwrap().arguments.members.keys();
            assert!(listed.clone().all(|name| arguments.contains(&name.as_str())), "{tool}");
        }
    }
}

#[test]
fn a_tool_has_the_kinds_of_its_arguments() {
    let table = arguments(
        "a = { kind = \"path\", operations = [\"read\"] }\n\
         \"b[].c\" = { kind = \"url\", operations = [\"read\"] }\nd = \"data\"",
    )
    .unwrap();
    let kinds: Kinds = [Kind::Path, Kind::Url].into_iter().collect();
    assert_eq!(table.tool("t").unwrap().kinds, kinds);
}

#[test]
fn a_table_that_says_nothing_definite_is_refused_with_its_place() {
    for (rules, says) in [
        ("path = \"dat\"", "\"operand\""),
        ("path = 1", "`kind`"),
        ("path = { kind = \"file\", operations = [\"read\"] }", "unknown variant `file`"),
        ("path = { kind = \"path\" }", "missing field `operations`"),
        ("path = { kind = \"path\", operations = [] }", "`operations`"),
        ("path = { kind = \"path\", operations = [\"call\"] }", "`operations`"),
        ("path = { kind = \"path\", operations = [\"open\"] }", "unknown name `open`"),
        ("path = { kind = \"path\", operations = [\"execute\"] }", "`operations`"),
        ("path = { kind = \"command\", operations = [\"read\"] }", "`operations`"),
        ("path = { kind = \"path\", operations = [\"read\"], recursiv = true }", "recursiv"),
        ("path = { kind = \"url\", operations = [\"read\"], recursive = true }", "`recursive`"),
        ("path = { kind = \"url\", operations = [\"read\"], base = \"/a\" }", "`base`"),
        ("path = { kind = \"url\", operations = [\"read\"], literal = [\"glob\"] }", "`literal`"),
        ("path = { kind = \"path\", operations = [\"read\"], base = \"a\" }", "absolute path"),
        ("path = { kind = \"path\", operations = [\"read\"], literal = [\"all\"] }", "all"),
        (
            "path = { kind = \"path\", operations = [\"read\"], optional = true, default = \".\" }",
            "exclude",
        ),
        (
            "path = { kind = \"path\", operations = [\"read\"], base = \"/a\", base_argument = \"b\" }",
            "exclude",
        ),
        (
            "path = { kind = \"path\", operations = [\"read\"], base_argument = \"b\" }",
            "`base_argument`",
        ),
        (
            "path = { kind = \"path\", operations = [\"read\"], base_argument = \"path\" }",
            "`base_argument`",
        ),
        ("path = { kind = \"path\", operations = [\"write\"], size_of = \"b\" }", "`size_of`"),
        (
            "path = { kind = \"command\", operations = [\"execute\"], arguments = \"b\" }",
            "`arguments`",
        ),
        ("\"\" = \"data\"", "selector"),
        ("\"a..b\" = \"data\"", "selector"),
        ("\"a[0]\" = \"data\"", "selector"),
        ("\"[]\" = \"data\"", "selector"),
        ("\"a[].\" = \"data\"", "selector"),
        ("\"a[]b\" = \"data\"", "selector"),
        ("a = \"data\"\n\"a[].b\" = \"data\"", "as a whole"),
        ("a = \"operand\"\n\"a.b\" = \"data\"", "as a whole"),
    ] {
        let error = arguments(rules).unwrap_err();
        assert!(error.contains(says), "{rules}: {error}");
        assert!(error.contains("line "), "{rules}: {error}");
    }
    assert!(table("tool = 1").is_err());
    assert!(table("base = \"srv\"").is_err());
    assert!(table("[tools.t]\nargument = {}").is_err());
}

#[test]
fn a_policy_overrides_single_tools_and_the_base() {
    let shipped = table("[tools.a]\n[tools.b]").unwrap();
    let own = table("base = \"/srv\"\n[tools.b.arguments]\nx = \"data\"\n[tools.c]").unwrap();
    let both = shipped.overridden_by(own);
    assert_eq!(both.tools().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert!(both.tool("b").unwrap().arguments.members.contains_key("x"));
    assert_eq!(both.base().unwrap().as_str(), "/srv");
    let moved = both.overridden_by(ToolTable::default()).with_base(AbsPath::parse("/x").unwrap());
    assert_eq!(moved.base().unwrap().as_str(), "/x");
}
