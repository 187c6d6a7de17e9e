//! A tree in which everything is as it must be, and for each rule what spoils it.

use super::*;

const MANIFEST: &str = r#"
[package]
name = "cap-core"
description = "The ground"
version.workspace = true
edition.workspace = true
rust-version.workspace = true
license.workspace = true

[features]
default = []
## More.
extra = []

[dependencies]
serde.workspace = true

[dev-dependencies]
cap-testkit.workspace = true

[lints]
workspace = true
"#;

const ROOT: &str = r#"
[workspace.dependencies]
cap-core = { path = "crates/cap-core", version = "0.1.0" }
cap-audit = { path = "crates/cap-audit", version = "0.1.0" }
cap-testkit = { path = "crates/cap-testkit" }
serde = "1.0"
"#;

const README: &str = "\
# cap-core
[how](#what-it-is), [where](../../docs/page.md#a-page), [docs](../../docs), [`Item`](crate::Item)
## What it is
## Where it sits
## Example
```rust
let not_a_link = a[0](1);
```
## Guarantees
## What it does not do
## Features
`extra`: more
## Limits
";

const LIBRARY: &str = "\
#![doc = include_str!(\"../README.md\")]
#[allow(clippy::all, reason = \"a reason\")]
fn forget() -> &'static str { \"unsafe todo!() fn get_\" }
#[cfg(test)]
mod tests {
    #[test]
    #[ignore = \"needs MCP_SECURITY_SHARED\"]
    fn shared_vectors_pass() {}
}
";

const FUZZ: &str = "[[bin]]\nname = \"message_read\"\npath = \"fuzz_targets/message_read.rs\"\n";
const TARGET: &str = "fuzz_target!(|data: &[u8]| cap_testkit::fuzz::message_read(data));\n";
const BODY: &str = "/// Reads.\npub fn message_read(data: &[u8]) {\n    read(data);\n}\n";
const LOCK: &str = "[[package]]\nname = \"serde\"\n\
    source = \"registry+https://github.com/rust-lang/crates.io-index\"\n";

fn good() -> Tree {
    let tool = MANIFEST
        .replace("cap-core", "cap-testkit")
        .replace("cap-testkit.workspace = true", "cap-core.workspace = true")
        .replace("[features]", "publish = false\n[features]");
    let files = [
        ("Cargo.toml", ROOT),
        ("Cargo.lock", LOCK),
        ("crates/cap-core/Cargo.toml", MANIFEST),
        ("crates/cap-core/README.md", README),
        ("crates/cap-core/src/lib.rs", LIBRARY),
        ("crates/cap-core/tests/it/main.rs", "mod laws;\n"),
        ("crates/cap-core/tests/it/laws.rs", ""),
        ("crates/cap-testkit/Cargo.toml", &tool),
        ("crates/cap-testkit/src/fuzz.rs", BODY),
        ("fuzz/Cargo.toml", FUZZ),
        ("fuzz/fuzz_targets/message_read.rs", TARGET),
        ("docs/page.md", "# A page\nSee [the code](../crates/cap-core/src/lib.rs).\n"),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
    Tree { files: files.into() }
}

fn check(name: &str, tree: &Tree) -> Outcome {
    let rule = RULES.iter().find(|rule| rule.name == name).unwrap();
    let Check::Text(check) = rule.check else { panic!("{name} is not about text") };
    let mut outcome = Outcome::default();
    check(tree, &mut outcome);
    outcome
}

/// The good tree with one file replaced must give a finding of the rule that contains `expected`.
#[track_caller]
fn caught(rule: &str, path: &str, text: &str, expected: &str) {
    let mut tree = good();
    tree.files.insert(path.to_owned(), text.to_owned());
    let findings = check(rule, &tree).findings;
    let hit = findings.iter().any(|finding| finding.to_string().contains(expected));
    assert!(hit, "{rule}: {findings:?}");
}

/// As [`caught`], with an edit of the manifest of `cap-core`.
#[track_caller]
fn caught_in_manifest(rule: &str, from: &str, to: &str, expected: &str) {
    assert!(MANIFEST.contains(from));
    caught(rule, "crates/cap-core/Cargo.toml", &MANIFEST.replace(from, to), expected);
}

#[track_caller]
fn caught_in_code(rule: &str, code: &str, expected: &str) {
    caught(rule, "crates/cap-core/src/bad.rs", code, expected);
}

#[test]
fn the_good_tree_has_no_findings_and_every_rule_looks_at_it() {
    for rule in &RULES {
        if let Check::Text(_) = rule.check {
            let outcome = check(rule.name, &good());
            assert_eq!(outcome.findings, [], "{}", rule.name);
            assert!(outcome.checked > 0, "{} looked at nothing", rule.name);
        }
    }
}

#[test]
fn an_empty_tree_gives_every_rule_nothing_to_check_or_a_finding() {
    for rule in &RULES {
        if let Check::Text(_) = rule.check {
            let outcome = check(rule.name, &Tree::default());
            assert!(outcome.checked == 0 || !outcome.findings.is_empty(), "{}", rule.name);
        }
    }
}

#[test]
fn a_dependency_upwards_is_caught() {
    let manifest = MANIFEST.replace("cap-core", "cap-audit");
    let kernel = manifest.replace("serde.workspace", "cap-kernel.workspace");
    caught("layers", "crates/cap-audit/Cargo.toml", &kernel, "may not depend on `cap-kernel`");
    let same = manifest.replace("serde.workspace", "cap-token.workspace");
    caught("layers", "crates/cap-audit/Cargo.toml", &same, "may not depend on `cap-token`");
    let of_linux = format!(
        "{manifest}\n[target.'cfg(unix)'.build-dependencies]\nmcp-guard.workspace = true\n"
    );
    caught("layers", "crates/cap-audit/Cargo.toml", &of_linux, "may not depend on `mcp-guard`");
    let renamed =
        manifest.replace("serde.workspace = true", "s = { package = \"cap-store\", path = \"x\" }");
    caught("layers", "crates/cap-audit/Cargo.toml", &renamed, "may not depend on `cap-store`");
    caught_in_manifest(
        "layers",
        "serde.workspace",
        "cap-testkit.workspace",
        "may not depend on `cap-testkit`",
    );
}

#[test]
fn a_crate_that_is_not_in_the_table_is_caught() {
    let manifest = MANIFEST.replace("cap-core", "cap-new");
    caught("layers", "crates/cap-new/Cargo.toml", &manifest, "not in the layer table");
    caught("layers", "crates/cap-new/src/lib.rs", "", "there is none");
    caught_in_manifest("layers", "[package]", "[package", "crates/cap-core/Cargo.toml");
}

#[test]
fn a_name_that_says_nothing_is_caught() {
    for name in ["cap-types", "cap-utils", "cap-common", "cap-error"] {
        let manifest = MANIFEST.replace("cap-core", name);
        caught("crate-names", &format!("crates/{name}/Cargo.toml"), &manifest, "says nothing");
    }
    caught_in_manifest("crate-names", "\"cap-core\"", "\"cap-kern\"", "not named after its folder");
}

#[test]
fn lints_of_its_own_are_caught() {
    caught_in_manifest("lints-inherited", "[lints]\nworkspace = true", "", "is missing");
    caught_in_manifest(
        "lints-inherited",
        "[lints]\nworkspace = true",
        "[lints]\nworkspace = false",
        "is missing",
    );
    let sandbox = MANIFEST.replace("cap-core", "cap-sandbox");
    let without = sandbox.replace("[lints]\nworkspace = true", "");
    caught("lints-inherited", "crates/cap-sandbox/Cargo.toml", &without, "is missing");
    let own = format!("{without}\n[lints.rust]\nunsafe_code = \"deny\"\n");
    let mut tree = good();
    tree.files.insert("crates/cap-sandbox/Cargo.toml".to_owned(), own);
    assert_eq!(check("lints-inherited", &tree).findings, []);
}

#[test]
fn fields_of_its_own_are_caught() {
    for field in ["version", "edition", "rust-version", "license"] {
        let inherited = format!("\n{field}.workspace = true");
        caught_in_manifest("fields-inherited", &inherited, "", &format!("`{field}.workspace"));
        caught_in_manifest("fields-inherited", &inherited, &format!("\n{field} = \"1\""), field);
    }
    caught_in_manifest("fields-inherited", "description = \"The ground\"", "", "no description");
    caught_in_manifest(
        "fields-inherited",
        "[features]",
        "publish = false\n[features]",
        "exactly the tools",
    );
}

#[test]
fn a_dependency_that_is_not_inherited_is_caught() {
    let rule = "dependencies-inherited";
    caught_in_manifest(rule, "serde.workspace = true", "serde = \"1\"", "`serde`");
    caught_in_manifest(rule, "cap-testkit.workspace = true", "tempfile = \"3\"", "`tempfile`");
    let of_linux = "[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"\n[lints]";
    caught_in_manifest(rule, "[lints]", of_linux, "`libc`");
}

#[test]
fn a_dependency_that_belongs_elsewhere_is_caught() {
    for name in ["tokio", "ring", "aws-lc-rs", "rsa"] {
        caught_in_manifest("reserved-dependencies", "serde.", &format!("{name}."), "belongs to");
    }
    caught_in_manifest(
        "reserved-dependencies",
        "serde.",
        "log.",
        "does not belong into the ground",
    );
}

#[test]
fn a_dependency_from_elsewhere_is_caught() {
    let with = |line: &str| format!("{ROOT}{line}\n");
    let caught = |line: &str, expected: &str| {
        caught("workspace-dependencies", "Cargo.toml", &with(line), expected);
    };
    caught("a = { git = \"https://example.org/a\", version = \"1\" }", "from git");
    caught("a = \"*\"", "any version");
    caught("a = { default-features = false }", "no version");
    caught("a = { path = \"../a\", version = \"1\" }", "not in crates/a");
    caught("cap-fs = { path = \"crates/cap-fs\" }", "have a version here");
}

#[test]
fn a_long_file_is_caught_and_its_tests_do_not_count() {
    let long = "fn f() {}\n".repeat(500);
    caught_in_code("file-length", &long, "500 lines");
    let tests =
        format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{}}}\n", "    fn f() {}\n".repeat(500));
    let mut tree = good();
    tree.files.insert("crates/cap-core/src/bad.rs".to_owned(), tests);
    tree.files.insert("crates/cap-core/src/bad/tests.rs".to_owned(), long.clone());
    tree.files.insert("crates/cap-core/tests/it/long.rs".to_owned(), long);
    assert_eq!(check("file-length", &tree).findings, []);
}

