//! Validation of a token that nobody has seen before, and issue, each with one of the three
//! algorithms. The peers: the bare signature, and `jsonwebtoken` over the same library.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use cap_core::Capability;
use cap_crypto::{Algorithm, OsRandom, SigningKeyring};
use cap_token::{Issuer, RevocationTarget, ValidateError, Validator};
use chrono::{DateTime, TimeDelta, Utc};
use criterion::BenchmarkId;

#[cfg(feature = "peers")]
use super::peers::{Jsonwebtoken, Raw};
use super::tokens::{
    self, AUDIENCE, ISSUER, TTL, keyring, lineage, revocations_of_others, signing_key,
};
use super::{OURS, Peers, with_peers};
use crate::figure::Printer;
use crate::measured::{Estimates, Group};

const ALGORITHMS: [(Algorithm, &str, &str); 3] = [
    (Algorithm::EdDsa, "uncached-eddsa", "issue-eddsa"),
    (Algorithm::Es256, "uncached-es256", "issue-es256"),
    (Algorithm::Rs256, "uncached-rs256", "issue-rs256"),
];
const PEERS: Peers = with_peers(&["raw", "jsonwebtoken"]);

pub struct Signed(Vec<Subject>);

/// One algorithm: a key, a capability, and a token of it.
struct Subject {
    uncached: &'static str,
    issue: &'static str,
    now: DateTime<Utc>,
    keys: SigningKeyring,
    validator: Validator,
    capability: Capability,
    token: String,
    #[cfg(feature = "peers")]
    raw: Raw,
    #[cfg(feature = "peers")]
    jsonwebtoken: Jsonwebtoken,
}

impl Signed {
    pub fn new() -> Self {
        let subject = |(algorithm, uncached, issue)| Subject::new(algorithm, uncached, issue);
        Self(ALGORITHMS.into_iter().map(subject).inspect(Subject::assert_verdicts).collect())
    }

    pub fn bench(&self, group: &mut Group<'_>) {
        for subject in &self.0 {
            subject.bench_uncached(group);
            subject.bench_issue(group);
        }
    }
}

impl Subject {
    fn new(algorithm: Algorithm, uncached: &'static str, issue: &'static str) -> Self {
        let now = today();
        let key = signing_key(algorithm);
        let keys = keyring(&key, now);
        let (capability, _) = lineage(0, 0, now);
        let token = tokens::issuer(&keys).issue(&capability, &[], TTL, &OsRandom, now);
        let token = token.expect("a token");
        let revocations = Arc::new(revocations_of_others(now));
        Self {
            #[cfg(feature = "peers")]
            raw: Raw::new(&key, &token),
            #[cfg(feature = "peers")]
            jsonwebtoken: Jsonwebtoken::new(&key, &token),
            validator: tokens::validator(&keys, &revocations),
            uncached,
            issue,
            now,
            keys,
            capability,
            token,
        }
    }

    fn bench_uncached(&self, group: &mut Group<'_>) {
        group.bench_function(BenchmarkId::new(self.uncached, OURS), |bencher| {
            bencher.iter(|| self.validator.validate(black_box(&self.token), self.now));
        });
        #[cfg(feature = "peers")]
        {
            group.bench_function(BenchmarkId::new(self.uncached, PEERS[0]), |bencher| {
                bencher.iter(|| self.raw.verifies());
            });
            group.bench_function(BenchmarkId::new(self.uncached, PEERS[1]), |bencher| {
                bencher.iter(|| self.jsonwebtoken.decode(black_box(&self.token)));
            });
        }
    }

    fn bench_issue(&self, group: &mut Group<'_>) {
        let issuer = tokens::issuer(&self.keys);
        group.bench_function(BenchmarkId::new(self.issue, OURS), |bencher| {
            bencher
                .iter(|| issuer.issue(black_box(&self.capability), &[], TTL, &OsRandom, self.now));
        });
        #[cfg(feature = "peers")]
        {
            group.bench_function(BenchmarkId::new(self.issue, PEERS[0]), |bencher| {
                bencher.iter(|| self.raw.sign());
            });
            group.bench_function(BenchmarkId::new(self.issue, PEERS[1]), |bencher| {
                bencher.iter(|| self.jsonwebtoken.encode());
            });
        }
    }

    /// What is decided wrongly needs no measuring.
    fn assert_verdicts(&self) {
        let issue = |issuer: &Issuer<'_>, now| {
            issuer.issue(&self.capability, &[], TTL, &OsRandom, now).expect("a token")
        };
        let verified = self.validator.validate(&self.token, self.now).expect("a good token");
        assert_eq!(verified.capability(), &self.capability);
        let again = issue(&tokens::issuer(&self.keys), self.now);
        assert!(again != self.token && self.validator.validate(&again, self.now).is_ok());

        let elsewhere = Issuer::new(ISSUER, "https://elsewhere.example", &self.keys);
        let bad = [
            ("payload", altered(&self.token, 1)),
            ("signature", altered(&self.token, 2)),
            ("audience", issue(&elsewhere, self.now)),
            (
                "issuer",
                issue(&Issuer::new("https://nobody.example", AUDIENCE, &self.keys), self.now),
            ),
            ("expiry", issue(&tokens::issuer(&self.keys), self.now - TimeDelta::hours(2))),
        ];
        for (what, token) in &bad {
            assert!(self.validator.validate(token, self.now).is_err(), "{what}");
            #[cfg(feature = "peers")]
            assert!(self.jsonwebtoken.decode(token).is_none(), "{what}");
        }
        #[cfg(feature = "peers")]
        {
            assert!(self.jsonwebtoken.decode(&self.token).is_some());
            let theirs = self.jsonwebtoken.encode();
            let theirs =
                self.validator.validate(&theirs, self.now).expect("a token of the profile");
            assert_eq!(theirs.capability(), &self.capability);
        }
        self.assert_revocable();
    }

    fn assert_revocable(&self) {
        let revocations = Arc::new(revocations_of_others(self.now));
        let validator = tokens::validator(&self.keys, &revocations);
        assert!(validator.validate(&self.token, self.now).is_ok());
        let target = RevocationTarget::Capability(self.capability.id());
        revocations.revoke(target, None, self.now).expect("revoked");
        let refused = validator.validate(&self.token, self.now);
        assert!(matches!(refused, Err(ValidateError::Revoked(_))));
    }
}

pub fn print(printer: &Printer, estimates: &Estimates) {
    for case in ALGORITHMS.iter().flat_map(|(_, uncached, issue)| [*uncached, *issue]) {
        let ours = estimates.best(case, OURS, 1);
        super::print(printer, estimates, case, ours, (case, 1), PEERS);
    }
}

/// `jsonwebtoken` reads the clock by itself.
#[expect(clippy::disallowed_methods, reason = "a program of its own, which nobody gives the time")]
fn today() -> DateTime<Utc> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let seconds = i64::try_from(since.as_secs()).expect("before the year 9999");
    DateTime::from_timestamp(seconds, 0).expect("an instant")
}

/// With another character in the middle of one of its parts.
fn altered(token: &str, part: usize) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let middle = parts[part].len() / 2;
    let other = if &parts[part][middle..=middle] == "A" { "B" } else { "A" };
    parts[part].replace_range(middle..=middle, other);
    parts.join(".")
}
