//! Whether `cap-core` is `no_std` where it says so: a crate that brings its own panic handler cannot be compiled
//! with the standard library anywhere beneath it, since that brings one, too.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::repo::Repo;
use crate::tally::Tally;

/// Feature sets without the standard library.
const BARE: [&str; 4] = ["", "serde", "url", "serde,url"];

pub fn check(repo: &Repo) -> Result<Tally> {
    let mut tally = Tally::default();
    for features in BARE {
        let name = format!("cap-core without std, features [{features}]");
        tally.check(&name, compiles_without_std(repo, features));
    }
    // The check itself is one that can fail.
    let caught = match probe(repo, "std")? {
        (false, errors) if errors.contains("duplicate lang item `panic_impl`") => Ok(()),
        (false, errors) => Err(anyhow::anyhow!("failed otherwise:\n{errors}")),
        (true, _) => Err(anyhow::anyhow!("it compiled")),
    };
    tally.check("the standard library is noticed", caught);
    Ok(tally)
}

fn compiles_without_std(repo: &Repo, features: &str) -> Result<()> {
    match probe(repo, features)? {
        (true, _) => Ok(()),
        (false, errors) => bail!("{errors}"),
    }
}

/// Compiles the probe on top of `cap-core` with these features: whether it went well, and what was said.
fn probe(repo: &Repo, features: &str) -> Result<(bool, String)> {
    let folder = repo.target().join("no-std");
    let features: Vec<String> = features
        .split(',')
        .filter(|name| !name.is_empty())
        .map(|name| format!("{name:?}"))
        .collect();
    let manifest = format!(
        "[package]\nname = \"no-std-probe\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\ncap-core = {{ path = {:?}, default-features = false, features = [{}] }}\n",
        repo.path("crates/cap-core"),
        features.join(", ")
    );
    fs::create_dir_all(folder.join("src")).context("the folder of the probe")?;
    fs::write(folder.join("Cargo.toml"), manifest).context("the probe's manifest")?;
    fs::write(folder.join("src/lib.rs"), PROBE).context("the probe")?;
    // The same versions as everywhere.
    fs::copy(repo.path("Cargo.lock"), folder.join("Cargo.lock"))
        .context("the probe's lock file")?;
    let manifest = folder.join("Cargo.toml");
    let cmd = repo.cmd("cargo").args(["check", "--quiet", "--manifest-path"]).args([&manifest]);
    let output = cmd.output()?;
    Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

const PROBE: &str = "#![no_std]
extern crate cap_core;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
";
