use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cap_core::{Capability, CapabilityId, Denial, DenyCode, Obligation, Principal, Registry};
use chrono::{DateTime, TimeDelta, Utc};

use crate::port::{Change, Epoch, SessionId, StoreError, Target};

/// Refused beyond the instant of a principal's revocation: clocks of issuers may run ahead.
const SKEW: TimeDelta = TimeDelta::seconds(300);

/// The fold of all changes: what is issued, and what is revoked.
#[derive(Debug, Default)]
pub(crate) struct State {
    epoch: Epoch,
    entries: HashMap<CapabilityId, Entry>,
    /// In the order of their issue.
    order: Vec<CapabilityId>,
    revoked: HashSet<CapabilityId>,
    revoked_sessions: HashSet<SessionId>,
    revoked_principals: HashMap<Principal, DateTime<Utc>>,
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
        let listed = chain.iter().any(|id| self.revoked.contains(id));
        let session = chain
            .iter()
            .filter_map(|id| self.entries.get(id)?.session)
            .any(|session| self.revoked_sessions.contains(&session));
        let foreign = !self.entries.contains_key(&capability.id());
        let principal = foreign
            && self.revoked_principals.get(capability.principal()).is_some_and(|at| {
                capability.issued_at() <= at.checked_add_signed(SKEW).unwrap_or(*at)
            });
        if listed || session || principal {
            return Err(Denial::new(DenyCode::CapabilityRevoked));
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
                Change::Revoked { target, at } => self.revoke(target, at),
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

    fn revoke(&mut self, target: Target, at: DateTime<Utc>) {
        match target {
            Target::Capability(id) => drop(self.revoked.insert(id)),
            Target::Session(session) => drop(self.revoked_sessions.insert(session)),
            Target::Principal(principal) => {
                let held = self.order.iter().filter(|id| {
                    let entry = self.entries.get(id);
                    entry.is_some_and(|entry| *entry.capability.principal() == principal)
                });
                self.revoked.extend(held.copied());
                let until = self.revoked_principals.entry(principal).or_insert(at);
                *until = at.max(*until);
            }
        }
    }
}
