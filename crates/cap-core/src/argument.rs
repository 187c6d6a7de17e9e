use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use crate::ConstraintError;
use crate::decision::Quoted;
use crate::limits::{MAX_ALTERNATIVES, MAX_ARGUMENT_NESTING};

/// What a tool's arguments must be: a constraint for each by name. The world is closed: an
/// argument that is not named is refused unless `"*"` is there, and a named one must be present
/// unless it is optional (AAT-02 §3.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArgumentRules {
    rules: BTreeMap<String, ArgumentConstraint>,
    optional: BTreeSet<String>,
    open: bool,
}

impl ArgumentRules {
    /// Reads the wire form: `{"path": {"constraint_type": "exact", "value": "a"}, …}`.
    ///
    /// # Errors
    /// On an unknown type or member, a member missing or of the wrong type, or an empty map,
    /// which would read as «anything» in one draft and as «nothing» in another.
    pub fn from_value(value: &Value) -> Result<Self, ConstraintError> {
        let map = value.as_object().ok_or_else(|| wrong("an object of constraints is wanted"))?;
        if map.is_empty() || map.len() > MAX_ALTERNATIVES {
            return Err(wrong("name at least one argument, or `*` with `wildcard` for any"));
        }
        let mut this = Self { rules: BTreeMap::new(), optional: BTreeSet::new(), open: false };
        for (name, constraint) in map {
            let mut members = constraint
                .as_object()
                .cloned()
                .ok_or_else(|| wrong("a constraint is an object with `constraint_type`"))?;
            let optional = match members.remove("optional") {
                None => None,
                Some(Value::Bool(optional)) => Some(optional),
                Some(_) => return Err(wrong("`optional` is true or false")),
            };
            let constraint = ArgumentConstraint::from_members(&members, 1)?;
            if name == "*" {
                if constraint != ArgumentConstraint::Wildcard || optional.is_some() {
                    return Err(wrong("`*` takes `wildcard` and nothing else"));
                }
                this.open = true;
                continue;
            }
            if optional == Some(true) {
                this.optional.insert(name.clone());
            }
            this.rules.insert(name.clone(), constraint);
        }
        Ok(this)
    }

    /// The wire form.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut map: BTreeMap<String, Value> = self
            .rules
            .iter()
            .map(|(name, constraint)| {
                let mut members = constraint.to_members();
                if self.optional.contains(name) {
                    members.insert("optional".into(), Value::Bool(true));
                }
                (name.clone(), object(members))
            })
            .collect();
        if self.open {
            map.insert("*".into(), object(ArgumentConstraint::Wildcard.to_members()));
        }
        object(map)
    }

    /// The first argument that is not as it must be: its name and what would pass.
    pub(crate) fn refusal(&self, arguments: &Map<String, Value>) -> Option<(String, String)> {
        for (name, constraint) in &self.rules {
            match arguments.get(name) {
                Some(value) if constraint.check(value) => {}
                None if self.optional.contains(name) => {}
                _ => return Some((name.clone(), constraint.describe())),
            }
        }
        let unnamed = |name: &&String| !self.open && !self.rules.contains_key(*name);
        arguments.keys().find(unnamed).map(|name| (name.clone(), "its absence".into()))
    }
}

/// What one argument must be (AAT-02 §3.4). A value of the wrong type satisfies nothing but
/// `wildcard` and `not_one_of`. Values are equal when their canonical JSON (RFC 8785) is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ArgumentConstraint {
    /// `all`: every one of these holds.
    All(Vec<Self>),
    /// `any`: some of these hold.
    Any(Vec<Self>),
    /// `contains`: an array that has all of these.
    Contains(BTreeSet<Canonical>),
    /// `exact`: this string, number, boolean or null.
    Exact(Canonical),
    /// `not_one_of`: none of these.
    NotOneOf(BTreeSet<Canonical>),
    /// `one_of`: one of these.
    OneOf(BTreeSet<Canonical>),
    /// `range`: a number within bounds.
    Range(Box<Range>),
    /// `subset`: an array that has only these.
    Subset(BTreeSet<Canonical>),
    /// `wildcard`: anything.
    Wildcard,
}

