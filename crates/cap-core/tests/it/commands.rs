//! Programs and their arguments.

use std::collections::BTreeMap;

use cap_core::{
    AccessRequest, ArgvPattern, ArgvRules, Capability, CommandRequest, DenyCode, Operation,
    Operations, Resource, ResourceType,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::support::*;

type Texts = Vec<String>;

pub(crate) fn owned(texts: &[&str]) -> Texts {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn pattern(elements: &[&str]) -> ArgvPattern {
    ArgvPattern::parse(&owned(elements)).unwrap()
}

fn rules(rules: Value) -> ArgvRules {
    serde_json::from_value(rules).unwrap()
}

pub(crate) fn run(program: &str, arguments: &[&str]) -> AccessRequest {
    let command = CommandRequest {
        program: program.to_owned(),
        arguments: owned(arguments),
        environment: Vec::new(),
    };
    AccessRequest::new(Resource::Command(command), Operations::NONE.with(Operation::Execute))
}

/// A capability for one program, with these constraints.
pub(crate) fn runs(program: &str, constraints: Value) -> Capability {
    grant(ResourceType::Command, program, constraints)
}

/// From the text of the design alone, with every way tried.
mod naive {
    use super::Texts;

    pub(super) fn is_plain(argument: &str) -> bool {
        !argument.starts_with('-') && argument.chars().all(|c| !c.is_control())
    }

    pub(super) fn matches(pattern: &[String], arguments: &[String]) -> bool {
        let Some((element, rest)) = pattern.split_first() else { return arguments.is_empty() };
        if element == "**" {
            return matches(rest, arguments)
                || (!arguments.is_empty()
                    && is_plain(&arguments[0])
                    && matches(pattern, &arguments[1..]));
        }
        arguments.split_first().is_some_and(|(argument, more)| {
            let hidden_option = element.starts_with(['*', '?']) && argument.starts_with('-');
            !hidden_option && one(element, argument) && matches(rest, more)
        })
    }

    fn one(element: &str, argument: &str) -> bool {
        let mut wanted = element.chars();
        let mut given = argument.chars();
        match wanted.next() {
            None => argument.is_empty(),
            Some('*') => {
                one(wanted.as_str(), argument)
                    || (given.next().is_some_and(|c| !c.is_control())
                        && one(element, given.as_str()))
            }
            Some('?') => {
                given.next().is_some_and(|c| !c.is_control())
                    && one(wanted.as_str(), given.as_str())
            }
            Some(c) => given.next() == Some(c) && one(wanted.as_str(), given.as_str()),
        }
    }

    pub(super) fn permits(patterns: Option<&Vec<Texts>>, arguments: &[String]) -> bool {
        match patterns {
            Some(patterns) => patterns.iter().any(|pattern| matches(pattern, arguments)),
            None => arguments.iter().all(|argument| is_plain(argument)),
        }
    }
}

fn elements() -> impl Strategy<Value = Texts> {
    let part = select(&["a", "b", "-", "*", "?", "\n"][..]);
    let element = prop_oneof![
        4 => vec(part, 0..4).prop_map(|parts| parts.concat()),
        2 => select(&["**", "*", "-*", "-a", "a"][..]).prop_map(str::to_owned),
    ];
    let proper = |element: &String| element == "**" || !element.contains("**");
    vec(element.prop_filter("`**` stands alone", proper), 0..5)
}

fn arguments() -> impl Strategy<Value = Texts> {
    let part = select(&["a", "b", "-", "*", "\n", "é"][..]);
    let argument = prop_oneof![
        2 => vec(part, 0..5).prop_map(|parts| parts.concat()),
        3 => select(&["a", "b", "-a", "ab", ""][..]).prop_map(str::to_owned),
    ];
    vec(argument, 0..5)
}

/// A vector that a pattern may mean: its elements, with something in place of the wildcards.
fn meant_by(elements: &[String], fill: &[&str]) -> Texts {
    let mut fill = fill.iter().copied().cycle();
    let mut next = || fill.next().unwrap();
    let mut arguments = Vec::new();
    for element in elements {
        if element == "**" {
            arguments.extend([next().to_owned(), next().to_owned()]);
            continue;
        }
        let text = element.chars().map(|c| match c {
            '*' => next().to_owned(),
            '?' => next().chars().next().unwrap_or('x').to_string(),
            c => c.to_string(),
        });
        arguments.push(text.collect());
    }
    arguments
}

fn fill() -> impl Strategy<Value = Vec<&'static str>> {
    vec(select(&["a", "b", "", "ab", "-", "\n"][..]), 1..5)
}

fn many_rules() -> impl Strategy<Value = BTreeMap<String, Vec<Texts>>> {
    const FEW: [&[&str]; 7] = [&["**"], &["a"], &["*"], &["-*"], &["a", "**"], &["**", "-a"], &[]];
    let pattern = prop_oneof![1 => elements(), 2 => select(&FEW[..]).prop_map(owned)];
    btree_map(select(&["p", "q", "r"][..]).prop_map(str::to_owned), vec(pattern, 0..4), 0..4)
}

proptest! {
    #[test]
    fn a_pattern_means_what_every_way_tried_would(
        elements in elements(),
        vectors in vec(arguments(), 20),
        fills in vec(fill(), 20),
    ) {
        let pattern = ArgvPattern::parse(&elements).unwrap();
        let likely = fills.iter().map(|fill| meant_by(&elements, fill));
        for arguments in vectors.iter().cloned().chain(likely) {
            let wanted = naive::matches(&elements, &arguments);
            prop_assert_eq!(pattern.matches(&arguments), wanted, "{:?} {:?}", pattern, arguments);
            prop_assert!(!(wanted && pattern.is_plain()) || arguments.iter().all(|one| naive::is_plain(one)));
        }
    }

    #[test]
    fn a_pattern_within_another_means_nothing_more(
        a in elements(),
        b in elements(),
        vectors in vec(arguments(), 20),
        fills in vec(fill(), 20),
    ) {
        let (inner, outer) = (ArgvPattern::parse(&a).unwrap(), ArgvPattern::parse(&b).unwrap());
        prop_assert!(inner.is_within(&inner));
        prop_assert_eq!(inner.is_within(&outer) && outer.is_within(&inner), inner == outer);
        if inner.is_within(&outer) {
            let likely = fills.iter().map(|fill| meant_by(&a, fill));
            for arguments in vectors.iter().cloned().chain(likely) {
                prop_assert!(!inner.matches(&arguments) || outer.matches(&arguments),
                    "{:?} {:?} {:?}", inner, outer, arguments);
            }
        }
    }

    #[test]
    fn a_pattern_whose_wildcards_are_filled_is_within_what_it_was(a in elements(), fill in fill()) {
        let outer = ArgvPattern::parse(&a).unwrap();
        let filled = meant_by(&a, &fill);
        let inner = ArgvPattern::parse(&filled);
        if let Ok(inner) = inner && filled.iter().all(|one| !one.contains(['*', '?'])) {
            prop_assert_eq!(inner.is_within(&outer), naive::matches(&a, &filled), "{:?} {:?}", inner, outer);
        }
    }

    #[test]
    fn rules_permit_what_the_text_says_and_imply_nothing_that_they_do_not(
        a in many_rules(),
        b in many_rules(),
        vectors in vec(arguments(), 20),
        fills in vec(fill(), 4),
    ) {
        let (ours, theirs) = (rules(json!(a)), rules(json!(b)));
        let likely = a.values().chain(b.values()).flatten();
        let likely = likely.flat_map(|one| fills.iter().map(|fill| meant_by(one, fill)));
        let implies = ours.implies(&theirs);
        for arguments in vectors.iter().cloned().chain(likely) {
            for program in ["p", "q", "r", "s"] {
                let permitted = naive::permits(a.get(program), &arguments);
                prop_assert_eq!(ours.permits(program, &arguments), permitted, "{} {:?}", program, arguments);
                prop_assert!(!(implies && permitted) || theirs.permits(program, &arguments),
                    "{:?} {:?} {} {:?}", ours, theirs, program, arguments);
            }
        }
        prop_assert!(ours.implies(&ours));
        prop_assert_eq!(implies && theirs.implies(&ours), ours == theirs, "{:?} {:?}", ours, theirs);
    }

    #[test]
    fn rules_are_written_as_they_are_read(a in many_rules()) {
        let read = rules(json!(a));
        let written = serde_json::to_value(&read).unwrap();
        prop_assert_eq!(rules(written), read.clone());
        let patterns = |list: &Vec<Texts>| list.iter().map(|one| ArgvPattern::parse(one).unwrap()).collect();
        let made = ArgvRules::new(a.iter().map(|(name, list)| (name.clone(), patterns(list))));
        prop_assert_eq!(made, Ok(read));
    }
}

#[test]
fn a_pattern_means_a_vector_element_by_element() {
    type Vectors = &'static [&'static [&'static str]];
    let cases: [(&[&str], Vectors, Vectors); 13] = [
        (&[], &[&[]], &[&[""], &["a"]]),
        (&[""], &[&[""]], &[&[], &["a"]]),
        (&["status"], &[&["status"]], &[&[], &["Status"], &["status", "a"], &["status "]]),
        (
            &["*"],
            &[&[""], &["a"], &["a b;c"], &["*"], &["a-b"]],
            &[&[], &["a", "b"], &["-a"], &["-"]],
        ),
        (&["?"], &[&["a"], &["é"], &["?"]], &[&[""], &["ab"], &["-"], &["\t"]]),
        (&["a*"], &[&["a"], &["a-"], &["a=--b"]], &[&["ba"], &["-a"], &["a\n"]]),
        (&["*-x"], &[&["a-x"]], &[&["-x"], &["--x"], &["-x-x"]]),
        (&["-*"], &[&["-"], &["-a"], &["--a=b c"]], &[&["a"], &["-\n"], &[""], &["\u{2212}a"]]),
        (&["--depth=?"], &[&["--depth=1"]], &[&["--depth=10"], &["--depth=\u{7f}"]]),
        (&["**"], &[&[], &["a"], &["a", "", "*"]], &[&["-a"], &["a", "-"], &["a\0"], &["a\nb"]]),
        (
            &["log", "--oneline", "**"],
            &[&["log", "--oneline"], &["log", "--oneline", "a", "b"]],
            &[&["log"], &["log", "a", "--oneline"], &["log", "--oneline", "-p"]],
        ),
        (
            &["**", "-v", "**"],
            &[&["-v"], &["a", "-v", "b", "c"]],
            &[&["a"], &["-v", "-v"], &["a", "-v", "-x"], &["-x", "-v"]],
        ),
        (&["a\n*"], &[&["a\nb"], &["a\n"]], &[&["ab"], &["a\n\n"], &["a\r\n"]]),
    ];
    for (elements, good, bad) in cases {
        let pattern = pattern(elements);
        for arguments in good {
            assert!(pattern.matches(&owned(arguments)), "{pattern} {arguments:?}");
        }
        for arguments in bad {
            assert!(!pattern.matches(&owned(arguments)), "{pattern} {arguments:?}");
        }
    }
}

#[test]
fn no_wildcard_means_a_control_character() {
    for c in (0..=0x9f).filter_map(char::from_u32).filter(|c| c.is_control()) {
        for text in [format!("a{c}b"), format!("{c}"), format!("-{c}"), format!("a{c}")] {
            for elements in [&["*"][..], &["**"], &["a*"], &["-*"], &["?"], &["a?b"], &["a*b"]] {
                assert!(!pattern(elements).matches(std::slice::from_ref(&text)), "{text:?}");
            }
            assert!(!ArgvRules::default().permits("p", std::slice::from_ref(&text)), "{text:?}");
            let spelled = ArgvPattern::parse(std::slice::from_ref(&text));
            assert_eq!(
                spelled.is_ok_and(|one| one.matches(std::slice::from_ref(&text))),
                c != '\0',
                "{text:?}"
            );
        }
    }
}

#[test]
fn patterns_are_compared_by_what_they_mean() {
    let cases: [(&[&str], &[&str], bool); 24] = [
        (&["a"], &["*"], true),
        (&["*"], &["a"], false),
        (&["a"], &["?"], true),
        (&["?"], &["*"], true),
        (&["*"], &["?"], false),
        (&["a*b"], &["a*"], true),
        (&["a*"], &["a*b"], false),
        (&["?*"], &["*?"], false),
        (&["*a*"], &["*"], true),
        (&["-a"], &["*"], false),
        (&["-a"], &["-*"], true),
        (&["-a"], &["**"], false),
        (&["a", "b"], &["**"], true),
        (&[], &["**"], true),
        (&["*", "**"], &["**"], true),
        (&["**"], &["*"], false),
        (&["**"], &["*", "**"], false),
        (&["a\nb"], &["a*"], false),
        (&["a\n*"], &["a\n*"], true),
        (&["log", "-p", "a", "b"], &["log", "-p", "**"], true),
        (&["log", "**", "-p", "**"], &["log", "**", "-?", "**"], true),
        (&["log", "-p"], &["log", "**"], false),
        (&["a", "**", "b"], &["**", "b"], true),
        (&["**", "b"], &["a", "**", "b"], false),
    ];
    for (inner, outer, within) in cases {
        assert_eq!(pattern(inner).is_within(&pattern(outer)), within, "{inner:?} {outer:?}");
    }
}

#[test]
fn a_program_that_is_not_named_takes_plain_arguments_only() {
    let none = ArgvRules::default();
    for good in [&[][..], &[""], &["a", "b c", "*", "a-b", "$(x)", "a;b", "\u{2013}a", "é\u{200b}"]]
    {
        assert!(none.permits("ls", &owned(good)), "{good:?}");
    }
    for bad in [&["-"][..], &["-a"], &["a", "--"], &["a\n"], &["\0"], &["a\u{1b}[2J"], &["\u{85}"]]
    {
        assert!(!none.permits("ls", &owned(bad)), "{bad:?}");
    }
    // Exactly as in the call.
    let git = rules(json!({"git": [["-v"]]}));
    assert!(git.permits("git", &owned(&["-v"])) && !git.permits("git", &owned(&["a"])));
    for other in ["Git", "/usr/bin/git", "git ", "git.exe", ""] {
        assert!(!git.permits(other, &owned(&["-v"])), "{other}");
        assert!(git.permits(other, &owned(&["a"])), "{other}");
    }
}

#[test]
fn a_program_that_is_named_without_a_pattern_takes_no_call() {
    let git = rules(json!({"git": []}));
    assert!(!git.permits("git", &[]) && !git.permits("git", &owned(&["a"])));
    assert_eq!(serde_json::to_value(&git).unwrap(), json!({"git": []}));
    let bare = rules(json!({"git": [[]]}));
    assert!(bare.permits("git", &[]) && !bare.permits("git", &owned(&[""])));
}

#[test]
fn rules_that_mean_the_same_are_equal() {
    for (a, b) in [
        (json!({"git": [["**"]]}), json!({})),
        (json!({"git": [["**"], ["a"], ["*", "b"]]}), json!({})),
        (json!({"git": [["b"], ["a"], ["a"]]}), json!({"git": [["a"], ["b"]]})),
        (json!({"git": [["a"], ["?"], ["*"]]}), json!({"git": [["*"]]})),
        (json!({"git": [["**", "**", "-a", "**"]]}), json!({"git": [["**", "-a", "**"]]})),
    ] {
        assert_eq!(rules(a.clone()), rules(b.clone()), "{a} {b}");
    }
    for (a, b) in [
        (json!({"git": []}), json!({})),
        (json!({"git": [["**"], ["-a"]]}), json!({})),
        (json!({"git": [["*"]]}), json!({"git": [["**"]]})),
    ] {
        assert_ne!(rules(a.clone()), rules(b.clone()), "{a} {b}");
    }
}

#[test]
fn what_are_no_rules_is_refused_when_it_is_read() {
    let element = |text: &str| format!(r#"{{"git":[["{text}"]]}}"#);
    let repeated = |one: &str, times: usize| vec![one; times].join(",");
    let programs = (0..257).map(|n| format!(r#""p{n}":[]"#)).collect::<Texts>().join(",");
    for (text, words) in [
        ("[]".to_owned(), "invalid type"),
        ("null".to_owned(), "invalid type"),
        (r#"["git"]"#.to_owned(), "invalid type"),
        (r#"{"git":null}"#.to_owned(), "invalid type"),
        (r#"{"git":"status"}"#.to_owned(), "invalid type"),
        (r#"{"git":["status"]}"#.to_owned(), "invalid type"),
        (r#"{"git":[[1]]}"#.to_owned(), "invalid type"),
        (r#"{"git":[[null]]}"#.to_owned(), "invalid type"),
        (r#"{"git":[{"a":1}]}"#.to_owned(), "invalid type"),
        (r#"{"git":[],"git":[]}"#.to_owned(), "duplicate member `git`"),
        (r#"{"":[]}"#.to_owned(), "a program is a name or a path"),
        (r#"{"*":[]}"#.to_owned(), "`*`: a program is a name or a path"),
        (r#"{" git":[]}"#.to_owned(), "a program is a name or a path"),
        (r#"{"g\nit":[]}"#.to_owned(), "a program is a name or a path"),
        (format!(r#"{{"{}":[]}}"#, "g".repeat(257)), "a program is a name or a path"),
        (element("a\\u0000b"), "no argument can have a NUL"),
        (element("a**"), "`a**`: `**` must be a whole element"),
        (element("***"), "`**` must be a whole element"),
        (element(&"a".repeat(2048)), "more than 64 elements or 2 KiB"),
        (format!(r#"{{"git":[[{}]]}}"#, repeated(r#""a""#, 65)), "more than 64 elements or 2 KiB"),
        (format!(r#"{{"git":[{}]}}"#, repeated("[]", 257)), "`git`: more than 256 patterns"),
        (
            format!(r#"{{"git":[{}]}}"#, repeated(&format!(r#"["{}"]"#, "a".repeat(1024)), 2)),
            "2 KiB",
        ),
        (format!("{{{programs}}}"), "more than 256 programs"),
    ] {
        let error = serde_json::from_str::<ArgvRules>(&text).unwrap_err().to_string();
        assert!(error.contains(words), "{text:.60}: {error}");
    }
    for text in [
        element(&"a".repeat(2047)),
        format!(r#"{{"git":[[{}]]}}"#, repeated(r#""a""#, 64)),
        format!(r#"{{"git":[{}]}}"#, repeated(r#"["a"]"#, 256)),
        format!("{{{}}}", programs.replace(r#","p256":[]"#, "")),
    ] {
        assert!(serde_json::from_str::<ArgvRules>(&text).is_ok(), "{text:.60}");
    }
    let twice = || ("git".to_owned(), Vec::new());
    let error = ArgvRules::new([twice(), twice()]).unwrap_err();
    assert_eq!((error.field(), error.to_string().contains("stands once")), ("command_args", true));
}

#[test]
fn a_vector_that_no_system_would_pass_is_meant_by_no_pattern() {
    let echo = rules(json!({"echo": [["*"], ["**"]]}));
    let one = |bytes: usize| ["x".repeat(bytes)];
    assert!(echo.permits("echo", &one(32 * 1024 - 1)));
    let rules = rules(json!({"echo": [["x*"], ["x*", "**"]]}));
    assert!(rules.permits("echo", &one(32 * 1024 - 1)));
    assert!(!rules.permits("echo", &one(32 * 1024)));
    assert!(!rules.permits("echo", &vec![String::from("x"); 16 * 1024 + 1]));
    assert!(rules.permits("echo", &vec![String::from("x"); 16 * 1024]));
}

#[test]
fn a_capability_for_programs_permits_plain_arguments_unless_others_are_granted() {
    let refused = |capability: &Capability, request: &AccessRequest, words: &[&str]| {
        let code = DenyCode::CommandArgumentRefused;
        assert_refused(capability, request, code, "command_args", words);
    };
    let git = runs("git", json!({}));
    assert!(permits(&git, &run("git", &["status", "a b"])));
    refused(
        &git,
        &run("git", &["log", "--output=x"]),
        &["`--output=x`", "neither begins with `-`"],
    );
    refused(&git, &run("git", &["a\nb"]), &["neither begins with `-`"]);

    let log = runs("git", json!({"command_args": {"git": [["log", "-*", "**"], ["status"]]}}));
    assert!(permits(&log, &run("git", &["log", "-p", "a"])));
    assert!(permits(&log, &run("git", &["status"])));
    refused(&log, &run("git", &["push"]), &["`push`", r#"["log", "-*", "**"]"#]);
    refused(&log, &run("git", &["log", "a"]), &["`a`"]);
    refused(&log, &run("git", &["log", "-p", "-c"]), &["`-c`"]);

    let nothing = runs("git", json!({"command_args": {"git": []}}));
    refused(&nothing, &run("git", &["status"]), &["nothing would pass"]);
}
