//! The servers and clients that the end-to-end tests use: what users have, from npm and PyPI, at fixed
//! versions, in `target/e2e`.
//!
//! ```text
//! target/e2e/node/node_modules/.bin/node         Node 22, whatever the system has
//! target/e2e/npm/node_modules/.bin/…             servers, the inspector, supergateway
//! target/e2e/npm-2025/node_modules/.bin/…        the file server that leaks
//! target/e2e/py/bin/…                            Python SDK, FastMCP, servers
//! ```

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::repo::Repo;
use crate::setup;

/// Names `target/e2e` to the tests and the benchmarks.
pub const VARIABLE: &str = "MCP_SECURITY_E2E";

/// One folder, what is installed into it, and the programs that must then be there.
#[derive(Debug)]
struct Part {
    dir: &'static str,
    from: Registry,
    packages: &'static [&'static str],
    /// What npm reads as `package.json` before it installs.
    manifest: &'static str,
    programs: &'static [&'static str],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Registry {
    Npm,
    PyPi,
}

const PARTS: [Part; 4] = [
    Part {
        dir: "node",
        from: Registry::Npm,
        packages: &["node@22.23.3"],
        // The package puts the binary in place with a script of its own, which newer npm wants allowed.
        manifest: r#"{ "private": true, "allowScripts": { "node": true } }"#,
        programs: &["node_modules/.bin/node"],
    },
    Part {
        dir: "npm",
        from: Registry::Npm,
        packages: &[
            "@modelcontextprotocol/server-filesystem@2026.8.31",
            "@modelcontextprotocol/server-everything@2026.8.31",
            "@modelcontextprotocol/inspector@2.12.0",
            "supergateway@4.0.0",
        ],
        manifest: r#"{ "private": true }"#,
        programs: &[
            "node_modules/.bin/mcp-server-filesystem",
            "node_modules/.bin/mcp-server-everything",
            "node_modules/.bin/mcp-inspector",
            "node_modules/.bin/supergateway",
        ],
    },
    // A version with CVE-2025-53109 and CVE-2025-53110: what it leaks, the guard must refuse. It was made with
    // this `zod`; with a later one its tools have schemas without a type, and strict clients drop them.
    Part {
        dir: "npm-2025",
        from: Registry::Npm,
        packages: &["@modelcontextprotocol/server-filesystem@2025.3.28"],
        manifest: r#"{ "private": true, "overrides": { "zod": "3.25.76" } }"#,
        programs: &["node_modules/.bin/mcp-server-filesystem"],
    },
    Part {
        dir: "py",
        from: Registry::PyPi,
        packages: &[
            "mcp==2.3.0",
            "fastmcp==4.1.2",
            "mcp-server-time==2026.10.19",
            "mcp-server-git==2026.10.19",
            "pyjwt[crypto]==2.15.1",
        ],
        manifest: "",
        programs: &["bin/python", "bin/fastmcp", "bin/mcp-server-time", "bin/mcp-server-git"],
    },
];

const STAMP: &str = ".installed";

/// Installs what is not there yet and returns the folder.
pub fn ensure(repo: &Repo) -> Result<PathBuf> {
    let dir = repo.target().join("e2e");
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    // Two runs in one clone must not install into each other.
    let lock = File::create(dir.join(".lock")).context("the lock of target/e2e")?;
    lock.lock().context("the lock of target/e2e")?;
    let absent: Vec<_> = PARTS.iter().filter(|part| !part.is_installed(&dir)).collect();
    if !absent.is_empty() {
        setup::provide(repo, &setup::NEEDED_BY_SERVERS)?;
    }
    for part in absent {
        part.install(repo, &dir)?;
    }
    Ok(dir)
}

impl Part {
    fn is_installed(&self, e2e: &Path) -> bool {
        let dir = e2e.join(self.dir);
        let stamp = fs::read_to_string(dir.join(STAMP));
        stamp.is_ok_and(|stamp| stamp == self.stamp(&dir)) && self.absent_programs(&dir).is_empty()
    }

    /// What is installed, and where: a Python environment cannot be moved.
    fn stamp(&self, dir: &Path) -> String {
        format!("{}\n{}\n{}\n", dir.display(), self.manifest, self.packages.join("\n"))
    }

    fn absent_programs(&self, dir: &Path) -> Vec<&'static str> {
        let programs = self.programs.iter().copied();
        programs.filter(|program| !dir.join(program).exists()).collect()
    }

    fn install(&self, repo: &Repo, e2e: &Path) -> Result<()> {
        let dir = e2e.join(self.dir);
        if dir.exists() {
            fs::remove_dir_all(&dir).with_context(|| format!("cannot empty {}", dir.display()))?;
        }
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        match self.from {
            Registry::Npm => self.install_from_npm(repo, &dir),
            Registry::PyPi => self.install_from_pypi(repo, &dir),
        }
        .with_context(|| {
            format!("cannot install {} (is there a network?)", self.packages.join(", "))
        })?;
        let absent = self.absent_programs(&dir);
        if !absent.is_empty() {
            bail!(
                "{} was installed, but these are not in it: {}",
                dir.display(),
                absent.join(", ")
            );
        }
        fs::write(dir.join(STAMP), self.stamp(&dir)).context("the stamp of target/e2e")
    }

    fn install_from_npm(&self, repo: &Repo, dir: &Path) -> Result<()> {
        fs::write(dir.join("package.json"), self.manifest).context("package.json")?;
        let npm = repo.cmd("npm").args(["install", "--prefix"]).args([dir]);
        npm.args(["--no-audit", "--no-fund", "--loglevel=error"]).args(self.packages).run_quietly()
    }

    fn install_from_pypi(&self, repo: &Repo, dir: &Path) -> Result<()> {
        repo.cmd("python3").args(["-m", "venv"]).args([dir]).run_quietly()?;
        let python = dir.join("bin/python");
        let pip = repo.cmd(&python.to_string_lossy()).args(["-m", "pip", "install", "--quiet"]);
        pip.args(["--disable-pip-version-check"]).args(self.packages).run_quietly()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_has_an_exact_version() {
        for package in PARTS.iter().flat_map(|part| part.packages) {
            let version = package.rsplit(['@', '=']).next().unwrap();
            assert_eq!(version.split('.').count(), 3, "{package}");
        }
    }

    #[test]
    fn a_part_counts_as_installed_only_with_its_stamp_and_its_programs() {
        let e2e = std::env::temp_dir().join(format!("xtask-e2e-{}", std::process::id()));
        let _ = fs::remove_dir_all(&e2e);
        let part = &PARTS[0];
        let dir = e2e.join(part.dir);
        fs::create_dir_all(dir.join("node_modules/.bin")).unwrap();
        fs::write(dir.join(STAMP), part.stamp(&dir)).unwrap();
        assert!(!part.is_installed(&e2e), "the program is not there");
        fs::write(dir.join("node_modules/.bin/node"), "").unwrap();
        assert!(part.is_installed(&e2e));
        fs::write(dir.join(STAMP), "node@21.0.0\n").unwrap();
        assert!(!part.is_installed(&e2e), "another version");
        fs::remove_dir_all(&e2e).unwrap();
    }
}
