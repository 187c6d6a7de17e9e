//! `cargo xtask bench GROUP`: the benchmarks, beside the peers, in one run.

use std::env::consts::EXE_SUFFIX;

use anyhow::Result;

use crate::e2e;
use crate::repo::Repo;

/// Groups that start the guard and its peers as processes; the others run in one process alone.
const GROUPS_WITH_SERVERS: [&str; 1] = ["guard"];

/// Groups whose peers are linked in: the feature `peers`, which costs minutes to compile.
const GROUPS_WITH_CRATES: [&str; 2] = ["check", "token"];

/// Names the guard's release binary to the benchmarks.
const GUARD: &str = "MCP_GUARD_BIN";

#[derive(Clone, Debug)]
pub struct Options {
    pub group: String,
    /// One line of JSON per figure on standard output, and nothing else there.
    pub json: bool,
    /// Few iterations: shows that it runs, measures nothing.
    pub smoke: bool,
}

pub fn run(repo: &Repo, options: &Options) -> Result<()> {
    let mut bench = repo.tool_cargo("benches", "run", ["--release", "--locked"]);
    if GROUPS_WITH_CRATES.contains(&options.group.as_str()) {
        // That nothing is allocated where that is claimed is shown apart: counting would slow the peers down.
        let test = ["--release", "--locked", "--features", "peers", "--test", "allocations"];
        repo.tool_cargo("benches", "test", test).args(["--", "--nocapture"]).run_quietly()?;
        bench = bench.args(["--features", "peers"]);
    }
    bench = bench.args(["--", &options.group]);
    if options.json {
        bench = bench.args(["--json"]);
    }
    if options.smoke {
        bench = bench.args(["--smoke"]);
    }
    if GROUPS_WITH_SERVERS.contains(&options.group.as_str()) {
        let target = repo.target();
        let build =
            repo.cargo(["build", "--release", "--locked", "-p", "mcp-guard", "--target-dir"]);
        build.args([&target]).run()?;
        let guard = target.join("release").join(format!("mcp-guard{EXE_SUFFIX}"));
        bench = bench.env(GUARD, guard).env(e2e::VARIABLE, e2e::ensure(repo)?);
    }
    bench.run()
}
