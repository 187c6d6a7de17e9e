use cap_core::{CommandRequest, Denial, DenyCode};
use serde_json::Value;

use super::arguments::refused;

/// The request for a command value: a program, perhaps with the list of its arguments beside it;
/// or program and arguments in one list. A shell line is neither.
pub(super) fn request(
    value: &Value,
    arguments: Option<&Value>,
    at: &str,
) -> Result<CommandRequest, Denial> {
    let (program, arguments) = match (value, arguments) {
        (Value::String(program), None | Some(Value::Null)) => (program.clone(), Vec::new()),
        (Value::String(program), Some(arguments)) => (program.clone(), strings(arguments, at)?),
        (vector, None) => {
            let mut words = strings(vector, at)?.into_iter();
            let program = words.next().ok_or_else(|| invalid(at, "it is empty"))?;
            (program, words.collect())
        }
        (_, Some(_)) => return Err(invalid(at, "a program's name is wanted")),
    };
    // SECURITY: a server that hands it to a shell must find nothing there that a shell reads.
    let plain = |c: char| c.is_alphanumeric() || "/._-+@:,=".contains(c);
    if program.is_empty() || program.starts_with('-') || !program.chars().all(plain) {
        return Err(invalid(at, "the name or path of one program is wanted, not a shell line"));
    }
    if arguments.iter().any(|argument| argument.contains('\0')) {
        return Err(invalid(at, "an argument has a NUL"));
    }
    Ok(CommandRequest { program, arguments, environment: Vec::new() })
}

fn strings(value: &Value, at: &str) -> Result<Vec<String>, Denial> {
    let words = value.as_array().map(|items| {
        items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
    });
    words.flatten().ok_or_else(|| invalid(at, "a list of strings is wanted"))
}

fn invalid(at: &str, what: &'static str) -> Denial {
    refused(DenyCode::CommandInvalid, at, &what)
}
