//! Which argument constraint is at least as narrow as another: every pair of types, the draft's own
//! rules from its text alone (AAT-02 §4.5), and what the peers got wrong.

use std::collections::BTreeSet;

use cap_core::{ArgumentConstraint, ArgumentRules};
use serde_json::{Value, json};

use self::cases::*;
use self::draft::rules;

mod cases;
mod draft;
mod laws;

/// The first nine are the draft's.
const KINDS: [&str; 14] = [
    "exact",
    "range",
    "one_of",
    "not_one_of",
    "contains",
    "subset",
    "wildcard",
    "all",
    "any",
    "path",
    "url",
    "cidr",
    "glob",
    "length",
];

/// Parents are rows, children columns, both in the order of [`KINDS`]: `+` where some pair is
/// permitted, `-` where every pair is refused, whatever it means.
const TABLE: [&str; 14] = [
    "+ - - - - - - - -   - - - - -", // exact
    "+ + - - - - - - -   - - - - -", // range
    "+ - + - - - - - -   - - - - -", // one_of
    "- - - + - - - - -   - - - - -", // not_one_of
    "- - - - + - - - -   - - - - -", // contains
    "- - - - - + - - -   - - - - -", // subset
    "+ + + + + + + + +   + + + + +", // wildcard
    "- - - - - - - + -   - - - - -", // all
    "- - - - - - - - +   - - - - -", // any
    "+ - + - - - - - -   + - - - -", // path
    "+ - + - - - - - -   - + - - -", // url
    "+ - + - - - - - -   - - + - -", // cidr
    "+ - + - - - - - -   - - - + -", // glob
    "+ - + - - - - - -   - - - - +", // length
];

fn kind(constraint: &Value) -> usize {
    let name = constraint["constraint_type"].as_str().unwrap();
    KINDS.iter().position(|kind| *kind == name).unwrap()
}

#[test]
fn every_pair_of_types_is_permitted_or_refused_as_the_table_says() {
    let mut seen = BTreeSet::new();
    let mut marks = String::new();
    for (row, parent) in TABLE.iter().zip(KINDS) {
        let row: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(row.len(), KINDS.len());
        for (mark, child) in row.into_iter().zip(KINDS) {
            seen.insert((parent, child));
            marks += mark;
            for parent in examples(parent) {
                for child in examples(child) {
                    let answer = subsumes(&parent, &child);
                    assert!(mark == "+" || !answer, "{parent} {child}");
                }
            }
        }
    }
    assert_eq!((seen.len(), marks.len()), (196, 196));
    let permitted = |(at, mark): (usize, &str)| at / 14 < 9 && at % 14 < 9 && mark == "+";
    assert_eq!(
        marks.split_terminator("").skip(1).enumerate().filter(|it| permitted(*it)).count(),
        19
    );
    assert_eq!(marks.matches('+').count(), 19 + 5 + 3 * 5, "the draft's, under wildcard, ours");
}

#[test]
fn of_every_pair_that_is_decided_some_are_permitted_and_some_refused() {
    let mut permitted = BTreeSet::new();
    let mut refused = BTreeSet::new();
    for (parent, good, bad) in core_cases().into_iter().chain(extension_cases()) {
        for child in good {
            assert!(subsumes(&parent, &child), "{parent} {child}");
            permitted.insert((kind(&parent), kind(&child)));
        }
        for child in bad {
            assert!(!subsumes(&parent, &child), "{parent} {child}");
            refused.insert((kind(&parent), kind(&child)));
        }
    }
    let wild = KINDS.iter().position(|kind| *kind == "wildcard").unwrap();
    for (parent, row) in TABLE.iter().enumerate() {
        for (child, mark) in row.split_whitespace().enumerate() {
            let pair = (KINDS[parent], KINDS[child]);
            assert_eq!(permitted.contains(&(parent, child)), mark == "+", "{pair:?}");
            if mark == "+" && parent != wild {
                assert!(refused.contains(&(parent, child)), "{pair:?}");
            }
        }
    }
}

