//! Delegations, and trees of them.

use std::iter::successors;

use cap_core::{Attenuation, Capability, DelegateError, Delegation, Widening};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{
    expiry, few_constraints, granted_at, id, operations, root_grant, typed, typed_resource,
};

/// One delegation of a tree that came about.
#[derive(Clone, Debug)]
pub struct Link {
    /// The place of the parent in the tree.
    pub parent: usize,
    /// What was asked for.
    pub asked: Delegation,
    /// What was cut from it.
    pub cut: Vec<Widening>,
    /// What came of it.
    pub capability: Capability,
}

/// A root and what was delegated below it, parents first.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The root, at place 0.
    pub root: Capability,
    /// The others, from place 1.
    pub links: Vec<Link>,
    /// The delegations that were refused, with the place of their parent.
    pub refused: Vec<(usize, Delegation, DelegateError)>,
}

impl Tree {
    /// The capability at a place.
    pub fn at(&self, place: usize) -> &Capability {
        place.checked_sub(1).map_or(&self.root, |link| &self.links[link].capability)
    }

    /// The places from the one given to the root.
    pub fn to_the_root(&self, place: usize) -> impl Iterator<Item = usize> {
        successors(Some(place), |place| Some(self.links[place.checked_sub(1)?].parent))
    }

    /// All places.
    pub fn places(&self) -> std::ops::RangeInclusive<usize> {
        0..=self.links.len()
    }
}

/// A tree of up to 24 delegations, mostly in one line, up to 16 deep.
pub fn tree() -> impl Strategy<Value = Tree> {
    let step = (proptest::bool::weighted(0.8), any::<Index>(), delegation());
    (root_grant(), any::<bool>(), vec(step, 1..=24)).prop_filter_map(
        "a root that permits nothing",
        |(mut grant, deep, steps)| {
            if deep {
                grant.constraints.max_delegation_depth = Some(16);
            }
            let root = Capability::grant(id(0), grant, granted_at()).ok()?;
            let mut tree = Tree { root, links: Vec::new(), refused: Vec::new() };
            for (at, (in_line, index, asked)) in (1_u8..).zip(steps) {
                let parent =
                    if in_line { tree.links.len() } else { index.index(tree.links.len() + 1) };
                match tree.at(parent).delegate(id(at), asked.clone(), granted_at()) {
                    Ok((capability, cut)) => {
                        tree.links.push(Link { parent, asked, cut, capability });
                    }
                    Err(error) => tree.refused.push((parent, asked, error)),
                }
            }
            Some(tree)
        },
    )
}

/// What a delegated capability is to be: little is said, most is inherited.
pub fn delegation() -> impl Strategy<Value = Delegation> {
    let resource = prop_oneof![
        5 => Just((None, None)),
        1 => super::path_pattern().prop_map(|path| (None, Some(path))),
        1 => typed_resource().prop_map(|(kind, resource)| (Some(kind), Some(resource))),
        1 => Just((None, Some("*".to_owned()))),
    ];
    let attenuation = prop_oneof![Just(Attenuation::Strict), Just(Attenuation::Intersect)];
    let said = (weighted(0.2, operations()), few_constraints(), weighted(0.1, expiry()));
    (resource, said, attenuation).prop_map(
        |((resource_type, resource), (operations, constraints, expires_at), attenuation)| {
            Delegation {
                principal: "sub-agent".parse().unwrap(),
                resource_type,
                resource,
                operations,
                constraints: typed(constraints),
                expires_at,
                attenuation,
            }
        },
    )
}
