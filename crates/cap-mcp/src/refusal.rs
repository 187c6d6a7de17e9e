//! Answers that no client can mistake for success.

use serde::Serialize;

use crate::message::{Answer, AnswerForm, Era, Id};

/// Why a request is not passed on; the JSON-RPC code of its error. All lie outside the reserved
/// range (-32768 to -32000).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalKind {
    /// 40000: the message is malformed, or two readers could read it differently.
    Malformed,
    /// 40300: a ruling denied it.
    Denied,
    /// 42900: too many requests are pending.
    Busy,
    /// 50200: the server's response cannot be passed on.
    BadResponse,
    /// 50300: the guard cannot rule at the moment.
    Unavailable,
}

impl RefusalKind {
    /// The code of the JSON-RPC error.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::Malformed => 40_000,
            Self::Denied => 40_300,
            Self::Busy => 42_900,
            Self::BadResponse => 50_200,
            Self::Unavailable => 50_300,
        }
    }
}

/// A refusal in words.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// What kind it is.
    pub kind: RefusalKind,
    /// The stable code, such as `path-outside`.
    pub code: &'a str,
    /// A sentence for the person or model at the other end: what refused, and what would pass.
    pub reason: &'a str,
    /// The id under which the audit log has it.
    pub trace: &'a str,
}

/// Writes a refusal as one line without its newline, in the form that the request calls for:
/// a tool result with `isError` (for 2026-07-28 with `resultType: "complete"`), or a JSON-RPC
/// error. The code and the trace id stand in `_meta["dev.mcp-security/denial"]`, or in `data`.
#[must_use]
pub fn refusal(answer: &Answer, refusal: &Refusal<'_>) -> Vec<u8> {
    let denial = DenialMeta { code: refusal.code, trace: refusal.trace };
    let outcome = match answer.form {
        AnswerForm::ToolResult(era) => Outcome::Result(ToolResult {
            result_type: (era == Era::Stateless).then_some("complete"),
            content: [Content { kind: "text", text: text(refusal) }],
            is_error: true,
            meta: Meta { denial },
        }),
        AnswerForm::Error => Outcome::Error(RpcError {
            code: refusal.kind.code(),
            message: text(refusal),
            data: Meta { denial },
        }),
    };
    let response = Wire { jsonrpc: "2.0", id: &answer.id, outcome };
    // Strings and integers only: this cannot fail, and an empty line is no success either.
    serde_json::to_vec(&response).unwrap_or_default()
}

fn text(refusal: &Refusal<'_>) -> String {
    format!("{} (code: {}, trace: {})", refusal.reason, refusal.code, refusal.trace)
}

#[derive(Serialize)]
struct Wire<'a> {
    jsonrpc: &'static str,
    id: &'a Id,
    #[serde(flatten)]
    outcome: Outcome<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome<'a> {
    Result(ToolResult<'a>),
    Error(RpcError<'a>),
}

#[derive(Serialize)]
struct ToolResult<'a> {
    #[serde(rename = "resultType", skip_serializing_if = "Option::is_none")]
    result_type: Option<&'static str>,
    content: [Content; 1],
    #[serde(rename = "isError")]
    is_error: bool,
    #[serde(rename = "_meta")]
    meta: Meta<'a>,
}

#[derive(Serialize)]
struct Content {
    #[serde(rename = "type")]
    kind: &'static str,
    text: String,
}

#[derive(Serialize)]
struct RpcError<'a> {
    code: i32,
    message: String,
    data: Meta<'a>,
}

#[derive(Serialize)]
struct Meta<'a> {
    #[serde(rename = "dev.mcp-security/denial")]
    denial: DenialMeta<'a>,
}

#[derive(Serialize)]
struct DenialMeta<'a> {
    code: &'a str,
    trace: &'a str,
}

#[cfg(test)]
mod tests;
