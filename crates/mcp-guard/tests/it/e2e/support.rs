//! The servers, how they are started with and without the guard, and a client that speaks line by
//! line. The policies of all end-to-end tests are written here, and what a refusal looks like is
//! known here only.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long any answer may take: Python and Node start slowly on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where Node 22 lies among what is installed.
const NODE_FOLDER: &str = "node/node_modules/.bin";
/// The prefix of everything that the guard adds to a message.
const META_PREFIX: &str = "dev.mcp-security/";

// ---- What is installed -------------------------------------------------------------------------

/// A file below the folder that `cargo xtask test` installs the servers into.
fn installed(path: &str) -> String {
    let folder = std::env::var_os("MCP_SECURITY_E2E")
        .expect("MCP_SECURITY_E2E names no folder: run these tests with `cargo xtask test`");
    let path = Path::new(&folder).join(path);
    assert!(path.exists(), "not installed: {}", path.display());
    path.to_str().unwrap().to_owned()
}

fn node(program: &str) -> Vec<String> {
    vec![installed(&format!("{NODE_FOLDER}/node")), installed(program)]
}

/// `@modelcontextprotocol/server-filesystem` of 2026, confined by itself to `folder`.
pub(crate) fn filesystem_server(folder: &Path) -> Vec<String> {
    with_folder(node("npm/node_modules/.bin/mcp-server-filesystem"), folder)
}

/// The same of March 2025, which can be led out of `folder` (CVE-2025-53109, CVE-2025-53110).
pub(crate) fn leaking_filesystem_server(folder: &Path) -> Vec<String> {
    with_folder(node("npm-2025/node_modules/.bin/mcp-server-filesystem"), folder)
}

pub(crate) fn everything_server() -> Vec<String> {
    node("npm/node_modules/.bin/mcp-server-everything")
}

pub(crate) fn time_server() -> Vec<String> {
    vec![installed("py/bin/mcp-server-time")]
}

/// `mcp-server-git`, not confined to any repository by itself.
pub(crate) fn git_server() -> Vec<String> {
    vec![installed("py/bin/mcp-server-git")]
}

pub(crate) fn inspector() -> Vec<String> {
    node("npm/node_modules/.bin/mcp-inspector")
}

pub(crate) fn python() -> String {
    installed("py/bin/python")
}

fn with_folder(mut command: Vec<String>, folder: &Path) -> Vec<String> {
    command.push(folder.to_str().unwrap().to_owned());
    command
}

// ---- Policies ----------------------------------------------------------------------------------

/// What a test grants to the session. The one place that knows the policy file.
#[derive(Clone)]
pub(crate) struct Policy {
    server: &'static str,
    /// The shipped tool table.
    table: Option<&'static str>,
    base: Option<PathBuf>,
    resource_type: &'static str,
    resource: String,
    operations: Vec<&'static str>,
    tools: Vec<&'static str>,
    methods: Vec<&'static str>,
    environment: Vec<&'static str>,
}

impl Policy {
    /// Everything of every kind, every method.
    pub(crate) fn allow_all(server: &'static str) -> Self {
        let mut policy = Self::new(server, "any", "*");
        policy.operations = vec!["*"];
        policy
    }

