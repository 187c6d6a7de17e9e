//! What holders present: in which form it is issued, and how it becomes a claim.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use cap_core::{AccessRequest, Capability, CapabilityId, Denial, DenyCode, Evidence, Resource};
use cap_kernel::{Claim, TokenError};
use cap_token::chain::{ChainPolicy, ChainVerifier, PolicyError, Presentation, ReplayStore};
use cap_token::{DEFAULT_TTL, IssueError, MAX_TTL};
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::Security;

/// In which form evidence is issued. Either form is accepted at any time, and means the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenMode {
    /// A capability's id with a MAC: as long as the capability lives, for callers that can reach
    /// this state.
    Central,
    /// A capability token: for some minutes, checked by anyone who has the public keys and the
    /// revocations.
    Token,
}

/// The form of new evidence.
#[derive(Debug)]
pub(super) struct Issuing {
    mode: AtomicU8,
    /// How long a token lives.
    pub(super) ttl: Duration,
}

impl Default for Issuing {
    fn default() -> Self {
        Self { mode: AtomicU8::new(TokenMode::Central as u8), ttl: DEFAULT_TTL }
    }
}

/// What verifies chains, where they are accepted.
#[derive(Debug)]
pub(super) struct Chains {
    verifier: ChainVerifier,
    replay: Box<dyn ReplayStore>,
}

impl Security {
    /// In which form capabilities are handed out from now on, by all threads;
    /// [`TokenMode::Central`] unless said otherwise. What was handed out before stays good.
    pub fn set_token_mode(&self, mode: TokenMode) {
        self.issuing.mode.store(mode as u8, Ordering::Relaxed);
    }

    /// In which form capabilities are handed out.
    #[must_use]
    pub fn token_mode(&self) -> TokenMode {
        match self.issuing.mode.load(Ordering::Relaxed) {
            mode if mode == TokenMode::Token as u8 => TokenMode::Token,
            _ => TokenMode::Central,
        }
    }

    /// How long tokens live, in whole seconds: 15 minutes unless said otherwise, at most 24 hours, and
    /// never longer than their capability.
    ///
    /// # Errors
    /// When it is less than a second, or more than 24 hours.
    pub fn with_token_ttl(mut self, ttl: Duration) -> Result<Self, IssueError> {
        if ttl.as_secs() == 0 || ttl > MAX_TTL {
            return Err(IssueError::Lifetime);
        }
        self.issuing.ttl = ttl;
        Ok(self)
    }

    /// Accepts attenuating chains ([`Evidence::Chain`]) under this policy. Proofs that were used are
    /// remembered in `replay`: [`MemoryReplayStore::starting_at`] for a program that may be started
    /// again, a store that they share for several that accept chains for one audience.
    ///
    /// [`MemoryReplayStore::starting_at`]: cap_token::chain::MemoryReplayStore::starting_at
    ///
    /// # Errors
    /// When the policy cannot be enforced.
    pub fn with_chains(
        mut self,
        policy: ChainPolicy,
        replay: impl ReplayStore + 'static,
    ) -> Result<Self, PolicyError> {
        self.chains =
            Some(Chains { verifier: ChainVerifier::new(policy)?, replay: Box::new(replay) });
        Ok(self)
    }

    /// Evidence for a capability of this state, in the form of this request alone. A token is
    /// renewed by asking for another one before it ends.
    ///
    /// # Errors
    /// When the capability is unknown, revoked or expired, or no token can be made.
    pub fn evidence_in(&self, mode: TokenMode, id: CapabilityId) -> Result<Evidence, TokenError> {
        let now = (self.clock)();
        match mode {
            TokenMode::Token => self.kernel.token(id, self.issuing.ttl, now).map(Evidence::Token),
            TokenMode::Central => {
                let standing = self.kernel.find(id, now)?;
                let unknown = TokenError::Capability(DenyCode::EvidenceInvalid);
                let standing = standing.ok_or(unknown)?;
                match standing.refused {
                    Some(code) => Err(TokenError::Capability(code)),
                    None => Ok(self.central(&standing.capability)),
                }
            }
        }
    }

    pub(super) fn central(&self, capability: &Capability) -> Evidence {
        Evidence::CapabilityId(self.kernel.evidence(capability))
    }

    /// What a caller rests on. A chain is verified here, with the one tool call that is asked for:
    /// its proof names it.
    pub(super) fn claim(
        &self,
        evidence: &Evidence,
        requests: &[AccessRequest],
        now: DateTime<Utc>,
    ) -> Result<Claim, Denial> {
        let Evidence::Chain(text) = evidence else { return Ok(Claim::Evidence(evidence.clone())) };
        let invalid = || Denial::new(DenyCode::EvidenceInvalid);
        let chains = self.chains.as_ref().ok_or_else(invalid)?;
        let mut calls = requests.iter().filter_map(|request| match &request.resource {
            Resource::Tool(call) => Some(call),
            _ => None,
        });
        let (Some(call), None) = (calls.next(), calls.next()) else { return Err(invalid()) };
        let presentation = Presentation::from_json(text).map_err(|_| invalid())?;
        let arguments = Value::Object(call.arguments.clone()).to_string();
        let name = call.name.as_str();
        let verified =
            chains.verifier.verify(&presentation, name, &arguments, &*chains.replay, now);
        let verified = verified.map_err(|error| Denial::new(error.deny_code()))?;
        Ok(Claim::Chain(Box::new(verified)))
    }
}
