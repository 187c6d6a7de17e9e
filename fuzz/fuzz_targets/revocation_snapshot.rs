//! Any bytes, into the reader of signed revocations.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cap_testkit::fuzz::revocation_snapshot(data));
