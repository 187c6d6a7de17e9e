use std::ops::{Bound as End, RangeBounds};

use cap_core::ArgumentConstraint;
use serde_json::Value;
use thiserror::Error;

use super::json::{self, Json, JsonError, number};
use super::policy::{ChainLimits, Vocabulary};

mod read;
mod write;

pub(super) use read::Reader;

/// What one argument must be (AAT-02 §3.4): `exact`, `range`, `one_of`, `not_one_of`, `contains`,
/// `subset`, `wildcard`, `all`, `any`; and, where a policy turns them on, the extensions of this
/// project (see [`cap_core::ArgumentConstraint`]).
///
/// Values are equal when their canonical texts (RFC 8785) are; lists are sets. It is always
/// well-formed: there is no other way to make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint(Rule);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Exact(Canonical),
    Range(Range),
    OneOf(Set),
    NotOneOf(Set),
    Contains(Set),
    Subset(Set),
    Wildcard,
    All(Vec<Constraint>),
    Any(Vec<Constraint>),
    Extension(Box<ArgumentConstraint>),
}

/// The canonical text of a value, all its numbers admissible.
type Canonical = Box<str>;

/// Values of which none equals another, sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Set(Vec<Canonical>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Range {
    min: Option<Bound>,
    max: Option<Bound>,
}

#[derive(Clone, Debug)]
struct Bound {
    /// INVARIANT: finite, and never `-0`.
    at: f64,
    inclusive: bool,
}

/// Why something is no constraint, or no map of constraints.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MalformedConstraint {
    /// It is not well-formed (AAT-02 §3.4), or beyond a limit.
    #[error("{0}")]
    Form(&'static str),
    /// The text cannot be read.
    #[error(transparent)]
    Json(#[from] JsonError),
}

/// An argument of a call, prepared for being checked.
pub(super) struct Subject<'a> {
    json: &'a Json<'a>,
    canonical: String,
    /// Of an array: its elements as a set.
    elements: Option<Set>,
}

impl<'a> Subject<'a> {
    /// # Errors
    /// [`JsonError::Number`].
    pub(super) fn new(json: &'a Json<'a>) -> Result<Self, JsonError> {
        let elements = json.as_array().map(Set::new).transpose()?;
        Ok(Self { json, canonical: json.to_jcs()?, elements })
    }

    fn number(&self) -> Option<f64> {
        matches!(self.json, Json::Number(_)).then(|| number::double(&self.canonical)).flatten()
    }
}

impl Constraint {
    /// Reads the wire form, in the core vocabulary and with the default limits:
    /// `{"constraint_type":"exact","value":"a"}`.
    ///
    /// # Errors
    /// See [`MalformedConstraint`]. `optional` belongs to the map of the tool's arguments.
    pub fn from_json(text: &str) -> Result<Self, MalformedConstraint> {
        Reader::new(Vocabulary::Core, &ChainLimits::default())
            .nested(&json::parse(text)?)
            .map_err(MalformedConstraint::Form)
    }

