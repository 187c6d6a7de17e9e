//! `cargo xtask deny`: what `deny.toml` says, held without any tool but this one, for every lock file.
//!
//! Advisories come from the RustSec database of the shared test data (there is no network here), and from a
//! short list of what that database does not have. If `cargo deny` is installed, it has its say as well.

mod advisories;
mod lock;
mod policy;
mod spdx;

use anyhow::{Context, Result, bail};

use crate::metadata::Metadata;
use crate::repo::{Repo, TOOL_WORKSPACES};
use crate::shared;
use crate::tally::Tally;
use advisories::Database;
use lock::Lock;
use policy::Policy;

const POLICY: &str = "deny.toml";

pub fn run(repo: &Repo) -> Result<Tally> {
    let policy = Policy::parse(&repo.read(POLICY)?).context(POLICY)?;
    let mut tally = Tally::default();
    let mut locks = Vec::new();
    for folder in workspaces() {
        match Lock::read(repo, folder) {
            Ok(lock) => locks.push(lock),
            Err(error) => tally.fail(&format!("{error:#}")),
        }
    }
    tally.check("sources", none(&policy.foreign_sources(&locks)));
    tally.check("minimum versions", none(&advisories::below_minimum(&locks)));
    check_advisories(repo, &policy, &locks, &mut tally)?;
    check_metadata(repo, &policy, &mut tally)?;
    if repo.cargo(["deny", "--version"]).output()?.status.success() {
        let cmd = repo.cargo(["deny", "--offline", "check", "bans", "licenses", "sources"]);
        tally.check("cargo deny", cmd.run());
    }
    let count: usize = locks.iter().map(|lock| lock.packages.len()).sum();
    println!("deny: {count} packages in {} lock files", locks.len());
    Ok(tally)
}

/// The folders of the workspaces; the root is `.`.
fn workspaces() -> impl Iterator<Item = &'static str> {
    std::iter::once(".").chain(TOOL_WORKSPACES)
}

fn check_advisories(repo: &Repo, policy: &Policy, locks: &[Lock], tally: &mut Tally) -> Result<()> {
    let shared = match shared::find(repo) {
        Ok(Some(shared)) => shared,
        Ok(None) => {
            tally.skip(1, &format!("advisories: {}", shared::ABSENT));
            return Ok(());
        }
        Err(error) => {
            tally.fail(&format!("advisories: {error:#}"));
            return Ok(());
        }
    };
    match Database::read(&shared) {
        Ok(database) => {
            let hits = database.hits(locks);
            hits.notes.iter().for_each(|note| eprintln!("note: {note}"));
            let vulnerable = hits.vulnerable.iter().filter(|hit| !policy.ignores(&hit.id));
            let vulnerable: Vec<_> = vulnerable.map(ToString::to_string).collect();
            tally.check("advisories", none(&vulnerable));
            println!("deny: {} advisories", database.len());
        }
        Err(error) => tally.fail(&format!("advisories: {error:#}")),
    }
    Ok(())
}

fn check_metadata(repo: &Repo, policy: &Policy, tally: &mut Tally) -> Result<()> {
    for folder in workspaces() {
        let metadata = match Metadata::with_dependencies(repo, &format!("{folder}/Cargo.toml")) {
            Ok(metadata) => metadata,
            Err(error) => {
                tally.fail(&format!("{folder}: {error:#}"));
                continue;
            }
        };
        tally.check(&format!("{folder}: licences"), none(&policy.refused_licences(&metadata)));
        if folder == "." {
            tally.check("bans", none(&policy.banned(&metadata)));
            for name in policy::several_versions(&metadata) {
                eprintln!("note: several versions of {name} in the product tree");
            }
        }
    }
    Ok(())
}

/// An error that holds all findings, if there are any.
fn none(findings: &[String]) -> Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    bail!("{} finding(s)\n  {}", findings.len(), findings.join("\n  "))
}
