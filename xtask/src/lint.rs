//! `cargo xtask lint`: format, tidy, deny, clippy, no_std. The cheap ones first.

use anyhow::Result;

use crate::deny;
use crate::no_std;
use crate::repo::{Repo, TOOL_WORKSPACES};
use crate::tally::Tally;
use crate::tidy;

pub fn run(repo: &Repo) -> Result<Tally> {
    let mut tally = format(repo);
    tally += tidy::run(repo)?;
    tally += deny::run(repo)?;
    tally += clippy(repo);
    tally += no_std::check(repo)?;
    Ok(tally)
}

/// Formatting of every workspace.
pub fn format(repo: &Repo) -> Tally {
    let mut tally = Tally::default();
    tally.check("format", repo.cargo(["fmt", "--all", "--check"]).run());
    for tool in TOOL_WORKSPACES {
        let manifest = format!("{tool}/Cargo.toml");
        let fmt = repo.cargo(["fmt", "--check", "--manifest-path", &manifest]);
        tally.check(&format!("format of {tool}"), fmt.run());
    }
    tally
}

/// Clippy without warnings on the crates and on this program. `benches` and `fuzz` are built by `ci`.
pub fn clippy(repo: &Repo) -> Tally {
    let mut tally = Tally::default();
    let deny_warnings = ["--", "-D", "warnings"];
    let workspace = repo.cargo(["clippy", "--workspace", "--all-targets", "--locked"]);
    tally.check("clippy", workspace.args(deny_warnings).run());
    let crypto = repo.cargo(["clippy", "-p", "cap-crypto", "--all-features", "--all-targets"]);
    let crypto = crypto.args(["--locked"]).args(deny_warnings);
    tally.check("clippy of cap-crypto with all features", crypto.run());
    let bare = repo.cargo(["clippy", "-p", "cap-core", "--no-default-features", "--locked"]);
    tally.check("clippy of cap-core without default features", bare.args(deny_warnings).run());
    let xtask = repo.tool_cargo("xtask", "clippy", ["--all-targets", "--locked"]);
    tally.check("clippy of xtask", xtask.args(deny_warnings).run());
    tally
}
