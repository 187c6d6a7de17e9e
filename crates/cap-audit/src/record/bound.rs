//! How much of what it is told a record keeps.

use serde_json::{Map, Number, Value};

use crate::json;

const NAME: usize = 256;
const SENTENCE: usize = 1024;
const TEXT: usize = 4096;
const ANCESTORS: usize = 16;
const DEPTH: usize = 8;
const DETAIL: usize = 16 * 1024;

pub(super) fn name(text: &str) -> String {
    cut(text, NAME)
}

pub(super) fn sentence(text: &str) -> String {
    cut(text, SENTENCE)
}

pub(super) fn chain<'a>(ancestors: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut ancestors = ancestors.into_iter();
    let mut kept: Vec<String> = ancestors.by_ref().take(ANCESTORS).map(name).collect();
    let more = ancestors.count();
    if more > 0 {
        kept.push(format!("…[{} ancestors]", ANCESTORS + more));
    }
    kept
}

pub(super) fn detail(detail: Map<String, Value>) -> Map<String, Value> {
    let kept = members(detail, DEPTH);
    let mut bytes = Vec::new();
    json::object(&mut bytes, &kept);
    if bytes.len() <= DETAIL {
        return kept;
    }
    Map::from_iter([("omitted".to_owned(), Value::from(format!("{} bytes", bytes.len())))])
}

/// Integers have one text; of other numbers the text that comes back may depend on features of
/// `serde_json`, so no record holds them.
pub(super) fn has_only_integers(detail: &Map<String, Value>) -> bool {
    fn holds(value: &Value) -> bool {
        match value {
            Value::Number(number) => is_integer(number),
            Value::Array(items) => items.iter().all(holds),
            Value::Object(members) => members.values().all(holds),
            Value::Null | Value::Bool(_) | Value::String(_) => true,
        }
    }
    detail.values().all(holds)
}

fn members(detail: Map<String, Value>, depth: usize) -> Map<String, Value> {
    detail.into_iter().map(|(key, member)| (name(&key), value(member, depth))).collect()
}

fn value(json: Value, depth: usize) -> Value {
    match json {
        Value::String(text) if text.len() > TEXT => Value::from(cut(&text, TEXT)),
        Value::Number(number) if !is_integer(&number) => Value::from(number.to_string()),
        Value::Array(_) | Value::Object(_) if depth <= 1 => Value::from("…[too deep]"),
        Value::Array(items) => items.into_iter().map(|item| value(item, depth - 1)).collect(),
        Value::Object(inner) => Value::Object(members(inner, depth - 1)),
        plain => plain,
    }
}

fn is_integer(number: &Number) -> bool {
    number.is_i64() || number.is_u64()
}

/// At most `most` bytes of `text`, cut between characters, then a mark with the length it had.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let kept = text.get(..text.floor_char_boundary(most)).unwrap_or_default();
    format!("{kept}…[{} bytes]", text.len())
}
