use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use crate::id::{IdError, check_name};

/// Which programs are meant: one, compared exactly as it is named in the call, or all (`*`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Program(String);

impl Program {
    /// Whether the program of a call is meant.
    #[must_use]
    pub fn matches(&self, program: &str) -> bool {
        self.0 == "*" || self.0 == program
    }

    /// Whether everything that `self` means, `other` means too.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        other.0 == "*" || self.0 == other.0
    }
}

impl FromStr for Program {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        check_name(text)?;
        if text.trim() != text {
            return Err(IdError::PROGRAM);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(feature = "serde")]
crate::tool::serialize_as_text!(Program);
#[cfg(feature = "serde")]
crate::id::deserialize_from_str!(Program);