impl ArgumentConstraint {
    /// Whether `value` is as it must be.
    #[must_use]
    pub fn check(&self, value: &Value) -> bool {
        let canonical = Canonical::new(value);
        match self {
            Self::All(each) => each.iter().all(|constraint| constraint.check(value)),
            Self::Any(each) => each.iter().any(|constraint| constraint.check(value)),
            Self::Contains(required) => {
                items(value).is_some_and(|items| required.is_subset(&items))
            }
            Self::Exact(wanted) => canonical.as_ref() == Some(wanted),
            Self::NotOneOf(excluded) => canonical.is_some_and(|value| !excluded.contains(&value)),
            Self::OneOf(values) => canonical.is_some_and(|value| values.contains(&value)),
            Self::Range(range) => number(value).is_some_and(|value| range.contains(value)),
            Self::Subset(allowed) => items(value).is_some_and(|items| items.is_subset(allowed)),
            Self::Wildcard => true,
        }
    }

    fn from_members(members: &Map<String, Value>, depth: usize) -> Result<Self, ConstraintError> {
        if depth > MAX_ARGUMENT_NESTING {
            return Err(wrong("`all` and `any` are nested too deeply"));
        }
        let kind = members.get("constraint_type").and_then(Value::as_str).unwrap_or_default();
        let known: &[&str] = match kind {
            "all" | "any" => &["constraints"],
            "contains" => &["required"],
            "exact" => &["value"],
            "not_one_of" => &["excluded"],
            "one_of" => &["values"],
            "range" => &["min", "max", "min_inclusive", "max_inclusive"],
            "subset" => &["allowed"],
            "wildcard" => &[],
            _ => {
                return Err(wrong(
                    "`constraint_type` is none of `all any contains exact not_one_of one_of range subset wildcard`",
                ));
            }
        };
        if members.keys().any(|name| name != "constraint_type" && !known.contains(&name.as_str())) {
            return Err(wrong("a member that this `constraint_type` does not have"));
        }
        let list = || {
            let list = known.first().and_then(|name| members.get(*name)).and_then(Value::as_array);
            list.filter(|list| list.len() <= MAX_ALTERNATIVES)
                .ok_or_else(|| wrong("an array is wanted"))
        };
        let set = || -> Result<BTreeSet<Canonical>, ConstraintError> {
            let one =
                |value| Canonical::new(value).ok_or_else(|| wrong("a number that is not exact"));
            list()?.iter().map(one).collect()
        };
        let clauses = || -> Result<Vec<Self>, ConstraintError> {
            let one = |value: &Value| match value {
                Value::Object(members) => Self::from_members(members, depth + 1),
                _ => Err(wrong("a constraint is an object with `constraint_type`")),
            };
            let clauses: Vec<Self> = list()?.iter().map(one).collect::<Result<_, _>>()?;
            if clauses.is_empty() { Err(wrong("`constraints` is empty")) } else { Ok(clauses) }
        };
        Ok(match kind {
            "all" => Self::All(clauses()?),
            "any" => Self::Any(clauses()?),
            "contains" => Self::Contains(set()?),
            "not_one_of" => Self::NotOneOf(set()?),
            "one_of" => match set()? {
                values if values.is_empty() => return Err(wrong("`values` is empty")),
                values => Self::OneOf(values),
            },
            "range" => Self::Range(Box::new(Range::from_members(members)?)),
            "subset" => Self::Subset(set()?),
            "exact" => match members.get("value") {
                Some(value) if !value.is_object() && !value.is_array() => Self::Exact(
                    Canonical::new(value).ok_or_else(|| wrong("a number that is not exact"))?,
                ),
                _ => return Err(wrong("`value` is a string, number, boolean or null")),
            },
            _ => Self::Wildcard,
        })
    }

    fn to_members(&self) -> BTreeMap<String, Value> {
        let set =
            |set: &BTreeSet<Canonical>| Value::Array(set.iter().map(Canonical::value).collect());
        let all =
            |each: &[Self]| Value::Array(each.iter().map(|one| object(one.to_members())).collect());
        let (kind, member) = match self {
            Self::All(each) => ("all", Some(("constraints", all(each)))),
            Self::Any(each) => ("any", Some(("constraints", all(each)))),
            Self::Contains(required) => ("contains", Some(("required", set(required)))),
            Self::Exact(value) => ("exact", Some(("value", value.value()))),
            Self::NotOneOf(excluded) => ("not_one_of", Some(("excluded", set(excluded)))),
            Self::OneOf(values) => ("one_of", Some(("values", set(values)))),
            Self::Range(range) => return range.to_members(),
            Self::Subset(allowed) => ("subset", Some(("allowed", set(allowed)))),
            Self::Wildcard => ("wildcard", None),
        };
        let mut members = BTreeMap::new();
        members.insert("constraint_type".into(), kind.into());
        members.extend(member.map(|(name, value)| (name.to_string(), value)));
        members
    }

    fn describe(&self) -> String {
        Quoted(&object(self.to_members()).to_string()).to_string()
    }
}

