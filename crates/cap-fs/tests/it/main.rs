//! What the crate promises through its public interface, on trees of our own.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "everything in here runs in tests only")]

mod entry;
mod ground;
mod operate;
mod protected;
mod resolve;
mod ruling;
mod witness;
