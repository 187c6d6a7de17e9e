#![doc = include_str!("../README.md")]

#[cfg(feature = "kernel")]
mod clock;
pub mod prelude;
#[cfg(feature = "kernel")]
mod security;

#[cfg(feature = "audit")]
pub use cap_audit as audit;
pub use cap_core as capability;
#[cfg(feature = "crypto")]
pub use cap_crypto as crypto;
#[cfg(feature = "fs")]
pub use cap_fs as fs;
#[cfg(feature = "kernel")]
pub use cap_kernel as kernel;
#[cfg(feature = "mcp")]
pub use cap_mcp as mcp;
#[cfg(feature = "store")]
pub use cap_store as store;
#[cfg(feature = "token")]
pub use cap_token as token;

#[cfg(feature = "kernel")]
pub use crate::clock::Clock;
#[cfg(feature = "kernel")]
pub use crate::security::{
    AuditStats, EventError, Issued, OpenError, RequestError, Security, StatsError, TokenMode,
    Validation,
};

/// The example of the workspace's README, compiled with the others.
#[cfg(all(doctest, feature = "store"))]
#[doc = include_str!("../../../README.md")]
#[derive(Debug)]
pub struct WorkspaceReadme;
