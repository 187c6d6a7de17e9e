#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod argument;
mod authority;
mod capability;
mod clause;
mod command;
mod constraints;
mod decision;
mod evidence;
mod id;
mod kind;
pub mod limits;
mod operation;
mod path;
mod request;
mod tool;
mod url;

pub use crate::argument::{ArgumentConstraint, ArgumentRules};
pub use crate::authority::Authority;
pub use crate::capability::{
    Attenuation, Capability, DelegateError, Delegation, GrantError, Obligation, RootGrant, Widening,
};
pub use crate::command::Program;
pub use crate::constraints::{ConstraintError, Constraints, RateLimit};
pub use crate::decision::{Decision, Denial, DenyCode};
pub use crate::evidence::Evidence;
pub use crate::id::{CapabilityId, IdError, Principal};
pub use crate::kind::{Kind, Kinds, ResourceType};
pub use crate::operation::{Operation, Operations};
pub use crate::path::{AbsPath, PathError, PathPattern};
pub use crate::request::{
    AccessRequest, Beneath, CommandRequest, Mapping, PathRequest, Physical, Reach, Resource,
    ToolRequest, UrlRequest,
};
pub use crate::tool::{MethodPattern, ToolName, ToolPattern};
pub use crate::url::{DomainPattern, UrlError, UrlPattern, UrlTarget};
