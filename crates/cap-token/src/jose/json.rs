//! JSON read once, straight into what is wanted of it, in which no object at any depth has two
//! members of the same name (RFC 7515 §4, RFC 7519 §4: duplicates must be refused, or the last one
//! taken; readers that differ are attacked between the two).

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use serde_json::{Map, Value};

use super::{MalformedToken, Part};

/// Arrays and objects in each other, the outermost included.
pub(crate) const MAX_DEPTH: u8 = 32;

/// Why reading ended, where serde's own errors do not say it.
#[derive(Clone, Copy)]
enum Fault {
    Duplicate,
    TooDeep,
}

/// How deep a reader stands, and where it says why it stopped.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'f> {
    depth: u8,
    fault: &'f Cell<Option<Fault>>,
}

/// The value of a member of which a text, texts or a whole number is wanted. Anything else was read,
/// too, for its duplicates, and forgotten.
#[derive(Debug, Default)]
pub(crate) enum Field<'de> {
    #[default]
    Missing,
    Text(Cow<'de, str>),
    /// An array of texts only.
    Texts(Vec<Cow<'de, str>>),
    /// Without sign, fraction or exponent.
    Whole(u64),
    Other,
}

/// What is made of one object.
pub(crate) trait Members<'de> {
    /// Takes the value of the member from `values`. `false`: it was not taken, since the name is
    /// not known.
    fn member<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        values: &mut A,
        reading: Reading<'_>,
    ) -> Result<bool, A::Error>;
}

/// Reads `text`, which must be one object with nothing but white space around it.
pub(crate) fn object<'de>(
    text: &'de str,
    part: Part,
    members: &mut impl Members<'de>,
) -> Result<(), MalformedToken> {
    let fault = Cell::new(None);
    let reading = Reading { depth: 1, fault: &fault };
    let mut json = serde_json::Deserializer::from_str(text);
    let read = json.deserialize_map(Object { members, reading }).and_then(|()| json.end());
    read.map_err(|_| match fault.get() {
        Some(Fault::Duplicate) => MalformedToken::Duplicate(part),
        Some(Fault::TooDeep) => MalformedToken::TooDeep(part),
        None => MalformedToken::NotJson(part),
    })
}

/// Whether a JSON text of our own is one that [`object`] takes.
pub(crate) fn is_shallow(text: &str) -> bool {
    brackets(text) <= usize::from(MAX_DEPTH) || object(text, Part::Claims, &mut Nothing).is_ok()
}

/// Those that open an array or object, and some in texts.
fn brackets(text: &str) -> usize {
    text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count()
}

/// Everything in one object, for people to read.
pub(crate) fn members(text: &str, part: Part) -> Result<Map<String, Value>, MalformedToken> {
    object(text, part, &mut Nothing)?;
    serde_json::from_str(text).map_err(|_| MalformedToken::NotJson(part))
}

impl Reading<'_> {
    pub(crate) fn duplicate<E: Error>(self) -> E {
        self.fault.set(Some(Fault::Duplicate));
        E::custom("two members of the same name")
    }

    /// One level deeper.
    pub(crate) fn within<E: Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            self.fault.set(Some(Fault::TooDeep));
            return Err(E::custom("nested too deep"));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    /// Reads a value for its duplicates alone.
    pub(crate) fn skip<E: Error>(self, value: &str) -> Result<(), E> {
        let mut json = serde_json::Deserializer::from_str(value);
        self.deserialize(&mut json).map(drop).map_err(E::custom)
    }

    /// Refuses a value that is nested too deep. Whoever calls this reads it for duplicates.
    pub(crate) fn bound<E: Error>(self, value: &str) -> Result<(), E> {
        // What has fewer brackets than there are levels is not deeper.
        if brackets(value) <= usize::from(MAX_DEPTH.saturating_sub(self.depth)) {
            return Ok(());
        }
        self.skip(value)
    }

    /// Reads a value into its place, which must be free.
    pub(crate) fn place<'de, A: MapAccess<'de>>(
        self,
        field: &mut Field<'de>,
        values: &mut A,
    ) -> Result<bool, A::Error> {
        if !matches!(field, Field::Missing) {
            return Err(self.duplicate());
        }
        *field = values.next_value_seed(self)?;
        Ok(true)
    }
}

/// The methods of a visitor for which every value but an array and an object is one and the same.
macro_rules! anything_else_is {
    ($type:ty, $value:expr) => {
        fn visit_unit<E>(self) -> Result<$type, E> {
            Ok($value)
        }

        fn visit_bool<E>(self, _: bool) -> Result<$type, E> {
            Ok($value)
        }

        fn visit_i64<E>(self, _: i64) -> Result<$type, E> {
            Ok($value)
        }

        fn visit_u64<E>(self, _: u64) -> Result<$type, E> {
            Ok($value)
        }

        fn visit_f64<E>(self, _: f64) -> Result<$type, E> {
            Ok($value)
        }

        fn visit_str<E>(self, _: &str) -> Result<$type, E> {
            Ok($value)
        }
    };
}
pub(crate) use anything_else_is;

/// Takes nothing: what is read is looked through for duplicates.
struct Nothing;

impl<'de> Members<'de> for Nothing {
    fn member<A: MapAccess<'de>>(
        &mut self,
        _: &str,
        _: &mut A,
        _: Reading<'_>,
    ) -> Result<bool, A::Error> {
        Ok(false)
    }
}

struct Object<'m, 'f, M> {
    members: &'m mut M,
    reading: Reading<'f>,
}

impl<'de, M: Members<'de>> Visitor<'de> for Object<'_, '_, M> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        let mut others = Vec::new();
        while let Some(name) = values.next_key_seed(Name)? {
            if !self.members.member(&name, &mut values, self.reading)? {
                let _: Field<'de> = values.next_value_seed(self.reading)?;
                others.push(name);
            }
        }
        unique(others).map_err(|()| self.reading.duplicate())
    }
}

/// Whether all names differ; sorted, since there may be thousands.
pub(crate) fn unique(mut names: Vec<Cow<'_, str>>) -> Result<(), ()> {
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    if names.len() == all { Ok(()) } else { Err(()) }
}

/// The name of a member, borrowed where it has no escapes.
pub(crate) struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

impl<'de> DeserializeSeed<'de> for Reading<'_> {
    type Value = Field<'de>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Field<'de>, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = Field<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Field<'de>, E> {
        Ok(Field::Whole(number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Field<'de>, A::Error> {
        let within = self.within()?;
        let mut texts = Some(Vec::new());
        while let Some(item) = items.next_element_seed(within)? {
            match (item, &mut texts) {
                (Field::Text(text), Some(texts)) => texts.push(text),
                _ => texts = None,
            }
        }
        Ok(texts.map_or(Field::Other, Field::Texts))
    }

    fn visit_map<A: MapAccess<'de>>(self, values: A) -> Result<Field<'de>, A::Error> {
        Object { members: &mut Nothing, reading: self.within()? }.visit_map(values)?;
        Ok(Field::Other)
    }
}
