use std::borrow::Cow;

use cap_core::DenyCode;

use super::Request;
use crate::json::{Kind, Raw};

/// A tool call, before anybody has ruled on it.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// The tool's name, decoded.
    pub name: Cow<'a, str>,
    /// The arguments, an object where there are any.
    pub arguments: Option<Raw<'a>>,
}

impl<'a> Call<'a> {
    pub(super) fn of(request: &Request<'a>) -> Result<Self, CallError> {
        if request.params().is_none_or(|params| params.kind() != Kind::Object) {
            return Err(CallError::Params);
        }
        let name = request.param("name").ok_or(CallError::Name)?;
        let name = name.string().map_err(|_| CallError::Name)?;
        let arguments = match request.param("arguments") {
            None => None,
            // Some clients write the empty map of their language as null.
            Some(raw) if raw.kind() == Kind::Null => None,
            Some(raw) if raw.kind() == Kind::Object => Some(raw),
            Some(_) => return Err(CallError::Arguments),
        };
        Ok(Self { name, arguments })
    }
}

/// Why a request cannot be decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// `params` is missing or no object.
    #[error("`params` must be an object")]
    Params,
    /// `name` is missing or no string.
    #[error("`params.name` must be a string")]
    Name,
    /// `arguments` is neither an object nor null.
    #[error("`params.arguments` must be an object")]
    Arguments,
    /// `uri` is missing or no string.
    #[error("`params.uri` must be a string")]
    Uri,
}

impl CallError {
    /// The code of the refusal.
    #[must_use]
    pub const fn code(self) -> DenyCode {
        match self {
            Self::Params => DenyCode::MessageInvalid,
            Self::Name => DenyCode::ToolInvalid,
            Self::Arguments | Self::Uri => DenyCode::ArgumentInvalid,
        }
    }
}
