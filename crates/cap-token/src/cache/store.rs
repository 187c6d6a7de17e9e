use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher as _;

use foldhash::quality::FixedState;

use crate::sync::RwLock;

/// Values under whole tokens, bounded in number and bytes. The oldest go first.
///
/// SECURITY: a token is found by a hash of its end, but nothing is given out unless the whole
/// token is, byte for byte, the one that was put in.
#[derive(Debug)]
pub(crate) struct Store<V> {
    shards: Box<[RwLock<Shard<V>>]>,
    hasher: FixedState,
    bounds: Bounds,
}

/// Of one shard.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    entries: usize,
    bytes: usize,
}

/// Who validates what is not in the store.
pub(crate) trait Source {
    type Value;
    type Error;

    /// A number that changes with the keys.
    fn generation(&self) -> u64;

    /// Whether what was good is so still, apart from the keys and its age.
    fn check(&self, value: &Self::Value) -> Result<(), Self::Error>;

    /// Whether what was refused like this by `check` will be refused ever after.
    fn is_final(refused: &Self::Error) -> bool;

    /// The whole validation, `check` included.
    fn validate(&self) -> Result<Validated<Self::Value>, Self::Error>;
}

pub(crate) struct Validated<V> {
    pub(crate) value: V,
    /// The second from which on it is not given out.
    pub(crate) until: i64,
    /// How much it counts.
    pub(crate) bytes: usize,
}

#[derive(Debug)]
struct Entry<V> {
    token: Box<str>,
    value: V,
    generation: u64,
    /// The second in which it was validated; before that it is not given out.
    since: i64,
    until: i64,
    bytes: usize,
}

#[derive(Debug)]
struct Shard<V> {
    /// By hash: two tokens of one hash displace each other.
    found: HashMap<u64, (u64, Entry<V>), FixedState>,
    /// Hash and number of every entry, the oldest first, and of some that are no more.
    order: VecDeque<(u64, u64)>,
    /// The number of the next entry.
    next: u64,
    bytes: usize,
}

/// A shard should hold so many entries at least, lest chance leaves some full and some empty.
const LEAST_PER_SHARD: usize = 256;
const MOST_SHARDS: usize = 16;

/// How much of a token's end is hashed: of a signature, half or less.
const HASHED: usize = 32;

/// What an entry takes beside its value, its token and what the two have elsewhere.
pub(crate) const fn overhead<V>() -> usize {
    // After it has grown, 7 of 16 buckets of a map are used; of the order a quarter, and half of
    // that may be of entries that are no more.
    5 * (size_of::<(u64, (u64, Entry<V>))>() + 1) / 2 + 4 * size_of::<(u64, u64)>()
}

impl<V: Clone> Store<V> {
    /// For `entries` and `bytes` at the most. Whoever does not know `seed` cannot choose tokens
    /// that displace each other.
    pub(crate) fn new(entries: usize, bytes: usize, seed: u64) -> Self {
        let count = (entries / LEAST_PER_SHARD).clamp(1, MOST_SHARDS);
        let hasher = FixedState::with_seed(seed);
        Self {
            shards: (0..count).map(|_| RwLock::new(Shard::new(hasher.clone()))).collect(),
            hasher,
            bounds: Bounds { entries: entries / count, bytes: bytes / count },
        }
    }

    /// What `source` says of the token at the second `now`, by what is remembered or anew.
    #[inline]
    pub(crate) fn validated<S: Source<Value = V>>(
        &self,
        token: &str,
        source: &S,
        now: i64,
    ) -> Result<V, S::Error> {
        // SECURITY: read before the keys are used: what was validated with keys that have changed
        // since is not found again.
        let generation = source.generation();
        if let Some(value) = self.find(token, generation, now) {
            // SECURITY: after it was found: a revocation that was acknowledged before is seen.
            return match source.check(&value) {
                Ok(()) => Ok(value),
                Err(refused) => {
                    if S::is_final(&refused) {
                        self.remove(token);
                    }
                    Err(refused)
                }
            };
        }
        let Validated { value, until, bytes } = source.validate()?;
        let kept = value.clone();
        self.put(Entry { token: token.into(), value: kept, generation, since: now, until, bytes });
        Ok(value)
    }

