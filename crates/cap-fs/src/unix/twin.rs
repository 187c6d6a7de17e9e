//! Names that are equal when Unicode is normalised.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{Dir, Mode, OFlags, openat};
use rustix::io::{Errno, Result};
use unicode_normalization::UnicodeNormalization;

use super::object::Handle;

/// Entries of a directory that are looked at; a larger one is not decided on.
const MAX_ENTRIES: usize = 100_000;

/// Whether `name`, which `dir` does not have, is another spelling of a name that it has.
///
/// SECURITY: servers look for such a name where the one that was asked for is missing
/// (server-filesystem 2026.8.31 does), and follow it if it is a link.
pub(super) fn has_twin(dir: &Handle, name: &OsStr) -> Result<bool> {
    let Some(name) = name.to_str() else { return Ok(false) };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let names = match openat(dir, ".", flags, Mode::empty()) {
        Ok(names) => names,
        // Nobody of our user can look for another spelling either.
        Err(Errno::ACCESS) => return Ok(false),
        Err(errno) => return Err(errno),
    };
    for (count, entry) in Dir::new(names)?.enumerate() {
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
