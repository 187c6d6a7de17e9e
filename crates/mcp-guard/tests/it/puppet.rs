//! A server that says what a test says and hears what a test hears, byte for byte.
//!
//! The test program starts itself again as the server: its standard input goes to a socket of the
//! test, and what comes from there goes to its standard output.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::exit;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{env, thread};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Client, PATIENCE, lines_of};

const SOCKET: &str = "PUPPET_SOCKET";
/// Set: the end of its input does not end the server.
const STAYS: &str = "PUPPET_STAYS";
/// The test harness speaks on the standard output, so the server's own comes as another one.
const ITSELF: &str =
    r#"PUPPET_SOCKET="$1" exec "$0" --exact puppet::plays_the_server --nocapture 3>&1 >/dev/null"#;
const ITSELF_STAYING: &str = r#"PUPPET_STAYS=1 PUPPET_SOCKET="$1" exec "$0" --exact puppet::plays_the_server --nocapture 3>&1 >/dev/null"#;

/// A server that is about to be started.
pub(crate) struct Puppet {
    folder: TempDir,
    program: String,
    socket: String,
    listener: UnixListener,
}

impl Puppet {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let listener = UnixListener::bind(&socket).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self {
            program: env::current_exe().unwrap().to_str().unwrap().to_owned(),
            socket: socket.to_str().unwrap().to_owned(),
            folder,
            listener,
        }
    }

    /// The command that starts it. It ends with its input.
    pub(crate) fn command(&self) -> Vec<&str> {
        vec!["/bin/sh", "-c", ITSELF, &self.program, &self.socket]
    }

    /// The same, of a server that the end of its input does not end.
    pub(crate) fn staying_command(&self) -> Vec<&str> {
        vec!["/bin/sh", "-c", ITSELF_STAYING, &self.program, &self.socket]
    }

    /// Waits until `client` has started it.
    #[track_caller]
    pub(crate) fn started(self, client: &Client) -> Server {
        match self.started_within(PATIENCE) {
            Some(server) => server,
            None => panic!("the server was not started: {}", client.stderr()),
        }
    }

    pub(crate) fn started_within(&self, patience: Duration) -> Option<Server> {
        let end = Instant::now() + patience;
        loop {
            match self.listener.accept() {
                Ok((socket, _)) => {
                    socket.set_nonblocking(false).unwrap();
                    let lines = lines_of(socket.try_clone().unwrap());
                    return Some(Server { socket, lines });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("{}: {error}", self.folder.path().display()),
            }
            if Instant::now() > end {
                return None;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The server's end of the pipes.
pub(crate) struct Server {
    socket: UnixStream,
    lines: Receiver<Vec<u8>>,
}

impl Server {
    /// The next line that the server reads, with its newline.
    #[track_caller]
    pub(crate) fn heard(&mut self) -> Vec<u8> {
        self.lines.recv_timeout(PATIENCE).expect("the server heard no line")
    }

    /// The next line that the server reads, if it comes in time.
    pub(crate) fn heard_within(&mut self, patience: Duration) -> Option<Vec<u8>> {
        self.lines.recv_timeout(patience).ok()
    }

    /// The next line that the server reads, parsed.
    #[track_caller]
    pub(crate) fn message(&mut self) -> Value {
        serde_json::from_slice(&self.heard()).unwrap()
    }

    /// Asserts that this line is the next one that the server reads.
    #[track_caller]
    pub(crate) fn hears(&mut self, expected: &[u8]) {
        let heard = self.heard();
        assert!(
            heard == expected,
            "heard    {:?}\nexpected {:?}",
            String::from_utf8_lossy(&heard),
            String::from_utf8_lossy(expected),
        );
    }

    /// Asserts that the server reads nothing more before the end of its input.
    #[track_caller]
    pub(crate) fn assert_hears_no_more(&mut self) {
        match self.lines.recv_timeout(PATIENCE) {
            Err(RecvTimeoutError::Disconnected) => {}
            Err(RecvTimeoutError::Timeout) => panic!("its input does not end"),
            Ok(line) => panic!("the server heard {:?}", String::from_utf8_lossy(&line)),
        }
    }

    /// Writes bytes as they are to the server's standard output.
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    pub(crate) fn tell(&mut self, line: &str) {
        self.say(format!("{line}\n").as_bytes());
    }

    /// Answers each request, in a thread, with what `answer` makes of it; ends with its input.
    /// What it heard comes back in order.
    pub(crate) fn answering(
        self,
        answer: impl Fn(&Value) -> Value + Send + 'static,
    ) -> thread::JoinHandle<Vec<Value>> {
        thread::spawn(move || {
            let mut heard = Vec::new();
            let Self { mut socket, lines } = self;
            for line in lines {
                // What a killed guard has left of a line was never a message.
                let Ok(message) = serde_json::from_slice::<Value>(&line) else { continue };
                if message.get("id").is_some() && message.get("method").is_some() {
                    let response = answer(&message).to_string() + "\n";
                    // Who does not read any more is not missed.
                    let _ = socket.write_all(response.as_bytes());
                }
                heard.push(message);
            }
            heard
        })
    }
}

/// A result with one text.
pub(crate) fn text_result(request: &Value, text: &str) -> Value {
    let content = serde_json::json!([{ "type": "text", "text": text }]);
    serde_json::json!({ "jsonrpc": "2.0", "id": request["id"], "result": { "content": content } })
}

/// The role of the process that a guard starts; no test of its own without a socket to play on.
#[test]
fn plays_the_server() {
    let Some(socket) = env::var_os(SOCKET) else { return };
    let mut hears = UnixStream::connect(socket).unwrap();
    let mut says = hears.try_clone().unwrap();
    let output = File::options().write(true).open("/dev/fd/3");
    let speaker = thread::spawn(move || {
        relay(&mut says, &mut output.unwrap());
        exit(0)
    });
    relay(&mut io::stdin().lock(), &mut hears);
    if env::var_os(STAYS).is_none() {
        exit(0);
    }
    hears.shutdown(Shutdown::Write).unwrap();
    drop(speaker.join());
}

/// `io::copy` would splice, and hold the lock of the pipe while it waits for the socket.
fn relay(from: &mut impl Read, to: &mut impl Write) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..read]).is_err() {
            return;
        }
    }
}
