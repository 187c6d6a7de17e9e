use std::fmt;

use thiserror::Error;

use crate::backend::Verifier;
use crate::keyring::document::PublicPart;
use crate::{Backend, KeyId, encoding, sha256};

mod ed25519;
pub(crate) mod jwk;
mod p256;
mod public;
pub(crate) mod rsa;
pub(crate) mod spki;

pub(crate) use public::Public;

/// What a signing key computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// Ed25519 (RFC 8032 §5.1), `EdDSA` in JOSE (RFC 8037 §3.1).
    EdDsa,
    /// ECDSA with P-256 and SHA-256 (RFC 7518 §3.4): signatures are r and s of 32 bytes each.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3), 2048 to 8192 bits.
    Rs256,
}

/// The public half of a signing key: one algorithm, one key, one name.
///
/// Two are equal if key and name are, whatever their backends.
#[derive(Clone)]
pub struct VerifyingKey {
    id: KeyId,
    public: Public,
    verifier: Verifier,
}

/// A signature or a MAC did not verify. There is no more to say: every reason is the same error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the signature or MAC did not verify")]
pub struct Unverified;

/// Why a key is not acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyRejected {
    /// The bytes or the JSON do not encode a key of a kind that we know.
    #[error("the key is not well formed")]
    Malformed,
    /// A private or symmetric key where a public one belongs.
    #[error("the key is not a public key")]
    NotPublic,
    /// The key type, curve or algorithm is none of ours, or the key is meant for something else
    /// than signatures.
    #[error("the key is not for EdDSA (Ed25519), ES256 or RS256 signatures")]
    Unsupported,
    /// The Ed25519 point is not canonical or of small order.
    #[error("the Ed25519 key is a weak or non-canonical point")]
    WeakPoint,
    /// The P-256 point is not on the curve, or its coordinates are not reduced.
    #[error("the P-256 key is not a point of the curve in uncompressed form")]
    OffCurve,
    /// The RSA modulus has fewer than 2048 or more than 8192 bits, or is even.
    #[error("the RSA modulus must be odd and have 2048 to 8192 bits")]
    Modulus,
    /// The RSA exponent is even, below 3 or above 2³³ − 1.
    #[error("the RSA exponent must be odd, at least 3 and at most 33 bits long")]
    Exponent,
    /// The RSA modulus has the fingerprint of a generator whose keys can be factored
    /// (CVE-2017-15361).
    #[error("the RSA key comes from a weak generator (ROCA, CVE-2017-15361); replace it")]
    Roca,
    /// The parts of the private key are malformed, outside the bounds, or do not belong together.
    #[error(
        "the private key is not well formed or its parts do not belong together (RSA: 2048, 3072 or \
         4096 bits, two primes of equal length and an exponent of at least 65537)"
    )]
    PrivateKey,
    /// The `kid` cannot be a [`KeyId`].
    #[error("the name of the key is not 1 to 64 letters, digits, hyphens and underscores")]
    Name,
    /// The PEM text is no unencrypted PKCS#8 private key (RFC 7468 §10).
    #[error(
        "expected `BEGIN PRIVATE KEY` (unencrypted PKCS#8); convert with: openssl pkcs8 -topk8 -nocrypt"
    )]
    NotPkcs8,
    /// The PEM text is no public key (RFC 7468 §13).
    #[error("expected `BEGIN PUBLIC KEY`; convert with: openssl pkey -pubout")]
    NotSpki,
}

impl VerifyingKey {
    /// An Ed25519 public key (RFC 8032 §5.1.5), named by its thumbprint.
    ///
    /// # Errors
    /// [`KeyRejected::WeakPoint`] for points that are not canonical or of small order.
    pub fn from_ed25519(point: &[u8; 32]) -> Result<Self, KeyRejected> {
        Self::from_public(Public::ed25519(point)?)
    }

    /// A P-256 public key as an uncompressed point (SEC 1 §2.3.3: 04, x, y), named by its
    /// thumbprint.
    ///
    /// # Errors
    /// [`KeyRejected::OffCurve`] for what is no such point, infinity included.
    pub fn from_p256(point: &[u8; 65]) -> Result<Self, KeyRejected> {
        Self::from_public(Public::p256(point)?)
    }

    /// An RSA public key from its modulus and exponent, both big-endian without leading zeros
    /// (RFC 7518 §6.3.1), named by its thumbprint.
    ///
    /// # Errors
    /// [`KeyRejected::Malformed`] for leading zeros, [`KeyRejected::Modulus`],
    /// [`KeyRejected::Exponent`], [`KeyRejected::Roca`].
    pub fn from_rsa_components(n: &[u8], e: &[u8]) -> Result<Self, KeyRejected> {
        Self::from_public(Public::rsa(n, e)?)
    }

