use std::sync::Arc;

use cap_core::canonical::to_jcs;
use cap_core::{
    AbsPath, AccessRequest, Authority, Capability, CapabilityId, Denial, DenyCode, Evidence, Kind,
    Operations, Principal, Resource, ToolRequest,
};
use cap_token::chain::VerifiedChain;
use chrono::{DateTime, Utc};
use serde_json::Value;

/// On what a caller's authority is to rest. Exactly one of these counts for a call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Claim {
    /// What was presented, to be verified.
    Evidence(Evidence),
    /// A chain that was verified with the proof for one call, and that permits this call alone. That
    /// the proof was not used before is for the replay store of whoever verified it.
    Chain(Box<VerifiedChain>),
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
    /// The id of the token that carried it; of a chain, that of the leaf.
    pub(crate) token: Option<String>,
    /// The one call for which a proof was given, if that is what it rests on.
    pub(crate) call: Option<Arc<ProvenCall>>,
}

/// A call for which the holder of a chain has proved possession of its key.
#[derive(Debug)]
pub(crate) struct ProvenCall {
    tool: String,
    /// Canonical (RFC 8785).
    arguments: String,
}

impl ProvenCall {
    pub(crate) fn of(chain: &VerifiedChain) -> Self {
        Self { tool: chain.tool().to_owned(), arguments: chain.arguments().to_owned() }
    }

    /// SECURITY: a proof is for one call; of its tool with other arguments it says nothing. What else
    /// a call asks for, paths say, the capability of a chain never permits.
    fn covers(&self, request: &AccessRequest) -> bool {
        let Resource::Tool(asked) = &request.resource else { return true };
        asked.name.as_str() == self.tool
            && to_jcs(&Value::Object(asked.arguments.clone()))
                .is_ok_and(|arguments| arguments == self.arguments)
    }
}

impl Candidate {
    /// The denial of what a proof was not given for.
    pub(crate) fn check_call(&self, requests: &[AccessRequest]) -> Result<(), Denial> {
        let Some(call) = &self.call else { return Ok(()) };
        let proven = requests.iter().all(|request| call.covers(request));
        if proven { Ok(()) } else { Err(Denial::new(DenyCode::EvidenceInvalid)) }
    }
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
