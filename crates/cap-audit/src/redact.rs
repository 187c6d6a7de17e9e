use std::fmt;

use cap_crypto::MacKeyring;
use serde_json::{Map, Value};

use crate::digest::encode;
use crate::json;

/// Makes of a tool's arguments what a record may hold: never a value, but its type, its length and
/// a keyed digest, so that equal values can be recognised and none can be guessed by trying.
#[derive(Clone, Copy)]
pub struct ArgumentDigests<'k>(&'k MacKeyring);

impl<'k> ArgumentDigests<'k> {
    /// `keys` are those of [`Purpose::AuditMac`](cap_crypto::Purpose::AuditMac). The digest of a
    /// value changes when they are rotated.
    #[must_use]
    pub const fn new(keys: &'k MacKeyring) -> Self {
        Self(keys)
    }

    /// The first 128 bits of the HMAC-SHA-256 of the value, in base64url (22 characters). The
    /// order of members does not matter.
    #[must_use]
    pub fn digest(&self, value: &Value) -> String {
        // SECURITY: the same key makes the MACs of lines, whose input begins with `line`.
        let mut input = b"argument\0".to_vec();
        json::value(&mut input, value);
        let tag = self.0.mac(&input).tag;
        encode(tag.first_chunk::<16>().map_or(&tag, |half| half.as_slice()))
    }

    /// `{"type": …, "length": …, "digest": …}`: the length of a text in bytes, of an array or an
    /// object in elements; other types have none.
    #[must_use]
    pub fn summary(&self, value: &Value) -> Value {
        let (kind, length) = match value {
            Value::Null => ("null", None),
            Value::Bool(_) => ("boolean", None),
            Value::Number(_) => ("number", None),
            Value::String(text) => ("string", Some(text.len())),
            Value::Array(items) => ("array", Some(items.len())),
            Value::Object(members) => ("object", Some(members.len())),
        };
        let mut summary = Map::from_iter([
            ("type".to_owned(), Value::from(kind)),
            ("digest".to_owned(), Value::from(self.digest(value))),
        ]);
        if let Some(length) = length {
            summary.insert("length".to_owned(), Value::from(length));
        }
        Value::Object(summary)
    }
}

impl fmt::Debug for ArgumentDigests<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ArgumentDigests")
    }
}

/// A URL without what may be secret in it: user-info, query and fragment. `…` stands where
/// something was taken out.
///
/// This is for showing and recording. It does not parse: of what two parsers could read
/// differently it takes out more rather than less.
#[must_use]
pub fn redact_url(url: &str) -> String {
    // What browsers drop before they parse (WHATWG URL §4.4) could hide a delimiter.
    let url: String = url.chars().filter(|character| !character.is_control()).collect();
    let cut = url.find(['?', '#']);
    let kept = cut.and_then(|at| url.get(..at)).unwrap_or(&url);
    let more = if cut.is_some() { "…" } else { "" };
    let (scheme, rest) = match kept.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
        _ => (None, kept),
    };
    let after_slashes = rest.trim_start_matches(['/', '\\']);
    let slashes = rest.strip_suffix(after_slashes).unwrap_or_default();
    let authority_ends = after_slashes.find(['/', '\\']).unwrap_or(after_slashes.len());
    let (authority, path) = after_slashes.split_at_checked(authority_ends).unwrap_or_default();
    let host = match authority.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => authority.to_owned(),
    };
    let colon = scheme.map_or(String::new(), |scheme| format!("{scheme}:"));
    format!("{colon}{slashes}{host}{path}{more}")
}

/// RFC 3986 §3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|next| next.is_ascii_alphanumeric() || matches!(next, '+' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use cap_crypto::{OsRandom, Purpose};
    use serde_json::json;

    use super::*;

    fn keys() -> MacKeyring {
        MacKeyring::ephemeral(Purpose::AuditMac, &OsRandom).unwrap()
    }

    #[test]
    fn equal_values_have_equal_digests_under_one_key_only() {
        let [one, other] = [keys(), keys()];
        let digests = ArgumentDigests::new(&one);
        let value = json!({"path": "/srv/data/a", "depth": 1});
        let again = json!({"depth": 1, "path": "/srv/data/a"});
        assert_eq!(digests.digest(&value), digests.digest(&again));
        assert_eq!(digests.digest(&value).len(), 22);
        assert_ne!(digests.digest(&value), digests.digest(&json!({"path": "/srv/data/a"})));
        assert_ne!(digests.digest(&json!("1")), digests.digest(&json!(1)));
        assert_ne!(digests.digest(&json!(1.5)), digests.digest(&json!("1.5")));
        assert_ne!(digests.digest(&value), ArgumentDigests::new(&other).digest(&value));
    }

    #[test]
    fn a_summary_says_type_and_length_and_never_the_value() {
        let keys = keys();
        let digests = ArgumentDigests::new(&keys);
        for (value, kind, length) in [
            (json!(null), "null", None),
            (json!(true), "boolean", None),
            (json!(77_777_777), "number", None),
            (json!("sécret"), "string", Some(7)),
            (json!(["sécret", 1]), "array", Some(2)),
            (json!({"sécret": "sécret"}), "object", Some(1)),
        ] {
            let summary = digests.summary(&value);
            assert_eq!(summary["type"], kind);
            assert_eq!(summary.get("length").and_then(Value::as_u64), length);
            assert_eq!(summary["digest"], digests.digest(&value));
            let text = summary.to_string();
            assert!(!text.contains("sécret") && !text.contains("77777777"), "{text}");
        }
    }

    #[test]
    fn no_user_info_query_or_fragment_is_left_in_a_url() {
        for (url, expected) in [
            ("https://example.com/a/b", "https://example.com/a/b"),
            ("https://example.com:8443/", "https://example.com:8443/"),
            ("https://user:SECRET@example.com/a", "https://…@example.com/a"),
            ("https://SECRET@SECRET@example.com", "https://…@example.com"),
            ("https://example.com/a?token=SECRET", "https://example.com/a…"),
            ("https://example.com#SECRET", "https://example.com…"),
            ("https:user:SECRET@example.com/a", "https:…@example.com/a"),
            ("https:\\\\user:SECRET@example.com\\a", "https:\\\\…@example.com\\a"),
            ("https:////user:SECRET@example.com", "https:////…@example.com"),
            ("ht\ntps://us\ter:SECRET@example.com", "https://…@example.com"),
            ("//user:SECRET@example.com/", "//…@example.com/"),
            ("user:SECRET@example.com/a", "user:…@example.com/a"),
            ("mailto:SECRET@example.com", "mailto:…@example.com"),
            ("https://example.com/@scope/name", "https://example.com/@scope/name"),
            ("not a url", "not a url"),
            ("", ""),
        ] {
            assert_eq!(redact_url(url), expected, "{url:?}");
            assert!(!redact_url(url).contains("SECRET"));
        }
    }
}
