//! `cargo xtask ci`: what `.ci/run` calls, and nothing else. What fails cheaply comes first; nothing is left out
//! after a failure, so that one run says everything.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::deny;
use crate::docs;
use crate::fuzz;
use crate::lint;
use crate::no_std;
use crate::release;
use crate::repo::Repo;
use crate::tally::Tally;
use crate::test;
use crate::tidy;

type Step = (&'static str, fn(&Repo) -> Result<Tally>);

const STEPS: [Step; 10] = [
    ("format", |repo| Ok(lint::format(repo))),
    ("tidy", tidy::run),
    ("deny", deny::run),
    ("clippy", |repo| Ok(lint::clippy(repo))),
    ("no-std", no_std::check),
    ("docs", docs::check),
    ("test", |repo| test::run(repo, &test::Options::default())),
    ("fuzz-smoke", fuzz::smoke),
    ("tools", tool_workspaces),
    ("release", release::dry_run),
];

pub fn run(repo: &Repo) -> Result<Tally> {
    let mut total = Tally::default();
    let mut table = Vec::new();
    for (name, step) in STEPS {
        eprintln!("\n== {name}");
        let start = Instant::now();
        let tally = run_step(repo, name, step);
        table.push(row(name, start.elapsed(), tally));
        total += tally;
    }
    println!("\n{}", table.join("\n"));
    Ok(total)
}

/// A step that cannot even run has failed, and the next one still runs.
fn run_step(repo: &Repo, name: &str, step: fn(&Repo) -> Result<Tally>) -> Tally {
    let mut tally = Tally::default();
    match step(repo) {
        Ok(counts) if counts == Tally::default() => tally.fail(&format!("{name} checked nothing")),
        Ok(counts) => tally += counts,
        Err(error) => tally.fail(&format!("{name}: {error:#}")),
    }
    tally
}

fn row(name: &str, time: Duration, tally: Tally) -> String {
    // With a colon, so that no row is taken for the closing line.
    format!("{name:<12}{:>5} s: {tally}", time.as_secs())
}

/// The benchmarks and the fuzz targets must compile, though they are not run.
fn tool_workspaces(repo: &Repo) -> Result<Tally> {
    let mut tally = Tally::default();
    let benches = repo.tool_cargo("benches", "check", ["--all-targets", "--locked"]);
    tally.check("benches", benches.run());
    // Without libFuzzer itself, which would need a C++ compiler.
    let fuzz = repo.tool_cargo("fuzz", "check", ["--bins", "--no-default-features", "--locked"]);
    tally.check("fuzz", fuzz.run());
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_cannot_run_or_checks_nothing_has_failed() {
        let repo = Repo::find().unwrap();
        assert_eq!(run_step(&repo, "good", |_| Ok(Tally::PASSED)), Tally::PASSED);
        assert_eq!(run_step(&repo, "broken", |_| anyhow::bail!("no")), Tally::FAILED);
        assert_eq!(run_step(&repo, "empty", |_| Ok(Tally::default())), Tally::FAILED);
    }
}
