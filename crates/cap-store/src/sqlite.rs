mod change;
mod counter;
mod database;
mod error;
mod place;
mod registry;
mod session;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use cap_core::{CapabilityId, Meter};
use cap_kernel::{Change, Draw, Drawn, Epoch, SessionId, StateStore, StoreError};
use chrono::{DateTime, Utc};
use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use rusqlite::{Connection, Transaction, TransactionBehavior};

pub use self::error::OpenError;
use self::error::store_error;
use self::place::{Identity, Lock, Place};

/// How long a method waits for the other threads of this process, and again for the other
/// processes, before it answers [`StoreError::Busy`]: 250 ms each. What it does itself comes on
/// top: a write waits for the disk.
pub const BUSY_BOUND: Duration = Duration::from_millis(250);

/// How often a reader looks whether its file is still the one in the folder: to look costs half as
/// much as to ask for the epoch.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The state in a folder of its own: one SQLite file in write-ahead-log mode with
/// `synchronous=FULL`, and a lock file for each open session.
///
/// Any number of processes, and of handles in one process, may use one folder at the same time.
/// When a handle is dropped, the sessions that it opened and did not close are abandoned.
#[derive(Debug)]
pub struct SqliteStore {
    place: Place,
    /// Which file `place` led to when it was opened.
    file: Identity,
    writer: Mutex<Connection>,
    /// Apart from `writer`, so that whoever asks for the epoch does not wait for a disk.
    reader: Mutex<Reader>,
    /// The locks of the sessions that were opened here.
    owned: Mutex<BTreeMap<SessionId, Lock>>,
}

#[derive(Debug)]
struct Reader {
    connection: Connection,
    /// When it was last seen that this is still the state that others open.
    looked: Instant,
}

impl SqliteStore {
    /// Opens the state in `folder`; folder and state are created, for their owner alone, where
    /// they do not exist.
    ///
    /// # Errors
    /// When others may read or write the folder or the file, or own them; when the file is
    /// something else, or was written by a newer version; when others keep it busy for more than
    /// 5 s.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let place = Place::create(folder)?;
        // INVARIANT: one opener at a time, so that nobody meets a state that is half created.
        let opening = place.lock()?;
        let writer = database::open_writer(&place)?;
        let reader = database::open_reader(&place)?;
        let file = place.identity()?;
        drop(opening);
        let store = Self {
            place,
            file,
            writer: Mutex::new(writer),
            reader: Mutex::new(Reader { connection: reader, looked: Instant::now() }),
            owned: Mutex::default(),
        };
        store.epoch()?;
        Ok(store)
    }

    /// Reads everything there is: the structure of the file (SQLite's `quick_check`), every
    /// change, counter, session and log. Takes long for a large state; nobody waits for it.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the first thing that is wrong.
    pub fn verify(&self) -> Result<(), StoreError> {
        let connection = database::open_reader(&self.place).map_err(|error| match error {
            OpenError::Store(error) => error,
            other => StoreError::Failed(other.to_string()),
        })?;
        database::check(&connection)?;
        change::after(&connection, Epoch(0))?.read()?;
        counter::check(&connection)?;
        session::open_ones(&connection)?;
        registry::entries(&connection)?;
        Ok(())
    }

    fn reader(&self) -> Result<MappedMutexGuard<'_, Connection>, StoreError> {
        let mut reader = wait_for(&self.reader)?;
        if reader.looked.elapsed() >= LOOK_EVERY {
            self.refuse_replaced()?;
            reader.looked = Instant::now();
        }
        Ok(MutexGuard::map(reader, |reader| &mut reader.connection))
    }

    /// SECURITY: a file that was removed or moved away still serves whoever has it open, who would
    /// never hear of a revocation again.
    fn refuse_replaced(&self) -> Result<(), StoreError> {
        match self.place.identity() {
            Ok(found) if found == self.file => Ok(()),
            _ => Err(StoreError::Failed("it was removed, moved or replaced".into())),
        }
    }

    /// Does `work` in one transaction that nobody else writes in, and makes it durable; an error
    /// of `work` undoes it.
    fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut writer = wait_for(&self.writer)?;
        self.refuse_replaced()?;
        let transaction = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(store_error)?;
        let done = work(&transaction)?;
        transaction.commit().map_err(store_error)?;
        Ok(done)
    }
}

