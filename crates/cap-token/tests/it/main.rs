//! Tokens as their users see them: issued, validated, attacked, and read by another library.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that fails panics"
)]

mod attacks;
mod cache;
mod cache_memory;
mod chain;
mod concurrency;
mod guide;
mod interop;
mod issuing;
mod jwks;
mod properties;
mod revocation;
mod round_trip;
mod status_list;
mod support;
mod sync;
