//! Our entry in `authorization_details` (RFC 9396 §2), version 1: a capability, said once. What
//! the claims and the lineage say already — holder, parent, depth — is not said again.
//!
//! ```text
//! type              ENTRY_TYPE
//! chain             the ids, the root first, the capability last (`lineage`)
//! exp               when the capability ends, in seconds since 1970; absent: never
//! iat               when it was issued; absent: in the second that its id names
//! resource          `<resource type>:<resource>`
//! actions           the operations
//! constraints       an object by the names of `cap_core::Constraints`, or a list of such objects
//!                   that must all hold
//! inherited_limits  the limits of the ancestors; absent: none
//! ```

use std::borrow::Cow;
use std::fmt;

use cap_core::{Capability, CapabilityId, Constraints, Obligation, Operations};
use chrono::{DateTime, Utc};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::feed::{self, Parts};
use super::string;
use crate::jose::json::{self, Name, Reading, unique};
use crate::validate::ValidateError;
use crate::{ENTRY_TYPE, lineage};

/// One element of `authorization_details`.
pub(super) enum Element<'de> {
    Ours(Entry<'de>),
    NotOurs,
    /// No object, or one without a `type`.
    Malformed,
}

/// Our entry, taken apart: its members as they stand there, JSON.
#[derive(Default)]
pub(crate) struct Entry<'de> {
    pub(super) kind: Option<&'de str>,
    chain: Option<&'de str>,
    exp: Option<&'de str>,
    iat: Option<&'de str>,
    resource: Option<&'de str>,
    actions: Option<&'de str>,
    constraints: Option<&'de str>,
    inherited_limits: Option<&'de str>,
    others: Vec<(Cow<'de, str>, &'de str)>,
}

impl<'de> Entry<'de> {
    /// The capability of `principal`, with its ancestors.
    pub(crate) fn capability(
        &self,
        principal: &str,
    ) -> Result<(Capability, Vec<CapabilityId>), ValidateError> {
        let wrong = ValidateError::Entry;
        let (Some(chain), Some(resource), Some(actions), Some(constraints), []) =
            (self.chain, self.resource, self.actions, self.constraints, self.others.as_slice())
        else {
            return Err(wrong);
        };
        let (chain, resource) = string(chain).zip(string(resource)).ok_or(wrong.clone())?;
        let lineage = lineage::read(&chain).ok_or(ValidateError::Ancestors)?;
        let (resource_type, resource) = resource.split_once(':').ok_or(wrong.clone())?;
        let ends = self.exp.map(|exp| seconds(exp).ok_or(wrong.clone())).transpose()?;
        let issued = match self.iat {
            Some(iat) => seconds(iat).ok_or(wrong)?,
            None => Some(lineage::named_second(lineage.own))
                .filter(|at| is_instant(*at))
                .ok_or(wrong)?,
        };
        let parts = Parts {
            lineage: &lineage,
            principal,
            issued,
            ends,
            resource_type,
            resource,
            operations: actions,
            constraints,
            inherited_limits: self.inherited_limits,
        };
        let capability = feed::capability(&parts).ok_or(ValidateError::Capability)?;
        Ok((capability, lineage.ancestors))
    }

    pub(super) fn slot(&mut self, name: &str) -> Option<&mut Option<&'de str>> {
        Some(match name {
            "type" => &mut self.kind,
            "chain" => &mut self.chain,
            "exp" => &mut self.exp,
            "iat" => &mut self.iat,
            "resource" => &mut self.resource,
            "actions" => &mut self.actions,
            "constraints" => &mut self.constraints,
            "inherited_limits" => &mut self.inherited_limits,
            _ => return None,
        })
    }

    /// Everything but the type, for its duplicates.
    fn values(&self) -> impl Iterator<Item = &'de str> {
        let known = [
            self.chain,
            self.exp,
            self.iat,
            self.resource,
            self.actions,
            self.constraints,
            self.inherited_limits,
        ];
        known.into_iter().flatten().chain(self.others.iter().map(|(_, value)| *value))
    }
}

/// Reads one element of `authorization_details`.
pub(super) struct ElementSeed<'f>(pub(super) Reading<'f>);

