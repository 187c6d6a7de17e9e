//! A capability with the ids of its ancestors, as one text: the ids in base64url (22 characters
//! each), the root first and the capability itself last, with dots between them; then, after a
//! slash, how many links may hang below it, where it says so. `<root>.<parent>.<own>/3`.
//!
//! SECURITY: parent and depth follow from that text and stand nowhere else, so that they cannot
//! contradict it.

use std::fmt::Write as _;

use cap_core::limits::MAX_DELEGATION_DEPTH;
use cap_core::{Capability, CapabilityId};

use crate::token_id::{decode_id, encode_id};

/// What the text says.
pub(crate) struct Lineage {
    pub(crate) own: CapabilityId,
    /// The root first.
    pub(crate) ancestors: Vec<CapabilityId>,
    /// `max_delegation_depth`, if it is said.
    pub(crate) below: Option<u8>,
}

/// Whether `ancestors` can be those of `capability`, the root first: as many as it has links above
/// it, its parent last, each once, and not itself.
pub(crate) fn fits(capability: &Capability, ancestors: &[CapabilityId]) -> bool {
    ancestors.len() == usize::from(capability.delegation_depth())
        && ancestors.last().copied() == capability.parent()
        && are_different(ancestors, capability.id())
}

pub(crate) fn write(capability: &Capability, ancestors: &[CapabilityId]) -> String {
    let mut text = String::with_capacity(23 * ancestors.len() + 25);
    for ancestor in ancestors {
        text.push_str(&encode_id(ancestor.as_bytes()));
        text.push('.');
    }
    text.push_str(&encode_id(capability.id().as_bytes()));
    if let Some(below) = capability.constraints().max_delegation_depth {
        // Writing to a string does not fail.
        let _ = write!(text, "/{below}");
    }
    text
}

/// `None` unless the text is the one that [`write`] makes of what it says.
pub(crate) fn read(text: &str) -> Option<Lineage> {
    let (ids, below) = match text.split_once('/') {
        Some((ids, below)) => (ids, Some(number(below)?)),
        None => (text, None),
    };
    let most = usize::from(MAX_DELEGATION_DEPTH) + 1;
    if ids.len() > 23 * most {
        return None;
    }
    let id = |text| CapabilityId::from_bytes(decode_id(text)?).ok();
    let mut ancestors: Vec<CapabilityId> = Vec::with_capacity(ids.len() / 23);
    let (above, own) = ids.rsplit_once('.').map_or((None, ids), |(above, own)| (Some(above), own));
    for ancestor in above.into_iter().flat_map(|above| above.split('.')) {
        ancestors.push(id(ancestor)?);
    }
    let own = id(own)?;
    are_different(&ancestors, own).then_some(Lineage { own, ancestors, below })
}

/// The second in the milliseconds with which a UUIDv7 begins (RFC 9562 §5.7).
pub(crate) fn named_second(id: CapabilityId) -> i64 {
    let [a, b, c, d, e, f, ..] = *id.as_bytes();
    i64::from_be_bytes([0, 0, a, b, c, d, e, f]) / 1000
}

/// A number below 100 without leading zeros.
fn number(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [b'0'] => Some(0),
        [b'1'..=b'9'] | [b'1'..=b'9', b'0'..=b'9'] => text.parse().ok(),
        _ => None,
    }
}

/// No more than 17 of them: comparing all pairs needs no memory.
fn are_different(ancestors: &[CapabilityId], own: CapabilityId) -> bool {
    let twice =
        |(at, id): (usize, &CapabilityId)| ancestors.iter().take(at).any(|other| other == id);
    !ancestors.contains(&own) && !ancestors.iter().enumerate().any(twice)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "AZt22qgAdweHBwcHBwcHBw";
    const B: &str = "AZt22qgAdweHBwcHBwcHCA";

    #[test]
    fn a_lineage_has_one_text() {
        assert!(read(A).is_some_and(|one| one.ancestors.is_empty() && one.below.is_none()));
        let two = read(&format!("{A}.{B}/0")).unwrap();
        assert_eq!((two.ancestors.len(), two.below), (1, Some(0)));
        assert_eq!(encode_id(two.own.as_bytes()), B);
        assert_eq!(read(&format!("{A}/16")).unwrap().below, Some(16));
        let many = vec![A; 18].join(".");
        let wrong = [
            String::new(),
            ".".to_owned(),
            format!("{A}."),
            format!(".{A}"),
            format!("{A}..{B}"),
            format!("{A}.{A}"),
            format!("{A}.{B}.{A}"),
            format!("{A}/"),
            format!("{A}/03"),
            format!("{A}/+3"),
            format!("{A}/-1"),
            format!("{A}/100"),
            format!("{A}/3/3"),
            format!("{A}/3 "),
            format!("{A} "),
            format!("{A},{B}"),
            "AZt22qgAdweHBwcHBwcHBx".to_owned(),
            "AZt22qgARweHBwcHBwcHBw".to_owned(),
            "019b76da-a800-7707-8707-070707070707".to_owned(),
            many,
        ];
        for text in wrong {
            assert!(read(&text).is_none(), "{text:?}");
        }
    }
}
