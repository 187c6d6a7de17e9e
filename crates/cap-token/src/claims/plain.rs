//! The form that nearly all claims have, read in one pass over their bytes: members that we know, each
//! once, one entry that is ours, nothing of white space, no text with an escape.
//!
//! SECURITY: what is read here, the reader of all JSON reads as the same; what is not of this form is
//! left to it. Only the texts of our entry's members are not looked into: whoever takes them reads
//! them as JSON, from beginning to end and strictly.

use std::borrow::Cow;

use super::entry::Entry;
use super::{Details, Raw, string};
use crate::ENTRY_TYPE;
use crate::jose::json::{Field, MAX_DEPTH};

pub(super) mod value;

/// `None` when they have another form.
pub(super) fn read(text: &str) -> Option<Raw<'_>> {
    if !is_unescaped(text) {
        return None;
    }
    let mut plain = Plain { text, at: 0, levels: MAX_DEPTH };
    let mut raw = Raw::default();
    plain.object(|plain, name| plain.claim(name, &mut raw))?;
    (plain.at == text.len()).then_some(raw)
}

/// A text, and where in it the reader stands.
struct Plain<'de> {
    text: &'de str,
    at: usize,
    /// How much deeper it may go.
    levels: u8,
}

impl<'de> Plain<'de> {
    fn claim(&mut self, name: &str, raw: &mut Raw<'de>) -> Option<()> {
        let field = match name {
            "iss" => &mut raw.iss,
            "sub" => &mut raw.sub,
            "aud" => &mut raw.aud,
            "exp" => &mut raw.exp,
            "iat" => &mut raw.iat,
            "nbf" => &mut raw.nbf,
            "jti" => &mut raw.jti,
            "client_id" => &mut raw.client_id,
            "status" => {
                let status = serde_json::from_str(self.nested()?).ok()?;
                return raw.status.replace(status).is_none().then_some(());
            }
            "authorization_details" if matches!(raw.details, Details::Missing) => {
                self.eat(b'[')?;
                raw.details = Details::Ours(self.entry()?);
                return self.eat(b']');
            }
            _ => return None,
        };
        if !matches!(field, Field::Missing) {
            return None;
        }
        *field = match self.next()? {
            b'"' => Field::Text(Cow::Borrowed(self.text()?)),
            _ => Field::Whole(self.whole()?),
        };
        Some(())
    }

    fn entry(&mut self) -> Option<Entry<'de>> {
        let mut entry = Entry::default();
        self.object(|plain, name| {
            let value = plain.value()?;
            entry.slot(name)?.replace(value).is_none().then_some(())
        })?;
        (string(entry.kind?)? == ENTRY_TYPE).then_some(entry)
    }

    /// An object that has a member at least; `member` takes the value of each.
    fn object(&mut self, mut member: impl FnMut(&mut Self, &'de str) -> Option<()>) -> Option<()> {
        self.eat(b'{')?;
        loop {
            let name = self.text()?;
            self.eat(b':')?;
            member(self, name)?;
            if self.eat(b',').is_none() {
                return self.eat(b'}');
            }
        }
    }

    /// The text of a value.
    fn value(&mut self) -> Option<&'de str> {
        let from = self.at;
        match self.next()? {
            b'"' => self.text().map(drop)?,
            b'[' | b'{' => return self.nested(),
            _ => self.whole().map(drop)?,
        }
        self.text.get(from..self.at)
    }

    /// A text, without its quotes.
    fn text(&mut self) -> Option<&'de str> {
        self.eat(b'"')?;
        let from = self.at;
        self.at += self.rest()?.iter().position(|byte| *byte == b'"')?;
        let text = self.text.get(from..self.at)?;
        self.at += 1;
        Some(text)
    }

    /// A number without sign, fraction or exponent.
    fn whole(&mut self) -> Option<u64> {
        let (from, mut number) = (self.at, 0_u64);
        while let Some(digit @ b'0'..=b'9') = self.next() {
            number = number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
            self.at += 1;
        }
        // What begins with a zero is nothing else, or no number (RFC 8259 §6).
        let is_number = match self.text.as_bytes().get(from..self.at)? {
            [first, _, ..] => *first != b'0',
            one => !one.is_empty(),
        };
        is_number.then_some(number)
    }

    /// From the bracket that opens here to the one that closes it, whatever their sorts: what stands
    /// in between is read by others.
    fn nested(&mut self) -> Option<&'de str> {
        let from = self.at;
        let (mut open, mut all) = (0_usize, 0_u8);
        loop {
            match self.next()? {
                b'"' => {
                    self.text()?;
                    continue;
                }
                b'[' | b'{' => (open, all) = (open + 1, all.checked_add(1)?),
                b']' | b'}' => open = open.checked_sub(1)?,
                _ => {}
            }
            self.at += 1;
            if open == 0 {
                break;
            }
        }
        // What has no more brackets than there are levels left is not too deep.
        if !(1..=LEVELS).contains(&all) {
            return None;
        }
        self.text.get(from..self.at)
    }

    fn next(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then(|| self.at += 1)
    }

    fn rest(&self) -> Option<&'de [u8]> {
        self.text.as_bytes().get(self.at..)
    }
}

/// The levels below the members of our entry, which is an object in an array in the claims.
const LEVELS: u8 = MAX_DEPTH - 3;

/// Whether there is neither a backslash nor a control character: every text ends at the next quote
/// (RFC 8259 §7).
fn is_unescaped(text: &str) -> bool {
    text.bytes().fold(true, |all, byte| all & (byte >= 0x20) & (byte != b'\\'))
}

#[cfg(test)]
mod tests;
