//! What most programs need: `use mcp_security::prelude::*`.

pub use cap_core::{
    AbsPath, AccessRequest, Attenuation, Budget, Capability, CapabilityId, CommandRequest,
    Constraints, CustomConstraint, Decision, Delegation, Denial, DenyCode, Evidence, Mapping,
    Operation, Operations, PathRequest, Principal, RateLimit, Registry, Resource, ResourceType,
    RootGrant, ToolName, ToolRequest, UrlRequest, UrlTarget,
};
#[cfg(feature = "kernel")]
pub use cap_kernel::{KeyChange, Permit, RevocationTarget, Standing};

#[cfg(feature = "kernel")]
pub use crate::security::{AuditStats, Issued, Security, TokenMode, Validation};
