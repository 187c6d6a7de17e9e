//! `docs/guide/modes.md` shows what its example prints, and lines that stand in it.

#![allow(dead_code, reason = "the example's `main` is not called here")]

#[path = "../../examples/modes.rs"]
mod modes;

const PAGE: &str = include_str!("../../../../docs/guide/modes.md");
const SOURCE: &str = include_str!("../../examples/modes.rs");

/// The blocks of one language, without their fences.
fn blocks(language: &str) -> impl Iterator<Item = &'static str> {
    let fence = format!("```{language}\n");
    PAGE.split("\n```").filter_map(move |part| {
        let part = part.strip_prefix(fence.trim_start_matches("```"));
        part.map(str::trim_end)
    })
}

#[test]
fn the_page_shows_what_the_example_prints() {
    let mut printed = Vec::new();
    modes::run(&mut printed).unwrap();
    let printed = String::from_utf8(printed).unwrap();
    let console: Vec<_> = blocks("console").collect();
    let [console] = console[..] else { panic!("{console:?}") };
    let (command, first) = console.split_once('\n').unwrap();
    assert_eq!(command, "$ cargo run -q -p mcp-security --example modes");
    let shown: Vec<_> = std::iter::once(first).chain(blocks("text")).collect();
    assert_eq!(shown.len(), 3);
    assert_eq!(format!("{}\n", shown.join("\n")), printed);
}

#[test]
fn the_lines_of_the_page_stand_in_the_example() {
    let source: Vec<&str> = SOURCE.lines().map(str::trim).collect();
    let mut lines = 0;
    for line in blocks("rust").flat_map(str::lines) {
        assert!(source.contains(&line.trim()), "{line}");
        lines += 1;
    }
    assert!(lines > 5);
}
