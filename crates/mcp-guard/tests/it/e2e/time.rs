//! `mcp-server-time`: both eras, tools without resources.

use serde_json::json;

use super::support::{Era, Policy, Session, assert_method_refused, guarded, time_server};

const ERAS: [Era; 2] = [Era::Legacy, Era::Modern];

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_the_time_server_shows_and_runs_only_the_granted_tool() {
    for era in ERAS {
        let folder = tempfile::tempdir().unwrap();
        let policy = Policy::tools("time", "time/get_current_time");
        let command = guarded(&policy, folder.path(), &time_server());
        let mut session = Session::open(&command, folder.path(), era);
        assert_eq!(session.tool_names(), ["get_current_time"]);

        let now = session.call("get_current_time", &json!({ "timezone": "Etc/UTC" })).done();
        assert!(now.contains("+00:00"), "{now}");
        let convert = json!({
            "source_timezone": "Etc/UTC", "time": "12:00", "target_timezone": "Asia/Tokyo",
        });
        session.call("convert_time", &convert).refused(&["tool-not-allowed"]);
        session
            .call("get_current_time ", &json!({}))
            .refused(&["tool-not-allowed", "tool-invalid"]);
    }
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_a_filtered_tool_list_of_the_modern_era_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let policy = Policy::tools("time", "time/convert_time");
    let command = guarded(&policy, folder.path(), &time_server());
    let mut session = Session::open(&command, folder.path(), Era::Modern);
    let list = session.ask("tools/list", json!({}));
    assert_eq!(list["result"]["cacheScope"], "private", "{list}");
    assert_eq!(list["result"]["resultType"], "complete", "{list}");
    assert_eq!(list["result"]["tools"].as_array().unwrap().len(), 1, "{list}");
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_an_error_of_the_time_server_is_not_a_refusal() {
    for era in ERAS {
        let folder = tempfile::tempdir().unwrap();
        let policy = Policy::tools("time", "time/*");
        let command = guarded(&policy, folder.path(), &time_server());
        let mut session = Session::open(&command, folder.path(), era);
        let failed = session.call("get_current_time", &json!({ "timezone": "No/Where" }));
        assert!(matches!(failed, super::support::Outcome::Failed(_)), "{failed:?}");
        assert_method_refused(&session.ask("prompts/get", json!({ "name": "none" })));
    }
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_the_table_lists_every_tool_of_the_time_server() {
    let folder = tempfile::tempdir().unwrap();
    // Under a grant that speaks of URLs, a tool or argument must be in the table.
    let policy =
        Policy::urls("time", "mcp-server-time", "https://example.org/").only_tools(&["time/*"]);
    let command = guarded(&policy, folder.path(), &time_server());
    let mut session = Session::open(&command, folder.path(), Era::Modern);
    let mut alone = Session::open(&time_server(), folder.path(), Era::Modern);
    assert_eq!(session.tool_names(), alone.tool_names());
    for (tool, arguments) in [
        ("get_current_time", json!({ "timezone": "Etc/UTC" })),
        (
            "convert_time",
            json!({
                "source_timezone": "Etc/UTC", "time": "12:00", "target_timezone": "Asia/Tokyo",
            }),
        ),
    ] {
        session.call(tool, &arguments).done();
        let mut unlisted = arguments;
        unlisted["unlisted"] = json!("x");
        session.call(tool, &unlisted).refused(&["tool-unmapped"]);
    }
}
