use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use cap_audit::{AppendError, AuditLog, Durability, Keys, Kind, LogRegistry, Record};
use cap_core::{
    AccessRequest, Capability, CapabilityId, Delegation, Denial, DenyCode, Evidence, Principal,
    RootGrant, Widening,
};
use cap_crypto::RandomError;
use cap_kernel::{
    Context, IssueError, Kernel, KeyChange, KeyChangeError, Permit, RevokeError, Ruling, Standing,
    StoreError, Target, TokenError, rule,
};
use cap_token::RevocationTarget;
use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::clock::Clock;

mod evidence;
mod open;
mod stats;

use evidence::{Chains, Issuing};

pub use evidence::TokenMode;
pub use open::OpenError;
pub use stats::{AuditStats, StatsError};

/// Capabilities for the agents of one program: granted, checked, delegated, revoked and recorded.
///
/// All methods take `&self` and may be called by many threads at once. Every program that opens
/// the same folder, guards included, shares one state; each writes a log of its own.
#[derive(Debug)]
pub struct Security {
    kernel: Kernel,
    log: AuditLog,
    /// The folder of all logs.
    logs: PathBuf,
    keys: Keys,
    registry: Arc<dyn LogRegistry>,
    durability: Durability,
    clock: Clock,
    issuing: Issuing,
    chains: Option<Chains>,
    /// INVARIANT: outlives `log`, which lies in it; fields are dropped in their order.
    _temporary: Option<TempDir>,
}

/// A capability that was just issued, and the evidence with which its holder uses it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Issued {
    /// The capability.
    pub capability: Arc<Capability>,
    /// What its holder presents. A secret: who has it, has the capability.
    pub evidence: Evidence,
    /// What a delegation asked for beyond its parent, and did not get
    /// ([`Attenuation::Intersect`](cap_core::Attenuation::Intersect)).
    pub cut: Vec<Widening>,
}

impl Issued {
    /// The evidence as text, to be handed to its holder; [`Evidence::from_text`] reads it.
    #[must_use]
    pub fn evidence_text(&self) -> &str {
        match &self.evidence {
            Evidence::CapabilityId(text) | Evidence::Token(text) | Evidence::Chain(text) => text,
            // None that is issued here.
            _ => "",
        }
    }
}

/// What became of a call: the permit that holds its message, or the denial.
#[derive(Debug)]
#[must_use]
pub struct Validation<T> {
    /// The id under which the call stands in the log; empty if no random bytes could be had.
    pub trace: String,
    /// The message, once, or why it must not be sent.
    pub outcome: Result<Permit<T>, Denial>,
}

/// Why a capability was not handed out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It was not granted or delegated.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// It was, but its evidence could not be made: ask for it again
    /// ([`Security::evidence_in`]), or revoke it.
    #[error("capability {id} was issued, but not its evidence: {source}")]
    Evidence {
        /// The capability.
        id: CapabilityId,
        /// Why.
        source: TokenError,
    },
}

/// Why an event was not recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// No random bytes could be had.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The record could not be written.
    #[error(transparent)]
    Audit(#[from] AppendError),
}

impl Security {
    /// Grants a root capability. It is durable and recorded when this returns; its evidence has the
    /// form that [`set_token_mode`](Self::set_token_mode) says.
    ///
    /// # Errors
    /// When it is no capability, or could not be recorded or made durable: then it is not granted.
    /// [`RequestError::Evidence`] when it was granted, but its evidence could not be made.
    pub fn request_capability(&self, grant: RootGrant) -> Result<Issued, RequestError> {
        let capability = self.kernel.grant(grant, None, &self.log, (self.clock)())?;
        self.issued(capability, Vec::new())
    }

    /// Rules on a call that makes `requests` under `evidence`, charges its limits, records the
    /// ruling, and gives `message` back in a permit, or not at all. Give the call itself as the
    /// message, so that nothing can be sent that was not permitted; `()` if there is none.
    ///
    /// One capability must permit all of `requests`; there must be at least one. Whatever goes
    /// wrong, down to a log that cannot be written, is a denial.
    pub fn validate_capability<T>(
        &self,
        evidence: &Evidence,
        requests: &[AccessRequest],
        message: T,
    ) -> Validation<T> {
        let now = (self.clock)();
        let trace = self.kernel.trace();
        let authority = match &trace {
            Ok(_) => self
                .claim(evidence, requests, now)
                .and_then(|claim| self.kernel.verify(&claim, now)),
            Err(_) => Err(Denial::new(DenyCode::Internal)),
        };
        let trace = trace.unwrap_or_default();
        let context = Context { trace: trace.clone(), ..Context::default() };
        let ruling = rule(context, Ok(requests), authority.as_ref().map_err(Clone::clone), now);
        Validation { trace, outcome: self.release(ruling, message) }
    }

    /// Delegates the capability `parent`, narrowed to what `delegation` says. It is durable and
    /// recorded when this returns.
    ///
    /// # Errors
    /// As [`Security::request_capability`]; also when the parent is unknown, revoked or expired,
    /// may not be delegated any further, or has less than was asked for.
    pub fn delegate_capability(
        &self,
        parent: CapabilityId,
        delegation: Delegation,
    ) -> Result<Issued, RequestError> {
        let (capability, cut) =
            self.kernel.delegate(parent, delegation, &self.log, (self.clock)())?;
        self.issued(capability, cut)
    }

