//! `cargo xtask release`: checks that everything is ready and prints the plan; publishes with `--execute`.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::metadata::{Metadata, Package};
use crate::repo::Repo;
use crate::tally::Tally;

const CHANGELOG: &str = "CHANGELOG.md";

/// Where the packages are built.
const PACKED: &str = "target/packed";

/// Publishes nothing, changes nothing but what cargo keeps of earlier packages.
pub fn dry_run(repo: &Repo) -> Result<Tally> {
    let plan = Plan::of(&Metadata::without_dependencies(repo)?)?;
    let mut tally = Tally::default();
    tally.check("versions", plan.check_versions());
    tally.check(
        "changelog",
        repo.read(CHANGELOG).and_then(|text| check_changelog(&text, &plan.version)),
    );
    // Builds every crate from its package, with those of the others: nothing outside of it is needed.
    plan.forget_earlier(repo)?;
    let packed = repo.cargo(["package", "--allow-dirty", "--locked", "--quiet"]);
    let packed = packed.args(["--target-dir", PACKED]);
    tally.check("packages", packed.args(plan.selection()).run());
    println!("{}", plan.text());
    Ok(tally)
}

/// Publishes and tags, from a clean tree whose dry run has passed.
pub fn execute(repo: &Repo) -> Result<Tally> {
    let changed = repo.cmd("git").args(["status", "--porcelain"]).read()?;
    if !changed.trim().is_empty() {
        bail!("the tree is not clean:\n{changed}");
    }
    let tally = dry_run(repo)?;
    if tally.failed > 0 {
        return Ok(tally);
    }
    let plan = Plan::of(&Metadata::without_dependencies(repo)?)?;
    repo.cargo(["publish", "--locked"]).args(plan.selection()).run()?;
    let tag = plan.tag();
    repo.cmd("git").args(["tag", "--annotate", &tag, "--message", &tag]).run()?;
    Ok(tally)
}

/// The crates in the order in which they can be published, all at one version.
#[derive(Debug)]
struct Plan {
    version: String,
    crates: Vec<Package>,
}

impl Plan {
    fn of(metadata: &Metadata) -> Result<Self> {
        let crates = in_order(metadata.packages.iter().filter(|package| package.is_published()))?;
        let version = crates.first().context("there is nothing to publish")?.version.clone();
        Ok(Self { version, crates })
    }

    /// One version for all, and the requirements between them ask for just that one.
    fn check_versions(&self) -> Result<()> {
        let names: BTreeSet<&str> = self.crates.iter().map(|krate| krate.name.as_str()).collect();
        for krate in &self.crates {
            if krate.version != self.version {
                bail!("{} is at {}, others at {}", krate.name, krate.version, self.version);
            }
            for dependency in krate.product_dependencies().filter(|it| it.path.is_some()) {
                let name = dependency.name.as_str();
                if !names.contains(name) {
                    bail!("{} needs {name}, which is not published", krate.name);
                }
                if dependency.req != format!("^{}", self.version) {
                    bail!(
                        "{} needs {name} {}, which is at {}",
                        krate.name,
                        dependency.req,
                        self.version
                    );
                }
            }
        }
        Ok(())
    }

    /// Removes what cargo unpacked and built of these crates when they were packaged before: it finds them
    /// again by name and version, and would take what they were then.
    fn forget_earlier(&self, repo: &Repo) -> Result<()> {
        let built = repo.path(PACKED);
        if built.is_dir() {
            fs::remove_dir_all(&built).with_context(|| format!("cannot remove {PACKED}"))?;
        }
        let home = match (env::var_os("CARGO_HOME"), env::var_os("HOME")) {
            (Some(home), _) => PathBuf::from(home),
            (None, Some(home)) => PathBuf::from(home).join(".cargo"),
            (None, None) => return Ok(()),
        };
        // A registry without a host in its name is a local one: what `cargo package` makes on its way.
        for registry in fs::read_dir(home.join("registry/src")).into_iter().flatten().flatten() {
            if !registry.file_name().to_string_lossy().starts_with('-') {
                continue;
            }
            for krate in &self.crates {
                let folder = registry.path().join(format!("{}-{}", krate.name, krate.version));
                if folder.is_dir() {
                    fs::remove_dir_all(&folder)
                        .with_context(|| format!("cannot remove {}", folder.display()))?;
                }
            }
        }
        Ok(())
    }

    /// Arguments that select exactly these crates.
    fn selection(&self) -> Vec<String> {
        self.crates.iter().flat_map(|krate| ["-p".to_owned(), krate.name.clone()]).collect()
    }

    fn tag(&self) -> String {
        format!("v{}", self.version)
    }

