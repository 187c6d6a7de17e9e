//! Every fuzz target is a body in `cap-testkit`, so that stable can replay it; every body has a target.

use toml::{Table, Value};

use super::rust_text::{code_only, find_words, leading_word};
use super::{Outcome, Tree};

const TARGETS: &str = "fuzz/fuzz_targets/";
const MANIFEST: &str = "fuzz/Cargo.toml";
const BODIES: &str = "crates/cap-testkit/src/fuzz";

pub fn bodies(tree: &Tree, outcome: &mut Outcome) {
    let bodies = bodies_of_the_testkit(tree);
    let registered = registered_targets(tree);
    let mut targets = Vec::new();
    for (path, text) in tree.with_extension("rs") {
        let Some(target) = path.strip_prefix(TARGETS).and_then(|file| file.strip_suffix(".rs"))
        else {
            continue;
        };
        outcome.look();
        targets.push(target);
        let call = format!("cap_testkit::fuzz::{target}(");
        if find_words(&code_only(text), &call).next().is_none() {
            outcome.find(path, None, format!("does not call `{call}data)`"));
        }
        if !bodies.iter().any(|body| body == target) {
            outcome.find(path, None, format!("there is no `cap_testkit::fuzz::{target}`"));
        }
        if !registered.iter().any(|name| name == target) {
            outcome.find(MANIFEST, None, format!("no `[[bin]]` for the target `{target}`"));
        }
    }
    for body in bodies.iter().filter(|body| !targets.contains(&body.as_str())) {
        outcome.find(MANIFEST, None, format!("no target runs `cap_testkit::fuzz::{body}`"));
    }
}

/// Public functions of the module that take bytes, its own or exported from elsewhere.
fn bodies_of_the_testkit(tree: &Tree) -> Vec<String> {
    let mut names = Vec::new();
    for (_, text) in tree.with_extension("rs").filter(|(path, _)| is_of_the_module(path)) {
        let code = code_only(text);
        for at in find_words(&code, "pub fn ") {
            let signature = code.get(at + "pub fn ".len()..).unwrap_or("");
            let signature = signature.split_once('{').map_or(signature, |(it, _)| it);
            if signature.contains("(data: &[u8])") {
                names.push(leading_word(signature).to_owned());
            }
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// `fuzz.rs` and what lies in `fuzz/`.
fn is_of_the_module(path: &str) -> bool {
    path.strip_prefix(BODIES).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

fn registered_targets(tree: &Tree) -> Vec<String> {
    let manifest = tree.text(MANIFEST).and_then(|text| text.parse::<Table>().ok());
    let bins = manifest.as_ref().and_then(|it| it.get("bin")).and_then(Value::as_array);
    let names = bins.into_iter().flatten().filter_map(|bin| bin.get("name")?.as_str());
    names.map(str::to_owned).collect()
}
