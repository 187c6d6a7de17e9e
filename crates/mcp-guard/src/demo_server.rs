//! A real MCP file server that confines nothing: what `mcp-guard demo` puts behind the guard.
//!
//! It speaks newline-delimited JSON-RPC in both protocol eras: the `initialize` handshake of
//! 2025-11-25 and earlier, and the stateless requests of 2026-07-28. It keeps no session; the
//! version in the `_meta` of each request says which era that request belongs to.
//!
//! SECURITY: paths are followed wherever the operating system leads, absolute ones, `..` and links
//! included. That is its purpose: never serve it to anyone without a guard in front.

use std::fs;
use std::io::{self, BufRead, BufWriter, Write};
use std::path::Path;

use serde_json::{Value, json};

/// The handshake revisions that are answered as asked for; any other is answered with the first.
const LEGACY_VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
const STATELESS_VERSION: &str = "2026-07-28";
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
const SERVER_INFO_KEY: &str = "io.modelcontextprotocol/serverInfo";
const LIST_TTL_MS: u32 = 60_000;

/// Serves the files that this process can reach, relative paths beneath `root`, until `input` ends.
///
/// Requests are answered one by one, in their order, and each answer is flushed at once.
///
/// # Errors
/// When `input` cannot be read or `output` cannot be written. What goes wrong inside a tool is an
/// answer.
pub(crate) fn serve(root: &Path, mut input: impl BufRead, output: impl Write) -> io::Result<()> {
    let mut output = BufWriter::new(output);
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        if let Some(reply) = reply(root, line.trim_ascii()) {
            writeln!(output, "{reply}")?;
            output.flush()?;
        }
        line.clear();
    }
    Ok(())
}

/// The answer to one line, if the line asks for one: notifications and responses do not.
fn reply(root: &Path, line: &[u8]) -> Option<Value> {
    if line.is_empty() {
        return None;
    }
    let Ok(message) = serde_json::from_slice::<Value>(line) else {
        return Some(json!({ "jsonrpc": "2.0", "error": Fault::Parse.into_error() }));
    };
    let id = message.get("id")?;
    let method = message.get("method")?.as_str()?;
    let params = message.get("params").unwrap_or(&Value::Null);
    Some(match respond(root, method, params) {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(fault) => json!({ "jsonrpc": "2.0", "id": id, "error": fault.into_error() }),
    })
}

fn respond(root: &Path, method: &str, params: &Value) -> Result<Value, Fault> {
    let era = Era::of(params)?;
    match (method, era) {
        ("initialize", Era::Handshake) => Ok(initialize(params)),
        ("ping", Era::Handshake) => Ok(json!({})),
        ("server/discover", Era::Stateless) => {
            let versions = [STATELESS_VERSION];
            Ok(era.cacheable(
                json!({ "supportedVersions": versions, "capabilities": capabilities() }),
            ))
        }
        ("tools/list", _) => Ok(era.cacheable(json!({ "tools": tools() }))),
        ("tools/call", _) => call(root, params).map(|result| era.complete(result)),
        _ => Err(Fault::UnknownMethod(method.to_owned())),
    }
}

/// Which of the two protocols a request speaks.
#[derive(Clone, Copy)]
enum Era {
    Handshake,
    Stateless,
}

impl Era {
    fn of(params: &Value) -> Result<Self, Fault> {
        let meta = params.get("_meta").unwrap_or(&Value::Null);
        match meta.get(VERSION_KEY).map(Value::as_str) {
            None => Ok(Self::Handshake),
            Some(None) => Err(Fault::Params(format!("`{VERSION_KEY}` must be a string"))),
            Some(Some(STATELESS_VERSION))
                if meta.get(CAPABILITIES_KEY).is_some_and(Value::is_object) =>
            {
                Ok(Self::Stateless)
            }
            Some(Some(STATELESS_VERSION)) => {
                Err(Fault::Params(format!("`{CAPABILITIES_KEY}` must be an object")))
            }
            Some(Some(other)) => Err(Fault::UnsupportedVersion(other.to_owned())),
        }
    }

