use std::collections::HashMap;
use std::sync::Arc;

use cap_audit::{AppendError, AuditLog, Durability, Kind, Record};
use cap_core::{
    AccessRequest, Capability, CapabilityId, Decision, DelegateError, Delegation, Denial, DenyCode,
    Evidence, GrantError, Registry, RootGrant, Widening,
};
use cap_crypto::{MacKeyring, RandomError, SecureRandom};
use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::{RwLock, RwLockReadGuard};
use serde_json::{Map, Value};

use crate::limit::{Leases, Simulation, unavailable};
use crate::port::{Change, SessionId, StateStore, StoreError, Target};
use crate::ruling::{Reserved, Ruling, permits_all};
use crate::state::{Entry, State};
use crate::tokens::{Tokens, own_revocations};
use crate::verified::{Claim, VerifiedAuthority};

mod evidence;
mod keys;

/// The authority of one state: what is granted, delegated, revoked and spent. Every process that
/// opens the same store sees the same; each asks for changes before it decides.
#[derive(Debug)]
pub struct Kernel {
    store: Arc<dyn StateStore>,
    macs: MacKeyring,
    tokens: Option<Tokens>,
    random: Arc<dyn SecureRandom>,
    state: RwLock<State>,
    /// Until when sessions are known to be open.
    sessions: RwLock<HashMap<SessionId, DateTime<Utc>>>,
    leases: Leases,
}

/// A capability as the state has it.
#[derive(Clone, Debug)]
pub struct Standing {
    /// It.
    pub capability: Arc<Capability>,
    /// From the root to itself.
    pub chain: Arc<[CapabilityId]>,
    /// The session that it ends with.
    pub session: Option<SessionId>,
    /// Why nothing is permitted under it, if so.
    pub refused: Option<DenyCode>,
}

