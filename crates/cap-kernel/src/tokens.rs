use std::sync::Arc;
use std::time::Duration;

use cap_audit::AppendError;
use cap_core::{Capability, CapabilityId, DenyCode};
use cap_crypto::{KeyId, KeyInfo, KeyringError, RandomError, SecureRandom, SigningKeyring};
use cap_token::{
    CacheLimits, CachedValidator, Issuer, RevocationSet, ValidateError, Validator, VerifiedToken,
};
use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use crate::port::StoreError;

/// The tokens of a state: which are accepted, and what signs its own.
///
/// A token that was validated is remembered for a short time; whether it was revoked is asked every
/// time. The keyring is read anew every second, so that a key which another process has rotated in
/// or given up counts, or no longer counts, here.
#[derive(Debug)]
pub struct Tokens {
    validator: CachedValidator,
    revocations: Arc<RevocationSet>,
    own: Option<Own>,
}

/// What a state signs its own tokens with.
#[derive(Debug)]
struct Own {
    /// `iss` and `aud`.
    name: String,
    keys: SigningKeyring,
    seen: Mutex<Option<Seen>>,
}

/// When the keyring was read, and what it was then.
#[derive(Debug)]
struct Seen {
    second: i64,
    generation: u64,
}

/// What a state has revoked: as much as it is, since none of it may be lost.
pub(crate) fn own_revocations(leeway: Duration) -> Arc<RevocationSet> {
    Arc::new(RevocationSet::new().with_skew(leeway).with_max_entries(usize::MAX))
}

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// This state has no key for tokens.
    #[error("this state has no keys for tokens")]
    NoKeys,
    /// The capability is unknown, revoked, expired, or of a session that is over.
    #[error("the capability permits nothing: {0}")]
    Capability(DenyCode),
    /// The keys could not be read.
    #[error(transparent)]
    Keys(#[from] KeyringError),
    /// The token could not be made.
    #[error(transparent)]
    Issue(#[from] cap_token::IssueError),
    /// The token was made, and would be refused.
    #[error("the token would be refused: {0}")]
    Refused(DenyCode),
    /// The state could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A change of the keys that sign the tokens of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyChange {
    /// What the keyring's rotation policy has made due, if anything has: to be asked for much more
    /// often than a key is announced, every minute say.
    Due,
    /// Another key signs from now on; what the old one signed is accepted until it ends.
    Rotate,
    /// Somebody else may have this key: nothing that it signed is accepted any more. It is revoked,
    /// too, so that it does not come back with an old copy of the keyring.
    Compromised(KeyId),
}

/// Why the keys were not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyChangeError {
    /// This state has no key for tokens.
    #[error("this state has no keys for tokens")]
    NoKeys,
    /// The keyring could not be changed. A key that is said to be compromised is not used by this
    /// process all the same; try again, so that others learn of it.
    #[error(transparent)]
    Keys(#[from] KeyringError),
    /// There is no key of this name.
    #[error("there is no key `{0}`")]
    Unknown(KeyId),
    /// The compromised key could not be revoked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No random bytes could be had for the record.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The keys were changed, but the record could not be written.
    #[error("changed, but not recorded: {0}")]
    Audit(#[from] AppendError),
}

impl KeyChange {
    /// The words of its record.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::Due => "the keys for tokens: what was due",
            Self::Rotate => "the keys for tokens: rotated",
            Self::Compromised(_) => "the keys for tokens: compromised",
        }
    }
}

impl Tokens {
    /// Accepts what `validator` accepts, and makes none.
    #[must_use]
    pub fn accepted_by(validator: Validator) -> Self {
        let revocations = own_revocations(validator.leeway());
        let validator = validator.with_revocations(Arc::clone(&revocations));
        let validator = CachedValidator::new(validator, CacheLimits::default());
        Self { validator, revocations, own: None }
    }

    /// Makes and accepts tokens that are signed with `keys`, whose issuer and audience is `name`,
    /// and those of nobody else.
    #[must_use]
    pub fn of(name: impl Into<String>, keys: SigningKeyring) -> Self {
        let name = name.into();
        Self::accepted_by(Validator::new(&name)).and_of(name, keys)
    }

