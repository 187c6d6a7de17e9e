use cap_core::{AbsPath, Denial, DenyCode, PathRequest, Physical, Reach};

use super::arguments::refused;
use crate::table::{Literal, PathRule};

/// The request for a path value: absolute, or relative to `base`.
pub(super) fn request(
    rule: &PathRule,
    value: &str,
    base: Option<&str>,
    size: Option<u64>,
    at: &str,
) -> Result<PathRequest, Denial> {
    if let Some(what) = not_literal(rule, value) {
        return Err(refused(DenyCode::PathInvalid, at, &what));
    }
    let raw = match (value.starts_with('/'), base) {
        (true, _) => value.to_owned(),
        (false, Some(base)) => format!("{}/{value}", base.trim_end_matches('/')),
        (false, None) => {
            let what =
                "it is relative, and the tool table has no `base`; an absolute path would pass";
            return Err(refused(DenyCode::PathInvalid, at, &what));
        }
    };
    let path = AbsPath::parse(&raw).map_err(|error| refused(DenyCode::PathInvalid, at, &error))?;
    let reach = if rule.recursive { Reach::Subtree } else { Reach::Object };
    Ok(PathRequest { path, raw, reach, size, physical: Physical::Unknown })
}

/// Why a value may mean another path to the server than to us.
fn not_literal(rule: &PathRule, value: &str) -> Option<&'static str> {
    let undeclared = |kind| !rule.literal.contains(&kind);
    if value.is_empty() {
        return Some("it is empty");
    }
    if value.trim() != value || value.starts_with(['"', '\'']) {
        return Some(
            "a path with blanks at its ends or in quotes is not taken literally everywhere",
        );
    }
    if value.starts_with('~') && undeclared(Literal::Tilde) {
        return Some("`~` is not expanded; the full path would pass");
    }
    if value.starts_with('-') && undeclared(Literal::Dash) {
        return Some("it begins with `-` and could be taken for an option");
    }
    if value.contains('\\') && undeclared(Literal::Backslash) {
        return Some("a backslash is a separator to some; use `/`");
    }
    if undeclared(Literal::Glob) && value.split('/').any(is_glob) {
        return Some("wildcards are not expanded; the path of one object would pass");
    }
    if undeclared(Literal::Variable) && has_variable(value) {
        return Some("variables are not expanded; the full path would pass");
    }
    None
}

/// `*`, `?`, `[…]` and `{…,…}`, `{…..…}`; a lone bracket is a name.
fn is_glob(segment: &str) -> bool {
    let between = |open: char, close: char| {
        let (_, rest) = segment.split_once(open)?;
        rest.rsplit_once(close).map(|(inner, _)| inner)
    };
    segment.contains(['*', '?'])
        || between('[', ']').is_some_and(|inner| !inner.is_empty())
        || between('{', '}').is_some_and(|inner| inner.contains(',') || inner.contains(".."))
}

/// `$NAME`, `${…}`, `$(…)`, `` `…` `` and `%NAME%`.
fn has_variable(value: &str) -> bool {
    let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut after_dollar = value.split('$').skip(1);
    if value.contains('`')
        || after_dollar.any(|rest| rest.starts_with(|c| of_name(c) || "{(".contains(c)))
    {
        return true;
    }
    // Between two percent signs; the first and last piece have only one.
    let pieces = value.split('%').skip(1);
    let count = value.split('%').count().saturating_sub(2);
    pieces.take(count).any(|name| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(of_name)
    })
}
