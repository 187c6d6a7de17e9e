use std::time::Duration;

use cap_crypto::{SignError, Signer, VerifyingKey};
use chrono::{DateTime, Utc};
use thiserror::Error;

use super::document::{
    self, Document, Form, Header, LAST_EPOCH, Lists, MAX_REVOCATIONS_BYTES, MalformedRevocations,
};
use super::item::{Item, LAST, Until, is_issuer};
use super::{Epoch, Kept, RevocationSet, Source};
use crate::sync::Ordering;

/// How many revocations are taken over at a time; others that revoke wait that long.
const CHUNK: usize = 4096;

/// The most bytes that are taken from a publisher unless more was [allowed](Publisher::with_max_bytes):
/// 2.8 million ids.
pub const DEFAULT_MAX_IMPORT_BYTES: usize = 64 * 1024 * 1024;

/// Whose snapshots and deltas are taken over: a name, and the keys that are known to be its own.
///
/// SECURITY: a publisher can revoke anything that the set it is taken into is asked about. Therefore
/// only one that was made by [`for_everything`](Self::for_everything) is taken into a set that is
/// asked about every token.
#[derive(Clone, Debug)]
pub struct Publisher {
    issuer: String,
    keys: Vec<VerifyingKey>,
    everything: bool,
    max_bytes: usize,
}

/// Why nothing was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The name of the issuer is empty, too long, or has control characters.
    #[error("the name of the issuer is not fit for a document")]
    Issuer,
    /// The instant is before 1970 or after the year 9999.
    #[error("the time is before 1970 or after the year 9999")]
    Clock,
    /// The delta is to start from an epoch that has not come.
    #[error("the epoch has not come")]
    Ahead,
    /// The set has come further than readers follow: 2⁶³ − 1.
    #[error("the epoch is beyond the last one")]
    Epoch,
    /// It would be longer than [`MAX_REVOCATIONS_BYTES`].
    #[error("the document would have more than {MAX_REVOCATIONS_BYTES} bytes")]
    TooLarge,
    /// The backend could not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Why nothing was imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The publisher may only revoke what is its own, and the set is asked about more.
    #[error("the publisher may not revoke what the set is asked about")]
    Scope,
    /// It is longer than is taken from the publisher.
    #[error("the document has more bytes than are taken from its publisher")]
    TooLarge,
    /// The set holds as many as it may. What was taken over until then stays, the epoch that was
    /// reached is the one before, and the floor is that of the document: the set is
    /// [behind](super::Revoked::Behind) until there is room for it.
    #[error("the set of revocations is full")]
    Full,
    /// It is no snapshot or delta.
    #[error(transparent)]
    Malformed(#[from] MalformedRevocations),
    /// It is another publisher's.
    #[error("the document is another issuer's")]
    Issuer,
    /// It names a key that is not one of the publisher's.
    #[error("the key is not one of the publisher's")]
    UnknownKey,
    /// The signature is not that of the key.
    #[error("the signature did not verify")]
    Signature,
    /// A delta, where a snapshot is wanted.
    #[error("a snapshot is wanted, not a delta")]
    NotASnapshot,
    /// It was made later than now, by more than the skew of the set.
    #[error("the document was made in the future")]
    MadeInFuture,
    /// It is older than what was seen before.
    #[error("the document is of epoch {found}; nothing before {floor} is accepted")]
    RolledBack {
        /// The lowest epoch that is accepted.
        floor: Epoch,
        /// That of the document.
        found: Epoch,
    },
    /// Changes are missing before the delta: fetch those, or a snapshot.
    #[error("the delta starts from epoch {from}, but {position} is the last one known")]
    Gap {
        /// The last epoch that was taken over.
        position: Epoch,
        /// Where the delta starts.
        from: Epoch,
    },
}

impl Publisher {
    /// An issuer under its name, with the keys of its documents, that may revoke what is its own: it
    /// is taken into [the set of that issuer](RevocationSet::of_issuer) only. Several keys may have
    /// one name; a document is good if one of those verifies it.
    #[must_use]
    pub fn new(issuer: impl Into<String>, keys: Vec<VerifyingKey>) -> Self {
        let (everything, max_bytes) = (false, DEFAULT_MAX_IMPORT_BYTES);
        Self { issuer: issuer.into(), keys, everything, max_bytes }
    }

