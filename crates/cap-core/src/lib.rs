#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod argument;
mod authority;
pub mod canonical;
mod capability;
mod clause;
mod command;
mod constraints;
mod custom;
mod decision;
mod evidence;
mod glob;
mod id;
mod kind;
mod limit;
pub mod limits;
mod net;
mod operation;
mod path;
mod request;
mod tool;
mod url;
mod window;

pub use crate::argument::{ArgumentConstraint, ArgumentRules};
pub use crate::authority::{Authority, Explanation};
pub use crate::capability::{
    Attenuation, Capability, CapabilityParts, DelegateError, Delegation, GrantError, RootGrant,
    Widening,
};
pub use crate::command::{ArgvPattern, ArgvRules, Program};
pub use crate::constraints::{ConstraintError, Constraints};
pub use crate::custom::{CustomConstraint, Registry};
pub use crate::decision::{Decision, Denial, DenyCode, Refusal};
pub use crate::evidence::Evidence;
pub use crate::id::{CapabilityId, IdError, Principal};
pub use crate::kind::{Kind, Kinds, ResourceType};
pub use crate::limit::{Budget, Charge, Limits, Meter, Obligation, RateLimit};
pub use crate::net::{IpNet, NetError, PortRange, cidr_admits, embedded_ipv4, is_special_purpose};
pub use crate::operation::{Operation, Operations};
pub use crate::path::{AbsPath, PathError, PathPattern};
pub use crate::request::{
    AccessRequest, Addresses, Beneath, CommandRequest, Mapping, PathRequest, Physical, Reach,
    Resource, ToolRequest, UrlRequest,
};
pub use crate::tool::{MethodPattern, ToolName, ToolPattern};
pub use crate::url::{DomainPattern, UrlError, UrlPattern, UrlTarget};
pub use crate::window::TimeWindow;
