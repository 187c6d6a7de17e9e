use serde_json::{Map, Value};

use crate::jose::{Compact, MalformedToken};

/// What a token says of itself, for people to read. **Nothing in it is verified**: anybody can
/// write such a text. Decide with [`Validator::validate`](crate::Validator::validate).
#[derive(Debug, Clone, PartialEq)]
pub struct UnverifiedToken {
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl UnverifiedToken {
    /// The members of the header.
    #[must_use]
    pub fn header(&self) -> &Map<String, Value> {
        &self.header
    }

    /// The claims.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

/// Takes a token apart without verifying it, for people to read.
///
/// # Errors
/// See [`MalformedToken`].
pub fn inspect(token: &str) -> Result<UnverifiedToken, MalformedToken> {
    let compact = Compact::parse(token)?;
    let claims = compact.claims()?;
    Ok(UnverifiedToken { header: compact.header, claims })
}
