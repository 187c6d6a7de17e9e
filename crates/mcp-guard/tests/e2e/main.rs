//! End to end, with the servers and clients that people use.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "everything in here runs in tests only"
)]

mod everything;
mod filesystem;
mod git;
mod inspector;
mod python_sdk;
mod support;
mod time;
mod transparency;
