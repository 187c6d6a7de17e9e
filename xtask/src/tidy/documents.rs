//! What the documents must hold: headings, features, links that lead somewhere.

use toml::{Table, Value};

use super::{Outcome, Tree};
use crate::layers::TOOLS;

const HEADINGS: [&str; 7] = [
    "What it is",
    "Where it sits",
    "Example",
    "Guarantees",
    "What it does not do",
    "Features",
    "Limits",
];

/// Every published crate has a README with the headings of the house; it is its documentation, too, and
/// names every feature.
pub fn readmes(tree: &Tree, outcome: &mut Outcome) {
    for krate in tree.crates().into_iter().filter(|krate| !TOOLS.contains(krate)) {
        outcome.look();
        let path = format!("crates/{krate}/README.md");
        let Some(text) = tree.text(&path) else {
            outcome.find(&path, None, "there is none");
            continue;
        };
        let found: Vec<&str> = headings(text, "## ").collect();
        let ours: Vec<&str> = found.iter().copied().filter(|it| HEADINGS.contains(it)).collect();
        if ours != HEADINGS {
            let what = format!(
                "the headings must be {}; they are {}",
                HEADINGS.join(" · "),
                found.join(" · ")
            );
            outcome.find(&path, None, what);
        }
        for feature in
            features(tree, krate).iter().filter(|name| !text.contains(&format!("`{name}`")))
        {
            outcome.find(&path, None, format!("does not say what the feature `{feature}` is"));
        }
        let library = tree.text(&format!("crates/{krate}/src/lib.rs"));
        if library.is_some_and(|text| !text.contains("#![doc = include_str!(\"../README.md\")]")) {
            outcome.find(&path, None, "is not the documentation of src/lib.rs");
        }
    }
}

/// Relative links in documents lead to tracked files, and to headings that exist.
pub fn links(tree: &Tree, outcome: &mut Outcome) {
    for (path, text) in tree.with_extension("md") {
        outcome.look();
        for (line, target) in link_targets(text) {
            if let Some(problem) = problem_of_link(tree, path, &target) {
                outcome.find(path, Some(line), format!("`{target}`: {problem}"));
            }
        }
    }
}

fn features(tree: &Tree, krate: &str) -> Vec<String> {
    let manifest = tree.text(&format!("crates/{krate}/Cargo.toml"));
    let manifest = manifest.and_then(|text| text.parse::<Table>().ok());
    let features = manifest.as_ref().and_then(|it| it.get("features")).and_then(Value::as_table);
    let names = features.into_iter().flatten().map(|(name, _)| name.clone());
    names.filter(|name| name != "default").collect()
}

fn problem_of_link(tree: &Tree, from: &str, target: &str) -> Option<&'static str> {
    // Links elsewhere, and those of rustdoc to items.
    if target.contains("://") || target.starts_with("mailto:") || target.contains("::") {
        return None;
    }
    if target.starts_with('/') {
        return Some("an absolute path");
    }
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() { from.to_owned() } else { beside(from, file)? };
    if path == OUTSIDE {
        return Some("leads out of the repository");
    }
    if !tree.has(&path) {
        return Some("there is no such file");
    }
    let text = tree.text(&path).filter(|_| path.ends_with(".md"))?;
    let found = heading.is_empty() || headings(text, "#").any(|it| slug(it) == heading);
    if found { None } else { Some("there is no such heading") }
}

/// No path from the root looks like this.
const OUTSIDE: &str = "..";

/// `relative`, seen from the file `from`, as a path from the root; [`OUTSIDE`] if it leaves the repository.
fn beside(from: &str, relative: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.is_empty() => return Some(OUTSIDE.to_owned()),
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The lines of a document that are not in a fenced block, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let fence = line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
        fenced ^= fence;
        (!fenced && !fence).then_some((at + 1, line))
    })
}

/// Headings that begin with `mark`, without it.
fn headings<'a>(text: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
    prose(text).filter_map(move |(_, line)| {
        let heading = line.strip_prefix(mark)?;
        Some(heading.trim_start_matches('#').trim())
    })
}

/// The anchor that the usual renderers give a heading.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase()
}

/// `](target)` and `[name]: target`, outside of code.
fn link_targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let line = without_code(line);
        for (at, open) in line.match_indices("](") {
            let rest = line.get(at + open.len()..).unwrap_or("");
            let target = rest.split([')', ' ']).next().unwrap_or("");
            found.push((number, target.trim_matches(['<', '>']).to_owned()));
        }
        if let Some((name, target)) = line.split_once("]: ")
            && name.starts_with('[')
        {
            let target = target.split(' ').next().unwrap_or("");
            found.push((number, target.trim_matches(['<', '>']).to_owned()));
        }
    }
    found.retain(|(_, target)| !target.is_empty());
    found
}

fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}
