//! The part of `cargo metadata` that the commands use.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::repo::Repo;
use crate::shell::Cmd;

#[derive(Debug, Deserialize)]
pub struct Metadata {
    pub packages: Vec<Package>,
    pub workspace_members: Vec<String>,
    resolve: Option<Resolve>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Package {
    pub id: String,
    pub name: String,
    pub version: String,
    pub license: Option<String>,
    #[serde(default)]
    pub features: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub dependencies: Vec<Dependency>,
    /// The registries it may be published to; empty means none, absent means any.
    pub publish: Option<Vec<String>>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Dependency {
    pub name: String,
    pub req: String,
    /// `dev`, `build`, or absent for a normal one.
    pub kind: Option<String>,
    pub path: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Debug, Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Debug, Deserialize)]
struct EdgeKind {
    kind: Option<String>,
}

impl Metadata {
    /// The members of the root workspace alone.
    pub fn without_dependencies(repo: &Repo) -> Result<Self> {
        Self::read(&repo.cargo(["metadata", "--format-version=1", "--no-deps", "--locked"]))
    }

    /// A workspace with all that it may ever build, for every platform.
    pub fn with_dependencies(repo: &Repo, manifest: &str) -> Result<Self> {
        let args = ["metadata", "--format-version=1", "--all-features", "--locked"];
        Self::read(&repo.cargo(args).args(["--manifest-path", manifest]))
    }

    fn read(cmd: &Cmd) -> Result<Self> {
        Self::parse(&cmd.read()?)
    }

    pub fn parse(json: &str) -> Result<Self> {
        serde_json::from_str(json).context("the output of `cargo metadata`")
    }

    /// Whatever the members need to be built or to run, the members themselves included: no development
    /// dependencies, and no members that are never published.
    pub fn product_tree(&self) -> Vec<&Package> {
        let by_id: HashMap<&str, &Package> =
            self.packages.iter().map(|package| (package.id.as_str(), package)).collect();
        let edges: HashMap<&str, &Vec<Edge>> = self
            .resolve
            .iter()
            .flat_map(|resolve| &resolve.nodes)
            .map(|node| (node.id.as_str(), &node.deps))
            .collect();
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = self.workspace_members.iter().map(String::as_str).collect();
        open.retain(|id| by_id.get(id).is_some_and(|package| package.is_published()));
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                let edges = edges.get(id).into_iter().copied().flatten();
                open.extend(edges.filter(|edge| edge.is_product()).map(|edge| edge.pkg.as_str()));
            }
        }
        seen.into_iter().filter_map(|id| by_id.get(id).copied()).collect()
    }
}

impl Package {
    pub fn is_published(&self) -> bool {
        self.publish.as_ref().is_none_or(|registries| !registries.is_empty())
    }

    /// Dependencies that its users get.
    pub fn product_dependencies(&self) -> impl Iterator<Item = &Dependency> {
        self.dependencies.iter().filter(|dependency| dependency.kind.as_deref() != Some("dev"))
    }
}

impl Edge {
    fn is_product(&self) -> bool {
        self.dep_kinds.iter().any(|kind| kind.kind.as_deref() != Some("dev"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_tree_has_no_development_dependencies() {
        let json = r#"{
            "packages": [
                {"id": "app", "name": "app", "version": "0.1.0"},
                {"id": "kit", "name": "kit", "version": "0.1.0", "publish": []},
                {"id": "lib", "name": "lib", "version": "1.0.0"},
                {"id": "deep", "name": "deep", "version": "1.0.0"},
                {"id": "dev", "name": "dev", "version": "1.0.0"}
            ],
            "workspace_members": ["app", "kit"],
            "resolve": {"nodes": [
                {"id": "app", "deps": [
                    {"pkg": "lib", "dep_kinds": [{"kind": null}]},
                    {"pkg": "kit", "dep_kinds": [{"kind": "dev"}]}]},
                {"id": "lib", "deps": [{"pkg": "deep", "dep_kinds": [{"kind": "build"}, {"kind": "dev"}]}]},
                {"id": "kit", "deps": [{"pkg": "dev", "dep_kinds": [{"kind": null}]}]}
            ]}
        }"#;
        let metadata = Metadata::parse(json).unwrap();
        let names: Vec<_> =
            metadata.product_tree().iter().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["app", "deep", "lib"]);
    }
}
