//! Good inputs for each body, to begin with.

use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cap_audit::{AuditLog, Decision, Durability, Kind, MemoryRegistry, Record};
use cap_core::Capability;
use chrono::Duration;
use proptest::collection::vec;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

pub use super::token::seeds::{chains, key_sets, revocations, status_lists};
use super::{Fixed, issue, request, signers};
use crate::strategy::{access_request, capability, granted_at, instant, tree};

/// Capabilities, roots and delegated ones.
pub fn capabilities() -> Vec<Vec<u8>> {
    let mut runner = TestRunner::deterministic();
    let roots: Vec<_> =
        (0..24).map(|_| capability().new_tree(&mut runner).unwrap().current()).collect();
    let trees: Vec<_> = (0..8).map(|_| tree().new_tree(&mut runner).unwrap().current()).collect();
    let delegated = trees.iter().flat_map(|tree| tree.places().map(|place| tree.at(place).clone()));
    roots.into_iter().chain(delegated).map(|one| one.to_json().into_bytes()).collect()
}

/// A few capabilities with a few requests.
pub fn meets() -> Vec<Vec<u8>> {
    let mut runner = TestRunner::deterministic();
    let case = (vec(capability(), 3), vec((access_request(), instant()), 12));
    let mut lines = |_| {
        let (capabilities, requests) = case.new_tree(&mut runner).unwrap().current();
        let requests = requests.iter().filter_map(|(request, now)| request::write(request, *now));
        let lines: Vec<_> = capabilities.iter().map(Capability::to_json).chain(requests).collect();
        lines.join("\n").into_bytes()
    };
    (0..24).map(&mut lines).collect()
}

/// Paths and patterns.
pub fn paths() -> Vec<Vec<u8>> {
    [
        &["/", "/**", "/a"][..],
        &["/srv/data", "/srv/data/../data/./a.txt", "/srv/database"],
        &["/srv/*/b?.txt", "/srv/a/b1.txt", "/srv//a///bc.txt/"],
        &["/a/**/z/**", "/a/**", "/a/b/c/z", "/a/z/b"],
        &["/a/%2e%2e/b", "/a/%2E%2Fb", "/a/%zz"],
        &["/é/日本/e\u{301}", "/é/*", "/?/**"],
        &["/..", "/../../etc/passwd", "/etc"],
        &["a/b", "", "/a\0b", "/a\nb", "~", "C:\\a"],
    ]
    .map(joined)
    .to_vec()
}

/// URLs with patterns, hosts and addresses.
pub fn urls() -> Vec<Vec<u8>> {
    [
        &["https://a.example/a/b", "https://a.example/a", "*.example", "93.184.216.34"][..],
        &["HTTPS://B.A.Example:443/../a?q#f", "https://*.a.example", "a.example", "*"],
        &["http://127.0.0.1:8080/", "http://127.0.0.1:8080", "127.0.0.1", "10.0.0.1", "::1"],
        &["http://0x7f.1/", "*", "::ffff:127.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1"],
        &["http://[::ffff:10.1.2.3]:80/", "[::1]", "2001::f5fe:fdfc", "2606:4700::1"],
        &["ws://localhost:9000", "ws://localhost:9000", "localhost", "fe80::1", "224.0.0.1"],
        &["https://xn--bcher-kva.example/", "https://bücher.example", "*.example"],
        &["https://user:pw@a.example/", "file:///etc/passwd", "https://printer", "x.local"],
        &["ht\ntps://a.ex\tample/%2e%2e/%2fetc", "https://a.example/", "https://a.example./"],
        &["git://a.example/x", "data:,x", "https://a.example:0/", "https://①②⑦.0.0.1/"],
    ]
    .map(joined)
    .to_vec()
}

/// Calls of programs with what may be called.
pub fn argument_vectors() -> Vec<Vec<u8>> {
    let vectors: [&[&[&str]]; 8] = [
        &[&["git", "status"], &["git", "status"], &["git", "log", "--oneline", "*"]],
        &[&["git", "log", "--oneline", "x"], &["git", "log", "--oneline", "*"], &["ls"]],
        &[&["git", "show", "a", "b", "c"], &["git", "show", "**"], &["git", "**", "--", "**"]],
        &[&["git", "-c", "core.pager=x"], &["git", "*", "*"], &["git", "-*", "?*"]],
        &[&["ls", "-la", "/a"], &["git", "**"]],
        &[&["rm", "a\nb", "c"], &["rm", "a\n*", "?"], &["rm", "**"]],
        &[&["x", "", "\0"], &["x", "", "**"]],
        &[&["git"], &["git"], &["*", "**"]],
    ];
    let bytes = |vectors: &[&[&str]]| {
        vectors.iter().map(|vector| joined(vector)).collect::<Vec<_>>().join(&0xFE)
    };
    vectors.map(bytes).to_vec()
}

fn joined(texts: &[&str]) -> Vec<u8> {
    texts.iter().map(|text| text.as_bytes()).collect::<Vec<_>>().join(&0xFF)
}

