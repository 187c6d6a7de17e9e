use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::glob;
use crate::limits::{MAX_PATH_BYTES, MAX_SEGMENT_BYTES};

/// An absolute path of a POSIX file system, resolved lexically: it begins with `/` and has no
/// empty, `.` or `..` segment, no NUL, no control character and no percent-encoded separator.
///
/// It says nothing about links; where there is a file system, `cap-fs` does.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AbsPath(Arc<str>);

impl AbsPath {
    /// Resolves `text` lexically. `..` at the root stays at the root (POSIX).
    ///
    /// # Errors
    /// When the text is not absolute, too long, or has a character that no path should have.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if is_plain(text) { Ok(Self(text.into())) } else { Self::resolved(text) }
    }

    fn resolved(text: &str) -> Result<Self, PathError> {
        if text.len() > MAX_PATH_BYTES {
            return Err(PathError::TooLong);
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err(PathError::Relative);
        };
        let mut segments: Vec<&str> = Vec::new();
        for segment in rest.split('/') {
            check_segment(segment)?;
            match segment {
                "" | "." => {}
                ".." => drop(segments.pop()),
                name => segments.push(name),
            }
        }
        Ok(Self::from_segments(&segments))
    }

    /// Resolves `text` against this folder when it is relative.
    ///
    /// # Errors
    /// As [`AbsPath::parse`]; also when the text is empty.
    pub fn join(&self, text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        if text.starts_with('/') {
            return Self::parse(text);
        }
        Self::parse(&alloc::format!("{}/{text}", self.0))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `folder` or lies below it, segment by segment.
    #[must_use]
    pub fn is_within(&self, folder: &Self) -> bool {
        self.below(folder).is_some()
    }

    /// The segments from the root.
    #[must_use]
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        segments(&self.0)
    }

    /// What follows the last dot of the last segment; none for `.profile` and `name.`.
    #[must_use]
    pub fn extension(&self) -> Option<&str> {
        let (_, name) = self.0.rsplit_once('/')?;
        let (stem, extension) = name.rsplit_once('.')?;
        (!stem.is_empty() && !extension.is_empty()).then_some(extension)
    }

    /// What follows `folder` in the path: nothing, or `/` and more.
    fn below(&self, folder: &Self) -> Option<&str> {
        if folder.as_str() == "/" {
            return Some(&self.0);
        }
        let rest = self.0.strip_prefix(folder.as_str())?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)
    }

    fn from_segments(segments: &[&str]) -> Self {
        if segments.is_empty() {
            return Self("/".into());
        }
        let mut path = String::with_capacity(segments.iter().map(|s| s.len() + 1).sum());
        for segment in segments {
            path.push('/');
            path.push_str(segment);
        }
        Self(path.into())
    }
}

impl fmt::Display for AbsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AbsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for AbsPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}

/// Why a text is no path, or no path pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// Nothing between the quotes.
    #[error("the path is empty")]
    Empty,
    /// It does not begin with `/`.
    #[error("an absolute path is wanted (it begins with `/`)")]
    Relative,
    /// Over 4095 bytes, or a segment over 255.
    #[error("the path is longer than 4095 bytes, or a segment of it longer than 255")]
    TooLong,
    /// NUL or another control character.
    #[error("control characters are not allowed in a path")]
    Control,
    /// `%2f`, `%5c`, `%2e` or `%00`: somebody may decode it later.
    #[error("percent-encoded separators, dots and NULs are not allowed in a path")]
    Encoded,
    /// `**` beside other characters, or a wildcard with `..`.
    #[error("`**` must be a whole segment, and a pattern has no `.` or `..` segment")]
    Pattern,
    /// A folder to be taken literally, with `*` or `?` in its name.
    #[error("a folder whose name has `*` or `?` cannot be named literally")]
    Wildcard,
}

fn segments(path: &str) -> impl DoubleEndedIterator<Item = &str> + Clone {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// Whether a look at the bytes alone shows that a path, or the pattern of a subtree, is good and
/// written as it would be written: most are. Of what is not plain, nothing is said.
fn is_plain(text: &str) -> bool {
    if text == "/" {
        return true;
    }
    let mut after_slash = false;
    for byte in text.bytes() {
        match byte {
            // An empty segment, or one that may be `.` or `..`.
            b'/' | b'.' if after_slash => return false,
            // A wildcard, or what may be encoded.
            b'*' | b'?' | b'%' => return false,
            b' '..=b'~' => after_slash = byte == b'/',
            _ => return false,
        }
    }
    // No segment is longer than the text.
    text.starts_with('/') && !after_slash && text.len() <= MAX_SEGMENT_BYTES
}

fn check_segment(segment: &str) -> Result<(), PathError> {
    if segment.len() > MAX_SEGMENT_BYTES {
        return Err(PathError::TooLong);
    }
    if segment.chars().any(char::is_control) {
        return Err(PathError::Control);
    }
    // SECURITY: a later decoder must not find a separator that was not decided on.
    let encoded = |code: &[u8]| {
        matches!(
            code,
            [b'%', b'2', b'f' | b'F' | b'e' | b'E']
                | [b'%', b'5', b'c' | b'C']
                | [b'%', b'0', b'0']
        )
    };
    if segment.as_bytes().windows(3).any(encoded) {
        return Err(PathError::Encoded);
    }
    Ok(())
}

/// Which paths are meant: a path alone means itself and everything below it; with wildcards it is
/// matched whole, segment by segment (`?` one character, `*` any within a segment, `**` any number
/// of segments, none included).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathPattern {
    /// The longest literal beginning.
    root: AbsPath,
    /// The segments after it, the first with a wildcard; none means the whole subtree.
    globs: Vec<String>,
}

