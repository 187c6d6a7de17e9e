//! Automation of the workspace: `cargo xtask <command>`, one module per command.
//!
//! A command that checks something returns a [`Tally`]; it is printed as the last line and decides the exit code.
//! What is optional and missing is counted as skipped and said, never as passed.

mod bench;
mod ci;
mod deny;
mod docs;
mod e2e;
mod fuzz;
mod layers;
mod libtest;
mod lint;
mod metadata;
mod mutants;
mod no_std;
mod release;
mod repo;
mod setup;
mod shared;
mod shell;
mod tally;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use pico_args::Arguments;

use crate::repo::Repo;
use crate::tally::Tally;

const USAGE: &str = "\
cargo xtask <command>

  test [-p CRATE] [--slow] [--no-e2e]     every test, with its own set-up; each crate alone
  lint                                    format, tidy, clippy, deny
  tidy                                    the rules of the house: layers, lints, sizes, names, links
  deny                                    advisories, licences, bans, sources of every lock file
  docs [--check]                          rustdoc without warnings; the generated reference pages
  fuzz --smoke                            the fuzz bodies on stable, briefly
  fuzz [TARGET] [--time SECONDS]          cargo-fuzz on nightly (default: every target, 60 s each)
  mutants                                 small faults in what decides, which the tests must catch (hours)
  bench GROUP [--json] [--smoke]          benchmarks, beside the peers
  release [--execute]                     order, versions, package check; publishes nothing without --execute
  setup                                   installs what the end-to-end tests need
  ci                                      all of it, as the continuous integration runs it

test reads MCP_SECURITY_SHARED: the folder of the shared test data (default: ../shared, if there).
";

fn main() -> ExitCode {
    match run() {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(tally)) => {
            println!("{tally}");
            if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The tally of a command that checks; `None` for one that only does.
fn run() -> Result<Option<Tally>> {
    let mut args = Arguments::from_env();
    if args.contains(["-h", "--help"]) {
        print!("{USAGE}");
        return Ok(None);
    }
    let Some(command) = args.subcommand()? else {
        bail!("no command\n\n{USAGE}");
    };
    let repo = Repo::find()?;
    match command.as_str() {
        "test" => {
            let options = test::Options {
                krate: args.opt_value_from_str("-p")?,
                slow: args.contains("--slow"),
                no_e2e: args.contains("--no-e2e"),
            };
            finish(args)?;
            test::run(&repo, &options).map(Some)
        }
        "bench" => {
            let options = bench::Options {
                json: args.contains("--json"),
                smoke: args.contains("--smoke"),
                group: args.free_from_str().context("bench needs a group, e.g. `guard`")?,
            };
            finish(args)?;
            bench::run(&repo, &options).map(|()| None)
        }
        "fuzz" => {
            let smoke = args.contains("--smoke");
            let seconds = args.opt_value_from_str("--time")?;
            let target: Option<String> = args.opt_free_from_str()?;
            finish(args)?;
            let tally = match (smoke, seconds, target) {
                (true, None, None) => fuzz::smoke(&repo),
                (true, _, _) => bail!("--smoke replays every target and takes no other option"),
                (false, seconds, target) => fuzz::run(&repo, target.as_deref(), seconds),
            };
            tally.map(Some)
        }
        "docs" => {
            let check = args.contains("--check");
            finish(args)?;
            if check { docs::check(&repo).map(Some) } else { docs::write(&repo).map(Some) }
        }
        "release" => {
            let execute = args.contains("--execute");
            finish(args)?;
            if execute {
                release::execute(&repo).map(Some)
            } else {
                release::dry_run(&repo).map(Some)
            }
        }
        "lint" => finish(args).and_then(|()| lint::run(&repo).map(Some)),
        "tidy" => finish(args).and_then(|()| tidy::run(&repo).map(Some)),
        "deny" => finish(args).and_then(|()| deny::run(&repo).map(Some)),
        "ci" => finish(args).and_then(|()| ci::run(&repo).map(Some)),
        "mutants" => finish(args).and_then(|()| mutants::run(&repo).map(Some)),
        "setup" => finish(args).and_then(|()| setup::run(&repo).map(|()| None)),
        other => bail!("no command `{other}`\n\n{USAGE}"),
    }
}

/// Refuses what no option has taken.
fn finish(args: Arguments) -> Result<()> {
    let left = args.finish();
    if left.is_empty() {
        return Ok(());
    }
    bail!("not understood: {left:?}\n\n{USAGE}");
}
