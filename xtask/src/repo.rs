//! Where things are.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell::Cmd;

/// The workspaces beside the root one, each with its own lock file, so that the peers' and the fuzzers'
/// dependencies touch nobody.
pub const TOOL_WORKSPACES: [&str; 3] = ["xtask", "benches", "fuzz"];

/// The root of the repository.
#[derive(Debug)]
pub struct Repo {
    root: PathBuf,
}

impl Repo {
    /// The repository that this program was started from.
    pub fn find() -> Result<Self> {
        let start = match env::var_os("CARGO_MANIFEST_DIR") {
            Some(dir) => PathBuf::from(dir),
            None => env::current_dir().context("the current folder")?,
        };
        let root = start.ancestors().find(|dir| dir.join("xtask/Cargo.toml").is_file());
        match root {
            Some(root) => Ok(Self { root: root.to_path_buf() }),
            None => bail!("no repository above {}; use `cargo xtask`", start.display()),
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// Everything that is built or installed lies here, one folder per workspace.
    pub fn target(&self) -> PathBuf {
        self.path("target")
    }

    pub fn read(&self, relative: &str) -> Result<String> {
        fs::read_to_string(self.path(relative)).with_context(|| format!("cannot read {relative}"))
    }

    /// A command that runs in the root.
    pub fn cmd(&self, program: &str) -> Cmd {
        Cmd::new(program, &self.root)
    }

    /// Cargo on the root workspace.
    pub fn cargo<const N: usize>(&self, args: [&str; N]) -> Cmd {
        self.cmd("cargo").args(args)
    }

    /// Cargo on one of the [`TOOL_WORKSPACES`]: `subcommand`, then where it is, then `args`.
    pub fn tool_cargo<const N: usize>(&self, tool: &str, subcommand: &str, args: [&str; N]) -> Cmd {
        let manifest = format!("{tool}/Cargo.toml");
        let target = format!("target/{tool}");
        self.cargo([subcommand, "--manifest-path", &manifest, "--target-dir", &target]).args(args)
    }
}
