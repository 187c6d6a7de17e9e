use serde_json::{Map, Number, Value};

use super::{Kind, Raw, survives_round_trip, text, walk::string_length};

/// What stands in the arguments for a string with a lone surrogate, or a number that does not
/// survive a round trip: a number that is not exact, which satisfies no constraint of `cap-core`
/// but `wildcard`. Such a value can be passed on, but nothing can be decided on it.
pub(crate) const UNDECIDABLE: u64 = u64::MAX;

/// The members of an object as values. INVARIANT: a scan has found no member twice, and has
/// bounded the nesting.
pub(crate) fn build_object(raw: &Raw<'_>) -> Map<String, Value> {
    let mut builder = Builder { text: raw.text(), at: 0 };
    match raw.kind() {
        Kind::Object => builder.object(),
        _ => Map::new(),
    }
}

struct Builder<'a> {
    text: &'a str,
    at: usize,
}

impl Builder<'_> {
    fn object(&mut self) -> Map<String, Value> {
        let mut members = Map::new();
        self.at += 1;
        while let Some(b'"') = self.next_byte() {
            if let Value::String(key) = self.string() {
                members.insert(key, self.value());
            }
        }
        self.at += 1;
        members
    }

    fn array(&mut self) -> Value {
        let mut items = Vec::new();
        self.at += 1;
        while !matches!(self.next_byte(), None | Some(b']')) {
            items.push(self.value());
        }
        self.at += 1;
        Value::Array(items)
    }

    fn value(&mut self) -> Value {
        match self.next_byte() {
            Some(b'{') => Value::Object(self.object()),
            Some(b'[') => self.array(),
            Some(b'"') => self.string(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(_) => self.number(),
            None => Value::Null,
        }
    }

    fn string(&mut self) -> Value {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = string_length(rest.as_bytes()).unwrap_or(rest.len());
        self.at += length;
        let decoded = text::decode(rest.get(..length).unwrap_or_default());
        if decoded.lone_surrogate {
            return UNDECIDABLE.into();
        }
        Value::String(decoded.text.into_owned())
    }

    fn number(&mut self) -> Value {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let of_number = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        let length = rest.find(|c| !of_number(c)).unwrap_or(rest.len());
        // A step forward whatever stands here.
        self.at += length.max(1);
        let literal = rest.get(..length).unwrap_or_default();
        if !survives_round_trip(literal) {
            return UNDECIDABLE.into();
        }
        if let Ok(integer) = literal.parse::<i64>() {
            return integer.into();
        }
        literal.parse().ok().and_then(Number::from_f64).map_or(UNDECIDABLE.into(), Value::Number)
    }

    const fn word(&mut self, word: &str, value: Value) -> Value {
        self.at += word.len();
        value
    }

    /// The next byte that is neither blank nor comma nor colon.
    fn next_byte(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let skip = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':');
        self.at += rest.iter().position(|byte| !skip(byte)).unwrap_or(rest.len());
        self.text.as_bytes().get(self.at).copied()
    }
}
