//! The claims of our profile (RFC 9068 §2.2, RFC 9396 §9.1), each of its one type.

use std::borrow::Cow;
use std::fmt;

use cap_core::{Capability, CapabilityId};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use self::entry::{Element, ElementSeed, Entry, is_instant};
use crate::jose::Part;
use crate::jose::json::{self, Field, Members, Reading};
use crate::validate::ValidateError;
use crate::{StatusReference, TokenId};

pub(crate) mod entry;
mod feed;
mod plain;

/// What a token says, well-typed and consistent in itself. Whose it is, for whom and when is not
/// looked at here.
pub(crate) struct Claims<'de> {
    pub(crate) issuer: Cow<'de, str>,
    pub(crate) audiences: Audiences<'de>,
    /// Seconds since 1970, as the two below.
    pub(crate) expires: i64,
    pub(crate) issued: i64,
    pub(crate) not_before: i64,
    pub(crate) token_id: TokenId,
    pub(crate) capability: Capability,
    pub(crate) ancestors: Vec<CapabilityId>,
    pub(crate) status: Option<StatusReference>,
}

/// One, or several (RFC 7519 §4.1.3).
pub(crate) enum Audiences<'de> {
    One(Cow<'de, str>),
    Several(Vec<Cow<'de, str>>),
}

impl Audiences<'_> {
    pub(crate) fn contains(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Several(several) => several.iter().any(|one| one == audience),
        }
    }
}

/// The claims as they stand there.
#[derive(Default)]
struct Raw<'de> {
    iss: Field<'de>,
    sub: Field<'de>,
    aud: Field<'de>,
    exp: Field<'de>,
    iat: Field<'de>,
    nbf: Field<'de>,
    jti: Field<'de>,
    client_id: Field<'de>,
    status: Option<&'de RawValue>,
    details: Details<'de>,
}

/// `authorization_details`, of which one entry may be ours; entries of other types are other
/// people's.
#[derive(Default)]
enum Details<'de> {
    #[default]
    Missing,
    Malformed,
    NotOurs,
    Ours(Entry<'de>),
    Several,
}

impl<'de> Claims<'de> {
    /// Unknown claims are ignored; those of the profile must all be there, each of its type.
    pub(crate) fn read(text: &'de str) -> Result<Self, ValidateError> {
        // SECURITY: what is not plain, or is refused, the reader of all JSON judges from its beginning.
        match plain::read(text).map(Raw::checked) {
            Some(Ok(claims)) => Ok(claims),
            _ => Self::read_any(text),
        }
    }

    fn read_any(text: &'de str) -> Result<Self, ValidateError> {
        let mut raw = Raw::default();
        json::object(text, Part::Claims, &mut raw)?;
        raw.checked()
    }
}

impl<'de> Raw<'de> {
    fn checked(self) -> Result<Claims<'de>, ValidateError> {
        let (issuer, subject) = (text(self.iss, "iss")?, text(self.sub, "sub")?);
        let (client, audiences) = (text(self.client_id, "client_id")?, audiences(self.aud)?);
        let (expires, issued) = (instant(&self.exp, "exp")?, instant(&self.iat, "iat")?);
        let not_before = instant(&self.nbf, "nbf")?;
        let token_id = text(self.jti, "jti")?.parse().map_err(|_| ValidateError::TokenId)?;
        let entry = self.details.entry()?;
        if subject != client {
            return Err(ValidateError::Principal);
        }
        let (capability, ancestors) = entry.capability(&subject)?;
        if capability.expires_at().is_some_and(|end| expires > end.timestamp()) {
            return Err(ValidateError::OutlivesCapability);
        }
        let status = self.status.map(StatusReference::read).transpose()?.flatten();
        Ok(Claims {
            issuer,
            audiences,
            expires,
            issued,
            not_before,
            token_id,
            capability,
            ancestors,
            status,
        })
    }
}

