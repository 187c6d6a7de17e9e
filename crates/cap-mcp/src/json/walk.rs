use std::borrow::Cow;
use std::ops::Range;

use super::{Kind, Raw, text};

/// A member of an object, where it stands.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// The key, decoded.
    pub key: Cow<'a, str>,
    /// Where the key lies in the line, quotes included.
    pub key_span: Range<usize>,
    /// The value.
    pub value: Raw<'a>,
}

/// The members of an object; see [`Raw::members`].
#[derive(Clone, Debug)]
pub struct Members<'a>(Walker<'a>);

impl<'a> Members<'a> {
    pub(super) const fn new(object: Raw<'a>) -> Self {
        Self(Walker::inside(object, Kind::Object))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let key = self.0.next_value()?;
        self.0.punctuation();
        let value = self.0.next_value()?;
        Some(Member { key: text::decode(key.text).text, key_span: key.span(), value })
    }
}

/// The elements of an array; see [`Raw::elements`].
#[derive(Clone, Debug)]
pub struct Elements<'a>(Walker<'a>);

impl<'a> Elements<'a> {
    pub(super) const fn new(array: Raw<'a>) -> Self {
        Self(Walker::inside(array, Kind::Array))
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Raw<'a>> {
        self.0.next_value()
    }
}

/// Steps over values that a scan has accepted, so that punctuation needs no second look.
#[derive(Clone, Debug)]
struct Walker<'a> {
    raw: Raw<'a>,
    at: usize,
}

impl<'a> Walker<'a> {
    /// Behind the opening bracket of a container of the wanted kind; else at the end.
    const fn inside(raw: Raw<'a>, wanted: Kind) -> Self {
        let at = match (raw.kind, wanted) {
            (Kind::Object, Kind::Object) | (Kind::Array, Kind::Array) => 1,
            _ => raw.text.len(),
        };
        Self { raw, at }
    }

    fn next_value(&mut self) -> Option<Raw<'a>> {
        self.punctuation();
        let rest = self.raw.text.get(self.at..)?;
        let (length, kind) = extent(rest.as_bytes())?;
        let value = Raw::new(rest.get(..length)?, self.raw.at + self.at, kind);
        self.at += length;
        Some(value)
    }

    /// Skips blanks, commas and colons.
    fn punctuation(&mut self) {
        let rest = self.raw.text.as_bytes().get(self.at..).unwrap_or_default();
        let skipped = |byte: &u8| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':');
        self.at += rest.iter().position(skipped).unwrap_or(rest.len());
    }
}

/// How long the value is that begins here, and its kind; `None` at the end of the container.
fn extent(bytes: &[u8]) -> Option<(usize, Kind)> {
    let kind = match bytes.first()? {
        b'"' => return Some((string_length(bytes)?, Kind::String)),
        b'{' => return Some((container_length(bytes)?, Kind::Object)),
        b'[' => return Some((container_length(bytes)?, Kind::Array)),
        b't' | b'f' => Kind::Bool,
        b'n' => Kind::Null,
        b'-' | b'0'..=b'9' => Kind::Number,
        _ => return None,
    };
    let ends = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b']' | b'}');
    Some((bytes.iter().position(ends).unwrap_or(bytes.len()), kind))
}

/// The length of the string literal that begins here.
pub(super) fn string_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        if bytes.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
        at += 2;
    }
}

fn container_length(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        let rest = bytes.get(at..)?;
        at += rest.iter().position(|byte| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']'))?;
        match bytes.get(at)? {
            b'"' => {
                at += string_length(bytes.get(at..)?)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            _ => depth = depth.checked_sub(1)?,
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}
