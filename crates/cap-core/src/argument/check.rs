//! Whether a value is as a constraint wants it. Nothing is allocated, save where a text is parsed as
//! a path or a URL, where objects are compared, and for an integer beyond 2⁵³.

use core::net::IpAddr;

use serde_json::Value;

use super::value::is_exact;
use super::{ArgumentConstraint, Rule};
use crate::canonical::number;
use crate::net::cidr_admits;
use crate::{AbsPath, PathPattern, UrlPattern};

impl ArgumentConstraint {
    /// Whether `value` is as it must be.
    #[must_use]
    pub fn check(&self, value: &Value) -> bool {
        match &self.0 {
            Rule::All(each) => each.iter().all(|one| one.check(value)),
            Rule::Any(each) => each.iter().any(|one| one.check(value)),
            Rule::Cidr(networks) => address(value).is_some_and(|it| cidr_admits(networks, it)),
            Rule::Contains(required) => value
                .as_array()
                .is_some_and(|items| items.iter().all(is_exact) && required.is_contained_in(items)),
            Rule::Exact(wanted) => wanted.means(value),
            Rule::Glob(glob) => value.as_str().is_some_and(|text| glob.matches(text)),
            Rule::Length(bounds) => length(value).is_some_and(|length| bounds.contains(length)),
            Rule::NotOneOf(excluded) => is_exact(value) && !excluded.contains(value),
            Rule::OneOf(values) => values.contains(value),
            Rule::Path(patterns) => value.as_str().is_some_and(|text| is_path(text, patterns)),
            Rule::Range(range) => value
                .as_number()
                .and_then(number::exact)
                .is_some_and(|double| range.contains(double)),
            Rule::Subset(allowed) => {
                value.as_array().is_some_and(|items| items.iter().all(|it| allowed.contains(it)))
            }
            Rule::Url(patterns) => value.as_str().is_some_and(|text| is_url(text, patterns)),
            Rule::Wildcard => true,
        }
    }
}

fn address(value: &Value) -> Option<IpAddr> {
    value.as_str()?.parse().ok()
}

/// Characters of a text, or items of a list.
fn length(value: &Value) -> Option<u64> {
    let length = match value {
        Value::Array(items) => items.len(),
        Value::String(text) => text.chars().count(),
        _ => return None,
    };
    u64::try_from(length).ok()
}

fn is_path(text: &str, patterns: &[PathPattern]) -> bool {
    AbsPath::parse(text).is_ok_and(|path| patterns.iter().any(|pattern| pattern.matches(&path)))
}

#[cfg(feature = "url")]
fn is_url(text: &str, patterns: &[UrlPattern]) -> bool {
    crate::UrlTarget::parse(text)
        .is_ok_and(|url| patterns.iter().any(|pattern| pattern.matches(&url)))
}

/// SECURITY: without a parser nothing is known to be a URL.
#[cfg(not(feature = "url"))]
const fn is_url(_: &str, _: &[UrlPattern]) -> bool {
    false
}
