//! Ten million capabilities that were revoked, and some of everything else; ids that are in the set
//! or not, in no order. One look-up after the other, each of another id.

use std::hint::black_box;

use cap_core::{CapabilityId, Principal};
use cap_crypto::KeyId;
use cap_token::{Facts, Revocation, RevocationSet, RevocationTarget, TokenId};
use chrono::TimeDelta;
use criterion::{BenchmarkId, Throughput};

use super::OURS;
use super::tokens::{ISSUER, instant, revocations_of_others};
use crate::check::grant::AGENT;
use crate::figure::Printer;
use crate::measured::{Counted, Estimates, Group};

const ABSENT: &str = "revocation-lookup";
const PRESENT: &str = "revocation-hit";
const WHOLE: &str = "revocation-depth-4";
/// By the set's own account, and what the process grew by.
const BYTES: &str = "bytes-revocation-entry";
const RESIDENT: &str = "bytes-revocation-resident";

/// Revoked at once.
const BATCH: u64 = 10_000;
/// Ids that are asked about, of either kind.
const ASKED: u64 = 1 << 20;
/// Of one iteration.
const LOOKUPS: usize = 1_200;
/// A token, its capability and four ancestors.
const IDS_OF_A_CHECK: usize = 6;

pub struct Revocations {
    set: RevocationSet,
    present: Vec<CapabilityId>,
    absent: Vec<CapabilityId>,
    principal: Principal,
    key: KeyId,
}

impl Revocations {
    /// With `entries` capabilities.
    pub fn new(entries: u64, counted: &mut Counted) -> Self {
        let now = instant();
        let before = resident();
        let set = revocations_of_others(now);
        let covers_until = Some(now + TimeDelta::hours(1));
        for first in (0..entries).step_by(BATCH as usize) {
            let target = |number| RevocationTarget::Capability(id(number));
            let batch: Vec<_> = (first..entries.min(first + BATCH))
                .map(|number| Revocation { target: target(number), covers_until })
                .collect();
            set.revoke_batch(&batch, now).expect("revoked");
        }
        count(&set, before, counted);
        let revocations = Self {
            set,
            present: (0..ASKED).map(|number| id(number * 61_803 % entries)).collect(),
            absent: (0..ASKED).map(|number| id(u64::MAX - number)).collect(),
            principal: AGENT.parse().expect("a principal"),
            key: "a-key-that-is-good".parse().expect("a key's name"),
        };
        revocations.assert_verdicts();
        revocations
    }

    pub fn bench(&self, group: &mut Group<'_>) {
        self.bench_lookups(group, ABSENT, &self.absent);
        self.bench_lookups(group, PRESENT, &self.present);
        let mut batches = self.absent.chunks_exact(LOOKUPS).cycle();
        group.throughput(Throughput::Elements((LOOKUPS / IDS_OF_A_CHECK) as u64));
        group.bench_function(BenchmarkId::new(WHOLE, OURS), |bencher| {
            bencher.iter(|| {
                for ids in batches.next().into_iter().flat_map(|ids| ids.chunks(IDS_OF_A_CHECK)) {
                    black_box(self.permits(black_box(ids)));
                }
            });
        });
    }

    fn bench_lookups(&self, group: &mut Group<'_>, case: &str, ids: &[CapabilityId]) {
        let mut batches = ids.chunks_exact(LOOKUPS).cycle();
        group.throughput(Throughput::Elements(LOOKUPS as u64));
        group.bench_function(BenchmarkId::new(case, OURS), |bencher| {
            bencher.iter(|| {
                for id in batches.next().into_iter().flatten() {
                    black_box(self.is_revoked(*black_box(id)));
                }
            });
        });
    }

    fn is_revoked(&self, id: CapabilityId) -> bool {
        self.set.is_revoked(&RevocationTarget::Capability(id))
    }

    /// The whole check of one token, which is about six ids, the holder, the issuer and the key.
    fn permits(&self, ids: &[CapabilityId]) -> bool {
        let [token, capability, ancestors @ ..] = ids else { return false };
        let Ok(token) = TokenId::from_bytes(*token.as_bytes()) else { return false };
        let facts = Facts {
            token,
            capability: *capability,
            ancestors,
            principal: &self.principal,
            issuer: ISSUER,
            key: &self.key,
            issued_at: instant(),
        };
        self.set.check(&facts, facts.issued_at).is_ok()
    }

    /// What is decided wrongly needs no measuring.
    fn assert_verdicts(&self) {
        assert!(self.present.iter().all(|id| self.is_revoked(*id)));
        assert!(!self.absent.iter().any(|id| self.is_revoked(*id)));
        let ids = &self.absent[..IDS_OF_A_CHECK];
        assert!(self.permits(ids));
        for at in 1..ids.len() {
            let mut ids = ids.to_vec();
            ids[at] = self.present[at];
            assert!(!self.permits(&ids), "the capability or one of its ancestors was revoked");
        }
    }
}

pub fn print(printer: &Printer, estimates: &Estimates) {
    for (case, operations) in
        [(ABSENT, LOOKUPS), (PRESENT, LOOKUPS), (WHOLE, LOOKUPS / IDS_OF_A_CHECK)]
    {
        printer.print_alone(case, estimates.best(case, OURS, operations), "ns");
    }
    let counted = estimates.counted();
    for case in [BYTES, RESIDENT] {
        if let Some(bytes) = counted.get(case).and_then(|names| names.get(OURS)) {
            printer.print_alone(case, *bytes, "bytes");
        }
    }
}

/// Bytes for each id that is in the set.
fn count(set: &RevocationSet, before: Option<f64>, counted: &mut Counted) {
    let stats = set.stats();
    let entries = (stats.capabilities + stats.tokens) as f64;
    let mut note = |case: &str, bytes: f64| {
        counted.entry(case.to_owned()).or_default().insert(OURS.to_owned(), bytes / entries);
    };
    note(BYTES, stats.bytes as f64);
    if let Some((before, after)) = before.zip(resident()) {
        note(RESIDENT, after - before);
    }
}

/// Bytes of this process that are in memory, where the system tells.
fn resident() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

/// Number `number` of ids that look as if they came from anywhere: as `SplitMix64` (Steele, Lea and
/// Flood 2014) makes them, no two the same.
fn id(number: u64) -> CapabilityId {
    let mut bytes = [0; 16];
    let (high, low) = bytes.split_at_mut(8);
    high.copy_from_slice(&mixed(number).to_be_bytes());
    low.copy_from_slice(&mixed(!number).to_be_bytes());
    bytes[6] = 0x70 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    CapabilityId::from_bytes(bytes).expect("a UUIDv7")
}

const fn mixed(number: u64) -> u64 {
    let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
