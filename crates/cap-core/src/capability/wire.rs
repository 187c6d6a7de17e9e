use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use chrono::{DateTime, Utc};

use crate::clause::Clause;
use crate::command::ArgvRules;
use crate::constraints::is_wire_instant;
#[cfg(feature = "serde")]
use crate::constraints::{instant, present, present_instant};
#[cfg(feature = "serde")]
use crate::limits::MAX_CAPABILITY_BYTES;
use crate::limits::{MAX_DELEGATION_DEPTH, MAX_NAME_BYTES};
use crate::{
    Authority, CapabilityId, ConstraintError, Constraints, Kind, Kinds, Obligation, Operation,
    Operations, Principal, ResourceType,
};

#[cfg(feature = "serde")]
mod size;

pub(super) const VERSION: u8 = 1;

/// The wire form, version 1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields, remote = "Self"))]
pub(super) struct Wire {
    pub(super) constraints: Constraints,
    pub(super) delegation_depth: u8,
    #[cfg_attr(
        feature = "serde",
        serde(
            default,
            deserialize_with = "present_instant",
            skip_serializing_if = "Option::is_none"
        )
    )]
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) id: CapabilityId,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    pub(super) inherited_limits: Vec<Obligation>,
    #[cfg_attr(feature = "serde", serde(deserialize_with = "instant"))]
    pub(super) issued_at: DateTime<Utc>,
    pub(super) operations: Operations,
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub(super) parent: Option<CapabilityId>,
    pub(super) principal: Principal,
    pub(super) resource: String,
    pub(super) resource_type: ResourceType,
    pub(super) version: u8,
}

impl Wire {
    /// What type, resource, operations and constraints mean together.
    pub(super) fn authority(&self) -> Result<Authority, ConstraintError> {
        let mut clauses = self.written()?;
        if let Some(kind) = self.resource_type.kind() {
            let names_tools = clauses.iter().any(|clause| matches!(clause, Clause::Tools(_)));
            if kind != Kind::Tool && !names_tools {
                clauses.push(Clause::ToolKinds(Kinds::NONE.with(kind)));
            }
            let spoken = clauses.iter().filter_map(Clause::speaks_of).collect::<Kinds>();
            let kinds = spoken.with(kind).with(Kind::Tool);
            let granted_only = self.granted_only(kinds, &clauses);
            clauses.extend(granted_only.into_iter().flatten());
            clauses.push(Clause::Kinds(kinds));
        }
        Ok(Authority::new(clauses))
    }

    /// What is refused unless it is granted, and stands nowhere.
    fn granted_only(&self, kinds: Kinds, written: &[Clause]) -> [Option<Clause>; 3] {
        let silent = |kind, clause: Clause| {
            let said = |one: &Clause| one.name() == clause.name();
            (kinds.contains(kind) && !written.iter().any(said)).then_some(clause)
        };
        let public = silent(Kind::Url, Clause::PublicNetworks);
        [
            public.filter(|_| self.constraints.private_networks.is_none()),
            silent(Kind::Command, Clause::CommandArguments(ArgvRules::default())),
            silent(Kind::Command, Clause::Environment(BTreeSet::new())),
        ]
    }

    /// The clauses that are spelled out, without those that the type implies.
    pub(super) fn written(&self) -> Result<Vec<Clause>, ConstraintError> {
        self.check()?;
        let mut clauses = self.constraints.clauses()?;
        clauses.extend(resource_clause(self.resource_type, &self.resource)?);
        clauses.extend(operations_clause(self.resource_type, self.operations));
        Ok(clauses)
    }

    /// Whether it could not be read back.
    #[cfg(feature = "serde")]
    pub(super) fn is_too_long(&self) -> bool {
        // Most are so short that nothing has to be written to know it.
        let is_short = self.most_bytes().is_some_and(|most| most <= MAX_CAPABILITY_BYTES);
        !is_short && self.bytes().is_none_or(|bytes| bytes > MAX_CAPABILITY_BYTES)
    }

    #[cfg(not(feature = "serde"))]
    pub(super) fn is_too_long(&self) -> bool {
        false
    }

    /// How many bytes the wire form has.
    #[cfg(feature = "serde")]
    fn bytes(&self) -> Option<usize> {
        serde_json::to_string(self).ok().map(|text| text.len())
    }

    /// At most how many bytes the wire form has; `None` where that is not quickly said.
    #[cfg(feature = "serde")]
    fn most_bytes(&self) -> Option<usize> {
        let texts = [self.principal.as_str(), &self.resource].map(size::text).iter().sum::<usize>();
        let constraints = size::constraints(&self.constraints)?;
        let limits = size::inherited_limits(&self.inherited_limits)?;
        // All else: two ids, two instants, numbers, names; 400 bytes.
        Some(512 + texts + constraints + limits)
    }

