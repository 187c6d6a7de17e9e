//! What becomes of the server's messages.

use cap_audit::{Durability, Kind, Record};
use cap_core::{AccessRequest, Denial, DenyCode, Operations, Resource};
use cap_kernel::{VerifiedAuthority, admit, rule};
use cap_mcp::{
    About, Answer, AnswerForm, Audience, Form, Id, ListKind, Message, MethodClass, Notification,
    ReadError, Request, Response, Sender, classify, filter_list, needs_of_tool, read,
    request_of_tool, requests_of_resource,
};
use chrono::{DateTime, Utc};
use serde_json::Map;

use crate::enforce::{Guard, denial_of, denial_of_fault, trimmed, wrong_form};
use crate::pending::{Full, MAX_PENDING, Pending};
use crate::refuse;

/// What becomes of a line of the server.
#[derive(Debug, Default)]
pub(crate) struct FromServer {
    /// A line for the client: the server's own, edited, or a refusal in its place.
    pub(crate) client: Option<Vec<u8>>,
    /// A refusal for the server.
    pub(crate) server: Option<Vec<u8>>,
    /// What came of a call, to be recorded once the client has its answer.
    pub(crate) completed: Option<Record>,
}

impl FromServer {
    fn pass(line: &[u8]) -> Self {
        Self { client: Some(line.to_vec()), ..Self::default() }
    }
}

impl Guard {
    /// Rules on a line of the server.
    pub(crate) fn server(&self, line: &[u8], now: DateTime<Utc>) -> FromServer {
        match read(trimmed(line)) {
            Ok(Message::Response(response)) => self.server_response(&response, line, now),
            Ok(Message::Request(request)) => self.server_request(&request, line, now),
            Ok(Message::Notification(notification)) => {
                self.server_notification(&notification, line, now)
            }
            Ok(_) => FromServer::default(),
            Err(error) if error.fault == cap_mcp::Fault::Empty => FromServer::default(),
            Err(error) => self.server_unreadable(&error, line, now),
        }
    }

    /// Appends the record of a completed call.
    pub(crate) fn completed(&self, record: Record) {
        // A log that fails here denies the next call.
        let _ = self.log.append(record, Durability::Written);
    }

    /// Records the calls that the server was asked and never answered.
    pub(crate) fn unanswered(&self, now: DateTime<Utc>) {
        for pending in self.pending.lock().drain() {
            self.completed(completed(&self.server, &pending, "unanswered", 0, now));
        }
    }

    fn server_response(
        &self,
        response: &Response<'_>,
        line: &[u8],
        now: DateTime<Utc>,
    ) -> FromServer {
        let Some(id) = response.id() else {
            // An error that answers no request in particular: nobody waits for it.
            return match response.input_requests() {
                Ok(asked) if asked.is_empty() => FromServer::pass(line),
                _ => {
                    let denial = Denial::new(DenyCode::MethodNotAllowed);
                    self.record_event("error of the server dropped", &denial, now);
                    FromServer::default()
                }
            };
        };
        let Some(pending) = self.pending.lock().take(id) else {
            let denial =
                Denial::because(DenyCode::MessageInvalid, "a response that nobody waits for");
            self.record_event("response of the server dropped", &denial, now);
            return FromServer::default();
        };
        let shown = self.show(response, &pending, now);
        let outcome = match (&shown, response.error().is_some()) {
            (Err(_), _) => "refused",
            (Ok(_), true) => "error",
            (Ok(_), false) if is_error(response) => "tool-error",
            (Ok(_), false) => "result",
        };
        let completed = completed(&self.server, &pending, outcome, line.len(), now);
        let client = match shown {
            Ok(None) => line.to_vec(),
            Ok(Some(mut edited)) => {
                edited.push(b'\n');
                edited
            }
            Err(denial) => {
                self.record_event("response of the server refused", &denial, now);
                refuse::bad_response(&pending.answer, &denial, &pending.trace)
            }
        };
        FromServer { client: Some(client), server: None, completed: Some(completed) }
    }

    /// The response as the client may see it: `None` as it came.
    fn show(
        &self,
        response: &Response<'_>,
        pending: &Pending,
        now: DateTime<Utc>,
    ) -> Result<Option<Vec<u8>>, Denial> {
        let invalid = |error: String| Denial::because(DenyCode::MessageInvalid, error);
        let asked = response.input_requests().map_err(|error| invalid(error.to_string()))?;
        for method in &asked {
            let context = self.context(method, &pending.trace);
            let claim = Ok(pending.claim.clone());
            let authority = self.verify(&claim, now);
            let requests = [method_request(method)];
            let ruling =
                rule(context, Ok(&requests), authority.as_ref().map_err(Clone::clone), now);
            // The permit is for the question, which goes out with the response.
            let _question = self.release(ruling, Vec::new(), now)?;
        }
        let Some(list) = pending.list else { return Ok(None) };
        let authority = self.verify(&Ok(pending.claim.clone()), now).ok();
        let audience = match &authority {
            Some(authority) if authority.is_top() => Audience::Everyone,
            _ => Audience::Caller,
        };
        let mut keep = |name: &str| {
            authority.as_ref().is_some_and(|authority| self.shows(authority, list, name, now))
        };
        filter_list(response, list, pending.era, audience, &mut keep)
            .map_err(|error| invalid(error.to_string()))
    }

