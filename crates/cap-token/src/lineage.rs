use cap_core::{Capability, CapabilityId};

/// Whether `ancestors` can be those of `capability`, the root first: as many as it has links above
/// it, its parent last, each once, and not itself.
pub(crate) fn fits(capability: &Capability, ancestors: &[CapabilityId]) -> bool {
    let mut ids: Vec<_> = ancestors.iter().copied().chain([capability.id()]).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    ids.len() == all
        && ancestors.len() == usize::from(capability.delegation_depth())
        && ancestors.last().copied() == capability.parent()
}
