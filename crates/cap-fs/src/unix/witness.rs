use std::path::{Component, Path, PathBuf};

use rustix::io::Errno;

use super::asked::Asked;
use super::resolved::Resolved;
use super::root::{Base, Root};
use crate::ResolveError;

/// Says what a server will find at a path, before the server is asked.
///
/// `root` is the folder or file of the grant; `lexical` is the path that was checked: absolute,
/// normalised, at or below `root`; `raw` is the absolute path as the server will get it, of which
/// `lexical` is the normal form. A server that normalises `raw` comes to `lexical`. One that hands
/// `raw` to the system as it is comes elsewhere when a `..` follows a link. Both must be the same
/// object under the same name, else the answer is [`ResolveError::Escapes`].
///
/// # Errors
/// [`ResolveError`]; every error is a refusal.
pub fn witness(root: &Path, lexical: &Path, raw: &Path) -> Result<Resolved, ResolveError> {
    let below = below(root, lexical)?;
    let found = Root::open(root)?.resolve(below)?;
    // Compared as bytes: `Path` thinks `/a/.` and `/a/` the same as `/a`, and the system does not.
    if raw.as_os_str() == lexical.as_os_str() {
        return Ok(found);
    }
    if !raw.is_absolute() || normal(raw) != lexical {
        return Err(ResolveError::Escapes);
    }
    match leads_to(&found, lexical, raw) {
        Ok(true) => Ok(found),
        Ok(false) => Err(ResolveError::Escapes),
        Err(errno) => Err(ResolveError::of(errno)),
    }
}

/// Says what the system itself finds at an absolute path: links are followed wherever they lead. It
/// is for [`Protected`](crate::Protected) alone, which is asked whatever was granted where.
///
/// # Errors
/// [`ResolveError`]; every error is a refusal.
pub fn follow(raw: &Path) -> Result<Resolved, ResolveError> {
    if !raw.is_absolute() {
        return Err(ResolveError::InvalidName);
    }
    system(raw).map_err(ResolveError::of)
}

pub(super) fn system(path: &Path) -> Result<Resolved, Errno> {
    Base::slash()?.resolve(&Asked::path(path)?)
}

fn below<'a>(root: &Path, lexical: &'a Path) -> Result<&'a Path, ResolveError> {
    if normal(lexical).as_os_str() != lexical.as_os_str() {
        return Err(ResolveError::InvalidName);
    }
    if !lexical.is_absolute() {
        return Err(ResolveError::Escapes);
    }
    lexical.strip_prefix(root).map_err(|_| ResolveError::Escapes)
}

/// Whether `raw`, resolved as the system resolves it, is `found`, and names it by the same entry of
/// the same directory as `lexical` does.
fn leads_to(found: &Resolved, lexical: &Path, raw: &Path) -> Result<bool, Errno> {
    let system = Base::slash()?;
    let raw = system.resolve(&Asked::path(raw)?)?;
    let lexical = system.resolve(&Asked::path(lexical)?)?;
    Ok(raw.is_same_object(found) && raw.is_same_object(&lexical) && raw.is_same_spot(&lexical)?)
}

/// `path` as text has it: `..` takes away the name before it, whatever that name is.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => _ = normal.pop(),
            part => normal.push(part),
        }
    }
    normal
}
