//! Paths and path patterns, and texts in segments like paths.

/// Whether `pattern` means `path`: without wildcards, the path and everything below it; with them,
/// the whole path, segment by segment.
pub(super) fn means(pattern: &str, path: &str) -> bool {
    let (pattern, path) = (names(pattern), names(path));
    if pattern.iter().any(|name| is_wild(name)) {
        segments_match(&pattern, &path)
    } else {
        path.len() >= pattern.len() && path[..pattern.len()] == pattern[..]
    }
}

/// Whether a pattern means the whole of a text, both as they are.
pub(super) fn means_text(pattern: &str, text: &str) -> bool {
    let segments = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
    segments_match(&segments(pattern), &segments(text))
}

/// The longest beginning of `pattern` without a wildcard.
pub(super) fn root(pattern: &str) -> Vec<String> {
    names(pattern).into_iter().take_while(|name| !is_wild(name)).collect()
}

/// The segments of a path, `.` and `..` resolved.
pub(super) fn names(path: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name.to_owned()),
        }
    }
    names
}

fn is_wild(name: &str) -> bool {
    name.contains('*') || name.contains('?')
}

fn segments_match(pattern: &[String], path: &[String]) -> bool {
    match pattern.split_first() {
        None => path.is_empty(),
        Some((first, rest)) if first == "**" => {
            (0..=path.len()).any(|skipped| segments_match(rest, &path[skipped..]))
        }
        Some((first, rest)) => path.split_first().is_some_and(|(name, more)| {
            let (first, name): (Vec<char>, Vec<char>) =
                (first.chars().collect(), name.chars().collect());
            characters_match(&first, &name) && segments_match(rest, more)
        }),
    }
}

fn characters_match(pattern: &[char], name: &[char]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some(('*', rest)) => {
            (0..=name.len()).any(|skipped| characters_match(rest, &name[skipped..]))
        }
        Some((first, rest)) => name
            .split_first()
            .is_some_and(|(c, more)| (*first == '?' || first == c) && characters_match(rest, more)),
    }
}