    /// A publisher that may revoke anything of anybody: the deployment's own.
    #[must_use]
    pub fn for_everything(issuer: impl Into<String>, keys: Vec<VerifyingKey>) -> Self {
        Self { everything: true, ..Self::new(issuer, keys) }
    }

    /// The most bytes of a document that are taken from it, at most [`MAX_REVOCATIONS_BYTES`].
    #[must_use]
    pub fn with_max_bytes(self, max_bytes: usize) -> Self {
        Self { max_bytes: max_bytes.min(MAX_REVOCATIONS_BYTES), ..self }
    }

    /// The name.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// A document of this publisher, well formed to the last byte.
    fn verified<'a>(&self, bytes: &'a [u8]) -> Result<Document<'a>, ImportError> {
        if bytes.len() > self.max_bytes {
            return Err(ImportError::TooLarge);
        }
        let document = Document::read(bytes)?;
        if document.header.issuer != self.issuer {
            return Err(ImportError::Issuer);
        }
        let named = |key: &&VerifyingKey| key.id().as_str() == document.header.key;
        let mut keys = self.keys.iter().filter(named).peekable();
        if keys.peek().is_none() {
            return Err(ImportError::UnknownKey);
        }
        let message = document.message();
        if !keys.any(|key| key.verify(&message, document.signature).is_ok()) {
            return Err(ImportError::Signature);
        }
        document.items(&mut |_, _| ())?;
        Ok(document)
    }
}

/// Snapshots and deltas (the wire form is in `docs/protocol.md`).
impl RevocationSet {
    /// All that it holds, under the name of `issuer`, signed.
    ///
    /// What is revoked while it is being made may be in it or not; the next delta has it.
    ///
    /// # Errors
    /// See [`ExportError`].
    pub fn export_snapshot(
        &self,
        issuer: &str,
        signer: &dyn Signer,
        now: DateTime<Utc>,
    ) -> Result<Vec<u8>, ExportError> {
        self.export(Form::Snapshot, Epoch(0), issuer, signer, now)
    }

    /// What has changed after `since`, under the name of `issuer`, signed.
    ///
    /// # Errors
    /// See [`ExportError`].
    pub fn export_delta(
        &self,
        since: Epoch,
        issuer: &str,
        signer: &dyn Signer,
        now: DateTime<Utc>,
    ) -> Result<Vec<u8>, ExportError> {
        self.export(Form::Delta, since, issuer, signer, now)
    }

    /// Takes over a document of `publisher`: all of it, or nothing, unless the set is
    /// [full](ImportError::Full). A delta may start anywhere up to the last epoch that was taken
    /// over; one without anything new says that there is nothing new. The publisher's epoch that was
    /// reached.
    ///
    /// # Errors
    /// See [`ImportError`].
    pub fn import(
        &self,
        document: &[u8],
        publisher: &Publisher,
        now: DateTime<Utc>,
    ) -> Result<Epoch, ImportError> {
        if !publisher.everything && self.issuer.as_deref() != Some(publisher.issuer()) {
            return Err(ImportError::Scope);
        }
        let document = publisher.verified(document)?;
        let header = document.header;
        self.require_made(&header, now)?;
        self.source(header.issuer).accepts(&header)?;
        if let Err(refused) = self.take_over(&document, now) {
            // SECURITY: that there is something that it does not hold is known by now.
            self.raise_floor(header.issuer, Epoch(header.to));
            return Err(refused);
        }
        let made = DateTime::from_timestamp(header.at, 0);
        Ok(self.change_source(header.issuer, |source| {
            let position = source.position().max(Epoch(header.to));
            source.position = Some(position);
            source.floor = source.floor.max(position);
            source.as_of = source.as_of.max(made);
            position
        }))
    }

