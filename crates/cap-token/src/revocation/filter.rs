use std::sync::OnceLock;

use crate::sync::{AtomicU64, Ordering, fence};

/// A Bloom filter of blocks of one word each (Putze, Sanders, Singler 2007, "blocked"): says for
/// certain that a hash was not put in, by looking at one word, without a lock. Any number of
/// threads ask while one puts in or builds it anew.
///
/// What is being built anew cannot be asked: then everything may be in it.
#[derive(Debug)]
pub(crate) struct Filter {
    /// The low byte is the level in use, [`EMPTY`] or [`REBUILDING`]; above it stands a number that
    /// grows with every rebuild.
    state: AtomicU64,
    /// Each has twice the words of the one before it. One that was made stays, to be used again.
    levels: [OnceLock<Box<[AtomicU64]>>; LEVELS],
    /// Words of the lowest level.
    first: usize,
}

const LEVELS: usize = 28;
const LEVEL: u64 = 0xff;
const EMPTY: u64 = 0xfe;
const REBUILDING: u64 = 0xff;

/// How many hashes a word takes at the most: then about 3 % of the negative answers are "maybe";
/// after a doubling about 0.5 %.
const PER_WORD: usize = 8;

impl Filter {
    /// An empty filter whose lowest level has `first` words.
    pub(crate) fn new(first: usize) -> Self {
        Self {
            state: AtomicU64::new(EMPTY),
            levels: [const { OnceLock::new() }; LEVELS],
            first: first.max(1),
        }
    }

    /// The hash, unless it was for certain not put in. It is not computed for an empty filter.
    #[inline]
    pub(crate) fn maybe(&self, hash: impl FnOnce() -> u64) -> Option<u64> {
        let state = self.state.load(Ordering::Acquire);
        let level = state & LEVEL;
        if level == EMPTY {
            return None;
        }
        let hash = hash();
        let Some(word) = self.words(level).and_then(|words| words.get(place(hash, words.len())))
        else {
            return Some(hash);
        };
        let mask = mask(hash);
        if word.load(Ordering::Relaxed) & mask == mask {
            return Some(hash);
        }
        // SECURITY: a word that a rebuild has cleared in the meantime says nothing. If it is one,
        // the rebuild's change of state is visible behind this fence.
        fence(Ordering::Acquire);
        (self.state.load(Ordering::Relaxed) != state).then_some(hash)
    }

    /// INVARIANT: one thread at a time puts in or rebuilds.
    pub(crate) fn insert(&self, hash: u64) {
        if let Some(words) = self.words(self.state.load(Ordering::Relaxed) & LEVEL) {
            set(words, hash);
        }
    }

    /// How many hashes fit until it should be built anew.
    pub(crate) fn capacity(&self) -> usize {
        let words = self.words(self.state.load(Ordering::Relaxed) & LEVEL);
        words.map_or(0, |words| words.len().saturating_mul(PER_WORD))
    }

    /// Builds it anew, for `entries` hashes and more, from those that `fill` gives to what it is
    /// called with; none for 0 entries.
    pub(crate) fn rebuild(&self, entries: usize, fill: impl FnOnce(&dyn Fn(u64))) {
        // The number above the level, plus one.
        let number = (self.state.load(Ordering::Relaxed) | LEVEL).wrapping_add(1);
        self.state.store(number | REBUILDING, Ordering::Relaxed);
        fence(Ordering::Release);
        let level = self.level_for(entries);
        if let Some(slot) = self.levels.get(level).filter(|_| entries > 0) {
            let words =
                slot.get_or_init(|| (0..self.size(level)).map(|_| AtomicU64::new(0)).collect());
            words.iter().for_each(|word| word.store(0, Ordering::Relaxed));
            fill(&|hash| set(words, hash));
        }
        let level = if entries == 0 { EMPTY } else { u64::try_from(level).unwrap_or(REBUILDING) };
        self.state.store(number | level, Ordering::Release);
    }

    /// Bytes of all levels that were made.
    pub(crate) fn bytes(&self) -> usize {
        self.levels
            .iter()
            .filter_map(OnceLock::get)
            .map(|words| words.len() * size_of::<u64>())
            .sum()
    }

    /// The lowest level with room for `entries`, else the highest.
    fn level_for(&self, entries: usize) -> usize {
        let fits = |level: &usize| self.size(*level).saturating_mul(PER_WORD) >= entries;
        (0..LEVELS).find(fits).unwrap_or(LEVELS - 1)
    }

    const fn size(&self, level: usize) -> usize {
        self.first.saturating_mul(1 << level)
    }

    #[inline]
    fn words(&self, level: u64) -> Option<&[AtomicU64]> {
        self.levels.get(usize::try_from(level).ok()?)?.get().map(|words| &**words)
    }
}

fn set(words: &[AtomicU64], hash: u64) {
    if let Some(word) = words.get(place(hash, words.len())) {
        word.fetch_or(mask(hash), Ordering::Relaxed);
    }
}

/// The upper 32 bits choose the word.
#[inline]
fn place(hash: u64, words: usize) -> usize {
    let words = u64::try_from(words).unwrap_or(0);
    usize::try_from(((hash >> 32) * words) >> 32).unwrap_or(usize::MAX)
}

/// The lower 24 bits choose four bits of it.
#[inline]
const fn mask(hash: u64) -> u64 {
    1 << (hash & 63) | 1 << (hash >> 6 & 63) | 1 << (hash >> 12 & 63) | 1 << (hash >> 18 & 63)
}
