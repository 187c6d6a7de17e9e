use cap_audit::{Digest, Head, LogEntry, LogId, LogRegistry, LogState, MemoryRegistry};
use cap_testkit::state_store::at;

use crate::Home;

fn log(n: u8) -> LogId {
    format!("{n:032x}").parse().unwrap()
}

fn head(seq: u64, text: &str) -> Head {
    Head { seq, hash: Digest::of(text.as_bytes()) }
}

fn entry(n: u8, head: Head) -> LogEntry {
    let node = format!("node \"{n}\"");
    LogEntry { log: log(n), folder: format!("folder-{n}"), node, head, state: LogState::Open }
}

/// Both registries, empty.
fn each(check: impl Fn(&dyn LogRegistry)) {
    check(&MemoryRegistry::default());
    let home = Home::new();
    check(&*home.open());
}

fn advance(registry: &dyn LogRegistry, n: u8, head: Head) -> bool {
    registry.head(&log(n), head.seq, &head.hash, at(0)).is_ok()
}

fn close(registry: &dyn LogRegistry, n: u8, head: Head) -> bool {
    registry.closed(&log(n), head.seq, &head.hash).is_ok()
}

#[test]
fn logs_come_back_in_the_order_of_their_creation() {
    each(|registry| {
        assert_eq!(registry.entries().unwrap(), []);
        let entries: Vec<_> = [9, 1, 200, 5].map(|n| entry(n, head(n.into(), "h"))).into();
        for entry in &entries {
            registry.created(entry).unwrap();
        }
        assert!(advance(registry, 1, head(77, "i")));
        assert!(close(registry, 9, head(9, "h")));
        let known = registry.entries().unwrap();
        let order: Vec<_> = known.iter().map(|entry| entry.log).collect();
        assert_eq!(order, [9, 1, 200, 5].map(log));
        assert_eq!(known[0], LogEntry { state: LogState::Closed, ..entries[0].clone() });
        assert_eq!(known[1], LogEntry { head: head(77, "i"), ..entries[1].clone() });
        assert_eq!(known[2..], entries[2..]);
    });
}

#[test]
fn neither_a_log_nor_a_folder_is_registered_twice() {
    each(|registry| {
        let first = entry(1, head(0, "a"));
        registry.created(&first).unwrap();
        assert!(registry.created(&first).is_err());
        assert!(registry.created(&LogEntry { log: log(2), ..first.clone() }).is_err());
        assert!(registry.created(&LogEntry { folder: "f".into(), ..first.clone() }).is_err());
        assert_eq!(registry.entries().unwrap(), [first]);
    });
}

#[test]
fn a_head_goes_forward_only() {
    each(|registry| {
        registry.created(&entry(1, head(5, "a"))).unwrap();
        let now = || registry.entries().unwrap()[0].head;
        assert!(advance(registry, 1, head(4, "z")));
        assert_eq!(now(), head(5, "a"));
        assert!(advance(registry, 1, head(5, "a")));
        assert!(!advance(registry, 1, head(5, "b")));
        assert_eq!(now(), head(5, "a"));
        assert!(advance(registry, 1, head(6, "b")));
        assert_eq!(now(), head(6, "b"));
        assert!(!advance(registry, 2, head(6, "b")));
    });
}

#[test]
fn a_closed_log_takes_nothing_more() {
    each(|registry| {
        registry.created(&entry(1, head(5, "a"))).unwrap();
        assert!(!close(registry, 1, head(4, "a")));
        assert!(!close(registry, 1, head(5, "b")));
        assert!(!close(registry, 2, head(5, "a")));
        assert_eq!(registry.entries().unwrap()[0].state, LogState::Open);
        assert!(close(registry, 1, head(7, "c")));
        for late in [head(7, "c"), head(8, "d"), head(1, "e")] {
            assert!(!advance(registry, 1, late));
            assert!(!close(registry, 1, late));
        }
        let known = registry.entries().unwrap();
        assert_eq!((known[0].head, known[0].state), (head(7, "c"), LogState::Closed));
    });
}

#[test]
fn a_registration_is_seen_by_others_and_outlives_its_handle() {
    let home = Home::new();
    let (one, other) = (home.open(), home.open());
    one.created(&entry(1, head(0, "a"))).unwrap();
    assert!(advance(&*other, 1, head(1, "b")));
    assert!(other.created(&entry(1, head(0, "a"))).is_err());
    drop((one, other));
    assert_eq!(home.open().entries().unwrap(), [entry(1, head(1, "b"))]);
}

#[test]
fn a_position_that_a_row_cannot_hold_is_an_error() {
    let home = Home::new();
    let store = home.open();
    store.created(&entry(1, head(0, "a"))).unwrap();
    assert!(!advance(&*store, 1, head(u64::MAX, "b")));
    assert!(!close(&*store, 1, head(u64::MAX, "b")));
    assert!(store.created(&entry(2, head(u64::MAX, "b"))).is_err());
    assert_eq!(store.entries().unwrap(), [entry(1, head(0, "a"))]);
}