    /// The canonical wire form.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        json::canonical(&out).unwrap_or(out)
    }

    /// `exact`: equal to this string, number or boolean.
    ///
    /// # Errors
    /// For arrays and objects, numbers that are not exact, and null, as in the constructors below:
    /// a number that is not finite would become null on its way here. Who means null reads the
    /// constraint with [`Constraint::from_json`].
    pub fn exact(value: impl Into<Value>) -> Result<Self, MalformedConstraint> {
        let value = value.into();
        if value.is_array() || value.is_object() {
            return Err(MalformedConstraint::Form("`value` is an array or an object"));
        }
        Ok(Self(Rule::Exact(text_of(&value)?)))
    }

    /// `range`: a number within these bounds, such as `1.0..=10.0`.
    ///
    /// # Errors
    /// When a bound is not finite, or the lower one is above the upper one.
    pub fn range(bounds: impl RangeBounds<f64>) -> Result<Self, MalformedConstraint> {
        let bound = |end: End<&f64>| match end {
            End::Unbounded => Ok(None),
            End::Included(at) => Bound::new(*at, true).map(Some),
            End::Excluded(at) => Bound::new(*at, false).map(Some),
        };
        let range = Range { min: bound(bounds.start_bound())?, max: bound(bounds.end_bound())? };
        if range.is_ordered() {
            Ok(Self(Rule::Range(range)))
        } else {
            Err(MalformedConstraint::Form("`min` is greater than `max`"))
        }
    }

    /// `one_of`: equal to one of these values, of which there is at least one.
    ///
    /// # Errors
    /// When there is none, a number is not exact, or null is among them.
    pub fn one_of<V: Into<Value>>(
        values: impl IntoIterator<Item = V>,
    ) -> Result<Self, MalformedConstraint> {
        match Set::of_values(values)? {
            Set(values) if values.is_empty() => Err(MalformedConstraint::Form("`values` is empty")),
            values => Ok(Self(Rule::OneOf(values))),
        }
    }

    /// `not_one_of`: equal to none of these values, whatever its type.
    ///
    /// # Errors
    /// When a number is not exact, or null is among them.
    pub fn not_one_of<V: Into<Value>>(
        excluded: impl IntoIterator<Item = V>,
    ) -> Result<Self, MalformedConstraint> {
        Set::of_values(excluded).map(|set| Self(Rule::NotOneOf(set)))
    }

    /// `contains`: an array with each of these in it.
    ///
    /// # Errors
    /// When a number is not exact, or null is among them.
    pub fn contains<V: Into<Value>>(
        required: impl IntoIterator<Item = V>,
    ) -> Result<Self, MalformedConstraint> {
        Set::of_values(required).map(|set| Self(Rule::Contains(set)))
    }

    /// `subset`: an array with nothing but these in it.
    ///
    /// # Errors
    /// When a number is not exact, or null is among them.
    pub fn subset<V: Into<Value>>(
        allowed: impl IntoIterator<Item = V>,
    ) -> Result<Self, MalformedConstraint> {
        Set::of_values(allowed).map(|set| Self(Rule::Subset(set)))
    }

    /// `wildcard`: anything.
    #[must_use]
    pub const fn wildcard() -> Self {
        Self(Rule::Wildcard)
    }

    /// `all`: what each of these wants, of which there is at least one.
    ///
    /// # Errors
    /// When there is none: it would accept everything.
    pub fn all(clauses: impl IntoIterator<Item = Self>) -> Result<Self, MalformedConstraint> {
        not_empty(clauses).map(|clauses| Self(Rule::All(clauses)))
    }

    /// `any`: what at least one of these wants.
    ///
    /// # Errors
    /// When there is none.
    pub fn any(clauses: impl IntoIterator<Item = Self>) -> Result<Self, MalformedConstraint> {
        not_empty(clauses).map(|clauses| Self(Rule::Any(clauses)))
    }

    /// Whether an argument, a JSON text, satisfies it.
    ///
    /// # Errors
    /// When the text is not JSON, or a number in it is not admissible.
    pub fn check_json(&self, argument: &str) -> Result<bool, JsonError> {
        let argument = json::parse(argument)?;
        Ok(self.check(&Subject::new(&argument)?))
    }

    pub(super) fn check(&self, value: &Subject<'_>) -> bool {
        let elements = value.elements.as_ref();
        match &self.0 {
            Rule::Exact(wanted) => **wanted == *value.canonical,
            Rule::Range(range) => value.number().is_some_and(|number| range.contains(number)),
            Rule::OneOf(values) => values.contains(&value.canonical),
            Rule::NotOneOf(excluded) => !excluded.contains(&value.canonical),
            Rule::Contains(required) => elements.is_some_and(|it| required.is_subset(it)),
            Rule::Subset(allowed) => elements.is_some_and(|it| it.is_subset(allowed)),
            Rule::Wildcard => true,
            Rule::All(clauses) => clauses.iter().all(|clause| clause.check(value)),
            Rule::Any(clauses) => clauses.iter().any(|clause| clause.check(value)),
            Rule::Extension(ours) => {
                serde_json::from_str(&value.canonical).is_ok_and(|value| ours.check(&value))
            }
        }
    }

    /// Whether `child` is a valid attenuation of this one by the table of AAT-02 §4.5; every pair
    /// that the table does not list is none, even where the meaning would be narrower.
    #[must_use]
    pub fn subsumes(&self, child: &Self) -> bool {
        match (&self.0, &child.0) {
            (Rule::Wildcard, _) => true,
            (Rule::Exact(mine), Rule::Exact(theirs)) => mine == theirs,
            (Rule::Range(mine), Rule::Range(theirs)) => theirs.is_within(mine),
            (Rule::Range(mine), Rule::Exact(value)) => {
                as_number(value).is_some_and(|value| mine.contains(value))
            }
            (Rule::OneOf(mine), Rule::OneOf(theirs))
            | (Rule::Subset(mine), Rule::Subset(theirs)) => theirs.is_subset(mine),
            (Rule::OneOf(mine), Rule::Exact(value)) => mine.contains(value),
            (Rule::NotOneOf(mine), Rule::NotOneOf(theirs))
            | (Rule::Contains(mine), Rule::Contains(theirs)) => mine.is_subset(theirs),
            // One child clause may serve several clauses of the parent; nothing is matched one to
            // one.
            (Rule::All(mine), Rule::All(theirs)) => {
                mine.iter().all(|clause| theirs.iter().any(|child| clause.subsumes(child)))
            }
            (Rule::Any(mine), Rule::Any(theirs)) => {
                theirs.iter().all(|child| mine.iter().any(|clause| clause.subsumes(child)))
            }
            (Rule::Extension(mine), Rule::Extension(theirs)) => mine.subsumes(theirs),
            (Rule::Extension(mine), Rule::Exact(_) | Rule::OneOf(_)) => {
                child.to_argument_constraint().is_some_and(|theirs| mine.subsumes(&theirs))
            }
            _ => false,
        }
    }

    fn to_argument_constraint(&self) -> Option<ArgumentConstraint> {
        ArgumentConstraint::from_value(&serde_json::from_str(&self.to_json()).ok()?).ok()
    }
}

