//! Group `check`: what one decision costs, beside the peers that decide in the same process, on the
//! same grant and the same calls.

#[cfg_attr(not(feature = "peers"), expect(dead_code, reason = "what the peers alone need"))]
pub mod grant;
pub mod ours;
mod own;
#[cfg(feature = "peers")]
pub mod peers;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Throughput};

use self::grant::{ALLOWED, ALLOWED_SIX, Call, DENIED, Evaluator, Grant, assert_verdicts};
use self::ours::Ours;
use crate::figure::Printer;
use crate::measured::{Estimates, Group, Plan, in_a_process};

/// The role in which this program measures.
pub const MEASURE: &str = "check-measure";

const PLAN: Plan = Plan {
    rounds: 3,
    samples: 40,
    warm_up: Duration::from_millis(200),
    time: Duration::from_millis(1_000),
};

#[cfg(feature = "peers")]
const PEERS: &[&str] = &[
    peers::Tenuo::NAME,
    peers::Cedar::NAME,
    peers::Biscuit::NAME,
    peers::Casbin::NAME,
    peers::Regorus::NAME,
];
#[cfg(not(feature = "peers"))]
const PEERS: &[&str] = &[];

/// What everybody is measured on.
pub struct Case {
    pub name: &'static str,
    pub grant: Grant,
    pub calls: &'static [Call],
    pub form: Form,
}

/// In what form a call reaches the evaluator.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As its own request: only the decision is measured.
    Request,
    /// As strings and numbers: making the request is measured, too.
    Plain,
}

const CASES: [Case; 4] = [
    Case { name: "allow", grant: Grant::Plain, calls: &ALLOWED, form: Form::Request },
    Case { name: "deny", grant: Grant::Plain, calls: &DENIED, form: Form::Request },
    Case {
        name: "allow-6-constraints",
        grant: Grant::SixConstraints,
        calls: &ALLOWED_SIX,
        form: Form::Request,
    },
    Case { name: "allow-from-plain", grant: Grant::Plain, calls: &ALLOWED, form: Form::Plain },
];

pub fn run(printer: &Printer, smoke: bool) -> ExitCode {
    in_a_process(MEASURE, smoke, |estimates| print(printer, estimates))
}

fn print(printer: &Printer, estimates: &Estimates) {
    for case in &CASES {
        let figure = |name| estimates.best(case.name, name, case.calls.len());
        let ours = figure(Ours::NAME);
        if PEERS.is_empty() {
            printer.print_alone(case.name, ours, "ns");
        }
        for peer in PEERS {
            printer.print(case.name, ours, peer, figure(peer), "ns");
        }
    }
    let own = |case| estimates.best(case, Ours::NAME, own::operations(case));
    for case in own::CASES {
        match own::compared_with(case) {
            Some(other) => printer.print(case, own(case), other, own(other), "ns"),
            None => printer.print_alone(case, own(case), "ns"),
        }
    }
}

/// The role [`MEASURE`].
pub fn measure(smoke: bool) -> ExitCode {
    if PEERS.is_empty() {
        eprintln!("built without the feature `peers`: ours alone");
    }
    let plan = if smoke { Plan::SMOKE } else { PLAN };
    plan.run(|group| {
        for case in &CASES {
            bench::<Ours>(group, case);
            #[cfg(feature = "peers")]
            {
                bench::<peers::Tenuo>(group, case);
                bench::<peers::Cedar>(group, case);
                bench::<peers::Biscuit>(group, case);
                bench::<peers::Casbin>(group, case);
                bench::<peers::Regorus>(group, case);
            }
        }
        own::bench(group);
    });
    ExitCode::SUCCESS
}

/// An iteration decides on all calls of the case.
pub fn bench<E: Evaluator>(group: &mut Group<'_>, case: &Case) {
    assert_verdicts::<E>(case.grant);
    group.throughput(Throughput::Elements(case.calls.len() as u64));
    let evaluator = std::cell::RefCell::new(E::new(case.grant));
    let requests = || -> Vec<E::Request> {
        case.calls.iter().map(|call| evaluator.borrow().request(call)).collect()
    };
    let decide = |requests: &mut Vec<E::Request>| {
        let mut evaluator = evaluator.borrow_mut();
        for request in requests {
            black_box(evaluator.permits(black_box(request)));
        }
    };
    group.bench_function(BenchmarkId::new(case.name, E::NAME), |bencher| match case.form {
        Form::Request if E::USES_UP => {
            bencher.iter_batched_ref(requests, decide, BatchSize::SmallInput);
        }
        Form::Request => {
            let mut requests = requests();
            bencher.iter(|| decide(&mut requests));
        }
        Form::Plain => bencher.iter(|| {
            let mut evaluator = evaluator.borrow_mut();
            for call in case.calls {
                let mut request = evaluator.request(black_box(call));
                black_box(evaluator.permits(&mut request));
            }
        }),
    });
}
