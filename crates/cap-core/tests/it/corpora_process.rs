//! What others collected to break out of a command line, and vectors of our own for the same class.

use cap_core::{ArgvPattern, ArgvRules, Capability, Constraints, DenyCode, Program, TimeWindow};
use cap_testkit::{shared, shared_jsonl};
use serde_json::json;

use crate::commands::{owned, run, runs};
use crate::support::*;

const INJECTIONS: [&str; 25] = [
    "; touch canary",
    "a; touch canary",
    "| touch canary",
    "|| touch canary",
    "& touch canary",
    "&& touch canary",
    "$(touch canary)",
    "`touch canary`",
    "a$(touch canary)b",
    "${IFS}touch${IFS}canary",
    "> canary",
    "< /etc/passwd",
    "<(touch canary)",
    "'; touch canary; '",
    "\"; touch canary; \"",
    "\\\"; touch canary",
    "{touch,canary}",
    "* ? [a-z] ~ $HOME",
    "a b\u{a0}c",
    "%PATH% ^& !x!",
    "() { :;}; touch canary",
    "é\u{202e}\u{200b}",
    "%0atouch canary",
    "\\n touch canary",
    "",
];

/// What only an explicit grant lets through.
const SPELLED: [&str; 9] =
    ["-", "--", "-e", "--exec=touch canary", "-\n", "a\ntouch canary", "a\r\nb", "\u{1b}[2J", "\t"];

const PROGRAM: &str = "printf";

/// Exactly these arguments for the program.
fn spelling(arguments: &[&str]) -> Capability {
    runs(PROGRAM, json!({"command_args": {PROGRAM: [arguments]}}))
}

fn code(capability: &Capability, program: &str, arguments: &[&str]) -> Option<DenyCode> {
    let request = run(program, arguments);
    (!permits(capability, &request)).then(|| denial(capability, &request).code())
}

/// By the text alone, and by nothing of ours.
fn is_plain(text: &str) -> bool {
    !text.starts_with('-') && text.chars().all(|c| !c.is_control())
}

/// As one argument: permitted if it is plain, or spelled out, and never with a NUL. Whether it was
/// permitted without being spelled out.
fn judged_as_argument(text: &str) -> bool {
    let plain = code(&runs(PROGRAM, json!({})), PROGRAM, &[text]);
    let wildcard = json!({"command_args": {PROGRAM: [["%s", "*"], ["%s", "a", "**"]]}});
    let wildcard = runs(PROGRAM, wildcard);
    let refused = |good: bool| (!good).then_some(DenyCode::CommandArgumentRefused);
    if text.contains('\0') {
        assert_eq!(plain, Some(DenyCode::CommandInvalid), "{text:?}");
        assert_eq!(code(&wildcard, PROGRAM, &["%s", text]), plain, "{text:?}");
        assert!(ArgvPattern::parse(&owned(&[text])).is_err(), "{text:?}");
        return false;
    }
    assert_eq!(plain, refused(is_plain(text)), "{text:?}");
    assert_eq!(code(&wildcard, PROGRAM, &["%s", text]), plain, "{text:?}");
    assert_eq!(code(&wildcard, PROGRAM, &["%s", "a", text, text]), plain, "{text:?}");
    assert_eq!(code(&wildcard, PROGRAM, &[text]), refused(false), "{text:?}");
    if text.contains("**") {
        assert_eq!(ArgvPattern::parse(&owned(&[text])).is_ok(), text == "**", "{text:?}");
    } else {
        let spelled = spelling(&["%s", text]);
        assert_eq!(code(&spelled, PROGRAM, &["%s", text]), None, "{text:?}");
        for other in [format!("{text}x"), format!("-{text}"), format!("{text}\n")] {
            let wild = text.contains(['*', '?']);
            let refused = code(&spelled, PROGRAM, &["%s", &other]);
            assert!(refused == Some(DenyCode::CommandArgumentRefused) || wild, "{other:?}");
        }
        assert_eq!(code(&spelled, PROGRAM, &["%s", text, text]), refused(false), "{text:?}");
    }
    plain.is_none()
}

/// As the program and as a whole line: denied, whatever else is granted.
fn is_denied_as_program(text: &str) {
    let every_argument = json!({"command_args": {PROGRAM: [["**"], ["-*", "**"]]}});
    let line = format!("{PROGRAM} %s {text}");
    for capability in [runs(PROGRAM, json!({})), runs(PROGRAM, every_argument)] {
        for program in [text, &line] {
            for arguments in [&[][..], &["a"]] {
                let code = code(&capability, program, arguments);
                let invalid = program.is_empty() || program.contains(char::is_control);
                let wanted =
                    if invalid { DenyCode::CommandInvalid } else { DenyCode::CommandNotAllowed };
                assert_eq!(code, Some(wanted), "{program:?}");
            }
        }
    }
}

