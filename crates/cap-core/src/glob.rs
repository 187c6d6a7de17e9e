//! The one matcher of wildcard text: without an allocation, and in no more steps than pattern
//! times text.

use crate::limits::MAX_GLOB_BYTES;

/// Whether `pattern` is one: `**` only as a whole segment, and no longer than the texts that it is
/// asked about.
pub(crate) fn is_pattern(pattern: &str) -> bool {
    let proper = |segment: &str| segment == "**" || !segment.contains("**");
    pattern.len() <= MAX_GLOB_BYTES && pattern.split('/').all(proper)
}

/// Whether `pattern` means the whole of `text`, both cut at every `/`: `?` is one character, `*`
/// any run of them within a segment, `**` as a whole segment any number of segments, none included.
/// A text of over [`MAX_GLOB_BYTES`] is never meant.
pub(crate) fn matches_text(pattern: &str, text: &str) -> bool {
    text.len() <= MAX_GLOB_BYTES && matches_segments(pattern.split('/'), text.split('/'))
}

/// The same of segments.
pub(crate) fn matches_segments<'a, 'b>(
    globs: impl Iterator<Item = &'a str> + Clone,
    segments: impl Iterator<Item = &'b str> + Clone,
) -> bool {
    matches(globs, segments, |glob| glob == "**", |_| true, matches_segment)
}

fn matches_segment(glob: &str, segment: &str) -> bool {
    matches(glob.chars(), segment.chars(), |c| c == '*', |_| true, |c, d| c == '?' || c == d)
}

/// The greedy wildcard match: items of the pattern that are a run (`is_run`) stand for any number
/// of items of the text, as long as each may lie in a run (`in_run`); the others for one (`one`).
///
/// There is one point to return to, the last run, hence at most pattern × text steps.
///
/// INVARIANT: what is not `in_run` is only ever meant by items that mean nothing that is `in_run`.
/// Then the earliest match between two runs is as good as any later one: a later one could not
/// have stepped over anything that the second run must not contain.
pub(crate) fn matches<P, T>(
    mut pattern: P,
    mut text: T,
    is_run: impl Fn(P::Item) -> bool,
    in_run: impl Fn(T::Item) -> bool,
    one: impl Fn(P::Item, T::Item) -> bool,
) -> bool
where
    P: Iterator<Item: Copy> + Clone,
    T: Iterator<Item: Copy> + Clone,
{
    let mut retry: Option<(P, T)> = None;
    loop {
        let mut later = text.clone();
        let Some(item) = later.next() else {
            return pattern.all(is_run);
        };
        let mut after = pattern.clone();
        match after.next() {
            Some(glob) if is_run(glob) => {
                retry = Some((after.clone(), text.clone()));
                pattern = after;
            }
            Some(glob) if one(glob, item) => (pattern, text) = (after, later),
            _ => {
                let Some((behind, from)) = &mut retry else {
                    return false;
                };
                if !from.next().is_some_and(&in_run) {
                    return false;
                }
                (pattern, text) = (behind.clone(), from.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests;