    /// The set whose snapshot this is: for a publisher that starts again. `floor` is the last epoch
    /// that it is known to have reached. The set is [that of an issuer](Self::of_issuer) where the
    /// publisher may only revoke what is its own.
    ///
    /// All of it counts as one change, after every epoch that followers can have seen, if the clock
    /// does not stand before that of the process that ended. So their next delta brings them whatever
    /// was being revoked when the snapshot was made, and an epoch never means two things.
    ///
    /// # Errors
    /// See [`ImportError`].
    pub fn restore(
        snapshot: &[u8],
        publisher: &Publisher,
        floor: Epoch,
        now: DateTime<Utc>,
    ) -> Result<Self, ImportError> {
        let document = publisher.verified(snapshot)?;
        let header = document.header;
        if header.form == Form::Delta {
            return Err(ImportError::NotASnapshot);
        }
        let scope = (!publisher.everything).then(|| publisher.issuer().into());
        let set = Self::with_scope(scope);
        set.require_made(&header, now)?;
        Source { floor, ..Source::default() }.accepts(&header)?;
        // SECURITY: the snapshot may have a part of the change after the epoch that it says. Filed
        // under that one, it would be in no delta that starts from there.
        let Epoch(epoch) = Epoch(header.to).next(now);
        if epoch > LAST_EPOCH {
            return Err(MalformedRevocations.into());
        }
        document.items(&mut |item, until| {
            set.put(&item, until, epoch);
        })?;
        set.epoch.store(epoch, Ordering::Release);
        Ok(set)
    }

    /// Follows `issuer`: until its `floor` is reached, for 0 until anything of it was taken over,
    /// [`check`](Self::check) refuses everything; and nothing of it before `floor` is accepted any
    /// more. For a node that starts: with 0, or with how far it knows to have been. A floor is never
    /// lowered.
    pub fn raise_floor(&self, issuer: &str, floor: Epoch) {
        self.change_source(issuer, |source| source.floor = source.floor.max(floor));
    }

    /// Follows `issuer`, and refuses everything when its youngest document that was taken over was
    /// made `max_age` ago (whole seconds): then somebody may be withholding the next one. Also when
    /// it was made later than now, by more than the skew: then the clock was put back. Whoever
    /// publishes makes a delta in less than that, whether or not there is anything new. A second call
    /// only shortens it.
    pub fn require_fresh(&self, issuer: &str, max_age: Duration) {
        let age = max_age.as_secs();
        self.change_source(issuer, |source| {
            source.max_age = Some(source.max_age.map_or(age, |known| known.min(age)));
        });
    }

    /// The lowest epoch of `issuer` that is still accepted.
    #[must_use]
    pub fn floor(&self, issuer: &str) -> Epoch {
        self.source(issuer).floor
    }

    /// The last epoch of `issuer` that was taken over; 0 if there is none.
    #[must_use]
    pub fn position(&self, issuer: &str) -> Epoch {
        self.source(issuer).position()
    }

    /// When the youngest document of `issuer` that was taken over was made: whoever withholds the
    /// next ones cannot make this younger.
    #[must_use]
    pub fn as_of(&self, issuer: &str) -> Option<DateTime<Utc>> {
        self.source(issuer).as_of
    }

    fn source(&self, issuer: &str) -> Source {
        self.sources.lock().get(issuer).copied().unwrap_or_default()
    }

    fn change_source<T>(&self, issuer: &str, change: impl FnOnce(&mut Source) -> T) -> T {
        let mut sources = self.sources.lock();
        let changed = change(sources.entry(issuer.to_owned()).or_default());
        let until = sources.values().map(Source::good_until).min().unwrap_or(u64::MAX);
        let fresh = sources.values().filter(|source| source.max_age.is_some());
        self.made.store(fresh.map(Source::made).max().unwrap_or(0), Ordering::Release);
        self.good_until.store(until, Ordering::Release);
        changed
    }