    /// Whether something could be done with an item of a list.
    fn shows(
        &self,
        authority: &VerifiedAuthority,
        list: ListKind,
        name: &str,
        now: DateTime<Utc>,
    ) -> bool {
        match list {
            ListKind::Tools => request_of_tool(name, &self.server, &self.tools).is_ok_and(|tool| {
                authority.admits_tool(&tool, needs_of_tool(name, &self.tools), now)
            }),
            ListKind::Prompts => authority.admits(&[method_request("prompts/get")], now),
            ListKind::Resources => {
                requests_of_resource(name).is_ok_and(|requests| authority.admits(&requests, now))
            }
            ListKind::ResourceTemplates => {
                authority.admits(&[method_request("resources/read")], now)
            }
        }
    }

    /// The server asks the client for something: what the policy grants by name, it may.
    fn server_request(&self, request: &Request<'_>, line: &[u8], now: DateTime<Utc>) -> FromServer {
        let Ok(trace) = self.kernel.trace() else { return FromServer::default() };
        let context = self.context(request.method(), &trace);
        let ruling = match classify(Sender::Server, Form::Request, request.method()) {
            _ if let Err(full) = self.room_to_ask(request.id()) => {
                rule(context, Err(denial_of(full)), Err(denial_of(full)), now)
            }
            MethodClass::Free => admit(context, now),
            MethodClass::WrongForm => rule(context, Err(wrong_form()), Err(wrong_form()), now),
            _ => self.rule_method(context, request.method(), now),
        };
        match self.release(ruling, line.to_vec(), now) {
            Ok(permit) => {
                self.asked.lock().insert(request.id().clone());
                FromServer { client: Some(permit.into_message()), ..FromServer::default() }
            }
            Err(denial) => {
                // The server called no tool, whatever it calls its request.
                let answer = Answer { form: AnswerForm::Error, ..request.answer() };
                let refusal = refuse::line(&answer, &denial, &trace, self.explain);
                FromServer { server: Some(refusal), ..FromServer::default() }
            }
        }
    }

    /// SECURITY: a server could ask and ask, of a client that never answers.
    fn room_to_ask(&self, id: &Id) -> Result<(), Full> {
        let asked = self.asked.lock();
        match asked.len() {
            _ if asked.contains(id) => Err(Full::InFlight),
            MAX_PENDING.. => Err(Full::TooMany),
            _ => Ok(()),
        }
    }

    fn server_notification(
        &self,
        notification: &Notification<'_>,
        line: &[u8],
        now: DateTime<Utc>,
    ) -> FromServer {
        let name = notification.method();
        let class = classify(Sender::Server, Form::Notification, name);
        if name == "notifications/cancelled"
            && let Some(id) = notification.param("requestId").and_then(|id| Id::read(&id))
        {
            self.asked.lock().remove(&id);
        }
        if class == MethodClass::Free {
            return FromServer::pass(line);
        }
        let Ok(trace) = self.kernel.trace() else { return FromServer::default() };
        let context = self.context(name, &trace);
        let ruling = match class {
            MethodClass::WrongForm => rule(context, Err(wrong_form()), Err(wrong_form()), now),
            _ => self.rule_method(context, name, now),
        };
        match self.release(ruling, line.to_vec(), now) {
            Ok(permit) => FromServer::pass(&permit.into_message()),
            Err(_) => FromServer::default(),
        }
    }

    /// SECURITY: what two readers could take for different things is not passed on; who waits for
    /// it gets an error.
    fn server_unreadable(&self, error: &ReadError, line: &[u8], now: DateTime<Utc>) -> FromServer {
        let denial = denial_of_fault(error);
        let trace = self.record_event("message of the server refused", &denial, now);
        let pending = match &error.about {
            Some(About::Response(id)) => self.pending.lock().take(id),
            _ => None,
        };
        let Some(pending) = pending else { return FromServer::default() };
        FromServer {
            client: Some(refuse::bad_response(&pending.answer, &denial, &trace)),
            server: None,
            completed: Some(completed(&self.server, &pending, "refused", line.len(), now)),
        }
    }
}

fn completed(
    server: &str,
    pending: &Pending,
    outcome: &str,
    bytes: usize,
    now: DateTime<Utc>,
) -> Record {
    let micros = u64::try_from(pending.since.elapsed().as_micros()).unwrap_or(u64::MAX);
    let detail = Map::from_iter([
        ("outcome".to_owned(), outcome.into()),
        ("latency_us".to_owned(), micros.into()),
        ("bytes".to_owned(), bytes.into()),
    ]);
    let record = Record::new(Kind::Completed, &pending.trace, now)
        .server(server)
        .method(&pending.method)
        .detail(detail);
    match &pending.tool {
        Some(tool) => record.tool(tool),
        None => record,
    }
}

fn is_error(response: &Response<'_>) -> bool {
    response.result_member("isError").is_some_and(|flag| flag.text() == "true")
}

fn method_request(name: &str) -> AccessRequest {
    AccessRequest::new(Resource::Method(name.to_owned()), Operations::CALL)
}
