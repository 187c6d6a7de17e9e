//! Laws, held against `serde_json` as the other reader.

use std::collections::BTreeMap;

use cap_mcp::{
    Audience, Era, ListKind, Message, Raw, ToolTable, check_document, filter_list, read,
    requests_of,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        (-1e15..1e15).prop_map(|number: f64| json!(number)),
        text().prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 64, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::Array),
            prop::collection::btree_map(text(), inner, 0..20)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-z]{0,3}", "[\"\\\\/\u{0}-\u{20}é😹\u{2028}]{0,4}"]
}

/// Keys of `params` that nobody takes for a known one.
fn plain_members() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map("x[0-9]{1,3}", value(), 0..6)
        .prop_map(|members| members.into_iter().collect())
}

/// Writes a value with blanks and escapes of its own choice.
fn write(value: &Value, seed: &mut u64, out: &mut String) {
    let mut choose = |of: u64| {
        *seed =
            seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) % of
    };
    let blanks = ["", " ", "\t", "  "][choose(4) as usize];
    let escaped = choose(3) == 0;
    out.push_str(blanks);
    match value {
        Value::Array(items) => {
            out.push('[');
            for (nth, item) in items.iter().enumerate() {
                out.push_str(if nth > 0 { "," } else { "" });
                write(item, seed, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (nth, (key, value)) in members.iter().enumerate() {
                out.push_str(if nth > 0 { "," } else { "" });
                write(&Value::String(key.clone()), seed, out);
                out.push(':');
                write(value, seed, out);
            }
            out.push('}');
        }
        Value::String(text) if escaped => {
            out.push('"');
            for unit in text.encode_utf16() {
                out.push_str(&format!("\\u{unit:04X}"));
            }
            out.push('"');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
    out.push_str(blanks);
}

fn written(value: &Value, mut seed: u64) -> String {
    let mut out = String::new();
    write(value, &mut seed, &mut out);
    out
}

/// The value that the views into the line give, element by element.
fn viewed(raw: &Raw<'_>) -> Value {
    match raw.kind() {
        cap_mcp::Kind::Object => Value::Object(
            raw.members().map(|member| (member.key.into_owned(), viewed(&member.value))).collect(),
        ),
        cap_mcp::Kind::Array => Value::Array(raw.elements().map(|item| viewed(&item)).collect()),
        cap_mcp::Kind::String => Value::String(raw.string().unwrap().into_owned()),
        // Not by `serde_json`, which is off by a last digit now and then.
        cap_mcp::Kind::Number => match raw.text().parse::<i64>() {
            Ok(integer) => integer.into(),
            Err(_) => json!(raw.text().parse::<f64>().unwrap()),
        },
        _ => serde_json::from_str(raw.text()).unwrap(),
    }
}

proptest! {
    #[test]
    fn what_is_json_is_accepted_and_seen_as_serde_json_sees_it(
        members in plain_members(),
        arguments in prop::collection::btree_map(text(), value(), 0..20),
        seed: u64,
    ) {
        let arguments: Map<String, Value> = arguments.into_iter().collect();
        let mut params = members;
        params.insert("name".into(), "t".into());
        params.insert("arguments".into(), Value::Object(arguments.clone()));
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let line = written(&message, seed);
        let Ok(Message::Request(request)) = read(line.as_bytes()) else {
            return Err(TestCaseError::fail(line));
        };
        prop_assert_eq!(viewed(&request.params().unwrap()), Value::Object(params));
        let call = request.call().unwrap();
        let requests = requests_of(&call, "s", &ToolTable::default()).unwrap();
        let cap_core::Resource::Tool(tool) = &requests[0].resource else { panic!("the tool first") };
        // Integers beyond 53 bits are the only numbers here that are not decided on.
        let exact = |value: &Value| !line_has_big_integer(value);
        for (name, value) in arguments.iter().filter(|(_, value)| exact(value)) {
            prop_assert_eq!(&tool.arguments[name], value);
        }
    }

    #[test]
    fn a_document_is_accepted_when_serde_json_accepts_it(value in value(), seed: u64) {
        let document = written(&value, seed);
        prop_assert!(check_document(document.as_bytes()).is_ok(), "{}", document);
    }

    #[test]
    fn whatever_is_accepted_serde_json_accepts_and_reads_alike(
        members in plain_members(),
        seed: u64,
        edits in prop::collection::vec((any::<prop::sample::Index>(), edit()), 1..4),
    ) {
        let mut params = members;
        params.insert("name".into(), "t".into());
        params.insert("_meta".into(), json!({ "progressToken": 1, "dev.mcp-security/authority": "x" }));
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let mut line = written(&message, seed).into_bytes();
        for (at, edit) in edits {
            edit.apply(&mut line, at);
        }
        agree(&line)?;
    }

    #[test]
    fn random_bytes_are_never_a_panic(line in prop::collection::vec(any::<u8>(), 0..200)) {
        agree(&line)?;
    }

    #[test]
    fn an_edit_leaves_everything_else_as_it_was(
        before in plain_members(),
        after in plain_members(),
        place in 0_usize..7,
        seed: u64,
    ) {
        let mut meta: Vec<(String, Value)> = before.into_iter().collect();
        let evidence = ("dev.mcp-security/authority".to_owned(), json!({ "id": "x", "mac": "y" }));
        let place = place.min(meta.len());
        meta.insert(place, evidence);
        let text = |members: &[(String, Value)]| {
            let each = members.iter().map(|(key, value)| format!("{}:{}", json!(key), written(value, seed)));
            format!("{{{}}}", each.collect::<Vec<_>>().join(","))
        };
        let wrap = |meta: &str| {
            let rest = written(&Value::Object(after.clone()), seed);
            format!(r#"{{"jsonrpc":"2.0","method":"x","rest":{rest},"params":{{"_meta":{meta},"x":{rest}}}}}"#)
        };
        let line = wrap(&text(&meta));
        meta.remove(place);
        let edited = read(line.as_bytes()).unwrap().without_authority().unwrap();
        let edited = String::from_utf8(edited).unwrap();
        // The last value's own trailing blanks may stand on either side of the removed comma.
        let squeezed = |text: &str| text.split_ascii_whitespace().collect::<String>();
        prop_assert_eq!(squeezed(&edited), squeezed(&wrap(&text(&meta))));
        prop_assert!(read(edited.as_bytes()).unwrap().without_authority().is_none());
        let (front, back) = (common_prefix(&line, &edited), common_suffix(&line, &edited));
        prop_assert!(front + back >= edited.len(), "one piece is gone, nothing else is changed");
    }

    #[test]
    fn a_filtered_list_has_what_is_kept_in_its_order(
        keep in prop::collection::vec(any::<bool>(), 0..12),
        seed: u64,
    ) {
        let item = |nth: usize| json!({ "name": format!("t{nth}"), "inputSchema": { "name": "x" } });
        let tools: Vec<Value> = (0..keep.len()).map(item).collect();
        let line = written(&json!({ "jsonrpc": "2.0", "id": 1, "result": { "tools": tools, "x": 1 } }), seed);
        let Ok(Message::Response(response)) = read(line.as_bytes()) else { panic!("{line}") };
        let mut nth = 0;
        let filtered = filter_list(&response, ListKind::Tools, Era::Stateless, Audience::Everyone, &mut |_| {
            nth += 1;
            keep[nth - 1]
        });
        let filtered = filtered.unwrap();
        prop_assert_eq!(filtered.is_none(), keep.iter().all(|kept| *kept));
        let Some(filtered) = filtered else { return Ok(()) };
        let filtered: Value = serde_json::from_slice(&filtered).unwrap();
        let kept: Vec<Value> = (0..keep.len()).filter(|nth| keep[*nth]).map(item).collect();
        let wanted = json!({ "tools": kept, "x": 1, "cacheScope": "private" });
        prop_assert_eq!(&filtered["result"], &wanted);
    }
}

/// One change of a line by somebody who wants it to be read in two ways.
#[derive(Clone, Debug)]
enum Edit {
    Replace(u8),
    Insert(Vec<u8>),
    Remove,
    Repeat(usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        any::<u8>().prop_map(Edit::Replace),
        Just(Edit::Remove),
        (1_usize..40).prop_map(Edit::Repeat),
        prop::sample::select(vec![
            "\"",
            "\\",
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\\u0061",
            "\\ud800",
            "\r",
            "\n",
            "\u{feff}",
            "\0",
            "1e9",
            "-",
            "\"id\":2,",
            "\"method\":\"ping\",",
            "\"_meta\":{},",
            "null",
            "//",
            "NaN",
            "\u{17f}",
            " ",
            "0",
        ])
        .prop_map(|text| Edit::Insert(text.as_bytes().to_vec())),
        prop::collection::vec(any::<u8>(), 1..4).prop_map(Edit::Insert),
    ]
}

impl Edit {
    fn apply(self, line: &mut Vec<u8>, at: prop::sample::Index) {
        if line.is_empty() {
            return;
        }
        let at = at.index(line.len());
        match self {
            Self::Replace(byte) => line[at] = byte,
            Self::Insert(bytes) => drop(line.splice(at..at, bytes)),
            Self::Remove => drop(line.remove(at)),
            Self::Repeat(length) => {
                let piece = line[at..(at + length).min(line.len())].to_vec();
                line.splice(at..at, piece);
            }
        }
    }
}

/// Whatever we accept, the other reader accepts, and sees the same envelope in it.
fn agree(line: &[u8]) -> Result<(), TestCaseError> {
    let Ok(message) = read(line) else { return Ok(()) };
    let envelope: BTreeMap<String, Box<serde_json::value::RawValue>> =
        serde_json::from_slice(line).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let other = |key: &str| envelope.get(key).map(|raw| raw.get());
    let string = |key: &str| other(key).map(|raw| serde_json::from_str::<String>(raw).unwrap());
    prop_assert_eq!(string("jsonrpc"), Some("2.0".into()));
    match &message {
        Message::Request(request) => {
            prop_assert_eq!(string("method"), Some(request.method().into()));
            let id: Value = serde_json::from_str(other("id").unwrap()).unwrap();
            prop_assert_eq!(serde_json::to_value(request.id()).unwrap(), id);
            prop_assert_eq!(request.params().map(|raw| raw.text()), other("params"));
            if let Ok(call) = request.call() {
                let params: BTreeMap<String, Box<serde_json::value::RawValue>> =
                    serde_json::from_str(other("params").unwrap()).unwrap();
                prop_assert_eq!(
                    &serde_json::from_str::<String>(params["name"].get()).unwrap(),
                    &call.name
                );
                let _ = requests_of(&call, "s", &ToolTable::default());
            }
        }
        Message::Notification(note) => {
            prop_assert_eq!(string("method"), Some(note.method().into()));
            prop_assert_eq!(other("id"), None);
        }
        Message::Response(response) => {
            prop_assert_eq!(response.result().map(|raw| raw.text()), other("result"));
            prop_assert_eq!(response.error().map(|raw| raw.text()), other("error"));
        }
        _ => {}
    }
    if let Some(edited) = message.without_authority() {
        prop_assert!(read(&edited).is_ok());
        prop_assert!(edited.len() < line.len());
    }
    Ok(())
}

fn line_has_big_integer(value: &Value) -> bool {
    match value {
        Value::Number(number) => {
            number.as_i64().is_some_and(|number| number.unsigned_abs() >= 1 << 53)
        }
        Value::Array(items) => items.iter().any(line_has_big_integer),
        Value::Object(members) => members.values().any(line_has_big_integer),
        _ => false,
    }
}

fn common_prefix(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
}

fn common_suffix(a: &str, b: &str) -> usize {
    a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count()
}
