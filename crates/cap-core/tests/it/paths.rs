//! Paths and path patterns.

use cap_core::{AbsPath, PathError, PathPattern};
use cap_testkit::naive::pattern_means;
use cap_testkit::strategy::{path, path_pattern};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use crate::support::constrained;

fn abs(text: &str) -> AbsPath {
    AbsPath::parse(text).unwrap()
}

fn pattern(text: &str) -> PathPattern {
    text.parse().unwrap()
}

#[test]
fn a_path_is_resolved_lexically() {
    for (text, wanted) in [
        ("/", "/"),
        ("//", "/"),
        ("/a//b/", "/a/b"),
        ("/a/./b/.", "/a/b"),
        ("/a/../b", "/b"),
        ("/../../a", "/a"),
        ("/a/b/../../..", "/"),
        ("/a/...", "/a/..."),
        ("/a/..b", "/a/..b"),
        ("/a b/ü", "/a b/ü"),
        ("/a\\..\\b", "/a\\..\\b"),
        ("/C:/x", "/C:/x"),
    ] {
        assert_eq!(abs(text).as_str(), wanted, "{text}");
    }
}

#[test]
fn what_is_no_path_is_refused() {
    let long = "a".repeat(256);
    for (text, error) in [
        ("", PathError::Relative),
        ("a", PathError::Relative),
        ("./a", PathError::Relative),
        ("~/a", PathError::Relative),
        ("C:\\a", PathError::Relative),
        ("/a\0b", PathError::Control),
        ("/a\n", PathError::Control),
        ("/a\u{7f}", PathError::Control),
        ("/a\u{85}", PathError::Control),
        ("/a/%2e%2e/b", PathError::Encoded),
        ("/a/%2E", PathError::Encoded),
        ("/a%2fb", PathError::Encoded),
        ("/a%2Fb", PathError::Encoded),
        ("/a%5Cb", PathError::Encoded),
        ("/a%00", PathError::Encoded),
        ("/x/../%2f", PathError::Encoded),
        (&format!("/{long}"), PathError::TooLong),
        (&"/a".repeat(2048), PathError::TooLong),
    ] {
        assert_eq!(AbsPath::parse(text), Err(error), "{text}");
    }
    assert!(AbsPath::parse(&format!("/{}", "a".repeat(255))).is_ok());
    assert!(AbsPath::parse(&format!("/ab{}", "/c".repeat(2046))).is_ok(), "4095 bytes");
    assert!(AbsPath::parse(&"/a".repeat(2047)).is_ok());
    assert!(AbsPath::parse("/100%/%20/%").is_ok());
}

/// A POSIX system takes these for names, so they are names; what would make of them a separator, a
/// parent or an end of the text has to be decoded first and is refused then.
#[test]
fn what_is_only_a_name_to_the_system_is_a_name() {
    for name in [
        // Encoded twice, as `%uXXXX`, overlong: whoever decodes them decodes before he asks.
        "%252e%252e%252f",
        "%25%32%65",
        "%u002e%u2215",
        "%c0%ae%c0%af",
        "%e2%88%95",
        // They look like a slash, a dot, a backslash.
        "\u{ff0f}",
        "\u{2215}",
        "\u{2044}",
        "\u{29f8}",
        "\u{ff0e}\u{ff0e}",
        "\u{2024}\u{2024}",
        "\u{2025}",
        "\u{ff3c}",
        // They are not shown.
        ".\u{200b}.",
        "\u{feff}",
        "\u{202e}txt.exe",
        "a\u{ad}b",
        // Another system takes them for something else.
        "..\\..\\etc",
        "C:\\x",
        "a::$DATA",
        "a.",
        "a ",
        "a. . .",
        ".. ",
        "...",
        "..;",
        "CON",
        "nul.txt",
        "~root",
        "$HOME",
        "*?",
    ] {
        let path = abs("/srv/data").join(name).unwrap();
        assert_eq!(path.segments().collect::<Vec<_>>(), ["srv", "data", name]);
        assert!(path.is_within(&abs("/srv/data")));
        assert!(!abs(&format!("/srv/data{name}")).is_within(&abs("/srv/data")));
    }
}

#[test]
fn letters_are_compared_as_they_are_written() {
    for (a, b) in [("/A", "/a"), ("/\u{e9}", "/e\u{301}"), ("/\u{212a}", "/K"), ("/\u{df}", "/ss")]
    {
        assert!(!abs(a).is_within(&abs(b)) && !pattern(a).matches(&abs(b)), "{a} {b}");
    }
}

#[test]
fn a_relative_path_is_taken_from_its_folder() {
    let base = abs("/srv/data");
    for (text, wanted) in
        [("a", "/srv/data/a"), ("../x", "/srv/x"), ("/etc", "/etc"), (".", "/srv/data")]
    {
        assert_eq!(base.join(text), Ok(abs(wanted)), "{text}");
    }
    assert_eq!(base.join(""), Err(PathError::Empty));
    assert_eq!(base.join(&"a/".repeat(1 << 20)), Err(PathError::TooLong));
    assert_eq!(base.join(&"a/".repeat(2046)), Err(PathError::TooLong));
    assert_eq!(abs("/").join("a"), Ok(abs("/a")));
}

