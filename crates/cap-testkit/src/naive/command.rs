//! Programs and their arguments.

use cap_core::CommandRequest;
use serde_json::Value;

use super::{list, text};

/// There is a program with a name that can be read, and no argument has a NUL.
pub(super) fn is_proper(command: &CommandRequest) -> bool {
    !command.program.is_empty()
        && !command.program.contains(char::is_control)
        && !command.arguments.iter().any(|argument| argument.contains('\0'))
}

/// The arguments of a program that is named match one of its patterns; those of another are plain.
pub(super) fn arguments_hold(rules: &Value, program: &str, arguments: &[String]) -> bool {
    match rules.get(program) {
        None => arguments.iter().all(|argument| is_plain(argument)),
        Some(patterns) => list(patterns).iter().any(|pattern| {
            let elements: Vec<&str> = list(pattern).iter().map(text).collect();
            elements_match(&elements, arguments)
        }),
    }
}

/// No option, and nothing that a terminal or a line would take for more than text.
fn is_plain(argument: &str) -> bool {
    !argument.starts_with('-') && !argument.contains(char::is_control)
}

fn elements_match(elements: &[&str], arguments: &[String]) -> bool {
    match elements.split_first() {
        None => arguments.is_empty(),
        Some((&"**", rest)) => (0..=arguments.len()).any(|taken| {
            arguments[..taken].iter().all(|argument| is_plain(argument))
                && elements_match(rest, &arguments[taken..])
        }),
        Some((element, rest)) => arguments.split_first().is_some_and(|(argument, more)| {
            element_matches(element, argument) && elements_match(rest, more)
        }),
    }
}

fn element_matches(element: &str, argument: &str) -> bool {
    let hides_an_option = element.starts_with(['*', '?']) && argument.starts_with('-');
    let element: Vec<char> = element.chars().collect();
    let argument: Vec<char> = argument.chars().collect();
    !hides_an_option && !argument.contains(&'\0') && characters_match(&element, &argument)
}

/// No wildcard stands for a control character.
fn characters_match(element: &[char], argument: &[char]) -> bool {
    match element.split_first() {
        None => argument.is_empty(),
        Some(('*', rest)) => (0..=argument.len()).any(|run| {
            !argument[..run].iter().any(|c| c.is_control())
                && characters_match(rest, &argument[run..])
        }),
        Some((first, rest)) => argument.split_first().is_some_and(|(c, more)| {
            let one = if *first == '?' { !c.is_control() } else { first == c };
            one && characters_match(rest, more)
        }),
    }
}
