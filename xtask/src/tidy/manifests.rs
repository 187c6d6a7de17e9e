//! What the manifests must say: layers, inheritance, who may name which dependency.

use toml::{Table, Value};

use super::{Outcome, Tree};
use crate::layers::{CORE_MAY_USE, Place, RESERVED, TOOLS, UNSAFE_CRATE};

const ROOT: &str = "Cargo.toml";

/// Ends of crate names that say nothing.
const EMPTY_NAMES: [&str; 4] = ["-types", "-utils", "-common", "-error"];

/// Fields that every crate takes from the workspace.
const INHERITED: [&str; 4] = ["version", "edition", "rust-version", "license"];

/// A crate depends only on crates of lower layers.
pub fn layers(tree: &Tree, outcome: &mut Outcome) {
    for manifest in manifests(tree, outcome) {
        let Some(place) = Place::of(&manifest.krate) else {
            let what =
                format!("`{}` is not in the layer table (xtask/src/layers.rs)", manifest.krate);
            outcome.find(&manifest.path, None, what);
            continue;
        };
        for dependency in manifest.dependencies(Kinds::Product) {
            let Some(other) = Place::of(&dependency.package) else {
                continue;
            };
            if !place.may_use(other) {
                let what = format!(
                    "`{}` ({place:?}) may not depend on `{}` ({other:?})",
                    manifest.krate, dependency.package
                );
                outcome.find(&manifest.path, None, what);
            }
        }
    }
}

/// A crate is named for what it is, after its folder.
pub fn crate_names(tree: &Tree, outcome: &mut Outcome) {
    for manifest in manifests(tree, outcome) {
        let name = manifest.string(&["package", "name"]);
        if name != Some(&manifest.krate) {
            outcome.find(&manifest.path, None, "the package is not named after its folder");
        }
        if EMPTY_NAMES.iter().any(|end| manifest.krate.ends_with(end)) {
            outcome.find(&manifest.path, None, "a name that says nothing about what is inside");
        }
    }
}

/// `[lints] workspace = true`; the one crate that may need `unsafe` denies it by its own table.
pub fn lints_inherited(tree: &Tree, outcome: &mut Outcome) {
    for manifest in manifests(tree, outcome) {
        if manifest.is_true(&["lints", "workspace"]) {
            continue;
        }
        let own = manifest.at(&["lints", "rust", "unsafe_code"]);
        let denied = own.and_then(|level| level.as_str().or_else(|| level.get("level")?.as_str()));
        if manifest.krate != UNSAFE_CRATE || denied != Some("deny") {
            outcome.find(&manifest.path, None, "`[lints] workspace = true` is missing");
        }
    }
}

/// One version, edition and licence for all.
pub fn fields_inherited(tree: &Tree, outcome: &mut Outcome) {
    for manifest in manifests(tree, outcome) {
        for field in INHERITED {
            if !manifest.is_true(&["package", field, "workspace"]) {
                outcome.find(
                    &manifest.path,
                    None,
                    format!("`{field}.workspace = true` is missing"),
                );
            }
        }
        if manifest.string(&["package", "description"]).is_none_or(str::is_empty) {
            outcome.find(&manifest.path, None, "there is no description");
        }
        let unpublished = manifest.at(&["package", "publish"]) == Some(&Value::Boolean(false));
        if unpublished != TOOLS.contains(&manifest.krate.as_str()) {
            outcome.find(&manifest.path, None, "exactly the tools say `publish = false`");
        }
    }
}

/// Every dependency, of every kind, is written once: in the workspace.
pub fn dependencies_inherited(tree: &Tree, outcome: &mut Outcome) {
    for manifest in manifests(tree, outcome) {
        for dependency in manifest.dependencies(Kinds::All) {
            if !dependency.inherited {
                let what = format!("`{}` does not say `workspace = true`", dependency.package);
                outcome.find(&manifest.path, None, what);
            }
        }
    }
}

/// Runtimes and cryptography stay in the crates that they belong to, and the ground stays small.
pub fn reserved_dependencies(tree: &Tree, outcome: &mut Outcome) {
    for manifest in manifests(tree, outcome) {
        for dependency in manifest.dependencies(Kinds::Product) {
            let name = dependency.package.as_str();
            let reserved = RESERVED.iter().find(|reserved| reserved.name == name);
            if let Some(reserved) = reserved.filter(|it| !it.users.contains(&&*manifest.krate)) {
                let what = format!("`{name}` belongs to {:?} alone", reserved.users);
                outcome.find(&manifest.path, None, what);
            }
            if manifest.krate == "cap-core" && !CORE_MAY_USE.contains(&name) {
                outcome.find(
                    &manifest.path,
                    None,
                    format!("`{name}` does not belong into the ground"),
                );
            }
        }
    }
}

