//! The shared test data: large sets that stay outside of the repository.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::repo::Repo;

/// Names the folder; the tests read it too.
pub const VARIABLE: &str = "MCP_SECURITY_SHARED";

/// Why there is no folder, for those who skip.
pub const ABSENT: &str = "no shared test data (MCP_SECURITY_SHARED, else ../shared)";

/// The folder, absolute: tests run in the folders of their crates. `None` if nobody asked for it and it is
/// not there; an error if it was asked for and is not there.
pub fn find(repo: &Repo) -> Result<Option<PathBuf>> {
    locate(env::var_os(VARIABLE), repo.root())
}

fn locate(variable: Option<OsString>, root: &Path) -> Result<Option<PathBuf>> {
    let Some(asked) = variable else {
        let beside = root.parent().map(|parent| parent.join("shared"));
        return Ok(beside.filter(|dir| holds_data(dir)));
    };
    let dir = root.join(asked);
    if !holds_data(&dir) {
        bail!("{VARIABLE} names {}, which has no folder `corpora`", dir.display());
    }
    Ok(Some(dir))
}

fn holds_data(dir: &Path) -> bool {
    dir.join("corpora").is_dir()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = env::temp_dir().join(format!("xtask-shared-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(dir.join("main")).unwrap();
        dir
    }

    #[test]
    fn a_missing_folder_that_was_asked_for_is_an_error() {
        let dir = scratch("asked");
        let root = dir.join("main");
        assert!(locate(Some("elsewhere".into()), &root).is_err());
        assert!(locate(Some("".into()), &root).is_err());
        fs::create_dir_all(dir.join("elsewhere/corpora")).unwrap();
        let found = locate(Some("../elsewhere".into()), &root).unwrap();
        assert_eq!(found, Some(root.join("../elsewhere")));
    }

    #[test]
    fn a_missing_folder_that_nobody_asked_for_is_absent() {
        let dir = scratch("beside");
        let root = dir.join("main");
        assert_eq!(locate(None, &root).unwrap(), None);
        fs::create_dir_all(dir.join("shared/corpora")).unwrap();
        assert_eq!(locate(None, &root).unwrap(), Some(dir.join("shared")));
    }
}
