//! The enforcement point: what becomes of each message. Read this first.
//!
//! ```text
//! client line ─► read ─► evidence ─► verify ─► requests ─► look ─► rule ─► reserve ─► append ─► release ─► server
//!                  └──────────────────────── a refusal at any point ───────────────────────────► client
//! ```
//!
//! Nothing of the client's reaches the server but in a [`Permit`], which only a recorded ruling
//! gives. (The guard itself says one thing to the server: its refusal of what the server asked.)

use std::time::Instant;

use cap_audit::{ArgumentDigests, AuditLog, Durability, Keys, Kind, Record};
use cap_core::{AccessRequest, Denial, DenyCode, Evidence, Operations, Resource};
use cap_fs::Protected;
use cap_kernel::{
    Claim, Context, Kernel, Permit, Ruling, SessionId, VerifiedAuthority, admit, rule,
};
use cap_mcp::{
    About, Answer, Form, Id, Message, MethodClass, Notification, Raw, ReadError, Request, Response,
    Sender, ToolTable, classify, read, requests_of, requests_of_resource,
};
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use serde_json::Map;

use crate::look::look;
use crate::pending::{Full, Pending, Requests};
use crate::policy::Explain;

/// What all messages of one server are ruled by.
pub(crate) struct Guard {
    pub(crate) kernel: std::sync::Arc<Kernel>,
    pub(crate) log: AuditLog,
    pub(crate) keys: Keys,
    pub(crate) server: String,
    pub(crate) tools: ToolTable,
    pub(crate) explain: Explain,
    pub(crate) protected: Protected,
    /// The evidence of the process: `MCP_GUARD_TOKEN`.
    pub(crate) evidence: Option<Evidence>,
    /// The session grant of the policy.
    pub(crate) grant: Option<SessionId>,
    pub(crate) pending: Mutex<Requests>,
    /// The server's requests that the client has not answered yet.
    pub(crate) asked: Mutex<std::collections::HashSet<Id>>,
}

/// What becomes of a message.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It goes on to the other side.
    Pass(Permit<Vec<u8>>),
    /// It does not; its sender gets this line.
    Answer(Vec<u8>),
    /// It goes nowhere, and nobody waits for it.
    Drop,
    /// It could be answered under no id: the connection ends.
    Close,
}

impl Guard {
    /// Rules on a line of the client. `line` ends with its newline, if it came with one.
    pub(crate) fn client(&self, line: &[u8], now: DateTime<Utc>) -> Outcome {
        let message = match read(trimmed(line)) {
            Ok(message) => message,
            Err(error) if error.fault == cap_mcp::Fault::Empty => return Outcome::Drop,
            Err(error) => return self.unreadable(&error, now),
        };
        let bytes = stripped(&message, line);
        match &message {
            Message::Request(request) => self.client_request(request, bytes, now),
            Message::Notification(notification) => {
                self.client_notification(notification, bytes, now)
            }
            Message::Response(response) => self.client_response(response, bytes, now),
            // SECURITY: a form of message that this version does not know.
            _ => Outcome::Close,
        }
    }

    fn client_request(&self, request: &Request<'_>, bytes: Vec<u8>, now: DateTime<Utc>) -> Outcome {
        let answer = request.answer();
        let Ok(trace) = self.kernel.trace() else { return self.refuse(&answer, &internal(), "") };
        let claim = self.claim(request.authority());
        let class = classify(Sender::Client, Form::Request, request.method());
        let mut context = self.context(request.method(), &trace);
        let room = self.pending.lock().room_for(request.id());
        let ruling = match room {
            Err(full) => rule(context.clone(), Err(denial_of(full)), Err(denial_of(full)), now),
            Ok(()) => self.rule_request(request, class, &claim, &mut context, now),
        };
        let pending = Pending {
            answer: answer.clone(),
            trace: trace.clone(),
            method: request.method().to_owned(),
            tool: context.tool,
            era: request.era(),
            list: match class {
                MethodClass::List(list) => Some(list),
                _ => None,
            },
            claim: claim.ok().flatten(),
            since: Instant::now(),
            cancelled: false,
        };
        match self.release(ruling, bytes, now) {
            Ok(permit) => {
                self.pending.lock().add(pending);
                Outcome::Pass(permit)
            }
            Err(denial) => self.refuse(&answer, &denial, &trace),
        }
    }

