//! What must not leak from a machine into the repository.

use super::rust_text::line_of;
use super::{Outcome, Tree};

/// Folders of machines that this was written on; real users have other ones. In parts, as these are tracked too.
const MACHINE_PATHS: [&str; 2] = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];

/// Where packages are downloaded from is the business of the machine, not ours.
const REGISTRY_HOSTS: [&str; 5] = [
    concat!("registry.", "npmjs.org"),
    concat!("files.", "pythonhosted.org"),
    concat!("pypi.", "org/simple"),
    concat!("static.", "crates.io"),
    concat!("index.", "crates.io"),
];

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// No absolute path of a machine.
pub fn machine_paths(tree: &Tree, outcome: &mut Outcome) {
    for (path, text) in tree.files() {
        outcome.look();
        for folder in MACHINE_PATHS {
            for (at, _) in text.match_indices(folder).filter(|(at, _)| begins_a_path(text, *at)) {
                outcome.find(path, Some(line_of(text, at)), format!("a path in `{folder}`"));
            }
        }
    }
}

/// No registry hosts; lock files name crates.io and nothing else.
pub fn registries(tree: &Tree, outcome: &mut Outcome) {
    for (path, text) in tree.files() {
        outcome.look();
        for host in REGISTRY_HOSTS {
            for (at, _) in text.match_indices(host) {
                outcome.find(path, Some(line_of(text, at)), format!("the registry host `{host}`"));
            }
        }
        if path.ends_with("Cargo.lock") {
            for (at, line) in text.lines().enumerate() {
                let source = line.strip_prefix("source = ");
                if source.is_some_and(|source| source.trim_matches('"') != CRATES_IO) {
                    outcome.find(path, Some(at + 1), "a package that is not from crates.io");
                }
            }
        }
    }
}

/// Not within a longer or a relative path.
fn begins_a_path(text: &str, at: usize) -> bool {
    let before = text.get(..at).and_then(|text| text.chars().next_back());
    before.is_none_or(|c| !(c.is_alphanumeric() || "._-~*}/>".contains(c)))
}
