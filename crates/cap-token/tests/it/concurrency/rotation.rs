//! Keys that rotate a thousand times while others issue and validate.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use cap_core::{Capability, Constraints, Operation, Operations, ResourceType, RootGrant};
use cap_crypto::{
    Algorithm, Backend, KeyId, KeyStatus, OsRandom, Purpose, RotationPolicy, SigningKey,
    SigningKeyring,
};
use chrono::{DateTime, TimeDelta, Utc};

use cap_token::IssueError;

use super::*;
use crate::support::id;

const ROTATIONS: u64 = 1000;
const MINUTE: u64 = 60;
/// Of a token; and by how much clocks may differ.
const TTL: Duration = Duration::from_secs(10 * MINUTE);
const SKEW: Duration = Duration::from_secs(2 * MINUTE);

/// What everybody does, and what is known of it.
struct Stage {
    ring: SigningKeyring,
    validator: CachedValidator,
    /// The generation of the ring whose keys are set.
    set: Mutex<Option<u64>>,
    /// Seconds; a step is a minute.
    clock: AtomicU64,
    /// The youngest: when they were issued, with which key.
    tokens: Mutex<VecDeque<(u64, KeyId, String)>>,
    /// Key → the second in which another one took its place.
    ended: Mutex<BTreeMap<KeyId, u64>>,
    /// Keys whose compromise was begun, and those of which it was acknowledged.
    doomed: Mutex<BTreeSet<KeyId>>,
    gone: Mutex<BTreeSet<KeyId>>,
    issued: AtomicU64,
    accepted: AtomicU64,
    retired: AtomicU64,
    compromised: AtomicU64,
    done: AtomicBool,
}

impl Stage {
    fn new() -> Self {
        let policy = RotationPolicy::new(TTL, SKEW).unwrap();
        let minute = Duration::from_secs(MINUTE);
        let policy = policy.with_announcement(minute).unwrap().with_interval(2 * minute).unwrap();
        let first = SigningKey::generate(Algorithm::EdDsa, Backend::default(), &OsRandom).unwrap();
        let ring = SigningKeyring::ephemeral_with(Purpose::TokenSign, &first, instant(0)).unwrap();
        let validator = Validator::new(AUDIENCE).with_leeway(SKEW);
        Self {
            ring: ring.with_policy(policy),
            validator: CachedValidator::new(validator, CacheLimits::default()),
            set: Mutex::default(),
            clock: AtomicU64::new(0),
            tokens: Mutex::default(),
            ended: Mutex::default(),
            doomed: Mutex::default(),
            gone: Mutex::default(),
            issued: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            retired: AtomicU64::new(0),
            compromised: AtomicU64::new(0),
            done: AtomicBool::new(false),
        }
    }

    fn overlap(&self) -> u64 {
        (self.ring.policy().overlap() + self.ring.policy().announcement()).as_secs()
    }

    fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    fn issue(&self) {
        let capability = endless();
        let issuer = Issuer::new(ISSUER, AUDIENCE, &self.ring);
        while !self.is_done() {
            let at = self.clock.load(Ordering::Acquire);
            let token = match issuer.issue(&capability, &[], TTL, &OsRandom, instant(at)) {
                Ok(token) => token,
                // The active key was just found to be compromised.
                Err(IssueError::Sign(_)) => continue,
                Err(other) => panic!("{other}"),
            };
            let header = cap_token::inspect(&token).unwrap().header()["kid"].clone();
            let key: KeyId = header.as_str().unwrap().parse().unwrap();
            let mut tokens = self.tokens.lock().unwrap();
            tokens.push_back((at, key, token));
            if tokens.len() > 5000 {
                tokens.pop_front();
            }
            self.issued.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// As everybody does who keeps the keys until their generation changes.
    fn set_keys(&self) {
        let mut set = self.set.lock().unwrap();
        let generation = self.ring.generation();
        if *set != Some(generation) {
            self.validator.validator().set_keys(ISSUER, self.ring.verifying_keys());
            *set = Some(generation);
        }
    }

    fn validate(&self) {
        let mut turn = 0_usize;
        while !self.is_done() {
            turn = turn.wrapping_add(7919);
            if let Some((at, key, token)) = self.sample(turn) {
                self.validate_one(at, &key, &token, turn);
            }
            thread::yield_now();
        }
    }

    /// One of the newest, or one of all.
    fn sample(&self, turn: usize) -> Option<(u64, KeyId, String)> {
        let tokens = self.tokens.lock().unwrap();
        let count = if turn.is_multiple_of(3) { tokens.len() } else { tokens.len().min(16) };
        let at = tokens.len().checked_sub(1 + turn.checked_rem(count)?)?;
        tokens.get(at).cloned()
    }

    fn validate_one(&self, at: u64, key: &KeyId, token: &str, turn: usize) {
        let early = self.clock.load(Ordering::Acquire);
        let gone = self.gone.lock().unwrap().contains(key);
        let ended = self.ended.lock().unwrap().get(key).copied();
        self.set_keys();
        let outcome = if turn.is_multiple_of(2) {
            self.validator.validate(token, instant(early)).map(drop)
        } else {
            self.validator.validator().validate(token, instant(early)).map(drop)
        };
        let doomed = self.doomed.lock().unwrap().contains(key);
        let late = self.clock.load(Ordering::Acquire);
        // It was signed in `at` or later, and lives for the skew longer.
        if !doomed && late < at + (TTL + SKEW).as_secs() {
            assert_eq!(outcome, Ok(()), "a token of {at} was refused at {early} to {late}");
            self.accepted.fetch_add(1, Ordering::Relaxed);
        }
        if gone {
            assert_eq!(outcome, Err(ValidateError::UnknownKey), "of a compromised key");
            self.compromised.fetch_add(1, Ordering::Relaxed);
        }
        // One step of the clock later, the tick that had to retire it is done.
        if let Some(ended) = ended.filter(|ended| early > ended + self.overlap()) {
            let why = format!("a key that ended at {ended} was good at {early}");
            assert_eq!(outcome, Err(ValidateError::UnknownKey), "{why}");
            self.retired.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One minute. Whether another key is active than before.
    fn step(&self) -> bool {
        let seconds = self.clock.fetch_add(MINUTE, Ordering::AcqRel) + MINUTE;
        let before = self.ring.active();
        match seconds / MINUTE % 8 {
            0 => {
                self.doomed.lock().unwrap().insert(before.clone());
                self.ring.compromise(&before, &OsRandom, instant(seconds)).unwrap();
                self.gone.lock().unwrap().insert(before.clone());
            }
            1 | 4 | 6 => drop(self.ring.rotate(&OsRandom, instant(seconds)).unwrap()),
            _ => {}
        }
        self.ring.tick(&OsRandom, instant(seconds)).unwrap();
        let rotated = self.ring.active() != before;
        if rotated && !self.doomed.lock().unwrap().contains(&before) {
            self.ended.lock().unwrap().insert(before, seconds);
        }
        rotated
    }
}

/// A capability that does not end.
fn endless() -> Capability {
    let grant = RootGrant {
        principal: "alice".parse().unwrap(),
        resource_type: ResourceType::Path,
        resource: "/srv/data/**".to_owned(),
        operations: Operations::NONE.with(Operation::Read),
        constraints: Constraints::default(),
        expires_at: None,
    };
    Capability::grant(id(1), grant, instant(0)).unwrap()
}

fn instant(seconds: u64) -> DateTime<Utc> {
    now() + TimeDelta::seconds(i64::try_from(seconds).unwrap())
}

#[test]
fn a_thousand_rotations_refuse_no_token_early_and_accept_none_late() {
    let stage = Stage::new();
    thread::scope(|scope| {
        let threads = [0, 1, 2, 3].map(|number| {
            let stage = &stage;
            scope.spawn(move || if number < 2 { stage.issue() } else { stage.validate() })
        });
        let seen = |count: &AtomicU64| count.load(Ordering::Relaxed);
        // A thread that ends says what is wrong.
        let ended = || threads.iter().any(thread::ScopedJoinHandle::is_finished);
        let counts = [&stage.accepted, &stage.retired, &stage.compromised];
        let enough = || counts.into_iter().all(|count| seen(count) > 1000);
        let mut rotations = 0;
        while rotations < ROTATIONS || !enough() {
            let (issued, accepted) = (seen(&stage.issued), seen(&stage.accepted));
            rotations += u64::from(stage.step());
            // Not faster than the others.
            while !ended() && (seen(&stage.issued) == issued || seen(&stage.accepted) == accepted) {
                thread::yield_now();
            }
            if ended() {
                break;
            }
        }
        stage.done.store(true, Ordering::Release);
    });
    let count = |status| stage.ring.keys().iter().filter(|key| key.status == status).count();
    assert_eq!(count(KeyStatus::Active), 1);
    assert!(count(KeyStatus::Retired) > 500, "{}", count(KeyStatus::Retired));
    assert!(count(KeyStatus::Compromised) > 100, "{}", count(KeyStatus::Compromised));
    for count in [stage.accepted, stage.retired, stage.compromised] {
        assert!(count.into_inner() > 1000);
    }
}