    fn text(&self) -> String {
        let crates = self.crates.iter().enumerate();
        let lines =
            crates.map(|(at, krate)| format!("{:>3}. {} {}\n", at + 1, krate.name, krate.version));
        format!("order of publication:\n{}then the tag {}", lines.collect::<String>(), self.tag())
    }
}

/// Each crate after all that it needs; equals by name.
fn in_order<'a>(packages: impl Iterator<Item = &'a Package>) -> Result<Vec<Package>> {
    let mut waiting: Vec<&Package> = packages.collect();
    waiting.sort_by(|a, b| a.name.cmp(&b.name));
    let mut ordered = Vec::new();
    while !waiting.is_empty() {
        let names: BTreeSet<&str> = waiting.iter().map(|package| package.name.as_str()).collect();
        let is_ready = |package: &&Package| {
            package
                .product_dependencies()
                .all(|dependency| !names.contains(dependency.name.as_str()))
        };
        let (ready, later): (Vec<_>, Vec<_>) =
            waiting.iter().partition(|package| is_ready(package));
        if ready.is_empty() {
            bail!("the crates need each other in a circle: {names:?}");
        }
        ordered.extend(ready.into_iter().cloned());
        waiting = later;
    }
    Ok(ordered)
}

/// A section `## [version]` or `## version`, with something in it.
fn check_changelog(text: &str, version: &str) -> Result<()> {
    let is_ours = |line: &&str| {
        let heading = line.strip_prefix("## ").map(|heading| heading.trim_start_matches('['));
        let word = heading.and_then(|it| it.split([']', ' ']).next());
        word == Some(version)
    };
    let mut lines = text.lines().skip_while(|line| !is_ours(line));
    if lines.next().is_none() {
        bail!("{CHANGELOG} has no section for {version}");
    }
    let mut section = lines.take_while(|line| !line.starts_with("## "));
    if section.all(|line| line.trim().is_empty()) {
        bail!("the section for {version} in {CHANGELOG} is empty");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(json: &str) -> Result<Plan> {
        Plan::of(&Metadata::parse(json).unwrap())
    }

    fn packages(list: &str) -> String {
        format!(r#"{{"packages": [{list}], "workspace_members": []}}"#)
    }

    const CORE: &str = r#"{"id": "1", "name": "core", "version": "0.1.0",
        "dependencies": [{"name": "kit", "req": "*", "kind": "dev", "path": "kit"}]}"#;
    const KIT: &str = r#"{"id": "2", "name": "kit", "version": "0.1.0", "publish": []}"#;
    const APP: &str = r#"{"id": "3", "name": "app", "version": "0.1.0",
        "dependencies": [{"name": "core", "req": "^0.1.0", "kind": null, "path": "core"}]}"#;

    #[test]
    fn crates_come_after_what_they_need_and_tools_not_at_all() {
        let plan = plan(&packages(&[APP, KIT, CORE].join(","))).unwrap();
        let names: Vec<_> = plan.crates.iter().map(|krate| krate.name.as_str()).collect();
        assert_eq!(names, ["core", "app"]);
        assert!(plan.check_versions().is_ok());
        assert_eq!(plan.selection(), ["-p", "core", "-p", "app"]);
    }

    #[test]
    fn unequal_versions_are_refused() {
        let newer = CORE.replace("\"version\": \"0.1.0\"", "\"version\": \"0.2.0\"");
        assert!(plan(&packages(&[APP, &newer].join(","))).unwrap().check_versions().is_err());
        let older = APP.replace("^0.1.0", "^0.0.9");
        assert!(plan(&packages(&[&older, CORE].join(","))).unwrap().check_versions().is_err());
        let unpublished = APP.replace("\"core\"", "\"kit\"");
        assert!(
            plan(&packages(&[&unpublished, CORE, KIT].join(",")))
                .unwrap()
                .check_versions()
                .is_err()
        );
    }

    #[test]
    fn a_circle_is_refused() {
        let circle = CORE.replace("\"kit\"", "\"app\"").replace("\"dev\"", "null");
        assert!(plan(&packages(&[APP, &circle].join(","))).is_err());
    }

    #[test]
    fn the_changelog_must_speak_of_the_version() {
        assert!(check_changelog("# Log\n\n## [0.1.0] - 2026\n\n* it\n", "0.1.0").is_ok());
        assert!(check_changelog("## 0.1.0\n* it\n", "0.1.0").is_ok());
        assert!(check_changelog("## [0.1.0-rc.1]\n* it\n", "0.1.0").is_err());
        assert!(check_changelog("## [0.1.0]\n\n## [0.0.9]\n* it\n", "0.1.0").is_err());
    }
}
