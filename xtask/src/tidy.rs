//! `cargo xtask tidy`: the rules of the house that no compiler holds.
//!
//! A rule looks at the tracked text of the repository and says what is wrong, or runs a command. A rule that
//! found nothing to look at fails: a check that cannot fail is a defect. Every rule has a bad example in the tests.

mod documents;
mod fuzzing;
mod hygiene;
mod live;
mod manifests;
mod rust_text;
mod sources;
mod tests_of_crates;

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Result, bail};

use crate::repo::Repo;
use crate::tally::Tally;

/// A rule: its name, what it demands, and how it is checked.
struct Rule {
    name: &'static str,
    check: Check,
}

enum Check {
    /// Reads the tracked files.
    Text(fn(&Tree, &mut Outcome)),
    /// Runs commands.
    Live(fn(&Repo, &mut Outcome) -> Result<()>),
}

const RULES: [Rule; 21] = [
    Rule { name: "layers", check: Check::Text(manifests::layers) },
    Rule { name: "crate-names", check: Check::Text(manifests::crate_names) },
    Rule { name: "lints-inherited", check: Check::Text(manifests::lints_inherited) },
    Rule { name: "fields-inherited", check: Check::Text(manifests::fields_inherited) },
    Rule { name: "dependencies-inherited", check: Check::Text(manifests::dependencies_inherited) },
    Rule { name: "reserved-dependencies", check: Check::Text(manifests::reserved_dependencies) },
    Rule { name: "workspace-dependencies", check: Check::Text(manifests::workspace_dependencies) },
    Rule { name: "file-length", check: Check::Text(sources::file_length) },
    Rule { name: "no-mod-rs", check: Check::Text(sources::no_mod_rs) },
    Rule { name: "forbidden-code", check: Check::Text(sources::forbidden_code) },
    Rule { name: "allow-with-reason", check: Check::Text(sources::allow_with_reason) },
    Rule { name: "no-unsafe", check: Check::Text(sources::no_unsafe) },
    Rule { name: "test-kinds", check: Check::Text(tests_of_crates::kinds) },
    Rule { name: "one-test-binary", check: Check::Text(tests_of_crates::one_binary) },
    Rule { name: "fuzz-bodies", check: Check::Text(fuzzing::bodies) },
    Rule { name: "readme", check: Check::Text(documents::readmes) },
    Rule { name: "links", check: Check::Text(documents::links) },
    Rule { name: "machine-paths", check: Check::Text(hygiene::machine_paths) },
    Rule { name: "registries", check: Check::Text(hygiene::registries) },
    Rule { name: "no-rsa", check: Check::Live(live::no_rsa) },
    Rule { name: "deny-codes", check: Check::Live(live::deny_codes) },
];

/// The tracked files of the repository: path from the root, with `/`, and text (empty for binary files).
#[derive(Debug, Default)]
pub struct Tree {
    files: BTreeMap<String, String>,
}

/// What a rule looked at and what it found.
#[derive(Debug, Default)]
pub struct Outcome {
    pub checked: usize,
    pub findings: Vec<Finding>,
}

/// Something that is not as the house wants it.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    pub path: String,
    pub line: Option<usize>,
    pub what: String,
}

pub fn run(repo: &Repo) -> Result<Tally> {
    let tree = Tree::read(repo)?;
    let mut tally = Tally::default();
    for rule in &RULES {
        let outcome = rule.outcome(repo, &tree);
        for finding in &outcome.findings {
            eprintln!("{}: {finding}", rule.name);
        }
        match (outcome.findings.len(), outcome.checked) {
            (0, 0) => tally.fail(&format!("tidy: {} found nothing to check", rule.name)),
            (0, _) => tally += Tally::PASSED,
            (count, _) => tally.fail(&format!("tidy: {}: {count} finding(s)", rule.name)),
        }
    }
    println!("tidy: {} files against {} rules", tree.files.len(), RULES.len());
    Ok(tally)
}

impl Rule {
    fn outcome(&self, repo: &Repo, tree: &Tree) -> Outcome {
        let mut outcome = Outcome::default();
        match self.check {
            Check::Text(check) => check(tree, &mut outcome),
            Check::Live(check) => {
                if let Err(error) = check(repo, &mut outcome) {
                    outcome.find("", None, format!("{error:#}"));
                }
            }
        }
        outcome
    }
}

impl Tree {
    /// What git tracks, and what it would track: a rule binds before the first commit.
    fn read(repo: &Repo) -> Result<Self> {
        let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let list = repo.cmd("git").args(list).read()?;
        let mut tree = Self::default();
        for path in list.split('\0').filter(|path| !path.is_empty()) {
            // A file that was deleted, but not yet from the index, is not there.
            if let Ok(bytes) = std::fs::read(repo.path(path)) {
                tree.files.insert(path.to_owned(), String::from_utf8(bytes).unwrap_or_default());
            }
        }
        if tree.files.is_empty() {
            bail!("git lists no files in {}", repo.root().display());
        }
        Ok(tree)
    }

    fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    fn with_extension(&self, extension: &str) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(move |(path, _)| {
            path.rsplit_once('.').is_some_and(|(_, found)| found == extension)
        })
    }

    fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether there is a file or a folder of that path; the empty path is the root.
    fn has(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        path.is_empty()
            || self.files.contains_key(path)
            || self.files.keys().any(|file| file.starts_with(&folder))
    }

    /// The names of the folders in `crates/`.
    fn crates(&self) -> Vec<&str> {
        let inside = self.files.keys().filter_map(|path| path.strip_prefix("crates/"));
        let mut names: Vec<_> = inside.filter_map(|path| Some(path.split_once('/')?.0)).collect();
        names.dedup();
        names
    }
}

impl Outcome {
    fn look(&mut self) {
        self.checked += 1;
    }

    fn find(&mut self, path: &str, line: Option<usize>, what: impl Into<String>) {
        self.findings.push(Finding { path: path.to_owned(), line, what: what.into() });
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.what),
            None if self.path.is_empty() => f.write_str(&self.what),
            None => write!(f, "{}: {}", self.path, self.what),
        }
    }
}

#[cfg(test)]
mod tests;
