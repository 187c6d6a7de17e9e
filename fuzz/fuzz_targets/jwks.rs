//! Any bytes, into the reader of key sets.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cap_testkit::fuzz::jwks(data));