/// External dependencies come from the registry, at a version.
pub fn workspace_dependencies(tree: &Tree, outcome: &mut Outcome) {
    let Some(root) = tree.text(ROOT).and_then(|text| text.parse::<Table>().ok()) else {
        outcome.find(ROOT, None, "cannot be read");
        return;
    };
    for (name, value) in table_at(&root, &["workspace", "dependencies"]) {
        outcome.look();
        let version = value.as_str().or_else(|| value.get("version")?.as_str());
        if value.get("git").is_some() {
            outcome.find(ROOT, None, format!("`{name}` comes from git"));
        }
        if version.is_some_and(|version| version.contains('*')) {
            outcome.find(ROOT, None, format!("`{name}` takes any version"));
        }
        let internal = value.get("path").and_then(Value::as_str);
        match internal {
            None if version.is_none() => {
                outcome.find(ROOT, None, format!("`{name}` has no version"));
            }
            Some(path) if path != format!("crates/{name}") => {
                outcome.find(ROOT, None, format!("`{name}` is not in crates/{name}"));
            }
            Some(_) if TOOLS.contains(&name.as_str()) == version.is_some() => {
                let what =
                    format!("`{name}`: published crates have a version here, tools have none");
                outcome.find(ROOT, None, what);
            }
            _ => {}
        }
    }
}

struct Manifest {
    path: String,
    krate: String,
    table: Table,
    /// `[workspace.dependencies]`, where a dependency may be given another name.
    workspace: Table,
}

struct Dependency {
    /// The name of the package, whatever the crate calls it.
    package: String,
    inherited: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kinds {
    /// Normal and build dependencies: what the users of a crate get.
    Product,
    All,
}

/// The manifests of `crates/*`; each counts as looked at, and as a finding if it cannot be read.
fn manifests(tree: &Tree, outcome: &mut Outcome) -> Vec<Manifest> {
    let root = tree.text(ROOT).and_then(|text| text.parse::<Table>().ok()).unwrap_or_default();
    let workspace: Table = table_at(&root, &["workspace", "dependencies"])
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut manifests = Vec::new();
    for krate in tree.crates() {
        outcome.look();
        let path = format!("crates/{krate}/Cargo.toml");
        match tree.text(&path).map(str::parse::<Table>) {
            Some(Ok(table)) => {
                let (krate, workspace) = (krate.to_owned(), workspace.clone());
                manifests.push(Manifest { path, krate, table, workspace });
            }
            Some(Err(error)) => outcome.find(&path, None, error.to_string()),
            None => outcome.find(&path, None, "there is none"),
        }
    }
    manifests
}

impl Manifest {
    fn at(&self, keys: &[&str]) -> Option<&Value> {
        at(&self.table, keys)
    }

    fn is_true(&self, keys: &[&str]) -> bool {
        self.at(keys) == Some(&Value::Boolean(true))
    }

    fn string(&self, keys: &[&str]) -> Option<&str> {
        self.at(keys).and_then(Value::as_str)
    }

    fn dependencies(&self, kinds: Kinds) -> Vec<Dependency> {
        let mut names = vec!["dependencies", "build-dependencies"];
        if kinds == Kinds::All {
            names.push("dev-dependencies");
        }
        let platforms =
            table_at(&self.table, &["target"]).filter_map(|(_, value)| value.as_table());
        let tables: Vec<&Table> = std::iter::once(&self.table).chain(platforms).collect();
        let mut found = Vec::new();
        for table in tables {
            for name in &names {
                found.extend(
                    table_at(table, &[name]).map(|(key, value)| self.dependency(key, value)),
                );
            }
        }
        found
    }

    fn dependency(&self, key: &str, value: &Value) -> Dependency {
        let inherited = value.get("workspace") == Some(&Value::Boolean(true));
        let renamed = if inherited {
            self.workspace.get(key).and_then(|value| value.get("package"))
        } else {
            value.get("package")
        };
        let package = renamed.and_then(Value::as_str).unwrap_or(key).to_owned();
        Dependency { package, inherited }
    }
}

fn at<'a>(table: &'a Table, keys: &[&str]) -> Option<&'a Value> {
    let (first, rest) = keys.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |value, key| value.get(key))
}

fn table_at<'a>(table: &'a Table, keys: &[&str]) -> impl Iterator<Item = (&'a String, &'a Value)> {
    at(table, keys).and_then(Value::as_table).into_iter().flatten()
}
