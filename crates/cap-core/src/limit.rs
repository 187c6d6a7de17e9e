//! Limits that calls use up, and what a call costs of each.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use chrono::{DateTime, Utc};

use crate::clause::check::is_listed;
#[cfg(feature = "serde")]
use crate::constraints::present;
use crate::decision::Quoted;
use crate::limits::{MAX_ALTERNATIVES, MAX_RATE, MAX_RATE_SECONDS, MAX_UNITS};
use crate::{
    AccessRequest, CapabilityId, ConstraintError, Denial, DenyCode, Operation, Operations,
    PathRequest, Physical, Reach, Resource, ToolName, ToolPattern,
};

/// The limits of one capability. What is absent does not limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limits {
    /// Calls in each period of some seconds.
    pub rate_limit: Option<RateLimit>,
    /// Calls in all.
    pub max_calls: Option<u64>,
    /// Bytes in all, of the files that calls read or write, as known before each call. A call of
    /// which they are not known is refused.
    pub max_bytes: Option<u64>,
    /// Units in all, by what each tool costs.
    pub budget: Option<Budget>,
}

impl Limits {
    /// Whether nothing is limited.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rate_limit.is_none()
            && self.max_calls.is_none()
            && self.max_bytes.is_none()
            && self.budget.is_none()
    }

    pub(crate) fn check(&self) -> Result<(), ConstraintError> {
        self.rate_limit.as_ref().map_or(Ok(()), RateLimit::check)?;
        if self.max_calls.is_some_and(|max| !(1..=MAX_UNITS).contains(&max)) {
            return Err(wrong("max_calls", "1 to 9007199254740991 calls"));
        }
        if self.max_bytes.is_some_and(|max| max > MAX_UNITS) {
            return Err(wrong("max_bytes", "at most 9007199254740991 bytes"));
        }
        self.budget.as_ref().map_or(Ok(()), Budget::check)
    }
}

/// At most `max` calls in each period of `per_seconds`, counted from the epoch of Unix; all
/// descendants of the capability spend from the same count.
///
/// With `burst`, also at most so many in each period of [`RateLimit::burst_seconds`], so that they
/// cannot all be made at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields, remote = "Self"))]
pub struct RateLimit {
    /// Calls in one period of the burst: fewer than `max`.
    #[cfg_attr(
        feature = "serde",
        serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")
    )]
    pub burst: Option<u64>,
    /// Calls in one period.
    pub max: u64,
    /// Length of a period, in seconds.
    pub per_seconds: u64,
}

impl RateLimit {
    /// `max` calls in each period of `per_seconds`, all at once if need be.
    #[must_use]
    pub const fn new(max: u64, per_seconds: u64) -> Self {
        Self { burst: None, max, per_seconds }
    }

    /// The number of the period that `now` falls into.
    #[must_use]
    pub fn period(&self, now: DateTime<Utc>) -> u64 {
        period(self.per_seconds, now)
    }

    /// Length of a period of the burst, in seconds: in which that many calls come free at the rate,
    /// rounded up. `None` where there is no burst.
    #[must_use]
    pub fn burst_seconds(&self) -> Option<u64> {
        let seconds = u128::from(self.burst?) * u128::from(self.per_seconds);
        // A `max` of 0 is refused when it is read; no division by it all the same.
        let max = u128::from(self.max).max(1);
        Some(u64::try_from(seconds.div_ceil(max)).unwrap_or(u64::MAX))
    }

    pub(crate) fn check(&self) -> Result<(), ConstraintError> {
        if !(1..=MAX_RATE).contains(&self.max)
            || !(1..=MAX_RATE_SECONDS).contains(&self.per_seconds)
        {
            return Err(wrong(
                "rate_limit",
                "`max` is 1 to 1000000000 and `per_seconds` 1 to 31622400",
            ));
        }
        if self.burst.is_some_and(|burst| burst < 1 || burst >= self.max) {
            return Err(wrong("rate_limit", "`burst` is at least 1 and less than `max`"));
        }
        Ok(())
    }
}

