//! The wire form, well-formed or refused (AAT-02 §3.4).

use std::sync::Arc;

use cap_core::ArgumentConstraint;

use super::{Bound, Canonical, Constraint, Range, Rule, Set, as_number};
use crate::chain::json::{self, Json, Object};
use crate::chain::known::{Entry, Texts};
use crate::chain::policy::{ChainLimits, Vocabulary};

/// Our own types, off unless configured (AAT-02 §5: they are in no registry).
const EXTENSIONS: [&str; 5] = ["cidr", "glob", "length", "path", "url"];

const TOO_MANY: &str = "a tool has too many constraints";

/// Reads the constraints of one tool.
pub(in crate::chain) struct Reader<'a> {
    vocabulary: Vocabulary,
    limits: &'a ChainLimits,
    /// SECURITY: how many more there may be, nested ones included: two trees are compared pair by
    /// pair.
    left: usize,
}

impl<'a> Reader<'a> {
    pub(in crate::chain) const fn new(vocabulary: Vocabulary, limits: &'a ChainLimits) -> Self {
        Self { vocabulary, limits, left: limits.max_constraints_per_tool }
    }

    /// An entry of a map.
    pub(in crate::chain) fn entry(
        &mut self,
        json: &Json<'_>,
        known: &mut Texts<Entry>,
    ) -> Result<Entry, &'static str> {
        let Json::Noted(at, new) = json else { return self.new_entry(json) };
        if let Some(entry) = known.meaning(*at) {
            self.left = self.left.checked_sub(entry.size).ok_or(TOO_MANY)?;
            return Ok(entry);
        }
        let entry = match new {
            Some(json) => self.new_entry(json)?,
            // Members were sorted, and the copy came first.
            None => {
                let json = json::parse(known.text(*at).unwrap_or_default());
                self.new_entry(&json.map_err(|_| "a constraint is not strict JSON")?)?
            }
        };
        known.set(*at, &entry);
        Ok(entry)
    }

    fn new_entry(&mut self, json: &Json<'_>) -> Result<Entry, &'static str> {
        let before = self.left;
        let optional = match json.as_object().and_then(|members| members.get("optional")) {
            None => None,
            Some(value) => Some(value.as_bool().ok_or("`optional` is not a boolean")?),
        };
        let constraint = self.constraint(json, self.limits.max_constraint_depth, &["optional"])?;
        Ok(Entry { constraint: Arc::new(constraint), optional, size: before - self.left })
    }

    /// A constraint that is not an entry of a map: `optional` has no place there.
    pub(in crate::chain) fn nested(&mut self, json: &Json<'_>) -> Result<Constraint, &'static str> {
        self.constraint(json, self.limits.max_constraint_depth, &[])
    }

    fn constraint(
        &mut self,
        json: &Json<'_>,
        levels: usize,
        also: &[&str],
    ) -> Result<Constraint, &'static str> {
        let inner = levels.checked_sub(1).ok_or("a constraint tree is too deep")?;
        self.left = self.left.checked_sub(1).ok_or(TOO_MANY)?;
        let members = json.as_object().ok_or("a constraint is not an object")?;
        let kind = members.get("constraint_type").and_then(Json::as_str);
        let kind = kind.ok_or("`constraint_type` is missing or not a string")?;
        let own: &[&str] = match kind {
            "exact" => &["value"],
            "range" => &["min", "max", "min_inclusive", "max_inclusive"],
            "one_of" => &["values"],
            "not_one_of" => &["excluded"],
            "contains" => &["required"],
            "subset" => &["allowed"],
            "wildcard" => &[],
            "all" | "any" => &["constraints"],
            _ if self.vocabulary == Vocabulary::Extended && EXTENSIONS.contains(&kind) => {
                return extension(members, also).map(Constraint);
            }
            _ => return Err("a `constraint_type` that is not implemented"),
        };
        let known =
            |name: &str| name == "constraint_type" || own.contains(&name) || also.contains(&name);
        if !members.iter().all(|(name, _)| known(name)) {
            return Err("a constraint has a member that its type does not define");
        }
        self.rule(kind, members, inner).map(Constraint)
    }

    fn rule(
        &mut self,
        kind: &str,
        members: &Object<'_>,
        inner: usize,
    ) -> Result<Rule, &'static str> {
        Ok(match kind {
            "exact" => Rule::Exact(self.scalar(members)?),
            "range" => Rule::Range(range(members)?),
            "one_of" => match self.set(members, "values")? {
                Set(values) if values.is_empty() => return Err("`values` is empty"),
                values => Rule::OneOf(values),
            },
            "not_one_of" => Rule::NotOneOf(self.set(members, "excluded")?),
            "contains" => Rule::Contains(self.set(members, "required")?),
            "subset" => Rule::Subset(self.set(members, "allowed")?),
            "wildcard" => Rule::Wildcard,
            "all" => Rule::All(self.clauses(members, inner)?),
            _ => Rule::Any(self.clauses(members, inner)?),
        })
    }

    fn clauses(
        &mut self,
        members: &Object<'_>,
        levels: usize,
    ) -> Result<Vec<Constraint>, &'static str> {
        let clauses = members.get("constraints").and_then(Json::as_array);
        let clauses = clauses.ok_or("`constraints` is missing or not an array")?;
        // SECURITY: an empty `all` would accept everything.
        if clauses.is_empty() {
            return Err("`constraints` is empty");
        }
        clauses.iter().map(|clause| self.constraint(clause, levels, &[])).collect()
    }

    fn scalar(&self, members: &Object<'_>) -> Result<Canonical, &'static str> {
        match members.get("value") {
            None => Err("`value` is missing"),
            Some(Json::Array(_) | Json::Object(_)) => Err("`value` is an array or an object"),
            Some(value) => self.canonical(value),
        }
    }

    fn set(&self, members: &Object<'_>, name: &str) -> Result<Set, &'static str> {
        let list = members.get(name).and_then(Json::as_array);
        let list = list.ok_or("a list of values is missing or not an array")?;
        let texts: Result<Vec<_>, _> = list.iter().map(|value| self.canonical(value)).collect();
        texts.map(Set::of_texts)
    }

    fn canonical(&self, value: &Json<'_>) -> Result<Canonical, &'static str> {
        let text = value.to_jcs().map_err(|_| "a number is not admissible")?;
        if text.len() > self.limits.max_value_bytes {
            return Err("a constraint value is too long");
        }
        Ok(text.into_boxed_str())
    }
}

fn range(members: &Object<'_>) -> Result<Range, &'static str> {
    let min = bound(members.get("min"), members.get("min_inclusive"))?;
    let max = bound(members.get("max"), members.get("max_inclusive"))?;
    let range = Range { min, max };
    if range.is_ordered() { Ok(range) } else { Err("`min` is greater than `max`") }
}

fn bound(
    at: Option<&Json<'_>>,
    inclusive: Option<&Json<'_>>,
) -> Result<Option<Bound>, &'static str> {
    let inclusive = match inclusive {
        None => None,
        Some(flag) => Some(flag.as_bool().ok_or("an `_inclusive` is not a boolean")?),
    };
    match at {
        None if inclusive.is_some() => Err("an `_inclusive` stands without its bound"),
        None => Ok(None),
        Some(at @ Json::Number(_)) => {
            let text = at.to_jcs().map_err(|_| "a number is not admissible")?;
            let at = as_number(&text).ok_or("a number is not admissible")?;
            Ok(Some(Bound { at, inclusive: inclusive.unwrap_or(true) }))
        }
        Some(_) => Err("a bound is not a number"),
    }
}

/// One of our own types, as cap-core reads it.
fn extension(members: &Object<'_>, also: &[&str]) -> Result<Rule, &'static str> {
    const MALFORMED: &str = "an extension constraint is not well-formed";
    let own = members.iter().filter(|(name, _)| !also.contains(name));
    let own = own.map(|(name, value)| {
        let text = value.to_jcs().map_err(|_| MALFORMED)?;
        Ok((name.to_owned(), serde_json::from_str(&text).map_err(|_| MALFORMED)?))
    });
    let value = own.collect::<Result<_, &'static str>>().map(serde_json::Value::Object)?;
    let constraint = ArgumentConstraint::from_value(&value).map_err(|_| MALFORMED)?;
    Ok(Rule::Extension(Box::new(constraint)))
}
