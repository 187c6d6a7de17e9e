//! A client over pipes, and the smallest peers: a bare relay, and a server that says when the first
//! byte came.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// Two threads that copy lines, and nothing else: what any proxy costs at least.
pub fn relay(command: &[String]) -> ExitCode {
    let mut child = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let (mut to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let up = std::thread::spawn(move || copy_lines(std::io::stdin(), &mut to));
    copy_lines(from, &mut std::io::stdout());
    drop(up);
    ExitCode::SUCCESS
}

fn copy_lines(from: impl Read, to: &mut impl Write) {
    let mut from = BufReader::with_capacity(64 * 1024, from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        if to.write_all(&line).and_then(|()| to.flush()).is_err() {
            return;
        }
        line.clear();
    }
}

/// Answers the first message with the instant at which its first byte came.
pub fn first_byte() -> ExitCode {
    let mut byte = [0];
    if std::io::stdin().read_exact(&mut byte).is_err() {
        return ExitCode::FAILURE;
    }
    let at = nanos();
    let mut rest = String::new();
    let _ = std::io::stdin().read_line(&mut rest);
    println!("{}", json!({ "jsonrpc": "2.0", "id": 1, "result": { "at": at.to_string() } }));
    ExitCode::SUCCESS
}

pub fn nanos() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}

/// A server, behind whatever, that a client talks to.
pub struct Client {
    pub child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    id: u64,
}

impl Client {
    pub fn start(command: &[String], environment: &[(String, String)]) -> Self {
        let mut child = Command::new(&command[0])
            .args(&command[1..])
            .envs(environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let to = child.stdin.take().unwrap();
        let from = BufReader::with_capacity(1 << 20, child.stdout.take().unwrap());
        Self { child, to, from, id: 0 }
    }

    pub fn initialize(&mut self) -> Value {
        let answer = self.request(
            "initialize",
            json!({
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": { "name": "benches", "version": "0" },
            }),
        );
        self.send("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n");
        answer
    }

    /// One call, one outstanding.
    pub fn call(&mut self, path: &str) -> Duration {
        let start = Instant::now();
        let answer = self.request("tools/call", call(path));
        let taken = start.elapsed();
        assert!(is_good(&answer), "the call failed: {answer}");
        taken
    }

    /// `calls` calls with `outstanding` of them on the way at once: calls per second.
    pub fn flood(&mut self, path: &str, calls: u64, outstanding: u64) -> f64 {
        let start = Instant::now();
        let (mut sent, mut done) = (0, 0);
        while done < calls {
            let mut batch = String::new();
            while sent < calls && sent - done < outstanding {
                self.id += 1;
                sent += 1;
                let message = json!({ "jsonrpc": "2.0", "id": self.id, "method": "tools/call", "params": call(path) });
                batch.push_str(&format!("{message}\n"));
            }
            self.send(&batch);
            let mut line = Vec::new();
            assert!(self.from.read_until(b'\n', &mut line).unwrap() > 0, "the server is gone");
            assert!(!line.windows(16).any(|part| part == b"\"isError\":true,\""), "a call failed");
            done += 1;
        }
        calls as f64 / start.elapsed().as_secs_f64()
    }

    pub fn request(&mut self, method: &str, params: Value) -> Value {
        self.id += 1;
        let message =
            json!({ "jsonrpc": "2.0", "id": self.id, "method": method, "params": params });
        self.send(&format!("{message}\n"));
        loop {
            let mut line = String::new();
            assert!(self.from.read_line(&mut line).unwrap() > 0, "the server is gone");
            let answer: Value = serde_json::from_str(&line).unwrap();
            if answer.get("id") == Some(&json!(self.id)) {
                return answer;
            }
        }
    }

    fn send(&mut self, text: &str) {
        self.to.write_all(text.as_bytes()).unwrap();
        self.to.flush().unwrap();
    }

    /// Bytes resident, of the process and of its descendants other than `leaf`.
    pub fn resident(&self, leaf: &str) -> f64 {
        tree(self.child.id())
            .iter()
            .filter(|pid| !is_leaf(**pid, leaf))
            .map(|pid| resident(*pid))
            .sum()
    }

    /// Processor time, of the process and of its descendants other than `leaf`.
    pub fn cpu(&self, leaf: &str) -> f64 {
        tree(self.child.id()).iter().filter(|pid| !is_leaf(**pid, leaf)).map(|pid| cpu(*pid)).sum()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        for pid in tree(self.child.id()).into_iter().rev() {
            if pid != self.child.id() {
                let _ = Command::new("kill").arg(pid.to_string()).stderr(Stdio::null()).status();
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn call(path: &str) -> Value {
    json!({ "name": "read_file", "arguments": { "path": path } })
}

fn is_good(answer: &Value) -> bool {
    answer.get("result").is_some_and(|result| result.get("isError") != Some(&Value::Bool(true)))
}

/// The process and its descendants.
fn tree(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut at = 0;
    while at < found.len() {
        let children = format!("/proc/{0}/task/{0}/children", found[at]);
        let children = std::fs::read_to_string(children).unwrap_or_default();
        found.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        at += 1;
    }
    found
}

fn is_leaf(pid: u32, leaf: &str) -> bool {
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    command.split_whitespace().nth(1) == Some(leaf)
}

fn resident(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    let kilobytes = line.split_whitespace().nth(1).and_then(|number| number.parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) * 1024.0
}

/// In nanoseconds, as `schedstat` of each thread has it.
fn cpu(pid: u32) -> f64 {
    let tasks = std::fs::read_dir(PathBuf::from(format!("/proc/{pid}/task"))).into_iter().flatten();
    let of = |task: PathBuf| {
        let text = std::fs::read_to_string(task.join("schedstat")).unwrap_or_default();
        text.split_whitespace().next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(0.0)
    };
    tasks.flatten().map(|task| of(task.path())).sum()
}
