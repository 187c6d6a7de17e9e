//! What a claim rests on, and whether that stands.

use std::sync::Arc;

use cap_core::{
    Capability, CapabilityId, Denial, DenyCode, Operations, Principal, ResourceType, RootGrant,
};
use cap_crypto::Mac;
use cap_token::chain::VerifiedChain;
use chrono::{DateTime, Utc};

use super::Kernel;
use crate::limit::unavailable;
use crate::port::SessionId;
use crate::state::{Entry, State};
use crate::verified::{Candidate, ProvenCall};

impl Kernel {
    pub(super) fn by_id(&self, state: &State, text: &str) -> Result<Candidate, Denial> {
        let invalid = || Denial::new(DenyCode::EvidenceInvalid);
        let (id, mac) = text.split_once('.').ok_or_else(invalid)?;
        let id: CapabilityId = id.parse().map_err(|_| invalid())?;
        let mac: Mac = mac.parse().map_err(|_| invalid())?;
        let entry = state.entry(id).ok_or_else(invalid)?;
        let message = entry.capability.to_json();
        self.macs.verify(&mac, message.as_bytes()).map_err(|_| invalid())?;
        Ok(entry.into())
    }

    pub(super) fn by_token(
        &self,
        state: &State,
        text: &str,
        now: DateTime<Utc>,
    ) -> Result<Candidate, Denial> {
        let invalid = || Denial::new(DenyCode::EvidenceInvalid);
        let tokens = self.tokens.as_ref().ok_or_else(invalid)?;
        let token = tokens.validate(text, now).map_err(Denial::new)?;
        let capability = Arc::new(token.capability().bind(state.registry()));
        let chain: Arc<[_]> = token.ancestors().iter().copied().chain([capability.id()]).collect();
        // SECURITY: what this state has issued it knows, unless it is not the state that it was.
        let unknown = tokens.is_own(&token) && state.entry(capability.id()).is_none();
        if unknown || !state.agrees_with(&capability, &chain) {
            return Err(invalid());
        }
        Ok(Candidate { capability, chain, token: Some(token.token_id().to_string()), call: None })
    }

    /// A chain means a capability to call this one tool, and that for the call which was proved.
    pub(super) fn by_chain(
        &self,
        state: &State,
        chain: &VerifiedChain,
        now: DateTime<Utc>,
    ) -> Result<Candidate, Denial> {
        let invalid = || Denial::new(DenyCode::EvidenceInvalid);
        let id = self.new_id(now).map_err(|_| Denial::new(DenyCode::Internal))?;
        let grant = RootGrant {
            principal: chain.holder().parse().map_err(|_| invalid())?,
            resource_type: ResourceType::Tool,
            resource: chain.tool().to_owned(),
            operations: Operations::CALL,
            constraints: chain.to_constraints().map_err(|_| invalid())?,
            expires_at: Some(chain.expires_at()),
        };
        let capability = Capability::grant(id, grant, chain.issued_at()).map_err(|_| invalid())?;
        state.check_links(&capability, chain, now)?;
        Ok(Candidate {
            capability: Arc::new(capability),
            chain: Arc::new([id]),
            token: chain.token_ids().last().map(|leaf| (*leaf).to_owned()),
            call: Some(Arc::new(ProvenCall::of(chain))),
        })
    }

    /// What `principal` holds and may use, in the order of issue.
    pub(super) fn held(
        &self,
        state: &State,
        principal: &Principal,
        now: DateTime<Utc>,
    ) -> Result<Vec<Candidate>, Denial> {
        let mut held = Vec::new();
        for entry in state.entries().filter(|entry| entry.capability.principal() == principal) {
            let candidate = Candidate::from(entry);
            match self.stands(state, &candidate, now) {
                Ok(()) => held.push(candidate),
                Err(denial) if denial.code() == DenyCode::StoreUnavailable => return Err(denial),
                Err(_) => {}
            }
        }
        Ok(held)
    }

    /// `Err` when the chain is revoked, the capability expired, or its session over.
    pub(super) fn stands(
        &self,
        state: &State,
        candidate: &Candidate,
        now: DateTime<Utc>,
    ) -> Result<(), Denial> {
        state.standing(&candidate.capability, &candidate.chain)?;
        if candidate.capability.is_expired(now) {
            return Err(Denial::new(DenyCode::CapabilityExpired));
        }
        let sessions = candidate.chain.iter().filter_map(|id| state.entry(*id)?.session);
        let mut sessions: Vec<SessionId> = sessions.collect();
        sessions.dedup();
        sessions.into_iter().try_for_each(|session| self.session_is_open(session, now))
    }

    /// A lease that was seen holds until it ends: who closes a session before revokes it, too.
    fn session_is_open(&self, session: SessionId, now: DateTime<Utc>) -> Result<(), Denial> {
        if self.sessions.read().get(&session).is_some_and(|until| *until > now) {
            return Ok(());
        }
        let until = self.store.session_until(session).map_err(|error| unavailable(&error))?;
        match until {
            Some(until) if until > now => {
                let mut sessions = self.sessions.write();
                sessions.retain(|_, until| *until > now);
                sessions.insert(session, until);
                Ok(())
            }
            _ => Err(Denial::new(DenyCode::SessionLapsed)),
        }
    }
}

impl From<&Entry> for Candidate {
    fn from(entry: &Entry) -> Self {
        Self {
            capability: Arc::clone(&entry.capability),
            chain: Arc::clone(&entry.chain),
            token: None,
            call: None,
        }
    }
}
