use proptest::prelude::*;
use serde_json::json;

use super::*;

fn at(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap()
}

fn bytes(record: &Record) -> String {
    String::from_utf8(record.body().to_bytes()).unwrap()
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[test]
fn a_full_record_is_written_in_one_known_way() {
    let record = Record::new(Kind::Ruling, "t-1", at(1_788_168_600_000_001))
        .principal("agent")
        .capability("cap-2")
        .chain(["cap-1", "cap-0"])
        .server("files")
        .method("tools/call")
        .tool("read_file")
        .decision(Decision::Deny)
        .code("path-outside")
        .reason("the path is outside of what `paths` permits")
        .detail(map(&json!({"b": 1, "a": "x"})));
    let expected = concat!(
        r#"{"kind":"ruling","at":"2026-08-31T09:30:00.000001Z","trace":"t-1","principal":"agent","#,
        r#""capability":"cap-2","chain":["cap-1","cap-0"],"server":"files","method":"tools/call","#,
        r#""tool":"read_file","decision":"deny","code":"path-outside","#,
        r#""reason":"the path is outside of what `paths` permits","detail":{"a":"x","b":1}}"#
    );
    assert_eq!(bytes(&record), expected);
    assert_eq!(record.digest(), Digest::of(expected.as_bytes()));
    assert_eq!(Body::from_bytes(expected.as_bytes()).unwrap(), *record.body());
    // What others serialise from a body has the same members.
    let ours: Value = serde_json::from_str(expected).unwrap();
    assert_eq!(serde_json::to_value(record.body()).unwrap(), ours);
}

#[test]
fn every_kind_has_the_name_that_serde_reads() {
    for kind in [
        Kind::Opened,
        Kind::Ruling,
        Kind::Completed,
        Kind::Grant,
        Kind::Delegation,
        Kind::Revocation,
        Kind::Session,
        Kind::Limit,
        Kind::KeyChange,
        Kind::SecurityEvent,
        Kind::Checkpoint,
        Kind::Recovered,
        Kind::Closed,
    ] {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
}

#[test]
fn the_digest_follows_every_change() {
    let record = Record::new(Kind::Grant, "t", at(0));
    let before = record.digest();
    let record = record.reason("later");
    assert_ne!(record.digest(), before);
    assert_eq!(record.digest(), Digest::of(&record.body().to_bytes()));
    let digest = record.digest();
    assert_eq!(record.seal().digest, digest);
}

#[test]
fn long_texts_are_cut_between_characters_and_say_how_long_they_were() {
    let record = Record::new(Kind::Ruling, &"é".repeat(200), at(0)).reason(&"a".repeat(1025));
    assert_eq!(record.body().trace, format!("{}…[400 bytes]", "é".repeat(128)));
    assert_eq!(record.body().reason, Some(format!("{}…[1025 bytes]", "a".repeat(1024))));
    let exact = Record::new(Kind::Ruling, &"a".repeat(256), at(0));
    assert_eq!(exact.body().trace, "a".repeat(256));
    let odd = Record::new(Kind::Ruling, &format!("a{}", "é".repeat(200)), at(0));
    assert!(odd.body().trace.starts_with(&format!("a{}…", "é".repeat(127))));
}

#[test]
fn a_long_chain_says_how_long_it_was() {
    let ids: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let record = Record::new(Kind::Ruling, "", at(0)).chain(ids.iter().map(String::as_str));
    assert_eq!(record.body().chain.len(), 17);
    assert_eq!(record.body().chain[16], "…[20 ancestors]");
}

#[test]
fn a_detail_is_bounded_in_depth_length_and_size() {
    let mut deep = json!(1);
    for _ in 0..20 {
        deep = json!({ "d": deep });
    }
    let record = Record::new(Kind::Ruling, "", at(0)).detail(map(&deep));
    let text = bytes(&record);
    assert!(text.contains("…[too deep]"));
    assert_eq!(text.matches("\"d\"").count(), 8);

    let long = Record::new(Kind::Ruling, "", at(0)).detail(map(&json!({"t": "x".repeat(5000)})));
    assert!(bytes(&long).contains("…[5000 bytes]"));

    let wide: Map<String, Value> = (0..10_000).map(|n| (n.to_string(), Value::from(n))).collect();
    let wide = Record::new(Kind::Ruling, "", at(0)).detail(wide);
    assert!(wide.body().detail["omitted"].as_str().unwrap().ends_with(" bytes"));
}

#[test]
fn numbers_that_are_no_integers_become_texts() {
    let detail = json!({"a": 1.5, "b": [1e300, -0.0], "c": u64::MAX, "d": i64::MIN});
    let record = Record::new(Kind::Ruling, "", at(0)).detail(map(&detail));
    let text = bytes(&record);
    assert!(text.contains(r#""a":"1.5""#), "{text}");
    assert!(text.contains("18446744073709551615") && text.contains("-9223372036854775808"));
    assert!(Body::from_bytes(text.as_bytes()).is_some());
    assert!(Body::from_bytes(text.replace("\"1.5\"", "1.5").as_bytes()).is_none());
}

#[test]
fn the_worst_record_fits_into_a_line() {
    let worst = "\0".repeat(10_000);
    let wide: Map<String, Value> =
        (0..3).map(|n| (format!("{n}"), Value::from(worst.as_str()))).collect();
    let record = Record::new(Kind::Ruling, &worst, at(i64::MAX / 4))
        .principal(&worst)
        .capability(&worst)
        .chain(std::iter::repeat_n(worst.as_str(), 100))
        .server(&worst)
        .method(&worst)
        .tool(&worst)
        .decision(Decision::Allow)
        .code(&worst)
        .reason(&worst)
        .detail(wide);
    assert!(record.body().to_bytes().len() + 1024 < crate::MAX_LINE);
}

#[test]
fn instants_are_kept_within_what_rfc_3339_can_say() {
    for (instant, written) in [
        (DateTime::<Utc>::MAX_UTC, "9999-12-31T23:59:59.999999Z"),
        (DateTime::<Utc>::MIN_UTC, "0000-01-01T00:00:00.000000Z"),
        (DateTime::from_timestamp(0, 1_999).unwrap(), "1970-01-01T00:00:00.000001Z"),
    ] {
        let record = Record::new(Kind::Ruling, "", instant);
        let text = bytes(&record);
        assert!(text.contains(written), "{text}");
        assert_eq!(Body::from_bytes(text.as_bytes()).as_ref(), Some(record.body()));
    }
}

#[test]
fn content_written_otherwise_is_not_read() {
    let good = bytes(&Record::new(Kind::Ruling, "t", at(0)).principal("p"));
    assert!(Body::from_bytes(good.as_bytes()).is_some());
    for bad in [
        good.replace("\"t\"", " \"t\""),
        good.replace("\"t\"", "\"\\u0074\""),
        good.replace("000000Z", "000Z"),
        good.replace("000000Z", "000000+00:00"),
        good.replace("ruling", "no-such-kind"),
        good.replace("}", ",\"principal\":\"q\"}"),
        good.replace("}", ",\"detail\":{}}"),
        good.replace("}", ",\"extra\":1}"),
        good.replace("principal", "Principal"),
        format!("{good} "),
    ] {
        assert_ne!(bad, good);
        assert!(Body::from_bytes(bad.as_bytes()).is_none(), "{bad}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_a_record_holds_is_read_back(
        trace in any::<String>(),
        reason in any::<String>(),
        chain in prop::collection::vec(any::<String>(), 0..20),
        detail in prop::collection::vec((any::<String>(), any_json()), 0..6),
        micros in any::<i64>(),
    ) {
        let instant = DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH);
        let record = Record::new(Kind::SecurityEvent, &trace, instant)
            .reason(&reason)
            .chain(chain.iter().map(String::as_str))
            .detail(detail.into_iter().collect());
        let bytes = record.body().to_bytes();
        prop_assert!(!bytes.iter().any(u8::is_ascii_control));
        let read = Body::from_bytes(&bytes);
        prop_assert_eq!(read.as_ref(), Some(record.body()));
    }
}
