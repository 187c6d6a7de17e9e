//! JSON as AAT-02 needs it: read strictly, in one pass, with the numbers kept as they were written,
//! and written canonically (RFC 8785).

use std::borrow::Cow;
use std::cmp::Ordering;

use thiserror::Error;

pub(super) mod number;
mod read;

pub(super) use read::{parse, parse_claims};

/// Levels of arrays and objects in each other that are read.
pub(super) const MAX_NESTING: usize = 128;

/// Why a text was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JsonError {
    /// It is no JSON text (RFC 8259), or something follows it.
    #[error("the text is not JSON")]
    Syntax,
    /// An object has two members of the same name, decided after unescaping.
    #[error("an object has two members of the same name")]
    Duplicate,
    /// A `\u` escape is half of a surrogate pair: no text can hold it.
    #[error("a lone surrogate is escaped")]
    Surrogate,
    /// Arrays and objects are in each other over 128 levels deep.
    #[error("the text is nested over 128 levels deep")]
    Depth,
    /// A number is not what a reader of binary64 takes it for (AAT-02 §3.4).
    #[error("a number is not exact in binary64")]
    Number,
    /// It has more bytes than are read.
    #[error("the text is too long")]
    TooLong,
    /// It is JSON of another type than is wanted here.
    #[error("another type is wanted here")]
    Type,
}

/// A value, borrowed from its text where it can be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    /// As it was written.
    Number(&'a str),
    String(Cow<'a, str>),
    Array(Vec<Self>),
    Object(Object<'a>),
    /// An object by its number in [`Known`](super::known::Known), and itself where it is new. Only
    /// [`parse_claims`] makes it.
    Noted(usize, Option<Box<Self>>),
}

/// The members of an object.
///
/// INVARIANT: in canonical order, each name once.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

impl<'a> Json<'a> {
    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    pub(super) const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    pub(super) const fn is_object(&self) -> bool {
        matches!(self, Self::Object(_) | Self::Noted(..))
    }

    pub(super) const fn as_object(&self) -> Option<&Object<'a>> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// A number without fraction and exponent (AAT-02 §3.2). `-0` is none, nor is what 64 bits do
    /// not hold.
    pub(super) fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Number("-0") => None,
            Self::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The canonical text (RFC 8785), which is how values are compared (AAT-02 §3.4).
    ///
    /// # Errors
    /// [`JsonError::Number`] for one that is not admissible.
    pub(super) fn to_jcs(&self) -> Result<String, JsonError> {
        let room = match self {
            Self::String(text) => text.len() + 2,
            Self::Array(_) | Self::Object(_) => 128,
            _ => 8,
        };
        let mut out = String::with_capacity(room);
        self.write_jcs(&mut out)?;
        Ok(out)
    }

    fn write_jcs(&self, out: &mut String) -> Result<(), JsonError> {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Number(text) => out.push_str(&number::canonical(text).ok_or(JsonError::Number)?),
            Self::String(text) => write_string(out, text),
            Self::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    separate(out, at);
                    item.write_jcs(out)?;
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (at, (name, value)) in members.iter().enumerate() {
                    separate(out, at);
                    write_string(out, name);
                    out.push(':');
                    value.write_jcs(out)?;
                }
                out.push('}');
            }
            Self::Noted(..) => return Err(JsonError::Type),
        }
        Ok(())
    }
}

impl<'a> Object<'a> {
    /// # Errors
    /// [`JsonError::Duplicate`].
    fn new(mut members: Vec<(Cow<'a, str>, Json<'a>)>) -> Result<Self, JsonError> {
        let mut pairs = members.iter().zip(members.iter().skip(1));
        if pairs.all(|((a, _), (b, _))| canonical_order(a, b).is_lt()) {
            return Ok(Self(members));
        }
        members.sort_by(|(a, _), (b, _)| canonical_order(a, b));
        let mut pairs = members.iter().zip(members.iter().skip(1));
        if pairs.any(|((a, _), (b, _))| a == b) {
            return Err(JsonError::Duplicate);
        }
        Ok(Self(members))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Json<'a>> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Json<'a>)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn has_only(&self, names: &[&str]) -> bool {
        self.0.iter().all(|(name, _)| names.contains(&&**name))
    }
}

/// The canonical text of a text.
pub(super) fn canonical(text: &str) -> Result<String, JsonError> {
    parse(text)?.to_jcs()
}

/// By UTF-16 code units, not by code points: above U+FFFF the two orders differ (RFC 8785 §3.2.3).
fn canonical_order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

fn separate(out: &mut String, at: usize) {
    if at > 0 {
        out.push(',');
    }
}

/// Escaped as RFC 8785 §3.2.2.2 says: what must be, in its shortest form.
pub(super) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    if text.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        text.chars().for_each(|c| write_char(out, c));
    } else {
        out.push_str(text);
    }
    out.push('"');
}

fn write_char(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\u{8}' => out.push_str("\\b"),
        '\t' => out.push_str("\\t"),
        '\n' => out.push_str("\\n"),
        '\u{c}' => out.push_str("\\f"),
        '\r' => out.push_str("\\r"),
        '\0'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        _ => out.push(c),
    }
}

#[cfg(test)]
mod tests;
