//! Group `token`: what tokens and chains that anyone can check cost, in time and in bytes, beside
//! the signatures that they cannot do without and the peers that carry authority, too.

mod cached;
mod chains;
mod kept;
#[cfg(feature = "peers")]
mod peers;
mod revocations;
mod signed;
mod sizes;
mod tokens;

use std::process::ExitCode;
use std::time::Duration;

use self::cached::Cached;
use self::chains::Chains;
use self::revocations::Revocations;
use self::signed::Signed;
use crate::check::{grant, ours};
use crate::figure::Printer;
use crate::measured::{Counted, Estimates, Plan, in_a_process, leave_counted};

/// The role in which this program measures.
pub const MEASURE: &str = "token-measure";

/// Short turns, and many of them: what is told is mostly a ratio of a few percent.
const PLAN: Plan = Plan {
    rounds: 9,
    samples: 20,
    warm_up: Duration::from_millis(50),
    time: Duration::from_millis(250),
};

/// The name under which ours is measured.
const OURS: &str = "ours";

/// Names of peers; none in a build without them.
type Peers = &'static [&'static str];

const fn with_peers(peers: Peers) -> Peers {
    if cfg!(feature = "peers") { peers } else { &[] }
}

pub fn run(printer: &Printer, smoke: bool) -> ExitCode {
    in_a_process(MEASURE, smoke, |estimates| {
        signed::print(printer, estimates);
        cached::print(printer, estimates);
        chains::print(printer, estimates);
        revocations::print(printer, estimates);
        sizes::print(printer, &estimates.counted());
    })
}

/// The role [`MEASURE`].
pub fn measure(smoke: bool) -> ExitCode {
    if !cfg!(feature = "peers") {
        eprintln!("built without the feature `peers`: ours alone, computed by ring");
    }
    let mut counted = Counted::new();
    sizes::count(&mut counted);
    let revocations = Revocations::new(if smoke { 100_000 } else { 10_000_000 }, &mut counted);
    leave_counted(&counted);

    let signed = Signed::new();
    let mut cached = Cached::new(if smoke { 1_000 } else { 100_000 });
    let chains = Chains::new();
    let plan = if smoke { Plan::SMOKE } else { PLAN };
    plan.run(|group| {
        signed.bench(group);
        cached.bench(group);
        chains.bench(group);
        revocations.bench(group);
    });
    ExitCode::SUCCESS
}

/// One case, whose measured iteration does so many operations, beside each of its peers.
fn print(
    printer: &Printer,
    estimates: &Estimates,
    case: &str,
    ours: f64,
    (measured_in, operations): (&str, usize),
    peers: Peers,
) {
    if peers.is_empty() {
        printer.print_alone(case, ours, "ns");
    }
    for peer in peers {
        let theirs = estimates.best(measured_in, peer, operations);
        printer.print(case, ours, peer, theirs, "ns");
    }
}
