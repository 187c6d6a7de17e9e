//! `cargo xtask fuzz`: the fuzz bodies of `cap-testkit`, briefly on stable or for real on nightly.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, bail};

use crate::libtest::Report;
use crate::repo::Repo;
use crate::setup::{self, Tool};
use crate::tally::Tally;

/// Inputs per body of the smoke run.
const SMOKE_ITERATIONS: &str = "10000";
const ITERATIONS_VARIABLE: &str = "MCP_SECURITY_FUZZ_ITERS";
/// Seconds per target when nobody says how many.
const DEFAULT_SECONDS: u64 = 60;

const COMPILER: [Tool; 1] =
    [Tool { name: "a C++ compiler (c++)", probe: &["c++", "--version"], packages: &["g++"] }];

/// Replays every body on stable, through the test of `cap-testkit` that does so.
pub fn smoke(repo: &Repo) -> Result<Tally> {
    let test = repo.cargo(["test", "--locked", "-p", "cap-testkit", "--tests", "--", "fuzz_smoke"]);
    let mut report = Report::default();
    let status = test.env(ITERATIONS_VARIABLE, SMOKE_ITERATIONS).tee(|line| report.read(line))?;
    let mut tally = report.tally();
    if !status.success() && report.failed == 0 {
        tally.fail("the smoke run of the fuzz bodies ended badly, and no test said why");
    }
    if report.ran.is_empty() {
        tally.fail("cap-testkit has no test `fuzz_smoke`");
    }
    Ok(tally)
}

/// Fuzzes one target or all of them, each for its time. A target with a finding has failed.
pub fn run(repo: &Repo, target: Option<&str>, seconds: Option<u64>) -> Result<Tally> {
    let known = targets(repo)?;
    let chosen: Vec<&str> = match target {
        Some(name) if known.iter().any(|known| known == name) => vec![name],
        Some(name) => bail!("no target `{name}`; there are {}", known.join(", ")),
        None => known.iter().map(String::as_str).collect(),
    };
    provide_tools(repo)?;
    let mut tally = Tally::default();
    let mut summary = Vec::new();
    for target in chosen {
        let session = fuzz(repo, target, seconds.unwrap_or(DEFAULT_SECONDS))?;
        summary.push(session.summary(target));
        tally += if session.is_clean() { Tally::PASSED } else { Tally::FAILED };
    }
    println!("{}", summary.join("\n"));
    Ok(tally)
}

/// How one target went.
#[derive(Debug, Default, PartialEq, Eq)]
struct Session {
    executions: u64,
    findings: Vec<String>,
    ended_well: bool,
}

impl Session {
    fn is_clean(&self) -> bool {
        self.ended_well && self.findings.is_empty() && self.executions > 0
    }

    fn read(&mut self, line: &str) {
        if let Some(number) = line.strip_prefix("stat::number_of_executed_units:") {
            self.executions += number.trim().parse().unwrap_or(0);
        }
    }

    fn summary(&self, target: &str) -> String {
        let findings =
            self.findings.iter().map(|file| format!("\n  fuzz/artifacts/{target}/{file}"));
        let ended = if self.ended_well { "" } else { ", ended badly" };
        format!(
            "{target}: {} executions, {} findings{ended}{}",
            self.executions,
            self.findings.len(),
            findings.collect::<String>()
        )
    }
}

fn fuzz(repo: &Repo, target: &str, seconds: u64) -> Result<Session> {
    let before = artifacts(repo, target);
    let time = format!("-max_total_time={seconds}");
    let cmd = repo.cargo([
        "+nightly",
        "fuzz",
        "run",
        "--fuzz-dir",
        "fuzz",
        "--target-dir",
        "target/fuzz",
    ]);
    let cmd = cmd.args([target, "--", &time, "-print_final_stats=1"]);
    let mut session = Session::default();
    let status = cmd.tee(|line| session.read(line))?;
    session.ended_well = status.success();
    session.findings = artifacts(repo, target).difference(&before).cloned().collect();
    Ok(session)
}

/// The targets, by the files that hold them.
fn targets(repo: &Repo) -> Result<Vec<String>> {
    let mut names: Vec<String> = files_of(repo, "fuzz/fuzz_targets")
        .context("fuzz/fuzz_targets")?
        .iter()
        .filter_map(|file| file.strip_suffix(".rs"))
        .map(str::to_owned)
        .collect();
    names.sort_unstable();
    Ok(names)
}

/// Inputs that broke something. There is no folder before the first one.
fn artifacts(repo: &Repo, target: &str) -> BTreeSet<String> {
    files_of(repo, &format!("fuzz/artifacts/{target}")).unwrap_or_default().into_iter().collect()
}

fn files_of(repo: &Repo, folder: &str) -> Result<Vec<String>> {
    let entries = fs::read_dir(repo.path(folder))?;
    let name = |entry: std::io::Result<fs::DirEntry>| {
        Ok(entry?.file_name().to_string_lossy().into_owned())
    };
    entries.map(name).collect()
}

fn provide_tools(repo: &Repo) -> Result<()> {
    setup::require(&COMPILER)?;
    if !succeeds(repo, ["+nightly", "--version"]) {
        bail!(
            "missing: a nightly toolchain. Get it with: rustup toolchain install nightly --profile minimal"
        );
    }
    if !succeeds(repo, ["+nightly", "fuzz", "--version"]) {
        repo.cargo(["install", "--locked", "cargo-fuzz"]).run()?;
    }
    Ok(())
}

fn succeeds<const N: usize>(repo: &Repo, args: [&str; N]) -> bool {
    repo.cargo(args).output().is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executions_are_read_from_the_statistics() {
        let mut session = Session { ended_well: true, ..Session::default() };
        assert!(!session.is_clean(), "nothing was executed");
        session.read("stat::number_of_executed_units: 12345");
        session.read("stat::peak_rss_mb:              67");
        assert_eq!(session.summary("t"), "t: 12345 executions, 0 findings");
        assert!(session.is_clean());
    }

    #[test]
    fn a_finding_or_a_bad_end_is_not_clean() {
        let found =
            Session { executions: 1, findings: vec!["crash-1".to_owned()], ended_well: false };
        assert!(!found.is_clean());
        assert!(found.summary("t").contains("fuzz/artifacts/t/crash-1"));
        assert!(!Session { executions: 1, findings: Vec::new(), ended_well: false }.is_clean());
    }
}