/// At most `max` units in all; a call costs what the most specific entry of `cost` says for its
/// tool: the tool itself, then all of its server, then all. A tool without an entry is refused, and
/// so is a call of no tool.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields, remote = "Self"))]
pub struct Budget {
    /// Units of one call, by tool. Nothing is charged for one that costs 0.
    #[cfg_attr(feature = "serde", serde(with = "costs"))]
    pub cost: BTreeMap<ToolPattern, u64>,
    /// Units in all.
    pub max: u64,
}

impl Budget {
    /// Units of one call of `tool`; `None` where the budget does not say.
    #[must_use]
    pub fn cost_of(&self, tool: &ToolName) -> Option<u64> {
        // The order of patterns is from the widest to the narrowest.
        let mut narrowest_first = self.cost.iter().rev();
        narrowest_first.find(|(pattern, _)| pattern.matches(tool)).map(|(_, units)| *units)
    }

    /// Units of a call: of its tools; `Err` with the tool that has no cost, if it is one.
    fn cost_of_call<'a>(&self, requests: &'a [AccessRequest]) -> Result<u64, Option<&'a ToolName>> {
        let mut units = None;
        for request in requests {
            if let Resource::Tool(tool) = &request.resource {
                let cost = self.cost_of(&tool.name).ok_or(Some(&tool.name))?;
                units = Some(cost.saturating_add(units.unwrap_or(0)));
            }
        }
        units.ok_or(None)
    }

    fn check(&self) -> Result<(), ConstraintError> {
        if !(1..=MAX_UNITS).contains(&self.max) || self.cost.values().any(|cost| *cost > MAX_UNITS)
        {
            return Err(wrong(
                "budget",
                "`max` is 1 to 9007199254740991 units, and so is a cost that is not 0",
            ));
        }
        if !(1..=MAX_ALTERNATIVES).contains(&self.cost.len()) {
            return Err(wrong("budget", "`cost` has 1 to 256 entries"));
        }
        Ok(())
    }
}

/// The limits of a capability with their owner: all of its descendants charge them.
///
/// On the wire an object of `owner` and the limits that there are, by the names of [`Limits`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "wire::Wire", into = "wire::Wire"))]
pub struct Obligation {
    /// Whose limits they are.
    pub owner: CapabilityId,
    /// The limits: at least one.
    pub limits: Limits,
}

impl Obligation {
    /// What a call that asks for `requests` uses up of each of the limits. Nothing is used up of one
    /// that is not listed.
    ///
    /// # Errors
    /// The denial, when that cannot be said: `size-unknown` or `cost-unknown`.
    pub fn charges(&self, requests: &[AccessRequest]) -> Result<Vec<Charge>, Denial> {
        let (owner, limits) = (self.owner, &self.limits);
        let mut charges = Vec::new();
        let charge =
            |meter, amount, max, per_seconds| Charge { owner, meter, amount, max, per_seconds };
        if let Some(rate) = limits.rate_limit {
            charges.push(charge(Meter::Rate, 1, rate.max, Some(rate.per_seconds)));
            let burst = rate.burst.zip(rate.burst_seconds());
            charges.extend(burst.map(|(max, per)| charge(Meter::Burst, 1, max, Some(per))));
        }
        charges.extend(limits.max_calls.map(|max| charge(Meter::Calls, 1, max, None)));
        if let Some(max) = limits.max_bytes {
            let bytes = bytes_of_call(requests).ok_or_else(|| self.size_unknown())?;
            charges.push(charge(Meter::Bytes, bytes, max, None));
        }
        if let Some(budget) = &limits.budget {
            let units = budget.cost_of_call(requests).map_err(|tool| self.cost_unknown(tool))?;
            charges.push(charge(Meter::Budget, units, budget.max, None));
        }
        charges.retain(|charge| charge.amount > 0);
        Ok(charges)
    }

    pub(crate) fn check(&self) -> Result<(), ConstraintError> {
        if self.limits.is_empty() {
            return Err(wrong("inherited_limits", "at least one limit of each owner"));
        }
        self.limits.check()
    }

    fn size_unknown(&self) -> Denial {
        let reason = format!(
            "capability {} limits the bytes that it and its descendants read and write, and those \
             of this call are not known; a call on single files of known size would pass",
            self.owner
        );
        Denial::because(DenyCode::SizeUnknown, reason).by(Meter::Bytes.constraint())
    }

