use std::fmt;

use crate::json::{Kind, Raw, survives_round_trip};

/// Bytes of an id that is a string; a longer one is refused, as it is kept while the request is
/// pending.
pub const MAX_ID_BYTES: usize = 1024;

/// The id of a request: compared as a value, whatever escapes it was written with.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(untagged)]
pub enum Id {
    /// An integer of at most 53 bits.
    Number(i64),
    /// A string.
    Text(String),
}

impl Id {
    /// The id that a value is, also where it names another request (`requestId`); `None` for every
    /// form that two readers could take for different ids.
    #[must_use]
    pub fn read(raw: &Raw<'_>) -> Option<Self> {
        match raw.kind() {
            Kind::String => {
                let text = raw.string().ok()?;
                (text.len() <= MAX_ID_BYTES).then(|| Self::Text(text.into_owned()))
            }
            Kind::Number => {
                let literal = raw.text();
                let integer = literal.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit());
                // `-0` comes back as `0`.
                if !integer || literal == "-0" || !survives_round_trip(literal) {
                    return None;
                }
                literal.parse().ok().map(Self::Number)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
