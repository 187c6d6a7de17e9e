//! The capability in an entry: its parts are read, and made into one by `cap_core`, where all of
//! them are checked.

use cap_core::{Capability, CapabilityParts, Constraints};
use chrono::DateTime;
use serde::Deserialize;

use super::plain;
use crate::lineage::Lineage;

/// Everything that a capability is made of.
pub(super) struct Parts<'a> {
    pub(super) lineage: &'a Lineage,
    pub(super) principal: &'a str,
    /// Seconds since 1970, to the year 9999; the same for `ends`.
    pub(super) issued: i64,
    pub(super) ends: Option<i64>,
    pub(super) resource_type: &'a str,
    pub(super) resource: &'a str,
    /// JSON, as the two below.
    pub(super) operations: &'a str,
    pub(super) constraints: &'a str,
    pub(super) inherited_limits: Option<&'a str>,
}

/// `None` when they make no capability.
pub(super) fn capability(parts: &Parts<'_>) -> Option<Capability> {
    let Lineage { own, ancestors, below } = parts.lineage;
    let instant = |seconds| DateTime::from_timestamp(seconds, 0);
    let parts = CapabilityParts {
        id: *own,
        parent: ancestors.last().copied(),
        delegation_depth: u8::try_from(ancestors.len()).ok()?,
        principal: parts.principal.parse().ok()?,
        resource_type: parts.resource_type.parse().ok()?,
        resource: parts.resource.to_owned(),
        operations: read(parts.operations)?,
        constraints: constraints(parts.constraints, *below)?,
        inherited_limits: match parts.inherited_limits {
            Some(limits) => read(limits)?,
            None => Vec::new(),
        },
        issued_at: instant(parts.issued)?,
        expires_at: match parts.ends {
            Some(ends) => Some(instant(ends)?),
            None => None,
        },
    };
    Capability::from_parts(parts).ok()
}

/// One set of constraints, or a list of them that goes under `and`.
fn constraints(value: &str, below: Option<u8>) -> Option<Constraints> {
    let mut constraints = if value.starts_with('[') {
        Constraints { and: read(value)?, ..Constraints::default() }
    } else {
        read(value)?
    };
    // SECURITY: what the lineage says stands nowhere else, not even as the same. Under `and` nobody
    // may say it.
    if constraints.max_delegation_depth.is_some() {
        return None;
    }
    constraints.max_delegation_depth = below;
    Some(constraints)
}

/// Reads a value from its beginning to its end.
fn read<'a, T: Deserialize<'a>>(value: &'a str) -> Option<T> {
    plain::value::read(value).or_else(|| serde_json::from_str(value).ok())
}
