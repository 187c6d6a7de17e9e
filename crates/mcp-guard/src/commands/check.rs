//! `check`: what would be decided, without deciding anything.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::ExitCode;

use cap_core::{AccessRequest, Capability, CapabilityId, Decision, Denial, DenyCode};
use cap_fs::Protected;
use cap_kernel::{Claim, Context, Kernel, Simulation, rule};
use cap_mcp::{
    Call, CallError, Kind, MAX_LINE_BYTES, Message, Request, ToolTable, read, requests_of,
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::print;
use crate::cli;
use crate::clock::now;
use crate::failure::{During, Failure};
use crate::home::Home;
use crate::look::look;
use crate::policy::{Policy, absolute};

pub(crate) fn check(options: &cli::Check, home: Option<&Path>) -> Result<ExitCode, Failure> {
    let at = options.now.unwrap_or_else(now);
    let policy = Policy::load(&options.policy)?;
    let home = Home::open(home)?;
    let protected = Protected::new([home.folder()]).during("the state folder")?;
    let folder = std::env::current_dir().during("the working folder")?;
    let mut check = Checker {
        kernel: &home.kernel,
        server: policy.server(),
        tools: policy.tools(&folder)?,
        protected: protected.with_files([absolute(&options.policy)?]),
        under: under(options, &policy, at)?,
        simulation: Simulation::default(),
        now: at,
    };
    match &options.requests {
        Some(file) => {
            let input: Box<dyn Read> = if file.as_os_str() == "-" {
                Box::new(std::io::stdin())
            } else {
                let what = format!("the requests {}", file.display());
                Box::new(std::fs::File::open(file).during(what)?)
            };
            check.file(BufReader::new(input), options.json)?;
            Ok(ExitCode::SUCCESS)
        }
        None => {
            let tool = options.tool.as_deref().unwrap_or_default();
            let line = format!(r#"{{"tool":{},"arguments":{}}}"#, json!(tool), options.arguments);
            let decision = check.line(line.as_bytes());
            print(described(&decision, Some(tool), options.json))?;
            Ok(if decision.is_allow() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

/// Under what is ruled.
enum Under {
    /// A capability of the state.
    Claim(Claim),
    /// What the policy's session would be granted.
    Session(Box<Capability>),
    /// Nothing: the policy grants nothing.
    Nothing,
}

fn under(options: &cli::Check, policy: &Policy, at: DateTime<Utc>) -> Result<Under, Failure> {
    if let Some(id) = options.capability {
        return Ok(Under::Claim(Claim::Held(id)));
    }
    let Some(grant) = policy.session(at) else { return Ok(Under::Nothing) };
    let granted = Capability::grant(CapabilityId::new([0; 10], at), grant, at);
    Ok(Under::Session(Box::new(granted.during("the session grant of the policy")?)))
}

struct Checker<'a> {
    kernel: &'a Kernel,
    server: &'a str,
    tools: ToolTable,
    protected: Protected,
    under: Under,
    simulation: Simulation,
    now: DateTime<Utc>,
}

impl Checker<'_> {
    /// One decision for each line, in order.
    fn file(&mut self, mut input: impl BufRead, json: bool) -> Result<(), Failure> {
        let bound = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX).saturating_add(2);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = Read::by_ref(&mut input).take(bound).read_until(b'\n', &mut line);
            match read.during("the requests")? {
                0 => return Ok(()),
                // A line that is too long is one bad line: the rest of it is no call.
                read if read > MAX_LINE_BYTES && line.last() != Some(&b'\n') => {
                    input.skip_until(b'\n').during("the requests")?;
                }
                _ => {}
            }
            let decision = self.line(&line);
            let tool = serde_json::from_slice::<Value>(&line).ok();
            let tool = tool.as_ref().and_then(|call| tool_of(call).1);
            print(described(&decision, tool, json))?;
        }
    }

    fn line(&mut self, line: &[u8]) -> Decision {
        match self.requests(line) {
            Ok(requests) => self.decide(requests),
            Err(denial) => Decision::Deny(denial),
        }
    }

    /// Reads a call as strictly as a client's message, from the bytes that it came in: a number that
    /// was read and written again would be another one.
    fn requests(&self, line: &[u8]) -> Result<Vec<AccessRequest>, Denial> {
        let line = line.trim_ascii();
        let fault = |error| crate::enforce::denial_of_fault(&error);
        cap_mcp::check_document(line).map_err(fault)?;
        let wrapped =
            [&br#"{"jsonrpc":"2.0","id":0,"method":"tools/call","params":"#[..], line, b"}"];
        let wrapped = wrapped.concat();
        let params = read(&wrapped).map_err(fault)?;
        if let Message::Request(request) = &params
            && request.param("jsonrpc").is_none()
        {
            return self.requests_of(request);
        }
        match read(line).map_err(fault)? {
            Message::Request(request) if request.method() == "tools/call" => {
                self.requests_of(&request)
            }
            _ => Err(not_a_call()),
        }
    }

    fn requests_of(&self, request: &Request<'_>) -> Result<Vec<AccessRequest>, Denial> {
        let name =
            request.param("tool").or_else(|| request.param("name")).ok_or_else(not_a_call)?;
        let name = name.string().map_err(|_| not_a_call())?;
        let own = name.strip_prefix(self.server).and_then(|rest| rest.strip_prefix('/'));
        let arguments = match request.param("arguments") {
            Some(raw) if raw.kind() == Kind::Object => Some(raw),
            Some(raw) if raw.kind() != Kind::Null => {
                let error = CallError::Arguments;
                return Err(Denial::because(error.code(), error.to_string()));
            }
            _ => None,
        };
        let call = Call { name: own.unwrap_or(&name).into(), arguments };
        requests_of(&call, self.server, &self.tools)
    }

    fn decide(&mut self, mut requests: Vec<AccessRequest>) -> Decision {
        let (kernel, now) = (self.kernel, self.now);
        match &self.under {
            Under::Nothing => Decision::Deny(Denial::new(DenyCode::EvidenceMissing)),
            Under::Session(capability) => {
                let roots = |path: &_| capability.authority().path_roots(path).cloned().collect();
                look(&mut requests, roots, &self.protected);
                kernel.suppose(capability, &requests, &mut self.simulation, now)
            }
            Under::Claim(claim) => {
                let authority = kernel.verify(claim, now);
                if let Ok(authority) = &authority {
                    look(&mut requests, |path| authority.path_roots(path), &self.protected);
                }
                let authority = authority.as_ref().map_err(Clone::clone);
                let ruling = rule(Context::default(), Ok(&requests), authority, now);
                kernel.simulate(&ruling, &mut self.simulation, now)
            }
        }
    }
}

fn not_a_call() -> Denial {
    let form = r#"a call is {"tool": "…", "arguments": {…}}, or a `tools/call` message"#;
    Denial::because(DenyCode::MessageInvalid, form)
}

/// The object with the arguments, and the tool's name: of our own form, of the `params` of a
/// `tools/call`, or of a whole message.
fn tool_of(call: &Value) -> (&Value, Option<&str>) {
    let params = if call.get("jsonrpc").is_some() { call.get("params") } else { Some(call) };
    let params = params.unwrap_or(&Value::Null);
    let name = params.get("tool").or_else(|| params.get("name"));
    (params, name.and_then(Value::as_str))
}

fn described(decision: &Decision, tool: Option<&str>, json: bool) -> String {
    match (decision.denial(), json) {
        (None, true) => json!({ "decision": "allow", "tool": tool }).to_string(),
        (Some(denial), true) => json!({
            "decision": "deny",
            "code": denial.code().code(),
            "constraint": denial.constraint(),
            "reason": denial.reason(),
            "tool": tool,
        })
        .to_string(),
        (None, false) => "allow".into(),
        (Some(denial), false) => format!("deny {denial}"),
    }
}
