use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Duration;

use cap_core::{CapabilityId, Principal};
use chrono::{DateTime, TimeDelta, Utc};

use crate::sync::Mutex;
use crate::{DEFAULT_LEEWAY, IssueError, TokenId};

/// The tokens that were issued and that somebody may still accept: which there are for a capability
/// or of a principal, and until when. It holds no token, so that nobody finds one here.
///
/// It is bounded: where it is full of what is still accepted, nothing more is issued.
#[derive(Debug)]
pub struct Issued {
    capacity: usize,
    leeway: Duration,
    state: Mutex<State>,
}

/// One token that was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IssuedToken {
    /// Its id (`jti`).
    pub token: TokenId,
    /// The capability that it carries.
    pub capability: CapabilityId,
    /// Who holds it.
    pub principal: Principal,
    /// When it ends, leeway aside.
    pub expires_at: DateTime<Utc>,
}

/// INVARIANT: the four say the same.
#[derive(Debug, Default)]
struct State {
    by_token: HashMap<TokenId, IssuedToken>,
    by_capability: HashMap<CapabilityId, BTreeSet<TokenId>>,
    by_principal: HashMap<Principal, BTreeSet<TokenId>>,
    by_end: BTreeSet<(DateTime<Utc>, TokenId)>,
}

impl Issued {
    /// A register for at most `capacity` tokens at once. A token is kept for [`DEFAULT_LEEWAY`]
    /// after its end.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity, leeway: DEFAULT_LEEWAY, state: Mutex::default() }
    }

    /// For how long after its end a token is kept: at least the leeway of the validators.
    #[must_use]
    pub fn with_leeway(self, leeway: Duration) -> Self {
        Self { leeway, ..self }
    }

    /// The token of this id, if it has not been cleaned up.
    #[must_use]
    pub fn find(&self, token: TokenId) -> Option<IssuedToken> {
        self.state.lock().by_token.get(&token).cloned()
    }

    /// The tokens that carry this capability, the oldest first.
    #[must_use]
    pub fn tokens_of(&self, capability: CapabilityId) -> Vec<IssuedToken> {
        let state = self.state.lock();
        state.known(state.by_capability.get(&capability))
    }

    /// The tokens that this principal holds, the oldest first: what to revoke, with the capabilities
    /// that they carry, when it is not to be trusted any more.
    #[must_use]
    pub fn tokens_of_principal(&self, principal: &Principal) -> Vec<IssuedToken> {
        let state = self.state.lock();
        state.known(state.by_principal.get(principal))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.lock().by_token.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets those that ended the leeway ago at `now`, and says how many they were.
    pub fn cleanup(&self, now: DateTime<Utc>) -> usize {
        self.state.lock().cleanup(self.nobody_accepts(now))
    }

    /// What ended at this instant is accepted by nobody.
    fn nobody_accepts(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let leeway = TimeDelta::from_std(self.leeway).unwrap_or(TimeDelta::MAX);
        now.checked_sub_signed(leeway).unwrap_or(DateTime::<Utc>::MIN_UTC)
    }

    /// Takes all of them or none.
    pub(crate) fn record(
        &self,
        tokens: &[IssuedToken],
        now: DateTime<Utc>,
    ) -> Result<(), IssueError> {
        let mut state = self.state.lock();
        let mut ids = BTreeSet::new();
        let is_new = |issued: &IssuedToken| {
            !state.by_token.contains_key(&issued.token) && ids.insert(issued.token)
        };
        if !tokens.iter().all(is_new) {
            return Err(IssueError::KnownToken);
        }
        let room = |state: &State| self.capacity.saturating_sub(state.by_token.len());
        if room(&state) < tokens.len() {
            state.cleanup(self.nobody_accepts(now));
        }
        if room(&state) < tokens.len() {
            return Err(IssueError::RegisterFull);
        }
        tokens.iter().for_each(|token| state.insert(token));
        Ok(())
    }
}

impl State {
    fn insert(&mut self, issued: &IssuedToken) {
        let token = issued.token;
        self.by_token.insert(token, issued.clone());
        self.by_capability.entry(issued.capability).or_default().insert(token);
        self.by_principal.entry(issued.principal.clone()).or_default().insert(token);
        self.by_end.insert((issued.expires_at, token));
    }

    fn known(&self, tokens: Option<&BTreeSet<TokenId>>) -> Vec<IssuedToken> {
        let tokens = tokens.into_iter().flatten();
        tokens.filter_map(|token| self.by_token.get(token)).cloned().collect()
    }

    fn cleanup(&mut self, now: DateTime<Utc>) -> usize {
        let before = self.by_token.len();
        while self.by_end.first().is_some_and(|(end, _)| *end <= now) {
            let Some(issued) =
                self.by_end.pop_first().and_then(|(_, token)| self.by_token.remove(&token))
            else {
                continue;
            };
            forget(&mut self.by_capability, &issued.capability, issued.token);
            forget(&mut self.by_principal, &issued.principal, issued.token);
        }
        before - self.by_token.len()
    }
}

fn forget<K: Eq + Hash>(by: &mut HashMap<K, BTreeSet<TokenId>>, key: &K, token: TokenId) {
    if let Some(tokens) = by.get_mut(key) {
        tokens.remove(&token);
        if tokens.is_empty() {
            by.remove(key);
        }
    }
}
