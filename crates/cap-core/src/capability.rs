use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use chrono::{DateTime, SubsecRound, Utc};

use self::wire::{VERSION, Wire};
use crate::decision::Quoted;
use crate::limits::{DEFAULT_DELEGATION_DEPTH, MAX_DELEGATION_DEPTH};
use crate::{
    AccessRequest, Authority, CapabilityId, ConstraintError, Constraints, Decision, Denial,
    DenyCode, Explanation, Obligation, Operations, Principal, Refusal, Registry, ResourceType,
};

mod derive;
mod wire;

/// An authority with an identity, a holder, a lifetime, obligations and a bound on derivation.
///
/// A delegated capability is complete in itself: its authority is the meet with that of its
/// parent, written out, so that whoever holds it alone can decide. The ids of its ancestors are
/// needed only to ask about revocation and to charge limits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Wire"))]
pub struct Capability {
    /// Boxed: capabilities are handed on, and this is most of one.
    wire: Box<Wire>,
    /// What `wire` means.
    authority: Authority,
}

/// What a root capability is to be.
#[derive(Clone, Debug)]
pub struct RootGrant {
    /// Who will hold it.
    pub principal: Principal,
    /// What kind of resource it is about.
    pub resource_type: ResourceType,
    /// Which resource, in the form of its type (see [`ResourceType`]).
    pub resource: String,
    /// What may be done. `call` is implied where the type is neither `tool` nor `method`.
    pub operations: Operations,
    /// What else must hold.
    pub constraints: Constraints,
    /// When it ends; `None` for never.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Everything that a capability is made of, for those who carry one in another form than its JSON.
#[derive(Clone, Debug)]
pub struct CapabilityParts {
    /// Its identity.
    pub id: CapabilityId,
    /// From which one it was delegated: none for a root.
    pub parent: Option<CapabilityId>,
    /// Links between it and its root: 0 for a root.
    pub delegation_depth: u8,
    /// Who holds it.
    pub principal: Principal,
    /// What kind of resource it is about.
    pub resource_type: ResourceType,
    /// Which resource.
    pub resource: String,
    /// What may be done.
    pub operations: Operations,
    /// The constraints, those inherited from the ancestors under `and`.
    pub constraints: Constraints,
    /// The limits of its ancestors.
    pub inherited_limits: Vec<Obligation>,
    /// When it was issued, in whole seconds.
    pub issued_at: DateTime<Utc>,
    /// When it ends, in whole seconds; `None` for never.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What a delegated capability is to be. What is not said is inherited.
///
/// A limit above one of the parent's is no widening: every call charges the limits of all ancestors,
/// too.
#[derive(Clone, Debug)]
pub struct Delegation {
    /// Who will hold it.
    pub principal: Principal,
    /// What kind of resource it is about. With another type than the parent's it is still the meet
    /// of both, which below any type but `any` is often nothing.
    pub resource_type: Option<ResourceType>,
    /// Which resource.
    pub resource: Option<String>,
    /// What may be done.
    pub operations: Option<Operations>,
    /// What else must hold.
    pub constraints: Constraints,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// What happens when more is asked for than the parent has.
    pub attenuation: Attenuation,
}

/// What happens when more is asked for than the parent has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attenuation {
    /// It is refused, naming field and value.
    Strict,
    /// It is narrowed, and what was cut is reported.
    Intersect,
}

/// Something that was asked for beyond the parent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Widening {
    /// The field, by its name on the wire.
    pub field: &'static str,
    /// The value.
    pub value: String,
}

/// Why no root capability was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// A field does not mean anything.
    #[error(transparent)]
    Constraint(#[from] ConstraintError),
    /// It would end before it begins.
    #[error("`expires_at` is not after the instant of issue")]
    Expired,
    /// It would permit nothing.
    #[error("the capability would permit nothing")]
    Empty,
    /// It has more clauses, or a longer wire form, than is allowed. The wire form is measured where
    /// there is one: with feature `serde`.
    #[error("the capability has more clauses, or is longer, than is allowed")]
    TooLarge,
}

