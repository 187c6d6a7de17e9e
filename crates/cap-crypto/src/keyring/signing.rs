use std::fmt;
use std::iter;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::document::{Document, KeyAlgorithm, Record, Secret};
use super::rotation::{self, RotationPolicy};
use super::{Key, KeyStore, Keyring, Kind, Room, State, refuse_known};
use crate::{
    Algorithm, Backend, KeyId, KeyInfo, KeyRejected, KeyStatus, KeyringError, Purpose,
    SecureRandom, SignError, Signature, Signer, SigningKey, VerifyingKey, encoding,
};

mod distrusted;

use distrusted::Distrusted;

/// Signing keys of one purpose: Ed25519 unless another first key is given; for
/// [`Purpose::TokenSign`] also P-256 and RSA. Many threads may use one at the same time.
///
/// A key is pending (published, signs nothing), active (the only one that signs), retiring (it has
/// given up its secret and only verifies) and retired (its name is left). [`tick`](Self::tick)
/// does what the [`RotationPolicy`] has made due; nothing changes between two calls.
pub struct SigningKeyring {
    keys: Keyring<Signing>,
    policy: RotationPolicy,
}

impl SigningKeyring {
    /// Opens `<folder>/<purpose>.json`. If there is none, the folder (0700) and the file (0600) are
    /// created with one new Ed25519 key; of several processes that do so at once, one wins
    /// and the others load its key.
    ///
    /// # Errors
    /// See [`KeyringError`]. A file that exists is never replaced, however damaged it is.
    pub fn open_or_create(
        store: impl Into<KeyStore>,
        purpose: Purpose,
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> Result<Self, KeyringError> {
        let first = || Ok(SigningKey::generate(Algorithm::EdDsa, Backend::default(), random)?);
        Self::open_or_create_with(store, purpose, first, now)
    }

    /// As [`open_or_create`](Self::open_or_create), with another first key.
    ///
    /// # Errors
    /// See [`KeyringError`], and those of `first`.
    pub fn open_or_create_with(
        store: impl Into<KeyStore>,
        purpose: Purpose,
        first: impl FnOnce() -> Result<SigningKey, KeyringError>,
        now: DateTime<Utc>,
    ) -> Result<Self, KeyringError> {
        let record = || record(&first()?, purpose, now);
        Keyring::open_or_create(store.into(), purpose, Backend::default(), record).map(Self::new)
    }

    /// Opens a keyring that must exist.
    ///
    /// # Errors
    /// See [`KeyringError`].
    pub fn open(store: impl Into<KeyStore>, purpose: Purpose) -> Result<Self, KeyringError> {
        Keyring::open(store.into(), purpose, Backend::default()).map(Self::new)
    }

    /// A keyring of one new Ed25519 key that lives and dies with this value.
    ///
    /// # Errors
    /// [`KeyringError::WrongKind`], [`KeyringError::Random`].
    pub fn ephemeral(purpose: Purpose, random: &dyn SecureRandom) -> Result<Self, KeyringError> {
        let first = SigningKey::generate(Algorithm::EdDsa, Backend::default(), random)?;
        Self::ephemeral_with(purpose, &first, DateTime::UNIX_EPOCH)
    }

    /// As [`ephemeral`](Self::ephemeral), with this key, which is active since `now`.
    ///
    /// # Errors
    /// [`KeyringError::WrongKind`] if the purpose does not take such keys.
    pub fn ephemeral_with(
        purpose: Purpose,
        first: &SigningKey,
        now: DateTime<Utc>,
    ) -> Result<Self, KeyringError> {
        let first = record(first, purpose, now)?;
        Keyring::ephemeral(purpose, Backend::default(), first).map(Self::new)
    }

    /// The same keyring, computed by this backend.
    ///
    /// # Errors
    /// [`KeyringError::Corrupt`] if the backend refuses one of the keys.
    pub fn with_backend(self, backend: Backend) -> Result<Self, KeyringError> {
        Ok(Self { keys: self.keys.with_context(backend)?, ..self })
    }

    /// The same keyring under this policy, which is not stored: whoever opens the file says it.
    #[must_use]
    pub fn with_policy(self, policy: RotationPolicy) -> Self {
        Self { policy, ..self }
    }

    /// The key that signs now. Taken once for each token, so that header and signature agree.
    #[must_use]
    pub fn signer(&self) -> Arc<dyn Signer> {
        let state = self.keys.state();
        let Key { id, key } = &state.active;
        if state.is_distrusted(id) {
            Arc::new(Distrusted(key.key().clone()))
        } else {
            Arc::clone(key) as Arc<dyn Signer>
        }
    }

    /// The signature of `message` under the active key.
    ///
    /// # Errors
    /// [`SignError`] when the backend fails, which a key that was accepted does not let it do, and
    /// when the active key is compromised, and no other could be put in its place.
    pub fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        let signer = self.signer();
        Ok(Signature { key: signer.key().id().clone(), bytes: signer.sign(message)? })
    }

