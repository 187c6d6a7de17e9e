//! Rust source as text: what is code in it, and what is product code.

/// The code alone: comments and literals are blanked, byte for byte, so that positions and lines stay.
pub fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut after_word = false;
    while let Some(next) = rest.chars().next() {
        let length = match literal_or_comment(rest, after_word) {
            0 => {
                code.push(next);
                after_word = is_word(next);
                next.len_utf8()
            }
            length => {
                after_word = false;
                blank(rest.get(..length).unwrap_or(rest), &mut code);
                length
            }
        };
        rest = rest.get(length..).unwrap_or("");
    }
    code
}

/// Lines without the tests at the end of the file.
pub fn product_lines(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests_at = lines.iter().enumerate().position(|(at, line)| {
        *line == "#[cfg(test)]"
            && is_test_module_to_the_end(lines.get(at + 1..).unwrap_or_default())
    });
    tests_at.unwrap_or(lines.len())
}

/// The number, from 1, of the line that holds the byte at `offset`.
pub fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Where `word` stands as a whole: not as a part of a longer word.
pub fn find_words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    find_starts(code, word).filter(move |at| {
        let after = code.get(at + word.len()..).and_then(|text| text.chars().next());
        !(word.ends_with(is_word) && after.is_some_and(is_word))
    })
}

/// Where `start` stands at the beginning of a word.
pub fn find_starts<'a>(code: &'a str, start: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(start).map(|(at, _)| at).filter(move |at| {
        let before = code.get(..*at).and_then(|text| text.chars().next_back());
        !(start.starts_with(is_word) && before.is_some_and(is_word))
    })
}

/// The word that `text` begins with.
pub fn leading_word(text: &str) -> &str {
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    text.get(..end).unwrap_or(text)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn blank(text: &str, code: &mut String) {
    code.extend(text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
}

/// The length of the comment or literal that `rest` begins with, or 0.
fn literal_or_comment(rest: &str, after_word: bool) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if after_word {
        return if rest.starts_with('"') { quoted(rest) } else { 0 };
    }
    let prefix = usize::from(rest.starts_with(['b', 'c']));
    let body = rest.get(prefix..).unwrap_or("");
    let length = match body.chars().next() {
        Some('r') => raw_string(body),
        Some('"') => quoted(body),
        Some('\'') => character(body),
        _ => 0,
    };
    if length == 0 { 0 } else { prefix + length }
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let bytes = rest.as_bytes();
    let mut at = 0;
    while let Some(pair) = bytes.get(at..at + 2) {
        match pair {
            b"/*" => depth += 1,
            b"*/" if depth == 1 => return at + 2,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
    }
    rest.len()
}

fn raw_string(rest: &str) -> usize {
    let after_r = rest.get(1..).unwrap_or("");
    let hashes = after_r.len() - after_r.trim_start_matches('#').len();
    let body = after_r.get(hashes..).unwrap_or("");
    let Some(body) = body.strip_prefix('"') else {
        return 0;
    };
    let end = format!("\"{}", "#".repeat(hashes));
    let start = 1 + hashes + 1;
    body.find(&end).map_or(rest.len(), |at| start + at + end.len())
}

fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A character literal; a lifetime is none.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            let _escaped = chars.next();
            chars.find(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1)
        }
        Some(_) => chars.next().filter(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1),
        None => 0,
    }
}

/// `mod tests`, inline or in a file of its own, with nothing after it.
fn is_test_module_to_the_end(lines: &[&str]) -> bool {
    let mut lines = lines.iter().skip_while(|line| line.starts_with("#["));
    match lines.next().copied() {
        Some("mod tests;") => lines.all(|line| line.is_empty()),
        Some("mod tests {") => {
            let mut after = lines.skip_while(|line| **line != "}").skip(1);
            after.all(|line| line.is_empty())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_no_code() {
        let text = concat!(
            "a(\"unsafe \\\" x\"); // unsafe\n",
            "/* unsafe /* unsafe */ unsafe */ b(r#\"unsafe \" x\"#, b\"unsafe\", '\"', b'\\'', '\\u{1F600}');\n",
            "fn f<'a>(x: &'a str) { unsafe { g(\"é unsafe\") } }\n",
        );
        let code = code_only(text);
        assert_eq!(code.len(), text.len());
        let found: Vec<_> = find_words(&code, "unsafe").collect();
        assert_eq!(found.len(), 1, "{code}");
        assert_eq!(line_of(&code, found[0]), 3);
        assert!(code.contains("fn f<'a>(x: &'a str) { unsafe {"));
    }

    #[test]
    fn words_are_found_whole() {
        assert_eq!(find_words("unsafe_code not_unsafe unsafe", "unsafe").collect::<Vec<_>>(), [23]);
        assert_eq!(find_starts("fn get_x oftenfn get_", "fn get_").collect::<Vec<_>>(), [0]);
        assert_eq!(leading_word("abc_d(x)"), "abc_d");
    }

    #[test]
    fn tests_at_the_end_do_not_count() {
        let inline = "fn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
        assert_eq!(product_lines(inline), 2);
        let with_attribute =
            "fn a() {}\n#[cfg(test)]\n#[allow(x, reason = \"y\")]\nmod tests {\n}\n";
        assert_eq!(product_lines(with_attribute), 1);
        let file = "fn a() {}\n#[cfg(test)]\nmod tests;\n";
        assert_eq!(product_lines(file), 1);
    }

    #[test]
    fn code_behind_a_test_module_counts() {
        let behind = "#[cfg(test)]\nmod tests;\nfn a() {}\n";
        assert_eq!(product_lines(behind), 3);
        let inline = "#[cfg(test)]\nmod tests {\n}\nfn a() {}\n";
        assert_eq!(product_lines(inline), 4);
    }
}
