//! Properties of limits and of their simulation, over random trees and interleavings.

use std::collections::BTreeMap;
use std::sync::Arc;

use cap_core::{
    AccessRequest, Budget, Capability, CapabilityId, DenyCode, Limits, Meter, RateLimit,
};
use cap_crypto::{OsRandom, Purpose, SigningKeyring};
use cap_kernel::{Change, Claim, Kernel, MemoryStore, Simulation, StateStore, rule};
use proptest::prelude::*;

use crate::scene::{
    after, code, context, decide, kernel_on, now, pass_on, path_grant, read_of, set_limits, tool,
};

/// A node hangs below an earlier one (by index, wrapped), and may have limits.
#[derive(Clone, Debug)]
struct Node {
    parent: usize,
    limits: Limits,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    kernel: usize,
    node: usize,
    /// Seconds since the beginning.
    at: i64,
    tool: &'static str,
    bytes: u64,
}

const KERNELS: usize = 3;

/// Tools and what a call costs; one has no cost.
const TOOLS: [(&str, Option<u64>); 4] =
    [("fs/one", Some(1)), ("fs/seven", Some(7)), ("fs/free", Some(0)), ("other/tool", None)];

impl Call {
    fn requests(self) -> [AccessRequest; 2] {
        [tool(self.tool), read_of("/srv/a", self.bytes)]
    }

    fn cost(self) -> Option<u64> {
        TOOLS.iter().find(|(name, _)| *name == self.tool).and_then(|(_, cost)| *cost)
    }
}

fn limits() -> impl Strategy<Value = Limits> {
    let rate = (1..30_u64, any::<Option<u64>>()).prop_map(|(max, burst)| {
        let burst = burst.filter(|_| max > 1).map(|burst| burst % (max - 1) + 1);
        RateLimit { burst, ..RateLimit::new(max, 60) }
    });
    let budget = (1..60_u64).prop_map(|max| {
        let named = [("fs/seven", 7), ("fs/free", 0), ("fs/*", 1)];
        let cost = named.map(|(tool, units)| (tool.parse().unwrap(), units)).into();
        Budget { cost, max }
    });
    let half = || prop::option::weighted(0.3, Just(()));
    (half(), rate, half(), 1..40_u64, half(), 0..200_u64, half(), budget).prop_map(
        |(has_rate, rate, has_calls, calls, has_bytes, bytes, has_budget, budget)| Limits {
            rate_limit: has_rate.map(|()| rate),
            max_calls: has_calls.map(|()| calls),
            max_bytes: has_bytes.map(|()| bytes),
            budget: has_budget.map(|()| budget),
        },
    )
}

fn nodes() -> impl Strategy<Value = Vec<Node>> {
    let node = (any::<usize>(), limits()).prop_map(|(parent, limits)| Node { parent, limits });
    prop::collection::vec(node, 1..8)
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let tools = prop_oneof![8 => 0..3_usize, 1 => Just(3)];
    let at = prop_oneof![8 => Just(0), 4 => 0..60_i64, 1 => 60..180_i64];
    let call = (0..KERNELS, any::<usize>(), at, tools, 0..30_u64).prop_map(
        |(kernel, node, at, tool, bytes)| Call { kernel, node, at, tool: TOOLS[tool].0, bytes },
    );
    prop::collection::vec(call, 1..150)
}

/// The tree, issued straight into the store: what is proved here needs no records.
struct Tree {
    kernels: Vec<Kernel>,
    store: Arc<dyn StateStore>,
    capabilities: Vec<Arc<Capability>>,
    /// From the root to the capability: whose limits it charges.
    chains: Vec<Vec<(CapabilityId, Limits)>>,
}

