//! `cargo xtask test`: every test there is, with its own set-up.
//!
//! First all ordinary tests run. What they ignored is then run kind by kind, if its kind has what it needs;
//! otherwise it is counted as skipped, by name and number. No ignored test gets lost: each must have the
//! reason of a kind, and the run of the kind must have run exactly the tests that gave that reason.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::e2e;
use crate::layers::NO_STD_CRATE;
use crate::libtest::{Ignored, Report};
use crate::metadata::Metadata;
use crate::repo::Repo;
use crate::setup;
use crate::shared;
use crate::shell::Cmd;
use crate::tally::Tally;

/// A target without a standard library.
const BARE_TARGET: &str = "x86_64-unknown-none";

/// Whose backends are features: its tests run with and without them.
const ALL_FEATURES_CRATE: &str = "cap-crypto";

#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only this crate (`xtask` is one, too).
    pub krate: Option<String>,
    pub slow: bool,
    pub no_e2e: bool,
}

/// Tests that need more than a compiler: their names begin with `prefix`, and they are ignored because of `reason`.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    pub prefix: &'static str,
    pub reason: &'static str,
}

pub const SHARED: Kind = Kind { prefix: "shared_", reason: "needs MCP_SECURITY_SHARED" };
pub const E2E: Kind =
    Kind { prefix: "e2e_", reason: "needs the servers that cargo xtask test installs" };
pub const SLOW: Kind = Kind { prefix: "slow_", reason: "slow: cargo xtask test --slow" };
pub const KINDS: [&Kind; 3] = [&SHARED, &E2E, &SLOW];

pub fn run(repo: &Repo, options: &Options) -> Result<Tally> {
    setup::require(&setup::NEEDED)?;
    let mut tally = Tally::default();
    let shared = match shared::find(repo) {
        Ok(shared) => shared,
        Err(error) => {
            tally.fail(&format!("{error:#}"));
            None
        }
    };
    let session = Session { repo, options, shared };
    for suite in suites(repo, options.krate.as_deref()) {
        tally += session.run_suite(&suite)?;
    }
    tally += each_crate_alone(repo, options.krate.as_deref())?;
    Ok(tally)
}

/// `cargo test` with what selects its packages.
fn suites(repo: &Repo, krate: Option<&str>) -> Vec<Cmd> {
    let xtask = repo.tool_cargo("xtask", "test", []);
    let of_all_features = || repo.cargo(["test", "-p", ALL_FEATURES_CRATE, "--all-features"]);
    let suites = match krate {
        Some("xtask") => vec![xtask],
        Some(ALL_FEATURES_CRATE) => {
            vec![repo.cargo(["test", "-p", ALL_FEATURES_CRATE]), of_all_features()]
        }
        Some(krate) => vec![repo.cargo(["test", "-p", krate])],
        None => vec![repo.cargo(["test", "--workspace"]), of_all_features(), xtask],
    };
    suites.into_iter().map(|suite| suite.args(["--locked", "--no-fail-fast"])).collect()
}

struct Session<'a> {
    repo: &'a Repo,
    options: &'a Options,
    shared: Option<PathBuf>,
}

