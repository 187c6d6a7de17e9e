//! Keys, MACs and signatures as their users see them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that fails panics"
)]

mod algorithms;
mod algorithms_edges;
mod disk;
mod keys;
#[cfg(feature = "pkcs11")]
mod pkcs11;
mod races;
mod rotation;
mod store;
mod wycheproof;

/// The bytes of hexadecimal digits.
fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks_exact(2);
    pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
