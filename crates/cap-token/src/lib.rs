#![doc = include_str!("../README.md")]

mod cache;
pub mod chain;
mod claims;
mod explain;
mod inspect;
mod issue;
mod issued;
mod jose;
mod jwks;
mod lineage;
mod revocation;
mod status_list;
mod sync;
mod token_id;
mod validate;

pub use cache::{CacheLimits, CacheStats, CachedValidator};
pub use explain::{ChainExplanation, ChainLink, explain_chain};
pub use inspect::{UnverifiedToken, inspect, introspect};
pub use issue::{
    BatchError, DEFAULT_TTL, DelegatedToken, IssueError, Issuer, MAX_TTL, TokenRequest,
};
pub use issued::{Issued, IssuedToken};
pub use jose::{MAX_TOKEN_BYTES, MalformedToken, Part};
pub use jwks::{
    Applied, ForeignKeys, Jwks, JwksError, JwksSource, JwksSourceError, JwksTiming, MAX_JWKS_BYTES,
    MAX_JWKS_KEYS,
};
pub use revocation::{
    DEFAULT_MAX_IMPORT_BYTES, DEFAULT_MAX_REVOCATIONS, Epoch, ExportError, Facts, ImportError,
    MAX_ISSUER_BYTES, MAX_REVOCATIONS_BYTES, MalformedRevocations, Publisher, REVOCATION_DOMAIN,
    Revocation, RevocationSet, RevocationStats, RevocationTarget, RevokeError, Revoked,
};
pub use status_list::{
    MAX_STATUS_LIST_CHARS, MAX_STATUSES, ReadStatusListError, SavedStatusList, Status, StatusList,
    StatusListError, StatusListLifetime, StatusListToken, StatusReference,
};
pub use token_id::{InvalidTokenId, TokenId};
pub use validate::{DEFAULT_LEEWAY, ValidateError, Validator, VerifiedToken};

/// The `type` of our entry in `authorization_details` (RFC 9396 §2): a capability with its
/// ancestors, version 1.
pub const ENTRY_TYPE: &str = "https://mcp-security.dev/cap/v1";
