//! Keys, MACs and signatures as their users see them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that fails panics"
)]

mod disk;
mod keys;
mod races;
