use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Digest, json};

mod bound;
mod instant;

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// The first record of a log. Only the log writes it.
    Opened,
    /// A request was ruled on.
    Ruling,
    /// A permitted request came to its end: outcome, latency, size.
    Completed,
    /// A root capability was created.
    Grant,
    /// A capability was passed on, attenuated.
    Delegation,
    /// A capability, or all of a principal, was revoked.
    Revocation,
    /// A session began, was renewed or ended.
    Session,
    /// A limit was set, reached or settled.
    Limit,
    /// A key was made, rotated or retired.
    KeyChange,
    /// Something that a person should look at.
    SecurityEvent,
    /// Signs everything before it. Only the log writes it.
    Checkpoint,
    /// The log was found without its owner, or torn. Only the log writes it.
    Recovered,
    /// The last record of a log; signs everything before it. Only the log writes it.
    Closed,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// The request was permitted.
    Allow,
    /// The request was refused.
    Deny,
}

/// What happened, ready to be appended to a log.
///
/// Every text is bounded: one that is longer is cut and ends in `…[N bytes]`, N being the length
/// that it had. Nothing in a text can break a line of the log, see the crate's documentation.
/// Callers put digests and summaries of arguments in here ([`ArgumentDigests`](crate::ArgumentDigests)),
/// never tokens, MACs, or URLs with user-info or query ([`redact_url`](crate::redact_url)).
#[derive(Debug, Clone)]
pub struct Record {
    body: Body,
    sealed: OnceLock<Sealed>,
}

/// The content of a record, as it stands under `body` in a line of the log. Absent members are
/// left out there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Body {
    /// What the record is about.
    pub kind: Kind,
    /// When it happened, in microseconds.
    #[serde(with = "instant")]
    pub at: DateTime<Utc>,
    /// What ties the records of one request together, and to what the client was told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trace: String,
    /// Who acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// The id of the capability that was used, made or revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capability: Option<String>,
    /// The ids of that capability's ancestors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
    /// The guarded server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The protocol's method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The tool that was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// What was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// The stable code of a denial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whatever else belongs to this kind of record. Numbers are integers; others are texts.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub detail: Map<String, Value>,
}

/// The bytes of a record as they will stand in the log.
#[derive(Debug, Clone)]
pub(crate) struct Sealed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: Digest,
}

impl Record {
    /// A record of something that happened at `at`. Instants are kept in microseconds and within
    /// the years 0 to 9999.
    #[must_use]
    pub fn new(kind: Kind, trace: &str, at: DateTime<Utc>) -> Self {
        let body = Body {
            kind,
            at: instant::bounded(at),
            trace: bound::name(trace),
            principal: None,
            capability: None,
            chain: Vec::new(),
            server: None,
            method: None,
            tool: None,
            decision: None,
            code: None,
            reason: None,
            detail: Map::new(),
        };
        Self { body, sealed: OnceLock::new() }
    }

    /// Who acted; at most 256 bytes.
    #[must_use]
    pub fn principal(self, principal: &str) -> Self {
        self.with(|body| body.principal = Some(bound::name(principal)))
    }

    /// The id of the capability that was used, made or revoked; at most 256 bytes.
    #[must_use]
    pub fn capability(self, id: &str) -> Self {
        self.with(|body| body.capability = Some(bound::name(id)))
    }

