use std::fmt;

use ring::rsa::PublicKeyComponents;
use ring::signature::{ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use thiserror::Error;

use crate::keyring::document::PublicPart;
use crate::{KeyId, encoding};

mod ed25519;
mod jwk;

/// What a signing key computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// Ed25519 (RFC 8032 §5.1), `EdDSA` in JOSE (RFC 8037 §3.1).
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3), 2048 to 8192 bits.
    Rs256,
}

/// The public half of a signing key: one algorithm, one key, one name.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    id: KeyId,
    public: Public,
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
    /// than verifying signatures.
    #[error("the key is not for EdDSA or RS256 signatures")]
    Unsupported,
    /// The Ed25519 point is not canonical or of small order.
    #[error("the Ed25519 key is a weak or non-canonical point")]
    WeakPoint,
    /// The RSA modulus has fewer than 2048 or more than 8192 bits, or is even.
    #[error("the RSA modulus must be odd and have 2048 to 8192 bits")]
    Modulus,
    /// The RSA exponent is even, below 3 or above 2³³ − 1.
    #[error("the RSA exponent must be odd, at least 3 and at most 33 bits long")]
    Exponent,
    /// The backend refuses the RSA private key.
    #[error(
        "the RSA private key is not PKCS#8 with a modulus of 2048 to 4096 bits and an exponent \
         of at least 65537, or its parts do not fit together"
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
}

#[derive(Clone, PartialEq, Eq)]
enum Public {
    Ed25519([u8; 32]),
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

impl VerifyingKey {
    /// An Ed25519 public key (RFC 8032 §5.1.5), named by its thumbprint.
    ///
    /// # Errors
    /// [`KeyRejected::WeakPoint`] for points that are not canonical or of small order.
    pub fn from_ed25519(point: &[u8; 32]) -> Result<Self, KeyRejected> {
        if !ed25519::is_sound_point(point) {
            return Err(KeyRejected::WeakPoint);
        }
        Ok(Self::named_by_thumbprint(Public::Ed25519(*point)))
    }

    /// An RSA public key from its modulus and exponent, both big-endian without leading zeros
    /// (RFC 7518 §6.3.1), named by its thumbprint.
    ///
    /// # Errors
    /// [`KeyRejected::Malformed`] for leading zeros, [`KeyRejected::Modulus`],
    /// [`KeyRejected::Exponent`].
    pub fn from_rsa_components(n: &[u8], e: &[u8]) -> Result<Self, KeyRejected> {
        if n.first().is_none_or(|byte| *byte == 0) || e.first().is_none_or(|byte| *byte == 0) {
            return Err(KeyRejected::Malformed);
        }
        if !(2048..=8192).contains(&bit_length(n)) || !is_odd(n) {
            return Err(KeyRejected::Modulus);
        }
        if !(2..=33).contains(&bit_length(e)) || !is_odd(e) {
            return Err(KeyRejected::Exponent);
        }
        Ok(Self::named_by_thumbprint(Public::Rsa { n: n.to_vec(), e: e.to_vec() }))
    }

    /// A public key in JWK form (RFC 7517): `OKP` with `Ed25519` (RFC 8037) or `RSA`. `kid` names
    /// it, else its thumbprint does; `alg`, `use` and `key_ops` must agree with verifying EdDSA
    /// or RS256 where they are given; other members are ignored.
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

    /// The key's name.
    #[must_use]
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The one algorithm that this key verifies.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self.public {
            Public::Ed25519(_) => Algorithm::EdDsa,
            Public::Rsa { .. } => Algorithm::Rs256,
        }
    }

    /// Whether `signature` is this key's signature of `message`.
    ///
    /// Ed25519 is verified without cofactor; before the backend is asked, non-canonical and
    /// small-order points and scalars from L up are refused, because backends differ on them.
    ///
    /// # Errors
    /// [`Unverified`], which says nothing of why.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Unverified> {
        match &self.public {
            Public::Ed25519(point) => {
                if !ed25519::is_sound_signature(signature) {
                    return Err(Unverified);
                }
                UnparsedPublicKey::new(&ED25519, point).verify(message, signature)
            }
            Public::Rsa { n, e } => {
                PublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
        }
        .map_err(|_| Unverified)
    }

    /// The key's thumbprint (RFC 7638 with SHA-256), which is its id unless a JWK named it.
    #[must_use]
    pub fn thumbprint(&self) -> KeyId {
        self.public.thumbprint()
    }

    pub(crate) fn public_part(&self) -> PublicPart {
        match &self.public {
            Public::Ed25519(point) => {
                PublicPart { x: Some(encoding::encode(point)), n: None, e: None }
            }
            Public::Rsa { n, e } => {
                PublicPart { x: None, n: Some(encoding::encode(n)), e: Some(encoding::encode(e)) }
            }
        }
    }

    pub(crate) fn from_public_part(part: &PublicPart) -> Result<Self, KeyRejected> {
        match (&part.x, &part.n, &part.e) {
            (Some(x), None, None) => Self::from_base64url_point(x),
            (None, Some(n), Some(e)) => Self::from_base64url_components(n, e),
            _ => Err(KeyRejected::Malformed),
        }
    }

    fn from_base64url_point(x: &str) -> Result<Self, KeyRejected> {
        Self::from_ed25519(&encoding::decode_array(x).ok_or(KeyRejected::Malformed)?)
    }

    fn from_base64url_components(n: &str, e: &str) -> Result<Self, KeyRejected> {
        let decode = |text| encoding::decode(text).ok_or(KeyRejected::Malformed);
        Self::from_rsa_components(&decode(n)?, &decode(e)?)
    }

    fn named_by_thumbprint(public: Public) -> Self {
        Self { id: public.thumbprint(), public }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("VerifyingKey")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

impl Algorithm {
    /// The name in JOSE headers (RFC 7518 §3.1, RFC 8037 §3.1).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl Public {
    /// The required members in lexicographic order, without white space (RFC 7638 §3).
    fn thumbprint(&self) -> KeyId {
        KeyId::thumbprint(&match self {
            Self::Ed25519(point) => {
                format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, encoding::encode(point))
            }
            Self::Rsa { n, e } => {
                let (n, e) = (encoding::encode(n), encoding::encode(e));
                format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#)
            }
        })
    }
}

/// The bits of a big-endian number without leading zero bytes.
fn bit_length(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |byte| byte.leading_zeros());
    (number.len() * 8).saturating_sub(usize::try_from(unused).unwrap_or(0))
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|byte| byte % 2 == 1)
}