/// Policies: the documented ones, and one with everything in it.
pub fn policies() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/policies");
    let files = std::fs::read_dir(folder).unwrap();
    let mut all: Vec<_> = files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    all.sort();
    all.push(
        br#"version = 1
server = "s"
base = "/b"
explain = "code"
[table.tools.t.arguments]
p = { kind = "path", operations = ["read", "delete"], recursive = true, literal = ["glob"] }
"q[].u" = { kind = "url", operations = ["read"], optional = true }
[session]
principal = "p"
resource_type = "url"
resource = "https://*.example.org/a"
operations = ["read"]
lifetime_seconds = 60
[session.constraints]
allowed_domains = ["*.example.org"]
protocols = ["https"]
max_delegation_depth = 2
[session.constraints.arguments."s/t".p]
constraint_type = "one_of"
values = ["a", 1, 1.5]
[environment]
pass = ["A"]
set = { B = "c" }
"#
        .to_vec(),
    );
    all
}

/// Messages of both eras, in both directions.
pub fn messages() -> Vec<Vec<u8>> {
    [
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":"a","method":"tools/list","params":{"cursor":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"read_file","arguments":{"path":"a/../b.txt"},"_meta":{"dev.mcp-security/authority":"x.y.z","progressToken":1}}}"#,
        r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"move_file","arguments":{"source":"/srv/data/a","destination":"/srv/data/b"}}}"#,
        r#"{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"},"name":"edit_file","arguments":{"path":"x","edits":[{"oldText":"a","newText":"\u00e9"}],"dryRun":true}}}"#,
        r#"{"jsonrpc":"2.0","id":5,"method":"resources/read","params":{"uri":"file:///srv/data/a%20b"}}"#,
        r#"{"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"git_add","arguments":{"repo_path":"/srv/data","files":["a","b"]}}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"gzip-file-as-resource","arguments":{"data":"https://a.example/x"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"read_file","inputSchema":{"type":"object"}},{"name":"ab","inputSchema":{}}],"nextCursor":"n"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}],"cacheScope":"public","ttlMs":1.50}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"resources":[{"uri":"file:///a","name":"a"}]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"inputRequired","inputRequests":{"r":{"method":"sampling/createMessage","params":{}}}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}"#,
    ]
    .map(|line| line.as_bytes().to_vec())
    .to_vec()
}

/// The tables that ship.
pub fn tables() -> Vec<Vec<u8>> {
    cap_mcp::BUILTIN_TABLES.map(|(_, text)| text.as_bytes().to_vec()).to_vec()
}

/// A log, as it was written and closed.
pub fn logs() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let registry = Arc::new(MemoryRegistry::default());
    let keys = signers().audit.clone();
    let log =
        AuditLog::create(folder.path(), "guard", keys, registry, &Fixed, granted_at()).unwrap();
    for number in 0..6 {
        let at = granted_at() + Duration::milliseconds(400 * number);
        let record = Record::new(Kind::Ruling, "trace", at)
            .principal("agent")
            .tool("fs/read")
            .decision(if number % 2 == 0 { Decision::Allow } else { Decision::Deny });
        let _receipt = log.append(record, Durability::Written).unwrap();
    }
    log.close(granted_at() + Duration::seconds(9)).unwrap();
    let whole = std::fs::read(log.path()).unwrap();
    let half = whole[..whole.len() / 2].to_vec();
    vec![whole, half]
}

/// Whole tokens, and the claims of one.
pub fn tokens() -> Vec<Vec<u8>> {
    let token = token();
    vec![token.clone().into_bytes(), part(&token, 1), part(&token, 0)]
}

/// The claims of a good token.
pub(super) fn claims() -> &'static [u8] {
    static CLAIMS: OnceLock<Vec<u8>> = OnceLock::new();
    CLAIMS.get_or_init(|| part(&token(), 1))
}

fn token() -> String {
    let text = String::from_utf8(capabilities().swap_remove(0)).unwrap();
    issue(&Capability::from_json(&text).unwrap())
}

fn part(token: &str, nth: usize) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(token.split('.').nth(nth).unwrap()).unwrap()
}

#[cfg(test)]
mod tests {
    use super::super::{validator, verify_keys};
    use super::*;

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn every_seed_is_a_good_input() {
        for capability in capabilities() {
            Capability::from_json(text(&capability)).unwrap();
        }
        for meet in meets() {
            let lines: Vec<&str> = text(&meet).lines().collect();
            for capability in &lines[..3] {
                Capability::from_json(capability).unwrap();
            }
            assert!(lines.len() > 8);
            for line in &lines[3..] {
                let (request, now) = request::read(line).unwrap();
                assert_eq!(request::write(&request, now).as_deref(), Some(*line));
            }
        }
        for vectors in argument_vectors() {
            assert!(super::super::argv::Case::new(&vectors).is_some());
        }
        for line in messages() {
            cap_mcp::read(&line).unwrap();
        }
        for table in tables() {
            toml::from_str::<cap_mcp::ToolTable>(text(&table)).unwrap();
        }
        let token = tokens().swap_remove(0);
        validator("guard").validate(text(&token), granted_at()).unwrap();
        let report = cap_audit::verify_bytes(&logs()[0], None, verify_keys());
        assert!(report.fault.is_none() && report.records > 8, "{report:?}");
    }
}
