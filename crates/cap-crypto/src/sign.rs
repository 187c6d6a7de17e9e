use std::fmt;
use std::iter;
use std::path::Path;

use chrono::{DateTime, Utc};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::keyring::document::{KeyAlgorithm, Record, Secret};
use crate::keyring::{Key, Keyring, Kind};
use crate::{
    KeyId, KeyInfo, KeyRejected, KeyStatus, KeyringError, Purpose, SecureRandom, VerifyingKey,
};

mod rsa;

/// Signing keys of one purpose: Ed25519, generated here; for [`Purpose::TokenSign`] also RSA,
/// imported.
///
/// A retiring signing key has given up its secret: it verifies, and nobody can sign with it again.
pub struct SigningKeyring(Keyring<Signing>);

/// A signature and the name of the key that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Which key made it.
    pub key: KeyId,
    /// 64 bytes of an Ed25519 key (R and S, RFC 8032 §5.1.6), as many as the modulus has of an RSA
    /// key (RFC 8017 §8.2).
    pub bytes: Vec<u8>,
}

/// The backend could not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the signature could not be made")]
pub struct SignError;

impl SigningKeyring {
    /// Opens `<folder>/<purpose>.json`. If there is none, the folder (0700) and the file (0600) are
    /// created with one new Ed25519 key; of several processes that do so at once, one wins
    /// and the others load its key.
    ///
    /// # Errors
    /// See [`KeyringError`]. A file that exists is never replaced, however damaged it is.
    pub fn open_or_create(
        folder: &Path,
        purpose: Purpose,
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> Result<Self, KeyringError> {
        Keyring::open_or_create(folder, purpose, || new_ed25519(random, now)).map(Self)
    }

    /// Opens a keyring that must exist.
    ///
    /// # Errors
    /// See [`KeyringError`].
    pub fn open(folder: &Path, purpose: Purpose) -> Result<Self, KeyringError> {
        Keyring::open(folder, purpose).map(Self)
    }

    /// A keyring of one new Ed25519 key that lives and dies with this value.
    ///
    /// # Errors
    /// [`KeyringError::WrongKind`], [`KeyringError::Random`].
    pub fn ephemeral(purpose: Purpose, random: &dyn SecureRandom) -> Result<Self, KeyringError> {
        Keyring::ephemeral(purpose, new_ed25519(random, DateTime::UNIX_EPOCH)?).map(Self)
    }

    /// The signature of `message` under the active key.
    ///
    /// # Errors
    /// [`SignError`] when the backend fails, which a key that was accepted does not let it do.
    pub fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        let Key { id, key } = self.0.active();
        Ok(Signature { key: id.clone(), bytes: key.pair.sign(message)? })
    }

    /// What verifies the signatures of this keyring: the active key first, then the retiring ones.
    #[must_use]
    pub fn verifying_keys(&self) -> Vec<VerifyingKey> {
        let retiring = self.0.retiring().iter().map(|key| &key.key);
        iter::once(&self.0.active().key.public).chain(retiring).cloned().collect()
    }

    /// Makes a new active Ed25519 key; the old one verifies until it is retired. On disk this
    /// starts from what the file holds, not from what this value remembers.
    ///
    /// # Errors
    /// See [`KeyringError`]; the keyring then stays as it was.
    pub fn rotate(
        &mut self,
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> Result<KeyId, KeyringError> {
        self.0.rotate_to(new_ed25519(random, now)?)
    }

    /// Makes an RSA key the active one, as [`rotate`](Self::rotate) does with a new key: PKCS#8,
    /// unencrypted, PEM or DER, 2048 to 4096 bits, exponent 65537 or more. For
    /// [`Purpose::TokenSign`] only. One test signature is made and verified first.
    ///
    /// # Errors
    /// [`KeyringError::Rejected`], [`KeyringError::DoesNotSign`], [`KeyringError::KnownKey`],
    /// [`KeyringError::WrongKind`], and those of the file; the keyring then stays as it was.
    pub fn import_rsa(&mut self, pkcs8: &[u8], now: DateTime<Utc>) -> Result<KeyId, KeyringError> {
        let purpose = self.0.purpose();
        if !KeyAlgorithm::Rs256.serves(purpose) {
            return Err(KeyringError::WrongKind(purpose));
        }
        self.0.rotate_to(imported_rsa(pkcs8, now)?)
    }

    /// Takes a retiring key out of use for good. To retire what is retired changes nothing.
    ///
    /// # Errors
    /// [`KeyringError::ActiveKey`], [`KeyringError::UnknownKey`], and those of the file.
    pub fn retire(&mut self, id: &KeyId) -> Result<(), KeyringError> {
        self.0.retire(id)
    }

    /// Reads the file again; `true` when it had changed. A keyring in memory has not.
    ///
    /// # Errors
    /// See [`KeyringError`]; the keyring then stays as it was.
    pub fn reload(&mut self) -> Result<bool, KeyringError> {
        self.0.reload()
    }

    /// What its keys are for.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        self.0.purpose()
    }

