#![doc = include_str!("../README.md")]

mod claims;
mod inspect;
mod issue;
mod jose;
mod lineage;
mod token_id;
mod validate;

pub use inspect::{UnverifiedToken, inspect};
pub use issue::{DEFAULT_TTL, IssueError, Issuer, MAX_TTL};
pub use jose::{MAX_TOKEN_BYTES, MalformedToken, Part};
pub use token_id::TokenId;
pub use validate::{DEFAULT_LEEWAY, ValidateError, Validator, VerifiedToken};

/// The `type` of our entry in `authorization_details` (RFC 9396 §2): a capability with its
/// ancestors, version 1.
pub const ENTRY_TYPE: &str = "https://mcp-security.dev/capability/v1";