impl StateStore for SqliteStore {
    fn epoch(&self) -> Result<Epoch, StoreError> {
        change::last(&*self.reader()?)
    }

    fn changes_since(&self, epoch: Epoch) -> Result<(Epoch, Vec<Change>), StoreError> {
        // Reading the rows' text needs the connection no longer.
        let rows = change::after(&*self.reader()?, epoch)?;
        rows.read()
    }

    fn commit(&self, changes: &[Change]) -> Result<Epoch, StoreError> {
        if changes.is_empty() {
            return self.epoch();
        }
        let rows = change::rows(changes)?;
        self.write(|transaction| change::append(transaction, &rows))
    }

    fn draw(&self, draws: &[Draw]) -> Result<Drawn, StoreError> {
        self.write(|transaction| counter::draw(transaction, draws))
    }

    fn drawn(&self, owner: CapabilityId, meter: Meter, period: u64) -> Result<u64, StoreError> {
        counter::drawn(&*self.reader()?, owner, meter, period)
    }

    fn open_session(&self, session: SessionId, until: DateTime<Utc>) -> Result<(), StoreError> {
        // The lock is held before anybody can see the row.
        let lock = self.write(|transaction| {
            session::insert(transaction, session, until)?;
            self.place.own(session)
        })?;
        self.owned.lock().insert(session, lock);
        Ok(())
    }

    fn renew_session(&self, session: SessionId, until: DateTime<Utc>) -> Result<(), StoreError> {
        if !self.owned.lock().contains_key(&session) {
            return Err(StoreError::Failed("the session is not one of this process".into()));
        }
        self.write(|transaction| session::renew(transaction, session, until))
    }

    fn session_until(&self, session: SessionId) -> Result<Option<DateTime<Utc>>, StoreError> {
        session::until(&*self.reader()?, session)
    }

    fn close_session(&self, session: SessionId) -> Result<(), StoreError> {
        self.write(|transaction| session::close(transaction, session))?;
        // INVARIANT: the row is closed before the lock is free, and a closed session is never
        // opened again: nobody can come to hold a lock file that is being removed.
        drop(self.owned.lock().remove(&session));
        self.place.remove_lock(session);
        Ok(())
    }

    fn abandoned_sessions(&self, now: DateTime<Utc>) -> Result<Vec<SessionId>, StoreError> {
        let open = session::open_ones(&*self.reader()?)?;
        let mut abandoned = Vec::new();
        for (session, until) in open {
            // Its owner may have closed it since the rows were read: then its lock is free, too.
            if until <= now
                || (self.place.is_ownerless(session)? && self.session_until(session)?.is_some())
            {
                abandoned.push(session);
            }
        }
        Ok(abandoned)
    }
}

fn wait_for<T>(connection: &Mutex<T>) -> Result<MutexGuard<'_, T>, StoreError> {
    let waited = || StoreError::Busy("the other threads of this process use it".into());
    connection.try_lock_for(BUSY_BOUND).ok_or_else(waited)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_another_thread_is_told_that_it_is_busy() {
        let home = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&home.path().join("state")).unwrap();
        let writing = store.writer.lock();
        let busy = store.draw(&[]);
        assert!(matches!(busy, Err(StoreError::Busy(_))), "{busy:?}");
        assert_eq!(store.epoch(), Ok(Epoch(0)), "a reader does not wait for a writer");
        drop(writing);
        assert_eq!(store.draw(&[]), Ok(Drawn::Leased(Vec::new())));
        let _reading = store.reader.lock();
        assert!(matches!(store.epoch(), Err(StoreError::Busy(_))));
    }
}