    fn check(&self) -> Result<(), ConstraintError> {
        let wrong = |field, wanted| Err(ConstraintError::new(field, "", wanted));
        if self.version != VERSION {
            return wrong("version", "only version 1 is known");
        }
        if self.constraints.max_delegation_depth.is_some_and(|depth| depth > MAX_DELEGATION_DEPTH) {
            return wrong("max_delegation_depth", "at most 16 links may hang below a capability");
        }
        if self.delegation_depth > MAX_DELEGATION_DEPTH {
            return wrong("delegation_depth", "at most 16");
        }
        if self.parent.is_some() != (self.delegation_depth > 0) {
            return wrong("delegation_depth", "0 for a root, and more where there is a parent");
        }
        if self.parent == Some(self.id) {
            return wrong("parent", "another capability");
        }
        let instants = self.expires_at.iter().chain([&self.issued_at]);
        if !instants.into_iter().all(is_wire_instant) {
            return wrong("issued_at", "instants are whole seconds of the years 0 to 9999");
        }
        self.check_inherited_limits()
    }

    fn check_inherited_limits(&self) -> Result<(), ConstraintError> {
        let owners: BTreeSet<_> = self.inherited_limits.iter().map(|limit| limit.owner).collect();
        if owners.len() != self.inherited_limits.len()
            || owners.len() > usize::from(self.delegation_depth)
            || owners.contains(&self.id)
        {
            return Err(ConstraintError::new(
                "inherited_limits",
                "",
                "at most one for each ancestor",
            ));
        }
        self.inherited_limits.iter().try_for_each(Obligation::check)
    }
}

pub(super) fn resource_clause(
    kind: ResourceType,
    resource: &str,
) -> Result<Option<Clause>, ConstraintError> {
    let wrong = |wanted| ConstraintError::new("resource", resource, wanted);
    if resource.len() > MAX_NAME_BYTES.max(crate::limits::MAX_PATH_BYTES) {
        return Err(wrong("the resource is too long"));
    }
    Ok(Some(match kind {
        ResourceType::Any if resource == "*" => return Ok(None),
        ResourceType::Any => return Err(wrong("`*` is the only resource of type `any`")),
        ResourceType::Command => Clause::Commands(alloc::vec![
            resource.parse().map_err(|_| wrong("a program, or `*`, is wanted"))?
        ]),
        ResourceType::Method => Clause::Methods(alloc::vec![
            resource.parse().map_err(|_| wrong("a method, `family/*` or `*` is wanted"))?
        ]),
        ResourceType::Path => {
            let path = if resource == "*" { "/" } else { resource };
            Clause::Paths(alloc::vec![path.parse().map_err(|_| wrong(
                "an absolute path, perhaps with wildcards, or `*` is wanted"
            ))?])
        }
        ResourceType::Tool => Clause::Tools(alloc::vec![
            resource.parse().map_err(|_| wrong("`server/tool`, `server/*` or `*` is wanted"))?
        ]),
        ResourceType::Url => Clause::Urls(alloc::vec![
            resource
                .parse()
                .map_err(|_| wrong("`scheme://host[:port][/path]` or `*` is wanted"))?
        ]),
    }))
}

fn operations_clause(kind: ResourceType, operations: Operations) -> Option<Clause> {
    let implied = match kind {
        ResourceType::Tool | ResourceType::Method => operations,
        _ => operations.with(Operation::Call),
    };
    (implied != Operations::ALL).then_some(Clause::Operations(implied))
}

#[cfg(feature = "serde")]
crate::constraints::serde_as_object!(Wire);

#[cfg(feature = "serde")]
mod json {
    use alloc::string::String;

    use super::Wire;
    use crate::capability::{Capability, GrantError};
    use crate::limits::MAX_CAPABILITY_BYTES;

    impl Capability {
        /// The wire form: compact JSON, members in the order of their names.
        #[must_use]
        pub fn to_json(&self) -> String {
            // INVARIANT: strings, numbers and lists of them always serialise.
            serde_json::to_string(self).unwrap_or_default()
        }

        /// Reads the wire form. Unknown and duplicate members are refused.
        ///
        /// # Errors
        /// When the text is over 64 KiB, or no capability.
        pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
            use serde::de::Error;
            if text.len() > MAX_CAPABILITY_BYTES {
                return Err(serde_json::Error::custom("a capability has at most 65536 bytes"));
            }
            serde_json::from_str(text)
        }
    }

    impl serde::Serialize for Capability {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.wire.serialize(serializer)
        }
    }

    impl TryFrom<Wire> for Capability {
        type Error = GrantError;

        fn try_from(wire: Wire) -> Result<Self, GrantError> {
            Self::from_wire(wire)
        }
    }
}

#[cfg(test)]
#[cfg(feature = "serde")]
mod tests;