    /// What verifies the signatures of this keyring: the active key first, then the pending one
    /// (another process may have made it active already), then the retiring ones.
    #[must_use]
    pub fn verifying_keys(&self) -> Vec<VerifyingKey> {
        verifying(&self.keys.state())
    }

    /// The same without the keys whose overlap is over at `now`, even where
    /// [`tick`](Self::tick) has not been called since.
    #[must_use]
    pub fn verifying_keys_at(&self, now: DateTime<Utc>) -> Vec<VerifyingKey> {
        let state = self.keys.state();
        let overdue = |key: &VerifyingKey| {
            let record = state.document().find(key.id());
            record.is_some_and(|record| rotation::is_overdue(record, now))
        };
        verifying(&state).into_iter().filter(|key| !overdue(key)).collect()
    }

    /// Changes whenever the keys of this value do. To be read before the keys: then it is never
    /// newer than they are.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.keys.state().generation
    }

    /// When its keys change.
    #[must_use]
    pub fn policy(&self) -> &RotationPolicy {
        &self.policy
    }

    /// Reloads, then does what is due: retires keys whose overlap is over, makes the pending key
    /// active, publishes the next one, of the same algorithm as the active key. `true` if the
    /// keys changed. To be called much more often than the announcement is long; when nothing
    /// is due it costs the reading of the file. Several processes may call it for one file:
    /// each step is done once.
    ///
    /// Keys for [`Purpose::AuditSign`] change by the same times, but the old ones verify until
    /// [`retire`](Self::retire) is called: an audit log does not expire.
    ///
    /// # Errors
    /// See [`KeyringError`]; [`KeyringError::Generate`] where the backend makes no such key: import
    /// the next one with [`import_pending`](Self::import_pending). Keys whose time is up verify no
    /// more even if that could not be written.
    pub fn tick(
        &self,
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> Result<bool, KeyringError> {
        let before = self.generation();
        let reloaded = self.keys.reload();
        // SECURITY: neither a full or read-only disk nor a lock that somebody holds keeps keys alive.
        self.keys.distrust(|record| rotation::is_overdue(record, now));
        let done = reloaded.and_then(|_| self.advance(random, now));
        done.map(|()| self.generation() != before)
    }

    /// Makes another key active now, whatever the interval: the pending one, else a new one of the
    /// same algorithm, which verifiers learn of only when they fetch the keys again. The old one
    /// verifies until the overlap is over.
    ///
    /// # Errors
    /// See [`KeyringError`]; the keyring then stays as it was.
    pub fn rotate(
        &self,
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> Result<KeyId, KeyringError> {
        self.keys.change(|document| {
            rotation::retire_overdue(document, now);
            match rotation::activate_pending::<Signing>(document, &self.policy, now)? {
                Some(id) => Ok(id),
                None => {
                    let record = self.generate(document, random, now)?;
                    self.put_active(document, &record, now)
                }
            }
        })
    }

    /// For a key that somebody else may have: from here on it is none of the
    /// [`verifying_keys`](Self::verifying_keys) of this value. If it was active, a new key of the
    /// same algorithm is active instead; a pending key that lay in the same place while it signed
    /// is discarded.
    ///
    /// Whoever was given the keys before goes on with them until it is told: a validator until its
    /// keys are set anew, other processes until they reload, other verifiers until they fetch the
    /// keys again (and those that somebody keeps from fetching, until what they have is stale). So
    /// have the key revoked and distrusted there as well. A [`signer`](Self::signer) that was
    /// taken before still signs; what it signs does not verify here.
    ///
    /// # Errors
    /// [`KeyringError::UnknownKey`]; [`KeyringError::Generate`] where the backend makes no such key:
    /// then import one first, which makes the compromised one a retiring one, and call this again.
    ///
    /// On an error the file stays as it was, and other processes know nothing: call again until it
    /// succeeds. This value uses the key no more all the same: it does not verify, and if it is
    /// the active one, nothing is signed until another one is active.
    pub fn compromise(
        &self,
        id: &KeyId,
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> Result<(), KeyringError> {
        // SECURITY: in memory first: no full disk and no lock of another process holds this up.
        let beside = self.pending_beside(id);
        self.keys.distrust(|record| record.id == *id || beside.as_ref() == Some(&record.id));
        self.keys.change_within(Room::All, |document| {
            let status = document.find(id).map(|record| record.status);
            if status.ok_or_else(|| KeyringError::UnknownKey(id.clone()))? == KeyStatus::Compromised
            {
                return Ok(());
            }
            rotation::discard_pending_beside(document, id, now);
            rotation::retire_overdue(document, now);
            if status == Some(KeyStatus::Active) {
                let fresh = self.generate(document, random, now)?;
                // It does not retire, so there is no end to compute.
                rotation::step_down::<Signing>(document, None, now);
                document.push(fresh);
            }
            let known = document.records_mut().find(|record| record.id == *id);
            known.into_iter().for_each(|record| record.leave(KeyStatus::Compromised, Some(now)));
            Ok(())
        })?;
        // Another process may have made it the active one before.
        beside.map_or(Ok(()), |beside| self.keys.trust_again(&beside))
    }

    /// The pending key, if `id` is the active one, as far as this value knows.
    fn pending_beside(&self, id: &KeyId) -> Option<KeyId> {
        let state = self.keys.state();
        let pending = state.pending.as_ref().filter(|_| state.active.id == *id);
        pending.map(|key| key.id.clone())
    }

    /// Makes this key the active one, as [`rotate`](Self::rotate) does with a new one; a pending key
    /// stays pending, for a whole interval. In the keyring it is named by its thumbprint.
    ///
    /// # Errors
    /// [`KeyringError::KnownKey`], [`KeyringError::WrongKind`] if the purpose does not take such
    /// keys, and those of the file; the keyring then stays as it was.
    pub fn import(&self, key: &SigningKey, now: DateTime<Utc>) -> Result<KeyId, KeyringError> {
        let record = record(key, self.purpose(), now)?;
        self.keys.change(|document| {
            rotation::retire_overdue(document, now);
            let id = self.put_active(document, &record, now)?;
            rotation::postpone_pending(document, &self.policy)?;
            Ok(id)
        })
    }

    /// Publishes this key now; [`tick`](Self::tick) makes it active when the interval is over and it
    /// has been announced long enough.
    ///
    /// # Errors
    /// As [`import`](Self::import), and [`KeyringError::PendingKey`].
    pub fn import_pending(
        &self,
        key: &SigningKey,
        now: DateTime<Utc>,
    ) -> Result<KeyId, KeyringError> {
        let record = record(key, self.purpose(), now)?;
        self.keys.change(|document| rotation::announce(document, record.clone(), &self.policy, now))
    }

    /// Makes an RSA key the active one, as [`import`](Self::import) does: PKCS#8, unencrypted, PEM or
    /// DER, 2048, 3072 or 4096 bits, exponent 65537 or more. For [`Purpose::TokenSign`] only.
    ///
    /// # Errors
    /// [`KeyringError::Rejected`], and those of [`import`](Self::import).
    pub fn import_rsa(&self, pkcs8: &[u8], now: DateTime<Utc>) -> Result<KeyId, KeyringError> {
        let purpose = self.purpose();
        if !KeyAlgorithm::Rs256.serves(purpose) {
            return Err(KeyringError::WrongKind(purpose));
        }
        let key = SigningKey::from_pkcs8(pkcs8)?;
        if key.key().algorithm() != Algorithm::Rs256 {
            return Err(KeyRejected::Unsupported.into());
        }
        self.import(&key, now)
    }

    /// Takes a key that is not active out of use for good, before its time. To retire what is
    /// retired changes nothing.
    ///
    /// # Errors
    /// [`KeyringError::ActiveKey`], [`KeyringError::UnknownKey`], and those of the file.
    pub fn retire(&self, id: &KeyId) -> Result<(), KeyringError> {
        self.keys.retire(id)
    }

    /// Reads the file again; `true` when it had changed. A keyring in memory has not.
    ///
    /// # Errors
    /// See [`KeyringError`]; the keyring then stays as it was. [`KeyringError::RolledBack`] if the
    /// file is older than what this value has seen.
    pub fn reload(&self) -> Result<bool, KeyringError> {
        self.keys.reload()
    }

    /// What its keys are for.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        self.keys.state().document().purpose()
    }

    /// The key that makes new signatures.
    #[must_use]
    pub fn active(&self) -> KeyId {
        self.keys.state().active.id.clone()
    }

    /// The public half of the key that makes new signatures.
    #[must_use]
    pub fn active_key(&self) -> VerifyingKey {
        self.keys.state().active.key.key().clone()
    }

    /// All keys, the oldest first, retired ones included.
    #[must_use]
    pub fn keys(&self) -> Vec<KeyInfo> {
        self.keys.state().document().infos()
    }

    fn new(keys: Keyring<Signing>) -> Self {
        Self { keys, policy: RotationPolicy::default() }
    }

    /// In two steps, so that what must end does so even when no new key can be made.
    fn advance(&self, random: &dyn SecureRandom, now: DateTime<Utc>) -> Result<(), KeyringError> {
        if rotation::is_due(self.keys.state().document(), &self.policy, now) {
            self.keys
                .change(|document| rotation::advance::<Signing>(document, &self.policy, now))?;
        }
        if !rotation::announcement_due(self.keys.state().document(), &self.policy, now) {
            return Ok(());
        }
        self.keys.change(|document| {
            // Another process may have been faster.
            if rotation::announcement_due(document, &self.policy, now) {
                let record = self.generate(document, random, now)?;
                rotation::announce(document, record, &self.policy, now)?;
            }
            Ok(())
        })
    }

    fn put_active(
        &self,
        document: &mut Document,
        record: &Record,
        now: DateTime<Utc>,
    ) -> Result<KeyId, KeyringError> {
        refuse_known(document, &record.id)?;
        let until = rotation::end_of_active(document, &self.policy, now)?;
        rotation::step_down::<Signing>(document, until, now);
        document.push(record.clone());
        Ok(record.id.clone())
    }

    /// A new key like the one that is active in the document: another process may have imported one
    /// of another algorithm.
    fn generate(
        &self,
        document: &Document,
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> Result<Record, KeyringError> {
        let purpose = document.purpose();
        let like = document.only(KeyStatus::Active).and_then(|record| record.algorithm.signing());
        let algorithm = like.ok_or(KeyringError::WrongKind(purpose))?;
        let backend = self.keys.state().active.key.key().backend();
        record(&SigningKey::generate(algorithm, backend, random)?, purpose, now)
    }
}

impl fmt::Debug for SigningKeyring {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SigningKeyring")
            .field("purpose", &self.purpose())
            .field("keys", &self.keys())
            .finish_non_exhaustive()
    }
}

struct Signing;

impl Kind for Signing {
    type Active = Arc<SigningKey>;
    type Retiring = VerifyingKey;
    type Context = Backend;

    const HAS_PENDING: bool = true;

    fn serves(purpose: Purpose) -> bool {
        !purpose.is_mac()
    }

    fn active(record: &Record, backend: &Backend) -> Result<Arc<SigningKey>, &'static str> {
        let secret = record.secret.as_ref().ok_or("its active key has no secret")?;
        let key = parse(record.algorithm, secret.bytes())
            .and_then(|key| {
                if key.key().backend() == *backend { Ok(key) } else { key.with_backend(*backend) }
            })
            .map_err(|_| "its active key is not acceptable")?;
        // SECURITY: an Ed25519 secret under another public key gives the secret away when it signs.
        if record.id == *key.key().id() && record.public == Some(key.key().public_part()) {
            Ok(Arc::new(key))
        } else {
            Err("the secret, the public part and the id of its active key do not belong together")
        }
    }

    fn retiring(record: &Record, backend: &Backend) -> Result<VerifyingKey, &'static str> {
        if record.secret.is_some() {
            return Err("a retiring key still has its secret");
        }
        let public = record.public.as_ref().ok_or("a retiring key has no public part")?;
        let key = VerifyingKey::from_public_part(public)
            .and_then(|key| key.with_backend(*backend))
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

fn verifying(state: &State<Signing>) -> Vec<VerifyingKey> {
    let active = iter::once(&state.active).filter(|key| !state.is_distrusted(&key.id));
    let own = active.chain(&state.pending).map(|key| key.key.key());
    own.chain(state.retiring.iter().map(|key| &key.key)).cloned().collect()
}

/// PKCS#8, or the 32 bytes of an Ed25519 seed, as version 1 of the file had it.
fn parse(algorithm: KeyAlgorithm, secret: &[u8]) -> Result<SigningKey, KeyRejected> {
    let key = match <&[u8; 32]>::try_from(secret) {
        Ok(seed) => SigningKey::from_ed25519_seed(seed)?,
        Err(_) => SigningKey::from_pkcs8(secret)?,
    };
    if KeyAlgorithm::of(key.key()) == algorithm { Ok(key) } else { Err(KeyRejected::Unsupported) }
}

/// The record of an active key, named by its thumbprint whatever its JWK called it: the file says
/// the name again, and it must fit.
fn record(key: &SigningKey, purpose: Purpose, now: DateTime<Utc>) -> Result<Record, KeyringError> {
    let algorithm = KeyAlgorithm::of(key.key());
    if !algorithm.serves(purpose) {
        return Err(KeyringError::WrongKind(purpose));
    }
    let id = encoding::encode(&key.key().thumbprint()).parse().map_err(|_| KeyRejected::Name)?;
    Ok(Record {
        id,
        algorithm,
        status: KeyStatus::Active,
        created: now,
        since: Some(now),
        until: None,
        public: Some(key.key().public_part()),
        secret: Some(Secret::new(key.to_pkcs8())),
    })
}

#[cfg(test)]
mod tests;
