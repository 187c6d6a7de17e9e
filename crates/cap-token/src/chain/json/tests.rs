use super::*;

#[test]
fn numbers_have_the_canonical_form_of_ecmascript() {
    for (text, canonical) in [
        ("0", "0"),
        ("-0", "0"),
        ("-0.0e7", "0"),
        ("1.0", "1"),
        ("100", "100"),
        ("1e2", "100"),
        ("4.50", "4.5"),
        ("2e-3", "0.002"),
        ("1E30", "1e+30"),
        ("333333333.33333329", "333333333.3333333"),
        ("1e20", "100000000000000000000"),
        ("1e21", "1e+21"),
        ("0.000001", "0.000001"),
        ("1e-7", "1e-7"),
        ("9007199254740994", "9007199254740994"),
        ("-5e-324", "-5e-324"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
    ] {
        let admissible = number::canonical(text);
        if text == "333333333.33333329" {
            assert_eq!(admissible, None, "RFC 8785 rounds it; AAT-02 refuses it");
        } else {
            assert_eq!(admissible.as_deref(), Some(canonical), "{text}");
            assert_eq!(number::canonical(canonical).as_deref(), Some(canonical));
        }
    }
}

#[test]
fn values_have_one_canonical_text() {
    for (text, expected) in [
        ("{\"b\":1.0,\"a\":[true , null,\"\\u00e9\\n\"]}", "{\"a\":[true,null,\"é\\n\"],\"b\":1}"),
        (
            "\"\\u0000\\b\\t\\f\\r\\u001F\\/\\\\\\\"\\u007f\"",
            "\"\\u0000\\b\\t\\f\\r\\u001f/\\\\\\\"\u{7f}\"",
        ),
        ("{\"\u{fb33}\":1,\"\u{1f600}\":2,\"a\":3}", "{\"a\":3,\"\u{1f600}\":2,\"\u{fb33}\":1}"),
        ("[]", "[]"),
        (" {} ", "{}"),
    ] {
        assert_eq!(canonical(text).as_deref(), Ok(expected), "{text}");
        assert_eq!(canonical(expected).as_deref(), Ok(expected));
    }
}

#[test]
fn what_is_not_json_is_not_read() {
    for text in [
        "",
        " ",
        "{",
        "}",
        "[1,]",
        "[,1]",
        "{\"a\"}",
        "{\"a\":}",
        "{,}",
        "{a:1}",
        "\"\t\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u+123\"",
        "\"",
        "\"\\",
        "tru",
        "True",
        "nul",
        "1 2",
        "\u{b}1",
        "\u{a0}1",
        "[1}",
        "{\"a\":1]",
        "//x\n1",
        "'a'",
    ] {
        assert_eq!(parse(text), Err(JsonError::Syntax), "{text:?}");
    }
    assert_eq!(parse("{\"a\":1,\"\\u0061\":2}"), Err(JsonError::Duplicate));
    assert_eq!(parse("\"\\ud800\""), Err(JsonError::Surrogate));
    assert_eq!(parse(&"[".repeat(129)), Err(JsonError::Depth));
    assert_eq!(canonical("[9007199254740993]"), Err(JsonError::Number));
}

#[test]
fn strings_end_where_they_end_whatever_stands_around() {
    for odd in
        ["\\\"", "\\\\", "\\n", "é", "\u{1f600}", "\u{7f}", "\u{80}", "!", "#", "[", "]", " "]
    {
        for before in 0..18 {
            for after in 0..18 {
                let text = format!("\"{}{odd}{}\"", "a".repeat(before), "b".repeat(after));
                let expected: String = serde_json::from_str(&text).unwrap();
                assert_eq!(parse(&text).unwrap().as_str(), Some(&*expected), "{text}");
                for control in ["\0", "\u{1f}", "\n", "\""] {
                    let text = text.replacen(odd, control, 1);
                    assert_eq!(parse(&text), Err(JsonError::Syntax), "{text:?}");
                }
            }
        }
    }
}

/// The canonical text whatever is lost, as RFC 8785 has it: the suite for it has numbers that AAT-02
/// refuses.
fn rounded(text: &str) -> String {
    fn round<'a>(json: &Json<'a>, pool: &'a [(String, String)]) -> Json<'a> {
        match json {
            Json::Number(text) => {
                let found = pool.iter().find(|(own, _)| own == text);
                Json::Number(found.map_or(*text, |(_, canonical)| canonical))
            }
            Json::Array(items) => Json::Array(items.iter().map(|it| round(it, pool)).collect()),
            Json::Object(members) => {
                let members = members.iter();
                let members = members.map(|(name, it)| (name.to_owned().into(), round(it, pool)));
                Json::Object(Object::new(members.collect()).unwrap())
            }
            other => other.clone(),
        }
    }
    fn numbers(json: &Json<'_>, out: &mut Vec<(String, String)>) {
        match json {
            Json::Number(text) => {
                let double = text.parse().unwrap();
                out.push(((*text).to_owned(), number::from_double(double).unwrap()));
            }
            Json::Array(items) => items.iter().for_each(|it| numbers(it, out)),
            Json::Object(members) => members.iter().for_each(|(_, it)| numbers(it, out)),
            _ => {}
        }
    }
    let json = parse(text).unwrap();
    let mut pool = Vec::new();
    numbers(&json, &mut pool);
    round(&json, &pool).to_jcs().unwrap()
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_the_test_data_of_rfc_8785_has_its_canonical_texts() {
    let folder = cap_testkit::shared("standards/jcs/cyberphone");
    let mut refused = Vec::new();
    let names = ["arrays", "french", "structures", "unicode", "values", "weird"];
    for name in names {
        let read = |kind: &str, ending: &str| {
            std::fs::read_to_string(folder.join(kind).join(format!("{name}.{ending}"))).unwrap()
        };
        let (input, output) = (read("input", "json"), read("output", "json"));
        let hex: String = output.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(read("outhex", "txt").split_whitespace().collect::<String>(), hex);
        assert_eq!(rounded(&input), output, "{name}");
        assert_eq!(canonical(&output).as_ref(), Ok(&output), "{name}");
        if canonical(&input) != Ok(output) {
            refused.push(name);
        }
    }
    assert_eq!(refused, ["values"], "it has 333333333.33333329");
    assert_eq!(std::fs::read_dir(folder.join("input")).unwrap().count(), names.len());
}

#[test]
#[ignore = "needs MCP_SECURITY_SHARED"]
fn shared_tokens_of_another_format_are_canonical_or_refused() {
    let folder = cap_testkit::shared("standards/jcs/attenu");
    let (mut files, mut canonicals, mut refused) = (0, 0, Vec::new());
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries.iter().filter(|path| path.extension().is_some_and(|it| it == "json")) {
        files += 1;
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let file: serde_json::Value =
            serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        for token in file["tokens"].as_array().unwrap() {
            for part in token.as_str().unwrap().split('.').take(2) {
                let text = String::from_utf8(crate::chain::jws::decode(part).unwrap()).unwrap();
                match canonical(&text) {
                    Ok(own) => {
                        canonicals += usize::from(own == text);
                        let odd = ["reject_non_finite", "reject_duplicate_member"];
                        assert!(own == text || odd.contains(&&*name), "{name}");
                    }
                    Err(error) => refused.push((name.clone(), error)),
                }
            }
        }
    }
    let duplicate = ("reject_duplicate_member".to_owned(), JsonError::Duplicate);
    let nan = ("reject_non_finite".to_owned(), JsonError::Syntax);
    assert_eq!(refused, [duplicate, nan]);
    assert_eq!(files, 20);
    println!("{canonicals} texts are canonical");
    assert!(canonicals > 40);
}