/// What a real child gets, without a shell: the request is its argument vector.
#[cfg(unix)]
fn echoed(capability: &Capability, text: &str, folder: &std::path::Path) -> Vec<u8> {
    let request = run(PROGRAM, &["%s", text]);
    assert!(permits(capability, &request), "{text:?}");
    let cap_core::Resource::Command(command) = request.resource else { panic!("{text:?}") };
    let mut child = std::process::Command::new(&command.program);
    let output = child.args(&command.arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{text:?}");
    output.stdout
}

/// Gives every text to a child, in a folder in which none of them leaves anything.
#[cfg(unix)]
fn echo_all<'a>(texts: impl IntoIterator<Item = &'a str>, name: &str) -> usize {
    let folder = std::env::temp_dir().join(format!("cap-core-{name}-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let mut echoes = 0;
    for text in texts {
        assert_eq!(echoed(&spelling(&["%s", text]), text, &folder), text.as_bytes(), "{text:?}");
        echoes += 1;
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "something ran");
    std::fs::remove_dir(&folder).unwrap();
    echoes
}

#[test]
fn a_shell_line_is_an_argument_like_any_other() {
    for text in INJECTIONS {
        assert!(judged_as_argument(text), "{text:?}");
    }
    for text in SPELLED.into_iter().chain(["\0", "a\0b"]) {
        assert!(!judged_as_argument(text), "{text:?}");
    }
}

#[test]
fn a_shell_line_is_no_program() {
    for text in INJECTIONS.into_iter().chain(SPELLED) {
        is_denied_as_program(text);
    }
    for program in ["printf ", " printf", "./printf", "/usr/bin/printf", "PRINTF", "printf\0", "sh"]
    {
        assert!(code(&runs(PROGRAM, json!({})), program, &[]).is_some(), "{program:?}");
    }
}

#[cfg(unix)]
#[test]
fn an_argument_reaches_a_child_byte_for_byte() {
    let texts = INJECTIONS.into_iter().chain(SPELLED);
    assert_eq!(echo_all(texts, "injections"), INJECTIONS.len() + SPELLED.len());
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_command_injection() {
    let cases = shared_jsonl("corpora/command-injection/payloads.jsonl");
    assert_eq!(cases.len(), 255);
    let texts: Vec<&str> = cases.iter().map(|case| case["payload"].as_str().unwrap()).collect();
    let plain = texts.iter().filter(|text| judged_as_argument(text)).count();
    texts.iter().for_each(|text| is_denied_as_program(text));
    println!(
        "command-injection: {} cases; as one argument {plain} permitted, the others when spelled \
         out; as the program 0; as a line 0",
        texts.len()
    );
    assert_eq!(plain, 255);
    #[cfg(unix)]
    assert_eq!(echo_all(texts, "command-injection"), 255);
}

/// How many texts are taken as: a plain argument, an argument when spelled out, the name of a
/// program in a grant, the name of one in `command_args`, the name of a variable, a part of a
/// window of time.
fn taken(text: &str) -> [bool; 6] {
    let element = ArgvPattern::parse(&owned(&[text]));
    let rules = serde_json::from_value::<ArgvRules>(json!({text: [["a"]], "other": [[text]]}));
    if let Ok(rules) = &rules {
        let again = serde_json::to_value(rules).unwrap();
        assert_eq!(&serde_json::from_value::<ArgvRules>(again).unwrap(), rules, "{text:?}");
        assert!(rules.permits(text, &owned(&["a"])) && !rules.permits(text, &owned(&["b"])));
    }
    if let Ok(element) = &element {
        assert!(!element.to_string().contains(char::is_control), "{text:?}");
    }
    let variables = serde_json::from_value::<Constraints>(json!({"environment": [text]})).unwrap();
    let variables = cap_core::RootGrant { constraints: variables, ..any_grant() };
    let variable = Capability::grant(cap_testkit::strategy::id(0), variables, granted_at());
    let window = |days: &str, from: &str, to: &str, offset: &str| {
        TimeWindow::parse([days], from, to, offset).is_ok()
    };
    [
        judged_as_argument(text),
        element.is_ok_and(|element| element.matches(&owned(&[text]))),
        text.parse::<Program>().is_ok(),
        rules.is_ok(),
        variable.is_ok(),
        window(text, "09:00", "17:00", "Z")
            || window("mon", text, "17:00", "Z")
            || window("mon", "09:00", text, "Z")
            || window("mon", "09:00", "17:00", text),
    ]
}

fn granted_at() -> chrono::DateTime<chrono::Utc> {
    cap_testkit::strategy::granted_at()
}

fn any_grant() -> cap_core::RootGrant {
    root_grant(cap_core::ResourceType::Any, "*", json!({}))
}

#[test]
fn odd_texts_are_kept_as_they_are_or_refused_by_programs_and_windows() {
    for (text, wanted) in [
        ("plain", "+++++-"),
        ("", "++----"),
        ("*", "+++--+"),
        ("a**b", "+-+---"),
        ("-x", "-+++--"),
        ("mon", "++++++"),
        ("12:00", "++++-+"),
        ("a\nb", "-+----"),
        ("a\0b", "------"),
        ("a\u{202e}b", "++----"),
        ("../../bin/sh", "++++--"),
    ] {
        let taken: String =
            taken(text).iter().map(|taken| if *taken { '+' } else { '-' }).collect();
        assert_eq!(taken, wanted, "{text:?}");
    }
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_naughty_strings_as_programs_and_arguments() {
    let text = std::fs::read_to_string(shared("corpora/naughty-strings/blns.json")).unwrap();
    let strings: Vec<String> = serde_json::from_str(&text).unwrap();
    assert_eq!(strings.len(), 515);
    let mut counts = [0_u32; 6];
    for string in &strings {
        is_denied_as_program(string);
        for (count, taken) in counts.iter_mut().zip(taken(string)) {
            *count += u32::from(taken);
        }
    }
    println!("naughty strings: {} of them, taken by each reader: {counts:?}", strings.len());
    // 22 begin with `-`, 6 have a control character, one has a `**` in it.
    assert_eq!(counts[..2], [487, 514]);
    assert_eq!(counts[5], 0);
    #[cfg(unix)]
    {
        let spelled = strings.iter().map(String::as_str).filter(|text| !text.contains("**"));
        assert_eq!(echo_all(spelled, "naughty-strings"), 514);
    }
}