#[test]
fn a_mod_rs_is_caught() {
    caught("no-mod-rs", "crates/cap-core/src/path/mod.rs", "", "name the file after its module");
}

#[test]
fn forbidden_code_is_caught() {
    caught_in_code("forbidden-code", "\n    pub fn get_name(&self) {}", "bad.rs:2: `fn get_`");
    caught_in_code("forbidden-code", "fn f() { todo!() }", "`todo!`");
    caught_in_code("forbidden-code", "fn f() { unimplemented!(\"later\") }", "`unimplemented!`");
    caught_in_code("forbidden-code", concat!("// TO", "DO later"), concat!("TO", "DO"));
    caught_in_code("forbidden-code", concat!("/// FIX", "ME"), concat!("FIX", "ME"));
}

#[test]
fn a_lint_switched_off_without_a_reason_is_caught() {
    for attribute in ["#[allow(dead_code)]", "#![allow(dead_code)]", "#[expect(dead_code)]"] {
        caught_in_code("allow-with-reason", attribute, "bad.rs:1");
    }
    caught_in_code("allow-with-reason", "#[cfg_attr(test, allow(dead_code))]", "bad.rs:1");
    let pretended = "#[allow(dead_code, /* reason = */)]\n// reason = \"x\"\n";
    caught_in_code("allow-with-reason", pretended, "bad.rs:1");
}

