//! What the examples have in common.

#![allow(dead_code, reason = "not every example needs all of it")]

use std::error::Error;
use std::fmt::Display;
use std::sync::atomic::{AtomicU8, Ordering};

use cap_core::{Capability, CapabilityId, Operation, Operations, ResourceType, RootGrant};
use cap_crypto::{RandomError, SecureRandom};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "https://server.example/mcp";

/// The first instant of 2026.
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_767_225_600)
}

/// The capability of this number: to read and list the CSV files beneath /srv/data, 100 times within
/// eight hours.
pub(crate) fn granted(principal: &str, number: u8) -> Result<Capability, Box<dyn Error>> {
    let grant = RootGrant {
        principal: principal.parse()?,
        resource_type: ResourceType::Path,
        resource: "/srv/data/**".to_owned(),
        operations: Operations::NONE.with(Operation::Read).with(Operation::List),
        constraints: serde_json::from_value(json!({
            "allowed_extensions": ["csv"],
            "max_calls": 100,
        }))?,
        expires_at: Some(now() + TimeDelta::hours(8)),
    };
    Ok(Capability::grant(CapabilityId::new([number; 10], now()), grant, now())?)
}

/// The text of a refusal; what was not refused fails the example.
pub(crate) fn refused<T>(outcome: Result<T, impl Display>) -> Result<String, &'static str> {
    outcome.map_or_else(|refusal| Ok(refusal.to_string()), |_| Err("this should be refused"))
}

/// Counts down, so that keys and ids are the same every time. Everybody else takes
/// [`OsRandom`](cap_crypto::OsRandom).
#[derive(Debug, Default)]
pub(crate) struct Counting(AtomicU8);

impl Counting {
    pub(crate) fn starting_at(first: u8) -> Self {
        Self(AtomicU8::new(first))
    }
}

impl SecureRandom for Counting {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        out.fill(!self.0.fetch_add(1, Ordering::Relaxed));
        Ok(())
    }
}