/// Why no capability was delegated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DelegateError {
    /// The result is no good capability.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// More was asked for than the parent has.
    #[error("more was asked for than the parent has: {}", list(.0))]
    Widens(Vec<Widening>),
    /// The parent may not be delegated (any further).
    #[error("the parent may not be delegated any further")]
    TooDeep,
    /// The parent has expired.
    #[error("the parent has expired")]
    ParentExpired,
}

impl DelegateError {
    /// The code under which a refusal is recorded.
    #[must_use]
    pub const fn deny_code(&self) -> DenyCode {
        match self {
            Self::Widens(_) => DenyCode::DelegationWidens,
            Self::TooDeep => DenyCode::DelegationTooDeep,
            Self::ParentExpired => DenyCode::CapabilityExpired,
            Self::Grant(GrantError::TooLarge) => DenyCode::AuthorityTooLarge,
            Self::Grant(GrantError::Constraint(_)) => DenyCode::ConstraintInvalid,
            Self::Grant(_) => DenyCode::AuthorityEmpty,
        }
    }
}

fn list(widenings: &[Widening]) -> String {
    let one =
        |widening: &Widening| alloc::format!("`{}`: {}", widening.field, Quoted(&widening.value));
    widenings.iter().map(one).collect::<Vec<_>>().join(", ")
}

impl Capability {
    /// A root capability, issued at `now` (kept to the second).
    ///
    /// # Errors
    /// When a field means nothing, or the result would permit nothing.
    pub fn grant(
        id: CapabilityId,
        grant: RootGrant,
        now: DateTime<Utc>,
    ) -> Result<Self, GrantError> {
        let wire = Wire {
            constraints: grant.constraints,
            delegation_depth: 0,
            expires_at: grant.expires_at.map(|at| at.trunc_subsecs(0)),
            id,
            inherited_limits: Vec::new(),
            issued_at: now.trunc_subsecs(0),
            operations: grant.operations,
            parent: None,
            principal: grant.principal,
            resource: grant.resource,
            resource_type: grant.resource_type,
            version: VERSION,
        };
        Self::from_wire(wire)
    }

    /// The capability that these parts are. They are checked as those of a wire form are.
    ///
    /// # Errors
    /// When a part means nothing or contradicts another one, or the whole would permit nothing.
    pub fn from_parts(parts: CapabilityParts) -> Result<Self, GrantError> {
        Self::from_wire(Wire {
            constraints: parts.constraints,
            delegation_depth: parts.delegation_depth,
            expires_at: parts.expires_at,
            id: parts.id,
            inherited_limits: parts.inherited_limits,
            issued_at: parts.issued_at,
            operations: parts.operations,
            parent: parts.parent,
            principal: parts.principal,
            resource: parts.resource,
            resource_type: parts.resource_type,
            version: VERSION,
        })
    }

    /// A capability below this one, never wider than it: its authority is the meet of both. Its
    /// custom constraints are to be bound again.
    ///
    /// # Errors
    /// When this one may not be delegated, when more was asked for than it has (`Strict`), or when
    /// nothing would be left.
    pub fn delegate(
        &self,
        id: CapabilityId,
        delegation: Delegation,
        now: DateTime<Utc>,
    ) -> Result<(Self, Vec<Widening>), DelegateError> {
        if self.is_expired(now) {
            return Err(DelegateError::ParentExpired);
        }
        let Some(deeper) = self.max_delegation_depth().checked_sub(1) else {
            return Err(DelegateError::TooDeep);
        };
        let cut = self.widenings(&delegation, deeper).map_err(GrantError::from)?;
        if delegation.attenuation == Attenuation::Strict && !cut.is_empty() {
            return Err(DelegateError::Widens(cut));
        }
        let child = Self::from_wire(self.child(id, delegation, deeper, now)?)?;
        Ok((child, cut))
    }

