//! The log as its callers see it, and as somebody would who wants it to lie.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "everything in here runs in tests only"
)]

mod concurrency;
mod format;
mod naughty;
mod recovery;
mod registry;
mod scene;
mod shared;
mod tamper;
