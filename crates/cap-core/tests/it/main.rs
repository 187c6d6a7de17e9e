//! What capabilities permit, how they are met, delegated, written and read.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that fails panics"
)]
#![allow(clippy::needless_pass_by_value, reason = "`json!` makes values, not references")]

mod arguments;
mod authority;
mod constraints;
mod corpora;
mod delegation;
mod matrix;
mod model;
mod names;
mod paths;
mod support;
mod trees;
mod urls;
mod wire;
