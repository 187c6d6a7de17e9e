use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec::Vec;

use chrono::{DateTime, SubsecRound, Utc};

use super::wire::{VERSION, Wire, resource_clause};
use super::{Capability, Delegation, GrantError, Widening};
use crate::clause::Clause;
use crate::{Authority, CapabilityId, ConstraintError, Constraints, Kind, Kinds, ResourceType};

impl Capability {
    pub(super) fn child(
        &self,
        id: CapabilityId,
        delegation: Delegation,
        deeper: u8,
        now: DateTime<Utc>,
    ) -> Result<Wire, GrantError> {
        let parent = &self.wire;
        let expires_at = match (delegation.expires_at, parent.expires_at) {
            (Some(mine), Some(theirs)) => Some(mine.min(theirs)),
            (mine, theirs) => mine.or(theirs),
        };
        let asked = delegation.constraints.max_delegation_depth;
        let mut wire = Wire {
            constraints: delegation.constraints,
            delegation_depth: parent.delegation_depth.saturating_add(1),
            expires_at: expires_at.map(|at| at.trunc_subsecs(0)),
            id,
            inherited_limits: self.obligations().collect(),
            issued_at: now.trunc_subsecs(0),
            operations: delegation.operations.unwrap_or(parent.operations),
            parent: Some(parent.id),
            principal: delegation.principal,
            resource: delegation.resource.unwrap_or_else(|| parent.resource.clone()),
            resource_type: delegation.resource_type.unwrap_or(parent.resource_type),
            version: VERSION,
        };
        wire.constraints.max_delegation_depth = Some(asked.unwrap_or(deeper).min(deeper));
        let private = &mut wire.constraints.private_networks;
        *private = private.or(parent.constraints.private_networks);
        // What the parent has and the child does not already spell out is written out, so that the
        // child alone means the meet.
        // SECURITY: what the child's type implies does not count as spelled out: it is worked out
        // again from all clauses, the inherited ones included, and comes out wider.
        let written = wire.written()?;
        if parent.resource_type == ResourceType::Any {
            of_its_type(&mut wire, &written);
        }
        let mine = Authority::new(wire.written()?);
        let meet = mine.meet(&self.authority);
        if meet.overflows() {
            return Err(GrantError::TooLarge);
        }
        let rest: Vec<&Clause> = meet
            .clauses()
            .filter(|clause| mine.clauses().all(|written| written != *clause))
            .collect();
        if !rest.is_empty() {
            let mut rest = Constraints::from_clauses(rest);
            let more = core::mem::take(&mut rest.and);
            wire.constraints.and.push(rest);
            wire.constraints.and.extend(more);
        }
        Ok(wire)
    }

    /// What a delegation asks for beyond this capability.
    pub(super) fn widenings(
        &self,
        delegation: &Delegation,
        deeper: u8,
    ) -> Result<Vec<Widening>, ConstraintError> {
        let mut cut = BTreeSet::new();
        let asked = self.asked(delegation)?;
        let lifetime = self.wire.expires_at.map(Clause::Expires);
        for clause in asked.clauses() {
            let bounds = self.authority.clauses().chain(&lifetime);
            for bound in bounds.filter(|bound| bound.sort() == clause.sort()) {
                let field = clause.name();
                cut.extend(clause.excess(bound).into_iter().map(|value| Widening { field, value }));
            }
        }
        if let Some(depth) = delegation.constraints.max_delegation_depth
            && depth > deeper
        {
            cut.insert(Widening { field: "max_delegation_depth", value: depth.to_string() });
        }
        let private = delegation.constraints.private_networks == Some(true);
        if private && self.authority.clauses().any(|clause| *clause == Clause::PublicNetworks) {
            cut.insert(Widening { field: "private_networks", value: "true".into() });
        }
        Ok(cut.into_iter().collect())
    }

    /// The authority that a delegation spells out, without what it inherits or implies.
    fn asked(&self, delegation: &Delegation) -> Result<Authority, ConstraintError> {
        let kind = delegation.resource_type.unwrap_or(self.wire.resource_type);
        let mut clauses = delegation.constraints.clauses()?;
        if let Some(resource) = &delegation.resource {
            clauses.extend(resource_clause(kind, resource)?);
        }
        clauses.extend(delegation.operations.map(Clause::Operations));
        clauses.extend(delegation.expires_at.map(Clause::Expires));
        if delegation.constraints.kinds.is_none() {
            let kinds = asked_kinds(kind, delegation.resource_type, &clauses);
            clauses.extend(kinds.map(Clause::Kinds));
        }
        Ok(Authority::new(clauses))
    }
}

/// Below type `any`, a capability of one type has the kinds and the tools that it spells out itself:
/// what it inherits only bounds them.
fn of_its_type(wire: &mut Wire, written: &[Clause]) {
    let Some(kind) = wire.resource_type.kind() else { return };
    let kinds = written.iter().filter_map(Clause::speaks_of).collect::<Kinds>();
    let kinds = kinds.with(kind).with(Kind::Tool);
    let wider = wire.constraints.kinds.unwrap_or(kinds);
    wire.constraints.kinds = Some(kinds.intersection(wider));
    let names_tools = written.iter().any(|clause| matches!(clause, Clause::Tools(_)));
    if kind != Kind::Tool && !names_tools && wire.constraints.tool_kinds.is_none() {
        wire.constraints.tool_kinds = Some(Kinds::NONE.with(kind));
    }
}

/// The kinds that a delegation names by its type or speaks of. Under type `any` no constraint
/// grants a kind by speaking of it.
fn asked_kinds(
    kind: ResourceType,
    named: Option<ResourceType>,
    clauses: &[Clause],
) -> Option<Kinds> {
    let Some(_) = kind.kind() else {
        return named.map(|_| Kind::ALL.into_iter().collect());
    };
    let spoken = clauses.iter().filter_map(Clause::speaks_of);
    let named = named.and_then(ResourceType::kind);
    let kinds: Kinds = spoken.chain(named).collect();
    (!kinds.is_empty()).then_some(kinds)
}
