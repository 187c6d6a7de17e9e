//! Names as their directory lists them.
//!
//! On a file system that ignores case or normalises Unicode, a name finds an object that is listed
//! under another name. A rule that was written for the listed name would judge a name that is not
//! there, so such a name is refused.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use rustix::io::{Errno, Result};

use super::object::{self, Handle, Id};
use super::twin::{MAX_ENTRIES, has_one_spelling};

/// Refuses `name`, which is the object `id` in `dir`, when it is not listed so: `EINVAL`, or
/// `EAGAIN` when it is no longer there.
pub(super) fn check(dir: &Handle, name: &OsStr, id: Id) -> Result<()> {
    if is_listed(dir, name, id)? {
        return Ok(());
    }
    let unlisted = Lookup::look(dir, name)? == Some(id);
    Err(if unlisted { Errno::INVAL } else { Errno::AGAIN })
}

/// `name` with its letters in the other case, when looking for that says how the directory compares
/// names: it is found where case is ignored, and where it is not found, no other spelling of `name`
/// is listed. `None` for a name of which that cannot be said.
pub(super) fn other_case(name: &OsStr) -> Option<OsString> {
    let bytes = name.as_bytes();
    let tells = has_one_spelling(bytes) && bytes.iter().any(u8::is_ascii_alphabetic);
    let swap = |byte: &u8| {
        if byte.is_ascii_lowercase() {
            byte.to_ascii_uppercase()
        } else {
            byte.to_ascii_lowercase()
        }
    };
    tells.then(|| OsString::from_vec(bytes.iter().map(swap).collect()))
}

/// A directory, as far as the spelling of names matters.
trait Lookup {
    fn look(&self, name: &OsStr) -> Result<Option<Id>>;
    /// Whether it certainly compares names byte by byte.
    fn compares_bytes(&self) -> Result<bool>;
    fn lists(&self, name: &OsStr) -> Result<bool>;
}

fn is_listed(dir: &impl Lookup, name: &OsStr, id: Id) -> Result<bool> {
    if let Some(other) = other_case(name) {
        match dir.look(&other)? {
            // The usual case, for the price of one call.
            None => return Ok(true),
            Some(another) if another != id => return Ok(true),
            // A directory that ignores case, or a file with both names.
            Some(_) => {}
        }
    }
    Ok(dir.compares_bytes()? || dir.lists(name)?)
}

impl Lookup for Handle {
    fn look(&self, name: &OsStr) -> Result<Option<Id>> {
        match object::look(self, name) {
            Ok(stat) => Ok(Some(Id::of(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn compares_bytes(&self) -> Result<bool> {
        linux::compares_bytes(self)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn compares_bytes(&self) -> Result<bool> {
        Ok(false)
    }

    fn lists(&self, name: &OsStr) -> Result<bool> {
        for (count, entry) in object::entries(self)?.enumerate() {
            if count >= MAX_ENTRIES {
                return Err(Errno::NAMETOOLONG);
            }
            if entry?.file_name().to_bytes() == name.as_bytes() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use rustix::fs::{IFlags, fstatfs, ioctl_getflags};
    use rustix::io::Result;

    use super::super::object::{self, Handle};

    /// File systems that ignore case only in directories that bear [`CASEFOLD`] (ext4, F2FS, tmpfs).
    const FLAGGED: [u32; 3] = [0xef53, 0xf2f5_2010, 0x0102_1994];
    /// Those that never do.
    const BTRFS: u32 = 0x9123_683e;
    /// `FS_CASEFOLD_FL` of `linux/fs.h`.
    const CASEFOLD: IFlags = IFlags::from_bits_retain(0x4000_0000);

    pub(super) fn compares_bytes(dir: &Handle) -> Result<bool> {
        let file_system = low_bits(&fstatfs(dir)?.f_type.to_le_bytes());
        if !FLAGGED.contains(&file_system) {
            return Ok(file_system == BTRFS);
        }
        let entries = object::entries(dir)?;
        // What does not know these flags (tmpfs before Linux 6.0) is listed.
        Ok(ioctl_getflags(entries.fd()?).is_ok_and(|flags| !flags.contains(CASEFOLD)))
    }

    /// The width and the sign of the number differ between platforms.
    fn low_bits(bytes: &[u8]) -> u32 {
        bytes.iter().take(4).rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
    }
}

#[cfg(test)]
mod tests;
