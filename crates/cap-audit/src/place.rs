//! Where a log lives: `<folder of all logs>/<name>/log.jsonl`, beside it the file that its owner
//! holds locked.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

const LOG: &str = "log.jsonl";
const UNFINISHED: &str = "log.jsonl.new";
const LOCK: &str = "lock";

/// How long short commands wait for each other: 500 times this.
const TURN: Duration = Duration::from_millis(10);
const TURNS: u32 = 500;

/// The folder of one log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    folder: PathBuf,
    name: String,
}

/// Whether to wait for the lock.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patience {
    None,
    Bounded,
}

impl Place {
    pub(crate) fn new(logs: &Path, name: &str) -> Self {
        Self { folder: logs.join(name), name: name.to_owned() }
    }

    /// The folders that hold a log, in the order of their names. A folder without a log is one
    /// whose creation was not finished: nothing in it was ever acknowledged.
    pub(crate) fn all(logs: &Path) -> io::Result<Vec<Self>> {
        let mut places = Vec::new();
        let entries = match fs::read_dir(logs) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(places),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            // A name that is not UTF-8 is none of ours, and must not hide a log.
            let name = entry.file_name().to_string_lossy().into_owned();
            let place = Self { folder: entry.path(), name };
            if place.has_log() {
                places.push(place);
            }
        }
        places.sort();
        Ok(places)
    }

    /// Creates the folder for its owner alone, unless it is there.
    pub(crate) fn create_folder(&self) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(&self.folder)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join(LOG)
    }

    /// Whether there is a log, or something in its stead.
    pub(crate) fn has_log(&self) -> bool {
        fs::symlink_metadata(self.log()).is_ok()
    }

    /// The lock file, locked until it is dropped; `None` when somebody else holds it.
    pub(crate) fn lock(&self, patience: Patience) -> io::Result<Option<File>> {
        let lock = private(OpenOptions::new().write(true).create(true).truncate(false))
            .open(self.folder.join(LOCK))?;
        let turns = match patience {
            Patience::None => 0,
            Patience::Bounded => TURNS,
        };
        for turn in 0..=turns {
            match lock.try_lock() {
                Ok(()) => return Ok(Some(lock)),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if turn < turns => thread::sleep(TURN),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        Ok(None)
    }

    /// Creates the log with its first line. Whoever sees a log sees all of that line: it is on the
    /// disk under another name first. The caller holds the lock.
    pub(crate) fn create_log(&self, first_line: &[u8]) -> io::Result<File> {
        let unfinished = self.folder.join(UNFINISHED);
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if self.has_log() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mut file = private(OpenOptions::new().read(true).append(true).create_new(true))
            .open(&unfinished)?;
        file.write_all(first_line)?;
        file.sync_all()?;
        fs::rename(&unfinished, self.log())?;
        self.sync_folders()?;
        Ok(file)
    }

    /// Opens a log that is there, to read it and to append to it.
    pub(crate) fn open_log(&self) -> io::Result<File> {
        OpenOptions::new().read(true).append(true).open(self.log())
    }

    /// The names in these folders are to survive the machine, too.
    fn sync_folders(&self) -> io::Result<()> {
        #[cfg(unix)]
        for folder in self.folder.ancestors().take(2) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

/// For its owner alone.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}
