//! End to end, with the servers and clients that people use.

mod everything;
mod filesystem;
mod git;
mod inspector;
mod python_sdk;
mod support;
mod time;
mod transparency;