    /// What was put in under this token, if the keys are still of this generation and it is still
    /// to be given out at this second.
    #[inline]
    fn find(&self, token: &str, generation: u64, now: i64) -> Option<V> {
        let hash = self.hash(token);
        let shard = self.shard(hash)?.read();
        let (_, entry) = shard.found.get(&hash)?;
        let fresh = entry.since <= now && now < entry.until && entry.generation == generation;
        (fresh && *entry.token == *token).then(|| entry.value.clone())
    }

    /// Puts it in, at the cost of the oldest; not at all if it is too large by itself.
    fn put(&self, entry: Entry<V>) {
        let (hash, now) = (self.hash(&entry.token), entry.since);
        if let Some(shard) = self.shard(hash) {
            shard.write().put(hash, entry, self.bounds, now);
        }
    }

    fn remove(&self, token: &str) {
        let hash = self.hash(token);
        if let Some(shard) = self.shard(hash) {
            let mut shard = shard.write();
            if shard.found.get(&hash).is_some_and(|(_, entry)| *entry.token == *token) {
                shard.remove(hash);
            }
        }
    }

    /// Drops what is not to be given out any more at this second.
    pub(crate) fn cleanup(&self, now: i64) {
        for shard in &self.shards {
            let mut shard = shard.write();
            let before = shard.found.len();
            shard.found.retain(|_, (_, entry)| now < entry.until);
            if shard.found.len() < before {
                shard.bytes = shard.found.values().map(|(_, entry)| entry.bytes).sum();
                shard.forget_order();
            }
        }
    }

    /// Entries and bytes.
    pub(crate) fn size(&self) -> (usize, usize) {
        let size = |shard: &RwLock<Shard<V>>| {
            let shard = shard.read();
            (shard.found.len(), shard.bytes)
        };
        self.shards.iter().map(size).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    #[inline]
    fn hash(&self, token: &str) -> u64 {
        let bytes = token.as_bytes();
        let end = bytes.last_chunk::<HASHED>().map_or(bytes, |end| end.as_slice());
        self.hasher.hash_one(end)
    }

    #[inline]
    fn shard(&self, hash: u64) -> Option<&RwLock<Shard<V>>> {
        let shards = u64::try_from(self.shards.len()).ok()?;
        self.shards.get(usize::try_from(((hash >> 32) * shards) >> 32).ok()?)
    }
}

impl<V> Shard<V> {
    fn new(hasher: FixedState) -> Self {
        Self { found: HashMap::with_hasher(hasher), order: VecDeque::new(), next: 0, bytes: 0 }
    }

    fn put(&mut self, hash: u64, entry: Entry<V>, bounds: Bounds, now: i64) {
        self.remove(hash);
        if entry.bytes > bounds.bytes || bounds.entries == 0 {
            return;
        }
        while self.found.len() >= bounds.entries
            || self.bytes.saturating_add(entry.bytes) > bounds.bytes
            || self.oldest_is_over(now)
        {
            let Some((hash, number)) = self.order.pop_front() else { break };
            if self.found.get(&hash).is_some_and(|(own, _)| *own == number) {
                self.remove(hash);
            }
        }
        if self.order.len() > self.found.len() * 2 + 16 {
            self.forget_order();
        }
        self.bytes += entry.bytes;
        self.order.push_back((hash, self.next));
        self.found.insert(hash, (self.next, entry));
        self.next += 1;
    }

    fn remove(&mut self, hash: u64) {
        if let Some((_, entry)) = self.found.remove(&hash) {
            self.bytes = self.bytes.saturating_sub(entry.bytes);
        }
    }

    fn oldest_is_over(&self, now: i64) -> bool {
        self.order.front().is_some_and(|(hash, number)| match self.found.get(hash) {
            Some((own, entry)) if own == number => entry.until <= now,
            _ => true,
        })
    }

    /// Of entries that are no more.
    fn forget_order(&mut self) {
        let found = &self.found;
        self.order.retain(|(hash, number)| found.get(hash).is_some_and(|(own, _)| own == number));
    }
}
