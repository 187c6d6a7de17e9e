use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use core::cmp::Ordering;
use core::fmt;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::canonical::to_jcs;
use crate::id::check_name;
use crate::{AccessRequest, ConstraintError, DenyCode};

/// The meaning of a custom constraint: a predicate on requests, with a parameter from the wire.
///
/// It must be a pure function of its arguments: the same request at the same instant has the same
/// answer, wherever it is asked. It can only narrow: what other constraints refuse stays refused.
pub trait CustomConstraint: fmt::Debug + Send + Sync {
    /// Whether `parameter` means anything. Where it does not, every request is denied.
    fn accepts(&self, parameter: &Value) -> bool;

    /// Whether the request is permitted.
    fn permits(&self, parameter: &Value, request: &AccessRequest, now: DateTime<Utc>) -> bool;

    /// Whether every request that is permitted with `child` is permitted with `parent`: what a
    /// strict delegation may restate. The default knows that of equals only.
    fn is_within(&self, child: &Value, parent: &Value) -> bool {
        child == parent
    }
}

/// The custom constraints that are known here, by name. One that is not registered denies.
#[derive(Clone, Debug, Default)]
pub struct Registry(BTreeMap<String, Arc<dyn CustomConstraint>>);

impl Registry {
    /// A registry that knows nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// The same with `constraint` under `name`, the name that capabilities use on the wire.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, constraint: Arc<dyn CustomConstraint>) -> Self {
        self.0.insert(name.into(), constraint);
        self
    }
}

/// A custom constraint of an authority. Two are equal when name and parameter are.
#[derive(Clone)]
pub(crate) struct Custom {
    name: String,
    /// The parameter by its canonical text (RFC 8785).
    canonical: String,
    parameter: Value,
    /// What it means; `None` where nobody said.
    meaning: Option<Arc<dyn CustomConstraint>>,
}

impl Custom {
    pub(crate) fn new(name: &str, parameter: &Value) -> Result<Self, ConstraintError> {
        let wrong = |wanted| ConstraintError::new("custom", name, wanted);
        check_name(name).map_err(|_| wrong("a name without control characters is wanted"))?;
        let canonical =
            to_jcs(parameter).map_err(|_| wrong("a number that is not exact as a double"))?;
        Ok(Self { name: name.into(), canonical, parameter: parameter.clone(), meaning: None })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn into_parts(self) -> (String, Value) {
        (self.name, self.parameter)
    }

    /// The same, with the meaning that `registry` has for it.
    pub(crate) fn bind(&self, registry: &Registry) -> Self {
        let known = registry.0.get(&self.name);
        let meaning = known.filter(|known| known.accepts(&self.parameter)).cloned();
        Self { meaning, ..self.clone() }
    }

    pub(crate) fn check(
        &self,
        request: &AccessRequest,
        now: DateTime<Utc>,
    ) -> Result<(), DenyCode> {
        let meaning = self.meaning.as_ref().ok_or(DenyCode::ConstraintUnknown)?;
        if meaning.permits(&self.parameter, request, now) {
            Ok(())
        } else {
            Err(DenyCode::ConstraintRefused)
        }
    }

    /// Whether everything that `self` permits, `other` permits too.
    ///
    /// SECURITY: what is not bound denies now, and may be bound later: to another parameter it says
    /// nothing. Two meanings under one name are two predicates.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        let equal = self.canonical == other.canonical;
        self.name == other.name
            && match (&self.meaning, &other.meaning) {
                (None, _) => equal,
                (Some(_), None) => false,
                (Some(mine), Some(theirs)) => {
                    let within = || mine.is_within(&self.parameter, &other.parameter);
                    Arc::ptr_eq(mine, theirs) && (equal || within())
                }
            }
    }

    /// Whether it asks for more than `bound`, whose meaning is that of both.
    pub(crate) fn exceeds(&self, bound: &Self) -> bool {
        let known = bound.meaning.as_ref().filter(|known| known.accepts(&self.parameter));
        let asked = Self { meaning: known.cloned(), ..self.clone() };
        self.name == bound.name && self.canonical != bound.canonical && !asked.is_within(bound)
    }
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.canonical)
    }
}

impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Custom {}

impl PartialOrd for Custom {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Custom {
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.name, &self.canonical).cmp(&(&other.name, &other.canonical))
    }
}
