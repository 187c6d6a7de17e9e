//! Known vulnerabilities: the RustSec database, and what it does not have.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use flate2::read::GzDecoder;
use semver::{Version, VersionReq};
use serde::Deserialize;

use super::lock::{Lock, Locked};

/// The snapshot, and how many advisories it holds: fewer would mean that some were not read.
const ARCHIVE: &str = "corpora/rustsec-advisory-db/advisory-db-bf5c0d2.tar.gz";
const COUNT: usize = 1_205;

/// The lowest version that we accept of what RustSec has no entry for, or that we do not want to depend on its having.
const MINIMUMS: [(&str, &str, &str); 9] = [
    (
        "jsonwebtoken",
        "10.3.0",
        "CVE-2026-25537: a claim of the wrong type counts as absent; not in RustSec",
    ),
    ("redb", "4.3.0", "commits lost after a second crash; not in RustSec"),
    ("ring", "0.17.12", "RUSTSEC-2025-0009: panic on overflow"),
    ("rustls-webpki", "0.103.13", "RUSTSEC-2026-0104: panic on a revocation list"),
    ("rmcp", "1.4.0", "RUSTSEC-2026-0189: DNS rebinding"),
    ("aws-lc-sys", "0.39.0", "RUSTSEC-2026-0044: name constraints passed by"),
    ("h2", "0.4.16", "RUSTSEC-2026-0258: empty frames without end"),
    ("cap-primitives", "3.4.1", "RUSTSEC-2024-0445: device names as paths"),
    ("idna", "1.0.0", "RUSTSEC-2024-0421: labels that look alike"),
];

/// Every advisory of the snapshot.
#[derive(Debug)]
pub struct Database {
    advisories: Vec<Advisory>,
}

#[derive(Debug)]
struct Advisory {
    id: String,
    package: String,
    /// `unmaintained`, `unsound`, `notice`: to know about, but no vulnerability.
    informational: Option<String>,
    withdrawn: bool,
    /// Versions that are not affected, for whatever reason.
    safe: Vec<VersionReq>,
}

/// What the lock files hold.
#[derive(Debug, Default)]
pub struct Hits {
    pub vulnerable: Vec<Hit>,
    pub notes: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Hit {
    pub id: String,
    pub package: String,
    pub lock: String,
}

impl Database {
    /// Reads the snapshot in the folder of the shared test data.
    pub fn read(shared: &Path) -> Result<Self> {
        let path = shared.join(ARCHIVE);
        let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        let database = Self::unpack(file).with_context(|| path.display().to_string())?;
        if database.len() != COUNT {
            bail!("{} advisories in {}, expected {COUNT}", database.len(), path.display());
        }
        Ok(database)
    }

    pub fn len(&self) -> usize {
        self.advisories.len()
    }

    pub fn hits(&self, locks: &[Lock]) -> Hits {
        let mut hits = Hits::default();
        for lock in locks {
            for package in lock.packages.iter().filter(|package| package.is_from_crates_io()) {
                for advisory in self.advisories.iter().filter(|advisory| advisory.affects(package))
                {
                    hits.add(advisory, package, lock);
                }
            }
        }
        hits
    }

    fn unpack(archive: impl Read) -> Result<Self> {
        let mut archive = tar::Archive::new(GzDecoder::new(archive));
        let mut advisories = Vec::new();
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = entry.path()?.display().to_string();
            if path.ends_with(".md") {
                let mut text = String::new();
                entry.read_to_string(&mut text).with_context(|| path.clone())?;
                advisories.push(Advisory::parse(&text).with_context(|| path.clone())?);
            }
        }
        Ok(Self { advisories })
    }
}

impl Hits {
    fn add(&mut self, advisory: &Advisory, package: &Locked, lock: &Lock) {
        let hit = Hit {
            id: advisory.id.clone(),
            package: format!("{} {}", package.name, package.version),
            lock: lock.path.clone(),
        };
        match &advisory.informational {
            Some(what) => self.notes.push(format!("{what}: {hit}")),
            None => self.vulnerable.push(hit),
        }
    }
}

impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.lock, self.package, self.id)
    }
}

impl Advisory {
    /// The TOML at the beginning of the file, between fences.
    fn parse(text: &str) -> Result<Self> {
        let inside =
            text.trim_start().strip_prefix("```toml").and_then(|rest| rest.split_once("\n```"));
        let (front, _) = inside.context("no TOML at the beginning")?;
        let FrontMatter { advisory, versions } = toml::from_str(front)?;
        let safe = versions.patched.iter().chain(&versions.unaffected);
        let safe: Result<Vec<_>, _> = safe.map(|range| VersionReq::parse(range)).collect();
        Ok(Self {
            id: advisory.id,
            package: advisory.package,
            informational: advisory.informational,
            withdrawn: advisory.withdrawn.is_some(),
            safe: safe?,
        })
    }