    /// `operations` at and below `folder`, with the tools of the shipped table `table`.
    pub(crate) fn folder(
        server: &'static str,
        table: &'static str,
        folder: &Path,
        operations: &[&'static str],
    ) -> Self {
        let mut policy = Self::new(server, "path", folder.to_str().unwrap());
        policy.table = Some(table);
        policy.base = Some(folder.to_owned());
        policy.operations = operations.to_vec();
        policy
    }

    /// The tools that `pattern` means: `server/tool` or `server/*`.
    pub(crate) fn tools(server: &'static str, pattern: &str) -> Self {
        let mut policy = Self::new(server, "tool", pattern);
        policy.operations = vec!["call"];
        policy
    }

    /// The URLs that `pattern` means, with the tools of the shipped table `table`.
    pub(crate) fn urls(server: &'static str, table: &'static str, pattern: &str) -> Self {
        let mut policy = Self::new(server, "url", pattern);
        policy.table = Some(table);
        policy.operations = vec!["read"];
        policy
    }

    fn new(server: &'static str, resource_type: &'static str, resource: &str) -> Self {
        Self {
            server,
            table: None,
            base: None,
            resource_type,
            resource: resource.to_owned(),
            operations: Vec::new(),
            tools: Vec::new(),
            methods: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// Of what is granted, these tools only (`server/tool`, `server/*`); also those that name no
    /// resource.
    pub(crate) fn only_tools(mut self, tools: &[&'static str]) -> Self {
        self.tools = tools.to_vec();
        self
    }

    /// Methods beside `tools/call`.
    pub(crate) fn methods(mut self, methods: &[&'static str]) -> Self {
        self.methods = methods.to_vec();
        self
    }

    /// Variables that the server gets beside the usual ones.
    pub(crate) fn passing(mut self, variables: &[&'static str]) -> Self {
        self.environment = variables.to_vec();
        self
    }

    fn to_toml(&self) -> String {
        let mut lines = vec!["version = 1".to_owned(), format!("server = {:?}", self.server)];
        lines.extend(self.table.map(|table| format!("tool_table = {table:?}")));
        lines.extend(self.base.as_ref().map(|base| format!("base = {base:?}")));
        lines.push("[session]".to_owned());
        lines.push("principal = \"agent\"".to_owned());
        lines.push(format!("resource_type = {:?}", self.resource_type));
        lines.push(format!("resource = {:?}", self.resource));
        lines.push(format!("operations = {:?}", self.operations));
        lines.push("lifetime_seconds = 3600".to_owned());
        lines.push("[session.constraints]".to_owned());
        for (name, values) in [("allowed_tools", &self.tools), ("allowed_methods", &self.methods)] {
            lines.extend((!values.is_empty()).then(|| format!("{name} = {values:?}")));
        }
        lines.push("[environment]".to_owned());
        lines.push(format!("pass = {:?}", self.environment));
        lines.join("\n") + "\n"
    }
}

/// The command that runs `server` behind the guard under `policy`; the guard's state lies in
/// `folder`, beside the policy.
pub(crate) fn guarded(policy: &Policy, folder: &Path, server: &[String]) -> Vec<String> {
    let policy_file = folder.join("policy.toml");
    std::fs::write(&policy_file, policy.to_toml()).unwrap();
    let mut command = vec![
        env!("CARGO_BIN_EXE_mcp-guard").to_owned(),
        "run".to_owned(),
        "--policy".to_owned(),
        policy_file.to_str().unwrap().to_owned(),
        "--state-dir".to_owned(),
        folder.join("state").to_str().unwrap().to_owned(),
        "--".to_owned(),
    ];
    command.extend_from_slice(server);
    command
}

// ---- Folders -----------------------------------------------------------------------------------

/// `data`, which is granted, beside things that are not: `data_evil` (whose name begins like it),
/// and a link out of `data`.
pub(crate) struct Folders {
    top: tempfile::TempDir,
}

impl Folders {
    pub(crate) fn new() -> Self {
        let folders = Self { top: tempfile::tempdir().unwrap() };
        for folder in [folders.data().join("sub"), folders.top().join("data_evil")] {
            std::fs::create_dir_all(folder).unwrap();
        }
        for (file, text) in [
            ("data/a.txt", "hello\n"),
            ("data/b.txt", "two\nlines\n"),
            ("data/sub/c.txt", "deep\n"),
            ("data_evil/s.txt", "SECRET\n"),
        ] {
            std::fs::write(folders.top().join(file), text).unwrap();
        }
        let link = folders.data().join("link");
        std::os::unix::fs::symlink(folders.top().join("data_evil/s.txt"), link).unwrap();
        folders
    }

    pub(crate) fn top(&self) -> &Path {
        self.top.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.top().join("data")
    }

    /// A path below the top folder, as an argument.
    pub(crate) fn path(&self, below: &str) -> String {
        self.top().join(below).to_str().unwrap().to_owned()
    }
}

// ---- A client ----------------------------------------------------------------------------------

/// Which of the two protocols a session speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    /// `initialize`, 2025-11-25.
    Legacy,
    /// Stateless, 2026-07-28.
    Modern,
}

/// A child process at the other end of two pipes, killed when it goes out of scope.
pub(crate) struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
    stderr: Arc<Mutex<Vec<u8>>>,
    next_id: u64,
    /// Lines that came while an answer was awaited and were not that answer.
    pub(crate) others: Vec<Value>,
}

impl Client {
    pub(crate) fn start(command: &[String], working_folder: &Path) -> Self {
        let mut child = process(command, working_folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let lines = lines_of(child.stdout.take().unwrap());
        let stderr = text_of(child.stderr.take().unwrap());
        let stdin = child.stdin.take();
        Self { child, stdin, lines, stderr, next_id: 100, others: Vec::new() }
    }

    /// Writes one line.
    pub(crate) fn send(&mut self, line: &[u8]) {
        let stdin = self.stdin.as_mut().expect("the input is closed");
        let sent = stdin.write_all(&[line, b"\n"].concat()).and_then(|()| stdin.flush());
        sent.unwrap_or_else(|error| panic!("{error}; it said: {}", self.stderr()));
    }

    /// The next line, with its newline.
    pub(crate) fn receive(&mut self) -> Vec<u8> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(error) => panic!("no answer ({error}); it said: {}", self.stderr()),
        }
    }

    /// Sends a request and returns its response; what comes before it is kept in `others`.
    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.next_id += 1;
        let id = self.next_id;
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.send(request.to_string().as_bytes());
        loop {
            let line = self.receive();
            let message: Value = serde_json::from_slice(&line).unwrap();
            if message["id"] == id && message.get("method").is_none() {
                return message;
            }
            self.others.push(message);
        }
    }

    pub(crate) fn tell(&mut self, method: &str) {
        self.send(json!({ "jsonrpc": "2.0", "method": method }).to_string().as_bytes());
    }

    /// Closes the input, and returns how the process ended with the lines not yet received.
    pub(crate) fn finish(mut self) -> (ExitStatus, Vec<Vec<u8>>) {
        self.stdin = None;
        let end = Instant::now() + PATIENCE;
        let mut rest = Vec::new();
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => rest.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it did not end: {}", self.stderr()),
            }
        }
        (self.child.wait().unwrap(), rest)
    }

