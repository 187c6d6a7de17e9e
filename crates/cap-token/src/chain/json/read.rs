use std::borrow::Cow;

use super::{Json, JsonError, MAX_NESTING, Object};

/// The value that a text is, with nothing but white space around it.
pub(in crate::chain) fn parse(text: &str) -> Result<Json<'_>, JsonError> {
    let mut reader = Reader { rest: text };
    let value = reader.value(MAX_NESTING)?;
    reader.space();
    if reader.rest.is_empty() { Ok(value) } else { Err(JsonError::Syntax) }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn value(&mut self, levels: usize) -> Result<Json<'a>, JsonError> {
        self.space();
        match self.rest.as_bytes().first() {
            Some(b'"') => self.string().map(Json::String),
            Some(b'{') => self.object(levels.checked_sub(1).ok_or(JsonError::Depth)?),
            Some(b'[') => self.array(levels.checked_sub(1).ok_or(JsonError::Depth)?),
            Some(b'-' | b'0'..=b'9') => self.number().map(Json::Number),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            _ => Err(JsonError::Syntax),
        }
    }

    fn object(&mut self, levels: usize) -> Result<Json<'a>, JsonError> {
        self.expect('{')?;
        self.space();
        if self.eat('}') {
            return Ok(Json::Object(Object::default()));
        }
        let mut members = Vec::with_capacity(if levels + 1 == MAX_NESTING { 12 } else { 1 });
        loop {
            self.space();
            let name = self.string()?;
            self.space();
            self.expect(':')?;
            members.push((name, self.value(levels)?));
            self.space();
            if self.eat('}') {
                return Object::new(members).map(Json::Object);
            }
            self.expect(',')?;
        }
    }

    fn array(&mut self, levels: usize) -> Result<Json<'a>, JsonError> {
        self.expect('[')?;
        self.space();
        if self.eat(']') {
            return Ok(Json::Array(Vec::new()));
        }
        let mut items = Vec::with_capacity(1);
        loop {
            items.push(self.value(levels)?);
            self.space();
            if self.eat(']') {
                return Ok(Json::Array(items));
            }
            self.expect(',')?;
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.expect('"')?;
        let mut unescaped: Option<String> = None;
        loop {
            let run = self.plain();
            if self.eat('"') {
                return Ok(match unescaped {
                    None => Cow::Borrowed(run),
                    Some(text) => Cow::Owned(text + run),
                });
            }
            self.expect('\\')?;
            let text = unescaped.get_or_insert_default();
            text.push_str(run);
            text.push(self.escape()?);
        }
    }

    /// As much of a string as stands for itself.
    fn plain(&mut self) -> &'a str {
        let words = self.rest.as_bytes().chunks_exact(8);
        let plain = words.take_while(|word| is_plain(word)).count() * 8;
        let ends = |byte: &u8| *byte == b'"' || *byte == b'\\' || *byte < 0x20;
        let tail = self.rest.as_bytes().iter().skip(plain);
        let end = plain + tail.take_while(|byte| !ends(byte)).count();
        let (run, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        run
    }

    /// What stands after a backslash.
    fn escape(&mut self) -> Result<char, JsonError> {
        let mut chars = self.rest.chars();
        let escaped = chars.next().ok_or(JsonError::Syntax)?;
        self.rest = chars.as_str();
        Ok(match escaped {
            '"' | '\\' | '/' => escaped,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.code_point(),
            _ => return Err(JsonError::Syntax),
        })
    }

    /// One `\u` escape, or two that are a surrogate pair. SECURITY: half a pair is refused. Readers
    /// differ in what they make of it.
    fn code_point(&mut self) -> Result<char, JsonError> {
        let first = self.code_unit()?;
        if !(0xd800..0xe000).contains(&first) {
            return char::from_u32(first).ok_or(JsonError::Surrogate);
        }
        let rest = self.rest.strip_prefix("\\u").ok_or(JsonError::Surrogate)?;
        self.rest = rest;
        let second = self.code_unit()?;
        if first >= 0xdc00 || !(0xdc00..0xe000).contains(&second) {
            return Err(JsonError::Surrogate);
        }
        char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
            .ok_or(JsonError::Surrogate)
    }

    fn code_unit(&mut self) -> Result<u32, JsonError> {
        let (digits, rest) = self.rest.split_at_checked(4).ok_or(JsonError::Syntax)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(JsonError::Syntax);
        }
        self.rest = rest;
        u32::from_str_radix(digits, 16).map_err(|_| JsonError::Syntax)
    }

    /// RFC 8259 §6: no leading zeros, no sign but `-`, digits on both sides of the point.
    fn number(&mut self) -> Result<&'a str, JsonError> {
        let start = self.rest;
        self.eat('-');
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with('0') {
            return Err(JsonError::Syntax);
        }
        if self.eat('.') {
            self.digits()?;
        }
        if self.eat('e') || self.eat('E') {
            if !self.eat('-') {
                self.eat('+');
            }
            self.digits()?;
        }
        start.get(..start.len() - self.rest.len()).ok_or(JsonError::Syntax)
    }

    fn digits(&mut self) -> Result<&'a str, JsonError> {
        let digits = self.take(|byte| byte.is_ascii_digit());
        if digits.is_empty() { Err(JsonError::Syntax) } else { Ok(digits) }
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Result<Json<'a>, JsonError> {
        self.rest = self.rest.strip_prefix(word).ok_or(JsonError::Syntax)?;
        Ok(value)
    }

    fn space(&mut self) {
        if self.rest.as_bytes().first().is_some_and(|byte| *byte <= b' ') {
            self.take(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        }
    }

    /// The longest beginning of which every byte is `wanted`; what ends it must be ASCII.
    fn take(&mut self, wanted: impl Fn(u8) -> bool) -> &'a str {
        let end = self.rest.bytes().position(|byte| !wanted(byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn eat(&mut self, wanted: char) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, wanted: char) -> Result<(), JsonError> {
        if self.eat(wanted) { Ok(()) } else { Err(JsonError::Syntax) }
    }
}

/// Whether eight bytes have no quote, backslash or control character among them, as far as that is
/// seen in all of them at once: `false` may be caution.
fn is_plain(word: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let Ok(word) = word.try_into().map(u64::from_le_bytes) else {
        return false;
    };
    let below = |bytes: u64, bound: u64| bytes.wrapping_sub(ONES * bound) & !bytes & HIGH;
    let equals = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (below(word, 0x20) | equals(b'"') | equals(b'\\')) == 0
}
