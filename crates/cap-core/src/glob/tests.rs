use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::*;

/// What the text says, with every way tried.
fn naive(pattern: &[&str], text: &[&str]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((&"**", rest)) => (0..=text.len()).any(|skipped| naive(rest, &text[skipped..])),
        Some((glob, rest)) => text.split_first().is_some_and(|(segment, more)| {
            let (glob, segment): (Vec<char>, Vec<char>) =
                (glob.chars().collect(), segment.chars().collect());
            naive_segment(&glob, &segment) && naive(rest, more)
        }),
    }
}

fn naive_segment(glob: &[char], segment: &[char]) -> bool {
    match (glob.split_first(), segment.split_first()) {
        (None, _) => segment.is_empty(),
        (Some(('*', rest)), _) => {
            (0..=segment.len()).any(|skipped| naive_segment(rest, &segment[skipped..]))
        }
        (Some(('?', rest)), Some((_, more))) => naive_segment(rest, more),
        (Some((c, rest)), Some((d, more))) => c == d && naive_segment(rest, more),
        (Some(_), None) => false,
    }
}

/// All texts of up to `longest` of these parts, joined.
fn texts<'a>(parts: &[&'a str], longest: usize, joined: &str) -> Vec<String> {
    let mut all = Vec::from([String::new()]);
    let mut last: Vec<Vec<&'a str>> = Vec::from([Vec::new()]);
    for _ in 0..longest {
        let mut longer = Vec::new();
        for text in &last {
            longer.extend(parts.iter().map(|part| [text.as_slice(), &[*part]].concat()));
        }
        last = longer;
        all.extend(last.iter().map(|text| text.join(joined)));
    }
    all
}

fn agree(patterns: &[String], texts: &[String]) -> usize {
    let mut meant = 0;
    for pattern in patterns.iter().filter(|pattern| is_pattern(pattern)) {
        for text in texts {
            let split = |text| str::split(text, '/').collect::<Vec<_>>();
            let wanted = naive(&split(pattern), &split(text));
            assert_eq!(matches_text(pattern, text), wanted, "{pattern:?} {text:?}");
            meant += usize::from(wanted);
        }
    }
    meant
}

#[test]
fn characters_are_matched_as_every_way_tried_would() {
    let patterns = texts(&["a", "b", "?", "*"], 5, "");
    let meant = agree(&patterns, &texts(&["a", "b"], 6, ""));
    assert!(meant > 5_000, "{meant}");
}

#[test]
fn segments_are_matched_as_every_way_tried_would() {
    let patterns = texts(&["", "a", "b*", "*", "**"], 4, "/");
    let meant = agree(&patterns, &texts(&["", "a", "bü"], 5, "/"));
    assert!(meant > 10_000, "{meant}");
}

#[test]
fn a_text_is_cut_at_every_slash() {
    for (pattern, good, bad) in [
        ("", &[""][..], &["a", "/"][..]),
        ("*", &["", "a", "a b\n"], &["/", "a/b"]),
        ("?", &["a", "é", "\u{1f600}", "*"], &["", "ab", "/", "e\u{301}"]),
        ("**", &["", "/", "a//b"], &[]),
        ("a/**", &["a", "a/", "a/b/c"], &["", "b", "ab", "/a"]),
        ("**/a", &["a", "/a", "b/c/a"], &["ba", "a/"]),
        ("a/**/b", &["a/b", "a//b", "a/x/y/b"], &["ab", "a/xb", "a/b/"]),
        ("/a/*.txt", &["/a/x.txt", "/a/.txt"], &["/a/x/y.txt", "a/x.txt", "/a/x.txt\n"]),
    ] {
        assert!(good.iter().all(|text| matches_text(pattern, text)), "{pattern:?}");
        assert!(!bad.iter().any(|text| matches_text(pattern, text)), "{pattern:?}");
    }
}

#[test]
fn two_stars_are_a_whole_segment_of_a_pattern() {
    for (text, good) in [
        ("**", true),
        ("a/**/b", true),
        ("*a*", true),
        ("a**", false),
        ("a/**b/c", false),
        ("***", false),
    ] {
        assert_eq!(is_pattern(text), good, "{text}");
    }
}

#[test]
fn patterns_and_texts_have_a_bound() {
    let (most, more) = ("a".repeat(MAX_GLOB_BYTES), "a".repeat(MAX_GLOB_BYTES + 1));
    assert!(is_pattern(&most) && !is_pattern(&more));
    assert!(matches_text("*", &most) && !matches_text("*", &more));
}

#[test]
fn steps_are_at_most_pattern_times_text() {
    let (pattern, text) = (format!("{}b", "a*".repeat(40)), "a".repeat(400));
    let steps = core::cell::Cell::new(0);
    let one = |c, d| {
        steps.set(steps.get() + 1);
        c == d
    };
    assert!(!matches(pattern.chars(), text.chars(), |c| c == '*', |_| true, one));
    assert!(steps.get() <= pattern.len() * text.len(), "{}", steps.get());
}
