//! The facade as programs use it, on memory and in a folder.
#![cfg(feature = "store")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "everything in here runs in tests only"
)]

mod audit;
mod folder;
mod guide;
mod methods;
mod modes;
mod scene;
mod tokens;
