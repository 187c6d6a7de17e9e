//! Properties of limits and of their simulation, over random trees and interleavings.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use cap_core::{Capability, CapabilityId, DenyCode};
use cap_crypto::{OsRandom, Purpose, SigningKeyring};
use cap_kernel::{Change, Claim, Kernel, MemoryStore, Simulation, StateStore, rule};
use proptest::prelude::*;

use crate::scene::{
    after, code, context, decide, kernel_on, limited, now, pass_on, pass_on_limited, path_grant,
    read,
};

/// A node hangs below an earlier one (by index, wrapped), and may have a limit.
#[derive(Clone, Debug)]
struct Node {
    parent: usize,
    limit: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    kernel: usize,
    node: usize,
    /// Minutes since the beginning.
    period: i64,
}

const KERNELS: usize = 3;

fn nodes() -> impl Strategy<Value = Vec<Node>> {
    let limit = prop_oneof![Just(None), (1..30_u64).prop_map(Some)];
    let node = (any::<usize>(), limit).prop_map(|(parent, limit)| Node { parent, limit });
    prop::collection::vec(node, 1..8)
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let call = (0..KERNELS, any::<usize>(), prop_oneof![8 => Just(0), 1 => Just(1), 1 => Just(2)])
        .prop_map(|(kernel, node, period)| Call { kernel, node, period });
    prop::collection::vec(call, 1..150)
}

/// The tree, issued straight into the store: what is proved here needs no records.
struct Tree {
    kernels: Vec<Kernel>,
    store: Arc<dyn StateStore>,
    capabilities: Vec<Arc<Capability>>,
}

impl Tree {
    fn new(nodes: &[Node], keys: &Keys) -> Self {
        let store: Arc<dyn StateStore> = Arc::new(MemoryStore::default());
        let mut capabilities: Vec<Arc<Capability>> = Vec::new();
        for (at, node) in nodes.iter().enumerate() {
            let id = CapabilityId::new([u8::try_from(at).unwrap(); 10], now());
            let above: Vec<_> =
                capabilities.iter().filter(|above| above.max_delegation_depth() > 0).collect();
            let capability = if at == 0 {
                let grant = path_grant("agent", "/srv");
                let grant = node.limit.map_or(grant.clone(), |max| limited(grant, max));
                Capability::grant(id, grant, now()).unwrap()
            } else {
                let asked =
                    node.limit.map_or_else(|| pass_on("sub"), |max| pass_on_limited("sub", max));
                above[node.parent % above.len()].delegate(id, asked, now()).unwrap().0
            };
            capabilities.push(Arc::new(capability.clone()));
            let change = Change::Issued { capability: Box::new(capability), session: None };
            store.commit(&[change]).unwrap();
        }
        let kernel = |_| kernel_on(&store, keys.folder.path(), &keys.tokens).unwrap();
        Self { kernels: (0..KERNELS).map(kernel).collect(), store: store.clone(), capabilities }
    }

    fn of(&self, call: Call) -> &Arc<Capability> {
        &self.capabilities[call.node % self.capabilities.len()]
    }

    fn call(&self, kernel: usize, capability: &Capability, period: i64) -> Option<DenyCode> {
        let claim = Claim::Held(capability.id());
        let decision = decide(&self.kernels[kernel], &claim, &[read("/srv/a")], after(60 * period));
        code(&decision)
    }
}

struct Keys {
    folder: tempfile::TempDir,
    tokens: SigningKeyring,
}

impl Keys {
    fn new() -> Self {
        let tokens = SigningKeyring::ephemeral(Purpose::TokenSign, &OsRandom).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), tokens }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Permitted calls by owner of a limit and period.
#[derive(Default)]
struct Spent(BTreeMap<(CapabilityId, i64), u64>);

impl Spent {
    fn add(&mut self, capability: &Capability, period: i64) {
        for limit in capability.obligations() {
            *self.0.entry((limit.owner, period)).or_default() += 1;
        }
    }

    fn of(&self, owner: CapabilityId, period: i64) -> u64 {
        self.0.get(&(owner, period)).copied().unwrap_or(0)
    }
}

