//! What must hold of every rule for argument vectors that is read.

use cap_core::{AccessRequest, CommandRequest, Operation, Operations, Resource};
use serde_json::{Map, Value, json};

use super::capability::{constrained, is_tame, round_trips};
use crate::naive;
use crate::strategy::granted_at;

/// A call, and what may be called: texts between bytes that no text has.
pub(super) struct Case {
    program: String,
    arguments: Vec<String>,
    rules: Value,
}

impl Case {
    /// `FE` parts the call from the patterns, and these from each other; `FF` parts the texts of
    /// each, of which the first is the program.
    pub(super) fn new(data: &[u8]) -> Option<Self> {
        let mut vectors = data.split(|byte| *byte == 0xFE).take(9).map(texts);
        let (program, arguments) = vectors.next()??;
        let mut rules: Map<String, Value> = Map::new();
        for vector in vectors {
            let (program, pattern) = vector?;
            let patterns = rules.entry(program).or_insert_with(|| json!([]));
            patterns.as_array_mut().unwrap().push(json!(pattern));
        }
        Some(Self { program, arguments, rules: Value::Object(rules) })
    }
}

/// The rules are written as they are read, and permit what the model says.
pub(super) fn agrees_with_the_model(case: &Case) {
    let Some((capability, wire)) = constrained(&json!({"command_args": case.rules})) else {
        return;
    };
    round_trips(&capability);
    let command = CommandRequest {
        program: case.program.clone(),
        arguments: case.arguments.clone(),
        environment: Vec::new(),
    };
    let execute = Operations::NONE.with(Operation::Execute);
    let request = AccessRequest::new(Resource::Command(command), execute);
    let decision = capability.permits(&request, granted_at());
    if !is_small(case) {
        return;
    }
    let meant = naive::permits(&wire, &request, granted_at());
    assert_eq!(decision.is_allow(), meant, "{}\n{request:?}\n{decision:?}", case.rules);
    if meant {
        hides_nothing(case);
    }
}

/// An option or a control character that is permitted is spelled out in some element.
fn hides_nothing(case: &Case) {
    let elements = case.rules.get(&case.program).map(Value::to_string).unwrap_or_default();
    for argument in &case.arguments {
        assert!(!argument.contains('\0'));
        assert!(!argument.starts_with('-') || elements.contains("\"-"), "{argument:?}");
        for control in argument.chars().filter(|c| c.is_control()) {
            let spelled = Value::from(control.to_string()).to_string();
            assert!(elements.contains(spelled.trim_matches('"')), "{argument:?}");
        }
    }
}

/// Whether the naive matcher, which tries everything, ends in good time.
fn is_small(case: &Case) -> bool {
    let patterns = case.rules.as_object().unwrap().values().filter_map(Value::as_array).flatten();
    let mut many = 0;
    for element in patterns.filter_map(Value::as_array).flatten().filter_map(Value::as_str) {
        if !is_tame(element) {
            return false;
        }
        many += usize::from(element == "**");
    }
    many <= 4 && case.arguments.len() <= 16 && case.arguments.iter().all(|it| it.len() <= 64)
}

fn texts(vector: &[u8]) -> Option<(String, Vec<String>)> {
    let mut texts = vector.split(|byte| *byte == 0xFF).map(|text| String::from_utf8(text.to_vec()));
    let program = texts.next()?.ok()?;
    Some((program, texts.collect::<Result<_, _>>().ok()?))
}
