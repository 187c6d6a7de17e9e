//! Any bytes, into the strict reader of MCP messages.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cap_testkit::fuzz::message_read(data));