impl PathPattern {
    /// Everything at and below `folder`.
    ///
    /// # Errors
    /// When the folder's name has `*` or `?`: the pattern would be read back as another one.
    pub fn subtree(folder: AbsPath) -> Result<Self, PathError> {
        if folder.0.contains(['*', '?']) {
            return Err(PathError::Wildcard);
        }
        Ok(Self { root: folder, globs: Vec::new() })
    }

    /// The folder beneath which everything that matches lies.
    #[must_use]
    pub const fn root(&self) -> &AbsPath {
        &self.root
    }

    /// Whether `path` is meant.
    #[must_use]
    pub fn matches(&self, path: &AbsPath) -> bool {
        let globs = self.globs.iter().map(String::as_str);
        path.below(&self.root).is_some_and(|rest| {
            self.globs.is_empty() || glob::matches_segments(globs, segments(rest))
        })
    }

    /// Whether `path` and everything that could lie below it is meant.
    #[must_use]
    pub fn matches_subtree(&self, path: &AbsPath) -> bool {
        let open_ended = self.globs.last().is_none_or(|last| last == "**");
        open_ended && self.matches(path)
    }

    /// Bytes of its text.
    #[cfg(feature = "serde")]
    pub(crate) fn bytes(&self) -> usize {
        self.root.0.len() + self.globs.iter().map(|glob| glob.len() + 1).sum::<usize>()
    }

    /// Whether everything that `self` means, `other` means too, as far as that is decided
    /// syntactically: equal patterns, and anything rooted in a subtree. It says nothing about
    /// links: where a file system is asked, it is asked beneath each root.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self == other || (other.globs.is_empty() && self.root.is_within(&other.root))
    }

    /// The same, whatever a file system says.
    ///
    /// SECURITY: the root of a pattern is opened with its links followed, so that a root below
    /// another one may lead out of it. Only what is rooted in the same folder is included for sure.
    pub(crate) fn is_surely_within(&self, other: &Self) -> bool {
        self.root == other.root && self.is_within(other)
    }
}

impl FromStr for PathPattern {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        if is_plain(text) {
            return Ok(Self { root: AbsPath(text.into()), globs: Vec::new() });
        }
        Self::resolved(text)
    }
}

impl PathPattern {
    fn resolved(text: &str) -> Result<Self, PathError> {
        let wild = |segment: &&str| segment.contains(['*', '?']);
        if !text.split('/').any(|segment| wild(&segment)) {
            return AbsPath::resolved(text).and_then(Self::subtree);
        }
        if text.len() > MAX_PATH_BYTES {
            return Err(PathError::TooLong);
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err(PathError::Relative);
        };
        let mut globs: Vec<String> = Vec::new();
        let mut literal: Vec<&str> = Vec::new();
        for segment in rest.split('/').filter(|segment| !segment.is_empty()) {
            check_segment(segment)?;
            if matches!(segment, "." | "..") || (segment.contains("**") && segment != "**") {
                return Err(PathError::Pattern);
            }
            match (globs.is_empty(), wild(&segment)) {
                (true, false) => literal.push(segment),
                // `a/**/**/b` means `a/**/b`.
                _ if segment == "**" && globs.last().is_some_and(|last| last == "**") => {}
                _ => globs.push(segment.into()),
            }
        }
        if let [only] = globs.as_slice()
            && only == "**"
        {
            globs.clear();
        }
        Ok(Self { root: AbsPath::from_segments(&literal), globs })
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.globs.is_empty() || self.root.as_str() != "/" {
            f.write_str(&self.root.0)?;
        }
        for glob in &self.globs {
            write!(f, "/{glob}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for AbsPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for PathPattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
crate::id::deserialize_from_str!(AbsPath, PathPattern);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn agree(text: &str) -> bool {
        AbsPath::parse(text) == AbsPath::resolved(text)
            && text.parse::<PathPattern>() == PathPattern::resolved(text)
    }

    #[test]
    fn every_byte_of_ascii_is_read_alike_at_every_place() {
        for byte in 0..=0x7f_u8 {
            let c = char::from(byte);
            for text in [
                alloc::format!("{c}"),
                alloc::format!("{c}/a"),
                alloc::format!("/{c}"),
                alloc::format!("/{c}{c}"),
                alloc::format!("/{c}/a"),
                alloc::format!("/a{c}/b"),
                alloc::format!("/a{c}"),
                alloc::format!("/a{c}2f"),
            ] {
                assert!(agree(&text), "{text:?}");
            }
        }
    }

    #[test]
    fn plain_are_paths_of_every_day_and_no_long_ones() {
        let long = |bytes: usize| alloc::format!("/{}", "a".repeat(bytes));
        for plain in ["/", "/a", "/srv/data/2026", "/home/al ice/x.csv", "/a\\b", &long(254)] {
            assert!(is_plain(plain) && agree(plain), "{plain}");
        }
        for other in ["", "a", "/a/", "//a", "/.a", "/a/..", "/a%20", "/a*", "/é", &long(255)] {
            assert!(!is_plain(other) && agree(other), "{other}");
        }
        assert!(agree(&long(256)) && agree(&"/a".repeat(2048)) && agree(&"/a".repeat(2047)));
    }

    proptest! {
        #[test]
        fn a_plain_text_is_read_as_any_other(text in "[/]{0,1}[/a.*?%25cC0fFeE\\\\ é\u{85}\u{7f}]{0,12}") {
            prop_assert!(agree(&text), "{text:?}");
        }

        #[test]
        fn any_text_is_read_alike(text in "/?.{0,24}") {
            prop_assert!(agree(&text), "{text:?}");
        }
    }
}