fn run(test: impl Fn(Vec<Node>, Vec<Call>) -> Result<(), TestCaseError>) {
    let config = proptest::test_runner::Config {
        failure_persistence: None,
        ..proptest::test_runner::Config::default()
    };
    proptest::test_runner::TestRunner::new(config)
        .run(&(nodes(), calls()), |(nodes, calls)| test(nodes, calls))
        .unwrap();
}

#[test]
fn no_tree_and_no_interleaving_of_processes_spends_more_than_a_limit() {
    let keys = Keys::new();
    assert!(keys.path().exists());
    run(|nodes, calls| {
        let tree = Tree::new(&nodes, &keys);
        let mut spent = Spent::default();
        let mut denied = 0;
        for call in calls {
            let capability = tree.of(call);
            match tree.call(call.kernel, capability, call.period) {
                None => spent.add(capability, call.period),
                Some(code) => {
                    prop_assert_eq!(code, DenyCode::LimitRate);
                    denied += 1;
                }
            }
        }
        for capability in &tree.capabilities {
            for limit in capability.obligations() {
                for period in 0..3 {
                    prop_assert!(spent.of(limit.owner, period) <= limit.rate_limit.max);
                }
            }
        }
        let limits = nodes.iter().any(|node| node.limit.is_some());
        prop_assert!(limits || denied == 0, "nothing is denied where nothing is limited");
        Ok(())
    });
}

#[test]
fn one_process_that_keeps_trying_spends_every_limit_to_the_last_unit() {
    let keys = Keys::new();
    run(|nodes, calls| {
        let tree = Tree::new(&nodes, &keys);
        let mut spent = Spent::default();
        // First in some order, then each until it is denied.
        let order = calls.iter().map(|call| tree.of(*call).clone());
        for capability in order.chain(tree.capabilities.iter().cloned()) {
            for _ in 0..40 {
                if tree.call(0, &capability, 0).is_some() {
                    let used_up = |limit: cap_core::Obligation| {
                        spent.of(limit.owner, 0) == limit.rate_limit.max
                    };
                    prop_assert!(capability.obligations().any(used_up));
                    break;
                }
                spent.add(&capability, 0);
            }
        }
        for capability in &tree.capabilities {
            for limit in capability.obligations() {
                prop_assert!(spent.of(limit.owner, 0) <= limit.rate_limit.max);
            }
        }
        Ok(())
    });
}

#[test]
fn a_simulation_decides_as_the_calls_would_in_order_and_charges_nothing() {
    let keys = Keys::new();
    run(|nodes, calls| {
        let tree = Tree::new(&nodes, &keys);
        let kernel = &tree.kernels[0];
        // Some have been spent before; one process simulates what it would do next.
        let (before, next) = calls.split_at(calls.len() / 3);
        for call in before {
            tree.call(0, tree.of(*call), 0);
        }
        let drawn = || -> Vec<u64> {
            let period = crate::scene::per_minute(1).period(now());
            let of = |one: &Arc<Capability>| tree.store.drawn(one.id(), period).unwrap();
            tree.capabilities.iter().map(of).collect()
        };
        let drawn_before = drawn();
        let mut simulation = Simulation::default();
        let simulated: Vec<_> = next
            .iter()
            .map(|call| {
                let claim = Claim::Held(tree.of(*call).id());
                let authority = kernel.verify(&claim, now()).unwrap();
                let ruling = rule(context(), Ok(&[read("/srv/a")]), Ok(&authority), now());
                kernel.simulate(&ruling, &mut simulation, now())
            })
            .collect();
        prop_assert_eq!(drawn(), drawn_before);
        let mut simulation = Simulation::default();
        let supposed: Vec<_> = next
            .iter()
            .map(|call| kernel.suppose(tree.of(*call), &[read("/srv/a")], &mut simulation, now()))
            .collect();
        let done: Vec<_> = next
            .iter()
            .map(|call| {
                let claim = Claim::Held(tree.of(*call).id());
                decide(kernel, &claim, &[read("/srv/a")], now())
            })
            .collect();
        prop_assert_eq!(&simulated, &done);
        prop_assert_eq!(&supposed, &done);
        Ok(())
    });
}
