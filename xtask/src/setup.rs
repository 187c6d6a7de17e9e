//! What must be on the machine, and where to get it.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::e2e;
use crate::repo::Repo;

/// A program and the Debian packages that bring it. It is there if `probe` succeeds.
#[derive(Debug)]
pub struct Tool {
    pub name: &'static str,
    pub probe: &'static [&'static str],
    pub packages: &'static [&'static str],
}

/// Without these, nothing is built or checked.
pub const NEEDED: [Tool; 2] = [
    Tool { name: "git", probe: &["git", "--version"], packages: &["git"] },
    Tool {
        name: "a C compiler (cc)",
        probe: &["cc", "--version"],
        packages: &["gcc", "libc6-dev"],
    },
];

/// Needed by the end-to-end tests alone, which then bring their own Node and their own Python packages.
pub const NEEDED_BY_SERVERS: [Tool; 5] = [
    Tool { name: "git", probe: &["git", "--version"], packages: &["git"] },
    Tool { name: "node", probe: &["node", "--version"], packages: &["nodejs"] },
    Tool { name: "npm", probe: &["npm", "--version"], packages: &["npm"] },
    Tool {
        name: "python3 with venv",
        probe: &["python3", "-c", "import venv, ensurepip"],
        packages: &["python3", "python3-venv"],
    },
    Tool { name: "SoftHSM2", probe: &["softhsm2-util", "--version"], packages: &["softhsm2"] },
];

/// `cargo xtask setup`: everything that `cargo xtask test` would set up, without the tests.
pub fn run(repo: &Repo) -> Result<()> {
    require(&NEEDED)?;
    let dir = e2e::ensure(repo)?;
    println!("the end-to-end tests find their servers in {}={}", e2e::VARIABLE, dir.display());
    Ok(())
}

/// An error that says what is missing and how to get it.
pub fn require(tools: &[Tool]) -> Result<()> {
    match missing(tools).as_slice() {
        [] => Ok(()),
        missing => bail!(how_to_get(missing)),
    }
}

/// As [`require`], but installs what is missing where that is ours to do: as root on Debian.
pub fn provide(repo: &Repo, tools: &[Tool]) -> Result<()> {
    let absent = missing(tools);
    if absent.is_empty() {
        return Ok(());
    }
    if !is_root() || !succeeds(&["apt-get", "--version"]) {
        bail!(how_to_get(&absent));
    }
    eprintln!("{}", how_to_get(&absent));
    eprintln!("we are root and there is apt-get: installing them");
    let apt = repo.cmd("apt-get").env("DEBIAN_FRONTEND", "noninteractive");
    apt.clone().args(["update", "-q"]).run_quietly()?;
    apt.args(["install", "-y", "-q", "--no-install-recommends"])
        .args(packages(&absent))
        .run_quietly()?;
    require(tools)
}

/// Makes the toolchain able to compile for `target`.
pub fn add_target(repo: &Repo, target: &str) -> Result<()> {
    let libraries =
        repo.cmd("rustc").args(["--print", "target-libdir", "--target", target]).output()?;
    if Path::new(String::from_utf8_lossy(&libraries.stdout).trim()).is_dir() {
        return Ok(());
    }
    repo.cmd("rustup").args(["target", "add", target]).run()
}

fn missing(tools: &[Tool]) -> Vec<&Tool> {
    tools.iter().filter(|tool| !succeeds(tool.probe)).collect()
}

fn packages(tools: &[&Tool]) -> Vec<&'static str> {
    tools.iter().flat_map(|tool| tool.packages.iter().copied()).collect()
}

fn how_to_get(missing: &[&Tool]) -> String {
    let names: Vec<_> = missing.iter().map(|tool| tool.name).collect();
    let packages = packages(missing).join(" ");
    format!("missing: {}. On Debian: apt-get install -y {packages}", names.join(", "))
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn succeeds(probe: &[&str]) -> bool {
    let Some((program, args)) = probe.split_first() else {
        return false;
    };
    Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Tool = Tool { name: "sh", probe: &["sh", "-c", "exit 0"], packages: &["dash"] };
    const ABSENT: Tool = Tool {
        name: "frobnicate",
        probe: &["no-such-program"],
        packages: &["frob", "libfrob-dev"],
    };
    const BROKEN: Tool =
        Tool { name: "broken", probe: &["sh", "-c", "exit 1"], packages: &["fix"] };

    #[test]
    fn what_is_missing_is_named_with_its_packages() {
        assert!(require(&[HERE]).is_ok());
        let error = require(&[HERE, ABSENT, BROKEN]).unwrap_err().to_string();
        assert_eq!(
            error,
            "missing: frobnicate, broken. On Debian: apt-get install -y frob libfrob-dev fix"
        );
    }
}
