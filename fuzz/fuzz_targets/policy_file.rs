//! Any bytes, into the policy file of the guard.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cap_testkit::fuzz::policy_file(data));
