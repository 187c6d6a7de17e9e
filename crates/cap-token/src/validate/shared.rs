//! What many read while one exchanges it.

use std::sync::Arc;

use crate::sync::{AtomicU64, Ordering, RwLock};

/// A set that several share, and that is exchanged as a whole.
pub(crate) struct Shared<T> {
    set: RwLock<Arc<T>>,
    /// How often it was changed: that of the set, or the one before while it is exchanged.
    generation: AtomicU64,
}

/// A set that does not change any more: whoever changes it makes another one.
pub(crate) trait Exchanged {
    /// Whether all that `old` let pass is let pass by this one, too.
    fn renews(&self, old: &Self) -> bool;
}

impl<T: Exchanged> Shared<T> {
    pub(crate) fn new(set: T, generation: u64) -> Self {
        Self { set: RwLock::new(Arc::new(set)), generation: AtomicU64::new(generation) }
    }

    pub(crate) fn read(&self) -> Arc<T> {
        Arc::clone(&self.set.read())
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Puts what `change` makes of it in its place; of the same generation if that renews it.
    pub(crate) fn change(&self, change: impl FnOnce(&T) -> T) {
        let mut set = self.set.write();
        let next = change(&set);
        let renewed = next.renews(&set);
        *set = Arc::new(next);
        // SECURITY: while nobody can read the set: whoever has seen the new number uses the new one,
        // and what was let pass by the old one goes by the old number.
        if !renewed {
            self.generation.fetch_add(1, Ordering::Release);
        }
    }
}
