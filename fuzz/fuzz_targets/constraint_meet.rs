//! Any bytes, into the meet of two capabilities.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cap_testkit::fuzz::constraint_meet(data));
