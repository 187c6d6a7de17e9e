//! Feeds the reader of `cap_core::Capability` with the parts of an entry, as if they were one
//! object in its wire form: no JSON is written in between, and all of its checks are made.

use std::borrow::Cow;
use std::fmt;

use cap_core::{Capability, CapabilityId};
use chrono::{DateTime, Datelike, Timelike};
use serde::Deserialize;
use serde::de::value::{BorrowedStrDeserializer, MapAccessDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, Visitor};
use serde_json::Error;
use serde_json::value::RawValue;

use crate::jose::json::Name;
use crate::lineage::Lineage;

/// Everything that a capability is made of.
pub(super) struct Parts<'a> {
    pub(super) lineage: &'a Lineage,
    pub(super) principal: &'a str,
    /// Seconds since 1970, to the year 9999; the same for `ends`.
    pub(super) issued: i64,
    pub(super) ends: Option<i64>,
    pub(super) resource_type: &'a str,
    pub(super) resource: &'a str,
    pub(super) operations: &'a RawValue,
    pub(super) constraints: &'a RawValue,
    pub(super) inherited_limits: Option<&'a RawValue>,
}

/// `None` when they make no capability.
pub(super) fn capability(parts: &Parts<'_>) -> Option<Capability> {
    let Lineage { own, ancestors, below } = parts.lineage;
    let depth = u8::try_from(ancestors.len()).ok()?;
    let parent = ancestors.last();
    let members = [
        Some(("constraints", Value::Constraints(parts.constraints, *below))),
        Some(("delegation_depth", Value::Number(depth))),
        parts.ends.map(|at| ("expires_at", Value::Instant(at))),
        Some(("id", Value::Id(*own))),
        parts.inherited_limits.map(|limits| ("inherited_limits", Value::Raw(limits))),
        Some(("issued_at", Value::Instant(parts.issued))),
        Some(("operations", Value::Raw(parts.operations))),
        parent.map(|parent| ("parent", Value::Id(*parent))),
        Some(("principal", Value::Text(parts.principal))),
        Some(("resource", Value::Text(parts.resource))),
        Some(("resource_type", Value::Text(parts.resource_type))),
        Some(("version", Value::Number(1))),
    ];
    let members = Object { members: members.into_iter().flatten(), value: None };
    Capability::deserialize(MapAccessDeserializer::new(members)).ok()
}

enum Value<'a> {
    Text(&'a str),
    Number(u8),
    Id(CapabilityId),
    Instant(i64),
    Raw(&'a RawValue),
    /// With the `max_delegation_depth` that goes into it.
    Constraints(&'a RawValue, Option<u8>),
}

struct Object<'a, I> {
    members: I,
    value: Option<Value<'a>>,
}

impl<'a, I: Iterator<Item = (&'static str, Value<'a>)>> MapAccess<'a> for Object<'a, I> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'a>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some((name, value)) = self.members.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let value = self.value.take().ok_or_else(|| Error::custom("a value before its name"))?;
        match value {
            Value::Text(text) => seed.deserialize(BorrowedStrDeserializer::new(text)),
            Value::Number(number) => seed.deserialize(number.into_deserializer()),
            Value::Id(id) => seed.deserialize(id.to_string().into_deserializer()),
            Value::Instant(seconds) => {
                let text = rfc3339(seconds).ok_or_else(|| Error::custom("no instant"))?;
                let text = std::str::from_utf8(&text).map_err(Error::custom)?;
                seed.deserialize(StrDeserializer::new(text))
            }
            Value::Raw(raw) => whole(raw, |json| seed.deserialize(json)),
            Value::Constraints(raw, below) => seed.deserialize(Constraints { raw, below }),
        }
    }
}

/// Reads `raw` from its beginning to its end.
fn whole<'a, T>(
    raw: &'a RawValue,
    read: impl FnOnce(&mut serde_json::Deserializer<serde_json::de::StrRead<'a>>) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut json = serde_json::Deserializer::from_str(raw.get());
    let value = read(&mut json)?;
    json.end()?;
    Ok(value)
}

/// One set of constraints, or a list of them that goes under `and`.
struct Constraints<'a> {
    raw: &'a RawValue,
    below: Option<u8>,
}

impl<'de> Deserializer<'de> for Constraints<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Self { raw, below } = self;
        if raw.get().starts_with('[') {
            let members = [("and", Value::Raw(raw))].into_iter();
            visitor.visit_map(Chained { below, value: None, then: Object { members, value: None } })
        } else {
            whole(raw, |json| json.deserialize_map(Before { below, visitor }))
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

const DEPTH: &str = "max_delegation_depth";

/// Lets a visitor see [`DEPTH`] before the members of an object, in which it must not stand.
struct Before<V> {
    below: Option<u8>,
    visitor: V,
}

impl<'a, V: Visitor<'a>> Visitor<'a> for Before<V> {
    type Value = V::Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(out)
    }

    fn visit_map<A: MapAccess<'a>>(self, members: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Chained { below: self.below, value: None, then: members })
    }
}

struct Chained<A> {
    below: Option<u8>,
    /// The number, once its name was taken.
    value: Option<u8>,
    then: A,
}

impl<'a, A: MapAccess<'a>> MapAccess<'a> for Chained<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'a>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        self.value = self.below.take();
        let name = match self.value {
            Some(_) => {
                return seed.deserialize(BorrowedStrDeserializer::new(DEPTH)).map(Some);
            }
            None => self.then.next_key_seed(Name)?,
        };
        // SECURITY: what the lineage says stands nowhere else, not even as the same.
        match name {
            None => Ok(None),
            Some(name) if name == DEPTH => Err(A::Error::custom("a depth outside of the lineage")),
            Some(Cow::Borrowed(name)) => {
                seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some)
            }
            Some(Cow::Owned(name)) => seed.deserialize(name.into_deserializer()).map(Some),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        match self.value.take() {
            Some(below) => seed.deserialize(below.into_deserializer()),
            None => self.then.next_value_seed(seed),
        }
    }
}

/// `2026-01-01T00:00:00Z`, the one form that a capability's instants have.
fn rfc3339(seconds: i64) -> Option<[u8; 20]> {
    let at = DateTime::from_timestamp(seconds, 0)?.naive_utc();
    let year = u32::try_from(at.year()).ok()?;
    let [[a, b], [c, d]] = [two(year / 100)?, two(year % 100)?];
    let [[e, f], [g, h]] = [two(at.month())?, two(at.day())?];
    let [[i, j], [k, l], [m, n]] = [two(at.hour())?, two(at.minute())?, two(at.second())?];
    Some([a, b, c, d, b'-', e, f, b'-', g, h, b'T', i, j, b':', k, l, b':', m, n, b'Z'])
}

/// A number below 100 in two digits.
fn two(number: u32) -> Option<[u8; 2]> {
    let number = u8::try_from(number).ok().filter(|number| *number < 100)?;
    Some([b'0' + number / 10, b'0' + number % 10])
}