    fn rule_request(
        &self,
        request: &Request<'_>,
        class: MethodClass,
        claim: &Result<Option<Claim>, Denial>,
        context: &mut Context,
        now: DateTime<Utc>,
    ) -> Ruling {
        let authority = self.verify(claim, now);
        let presented = request.authority().is_some();
        let requests = match class {
            // What the protocol allows without a grant; evidence that is present and bad denies.
            MethodClass::Free | MethodClass::List(_) => match authority {
                Err(denial) if presented => {
                    return rule(context.clone(), Err(denial.clone()), Err(denial), now);
                }
                _ => return admit(context.clone(), now),
            },
            MethodClass::ToolCall => self.requests_of_call(request, context),
            MethodClass::ResourceRead => request
                .uri()
                .map_err(|error| Denial::because(error.code(), error.to_string()))
                .and_then(|uri| requests_of_resource(&uri)),
            MethodClass::WrongForm => Err(wrong_form()),
            _ => requests_of_method(request),
        };
        let requests = requests.map(|mut requests| {
            if let Ok(authority) = &authority {
                look(&mut requests, |path| authority.path_roots(path), &self.protected);
            }
            requests
        });
        let requests = requests.as_deref().map_err(Clone::clone);
        rule(context.clone(), requests, authority.as_ref().map_err(Clone::clone), now)
    }

    fn requests_of_call(
        &self,
        request: &Request<'_>,
        context: &mut Context,
    ) -> Result<Vec<AccessRequest>, Denial> {
        let call =
            request.call().map_err(|error| Denial::because(error.code(), error.to_string()))?;
        context.tool = Some(call.name.clone().into_owned());
        let requests = requests_of(&call, &self.server, &self.tools)?;
        if let Some(Resource::Tool(tool)) = requests.first().map(|request| &request.resource) {
            let digests = ArgumentDigests::new(&self.keys.mac);
            let summary = |(name, value): (&String, _)| (name.clone(), digests.summary(value));
            let summaries: Map<_, _> = tool.arguments.iter().map(summary).collect();
            context.detail.insert("arguments".into(), summaries.into());
        }
        Ok(requests)
    }

    fn client_notification(
        &self,
        notification: &Notification<'_>,
        bytes: Vec<u8>,
        now: DateTime<Utc>,
    ) -> Outcome {
        let Ok(trace) = self.kernel.trace() else { return Outcome::Drop };
        let name = notification.method();
        let context = self.context(name, &trace);
        let authority = self.verify(&self.claim(notification.authority()), now);
        let requests = |name: &str| [method(name)];
        let ruling = match (classify(Sender::Client, Form::Notification, name), &authority) {
            (MethodClass::Free, Err(denial)) if notification.authority().is_some() => {
                rule(context, Err(denial.clone()), Err(denial.clone()), now)
            }
            (MethodClass::Free, _) => admit(context, now),
            // SECURITY: a request without an id would be ruled by its name alone.
            (MethodClass::WrongForm, _) => rule(context, Err(wrong_form()), Err(wrong_form()), now),
            (class, authority) => {
                let name = if let MethodClass::Granted(name) = class { name } else { name };
                let authority = authority.as_ref().map_err(Clone::clone);
                rule(context, Ok(&requests(name)), authority, now)
            }
        };
        let Ok(permit) = self.release(ruling, bytes, now) else { return Outcome::Drop };
        if name == "notifications/cancelled"
            && let Some(id) = notification.param("requestId").and_then(|id| Id::read(&id))
        {
            self.pending.lock().cancel(&id);
        }
        Outcome::Pass(permit)
    }

    /// The client answers a request of the server, which was ruled on when it was asked.
    fn client_response(
        &self,
        response: &Response<'_>,
        bytes: Vec<u8>,
        now: DateTime<Utc>,
    ) -> Outcome {
        let Ok(trace) = self.kernel.trace() else { return Outcome::Drop };
        let context = self.context("response", &trace);
        let asked = response.id().is_some_and(|id| self.asked.lock().remove(id));
        let ruling = if asked {
            admit(context, now)
        } else {
            let denial =
                Denial::because(DenyCode::MessageInvalid, "nobody asked for this response");
            rule(context, Err(denial.clone()), Err(denial), now)
        };
        self.release(ruling, bytes, now).map_or(Outcome::Drop, Outcome::Pass)
    }

    fn unreadable(&self, error: &ReadError, now: DateTime<Utc>) -> Outcome {
        let denial = denial_of_fault(error);
        let trace = self.record_event("message refused", &denial, now);
        match &error.about {
            Some(About::Request(answer)) => self.refuse(answer, &denial, &trace),
            Some(_) => Outcome::Drop,
            None => Outcome::Close,
        }
    }

    /// Rules on a method by its name, under the authority of the process.
    pub(crate) fn rule_method(&self, context: Context, name: &str, now: DateTime<Utc>) -> Ruling {
        let authority = self.verify(&Ok(self.own_claim()), now);
        rule(context, Ok(&[method(name)]), authority.as_ref().map_err(Clone::clone), now)
    }