#[test]
fn containment_is_by_segment() {
    let within = |path, folder| abs(path).is_within(&abs(folder));
    assert!(within("/a/b", "/a") && within("/a", "/a") && within("/a", "/") && within("/", "/"));
    assert!(!within("/ab", "/a") && !within("/a", "/a/b") && !within("/", "/a"));
}

#[test]
fn an_extension_follows_the_last_dot_of_a_name() {
    for (text, wanted) in [
        ("/a.txt", Some("txt")),
        ("/a.tar.gz", Some("gz")),
        ("/.profile", None),
        ("/..txt", Some("txt")),
        ("/a.", None),
        ("/a", None),
        ("/a.b/c", None),
        ("/", None),
    ] {
        assert_eq!(abs(text).extension(), wanted, "{text}");
    }
}

#[test]
fn a_pattern_with_wildcards_is_matched_whole_and_by_segment() {
    let cases: [(&str, &[&str], &[&str]); 9] = [
        ("/a", &["/a", "/a/b"], &["/", "/ab"]),
        ("/a/**", &["/a", "/a/b/c"], &["/ab"]),
        ("/a/*", &["/a/b", "/a/.b"], &["/a", "/a/b/c"]),
        ("/a/*/c", &["/a/b/c"], &["/a/c", "/a/b/b/c", "/a/b/c/d"]),
        ("/a/**/c", &["/a/c", "/a/b/c", "/a/c/c"], &["/c", "/a/b/cd", "/a/c/d"]),
        ("/a?/b", &["/ab/b", "/aü/b"], &["/a/b", "/abc/b"]),
        ("/**/*.txt", &["/a.txt", "/b/.txt"], &["/a.txtx", "/a.txt/b"]),
        ("/*a*b*", &["/ab", "/xaxxbx"], &["/ba", "/a/b"]),
        ("/**", &["/", "/a/b"], &[]),
    ];
    for (text, good, bad) in cases {
        for path in good {
            assert!(pattern(text).matches(&abs(path)), "{text} {path}");
        }
        for path in bad {
            assert!(!pattern(text).matches(&abs(path)), "{text} {path}");
        }
    }
}

#[test]
fn a_pattern_that_could_be_tried_in_many_ways_is_decided() {
    let path = |name: &str, times| abs(&format!("/{}", name.repeat(times)));
    let (stars, segments) =
        (format!("/{}b", "a*".repeat(120)), format!("/{}b", "**/a*/".repeat(600)));
    assert!(!pattern(&stars).matches(&path("a", 255)));
    assert!(!pattern(&segments).matches(&path("aa/", 1300)));
    assert!(pattern(&segments).matches(&abs(&format!("/{}b", "aa/".repeat(1300)))));
    assert!(pattern(&stars).matches(&abs(&format!("/{}b", "a".repeat(250)))));
}

#[test]
fn a_subtree_is_meant_by_a_pattern_that_is_open_at_its_end() {
    let cases: [(&str, &[&str], &[&str]); 6] = [
        ("/a", &["/a", "/a/b"], &["/", "/ab"]),
        ("/", &["/", "/a"], &[]),
        ("/a/*", &[], &["/a", "/a/b", "/a/b/c"]),
        ("/a/*/**", &["/a/b", "/a/b/c"], &["/a", "/"]),
        ("/**/b", &[], &["/b", "/a/b", "/"]),
        ("/**/b/**", &["/b", "/a/b", "/a/b/c"], &["/a"]),
    ];
    for (text, good, bad) in cases {
        for path in good {
            assert!(pattern(text).matches_subtree(&abs(path)), "{text} {path}");
        }
        for path in bad {
            assert!(!pattern(text).matches_subtree(&abs(path)), "{text} {path}");
        }
    }
}

#[test]
fn a_pattern_is_written_as_it_is_read() {
    for (text, wanted) in [
        ("/a/", "/a"),
        ("/a/../b", "/b"),
        ("/a/**", "/a"),
        ("/**", "/"),
        ("/*", "/*"),
        ("/a/**/**/b", "/a/**/b"),
        ("/a//*/", "/a/*"),
    ] {
        let read = pattern(text);
        assert_eq!(read.to_string(), wanted);
        assert_eq!(pattern(wanted), read);
    }
}

#[test]
fn what_is_no_pattern_is_refused() {
    for text in
        ["", "a/*", "*", "/a/***", "/a/b**", "/a/../*", "/./*", "/a\0*", "/%2e/*", "/a/**b/c"]
    {
        assert!(text.parse::<PathPattern>().is_err(), "{text}");
    }
    let of_bytes = |bytes: usize| format!("/*{}", "/a".repeat(bytes / 2));
    assert!(format!("{}x", of_bytes(4092)).parse::<PathPattern>().is_ok(), "4095 bytes");
    assert_eq!(of_bytes(4094).parse::<PathPattern>(), Err(PathError::TooLong), "4096 bytes");
    assert_eq!(of_bytes(5000).parse::<PathPattern>(), Err(PathError::TooLong));
}

