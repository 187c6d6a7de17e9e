//! Any bytes, into argument vectors and their rules.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cap_testkit::fuzz::argv_match(data));
