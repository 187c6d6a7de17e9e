//! `cargo xtask mutants`: small faults put into what decides, one after the other; each must make a
//! test fail. `.cargo/mutants.toml` says in which files. What was interrupted goes on where it was.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::repo::Repo;
use crate::tally::Tally;

const OUTPUT: &str = "target/mutants";
/// Of the mutants that compile, how many must be caught.
const WANTED_PERCENT: usize = 95;
/// Few cases, and no search for the smallest one: a mutant is to be noticed, not explained.
const CASES: [(&str, &str); 2] = [("PROPTEST_CASES", "24"), ("PROPTEST_MAX_SHRINK_ITERS", "0")];

/// The mutants that did not compile in earlier runs: cargo-mutants lists them among the caught ones
/// when it goes on.
const UNVIABLE: &str = "target/mutants/unviable.txt";

/// Tests every mutant that no earlier run has caught.
pub fn run(repo: &Repo) -> Result<Tally> {
    provide_tool(repo)?;
    fs::create_dir_all(repo.path(OUTPUT)).context(OUTPUT)?;
    remember_unviable(repo)?;
    let command = repo.cargo([
        "mutants",
        "--package=cap-core",
        "--all-features",
        "--iterate",
        "--gitignore=true",
        "--timeout=120",
        "--output",
        OUTPUT,
    ]);
    let command = CASES.iter().fold(command, |command, (name, value)| command.env(name, value));
    let status = command.tee(|_| {})?;
    let counts = Counts::read(repo);
    println!("{}", counts.summary());
    // What cargo-mutants says when all was tested: nothing survived, some did, some ran too long.
    if !matches!(status.code(), Some(0 | 2 | 3)) {
        bail!("cargo mutants ended before its time; the same command goes on where it was");
    }
    Ok(if counts.are_enough() { Tally::PASSED } else { Tally::FAILED })
}

/// How the mutants fared, this time and before.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    caught: usize,
    missed: Vec<String>,
}

impl Counts {
    fn read(repo: &Repo) -> Self {
        let unviable = fs::read_to_string(repo.path(UNVIABLE)).unwrap_or_default();
        let before = outcome(repo, "previously_caught");
        let before = before.iter().filter(|mutant| !unviable.lines().any(|line| line == *mutant));
        // A mutant that runs for ever is caught by whoever waits for the tests.
        let now = outcome(repo, "caught").len() + outcome(repo, "timeout").len();
        Self { caught: before.count() + now, missed: outcome(repo, "missed") }
    }

    fn are_enough(&self) -> bool {
        let viable = self.caught + self.missed.len();
        viable > 0 && self.caught * 100 >= viable * WANTED_PERCENT
    }

    fn summary(&self) -> String {
        let viable = self.caught + self.missed.len();
        let missed = self.missed.iter().map(|mutant| format!("\n  {mutant}"));
        format!("{} of {viable} mutants caught{}", self.caught, missed.collect::<String>())
    }
}

/// The mutants that fared so in the last run. There is no list where there is none of them.
fn outcome(repo: &Repo, name: &str) -> Vec<String> {
    let file = format!("{OUTPUT}/mutants.out/{name}.txt");
    let text = fs::read_to_string(repo.path(file)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn remember_unviable(repo: &Repo) -> Result<()> {
    let mut all = fs::read_to_string(repo.path(UNVIABLE)).unwrap_or_default();
    for mutant in outcome(repo, "unviable") {
        all.push_str(&mutant);
        all.push('\n');
    }
    fs::write(repo.path(UNVIABLE), all).context(UNVIABLE)
}

fn provide_tool(repo: &Repo) -> Result<()> {
    let there = repo.cargo(["mutants", "--version"]).output();
    if there.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    repo.cargo(["install", "--locked", "cargo-mutants"]).run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_survivor_in_twenty_is_enough_and_two_are_not() {
        let counts = |caught, missed| Counts { caught, missed: vec!["a.rs:1".into(); missed] };
        assert!(counts(19, 1).are_enough());
        assert!(!counts(18, 2).are_enough());
    }

    #[test]
    fn no_mutant_at_all_is_no_success() {
        assert!(!Counts::default().are_enough());
    }
}