/// What a kind of tests gets through the environment, or why it is not run.
enum Readiness {
    Ready(Vec<(&'static str, PathBuf)>),
    Skip(String),
    Broken(String),
}

impl Session<'_> {
    fn run_suite(&self, suite: &Cmd) -> Result<Tally> {
        let mut tally = Tally::default();
        if let Err(error) = suite.clone().args(["--no-run"]).run() {
            tally.fail(&format!("the tests do not build: {error:#}"));
            return Ok(tally);
        }
        let first = run_tests(suite, &mut tally)?;
        for kind in KINDS {
            let names: Vec<_> = first.ignored_because(kind.reason).collect();
            if !names.is_empty() {
                tally += self.run_kind(suite, kind, &names)?;
            }
        }
        account_for_the_rest(&first, &mut tally);
        Ok(tally)
    }

    fn run_kind(&self, suite: &Cmd, kind: &Kind, names: &[&str]) -> Result<Tally> {
        let mut tally = Tally::default();
        let count = u64::try_from(names.len())?;
        match self.readiness(kind) {
            Readiness::Ready(envs) => {
                // Without the documentation tests, which are of no kind.
                let mut cmd = suite.clone().args(["--tests", "--", "--ignored", kind.prefix]);
                for (name, value) in envs {
                    cmd = cmd.env(name, value);
                }
                let report = run_tests(&cmd, &mut tally)?;
                for problem in differences(kind, names, &report.ran) {
                    tally.fail(&problem);
                }
            }
            Readiness::Skip(why) => tally.skip(count, &format!("tests {}…: {why}", kind.prefix)),
            Readiness::Broken(why) => {
                tally.fail(&why);
                tally.skip(count, &format!("tests {}…: see above", kind.prefix));
            }
        }
        Ok(tally)
    }

    fn readiness(&self, kind: &Kind) -> Readiness {
        let mut envs = Vec::new();
        if let Some(dir) = &self.shared {
            envs.push((shared::VARIABLE, dir.clone()));
        } else if *kind == SHARED {
            return Readiness::Skip(shared::ABSENT.to_owned());
        }
        if *kind == SLOW && !self.options.slow {
            return Readiness::Skip("only with --slow".to_owned());
        }
        if *kind == E2E && self.options.no_e2e {
            return Readiness::Skip("left out with --no-e2e".to_owned());
        }
        if *kind != SHARED && !self.options.no_e2e {
            match e2e::ensure(self.repo) {
                Ok(dir) => envs.push((e2e::VARIABLE, dir)),
                Err(error) => return Readiness::Broken(format!("{error:#}")),
            }
        }
        Readiness::Ready(envs)
    }
}

/// Runs it and adds what ran to the tally. What was ignored is in the report.
fn run_tests(cmd: &Cmd, tally: &mut Tally) -> Result<Report> {
    let mut report = Report::default();
    let status = cmd.tee(|line| report.read(line))?;
    *tally += report.tally();
    if !status.success() && report.failed == 0 {
        tally.fail(&format!("`{}` ended with {status}, and no test said why", cmd.line()));
    }
    if report.ran.is_empty() {
        tally.fail(&format!("`{}` ran no test", cmd.line()));
    }
    if !report.names_every_ignored_test() {
        tally.fail(&format!("`{}` ignored tests whose names got lost in its output", cmd.line()));
    }
    Ok(report)
}

/// What the filter of a kind ran and should not have, or did not run and should have.
fn differences(kind: &Kind, expected: &[&str], ran: &[String]) -> Vec<String> {
    let mut unseen: Vec<&str> = ran.iter().map(String::as_str).collect();
    let mut problems = Vec::new();
    for test in expected {
        match unseen.iter().position(|name| name == test) {
            Some(at) => drop(unseen.swap_remove(at)),
            None => problems.push(format!(
                "`{test}` is ignored because it \"{}\" and was not run: its name must contain `{}`",
                kind.reason, kind.prefix
            )),
        }
    }
    problems.extend(unseen.iter().map(|test| {
        format!("`{test}` is of another kind, but its name contains `{}`: rename it", kind.prefix)
    }));
    problems
}

/// Ignored for no reason that we know: skipped, and named.
fn account_for_the_rest(report: &Report, tally: &mut Tally) {
    let of_a_kind = |ignored: &Ignored| KINDS.iter().any(|kind| kind.reason == ignored.reason);
    for ignored in report.ignored.iter().filter(|ignored| !of_a_kind(ignored)) {
        tally.skip(1, &format!("{} is ignored: \"{}\"", ignored.test, ignored.reason));
    }
}

/// People take single crates: each compiles alone, and without its default features.
fn each_crate_alone(repo: &Repo, krate: Option<&str>) -> Result<Tally> {
    let mut tally = Tally::default();
    if krate == Some("xtask") {
        return Ok(tally);
    }
    let metadata = Metadata::without_dependencies(repo)?;
    let chosen = |name: &str| krate.is_none_or(|krate| krate == name);
    for package in metadata.packages.iter().filter(|package| chosen(&package.name)) {
        let alone = repo.cargo(["check", "--locked", "-p", &package.name]);
        tally.check(&format!("{} alone", package.name), alone.run());
        if package.features.contains_key("default") {
            let bare = alone.args(["--no-default-features"]);
            tally.check(&format!("{} without default features", package.name), bare.run());
        }
    }
    if chosen(NO_STD_CRATE) {
        without_standard_library(repo, &mut tally);
    }
    if tally == Tally::default() {
        bail!("no crate to check alone");
    }
    Ok(tally)
}

/// For a target that has no standard library, so that none of the dependencies can bring it in.
fn without_standard_library(repo: &Repo, tally: &mut Tally) {
    if let Err(error) = setup::add_target(repo, BARE_TARGET) {
        tally.skip(1, &format!("{NO_STD_CRATE} without the standard library: {error:#}"));
        return;
    }
    for features in ["", "serde,url"] {
        let cmd =
            repo.cargo(["check", "--locked", "--lib", "-p", NO_STD_CRATE, "--target", BARE_TARGET]);
        let cmd = cmd.args(["--no-default-features", "--features", features]);
        tally.check(&format!("{NO_STD_CRATE} without the standard library"), cmd.run());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_must_run_exactly_its_tests() {
        let ran = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert!(differences(&SHARED, &["a", "b"], &ran(&["b", "a"])).is_empty());
        let lost = differences(&SHARED, &["a", "a"], &ran(&["a"]));
        assert!(lost[0].contains("was not run"), "{lost:?}");
        let extra = differences(&SHARED, &["a"], &ran(&["a", "e2e_shared_state"]));
        assert!(extra[0].contains("`e2e_shared_state` is of another kind"), "{extra:?}");
    }

    #[test]
    fn what_is_ignored_for_no_known_reason_counts_as_skipped() {
        let mut report = Report::default();
        report.read("test a ... ignored");
        report.read("test b ... ignored, later");
        report.read("test c ... ignored, needs MCP_SECURITY_SHARED");
        let mut tally = Tally::default();
        account_for_the_rest(&report, &mut tally);
        assert_eq!(tally, Tally { passed: 0, failed: 0, skipped: 2 });
    }

    #[test]
    fn a_run_without_tests_or_with_a_silent_failure_fails() {
        let sh = |script: &str| Cmd::new("sh", std::path::Path::new("/")).args(["-c", script]);
        let failed = |script: &str| {
            let mut tally = Tally::default();
            run_tests(&sh(script), &mut tally).unwrap();
            tally.failed
        };
        assert_eq!(failed("echo 'test a ... ok'; echo 'test result: ok. 1 passed; 0 failed'"), 0);
        assert_eq!(failed("echo 'test result: ok. 0 passed; 0 failed'"), 1);
        assert_eq!(failed("echo 'test a ... ok'; exit 101"), 1);
        assert_eq!(
            failed(
                "echo 'test a ... FAILED'; echo 'test result: FAILED. 0 passed; 1 failed'; exit 101"
            ),
            1
        );
    }

    #[test]
    fn skipped_kinds_say_why() {
        let repo = Repo::find().unwrap();
        let options = Options { krate: None, slow: false, no_e2e: true };
        let session = Session { repo: &repo, options: &options, shared: None };
        for kind in KINDS {
            assert!(matches!(session.readiness(kind), Readiness::Skip(_)), "{kind:?}");
        }
    }
}
