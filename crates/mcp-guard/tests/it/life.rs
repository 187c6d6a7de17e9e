//! However one side ends, the other ends, too: at once, with a fitting code, with the log complete
//! and the session's capabilities revoked.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};

use crate::puppet::Puppet;
use crate::support::{ALLOW_ALL, Client, Ended, GUARD, PATIENCE, Place, folder_policy};

/// How long the guard has.
const WITHIN: Duration = Duration::from_secs(2);

const MARKER: &[u8] = b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n";

/// The guard in front of a shell script, which is told `place` as its first argument.
fn script(place: &Place, text: &str) -> Client {
    let folder = place.text("");
    Client::start(&mut place.run(ALLOW_ALL, &["/bin/sh", "-c", text, &folder]))
}

/// Waits for the end, which must come in time and leave everything in order.
#[track_caller]
fn ends_in_order(place: &Place, client: Client) -> Ended {
    let since = Instant::now();
    let ended = client.ended();
    let took = since.elapsed();
    assert!(took < WITHIN, "it took {took:?}");
    assert_in_order(place);
    ended
}

/// Every log is closed and intact, and nothing of a session stands.
#[track_caller]
fn assert_in_order(place: &Place) {
    let report = place.shell_json(&["audit", "verify", "--json"]);
    assert_eq!(report["intact"], true, "{report}");
    for log in report["logs"].as_array().unwrap() {
        let shared = log["folder"] == "shell";
        assert_eq!(log["state"], if shared { "open" } else { "closed" }, "{report}");
        assert_eq!(log["unsigned"], 0, "{report}");
    }
    let listed = place.shell(&["list", "--all", "--json"]);
    let mut sessions = 0;
    for line in &listed.rest {
        let standing: Value = serde_json::from_slice(line).unwrap();
        if !standing["session"].is_null() {
            assert_eq!(standing["status"], "capability-revoked", "{standing}");
            sessions += 1;
        }
    }
    assert!(sessions > 0);
}

