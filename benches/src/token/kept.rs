//! Tokens that were validated before: one is validated again, with the revocations of all its
//! ancestors, and its capability asked about one call.

use std::sync::Arc;
use std::time::Duration;

use cap_core::{Capability, CapabilityId};
use cap_crypto::{Algorithm, OsRandom, SigningKeyring};
use cap_token::{CacheLimits, CachedValidator, RevocationSet, RevocationTarget};
use chrono::{DateTime, Utc};

use super::grant::{ALLOWED, DENIED, EXPIRES, Evaluator, Grant};
use super::ours::{Ours, Request};
use super::tokens::{
    TTL, instant, issuer, keyring, lineage, revocations_of_others, signing_key, validator,
};

/// Four ancestors each.
const DEPTH: u8 = 4;
/// Prime to the counts of tokens: comes to each of them, in no order that a prefetcher guesses.
const STEP: usize = 61_803;

pub struct Kept {
    tokens: Vec<String>,
    validator: CachedValidator,
    revocations: Arc<RevocationSet>,
    requests: [Request; ALLOWED.len()],
    at: usize,
}

impl Kept {
    /// So many tokens, each of a capability of its own, and each validated once.
    pub fn new(count: u32) -> Self {
        let requests = ALLOWED.map(|call| Ours::new(Grant::Plain).request(&call));
        let now = instant();
        let keys = keyring(&signing_key(Algorithm::EdDsa), now);
        let tokens: Vec<_> = (0..count).map(|number| token(&keys, number, now)).collect();
        let revocations = Arc::new(revocations_of_others(now));
        let limits = CacheLimits {
            max_age: Duration::from_secs(30),
            entries: tokens.len() * 2,
            bytes: tokens.len() * 2 * 16_384,
        };
        let validator = CachedValidator::new(validator(&keys, &revocations), limits);
        for token in &tokens {
            validator.validate(token, now).expect("a good token");
        }
        assert_eq!(validator.stats().entries, tokens.len());
        Self { tokens, validator, revocations, requests, at: 0 }
    }

    /// The next token, and the next call.
    pub fn permits_next(&mut self) -> bool {
        self.at = (self.at + STEP) % self.tokens.len();
        let request = &self.requests[self.at % self.requests.len()];
        self.permits(&self.tokens[self.at], request)
    }

    fn permits(&self, token: &str, request: &Request) -> bool {
        self.validator
            .validate(token, request.now)
            .is_ok_and(|token| checks(token.capability(), request))
    }

    /// What must be refused is, whether or not the token is remembered.
    pub fn assert_verdicts() {
        let kept = Self::new(16);
        let permits = |token: &str| kept.permits(token, &kept.requests[0]);
        assert!(kept.tokens.iter().all(|token| permits(token)));
        // All reasons but the expiry, which is that of another time.
        for call in DENIED.iter().filter(|call| call.now != EXPIRES) {
            let request = Ours::new(Grant::Plain).request(call);
            assert!(!kept.permits(&kept.tokens[0], &request), "{call:?}");
        }
        let altered = kept.tokens[0].replacen('A', "B", 1);
        assert!(!permits(&altered) && permits(&kept.tokens[0]));
        let now = instant();
        let (_, ancestors) = lineage(3, DEPTH, now);
        for (index, ancestor) in [(3, ancestors[0]), (4, lineage(4, DEPTH, now).1[3])] {
            assert!(permits(&kept.tokens[index]));
            kept.revoke(ancestor, now);
            assert!(!permits(&kept.tokens[index]), "an ancestor was revoked");
        }
        assert!(permits(&kept.tokens[5]));
    }

    fn revoke(&self, capability: CapabilityId, now: DateTime<Utc>) {
        let target = RevocationTarget::Capability(capability);
        self.revocations.revoke(target, None, now).expect("revoked");
    }
}

fn token(keys: &SigningKeyring, number: u32, now: DateTime<Utc>) -> String {
    let (capability, ancestors) = lineage(number, DEPTH, now);
    issuer(keys).issue(&capability, &ancestors, TTL, &OsRandom, now).expect("a token")
}

fn checks(capability: &Capability, request: &Request) -> bool {
    capability.check(&request.tool, request.now).is_ok()
        && capability.check(&request.path, request.now).is_ok()
}
