//! What the concurrent parts synchronise with. The tests of concurrency compile the same sources
//! against a module of this name that explores the interleavings of threads.

pub(crate) use std::sync::atomic::{AtomicU64, Ordering, fence};

pub(crate) use parking_lot::{Mutex, RwLock};