fn pid(file: &Path) -> Pid {
    let until = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if let Some(number) = text.strip_suffix('\n') {
            return Pid::from_raw(number.parse().unwrap()).unwrap();
        }
        assert!(Instant::now() < until, "nobody wrote {}", file.display());
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Asserts that a process is gone, or at least dead: whoever adopted it may not have looked yet.
#[track_caller]
fn assert_gone(process: Pid) {
    let status = format!("/proc/{}/status", process.as_raw_nonzero());
    let alive = || {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let dead = status.contains("State:\tZ") || status.contains("State:\tX");
        test_kill_process(process).is_ok() && !dead && !status.is_empty()
    };
    // What was sent a SIGKILL may need a moment.
    let until = Instant::now() + Duration::from_millis(500);
    while alive() {
        assert!(Instant::now() < until, "process {process:?} is still there");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn signal(client: &Client, signal: Signal) {
    kill_process(Pid::from_raw(client.id().try_into().unwrap()).unwrap(), signal).unwrap();
}

#[test]
fn when_the_client_goes_the_server_sees_the_end_and_the_guard_ends_well() {
    let place = Place::new();
    let (mut client, mut server) = place.play(ALLOW_ALL);
    client.tell(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}"#);
    server.heard();
    server.tell(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    client.line();
    client.hang_up();
    server.assert_hears_no_more();
    let ended = ends_in_order(&place, client);
    assert_eq!((ended.code, ended.rest.len(), ended.stderr.as_str()), (Some(0), 0, ""));
    let records = place.records();
    let told: Vec<_> =
        records.iter().map(|record| record["body"]["kind"].as_str().unwrap()).collect();
    for kind in ["opened", "grant", "ruling", "completed", "session", "revocation", "closed"] {
        assert!(told.contains(&kind), "{kind}: {told:?}");
    }
}

#[test]
fn what_the_server_still_answers_when_the_client_has_asked_its_last_is_passed_on() {
    let place = Place::new();
    let puppet = Puppet::new();
    let mut client = Client::start(&mut place.run(ALLOW_ALL, &puppet.staying_command()));
    let mut server = puppet.started(&client);
    client.tell(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}"#);
    client.hang_up();
    server.heard();
    server.assert_hears_no_more();
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    server.tell(answer);
    assert_eq!(client.line(), format!("{answer}\n").as_bytes());
    drop(server);
    assert_eq!(client.ended().code, Some(0));
    assert_in_order(&place);
}

#[test]
fn the_guard_ends_with_the_exit_code_of_the_server() {
    for (text, code) in [
        ("exit 7", 7),
        ("exit 0", 0),
        ("exit 255", 255),
        ("kill -KILL $$", 137),
        ("kill -TERM $$", 143),
        ("kill -SEGV $$", 139),
    ] {
        let place = Place::new();
        let mut client = script(&place, &format!("read line; {text}"));
        client.tell(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
        assert_eq!(ends_in_order(&place, client).code, Some(code), "{text}");
    }
}

#[test]
fn the_exit_code_is_that_of_the_server_also_while_the_client_is_writing_to_it() {
    for round in 0..20 {
        let place = Place::new();
        let mut client = script(&place, "read line; exit 7");
        let ping = b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n".repeat(50);
        while client.try_send(&ping).is_ok() {}
        assert_eq!(client.ended().code, Some(7), "round {round}");
    }
}

#[test]
fn a_server_that_closes_its_input_and_ends_later_ends_with_its_own_code() {
    let place = Place::new();
    let mut client = script(&place, "read line; exec 0<&-; sleep 0.2; exit 7");
    let ping = b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n";
    while client.try_send(ping).is_ok() {}
    assert_eq!(client.ended().code, Some(7));
    assert_in_order(&place);
}

#[test]
fn a_server_that_closes_its_output_is_gone() {
    let place = Place::new();
    let client = script(&place, "echo $$ > \"$0/pid\"; exec cat >/dev/null");
    let server = pid(&place.path("pid"));
    assert_eq!(ends_in_order(&place, client).code, Some(143));
    assert_gone(server);
}

#[test]
fn the_last_words_of_a_server_are_passed_on() {
    let place = Place::new();
    let text = r#"printf '{"jsonrpc":"2.0","method":"notifications/message"}\n{"jsonrpc":"2.0","method":"notifications/progress"}'; exit 3"#;
    let ended = ends_in_order(&place, script(&place, text));
    assert_eq!(ended.code, Some(3));
    assert_eq!(
        ended.rest.concat(),
        [MARKER, br#"{"jsonrpc":"2.0","method":"notifications/progress"}"#].concat()
    );
}

#[test]
fn a_signal_ends_both_and_the_exit_code_says_which() {
    for (number, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let place = Place::new();
        let client = script(&place, "echo $$ > \"$0/pid\"; exec cat");
        let server = pid(&place.path("pid"));
        signal(&client, number);
        let ended = ends_in_order(&place, client);
        assert_eq!((ended.code, ended.signal), (Some(code), None));
        assert_gone(server);
    }
}

#[test]
fn a_server_that_ignores_everything_is_killed() {
    let stubborn = "trap '' TERM INT HUP; echo $$ > \"$0/pid\"; while :; do sleep 1000; done";
    let place = Place::new();
    let mut client = script(&place, stubborn);
    let server = pid(&place.path("pid"));
    client.hang_up();
    assert_eq!(ends_in_order(&place, client).code, Some(0));
    assert_gone(server);

    for (number, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let place = Place::new();
        let client = script(&place, stubborn);
        let server = pid(&place.path("pid"));
        signal(&client, number);
        assert_eq!(ends_in_order(&place, client).code, Some(code));
        assert_gone(server);
    }
}

#[test]
fn whatever_the_server_has_started_ends_with_it() {
    let child = "sleep 1000 & echo $! > \"$0/pid\";";
    for (text, code) in [
        ("exec cat", 0),
        ("read line; exit 3", 3),
        ("read line; kill -KILL $$", 137),
        ("trap '' TERM; exec cat", 0),
    ] {
        let place = Place::new();
        let mut client = script(&place, &format!("{child} {text}"));
        let descendant = pid(&place.path("pid"));
        if code == 0 {
            client.hang_up();
        } else {
            client.tell(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
        }
        assert_eq!(ends_in_order(&place, client).code, Some(code), "{text}");
        assert_gone(descendant);
    }
}

#[test]
fn a_client_that_closed_its_end_of_the_output_is_gone() {
    let place = Place::new();
    // It says something again and again, and ends with its input.
    let text = r#"echo $$ > "$0/pid"; (while echo '{"jsonrpc":"2.0","method":"notifications/message"}'; do sleep 0.05; done) & exec cat >/dev/null"#;
    let folder = place.text("");
    let mut command = place.run(ALLOW_ALL, &["/bin/sh", "-c", text, &folder]);
    let mut guard = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let server = pid(&place.path("pid"));
    drop(guard.stdout.take());
    let until = Instant::now() + WITHIN;
    let status = loop {
        if let Some(status) = guard.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > until {
            guard.kill().unwrap();
            guard.wait().unwrap();
            panic!("it did not end");
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    assert_eq!(status.code(), Some(0));
    assert_gone(server);
    assert_in_order(&place);
}

#[test]
fn a_client_that_does_not_read_can_still_end_everything() {
    let flood = r#"echo $$ > "$0/pid"; while :; do echo '{"jsonrpc":"2.0","method":"notifications/message"}'; done"#;
    for number in [None, Some(Signal::TERM)] {
        let place = Place::new();
        let folder = place.text("");
        let mut command = place.run(ALLOW_ALL, &["/bin/sh", "-c", flood, &folder]);
        // Nobody reads what comes from here.
        let mut guard = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let server = pid(&place.path("pid"));
        std::thread::sleep(Duration::from_millis(300));
        match number {
            None => drop(guard.stdin.take()),
            Some(number) => {
                kill_process(Pid::from_raw(guard.id().try_into().unwrap()).unwrap(), number)
                    .unwrap()
            }
        }
        let since = Instant::now();
        let mut ended = guard.try_wait().unwrap();
        while ended.is_none() && since.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(2));
            ended = guard.try_wait().unwrap();
        }
        let took = since.elapsed();
        if ended.is_none() {
            guard.kill().unwrap();
            guard.wait().unwrap();
        }
        assert!(took < WITHIN, "{number:?}: it took {took:?}");
        assert_eq!(ended.unwrap().code(), Some(number.map_or(0, |_| 143)));
        assert_gone(server);
        assert_in_order(&place);
    }
}

#[test]
fn a_server_that_does_not_read_can_be_ended_too() {
    for number in [None, Some(Signal::TERM)] {
        let place = Place::new();
        let mut client = script(&place, "echo $$ > \"$0/pid\"; exec sleep 1000");
        let server = pid(&place.path("pid"));
        let guard = Pid::from_raw(client.id().try_into().unwrap()).unwrap();
        // More than all pipes on the way hold: the last of it stays unsent until the guard is gone.
        let writer = std::thread::spawn(move || {
            let lines =
                b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n".repeat(20_000);
            drop(client.try_send(&lines));
            client
        });
        std::thread::sleep(Duration::from_millis(500));
        let since = Instant::now();
        kill_process(guard, number.unwrap_or(Signal::INT)).unwrap();
        let client = writer.join().unwrap();
        assert_eq!(client.ended().code, Some(number.map_or(130, |_| 143)));
        assert!(since.elapsed() < WITHIN);
        assert_gone(server);
        assert_in_order(&place);
    }
}

#[test]
fn the_death_of_the_client_is_seen_also_while_the_server_does_not_read() {
    let place = Place::new();
    let folder = place.text("");
    let server = "echo $$ > \"$0/pid\"; exec sleep 1000";
    let mut command = place.run(ALLOW_ALL, &["/bin/sh", "-c", server, &folder]);
    let mut guard = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // The client: it writes more than the pipe to the server holds, and dies.
    let mut client = Command::new("/bin/sh")
        .args([
            "-c",
            "while :; do echo '{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}'; done",
        ])
        .stdout(guard.stdin.take().unwrap())
        .spawn()
        .unwrap();
    let server = pid(&place.path("pid"));
    std::thread::sleep(Duration::from_millis(700));
    client.kill().unwrap();
    client.wait().unwrap();
    drop(guard.stdout.take());
    let since = Instant::now();
    let mut ended = guard.try_wait().unwrap();
    while ended.is_none() && since.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(2));
        ended = guard.try_wait().unwrap();
    }
    let took = since.elapsed();
    if ended.is_none() {
        guard.kill().unwrap();
        guard.wait().unwrap();
        let _ = kill_process(server, Signal::KILL);
    }
    assert!(took < WITHIN, "it took {took:?}");
    assert_eq!(ended.unwrap().code(), Some(0));
    assert_gone(server);
    assert_in_order(&place);
}

#[test]
fn a_server_that_cannot_be_started_is_told_and_leaves_everything_in_order() {
    let place = Place::new();
    let missing = place.text("no-such-server");
    for program in [missing.as_str(), &place.text(""), ""] {
        let client = Client::start(&mut place.run(ALLOW_ALL, &[program]));
        let ended = ends_in_order(&place, client);
        assert_eq!(ended.code, Some(2));
        assert!(
            ended.stderr.contains("could not be started") && ended.stderr.contains(program),
            "{}",
            ended.stderr
        );
        assert_eq!(ended.rest.len(), 0);
    }
    let ended = Client::start(place.program(&["run"]).arg("--")).finish();
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("COMMAND"), "{}", ended.stderr);
}

#[test]
fn what_the_server_says_to_people_reaches_the_people() {
    let place = Place::new();
    let client = script(&place, "echo 'ready to serve' >&2; exec cat");
    let ended = client.finish();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), "ready to serve\n"));
}

#[test]
fn a_second_guard_on_the_state_of_a_running_one_leaves_its_session_alone() {
    let place = Place::new();
    place.write("data/a.txt", "a");
    let data = place.path("data");
    let policy = folder_policy(&data, &["read"], "");
    let mut first = place.demo(&policy, &data);
    let read = json!({ "path": "a.txt" });
    assert_eq!(crate::support::done(&first.call("read_file", &read)), "a");
    let second = place.demo(&policy, &data);
    assert_eq!(second.finish().code, Some(0));
    assert_eq!(crate::support::done(&first.call("read_file", &read)), "a");
    assert_eq!(first.finish().code, Some(0));
    assert_in_order(&place);
}

#[test]
fn what_a_killed_guard_leaves_is_revoked_by_the_next_opener_with_a_record() {
    for opener in ["run", "grant"] {
        let place = Place::new();
        place.write("data/a.txt", "a");
        let data = place.path("data");
        let policy = folder_policy(&data, &["read"], "");
        let mut first = place.demo(&policy, &data);
        let read = json!({ "path": "a.txt" });
        assert_eq!(crate::support::done(&first.call("read_file", &read)), "a");
        first.kill();
        match opener {
            "run" => {
                let mut next = place.demo(&policy, &data);
                assert_eq!(crate::support::done(&next.call("read_file", &read)), "a");
                assert_eq!(next.finish().code, Some(0));
            }
            _ => {
                let mut command = place.program(&["grant", "--principal", "p", "--type", "any"]);
                command.args(["--resource", "*", "--operations", "*"]);
                assert_eq!(Client::start(&mut command).finish().code, Some(0));
            }
        }
        assert_in_order(&place);
        let records = place.records();
        let revoked = records.iter().filter(|record| {
            let body = &record["body"];
            body["kind"] == "revocation" && body["reason"] == "the owner of the session is gone"
        });
        assert_eq!(revoked.count(), 1, "{opener}");
        let recovered = records.iter().filter(|record| record["body"]["kind"] == "recovered");
        assert_eq!(recovered.count(), 1, "{opener}");
    }
}

#[test]
fn a_server_that_was_guarded_by_a_killed_guard_sees_the_end_of_its_input() {
    let place = Place::new();
    let (mut client, mut server) = place.play(ALLOW_ALL);
    client.tell(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    server.heard();
    client.kill();
    server.assert_hears_no_more();
}

#[test]
fn the_bundled_server_serves_a_client_directly() {
    let place = Place::new();
    place.write("data/a.txt", "a");
    let mut command = Command::new(GUARD);
    command.args(["demo-server", &place.text("data")]);
    let mut client = Client::start(&mut command);
    assert_eq!(crate::support::done(&client.call("read_file", &json!({ "path": "a.txt" }))), "a");
    client.send(b"\n");
    assert_eq!(client.finish().code, Some(0));
}