    /// The ids of that capability's ancestors, the nearest first; at most 16 of 256 bytes, then
    /// one entry that says how many there were.
    #[must_use]
    pub fn chain<'a>(self, ancestors: impl IntoIterator<Item = &'a str>) -> Self {
        self.with(|body| body.chain = bound::chain(ancestors))
    }

    /// The guarded server; at most 256 bytes.
    #[must_use]
    pub fn server(self, server: &str) -> Self {
        self.with(|body| body.server = Some(bound::name(server)))
    }

    /// The protocol's method; at most 256 bytes.
    #[must_use]
    pub fn method(self, method: &str) -> Self {
        self.with(|body| body.method = Some(bound::name(method)))
    }

    /// The tool that was called; at most 256 bytes.
    #[must_use]
    pub fn tool(self, tool: &str) -> Self {
        self.with(|body| body.tool = Some(bound::name(tool)))
    }

    /// What was decided.
    #[must_use]
    pub fn decision(self, decision: Decision) -> Self {
        self.with(|body| body.decision = Some(decision))
    }

    /// The stable code of a denial; at most 256 bytes.
    #[must_use]
    pub fn code(self, code: &str) -> Self {
        self.with(|body| body.code = Some(bound::name(code)))
    }

    /// A sentence for people; at most 1,024 bytes.
    #[must_use]
    pub fn reason(self, reason: &str) -> Self {
        self.with(|body| body.reason = Some(bound::sentence(reason)))
    }

    /// Whatever else belongs to this kind of record: texts of at most 4,096 bytes and names of at
    /// most 256, nested at most 8 deep; numbers that are no integers become texts. A detail that
    /// takes more than 16 KiB in the log is left out, and `omitted` says so.
    #[must_use]
    pub fn detail(self, detail: Map<String, Value>) -> Self {
        self.with(|body| body.detail = bound::detail(detail))
    }

    /// The content.
    #[must_use]
    pub const fn body(&self) -> &Body {
        &self.body
    }

    /// The SHA-256 digest of the body's bytes as they will stand in the log. The receipt of this
    /// record carries it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.sealed.get_or_init(|| Sealed::of(&self.body)).digest
    }

    /// The bytes and their digest, made once.
    pub(crate) fn seal(self) -> Sealed {
        self.sealed.into_inner().unwrap_or_else(|| Sealed::of(&self.body))
    }

    fn with(mut self, change: impl FnOnce(&mut Body)) -> Self {
        change(&mut self.body);
        self.sealed = OnceLock::new();
        self
    }
}

impl Sealed {
    fn of(body: &Body) -> Self {
        let bytes = body.to_bytes();
        let digest = Digest::of(&bytes);
        Self { bytes, digest }
    }
}

impl Kind {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Ruling => "ruling",
            Self::Completed => "completed",
            Self::Grant => "grant",
            Self::Delegation => "delegation",
            Self::Revocation => "revocation",
            Self::Session => "session",
            Self::Limit => "limit",
            Self::KeyChange => "key-change",
            Self::SecurityEvent => "security-event",
            Self::Checkpoint => "checkpoint",
            Self::Recovered => "recovered",
            Self::Closed => "closed",
        }
    }

    /// Whether only the log itself writes records of this kind.
    pub(crate) const fn is_reserved(self) -> bool {
        matches!(self, Self::Opened | Self::Checkpoint | Self::Recovered | Self::Closed)
    }
}

impl Decision {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl Body {
    /// The one way in which this content is written.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(b"{\"kind\":");
        json::string(&mut out, self.kind.as_str());
        out.extend_from_slice(b",\"at\":");
        json::string(&mut out, &instant::text(&self.at));
        let trace = (!self.trace.is_empty()).then_some(self.trace.as_str());
        member(&mut out, "trace", trace);
        member(&mut out, "principal", self.principal.as_deref());
        member(&mut out, "capability", self.capability.as_deref());
        if !self.chain.is_empty() {
            out.extend_from_slice(b",\"chain\":");
            json::strings(&mut out, &self.chain);
        }
        member(&mut out, "server", self.server.as_deref());
        member(&mut out, "method", self.method.as_deref());
        member(&mut out, "tool", self.tool.as_deref());
        member(&mut out, "decision", self.decision.map(Decision::as_str));
        member(&mut out, "code", self.code.as_deref());
        member(&mut out, "reason", self.reason.as_deref());
        if !self.detail.is_empty() {
            out.extend_from_slice(b",\"detail\":");
            json::object(&mut out, &self.detail);
        }
        out.push(b'}');
        out
    }

    /// What was written. `None` unless it is written in that one way.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let body: Self = serde_json::from_slice(bytes).ok()?;
        (bound::has_only_integers(&body.detail) && body.to_bytes() == bytes).then_some(body)
    }
}

fn member(out: &mut Vec<u8>, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        out.push(b',');
        json::string(out, name);
        out.push(b':');
        json::string(out, text);
    }
}

#[cfg(test)]
mod tests;
