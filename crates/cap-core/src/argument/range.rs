use alloc::string::String;
use core::cmp::Ordering;

use serde_json::{Map, Value};

use super::wire::Members;
use crate::canonical::number;

/// The bounds of `range`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Range {
    min: Option<Bound>,
    max: Option<Bound>,
}

#[derive(Clone, Copy, Debug)]
struct Bound {
    /// INVARIANT: finite, and never `-0`.
    at: f64,
    inclusive: bool,
}

impl Range {
    /// `None` when a bound is no exact number, its flag is no boolean or stands alone, or the lower
    /// bound is above the upper one.
    pub(super) fn read(members: &Map<String, Value>) -> Option<Self> {
        let min = Bound::read(members.get("min"), members.get("min_inclusive"))?;
        let max = Bound::read(members.get("max"), members.get("max_inclusive"))?;
        let ordered = min.zip(max).is_none_or(|(min, max)| min.at <= max.at);
        ordered.then_some(Self { min, max })
    }

    pub(super) fn contains(&self, value: f64) -> bool {
        let above = |min: Bound| min.at < value || (min.inclusive && min.at == value);
        let below = |max: Bound| value < max.at || (max.inclusive && max.at == value);
        self.min.is_none_or(above) && self.max.is_none_or(below)
    }

    /// At least as tight: each bound of the parent is there, no wider, and inclusive no more.
    pub(super) fn is_within(&self, parent: &Self) -> bool {
        let tighter = |mine: Option<Bound>, theirs: Bound, past: Ordering| {
            mine.is_some_and(|mine| {
                let order = mine.at.total_cmp(&theirs.at);
                order == past || (order.is_eq() && (theirs.inclusive || !mine.inclusive))
            })
        };
        parent.min.is_none_or(|min| tighter(self.min, min, Ordering::Greater))
            && parent.max.is_none_or(|max| tighter(self.max, max, Ordering::Less))
    }

    pub(super) fn write(&self, members: &mut Members) {
        let bounds = [(self.min, "min", "min_inclusive"), (self.max, "max", "max_inclusive")];
        for (bound, name, flag) in bounds {
            let Some(Bound { at, inclusive }) = bound else { continue };
            members.extend(number::from_double(at).map(|at| (name, Value::Number(at))));
            if !inclusive {
                members.insert(flag, Value::Bool(false));
            }
        }
    }
}

impl Bound {
    fn read(at: Option<&Value>, inclusive: Option<&Value>) -> Option<Option<Self>> {
        let inclusive = inclusive.map(Value::as_bool);
        match (at, inclusive) {
            (None, None) => Some(None),
            (Some(at), inclusive) => {
                let at = at.as_number().and_then(number::exact)?;
                Some(Some(Self { at, inclusive: inclusive.unwrap_or(Some(true))? }))
            }
            (None, Some(_)) => None,
        }
    }
}

impl Ord for Bound {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.total_cmp(&other.at).then(self.inclusive.cmp(&other.inclusive))
    }
}

impl PartialOrd for Bound {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Bound {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Bound {}
