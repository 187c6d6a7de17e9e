use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cap_core::{Capability, CapabilityId, Denial, DenyCode, Obligation, Principal, Registry};
use cap_token::chain::VerifiedChain;
use cap_token::{Facts, Revocation, RevocationSet, RevocationTarget, TokenId};
use chrono::{DateTime, TimeDelta, Utc};

use crate::port::{Change, Epoch, SessionId, StoreError, Target};

/// The fold of all changes: what is issued, and what is revoked.
#[derive(Debug)]
pub(crate) struct State {
    epoch: Epoch,
    entries: HashMap<CapabilityId, Entry>,
    /// In the order of their issue.
    order: Vec<CapabilityId>,
    /// Capabilities, and what tokens and chains are asked for; shared with whoever validates them.
    revocations: Arc<RevocationSet>,
    revoked_sessions: HashSet<SessionId>,
    revoked_principals: HashMap<Principal, DateTime<Utc>>,
    /// Refused beyond the instant of a principal's revocation: clocks of issuers may run ahead.
    skew: TimeDelta,
    /// What custom constraints mean.
    registry: Registry,
}

/// A capability and where it stands in the tree.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) capability: Arc<Capability>,
    /// From the root to itself.
    pub(crate) chain: Arc<[CapabilityId]>,
    /// The session that it ends with, its own or that of an ancestor.
    pub(crate) session: Option<SessionId>,
}

impl State {
    pub(crate) fn new(revocations: Arc<RevocationSet>, skew: TimeDelta) -> Self {
        Self {
            epoch: Epoch::default(),
            entries: HashMap::new(),
            order: Vec::new(),
            revocations,
            revoked_sessions: HashSet::new(),
            revoked_principals: HashMap::new(),
            skew,
            registry: Registry::default(),
        }
    }

    pub(crate) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Gives the custom constraints of every capability, held and to come, their meanings.
    pub(crate) fn register(&mut self, registry: Registry) {
        for id in &self.order {
            if let Some(entry) = self.entries.get_mut(id) {
                entry.capability = Arc::new(entry.capability.bind(&registry));
            }
        }
        self.registry = registry;
    }

    pub(crate) const fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(crate) fn entry(&self, id: CapabilityId) -> Option<&Entry> {
        self.entries.get(&id)
    }

