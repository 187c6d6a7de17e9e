//! `check`, `subsumes` and the rules of maps once more, written from the text of AAT-02 alone, on
//! plain JSON. Slow, without limits, and for numbers that are small integers or halves.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// A text that is the same for equal values.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(","))
        }
        Value::Object(members) => {
            let sorted: BTreeSet<String> =
                members.iter().map(|(name, value)| format!("{name:?}:{}", text(value))).collect();
            format!("{{{}}}", sorted.into_iter().collect::<Vec<_>>().join(","))
        }
        Value::Number(number) => format!("{}", number.as_f64().unwrap()),
        other => other.to_string(),
    }
}

fn set(value: &Value) -> BTreeSet<String> {
    value.as_array().unwrap().iter().map(text).collect()
}

fn kind(constraint: &Value) -> &str {
    constraint["constraint_type"].as_str().unwrap()
}

fn clauses(constraint: &Value) -> &[Value] {
    constraint["constraints"].as_array().unwrap()
}

pub(crate) fn check(constraint: &Value, value: &Value) -> bool {
    match kind(constraint) {
        "exact" => text(value) == text(&constraint["value"]),
        "range" => value.as_f64().is_some_and(|value| in_range(constraint, value)),
        "one_of" => set(&constraint["values"]).contains(&text(value)),
        "not_one_of" => !set(&constraint["excluded"]).contains(&text(value)),
        "contains" => value.is_array() && set(&constraint["required"]).is_subset(&set(value)),
        "subset" => value.is_array() && set(value).is_subset(&set(&constraint["allowed"])),
        "wildcard" => true,
        "all" => clauses(constraint).iter().all(|clause| check(clause, value)),
        "any" => clauses(constraint).iter().any(|clause| check(clause, value)),
        other => panic!("{other}"),
    }
}

fn inclusive(constraint: &Value, name: &str) -> bool {
    constraint.get(name).is_none_or(|flag| flag == true)
}

fn in_range(constraint: &Value, value: f64) -> bool {
    let min = constraint.get("min").and_then(Value::as_f64);
    let max = constraint.get("max").and_then(Value::as_f64);
    let above = min.is_none_or(|min| {
        if inclusive(constraint, "min_inclusive") { value >= min } else { value > min }
    });
    let below = max.is_none_or(|max| {
        if inclusive(constraint, "max_inclusive") { value <= max } else { value < max }
    });
    above && below
}

pub(crate) fn subsumes(parent: &Value, child: &Value) -> bool {
    match (kind(parent), kind(child)) {
        ("wildcard", _) => true,
        ("exact", "exact") => text(&parent["value"]) == text(&child["value"]),
        ("range", "exact") => child["value"].as_f64().is_some_and(|value| in_range(parent, value)),
        ("one_of", "exact") => set(&parent["values"]).contains(&text(&child["value"])),
        ("range", "range") => {
            let side = |bound: &str, flag: &str, tighter: fn(f64, f64) -> bool| {
                let Some(theirs) = parent.get(bound).and_then(Value::as_f64) else { return true };
                let Some(mine) = child.get(bound).and_then(Value::as_f64) else { return false };
                let at_equal =
                    mine == theirs && (inclusive(parent, flag) || !inclusive(child, flag));
                tighter(mine, theirs) || at_equal
            };
            side("min", "min_inclusive", |mine, theirs| mine > theirs)
                && side("max", "max_inclusive", |mine, theirs| mine < theirs)
        }
        ("one_of", "one_of") => set(&child["values"]).is_subset(&set(&parent["values"])),
        ("not_one_of", "not_one_of") => {
            set(&parent["excluded"]).is_subset(&set(&child["excluded"]))
        }
        ("contains", "contains") => set(&parent["required"]).is_subset(&set(&child["required"])),
        ("subset", "subset") => set(&child["allowed"]).is_subset(&set(&parent["allowed"])),
        ("all", "all") => clauses(parent)
            .iter()
            .all(|parent| clauses(child).iter().any(|child| subsumes(parent, child))),
        ("any", "any") => clauses(child)
            .iter()
            .all(|child| clauses(parent).iter().any(|parent| subsumes(parent, child))),
        _ => false,
    }
}

fn normalized(map: &Value) -> Map<String, Value> {
    let map = map.as_object().unwrap();
    if map.is_empty() {
        Map::from_iter([("*".to_owned(), serde_json::json!({"constraint_type": "wildcard"}))])
    } else {
        map.clone()
    }
}

fn is_optional(constraint: &Value) -> bool {
    constraint.get("optional").is_some_and(|flag| flag == true)
}

pub(crate) fn permits(map: &Value, args: &Map<String, Value>) -> bool {
    let map = normalized(map);
    let good = |(name, value): (&String, &Value)| match map.get(name).filter(|_| name != "*") {
        Some(constraint) => check(constraint, value),
        None => map.get("*").is_some_and(|constraint| check(constraint, value)),
    };
    let mut required = map.iter().filter(|(name, it)| *name != "*" && !is_optional(it));
    args.iter().all(good) && required.all(|(name, _)| args.contains_key(name))
}

pub(crate) fn narrows(parent: &Value, child: &Value) -> bool {
    let (parent, child) = (normalized(parent), normalized(child));
    let star = |map: &Map<String, Value>| map.contains_key("*");
    let dropped = |(name, theirs): (&String, &Value)| {
        name == "*" || child.contains_key(name) || (is_optional(theirs) && !star(&child))
    };
    let kept = |(name, mine): (&String, &Value)| {
        let Some(theirs) = parent.get(name).or_else(|| parent.get("*")) else { return false };
        let required =
            name == "*" || !parent.contains_key(name) || is_optional(theirs) || !is_optional(mine);
        required && subsumes(theirs, mine)
    };
    (!star(&child) || star(&parent)) && parent.iter().all(dropped) && child.iter().all(kept)
}