    /// Adds what every result of the era must say.
    fn complete(self, mut result: Value) -> Value {
        if let (Self::Stateless, Some(members)) = (self, result.as_object_mut()) {
            members.insert("resultType".to_owned(), json!("complete"));
            members.insert("_meta".to_owned(), json!({ SERVER_INFO_KEY: server_info() }));
        }
        result
    }

    /// As [`Self::complete`], for the results that a client may keep.
    fn cacheable(self, mut result: Value) -> Value {
        if let (Self::Stateless, Some(members)) = (self, result.as_object_mut()) {
            members.insert("ttlMs".to_owned(), json!(LIST_TTL_MS));
            members.insert("cacheScope".to_owned(), json!("public"));
        }
        self.complete(result)
    }
}

fn initialize(params: &Value) -> Value {
    let asked = params.get("protocolVersion").and_then(Value::as_str);
    let [newest, ..] = LEGACY_VERSIONS;
    let version = asked.filter(|asked| LEGACY_VERSIONS.contains(asked)).unwrap_or(newest);
    json!({
        "protocolVersion": version,
        "capabilities": capabilities(),
        "serverInfo": server_info(),
    })
}

fn capabilities() -> Value {
    json!({ "tools": {} })
}

fn server_info() -> Value {
    json!({ "name": "mcp-guard-demo-files", "version": env!("CARGO_PKG_VERSION") })
}

fn tools() -> Value {
    json!([
        tool("read_file", "Read a text file.", &["path"]),
        tool("write_file", "Write a text file, replacing what it held.", &["path", "content"]),
        tool("list_directory", "List the entries of a folder.", &["path"]),
        tool("move_file", "Move a file or folder.", &["source", "destination"]),
    ])
}

fn tool(name: &str, description: &str, arguments: &[&str]) -> Value {
    let properties: serde_json::Map<_, _> = arguments
        .iter()
        .map(|argument| ((*argument).to_owned(), json!({ "type": "string" })))
        .collect();
    json!({
        "name": name,
        "description": description,
        "inputSchema": { "type": "object", "properties": properties, "required": arguments },
    })
}

/// Runs the tool that `params` names. What the tool could not do is a result with `isError`, which
/// the model sees; a call that is malformed is a protocol error.
fn call(root: &Path, params: &Value) -> Result<Value, Fault> {
    let name = params
        .get("name")
        .and_then(Value::as_str)
        .ok_or_else(|| Fault::Params("`name` must be a string".to_owned()))?;
    let argument = |key: &str| {
        params.get("arguments").and_then(|arguments| arguments.get(key)?.as_str()).ok_or_else(
            || Fault::Params(format!("the argument `{key}` of `{name}` must be a string")),
        )
    };
    let path = |key: &str| argument(key).map(|path| root.join(path));
    let outcome = match name {
        "read_file" => fs::read_to_string(path("path")?),
        "write_file" => write(&path("path")?, argument("content")?),
        "list_directory" => list(&path("path")?),
        "move_file" => {
            fs::rename(path("source")?, path("destination")?).map(|()| "moved".to_owned())
        }
        _ => return Err(Fault::Params(format!("unknown tool: {name}"))),
    };
    let is_error = outcome.is_err();
    let text = outcome.unwrap_or_else(|error| error.to_string());
    Ok(json!({ "content": [{ "type": "text", "text": text }], "isError": is_error }))
}

fn write(path: &Path, content: &str) -> io::Result<String> {
    fs::write(path, content)?;
    Ok(format!("{} bytes written", content.len()))
}

