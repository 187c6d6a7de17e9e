//! Whom a validator trusts.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cap_crypto::{KeyId, VerifyingKey};
use chrono::{DateTime, Utc};

use super::shared::{Exchanged, Shared};
use crate::ValidateError;
use crate::jose::header::{self, Named};

/// One key of one issuer.
#[derive(Debug, Clone)]
pub(super) struct Trusted {
    pub(super) origin: Arc<Origin>,
    pub(super) key: VerifyingKey,
    /// From which instant on it is not used any more, if there is one.
    pub(super) good_until: Option<DateTime<Utc>>,
}

/// Whose key it is, and which.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) issuer: String,
    pub(crate) key: KeyId,
}

/// A set of trusted keys that several share.
pub(super) type SharedKeys = Shared<Keys>;

/// A set of trusted keys that does not change any more: whoever changes it makes another one.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    all: Vec<Trusted>,
    /// What is trusted no longer, whoever names it once more.
    distrusted: HashSet<KeyId>,
    /// By `kid`. Issuers name their keys themselves, so several may use one name.
    by_kid: HashMap<String, Vec<Trusted>>,
    /// By the header that we write for them, as it stands in a token.
    by_header: HashMap<String, Vec<Trusted>>,
}

impl Trusted {
    fn new(issuer: String, key: VerifyingKey, good_until: Option<DateTime<Utc>>) -> Self {
        let origin = Arc::new(Origin { issuer, key: key.id().clone() });
        Self { origin, key, good_until }
    }

    pub(super) fn is_good(&self, now: DateTime<Utc>) -> bool {
        self.good_until.is_none_or(|end| now < end)
    }

    /// The same key of the same issuer, for as long or longer.
    fn renews(&self, old: &Self) -> bool {
        let longer = self.good_until.is_none_or(|end| old.good_until.is_some_and(|old| old <= end));
        longer && self.key == old.key && self.origin == old.origin
    }
}

/// The same keys, for as long or longer.
impl Exchanged for Keys {
    fn renews(&self, old: &Self) -> bool {
        let renewed = |old: &Trusted| self.all.iter().any(|new| new.renews(old));
        self.all.len() == old.all.len()
            && self.distrusted == old.distrusted
            && old.all.iter().all(renewed)
    }
}

impl Keys {
    pub(super) fn with(&self, issuer: String, key: VerifyingKey) -> Self {
        let mut all = self.all.clone();
        all.push(Trusted::new(issuer, key, None));
        self.next(all)
    }

    /// `keys` in place of all that `issuer` had.
    pub(super) fn with_those_of(
        &self,
        issuer: &str,
        keys: Vec<VerifyingKey>,
        good_until: Option<DateTime<Utc>>,
    ) -> Self {
        let mut all = self.without(|trusted| trusted.origin.issuer == issuer);
        all.extend(keys.into_iter().map(|key| Trusted::new(issuer.to_owned(), key, good_until)));
        self.next(all)
    }

    pub(super) fn without_key(&self, id: &KeyId) -> Self {
        let mut distrusted = self.distrusted.clone();
        distrusted.insert(id.clone());
        Self { distrusted, ..Self::default() }.next(self.all.clone())
    }

    fn without(&self, gone: impl Fn(&Trusted) -> bool) -> Vec<Trusted> {
        self.all.iter().filter(|trusted| !gone(trusted)).cloned().collect()
    }

    fn next(&self, mut all: Vec<Trusted>) -> Self {
        // SECURITY: here, so that no other way of trusting a key brings one back.
        all.retain(|trusted| !self.distrusted.contains(&trusted.origin.key));
        let mut next = Self { all, distrusted: self.distrusted.clone(), ..Self::default() };
        for trusted in &next.all {
            let id = trusted.key.id();
            let header = header::of_our_own(trusted.key.algorithm(), id);
            next.by_kid.entry(id.to_string()).or_default().push(trusted.clone());
            next.by_header.entry(header).or_default().push(trusted.clone());
        }
        next
    }

    /// The keys that a header means, if it is one that we write: nothing has to be read then.
    pub(super) fn known(&self, header: &str) -> Option<&[Trusted]> {
        self.by_header.get(header).map(Vec::as_slice)
    }

    /// The keys of that name and algorithm; at least one.
    ///
    /// SECURITY: `kid` is an index into keys that are trusted already, and nothing else. The
    /// algorithm is the key's; the header may only agree with it.
    pub(super) fn find<'k>(
        &'k self,
        named: &Named<'_>,
    ) -> Result<impl Iterator<Item = &'k Trusted> + Clone + use<'k>, ValidateError> {
        let of_name = self.by_kid.get(named.kid).ok_or(ValidateError::UnknownKey)?;
        let fit = of_name
            .iter()
            .find(|trusted| trusted.key.algorithm().as_str() == named.algorithm)
            .ok_or(ValidateError::AlgorithmOfKey)?;
        let algorithm = fit.key.algorithm();
        Ok(of_name.iter().filter(move |trusted| trusted.key.algorithm() == algorithm))
    }
}
