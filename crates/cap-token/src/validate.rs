use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cap_crypto::{KeyId, VerifyingKey};
use chrono::{DateTime, Utc};

use self::keys::{Keys, SharedKeys, Trusted};
use crate::claims::Claims;
use crate::jose::Compact;
use crate::jose::header::Header;
use crate::revocation::{Facts, RevocationSet};

mod error;
pub(crate) mod keys;
mod shared;
mod verified;

pub use error::ValidateError;
pub use verified::VerifiedToken;

/// By how much clocks may differ unless the caller says otherwise: five minutes.
pub const DEFAULT_LEEWAY: Duration = Duration::from_secs(300);

/// Checks capability tokens: for one audience, from the issuers and keys that it was told to trust.
///
/// Keys can be exchanged while other threads validate: each validation sees one set of them. Clones
/// share their keys, so that what [`set_keys`](Self::set_keys), its like and
/// [`distrust_key`](Self::distrust_key) change in one is changed in all; [`trust`](Self::trust)
/// makes a validator with keys of its own. Clones ask the sets of revocations that the first had when
/// they were made.
///
/// SECURITY: every issuer that is trusted may speak for every principal and about every capability:
/// names of principals are not divided among issuers here.
///
/// The order of the checks is: form, header, key, signature, claims, audience and lifetime,
/// revocation. Nothing of the payload is looked at before the signature has verified, and whether
/// something was revoked is told only to whoever has a good token.
#[derive(Clone)]
pub struct Validator {
    audience: Arc<str>,
    leeway: Duration,
    keys: Arc<SharedKeys>,
    revocations: Vec<Arc<RevocationSet>>,
}

impl Validator {
    /// A validator for tokens whose `aud` is or contains `audience`. It trusts nobody yet.
    #[must_use]
    pub fn new(audience: impl Into<String>) -> Self {
        Self {
            audience: audience.into().into(),
            leeway: DEFAULT_LEEWAY,
            keys: Arc::new(SharedKeys::new(Keys::default(), 0)),
            revocations: Vec::new(),
        }
    }

    /// Trusts `key` for tokens of `issuer`, and of nobody else. Clones that were made before do not.
    #[must_use]
    pub fn trust(self, issuer: impl Into<String>, key: VerifyingKey) -> Self {
        let generation = self.keys.generation().saturating_add(1);
        let keys = self.keys.read().with(issuer.into(), key);
        Self { keys: Arc::new(SharedKeys::new(keys, generation)), ..self }
    }

    /// By how much clocks may differ, in whole seconds; zero is allowed.
    #[must_use]
    pub fn with_leeway(self, leeway: Duration) -> Self {
        Self { leeway, ..self }.with_retention()
    }

    /// Refuses what is in `revocations`: the token, its capability, each of its ancestors, its
    /// principal, its issuer and its key are asked about. The set is told to keep revocations for the
    /// leeway of this validator, too. Further calls add further sets, such as that of
    /// [another issuer](RevocationSet::of_issuer), which is asked about the tokens of that issuer.
    #[must_use]
    pub fn with_revocations(mut self, revocations: Arc<RevocationSet>) -> Self {
        self.revocations.push(revocations);
        self.with_retention()
    }

    /// SECURITY: what is accepted for the leeway longer must be known as revoked as long.
    fn with_retention(self) -> Self {
        for revocations in &self.revocations {
            revocations.require_skew(self.leeway);
        }
        self
    }

    /// Trusts these keys for tokens of `issuer`, in place of all that it had before; not those that
    /// were [distrusted](Self::distrust_key). The same ones once more are no change.
    pub fn set_keys(&self, issuer: &str, keys: Vec<VerifyingKey>) {
        self.keys.change(|known| known.with_those_of(issuer, keys, None));
    }

    /// The same for keys that are not used any more from `good_until` on, unless they are set again:
    /// where whoever fetches them has died, tokens of `issuer` are refused.
    pub fn set_keys_until(&self, issuer: &str, keys: Vec<VerifyingKey>, good_until: DateTime<Utc>) {
        self.keys.change(|known| known.with_those_of(issuer, keys, Some(good_until)));
    }

    /// Trusts the keys of this name no longer, whosever they are, and will not trust them again: a
    /// key set that still has one is taken without it.
    pub fn distrust_key(&self, key: &KeyId) {
        self.keys.change(|keys| keys.without_key(key));
    }