#[test]
fn unsafe_code_is_caught() {
    caught_in_code("no-unsafe", "fn f() {\n    unsafe { g() }\n}", "bad.rs:2");
    caught("no-unsafe", "xtask/src/bad.rs", "unsafe impl Send for X {}", "bad.rs:1");
}

#[test]
fn a_test_that_the_test_command_would_not_find_is_caught() {
    let with = |reason: &str, name: &str| format!("#[test]\n#[ignore{reason}]\nfn {name}() {{}}\n");
    caught_in_code("test-kinds", &with("", "a"), "`a` is ignored for \"\"");
    caught_in_code("test-kinds", &with(" = \"later\"", "a"), "`a` is ignored for \"later\"");
    let shared = with(" = \"needs MCP_SECURITY_SHARED\"", "vectors_pass");
    caught_in_code("test-kinds", &shared, "`vectors_pass` must begin with `shared_`");
    let slow = with(" = \"slow: cargo xtask test --slow\"", "e2e_kills");
    caught_in_code("test-kinds", &slow, "must begin with `slow_`");
}

#[test]
fn a_second_integration_binary_is_caught() {
    caught("one-test-binary", "crates/cap-core/tests/laws.rs", "", "make it a module");
    caught("one-test-binary", "crates/cap-core/tests/other/main.rs", "", "make it a module");
}

