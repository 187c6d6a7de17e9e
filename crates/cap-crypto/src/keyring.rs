//! What the keyrings of all kinds share: the life of a key, and the file that it lives in.

pub(crate) mod document;
mod error;
mod folder;
mod rotation;
mod signing;
mod store;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};

use crate::{KeyId, Purpose};
use document::{Document, Record};
use folder::{Folder, Replaced, Room};

pub use error::KeyringError;
pub(crate) use folder::read_private;
pub use rotation::{PolicyError, RotationPolicy};
pub use signing::SigningKeyring;
pub use store::KeyStore;

/// Where a key stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum KeyStatus {
    /// Published, so that verifiers know it in time; makes nothing yet. A keyring has at most one.
    Pending,
    /// Makes new MACs or signatures, and verifies. A keyring has exactly one.
    Active,
    /// Verifies what it made before; makes nothing new.
    Retiring,
    /// Neither. Its secret is gone; its id is kept so that it can be named.
    Retired,
    /// As retired, but because somebody else had it: nothing that it ever made is to be believed.
    Compromised,
}

impl KeyStatus {
    /// Whether such a key verifies.
    pub(crate) const fn is_alive(self) -> bool {
        matches!(self, Self::Pending | Self::Active | Self::Retiring)
    }
}

/// What a keyring tells about one of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyInfo {
    /// The key's name.
    pub id: KeyId,
    /// Where it stands in its life.
    pub status: KeyStatus,
    /// When it was generated or imported.
    pub created: DateTime<Utc>,
    /// Since when it has this status, or, if it was retired by hand, the one before; `None` if the
    /// file is from before that was written.
    pub since: Option<DateTime<Utc>>,
    /// When a pending key is to become active, or a retiring one retired; `None` where nothing
    /// is set.
    pub until: Option<DateTime<Utc>>,
}

/// What a keyring of one kind makes of the records in its file. An `Err` says what is wrong with
/// a record.
pub(crate) trait Kind {
    /// A key that makes and verifies.
    type Active: Clone;
    /// A key that only verifies.
    type Retiring: Clone;
    /// What it takes to make keys of records.
    type Context: Clone;

    /// Whether a key may be pending.
    const HAS_PENDING: bool;

    /// Whether keys of this kind serve `purpose`.
    fn serves(purpose: Purpose) -> bool;
    fn active(record: &Record, context: &Self::Context) -> Result<Self::Active, &'static str>;
    fn retiring(record: &Record, context: &Self::Context) -> Result<Self::Retiring, &'static str>;

    /// Takes from a record what it no longer needs once it is retiring.
    fn strip(record: &mut Record);
}

/// A key with its name, ready for use.
#[derive(Clone)]
pub(crate) struct Key<K> {
    pub(crate) id: KeyId,
    pub(crate) key: K,
}

/// The keys of one purpose, in memory or in a file, for any number of threads.
pub(crate) struct Keyring<K: Kind> {
    folder: Option<Folder>,
    context: K::Context,
    /// Held by the one that changes or reloads. Readers do not wait for it.
    turn: Mutex<()>,
    state: RwLock<Arc<State<K>>>,
}

/// What a keyring is at one instant.
///
/// INVARIANT: the keys are what `document` says, but for pending and retiring ones that are
/// `distrusted`; an active one that is must neither sign nor verify.
pub(crate) struct State<K: Kind> {
    document: Document,
    /// Keys that `document` calls alive, but that are not to be used any more: their time is up, or
    /// they are compromised, and that is not in the file yet. They stay here until the document
    /// says that they are dead.
    distrusted: BTreeSet<KeyId>,
    pub(crate) active: Key<K::Active>,
    pub(crate) pending: Option<Key<K::Active>>,
    pub(crate) retiring: Vec<Key<K::Retiring>>,
    /// Grows with every change of the keys of this value.
    pub(crate) generation: u64,
}

/// How often a change starts again because the file became another one meanwhile.
const ATTEMPTS: usize = 8;

impl<K: Kind> Keyring<K> {
    /// Opens the file, or creates it with the key that `first` makes. Of several processes that
    /// create at once, one wins and the others load its key.
    pub(crate) fn open_or_create(
        store: KeyStore,
        purpose: Purpose,
        context: K::Context,
        first: impl FnOnce() -> Result<Record, KeyringError>,
    ) -> Result<Self, KeyringError> {
        require_kind::<K>(purpose)?;
        let folder = Folder::create(store, purpose)?;
        let document = match folder.read()? {
            Some(stored) => stored.document,
            None => folder.create_file(|| Ok(Document::new(purpose, first()?)))?,
        };
        Self::new(Some(folder), context, document)
    }

    /// Opens the file, which must be there.
    pub(crate) fn open(
        store: KeyStore,
        purpose: Purpose,
        context: K::Context,
    ) -> Result<Self, KeyringError> {
        require_kind::<K>(purpose)?;
        let folder = Folder::open(store, purpose)?;
        let document = folder.read_existing()?.document;
        Self::new(Some(folder), context, document)
    }

