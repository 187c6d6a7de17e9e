//! The kernel as its callers see it: evidence, revocation, delegation, limits, receipts, and what
//! becomes of them when store or log fail.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "everything in here runs in tests only"
)]

mod budget;
mod chains;
mod claims;
mod concurrency;
mod delegation;
mod evidence;
mod failure;
mod keys;
mod limits;
mod receipts;
mod records;
mod revocation;
mod scene;
mod simulation;
mod state;
mod tokens;
mod troubled;
