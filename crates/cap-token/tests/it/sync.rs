//! In the place of `src/sync.rs`, for the sources that `concurrency` compiles: interleavings of the
//! threads are tried, all of those in which at most two or three switches are forced, and every value
//! that a load may see there.
//!
//! Where a thread loads a value and then stores it, loom sees no race of the store with earlier loads
//! of others, and leaves interleavings out: such a step is to be one `fetch_add` or the like.

pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};
use loom::sync::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};

#[derive(Debug)]
pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap()
    }
}

#[derive(Debug)]
pub(crate) struct RwLock<T>(loom::sync::RwLock<T>);

impl<T> RwLock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::sync::RwLock::new(value))
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap()
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap()
    }
}
