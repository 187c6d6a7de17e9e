//! The tokens of a state, and the keys that sign them.

use std::time::Duration;

use cap_audit::{AuditLog, Durability, Kind, Record};
use cap_core::{CapabilityId, Denial, DenyCode};
use cap_crypto::KeyInfo;
use cap_token::RevocationTarget;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{Kernel, not_done};
use crate::port::{Change, Target};
use crate::tokens::{KeyChange, KeyChangeError, TokenError};

impl Kernel {
    /// A token that carries a capability of this state for `ttl`, but no longer than the capability
    /// lives. Making it again before it ends is how it is renewed.
    ///
    /// # Errors
    /// See [`TokenError`]: no keys, or the capability permits nothing any more.
    pub fn token(
        &self,
        id: CapabilityId,
        ttl: Duration,
        now: DateTime<Utc>,
    ) -> Result<String, TokenError> {
        let tokens = self.tokens.as_ref().ok_or(TokenError::NoKeys)?;
        let refused = |denial: Denial| TokenError::Capability(denial.code());
        tokens.refresh(now)?;
        let state = self.current()?;
        let entry = state.entry(id).ok_or(TokenError::Capability(DenyCode::EvidenceInvalid))?;
        self.stands(&state, &entry.into(), now).map_err(refused)?;
        let ancestors = entry.chain.split_last().map_or(&[][..], |(_, ancestors)| ancestors);
        tokens.issue(&entry.capability, ancestors, ttl, &*self.random, now)
    }

    /// Changes the keys that sign the tokens of this state, here at once and in every process that
    /// shares the keyring within a second, and records it; whether any key changed. What was asked
    /// for and could not be done is recorded, too.
    ///
    /// # Errors
    /// See [`KeyChangeError`].
    pub fn change_keys(
        &self,
        change: &KeyChange,
        log: &AuditLog,
        now: DateTime<Utc>,
    ) -> Result<bool, KeyChangeError> {
        let tokens = self.tokens.as_ref().ok_or(KeyChangeError::NoKeys)?;
        let keys = tokens.keys().ok_or(KeyChangeError::NoKeys)?;
        let trace = self.trace()?;
        // Another process may have made the key that is meant; whether it can be read is told below.
        let _ = keys.reload();
        let revoked = match change {
            KeyChange::Compromised(id) if !keys.keys().iter().any(|key| key.id == *id) => {
                return Err(KeyChangeError::Unknown(id.clone()));
            }
            KeyChange::Compromised(id) => {
                let target = Target::Evidence(RevocationTarget::Key(id.clone()));
                self.store.commit(&[Change::Revoked { target, at: now }]).map(drop)
            }
            _ => Ok(()),
        };
        let (changed, done) = tokens.change_keys(change, &*self.random, now);
        let is_asked_for = *change != KeyChange::Due;
        let mut recorded = Ok(());
        if is_asked_for || !changed.is_empty() {
            let mut record = Record::new(Kind::KeyChange, &trace, now).reason(change.reason());
            if done.is_err() || revoked.is_err() {
                record = not_done(record);
            }
            let record = record.detail(keys_detail(&changed));
            recorded = log.append(record, Durability::Synced).map(drop);
        }
        revoked?;
        done?;
        recorded?;
        Ok(!changed.is_empty())
    }
}

/// The keys that a change has changed, and what they are now.
fn keys_detail(changed: &[KeyInfo]) -> Map<String, Value> {
    let keys = changed
        .iter()
        .map(|key| json!({ "kid": key.id, "status": key.status, "until": key.until }));
    Map::from_iter([("keys".to_owned(), keys.collect())])
}
