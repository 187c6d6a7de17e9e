//! Guards and shells, killed with SIGKILL at any moment under load: what they were told is done is
//! done, and what they had is taken from them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

use cap_audit::{Body, Decision, Kind};
use cap_core::{CapabilityId, DenyCode};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::library::{Library, now};
use crate::puppet::{Puppet, text_result};
use crate::support::{ALLOW_ALL, Client, Place, request};

/// Kills of a guard: a state for each folder, and in each one round after the other.
const FOLDERS: u64 = 8;
const ROUNDS: u64 = 25;
/// Calls that wait for their answers at once.
const OUTSTANDING: usize = 16;

const SEED: &str = "MCP_GUARD_KILL_SEED";

#[test]
fn nothing_is_lost_and_nothing_is_left_when_guards_and_shells_are_killed() {
    let seed: u64 = std::env::var(SEED).map_or(0x9e37_79b9_7f4a_7c15, |seed| seed.parse().unwrap());
    println!("{SEED}={seed}");
    // Two at a time.
    let halves = [0, 1].map(|half| {
        thread::spawn(move || {
            (0..FOLDERS)
                .filter(|folder| folder % 2 == half)
                .fold(Told::default(), |told, folder| {
                    told.and(Scene::new(seed.wrapping_add(folder)).play())
                })
        })
    });
    let told = halves.map(|half| half.join().unwrap()).into_iter().fold(Told::default(), Told::and);
    println!("{told:?}");
    assert_eq!(told.kills as u64, FOLDERS * ROUNDS);
    // A check that could not fail would be none.
    assert!(told.calls_seen > 1000 && told.grants > 20 && told.revocations > 3, "{told:?}");
    assert!(told.shells_killed > 20 && told.killed_before_they_spoke > 5, "{told:?}");
}

/// What happened, in numbers.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    kills: usize,
    killed_before_they_spoke: usize,
    calls_seen: usize,
    calls_answered: usize,
    grants: usize,
    revocations: usize,
    shells_killed: usize,
}

impl Told {
    fn and(self, more: Self) -> Self {
        Self {
            kills: self.kills + more.kills,
            killed_before_they_spoke: self.killed_before_they_spoke + more.killed_before_they_spoke,
            calls_seen: self.calls_seen + more.calls_seen,
            calls_answered: self.calls_answered + more.calls_answered,
            grants: self.grants + more.grants,
            revocations: self.revocations + more.revocations,
            shells_killed: self.shells_killed + more.shells_killed,
        }
    }
}

/// xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// One state folder, and what was acknowledged in it.
struct Scene {
    place: Place,
    policy: PathBuf,
    random: Random,
    granted: BTreeSet<CapabilityId>,
    revoked: BTreeSet<CapabilityId>,
    /// The tools that a server saw called.
    seen: BTreeSet<String>,
    told: Told,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let place = Place::new();
        let policy = place.write("policy.toml", ALLOW_ALL);
        Self {
            place,
            policy,
            random: Random(seed | 1),
            granted: BTreeSet::new(),
            revoked: BTreeSet::new(),
            seen: BTreeSet::new(),
            told: Told::default(),
        }
    }

    fn play(mut self) -> Told {
        for round in 0..ROUNDS {
            let puppet = Puppet::new();
            let mut client = self.guard(&puppet);
            // One in eight is killed while it opens the state.
            if self.random.below(8) == 0 {
                sleep(Duration::from_micros(self.random.below(30_000)));
                client.kill();
                self.told.killed_before_they_spoke += 1;
            } else {
                let server =
                    puppet.started(&client).answering(|call| text_result(call, "answered"));
                let hello = client.ask("ping", &json!({}));
                assert!(hello["result"].is_object(), "{hello}");
                self.check(1);
                self.under_load(round, client, server);
            }
            self.told.kills += 1;
        }
        // The last opener is a shell.
        let shell = self.shell(None);
        assert!(self.hear(&shell), "the last shell: {}", shell.stderr());
        assert!(shell.finish().code == Some(0));
        self.check(0);
        self.place.assert_intact();
        self.told
    }

    fn guard(&self, puppet: &Puppet) -> Client {
        let mut command = self.place.program(&["run", "--policy", self.policy.to_str().unwrap()]);
        Client::start(command.arg("--").args(puppet.command()))
    }

    /// Calls and calls, kills the guard at some moment, and beside it a shell.
    fn under_load(&mut self, round: u64, mut client: Client, server: JoinHandle<Vec<Value>>) {
        for n in 0..OUTSTANDING {
            client.tell(&call(round, n));
        }
        let shell = (self.random.below(2) == 0).then(|| {
            let revocable: Vec<_> = self.granted.difference(&self.revoked).copied().collect();
            let revokes = self.random.below(3) == 0 && !revocable.is_empty();
            self.shell(revocable.last().copied().filter(|_| revokes))
        });
        let mut answered = usize::try_from(self.random.below(60)).unwrap();
        for n in 0..answered {
            client.line();
            client.tell(&call(round, OUTSTANDING + n));
        }
        sleep(Duration::from_micros(self.random.below(1500)));
        client.kill();
        answered += client.received().count();
        if let Some(shell) = shell {
            self.kill_shell(shell);
        }
        let called =
            server.join().unwrap().into_iter().filter(|message| message["method"] == "tools/call");
        let called: Vec<_> =
            called.map(|call| call["params"]["name"].as_str().unwrap().to_owned()).collect();
        assert!(answered <= called.len());
        self.told.calls_answered += answered;
        self.told.calls_seen += called.len();
        self.seen.extend(called);
        self.no_session_outlives_its_lease();
    }

    /// Before anybody has cleaned up.
    fn no_session_outlives_its_lease(&self) {
        let library = Library::open(&self.place.state());
        let after = now() + TimeDelta::seconds(61);
        for standing in library.kernel.list(after).unwrap() {
            if standing.session.is_some() {
                let over = [Some(DenyCode::SessionLapsed), Some(DenyCode::CapabilityRevoked)];
                assert!(over.contains(&standing.refused), "{standing:?}");
            }
        }
    }

    /// What must hold once the next one has opened the state.
    fn check(&self, sessions: usize) {
        let library = Library::open(&self.place.state());
        library.store.verify().unwrap();
        library.assert_intact();
        let all: BTreeMap<_, _> = library
            .kernel
            .list(now())
            .unwrap()
            .into_iter()
            .map(|standing| (standing.capability.id(), standing))
            .collect();
        for id in &self.granted {
            let standing = all.get(id).expect("an acknowledged grant is missing");
            if self.revoked.contains(id) {
                assert_eq!(standing.refused, Some(DenyCode::CapabilityRevoked), "{id}");
            }
        }
        let records = library.records();
        let live = all
            .values()
            .filter(|standing| standing.session.is_some() && standing.refused.is_none());
        assert_eq!(live.count(), sessions, "sessions that stand");
        let recorded = revoked_sessions(&records);
        for standing in all.values().filter(|standing| standing.refused.is_some()) {
            if let Some(session) = standing.session {
                assert!(
                    recorded.contains(&session.to_string()),
                    "no record of the end of {session}"
                );
            }
        }
        let permitted: BTreeSet<_> = records.iter().filter_map(permitted_tool).collect();
        for tool in &self.seen {
            assert!(permitted.contains(tool.as_str()), "no record of the call of {tool}");
        }
        for id in &self.revoked {
            let id = Some(id.to_string());
            assert!(
                records.iter().any(|body| body.kind == Kind::Revocation && body.capability == id)
            );
        }
    }

    /// A shell that revokes a capability, or grants one.
    fn shell(&self, revokes: Option<CapabilityId>) -> Client {
        let id = revokes.map(|id| id.to_string()).unwrap_or_default();
        let arguments: &[&str] = match revokes {
            Some(_) => &["revoke", &id, "--json"],
            None => &[
                "grant",
                "--principal",
                "p",
                "--type",
                "any",
                "--resource",
                "*",
                "--operations",
                "*",
                "--json",
            ],
        };
        Client::start(&mut self.place.program(arguments))
    }

    /// Kills a shell, at any moment or some time after its acknowledgement. A shell lives for some
    /// 15 ms: a later kill would find nobody.
    fn kill_shell(&mut self, mut shell: Client) {
        let has_spoken = self.random.below(2) == 0 && self.hear(&shell);
        sleep(Duration::from_micros(self.random.below(if has_spoken { 2_000 } else { 15_000 })));
        self.told.shells_killed += usize::from(shell.is_running());
        shell.kill();
        if !has_spoken {
            self.hear(&shell);
        }
    }

    /// Notes what a shell has acknowledged, if it has.
    fn hear(&mut self, shell: &Client) -> bool {
        // A line that was cut short has said nothing.
        let Some(line) = shell.received().find(|line| line.ends_with(b"\n")) else { return false };
        let said: Value = serde_json::from_slice(&line).unwrap();
        let id = |pointer| Some(said.pointer(pointer)?.as_str()?.parse().unwrap());
        if let Some(id) = id("/revoked/capability") {
            assert!(self.revoked.insert(id));
            self.told.revocations += 1;
        } else {
            assert!(self.granted.insert(id("/capability/id").unwrap()));
            self.told.grants += 1;
        }
        true
    }
}

fn call(round: u64, n: usize) -> String {
    let id = n as u64;
    request(id, "tools/call", &json!({ "name": format!("t{round}-{n}"), "arguments": { "n": n } }))
}

fn revoked_sessions(records: &[Body]) -> BTreeSet<String> {
    let ended = records.iter().filter(|body| {
        body.kind == Kind::Revocation
            && body.reason.as_deref() == Some("the owner of the session is gone")
    });
    ended.map(|body| body.detail["session"].as_str().unwrap().to_owned()).collect()
}

fn permitted_tool(body: &Body) -> Option<&str> {
    let permits = body.kind == Kind::Ruling && body.decision == Some(Decision::Allow);
    body.tool.as_deref().filter(|_| permits)
}
