use std::time::Duration;

use cap_core::{Capability, CapabilityId, Delegation, Widening};
use cap_crypto::SecureRandom;
use chrono::{DateTime, Utc};

use super::{IssueError, Issuer, TokenRequest};
use crate::VerifiedToken;

/// A token for a capability below that of another token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DelegatedToken {
    /// The token.
    pub token: String,
    /// What it carries.
    pub capability: Capability,
    /// What was asked for beyond the parent, and cut.
    pub cut: Vec<Widening>,
}

impl Issuer<'_> {
    /// A token for a new capability below that of `parent`: the meet of what is asked for with what
    /// the parent has, and nothing else ([`Capability::delegate`]). It ends no later than `parent`
    /// itself, so that handing on is no way to live longer: nor is it
    /// [refreshed](Self::refresh). Whoever is to have it for longer is delegated to once more.
    ///
    /// Validate `parent` right before, with the revocations: what was revoked passes nothing on. That
    /// whoever asks is the holder of `parent` is for the caller to see to: a token is a bearer secret.
    ///
    /// # Errors
    /// See [`IssueError`].
    pub fn issue_delegated(
        &self,
        parent: &VerifiedToken,
        delegation: Delegation,
        ttl: Duration,
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> Result<DelegatedToken, IssueError> {
        self.require_own(parent, now)?;
        let mut entropy = [0; 10];
        random.fill(&mut entropy)?;
        let id = CapabilityId::new(entropy, now);
        let (capability, cut) = parent.capability().delegate(id, delegation, now)?;
        let mut ancestors = parent.ancestors().to_vec();
        ancestors.push(parent.capability().id());
        let request = TokenRequest { capability: &capability, ancestors: &ancestors, ttl };
        let token = self.one(request, Some(parent.expires_at()), random, now)?;
        Ok(DelegatedToken { token, capability, cut })
    }
}