    /// A SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), DER or PEM, named by its thumbprint. The DER is
    /// read strictly; P-256 by its name only, the point uncompressed.
    ///
    /// # Errors
    /// See [`KeyRejected`].
    pub fn from_spki(bytes: &[u8]) -> Result<Self, KeyRejected> {
        Self::from_public(spki::parse(bytes)?)
    }

    /// A public key in JWK form (RFC 7517): `OKP` with `Ed25519` (RFC 8037), `EC` with `P-256`, or
    /// `RSA`. `kid` names it, else its thumbprint does; `alg`, `use` and `key_ops` must agree with
    /// verifying signatures of its algorithm, and `use` and `key_ops` with each other, where they are
    /// given; other members are ignored. A `Value` cannot hold a member twice: whoever read the
    /// text must have refused that (RFC 7517 §4).
    ///
    /// # Errors
    /// See [`KeyRejected`]. Private and symmetric keys are refused.
    pub fn from_jwk(jwk: &serde_json::Value) -> Result<Self, KeyRejected> {
        jwk::parse(jwk)
    }

    /// The JWK, with `kid`, `alg` and `use`.
    #[must_use]
    pub fn to_jwk(&self) -> serde_json::Value {
        jwk::write(self)
    }

    /// The same key under another name.
    #[must_use]
    pub fn with_id(self, id: KeyId) -> Self {
        Self { id, ..self }
    }

    /// The same key, computed by this backend. A new key has the default one.
    ///
    /// # Errors
    /// [`KeyRejected::Malformed`] if the backend refuses the key, which none is known to do.
    pub fn with_backend(self, backend: Backend) -> Result<Self, KeyRejected> {
        let verifier = Verifier::new(backend, &self.public)?;
        Ok(Self { verifier, ..self })
    }

    /// The key's name.
    #[must_use]
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The one algorithm that this key verifies.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.public.algorithm()
    }

    /// What computes.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.verifier.backend()
    }

    /// The point, if this is an Ed25519 key.
    #[must_use]
    pub fn as_ed25519(&self) -> Option<&[u8; 32]> {
        match &self.public {
            Public::Ed25519(point) => Some(point),
            Public::P256(_) | Public::Rsa { .. } => None,
        }
    }

    /// Whether `signature` is this key's signature of `message`.
    ///
    /// Before the backend is asked, what libraries differ on is refused: for Ed25519 (verified
    /// without cofactor) non-canonical and small-order points and scalars from L up; for ES256
    /// anything but r and s of 32 bytes between 1 and n − 1; for RS256 another length than that of
    /// the modulus.
    ///
    /// # Errors
    /// [`Unverified`], which says nothing of why.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Unverified> {
        if !self.public.is_sound_signature(signature) {
            return Err(Unverified);
        }
        self.verifier.verify(&self.public, message, signature)
    }

    /// The SHA-256 thumbprint of the key (RFC 7638); in base64url it is the id, unless a JWK or
    /// [`with_id`](Self::with_id) named the key.
    #[must_use]
    pub fn thumbprint(&self) -> [u8; 32] {
        sha256(self.public.canonical_jwk().as_bytes())
    }

    pub(crate) fn public_part(&self) -> PublicPart {
        let members = self.public.members();
        let text =
            |wanted| members.iter().find(|(name, _)| *name == wanted).map(|(_, text)| text.clone());
        PublicPart { x: text("x"), y: text("y"), n: text("n"), e: text("e") }
    }

    pub(crate) fn from_public_part(part: &PublicPart) -> Result<Self, KeyRejected> {
        let decode = |text: &String| encoding::decode(text).ok_or(KeyRejected::Malformed);
        Self::from_public(match (&part.x, &part.y, &part.n, &part.e) {
            (Some(x), None, None, None) => Public::ed25519(&decode(x)?)?,
            (Some(x), Some(y), None, None) => {
                Public::p256(&[[4].as_slice(), &decode(x)?, &decode(y)?].concat())?
            }
            (None, None, Some(n), Some(e)) => Public::rsa(&decode(n)?, &decode(e)?)?,
            _ => return Err(KeyRejected::Malformed),
        })
    }

    pub(crate) fn from_public(public: Public) -> Result<Self, KeyRejected> {
        Ok(Self {
            id: KeyId::thumbprint(&public.canonical_jwk()),
            verifier: Verifier::new(Backend::default(), &public)?,
            public,
        })
    }
}

impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.public == other.public
    }
}

impl Eq for VerifyingKey {}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("VerifyingKey")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

impl Algorithm {
    /// Every one there is.
    pub const ALL: &'static [Self] = &[Self::EdDsa, Self::Es256, Self::Rs256];

    /// The name in JOSE headers (RFC 7518 §3.1, RFC 8037 §3.1).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}