    /// Revokes a capability with everything that was delegated from it, in every process.
    ///
    /// # Errors
    /// When there is no such capability, or the revocation could not be made durable; also when
    /// it stands, but could not be recorded ([`RevokeError::Audit`]).
    pub fn revoke_capability(&self, id: CapabilityId, reason: &str) -> Result<(), RevokeError> {
        self.revoke(Target::Capability(id), reason)
    }

    /// Revokes everything that a principal holds now, with everything that was delegated from it.
    /// What it is granted later is not touched.
    ///
    /// # Errors
    /// As [`Security::revoke_capability`]; a principal that holds nothing is none.
    pub fn revoke_all_for_principal(
        &self,
        principal: &Principal,
        reason: &str,
    ) -> Result<(), RevokeError> {
        self.revoke(Target::Principal(principal.clone()), reason)
    }

    /// Revokes what tokens and chains may be known by, wherever they come from: an id, an issuer, a
    /// key, a principal, a capability that this state does not know.
    ///
    /// # Errors
    /// As [`Security::revoke_capability`].
    pub fn revoke_evidence(
        &self,
        target: RevocationTarget,
        reason: &str,
    ) -> Result<(), RevokeError> {
        self.revoke(Target::Evidence(target), reason)
    }

    /// Changes the keys that sign tokens: what is due by their rotation policy (to be asked for every
    /// minute or so), another one now, or one that is compromised. Recorded; in force here at once,
    /// and in every program of the folder within a second. Whether any key changed.
    ///
    /// # Errors
    /// When the keys could not be changed; also when they were, but that could not be recorded.
    pub fn change_keys(&self, change: &KeyChange) -> Result<bool, KeyChangeError> {
        self.kernel.change_keys(change, &self.log, (self.clock)())
    }

    /// Every capability, in the order of issue, and how it stands; revoked ones included.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn list_capabilities(&self) -> Result<Vec<Standing>, StoreError> {
        self.kernel.list((self.clock)())
    }

    /// Records something that a person should look at, and returns the trace id under which it is
    /// found again. Nothing secret belongs into it.
    ///
    /// # Errors
    /// When it could not be recorded.
    pub fn log_security_event(
        &self,
        what: &str,
        detail: Map<String, Value>,
    ) -> Result<String, EventError> {
        let trace = self.kernel.trace()?;
        let record = Record::new(Kind::SecurityEvent, &trace, (self.clock)()).reason(what);
        drop(self.log.append(record.detail(detail), self.durability)?);
        Ok(trace)
    }

    /// Signs what was recorded since the last signature, and registers how far the log has come,
    /// so that a cut below it is found. The log signs by itself when a record comes a second or
    /// 256 records after the last signature; a ticker that calls this every second covers the
    /// pauses.
    ///
    /// # Errors
    /// When the log or its registry cannot be written.
    pub fn checkpoint(&self) -> Result<(), AppendError> {
        let now = (self.clock)();
        self.log.checkpoint(now)?;
        self.log.register_head(now)
    }

    /// Ends the log with a signature. Dropping does the same and tells nobody whether it worked.
    ///
    /// # Errors
    /// When the log cannot be written; the next opening then says so in it.
    pub fn close(self) -> Result<(), AppendError> {
        self.log.close((self.clock)())
    }

    /// How durable the record of a ruling or event must be; [`Durability::Written`] unless said
    /// otherwise. Changes of the authority are always [`Durability::Synced`].
    #[must_use]
    pub const fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Another clock: for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The kernel underneath, for what the facade does not have.
    #[must_use]
    pub const fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// The log underneath.
    #[must_use]
    pub const fn log(&self) -> &AuditLog {
        &self.log
    }

    fn issued(
        &self,
        capability: Arc<Capability>,
        cut: Vec<Widening>,
    ) -> Result<Issued, RequestError> {
        let evidence = match self.token_mode() {
            TokenMode::Central => self.central(&capability),
            TokenMode::Token => {
                let id = capability.id();
                let made = self.evidence_in(TokenMode::Token, id);
                made.map_err(|source| RequestError::Evidence { id, source })?
            }
        };
        Ok(Issued { capability, evidence, cut })
    }

    fn revoke(&self, target: Target, reason: &str) -> Result<(), RevokeError> {
        self.kernel.revoke(target, reason, &self.log, (self.clock)())
    }

    /// Charges, records, releases.
    fn release<T>(&self, ruling: Ruling, message: T) -> Result<Permit<T>, Denial> {
        let (reserved, record) = self.kernel.reserve(ruling, (self.clock)());
        match self.log.append(record, self.durability) {
            Ok(receipt) => reserved.release(receipt, self.durability, message),
            Err(_) => {
                let own = reserved.decision().denial().cloned();
                Err(own.unwrap_or_else(|| Denial::new(DenyCode::AuditUnavailable)))
            }
        }
    }
}

impl Drop for Security {
    fn drop(&mut self) {
        // Nobody is there to be told; the next opening finds a log that was not closed.
        let _ = self.log.close((self.clock)());
    }
}

impl<T> Validation<T> {
    /// Whether the call is permitted.
    #[must_use]
    pub const fn is_permitted(&self) -> bool {
        self.outcome.is_ok()
    }

    /// The denial, if it is one.
    #[must_use]
    pub const fn denial(&self) -> Option<&Denial> {
        match &self.outcome {
            Ok(_) => None,
            Err(denial) => Some(denial),
        }
    }
}

impl<T> fmt::Display for Validation<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Ok(_) => f.write_str("permitted"),
            Err(denial) => write!(f, "{denial}"),
        }
    }
}
