use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use cap_fs::{ResolveError, Resolved, Root};
use tempfile::TempDir;

/// `data` is the root; `data_evil` and `secret` are beside it.
///
/// ```text
/// data/file  data/sub/deep/file  data_evil/file  secret/file
/// ```
pub(crate) struct Ground {
    folder: TempDir,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let ground = Self { folder: tempfile::tempdir().unwrap() };
        for directory in ["data/sub/deep", "data_evil", "secret"] {
            fs::create_dir_all(ground.at(directory)).unwrap();
        }
        for file in ["data/file", "data/sub/deep/file", "data_evil/file", "secret/file"] {
            fs::write(ground.at(file), file).unwrap();
        }
        ground
    }

    /// A path below the folder that holds everything.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn link(&self, path: &str, target: impl AsRef<Path>) {
        symlink(target, self.at(path)).unwrap();
    }

    pub(crate) fn resolve(&self, relative: &str) -> Result<Resolved, ResolveError> {
        Root::open(&self.at("data")).unwrap().resolve(Path::new(relative))
    }
}

/// Whether the handle of `found` is the object that stands at `path`.
pub(crate) fn is_at(found: &Resolved, path: &Path) -> bool {
    let handle = fs::File::from(found.as_fd().try_clone_to_owned().unwrap());
    let (ours, theirs) = (handle.metadata().unwrap(), fs::symlink_metadata(path).unwrap());
    (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino())
}
