//! The pages of the guide about keys and tokens show what their examples print.
//!
//! A block that begins with the command of an example, and the `text` blocks behind it up to the next
//! such command, are together what the example prints. What stands in a `rust` block stands in one of
//! the page's examples, or in what they share.

#![allow(
    dead_code,
    clippy::duplicate_mod,
    reason = "the examples are programs of their own: their `main` is not called here, and each has \
              its own copy of what they share"
)]

use std::error::Error;
use std::io::Write;

#[path = "../../examples/bridges.rs"]
mod bridges;
#[path = "../../examples/chains.rs"]
mod chains;
#[path = "../../examples/followers.rs"]
mod followers;
#[path = "../../examples/key_sets.rs"]
mod key_sets;
#[path = "../../../cap-crypto/examples/keys.rs"]
mod keys;
#[path = "../../examples/revocation.rs"]
mod revocation;
#[path = "../../../cap-crypto/examples/rotation.rs"]
mod rotation;
#[path = "../../examples/status_list.rs"]
mod status_list;
#[path = "../../examples/tokens.rs"]
mod tokens;
#[path = "../../examples/validation.rs"]
mod validation;

const SHARED: &str = include_str!("../../examples/support/scene.rs");

struct Example {
    command: &'static str,
    source: &'static str,
    run: Run,
}

type Run = fn(&mut dyn Write) -> Result<(), Box<dyn Error>>;

macro_rules! example {
    ($crate_name:literal, $name:ident) => {
        Example {
            command: concat!("$ cargo run -q -p ", $crate_name, " --example ", stringify!($name)),
            source: include_str!(concat!(
                "../../../",
                $crate_name,
                "/examples/",
                stringify!($name),
                ".rs"
            )),
            run: $name::run,
        }
    };
}

#[test]
fn the_page_of_keys_shows_what_its_examples_print() {
    let page = include_str!("../../../../docs/guide/keys.md");
    let examples = [
        example!("cap-crypto", keys),
        example!("cap-crypto", rotation),
        example!("cap-token", key_sets),
    ];
    assert_shows(page, &examples);
}

#[test]
fn the_page_of_tokens_shows_what_its_examples_print() {
    let page = include_str!("../../../../docs/guide/tokens.md");
    assert_shows(page, &[example!("cap-token", tokens), example!("cap-token", validation)]);
}

#[test]
fn the_page_of_revocation_shows_what_its_examples_print() {
    let page = include_str!("../../../../docs/guide/revocation.md");
    let examples = [
        example!("cap-token", revocation),
        example!("cap-token", followers),
        example!("cap-token", status_list),
    ];
    assert_shows(page, &examples);
}

#[test]
fn the_page_of_chains_shows_what_its_examples_print() {
    let page = include_str!("../../../../docs/guide/chains.md");
    assert_shows(page, &[example!("cap-token", chains), example!("cap-token", bridges)]);
}

#[test]
fn a_page_that_says_something_else_is_noticed() {
    let page = "```console\n$ cargo run -q -p cap-token --example tokens\nNothing.\n```\n";
    let transcript = &transcripts(page)[0];
    assert_eq!(transcript.command, example!("cap-token", tokens).command);
    assert_ne!(transcript.output, printed(&example!("cap-token", tokens)));
    assert!(!stands_in("let token = nothing();\n", &[SHARED]));
}

fn assert_shows(page: &str, examples: &[Example]) {
    let transcripts = transcripts(page);
    let shown: Vec<_> = transcripts.iter().map(|it| it.command.as_str()).collect();
    let wanted: Vec<_> = examples.iter().map(|it| it.command).collect();
    assert_eq!(shown, wanted, "the commands of the page");
    for (example, shown) in examples.iter().zip(&transcripts) {
        let printed = printed(example);
        assert_eq!(shown.output, printed, "{} prints:\n{printed}", example.command);
    }
    let sources: Vec<_> = examples.iter().map(|it| it.source).chain([SHARED]).collect();
    let passages: Vec<_> = blocks(page).into_iter().filter(|it| it.language == "rust").collect();
    assert!(!passages.is_empty(), "a page shows how it is done");
    for passage in passages {
        assert!(stands_in(&passage.text, &sources), "in no example:\n{}", passage.text);
    }
}

fn printed(example: &Example) -> String {
    let mut out = Vec::new();
    (example.run)(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Line by line, however deep it is indented.
fn stands_in(passage: &str, sources: &[&str]) -> bool {
    let plain =
        |text: &str| text.lines().map(|line| format!("{}\n", line.trim())).collect::<String>();
    let passage = plain(passage);
    sources.iter().any(|source| plain(source).contains(&passage))
}

struct Transcript {
    command: String,
    output: String,
}

fn transcripts(page: &str) -> Vec<Transcript> {
    let mut found: Vec<Transcript> = Vec::new();
    for block in blocks(page) {
        let (first, rest) = block.text.split_once('\n').unwrap_or_default();
        if block.language == "console" && first.contains(" --example ") {
            found.push(Transcript { command: first.to_owned(), output: rest.to_owned() });
        } else if block.language == "text" {
            found.last_mut().unwrap().output.push_str(&block.text);
        }
    }
    found
}

struct Block {
    language: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), open.as_mut()) {
            (Some(language), None) => {
                open = Some(Block { language: language.to_owned(), text: String::new() });
            }
            (Some(_), Some(_)) => found.extend(open.take()),
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    found
}
