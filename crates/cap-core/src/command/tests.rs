use alloc::string::ToString;

use super::*;

fn vector(elements: &[&str]) -> Vec<String> {
    elements.iter().map(ToString::to_string).collect()
}

fn rules(rules: &[(&str, &[&[&str]])]) -> ArgvRules {
    let patterns = |patterns: &[&[&str]]| {
        patterns.iter().map(|one| ArgvPattern::parse(&vector(one)).unwrap()).collect()
    };
    ArgvRules::new(rules.iter().map(|(name, list)| (name.to_string(), patterns(list)))).unwrap()
}

#[test]
fn what_is_beyond_other_rules_is_named_by_program_and_pattern() {
    let git = rules(&[("git", &[&["status"], &["log", "-*"]])]);
    let none = ArgvRules::default();
    for (a, b, beyond) in [
        (&git, &git, &[][..]),
        (&git, &none, &[r#"git ["log", "-*"]"#]),
        (&none, &git, &[r#"git ["**"]"#]),
        (&git, &rules(&[("git", &[&["*"]])]), &[r#"git ["log", "-*"]"#]),
        (&git, &rules(&[("git", &[])]), &[r#"git ["log", "-*"]"#, r#"git ["status"]"#]),
        (&rules(&[("git", &[])]), &git, &[]),
        (&rules(&[("git", &[])]), &rules(&[("git", &[]), ("ls", &[])]), &[r#"ls ["**"]"#]),
        (&none, &rules(&[("ls", &[&["**"], &["-l"]])]), &[]),
    ] {
        assert_eq!(a.beyond(b), beyond, "{a:?} {b:?}");
        assert_eq!(a.implies(b), beyond.is_empty(), "{a:?} {b:?}");
    }
}

#[test]
fn the_argument_that_is_to_blame_is_the_first_that_no_pattern_gets_past() {
    let git = rules(&[("git", &[&["log", "**"], &["log", "--oneline", "*"], &["**", "-v", "x"]])]);
    for (program, arguments, blamed) in [
        ("ls", &["a", "-l", "b\n"][..], Some("-l")),
        ("ls", &["a", "b\n"], Some("b\n")),
        ("git", &["push"], None),
        ("git", &["--exec"], Some("--exec")),
        ("git", &["log", "a", "b", "--exec"], Some("--exec")),
        ("git", &["log", "--oneline", "a", "b"], Some("b")),
        ("git", &["log", "--oneline", "-a"], Some("-a")),
        ("git", &["a", "b", "-v", "y", "x"], Some("y")),
        // Too few: no argument is to blame.
        ("git", &["log", "--oneline"], None),
        ("git", &[], None),
    ] {
        let arguments = vector(arguments);
        assert!(!git.permits(program, &arguments), "{arguments:?}");
        assert_eq!(git.first_refused(program, &arguments), blamed, "{arguments:?}");
    }
    let again = rules(&[("git", &[&["**", "a", "-x", "y"]])]);
    assert_eq!(again.first_refused("git", &vector(&["a", "-x", "z"])), Some("z"));
    let none = rules(&[("git", &[])]);
    assert_eq!(none.first_refused("git", &vector(&["a", "b"])), Some("a"));
    let long = vector(&["log", "--oneline", &"x".repeat(MAX_ARGV_BYTES)]);
    assert_eq!(git.first_refused("git", &long), None);
}

#[test]
fn what_would_pass_is_described() {
    let many: Vec<[String; 1]> = (0..10).map(|n| [alloc::format!("a{n}")]).collect();
    let many = many.iter().map(|one| ArgvPattern::parse(one).unwrap()).collect();
    let some = [("many".to_string(), many), ("none".to_string(), Vec::new())];
    let some = ArgvRules::new(some).unwrap();
    assert!(some.describe("other").starts_with("any argument that neither begins with `-`"));
    assert_eq!(some.describe("none"), "nothing");
    let many = some.describe("many");
    assert!(many.starts_with("a vector of the form `[\"a0\"]` or `"), "{many}");
    assert!(many.contains("a7") && !many.contains("a8") && many.ends_with("2 more"), "{many}");
    let git = rules(&[("git", &[&["log", "a\u{1b}[2J"]])]);
    assert!(!git.describe("git").contains(char::is_control));
}

#[test]
fn a_variable_has_a_posix_name() {
    let (most, more) = ("A".repeat(256), "A".repeat(257));
    for (text, good) in [
        ("PATH", true),
        ("_", true),
        ("_0", true),
        ("lang", true),
        (most.as_str(), true),
        (more.as_str(), false),
        ("", false),
        ("0A", false),
        ("A-B", false),
        ("A B", false),
        ("A=B", false),
        ("A\0", false),
        ("BASH_FUNC_x%%", false),
        ("É", false),
    ] {
        assert_eq!(is_variable_name(text), good, "{text:?}");
    }
}
