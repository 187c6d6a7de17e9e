//! What criterion measures: in a process of its own, whose talk goes to standard error; the figures
//! are read from the estimates that it leaves. Everything is measured in each of several rounds,
//! one after the other, and the best round counts: a busy neighbour spoils a round, never improves
//! one.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion};

use crate::cpu::CpuTime;

pub type Group<'a> = BenchmarkGroup<'a, CpuTime>;

/// Where criterion leaves its estimates: set for the process that measures.
const HOME: &str = "CRITERION_HOME";
const COUNTED: &str = "counted.json";

/// How often and how long.
pub struct Plan {
    pub rounds: usize,
    /// Of one figure in one round.
    pub samples: usize,
    pub warm_up: Duration,
    pub time: Duration,
}

impl Plan {
    /// Shows that everything runs, measures nothing.
    pub const SMOKE: Self = Self {
        rounds: 1,
        samples: 10,
        warm_up: Duration::from_millis(5),
        time: Duration::from_millis(20),
    };

    /// By the measuring process: all of `round`, in each of the rounds.
    pub fn run(&self, mut round: impl FnMut(&mut Group<'_>)) {
        let mut criterion = Criterion::default()
            .with_measurement(CpuTime)
            .sample_size(self.samples)
            .nresamples(10_000)
            .warm_up_time(self.warm_up)
            .measurement_time(self.time);
        for number in 0..self.rounds {
            let mut group = criterion.benchmark_group(round_name(number));
            round(&mut group);
            group.finish();
        }
    }
}

/// By the measuring process: leaves what was not measured but counted, by case and name.
pub fn leave_counted(counted: &Counted) {
    if let Some(home) = std::env::var_os(HOME) {
        write_counted(&home, counted).expect("a place for what was counted");
    }
}

fn write_counted(home: &OsStr, counted: &Counted) -> std::io::Result<()> {
    std::fs::create_dir_all(home)?;
    std::fs::write(Path::new(home).join(COUNTED), serde_json::to_string(counted)?)
}

/// Case, name, figure.
pub type Counted = BTreeMap<String, BTreeMap<String, f64>>;

/// Starts this program in the role in which it measures, and has `print` show what that left.
pub fn in_a_process(role: &str, smoke: bool, print: impl FnOnce(&Estimates)) -> ExitCode {
    let home = std::env::temp_dir().join(format!("benches-{role}-{}", std::process::id()));
    let measured = Command::new(std::env::current_exe().expect("this program"))
        .arg(role)
        .args(smoke.then_some("--smoke"))
        .env(HOME, &home)
        .stdout(Stdio::from(std::io::stderr()))
        .status()
        .expect("the measuring process");
    if measured.success() {
        print(&Estimates { home: home.clone() });
    }
    let _ = std::fs::remove_dir_all(&home);
    if measured.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the measuring process left.
pub struct Estimates {
    home: PathBuf,
}

impl Estimates {
    /// The lowest median of all rounds, in nanoseconds for one of `operations`.
    pub fn best(&self, case: &str, name: &str, operations: usize) -> f64 {
        let rounds = (0..).map_while(|round| self.median(round, case, name));
        let best = rounds.min_by(f64::total_cmp);
        best.unwrap_or_else(|| panic!("{name} was not measured on {case}")) / operations as f64
    }

    pub fn counted(&self) -> Counted {
        let text = std::fs::read_to_string(self.home.join(COUNTED)).expect("what was counted");
        serde_json::from_str(&text).expect("figures by case and name")
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
