//! The wire form of argument constraints: read strictly, written in one way.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Display;
use core::str::FromStr;

use serde_json::{Map, Value};

use super::glob::Glob;
use super::length::Length;
use super::range::Range;
use super::value::{Canonical, ValueSet};
use super::{ArgumentConstraint, Rule, wrong};
use crate::ConstraintError;
use crate::limits::{MAX_ALTERNATIVES, MAX_ARGUMENT_NESTING};

const UNKNOWN: &str = "`constraint_type` is none of `all any cidr contains exact glob length \
                       not_one_of one_of path range subset url wildcard`";

/// The members of a constraint, in the order of their names.
pub(super) type Members = BTreeMap<&'static str, Value>;

/// An entry of the map of arguments: what it says of `optional`, and its constraint.
pub(super) fn read_entry(
    value: &Value,
) -> Result<(Option<bool>, ArgumentConstraint), ConstraintError> {
    let optional = match value.get("optional") {
        None => None,
        Some(Value::Bool(optional)) => Some(*optional),
        Some(_) => return Err(wrong("`optional` is true or false")),
    };
    Ok((optional, Reader::new().constraint(value, MAX_ARGUMENT_NESTING, &["optional"])?))
}

/// A constraint alone.
pub(super) fn read_constraint(value: &Value) -> Result<ArgumentConstraint, ConstraintError> {
    Reader::new().constraint(value, MAX_ARGUMENT_NESTING, &[])
}

/// An object with its members in the order of their names, whatever order a map keeps: what is
/// written is signed.
pub(super) fn object<K: Into<String> + Ord>(members: BTreeMap<K, Value>) -> Value {
    members.into_iter().map(|(name, value)| (name.into(), value)).collect()
}

/// Reads one tree of constraints.
struct Reader {
    /// SECURITY: how many more constraints there may be in the tree. Two trees are compared pair by
    /// pair.
    left: usize,
}

impl Reader {
    const fn new() -> Self {
        Self { left: MAX_ALTERNATIVES }
    }

    /// Reads a constraint of so many levels at most, which may have these members besides its own.
    fn constraint(
        &mut self,
        value: &Value,
        levels: usize,
        also: &[&str],
    ) -> Result<ArgumentConstraint, ConstraintError> {
        let members = value
            .as_object()
            .ok_or_else(|| wrong("a constraint is an object with `constraint_type`"))?;
        let inner = levels
            .checked_sub(1)
            .ok_or_else(|| wrong("`all` and `any` are nested over 8 levels deep"))?;
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| wrong("more than 256 constraints for one argument"))?;
        let kind = members.get("constraint_type").and_then(Value::as_str).unwrap_or_default();
        let known = members_of(kind)?;
        let expected =
            |name: &str| name == "constraint_type" || known.contains(&name) || also.contains(&name);
        if !members.keys().all(|name| expected(name)) {
            return Err(wrong("a member that this `constraint_type` does not have"));
        }
        self.rule(kind, members, inner).map(ArgumentConstraint)
    }

    fn rule(
        &mut self,
        kind: &str,
        members: &Map<String, Value>,
        inner: usize,
    ) -> Result<Rule, ConstraintError> {
        Ok(match kind {
            "all" => Rule::All(self.clauses(members, inner)?),
            "any" => Rule::Any(self.clauses(members, inner)?),
            "cidr" => Rule::Cidr(patterns(members, "a network in `within` is none, as `10.0.0.0/8` is one")?),
            "contains" => Rule::Contains(set(members, "required")?),
            "exact" => Rule::Exact(scalar(members)?),
            "glob" => Rule::Glob(glob(members)?),
            "length" => Rule::Length(
                Length::read(members).ok_or_else(|| wrong("`min` or `max` or both are integers, `min` no greater"))?,
            ),
            "not_one_of" => Rule::NotOneOf(set(members, "excluded")?),
            "one_of" => match set(members, "values")? {
                values if values.is_empty() => return Err(wrong("`values` is empty")),
                values => Rule::OneOf(values),
            },
            "path" => Rule::Path(patterns(members, "a path pattern in `within` is none")?),
            "range" => Rule::Range(Range::read(members).ok_or_else(|| {
                wrong("`min` and `max` are exact numbers, `min` no greater, their `_inclusive` true or false")
            })?),
            "subset" => Rule::Subset(set(members, "allowed")?),
            "url" => Rule::Url(patterns(members, "a URL pattern in `within` is none")?),
            "wildcard" => Rule::Wildcard,
            _ => return Err(wrong(UNKNOWN)),
        })
    }

    /// Sorted and without equals: neither is of any meaning.
    fn clauses(
        &mut self,
        members: &Map<String, Value>,
        levels: usize,
    ) -> Result<Vec<ArgumentConstraint>, ConstraintError> {
        let list = list(members, "constraints")?;
        // SECURITY: an empty `all` would accept everything.
        if list.is_empty() {
            return Err(wrong("`constraints` is empty"));
        }
        let clauses: Result<Vec<_>, _> =
            list.iter().map(|clause| self.constraint(clause, levels, &[])).collect();
        clauses.map(normal)
    }
}

