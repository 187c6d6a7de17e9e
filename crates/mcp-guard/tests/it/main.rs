//! The program as its users have it: real processes over real pipes, with a server whose every
//! byte a test hears and says.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    reason = "everything in here runs in tests only"
)]

mod ambiguity;
mod client;
mod constraints;
mod e2e;
mod escapes;
mod evidence;
mod injection;
mod json;
mod kill;
mod library;
mod life;
mod lists;
mod methods;
mod policy;
mod puppet;
mod server;
mod sharing;
mod shell;
mod shell_audit;
mod shell_check;
mod support;
mod transparency;
mod traversal;
