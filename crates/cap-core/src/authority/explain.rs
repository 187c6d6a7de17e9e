use alloc::vec::Vec;
use core::fmt;

use chrono::{DateTime, Utc};

use super::Authority;
use crate::clause::Clause;
use crate::clause::words::unmapped;
use crate::request::Resource;
use crate::{AccessRequest, Denial, DenyCode, Refusal};

/// Why a request is not permitted: the smallest set of reasons, in the order in which they are
/// checked. Each of them alone refuses; without all of them the request would pass.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Explanation(Vec<Denial>);

impl Explanation {
    /// Whether the request is permitted.
    #[must_use]
    pub const fn is_allow(&self) -> bool {
        self.0.is_empty()
    }

    /// The reasons; none where the request is permitted.
    #[must_use]
    pub fn reasons(&self) -> &[Denial] {
        &self.0
    }

    /// The same after one more reason.
    pub(crate) fn after(mut self, reason: Denial) -> Self {
        self.0.retain(|other| other.code() != reason.code());
        self.0.insert(0, reason);
        self
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_allow() {
            return f.write_str("permitted");
        }
        for (at, reason) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{reason}")?;
        }
        Ok(())
    }
}

impl Authority {
    /// Every reason for which a request is refused, and what would pass in place of each.
    ///
    /// It tells no more than the presented authority and the caller's own values do: as long as a
    /// path is refused for where it lies or leads, nothing is said of what is there, and reasons that
    /// depend on it are told once it is granted.
    pub fn explain(&self, request: &AccessRequest, now: DateTime<Utc>) -> Explanation {
        Explanation(self.causes(request, now).map(|cause| cause.denial(request)).collect())
    }
}

/// One thing that stands against a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cause<'a> {
    /// The authority has more clauses than are kept.
    TooLarge,
    /// The request names no operation.
    NoOperation,
    /// The request is none that may be made at all.
    Malformed,
    /// A clause refuses, with this code.
    Clause(&'a Clause, DenyCode),
    /// The path must not be touched, for what it is.
    Physical(DenyCode),
    /// The tool table does not list the tool, or an argument of it.
    Unlisted,
}

impl Cause<'_> {
    pub(super) const fn refusal(&self) -> Refusal {
        match self {
            Self::TooLarge => Refusal::new(DenyCode::AuthorityTooLarge, None),
            Self::NoOperation => Refusal::new(DenyCode::OperationNotAllowed, None),
            Self::Malformed => Refusal::new(DenyCode::CommandInvalid, None),
            Self::Clause(clause, code) => Refusal::new(*code, Some(clause.name())),
            Self::Physical(code) => Refusal::new(*code, None),
            Self::Unlisted => Refusal::new(DenyCode::ToolUnmapped, None),
        }
    }

    pub(super) fn denial(&self, request: &AccessRequest) -> Denial {
        match (self, &request.resource) {
            (Self::NoOperation, _) => Denial::because(
                DenyCode::OperationNotAllowed,
                "the request names no operation; one that names some may pass",
            ),
            (Self::Clause(clause, code), _) => clause.denial(*code, request),
            (Self::Unlisted, Resource::Tool(tool)) => unmapped(tool),
            _ => Denial::new(self.refusal().code()),
        }
    }
}
