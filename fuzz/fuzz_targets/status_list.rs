//! Any bytes, into the reader of status lists.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cap_testkit::fuzz::status_list(data));