    /// Whether a request is permitted at `now`: by the authority, within the lifetime. Limits,
    /// revocation and session are the kernel's to ask about.
    pub fn permits(&self, request: &AccessRequest, now: DateTime<Utc>) -> Decision {
        if self.is_expired(now) {
            return Decision::Deny(Denial::new(DenyCode::CapabilityExpired).by("expires_at"));
        }
        self.authority.permits(request, now)
    }

    /// The same without a sentence, and without an allocation (see [`Authority::check`]).
    ///
    /// # Errors
    /// When the request is not permitted.
    pub fn check(&self, request: &AccessRequest, now: DateTime<Utc>) -> Result<(), Refusal> {
        if self.is_expired(now) {
            return Err(Refusal::new(DenyCode::CapabilityExpired, Some("expires_at")));
        }
        self.authority.check(request, now)
    }

    /// Every reason for which a request is refused, and what would pass in place of each (see
    /// [`Authority::explain`]).
    pub fn explain(&self, request: &AccessRequest, now: DateTime<Utc>) -> Explanation {
        let authority = self.authority.explain(request, now);
        if self.is_expired(now) {
            authority.after(Denial::new(DenyCode::CapabilityExpired).by("expires_at"))
        } else {
            authority
        }
    }

    /// The same capability with the meanings that `registry` has for its custom constraints.
    #[must_use]
    pub fn bind(&self, registry: &Registry) -> Self {
        Self { wire: self.wire.clone(), authority: self.authority.bind(registry) }
    }

    /// The id.
    #[must_use]
    pub const fn id(&self) -> CapabilityId {
        self.wire.id
    }

    /// Who holds it.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.wire.principal
    }

    /// What kind of resource it is about.
    #[must_use]
    pub const fn resource_type(&self) -> ResourceType {
        self.wire.resource_type
    }

    /// Which resource.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.wire.resource
    }

    /// What may be done, as it was granted.
    #[must_use]
    pub const fn operations(&self) -> Operations {
        self.wire.operations
    }

    /// The constraints, those inherited from the ancestors under `and`.
    #[must_use]
    pub const fn constraints(&self) -> &Constraints {
        &self.wire.constraints
    }

    /// When it was issued.
    #[must_use]
    pub const fn issued_at(&self) -> DateTime<Utc> {
        self.wire.issued_at
    }

    /// When it ends.
    #[must_use]
    pub const fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.wire.expires_at
    }

    /// From which one it was delegated.
    #[must_use]
    pub const fn parent(&self) -> Option<CapabilityId> {
        self.wire.parent
    }

    /// Links between it and its root: 0 for a root.
    #[must_use]
    pub const fn delegation_depth(&self) -> u8 {
        self.wire.delegation_depth
    }

    /// Links that may hang below it.
    #[must_use]
    pub fn max_delegation_depth(&self) -> u8 {
        let room = MAX_DELEGATION_DEPTH.saturating_sub(self.wire.delegation_depth);
        self.wire.constraints.max_delegation_depth.unwrap_or(DEFAULT_DELEGATION_DEPTH).min(room)
    }

    /// What it permits.
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The limits that a call under it charges, its own and those of its ancestors.
    pub fn obligations(&self) -> impl Iterator<Item = Obligation> {
        let own = Obligation { owner: self.wire.id, limits: self.wire.constraints.limits() };
        let own = (!own.limits.is_empty()).then_some(own);
        self.wire.inherited_limits.iter().cloned().chain(own)
    }

    /// Whether its lifetime is over.
    #[must_use]
    pub fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.wire.expires_at.is_some_and(|at| now >= at)
    }

    fn from_wire(wire: Wire) -> Result<Self, GrantError> {
        let authority = wire.authority()?;
        let mut ends = wire.expires_at.into_iter().chain(authority.expires_at());
        if ends.any(|at| at <= wire.issued_at) {
            return Err(GrantError::Expired);
        }
        if authority.overflows() || wire.is_too_long() {
            return Err(GrantError::TooLarge);
        }
        if authority.is_empty() {
            return Err(GrantError::Empty);
        }
        Ok(Self { wire: Box::new(wire), authority })
    }
}
