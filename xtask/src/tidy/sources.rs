//! What Rust source must not hold.

use super::rust_text::{code_only, find_starts, find_words, line_of, product_lines};
use super::{Outcome, Tree};
use crate::layers::UNSAFE_CRATE;

/// The longest file, without its tests.
const MAX_LINES: usize = 500;

/// In code, and why not.
const FORBIDDEN_CODE: [(&str, &str); 3] = [
    ("fn get_", "a getter is named for what it returns"),
    ("todo!", "unfinished"),
    ("unimplemented!", "unfinished"),
];

/// In comments. In parts, so that this file does not hold them.
const FORBIDDEN_MARKS: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

/// Files under 500 lines without tests.
pub fn file_length(tree: &Tree, outcome: &mut Outcome) {
    for (path, text) in tree.with_extension("rs").filter(|(path, _)| !holds_tests(path)) {
        outcome.look();
        let lines = product_lines(text);
        if lines >= MAX_LINES {
            outcome.find(
                path,
                None,
                format!("{lines} lines without tests; the limit is {MAX_LINES}"),
            );
        }
    }
}

/// `foo.rs` and `foo/`, no `mod.rs`.
pub fn no_mod_rs(tree: &Tree, outcome: &mut Outcome) {
    for (path, _) in tree.with_extension("rs") {
        outcome.look();
        if path.ends_with("/mod.rs") {
            outcome.find(path, None, "name the file after its module");
        }
    }
}

/// Names and macros that do not belong into a finished program.
pub fn forbidden_code(tree: &Tree, outcome: &mut Outcome) {
    for (path, text) in tree.with_extension("rs") {
        outcome.look();
        let code = code_only(text);
        for (word, why) in FORBIDDEN_CODE {
            for at in find_starts(&code, word) {
                outcome.find(path, Some(line_of(&code, at)), format!("`{word}`: {why}"));
            }
        }
        for mark in FORBIDDEN_MARKS {
            for at in find_words(text, mark) {
                outcome.find(
                    path,
                    Some(line_of(text, at)),
                    format!("`{mark}`: do it, or open an issue"),
                );
            }
        }
    }
}

/// A lint is switched off with a reason.
pub fn allow_with_reason(tree: &Tree, outcome: &mut Outcome) {
    for (path, text) in tree.with_extension("rs") {
        outcome.look();
        let code = code_only(text);
        for (at, attribute) in attributes(&code) {
            let relaxes =
                ["allow(", "expect("].iter().any(|it| find_words(attribute, it).next().is_some());
            if relaxes && find_words(attribute, "reason").next().is_none() {
                outcome.find(
                    path,
                    Some(line_of(&code, at)),
                    "a lint is switched off without `reason = …`",
                );
            }
        }
    }
}

/// No `unsafe` outside the one crate that may need it.
pub fn no_unsafe(tree: &Tree, outcome: &mut Outcome) {
    let exempt = format!("crates/{UNSAFE_CRATE}/");
    for (path, text) in tree.with_extension("rs").filter(|(path, _)| !path.starts_with(&exempt)) {
        outcome.look();
        let code = code_only(text);
        for at in find_words(&code, "unsafe") {
            outcome.find(path, Some(line_of(&code, at)), "`unsafe`");
        }
    }
}

fn holds_tests(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.split('/').any(|part| part == "tests")
}

/// Every attribute: where it begins, and the code between its brackets.
fn attributes(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices('#') {
        let rest = code.get(at + 1..).unwrap_or("");
        let rest = rest.strip_prefix('!').unwrap_or(rest);
        if let Some(body) = rest.strip_prefix('[') {
            found.push((at, up_to_closing_bracket(body)));
        }
    }
    found
}

fn up_to_closing_bracket(body: &str) -> &str {
    let mut depth = 0_usize;
    for (at, c) in body.char_indices() {
        match c {
            '[' => depth += 1,
            ']' if depth == 0 => return body.get(..at).unwrap_or(body),
            ']' => depth -= 1,
            _ => {}
        }
    }
    body
}
