//! The one way in which JSON is written in a log, and what tells duplicate members.
//!
//! Members of an object stand in the order of their names, there is no white space, and one value
//! has one text. Characters that could break a line, drive a terminal or hide from a reader are
//! written as `\u` escapes.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Writes any value.
pub(crate) fn value(out: &mut Vec<u8>, json: &Value) {
    match json {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::String(text) => string(out, text),
        Value::Array(items) => list(out, b"[]", items.iter(), value),
        Value::Object(members) => object(out, members),
    }
}

/// Writes an object, its members in the order of their names.
pub(crate) fn object(out: &mut Vec<u8>, members: &serde_json::Map<String, Value>) {
    // The order of a `Map` depends on a feature of `serde_json` that any crate in the build may
    // turn on, so it is not relied upon.
    let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    list(out, b"{}", sorted.into_iter(), |out, (name, member)| {
        string(out, name);
        out.push(b':');
        value(out, member);
    });
}

/// Writes an array of strings.
pub(crate) fn strings(out: &mut Vec<u8>, items: &[String]) {
    list(out, b"[]", items.iter(), |out, item| string(out, item));
}

/// Writes a string with its quotation marks.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    if text.bytes().all(is_plain) {
        out.extend_from_slice(text.as_bytes());
    } else {
        text.chars().for_each(|character| escaped(out, character));
    }
    out.push(b'"');
}

fn list<T>(
    out: &mut Vec<u8>,
    [open, close]: &[u8; 2],
    items: impl Iterator<Item = T>,
    write: impl Fn(&mut Vec<u8>, T),
) {
    out.push(*open);
    for (position, item) in items.enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(*close);
}

/// Printable ASCII that means itself inside a JSON string.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

fn escaped(out: &mut Vec<u8>, character: char) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        _ if is_unseen(character) => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
            }
        }
        _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// SECURITY: controls (C0, DEL, C1), line and paragraph separators, and what changes how its
/// neighbours look or is not seen at all (bidirectional controls, zero-width characters, tags):
/// whoever reads the raw log in a terminal or an editor must see what is there.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// What may be said of bytes that are not a line as we write it.
pub(crate) enum Verdict {
    NotJson,
    DuplicateMember,
    OtherwiseWritten,
}

pub(crate) fn judge(bytes: &[u8]) -> Verdict {
    match serde_json::from_slice::<UniqueMembers>(bytes) {
        Ok(UniqueMembers(true)) => Verdict::OtherwiseWritten,
        Ok(UniqueMembers(false)) => Verdict::DuplicateMember,
        Err(_) => Verdict::NotJson,
    }
}

/// Whether no object within has two members of one name.
struct UniqueMembers(bool);

impl<'de> Deserialize<'de> for UniqueMembers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(UniqueMembers(true))
    }
}

impl<'de> Visitor<'de> for UniqueMembers {
    type Value = Self;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        let mut unique = true;
        while let Some(Self(item)) = items.next_element()? {
            unique &= item;
        }
        Ok(Self(unique))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        let mut names = BTreeSet::new();
        let mut unique = true;
        while let Some((name, Self(member))) = members.next_entry::<String, Self>()? {
            unique &= member && names.insert(name);
        }
        Ok(Self(unique))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(json: &Value) -> String {
        let mut out = Vec::new();
        value(&mut out, json);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn members_are_sorted_and_nothing_is_spaced() {
        let json = json!({"b": [1, -2, null, true, false], "a": {"z": "", "y": "é"}});
        assert_eq!(written(&json), r#"{"a":{"y":"é","z":""},"b":[1,-2,null,true,false]}"#);
    }

    #[test]
    fn every_character_survives_and_none_that_cannot_be_seen_is_written_raw() {
        for character in '\0'..=char::MAX {
            let text = format!("a{character}b");
            let line = written(&Value::from(text.as_str()));
            assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
            assert!(!line.chars().any(is_unseen), "{character:?}");
        }
        assert_eq!(
            written(&json!("\u{202e}\u{7f}\n\"\\\u{e0041}")),
            r#""\u202e\u007f\n\"\\\udb40\udc41""#
        );
    }

    #[test]
    fn duplicate_members_are_found_at_any_depth() {
        let verdict = |text: &str| match judge(text.as_bytes()) {
            Verdict::NotJson => "not",
            Verdict::DuplicateMember => "duplicate",
            Verdict::OtherwiseWritten => "otherwise",
        };
        for (text, expected) in [
            (r#"{"a":1,"b":1.5,"c":[null,true,-1,"x"]}"#, "otherwise"),
            (r#"{"a":1,"a":1}"#, "duplicate"),
            (r#"{"a":[{"b":{"c":1,"\u0063":2}}]}"#, "duplicate"),
            (r#"{"a":1,}"#, "not"),
            (r#"{"a":1}{"#, "not"),
            ("", "not"),
        ] {
            assert_eq!(verdict(text), expected, "{text}");
        }
    }
}
