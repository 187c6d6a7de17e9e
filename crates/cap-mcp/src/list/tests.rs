use super::*;
use crate::message::{Message, read};

fn filter(
    line: &str,
    list: ListKind,
    era: Era,
    audience: Audience,
    kept: &[&str],
) -> Result<Option<String>, ListError> {
    let Ok(Message::Response(response)) = read(line.as_bytes()) else { panic!("{line}") };
    let filtered = filter_list(&response, list, era, audience, &mut |name| kept.contains(&name));
    filtered.map(|edited| edited.map(|line| String::from_utf8(line).unwrap()))
}

fn tools(list: &str, rest: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{list}]{rest}}}}}"#)
}

fn named(line: &str, kept: &[&str]) -> Option<String> {
    filter(line, ListKind::Tools, Era::Legacy, Audience::Everyone, kept).unwrap()
}

const A: &str = r#"{"name":"a","inputSchema":{"name":"b"}}"#;
const B: &str = r#"{ "title":"x,]}", "name" : "b" }"#;
const C: &str = r#"{"name":"\u0063"}"#;

#[test]
fn a_list_that_is_kept_whole_is_not_edited() {
    let line = tools(&[A, B, C].join(","), "");
    assert_eq!(named(&line, &["a", "b", "c"]), None);
    assert_eq!(named(&tools("", ""), &[]), None);
    let caller = filter(&line, ListKind::Tools, Era::Legacy, Audience::Caller, &["a", "b", "c"]);
    assert_eq!(caller, Ok(None), "the older era has no `cacheScope`");
}

#[test]
fn items_are_taken_out_with_one_comma_each() {
    let line = tools(&format!(" {A} , {B} ,{C} "), "");
    for (kept, left) in [
        (&["b", "c"][..], format!(" {B} ,{C} ")),
        (&["a", "c"], format!(" {A} ,{C} ")),
        (&["a", "b"], format!(" {A} , {B} ")),
        (&["a"], format!(" {A} ")),
        (&["b"], format!(" {B} ")),
        (&["c"], format!(" {C} ")),
        (&[], "  ".to_owned()),
    ] {
        assert_eq!(named(&line, kept), Some(tools(&left, "")), "{kept:?}");
    }
}

#[test]
fn a_filtered_list_is_for_its_caller_alone() {
    let list = format!("{A},{C}");
    let run = |rest: &str, era, audience, kept: &[&str]| {
        filter(&tools(&list, rest), ListKind::Tools, era, audience, kept).unwrap()
    };
    let public = r#", "cacheScope" : "public" ,"ttlMs":1"#;
    let private = r#", "cacheScope" : "private" ,"ttlMs":1"#;
    let one = ["a"];
    let all = ["a", "c"];
    assert_eq!(run(public, Era::Stateless, Audience::Everyone, &one), Some(tools(A, private)));
    assert_eq!(run(public, Era::Stateless, Audience::Everyone, &all), None);
    assert_eq!(run(public, Era::Stateless, Audience::Caller, &all), Some(tools(&list, private)));
    assert_eq!(run(private, Era::Stateless, Audience::Caller, &all), None);
    assert_eq!(
        run("", Era::Stateless, Audience::Caller, &one),
        Some(tools(A, r#","cacheScope":"private""#))
    );
    assert_eq!(run("", Era::Legacy, Audience::Caller, &one), Some(tools(A, "")));
    // Before the list as well as behind it.
    let line = format!(
        r#"{{"jsonrpc":"2.0","id":1,"result":{{"cacheScope":"public","tools":[{list}]}}}}"#
    );
    let edited = filter(&line, ListKind::Tools, Era::Stateless, Audience::Caller, &one).unwrap();
    let wanted =
        format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"cacheScope":"private","tools":[{A}]}}}}"#);
    assert_eq!(edited, Some(wanted));
}

#[test]
fn every_list_has_its_own_names() {
    for (list, member, name) in [
        (ListKind::Prompts, "prompts", "name"),
        (ListKind::Resources, "resources", "uri"),
        (ListKind::ResourceTemplates, "resourceTemplates", "uriTemplate"),
    ] {
        let line = |items: &str| {
            format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"{member}":[{items}]}}}}"#)
        };
        let item = |value: &str| format!(r#"{{"{name}":"{value}"}}"#);
        let both = line(&format!("{},{}", item("x"), item("y")));
        let filtered = filter(&both, list, Era::Legacy, Audience::Everyone, &["y"]).unwrap();
        assert_eq!(filtered, Some(line(&item("y"))));
    }
}

#[test]
fn a_list_that_cannot_be_decided_on_is_refused() {
    let run = |line: &str| filter(line, ListKind::Tools, Era::Legacy, Audience::Everyone, &["a"]);
    for item in ["1", "{}", r#"{"name":1}"#, r#"{"name":"\ud800"}"#, "[]", r#"{"Name":"a"}"#] {
        assert_eq!(run(&tools(item, "")), Err(ListError::Unreadable), "{item}");
    }
    for result in ["{}", r#"{"tools":{}}"#, r#"{"tools":null}"#, "[]", "1"] {
        let line = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
        assert_eq!(run(&line), Err(ListError::Unreadable), "{result}");
    }
    let twice = tools(r#"{"name":"a","x":1},{"name":"\u0061","x":2}"#, "");
    assert_eq!(run(&twice), Err(ListError::DuplicateName));
}

#[test]
fn an_error_has_no_list_to_filter() {
    let line = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"x"}}"#;
    assert_eq!(filter(line, ListKind::Tools, Era::Stateless, Audience::Caller, &[]), Ok(None));
}
