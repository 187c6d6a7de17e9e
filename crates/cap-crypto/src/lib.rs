#![doc = include_str!("../README.md")]

mod backend;
mod encoding;
mod hash;
mod key_id;
mod keyring;
mod mac;
mod master_key;
#[cfg(feature = "pkcs11")]
mod pkcs11;
mod purpose;
mod random;
mod seal;
mod sign;
mod signer;
mod verify;

pub use backend::Backend;
pub use hash::sha256;
pub use key_id::{InvalidKeyId, KeyId};
pub use keyring::{
    KeyInfo, KeyStatus, KeyStore, KeyringError, PolicyError, RotationPolicy, SigningKeyring,
};
pub use mac::{InvalidMac, Mac, MacKeyring};
pub use master_key::{Argon2Cost, MasterKey, MasterKeyError};
#[cfg(feature = "pkcs11")]
pub use pkcs11::{Pkcs11Error, Pkcs11Key, Pkcs11Signer, Pkcs11Token};
pub use purpose::Purpose;
pub use random::{OsRandom, RandomError, SecureRandom};
pub use sign::{GenerateError, SigningKey};
pub use signer::{SignError, Signature, Signer};
pub use verify::{Algorithm, KeyRejected, Unverified, VerifyingKey};
