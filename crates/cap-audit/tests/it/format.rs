//! The format as the README describes it, written a second time: nothing of the product makes or
//! reads a line in here, except for SHA-256, MACs and signatures.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cap_audit::{Durability, Keys, Kind, LogFault, Reason, Record, VerifyKeys, verify_bytes};
use cap_crypto::sha256;
use serde_json::{Value, json};

use crate::scene::{Scene, append, at, keys};

/// A log in the making, by anybody with any keys.
pub(crate) struct Pen {
    pub(crate) log: [u8; 16],
    pub(crate) seq: u64,
    pub(crate) prev: [u8; 32],
    pub(crate) out: Vec<u8>,
}

impl Pen {
    pub(crate) fn new(log: [u8; 16]) -> Self {
        Self { log, seq: 0, prev: [0; 32], out: Vec::new() }
    }

    pub(crate) fn write(&mut self, keys: &Keys, body: &str) {
        let mut input = b"mcp-security/audit/v1\0".to_vec();
        input.extend(self.log);
        input.extend(self.seq.to_be_bytes());
        input.extend(self.prev);
        input.extend(sha256(body.as_bytes()));
        let hash = sha256(&input);
        let mac = keys.mac.mac(&[b"line\0".as_slice(), &hash].concat());
        let line = format!(
            "{{\"seq\":{},\"prev\":\"{}\",\"body\":{body},\"hash\":\"{}\",\"mac\":\"{mac}\"}}\n",
            self.seq,
            URL_SAFE_NO_PAD.encode(self.prev),
            URL_SAFE_NO_PAD.encode(hash),
        );
        self.out.extend(line.into_bytes());
        self.prev = hash;
        self.seq += 1;
    }

    pub(crate) fn seal(&mut self, keys: &Keys, kind: &str, seal: &Seal) {
        let head = URL_SAFE_NO_PAD.encode(seal.head);
        let mut message = format!("mcp-security/audit-{}/v1\0", seal.kind).into_bytes();
        message.extend(seal.log);
        message.extend(seal.seq.to_be_bytes());
        message.extend(seal.head);
        message.extend(seal.micros.to_be_bytes());
        let signature = keys.signer.sign(&message).unwrap();
        let body = format!(
            "{{\"kind\":\"{kind}\",\"at\":\"2026-08-31T09:30:00.000000Z\",\"detail\":{{\"head\":\"{head}\",\"key\":\"{}\",\"log\":\"{}\",\"seq\":{},\"signature\":\"{}\"}}}}",
            signature.key,
            hex(&seal.log),
            seal.seq,
            URL_SAFE_NO_PAD.encode(signature.bytes),
        );
        self.write(keys, &body);
    }

    /// What the next checkpoint has to say.
    pub(crate) fn good_seal(&self) -> Seal {
        Seal {
            kind: "checkpoint",
            log: self.log,
            seq: self.seq - 1,
            head: self.prev,
            micros: 1_788_168_600_000_000,
        }
    }

    pub(crate) fn open(&mut self, keys: &Keys) {
        let body = format!(
            "{{\"kind\":\"opened\",\"at\":\"2026-08-31T09:30:00.000000Z\",\"detail\":{{\"format\":1,\"log\":\"{}\",\"node\":\"guard\"}}}}",
            hex(&self.log)
        );
        self.write(keys, &body);
    }
}

