//! Any bytes, into the verification of an attenuating chain.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cap_testkit::fuzz::chain(data));
