//! What must hold of every path and path pattern that is read.

use cap_core::{AbsPath, PathPattern};

use super::capability::is_tame;
use crate::naive;

/// A path is read when it should be, and is then what the model says that it is.
pub(super) fn is_resolved(text: &str) -> Option<AbsPath> {
    let Ok(path) = AbsPath::parse(text) else {
        let short = text.len() <= 4095 && text.split('/').all(|segment| segment.len() <= 255);
        let plain = text.starts_with('/') && !text.contains(|c: char| c.is_control() || c == '%');
        assert!(!(short && plain), "refused: {text:?}");
        return None;
    };
    assert!(!text.contains(char::is_control), "{text:?}");
    let segments: Vec<&str> = path.segments().collect();
    assert_eq!(segments, naive::path_segments(text), "{text:?}");
    assert_eq!(path.as_str(), format!("/{}", segments.join("/")));
    assert_eq!(AbsPath::parse(path.as_str()).as_ref(), Ok(&path));
    let encoded = ["%2f", "%5c", "%2e", "%00"];
    let lower = path.as_str().to_ascii_lowercase();
    assert!(!encoded.iter().any(|code| lower.contains(code)), "{path}");
    for count in 0..=segments.len() {
        let above = AbsPath::parse(&format!("/{}", segments[..count].join("/"))).unwrap();
        assert!(path.is_within(&above) && (above == path || !above.is_within(&path)));
    }
    Some(path)
}

/// A pattern is written as it is read.
pub(super) fn round_trips(text: &str) -> Option<PathPattern> {
    let pattern: PathPattern = text.parse().ok()?;
    let written = pattern.to_string();
    assert_eq!(written.parse().as_ref(), Ok(&pattern), "{text:?}");
    assert_eq!(written.parse::<PathPattern>().unwrap().to_string(), written);
    assert!(pattern.is_within(&pattern));
    Some(pattern)
}

/// A pattern means what the model says, read from either text; and of a subtree all of it.
pub(super) fn means(text: &str, pattern: &PathPattern, path: &AbsPath) {
    if !is_tame(text) {
        return;
    }
    let meant = naive::pattern_means(text, path.as_str());
    assert_eq!(pattern.matches(path), meant, "{text:?} {path}");
    assert_eq!(naive::pattern_means(&pattern.to_string(), path.as_str()), meant, "{text:?} {path}");
    if meant {
        assert!(path.is_within(pattern.root()), "{text:?} {path}");
    }
    if pattern.matches_subtree(path) {
        for below in ["x", "x/y.txt", "*"] {
            let Ok(below) = path.join(below) else { continue };
            assert!(meant && pattern.matches(&below), "{text:?} {below}");
        }
    }
}

/// What is within means no more.
pub(super) fn is_included(lower: &PathPattern, upper: &PathPattern, path: &AbsPath) {
    if lower.is_within(upper) {
        assert!(!lower.matches(path) || upper.matches(path), "{lower} {upper} {path}");
    }
}
