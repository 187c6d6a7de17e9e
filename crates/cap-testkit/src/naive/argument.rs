//! Arguments of tools (AAT-02 §3.3, §3.4, and the extensions).

use std::net::IpAddr;

use cap_core::{AbsPath, UrlTarget};
use serde_json::{Map, Value};

use super::{address, glob, text, url};

/// Every named argument is there, unless it is optional, and as it must be; an unnamed one is
/// refused, unless `*` is named.
pub(super) fn all_hold(rules: &Value, arguments: &Map<String, Value>) -> bool {
    let rules = rules.as_object().unwrap();
    let named = rules.iter().filter(|(name, _)| *name != "*").all(|(name, rule)| {
        match arguments.get(name) {
            Some(value) => holds(rule, value),
            None => rule.get("optional") == Some(&Value::Bool(true)),
        }
    });
    let unnamed = arguments.keys().any(|name| name == "*" || !rules.contains_key(name));
    named && (!unnamed || rules.contains_key("*"))
}

fn holds(rule: &Value, value: &Value) -> bool {
    let list = |name: &str| rule[name].as_array().unwrap();
    let within = |means: &dyn Fn(&str) -> bool| list("within").iter().any(|one| means(text(one)));
    match rule["constraint_type"].as_str().unwrap() {
        "all" => list("constraints").iter().all(|one| holds(one, value)),
        "any" => list("constraints").iter().any(|one| holds(one, value)),
        "cidr" => value
            .as_str()
            .and_then(|value| value.parse::<IpAddr>().ok())
            .is_some_and(|value| address::is_in(&rule["within"], value)),
        "contains" => {
            items(value).is_some_and(|items| list("required").iter().all(|one| is_in(one, items)))
        }
        "exact" => is_exact(value) && are_equal(&rule["value"], value),
        "glob" => {
            value.as_str().is_some_and(|value| glob::means_text(text(&rule["pattern"]), value))
        }
        "length" => length(value).is_some_and(|length| {
            let bound = |name: &str| rule.get(name).map(|bound| bound.as_u64().unwrap());
            bound("min").is_none_or(|min| length >= min)
                && bound("max").is_none_or(|max| length <= max)
        }),
        "not_one_of" => is_exact(value) && !is_in(value, list("excluded")),
        "one_of" => is_exact(value) && is_in(value, list("values")),
        "path" => value
            .as_str()
            .and_then(|value| AbsPath::parse(value).ok())
            .is_some_and(|path| within(&|pattern| glob::means(pattern, path.as_str()))),
        "range" => number(value).is_some_and(|value| is_in_range(rule, value)),
        "subset" => {
            items(value).is_some_and(|items| items.iter().all(|one| is_in(one, list("allowed"))))
        }
        "url" => value
            .as_str()
            .and_then(|value| UrlTarget::parse(value).ok())
            .is_some_and(|url| within(&|pattern| url::means(pattern, &url.to_string()))),
        "wildcard" => true,
        _ => false,
    }
}

/// Characters of a string, or items of an array.
fn length(value: &Value) -> Option<u64> {
    let length = match value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.len(),
        _ => return None,
    };
    u64::try_from(length).ok()
}

fn is_in_range(rule: &Value, value: f64) -> bool {
    let inclusive = |name: &str| rule.get(name).is_none_or(|flag| *flag == Value::Bool(true));
    let above = match rule.get("min").and_then(number) {
        None => true,
        Some(min) if inclusive("min_inclusive") => value >= min,
        Some(min) => value > min,
    };
    let below = match rule.get("max").and_then(number) {
        None => true,
        Some(max) if inclusive("max_inclusive") => value <= max,
        Some(max) => value < max,
    };
    above && below
}

fn items(value: &Value) -> Option<&Vec<Value>> {
    value.as_array().filter(|items| items.iter().all(is_exact))
}

fn is_in(value: &Value, list: &[Value]) -> bool {
    list.iter().any(|one| are_equal(one, value))
}

/// Whether no number in it was rounded: an integer beyond 2⁵³ may have been.
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(_) => number(value).is_some(),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
        _ => true,
    }
}

#[expect(clippy::cast_precision_loss, reason = "bounded by the line above")]
fn number(value: &Value) -> Option<f64> {
    match (value.as_i64(), value.is_u64()) {
        (Some(integer), _) if integer.unsigned_abs() <= 1 << 53 => Some(integer as f64),
        (None, false) => value.as_f64(),
        _ => None,
    }
}

/// By meaning: numbers by value, the order of members does not count.
fn are_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(_), Value::Number(_)) => number(a).is_some() && number(a) == number(b),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| are_equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| are_equal(a, b)))
        }
        _ => a == b,
    }
}
