use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::backend::{self, Pair};
use crate::{
    Algorithm, Backend, KeyId, KeyRejected, RandomError, SecureRandom, SignError, Signer,
    VerifyingKey,
};

mod jwk;
mod pkcs8;
mod private;

pub(crate) use private::Private;

/// What every key signs once before it is trusted.
pub(crate) const PROBE: &[u8] = b"mcp-security/import-probe/v1";

/// A private key in this process, parsed once, with its public half.
///
/// The secret is wiped when this is dropped, except for the copy that the backend keeps; `Debug`
/// shows the id only.
pub struct SigningKey {
    public: VerifyingKey,
    pair: Pair,
    private: Private,
}

/// A key could not be generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// `ring` does not generate RSA keys.
    #[error(
        "the backend `{0}` does not generate RSA keys; turn on the feature `aws-lc-rs` of cap-crypto \
         and choose that backend, or import a key (openssl genpkey -algorithm RSA \
         -pkeyopt rsa_keygen_bits:2048)"
    )]
    NoRsa(Backend),
    /// The random source failed.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The backend failed, or made a key that does not sign.
    #[error("the backend `{0}` could not generate a key")]
    Backend(Backend),
}

impl SigningKey {
    /// A new key, named by its thumbprint. RSA keys have 2048 bits; for longer ones import them.
    ///
    /// An Ed25519 key is made of 32 bytes from `random`. The others come from the backend's own
    /// random source, because neither backend takes another.
    ///
    /// # Errors
    /// See [`GenerateError`].
    pub fn generate(
        algorithm: Algorithm,
        backend: Backend,
        random: &dyn SecureRandom,
    ) -> Result<Self, GenerateError> {
        let failed = GenerateError::Backend(backend);
        let private = match algorithm {
            Algorithm::EdDsa => {
                let mut seed = Zeroizing::new([0; 32]);
                random.fill(seed.as_mut_slice())?;
                Private::Ed25519 { seed, point: None }
            }
            Algorithm::Es256 => {
                let der = backend::new_p256(backend).ok_or(failed)?;
                pkcs8::parse(&der).map_err(|_| failed)?
            }
            Algorithm::Rs256 if !backend::makes_rsa(backend) => {
                return Err(GenerateError::NoRsa(backend));
            }
            Algorithm::Rs256 => {
                let der = backend::new_rsa(backend).ok_or(failed)?;
                pkcs8::parse(&der).map_err(|_| failed)?
            }
        };
        Self::build(private, backend).map_err(|_| failed)
    }

    /// The Ed25519 key of a seed (RFC 8032 §5.1.5: the private key), named by its thumbprint.
    ///
    /// # Errors
    /// [`KeyRejected::PrivateKey`] if the backend fails.
    pub fn from_ed25519_seed(seed: &[u8; 32]) -> Result<Self, KeyRejected> {
        let seed = Zeroizing::new(*seed);
        Self::build(Private::Ed25519 { seed, point: None }, Backend::default())
    }

    /// A private key as unencrypted PKCS#8 (RFC 5958), DER or PEM (RFC 7468 §10), named by its
    /// thumbprint: Ed25519 (RFC 8410), P-256 with its public point (RFC 5915), RSA of two primes
    /// (RFC 8017 A.1.2) of equal length with 2048, 3072 or 4096 bits and an exponent of at least
    /// 65537.
    ///
    /// A public part that comes with it must belong to the secret, and one test signature is made
    /// and verified.
    ///
    /// # Errors
    /// [`KeyRejected`]; mostly [`KeyRejected::PrivateKey`], which does not say what is wrong.
    pub fn from_pkcs8(bytes: &[u8]) -> Result<Self, KeyRejected> {
        Self::build(pkcs8::from_pem_or_der(bytes)?, Backend::default())
    }

    /// A private key as JWK (RFC 7517): `OKP` with `Ed25519`, `EC` with `P-256`, or `RSA` with all of
    /// `d p q dp dq qi`; the public members must be there and belong to the secret. `kid` names it,
    /// else its thumbprint does. The bounds are those of [`from_pkcs8`](Self::from_pkcs8).
    ///
    /// What `jwk` holds is the caller's to wipe. It cannot hold a member twice: whoever read the
    /// text must have refused that (RFC 7517 §4).
    ///
    /// # Errors
    /// See [`KeyRejected`].
    pub fn from_jwk(jwk: &serde_json::Value) -> Result<Self, KeyRejected> {
        let (private, name) = jwk::parse(jwk)?;
        let key = Self::build(private, Backend::default())?;
        Ok(match name {
            Some(id) => key.with_id(id),
            None => key,
        })
    }

    /// The key as PKCS#8, DER, in the form that most programs read: version 1, for P-256 with the
    /// public point.
    #[must_use]
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        pkcs8::write(&self.private)
    }

    /// The same key under another name.
    #[must_use]
    pub fn with_id(self, id: KeyId) -> Self {
        Self { public: self.public.with_id(id), ..self }
    }

    /// The same key, computed by this backend. An imported key has the default one.
    ///
    /// # Errors
    /// [`KeyRejected::PrivateKey`] if the backend refuses the key: aws-lc-rs looks at the private
    /// exponent of RSA keys, ring does not.
    pub fn with_backend(self, backend: Backend) -> Result<Self, KeyRejected> {
        let id = self.public.id().clone();
        Ok(Self::build(self.private, backend)?.with_id(id))
    }

    fn build(private: Private, backend: Backend) -> Result<Self, KeyRejected> {
        let (pair, public) = Pair::new(backend, &private)?;
        // SECURITY: an Ed25519 secret under another public key gives the secret away when it signs.
        if !private.belongs_to(&public) {
            return Err(KeyRejected::PrivateKey);
        }
        let public = VerifyingKey::from_public(public)?.with_backend(backend)?;
        // SECURITY: a backend checks a part of an RSA key only when it signs; a key with a faulty
        // part could give itself away with its first signature.
        let signature = pair.sign(PROBE).map_err(|_| KeyRejected::PrivateKey)?;
        public.verify(PROBE, &signature).map_err(|_| KeyRejected::PrivateKey)?;
        Ok(Self { public, pair, private })
    }
}

impl Signer for SigningKey {
    fn key(&self) -> &VerifyingKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.pair.sign(message)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SigningKey").field("id", self.public.id()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
