//! A folder with a state and a policy in it, the processes that use them, and what they say.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::puppet::{Puppet, Server};

/// How long anything that must happen may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// The program.
pub(crate) const GUARD: &str = env!("CARGO_BIN_EXE_mcp-guard");

pub(crate) const AUTHORITY: &str = "dev.mcp-security/authority";
const DENIAL: &str = "dev.mcp-security/denial";

// ---- Policies ----------------------------------------------------------------------------------

/// Everything of every kind, every method.
pub(crate) const ALLOW_ALL: &str = r#"
version = 1
server = "puppet"
[session]
principal = "agent"
resource_type = "any"
resource = "*"
operations = ["*"]
"#;

/// A server, and nothing granted.
pub(crate) const GRANT_NOTHING: &str = "version = 1\nserver = \"puppet\"\n";

/// The tools of the server, and `more` at the end of the session's constraints.
pub(crate) fn tools_policy(more: &str) -> String {
    format!(
        r#"
version = 1
server = "puppet"
[session]
principal = "agent"
resource_type = "tool"
resource = "puppet/*"
operations = ["call"]
[session.constraints]
{more}
"#
    )
}

/// `operations` at and below `folder`, with the tool table of the bundled server.
pub(crate) fn folder_policy(folder: &Path, operations: &[&str], more: &str) -> String {
    format!(
        r#"
version = 1
server = "demo"
tool_table = "demo"
base = {folder:?}
[session]
principal = "agent"
resource_type = "path"
resource = {folder:?}
operations = {operations:?}
{more}
"#
    )
}

// ---- A place -----------------------------------------------------------------------------------

/// A folder of its own for one test, with a state folder in it.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    pub(crate) fn text(&self, below: &str) -> String {
        self.path(below).to_str().unwrap().to_owned()
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path("state")
    }

    pub(crate) fn write(&self, below: &str, text: &str) -> PathBuf {
        let path = self.path(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The program with these arguments, on the state of this place.
    pub(crate) fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(GUARD);
        command.args(arguments).arg("--state-dir").arg(self.state());
        command.env_remove("MCP_GUARD_TOKEN").current_dir(self.0.path());
        command
    }

    /// `run` under `policy`, in front of `server`.
    pub(crate) fn run(&self, policy: &str, server: &[&str]) -> Command {
        let file = self.write("policy.toml", policy);
        let mut command = self.program(&["run", "--policy", file.to_str().unwrap()]);
        command.arg("--").args(server);
        command
    }

    /// The guard under `policy` in front of a server that the test itself plays.
    pub(crate) fn play(&self, policy: &str) -> (Client, Server) {
        let puppet = Puppet::new();
        let client = Client::start(&mut self.run(policy, &puppet.command()));
        let server = puppet.started(&client);
        (client, server)
    }

    /// The guard under `policy` in front of the bundled server, which serves `root`.
    pub(crate) fn demo(&self, policy: &str, root: &Path) -> Client {
        Client::start(&mut self.run(policy, &[GUARD, "demo-server", root.to_str().unwrap()]))
    }

    /// Runs a command of the shell to its end.
    pub(crate) fn shell(&self, arguments: &[&str]) -> Ended {
        Client::start(&mut self.program(arguments)).finish()
    }

    /// What a command of the shell prints as JSON, having done its work.
    #[track_caller]
    pub(crate) fn shell_json(&self, arguments: &[&str]) -> Value {
        let ended = self.shell(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
        serde_json::from_slice(&ended.rest.concat()).unwrap()
    }

    /// Asserts that every log of the state is intact, as the program itself says.
    #[track_caller]
    pub(crate) fn assert_intact(&self) {
        let ended = self.shell(&["audit", "verify"]);
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout(), ended.stderr);
    }

    /// All records of all logs, as the program prints them.
    #[track_caller]
    pub(crate) fn records(&self) -> Vec<Value> {
        let ended = self.shell(&["audit", "tail", "-n", "100000", "--json"]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.rest.iter().map(|line| serde_json::from_slice(line).unwrap()).collect()
    }
}

// ---- A client ----------------------------------------------------------------------------------

/// A process at the other end of three pipes, killed when it goes out of scope.
pub(crate) struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
    stderr: Arc<Mutex<Vec<u8>>>,
    /// Disconnected when everything that was said there has come.
    stderr_ends: Receiver<()>,
    next_id: u64,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; none where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    /// The lines that were not yet received.
    pub(crate) rest: Vec<Vec<u8>>,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.rest.concat()).into_owned()
    }
}

