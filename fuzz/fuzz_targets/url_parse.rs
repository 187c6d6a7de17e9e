//! Any bytes, into URLs and what means them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cap_testkit::fuzz::url_parse(data));