/// Why no capability was issued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// What was asked for is no capability.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// The parent does not give it.
    #[error(transparent)]
    Delegate(#[from] DelegateError),
    /// The parent is unknown, revoked, or of a session that is over.
    #[error("the parent cannot be delegated: {0}")]
    Parent(DenyCode),
    /// Who would hold it is revoked, so that it would permit nothing.
    #[error("the principal is revoked, or was so a moment ago")]
    Holder,
    /// No random bytes could be had.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The change could not be made durable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The record could not be written.
    #[error(transparent)]
    Audit(#[from] AppendError),
}

/// Why a revocation was not acknowledged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RevokeError {
    /// There is no such capability.
    #[error("no such capability")]
    Unknown,
    /// What was named can be no token's.
    #[error(transparent)]
    Invalid(#[from] cap_token::RevokeError),
    /// No random bytes could be had.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The change could not be made durable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is revoked, but the record could not be written.
    #[error("revoked, but not recorded: {0}")]
    Audit(#[from] AppendError),
}

impl Kernel {
    /// Opens the state of `store`. Tokens are accepted, and made, as `tokens` says; without it, none.
    ///
    /// # Errors
    /// When the state cannot be read, or is damaged.
    pub fn open(
        store: Arc<dyn StateStore>,
        macs: MacKeyring,
        tokens: Option<Tokens>,
        random: Arc<dyn SecureRandom>,
    ) -> Result<Self, StoreError> {
        let revocations = tokens.as_ref().map(|tokens| Arc::clone(tokens.revocations()));
        let leeway = tokens.as_ref().map_or(cap_token::DEFAULT_LEEWAY, Tokens::leeway);
        let revocations = revocations.unwrap_or_else(|| own_revocations(leeway));
        let skew = TimeDelta::from_std(leeway).unwrap_or(TimeDelta::MAX);
        let kernel = Self {
            store,
            macs,
            tokens,
            random,
            state: RwLock::new(State::new(revocations, skew)),
            sessions: RwLock::default(),
            leases: Leases::default(),
        };
        drop(kernel.current()?);
        Ok(kernel)
    }

    /// Says what custom constraints mean, in place of what was said before. Without it, every
    /// request under a capability that has one is denied.
    pub fn register_constraints(&self, registry: Registry) {
        self.state.write().register(registry);
    }

    /// Makes verified authority of a claim: good evidence, nothing in its chain revoked, not
    /// expired, its session open.
    ///
    /// # Errors
    /// The denial. Evidence that did not verify has one code, whatever was wrong with it.
    pub fn verify(&self, claim: &Claim, now: DateTime<Utc>) -> Result<VerifiedAuthority, Denial> {
        if let (Claim::Evidence(Evidence::Token(_)), Some(tokens)) = (claim, &self.tokens) {
            tokens.refresh(now).map_err(|_| Denial::new(DenyCode::StoreUnavailable))?;
        }
        let state = self.current().map_err(|error| unavailable(&error))?;
        let candidates = match claim {
            Claim::Evidence(Evidence::CapabilityId(text)) => vec![self.by_id(&state, text)?],
            Claim::Evidence(Evidence::Token(text)) => vec![self.by_token(&state, text, now)?],
            Claim::Chain(chain) => vec![self.by_chain(&state, chain, now)?],
            // A chain is verified with the call that its proof names: see `Claim::Chain`.
            Claim::Evidence(_) => return Err(Denial::new(DenyCode::EvidenceInvalid)),
            Claim::Held(id) => {
                let entry = state.entry(*id);
                vec![entry.ok_or_else(|| Denial::new(DenyCode::EvidenceInvalid))?.into()]
            }
            Claim::Principal(principal) => {
                let held = self.held(&state, principal, now)?;
                return match held.is_empty() {
                    true => Err(Denial::new(DenyCode::EvidenceMissing)),
                    false => Ok(VerifiedAuthority::new(held)),
                };
            }
        };
        for candidate in &candidates {
            self.stands(&state, candidate, now)?;
        }
        Ok(VerifiedAuthority::new(candidates))
    }

    /// Charges the limits of a ruling that permits, on the capability and all of its ancestors, or
    /// on none. What comes back waits for the receipt of the record beside it.
    pub fn reserve(&self, ruling: Ruling, now: DateTime<Utc>) -> (Reserved, Record) {
        let charged = match ruling.decision() {
            Decision::Allow => self.leases.charge(ruling.charges(), &*self.store, now),
            Decision::Deny(_) => Ok(()),
        };
        ruling.settle(charged)
    }

    /// What [`Kernel::reserve`] would decide, with limits spent in `simulation` alone. It charges
    /// nothing, and no permit can be made of it.
    pub fn simulate(
        &self,
        ruling: &Ruling,
        simulation: &mut Simulation,
        now: DateTime<Utc>,
    ) -> Decision {
        match ruling.decision() {
            Decision::Allow => {
                decision_of(simulation.charge(ruling.charges(), &self.leases, &*self.store, now))
            }
            Decision::Deny(denial) => Decision::Deny(denial.clone()),
        }
    }

    /// What would be decided under a capability that nobody was granted: charges nothing.
    pub fn suppose(
        &self,
        capability: &Capability,
        requests: &[AccessRequest],
        simulation: &mut Simulation,
        now: DateTime<Utc>,
    ) -> Decision {
        let charges = permits_all(capability, requests, now);
        decision_of(
            charges
                .and_then(|charges| simulation.charge(&charges, &self.leases, &*self.store, now)),
        )
    }

    /// Grants a root capability; it ends with `session`, if one is named. Durable and recorded
    /// when this returns.
    ///
    /// # Errors
    /// When it is no capability, or could not be recorded or made durable: then it is not granted.
    pub fn grant(
        &self,
        grant: RootGrant,
        session: Option<SessionId>,
        log: &AuditLog,
        now: DateTime<Utc>,
    ) -> Result<Arc<Capability>, IssueError> {
        let capability = Capability::grant(self.new_id(now)?, grant, now)?;
        self.issue(capability, Kind::Grant, session, Map::new(), log, now)
    }

    /// Delegates the capability `parent`: the result is the meet of both, and what was asked for
    /// beyond the parent.
    ///
    /// # Errors
    /// As [`Kernel::grant`]; also when the parent may not be delegated, or has less.
    pub fn delegate(
        &self,
        parent: CapabilityId,
        delegation: Delegation,
        log: &AuditLog,
        now: DateTime<Utc>,
    ) -> Result<(Arc<Capability>, Vec<Widening>), IssueError> {
        let holder = {
            let state = self.current()?;
            let unknown = || IssueError::Parent(DenyCode::EvidenceInvalid);
            let entry = state.entry(parent).ok_or_else(unknown)?;
            let standing = self.stands(&state, &entry.into(), now);
            standing.map_err(|denial| IssueError::Parent(denial.code()))?;
            Arc::clone(&entry.capability)
        };
        let (capability, cut) = holder.delegate(self.new_id(now)?, delegation, now)?;
        let mut detail = Map::new();
        if !cut.is_empty() {
            let cut = cut.iter().map(|cut| Value::from(format!("{}: {}", cut.field, cut.value)));
            detail.insert("cut".into(), cut.collect());
        }
        let capability = self.issue(capability, Kind::Delegation, None, detail, log, now)?;
        Ok((capability, cut))
    }

    /// Revokes `target` with everything below it: one change, durable when this returns, binding
    /// every process from its next call on.
    ///
    /// # Errors
    /// When it could not be made durable; or when it was, but could not be recorded.
    pub fn revoke(
        &self,
        target: Target,
        reason: &str,
        log: &AuditLog,
        now: DateTime<Utc>,
    ) -> Result<(), RevokeError> {
        let record = Record::new(Kind::Revocation, &self.trace()?, now);
        let record = match &target {
            Target::Capability(id) => {
                if self.current()?.entry(*id).is_none() {
                    return Err(RevokeError::Unknown);
                }
                record.capability(&id.to_string())
            }
            Target::Principal(principal) => record.principal(principal.as_str()),
            Target::Session(session) => record.detail(session_detail(*session)),
            Target::Evidence(target) => {
                target.validate()?;
                let what = serde_json::to_value(target).unwrap_or_default();
                record.detail(Map::from_iter([("evidence".to_owned(), what)]))
            }
        };
        // SECURITY: a revocation stands even where it cannot be recorded; the caller is told.
        let recorded = log.append(record.clone().reason(reason), Durability::Synced);
        if let Err(error) = self.store.commit(&[Change::Revoked { target, at: now }]) {
            // What the caller is told comes first; where this cannot be recorded either, the
            // record before stands alone.
            let _ = log.append(not_done(record), Durability::Synced);
            return Err(error.into());
        }
        drop(recorded?);
        Ok(())
    }

    /// Every capability, in the order of issue, and how it stands.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn list(&self, now: DateTime<Utc>) -> Result<Vec<Standing>, StoreError> {
        let state = self.current()?;
        Ok(state.entries().map(|entry| self.standing(&state, entry, now)).collect())
    }

    /// One capability, and how it stands.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn find(
        &self,
        id: CapabilityId,
        now: DateTime<Utc>,
    ) -> Result<Option<Standing>, StoreError> {
        let state = self.current()?;
        Ok(state.entry(id).map(|entry| self.standing(&state, entry, now)))
    }

    /// What the holder of a capability presents: `<capability id>.<key id>.<tag>`. A secret.
    #[must_use]
    pub fn evidence(&self, capability: &Capability) -> String {
        format!("{}.{}", capability.id(), self.macs.mac(capability.to_json().as_bytes()))
    }

    /// How tokens are accepted and made, if they are.
    #[must_use]
    pub const fn tokens(&self) -> Option<&Tokens> {
        self.tokens.as_ref()
    }

    /// A new id for a session of a guard.
    ///
    /// # Errors
    /// When no random bytes could be had.
    pub fn new_id(&self, now: DateTime<Utc>) -> Result<CapabilityId, RandomError> {
        let mut random = [0; 10];
        self.random.fill(&mut random)?;
        Ok(CapabilityId::new(random, now))
    }

    /// A new trace id: 16 hexadecimal digits.
    ///
    /// # Errors
    /// When no random bytes could be had.
    pub fn trace(&self) -> Result<String, RandomError> {
        let mut random = [0; 8];
        self.random.fill(&mut random)?;
        Ok(format!("{:016x}", u64::from_be_bytes(random)))
    }

    /// The store, for what is its own: sessions.
    #[must_use]
    pub fn store(&self) -> &dyn StateStore {
        &*self.store
    }

    fn issue(
        &self,
        capability: Capability,
        kind: Kind,
        session: Option<SessionId>,
        mut detail: Map<String, Value>,
        log: &AuditLog,
        now: DateTime<Utc>,
    ) -> Result<Arc<Capability>, IssueError> {
        if self.current()?.refuses_principal(&capability) {
            return Err(IssueError::Holder);
        }
        let trace = self.trace()?;
        detail.extend(session.map(session_detail).unwrap_or_default());
        if let Ok(Value::Object(wire)) = serde_json::to_value(&capability) {
            detail.insert("capability".into(), Value::Object(wire));
        }
        let id = capability.id().to_string();
        let record = || {
            Record::new(kind, &trace, now)
                .principal(capability.principal().as_str())
                .capability(&id)
        };
        drop(log.append(record().detail(detail), Durability::Synced)?);
        let change = Change::Issued { capability: Box::new(capability.clone()), session };
        if let Err(error) = self.store.commit(&[change]) {
            let _ = log.append(not_done(record()), Durability::Synced);
            return Err(error.into());
        }
        Ok(Arc::new(capability))
    }

    /// The state, with all changes of others up to now.
    fn current(&self) -> Result<RwLockReadGuard<'_, State>, StoreError> {
        let epoch = self.store.epoch()?;
        {
            let state = self.state.read();
            if state.epoch() == epoch {
                return Ok(state);
            }
        }
        let mut state = self.state.write();
        // SECURITY: a state that went back would bring revoked capabilities to life.
        if state.epoch() > self.store.epoch()? {
            return Err(StoreError::Damaged("the state is older than it was".into()));
        }
        let (epoch, changes) = self.store.changes_since(state.epoch())?;
        // SECURITY: what is missing among them may be a revocation.
        if epoch.0.checked_sub(state.epoch().0) != u64::try_from(changes.len()).ok() {
            return Err(StoreError::Damaged("changes are missing".into()));
        }
        state.apply(epoch, changes)?;
        Ok(parking_lot::RwLockWriteGuard::downgrade(state))
    }

    fn standing(&self, state: &State, entry: &Entry, now: DateTime<Utc>) -> Standing {
        let refused = self.stands(state, &entry.into(), now).err().map(|denial| denial.code());
        Standing {
            capability: Arc::clone(&entry.capability),
            chain: Arc::clone(&entry.chain),
            session: entry.session,
            refused,
        }
    }
}

fn decision_of(permitted: Result<(), Denial>) -> Decision {
    permitted.map_or_else(Decision::Deny, |()| Decision::Allow)
}

/// The record of a change that was recorded, but not made.
fn not_done(record: Record) -> Record {
    record.decision(cap_audit::Decision::Deny).code(DenyCode::StoreUnavailable.code())
}

fn session_detail(session: SessionId) -> Map<String, Value> {
    Map::from_iter([("session".to_owned(), session.to_string().into())])
}
