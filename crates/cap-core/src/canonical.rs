//! One text for one JSON value: the JSON Canonicalization Scheme (RFC 8785), for what is signed,
//! hashed or compared as bytes.
//!
//! Members stand in the order of their names' UTF-16 code units, strings are escaped no more than
//! they must be and never normalised, numbers are written as ECMAScript writes them. Members
//! cannot stand twice: a [`Value`] has each name once.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use serde_json::{Map, Value};

pub(crate) mod number;

/// Levels of nesting that are read at most, the same as `serde_json` reads.
pub(crate) const MAX_DEPTH: usize = 128;

/// The canonical text of `value`.
///
/// Equal values have equal texts: `1.0` and `1` are one number, so are `-0` and `0`. The text reads
/// back as an equal value.
///
/// # Errors
/// When an integer has no text of its own, since it is lost in a binary64 (RFC 8785 §3.2.2.3,
/// AAT-02 §3.4): 2⁵³+1 would be written as 2⁵³. When the value is nested over 128 levels.
///
/// ```
/// # use serde_json::json;
/// let text = cap_core::canonical::to_jcs(&json!({"b": 1.0, "a": ["\u{e9}\n", 1e21]}))?;
/// assert_eq!(text, r#"{"a":["é\n",1e+21],"b":1}"#);
/// # Ok::<(), cap_core::canonical::CanonicalError>(())
/// ```
pub fn to_jcs(value: &Value) -> Result<String, CanonicalError> {
    let mut out = String::new();
    write_value(&mut out, value, MAX_DEPTH)?;
    Ok(out)
}

/// Why a value has no canonical text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CanonicalError {
    /// An integer whose digits a binary64 loses, or a number that is no binary64.
    #[error("a number is not exact in binary64")]
    Number,
    /// Arrays and objects in each other over 128 levels deep.
    #[error("the value is nested over 128 levels deep")]
    Depth,
}

fn write_value(out: &mut String, value: &Value, depth: usize) -> Result<(), CanonicalError> {
    let inner = depth.checked_sub(1).ok_or(CanonicalError::Depth);
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => {
            number::write(out, number::exact(number).ok_or(CanonicalError::Number)?);
        }
        Value::String(text) => write_string(out, text),
        Value::Array(items) => write_array(out, items, inner?)?,
        Value::Object(members) => write_object(out, members, inner?)?,
    }
    Ok(())
}

fn write_array(out: &mut String, items: &[Value], depth: usize) -> Result<(), CanonicalError> {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_value(out, item, depth)?;
    }
    out.push(']');
    Ok(())
}

fn write_object(
    out: &mut String,
    members: &Map<String, Value>,
    depth: usize,
) -> Result<(), CanonicalError> {
    let mut members: Vec<_> = members.iter().collect();
    // By code units, not by code points: above U+FFFF the two orders differ (RFC 8785 §3.2.3).
    members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    out.push('{');
    for (at, (name, value)) in members.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_string(out, name);
        out.push(':');
        write_value(out, value, depth)?;
    }
    out.push('}');
    Ok(())
}

/// Escaped as RFC 8785 §3.2.2.2 says: what must be, in its shortest form.
fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..='\u{1f}' => {
                // Writing to a string does not fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}
