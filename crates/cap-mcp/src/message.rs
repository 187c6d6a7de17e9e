//! What a line says: a request, a notification or a response, as views into its bytes.

mod body;
mod call;
mod id;
mod lookalike;
mod read;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use self::body::Body;
pub use self::call::{Call, CallError};
pub use self::id::{Id, MAX_ID_BYTES};
pub use self::read::read;
use crate::json::{Home, Kind, Raw};

/// The `_meta` key under which a client presents its evidence; it never reaches the server.
pub const AUTHORITY_META: &str = "dev.mcp-security/authority";
/// The `_meta` key under which a refusal says its code and trace id.
pub const DENIAL_META: &str = "dev.mcp-security/denial";
/// The `_meta` key that every request of revision 2026-07-28 and later carries.
const VERSION_META: &str = "io.modelcontextprotocol/protocolVersion";

/// One message, read strictly.
#[derive(Debug)]
#[non_exhaustive]
pub enum Message<'a> {
    /// It wants an answer.
    Request(Request<'a>),
    /// It wants none.
    Notification(Notification<'a>),
    /// It answers a request of the other side.
    Response(Response<'a>),
}

impl Message<'_> {
    /// The same line without our evidence in `_meta`; `None` when there is none to take out, so
    /// that the line itself can be passed on. All other bytes are those that came.
    #[must_use]
    pub fn without_authority(&self) -> Option<Vec<u8>> {
        match self {
            Self::Request(Request { body, .. }) | Self::Notification(Notification { body, .. }) => {
                body.without(Home::ParamsMeta, AUTHORITY_META)
            }
            Self::Response(Response { body, .. }) => body.without(Home::ResultMeta, AUTHORITY_META),
        }
    }
}

/// The generation of the protocol in which a request speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Era {
    /// 2025-11-25 and earlier: `initialize`, then a session.
    Legacy,
    /// 2026-07-28 and later: every request carries its protocol version in `_meta`.
    Stateless,
}

/// A request.
#[derive(Debug)]
pub struct Request<'a> {
    body: Body<'a>,
    id: Id,
    method: Cow<'a, str>,
}

impl<'a> Request<'a> {
    /// The id to answer under.
    #[must_use]
    pub const fn id(&self) -> &Id {
        &self.id
    }

    /// The method, decoded.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// `params`, where there are any.
    #[must_use]
    pub fn params(&self) -> Option<Raw<'a>> {
        self.body.member(Home::Envelope, "params")
    }

    /// A member of `params`.
    #[must_use]
    pub fn param(&self, key: &str) -> Option<Raw<'a>> {
        self.body.member(Home::Params, key)
    }

    /// A member of `params._meta`.
    #[must_use]
    pub fn meta(&self, key: &str) -> Option<Raw<'a>> {
        self.body.member(Home::ParamsMeta, key)
    }

    /// The evidence that the client presents in this request, of whatever kind it is.
    #[must_use]
    pub fn authority(&self) -> Option<Raw<'a>> {
        self.meta(AUTHORITY_META)
    }

    /// The era of this request: stateless when it says its protocol version.
    #[must_use]
    pub fn era(&self) -> Era {
        if self.meta(VERSION_META).is_some() { Era::Stateless } else { Era::Legacy }
    }

    /// Under which id and in which form this request can be answered.
    #[must_use]
    pub fn answer(&self) -> Answer {
        let form = if self.method != "tools/call" || self.param("task").is_some() {
            AnswerForm::Error
        } else {
            AnswerForm::ToolResult(self.era())
        };
        Answer { id: self.id.clone(), form }
    }

    /// What a `tools/call` calls.
    ///
    /// # Errors
    /// When `params` is no object, `name` no decidable string, or `arguments` neither an object
    /// nor null.
    pub fn call(&self) -> Result<Call<'a>, CallError> {
        Call::of(self)
    }

    /// The URIs that a method other than `resources/read` names: `uri`, `ref.uri`,
    /// `notifications.resourceSubscriptions[]`, whatever they are.
    #[must_use]
    pub fn named_resources(&self) -> Vec<Raw<'a>> {
        let of = |param: &str, key: &str| member(&self.param(param)?, key);
        let subscriptions = of("notifications", "resourceSubscriptions");
        let subscriptions = subscriptions.filter(|list| list.kind() == Kind::Array);
        let listed = subscriptions.into_iter().flat_map(|list| list.elements());
        self.param("uri").into_iter().chain(of("ref", "uri")).chain(listed).collect()
    }

    /// The `uri` of a `resources/read` and its kin.
    ///
    /// # Errors
    /// When it is missing or no decidable string.
    pub fn uri(&self) -> Result<Cow<'a, str>, CallError> {
        let uri = self.param("uri").ok_or(CallError::Uri)?;
        uri.string().map_err(|_| CallError::Uri)
    }
}

