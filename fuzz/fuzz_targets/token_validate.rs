//! Any bytes, into the validation of a capability token.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cap_testkit::fuzz::token_validate(data));