    fn cost_unknown(&self, tool: Option<&ToolName>) -> Denial {
        let call = match tool {
            Some(tool) => format!("tool {}", Quoted(tool.as_str())),
            None => "a call of no tool".into(),
        };
        let reason = format!(
            "the budget of capability {} and its descendants has no cost for {call}; a call of a \
             tool that it lists would pass",
            self.owner
        );
        Denial::because(DenyCode::CostUnknown, reason).by(Meter::Budget.constraint())
    }
}

/// What one call uses up of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Charge {
    /// Whose limit it is.
    pub owner: CapabilityId,
    /// Which of its counters.
    pub meter: Meter,
    /// Units that the call uses up: at least 1.
    pub amount: u64,
    /// Units of a whole period.
    pub max: u64,
    /// Length of a period, in seconds; `None` where the limit is one for all times.
    pub per_seconds: Option<u64>,
}

impl Charge {
    /// The number of the period that is charged at `now`: 0 where the limit is one for all times.
    #[must_use]
    pub fn period(&self, now: DateTime<Utc>) -> u64 {
        self.per_seconds.map_or(0, |seconds| period(seconds, now))
    }

    /// The denial when of a whole period only `left` units are left, which is less than the amount.
    #[must_use]
    pub fn refusal(&self, left: u64) -> Denial {
        let Self { owner, meter, amount, max, .. } = self;
        let unit = meter.unit();
        let per = self.per_seconds.map_or_else(String::new, |per| format!(" in {per} s"));
        let used_up = if left == 0 { "reached" } else { "not enough" };
        let passes = match (self.per_seconds, left) {
            (Some(_), _) => "a call in the next period would pass".into(),
            (None, 0) => "nothing more passes that is charged to it".into(),
            (None, _) => {
                format!("this call needs {amount}, and one that needs at most {left} would pass")
            }
        };
        let reason = format!(
            "the limit of {max} {unit}{per}, which capability {owner} sets for itself and its \
             descendants, is {used_up}; {passes}"
        );
        Denial::because(meter.deny_code(), reason).by(meter.constraint())
    }
}

/// Which counter of a capability: each of its limits has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Meter {
    /// Calls in a period of the rate limit.
    Rate,
    /// Calls in a period of the rate limit's burst.
    Burst,
    /// Calls in all.
    Calls,
    /// Bytes in all.
    Bytes,
    /// Units of the budget.
    Budget,
}

impl Meter {
    /// Every meter, in the order in which they are charged.
    pub const ALL: [Self; 5] = [Self::Rate, Self::Burst, Self::Calls, Self::Bytes, Self::Budget];

    /// The name by which stores keep the counter. It never changes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Burst => "burst",
            Self::Calls => "calls",
            Self::Bytes => "bytes",
            Self::Budget => "budget",
        }
    }

    /// The constraint that sets the limit, by its name on the wire.
    #[must_use]
    pub const fn constraint(self) -> &'static str {
        match self {
            Self::Rate | Self::Burst => "rate_limit",
            Self::Calls => "max_calls",
            Self::Bytes => "max_bytes",
            Self::Budget => "budget",
        }
    }

    /// The code of a denial for want of units.
    #[must_use]
    pub const fn deny_code(self) -> DenyCode {
        match self {
            Self::Rate | Self::Burst => DenyCode::LimitRate,
            Self::Calls => DenyCode::LimitCalls,
            Self::Bytes => DenyCode::LimitBytes,
            Self::Budget => DenyCode::LimitBudget,
        }
    }

    const fn unit(self) -> &'static str {
        match self {
            Self::Rate | Self::Burst | Self::Calls => "calls",
            Self::Bytes => "bytes",
            Self::Budget => "units",
        }
    }
}

impl fmt::Display for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The number of the period of `seconds` that `now` falls into; those before the epoch are one.
fn period(seconds: u64, now: DateTime<Utc>) -> u64 {
    u64::try_from(now.timestamp()).unwrap_or(0).checked_div(seconds).unwrap_or(0)
}

