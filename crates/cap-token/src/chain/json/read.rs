use std::borrow::Cow;

use super::{Json, JsonError, MAX_NESTING, Object};
use crate::chain::known::{Known, Texts};

/// The levels left at the rules of a tool: `/authorization_details/0/tools/(tool)`.
const AT_TOOL: usize = MAX_NESTING - 4;
/// The levels left at those of an argument: `/authorization_details/0/tools/(tool)/(argument)`.
const AT_ARGUMENT: usize = AT_TOOL - 1;

/// The value that a text is, with nothing but white space around it.
pub(in crate::chain) fn parse(text: &str) -> Result<Json<'_>, JsonError> {
    Reader { rest: text, known: None }.whole()
}

/// The same for the claims of a token: objects that stand as deep as the rules of tools and of
/// arguments do are [`Json::Noted`], and those that are known are not read again.
pub(in crate::chain) fn parse_claims<'a>(
    text: &'a str,
    known: &mut Known,
) -> Result<Json<'a>, JsonError> {
    Reader { rest: text, known: Some(known) }.whole()
}

struct Reader<'a, 'k> {
    rest: &'a str,
    known: Option<&'k mut Known>,
}

impl<'a> Reader<'a, '_> {
    fn whole(mut self) -> Result<Json<'a>, JsonError> {
        let value = self.value(MAX_NESTING)?;
        self.space();
        if self.rest.is_empty() { Ok(value) } else { Err(JsonError::Syntax) }
    }

    fn value(&mut self, levels: usize) -> Result<Json<'a>, JsonError> {
        self.space();
        match self.rest.as_bytes().first() {
            Some(b'"') => self.string().map(Json::String),
            Some(b'{') if levels == AT_TOOL => self.noted(levels, |known| &mut known.tools),
            Some(b'{') if levels == AT_ARGUMENT => self.noted(levels, |known| &mut known.arguments),
            Some(b'{') => self.object(levels.checked_sub(1).ok_or(JsonError::Depth)?),
            Some(b'[') => self.array(levels.checked_sub(1).ok_or(JsonError::Depth)?),
            Some(b'-' | b'0'..=b'9') => self.number().map(Json::Number),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            _ => Err(JsonError::Syntax),
        }
    }

    fn noted<T: Clone>(
        &mut self,
        levels: usize,
        texts: impl Fn(&mut Known) -> &mut Texts<T>,
    ) -> Result<Json<'a>, JsonError> {
        let start = self.rest;
        let known = self.known.as_mut().and_then(|known| texts(known).find(start));
        if let Some((at, length)) = known {
            self.rest = start.get(length..).ok_or(JsonError::Syntax)?;
            return Ok(Json::Noted(at, None));
        }
        let object = self.object(levels - 1)?;
        let Some(known) = &mut self.known else { return Ok(object) };
        let text = start.get(..start.len() - self.rest.len()).ok_or(JsonError::Syntax)?;
        Ok(Json::Noted(texts(known).note(text), Some(Box::new(object))))
    }

    fn object(&mut self, levels: usize) -> Result<Json<'a>, JsonError> {
        self.expect(b'{')?;
        self.space();
        if self.eat(b'}') {
            return Ok(Json::Object(Object::default()));
        }
        let mut members = Vec::with_capacity(if levels + 1 == MAX_NESTING { 12 } else { 4 });
        loop {
            self.space();
            let name = self.string()?;
            self.space();
            self.expect(b':')?;
            members.push((name, self.value(levels)?));
            self.space();
            if self.eat(b'}') {
                return Object::new(members).map(Json::Object);
            }
            self.expect(b',')?;
        }
    }

    fn array(&mut self, levels: usize) -> Result<Json<'a>, JsonError> {
        self.expect(b'[')?;
        self.space();
        if self.eat(b']') {
            return Ok(Json::Array(Vec::new()));
        }
        let mut items = Vec::with_capacity(1);
        loop {
            items.push(self.value(levels)?);
            self.space();
            if self.eat(b']') {
                return Ok(Json::Array(items));
            }
            self.expect(b',')?;
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.expect(b'"')?;
        let mut unescaped: Option<String> = None;
        loop {
            let run = self.plain();
            if self.eat(b'"') {
                return Ok(match unescaped {
                    None => Cow::Borrowed(run),
                    Some(text) => Cow::Owned(text + run),
                });
            }
            self.expect(b'\\')?;
            let text = unescaped.get_or_insert_default();
            text.push_str(run);
            text.push(self.escape()?);
        }
    }

    /// As much of a string as stands for itself.
    fn plain(&mut self) -> &'a str {
        let (words, tail) = self.rest.as_bytes().as_chunks();
        let ends = |byte: &u8| *byte == b'"' || *byte == b'\\' || *byte < 0x20;
        let in_tail = || tail.iter().position(ends).unwrap_or(tail.len());
        let in_word = |(at, word)| end_of_plain(word).map(|end| at * 8 + end);
        let end = words.iter().enumerate().find_map(in_word);
        let end = end.unwrap_or_else(|| words.len() * 8 + in_tail());
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
        self.eat(b'-');
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with('0') {
            return Err(JsonError::Syntax);
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            if !self.eat(b'-') {
                self.eat(b'+');
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

    /// An ASCII character.
    fn eat(&mut self, wanted: u8) -> bool {
        let there = self.rest.as_bytes().first() == Some(&wanted);
        if there {
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
        there
    }

    fn expect(&mut self, wanted: u8) -> Result<(), JsonError> {
        if self.eat(wanted) { Ok(()) } else { Err(JsonError::Syntax) }
    }
}

/// The first quote, backslash or control character among eight bytes, all of them looked at at once.
fn end_of_plain(word: &[u8; 8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let word = u64::from_le_bytes(*word);
    // INVARIANT: the lowest bit is that of the first such byte; those above may be of others, since
    // a byte from which too much is taken borrows of the next.
    let below = |bytes: u64, bound: u64| bytes.wrapping_sub(ONES * bound) & !bytes & HIGH;
    let equals = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let ends = below(word, 0x20) | equals(b'"') | equals(b'\\');
    (ends != 0).then(|| usize::try_from(ends.trailing_zeros() / 8).ok()).flatten()
}
