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
mod canonical;
mod commands;
mod constraints;
mod corpora;
mod corpora_process;
mod corpora_url;
mod custom;
mod delegation;
mod explain;
mod matrix;
mod model;
mod more_constraints;
mod names;
mod net;
mod paths;
mod subsumption;
mod support;
mod trees;
mod urls;
mod windows;
mod wire;