#[test]
fn a_file_system_is_asked_beneath_every_root_of_the_patterns_that_may_mean_a_path() {
    let paths = json!({"paths": ["/a", "/a/b/*", "/c"], "and": [{"paths": ["/**/x", "/a/b/c"]}]});
    let capability = constrained(paths);
    let roots = |path: &str| {
        let path = abs(path);
        let roots = capability.authority().path_roots(&path);
        roots.map(ToString::to_string).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(roots("/a/b/c").into_iter().collect::<Vec<_>>(), ["/", "/a", "/a/b", "/a/b/c"]);
    assert_eq!(roots("/ab").into_iter().collect::<Vec<_>>(), ["/"]);
}

#[test]
fn a_folder_with_a_wildcard_in_its_name_is_no_pattern() {
    for name in ["/srv/*", "/srv/a?", "/**/x"] {
        assert_eq!(PathPattern::subtree(abs(name)), Err(PathError::Wildcard));
    }
    assert_eq!(PathPattern::subtree(abs("/srv/a")), Ok(pattern("/srv/a")));
}

proptest! {
    #[test]
    fn a_pattern_means_what_the_naive_model_says(text in path_pattern(), paths in vec(path(), 40)) {
        agree(&text, &paths)?;
    }

    #[test]
    fn wildcards_within_a_segment_mean_what_the_naive_model_says(
        glob in vec(select(&["a", "b", "?", "*"][..]), 1..8),
        names in vec(vec(select(&["a", "b"][..]), 1..10), 40),
    ) {
        let text = format!("/{}", glob.concat());
        if let Ok(pattern) = text.parse::<PathPattern>() {
            let paths: Vec<_> = names.iter().map(|name| abs(&format!("/{}", name.concat()))).collect();
            agree(&text, &paths)?;
            prop_assert_eq!(pattern.to_string().parse(), Ok(pattern));
        }
    }

    #[test]
    fn many_wildcards_mean_what_the_naive_model_says(
        glob in vec(select(&["a", "b", "*", "**", "a*"][..]), 1..8),
        paths in vec(vec(select(&["a", "b", "ab"][..]), 0..8), 40),
    ) {
        let paths: Vec<_> = paths.iter().map(|names| abs(&format!("/{}", names.join("/")))).collect();
        agree(&format!("/{}", glob.join("/")), &paths)?;
    }

    #[test]
    fn a_pattern_reads_back_and_orders_by_meaning(
        a in path_pattern(),
        b in path_pattern(),
        paths in vec(path(), 24),
    ) {
        let (a, b) = (pattern(&a), pattern(&b));
        prop_assert_eq!(&pattern(&a.to_string()), &a);
        prop_assert!(a.is_within(&a));
        prop_assert_eq!(a.is_within(&b) && b.is_within(&a), a == b);
        for path in &paths {
            prop_assert!(!a.matches(path) || path.is_within(a.root()));
            prop_assert!(!(a.is_within(&b) && a.matches(path)) || b.matches(path));
            prop_assert!(!(a.is_within(&b) && a.matches_subtree(path)) || b.matches_subtree(path));
        }
    }

    #[test]
    fn a_subtree_is_meant_only_if_everything_in_it_is(
        text in path_pattern(),
        folder in path(),
        below in vec(vec(select(&["a", "b", "c.txt", ".d"][..]), 0..4), 24),
    ) {
        let pattern = pattern(&text);
        if pattern.matches_subtree(&folder) {
            for names in below {
                let path = names.iter().fold(folder.clone(), |path, name| path.join(name).unwrap());
                prop_assert!(pattern.matches(&path), "{} {} {}", text, folder, path);
            }
        } else if pattern.matches(&folder) && !text.ends_with("/*") {
            let odd = folder.join("zzz/zzz/zzz.zzz").unwrap();
            prop_assert!(!pattern.matches(&odd) || text.contains("**/"), "{} {}", text, folder);
        }
    }

    #[test]
    fn any_text_is_a_normal_path_or_none(text in "\\PC{0,30}|(/|\\.\\.|\\.|a|%2|e|\\\\|\u{0}|\\*){0,12}") {
        if let Ok(path) = AbsPath::parse(&text) {
            let shown = path.to_string();
            prop_assert!(shown.starts_with('/') && (shown == "/" || !shown.ends_with('/')));
            prop_assert!(path.segments().all(|name| !["", ".", ".."].contains(&name)));
            prop_assert_eq!(AbsPath::parse(&shown), Ok(path));
        }
        if let Ok(pattern) = text.parse::<PathPattern>() {
            prop_assert_eq!(pattern.to_string().parse(), Ok(pattern));
        }
    }
}

fn agree(text: &str, paths: &[AbsPath]) -> Result<(), TestCaseError> {
    let pattern = pattern(text);
    for path in paths {
        let (ours, model) = (pattern.matches(path), pattern_means(text, path.as_str()));
        prop_assert_eq!(ours, model, "{} {}", text, path);
    }
    Ok(())
}