    /// What the process wrote to its standard error so far.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr.lock().unwrap()).into_owned()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A client that has introduced itself.
pub(crate) struct Session {
    pub(crate) client: Client,
    era: Era,
}

impl Session {
    pub(crate) fn open(command: &[String], working_folder: &Path, era: Era) -> Self {
        Self::open_with(command, working_folder, era, &json!({}))
    }

    /// With these client capabilities.
    pub(crate) fn open_with(
        command: &[String],
        working_folder: &Path,
        era: Era,
        capabilities: &Value,
    ) -> Self {
        let mut session = Self { client: Client::start(command, working_folder), era };
        let opening = match era {
            Era::Legacy => session.client.ask(
                "initialize",
                &json!({
                    "protocolVersion": "2025-11-25",
                    "capabilities": capabilities,
                    "clientInfo": { "name": "e2e", "version": "1" },
                }),
            ),
            Era::Modern => session.ask("server/discover", json!({})),
        };
        assert!(opening["result"]["capabilities"].is_object(), "{opening}");
        if era == Era::Legacy {
            session.client.tell("notifications/initialized");
        }
        session
    }

    /// Sends a request in the words of the session's era.
    pub(crate) fn ask(&mut self, method: &str, mut params: Value) -> Value {
        if self.era == Era::Modern {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": { "name": "e2e", "version": "1" },
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        self.client.ask(method, &params)
    }

    /// The names in the tool list, sorted.
    pub(crate) fn tool_names(&mut self) -> Vec<String> {
        let list = self.ask("tools/list", json!({}));
        let tools = list["result"]["tools"].as_array().unwrap_or_else(|| panic!("{list}"));
        let mut names: Vec<_> =
            tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Outcome {
        let response = self.ask("tools/call", json!({ "name": tool, "arguments": arguments }));
        let result = &response["result"];
        if result.is_object() {
            let of_the_era = (self.era == Era::Modern).then(|| json!("complete"));
            assert_eq!(result.get("resultType"), of_the_era.as_ref(), "{response}");
        }
        Outcome::of(&response)
    }
}

// ---- What came out -----------------------------------------------------------------------------

/// What became of a tool call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The server did it; the text of the answer.
    Done(String),
    /// The server answered that it could not; the text.
    Failed(String),
    /// The guard refused; the whole response.
    Refused(String),
}

impl Outcome {
    fn of(response: &Value) -> Self {
        if is_refusal(response) {
            return Self::Refused(response.to_string());
        }
        let result = &response["result"];
        let blocks = result["content"].as_array().map_or(&[] as &[Value], Vec::as_slice);
        let texts: Vec<_> = blocks.iter().filter_map(|block| block["text"].as_str()).collect();
        match result["content"].is_array() && result["isError"] != true {
            true => Self::Done(texts.join("\n")),
            false if texts.is_empty() => Self::Failed(response.to_string()),
            false => Self::Failed(texts.join("\n")),
        }
    }

