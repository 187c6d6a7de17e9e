//! Somebody changes a log.

use cap_audit::{
    Durability, Head, LogEntry, LogFault, LogState, Reason, VerifyKeys, parse_line, verify_bytes,
};
use proptest::prelude::*;

use crate::format::Pen;
use crate::scene::{Scene, append, at, keys, lines, ruling};

/// A small log that was closed well: an opening, two rulings, a checkpoint, a ruling, the close.
struct Small {
    scene: Scene,
    bytes: Vec<u8>,
    entry: LogEntry,
    keys: VerifyKeys,
}

impl Small {
    fn new() -> Self {
        let scene = Scene::new();
        let log = scene.log();
        append(&log, "one");
        append(&log, "zwölf \n \u{202e}");
        log.checkpoint(at(2)).unwrap();
        append(&log, "three");
        log.close(at(3)).unwrap();
        let bytes = std::fs::read(log.path()).unwrap();
        let entry = scene.entries().remove(0);
        let keys = scene.keys.verify_keys();
        assert_eq!(verify_bytes(&bytes, Some(&entry), &keys).fault, None);
        Self { scene, bytes, entry, keys }
    }

    fn fault(&self, bytes: &[u8]) -> Option<LogFault> {
        verify_bytes(bytes, Some(&self.entry), &self.keys).fault
    }

    /// The record that the byte at `position` belongs to.
    fn record_at(&self, position: usize) -> u64 {
        let before = self.bytes[..position].iter().filter(|byte| **byte == b'\n').count();
        u64::try_from(before).unwrap()
    }

