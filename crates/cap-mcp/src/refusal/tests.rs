use serde_json::{Value, json};

use super::*;
use crate::message::{Message, read};

const REFUSAL: Refusal<'_> = Refusal {
    kind: RefusalKind::Denied,
    code: "path-outside",
    reason: "`/etc/\u{2028}\"x\"` lies outside; `/srv` would pass",
    trace: "0198f",
};

fn write(form: AnswerForm, id: Id) -> (Value, String) {
    let line = refusal(&Answer { id, form }, &REFUSAL);
    assert!(matches!(read(&line), Ok(Message::Response(_))), "our own reader accepts it");
    (serde_json::from_slice(&line).unwrap(), String::from_utf8(line).unwrap())
}

#[test]
fn a_refused_call_is_a_tool_result_that_says_so() {
    let (legacy, line) = write(AnswerForm::ToolResult(Era::Legacy), Id::Number(7));
    assert!(!line.contains('\n'));
    assert_eq!(legacy["id"], 7);
    assert_eq!(legacy["result"]["isError"], true);
    assert_eq!(legacy["result"].get("resultType"), None);
    assert_eq!(legacy["result"].get("structuredContent"), None);
    let text = legacy["result"]["content"][0]["text"].as_str().unwrap();
    assert!(
        text.starts_with(REFUSAL.reason) && text.contains("path-outside") && text.contains("0198f")
    );
    assert_eq!(legacy["result"]["content"][0]["type"], "text");
    let denial = &legacy["result"]["_meta"]["dev.mcp-security/denial"];
    assert_eq!(*denial, json!({ "code": "path-outside", "trace": "0198f" }));

    let (stateless, _) = write(AnswerForm::ToolResult(Era::Stateless), Id::Text("é\"".into()));
    assert_eq!(stateless["id"], "é\"");
    assert_eq!(stateless["result"]["resultType"], "complete");
    assert_eq!(stateless["result"]["isError"], true);
}

#[test]
fn everything_else_is_refused_by_an_error() {
    let (error, _) = write(AnswerForm::Error, Id::Number(-1));
    assert_eq!(error["id"], -1);
    assert_eq!(error.get("result"), None);
    assert_eq!(error["error"]["code"], 40_300);
    assert!(error["error"]["message"].as_str().unwrap().contains("path-outside"));
    assert_eq!(error["error"]["data"]["dev.mcp-security/denial"]["trace"], "0198f");
}

#[test]
fn no_code_lies_in_the_reserved_range() {
    use RefusalKind::{BadResponse, Busy, Denied, Malformed, Unavailable};
    for kind in [BadResponse, Busy, Denied, Malformed, Unavailable] {
        assert!(!(-32_768..=-32_000).contains(&kind.code()));
    }
}