    /// A keyring of one key, in memory only.
    pub(crate) fn ephemeral(
        purpose: Purpose,
        context: K::Context,
        first: Record,
    ) -> Result<Self, KeyringError> {
        require_kind::<K>(purpose)?;
        Self::new(None, context, Document::new(purpose, first))
    }

    /// The same keyring with its keys made anew.
    pub(crate) fn with_context(self, context: K::Context) -> Result<Self, KeyringError> {
        let state = self.state();
        let State { document, distrusted, generation, .. } = &*state;
        let (document, distrusted) = (document.clone(), distrusted.clone());
        let generation = generation.saturating_add(1);
        let next = State::build(self.folder.as_ref(), &context, document, distrusted, generation)?;
        Ok(Self { context, state: RwLock::new(Arc::new(next)), ..self })
    }

    /// What it is now. It does not change under its user.
    pub(crate) fn state(&self) -> Arc<State<K>> {
        Arc::clone(&self.state.read())
    }

    /// Makes `record` the active key; the one that was active becomes retiring.
    pub(crate) fn rotate_to(
        &self,
        record: &Record,
        until: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<KeyId, KeyringError> {
        self.change(|document| {
            refuse_known(document, &record.id)?;
            rotation::step_down::<K>(document, until, now);
            document.push(record.clone());
            Ok(record.id.clone())
        })
    }

    /// Removes the secret of a key that is not active. A retired key stays as it is.
    pub(crate) fn retire(&self, id: &KeyId) -> Result<(), KeyringError> {
        self.change(|document| match document.find(id).map(|record| record.status) {
            None => Err(KeyringError::UnknownKey(id.clone())),
            Some(KeyStatus::Active) => Err(KeyringError::ActiveKey(id.clone())),
            Some(KeyStatus::Pending | KeyStatus::Retiring) => {
                let record = document.records_mut().find(|record| record.id == *id);
                record.into_iter().for_each(|record| record.leave(KeyStatus::Retired, None));
                Ok(())
            }
            Some(KeyStatus::Retired | KeyStatus::Compromised) => Ok(()),
        })
    }

    /// Reads the file again; `true` when another process had changed it. On an error the keyring
    /// stays as it was.
    pub(crate) fn reload(&self) -> Result<bool, KeyringError> {
        let Some(folder) = &self.folder else {
            return Ok(false);
        };
        let _turn = self.turn.lock();
        let document = folder.read_existing()?.document;
        if self.state().document == document {
            return Ok(false);
        }
        // What is damaged is called that, before it is called old.
        let next = self.next(document)?;
        self.refuse_older(folder, &next.document)?;
        *self.state.write() = Arc::new(next);
        Ok(true)
    }

    /// Changes the newest state: on disk that is the file, read again under its lock, so that
    /// nothing which another process did meanwhile is lost. `change` may be called again, on what
    /// the file became; where it changes nothing, nothing is written.
    pub(crate) fn change<T>(
        &self,
        change: impl Fn(&mut Document) -> Result<T, KeyringError>,
    ) -> Result<T, KeyringError> {
        self.change_within(Room::Ordinary, change)
    }

    /// As [`change`](Self::change), in a file that may grow this far.
    pub(crate) fn change_within<T>(
        &self,
        room: Room,
        change: impl Fn(&mut Document) -> Result<T, KeyringError>,
    ) -> Result<T, KeyringError> {
        let _turn = self.turn.lock();
        let Some(folder) = &self.folder else {
            let mut document = self.state().document.clone();
            let answer = change(&mut document)?;
            self.install(document)?;
            return Ok(answer);
        };
        let lock = folder.lock()?;
        for _ in 0..ATTEMPTS {
            let found = folder.read_existing()?;
            self.refuse_older(folder, &found.document)?;
            let mut document = found.document.clone();
            let answer = change(&mut document)?;
            if document == found.document {
                self.install(document)?;
                return Ok(answer);
            }
            document.count_change();
            let next = self.next(document)?;
            if folder.replace_file(&lock, &found, &next.document, room)? == Replaced::Yes {
                *self.state.write() = Arc::new(next);
                return Ok(answer);
            }
        }
        Err(KeyringError::Changed(folder.file()))
    }

    /// Uses the living keys that `which` picks no more: in memory only, and until the document says
    /// that they are dead.
    pub(crate) fn distrust(&self, which: impl Fn(&Record) -> bool) {
        let _turn = self.turn.lock();
        let state = self.state();
        let is_picked = |record: &&Record| {
            record.status.is_alive() && !state.is_distrusted(&record.id) && which(record)
        };
        let picked: Vec<_> = state.document.records().iter().filter(is_picked).collect();
        if picked.is_empty() {
            return;
        }
        let mut distrusted = state.distrusted.clone();
        distrusted.extend(picked.into_iter().map(|record| record.id.clone()));
        let trusted = |id: &KeyId| !distrusted.contains(id);
        let retiring = state.retiring.iter().filter(|key| trusted(&key.id)).cloned().collect();
        let pending = state.pending.clone().filter(|key| trusted(&key.id));
        *self.state.write() = Arc::new(State {
            document: state.document.clone(),
            distrusted,
            active: state.active.clone(),
            pending,
            retiring,
            generation: state.generation.saturating_add(1),
        });
    }

    /// Uses a key again that was distrusted in case, where the document says that it lives.
    pub(crate) fn trust_again(&self, id: &KeyId) -> Result<(), KeyringError> {
        let _turn = self.turn.lock();
        let state = self.state();
        let mut distrusted = state.distrusted.clone();
        if !distrusted.remove(id) {
            return Ok(());
        }
        let (document, generation) = (state.document.clone(), state.generation.saturating_add(1));
        let folder = self.folder.as_ref();
        let next = State::build(folder, &self.context, document, distrusted, generation)?;
        *self.state.write() = Arc::new(next);
        Ok(())
    }

    /// SECURITY: an older file brings back keys that were retired or compromised since.
    fn refuse_older(&self, folder: &Folder, found: &Document) -> Result<(), KeyringError> {
        if self.state().document.may_become(found) {
            Ok(())
        } else {
            Err(KeyringError::RolledBack(folder.file()))
        }
    }

    fn install(&self, document: Document) -> Result<(), KeyringError> {
        if self.state().document != document {
            let next = self.next(document)?;
            *self.state.write() = Arc::new(next);
        }
        Ok(())
    }

    fn next(&self, document: Document) -> Result<State<K>, KeyringError> {
        let state = self.state();
        let mut distrusted = state.distrusted.clone();
        // What the document calls dead, no later one may call alive.
        distrusted.retain(|id| document.find(id).is_none_or(|record| record.status.is_alive()));
        let generation = state.generation.saturating_add(1);
        State::build(self.folder.as_ref(), &self.context, document, distrusted, generation)
    }

    fn new(
        folder: Option<Folder>,
        context: K::Context,
        document: Document,
    ) -> Result<Self, KeyringError> {
        let state = State::build(folder.as_ref(), &context, document, BTreeSet::new(), 1)?;
        let state = RwLock::new(Arc::new(state));
        Ok(Self { folder, context, turn: Mutex::new(()), state })
    }
}

impl<K: Kind> State<K> {
    pub(crate) fn document(&self) -> &Document {
        &self.document
    }

