//! Group `check`: what one decision costs, beside the peers that decide in the same process, on the
//! same grant and the same calls.
//!
//! The measuring is criterion's, in a process of its own, whose talk goes to standard error; the
//! figures are read from the estimates that it leaves. Everything is measured in each of several
//! rounds, one after the other, and the best round counts: a busy neighbour spoils a round, never
//! improves one.

#[cfg_attr(not(feature = "peers"), expect(dead_code, reason = "what the peers alone need"))]
mod grant;
mod ours;
mod own;
#[cfg(feature = "peers")]
mod peers;

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use criterion::{BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput};

use self::grant::{ALLOWED, ALLOWED_SIX, Call, DENIED, Evaluator, Grant, assert_verdicts};
use self::ours::Ours;
use crate::cpu::CpuTime;
use crate::figure::Printer;

/// The role in which this program measures.
pub const MEASURE: &str = "check-measure";

const ROUNDS: usize = 3;

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
struct Case {
    name: &'static str,
    grant: Grant,
    calls: &'static [Call],
    form: Form,
}

/// In what form a call reaches the evaluator.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
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
    let home = std::env::temp_dir().join(format!("benches-check-{}", std::process::id()));
    let measured = Command::new(std::env::current_exe().expect("this program"))
        .arg(MEASURE)
        .args(smoke.then_some("--smoke"))
        .env("CRITERION_HOME", &home)
        .stdout(Stdio::from(std::io::stderr()))
        .status()
        .expect("the measuring process");
    if measured.success() {
        print(printer, &Estimates { home: home.clone() });
    }
    let _ = std::fs::remove_dir_all(&home);
    if measured.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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

/// What criterion leaves.
struct Estimates {
    home: PathBuf,
}

impl Estimates {
    /// The lowest median of all rounds, in nanoseconds for one of `operations`.
    fn best(&self, case: &str, name: &str, operations: usize) -> f64 {
        let rounds = (0..ROUNDS).filter_map(|round| self.median(round, case, name));
        let best = rounds.min_by(f64::total_cmp);
        best.unwrap_or_else(|| panic!("{name} was not measured on {case}")) / operations as f64
    }

    fn median(&self, round: usize, case: &str, name: &str) -> Option<f64> {
        let file = Path::new(&round_name(round)).join(case).join(name).join("new/estimates.json");
        let text = std::fs::read_to_string(self.home.join(file)).ok()?;
        let estimates: serde_json::Value = serde_json::from_str(&text).ok()?;
        estimates["median"]["point_estimate"].as_f64()
    }
}

fn round_name(round: usize) -> String {
    format!("round-{round}")
}

/// The role [`MEASURE`].
pub fn measure(smoke: bool) -> ExitCode {
    let (rounds, samples, warm_up, time) =
        if smoke { (1, 10, 5, 20) } else { (ROUNDS, 40, 200, 1_000) };
    let mut criterion = Criterion::default()
        .with_measurement(CpuTime)
        .sample_size(samples)
        .nresamples(10_000)
        .warm_up_time(Duration::from_millis(warm_up))
        .measurement_time(Duration::from_millis(time));
    if PEERS.is_empty() {
        eprintln!("built without the feature `peers`: ours alone");
    }
    for round in 0..rounds {
        let mut group = criterion.benchmark_group(round_name(round));
        for case in &CASES {
            group.throughput(Throughput::Elements(case.calls.len() as u64));
            bench::<Ours>(&mut group, case);
            #[cfg(feature = "peers")]
            {
                bench::<peers::Tenuo>(&mut group, case);
                bench::<peers::Cedar>(&mut group, case);
                bench::<peers::Biscuit>(&mut group, case);
                bench::<peers::Casbin>(&mut group, case);
                bench::<peers::Regorus>(&mut group, case);
            }
        }
        own::bench(&mut group);
        group.finish();
    }
    ExitCode::SUCCESS
}

fn bench<E: Evaluator>(group: &mut BenchmarkGroup<'_, CpuTime>, case: &Case) {
    assert_verdicts::<E>(case.grant);
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
