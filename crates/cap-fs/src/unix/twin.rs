//! Names that are equal when Unicode is normalised.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use rustix::io::{Errno, Result};
use unicode_normalization::UnicodeNormalization;

use super::object::{self, Handle};

/// Entries of a directory that are looked at; a larger one is not decided on.
pub(super) const MAX_ENTRIES: usize = 100_000;

/// Whether `name`, which `dir` does not have, is another spelling of a name that it has.
///
/// SECURITY: servers look for such a name where the one that was asked for is missing
/// (server-filesystem 2026.8.31 does), and follow it if it is a link.
pub(super) fn has_twin(dir: &Handle, name: &OsStr) -> Result<bool> {
    let Some(name) = name.to_str() else { return Ok(false) };
    if has_one_spelling(name.as_bytes()) {
        return Ok(false);
    }
    let entries = match object::entries(dir) {
        Ok(entries) => entries,
        // Nobody of our user can look for another spelling either.
        Err(Errno::ACCESS) => return Ok(false),
        Err(errno) => return Err(errno),
    };
    for (count, entry) in entries.enumerate() {
        if count >= MAX_ENTRIES {
            return Err(Errno::NAMETOOLONG);
        }
        let entry = entry?;
        let entry = OsStr::from_bytes(entry.file_name().to_bytes());
        // Two names of ASCII are equal or not.
        let differs = !(name.is_ascii() && entry.is_ascii());
        if differs && entry.to_str().is_some_and(|entry| entry.nfc().eq(name.nfc())) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether no other sequence of characters has the normal form of `name`.
///
/// Of all characters only three that are not ASCII are normalised to ASCII: the Kelvin sign to `K`,
/// the Greek question mark to `;` and the Greek varia to a backtick.
pub(super) fn has_one_spelling(name: &[u8]) -> bool {
    name.is_ascii() && !name.iter().any(|byte| b"K;`".contains(byte))
}

/// Whether two names could be one on a file system that ignores case, normal form, or dots and
/// spaces at the end.
pub(super) fn may_be_one(one: &OsStr, other: &OsStr) -> bool {
    match (one.to_str(), other.to_str()) {
        (Some(one), Some(other)) => folded(one).eq(folded(other)),
        _ => one == other,
    }
}

fn folded(name: &str) -> impl Iterator<Item = char> {
    let name = name.trim_end_matches(['.', ' ']);
    // There and back, as several letters may share one of the other case.
    let lower = name.nfd().flat_map(char::to_lowercase);
    lower.flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfd()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_characters_are_normalised_to_ascii() {
        let to_ascii: Vec<_> = ('\u{80}'..=char::MAX)
            .filter_map(|from| {
                let text = from.to_string();
                let normal: String = text.nfc().collect();
                assert_eq!(normal.is_ascii(), text.nfd().all(|to| to.is_ascii()));
                normal.is_ascii().then_some((from, normal))
            })
            .collect();
        let known = [('\u{37e}', ";"), ('\u{1fef}', "`"), ('\u{212a}', "K")];
        assert_eq!(to_ascii, known.map(|(from, to)| (from, to.to_owned())));
        assert!(
            ["readme.md", "k", "a b", "~x", "1"].iter().all(|it| has_one_spelling(it.as_bytes()))
        );
        assert!(!["K", "a;b", "`", "\u{e9}"].iter().any(|it| has_one_spelling(it.as_bytes())));
    }

    #[test]
    fn names_that_a_file_system_may_take_for_one_are_one() {
        let one = |one: &str, other: &str| may_be_one(OsStr::new(one), OsStr::new(other));
        for (left, right) in [
            ("policy.toml", "policy.toml"),
            ("policy.toml", "POLICY.TOML"),
            ("policy.toml", "Policy.toml. "),
            ("stra\u{df}e", "STRASSE"),
            ("STRA\u{1e9e}E", "stra\u{df}e"),
            ("k", "\u{212a}"),
            ("s", "\u{17f}"),
            ("caf\u{e9}", "CAFE\u{301}"),
            ("\u{3c3}", "\u{3c2}"),
        ] {
            assert!(one(left, right) && one(right, left), "{left} {right}");
        }
        for (left, right) in [("a", "b"), ("a.b", "ab"), ("cafe", "caf\u{e9}"), ("", "a")] {
            assert!(!one(left, right), "{left} {right}");
        }
        let bytes = OsStr::from_bytes(b"\xff");
        assert!(may_be_one(bytes, bytes) && !may_be_one(bytes, OsStr::from_bytes(b"\xfe")));
    }
}