impl<'de> DeserializeSeed<'de> for ElementSeed<'_> {
    type Value = Element<'de>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Element<'de>, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ElementSeed<'_> {
    type Value = Element<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    json::anything_else_is!(Element<'de>, Element::Malformed);

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Element<'de>, A::Error> {
        self.0.visit_seq(items).map(|_| Element::Malformed)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut values: A) -> Result<Element<'de>, A::Error> {
        let within = self.0.within()?;
        let mut entry = Entry::default();
        while let Some(name) = values.next_key_seed(Name)? {
            let value = values.next_value::<&RawValue>()?.get();
            match entry.slot(&name) {
                None => entry.others.push((name, value)),
                Some(free @ None) => *free = Some(value),
                Some(Some(_)) => return Err(within.duplicate()),
            }
        }
        if !entry.others.is_empty() {
            let names = entry.others.iter().map(|(name, _)| name.clone()).collect();
            unique(names).map_err(|()| within.duplicate())?;
        }
        let kind = entry.kind.and_then(string);
        if kind.as_deref() == Some(ENTRY_TYPE) {
            // The reader of capabilities finds duplicates by itself, but takes deeper values.
            for value in entry.values() {
                within.bound(value)?;
            }
            return Ok(Element::Ours(entry));
        }
        for value in entry.values() {
            within.skip(value)?;
        }
        Ok(if kind.is_some() { Element::NotOurs } else { Element::Malformed })
    }
}

/// Whole seconds from 1970 to the year 9999, in digits alone.
fn seconds(value: &str) -> Option<i64> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = value.parse().ok().filter(|_| digits)?;
    is_instant(seconds).then_some(seconds)
}

/// Whether it lies in the years 1970 to 9999.
pub(crate) fn is_instant(seconds: i64) -> bool {
    // To 9999-12-31T23:59:59Z.
    (0..=253_402_300_799).contains(&seconds)
}

/// Our entry, to be written.
#[derive(Serialize)]
pub(crate) struct EntryOut<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    chain: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    resource: String,
    actions: Operations,
    constraints: ConstraintsOut<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    inherited_limits: Vec<Obligation>,
}

impl<'a> EntryOut<'a> {
    /// `None` when an instant of the capability is one that cannot be written.
    pub(crate) fn new(capability: &'a Capability, ancestors: &[CapabilityId]) -> Option<Self> {
        let (id, issued) = (capability.id(), capability.issued_at().timestamp());
        let ends = capability.expires_at().as_ref().map(DateTime::<Utc>::timestamp);
        if !ends.into_iter().chain([issued]).all(is_instant) {
            return None;
        }
        Some(Self {
            kind: ENTRY_TYPE,
            chain: lineage::write(capability, ancestors),
            exp: ends,
            iat: (issued != lineage::named_second(id)).then_some(issued),
            resource: format!("{}:{}", capability.resource_type(), capability.resource()),
            actions: capability.operations(),
            constraints: ConstraintsOut(Cow::Borrowed(capability.constraints())).without_depth(),
            inherited_limits: capability.obligations().filter(|limit| limit.owner != id).collect(),
        })
    }
}

/// Constraints without what the lineage says.
struct ConstraintsOut<'a>(Cow<'a, Constraints>);

impl ConstraintsOut<'_> {
    fn without_depth(mut self) -> Self {
        if self.0.max_delegation_depth.is_some() {
            self.0.to_mut().max_delegation_depth = None;
        }
        self
    }
}

impl Serialize for ConstraintsOut<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let constraints = &*self.0;
        if !constraints.and.is_empty() {
            let and = Constraints { and: constraints.and.clone(), ..Constraints::default() };
            if and == *constraints {
                return serializer.collect_seq(&and.and);
            }
        }
        constraints.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use chrono::Datelike;

    use super::*;

    #[test]
    fn the_last_instant_is_that_of_the_year_9999() {
        let year = |seconds| DateTime::from_timestamp(seconds, 0).unwrap().year();
        assert!(is_instant(0) && !is_instant(-1));
        assert_eq!((year(253_402_300_799), year(253_402_300_800)), (9999, 10_000));
        assert!(is_instant(253_402_300_799) && !is_instant(253_402_300_800));
    }
}
