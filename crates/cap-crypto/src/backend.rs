//! Which library computes. A value, as in rustls: keys of both can live in one process, and one
//! suite of tests runs with each.
//!
//! What a backend gets has been checked by us: the forms of signatures, points and numbers on which
//! libraries differ are refused before one is asked.

#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
mod ring;

use std::fmt;

use zeroize::Zeroizing;

use crate::sign::Private;
use crate::verify::Public;
use crate::{KeyRejected, SignError, Unverified};

/// The library that signs and verifies with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// `ring`: always there. Does not generate RSA keys.
    Ring,
    /// `aws-lc-rs` (feature `aws-lc-rs`): faster with RSA, and generates RSA keys.
    #[cfg(feature = "aws-lc-rs")]
    AwsLcRs,
}

impl Backend {
    /// Those that are compiled in.
    pub const ALL: &'static [Self] = &[
        Self::Ring,
        #[cfg(feature = "aws-lc-rs")]
        Self::AwsLcRs,
    ];

    /// The name of its crate.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ring => "ring",
            #[cfg(feature = "aws-lc-rs")]
            Self::AwsLcRs => "aws-lc-rs",
        }
    }
}

/// `aws-lc-rs` where the feature is on, else `ring`.
impl Default for Backend {
    fn default() -> Self {
        #[cfg(feature = "aws-lc-rs")]
        return Self::AwsLcRs;
        #[cfg(not(feature = "aws-lc-rs"))]
        return Self::Ring;
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A public key as its backend wants it.
#[derive(Clone)]
pub(crate) enum Verifier {
    /// Takes the bytes at each call.
    Ring,
    /// Parsed once.
    #[cfg(feature = "aws-lc-rs")]
    AwsLcRs(aws_lc::ParsedPublicKey),
}

impl Verifier {
    pub(crate) fn new(backend: Backend, public: &Public) -> Result<Self, KeyRejected> {
        let _ = public;
        match backend {
            Backend::Ring => Ok(Self::Ring),
            #[cfg(feature = "aws-lc-rs")]
            Backend::AwsLcRs => aws_lc::parse(public).map(Self::AwsLcRs),
        }
    }

    pub(crate) fn backend(&self) -> Backend {
        match self {
            Self::Ring => Backend::Ring,
            #[cfg(feature = "aws-lc-rs")]
            Self::AwsLcRs(_) => Backend::AwsLcRs,
        }
    }

    /// `public` is the key that this was made of.
    pub(crate) fn verify(
        &self,
        public: &Public,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Unverified> {
        match self {
            Self::Ring => ring::verify(public, message, signature),
            #[cfg(feature = "aws-lc-rs")]
            Self::AwsLcRs(key) => key.verify_sig(message, signature).map_err(|_| Unverified),
        }
    }
}

/// A private key, parsed once.
pub(crate) enum Pair {
    Ring(ring::Pair),
    #[cfg(feature = "aws-lc-rs")]
    AwsLcRs(aws_lc::Pair),
}

impl Pair {
    /// The pair, and the public half as the backend has it.
    pub(crate) fn new(backend: Backend, private: &Private) -> Result<(Self, Public), KeyRejected> {
        match backend {
            Backend::Ring => {
                let (pair, public) = ring::Pair::new(private)?;
                Ok((Self::Ring(pair), public))
            }
            #[cfg(feature = "aws-lc-rs")]
            Backend::AwsLcRs => {
                let (pair, public) = aws_lc::Pair::new(private)?;
                Ok((Self::AwsLcRs(pair), public))
            }
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match self {
            Self::Ring(pair) => pair.sign(message),
            #[cfg(feature = "aws-lc-rs")]
            Self::AwsLcRs(pair) => pair.sign(message),
        }
    }
}

/// A new P-256 key as PKCS#8, from the backend's own random source: neither takes another.
/// `None` when that fails.
pub(crate) fn new_p256(backend: Backend) -> Option<Zeroizing<Vec<u8>>> {
    match backend {
        Backend::Ring => ring::new_p256(),
        #[cfg(feature = "aws-lc-rs")]
        Backend::AwsLcRs => aws_lc::new_p256(),
    }
}

/// Whether the backend generates RSA keys.
pub(crate) fn makes_rsa(backend: Backend) -> bool {
    backend != Backend::Ring
}

/// A new RSA key of 2048 bits as PKCS#8, from the backend's own random source.
pub(crate) fn new_rsa(backend: Backend) -> Option<Zeroizing<Vec<u8>>> {
    match backend {
        Backend::Ring => None,
        #[cfg(feature = "aws-lc-rs")]
        Backend::AwsLcRs => aws_lc::new_rsa(),
    }
}
