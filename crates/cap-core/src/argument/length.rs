use alloc::string::String;

use serde_json::{Map, Value};

use super::wire::Members;
use crate::canonical::number;

/// The bounds of `length`, both inclusive; at least one of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Length {
    min: Option<u64>,
    max: Option<u64>,
}

impl Length {
    /// `None` when no bound is there, one is no integer, or the lower is above the upper one.
    pub(super) fn read(members: &Map<String, Value>) -> Option<Self> {
        let bound = |name| match members.get(name) {
            None => Some(None),
            Some(value) => whole(value).map(Some),
        };
        let (min, max) = (bound("min")?, bound("max")?);
        let good = match (min, max) {
            (None, None) => false,
            (Some(min), Some(max)) => min <= max,
            _ => true,
        };
        good.then_some(Self { min, max })
    }

    pub(super) fn contains(&self, length: u64) -> bool {
        self.min.is_none_or(|min| min <= length) && self.max.is_none_or(|max| length <= max)
    }

    pub(super) fn is_within(&self, parent: &Self) -> bool {
        // No bound below is a bound at nothing.
        let min = parent.min.is_none_or(|min| self.min.unwrap_or_default() >= min);
        let max = parent.max.is_none_or(|max| self.max.is_some_and(|mine| mine <= max));
        min && max
    }

    pub(super) fn write(&self, members: &mut Members) {
        let bounds = [(self.min, "min"), (self.max, "max")];
        members.extend(bounds.into_iter().filter_map(|(bound, name)| Some((name, bound?.into()))));
    }
}

/// The integer from nothing to 2⁵³ that a number is, however it is written (`2.0` is `2`).
fn whole(value: &Value) -> Option<u64> {
    let double = value.as_number().and_then(number::exact)?;
    number::from_double(double)?.as_u64()
}
