//! `mcp-guard run`: a server as a child process, between a client and us.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::cli;
use crate::failure::{During, Failure};
use crate::home::Home;
use crate::policy::Policy;
use crate::relay::{End, Sink, client_to_server, server_to_client, sink};
use crate::session::Session;

/// How long a server has to end by itself once nobody talks to it any more.
const GRACE: Duration = Duration::from_millis(700);
/// How long it has after being told to, and what it has said to come through after its end.
const LAST_GRACE: Duration = Duration::from_millis(300);

/// What ends a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Client(End),
    Server(End),
    /// The server's process has ended, whoever still holds its output.
    Exited,
    Signal(i32),
}

pub(crate) fn run(options: &cli::Run, home: Option<&Path>) -> Result<ExitCode, Failure> {
    let (events, occurred) = channel();
    watch_signals(&events)?;
    let home = Home::open(home)?;
    let session = Session::open(&home, options.policy.as_deref())?;
    let child = match spawn(options) {
        Ok(child) => child,
        Err(failure) => {
            session.close("the server could not be started")?;
            return Err(failure);
        }
    };
    let (code, why) = relay(child, &session, &events, &occurred);
    session.note(&why);
    session.close(&why)?;
    Ok(code)
}

fn watch_signals(events: &Sender<Event>) -> Result<(), Failure> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).during("the signal handlers")?;
    let events = events.clone();
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if events.send(Event::Signal(signal)).is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// The server, in a process group of its own, with what the policy passes of the environment.
fn spawn(options: &cli::Run) -> Result<Child, Failure> {
    let (program, arguments) = options
        .server
        .split_first()
        .ok_or_else(|| Failure::new("name the server's command after `--`"))?;
    let policy = options.policy.as_deref().map(Policy::load).transpose()?;
    let environment = policy.unwrap_or_default().environment(std::env::vars_os());
    Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(environment)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| not_started(program, &error))
}

fn not_started(program: &OsString, error: &io::Error) -> Failure {
    let program = program.to_string_lossy();
    Failure::new(format!("the server `{}` could not be started: {error}", program.escape_debug()))
}

/// Relays until one side ends, then ends the other: the exit code, and why.
fn relay(
    mut child: Child,
    session: &Session,
    events: &Sender<Event>,
    occurred: &Receiver<Event>,
) -> (ExitCode, String) {
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return (ExitCode::FAILURE, "the server has no pipes".into());
    };
    let (to_server, to_client) = (sink(stdin), sink(io::stdout()));
    {
        let (guard, to_server, to_client) =
            (Arc::clone(&session.guard), to_server.clone(), to_client.clone());
        let events = events.clone();
        std::thread::spawn(move || {
            let end = client_to_server(&guard, io::stdin(), &to_server, &to_client);
            let _ = events.send(Event::Client(end));
        });
    }
    {
        let (to_server, to_client, events) = (to_server.clone(), to_client.clone(), events.clone());
        std::thread::spawn(move || {
            wait_for_client(&to_server, &to_client);
            let _ = events.send(Event::Client(End::Closed));
        });
    }
    {
        let (process, events) = (pid(&child), events.clone());
        std::thread::spawn(move || {
            // Where the system cannot say, the end of its output does.
            if has_exited(process, WaitIdOptions::empty()) {
                let _ = events.send(Event::Exited);
            }
        });
    }
    {
        let (guard, to_server) = (Arc::clone(&session.guard), to_server.clone());
        let events = events.clone();
        std::thread::spawn(move || {
            let end = server_to_client(&guard, stdout, &to_server, &to_client);
            let _ = events.send(Event::Server(end));
        });
    }
    let event = occurred.recv().unwrap_or(Event::Client(End::Closed));
    finish(child, event, &to_server, occurred)
}