    fn assert_bad(&self, bytes: &[u8], record: u64, what: &str) {
        match self.fault(bytes) {
            Some(LogFault::Bad(bad)) => {
                assert_eq!(bad.seq, record, "{what}: {bad}");
                assert_eq!(bad.line, record + 1);
                let begin: usize =
                    lines(bytes).iter().take(record.try_into().unwrap()).map(Vec::len).sum();
                assert_eq!(bad.offset, u64::try_from(begin).unwrap());
            }
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[test]
fn every_changed_byte_is_found_in_its_record() {
    let small = Small::new();
    for position in 0..small.bytes.len() {
        let byte = small.bytes[position];
        for changed in [byte ^ 0x01, byte ^ 0x20, byte ^ 0x80, b'\n', b' ', b'0', b'\\'] {
            if changed != byte {
                let mut bytes = small.bytes.clone();
                bytes[position] = changed;
                let what = format!("byte {position}: {byte} to {changed}");
                small.assert_bad(&bytes, small.record_at(position), &what);
            }
        }
    }
}

#[test]
fn every_deleted_byte_is_found_in_its_record() {
    let small = Small::new();
    for position in 0..small.bytes.len() {
        let mut bytes = small.bytes.clone();
        bytes.remove(position);
        small.assert_bad(&bytes, small.record_at(position), &format!("byte {position}"));
    }
}

#[test]
fn every_inserted_byte_is_found_in_its_record() {
    let small = Small::new();
    for position in 0..=small.bytes.len() {
        for inserted in [b' ', b'\n', b'0', b'"', 0] {
            let mut bytes = small.bytes.clone();
            bytes.insert(position, inserted);
            // Before or after a newline, a second one is the same.
            let end = inserted == b'\n' && small.bytes.get(position) == Some(&b'\n');
            let record = small.record_at(position) + u64::from(end);
            small.assert_bad(&bytes, record, &format!("byte {position}"));
        }
    }
}

#[test]
fn a_torn_log_says_so() {
    let small = Small::new();
    let cut = &small.bytes[..small.bytes.len() - 1];
    let Some(LogFault::Bad(bad)) = small.fault(cut) else { panic!() };
    assert_eq!(bad.reason, Reason::Torn);
    let more = [small.bytes.as_slice(), b"{"].concat();
    let Some(LogFault::Bad(bad)) = small.fault(&more) else { panic!() };
    assert_eq!((bad.seq, bad.reason), (6, Reason::Torn));
}

#[test]
fn every_deleted_swapped_doubled_or_inserted_record_is_found() {
    let small = Small::new();
    let good = lines(&small.bytes);
    assert_eq!(good.len(), 6);
    let foreign = {
        let other = Small::new();
        lines(&other.bytes)
    };
    for index in 0..good.len() {
        let record = u64::try_from(index).unwrap();
        let mut deleted = good.clone();
        deleted.remove(index);
        if index + 1 < good.len() {
            small.assert_bad(&deleted.concat(), record, "deleted");
            let mut swapped = good.clone();
            swapped.swap(index, index + 1);
            small.assert_bad(&swapped.concat(), record, "swapped");
        }
        let mut doubled = good.clone();
        doubled.insert(index, good[index].clone());
        small.assert_bad(&doubled.concat(), record + 1, "doubled");
        let mut inserted = good.clone();
        inserted.insert(index, foreign[index].clone());
        small.assert_bad(&inserted.concat(), record, "inserted");
        let mut replaced = good.clone();
        replaced[index] = foreign[index].clone();
        small.assert_bad(&replaced.concat(), record, "replaced");
    }
}

#[test]
fn every_truncation_is_found_by_the_registry() {
    let small = Small::new();
    let good = lines(&small.bytes);
    for kept in 0..good.len() {
        let expected = LogFault::Behind {
            registered: 5,
            found: kept.checked_sub(1).map(|last| u64::try_from(last).unwrap()),
        };
        assert_eq!(small.fault(&good[..kept].concat()), Some(expected));
    }
    // Without it a cut cannot be seen, which is why there is one.
    assert_eq!(verify_bytes(&good[..3].concat(), None, &small.keys).fault, None);
}

#[test]
fn the_registered_head_must_be_in_its_place() {
    let small = Small::new();
    let hash = small.entry.head.hash;
    let entry =
        LogEntry { head: Head { seq: 3, hash }, state: LogState::Open, ..small.entry.clone() };
    let report = verify_bytes(&small.bytes, Some(&entry), &small.keys);
    assert_eq!(report.fault, Some(LogFault::HeadMismatch { seq: 3 }));
    assert_eq!(report.records, 4);
}

#[test]
fn a_log_that_goes_on_after_its_registered_end_is_found() {
    let small = Small::new();
    let three = parse_line(lines(&small.bytes)[3].strip_suffix(b"\n").unwrap()).unwrap();
    let entry = LogEntry { head: Head { seq: 3, hash: three.hash }, ..small.entry.clone() };
    let report = verify_bytes(&small.bytes, Some(&entry), &small.keys);
    assert_eq!(report.fault, Some(LogFault::PastClose { registered: 3, found: 5 }));
}

#[test]
fn a_log_under_another_name_is_found() {
    let small = Small::new();
    let other = Small::new();
    let report = verify_bytes(&small.bytes, Some(&other.entry), &small.keys);
    let Some(LogFault::Bad(bad)) = report.fault else { panic!() };
    assert_eq!((bad.seq, bad.reason), (0, Reason::WrongLog));
    let entry = LogEntry { node: "other".to_owned(), ..small.entry.clone() };
    let report = verify_bytes(&small.bytes, Some(&entry), &small.keys);
    let Some(LogFault::Bad(bad)) = report.fault else { panic!() };
    assert_eq!((bad.seq, bad.reason), (0, Reason::WrongLog));
}

#[test]
fn a_good_log_tells_what_is_in_it() {
    let small = Small::new();
    let report = verify_bytes(&small.bytes, Some(&small.entry), &small.keys);
    assert_eq!((report.records, report.checkpoints, report.unsigned), (6, 2, 0));
    assert_eq!(report.state, LogState::Closed);
    assert_eq!(report.head, Some(small.entry.head));
    assert_eq!(report.log, Some(small.entry.log));
    let open = verify_bytes(&lines(&small.bytes)[..5].concat(), None, &small.keys);
    assert_eq!((open.records, open.checkpoints, open.unsigned), (5, 1, 1));
    assert_eq!(open.state, LogState::Open);
}

#[test]
fn other_keys_verify_nothing() {
    let small = Small::new();
    let ours = &small.scene.keys;
    let theirs = keys();
    let report = verify_bytes(&small.bytes, None, &theirs.verify_keys());
    let Some(LogFault::Bad(bad)) = report.fault else { panic!() };
    assert_eq!((bad.seq, bad.reason), (0, Reason::UnknownKey(ours.mac.active().clone())));

    let mixed = VerifyKeys::new(ours.mac.clone(), theirs.signer.verifying_keys());
    let report = verify_bytes(&small.bytes, None, &mixed);
    let Some(LogFault::Bad(bad)) = report.fault else { panic!() };
    assert_eq!((bad.seq, bad.reason), (3, Reason::UnknownKey(ours.signer.active().clone())));
}

#[test]
fn a_tail_without_the_mac_key_is_found_and_the_public_keys_say_what_they_cannot() {
    let small = Small::new();
    let ours = &small.scene.keys;
    // The attacker cuts the log after its checkpoint and goes on with a record of his own.
    let kept = lines(&small.bytes)[..4].concat();
    let three = parse_line(lines(&small.bytes)[3].strip_suffix(b"\n").unwrap()).unwrap();
    let mut pen = Pen::new(*small.entry.log.as_bytes());
    (pen.seq, pen.prev, pen.out) = (4, *three.hash.as_bytes(), kept);
    let body = r#"{"kind":"ruling","at":"2026-08-31T09:30:00.000000Z","decision":"deny"}"#;
    let mut his = pen;
    his.write(&keys(), body);
    let Some(LogFault::Bad(bad)) = verify_bytes(&his.out, None, &small.keys).fault else {
        panic!()
    };
    assert_eq!(bad.seq, 4);
    assert!(matches!(bad.reason, Reason::UnknownKey(_)), "{}", bad.reason);

    // So with the name of our key.
    let text = String::from_utf8(his.out).unwrap();
    let (before, mac) = text.rsplit_once("\"mac\":\"").unwrap();
    let tag = mac.split_once('.').unwrap().1;
    let named = format!("{before}\"mac\":\"{}.{tag}", ours.mac.active());
    let report = verify_bytes(named.as_bytes(), None, &small.keys);
    let Some(LogFault::Bad(bad)) = report.fault else { panic!() };
    assert_eq!((bad.seq, bad.reason), (4, Reason::Mac));

    // With public keys only the tail cannot be judged, and the report says that.
    let public = VerifyKeys::public(ours.signer.verifying_keys());
    assert!(!public.check_macs() && small.keys.check_macs());
    let report = verify_bytes(named.as_bytes(), None, &public);
    assert_eq!((report.fault, report.unsigned), (None, 1));
    // What is signed, he cannot rewrite under public keys either.
    let mut rewritten = Pen::new(*small.entry.log.as_bytes());
    rewritten.open(&keys());
    let seal = rewritten.good_seal();
    rewritten.seal(&keys(), "checkpoint", &seal);
    let Some(LogFault::Bad(bad)) = verify_bytes(&rewritten.out, None, &public).fault else {
        panic!()
    };
    assert_eq!(bad.seq, 1);
    assert!(matches!(bad.reason, Reason::UnknownKey(_)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_splice_of_a_log_is_found(from in 0usize..4000, len in 0usize..400, patch in prop::collection::vec(any::<u8>(), 0..40)) {
        let scene = Scene::new();
        let log = scene.log();
        for trace in 0..8 {
            let _receipt = log.append(ruling(&trace.to_string()), Durability::Buffered).unwrap();
        }
        log.close(at(3)).unwrap();
        let good = std::fs::read(log.path()).unwrap();
        let from = from.min(good.len());
        let to = (from + len).min(good.len());
        let mut bytes = good.clone();
        bytes.splice(from..to, patch);
        let entry = scene.entries().remove(0);
        let fault = verify_bytes(&bytes, Some(&entry), &scene.keys.verify_keys()).fault;
        prop_assert_eq!(fault.is_none(), bytes == good);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = parse_line(&bytes);
        prop_assert!(verify_bytes(&bytes, None, &keys().verify_keys()).fault.is_some());
    }
}
