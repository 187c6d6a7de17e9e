//! Measures this project and its peers side by side in one run:
//! `cargo xtask bench <group> [--json] [--smoke]`.
//!
//! A figure is a line `{"group","case","ours_ns","peer","peer_ns","ratio","unit"}`; where the unit
//! is not `ns`, the two numbers are of that unit.

mod figure;
mod guard;
mod pipe;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    match arguments.first().map(String::as_str) {
        // The roles that the groups start this program in.
        Some("relay") => pipe::relay(&arguments[1..]),
        Some("first-byte") => pipe::first_byte(),
        Some("guard") => guard::run(&figure::Printer { json: has("--json") }, has("--smoke")),
        other => {
            eprintln!("unknown group {other:?}; known: guard");
            ExitCode::from(2)
        }
    }
}
