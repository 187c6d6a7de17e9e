use std::sync::Arc;

use cap_audit::{Digest, Durability, Kind, Receipt, Record};
use cap_core::{AccessRequest, Capability, Charge, Decision, Denial, DenyCode};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::verified::{Candidate, VerifiedAuthority};

/// What a call is, for the record: nothing in it is decided on.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The id under which the call is found again, in the log and in the answer.
    pub trace: String,
    /// The server it goes to.
    pub server: String,
    /// The protocol method.
    pub method: String,
    /// The tool, where it calls one.
    pub tool: Option<String>,
    /// More: keyed digests and summaries of its arguments, never the arguments.
    pub detail: Map<String, Value>,
}

/// Rules on a call: a pure function of verified authority, requests and instant. It cannot fail;
/// whatever was wrong before is handed in as the denial that it is.
///
/// The call is permitted when one capability permits all of its requests; authorities never unite.
pub fn rule(
    context: Context,
    requests: Result<&[AccessRequest], Denial>,
    authority: Result<&VerifiedAuthority, Denial>,
    now: DateTime<Utc>,
) -> Ruling {
    let mut ruling =
        Ruling { context, now, decision: Decision::Allow, candidate: None, charges: Vec::new() };
    let candidates = match &authority {
        Ok(authority) => authority.candidates(),
        Err(_) => &[],
    };
    ruling.candidate = candidates.first().cloned();
    let decided = match (authority, requests) {
        (Err(denial), _) | (_, Err(denial)) => Err(denial),
        (Ok(authority), Ok(requests)) => choose(authority.candidates(), requests, now),
    };
    match decided {
        Ok((chosen, charges)) => {
            ruling.charges = charges;
            ruling.candidate = Some(chosen.clone());
        }
        Err(denial) => ruling.decision = Decision::Deny(denial),
    }
    ruling
}

/// Rules on a message that the protocol allows without a grant, such as its handshake: it is
/// recorded like every other, and charges nothing.
pub fn admit(context: Context, now: DateTime<Utc>) -> Ruling {
    Ruling { context, now, decision: Decision::Allow, candidate: None, charges: Vec::new() }
}

/// The first candidate that permits everything, and what the call charges; else the refusal of the
/// first one.
fn choose<'a>(
    candidates: &'a [Candidate],
    requests: &[AccessRequest],
    now: DateTime<Utc>,
) -> Result<(&'a Candidate, Vec<Charge>), Denial> {
    let mut refusal = None;
    for candidate in candidates {
        let permitted = candidate.check_call(requests);
        match permitted.and_then(|()| permits_all(&candidate.capability, requests, now)) {
            Ok(charges) => return Ok((candidate, charges)),
            Err(denial) => refusal = refusal.or(Some(denial)),
        }
    }
    Err(refusal.unwrap_or_else(|| Denial::new(DenyCode::EvidenceMissing)))
}

/// What a call charges where a capability permits all of its requests; a call that asks for nothing
/// was not understood.
pub(crate) fn permits_all(
    capability: &Capability,
    requests: &[AccessRequest],
    now: DateTime<Utc>,
) -> Result<Vec<Charge>, Denial> {
    if requests.is_empty() {
        return Err(Denial::new(DenyCode::Internal));
    }
    for request in requests {
        if let Decision::Deny(denial) = capability.permits(request, now) {
            return Err(denial);
        }
    }
    let mut charges = Vec::new();
    for obligation in capability.obligations() {
        charges.extend(obligation.charges(requests)?);
    }
    Ok(charges)
}

/// A decision before its limits are charged. Alone it permits nothing.
#[derive(Debug)]
#[must_use]
pub struct Ruling {
    context: Context,
    now: DateTime<Utc>,
    decision: Decision,
    candidate: Option<Candidate>,
    charges: Vec<Charge>,
}

impl Ruling {
    /// The decision so far.
    pub const fn decision(&self) -> &Decision {
        &self.decision
    }

    /// The capability under which it was ruled: the one that permits, or the first one tried.
    #[must_use]
    pub fn capability(&self) -> Option<&Capability> {
        self.candidate.as_ref().map(|candidate| &*candidate.capability)
    }

    /// What the call uses up of the limits of the capability and of its ancestors.
    #[must_use]
    pub fn charges(&self) -> &[Charge] {
        &self.charges
    }

    /// Seals the ruling with what came of charging its limits; also the record of it.
    pub(crate) fn settle(mut self, charged: Result<(), Denial>) -> (Reserved, Record) {
        if let (Decision::Allow, Err(denial)) = (&self.decision, charged) {
            self.decision = Decision::Deny(denial);
        }
        let record = self.record();
        let capability = self.candidate.map(|candidate| candidate.capability);
        let reserved = Reserved { decision: self.decision, digest: record.digest(), capability };
        (reserved, record)
    }

    fn record(&self) -> Record {
        let context = &self.context;
        let mut record = Record::new(Kind::Ruling, &context.trace, self.now)
            .server(&context.server)
            .method(&context.method);
        if let Some(tool) = &context.tool {
            record = record.tool(tool);
        }
        let mut detail = context.detail.clone();
        if let Some(candidate) = &self.candidate {
            let capability = &candidate.capability;
            record = record
                .principal(capability.principal().as_str())
                .capability(&capability.id().to_string());
            let ancestors = candidate.chain.iter().rev().skip(1);
            let ancestors: Vec<String> = ancestors.map(ToString::to_string).collect();
            record = record.chain(ancestors.iter().map(String::as_str));
            detail.extend(candidate.token.clone().map(|id| ("token".to_owned(), id.into())));
        }
        record = match &self.decision {
            Decision::Allow => record.decision(cap_audit::Decision::Allow),
            Decision::Deny(denial) => record
                .decision(cap_audit::Decision::Deny)
                .code(denial.code().code())
                .reason(denial.reason()),
        };
        if detail.is_empty() { record } else { record.detail(detail) }
    }
}

/// A ruling whose limits are charged, and whose record waits for its receipt.
#[derive(Debug)]
#[must_use]
pub struct Reserved {
    decision: Decision,
    digest: Digest,
    capability: Option<Arc<Capability>>,
}

impl Reserved {
    /// The decision.
    pub const fn decision(&self) -> &Decision {
        &self.decision
    }

    /// The capability under which it was ruled.
    #[must_use]
    pub fn capability(&self) -> Option<&Capability> {
        self.capability.as_deref()
    }

    /// Releases the message, if the ruling permits it and `receipt` is that of its record, at
    /// least as durable as `wanted`.
    ///
    /// # Errors
    /// The denial: the ruling's own, or that the receipt is not good enough.
    #[allow(clippy::needless_pass_by_value, reason = "a receipt is used once")]
    pub fn release<T>(
        self,
        receipt: Receipt,
        wanted: Durability,
        message: T,
    ) -> Result<Permit<T>, Denial> {
        match self.decision {
            Decision::Deny(denial) => Err(denial),
            Decision::Allow if receipt.digest() != self.digest || receipt.durability() < wanted => {
                Err(Denial::new(DenyCode::ReceiptMismatch))
            }
            Decision::Allow => Ok(Permit { message }),
        }
    }
}

/// The right to send one message, once. Only [`Reserved::release`] makes one, and only for a
/// recorded permission:
///
/// ```compile_fail
/// let permit = cap_kernel::Permit { message: "anything" };
/// ```
#[derive(Debug)]
#[must_use]
pub struct Permit<T> {
    message: T,
}

impl<T> Permit<T> {
    /// The message, to be sent now.
    pub fn into_message(self) -> T {
        self.message
    }
}
