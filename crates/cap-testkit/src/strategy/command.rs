//! Requests to run programs, and what constrains them.

use cap_core::CommandRequest;
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value};

pub(super) const PROGRAMS: [&str; 4] = ["git", "ls", "*", "*"];

/// Names of variables, sometimes none.
pub(super) fn environment() -> impl Strategy<Value = Value> {
    subsequence(vec!["PATH", "LANG", "A", "_x1"], 0..=4).prop_map(Value::from)
}

/// Up to three programs with what their arguments may be.
pub fn command_args() -> impl Strategy<Value = Value> {
    let pattern = prop_oneof![
        1 => vec(element(), 0..=3),
        2 => vec(element(), 1),
        2 => select(vec![
            vec!["**"],
            vec!["**", "--", "**"],
            vec!["log", "--oneline", "*"],
            vec!["log", "**"],
            vec!["-*", "**"],
            vec!["status"],
            vec![],
        ]),
    ];
    let patterns = vec(pattern, 0..=3).prop_map(Value::from);
    vec((select(&["git", "git", "ls", "rm"][..]), patterns), 0..=3).prop_map(|programs| {
        let programs = programs.into_iter().map(|(name, patterns)| (name.to_owned(), patterns));
        Value::Object(programs.collect::<Map<String, Value>>())
    })
}

fn element() -> impl Strategy<Value = &'static str> {
    select(
        &[
            "**",
            "*",
            "*",
            "?",
            "?",
            "?x",
            "??",
            "?*",
            "-*",
            "-?",
            "--*",
            "a*",
            "*b",
            "?b",
            "*-*",
            "a\n*",
            "é?",
            "status",
            "log",
            "--oneline",
            "--",
            "a",
            "",
        ][..],
    )
}

/// A request to run a program; now and then of what is no program.
pub fn command_request() -> impl Strategy<Value = CommandRequest> {
    let program = prop_oneof![
        30 => select(&["git", "git", "git", "ls", "rm", "*"][..]),
        1 => select(&["", "git\n", "g\u{85}t"][..]),
    ];
    let set = prop_oneof![
        3 => Just(Vec::new()),
        2 => vec(select(&["PATH", "LANG", "A", "_x1", "LD_PRELOAD", "A=B", ""][..]), 1..=2),
    ];
    (program, arguments(), set).prop_map(|(program, arguments, environment)| CommandRequest {
        program: program.to_owned(),
        arguments: arguments.into_iter().map(str::to_owned).collect(),
        environment: environment.into_iter().map(str::to_owned).collect(),
    })
}

fn arguments() -> impl Strategy<Value = Vec<&'static str>> {
    let one = || {
        prop_oneof![
            4 => select(&["status", "log", "show", "a", "b", "ab", "", "*", "é", "éa"][..]),
            2 => select(&["-", "--", "-x", "--oneline", "--exec=a", "a-b"][..]),
            1 => select(&["a\n", "a\nb", "\u{7f}", "b\u{85}b", "-\n", "\0", "a\0"][..]),
        ]
    };
    let plain = select(&["status", "log", "show", "a", "ab"][..]);
    prop_oneof![
        2 => vec(plain, 0..=3),
        2 => vec(one(), 1),
        1 => (select(&["x", "a", "-"][..]), weighted(0.5, one()))
            .prop_map(|(last, more)| ["log", "--oneline", last].into_iter().chain(more).collect()),
        2 => vec(one(), 0..=3),
    ]
}
