//! Strategies for capabilities, delegations and requests.
//!
//! Everything is drawn from small alphabets, so that requests hit and miss about equally often:
//! segments `a b c d`, three extensions, two servers, a few hosts, addresses, programs and times of
//! day, three arguments. Requests lie at and beside the borders of what constraints say.

mod argument;
mod command;
mod constraint;
mod custom;
mod request;
mod time;
mod tree;
mod url;

use cap_core::{
    Authority, Capability, CapabilityId, Constraints, Operation, Operations, ResourceType,
    RootGrant,
};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

pub use self::argument::argument_rules;
pub use self::command::{command_args, command_request};
pub use self::constraint::{constraints, few_constraints, path_pattern};
pub use self::custom::{custom, custom_means, registry};
pub use self::request::{access_request, path, path_request, tool_request};
pub use self::time::{border, expiry, granted_at, instant, time_windows};
pub use self::tree::{Link, Tree, delegation, tree};
pub use self::url::{url, url_constraints, url_request};

/// The id with this number.
pub fn id(number: u8) -> CapabilityId {
    CapabilityId::new([number; 10], granted_at())
}

/// What a root is to be.
pub fn root_grant() -> impl Strategy<Value = RootGrant> {
    let expiry = proptest::option::weighted(0.2, expiry());
    (typed_resource(), operations(), constraints(), expiry).prop_map(
        |((resource_type, resource), operations, constraints, expires_at)| RootGrant {
            principal: "root".parse().unwrap(),
            resource_type,
            resource,
            operations,
            constraints: typed(constraints),
            expires_at,
        },
    )
}

/// A root capability.
pub fn capability() -> impl Strategy<Value = Capability> {
    root_grant().prop_filter_map("permits nothing", |grant| {
        Capability::grant(id(0), grant, granted_at()).ok()
    })
}

/// An authority: top, bottom, or that of a capability.
pub fn authority() -> impl Strategy<Value = Authority> {
    prop_oneof![
        1 => Just(Authority::top()),
        1 => Just(Authority::bottom()),
        30 => capability().prop_map(|capability| capability.authority().clone()),
    ]
}

/// Constraints from their wire form.
pub fn typed(constraints: serde_json::Value) -> Constraints {
    serde_json::from_value(constraints).unwrap()
}

/// A type and a resource that suits it.
pub fn typed_resource() -> impl Strategy<Value = (ResourceType, String)> {
    let one = |kind: ResourceType, resources: &'static [&'static str]| {
        select(resources).prop_map(move |resource| (kind, resource.to_owned()))
    };
    prop_oneof![
        12 => Just((ResourceType::Any, "*".to_owned())),
        2 => one(ResourceType::Command, &["git", "*", "*"]),
        1 => one(ResourceType::Method, &["prompts/get", "prompts/*", "*"]),
        1 => Just((ResourceType::Path, "*".to_owned())),
        4 => path_pattern().prop_map(|pattern| (ResourceType::Path, pattern)),
        3 => one(ResourceType::Tool, &["fs/read", "fs/*", "web/*", "*"]),
        5 => one(ResourceType::Url, &[
            "*", "*", "https://a.example", "https://*.example/a", "http://127.0.0.1:8080",
        ]),
    ]
}

/// Operations, mostly many.
pub fn operations() -> impl Strategy<Value = Operations> {
    let set = |operations: Vec<Operation>| operations.into_iter().collect();
    prop_oneof![
        3 => Just(Operations::ALL),
        2 => subsequence(Operation::ALL.to_vec(), 3..=6).prop_map(set),
        1 => subsequence(Operation::ALL.to_vec(), 0..=3).prop_map(set),
    ]
}
