use cap_core::DelegateError;
use cap_crypto::{Purpose, RandomError, SignError};
use thiserror::Error;

use crate::{MAX_TOKEN_BYTES, StatusListError};

/// Why no token was issued.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The lifetime is shorter than a second or longer than [`MAX_TTL`](crate::MAX_TTL).
    #[error("a token lives for one second to 24 hours")]
    Lifetime,
    /// The capability has expired, or does so within the second.
    #[error("the capability has expired")]
    Expired,
    /// The token that is to be renewed or delegated from has expired.
    #[error("the token has expired")]
    TokenExpired,
    /// The token that is to be renewed was delegated: it ends with the token that it comes from.
    #[error("a delegated token is not renewed: it ends with the token that it was made of")]
    Delegated,
    /// The token that is to be renewed or delegated from is of another issuer, or for another
    /// audience.
    #[error("the token is of another issuer, or for another audience")]
    Foreign,
    /// The clock, or an instant of the capability, stands before 1970 or after the year 9999.
    #[error("an instant is before 1970 or after the year 9999")]
    Clock,
    /// The ids given are not those of the capability's ancestors, the root first.
    #[error("the ancestors are not those of the capability, the root first")]
    Ancestors,
    /// The capability does not fit into a token.
    #[error("the token would have more than {MAX_TOKEN_BYTES} bytes")]
    TooLarge,
    /// Arrays and objects of the capability stand in each other deeper than any reader takes.
    #[error("the claims would be nested over 32 levels deep")]
    TooDeep,
    /// The register knows a token of this id, or it stands twice in a batch: the random source
    /// repeats itself.
    #[error("a token of this id was issued before")]
    KnownToken,
    /// As many tokens are alive as the register has room for.
    #[error("the register of issued tokens is full")]
    RegisterFull,
    /// The list of statuses does not take it.
    #[error(transparent)]
    Status(#[from] StatusListError),
    /// The keys are not for tokens.
    #[error("the keys are for `{0}`, not for signing tokens")]
    Purpose(Purpose),
    /// The capability may not be delegated like this.
    #[error(transparent)]
    Delegate(#[from] DelegateError),
    /// The random source failed.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The backend could not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Why no token of a batch was issued.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("token {index} of the batch: {source}")]
pub struct BatchError {
    /// Which request could not be met, counted from 0. Where no single one is to blame: the first if
    /// the keys are not for tokens, the last if the register did not take the batch.
    pub index: usize,
    /// Why.
    pub source: IssueError,
}