    /// How often the keys were changed; the same ones, for as long or longer, do not count. Whoever
    /// keeps what was validated asks for this number before the validation, and forgets what was kept
    /// under another one.
    #[must_use]
    pub fn key_generation(&self) -> u64 {
        self.keys.generation()
    }

    /// For whom tokens must be.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// By how much clocks may differ.
    #[must_use]
    pub const fn leeway(&self) -> Duration {
        self.leeway
    }

    /// What the token says, if it is one of a trusted issuer for this audience, `now` is within its
    /// lifetime, and it is not revoked as far as this validator was given
    /// [revocations](Self::with_revocations). The capability's constraints and its own expiry are the
    /// kernel's to ask about.
    ///
    /// # Errors
    /// See [`ValidateError`].
    pub fn validate(
        &self,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<VerifiedToken, ValidateError> {
        self.validate_until(token, now).map(|(token, _)| token)
    }

    /// With the instant from which on its key is not used any more, if there is one.
    pub(crate) fn validate_until(
        &self,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<(VerifiedToken, Option<DateTime<Utc>>), ValidateError> {
        let compact = Compact::split(token)?;
        let keys = self.keys.read();
        if let Some(known) = keys.known(compact.header) {
            let signature = compact.signature()?;
            return self.signed(&compact, &signature, known.iter(), now);
        }
        let text = compact.header_text()?;
        let header = Header::read(&text)?;
        let signature = compact.signature()?;
        self.signed(&compact, &signature, keys.find(&header.named()?)?, now)
    }

    /// Whether the sets of revocations, as they are by now, refuse this token.
    ///
    /// # Errors
    /// [`ValidateError::Revoked`].
    pub fn check_revoked(
        &self,
        token: &VerifiedToken,
        now: DateTime<Utc>,
    ) -> Result<(), ValidateError> {
        let capability = token.capability();
        let facts = Facts {
            token: token.token_id(),
            capability: capability.id(),
            ancestors: token.ancestors(),
            principal: capability.principal(),
            issuer: token.issuer(),
            key: token.key(),
            issued_at: token.issued_at(),
        };
        for revocations in &self.revocations {
            revocations.check(&facts, now)?;
        }
        Ok(())
    }

    /// From the signature on.
    fn signed<'k>(
        &self,
        compact: &Compact<'_>,
        signature: &[u8],
        keys: impl Iterator<Item = &'k Trusted>,
        now: DateTime<Utc>,
    ) -> Result<(VerifiedToken, Option<DateTime<Utc>>), ValidateError> {
        let mut good = keys.filter(|trusted| trusted.is_good(now)).peekable();
        if good.peek().is_none() {
            return Err(ValidateError::UnknownKey);
        }
        let input = compact.signing_input.as_bytes();
        let mut signers = good.filter(|trusted| trusted.key.verify(input, signature).is_ok());
        let first = signers.next().ok_or(ValidateError::Signature)?;
        // SECURITY: nothing of the payload has been looked at up to here.
        let text = compact.verified_claims_text()?;
        let claims = Claims::read(&text)?;
        let of_issuer = |trusted: &&Trusted| trusted.origin.issuer == *claims.issuer;
        let signer = Some(first).filter(of_issuer).or_else(|| signers.find(of_issuer));
        let signer = signer.ok_or(ValidateError::Issuer)?;
        if !claims.audiences.contains(&self.audience) {
            return Err(ValidateError::Audience);
        }
        self.check_lifetime(&claims, now)?;
        let origin = Arc::clone(&signer.origin);
        let token = VerifiedToken::new(claims, origin, Arc::clone(&self.audience));
        self.check_revoked(&token, now)?;
        Ok((token, signer.good_until))
    }

    fn check_lifetime(&self, claims: &Claims<'_>, now: DateTime<Utc>) -> Result<(), ValidateError> {
        let leeway = i64::try_from(self.leeway.as_secs()).unwrap_or(i64::MAX);
        let now = now.timestamp();
        let latest = now.saturating_add(leeway);
        if claims.expires.saturating_add(leeway) <= now {
            Err(ValidateError::Expired)
        } else if claims.not_before > latest {
            Err(ValidateError::NotYetValid)
        } else if claims.issued > latest {
            Err(ValidateError::IssuedInFuture)
        } else {
            Ok(())
        }
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Validator")
            .field("audience", &self.audience)
            .field("leeway", &self.leeway)
            .field("keys", &self.keys.read())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