/// Bytes of the files that a call reads and writes; `None` where they are not known.
fn bytes_of_call(requests: &[AccessRequest]) -> Option<u64> {
    requests.iter().try_fold(0_u64, |sum, request| Some(sum.saturating_add(bytes_of(request)?)))
}

fn bytes_of(request: &AccessRequest) -> Option<u64> {
    match &request.resource {
        Resource::Path(path) => bytes_of_path(path, request.operations),
        Resource::Method(_) => Some(0),
        // SECURITY: what the tool table does not know might read or write anything.
        Resource::Tool(_) => is_listed(request).then_some(0),
        Resource::Command(_) | Resource::Url(_) => None,
    }
}

fn bytes_of_path(path: &PathRequest, operations: Operations) -> Option<u64> {
    let reads = operations.contains(Operation::Read);
    let writes = operations.contains(Operation::Write);
    // SECURITY: a program reads and writes what it likes.
    if operations.contains(Operation::Execute) {
        return None;
    }
    if !reads && !writes {
        return Some(0);
    }
    if path.reach == Reach::Subtree {
        return None;
    }
    let read = if reads { bytes_there(path)? } else { 0 };
    let written = if writes { path.size? } else { 0 };
    Some(read.saturating_add(written))
}

/// Bytes of what a path leads to; where nobody looked, what the caller says.
fn bytes_there(path: &PathRequest) -> Option<u64> {
    match &path.physical {
        Physical::Refused(_) => None,
        Physical::Unknown => path.size,
        Physical::Resolved(roots) => {
            let found = roots.iter().filter(|beneath| beneath.real.is_ok());
            found.map(|beneath| beneath.size).max().or(path.size)
        }
    }
}

fn wrong(field: &'static str, wanted: &'static str) -> ConstraintError {
    ConstraintError::new(field, "", wanted)
}

#[cfg(feature = "serde")]
crate::constraints::serde_as_object!(RateLimit, Budget);

#[cfg(feature = "serde")]
mod wire {
    use super::{Budget, Limits, Obligation, RateLimit};
    use crate::constraints::present;
    use crate::{CapabilityId, ConstraintError};

    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields, remote = "Self")]
    pub(super) struct Wire {
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        budget: Option<Budget>,
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        max_bytes: Option<u64>,
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        max_calls: Option<u64>,
        owner: CapabilityId,
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        rate_limit: Option<RateLimit>,
    }

    crate::constraints::serde_as_object!(Wire);

    impl From<Obligation> for Wire {
        fn from(Obligation { owner, limits }: Obligation) -> Self {
            let Limits { rate_limit, max_calls, max_bytes, budget } = limits;
            Self { budget, max_bytes, max_calls, owner, rate_limit }
        }
    }

    impl TryFrom<Wire> for Obligation {
        type Error = ConstraintError;

        fn try_from(wire: Wire) -> Result<Self, ConstraintError> {
            let Wire { budget, max_bytes, max_calls, owner, rate_limit } = wire;
            let limits = Limits { rate_limit, max_calls, max_bytes, budget };
            let obligation = Self { owner, limits };
            obligation.check()?;
            Ok(obligation)
        }
    }
}

/// The costs of a budget on the wire: an object without duplicates, members in the order of their
/// names.
#[cfg(feature = "serde")]
mod costs {
    use alloc::collections::BTreeMap;
    use alloc::string::{String, ToString};

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    use crate::ToolPattern;
    use crate::constraints::UniqueValue;

    pub(super) fn serialize<S: Serializer>(
        costs: &BTreeMap<ToolPattern, u64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let by_name = costs.iter().map(|(tool, units)| (tool.to_string(), *units));
        by_name.collect::<BTreeMap<String, u64>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<ToolPattern, u64>, D::Error> {
        let Value::Object(members) = UniqueValue::deserialize(deserializer)?.0 else {
            return Err(D::Error::custom("`cost` is an object"));
        };
        let cost = |(tool, units): (String, Value)| {
            let units = units.as_u64().ok_or_else(|| D::Error::custom("a cost is an integer"))?;
            Ok((tool.parse().map_err(D::Error::custom)?, units))
        };
        members.into_iter().map(cost).collect()
    }
}

#[cfg(test)]
mod tests;
