//! `Cargo.lock`.

use anyhow::{Context, Result, bail};
use semver::Version;
use serde::Deserialize;

use crate::repo::Repo;

/// A lock file: which packages, at which versions, from where.
#[derive(Debug)]
pub struct Lock {
    pub path: String,
    pub packages: Vec<Locked>,
}

#[derive(Debug, Deserialize)]
pub struct Locked {
    pub name: String,
    pub version: Version,
    /// Absent for the workspace's own packages.
    pub source: Option<String>,
}

#[derive(Deserialize)]
struct File {
    package: Vec<Locked>,
}

impl Lock {
    pub fn read(repo: &Repo, folder: &str) -> Result<Self> {
        let path = format!("{folder}/Cargo.lock");
        Self::parse(&path, &repo.read(&path)?)
    }

    pub fn parse(path: &str, text: &str) -> Result<Self> {
        let file: File = toml::from_str(text).with_context(|| format!("cannot read {path}"))?;
        if file.package.is_empty() {
            bail!("{path} has no packages");
        }
        Ok(Self { path: path.to_owned(), packages: file.package })
    }
}

impl Locked {
    pub fn is_from_crates_io(&self) -> bool {
        self.source.as_deref() == Some("registry+https://github.com/rust-lang/crates.io-index")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_or_broken_lock_file_is_refused() {
        assert!(Lock::parse("l", "version = 4\npackage = []\n").is_err());
        assert!(Lock::parse("l", "[[package]]\nname = \"a\"\nversion = \"one\"\n").is_err());
        let lock = Lock::parse("l", "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n").unwrap();
        assert!(!lock.packages[0].is_from_crates_io());
    }
}