    pub(crate) fn is_distrusted(&self, id: &KeyId) -> bool {
        self.distrusted.contains(id)
    }

    fn build(
        folder: Option<&Folder>,
        context: &K::Context,
        document: Document,
        distrusted: BTreeSet<KeyId>,
        generation: u64,
    ) -> Result<Self, KeyringError> {
        let damaged = |reason: &str| KeyringError::Corrupt {
            path: folder.map(Folder::file).unwrap_or_default(),
            reason: reason.to_owned(),
        };
        let (mut active, mut pending, mut retiring) = (None, None, Vec::new());
        for record in document.records() {
            let id = record.id.clone();
            match record.status {
                KeyStatus::Active => {
                    let key = K::active(record, context).map_err(damaged)?;
                    active = Some(Key { id, key });
                }
                KeyStatus::Pending if K::HAS_PENDING && record.until.is_some() => {
                    let key = K::active(record, context).map_err(damaged)?;
                    pending = Some(Key { id, key });
                }
                KeyStatus::Pending => return Err(damaged("a key cannot be pending like this")),
                KeyStatus::Retiring => {
                    let key = K::retiring(record, context).map_err(damaged)?;
                    retiring.push(Key { id, key });
                }
                KeyStatus::Retired | KeyStatus::Compromised if record.is_bare() => {}
                KeyStatus::Retired | KeyStatus::Compromised => {
                    return Err(damaged("a retired key is more than its name"));
                }
            }
        }
        let active = active.ok_or_else(|| damaged("it has no active key"))?;
        let pending = pending.filter(|key: &Key<_>| !distrusted.contains(&key.id));
        retiring.retain(|key: &Key<_>| !distrusted.contains(&key.id));
        Ok(Self { document, distrusted, active, pending, retiring, generation })
    }
}

pub(crate) fn refuse_known(document: &Document, id: &KeyId) -> Result<(), KeyringError> {
    match document.find(id) {
        Some(_) => Err(KeyringError::KnownKey(id.clone())),
        None => Ok(()),
    }
}

fn require_kind<K: Kind>(purpose: Purpose) -> Result<(), KeyringError> {
    if K::serves(purpose) { Ok(()) } else { Err(KeyringError::WrongKind(purpose)) }
}

#[cfg(test)]
mod tests;