impl Tree {
    fn new(nodes: &[Node], keys: &Keys) -> Self {
        let store: Arc<dyn StateStore> = Arc::new(MemoryStore::default());
        let mut capabilities: Vec<Arc<Capability>> = Vec::new();
        let mut chains: Vec<Vec<(CapabilityId, Limits)>> = Vec::new();
        for (at, node) in nodes.iter().enumerate() {
            let id = CapabilityId::new([u8::try_from(at).unwrap(); 10], now());
            let above: Vec<_> =
                (0..at).filter(|above| capabilities[*above].max_delegation_depth() > 0).collect();
            let mut chain = Vec::new();
            let capability = if at == 0 {
                let mut grant = path_grant("agent", "/srv");
                set_limits(&mut grant.constraints, node.limits.clone());
                Capability::grant(id, grant, now()).unwrap()
            } else {
                let mut asked = pass_on("sub");
                set_limits(&mut asked.constraints, node.limits.clone());
                let parent = above[node.parent % above.len()];
                chain = chains[parent].clone();
                capabilities[parent].delegate(id, asked, now()).unwrap().0
            };
            chain.push((id, node.limits.clone()));
            chains.push(chain);
            capabilities.push(Arc::new(capability.clone()));
            let change = Change::Issued { capability: Box::new(capability), session: None };
            store.commit(&[change]).unwrap();
        }
        let kernel = |_| kernel_on(&store, keys.folder.path(), &keys.tokens).unwrap();
        let kernels = (0..KERNELS).map(kernel).collect();
        Self { kernels, store: store.clone(), capabilities, chains }
    }

    fn index(&self, call: Call) -> usize {
        call.node % self.capabilities.len()
    }

    fn of(&self, call: Call) -> &Arc<Capability> {
        &self.capabilities[self.index(call)]
    }

    fn chain(&self, call: Call) -> &[(CapabilityId, Limits)] {
        &self.chains[self.index(call)]
    }

    fn call(&self, call: Call) -> Option<DenyCode> {
        let claim = Claim::Held(self.of(call).id());
        code(&decide(&self.kernels[call.kernel], &claim, &call.requests(), after(call.at)))
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
}

/// What was spent of each counter and of how much, worked out from the words of the design: the
/// limits of every capability up to the root, periods counted from the epoch of Unix.
#[derive(Default)]
struct Spent(BTreeMap<(CapabilityId, Meter, i64), (u64, u64)>);

/// A counter with its period, units, and units of a whole period.
type Use = ((CapabilityId, Meter, i64), u64, u64);

impl Spent {
    fn uses(chain: &[(CapabilityId, Limits)], call: Call) -> Result<Vec<Use>, DenyCode> {
        let now = after(call.at).timestamp();
        let mut uses = Vec::new();
        for (owner, limits) in chain {
            if let Some(rate) = limits.rate_limit {
                let period = now / 60;
                uses.push(((*owner, Meter::Rate, period), 1, rate.max));
                if let Some(burst) = rate.burst {
                    // The least whole number of seconds in which so many come free.
                    let long = (1..=60).find(|long| long * rate.max >= burst * 60).unwrap();
                    let period = now / i64::try_from(long).unwrap();
                    uses.push(((*owner, Meter::Burst, period), 1, burst));
                }
            }
            uses.extend(limits.max_calls.map(|max| ((*owner, Meter::Calls, 0), 1, max)));
            uses.extend(limits.max_bytes.map(|max| ((*owner, Meter::Bytes, 0), call.bytes, max)));
            if let Some(budget) = &limits.budget {
                let cost = call.cost().ok_or(DenyCode::CostUnknown)?;
                uses.push(((*owner, Meter::Budget, 0), cost, budget.max));
            }
        }
        Ok(uses)
    }

    /// What should become of a call in the only process there is.
    fn expect(&self, chain: &[(CapabilityId, Limits)], call: Call) -> Option<DenyCode> {
        let uses = match Self::uses(chain, call) {
            Ok(uses) => uses,
            Err(code) => return Some(code),
        };
        let short = |(counter, units, max): &&Use| {
            let (owner, meter, period) = *counter;
            let later = (owner, meter, period + 1)..=(owner, meter, i64::MAX);
            // A clock that went back finds the period spent.
            *units > 0 && (self.0.range(later).next().is_some() || self.of(*counter) + units > *max)
        };
        uses.iter().find(short).map(|((_, meter, _), ..)| match meter {
            Meter::Rate | Meter::Burst => DenyCode::LimitRate,
            Meter::Calls => DenyCode::LimitCalls,
            Meter::Bytes => DenyCode::LimitBytes,
            Meter::Budget => DenyCode::LimitBudget,
            other => panic!("{other}"),
        })
    }

    fn add(&mut self, chain: &[(CapabilityId, Limits)], call: Call) {
        for (counter, units, max) in Self::uses(chain, call).unwrap() {
            if units > 0 {
                self.0.entry(counter).or_insert((0, max)).0 += units;
            }
        }
    }

    fn of(&self, counter: (CapabilityId, Meter, i64)) -> u64 {
        self.0.get(&counter).map_or(0, |(units, _)| *units)
    }