    /// All capabilities, in the order of their issue.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.order.iter().filter_map(|id| self.entries.get(id))
    }

    /// `Err` when the capability, or one that it descends from, is revoked.
    ///
    /// A capability that was not issued here is known by its token alone: its ancestors by their
    /// ids, its principal by the instant of issue.
    pub(crate) fn standing(
        &self,
        capability: &Capability,
        chain: &[CapabilityId],
    ) -> Result<(), Denial> {
        let listed =
            |id: &CapabilityId| self.revocations.is_revoked(&RevocationTarget::Capability(*id));
        let session = chain
            .iter()
            .filter_map(|id| self.entries.get(id)?.session)
            .any(|session| self.revoked_sessions.contains(&session));
        let foreign = !self.entries.contains_key(&capability.id());
        let principal =
            foreign && self.was_revoked_since(capability.principal(), capability.issued_at());
        if chain.iter().any(listed) || session || principal || self.refuses_principal(capability) {
            return Err(Denial::new(DenyCode::CapabilityRevoked));
        }
        Ok(())
    }

    /// Whether all that a principal held was revoked after something from elsewhere was issued to it.
    fn was_revoked_since(&self, principal: &Principal, issued: DateTime<Utc>) -> bool {
        let latest = |at: &DateTime<Utc>| at.checked_add_signed(self.skew).unwrap_or(*at);
        self.revoked_principals.get(principal).is_some_and(|at| issued <= latest(at))
    }

    /// Whether its principal was revoked, for good or for what was issued before some instant.
    pub(crate) fn refuses_principal(&self, capability: &Capability) -> bool {
        let principal = capability.principal().clone();
        let earliest = capability.issued_at().checked_sub_signed(self.skew);
        let issued = earliest.unwrap_or(DateTime::<Utc>::MIN_UTC);
        self.revocations.is_revoked(&RevocationTarget::PrincipalBefore(principal, issued))
    }

    /// `Err` when a link of a chain is revoked: by its `jti`, by its holder (the thumbprint, as the name
    /// of a principal or of a key), by the issuer of the root, or by the key that signed that.
    pub(crate) fn check_links(
        &self,
        capability: &Capability,
        chain: &VerifiedChain,
        now: DateTime<Utc>,
    ) -> Result<(), Denial> {
        let invalid = || Denial::new(DenyCode::EvidenceInvalid);
        let anchor = chain.anchor().parse().map_err(|_| invalid())?;
        if self.revocations.is_revoked(&RevocationTarget::Key(anchor)) {
            return Err(Denial::new(DenyCode::CapabilityRevoked));
        }
        for (jti, holder) in chain.token_ids().into_iter().zip(chain.holders()) {
            let principal = holder.parse().map_err(|_| invalid())?;
            if self.was_revoked_since(&principal, chain.issued_at()) {
                return Err(Denial::new(DenyCode::CapabilityRevoked));
            }
            let facts = Facts {
                token: TokenId::of_jti(jti),
                capability: capability.id(),
                ancestors: &[],
                principal: &principal,
                issuer: chain.issuer(),
                key: &holder.parse().map_err(|_| invalid())?,
                issued_at: chain.issued_at(),
            };
            let revoked = self.revocations.check(&facts, now);
            revoked.map_err(|revoked| Denial::new(revoked.deny_code()))?;
        }
        Ok(())
    }

    /// Whether a token says of capabilities what the state says of those that it knows.
    ///
    /// SECURITY: else a token could say who else holds a capability, and outlive the revocation of
    /// its principal; hang it elsewhere, and outlive that of its ancestors; or leave out a limit.
    pub(crate) fn agrees_with(&self, capability: &Capability, chain: &[CapabilityId]) -> bool {
        let limits: Vec<Obligation> = capability.obligations().collect();
        let agrees = |(at, id): (usize, &CapabilityId)| {
            self.entries.get(id).is_none_or(|known| {
                chain.get(..=at) == Some(&*known.chain)
                    && known.capability.obligations().all(|limit| limits.contains(&limit))
                    && (*id != capability.id() || *known.capability == *capability)
            })
        };
        chain.iter().enumerate().all(agrees)
            && limits.iter().all(|limit| chain.contains(&limit.owner))
    }

    pub(crate) fn apply(&mut self, epoch: Epoch, changes: Vec<Change>) -> Result<(), StoreError> {
        for change in changes {
            match change {
                Change::Issued { capability, session } => self.issue(&capability, session)?,
                Change::Revoked { target, at } => self.revoke(target, at)?,
            }
        }
        self.epoch = epoch;
        Ok(())
    }

    fn issue(
        &mut self,
        capability: &Capability,
        session: Option<SessionId>,
    ) -> Result<(), StoreError> {
        let id = capability.id();
        let damaged = |what: &str| StoreError::Damaged(format!("capability {id} {what}"));
        let parent = match capability.parent() {
            None => None,
            Some(parent) => {
                Some(self.entries.get(&parent).ok_or_else(|| damaged("has an unknown parent"))?)
            }
        };
        let ancestors = parent.map_or(&[][..], |parent| &parent.chain);
        if ancestors.len() != usize::from(capability.delegation_depth()) {
            return Err(damaged("has another depth than its parent gives it"));
        }
        let chain: Arc<[CapabilityId]> = ancestors.iter().copied().chain([id]).collect();
        let session = session.or_else(|| parent.and_then(|parent| parent.session));
        let capability = Arc::new(capability.bind(&self.registry));
        let entry = Entry { capability, chain, session };
        if self.entries.insert(id, entry).is_some() {
            return Err(damaged("was issued twice"));
        }
        self.order.push(id);
        Ok(())
    }

    fn revoke(&mut self, target: Target, at: DateTime<Utc>) -> Result<(), StoreError> {
        match target {
            Target::Capability(id) => self.refuse([RevocationTarget::Capability(id)], at),
            Target::Evidence(target) => self.refuse([target], at),
            Target::Session(session) => {
                self.revoked_sessions.insert(session);
                Ok(())
            }
            Target::Principal(principal) => {
                let held = self.order.iter().filter(|id| {
                    let entry = self.entries.get(id);
                    entry.is_some_and(|entry| *entry.capability.principal() == principal)
                });
                self.refuse(held.copied().map(RevocationTarget::Capability), at)?;
                let until = self.revoked_principals.entry(principal).or_insert(at);
                *until = at.max(*until);
                Ok(())
            }
        }
    }

    /// For ever: nobody knows how long what it covers would have lived.
    fn refuse(
        &self,
        targets: impl IntoIterator<Item = RevocationTarget>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let revocation = |target| Revocation { target, covers_until: None };
        let all: Vec<Revocation> = targets.into_iter().map(revocation).collect();
        let damaged = |error| StoreError::Damaged(format!("a revocation is none: {error}"));
        self.revocations.revoke_batch(&all, at).map(drop).map_err(damaged)
    }
}
