#![doc = include_str!("../README.md")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "everything in here runs in tests only"
)]

#[cfg(feature = "fuzz")]
pub mod fuzz;
pub mod naive;
#[cfg(feature = "state-store")]
pub mod state_store;
pub mod strategy;

use std::path::{Path, PathBuf};

/// A file or folder of the shared reference data (`MCP_SECURITY_SHARED`, else `../shared` beside
/// the workspace). A test that calls this is `#[ignore = "needs MCP_SECURITY_SHARED"]`, so that a
/// clone without the data counts it as skipped; `cargo xtask test` runs it where the data is.
///
/// # Panics
/// When the set is missing.
pub fn shared(set: &str) -> PathBuf {
    let root = std::env::var_os("MCP_SECURITY_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let path = root.join(set);
    assert!(path.exists(), "the shared set `{set}` is missing: looked for {}", path.display());
    path
}

/// The lines of a shared `.jsonl` set, parsed.
pub fn shared_jsonl(set: &str) -> Vec<serde_json::Value> {
    std::fs::read_to_string(shared(set))
        .unwrap()
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
