#![doc = include_str!("../README.md")]

#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "sqlite")]
pub use crate::sqlite::{BUSY_BOUND, OpenError, SqliteStore};