/// Waits until the client has closed its end and what it wrote before goes nowhere any more:
/// who writes to somebody that does not read would never see the end.
fn wait_for_client(to_server: &Sink, to_client: &Sink) {
    let stdin = io::stdin();
    // That the other end is closed is told without being asked for.
    let mut polled = [PollFd::new(&stdin, PollFlags::empty())];
    while poll(&mut polled, None).is_err() {}
    let moves = |sink: &Sink| sink.try_lock_for(LAST_GRACE).is_some();
    while moves(to_server) && moves(to_client) {
        std::thread::sleep(LAST_GRACE);
    }
}

fn finish(
    mut child: Child,
    event: Event,
    to_server: &Sink,
    occurred: &Receiver<Event>,
) -> (ExitCode, String) {
    match event {
        Event::Client(end @ (End::Closed | End::Unreadable)) | Event::Server(end @ End::Deaf) => {
            // The server sees the end of its input, and may still answer what it was asked.
            close(to_server);
            let deadline = Instant::now() + GRACE;
            let over = |event| matches!(event, Event::Server(_) | Event::Signal(_));
            wait_for(occurred, deadline, over);
            stop(&mut child, deadline);
            match end {
                End::Closed | End::Deaf => (ExitCode::SUCCESS, "the client is gone".into()),
                End::Unreadable => {
                    (ExitCode::FAILURE, "the client sent what could not be answered".into())
                }
            }
        }
        Event::Server(_) | Event::Client(End::Deaf) | Event::Exited => {
            if event == Event::Exited {
                let drained = |event| matches!(event, Event::Server(_) | Event::Signal(_));
                wait_for(occurred, Instant::now() + LAST_GRACE, drained);
            }
            let status = stop(&mut child, Instant::now() + LAST_GRACE);
            (code_of(status), "the server is gone".into())
        }
        Event::Signal(signal) => {
            close(to_server);
            signal_group(&child, signal);
            stop(&mut child, Instant::now() + GRACE);
            (exit_code(128_i32.saturating_add(signal)), format!("signal {signal}"))
        }
    }
}

/// Waits for an event of a kind, and no longer than to `deadline`.
fn wait_for(occurred: &Receiver<Event>, deadline: Instant, wanted: impl Fn(Event) -> bool) {
    let left = || deadline.saturating_duration_since(Instant::now());
    while let Ok(event) = occurred.recv_timeout(left()) {
        if wanted(event) {
            return;
        }
    }
}

/// Closes the server's input, unless a thread is writing to it: then the end of the child does.
fn close(to_server: &Sink) {
    if let Some(mut pipe) = to_server.try_lock_for(Duration::from_millis(100)) {
        pipe.take();
    }
}

/// Waits for the child until `deadline`, then tells it to end, then ends it; with it ends whatever
/// it has started.
fn stop(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    if !exits_by(pid(child), deadline) {
        signal_group(child, SIGTERM);
        exits_by(pid(child), Instant::now() + LAST_GRACE);
    }
    // INVARIANT: nobody has waited for the child yet, so its group's number is nobody else's.
    if let Some(group) = pid(child) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    child.wait().ok()
}

fn exits_by(process: Option<Pid>, deadline: Instant) -> bool {
    while !has_exited(process, WaitIdOptions::NOHANG) {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// Whether a child has ended. It is left to be waited for.
fn has_exited(process: Option<Pid>, options: WaitIdOptions) -> bool {
    let Some(process) = process else { return false };
    let options = options | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    loop {
        match waitid(WaitId::Pid(process), options) {
            Ok(status) => return status.is_some(),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

fn pid(child: &Child) -> Option<Pid> {
    Pid::from_raw(i32::try_from(child.id()).unwrap_or(0))
}

fn signal_group(child: &Child, signal: i32) {
    if let (Some(group), Some(signal)) = (pid(child), Signal::from_named_raw(signal)) {
        let _ = kill_process_group(group, signal);
    }
}

/// The server's own exit code; 128 and the signal's number where it was killed.
fn code_of(status: Option<ExitStatus>) -> ExitCode {
    let Some(status) = status else { return ExitCode::FAILURE };
    let signal = status.signal().map(|signal| 128_i32.saturating_add(signal));
    exit_code(status.code().or(signal).unwrap_or(1))
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
