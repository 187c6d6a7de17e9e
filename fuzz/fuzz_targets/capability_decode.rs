//! Any bytes, into the wire form of a capability.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cap_testkit::fuzz::capability_decode(data));