/// The members of a type besides `constraint_type`.
fn members_of(kind: &str) -> Result<&'static [&'static str], ConstraintError> {
    Ok(match kind {
        "all" | "any" => &["constraints"],
        "cidr" | "path" | "url" => &["within"],
        "contains" => &["required"],
        "exact" => &["value"],
        "glob" => &["pattern"],
        "length" => &["min", "max"],
        "not_one_of" => &["excluded"],
        "one_of" => &["values"],
        "range" => &["min", "max", "min_inclusive", "max_inclusive"],
        "subset" => &["allowed"],
        "wildcard" => &[],
        _ => return Err(wrong(UNKNOWN)),
    })
}

fn list<'a>(members: &'a Map<String, Value>, name: &str) -> Result<&'a [Value], ConstraintError> {
    let list = members.get(name).and_then(Value::as_array).map(Vec::as_slice);
    list.filter(|list| list.len() <= MAX_ALTERNATIVES)
        .ok_or_else(|| wrong("a list of at most 256 is wanted"))
}

fn set(members: &Map<String, Value>, name: &str) -> Result<ValueSet, ConstraintError> {
    ValueSet::new(list(members, name)?).ok_or_else(|| wrong("a number that is not exact"))
}

fn patterns<T: FromStr + Ord>(
    members: &Map<String, Value>,
    wanted: &'static str,
) -> Result<Vec<T>, ConstraintError> {
    let one = |value: &Value| {
        let text = value.as_str().ok_or_else(|| wrong("`within` is a list of texts"))?;
        text.parse().map_err(|_| ConstraintError::new("arguments", text, wanted))
    };
    let patterns: Result<Vec<_>, _> = list(members, "within")?.iter().map(one).collect();
    patterns.map(normal)
}

fn scalar(members: &Map<String, Value>) -> Result<Canonical, ConstraintError> {
    match members.get("value") {
        Some(value) if !value.is_object() && !value.is_array() => {
            Canonical::new(value).ok_or_else(|| wrong("a number that is not exact"))
        }
        _ => Err(wrong("`value` is a string, number, boolean or null")),
    }
}

fn glob(members: &Map<String, Value>) -> Result<Glob, ConstraintError> {
    let text = members.get("pattern").and_then(Value::as_str);
    let text = text.ok_or_else(|| wrong("`pattern` is a text"))?;
    Glob::new(text).ok_or_else(|| {
        ConstraintError::new("arguments", text, "at most 1024 bytes, and `**` a whole segment")
    })
}

fn normal<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list.dedup();
    list
}

impl ArgumentConstraint {
    pub(super) fn to_members(&self) -> Members {
        let mut members = Members::new();
        let (kind, member) = match &self.0 {
            Rule::All(each) => ("all", Some(("constraints", clauses(each)))),
            Rule::Any(each) => ("any", Some(("constraints", clauses(each)))),
            Rule::Cidr(networks) => ("cidr", Some(("within", texts(networks)))),
            Rule::Contains(required) => ("contains", Some(("required", values(required)))),
            Rule::Exact(value) => ("exact", Some(("value", value.value().clone()))),
            Rule::Glob(glob) => ("glob", Some(("pattern", glob.as_str().into()))),
            Rule::Length(length) => {
                length.write(&mut members);
                ("length", None)
            }
            Rule::NotOneOf(excluded) => ("not_one_of", Some(("excluded", values(excluded)))),
            Rule::OneOf(list) => ("one_of", Some(("values", values(list)))),
            Rule::Path(patterns) => ("path", Some(("within", texts(patterns)))),
            Rule::Range(range) => {
                range.write(&mut members);
                ("range", None)
            }
            Rule::Subset(allowed) => ("subset", Some(("allowed", values(allowed)))),
            Rule::Url(patterns) => ("url", Some(("within", texts(patterns)))),
            Rule::Wildcard => ("wildcard", None),
        };
        members.insert("constraint_type", kind.into());
        members.extend(member);
        members
    }
}

fn clauses(each: &[ArgumentConstraint]) -> Value {
    each.iter().map(ArgumentConstraint::to_value).collect()
}

fn texts<T: Display>(patterns: &[T]) -> Value {
    patterns.iter().map(ToString::to_string).collect()
}

fn values(set: &ValueSet) -> Value {
    set.values().cloned().collect()
}
