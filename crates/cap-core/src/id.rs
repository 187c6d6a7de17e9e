use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::limits::MAX_NAME_BYTES;

/// The identity of a capability: a UUIDv7 (RFC 9562 §5.7), so that ids sort by time of issue.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct CapabilityId(Uuid);

impl CapabilityId {
    /// A new id from 10 random bytes and the instant of issue.
    #[must_use]
    pub fn new(random: [u8; 10], now: DateTime<Utc>) -> Self {
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The 16 bytes of the id.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id that these bytes spell.
    ///
    /// # Errors
    /// When they are not a UUIDv7.
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Self, IdError> {
        Self::checked(Uuid::from_bytes(bytes))
    }

    fn checked(uuid: Uuid) -> Result<Self, IdError> {
        match uuid.get_version_num() {
            7 => Ok(Self(uuid)),
            _ => Err(IdError("a UUIDv7 is wanted")),
        }
    }
}

impl fmt::Display for CapabilityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.hyphenated(), f)
    }
}

impl fmt::Debug for CapabilityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CapabilityId {
    type Err = IdError;

    /// Reads the one form that is written: 36 lower-case characters with hyphens.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let canonical = text.len() == 36 && !text.bytes().any(|byte| byte.is_ascii_uppercase());
        match Uuid::try_parse(text) {
            Ok(uuid) if canonical => Self::checked(uuid),
            _ => Err(IdError("a UUID in its 36-character lower-case form is wanted")),
        }
    }
}

/// Who acts: an opaque name of 1–256 bytes without control characters, compared exactly.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct Principal(String);

impl Principal {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Principal {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        check_name(text)?;
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Why a text is no id or no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IdError(&'static str);

impl IdError {
    pub(crate) const METHOD: Self =
        Self("`*` stands alone or after a slash at the end: `prompts/*`");
    pub(crate) const TOOL: Self = Self("`*` is the name of no tool");
    pub(crate) const PROGRAM: Self =
        Self("a program is a name or a path, without blanks at its ends");
}

/// What every name of the wire keeps to.
pub(crate) fn check_name(text: &str) -> Result<(), IdError> {
    if text.is_empty() || text.len() > MAX_NAME_BYTES {
        return Err(IdError("a name of 1 to 256 bytes is wanted"));
    }
    if !is_printable_ascii(text) && text.chars().any(|c| c.is_control() || is_invisible(c)) {
        return Err(IdError("control and invisible characters are not allowed in a name"));
    }
    Ok(())
}

/// Whether a look at the bytes alone shows that there is nothing to refuse: most names are of this
/// kind.
fn is_printable_ascii(text: &str) -> bool {
    text.bytes().fold(true, |all, byte| all & matches!(byte, b' '..=b'~'))
}

/// Line and paragraph separators, bidirectional controls, zero-width characters, the byte order
/// mark and the tag block: what makes two names look alike or breaks a line of a log.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Reads a type from its text on the wire.
#[cfg(feature = "serde")]
macro_rules! deserialize_from_str {
    ($($name:ty),+) => {$(
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;

                impl serde::de::Visitor<'_> for Text {
                    type Value = $name;

                    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                        f.write_str("a string")
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }

                deserializer.deserialize_str(Text)
            }
        }
    )+};
}
#[cfg(feature = "serde")]
pub(crate) use deserialize_from_str;

#[cfg(feature = "serde")]
deserialize_from_str!(CapabilityId, Principal);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_look_at_the_bytes_lets_nothing_pass(text in ".{0,8}[ -~]{0,8}[\u{0}-\u{ff}]{0,2}") {
            let refused = text.chars().any(|c| c.is_control() || is_invisible(c));
            prop_assert!(!(refused && is_printable_ascii(&text)));
        }
    }

    #[test]
    fn every_byte_of_ascii_is_judged_alike_by_both_looks() {
        for byte in 0..=0x7f_u8 {
            let c = char::from(byte);
            let text = alloc::format!("a{c}b");
            assert_eq!(is_printable_ascii(&text), !c.is_control() && !is_invisible(c), "{byte}");
        }
    }
}
