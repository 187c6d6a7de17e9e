//! The wire form. What is written here is JSON; the producers make it canonical as a whole.

use super::{Bound, Constraint, Rule, Set};
use crate::chain::json::number;

impl Constraint {
    pub(in crate::chain) fn write(&self, out: &mut String) {
        self.write_open(out);
        out.push('}');
    }

    /// Everything but the last brace: an entry of a map has one member more.
    pub(in crate::chain) fn write_open(&self, out: &mut String) {
        let kind = match &self.0 {
            Rule::Exact(_) => "exact",
            Rule::Range(_) => "range",
            Rule::OneOf(_) => "one_of",
            Rule::NotOneOf(_) => "not_one_of",
            Rule::Contains(_) => "contains",
            Rule::Subset(_) => "subset",
            Rule::Wildcard => "wildcard",
            Rule::All(_) => "all",
            Rule::Any(_) => "any",
            Rule::Extension(_) => "",
        };
        out.push('{');
        if !kind.is_empty() {
            out.push_str(&format!("\"constraint_type\":\"{kind}\""));
        }
        self.write_members(out);
    }

    fn write_members(&self, out: &mut String) {
        match &self.0 {
            Rule::Exact(value) => {
                out.push_str(",\"value\":");
                out.push_str(value);
            }
            Rule::Range(range) => {
                write_bound(out, "min", range.min.as_ref());
                write_bound(out, "max", range.max.as_ref());
            }
            Rule::OneOf(set) => write_set(out, "values", set),
            Rule::NotOneOf(set) => write_set(out, "excluded", set),
            Rule::Contains(set) => write_set(out, "required", set),
            Rule::Subset(set) => write_set(out, "allowed", set),
            Rule::Wildcard => {}
            Rule::All(clauses) | Rule::Any(clauses) => {
                out.push_str(",\"constraints\":[");
                for (at, clause) in clauses.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    clause.write(out);
                }
                out.push(']');
            }
            Rule::Extension(ours) => {
                let object = ours.to_value().to_string();
                out.push_str(object.trim_start_matches('{').strip_suffix('}').unwrap_or(""));
            }
        }
    }
}

fn write_bound(out: &mut String, name: &str, bound: Option<&Bound>) {
    let Some(Bound { at, inclusive }) = bound else { return };
    // INVARIANT: a bound is finite.
    let at = number::from_double(*at).unwrap_or_default();
    out.push_str(&format!(",\"{name}\":{at}"));
    if !inclusive {
        out.push_str(&format!(",\"{name}_inclusive\":false"));
    }
}

fn write_set(out: &mut String, name: &str, set: &Set) {
    out.push_str(&format!(",\"{name}\":[{}]", set.0.join(",")));
}
