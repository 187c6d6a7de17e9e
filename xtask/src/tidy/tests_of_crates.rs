//! How tests are named and where they live.

use super::rust_text::{code_only, leading_word, line_of};
use super::{Outcome, Tree};
use crate::test::KINDS;

/// A test is ignored only for the reason of a kind, and is named for its kind: so `cargo xtask test` finds it.
pub fn kinds(tree: &Tree, outcome: &mut Outcome) {
    for (path, text) in tree.with_extension("rs") {
        outcome.look();
        let code = code_only(text);
        for (at, _) in code.match_indices("#[ignore") {
            let attribute = text.get(at..).unwrap_or("").split_once(']').map_or("", |(it, _)| it);
            let reason = attribute.split('"').nth(1).unwrap_or("");
            let name =
                code.get(at..).and_then(|rest| rest.split_once("fn ")).map_or("", |(_, it)| it);
            let name = leading_word(name.trim_start());
            let line = Some(line_of(&code, at));
            match KINDS.iter().find(|kind| kind.reason == reason) {
                Some(kind) if name.starts_with(kind.prefix) => {}
                Some(kind) => {
                    outcome.find(path, line, format!("`{name}` must begin with `{}`", kind.prefix));
                }
                None => outcome.find(path, line, format!("`{name}` is ignored for \"{reason}\"")),
            }
        }
    }
}

/// One integration binary per crate, `tests/it/main.rs`: linking is what costs.
pub fn one_binary(tree: &Tree, outcome: &mut Outcome) {
    for krate in tree.crates() {
        outcome.look();
        let folder = format!("crates/{krate}/tests/");
        for (path, _) in tree.files().filter(|(path, _)| path.starts_with(&folder)) {
            let inside = path.strip_prefix(&folder).unwrap_or(path);
            let is_binary = match inside.split_once('/') {
                None => inside.ends_with(".rs"),
                Some((name, file)) => file == "main.rs" && name != "it",
            };
            if is_binary {
                outcome.find(path, None, "make it a module of tests/it/main.rs");
            }
        }
    }
}
