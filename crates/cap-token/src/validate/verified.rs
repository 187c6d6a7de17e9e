use std::sync::Arc;

use cap_core::{Capability, CapabilityId, Principal};
use cap_crypto::KeyId;
use chrono::{DateTime, Utc};

use super::keys::Origin;
use crate::claims::Claims;
use crate::{StatusReference, TokenId};

/// A token that was validated; there is no other way to get one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedToken {
    capability: Capability,
    ancestors: Vec<CapabilityId>,
    token_id: TokenId,
    issued_at: DateTime<Utc>,
    not_before: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    audience: Arc<str>,
    origin: Arc<Origin>,
    status: Option<StatusReference>,
}

impl VerifiedToken {
    pub(super) fn new(claims: Claims<'_>, origin: Arc<Origin>, audience: Arc<str>) -> Self {
        // INVARIANT: `Claims` holds instants of the calendar only.
        let instant = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        Self {
            issued_at: instant(claims.issued),
            not_before: instant(claims.not_before),
            expires_at: instant(claims.expires),
            capability: claims.capability,
            ancestors: claims.ancestors,
            token_id: claims.token_id,
            status: claims.status,
            audience,
            origin,
        }
    }

    /// The capability that it carries.
    #[must_use]
    pub const fn capability(&self) -> &Capability {
        &self.capability
    }

    /// The capabilities from which that one descends, the root first.
    #[must_use]
    pub fn ancestors(&self) -> &[CapabilityId] {
        &self.ancestors
    }

    /// Whose it is (`sub`, `client_id`): the holder of the capability.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        self.capability.principal()
    }

    /// Who issued it (`iss`).
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.origin.issuer
    }

    /// For whom it was found good (one of `aud`).
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// Its own identity (`jti`).
    #[must_use]
    pub const fn token_id(&self) -> TokenId {
        self.token_id
    }

    /// When it was issued (`iat`).
    #[must_use]
    pub const fn issued_at(&self) -> DateTime<Utc> {
        self.issued_at
    }

    /// From when on it is good (`nbf`), leeway aside.
    #[must_use]
    pub const fn not_before(&self) -> DateTime<Utc> {
        self.not_before
    }

    /// When it ends (`exp`), leeway aside.
    #[must_use]
    pub const fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }

    /// Where its status is published, if it says so (`status`). Nobody has asked there.
    #[must_use]
    pub const fn status(&self) -> Option<&StatusReference> {
        self.status.as_ref()
    }

    /// Which key signed it.
    #[must_use]
    pub fn key(&self) -> &KeyId {
        &self.origin.key
    }
}
