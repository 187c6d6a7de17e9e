use std::fmt;

use ring::rand::{SecureRandom as _, SystemRandom};
use thiserror::Error;

/// A source of unpredictable bytes. Everything in this workspace that needs randomness takes one
/// as a parameter; tests give a fixed one.
pub trait SecureRandom: Send + Sync + fmt::Debug {
    /// Fills `out` with random bytes.
    ///
    /// # Errors
    /// When the source has none to give; what is in `out` must then not be used.
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError>;
}

/// The random source failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the random source failed")]
pub struct RandomError;

/// The operating system's random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandom;

impl SecureRandom for OsRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        SystemRandom::new().fill(out).map_err(|_| RandomError)
    }
}