pub(crate) struct Seal {
    kind: &'static str,
    log: [u8; 16],
    seq: u64,
    head: [u8; 32],
    micros: i64,
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const RULING: &str = r#"{"kind":"ruling","at":"2026-08-31T09:30:00.000000Z","decision":"allow"}"#;

fn fault(bytes: &[u8], keys: &VerifyKeys) -> Option<(u64, Reason)> {
    match verify_bytes(bytes, None, keys).fault? {
        LogFault::Bad(bad) => Some((bad.seq, bad.reason)),
        other => panic!("{other}"),
    }
}

#[test]
fn a_log_is_written_byte_for_byte_as_the_readme_says() {
    let scene = Scene::new();
    let log = scene.log();
    append(&log, "one");
    let detail = json!({"b": [1, {"z": null, "a": "\u{202e}\n"}], "a": 1.5});
    let record = Record::new(Kind::Grant, "two", at(2)).detail(detail.as_object().unwrap().clone());
    let _receipt = log.append(record, Durability::Synced).unwrap();
    log.close(at(0)).unwrap();
    let bytes = std::fs::read(log.path()).unwrap();

    let mut pen = Pen::new(*log.id().as_bytes());
    let keys = &scene.keys;
    let [mac, signer] = [keys.mac.active(), keys.signer.active()];
    pen.write(
        keys,
        &format!(
            r#"{{"kind":"opened","at":"2026-08-31T09:30:00.000000Z","detail":{{"format":1,"log":"{}","mac-key":"{mac}","node":"guard","sign-key":"{signer}"}}}}"#,
            log.id()
        ),
    );
    pen.write(keys, r#"{"kind":"ruling","at":"2026-08-31T09:30:00.001000Z","trace":"one","principal":"agent","server":"files","tool":"read_file","decision":"allow"}"#);
    pen.write(keys, r#"{"kind":"grant","at":"2026-08-31T09:30:00.002000Z","trace":"two","detail":{"a":"1.5","b":[1,{"a":"\u202e\n","z":null}]}}"#);
    pen.seal(keys, "closed", &Seal { kind: "closed", ..pen.good_seal() });
    assert_eq!(String::from_utf8(bytes).unwrap(), String::from_utf8(pen.out).unwrap());
}

#[test]
fn a_checkpoint_is_good_for_its_own_place_and_moment_only() {
    let keys = keys();
    let begin = || {
        let mut pen = Pen::new([7; 16]);
        pen.open(&keys);
        pen.write(&keys, RULING);
        pen
    };
    let mut good = begin();
    let seal = good.good_seal();
    good.seal(&keys, "checkpoint", &seal);
    good.write(&keys, RULING);
    assert_eq!(fault(&good.out, &keys.verify_keys()), None);

    let right = || begin().good_seal();
    for (name, seal) in [
        ("another kind", Seal { kind: "closed", ..right() }),
        ("another log", Seal { log: [8; 16], ..right() }),
        ("another number", Seal { seq: 0, ..right() }),
        ("another head", Seal { head: [1; 32], ..right() }),
        ("another moment", Seal { micros: 0, ..right() }),
    ] {
        let mut pen = begin();
        pen.seal(&keys, "checkpoint", &seal);
        let expected = Some((2, Reason::Signature));
        assert_eq!(fault(&pen.out, &keys.verify_keys()), expected, "{name}");
    }
    let mut bare = begin();
    bare.write(&keys, r#"{"kind":"checkpoint","at":"2026-08-31T09:30:00.000000Z"}"#);
    assert_eq!(fault(&bare.out, &keys.verify_keys()), Some((2, Reason::Signature)));
}

#[test]
fn nothing_follows_the_closing_record() {
    let keys = keys();
    let mut pen = Pen::new([7; 16]);
    pen.open(&keys);
    let seal = Seal { kind: "closed", ..pen.good_seal() };
    pen.seal(&keys, "closed", &seal);
    assert_eq!(fault(&pen.out, &keys.verify_keys()), None);
    pen.write(&keys, RULING);
    assert_eq!(fault(&pen.out, &keys.verify_keys()), Some((2, Reason::AfterClose)));
}

#[test]
fn a_log_has_one_opening_record_and_begins_with_it() {
    let keys = keys();
    let mut late = Pen::new([7; 16]);
    late.write(&keys, RULING);
    assert_eq!(fault(&late.out, &keys.verify_keys()), Some((0, Reason::Opening)));

    let mut twice = Pen::new([7; 16]);
    twice.open(&keys);
    twice.open(&keys);
    assert_eq!(fault(&twice.out, &keys.verify_keys()), Some((1, Reason::Opening)));

    let mut later_format = Pen::new([7; 16]);
    later_format.write(
        &keys,
        &format!(
            r#"{{"kind":"opened","at":"2026-08-31T09:30:00.000000Z","detail":{{"format":2,"log":"{}","node":"guard"}}}}"#,
            hex(&[7; 16])
        ),
    );
    assert_eq!(fault(&later_format.out, &keys.verify_keys()), Some((0, Reason::Opening)));
    assert_eq!(fault(b"", &keys.verify_keys()), Some((0, Reason::Opening)));
}

/// Even one who has the keys cannot write what two readers could read differently.
#[test]
fn a_body_that_could_be_read_in_two_ways_is_refused_under_any_hash() {
    let keys = keys();
    for (body, reason) in [
        (RULING.replace("}", r#","decision":"deny"}"#), Reason::DuplicateMember),
        (RULING.replace("}", r#","detail":{"a":1,"a":2}}"#), Reason::DuplicateMember),
        (RULING.replace("}", r#","detail":{"b":1,"a":2}}"#), Reason::NotCanonical),
        (RULING.replace("}", r#","detail":{"a":1.0}}"#), Reason::NotCanonical),
        (RULING.replace("}", r#","detail":{"a":18446744073709551616}}"#), Reason::NotCanonical),
        (RULING.replace("}", r#","trace":"t"}"#), Reason::NotCanonical),
        (RULING.replace("}", r#","unknown":"t"}"#), Reason::NotCanonical),
        (RULING.replace("ruling", "\\u0072uling"), Reason::NotCanonical),
        (RULING.replace("ruling", "reigning"), Reason::NotCanonical),
        (RULING.replace(":", ": "), Reason::NotCanonical),
        (RULING.replace("}", ",}"), Reason::NotJson),
        ("null".to_owned(), Reason::NotCanonical),
        (String::new(), Reason::NotJson),
    ] {
        let mut pen = Pen::new([7; 16]);
        pen.open(&keys);
        pen.write(&keys, &body);
        assert_eq!(fault(&pen.out, &keys.verify_keys()), Some((1, reason)), "{body}");
    }
}

#[test]
fn a_line_that_is_too_long_is_refused_before_it_is_read() {
    let keys = keys();
    let mut pen = Pen::new([7; 16]);
    pen.open(&keys);
    let long = "x".repeat(cap_audit::MAX_LINE);
    pen.write(&keys, &RULING.replace("}", &format!(r#","detail":{{"a":"{long}"}}}}"#)));
    pen.write(&keys, RULING);
    assert_eq!(fault(&pen.out, &keys.verify_keys()), Some((1, Reason::Oversize)));
}

#[test]
fn a_record_reads_the_same_in_any_json_reader() {
    let scene = Scene::new();
    let log = scene.log();
    let index = append(&log, "\u{2028}\u{85}\0\u{feff}ö\u{1f4a9}");
    log.close(at(0)).unwrap();
    let text = std::fs::read_to_string(log.path()).unwrap();
    assert_eq!(text.lines().count(), 3);
    let line: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    assert_eq!(line["seq"], index);
    assert_eq!(line["body"]["trace"], "\u{2028}\u{85}\0\u{feff}ö\u{1f4a9}");
}
