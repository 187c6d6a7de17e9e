use cap_crypto::{RandomError, SignError};
use thiserror::Error;

use crate::chain::error::ChainError;
use crate::chain::{JsonError, Widening};

/// Why no root was minted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MintError {
    /// The issuer is not a URI.
    #[error("the issuer is not a URI")]
    Issuer,
    /// A key is not an Ed25519 key.
    #[error("the keys of a chain are Ed25519 keys")]
    Key,
    /// There is no tool.
    #[error("a token without a tool permits nothing")]
    Empty,
    /// The tools are not well-formed, or beyond a limit.
    #[error("{0}")]
    Tools(&'static str),
    /// The depth is beyond the limit.
    #[error("`del_max_depth` is beyond the limit")]
    Depth,
    /// The lifetime is shorter than a second or beyond the limit, or the capability has ended.
    #[error("the lifetime is shorter than a second or beyond the limit")]
    Lifetime,
    /// The token has more bytes than a token may have.
    #[error("the token is too long")]
    TooLarge,
    /// The random source failed.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The signature could not be made.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Why no token was derived.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DeriveError {
    /// The parent is no good token.
    #[error("the parent is not a good token: {0}")]
    Parent(ChainError),
    /// The parent is not the signer's.
    #[error("the signer does not hold the parent")]
    NotHolder,
    /// The next holder's key is the parent's; see [`NextHolder::Same`](super::NextHolder::Same).
    #[error("the next holder's key is the parent's")]
    SameHolder,
    /// The parent may not be passed on.
    #[error("the parent is terminal: its `del_depth` is its `del_max_depth`")]
    Terminal,
    /// The parent has expired.
    #[error("the parent has expired")]
    ParentExpired,
    /// `exp` is not after `iat`, or after the parent's.
    #[error("`exp` must be after now and not after the parent's")]
    Expiry,
    /// `del_max_depth` is below the child's depth or above the parent's.
    #[error("`del_max_depth` must be from the child's depth to the parent's bound")]
    Depth,
    /// More is asked for than the parent has.
    #[error("step {}: tool `{}`{} is wider than in the parent", .0.step, .0.tool,
        .0.argument.as_ref().map(|name| format!(", argument `{name}`")).unwrap_or_default())]
    Widens(Widening),
    /// The token would be no good one.
    #[error(transparent)]
    Token(#[from] MintError),
}

/// Why no proof was made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProveError {
    /// The leaf is no good token.
    #[error("the leaf is not a good token: {0}")]
    Leaf(ChainError),
    /// The leaf is not the signer's.
    #[error("the signer does not hold the leaf")]
    NotHolder,
    /// The leaf has expired.
    #[error("the leaf has expired")]
    Expired,
    /// The arguments are not a strict JSON object with admissible numbers.
    #[error("the arguments are not good: {0}")]
    Arguments(#[from] JsonError),
    /// The leaf does not permit the call.
    #[error("the leaf does not permit the call: {0}")]
    NotPermitted(&'static str),
    /// The proof has more bytes than a proof may have.
    #[error("the proof is too long")]
    TooLarge,
    /// The random source failed.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The signature could not be made.
    #[error(transparent)]
    Sign(#[from] SignError),
}