#[test]
fn what_means_less_is_refused_where_the_draft_does_not_decide_it() {
    let five = || exact(json!(5));
    let at_least = |min: i32| range(json!({ "min": min }));
    for (parent, child) in [
        (any_of(json!([five()])), five()),
        (any_of(json!([one_of(json!([5, 6]))])), one_of(json!([5]))),
        (any_of(json!([five()])), all(json!([five()]))),
        (all(json!([at_least(0)])), at_least(1)),
        (all(json!([at_least(0)])), five()),
        (five(), all(json!([five()]))),
        (five(), any_of(json!([five()]))),
        (five(), one_of(json!([5]))),
        (five(), range(json!({"min": 5, "max": 5}))),
        (at_least(0), one_of(json!([1, 2]))),
        (at_least(0), length(json!({"min": 1}))),
        (not_one_of(json!([1])), five()),
        (not_one_of(json!([1])), one_of(json!([2]))),
        (not_one_of(json!([1])), at_least(2)),
        (not_one_of(json!([])), wildcard()),
        (contains(json!(["a"])), one_of(json!([["a"]]))),
        (subset(json!(["a"])), one_of(json!([["a"]]))),
        (glob("**"), path(json!(["/"]))),
        (glob("/srv/**"), path(json!(["/srv"]))),
        (path(json!(["/"])), glob("/a")),
        (length(json!({"min": 1})), contains(json!(["a"]))),
        (length(json!({"max": 1})), subset(json!(["a"]))),
    ] {
        assert!(!subsumes(&parent, &child), "{parent} {child}");
    }
}

// What the peers got wrong (one test for each).

#[test]
fn an_empty_all_or_any_does_not_exist_at_any_depth() {
    for empty in [all(json!([])), any_of(json!([]))] {
        for rule in [
            empty.clone(),
            all(json!([empty])),
            any_of(json!([exact(json!(1)), empty])),
            all(json!([any_of(json!([all(json!([empty]))]))])),
        ] {
            assert!(ArgumentConstraint::from_value(&rule).is_err(), "{rule}");
            assert!(ArgumentRules::from_value(&json!({ "p": rule })).is_err());
        }
    }
}

#[test]
fn clauses_of_all_are_not_matched_one_to_one() {
    // A greedy matcher spends `exact 5` on the first clause and finds nothing for the second; one
    // that backtracks tries n! ways.
    let upto = |max: usize| range(json!({ "max": max }));
    let parent = all(json!([range(json!({"max": 9})), range(json!({"max": 5}))]));
    assert!(subsumes(&parent, &all(json!([exact(json!(5)), range(json!({"max": 9}))]))));
    assert!(subsumes(&all(json!([wildcard(), wildcard()])), &all(json!([exact(json!(5))]))));
    let many = |from: usize| all((from..from + 255).map(upto).collect());
    assert!(subsumes(&many(1), &many(1)));
    assert!(subsumes(&many(1), &many(0)));
    assert!(!subsumes(&many(0), &many(1)), "nothing is as tight as `max 0`");
}

#[test]
fn two_deep_trees_are_compared_in_bounded_time() {
    // As wide and as deep as may be: 7 levels of pairs, and the widest two levels.
    let pair = |inner: Value, kind: fn(Value) -> Value| kind(json!([inner, inner]));
    let deep = |leaf: i32| {
        (0..7).fold(exact(json!(leaf)), |inner, at| {
            pair(inner, if at % 2 == 0 { all } else { any_of })
        })
    };
    assert!(ArgumentConstraint::from_value(&deep(1)).is_ok(), "255 constraints");
    assert!(subsumes(&deep(1), &deep(1)) && !subsumes(&deep(1), &deep(2)));
    let wide = |from: i32| any_of((from..from + 255).map(|it| exact(json!(it))).collect());
    assert!(subsumes(&wide(0), &wide(0)) && !subsumes(&wide(0), &wide(1)));
    let too_wide = all(json!([wide(0), wildcard()]));
    assert!(ArgumentConstraint::from_value(&too_wide).is_err(), "257 constraints");
}

#[test]
fn a_wildcard_is_no_child_of_anything_but_a_wildcard() {
    for kind in KINDS.into_iter().filter(|kind| *kind != "wildcard") {
        for parent in examples(kind) {
            assert!(!subsumes(&parent, &wildcard()), "{parent}");
        }
    }
    let typed = any_of(json!([wildcard(), exact(json!(1))]));
    assert!(!subsumes(&typed, &wildcard()), "not even where it would do no harm");
}

#[test]
fn a_typed_constraint_is_not_opened_by_the_star() {
    let parent = rules(json!({"p": exact(json!(1)), "*": wildcard()}));
    let opened = rules(json!({"*": wildcard()}));
    assert!(!opened.is_within(&parent), "`p` would fall under the star");
    let renamed = rules(json!({"q": exact(json!(1)), "*": wildcard()}));
    assert!(!renamed.is_within(&parent));
}

