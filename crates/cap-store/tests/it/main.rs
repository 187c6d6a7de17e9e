//! The embedded store, as its users see it.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy's exemptions for tests do not reach their helper functions"
)]

mod conformance;
mod damage;
#[cfg(unix)]
mod kill;
mod migration;
mod opening;
mod registry;
mod sessions;

use std::path::PathBuf;
use std::sync::Arc;

use cap_store::SqliteStore;
use rusqlite::Connection;
use tempfile::TempDir;

/// A folder for a state, removed at the end of the test.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("state")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    fn open(&self) -> Arc<SqliteStore> {
        Arc::new(SqliteStore::open(&self.folder()).unwrap())
    }

    /// The database as any SQLite tool opens it.
    fn tool(&self) -> Connection {
        Connection::open(self.file("state.db")).unwrap()
    }
}