/// A notification.
#[derive(Debug)]
pub struct Notification<'a> {
    body: Body<'a>,
    method: Cow<'a, str>,
}

impl<'a> Notification<'a> {
    /// The method, decoded.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// A member of `params`.
    #[must_use]
    pub fn param(&self, key: &str) -> Option<Raw<'a>> {
        self.body.member(Home::Params, key)
    }

    /// The evidence that the client presents in this notification, of whatever kind it is.
    #[must_use]
    pub fn authority(&self) -> Option<Raw<'a>> {
        self.body.member(Home::ParamsMeta, AUTHORITY_META)
    }
}

/// A response.
#[derive(Debug)]
pub struct Response<'a> {
    body: Body<'a>,
    id: Option<Id>,
}

impl<'a> Response<'a> {
    /// The id of the request that it answers. Only an error can be without: its sender could not
    /// read the id.
    #[must_use]
    pub const fn id(&self) -> Option<&Id> {
        self.id.as_ref()
    }

    /// The result; `None` for an error.
    #[must_use]
    pub fn result(&self) -> Option<Raw<'a>> {
        self.body.member(Home::Envelope, "result")
    }

    /// The error; `None` for a result.
    #[must_use]
    pub fn error(&self) -> Option<Raw<'a>> {
        self.body.member(Home::Envelope, "error")
    }

    /// A member of the result.
    #[must_use]
    pub fn result_member(&self, key: &str) -> Option<Raw<'a>> {
        self.body.member(Home::Result, key)
    }

    /// The methods that the server asks the client for by this result (multi round-trip requests
    /// of 2026-07-28: `inputRequests`); none for any other result. Each needs its own grant.
    ///
    /// An error that asks for an elicitation (2025-11-25: code -32042, or `data.elicitations`) asks
    /// for `elicitation/create`.
    ///
    /// # Errors
    /// When what is asked for cannot be read.
    pub fn input_requests(&self) -> Result<Vec<Cow<'a, str>>, InputRequestError> {
        if self.error().is_some_and(|error| elicits(&error)) {
            return Ok(vec![Cow::Borrowed("elicitation/create")]);
        }
        // SECURITY: looked at whatever `resultType` says: a client may go by the member alone.
        let Some(requests) = self.result_member("inputRequests") else { return Ok(Vec::new()) };
        if requests.kind() != Kind::Object {
            return Err(InputRequestError);
        }
        let method = |request: Raw<'a>| {
            let mut members = request.members();
            members.find(|member| member.key == "method")?.value.string().ok()
        };
        requests.members().map(|member| method(member.value).ok_or(InputRequestError)).collect()
    }

    pub(crate) fn line(&self) -> &'a str {
        self.body.line
    }
}

/// SECURITY: by the code or by the member: a client may go by either.
fn elicits(error: &Raw<'_>) -> bool {
    let code = member(error, "code").and_then(|code| code.text().parse::<f64>().ok());
    let data = member(error, "data");
    code == Some(-32042.0) || data.is_some_and(|data| member(&data, "elicitations").is_some())
}

fn member<'a>(of: &Raw<'a>, key: &str) -> Option<Raw<'a>> {
    let mut members = (of.kind() == Kind::Object).then(|| of.members())?;
    members.find(|member| member.key == key).map(|member| member.value)
}

/// `inputRequests` is no object of requests with a method each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the input requests of the result cannot be read")]
pub struct InputRequestError;

/// Under which id and in which form a request is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The id of the request.
    pub id: Id,
    /// The form that its sender cannot mistake for success.
    pub form: AnswerForm,
}

/// The form of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerForm {
    /// A tool result with `isError`, valid in this era.
    ToolResult(Era),
    /// A JSON-RPC error: for what is no tool call, and for a tool call that asked for a task.
    Error,
}
