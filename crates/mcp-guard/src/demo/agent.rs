//! The agent of the demo: it talks to a server over real pipes.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::failure::{During, Failure};

/// A started server, guarded or not.
pub(super) struct Agent {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    next_id: u64,
}

/// What came of a call.
#[derive(Debug)]
pub(super) enum Answer {
    /// The server's own result.
    Done(String),
    /// The server's own error.
    Failed(String),
    /// The guard's refusal.
    Refused { code: String, sentence: String },
}

impl Agent {
    /// Starts `command` and shakes hands.
    pub(super) fn start(command: &mut Command) -> Result<Self, Failure> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = child.spawn().during("the demo cannot start a process")?;
        let to = child.stdin.take();
        let from = child.stdout.take().ok_or_else(|| Failure::new("the process has no pipes"))?;
        let mut agent = Self { child, to, from: BufReader::new(from), next_id: 1 };
        agent.request(
            "initialize",
            &json!({
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": { "name": "mcp-guard demo", "version": env!("CARGO_PKG_VERSION") },
            }),
        )?;
        agent.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))?;
        Ok(agent)
    }

    /// Calls a tool, with `evidence` in the request where there is some.
    pub(super) fn call(
        &mut self,
        tool: &str,
        arguments: &Value,
        evidence: Option<&str>,
    ) -> Result<Answer, Failure> {
        let mut params = json!({ "name": tool, "arguments": arguments });
        if let (Some(evidence), Some(params)) = (evidence, params.as_object_mut()) {
            params.insert("_meta".into(), json!({ cap_mcp::AUTHORITY_META: evidence }));
        }
        let response = self.request("tools/call", &params)?;
        Ok(Answer::of(&response))
    }

    /// The same, and how long it took.
    pub(super) fn time(
        &mut self,
        tool: &str,
        arguments: &Value,
        evidence: Option<&str>,
    ) -> Result<(Answer, Duration), Failure> {
        let start = Instant::now();
        let answer = self.call(tool, arguments, evidence)?;
        Ok((answer, start.elapsed()))
    }

    /// The names of the tools that the agent is shown.
    pub(super) fn tools(&mut self) -> Result<Vec<String>, Failure> {
        let response = self.request("tools/list", &json!({}))?;
        let tools = response.pointer("/result/tools").and_then(Value::as_array);
        let name = |tool: &Value| tool.get("name").and_then(Value::as_str).map(str::to_owned);
        Ok(tools.into_iter().flatten().filter_map(name).collect())
    }

    /// Hangs up, and waits for the process to end.
    pub(super) fn stop(mut self) -> Result<bool, Failure> {
        drop(self.to.take());
        let status = self.child.wait().during("the process does not end")?;
        Ok(status.success())
    }

    fn request(&mut self, method: &str, params: &Value) -> Result<Value, Failure> {
        let id = self.next_id;
        self.next_id = id.saturating_add(1);
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))?;
        let mut line = String::new();
        if self.from.read_line(&mut line).during("the process does not answer")? == 0 {
            return Err(Failure::new(format!("the process ended instead of answering {method}")));
        }
        let response: Value = serde_json::from_str(&line).during("the answer is no JSON")?;
        if response.get("id") != Some(&json!(id)) {
            return Err(Failure::new(format!("the answer to {method} has another id: {line}")));
        }
        Ok(response)
    }

    fn send(&mut self, message: &Value) -> Result<(), Failure> {
        let pipe = self.to.as_mut().ok_or_else(|| Failure::new("the pipe is closed"))?;
        pipe.write_all(format!("{message}\n").as_bytes()).during("the process does not listen")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Where the story broke off: the pipe closes, and nobody is left behind.
        drop(self.to.take());
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Answer {
    fn of(response: &Value) -> Self {
        let text = |pointer| response.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let sentence =
            text("/result/content/0/text").or_else(|| text("/error/message")).unwrap_or_default();
        let denial = response
            .get("result")
            .and_then(|result| result.get("_meta"))
            .or_else(|| response.pointer("/error/data"))
            .and_then(|meta| meta.get(cap_mcp::DENIAL_META));
        if let Some(code) = denial.and_then(|denial| denial.get("code")).and_then(Value::as_str) {
            return Self::Refused { code: code.to_owned(), sentence };
        }
        let failed = response.get("error").is_some()
            || response.pointer("/result/isError") == Some(&Value::Bool(true));
        if failed { Self::Failed(sentence) } else { Self::Done(sentence) }
    }
}