    fn export(
        &self,
        form: Form,
        since: Epoch,
        issuer: &str,
        signer: &dyn Signer,
        now: DateTime<Utc>,
    ) -> Result<Vec<u8>, ExportError> {
        if !is_issuer(issuer) {
            return Err(ExportError::Issuer);
        }
        let at = now.timestamp();
        if !(0..=LAST).contains(&at) {
            return Err(ExportError::Clock);
        }
        // SECURITY: read before the tables, in which all changes up to it can be found.
        let to = self.epoch();
        if since > to {
            return Err(ExportError::Ahead);
        }
        if to.0 > LAST_EPOCH {
            return Err(ExportError::Epoch);
        }
        let key = signer.key().id().as_str();
        let header = Header { form, issuer, key, at, from: since.0, to: to.0 };
        let body = document::write(&header, self.lists(since)).ok_or(ExportError::TooLarge)?;
        let signature = signer.sign(&document::message(&body))?;
        document::with_signature(body, &signature).ok_or(ExportError::TooLarge)
    }

    /// What was changed after `since`.
    fn lists(&self, since: Epoch) -> Lists {
        let mut lists = Lists::default();
        let new = |kept: &Kept| kept.epoch > since.0 || since.0 == 0;
        let ids = |list: &mut Vec<_>, id: &u128, kept: &Kept| {
            list.extend(new(kept).then_some((*id, kept.until)));
        };
        let names = |list: &mut Vec<Box<str>>, name: &str, kept: &Kept| {
            list.extend(new(kept).then(|| Box::from(name)));
        };
        self.tokens.for_each(|id, kept| ids(&mut lists.tokens, id, kept));
        self.capabilities.for_each(|id, kept| ids(&mut lists.capabilities, id, kept));
        self.issuers.for_each(|name, kept| names(&mut lists.issuers, name, kept));
        self.keys.for_each(|name, kept| names(&mut lists.keys, name, kept));
        self.principals.for_each(|name, kept| {
            if let Some(always) = &kept.always {
                names(&mut lists.principals, name, always);
            }
            if let Some((instant, kept)) = kept.before.filter(|(_, kept)| new(kept)) {
                lists.before.push((name.clone(), instant, kept.until));
            }
        });
        lists
    }

    /// SECURITY: a document that is dated ahead would be fresh for ever after.
    fn require_made(&self, header: &Header<'_>, now: DateTime<Utc>) -> Result<(), ImportError> {
        let latest = now.timestamp().saturating_add(self.skew());
        if header.at > latest { Err(ImportError::MadeInFuture) } else { Ok(()) }
    }

    fn take_over(&self, document: &Document<'_>, now: DateTime<Utc>) -> Result<(), ImportError> {
        let take = |items: &[(Item<'_>, Until)]| self.apply(items, |_| true, now).is_err();
        let is_other =
            |item: &Item<'_>| matches!(item, Item::Issuer(name) if !self.is_asked_about(name));
        let mut chunk: Vec<(Item<'_>, Until)> = Vec::new();
        let mut is_full = false;
        document.items(&mut |item, until| {
            if is_full || is_other(&item) {
                return;
            }
            chunk.push((item, until));
            if chunk.len() >= CHUNK {
                is_full = take(&chunk);
                chunk.clear();
            }
        })?;
        if is_full || take(&chunk) { Err(ImportError::Full) } else { Ok(()) }
    }
}

impl Source {
    fn position(&self) -> Epoch {
        self.position.unwrap_or_default()
    }

    /// The second since 1970 from which on it is behind; `u64::MAX` for never.
    fn good_until(&self) -> u64 {
        if self.position < Some(self.floor) {
            return 0;
        }
        self.max_age.map_or(u64::MAX, |age| self.made().saturating_add(age))
    }

    /// Seconds since 1970.
    fn made(&self) -> u64 {
        self.as_of.map_or(0, |at| u64::try_from(at.timestamp()).unwrap_or(0))
    }

    fn accepts(&self, header: &Header<'_>) -> Result<(), ImportError> {
        let (from, to) = (Epoch(header.from), Epoch(header.to));
        if to < self.floor {
            return Err(ImportError::RolledBack { floor: self.floor, found: to });
        }
        let position = self.position();
        if header.form == Form::Delta && from > position {
            return Err(ImportError::Gap { position, from });
        }
        Ok(())
    }
}
