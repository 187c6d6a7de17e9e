//! Any bytes, into the reader of the audit log.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cap_testkit::fuzz::audit_read(data));
