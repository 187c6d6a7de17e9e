//! Canonical JSON (RFC 8785).

use std::fs;

use cap_core::canonical::{CanonicalError, to_jcs};
use cap_testkit::shared;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn jcs(text: &str) -> String {
    to_jcs(&parse(text)).unwrap()
}

/// RFC 8785 appendix B, and what lies around it: the bits of a binary64, and its text.
#[test]
fn numbers_are_written_as_ecmascript_writes_them() {
    let samples: [(u64, &str); 34] = [
        (0x0000_0000_0000_0000, "0"),
        (0x8000_0000_0000_0000, "0"),
        (0x0000_0000_0000_0001, "5e-324"),
        (0x8000_0000_0000_0001, "-5e-324"),
        (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
        (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
        (0x4340_0000_0000_0000, "9007199254740992"),
        (0xc340_0000_0000_0000, "-9007199254740992"),
        (0x4430_0000_0000_0000, "295147905179352830000"),
        (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
        (0x44b5_2d02_c7e1_4af6, "1e+23"),
        (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
        (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
        (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
        (0x444b_1ae4_d6e2_ef50, "1e+21"),
        (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
        (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
        (0x41b3_de43_5555_5553, "333333333.3333332"),
        (0x41b3_de43_5555_5554, "333333333.33333325"),
        (0x41b3_de43_5555_5555, "333333333.3333333"),
        (0x41b3_de43_5555_5556, "333333333.3333334"),
        (0x41b3_de43_5555_5557, "333333333.33333343"),
        (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        (0x4314_3ff3_c1cb_0959, "1424953923781206.2"), // between .2 and .3
        (0x4340_0000_0000_0001, "9007199254740994"),
        (0x4340_0000_0000_0002, "9007199254740996"),
        (0x3ff0_0000_0000_0000, "1"),
        (0x3ff8_0000_0000_0000, "1.5"),
        (0xc05e_dd2f_1a9f_be77, "-123.456"),
        (0x3fb9_9999_9999_999a, "0.1"),
        (0x3f50_624d_d2f1_a9fc, "0.001"),
        (0x43b0_0000_0000_0000, "1152921504606847000"),
        (0x4415_af1d_78b5_8c40, "100000000000000000000"),
        (0x4202_a05f_2000_0000, "10000000000"),
    ];
    for (bits, text) in samples {
        let value = json!(f64::from_bits(bits));
        assert_eq!(to_jcs(&value).unwrap(), text, "{bits:#x}");
        assert_eq!(jcs(text), text, "what is written reads back");
    }
}

#[test]
fn integers_that_a_binary64_loses_have_no_canonical_text() {
    let kept = [
        json!(9_007_199_254_740_991_i64),
        json!(-9_007_199_254_740_992_i64),
        // RFC 8785 bounds nothing: this one is written as it is.
        json!(9_007_199_254_740_994_i64),
        json!(1_152_921_504_606_847_000_i64),
    ];
    for value in kept {
        assert_eq!(to_jcs(&value).unwrap(), value.to_string());
    }
    let lost = [
        json!(9_007_199_254_740_993_i64),
        json!(-9_007_199_254_740_993_i64),
        // 2⁶⁰ is a binary64, and yet written as another integer.
        json!(1_i64 << 60),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
    ];
    for value in lost {
        assert_eq!(to_jcs(&value), Err(CanonicalError::Number), "{value}");
        assert_eq!(to_jcs(&json!([{ "a": value }])), Err(CanonicalError::Number));
    }
}

#[test]
fn strings_are_escaped_no_more_than_they_must_be() {
    let text = "\u{0}\u{1}\u{8}\t\n\u{b}\u{c}\r\u{1f} \"\\/\u{7f}\u{80}é€\u{2028}\u{fffd}😀";
    let written = concat!(
        r#""\u0000\u0001\b\t\n\u000b\f\r\u001f \"\\/"#,
        "\u{7f}\u{80}é€\u{2028}\u{fffd}😀\""
    );
    assert_eq!(to_jcs(&json!(text)).unwrap(), written);
}

#[test]
fn text_is_not_normalised() {
    let text = r#"["\u00e9","e\u0301","\u212b","\u00c5"]"#;
    assert_eq!(jcs(text), "[\"\u{e9}\",\"e\u{301}\",\"\u{212b}\",\"\u{c5}\"]");
}

#[test]
fn members_stand_in_the_order_of_their_utf_16() {
    // RFC 8785 §3.2.3: U+1F600 begins with the unit D83D, before U+FB33.
    let text = r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#;
    assert_eq!(
        jcs(text),
        "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}"
    );
    assert_eq!(
        jcs(r#"{"aa":1,"a":{"b":[],"":{}},"":2,"B":3}"#),
        r#"{"":2,"B":3,"a":{"":{},"b":[]},"aa":1}"#
    );
}

#[test]
fn what_is_nested_too_deeply_is_refused() {
    let nested = |levels| (0..levels).fold(json!(1), |inner, _| Value::Array(vec![inner]));
    assert_eq!(to_jcs(&nested(127)).unwrap().len(), 255);
    assert!(to_jcs(&nested(128)).is_ok());
    assert_eq!(to_jcs(&nested(129)), Err(CanonicalError::Depth));
    assert_eq!(to_jcs(&nested(2000)), Err(CanonicalError::Depth));
}

#[test]
fn equal_values_have_equal_texts_and_unlike_ones_do_not() {
    for [a, b] in [
        ["1", "1.0"],
        ["1", "1e0"],
        ["0", "-0.0"],
        ["1e21", "1000000000000000000000.0"],
        [r#"{"a":1,"b":2}"#, r#"{"b":2.0,"a":1}"#],
        [r#""a""#, r#""\u0061""#],
    ] {
        assert_eq!(jcs(a), jcs(b));
    }
    for [a, b] in [
        ["1", "true"],
        ["0", "false"],
        ["1", r#""1""#],
        ["null", r#""null""#],
        ["[1,2]", "[2,1]"],
        ["[]", "{}"],
        [r#"[""]"#, "[]"],
        ["0.1", "0.10000000000000002"],
    ] {
        assert_ne!(jcs(a), jcs(b));
    }
}

fn value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<f64>().prop_filter("finite", |double| double.is_finite()).prop_map(|it| json!(it)),
        any::<u64>()
            .prop_map(f64::from_bits)
            .prop_filter_map("finite", |double| { double.is_finite().then(|| json!(double)) }),
        (-(1_i64 << 53)..=1 << 53).prop_map(|it| json!(it)),
        any::<i16>().prop_map(|it| json!(it)),
        (any::<i16>(), 1..=1000_u16).prop_map(|(a, b)| json!(f64::from(a) / f64::from(b))),
    ];
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::Bool),
        3 => number,
        3 => any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::Array),
            btree_map(any::<String>(), inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// By meaning, as a reader sees it who knows nothing of integers.
fn are_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| are_equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| are_equal(a, b)))
        }
        _ => a == b,
    }
}

proptest! {
    #[test]
    fn the_canonical_text_reads_back_as_the_value(value in value()) {
        let text = to_jcs(&value).unwrap();
        let read = parse(&text);
        prop_assert!(are_equal(&read, &value), "{} {}", text, value);
        prop_assert_eq!(to_jcs(&read).unwrap(), text);
    }

    /// An implementation that knows the order and the form of numbers from elsewhere.
    #[test]
    fn numbers_are_written_as_another_implementation_writes_them(
        any in any::<u64>(),
        exponent in 0_u64..0x7ff,
        mantissa in 0_u64..1 << 52,
        near in 0_u64..3,
    ) {
        // Any at all; a power of two and its neighbours, where the distance to the next one
        // changes; and such as lie between 10¹⁵ and 10¹⁶ in halves, quarters and eighths, where two
        // decimals may be as near.
        let power = (exponent << 52).saturating_add(near).saturating_sub(1);
        let between = [0x431, 0x430, 0x42f].map(|exponent| exponent << 52 | mantissa);
        for bits in [any, power].into_iter().chain(between) {
            let double = f64::from_bits(bits);
            if double.is_finite() {
                let text = to_jcs(&json!(double)).unwrap();
                let mut other = ryu_js::Buffer::new();
                prop_assert_eq!(&text, other.format(double));
                prop_assert_eq!(text.parse::<f64>().unwrap(), double);
            }
        }
    }

    #[test]
    fn an_integer_has_a_text_exactly_where_ecmascript_keeps_its_digits(
        small in any::<i64>(),
        shift in 0_u32..60,
        zeros in 0_u32..18,
    ) {
        for integer in [small >> shift, (small >> shift).saturating_mul(10_i64.pow(zeros))] {
            #[expect(clippy::cast_precision_loss, reason = "the loss is what is asked about")]
            let kept = ryu_js::Buffer::new().format(integer as f64) == integer.to_string();
            prop_assert_eq!(to_jcs(&json!(integer)).is_ok(), kept, "{}", integer);
        }
    }
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_vectors_of_the_rfc_author_agree_to_the_byte() {
    let folder = shared("standards/jcs/cyberphone");
    let mut files = 0;
    for entry in fs::read_dir(folder.join("input")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let read =
            |kind: &str, name: &str| fs::read_to_string(folder.join(kind).join(name)).unwrap();
        let output = read("output", &name);
        assert_eq!(jcs(&read("input", &name)), output, "{name}");
        assert_eq!(jcs(&output), output, "{name}");
        let hex = read("outhex", &name.replace(".json", ".txt"));
        let bytes: Vec<u8> =
            hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        assert_eq!(bytes, output.as_bytes(), "{name}");
        files += 1;
    }
    assert_eq!(files, 6);
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_tokens_of_another_suite_are_canonical() {
    let (mut files, mut texts, mut unread, mut values) = (0, 0, 0, Vec::new());
    for entry in fs::read_dir(shared("standards/jcs/attenu")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        files += 1;
        let file: Value = parse(&fs::read_to_string(&path).unwrap());
        for token in file["tokens"].as_array().unwrap() {
            for part in token.as_str().unwrap().split('.').take(2) {
                let text = String::from_utf8(decode(part)).unwrap();
                texts += 1;
                match read_strictly(&text) {
                    Some(value) => {
                        assert_eq!(to_jcs(&value).unwrap(), text, "{}", path.display());
                        values.push(value);
                    }
                    None => unread += 1,
                }
            }
        }
    }
    println!("{files} files, {texts} texts");
    assert_eq!((files, unread), (20, 2), "a duplicate member and a NaN are not read");
    assert_eq!(texts, values.len() + unread);
    // What that suite calls an unsafe integer is its own rule: RFC 8785 bounds none.
    assert!(values.iter().any(|value| value["exp"] == json!(9_007_199_254_740_992_i64)));
}

/// No member twice: only what `cap-core` reads of values is asked.
fn read_strictly(text: &str) -> Option<Value> {
    let rules = format!(r#"{{"v":{{"constraint_type":"one_of","values":[{text}]}}}}"#);
    serde_json::from_str::<cap_core::ArgumentRules>(&rules).ok()?;
    Some(parse(text))
}

/// Base64url without padding (RFC 4648 §5).
fn decode(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digit = |byte| ALPHABET.iter().position(|other| *other == byte).unwrap();
    let mut bytes = Vec::new();
    for group in text.as_bytes().chunks(4) {
        let bits = group.iter().fold(0_usize, |bits, byte| bits << 6 | digit(*byte));
        let bits = bits << (6 * (4 - group.len()));
        bytes.extend(&bits.to_be_bytes()[5..][..group.len() - 1]);
    }
    bytes
}
