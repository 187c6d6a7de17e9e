//! Links that were verified, found by their whole text.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock};

use foldhash::quality::FixedState;

use super::claims::Claims;

/// A verified token in its place: under this very parent.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) text: Box<str>,
    pub(super) parent: Option<Arc<Self>>,
    /// base64url(SHA-256(signing input)).
    pub(super) hash: String,
    pub(super) claims: Claims,
    /// Of a root: the name of the trust anchor's key that signed it.
    pub(super) anchor: Option<String>,
}

impl Link {
    /// From this link to the root.
    pub(super) fn ancestry(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |link| link.parent.as_deref())
    }

    pub(super) fn root(&self) -> &Self {
        self.ancestry().last().unwrap_or(self)
    }

    /// Something of each link, that of the root first.
    pub(super) fn each_from_root<'a, T>(&'a self, of: impl FnMut(&'a Self) -> T) -> Vec<T> {
        let mut all: Vec<_> = self.ancestry().map(of).collect();
        all.reverse();
        all
    }

    /// The thumbprint of the holder's key. INVARIANT: no child and no proof of a key that is not
    /// implemented verifies, so that what was verified has one.
    pub(super) fn holder(&self) -> &str {
        self.claims.holder.thumbprint().unwrap_or_default()
    }

    /// What it takes in memory at most, roughly: the text and what was read of it, which for
    /// many small constraints is several times as much.
    fn bytes(&self) -> usize {
        512 + 12 * self.text.len()
    }
}

/// Two generations of at most half the bytes each: when the young one is full it becomes the old one,
/// which is dropped. Whatever is used moves to the young one.
///
/// SECURITY: only what does not change with time is remembered, under the policy of one verifier:
/// signatures and what follows from the claims. Lifetimes are asked about on every use.
#[derive(Debug)]
pub(super) struct Cache {
    half: usize,
    generations: RwLock<Generations>,
}

#[derive(Debug)]
struct Generations {
    young: HashSet<Held, FixedState>,
    old: HashSet<Held, FixedState>,
    young_bytes: usize,
}

/// A link that is found by its text.
#[derive(Debug)]
struct Held(Arc<Link>);

impl Borrow<str> for Held {
    fn borrow(&self) -> &str {
        &self.0.text
    }
}

impl Hash for Held {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.text.hash(hasher);
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl Eq for Held {}

impl Cache {
    pub(super) fn new(bytes: usize) -> Self {
        // The standard library's seeds, as in every `HashSet`: the only randomness that nobody gave.
        let hasher = FixedState::with_seed(RandomState::new().hash_one(0));
        let (young, old) = (HashSet::with_hasher(hasher.clone()), HashSet::with_hasher(hasher));
        let generations = Generations { young, old, young_bytes: 0 };
        Self { half: bytes / 2, generations: RwLock::new(generations) }
    }

    /// The last link of the longest beginning of the chain that is known, and its length.
    pub(super) fn longest_prefix<T: AsRef<str>>(&self, chain: &[T]) -> (Option<Arc<Link>>, usize) {
        let mut stale = Vec::new();
        let mut last: Option<Arc<Link>> = None;
        let mut known = 0;
        {
            let generations = self.generations.read().unwrap_or_else(PoisonError::into_inner);
            for token in chain {
                let Some((link, age)) = generations.find(token.as_ref(), last.as_ref()) else {
                    break;
                };
                if age == Age::Old {
                    stale.push(Arc::clone(link));
                }
                last = Some(Arc::clone(link));
                known += 1;
            }
        }
        stale.into_iter().for_each(|link| self.insert(link));
        (last, known)
    }

    pub(super) fn insert(&self, link: Arc<Link>) {
        let bytes = link.bytes();
        if bytes > self.half {
            return;
        }
        let mut generations = self.generations.write().unwrap_or_else(PoisonError::into_inner);
        if generations.young_bytes + bytes > self.half {
            let empty = HashSet::with_hasher(generations.young.hasher().clone());
            generations.old = std::mem::replace(&mut generations.young, empty);
            generations.young_bytes = 0;
        }
        if generations.young.replace(Held(link)).is_none() {
            generations.young_bytes += bytes;
        }
    }
}

#[derive(PartialEq, Eq)]
enum Age {
    Young,
    Old,
}

impl Generations {
    /// The link of this text under this parent: the same text under another one is another link.
    fn find(&self, text: &str, parent: Option<&Arc<Link>>) -> Option<(&Arc<Link>, Age)> {
        let under = |Held(link): &&Held| match (&link.parent, parent) {
            (None, None) => true,
            (Some(own), Some(parent)) => Arc::ptr_eq(own, parent),
            _ => false,
        };
        let young = self.young.get(text).filter(under).map(|Held(link)| (link, Age::Young));
        young.or_else(|| self.old.get(text).filter(under).map(|Held(link)| (link, Age::Old)))
    }
}
