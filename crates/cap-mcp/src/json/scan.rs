use std::borrow::Cow;
use std::ops::Range;

use super::{Kind, MAX_DEPTH, Raw, text};
use crate::read_error::Fault;

/// Keys of an object that are compared pairwise; more are sorted.
const FEW_KEYS: usize = 16;
/// Nesting up to which a refused line is searched for the id to answer under.
const SALVAGE_DEPTH: usize = 4096;

/// What a scan puts up with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    depth: usize,
    line_breaks: bool,
    ambiguous_keys: bool,
    home: Option<Home>,
}

impl Rules {
    /// A document by itself.
    pub(crate) const DOCUMENT: Self =
        Self { depth: MAX_DEPTH, line_breaks: true, ambiguous_keys: false, home: None };
    /// A message on its line.
    pub(crate) const LINE: Self = Self {
        depth: MAX_DEPTH,
        line_breaks: false,
        ambiguous_keys: false,
        home: Some(Home::Envelope),
    };
    /// A message that is already refused: only the grammar holds, and all keys are kept.
    pub(crate) const SALVAGE: Self =
        Self { depth: SALVAGE_DEPTH, ambiguous_keys: true, ..Self::LINE };
}

/// The objects whose members are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    Envelope,
    Params,
    ParamsMeta,
    Result,
    ResultMeta,
}

impl Home {
    fn child(self, key: &str) -> Option<Self> {
        match (self, key) {
            (Self::Envelope, "params") => Some(Self::Params),
            (Self::Envelope, "result") => Some(Self::Result),
            (Self::Params, "_meta") => Some(Self::ParamsMeta),
            (Self::Result, "_meta") => Some(Self::ResultMeta),
            _ => None,
        }
    }
}

/// A kept member.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) home: Home,
    pub(crate) key: Cow<'a, str>,
    pub(crate) key_at: usize,
    pub(crate) value: Range<usize>,
    pub(crate) kind: Kind,
}

/// What a scan found.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    pub(crate) root: Raw<'a>,
    pub(crate) entries: Vec<Entry<'a>>,
}

/// Reads `text` as one document, iteratively and in time linear in its length (for objects with
/// many keys: times the logarithm of their number).
pub(crate) fn scan(text: &str, rules: Rules) -> Result<Scan<'_>, (Fault, usize)> {
    let mut scanner = Scanner {
        text,
        bytes: text.as_bytes(),
        at: 0,
        rules,
        frames: Vec::with_capacity(8),
        keys: Vec::with_capacity(16),
        entries: Vec::with_capacity(12),
        done: (0, Kind::Null),
    };
    scanner.document()?;
    let (start, kind) = scanner.done;
    let root = Raw::new(text.get(start..scanner.at).unwrap_or_default(), start, kind);
    scanner.blank()?;
    if scanner.at < scanner.bytes.len() {
        return Err((Fault::TrailingBytes, scanner.at));
    }
    Ok(Scan { root, entries: scanner.entries })
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    rules: Rules,
    frames: Vec<Frame>,
    /// The keys of all open objects.
    keys: Vec<(Cow<'a, str>, usize)>,
    entries: Vec<Entry<'a>>,
    /// Where the value that has just ended began, and what it was.
    done: (usize, Kind),
}

/// An open object or array.
struct Frame {
    kind: Kind,
    start: usize,
    first_key: usize,
    home: Option<Home>,
    entry: usize,
}

enum Step {
    /// A container was opened; its first value comes next.
    Opened,
    /// A value has ended.
    Ended,
}

type Scanned<T> = Result<T, (Fault, usize)>;

impl<'a> Scanner<'a> {
    fn document(&mut self) -> Scanned<()> {
        self.blank()?;
        if self.peek().is_none() {
            return Err((Fault::Empty, self.at));
        }
        loop {
            if let Step::Opened = self.value()? {
                continue;
            }
            loop {
                self.keep_value();
                let Some(kind) = self.frames.last().map(|frame| frame.kind) else { return Ok(()) };
                self.blank()?;
                match (kind, self.peek()) {
                    (Kind::Object, Some(b',')) => {
                        self.at += 1;
                        self.blank()?;
                        self.key()?;
                        break;
                    }
                    (_, Some(b',')) => {
                        self.at += 1;
                        self.blank()?;
                        break;
                    }
                    (Kind::Object, Some(b'}')) | (Kind::Array, Some(b']')) => self.close()?,
                    _ => return self.syntax(),
                }
            }
        }
    }