impl<'de> Members<'de> for Raw<'de> {
    fn member<A: MapAccess<'de>>(
        &mut self,
        name: &str,
        values: &mut A,
        reading: Reading<'_>,
    ) -> Result<bool, A::Error> {
        let field = match name {
            "iss" => &mut self.iss,
            "sub" => &mut self.sub,
            "aud" => &mut self.aud,
            "exp" => &mut self.exp,
            "iat" => &mut self.iat,
            "nbf" => &mut self.nbf,
            "jti" => &mut self.jti,
            "client_id" => &mut self.client_id,
            "status" => {
                let raw: &RawValue = values.next_value()?;
                reading.bound(raw.get())?;
                return match self.status.replace(raw) {
                    None => Ok(true),
                    Some(_) => Err(reading.duplicate()),
                };
            }
            "authorization_details" => {
                if !matches!(self.details, Details::Missing) {
                    return Err(reading.duplicate());
                }
                self.details = values.next_value_seed(DetailsSeed(reading))?;
                return Ok(true);
            }
            _ => return Ok(false),
        };
        reading.place(field, values)
    }
}

impl<'de> Details<'de> {
    fn entry(self) -> Result<Entry<'de>, ValidateError> {
        const NAME: &str = "authorization_details";
        match self {
            Self::Ours(entry) => Ok(entry),
            Self::Missing => Err(ValidateError::MissingClaim(NAME)),
            Self::Malformed => Err(ValidateError::ClaimType(NAME)),
            Self::NotOurs => Err(ValidateError::NoCapability),
            Self::Several => Err(ValidateError::SeveralCapabilities),
        }
    }

    fn with(self, element: Element<'de>) -> Self {
        match (self, element) {
            (Self::Malformed, _) | (_, Element::Malformed) => Self::Malformed,
            (known, Element::NotOurs) => known,
            (Self::Missing | Self::NotOurs, Element::Ours(entry)) => Self::Ours(entry),
            (Self::Ours(_) | Self::Several, Element::Ours(_)) => Self::Several,
        }
    }
}

struct DetailsSeed<'f>(Reading<'f>);

impl<'de> DeserializeSeed<'de> for DetailsSeed<'_> {
    type Value = Details<'de>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Details<'de>, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for DetailsSeed<'_> {
    type Value = Details<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    json::anything_else_is!(Details<'de>, Details::Malformed);

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Details<'de>, A::Error> {
        let within = self.0.within()?;
        let mut details = Details::NotOurs;
        while let Some(element) = items.next_element_seed(ElementSeed(within))? {
            details = details.with(element);
        }
        Ok(details)
    }

    fn visit_map<A: MapAccess<'de>>(self, values: A) -> Result<Details<'de>, A::Error> {
        self.0.visit_map(values).map(|_| Details::Malformed)
    }
}

fn text<'de>(field: Field<'de>, name: &'static str) -> Result<Cow<'de, str>, ValidateError> {
    match field {
        Field::Text(text) => Ok(text),
        Field::Missing => Err(ValidateError::MissingClaim(name)),
        _ => Err(ValidateError::ClaimType(name)),
    }
}

/// Whole seconds from 1970 to the year 9999. RFC 7519 §2 would allow fractions; we
/// write none, and a reader that rounds is a reader that differs.
fn instant(field: &Field<'_>, name: &'static str) -> Result<i64, ValidateError> {
    match field {
        Field::Whole(seconds) => i64::try_from(*seconds)
            .ok()
            .filter(|seconds| is_instant(*seconds))
            .ok_or(ValidateError::ClaimType(name)),
        Field::Missing => Err(ValidateError::MissingClaim(name)),
        _ => Err(ValidateError::ClaimType(name)),
    }
}

fn audiences(field: Field<'_>) -> Result<Audiences<'_>, ValidateError> {
    match field {
        Field::Text(one) => Ok(Audiences::One(one)),
        Field::Texts(several) => Ok(Audiences::Several(several)),
        Field::Missing => Err(ValidateError::MissingClaim("aud")),
        _ => Err(ValidateError::ClaimType("aud")),
    }
}

/// The text that a JSON value is, if it is one.
fn string(value: &str) -> Option<Cow<'_, str>> {
    let quoted = value.strip_prefix('"')?.strip_suffix('"')?;
    if quoted.contains('\\') {
        serde_json::from_str(value).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(quoted))
    }
}
