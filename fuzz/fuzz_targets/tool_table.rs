//! Any bytes, into the tool table.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cap_testkit::fuzz::tool_table(data));
