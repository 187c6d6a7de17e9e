//! Trees of delegations: nothing that is delegated is wider than what it was delegated from.

use cap_core::{Attenuation, Capability, DelegateError, Delegation, ResourceType};
use cap_testkit::naive;
use cap_testkit::strategy::{Tree, access_request, granted_at, id, instant, tree};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::support::wire;

proptest! {
    #[test]
    fn what_a_leaf_permits_every_ancestor_permits(
        tree in tree(),
        requests in vec(access_request(), 24),
        now in instant(),
    ) {
        for place in tree.places() {
            for request in &requests {
                if tree.at(place).permits(request, now).is_allow() {
                    for above in tree.to_the_root(place) {
                        let decision = tree.at(above).permits(request, now);
                        prop_assert!(
                            decision.is_allow(),
                            "{:?}\n{}\n{}\n{:?}",
                            decision, tree.at(above).to_json(), tree.at(place).to_json(), request
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_link_alone_decides_as_the_whole_chain_does(
        tree in tree(),
        requests in vec(access_request(), 16),
        now in instant(),
    ) {
        for place in tree.places() {
            let link = tree.at(place);
            let alone = Capability::from_json(&link.to_json()).unwrap();
            prop_assert_eq!(&alone, link);
            prop_assert_eq!(alone.to_json(), link.to_json());
            let chain: Vec<_> = tree.to_the_root(place).map(|place| wire(tree.at(place))).collect();
            for request in &requests {
                let decision = alone.permits(request, now);
                prop_assert_eq!(&decision, &link.permits(request, now));
                prop_assert_eq!(decision.is_allow(), naive::permits(&wire(link), request, now));
                prop_assert_eq!(decision.is_allow(), naive::chain_permits(&chain, request, now));
            }
        }
    }

    #[test]
    fn a_delegation_is_exactly_the_intersection_of_its_parent_and_what_was_asked(
        tree in tree(),
        requests in vec(access_request(), 24),
        now in instant(),
    ) {
        for (at, link) in tree.links.iter().enumerate() {
            let parent = tree.at(link.parent);
            let asked = spelled_out(parent, &link.asked);
            for request in &requests {
                let both = parent.permits(request, now).is_allow()
                    && naive::permits(&asked, request, now);
                let child = tree.at(at + 1).permits(request, now).is_allow();
                // A type of its own grants less of what the parent has.
                let exact = link.asked.resource_type.is_none();
                prop_assert!(
                    if exact { child == both } else { both || !child },
                    "{}\n{}\n{}\n{:?}",
                    parent.to_json(), asked, tree.at(at + 1).to_json(), request
                );
            }
        }
    }

    #[test]
    fn strict_and_intersect_agree(tree in tree()) {
        let came = tree.links.iter().map(|link| (link.parent, &link.asked));
        let refused = tree.refused.iter().map(|(parent, asked, _)| (*parent, asked));
        for (parent, asked) in came.chain(refused) {
            let outcome = |attenuation| {
                let asked = Delegation { attenuation, ..asked.clone() };
                tree.at(parent).delegate(id(99), asked, granted_at())
            };
            match (outcome(Attenuation::Strict), outcome(Attenuation::Intersect)) {
                (Ok((strict, none)), Ok((intersect, cut))) => {
                    prop_assert!(none.is_empty() && cut.is_empty());
                    prop_assert_eq!(strict, intersect);
                }
                (Err(DelegateError::Widens(beyond)), Ok((_, cut))) => {
                    prop_assert!(!cut.is_empty());
                    prop_assert_eq!(beyond, cut);
                }
                (Err(DelegateError::Widens(_)), Err(DelegateError::Grant(_))) => {}
                (Err(strict), Err(intersect)) => prop_assert_eq!(strict, intersect),
                (strict, intersect) => prop_assert!(false, "{:?} {:?}", strict, intersect),
            }
        }
    }

    #[test]
    fn depth_lifetime_and_limits_only_tighten(tree in tree()) {
        for place in tree.places().skip(1) {
            let (child, parent) = (tree.at(place), tree.at(tree.links[place - 1].parent));
            prop_assert_eq!(child.parent(), Some(parent.id()));
            prop_assert_eq!(child.delegation_depth(), parent.delegation_depth() + 1);
            prop_assert!(child.delegation_depth() <= 16);
            prop_assert!(child.max_delegation_depth() < parent.max_delegation_depth());
            if let Some(end) = parent.expires_at() {
                prop_assert!(child.expires_at().is_some_and(|at| at <= end));
            }
            let mut obligations = child.obligations();
            for inherited in parent.obligations() {
                prop_assert_eq!(obligations.next(), Some(inherited));
            }
            prop_assert!(obligations.all(|own| own.owner == child.id()));
        }
    }
}

#[test]
fn the_trees_are_deep_and_most_links_come_about() {
    let mut runner = TestRunner::deterministic();
    let trees: Vec<Tree> =
        (0..200).map(|_| tree().new_tree(&mut runner).unwrap().current()).collect();
    let depth =
        |tree: &Tree| tree.places().map(|place| tree.at(place).delegation_depth()).max().unwrap();
    let links: usize = trees.iter().map(|tree| tree.links.len()).sum();
    let refused: usize = trees.iter().map(|tree| tree.refused.len()).sum();
    let depths: Vec<u8> = trees.iter().map(depth).collect();
    let cuts =
        trees.iter().flat_map(|tree| &tree.links).filter(|link| !link.cut.is_empty()).count();
    println!("{links} links, {cuts} with cuts, {refused} refused; depths {depths:?}");
    assert!(links > refused / 2 && cuts > links / 20);
    assert!(depths.iter().any(|depth| *depth >= 12));
}

/// What a delegation spells out, as a capability of type `any`: its constraints, with resource,
/// operations and expiry among them.
fn spelled_out(parent: &Capability, asked: &Delegation) -> Value {
    let resource_type = asked.resource_type.unwrap_or(parent.resource_type());
    let mut constraints = serde_json::to_value(&asked.constraints).unwrap();
    let mut more = constraints["and"].as_array().cloned().unwrap_or_default();
    if let Some(resource) = &asked.resource {
        let name = match resource_type {
            ResourceType::Any => None,
            ResourceType::Command => Some("commands"),
            ResourceType::Method => Some("allowed_methods"),
            ResourceType::Path => Some("paths"),
            ResourceType::Tool => Some("allowed_tools"),
            ResourceType::Url => Some("urls"),
            other => panic!("{other}"),
        };
        let resource = match (name, resource.as_str()) {
            (Some("paths"), "*") => "/",
            (_, resource) => resource,
        };
        more.extend(name.map(|name| json!({ name: [resource] })));
    }
    if let Some(operations) = asked.operations {
        let mut names: Vec<_> = operations.iter().map(|operation| operation.name()).collect();
        if !matches!(resource_type, ResourceType::Tool | ResourceType::Method) {
            names.push("call");
        }
        more.push(json!({ "operations": names }));
    }
    more.extend(asked.expires_at.map(|at| json!({"expires_at": at.to_rfc3339()})));
    constraints["and"] = Value::Array(more);
    json!({
        "constraints": constraints,
        "operations": ["*"],
        "resource": "*",
        "resource_type": "any",
    })
}
