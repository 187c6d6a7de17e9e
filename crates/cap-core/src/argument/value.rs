//! JSON values by their meaning, compared without a text being built.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use serde_json::{Map, Value};

use crate::canonical::{MAX_DEPTH, number};
use crate::limits::MAX_ALTERNATIVES;

/// A value in its normal form; two are equal when their canonical texts are.
///
/// INVARIANT: every number in it is exact.
#[derive(Clone, Debug)]
pub(super) struct Canonical(Value);

impl Canonical {
    /// `None` when a number in it is not exact, or it is nested too deeply.
    pub(super) fn new(value: &Value) -> Option<Self> {
        is_exact(value).then(|| Self(normal(value)))
    }

    /// Whether `value` is the same by meaning.
    pub(super) fn means(&self, value: &Value) -> bool {
        compare(&self.0, value).is_eq()
    }

    pub(super) const fn value(&self) -> &Value {
        &self.0
    }
}

impl Ord for Canonical {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

impl PartialOrd for Canonical {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Canonical {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Canonical {}

/// Values of which none equals another, at most [`MAX_ALTERNATIVES`], sorted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ValueSet(Vec<Canonical>);

impl ValueSet {
    /// `None` when a value has no normal form, or there are too many.
    pub(super) fn new(values: &[Value]) -> Option<Self> {
        if values.len() > MAX_ALTERNATIVES {
            return None;
        }
        let mut values = values.iter().map(Canonical::new).collect::<Option<Vec<_>>>()?;
        values.sort();
        values.dedup();
        Some(Self(values))
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Value> {
        self.0.iter().map(Canonical::value)
    }

    pub(super) fn contains(&self, value: &Value) -> bool {
        self.position(value).is_some()
    }

    pub(super) fn is_subset(&self, other: &Self) -> bool {
        self.values().all(|value| other.contains(value))
    }

    /// Whether each of these is among `items`, looked at once: there may be many.
    pub(super) fn is_contained_in(&self, items: &[Value]) -> bool {
        let mut found = [false; MAX_ALTERNATIVES];
        for at in items.iter().filter_map(|item| self.position(item)) {
            if let Some(found) = found.get_mut(at) {
                *found = true;
            }
        }
        found.iter().filter(|found| **found).count() == self.0.len()
    }

    fn position(&self, value: &Value) -> Option<usize> {
        self.0.binary_search_by(|own| compare(&own.0, value)).ok()
    }
}

/// Whether no number in it is other than the binary64 that a reader may take it for, at no depth
/// beyond what is compared.
pub(super) fn is_exact(value: &Value) -> bool {
    is_exact_within(value, MAX_DEPTH)
}

fn is_exact_within(value: &Value, depth: usize) -> bool {
    let within = |value| depth.checked_sub(1).is_some_and(|depth| is_exact_within(value, depth));
    match value {
        Value::Array(items) => items.iter().all(within),
        Value::Number(number) => number::exact(number).is_some(),
        Value::Object(members) => members.values().all(within),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// Numbers in their one form, members in the order of their names: what is written is signed.
fn normal(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Number(number) => {
            number::exact(number).and_then(number::from_double).map_or(Value::Null, Value::Number)
        }
        Value::Object(members) => {
            let sorted: BTreeMap<_, _> =
                members.iter().map(|(name, it)| (name, normal(it))).collect();
            sorted.into_iter().map(|(name, value)| (name.clone(), value)).collect()
        }
        other => other.clone(),
    }
}

/// A total order of values in normal form, in which equal ones are equal by meaning.
///
/// SECURITY: a number of `probe` that is not exact equals nothing, not even itself.
fn compare(own: &Value, probe: &Value) -> Ordering {
    match (own, probe) {
        (Value::Bool(own), Value::Bool(probe)) => own.cmp(probe),
        (Value::String(own), Value::String(probe)) => own.cmp(probe),
        (Value::Array(own), Value::Array(probe)) => first_difference(
            own.iter().zip(probe).map(|(own, probe)| compare(own, probe)),
            own.len().cmp(&probe.len()),
        ),
        (Value::Object(own), Value::Object(probe)) => compare_objects(own, probe),
        (Value::Number(own), Value::Number(probe)) => {
            match (number::exact(own), number::exact(probe)) {
                (Some(own), Some(probe)) => own.total_cmp(&probe),
                (_, None) => Ordering::Less,
                (None, _) => Ordering::Greater,
            }
        }
        _ => rank(own).cmp(&rank(probe)),
    }
}

/// By their members in the order of the names, whatever order the maps keep.
fn compare_objects(own: &Map<String, Value>, probe: &Map<String, Value>) -> Ordering {
    // The sizes first: objects of unlike sizes are told apart without sorting.
    own.len().cmp(&probe.len()).then_with(|| {
        let pairs = sorted(own).into_iter().zip(sorted(probe));
        let each = pairs.map(|((a, own), (b, probe))| a.cmp(b).then_with(|| compare(own, probe)));
        first_difference(each, Ordering::Equal)
    })
}

fn sorted(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_by_key(|(name, _)| *name);
    members
}

fn first_difference(mut each: impl Iterator<Item = Ordering>, otherwise: Ordering) -> Ordering {
    each.find(|order| order.is_ne()).unwrap_or(otherwise)
}

const fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}
