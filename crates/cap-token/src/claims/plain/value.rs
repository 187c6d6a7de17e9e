//! The values of our entry, read by serde from the plain form.
//!
//! SECURITY: whoever reads them gets from here what the reader of all JSON would give; of what this
//! one does not take — signs, fractions, escapes, white space — that one has the say.

use std::fmt::{self, Display};

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Plain, is_unescaped};
use crate::jose::json::MAX_DEPTH;

/// `None` when the text has another form, or is none that `T` takes.
pub(in super::super) fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Option<T> {
    if !is_unescaped(text) {
        return None;
    }
    let mut plain = Plain { text, at: 0, levels: MAX_DEPTH };
    let value = T::deserialize(&mut plain).ok()?;
    (plain.at == text.len()).then_some(value)
}

/// Nobody is told why: the reader of all JSON is asked next.
#[derive(Debug)]
pub(super) struct NotPlain;

impl Display for NotPlain {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("not plain")
    }
}

impl std::error::Error for NotPlain {}

impl Error for NotPlain {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

impl<'de> Deserializer<'de> for &mut Plain<'de> {
    type Error = NotPlain;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotPlain> {
        match self.next().ok_or(NotPlain)? {
            b'"' => visitor.visit_borrowed_str(self.text().ok_or(NotPlain)?),
            b'{' => self.items(|items| visitor.visit_map(items)),
            b'[' => self.items(|items| visitor.visit_seq(items)),
            b'0'..=b'9' => visitor.visit_u64(self.whole().ok_or(NotPlain)?),
            b't' => self.word("true").and_then(|()| visitor.visit_bool(true)),
            b'f' => self.word("false").and_then(|()| visitor.visit_bool(false)),
            _ => Err(NotPlain),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

impl<'de> Plain<'de> {
    /// SECURITY: a visitor may stop before the end, which serde does not ask it about.
    fn items<T>(
        &mut self,
        visit: impl FnOnce(&mut Items<'_, 'de>) -> Result<T, NotPlain>,
    ) -> Result<T, NotPlain> {
        self.levels = self.levels.checked_sub(1).ok_or(NotPlain)?;
        self.at += 1;
        let mut items = Items { plain: self, is_first: true, is_done: false };
        let value = visit(&mut items)?;
        if !items.is_done {
            return Err(NotPlain);
        }
        self.levels += 1;
        Ok(value)
    }

    fn word(&mut self, word: &str) -> Result<(), NotPlain> {
        let rest = self.text.get(self.at..).ok_or(NotPlain)?;
        if !rest.starts_with(word) {
            return Err(NotPlain);
        }
        self.at += word.len();
        Ok(())
    }
}

/// The members of an object, or the elements of an array, up to the bracket that closes it.
struct Items<'p, 'de> {
    plain: &'p mut Plain<'de>,
    is_first: bool,
    is_done: bool,
}

impl Items<'_, '_> {
    /// Whether another one begins.
    fn more(&mut self, end: u8) -> Result<bool, NotPlain> {
        let is_first = std::mem::replace(&mut self.is_first, false);
        self.is_done = self.is_done || self.plain.eat(end).is_some();
        if self.is_done {
            return Ok(false);
        }
        if !is_first {
            self.plain.eat(b',').ok_or(NotPlain)?;
        }
        Ok(true)
    }
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = NotPlain;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, NotPlain> {
        if self.more(b']')? { seed.deserialize(&mut *self.plain).map(Some) } else { Ok(None) }
    }
}

impl<'de> MapAccess<'de> for Items<'_, 'de> {
    type Error = NotPlain;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, NotPlain> {
        if !self.more(b'}')? {
            return Ok(None);
        }
        let name = self.plain.text().ok_or(NotPlain)?;
        self.plain.eat(b':').ok_or(NotPlain)?;
        seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, NotPlain> {
        seed.deserialize(&mut *self.plain)
    }
}
