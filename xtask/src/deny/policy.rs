//! `deny.toml`, in the words of cargo-deny. A word that this check does not honour is refused, so that nothing in
//! the file is there for show.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use serde::Deserialize;

use super::lock::Lock;
use super::spdx;
use crate::metadata::{Metadata, Package};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    graph: Graph,
    advisories: Advisories,
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Graph {
    all_features: bool,
    exclude_dev: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Advisories {
    ignore: Vec<Ignore>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ignore {
    id: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Licenses {
    allow: Vec<String>,
    exceptions: Vec<Exception>,
}

/// Further licences for one crate.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    #[serde(rename = "crate")]
    krate: String,
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Bans {
    multiple_versions: String,
    wildcards: String,
    allow_wildcard_paths: bool,
    deny: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ban {
    #[serde(rename = "crate")]
    krate: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Sources {
    unknown_registry: String,
    unknown_git: String,
    allow_registry: Vec<String>,
}

impl Policy {
    pub fn parse(text: &str) -> Result<Self> {
        let policy: Self = toml::from_str(text)?;
        policy.check_that_it_is_the_one_held_here()?;
        Ok(policy)
    }

    pub fn ignores(&self, advisory: &str) -> bool {
        self.advisories.ignore.iter().any(|ignore| ignore.id == advisory)
    }

    /// Packages that come from anywhere but the allowed registry.
    pub fn foreign_sources(&self, locks: &[Lock]) -> Vec<String> {
        let mut findings = Vec::new();
        for lock in locks {
            let external = lock.packages.iter().filter(|package| package.source.is_some());
            for package in external.filter(|package| !package.is_from_crates_io()) {
                let source = package.source.as_deref().unwrap_or_default();
                findings.push(format!("{}: {} comes from {source}", lock.path, package.name));
            }
        }
        findings
    }

    /// Packages of a whole workspace, development included, whose licence is not allowed.
    pub fn refused_licences(&self, metadata: &Metadata) -> Vec<String> {
        let packages =
            metadata.packages.iter().filter(|it| !metadata.workspace_members.contains(&it.id));
        packages.filter_map(|package| self.refused_licence(package)).collect()
    }

    /// Packages of the product tree that are banned, and requirements that take any version.
    pub fn banned(&self, metadata: &Metadata) -> Vec<String> {
        let mut findings = Vec::new();
        for package in metadata.product_tree() {
            if let Some(ban) = self.bans.deny.iter().find(|ban| ban.krate == package.name) {
                findings.push(format!("{} {}: {}", package.name, package.version, ban.reason));
            }
            if metadata.workspace_members.contains(&package.id) {
                let wild =
                    package.product_dependencies().filter(|dependency| dependency.req == "*");
                findings.extend(
                    wild.map(|it| format!("{} takes any version of {}", package.name, it.name)),
                );
            }
        }
        findings
    }

    fn refused_licence(&self, package: &Package) -> Option<String> {
        let named = format!("{} {}", package.name, package.version);
        let Some(licence) = &package.license else {
            return Some(format!("{named} names no licence"));
        };
        let allowed = |name: &str| {
            let exceptions = self.licenses.exceptions.iter().filter(|it| it.krate == package.name);
            let all = self.licenses.allow.iter().chain(exceptions.flat_map(|it| &it.allow));
            all.into_iter().any(|allowed| allowed == name)
        };
        match spdx::satisfied(licence, &allowed) {
            Ok(true) => None,
            Ok(false) => Some(format!("{named}: {licence}")),
            Err(error) => Some(format!("{named}: {error}")),
        }
    }

    fn check_that_it_is_the_one_held_here(&self) -> Result<()> {
        let denied =
            [&self.bans.wildcards, &self.sources.unknown_registry, &self.sources.unknown_git];
        if denied.iter().any(|level| *level != "deny") {
            bail!("wildcards, unknown-registry and unknown-git can only be \"deny\"");
        }
        if self.bans.multiple_versions != "warn" || !self.bans.allow_wildcard_paths {
            bail!("multiple-versions can only be \"warn\", allow-wildcard-paths only true");
        }
        if !self.graph.all_features || !self.graph.exclude_dev {
            bail!("all-features and exclude-dev can only be true");
        }
        if self.sources.allow_registry != ["https://github.com/rust-lang/crates.io-index"] {
            bail!("the only registry is crates.io");
        }
        let reasons = self.advisories.ignore.iter().map(|it| &it.reason);
        if reasons
            .chain(self.bans.deny.iter().map(|it| &it.reason))
            .any(|reason| reason.trim().is_empty())
        {
            bail!("an advisory is ignored, or a crate banned, without a reason");
        }
        Ok(())
    }
}

/// Names of which the product tree holds more than one version.
pub fn several_versions(metadata: &Metadata) -> Vec<String> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in metadata.product_tree() {
        versions.entry(&package.name).or_default().insert(&package.version);
    }
    let several = versions.into_iter().filter(|(_, versions)| versions.len() > 1);
    several.map(|(name, versions)| format!("{name} {versions:?}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        [graph]
        all-features = true
        exclude-dev = true
        [advisories]
        ignore = [{ id = "RUSTSEC-2000-0001", reason = "not reachable" }]
        [licenses]
        allow = ["MIT"]
        exceptions = [{ crate = "odd", allow = ["NCSA"] }]
        [bans]
        multiple-versions = "warn"
        wildcards = "deny"
        allow-wildcard-paths = true
        deny = [{ crate = "rsa", reason = "timing" }]
        [sources]
        unknown-registry = "deny"
        unknown-git = "deny"
        allow-registry = ["https://github.com/rust-lang/crates.io-index"]
    "#;

    fn policy() -> Policy {
        Policy::parse(GOOD).unwrap()
    }

    fn metadata(dependency: &str, licence: &str, req: &str) -> Metadata {
        let json = format!(
            r#"{{"packages": [
                {{"id": "app", "name": "app", "version": "0.1.0", "license": "None",
                  "dependencies": [{{"name": "{dependency}", "req": "{req}", "kind": null}}]}},
                {{"id": "x", "name": "{dependency}", "version": "1.0.0", "license": {licence}}}],
              "workspace_members": ["app"],
              "resolve": {{"nodes": [
                {{"id": "app", "deps": [{{"pkg": "x", "dep_kinds": [{{"kind": null}}]}}]}},
                {{"id": "x", "deps": []}}]}}}}"#
        );
        Metadata::parse(&json).unwrap()
    }

    #[test]
    fn a_word_that_is_not_honoured_is_refused() {
        assert!(Policy::parse(&GOOD.replace("[bans]", "[bans]\nhighlight = \"all\"")).is_err());
        assert!(
            Policy::parse(&GOOD.replace("wildcards = \"deny\"", "wildcards = \"warn\"")).is_err()
        );
        assert!(Policy::parse(&GOOD.replace("exclude-dev = true", "exclude-dev = false")).is_err());
        assert!(Policy::parse(&GOOD.replace("github.com", "example.org")).is_err());
        assert!(Policy::parse(&GOOD.replace("not reachable", " ")).is_err());
    }

    #[test]
    fn licences_are_held() {
        assert!(policy().refused_licences(&metadata("lib", "\"MIT\"", "^1")).is_empty());
        assert_eq!(
            policy().refused_licences(&metadata("lib", "\"GPL-3.0\"", "^1")),
            ["lib 1.0.0: GPL-3.0"]
        );
        assert_eq!(policy().refused_licences(&metadata("lib", "null", "^1")).len(), 1);
        assert_eq!(policy().refused_licences(&metadata("lib", "\"NCSA\"", "^1")).len(), 1);
        assert!(policy().refused_licences(&metadata("odd", "\"NCSA\"", "^1")).is_empty());
    }

    #[test]
    fn bans_and_wildcards_are_held() {
        assert!(policy().banned(&metadata("lib", "null", "^1")).is_empty());
        assert_eq!(policy().banned(&metadata("rsa", "null", "^1")), ["rsa 1.0.0: timing"]);
        assert_eq!(
            policy().banned(&metadata("lib", "null", "*")),
            ["app takes any version of lib"]
        );
    }

    #[test]
    fn sources_are_held() {
        let lock = |source: &str| {
            let text =
                format!("[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"{source}\"\n");
            [Lock::parse("l", &text).unwrap()]
        };
        let crates_io = "registry+https://github.com/rust-lang/crates.io-index";
        assert!(policy().foreign_sources(&lock(crates_io)).is_empty());
        assert_eq!(policy().foreign_sources(&lock("git+https://example.org/a")).len(), 1);
        assert_eq!(policy().foreign_sources(&lock("sparse+https://example.org/")).len(), 1);
    }

    #[test]
    fn an_advisory_is_ignored_only_by_its_own_name() {
        assert!(policy().ignores("RUSTSEC-2000-0001"));
        assert!(!policy().ignores("RUSTSEC-2000-0002"));
    }
}
