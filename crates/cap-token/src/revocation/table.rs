use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash};

use foldhash::quality::FixedState;

use super::filter::Filter;
use crate::sync::{Mutex, RwLock};

/// A map that many threads ask, nearly always in vain, while one changes it. A key that is not in
/// it costs a hash and one word of the filter; no allocation, and no lock but for the few that the
/// filter cannot tell.
///
/// Changes lock one shard for the time of one change: where a shard grows, the readers that want
/// this very shard wait for it.
#[derive(Debug)]
pub(crate) struct Table<K, V> {
    filter: Filter,
    hasher: FixedState,
    shards: Box<[Shard<K, V>]>,
    /// Held by whoever changes the table.
    writer: Mutex<Count>,
}

#[derive(Debug, Default)]
struct Count {
    /// How many keys the filter was given since it was built.
    given: usize,
    /// How many keys are in the table.
    held: usize,
}

type Shard<K, V> = RwLock<HashMap<K, V, FixedState>>;

impl<K: Hash + Eq, V: Copy> Table<K, V> {
    /// `words` of the filter's lowest level. A secret `seed` makes it hard to choose keys that
    /// collide; the hash is no cryptographic one, so not impossible for whoever may put in many and
    /// measure. That costs time, never a wrong answer, and only those put in who may revoke.
    pub(crate) fn new(shards: usize, words: usize, seed: u64) -> Self {
        let hasher = FixedState::with_seed(seed);
        let shard = |_| RwLock::new(HashMap::with_hasher(hasher.clone()));
        Self {
            filter: Filter::new(words),
            shards: (0..shards.max(1)).map(shard).collect(),
            hasher,
            writer: Mutex::new(Count::default()),
        }
    }

    /// Whether `key` is in it.
    #[inline]
    pub(crate) fn contains<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.get(key).is_some()
    }

    /// What stands under `key`.
    #[inline]
    pub(crate) fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = self.filter.maybe(|| self.hasher.hash_one(key))?;
        self.find(hash, key)
    }

    /// Puts under `key` what `merge` makes of what stands there; nothing changes where it gives
    /// `None`. Whether something has changed.
    pub(crate) fn put(&self, key: K, merge: impl FnOnce(Option<V>) -> Option<V>) -> bool {
        let mut count = self.writer.lock();
        let hash = self.hasher.hash_one(&key);
        let old = self.find(hash, &key);
        let Some(new) = merge(old) else {
            return false;
        };
        if old.is_none() {
            if count.given >= self.filter.capacity() {
                self.rebuild(&mut count, 1);
            }
            self.filter.insert(hash);
            count.given += 1;
            count.held += 1;
        }
        if let Some(shard) = self.shard(hash) {
            shard.write().insert(key, new);
        }
        true
    }

    /// Makes the filter ready for `more` keys.
    pub(crate) fn reserve(&self, more: usize) {
        let mut count = self.writer.lock();
        if count.given.saturating_add(more) > self.filter.capacity() {
            self.rebuild(&mut count, more);
        }
    }

    /// Removes what `keep` does not keep; how many.
    pub(crate) fn retain(&self, mut keep: impl FnMut(&K, &mut V) -> bool) -> usize {
        let mut count = self.writer.lock();
        let mut removed = 0;
        for shard in &self.shards {
            let mut map = shard.write();
            let before = map.len();
            map.retain(&mut keep);
            removed += before - map.len();
            if map.len() < map.capacity() / 4 {
                let room = map.len() * 2;
                map.shrink_to(room);
            }
        }
        count.held -= removed;
        // What was removed still stands in the filter: no harm, but "maybe" becomes frequent.
        if removed > 0 && count.held < count.given / 2 {
            self.rebuild(&mut count, 0);
        }
        removed
    }

    /// Shows everything to `visit`, in no order; what is changed meanwhile is shown or not.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&K, &V)) {
        for shard in &self.shards {
            shard.read().iter().for_each(|(key, value)| visit(key, value));
        }
    }

    /// How many keys are in it.
    pub(crate) fn len(&self) -> usize {
        self.writer.lock().held
    }

    /// An estimate of its bytes, without what the keys have elsewhere.
    pub(crate) fn bytes(&self) -> usize {
        // Of eight buckets of a map seven are used at the most; each has a byte of its own.
        let buckets = |shard: &Shard<K, V>| shard.read().capacity().div_ceil(7) * 8;
        let entries: usize = self.shards.iter().map(buckets).sum();
        entries * (size_of::<(K, V)>() + 1)
            + self.shards.len() * size_of::<Shard<K, V>>()
            + self.filter.bytes()
    }

    /// With room for `more`.
    fn rebuild(&self, count: &mut Count, more: usize) {
        let held = count.held;
        // Twice of what is there, lest it is built again and again.
        let room = held.saturating_add(more).max(if more == 0 { held } else { held * 2 });
        self.filter.rebuild(room, |put| {
            self.for_each(|key, _| put(self.hasher.hash_one(key)));
        });
        count.given = held;
    }

    // Out of the way of what is asked nearly always.
    #[cold]
    #[inline(never)]
    fn find<Q>(&self, hash: u64, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.shard(hash)?.read().get(key).copied()
    }

    /// By bits that neither the filter uses nor, for fewer than 2²⁴ entries, the map.
    fn shard(&self, hash: u64) -> Option<&Shard<K, V>> {
        let at = usize::try_from(hash >> 24 & 0xff).ok()? % self.shards.len();
        self.shards.get(at)
    }
}
