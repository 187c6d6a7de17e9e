use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::documents::lists_of;
use super::*;

/// What the set ought to hold, by nothing but a map: how long each target must be kept, and for a
/// principal's instant that instant.
#[derive(Clone, Debug, Default)]
struct Naive(BTreeMap<String, (Option<i64>, i64)>);

impl Naive {
    /// Whether that was new.
    fn revoke(&mut self, key: String, until: Option<i64>, instant: i64) -> bool {
        let old = self.0.get(&key).copied();
        let kept = self.0.entry(key).or_insert((until, instant));
        kept.0 = kept.0.zip(until).map(|(one, other)| one.max(other));
        kept.1 = kept.1.max(instant);
        old != Some(*kept)
    }

    fn take<'k>(&mut self, other: &Self, keys: impl IntoIterator<Item = &'k String>) {
        for key in keys {
            if let Some((until, instant)) = other.0.get(key) {
                self.revoke(key.clone(), *until, *instant);
            }
        }
    }

    fn cleanup(&mut self, now: i64) {
        self.0.retain(|_, (until, _)| until.is_none_or(|until| until + 600 >= now));
    }

    fn refuses(&self, subject: &Subject, issued: i64) -> bool {
        let has = |kind: &str, name: &str| self.0.contains_key(&format!("{kind} {name}"));
        let before = self.0.get(&format!("before {}", subject.principal));
        has("token", &subject.token.to_string())
            || has("capability", &subject.capability.to_string())
            || subject.ancestors.iter().any(|id| has("capability", &id.to_string()))
            || has("principal", subject.principal.as_str())
            || before.is_some_and(|(_, instant)| issued <= instant + 300)
            || has("issuer", &subject.issuer)
            || has("key", subject.key.as_str())
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// Kind, number, until, instant.
    Revoke(u8, u32, Option<i64>, i64),
    Cleanup,
    /// Of the follower alone.
    CleanupThere,
    Snapshot,
    Delta,
    Restore,
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let until = prop::option::of(0..3000_i64);
    prop_oneof![
        6 => (0..6_u8, 0..4_u32, until, -2000..2000_i64)
            .prop_map(|(kind, number, until, instant)| Step::Revoke(kind, number, until, instant)),
        1 => Just(Step::Cleanup),
        1 => Just(Step::CleanupThere),
        1 => Just(Step::Snapshot),
        2 => Just(Step::Delta),
        1 => Just(Step::Restore),
        2 => (1..800_i64).prop_map(Step::Wait),
    ]
}

fn subject(numbers: [u32; 8], issued: i64) -> Subject {
    let [token_number, own, first, second, third, who, issuer, key] = numbers;
    Subject {
        token: token(token_number),
        capability: capability(own),
        ancestors: [first, second, third].map(capability).to_vec(),
        principal: principal(&format!("p{who}")),
        issuer: format!("i{issuer}"),
        key: format!("k{key}").parse().unwrap(),
        issued_at: at(issued),
    }
}

fn target(kind: u8, number: u32, instant: i64) -> (RevocationTarget, String) {
    match kind {
        0 => (RevocationTarget::Token(token(number)), format!("token {}", token(number))),
        1 => {
            let id = capability(number);
            (RevocationTarget::Capability(id), format!("capability {id}"))
        }
        2 => {
            let name = format!("p{number}");
            (RevocationTarget::Principal(principal(&name)), format!("principal {name}"))
        }
        3 => {
            let name = format!("p{number}");
            let target = RevocationTarget::PrincipalBefore(principal(&name), at(instant));
            (target, format!("before {name}"))
        }
        4 => (RevocationTarget::Issuer(format!("i{number}")), format!("issuer i{number}")),
        _ => {
            let id: KeyId = format!("k{number}").parse().unwrap();
            (RevocationTarget::Key(id), format!("key k{number}"))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A set, one that follows it, and a map say the same, whatever happens in whatever order.
    #[test]
    fn a_set_is_what_a_map_says(
        steps in prop::collection::vec(step(), 1..40),
        asked in prop::collection::vec((prop::array::uniform8(0..6_u32), -3000..3000_i64), 8),
    ) {
        let key = key(1);
        let publisher = publisher(&key);
        let (mut set, follower) = (RevocationSet::new(), RevocationSet::new());
        let (mut naive, mut followed, mut clock) = (Naive::default(), Naive::default(), 0);
        // What the follower was not told yet.
        let mut new = BTreeSet::new();
        for step in steps {
            match step {
                Step::Revoke(kind, number, until, instant) => {
                    let (target, name) = target(kind, number, instant);
                    let until = until.map(|until| until.max(clock));
                    set.revoke(target, until.map(at), at(clock)).unwrap();
                    // Of a principal, an issuer and a key: for ever.
                    let until = until.filter(|_| [0, 1, 3].contains(&kind));
                    // An instant that is none is always 0.
                    let instant = if kind == 3 { instant } else { 0 };
                    if naive.revoke(name.clone(), until, instant) {
                        new.insert(name);
                    }
                }
                Step::Cleanup => {
                    let held = naive.0.len();
                    naive.cleanup(clock);
                    followed.cleanup(clock);
                    prop_assert_eq!(set.cleanup(at(clock)), held - naive.0.len());
                    follower.cleanup(at(clock));
                }
                Step::CleanupThere => {
                    let held = followed.0.len();
                    followed.cleanup(clock);
                    prop_assert_eq!(follower.cleanup(at(clock)), held - followed.0.len());
                }
                Step::Snapshot => {
                    let document = set.export_snapshot(PUBLISHER, &key, at(clock)).unwrap();
                    follower.import(&document, &publisher, at(clock)).unwrap();
                    followed.take(&naive, naive.0.keys());
                    new.clear();
                }
                Step::Delta => {
                    let since = follower.position(PUBLISHER);
                    let document =
                        set.export_delta(since, PUBLISHER, &key, at(clock)).unwrap();
                    prop_assert_eq!(
                        follower.import(&document, &publisher, at(clock)),
                        Ok(set.epoch())
                    );
                    // From the beginning on a delta is a snapshot.
                    if since == Epoch(0) {
                        new.extend(naive.0.keys().cloned());
                    }
                    followed.take(&naive, &new);
                    new.clear();
                }
                Step::Restore => {
                    let document = set.export_snapshot(PUBLISHER, &key, at(clock)).unwrap();
                    let last = set.epoch();
                    set =
                        RevocationSet::restore(&document, &publisher, last, at(clock)).unwrap();
                    prop_assert!(set.epoch() > last);
                    new.extend(naive.0.keys().cloned());
                    let again = set.export_snapshot(PUBLISHER, &key, at(clock)).unwrap();
                    prop_assert_eq!(lists_of(&document, &key), lists_of(&again, &key));
                }
                Step::Wait(seconds) => clock += seconds,
            }
            for (numbers, issued) in &asked {
                let subject = subject(*numbers, *issued);
                let refused = subject.check(&set).is_err();
                let follows = subject.check(&follower).is_err();
                prop_assert_eq!(refused, naive.refuses(&subject, *issued), "{:?}", subject);
                prop_assert_eq!(follows, followed.refuses(&subject, *issued), "{:?}", subject);
            }
        }
    }
}
