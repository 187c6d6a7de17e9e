//! What must hold of the meet of two capabilities.

use cap_core::{AccessRequest, Authority, Capability};
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::capability::{collect_texts, is_tame};
use crate::naive;
use crate::strategy::{custom_means, registry};

/// Most clauses of a meet; beyond them it permits nothing.
const MAX_CLAUSES: usize = 64;

/// A capability as it was read, and the text that it was read from.
pub(super) struct Read {
    wire: Value,
    /// The same without an end, which is the capability's and not its authority's.
    lasting: Value,
    capability: Capability,
}

impl Read {
    pub(super) fn new(text: &str) -> Option<Self> {
        let capability = Capability::from_json(text).ok()?;
        let wire: Value = serde_json::from_str(text).unwrap();
        let mut texts = Vec::new();
        collect_texts(&wire, &mut texts);
        let tame = texts.iter().all(|text| is_tame(text));
        let mut lasting = wire.clone();
        lasting.as_object_mut().unwrap().remove("expires_at");
        tame.then(|| Self { wire, lasting, capability: capability.bind(&registry()) })
    }

    fn authority(&self) -> &Authority {
        self.capability.authority()
    }
}

/// Written the same whatever the order, and nothing new when met again.
pub(super) fn is_canonical(a: &Read, b: &Read) {
    let (a, b) = (a.authority(), b.authority());
    let meet = a.meet(b);
    assert_eq!(bytes(&meet), bytes(&b.meet(a)));
    assert_eq!(bytes(&a.meet(a)), bytes(a));
    assert_eq!(bytes(&meet.meet(&meet)), bytes(&meet));
    assert!(meet.is_within(a) && meet.is_within(b), "{}", bytes(&meet));
    if clauses(a) + clauses(b) <= MAX_CLAUSES {
        assert_eq!(bytes(&meet.meet(a)), bytes(&meet));
    }
}

/// Each permits what the model says, and their meet what both do.
pub(super) fn agrees_with_the_model(
    a: &Read,
    b: &Read,
    request: &AccessRequest,
    now: DateTime<Utc>,
) {
    let both = [a, b].iter().all(|one| {
        let permitted = naive::permits_with(&one.wire, request, &custom_means, now);
        let decision = one.capability.permits(request, now);
        assert_eq!(
            decision.is_allow(),
            permitted,
            "{}\n{request:?}\n{now}\n{decision:?}",
            one.wire
        );
        naive::permits_with(&one.lasting, request, &custom_means, now)
    });
    let meet = a.authority().meet(b.authority());
    let permitted = meet.permits(request, now).is_allow();
    let bounded = clauses(a.authority()) + clauses(b.authority()) <= MAX_CLAUSES;
    assert!(
        permitted == both || (!bounded && !permitted),
        "{}\n{}\n{request:?}\n{now}",
        a.wire,
        b.wire
    );
}

fn bytes(authority: &Authority) -> String {
    serde_json::to_string(&authority.to_constraints()).unwrap()
}

/// How many clauses an authority has, at the least.
fn clauses(authority: &Authority) -> usize {
    let top = serde_json::to_value(authority.to_constraints()).unwrap();
    let more = top["and"].as_array().cloned().unwrap_or_default();
    let members = |set: &Value| -> usize {
        let set = set.as_object().unwrap();
        let of = |(name, value): (&String, &Value)| match name.as_str() {
            "and" => 0,
            "arguments" | "custom" => value.as_object().unwrap().len(),
            _ => 1,
        };
        set.iter().map(of).sum()
    };
    [&top].into_iter().chain(&more).map(members).sum()
}
