#![doc = include_str!("../README.md")]

mod encoding;
mod hash;
mod key_id;
mod keyring;
mod mac;
mod purpose;
mod random;
mod sign;
mod verify;

pub use hash::sha256;
pub use key_id::{InvalidKeyId, KeyId};
pub use keyring::{KeyInfo, KeyStatus, KeyringError};
pub use mac::{InvalidMac, Mac, MacKeyring};
pub use purpose::Purpose;
pub use random::{OsRandom, RandomError, SecureRandom};
pub use sign::{SignError, Signature, SigningKeyring};
pub use verify::{Algorithm, KeyRejected, Unverified, VerifyingKey};
