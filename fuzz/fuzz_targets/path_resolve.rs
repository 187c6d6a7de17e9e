//! Any bytes, into paths and path patterns.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cap_testkit::fuzz::path_resolve(data));