impl Set {
    /// # Errors
    /// [`JsonError::Number`].
    fn new(items: &[Json<'_>]) -> Result<Self, JsonError> {
        let texts: Result<Vec<_>, _> =
            items.iter().map(|item| item.to_jcs().map(String::into_boxed_str)).collect();
        texts.map(Self::of_texts)
    }

    fn of_values<V: Into<Value>>(
        values: impl IntoIterator<Item = V>,
    ) -> Result<Self, MalformedConstraint> {
        let texts: Result<Vec<_>, _> =
            values.into_iter().map(|value| text_of(&value.into())).collect();
        texts.map(Self::of_texts)
    }

    fn of_texts(mut texts: Vec<Canonical>) -> Self {
        texts.sort_unstable();
        texts.dedup();
        Self(texts)
    }

    fn contains(&self, value: &str) -> bool {
        self.0.binary_search_by(|own| (**own).cmp(value)).is_ok()
    }

    fn is_subset(&self, other: &Self) -> bool {
        self.0.iter().all(|value| other.contains(value))
    }
}

impl Range {
    fn is_ordered(&self) -> bool {
        let ends = self.min.as_ref().zip(self.max.as_ref());
        ends.is_none_or(|(min, max)| min.at <= max.at)
    }

    fn contains(&self, value: f64) -> bool {
        let above = |min: &Bound| min.at < value || (min.inclusive && min.at == value);
        let below = |max: &Bound| value < max.at || (max.inclusive && max.at == value);
        self.min.as_ref().is_none_or(above) && self.max.as_ref().is_none_or(below)
    }

    /// At least as tight: each bound that the parent has is there, no wider, and at the same value
    /// not inclusive where the parent's is exclusive.
    fn is_within(&self, parent: &Self) -> bool {
        let above = |theirs: &Bound| {
            let tighter = |mine: &Bound| mine.at > theirs.at || mine.is_within_at(theirs);
            self.min.as_ref().is_some_and(tighter)
        };
        let below = |theirs: &Bound| {
            let tighter = |mine: &Bound| mine.at < theirs.at || mine.is_within_at(theirs);
            self.max.as_ref().is_some_and(tighter)
        };
        parent.min.as_ref().is_none_or(above) && parent.max.as_ref().is_none_or(below)
    }
}

impl Bound {
    fn new(at: f64, inclusive: bool) -> Result<Self, MalformedConstraint> {
        if at.is_finite() {
            // `-0` and `0` are one number.
            Ok(Self { at: at + 0.0, inclusive })
        } else {
            Err(MalformedConstraint::Form("a bound is not finite"))
        }
    }

    fn is_within_at(&self, theirs: &Self) -> bool {
        self == theirs || (self.at == theirs.at && theirs.inclusive)
    }
}

impl PartialEq for Bound {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at && self.inclusive == other.inclusive
    }
}

impl Eq for Bound {}

/// The number that a canonical text is, if it is one.
fn as_number(canonical: &str) -> Option<f64> {
    let starts = canonical.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    starts.then(|| number::double(canonical)).flatten()
}

fn text_of(value: &Value) -> Result<Canonical, MalformedConstraint> {
    // SECURITY: serde_json makes null of NaN and the infinities.
    if has_null(value) {
        return Err(MalformedConstraint::Form("null, or a number that is not finite"));
    }
    let text = serde_json::to_string(value).map_err(|_| JsonError::Syntax)?;
    Ok(json::canonical(&text)?.into_boxed_str())
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(members) => members.values().any(has_null),
        _ => false,
    }
}

fn not_empty(
    clauses: impl IntoIterator<Item = Constraint>,
) -> Result<Vec<Constraint>, MalformedConstraint> {
    let clauses: Vec<_> = clauses.into_iter().collect();
    if clauses.is_empty() {
        return Err(MalformedConstraint::Form("`constraints` is empty"));
    }
    Ok(clauses)
}