#[test]
fn a_fuzz_target_without_its_body_and_a_body_without_its_target_are_caught() {
    let target = "fuzz/fuzz_targets/message_read.rs";
    caught("fuzz-bodies", target, "fuzz_target!(|data: &[u8]| read(data));", "does not call");
    caught("fuzz-bodies", target, &format!("// {TARGET}"), "does not call");
    caught(
        "fuzz-bodies",
        "crates/cap-testkit/src/fuzz.rs",
        "",
        "there is no `cap_testkit::fuzz::message_read`",
    );
    caught("fuzz-bodies", "fuzz/Cargo.toml", "", "no `[[bin]]`");
    let body = BODY.replace("message_read", "policy_file");
    caught("fuzz-bodies", "crates/cap-testkit/src/fuzz/policy.rs", &body, "no target runs");
}

#[test]
fn a_readme_that_leaves_something_out_is_caught() {
    let path = "crates/cap-core/README.md";
    caught("readme", path, &README.replace("## Limits\n", ""), "the headings must be");
    let swapped = README.replace("## Limits", "## Example").replacen("## Example", "## Limits", 1);
    caught("readme", path, &swapped, "the headings must be");
    caught("readme", path, &README.replace("`extra`", "extra"), "the feature `extra`");
    caught(
        "readme",
        "crates/cap-core/src/lib.rs",
        "//! Other words.\n",
        "is not the documentation",
    );
    let other = MANIFEST.replace("cap-core", "cap-fs");
    caught("readme", "crates/cap-fs/Cargo.toml", &other, "crates/cap-fs/README.md: there is none");
}

#[test]
fn a_link_that_leads_nowhere_is_caught() {
    for (link, expected) in [
        ("[a](missing.md)", "no such file"),
        ("[a]: missing.md", "no such file"),
        ("[a](../../elsewhere.md)", "leads out of the repository"),
        ("[a](/etc/passwd)", "an absolute path"),
        ("[a](page.md#missing)", "no such heading"),
        ("[`code`](#missing)", "no such heading"),
    ] {
        let text = format!("# Bad\n\n{link}\n");
        caught("links", "docs/bad.md", &text, "docs/bad.md:3: ");
        caught("links", "docs/bad.md", &text, expected);
    }
}

#[test]
fn a_path_of_a_machine_is_caught() {
    for path in [concat!("/wo", "rk/x"), concat!("/ro", "ot/x")] {
        caught("machine-paths", "docs/bad.md", &format!("see\n`{path}`"), "docs/bad.md:2");
        let within = format!("a/relative{path} ..{path} https://example.org{path}");
        let mut tree = good();
        tree.files.insert("docs/fine.md".to_owned(), within);
        assert_eq!(check("machine-paths", &tree).findings, []);
    }
}

#[test]
fn another_registry_is_caught() {
    let lock = LOCK.replace("github.com", "example.org");
    caught("registries", "xtask/Cargo.lock", &lock, "not from crates.io");
    let host = concat!("https://registry.", "npmjs.org/x");
    caught("registries", "docs/bad.md", host, "the registry host");
}

#[test]
fn findings_name_their_place() {
    let mut outcome = Outcome::default();
    outcome.find("a.rs", Some(3), "bad");
    outcome.find("a.rs", None, "bad");
    outcome.find("", None, "bad");
    let lines: Vec<_> = outcome.findings.iter().map(ToString::to_string).collect();
    assert_eq!(lines, ["a.rs:3: bad", "a.rs: bad", "bad"]);
}