    /// The one piece of evidence that counts: the one in the request, else the one of the process,
    /// else the session grant.
    fn claim(&self, presented: Option<Raw<'_>>) -> Result<Option<Claim>, Denial> {
        let Some(presented) = presented else { return Ok(self.own_claim()) };
        let text = presented.string().map_err(|_| Denial::new(DenyCode::EvidenceInvalid))?;
        Ok(Some(Claim::Evidence(Evidence::from_text(&text))))
    }

    fn own_claim(&self) -> Option<Claim> {
        self.evidence.clone().map(Claim::Evidence).or_else(|| self.grant.map(Claim::Held))
    }

    pub(crate) fn verify(
        &self,
        claim: &Result<Option<Claim>, Denial>,
        now: DateTime<Utc>,
    ) -> Result<VerifiedAuthority, Denial> {
        match claim {
            Ok(Some(claim)) => self.kernel.verify(claim, now),
            Ok(None) => Err(Denial::new(DenyCode::EvidenceMissing)),
            Err(denial) => Err(denial.clone()),
        }
    }

    /// Charges, records, releases.
    pub(crate) fn release(
        &self,
        ruling: Ruling,
        bytes: Vec<u8>,
        now: DateTime<Utc>,
    ) -> Result<Permit<Vec<u8>>, Denial> {
        let (reserved, record) = self.kernel.reserve(ruling, now);
        match self.log.append(record, Durability::Written) {
            Ok(receipt) => reserved.release(receipt, Durability::Written, bytes),
            Err(_) => Err(reserved
                .decision()
                .denial()
                .cloned()
                .unwrap_or_else(|| Denial::new(DenyCode::AuditUnavailable))),
        }
    }

    /// Records what is no ruling; answers with the trace id.
    pub(crate) fn record_event(&self, what: &str, denial: &Denial, now: DateTime<Utc>) -> String {
        let trace = self.kernel.trace().unwrap_or_default();
        let record = Record::new(Kind::SecurityEvent, &trace, now)
            .server(&self.server)
            .decision(cap_audit::Decision::Deny)
            .code(denial.code().code())
            .reason(&format!("{what}: {}", denial.reason()));
        // What is refused may leave without a receipt; the log itself denies from here on.
        let _ = self.log.append(record, Durability::Written);
        trace
    }

    pub(crate) fn context(&self, method: &str, trace: &str) -> Context {
        Context {
            trace: trace.to_owned(),
            server: self.server.clone(),
            method: method.to_owned(),
            tool: None,
            detail: Map::new(),
        }
    }

    fn refuse(&self, answer: &Answer, denial: &Denial, trace: &str) -> Outcome {
        Outcome::Answer(crate::refuse::line(answer, denial, trace, self.explain))
    }
}

/// The requests of a method that needs a grant: for the method, and for every file that it names.
fn requests_of_method(request: &Request<'_>) -> Result<Vec<AccessRequest>, Denial> {
    let mut all = vec![method(request.method())];
    for uri in request.named_resources() {
        let uri = uri
            .string()
            .map_err(|_| Denial::because(DenyCode::MessageInvalid, "a `uri` that is no string"))?;
        if uri.trim_start().get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:")) {
            all.extend(requests_of_resource(&uri)?);
        }
    }
    Ok(all)
}

fn method(name: &str) -> AccessRequest {
    AccessRequest::new(Resource::Method(name.to_owned()), Operations::CALL)
}

/// A request without an id, or a notification with one: whatever is granted, it is not passed on.
pub(crate) fn wrong_form() -> Denial {
    Denial::because(
        DenyCode::IdInvalid,
        "this method needs an id where it has none, or has one where it must not",
    )
}

fn internal() -> Denial {
    Denial::new(DenyCode::Internal)
}

const fn code_of(full: Full) -> DenyCode {
    match full {
        Full::InFlight => DenyCode::IdInFlight,
        Full::TooMany => DenyCode::TooManyPending,
    }
}

pub(crate) fn denial_of(full: Full) -> Denial {
    Denial::new(code_of(full))
}

pub(crate) fn denial_of_fault(error: &ReadError) -> Denial {
    Denial::because(error.fault.code(), error.to_string())
}

/// The line without its newline.
pub(crate) fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

/// The line without our evidence; as it came, when it bears none.
pub(crate) fn stripped(message: &Message<'_>, line: &[u8]) -> Vec<u8> {
    match message.without_authority() {
        None => line.to_vec(),
        Some(mut bytes) => {
            bytes.extend_from_slice(line.get(trimmed(line).len()..).unwrap_or_default());
            bytes
        }
    }
}