#[test]
fn a_text_is_never_an_expression() {
    // `(parent) && x || y`, alternatives, classes and escapes: here they are characters.
    for pattern in ["a) || (b", "{a,b}", "[a-z]", "a|b", "\\*", "(?i)a", "^.*$", "a\nb", "%2a"] {
        let rule = constraint(&glob(pattern));
        for value in ["a", "b", "z", "A", "|", "aa", "*", "\\x", "\\"] {
            let meant = glob_by_hand(pattern, value);
            assert_eq!(rule.check(&json!(value)), meant, "{pattern} {value}");
        }
    }
    for (parent, child) in
        [("a", "b"), ("a?", "b?"), ("/srv/a", "/srv/b"), ("a*", "b*"), ("a", "?")]
    {
        assert!(!subsumes(&glob(parent), &glob(child)), "{parent} {child}");
        assert!(subsumes(&glob(parent), &glob(parent)), "{parent}");
    }
    assert!(subsumes(&glob("?"), &glob("a")) && subsumes(&glob("a?"), &glob("ab")));
    assert!(!subsumes(&glob("a"), &glob("a|b")) && !subsumes(&glob("a"), &glob("{a,b}")));
    assert!(!subsumes(&glob("[a-z]"), &glob("m")) && !subsumes(&glob("a"), &glob("a) || (*")));
    let injected = exact(json!(r#"a", "constraint_type": "wildcard"#));
    assert!(!constraint(&injected).check(&json!("a")));
}

/// `*` and one literal character around it, as the patterns above have it.
fn glob_by_hand(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        Some((before, after)) => {
            text.len() >= before.len() + after.len()
                && text.starts_with(before)
                && text.ends_with(after)
        }
        None => pattern == text,
    }
}

#[test]
fn there_is_no_not() {
    let inner = json!({"constraint_type": "not", "constraint": exact(json!(1))});
    assert!(ArgumentConstraint::from_value(&inner).is_err());
    // What excludes is narrower the more it excludes; under `any` too.
    let excludes = |values: Value| any_of(json!([not_one_of(values)]));
    assert!(subsumes(&excludes(json!([1])), &excludes(json!([1, 2]))));
    assert!(!subsumes(&excludes(json!([1, 2])), &excludes(json!([1]))));
}

#[test]
fn any_of_a_child_adds_no_alternative() {
    let parent = any_of(json!([exact(json!("pdf")), exact(json!("csv"))]));
    assert!(!subsumes(&parent, &any_of(json!([exact(json!("pdf")), exact(json!("docx"))]))));
    assert!(subsumes(&parent, &any_of(json!([exact(json!("pdf"))]))));
}

#[test]
fn a_url_without_a_scheme_is_no_pattern_and_another_scheme_is_no_child() {
    for pattern in ["a.example/x", "://a.example/x", "//a.example/x", "", "*://a.example"] {
        assert!(ArgumentConstraint::from_value(&url(json!([pattern]))).is_err(), "{pattern}");
    }
    let secure = url(json!(["https://a.example"]));
    for widened in ["http://a.example", "ftp://a.example", "ws://a.example", "http://a.example:443"]
    {
        assert!(!subsumes(&secure, &url(json!([widened]))), "{widened}");
    }
}

#[test]
fn a_glob_is_about_text_and_a_path_about_paths() {
    // A wildcard stays within its segment, means no case, and no path: `..` is text to a glob.
    let folder = constraint(&glob("/srv/*"));
    assert!(folder.check(&json!("/srv/a")) && folder.check(&json!("/srv/..")));
    assert!(!folder.check(&json!("/srv/a/b")) && !folder.check(&json!("/SRV/a")));
    let folder = constraint(&path(json!(["/srv/*"])));
    assert!(folder.check(&json!("/srv/a")) && folder.check(&json!("/srv/./x/../a/")));
    for escape in ["/srv/..", "/srv/a/../..", "/srv/%2e%2e", "/srv/a\0", "srv/a", "/SRV/a"] {
        assert!(!folder.check(&json!(escape)), "{escape}");
    }
    assert!(!subsumes(&path(json!(["/srv"])), &glob("/srv/**")));
}

#[test]
fn true_is_not_one_and_false_is_not_nothing() {
    for (a, b) in [(json!(true), json!(1)), (json!(false), json!(0)), (json!(null), json!(0))] {
        assert!(!subsumes(&exact(a.clone()), &exact(b.clone())));
        assert!(!subsumes(&one_of(json!([a])), &exact(b.clone())));
        assert!(!subsumes(&range(json!({})), &exact(a)) && subsumes(&range(json!({})), &exact(b)));
    }
}