    /// The text of an answer of the server.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        match self {
            Self::Done(text) => text,
            other => panic!("not done: {other:?}"),
        }
    }

    /// Asserts that the guard refused, with one of these codes.
    #[track_caller]
    pub(crate) fn refused(self, codes: &[&str]) {
        let Self::Refused(response) = self else { panic!("not refused with {codes:?}: {self:?}") };
        assert!(
            codes.iter().any(|code| response.contains(code)),
            "refused, but not with {codes:?}: {response}"
        );
    }
}

/// Whether a response is the guard's own refusal: an error in a form that no client takes for
/// success, which says under our prefix, in `_meta` or in the error's data, that it is ours.
pub(crate) fn is_refusal(response: &Value) -> bool {
    let ours = |value: &Value| {
        let members = value.as_object();
        members.is_some_and(|members| members.keys().any(|key| key.starts_with(META_PREFIX)))
    };
    let (result, error) = (&response["result"], &response["error"]);
    (result["isError"] == true && ours(&result["_meta"]))
        || (error["code"].is_i64() && ours(&error["data"]))
}

/// Asserts that a response refuses a request that is not a tool call: a JSON-RPC error of the
/// guard, with a code that no revision of MCP or JSON-RPC reserves.
#[track_caller]
pub(crate) fn assert_method_refused(response: &Value) {
    assert!(is_refusal(response), "not refused: {response}");
    let code = response["error"]["code"].as_i64().expect("no JSON-RPC error");
    assert!(!(-32768..=-32000).contains(&code), "a reserved code: {response}");
    let text = response.to_string();
    let codes = ["method-not-allowed", "kind-not-granted"];
    assert!(codes.iter().any(|code| text.contains(code)), "not with {codes:?}: {text}");
}

// ---- Processes ---------------------------------------------------------------------------------

/// Runs a command to its end.
pub(crate) fn output_of(command: &[String], working_folder: &Path) -> Output {
    process(command, working_folder).stdin(Stdio::null()).output().unwrap()
}

/// A command in an environment of ours: Node 22 first in the path, a home without settings, and a
/// secret that no server is meant to see.
fn process(command: &[String], working_folder: &Path) -> Command {
    let node = std::env::var_os("MCP_SECURITY_E2E").map(|e2e| Path::new(&e2e).join(NODE_FOLDER));
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let paths = node.into_iter().chain(std::env::split_paths(&inherited));
    let mut process = Command::new(&command[0]);
    process.args(&command[1..]).current_dir(working_folder).env("HOME", working_folder);
    process.env("PATH", std::env::join_paths(paths).unwrap());
    process.env(SECRET_VARIABLE.0, SECRET_VARIABLE.1);
    process.env("MCP_INSPECTOR_SECRET_STORE", "memory");
    for variable in ["MCP_GUARD_TOKEN", "GIT_DIR", "GIT_WORK_TREE"] {
        process.env_remove(OsStr::new(variable));
    }
    process
}

/// Set for every process that a test starts; a server sees it only if the policy passes it on.
pub(crate) const SECRET_VARIABLE: (&str, &str) = ("E2E_SECRET", "not-for-servers");

fn lines_of(output: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut output = BufReader::new(output);
        loop {
            let mut line = Vec::new();
            match output.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if sender.send(line).is_err() => return,
                Ok(_) => {}
            }
        }
    });
    receiver
}

fn text_of(mut output: impl Read + Send + 'static) -> Arc<Mutex<Vec<u8>>> {
    let text = Arc::new(Mutex::new(Vec::new()));
    let writer = Arc::clone(&text);
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = output.read(&mut bytes) {
            writer.lock().unwrap().extend_from_slice(&bytes[..read]);
        }
    });
    text
}