/// One entry per line, sorted by name, folders marked as such.
fn list(folder: &Path) -> io::Result<String> {
    let mut lines = fs::read_dir(folder)?
        .map(|entry| {
            let entry = entry?;
            let kind = if entry.file_type()?.is_dir() { "[DIR]" } else { "[FILE]" };
            Ok((entry.file_name(), format!("{kind} {}", entry.file_name().display())))
        })
        .collect::<io::Result<Vec<_>>>()?;
    lines.sort();
    Ok(lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n"))
}

/// Why a request has no result.
enum Fault {
    Parse,
    UnknownMethod(String),
    Params(String),
    UnsupportedVersion(String),
}

impl Fault {
    /// The JSON-RPC error object; codes from JSON-RPC 2.0 and, for the version, MCP 2026-07-28.
    fn into_error(self) -> Value {
        match self {
            Self::Parse => json!({ "code": -32700, "message": "the line is not JSON" }),
            Self::UnknownMethod(method) => {
                json!({ "code": -32601, "message": format!("unknown method: {method}") })
            }
            Self::Params(message) => json!({ "code": -32602, "message": message }),
            Self::UnsupportedVersion(requested) => json!({
                "code": -32022,
                "message": "unsupported protocol version",
                "data": { "supported": [STATELESS_VERSION], "requested": requested },
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the server writes for what the client wrote, each line parsed.
    fn session(root: &Path, lines: &[Value]) -> Vec<Value> {
        let input = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        raw_session(root, input.as_bytes())
    }

    fn raw_session(root: &Path, input: &[u8]) -> Vec<Value> {
        let mut output = Vec::new();
        serve(root, input, &mut output).unwrap();
        let output = String::from_utf8(output).unwrap();
        output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn request(id: u32, method: &str, params: &Value) -> Value {
        json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
    }

    fn called(root: &Path, name: &str, arguments: &Value) -> Value {
        let params = json!({ "name": name, "arguments": arguments });
        session(root, &[request(1, "tools/call", &params)]).remove(0)
    }

    fn text(reply: &Value) -> &str {
        reply["result"]["content"][0]["text"].as_str().unwrap()
    }

    /// A folder `data` with one file, beside a file that no guard would give out.
    fn folders() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("data");
        fs::create_dir(&root).unwrap();
        fs::write(root.join("notes.txt"), "hello").unwrap();
        fs::write(folder.path().join("secret.txt"), "secret").unwrap();
        (folder, root)
    }

    #[test]
    fn the_handshake_answers_with_the_version_asked_for_or_the_newest() {
        for (asked, answered) in [
            ("2025-06-18", "2025-06-18"),
            ("2024-11-05", "2024-11-05"),
            ("1999-01-01", "2025-11-25"),
        ] {
            let params = json!({ "protocolVersion": asked, "capabilities": {}, "clientInfo": {} });
            let replies = session(Path::new("."), &[request(7, "initialize", &params)]);
            assert_eq!(replies[0]["id"], 7);
            assert_eq!(replies[0]["result"]["protocolVersion"], answered);
            assert!(replies[0]["result"]["capabilities"]["tools"].is_object());
            assert!(replies[0]["result"]["serverInfo"]["name"].is_string());
        }
    }

    #[test]
    fn results_carry_the_members_of_their_era_only() {
        let meta = json!({ "_meta": { VERSION_KEY: STATELESS_VERSION, CAPABILITIES_KEY: {} } });
        let replies = session(
            Path::new("."),
            &[
                request(1, "tools/list", &json!({})),
                request(2, "tools/list", &meta),
                request(3, "server/discover", &meta),
                request(4, "ping", &json!({})),
            ],
        );
        assert_eq!(replies[0]["result"].as_object().unwrap().len(), 1);
        assert_eq!(replies[1]["result"]["resultType"], "complete");
        assert_eq!(replies[1]["result"]["cacheScope"], "public");
        assert_eq!(replies[1]["result"]["ttlMs"], LIST_TTL_MS);
        assert_eq!(replies[1]["result"]["tools"], replies[0]["result"]["tools"]);
        assert_eq!(replies[2]["result"]["supportedVersions"], json!([STATELESS_VERSION]));
        assert_eq!(replies[3]["result"], json!({}));
    }

    #[test]
    fn a_stateless_call_has_a_result_type_and_a_handshake_call_has_none() {
        let (_folder, root) = folders();
        let mut params = json!({ "name": "read_file", "arguments": { "path": "notes.txt" } });
        let legacy = session(&root, &[request(1, "tools/call", &params)]).remove(0);
        params["_meta"] = json!({ VERSION_KEY: STATELESS_VERSION, CAPABILITIES_KEY: {} });
        let stateless = session(&root, &[request(1, "tools/call", &params)]).remove(0);
        assert_eq!((text(&legacy), text(&stateless)), ("hello", "hello"));
        assert_eq!(legacy["result"].get("resultType"), None);
        assert_eq!(stateless["result"]["resultType"], "complete");
    }

    #[test]
    fn malformed_requests_are_protocol_errors_with_the_code_of_the_protocol() {
        let unsupported = json!({ "_meta": { VERSION_KEY: "1900-01-01", CAPABILITIES_KEY: {} } });
        let incomplete = json!({ "_meta": { VERSION_KEY: STATELESS_VERSION } });
        for (method, params, code) in [
            ("no/such/method", json!({}), -32601),
            ("server/discover", json!({}), -32601),
            ("tools/list", unsupported, -32022),
            ("tools/list", incomplete, -32602),
            ("tools/call", json!({}), -32602),
            ("tools/call", json!({ "name": "no_such_tool", "arguments": {} }), -32602),
            ("tools/call", json!({ "name": "read_file" }), -32602),
            ("tools/call", json!({ "name": "read_file", "arguments": { "path": 1 } }), -32602),
        ] {
            let replies = session(Path::new("."), &[request(1, method, &params)]);
            assert_eq!(replies[0]["error"]["code"], code, "{method} {params}");
        }
        assert_eq!(raw_session(Path::new("."), b"{\n")[0]["error"]["code"], -32700);
    }

    #[test]
    fn notifications_responses_and_blank_lines_are_not_answered() {
        let notification = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        let response = json!({ "jsonrpc": "2.0", "id": 1, "result": {} });
        let lines = format!("\n{notification}\r\n{response}\n");
        assert_eq!(raw_session(Path::new("."), lines.as_bytes()), Vec::<Value>::new());
    }

    #[test]
    fn tools_do_what_they_say() {
        let (_folder, root) = folders();
        called(&root, "write_file", &json!({ "path": "new.txt", "content": "näu" }));
        called(&root, "move_file", &json!({ "source": "new.txt", "destination": "moved.txt" }));
        fs::create_dir(root.join("folder")).unwrap();
        assert_eq!(text(&called(&root, "read_file", &json!({ "path": "moved.txt" }))), "näu");
        let listing = called(&root, "list_directory", &json!({ "path": "." }));
        assert_eq!(text(&listing), "[DIR] folder\n[FILE] moved.txt\n[FILE] notes.txt");
        assert_eq!(listing["result"]["isError"], false);
        let missing = called(&root, "read_file", &json!({ "path": "missing.txt" }));
        assert_eq!(missing["result"]["isError"], true);
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_confined() {
        let (folder, root) = folders();
        let secret = folder.path().join("secret.txt");
        std::os::unix::fs::symlink(&secret, root.join("link.txt")).unwrap();
        for path in ["../secret.txt", "link.txt", secret.to_str().unwrap()] {
            assert_eq!(
                text(&called(&root, "read_file", &json!({ "path": path }))),
                "secret",
                "{path}"
            );
        }
    }

    #[test]
    fn requests_sent_ahead_are_all_answered_in_their_order() {
        let requests: Vec<_> = (0..64).map(|id| request(id, "tools/list", &json!({}))).collect();
        let replies = session(Path::new("."), &requests);
        let ids: Vec<_> = replies.iter().map(|reply| reply["id"].as_u64().unwrap()).collect();
        assert_eq!(ids, (0..64).collect::<Vec<_>>());
    }
}
