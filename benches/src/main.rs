//! Measures this project and its peers side by side in one run:
//! `cargo xtask bench <group> [--json] [--smoke]`.
//!
//! A figure is a line `{"group","case","ours_ns","peer","peer_ns","ratio","unit"}`; where the unit
//! is not `ns`, the two numbers are of that unit. Where there is no peer, its three are null.

mod check;
mod cpu;
mod figure;
mod guard;
mod measured;
mod pipe;
mod token;

use std::process::ExitCode;

use figure::Printer;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let printer = |group| Printer { group, json: has("--json") };
    match arguments.first().map(String::as_str) {
        // The roles that the groups start this program in.
        Some("relay") => pipe::relay(&arguments[1..]),
        Some("first-byte") => pipe::first_byte(),
        Some(check::MEASURE) => check::measure(has("--smoke")),
        Some(token::MEASURE) => token::measure(has("--smoke")),
        Some("check") => check::run(&printer("check"), has("--smoke")),
        Some("guard") => guard::run(&printer("guard"), has("--smoke")),
        Some("token") => token::run(&printer("token"), has("--smoke")),
        other => {
            eprintln!("unknown group {other:?}; known: check, guard, token");
            ExitCode::from(2)
        }
    }
}
