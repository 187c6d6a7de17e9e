use cap_crypto::{SignError, Signer, VerifyingKey};
use chrono::{DateTime, Utc};
use thiserror::Error;

use super::document::{
    self, Document, Form, Header, Lists, MAX_REVOCATIONS_BYTES, MalformedRevocations,
};
use super::item::{Item, LAST, Until, is_issuer};
use super::{Epoch, Kept, RevocationSet, Source};
use crate::sync::Ordering;

/// How many revocations are taken over at a time; others that revoke wait that long.
const CHUNK: usize = 4096;

/// Whose snapshots and deltas are taken over: a name, and the keys that are known to be its own.
/// Whoever is followed can revoke anything.
#[derive(Clone, Debug)]
pub struct Publisher {
    issuer: String,
    keys: Vec<VerifyingKey>,
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
    /// It is longer than [`MAX_REVOCATIONS_BYTES`].
    #[error("the document has more than {MAX_REVOCATIONS_BYTES} bytes")]
    TooLarge,
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
    /// A publisher under its name, with its keys. Several keys may have one name; a document is
    /// good if one of those verifies it.
    #[must_use]
    pub fn new(issuer: impl Into<String>, keys: Vec<VerifyingKey>) -> Self {
        Self { issuer: issuer.into(), keys }
    }

    /// The name.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// A document of this publisher, well formed to the last byte.
    fn verified<'a>(&self, bytes: &'a [u8]) -> Result<Document<'a>, ImportError> {
        if bytes.len() > MAX_REVOCATIONS_BYTES {
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

    /// Takes over a document of `publisher`: all of it, or nothing. A delta may start anywhere up
    /// to the last epoch that was taken over. The publisher's epoch that was reached.
    ///
    /// # Errors
    /// See [`ImportError`].
    pub fn import(
        &self,
        document: &[u8],
        publisher: &Publisher,
        now: DateTime<Utc>,
    ) -> Result<Epoch, ImportError> {
        let document = publisher.verified(document)?;
        let header = document.header;
        self.source(header.issuer).accepts(&header)?;
        self.take_over(&document)?;
        let mut sources = self.sources.lock();
        let source = sources.entry(header.issuer.to_owned()).or_default();
        let made = DateTime::from_timestamp(header.at, 0).map(|at| at.min(now));
        source.position = source.position.max(Epoch(header.to));
        source.floor = source.floor.max(source.position);
        source.as_of = source.as_of.max(made);
        let position = source.position;
        let behind = sources.values().filter(|source| source.is_behind()).count();
        self.behind.store(u64::try_from(behind).unwrap_or(u64::MAX), Ordering::Release);
        Ok(position)
    }

    /// The set whose snapshot this is, with its own epochs going on from there: for a publisher
    /// that starts again. `floor` is the last epoch that it is known to have reached.
    ///
    /// # Errors
    /// See [`ImportError`].
    pub fn restore(
        snapshot: &[u8],
        publisher: &Publisher,
        floor: Epoch,
    ) -> Result<Self, ImportError> {
        let document = publisher.verified(snapshot)?;
        let header = document.header;
        if header.form == Form::Delta {
            return Err(ImportError::NotASnapshot);
        }
        Source { floor, ..Source::default() }.accepts(&header)?;
        let set = Self::new();
        // Everything counts as changed in that epoch: a delta from before it has too much, which
        // does no harm.
        document.items(&mut |item, until| {
            set.put(&item, until, header.to);
        })?;
        set.epoch.store(header.to, Ordering::Release);
        Ok(set)
    }

    /// Accepts nothing of `issuer` before `floor` any more; and until its `floor` is reached,
    /// [`check`](Self::check) refuses everything. For a node that starts again and remembers how
    /// far it was. A floor is never lowered.
    pub fn raise_floor(&self, issuer: &str, floor: Epoch) {
        let mut sources = self.sources.lock();
        let source = sources.entry(issuer.to_owned()).or_default();
        source.floor = source.floor.max(floor);
        let behind = sources.values().filter(|source| source.is_behind()).count();
        self.behind.store(u64::try_from(behind).unwrap_or(u64::MAX), Ordering::Release);
    }

    /// The lowest epoch of `issuer` that is still accepted.
    #[must_use]
    pub fn floor(&self, issuer: &str) -> Epoch {
        self.source(issuer).floor
    }

    /// The last epoch of `issuer` that was taken over.
    #[must_use]
    pub fn position(&self, issuer: &str) -> Epoch {
        self.source(issuer).position
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
        let names = |list: &mut Vec<_>, name: &str, kept: &Kept| {
            list.extend(new(kept).then(|| (Box::from(name), kept.until)));
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

    fn take_over(&self, document: &Document<'_>) -> Result<(), MalformedRevocations> {
        let mut chunk: Vec<(Item<'_>, Until)> = Vec::new();
        document.items(&mut |item, until| {
            chunk.push((item, until));
            if chunk.len() >= CHUNK {
                self.apply(&chunk);
                chunk.clear();
            }
        })?;
        self.apply(&chunk);
        Ok(())
    }
}

impl Source {
    const fn is_behind(&self) -> bool {
        self.position.0 < self.floor.0
    }

    fn accepts(&self, header: &Header<'_>) -> Result<(), ImportError> {
        let (from, to) = (Epoch(header.from), Epoch(header.to));
        if to < self.floor {
            return Err(ImportError::RolledBack { floor: self.floor, found: to });
        }
        if header.form == Form::Delta && from > self.position {
            return Err(ImportError::Gap { position: self.position, from });
        }
        Ok(())
    }
}
