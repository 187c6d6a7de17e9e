use serde::Serialize;
use serde::de::MapAccess;
use serde_json::value::RawValue;

use super::Reserved;
use crate::jose::Part;
use crate::jose::json::{self, Field, Members, Reading};
use crate::validate::ValidateError;

/// Where the status of a token is published (`status`, §6.1 of the draft): a place in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusReference {
    uri: String,
    index: u32,
}

/// The same as it is written.
#[derive(Serialize)]
pub(crate) struct StatusOut<'a> {
    status_list: PlaceOut<'a>,
}

#[derive(Serialize)]
struct PlaceOut<'a> {
    idx: u32,
    uri: &'a str,
}

impl StatusReference {
    /// The list: what [`StatusListToken::read`](crate::StatusListToken::read) is given.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The place in it: what [`StatusListToken::status`](crate::StatusListToken::status) is asked.
    #[must_use]
    pub const fn index(&self) -> u32 {
        self.index
    }

    /// The value of the claim. `None` where it names no list: other mechanisms are other people's.
    pub(crate) fn read(raw: &RawValue) -> Result<Option<Self>, ValidateError> {
        let mut status = StatusFields::default();
        object(raw, &mut status)?;
        let Some(list) = status.list else { return Ok(None) };
        let mut place = PlaceFields::default();
        object(list, &mut place)?;
        match (place.idx, place.uri) {
            (Field::Whole(index), Field::Text(uri)) if !uri.is_empty() => {
                let index = u32::try_from(index).map_err(|_| MISTYPED)?;
                Ok(Some(Self { uri: uri.into_owned(), index }))
            }
            _ => Err(MISTYPED),
        }
    }
}

impl<'a> StatusOut<'a> {
    pub(crate) const fn of(place: &Reserved<'a>) -> Self {
        Self { status_list: PlaceOut { idx: place.index(), uri: place.uri() } }
    }
}

const MISTYPED: ValidateError = ValidateError::ClaimType("status");

/// Reads it for duplicates, too.
fn object<'de>(raw: &'de RawValue, members: &mut impl Members<'de>) -> Result<(), ValidateError> {
    if !raw.get().starts_with('{') {
        return Err(MISTYPED);
    }
    Ok(json::object(raw.get(), Part::Claims, members)?)
}

#[derive(Default)]
struct StatusFields<'de> {
    list: Option<&'de RawValue>,
}

#[derive(Default)]
struct PlaceFields<'de> {
    idx: Field<'de>,
    uri: Field<'de>,
}

impl<'de> Members<'de> for StatusFields<'de> {
    fn member<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        values: &mut A,
        reading: Reading<'_>,
    ) -> Result<bool, A::Error> {
        match name {
            "status_list" => match self.list.replace(values.next_value()?) {
                None => Ok(true),
                Some(_) => Err(reading.duplicate()),
            },
            _ => Ok(false),
        }
    }
}

impl<'de> Members<'de> for PlaceFields<'de> {
    fn member<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        values: &mut A,
        reading: Reading<'_>,
    ) -> Result<bool, A::Error> {
        match name {
            "idx" => reading.place(&mut self.idx, values),
            "uri" => reading.place(&mut self.uri, values),
            _ => Ok(false),
        }
    }
}
