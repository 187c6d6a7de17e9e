use std::borrow::Cow;

/// A string literal, decoded.
pub(super) struct Decoded<'a> {
    /// The text; U+FFFD stands for each lone surrogate.
    pub(super) text: Cow<'a, str>,
    pub(super) lone_surrogate: bool,
}

/// Decodes a literal that a scan has accepted, quotes included.
pub(super) fn decode(quoted: &str) -> Decoded<'_> {
    let inner = unquote(quoted);
    if !inner.contains('\\') {
        return Decoded { text: Cow::Borrowed(inner), lone_surrogate: false };
    }
    let mut text = String::with_capacity(inner.len());
    let mut lone_surrogate = false;
    let mut rest = inner;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        text.push_str(plain);
        let (c, after) = escape(escaped);
        lone_surrogate |= c.is_none();
        text.push(c.unwrap_or(char::REPLACEMENT_CHARACTER));
        rest = after;
    }
    text.push_str(rest);
    Decoded { text: Cow::Owned(text), lone_surrogate }
}

/// The literal without its quotes.
pub(super) fn unquote(quoted: &str) -> &str {
    quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default()
}

/// The character that an escape (after its backslash) means, `None` for a lone surrogate, and
/// what follows the escape.
fn escape(text: &str) -> (Option<char>, &str) {
    let mut chars = text.chars();
    let c = match chars.next() {
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('u') => return unicode_escape(chars.as_str()),
        Some(c) => c,
        None => char::REPLACEMENT_CHARACTER,
    };
    (Some(c), chars.as_str())
}

fn unicode_escape(text: &str) -> (Option<char>, &str) {
    let (unit, rest) = code_unit(text);
    if let 0xd800..=0xdbff = unit
        && let Some(second) = rest.strip_prefix("\\u")
        && let (low @ 0xdc00..=0xdfff, after) = code_unit(second)
    {
        return (char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00)), after);
    }
    (char::from_u32(unit), rest)
}

fn code_unit(text: &str) -> (u32, &str) {
    let (digits, rest) = text.split_at_checked(4).unwrap_or((text, ""));
    (u32::from_str_radix(digits, 16).unwrap_or(0xd800), rest)
}
