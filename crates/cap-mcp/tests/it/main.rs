//! What holds for messages of any content: laws, and the shared reference data.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "everything in here runs in tests only"
)]

mod laws;
mod shared;