    /// A pre-release is affected unless a range names it: better one alarm too many.
    fn affects(&self, package: &Locked) -> bool {
        let is_safe = self.safe.iter().any(|range| range.matches(&package.version));
        !self.withdrawn && self.package == package.name && !is_safe
    }
}

#[derive(Deserialize)]
struct FrontMatter {
    advisory: Header,
    versions: Versions,
}

#[derive(Deserialize)]
struct Header {
    id: String,
    package: String,
    informational: Option<String>,
    withdrawn: Option<String>,
}

#[derive(Deserialize)]
struct Versions {
    patched: Vec<String>,
    #[serde(default)]
    unaffected: Vec<String>,
}

/// Packages below the version that we accept.
pub fn below_minimum(locks: &[Lock]) -> Vec<String> {
    let mut findings = Vec::new();
    for lock in locks {
        for package in &lock.packages {
            let minimum = MINIMUMS.iter().find(|(name, _, _)| *name == package.name);
            if let Some((name, minimum, why)) = minimum
                && !Version::parse(minimum).is_ok_and(|minimum| package.version >= minimum)
            {
                let version = &package.version;
                findings
                    .push(format!("{}: {name} {version} is below {minimum} ({why})", lock.path));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(name: &str, version: &str) -> [Lock; 1] {
        let source = "registry+https://github.com/rust-lang/crates.io-index";
        let text = format!(
            "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"{source}\"\n"
        );
        [Lock::parse("bad.lock", &text).unwrap()]
    }

    fn advisory(header: &str) -> Database {
        let text = format!(
            "```toml\n[advisory]\nid = \"RUSTSEC-2000-0001\"\npackage = \"holes\"\n{header}\n\n[versions]\n\
             patched = [\">= 1.2.3, < 2.0.0\", \">= 2.1\"]\nunaffected = [\"< 0.5\"]\n```\n\n# Holes\n"
        );
        Database { advisories: vec![Advisory::parse(&text).unwrap()] }
    }

    #[test]
    fn a_vulnerable_version_in_a_lock_file_is_a_hit() {
        let database = advisory("");
        for (version, hits) in [
            ("0.4.9", 0),
            ("0.5.0", 1),
            ("1.2.2", 1),
            ("1.2.3", 0),
            ("2.0.5", 1),
            ("2.1.0", 0),
            ("3.0.0", 0),
        ] {
            assert_eq!(database.hits(&lock("holes", version)).vulnerable.len(), hits, "{version}");
        }
        assert!(database.hits(&lock("other", "1.0.0")).vulnerable.is_empty());
        assert_eq!(
            database.hits(&lock("holes", "1.0.0")).vulnerable[0].to_string(),
            "bad.lock: holes 1.0.0 (RUSTSEC-2000-0001)"
        );
    }

    #[test]
    fn an_informational_advisory_is_a_note_and_a_withdrawn_one_nothing() {
        let hits = advisory("informational = \"unmaintained\"").hits(&lock("holes", "1.0.0"));
        assert!(hits.vulnerable.is_empty());
        assert_eq!(hits.notes, ["unmaintained: bad.lock: holes 1.0.0 (RUSTSEC-2000-0001)"]);
        let hits = advisory("withdrawn = \"2001-01-01\"").hits(&lock("holes", "1.0.0"));
        assert!(hits.vulnerable.is_empty() && hits.notes.is_empty());
    }

    #[test]
    fn a_version_below_our_own_minimum_is_a_hit() {
        assert_eq!(below_minimum(&lock("jsonwebtoken", "10.2.9")).len(), 1);
        assert!(below_minimum(&lock("jsonwebtoken", "10.3.0")).is_empty());
        assert!(below_minimum(&lock("jsonwebtoken", "11.1.0")).is_empty());
        for (name, minimum, _) in MINIMUMS {
            assert!(below_minimum(&lock(name, minimum)).is_empty(), "{name}");
            assert_eq!(below_minimum(&lock(name, "0.0.1")).len(), 1, "{name}");
        }
    }

    #[test]
    fn an_advisory_that_cannot_be_read_is_an_error() {
        assert!(Advisory::parse("# no front matter").is_err());
        let range = "```toml\n[advisory]\nid = \"R\"\npackage = \"p\"\n[versions]\npatched = [\"soon\"]\n```\n";
        assert!(Advisory::parse(range).is_err());
        assert!(Database::unpack(&b"no archive"[..]).is_err());
    }

    #[test]
    #[ignore = "needs MCP_SECURITY_SHARED"]
    fn shared_database_is_read_whole_and_knows_the_rsa_crate() {
        let shared = std::env::var_os(crate::shared::VARIABLE).unwrap();
        let database = Database::read(Path::new(&shared)).unwrap();
        assert_eq!(database.len(), 1_205);
        let hits = database.hits(&lock("rsa", "0.9.8"));
        assert!(hits.vulnerable.iter().any(|hit| hit.id == "RUSTSEC-2023-0071"), "{hits:?}");
    }
}