/// The bounds of `range`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    min: Option<(Canonical, bool)>,
    max: Option<(Canonical, bool)>,
}

impl Range {
    fn from_members(members: &Map<String, Value>) -> Result<Self, ConstraintError> {
        let bound = |name: &str, inclusive: &str| match (members.get(name), members.get(inclusive))
        {
            (None, None) => Ok(None),
            (Some(value), flag) if number(value).is_some() => {
                let flag = flag.map_or(Some(true), Value::as_bool);
                Ok(Canonical::new(value).zip(flag))
            }
            _ => Err(()),
        };
        let checked = |name, flag| -> Result<_, ConstraintError> {
            let wanted = members.contains_key(name);
            match bound(name, flag) {
                Ok(bound) if bound.is_some() == wanted => Ok(bound),
                _ => Err(wrong("`min` and `max` are numbers, their `_inclusive` true or false")),
            }
        };
        let this =
            Self { min: checked("min", "min_inclusive")?, max: checked("max", "max_inclusive")? };
        match (&this.min, &this.max) {
            (Some((min, _)), Some((max, _))) if min.number() > max.number() => {
                Err(wrong("`min` is greater than `max`"))
            }
            _ => Ok(this),
        }
    }

    fn contains(&self, value: f64) -> bool {
        let above = self.min.as_ref().is_none_or(|(min, inclusive)| {
            min.number().is_some_and(|min| value > min || (*inclusive && value == min))
        });
        let below = self.max.as_ref().is_none_or(|(max, inclusive)| {
            max.number().is_some_and(|max| value < max || (*inclusive && value == max))
        });
        above && below
    }

    fn to_members(&self) -> BTreeMap<String, Value> {
        let mut members = BTreeMap::new();
        members.insert("constraint_type".into(), "range".into());
        for (bound, name) in [(&self.max, "max"), (&self.min, "min")] {
            if let Some((value, inclusive)) = bound {
                members.insert(name.into(), value.value());
                if !inclusive {
                    members.insert(alloc::format!("{name}_inclusive"), false.into());
                }
            }
        }
        members
    }
}

/// A JSON value that is compared by meaning: object members sorted, numbers by value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Canonical(String);

impl Canonical {
    /// `None` when a number in it is not exact as a double (an integer beyond 2⁵³).
    fn new(value: &Value) -> Option<Self> {
        fn normal(value: &Value) -> Option<Value> {
            Some(match value {
                Value::Number(_) => {
                    let number = number(value)?;
                    // 1.0 and 1 are one number (RFC 8785 §3.2.2.3); so are -0 and 0.
                    match integer(number) {
                        Some(integer) => integer.into(),
                        None => number.into(),
                    }
                }
                Value::Array(items) => items.iter().map(normal).collect::<Option<_>>()?,
                Value::Object(members) => {
                    let one = |(name, value): (&String, _)| Some((name.clone(), normal(value)?));
                    object(members.iter().map(one).collect::<Option<_>>()?)
                }
                other => other.clone(),
            })
        }
        normal(value).map(|value| Self(value.to_string()))
    }

    fn value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or(Value::Null)
    }

    fn number(&self) -> Option<f64> {
        number(&self.value())
    }
}

const EXACT: i64 = 1 << 53;

/// The double that a JSON number is, when it is exactly that.
fn number(value: &Value) -> Option<f64> {
    let Value::Number(number) = value else {
        return None;
    };
    if number.is_f64() {
        return number.as_f64().filter(|number| number.is_finite());
    }
    let exact = number.as_i64().is_some_and(|number| (-EXACT..=EXACT).contains(&number));
    number.as_f64().filter(|_| exact)
}

/// The integer that a double is, within the exact range.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "bounded above")]
fn integer(number: f64) -> Option<i64> {
    let bounded = number >= -(EXACT as f64) && number <= EXACT as f64;
    let integer = if bounded { number as i64 } else { return None };
    (integer as f64 == number).then_some(integer)
}

fn items(value: &Value) -> Option<BTreeSet<Canonical>> {
    value.as_array()?.iter().map(Canonical::new).collect()
}

/// In the order of the names, whatever order `Map` keeps: the bytes are signed.
fn object(members: BTreeMap<String, Value>) -> Value {
    Value::Object(members.into_iter().collect())
}

fn wrong(what: &'static str) -> ConstraintError {
    ConstraintError::new("arguments", "", what)
}

#[cfg(feature = "serde")]
impl serde::Serialize for ArgumentRules {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for ArgumentRules {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = crate::constraints::UniqueValue::deserialize(deserializer)?.0;
        Self::from_value(&value).map_err(serde::de::Error::custom)
    }
}