    /// Also makes and accepts tokens that are signed with `keys`, whose issuer is `name`, and whose
    /// audience is that of the validator.
    #[must_use]
    pub fn and_of(self, name: impl Into<String>, keys: SigningKeyring) -> Self {
        Self { own: Some(Own { name: name.into(), keys, seen: Mutex::default() }), ..self }
    }

    /// What signs the tokens of this state.
    #[must_use]
    pub fn keys(&self) -> Option<&SigningKeyring> {
        self.own.as_ref().map(|own| &own.keys)
    }

    /// What the state has revoked, and every token is asked for beside the sets that the validator
    /// had of its own.
    pub(crate) const fn revocations(&self) -> &Arc<RevocationSet> {
        &self.revocations
    }

    /// By how much the clocks of issuers may differ from this one.
    pub(crate) fn leeway(&self) -> Duration {
        self.validator.validator().leeway()
    }

    /// To be called after [`refresh`](Self::refresh).
    pub(crate) fn validate(
        &self,
        text: &str,
        now: DateTime<Utc>,
    ) -> Result<Arc<VerifiedToken>, DenyCode> {
        self.validator.validate(text, now).map_err(|error: ValidateError| error.deny_code())
    }

    /// A token that carries `capability` for `ttl`.
    pub(crate) fn issue(
        &self,
        capability: &Capability,
        ancestors: &[CapabilityId],
        ttl: Duration,
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> Result<String, TokenError> {
        let own = self.own.as_ref().ok_or(TokenError::NoKeys)?;
        let issuer = Issuer::new(&own.name, self.validator.validator().audience(), &own.keys);
        let token = issuer.issue(capability, ancestors, ttl, random, now)?;
        // Such as when its key, or this very issuer, is revoked.
        self.validate(&token, now).map_err(TokenError::Refused)?;
        Ok(token)
    }

    /// Whether this state itself is the issuer.
    pub(crate) fn is_own(&self, token: &VerifiedToken) -> bool {
        self.own.as_ref().is_some_and(|own| own.name == token.issuer())
    }

    /// What has changed of the keys, and whether all that was asked for was done.
    pub(crate) fn change_keys(
        &self,
        change: &KeyChange,
        random: &dyn SecureRandom,
        now: DateTime<Utc>,
    ) -> (Vec<KeyInfo>, Result<(), KeyringError>) {
        let Some(keys) = self.keys() else { return (Vec::new(), Ok(())) };
        // What others have done is theirs to record.
        let read = keys.reload();
        let before = keys.keys();
        let done = read.and_then(|_| match change {
            KeyChange::Due => keys.tick(random, now).map(drop),
            KeyChange::Rotate => keys.rotate(random, now).map(drop),
            KeyChange::Compromised(id) => keys.compromise(id, random, now),
        });
        if let KeyChange::Compromised(id) = change {
            self.validator.validator().distrust_key(id);
        }
        // Whoever validates the next token tries again, and denies while it fails.
        let _ = self.refresh(now);
        (keys.keys().into_iter().filter(|key| !before.contains(key)).collect(), done)
    }

    /// Has the validator trust the keys that the keyring has by now.
    ///
    /// SECURITY: whose keys cannot be read may have been told that one is compromised; and this may
    /// wait for a file, so that nobody may hold the state meanwhile.
    pub(crate) fn refresh(&self, now: DateTime<Utc>) -> Result<(), KeyringError> {
        let Some(Own { name, keys, seen }) = &self.own else { return Ok(()) };
        let mut seen = seen.lock();
        let second = now.timestamp();
        let is_new = seen.as_ref().is_none_or(|seen| seen.second != second);
        if is_new {
            keys.reload()?;
        }
        let generation = keys.generation();
        if is_new || seen.as_ref().is_none_or(|seen| seen.generation != generation) {
            let trusted = keys.verifying_keys_at(now);
            self.validator.validator().set_keys(name, trusted);
            *seen = Some(Seen { second, generation });
        }
        Ok(())
    }
}
