use alloc::string::String;

use crate::glob;

/// A pattern that means whole texts, segment by segment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Glob(String);

impl Glob {
    /// `None` when it is too long, or `**` stands beside other characters of a segment.
    pub(super) fn new(pattern: &str) -> Option<Self> {
        glob::is_pattern(pattern).then(|| Self(pattern.into()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        glob::matches_text(&self.0, text)
    }

    /// Whether the parent's pattern means this one, read as a text in which a wildcard is met only
    /// by one that means at least as much: `a*/**` means `ab?/c*/**/d`.
    ///
    /// Then each text that this pattern means is cut by it into pieces that the parent's means.
    pub(super) fn is_within(&self, parent: &Self) -> bool {
        glob::matches(
            parent.0.split('/'),
            self.0.split('/'),
            |segment| segment == "**",
            |_| true,
            |parent, child| child != "**" && is_segment_within(child, parent),
        )
    }
}

fn is_segment_within(child: &str, parent: &str) -> bool {
    let one = |parent, child| match child {
        '*' => false,
        '?' => parent == '?',
        literal => parent == '?' || parent == literal,
    };
    glob::matches(parent.chars(), child.chars(), |c| c == '*', |_| true, one)
}