impl Client {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let lines = lines_of(child.stdout.take().unwrap());
        let (stderr, stderr_ends) = text_of(child.stderr.take().unwrap());
        let stdin = child.stdin.take();
        Self { child, stdin, lines, stderr, stderr_ends, next_id: 1000 }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let sent = self.try_send(bytes);
        sent.unwrap_or_else(|error| panic!("{error}; it said: {}", self.stderr()));
    }

    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let stdin = self.stdin.as_mut().expect("the input is closed");
        stdin.write_all(bytes).and_then(|()| stdin.flush())
    }

    /// Writes a line.
    pub(crate) fn tell(&mut self, line: &str) {
        self.send(format!("{line}\n").as_bytes());
    }

    /// The next line, with its newline.
    #[track_caller]
    pub(crate) fn line(&mut self) -> Vec<u8> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(error) => panic!("no line ({error}); it said: {}", self.stderr()),
        }
    }

    /// The next line, if it comes in time.
    pub(crate) fn line_within(&mut self, patience: Duration) -> Option<Vec<u8>> {
        self.lines.recv_timeout(patience).ok()
    }

    /// The next line, parsed.
    #[track_caller]
    pub(crate) fn message(&mut self) -> Value {
        let line = self.line();
        serde_json::from_slice(&line)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&line)))
    }

    /// Sends a request; the next line is its response.
    #[track_caller]
    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> Value {
        let id = self.fresh_id();
        self.tell(&request(id, method, params));
        let response = self.message();
        assert_eq!(response["id"], id, "{response}");
        response
    }

    #[track_caller]
    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        self.ask("tools/call", &json!({ "name": tool, "arguments": arguments }))
    }

    /// As `call`, presenting `evidence`.
    #[track_caller]
    pub(crate) fn call_with(&mut self, evidence: &Value, tool: &str, arguments: &Value) -> Value {
        let meta = json!({ AUTHORITY: evidence });
        let params = json!({ "name": tool, "arguments": arguments, "_meta": meta });
        self.ask("tools/call", &params)
    }

    pub(crate) fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Asserts that nothing more is said before the process closes its output.
    #[track_caller]
    pub(crate) fn assert_silent_to_the_end(&mut self) {
        match self.lines.recv_timeout(PATIENCE) {
            Err(RecvTimeoutError::Disconnected) => {}
            Err(RecvTimeoutError::Timeout) => panic!("it did not end: {}", self.stderr()),
            Ok(line) => panic!("it said: {}", String::from_utf8_lossy(&line)),
        }
    }

    /// Closes the input, and waits for the end.
    pub(crate) fn finish(mut self) -> Ended {
        self.hang_up();
        self.ended()
    }

    pub(crate) fn hang_up(&mut self) {
        self.stdin = None;
    }

    /// Waits for the end.
    pub(crate) fn ended(mut self) -> Ended {
        let mut rest = Vec::new();
        let status = self.wait(PATIENCE);
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            rest.push(line);
        }
        // What the process has started may hold it open for longer.
        let _ = self.stderr_ends.recv_timeout(Duration::from_millis(500));
        Ended { code: status.code(), signal: status.signal(), rest, stderr: self.stderr() }
    }

    /// Waits for the process alone, whoever still holds its output.
    pub(crate) fn wait(&mut self, patience: Duration) -> ExitStatus {
        let end = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "it did not end: {}", self.stderr());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends it with SIGKILL, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// What the process wrote to its standard error so far.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr.lock().unwrap()).into_owned()
    }

    /// Everything that it says to its end, a line at a time.
    pub(crate) fn received(&self) -> impl Iterator<Item = Vec<u8>> {
        std::iter::from_fn(|| self.lines.recv_timeout(PATIENCE).ok())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn lines_of(output: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
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

fn text_of(mut output: impl Read + Send + 'static) -> (Arc<Mutex<Vec<u8>>>, Receiver<()>) {
    let text = Arc::new(Mutex::new(Vec::new()));
    let writer = Arc::clone(&text);
    let (ending, ends) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        let _ending = ending;
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = output.read(&mut bytes) {
            writer.lock().unwrap().extend_from_slice(&bytes[..read]);
        }
    });
    (text, ends)
}

// ---- Messages ----------------------------------------------------------------------------------

pub(crate) fn request(id: u64, method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

/// The request in the words of the stateless era.
pub(crate) fn stateless(mut params: Value) -> Value {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    params
}

/// The guard's refusal that a response is, whatever its form; none, if it is another response.
pub(crate) fn refusal(response: &Value) -> Option<&Value> {
    let (result, error) = (&response["result"], &response["error"]);
    match (result["_meta"].get(DENIAL), error["data"].get(DENIAL)) {
        (Some(denial), None) if result["isError"] == true && error.is_null() => Some(denial),
        (None, Some(denial)) if error["code"].is_i64() && result.is_null() => Some(denial),
        _ => None,
    }
}

/// The code of a refusal; empty for any other response.
pub(crate) fn code(response: &Value) -> &str {
    refusal(response).and_then(|denial| denial["code"].as_str()).unwrap_or_default()
}

/// Asserts that a response is the guard's refusal with this code; answers with its sentence.
#[track_caller]
pub(crate) fn assert_refused<'a>(response: &'a Value, expected: &str) -> &'a str {
    let Some(denial) = refusal(response) else { panic!("not refused: {response}") };
    assert_eq!(denial["code"], expected, "{response}");
    let text = response["result"]["content"][0]["text"].as_str();
    let text = text.or(response["error"]["message"].as_str()).unwrap();
    let trace = denial["trace"].as_str().unwrap();
    assert!(trace.len() == 16 && text.contains(trace) && text.contains(expected), "{response}");
    text
}

/// The text of a server's answer that is no error.
#[track_caller]
pub(crate) fn done(response: &Value) -> &str {
    assert_ne!(response["result"]["isError"], true, "{response}");
    response["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{response}"))
}