    /// A scalar, an empty container, or the beginning of a container up to its first value.
    fn value(&mut self) -> Scanned<Step> {
        let start = self.at;
        let kind = match self.peek() {
            Some(b'"') => {
                self.string()?;
                Kind::String
            }
            Some(b'{') => return self.open(Kind::Object, b'}'),
            Some(b'[') => return self.open(Kind::Array, b']'),
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                Kind::Number
            }
            Some(b't') => self.word(b"true", Kind::Bool)?,
            Some(b'f') => self.word(b"false", Kind::Bool)?,
            Some(b'n') => self.word(b"null", Kind::Null)?,
            _ => return self.syntax(),
        };
        self.done = (start, kind);
        Ok(Step::Ended)
    }

    fn open(&mut self, kind: Kind, end: u8) -> Scanned<Step> {
        if self.frames.len() >= self.rules.depth {
            return Err((Fault::TooDeep, self.at));
        }
        let home = if kind == Kind::Object { self.home_of_value() } else { None };
        let frame = Frame { kind, start: self.at, first_key: self.keys.len(), home, entry: 0 };
        self.frames.push(frame);
        self.at += 1;
        self.blank()?;
        if self.peek() == Some(end) {
            self.close()?;
            return Ok(Step::Ended);
        }
        if kind == Kind::Object {
            self.key()?;
        }
        Ok(Step::Opened)
    }

    fn close(&mut self) -> Scanned<()> {
        self.at += 1;
        if let Some(frame) = self.frames.pop() {
            self.done = (frame.start, frame.kind);
            if let Some(keys) = self.keys.get_mut(frame.first_key..)
                && let Some(at) = find_duplicate(keys)
            {
                return Err((Fault::DuplicateMember, at));
            }
            self.keys.truncate(frame.first_key);
        }
        Ok(())
    }

    /// Which kept object an object is that begins here.
    fn home_of_value(&self) -> Option<Home> {
        let Some(parent) = self.frames.last() else { return self.rules.home };
        self.entries.get(parent.entry).and_then(|entry| parent.home?.child(&entry.key))
    }

    /// Notes the extent of the value that has just ended, where its member is kept.
    fn keep_value(&mut self) {
        let Some(frame) = self.frames.last() else { return };
        if frame.home.is_some()
            && let Some(entry) = self.entries.get_mut(frame.entry)
        {
            entry.value = self.done.0..self.at;
            entry.kind = self.done.1;
        }
    }

    /// A key, its colon, and the blanks up to the value.
    fn key(&mut self) -> Scanned<()> {
        let key_at = self.at;
        if self.peek() != Some(b'"') {
            return self.syntax();
        }
        let plain = self.string()?;
        let quoted = self.text.get(key_at..self.at).unwrap_or_default();
        let key =
            if plain { Cow::Borrowed(text::unquote(quoted)) } else { self.decode_key(quoted)? };
        if let Some(frame) = self.frames.last_mut()
            && let Some(home) = frame.home
        {
            frame.entry = self.entries.len();
            let (key, value) = (key.clone(), key_at..key_at);
            self.entries.push(Entry { home, key, key_at, value, kind: Kind::Null });
        }
        if !self.rules.ambiguous_keys {
            self.keys.push((key, key_at));
        }
        self.blank()?;
        if self.peek() != Some(b':') {
            return self.syntax();
        }
        self.at += 1;
        self.blank()
    }

    fn decode_key(&self, quoted: &'a str) -> Scanned<Cow<'a, str>> {
        let decoded = text::decode(quoted);
        if decoded.lone_surrogate && !self.rules.ambiguous_keys {
            return Err((Fault::LoneSurrogateKey, self.at - quoted.len()));
        }
        Ok(decoded.text)
    }

    /// A string; whether it is free of escapes.
    fn string(&mut self) -> Scanned<bool> {
        let mut plain = true;
        self.at += 1;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
            let Some(run) = rest.iter().position(special) else {
                self.at = self.bytes.len();
                return self.syntax();
            };
            self.at += run;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(plain);
                }
                Some(b'\\') => {
                    plain = false;
                    self.escape()?;
                }
                _ => return self.syntax(),
            }
        }
    }

    fn escape(&mut self) -> Scanned<()> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 1..self.at + 5).unwrap_or_default();
                if digits.len() != 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
                    return self.syntax();
                }
                self.at += 5;
            }
            _ => return self.syntax(),
        }
        Ok(())
    }

    fn number(&mut self) -> Scanned<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Scanned<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { self.syntax() } else { Ok(()) }
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Scanned<Kind> {
        if self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            return Ok(kind);
        }
        self.syntax()
    }

    fn blank(&mut self) -> Scanned<()> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t') => self.at += 1,
                // SECURITY: some servers end a line at a bare carriage return as well (Python's
                // universal newlines): what lies between two of them would be a message of its
                // own that nobody has ruled on.
                Some(b'\n' | b'\r') if !self.rules.line_breaks => {
                    return Err((Fault::LineBreak, self.at));
                }
                Some(b'\n' | b'\r') => self.at += 1,
                _ => return Ok(()),
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn syntax<T>(&self) -> Scanned<T> {
        Err((Fault::Syntax, self.at))
    }
}

/// Where a key stands that an earlier member of the same object has too.
fn find_duplicate(keys: &mut [(Cow<'_, str>, usize)]) -> Option<usize> {
    if keys.len() <= FEW_KEYS {
        return keys.iter().enumerate().find_map(|(nth, (key, at))| {
            keys.iter().take(nth).any(|(earlier, _)| earlier == key).then_some(*at)
        });
    }
    // SECURITY: sorted, not hashed: no choice of keys makes it slow.
    keys.sort_unstable();
    let pairs = keys.iter().zip(keys.iter().skip(1));
    pairs.filter(|(first, second)| first.0 == second.0).map(|(_, second)| second.1).min()
}