    /// The key that makes new signatures.
    #[must_use]
    pub fn active(&self) -> &KeyId {
        &self.0.active().id
    }

    /// The public half of the key that makes new signatures.
    #[must_use]
    pub fn active_key(&self) -> &VerifyingKey {
        &self.0.active().key.public
    }

    /// All keys, the oldest first, retired ones included.
    #[must_use]
    pub fn keys(&self) -> Vec<KeyInfo> {
        self.0.infos()
    }
}

impl fmt::Debug for SigningKeyring {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SigningKeyring")
            .field("purpose", &self.0.purpose())
            .field("keys", &self.keys())
            .finish()
    }
}

struct Signing;

/// A private key, parsed once, with its public half.
struct SigningKey {
    pair: Pair,
    public: VerifyingKey,
}

enum Pair {
    Ed25519(Box<Ed25519KeyPair>),
    Rsa(Box<RsaKeyPair>),
}

impl Kind for Signing {
    type Active = SigningKey;
    type Retiring = VerifyingKey;

    fn serves(purpose: Purpose) -> bool {
        !purpose.is_mac()
    }

    fn active(record: &Record) -> Result<SigningKey, &'static str> {
        let secret = record.secret.as_ref().ok_or("its active key has no secret")?;
        let key = match record.algorithm {
            KeyAlgorithm::EdDsa => SigningKey::ed25519(secret.bytes()),
            KeyAlgorithm::Rs256 => SigningKey::rsa(secret.bytes()),
            KeyAlgorithm::Hs256 => Err(KeyRejected::Unsupported),
        }
        .map_err(|_| "its active key is not acceptable")?;
        // SECURITY: an Ed25519 secret under another public key gives the secret away when it signs.
        if record.id == *key.public.id() && record.public == Some(key.public.public_part()) {
            Ok(key)
        } else {
            Err("the secret, the public part and the id of its active key do not belong together")
        }
    }

    fn retiring(record: &Record) -> Result<VerifyingKey, &'static str> {
        if record.secret.is_some() {
            return Err("a retiring key still has its secret");
        }
        let public = record.public.as_ref().ok_or("a retiring key has no public part")?;
        let key = VerifyingKey::from_public_part(public)
            .map_err(|_| "a retiring key is not acceptable")?;
        if record.id == *key.id() && record.algorithm == KeyAlgorithm::of(&key) {
            Ok(key)
        } else {
            Err("the public part and the id of a retiring key do not belong together")
        }
    }

    fn strip(record: &mut Record) {
        record.secret = None;
    }
}

impl SigningKey {
    fn ed25519(seed: &[u8]) -> Result<Self, KeyRejected> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyRejected::Malformed)?;
        let point = pair.public_key().as_ref().try_into().map_err(|_| KeyRejected::Malformed)?;
        let public = VerifyingKey::from_ed25519(point)?;
        Ok(Self { pair: Pair::Ed25519(Box::new(pair)), public })
    }

    fn rsa(pkcs8: &[u8]) -> Result<Self, KeyRejected> {
        let (pair, public) = rsa::parse(pkcs8)?;
        Ok(Self { pair: Pair::Rsa(Box::new(pair)), public })
    }

    fn into_record(self, secret: Zeroizing<Vec<u8>>, now: DateTime<Utc>) -> Record {
        Record {
            id: self.public.id().clone(),
            algorithm: KeyAlgorithm::of(&self.public),
            status: KeyStatus::Active,
            created: now,
            public: Some(self.public.public_part()),
            secret: Some(Secret::new(secret)),
        }
    }
}

impl Pair {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match self {
            Self::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Self::Rsa(pair) => {
                let mut bytes = vec![0; pair.public().modulus_len()];
                // PKCS#1 v1.5 is deterministic; the backend takes a random source of its own kind
                // only, for paddings that are not.
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut bytes)
                    .map_err(|_| SignError)?;
                Ok(bytes)
            }
        }
    }
}

fn new_ed25519(random: &dyn SecureRandom, now: DateTime<Utc>) -> Result<Record, KeyringError> {
    let mut seed = Zeroizing::new(vec![0; 32]);
    random.fill(&mut seed)?;
    Ok(SigningKey::ed25519(&seed)?.into_record(seed, now))
}

fn imported_rsa(pkcs8: &[u8], now: DateTime<Utc>) -> Result<Record, KeyringError> {
    let der = rsa::der(pkcs8)?;
    let key = SigningKey::rsa(&der)?;
    // SECURITY: the backend checks a part of the private key only when it signs; a key with a
    // faulty part could give itself away with its first signature.
    let probe = b"mcp-security/import-probe/v1";
    key.public.verify(probe, &key.pair.sign(probe)?).map_err(|_| SignError)?;
    Ok(key.into_record(der, now))
}

#[cfg(test)]
mod tests;