    fn overspent(&self) -> Option<&(CapabilityId, Meter, i64)> {
        self.0.iter().find(|(_, (units, max))| units > max).map(|(counter, _)| counter)
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

const OF_LIMITS: [DenyCode; 5] = [
    DenyCode::LimitRate,
    DenyCode::LimitCalls,
    DenyCode::LimitBytes,
    DenyCode::LimitBudget,
    DenyCode::CostUnknown,
];

#[test]
fn no_tree_and_no_interleaving_of_processes_spends_more_than_a_limit() {
    let keys = Keys::new();
    run(|nodes, calls| {
        let tree = Tree::new(&nodes, &keys);
        let mut spent = Spent::default();
        let mut denied = 0;
        for call in calls {
            match tree.call(call) {
                None => spent.add(tree.chain(call), call),
                Some(code) => {
                    prop_assert!(OF_LIMITS.contains(&code), "{code}");
                    denied += 1;
                }
            }
        }
        prop_assert_eq!(spent.overspent(), None);
        let limits = nodes.iter().any(|node| !node.limits.is_empty());
        prop_assert!(limits || denied == 0, "nothing is denied where nothing is limited");
        Ok(())
    });
}

#[test]
fn threads_of_several_processes_never_spend_more_than_any_limit() {
    let keys = Keys::new();
    run(|nodes, calls| {
        let tree = Tree::new(&nodes, &keys);
        let shares = calls.chunks(calls.len().div_ceil(4));
        let permitted: Vec<Call> = std::thread::scope(|scope| {
            let tree = &tree;
            let permits = |call: &&Call| tree.call(**call).is_none();
            let work = move |share: &[Call]| share.iter().filter(permits).copied().collect();
            let threads: Vec<_> = shares.map(|share| scope.spawn(move || work(share))).collect();
            let all = threads.into_iter().map(|thread| thread.join().unwrap());
            all.collect::<Vec<Vec<Call>>>().concat()
        });
        let mut spent = Spent::default();
        for call in permitted {
            spent.add(tree.chain(call), call);
        }
        prop_assert_eq!(spent.overspent(), None);
        Ok(())
    });
}

#[test]
fn one_process_spends_every_limit_to_the_last_unit_and_names_the_one_that_is_reached() {
    let keys = Keys::new();
    run(|nodes, calls| {
        let tree = Tree::new(&nodes, &keys);
        let mut spent = Spent::default();
        for call in calls {
            let call = Call { kernel: 0, ..call };
            let expected = spent.expect(tree.chain(call), call);
            prop_assert_eq!(tree.call(call), expected, "{:?}", call);
            if expected.is_none() {
                spent.add(tree.chain(call), call);
            }
        }
        prop_assert_eq!(spent.overspent(), None);
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
            tree.call(Call { kernel: 0, at: 0, ..*call });
        }
        let drawn = || -> Vec<u64> {
            let of = |(one, meter): (&Arc<Capability>, Meter)| {
                let now = u64::try_from(now().timestamp()).unwrap();
                let period = if meter == Meter::Rate { now / 60 } else { 0 };
                tree.store.drawn(one.id(), meter, period).unwrap()
            };
            let each = tree.capabilities.iter();
            each.flat_map(|one| Meter::ALL.map(|meter| of((one, meter)))).collect()
        };
        let drawn_before = drawn();
        let mut simulation = Simulation::default();
        let simulated: Vec<_> = next
            .iter()
            .map(|call| {
                let claim = Claim::Held(tree.of(*call).id());
                let authority = kernel.verify(&claim, now()).unwrap();
                let ruling = rule(context(), Ok(&call.requests()), Ok(&authority), now());
                kernel.simulate(&ruling, &mut simulation, now())
            })
            .collect();
        prop_assert_eq!(drawn(), drawn_before);
        let mut simulation = Simulation::default();
        let supposed: Vec<_> = next
            .iter()
            .map(|call| kernel.suppose(tree.of(*call), &call.requests(), &mut simulation, now()))
            .collect();
        let done: Vec<_> = next
            .iter()
            .map(|call| {
                let claim = Claim::Held(tree.of(*call).id());
                decide(kernel, &claim, &call.requests(), now())
            })
            .collect();
        prop_assert_eq!(&simulated, &done);
        prop_assert_eq!(&supposed, &done);
        Ok(())
    });
}
