//! Tokens that were validated before; the peers keep theirs, too: `biscuit` one that was verified,
//! `tenuo` a warrant, `cedar` its policies.

use std::hint::black_box;

use criterion::{BenchmarkId, Throughput};

use super::kept::Kept;
use super::{OURS, Peers, with_peers};
use crate::check::grant::ALLOWED;
#[cfg(feature = "peers")]
use crate::check::{self, Case, Form, grant::Grant, peers};
use crate::figure::Printer;
use crate::measured::{Estimates, Group};

const HOT: &str = "cached-hot";
const CASES: [&str; 3] = [HOT, "cached-1k", "cached-100k"];
/// Their cost does not depend on how many tokens there are: measured once a round.
const PEERS: Peers = with_peers(&["tenuo", "cedar", "biscuit"]);

pub struct Cached(Vec<(&'static str, Kept)>);

impl Cached {
    pub fn new(most: u32) -> Self {
        Kept::assert_verdicts();
        let counts = [16, 1_000, most];
        Self(CASES.into_iter().zip(counts.map(Kept::new)).collect())
    }

    pub fn bench(&mut self, group: &mut Group<'_>) {
        for (case, kept) in &mut self.0 {
            group.throughput(Throughput::Elements(ALLOWED.len() as u64));
            group.bench_function(BenchmarkId::new(*case, OURS), |bencher| {
                bencher.iter(|| {
                    for _ in 0..ALLOWED.len() {
                        black_box(kept.permits_next());
                    }
                });
            });
        }
        #[cfg(feature = "peers")]
        {
            let case =
                Case { name: HOT, grant: Grant::Plain, calls: &ALLOWED, form: Form::Request };
            check::bench::<peers::Tenuo>(group, &case);
            check::bench::<peers::Cedar>(group, &case);
            check::bench::<peers::Biscuit>(group, &case);
        }
    }
}

pub fn print(printer: &Printer, estimates: &Estimates) {
    for case in CASES {
        let ours = estimates.best(case, OURS, ALLOWED.len());
        super::print(printer, estimates, case, ours, (HOT, ALLOWED.len()), PEERS);
        printer.print_alone(&format!("{case}-rate"), 1e9 / ours, "calls/s");
    }
}
