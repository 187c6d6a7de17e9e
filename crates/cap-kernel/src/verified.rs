use std::sync::Arc;

use cap_core::{
    AbsPath, AccessRequest, Authority, Capability, CapabilityId, Evidence, Kind, Operations,
    Principal, ToolRequest,
};
use chrono::{DateTime, Utc};

/// On what a caller's authority is to rest. Exactly one of these counts for a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claim {
    /// What was presented, to be verified.
    Evidence(Evidence),
    /// A capability that this process holds itself, such as the session grant of a guard.
    Held(CapabilityId),
    /// Whatever this principal, who was authenticated by other means, holds: its capabilities are
    /// tried in the order of their issue.
    Principal(Principal),
}

/// Authority that was verified: the evidence is good, nothing in its chain is revoked, its session
/// is open. Only the kernel makes one.
#[derive(Clone, Debug)]
#[must_use]
pub struct VerifiedAuthority {
    /// INVARIANT: not empty.
    candidates: Vec<Candidate>,
}

/// One capability under which a call may be ruled.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) capability: Arc<Capability>,
    /// From the root to the capability itself.
    pub(crate) chain: Arc<[CapabilityId]>,
    /// The id of the token that carried it.
    pub(crate) token: Option<String>,
}

impl VerifiedAuthority {
    pub(crate) const fn new(candidates: Vec<Candidate>) -> Self {
        Self { candidates }
    }

    pub(crate) fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// The capabilities under which a call may be ruled: one, unless a principal named none.
    pub fn capabilities(&self) -> impl Iterator<Item = &Capability> {
        self.candidates.iter().map(|candidate| &*candidate.capability)
    }

    /// The folders beneath which a file system must be asked about `path` before the ruling.
    #[must_use]
    pub fn path_roots(&self, path: &AbsPath) -> Vec<AbsPath> {
        let roots =
            self.capabilities().flat_map(|capability| capability.authority().path_roots(path));
        let mut roots: Vec<AbsPath> = roots.cloned().collect();
        roots.sort();
        roots.dedup();
        roots
    }

    /// Whether one capability permits all of `requests`: what a list may show. It is no ruling.
    #[must_use]
    pub fn admits(&self, requests: &[AccessRequest], now: DateTime<Utc>) -> bool {
        let permits = |capability: &Capability| {
            requests.iter().all(|request| capability.permits(request, now).is_allow())
        };
        self.capabilities().any(permits)
    }

    /// Whether everything is permitted, so that nobody's list differs from another's.
    #[must_use]
    pub fn is_top(&self) -> bool {
        self.capabilities().any(|capability| *capability.authority() == Authority::top())
    }

    /// Whether some call of this tool, which asks at least for `needs`, could be permitted: what a
    /// list of tools may show.
    #[must_use]
    pub fn admits_tool(
        &self,
        tool: &ToolRequest,
        needs: &[(Kind, Operations)],
        now: DateTime<Utc>,
    ) -> bool {
        self.capabilities().any(|capability| {
            let authority = capability.authority();
            !capability.is_expired(now)
                && authority.admits_tool(tool, now)
                && needs.iter().all(|(kind, what)| authority.admits_operations(*kind, *what))
        })
    }
}
