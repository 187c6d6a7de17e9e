//! Tokens as their users see them: issued, validated, attacked, and read by another library.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that fails panics"
)]

mod attacks;
mod interop;
mod properties;
mod round_trip;
mod support;
