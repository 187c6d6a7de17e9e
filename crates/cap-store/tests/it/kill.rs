//! Processes of their own, killed at any moment: what they were told is done must be done.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use cap_core::Meter;
use cap_kernel::{Change, Draw, Drawn, Epoch, StateStore as _, StoreError, Target};
use cap_store::SqliteStore;
use cap_testkit::state_store::{at, draw, id, revocation};

use crate::Home;

const ROUNDS: u64 = 30;
const WORKERS: u64 = 2;
/// Numbers of one worker: from one more than a multiple of this.
const SPAN: u64 = 1_000_000;
/// Changes of one commit, all with one number.
const PARTS: usize = 3;
/// So much that no lease is less than the most that one may be.
const LIMIT: u64 = 1_000_000_000;
/// Bytes that go with each of these units.
const BYTES: u64 = 5;

const FOLDER: &str = "CAP_STORE_TEST_FOLDER";
const FIRST: &str = "CAP_STORE_TEST_FIRST";

#[test]
fn nothing_acknowledged_is_lost_when_processes_are_killed() {
    let home = Home::new();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut acknowledged = BTreeSet::new();
    let mut drawn = 0;
    for round in 0..ROUNDS {
        let firsts = [0, 1].map(|worker| (round * WORKERS + worker) * SPAN + 1);
        // Both open the state at once, in the first round a new one.
        let workers = firsts.map(|first| Worker::start(&home.folder(), first));
        for mut worker in workers {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let told = worker.listen(usize::try_from(random % 20).unwrap());
            sleep(Duration::from_micros(random % 1_500));
            for line in told.into_iter().chain(worker.kill()) {
                match line {
                    Told::Committed(number) => assert!(acknowledged.insert(number)),
                    Told::Drawn(units) => drawn += units,
                }
            }
        }
        let store = home.open();
        store.verify().unwrap();
        let (epoch, changes) = store.changes_since(Epoch(0)).unwrap();
        assert_eq!(store.epoch(), Ok(epoch));
        assert_eq!(changes.len() % PARTS, 0, "half a commit");
        assert_whole(&changes, &acknowledged);
        // What was drawn just before the end may not have been told.
        let charged = store.drawn(id(0), Meter::Rate, 0).unwrap();
        assert!(drawn <= charged && charged <= LIMIT, "{drawn} {charged}");
        let bytes = store.drawn(id(0), Meter::Bytes, 0).unwrap();
        assert_eq!(bytes, charged * BYTES, "one was charged without the other");
        let gone = firsts.map(id);
        let mut abandoned = store.abandoned_sessions(at(0)).unwrap();
        abandoned.sort_unstable();
        assert_eq!(abandoned, gone);
        for session in gone {
            store.close_session(session).unwrap();
        }
        assert_eq!(store.abandoned_sessions(at(0)), Ok(vec![]));
    }
    println!("{} commits acknowledged, {drawn} units drawn", acknowledged.len());
    assert!(acknowledged.len() as u64 >= ROUNDS * WORKERS);
}

/// Every commit is whole, those of a worker are in order without a gap, and at most its last one
/// was not acknowledged.
fn assert_whole(changes: &[Change], acknowledged: &BTreeSet<u64>) {
    let possible = acknowledged.iter().flat_map(|number| [*number, number + 1]);
    let numbers: BTreeMap<String, u64> =
        possible.map(|number| (subject(&revocation(number)), number)).collect();
    let mut found = BTreeSet::new();
    let mut last = BTreeMap::new();
    for commit in changes.chunks(PARTS) {
        assert!(commit.iter().all(|change| *change == commit[0]));
        let number = *numbers.get(&subject(&commit[0])).expect("a commit that nobody made");
        let before = last.insert(number / SPAN, number).unwrap_or(number / SPAN * SPAN);
        assert_eq!(number, before + 1);
        found.insert(number);
    }
    assert!(acknowledged.is_subset(&found), "an acknowledged commit is lost");
}

fn subject(change: &Change) -> String {
    match change {
        Change::Revoked { target: Target::Capability(id), .. } => id.to_string(),
        other => panic!("{other:?}"),
    }
}

/// What a worker says about itself.
enum Told {
    Committed(u64),
    Drawn(u64),
}

struct Worker {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    fn start(folder: &Path, first: u64) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "kill::what_a_worker_does", "--nocapture"])
            .env(FOLDER, folder)
            .env(FIRST, first.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// At least one commit, and then as many lines.
    fn listen(&mut self, more: usize) -> Vec<Told> {
        let mut told = Vec::new();
        let mut left = None;
        while left != Some(0) {
            let line = self.lines.next().expect("the worker ended by itself").unwrap();
            let Some(line) = Told::read(&line) else { continue };
            left = match left {
                None if matches!(line, Told::Committed(_)) => Some(more),
                None => None,
                Some(left) => Some(left - 1),
            };
            told.push(line);
        }
        told
    }

    /// Ends it with SIGKILL; answers with what it still had said. A line that was cut short by
    /// the end has said nothing.
    fn kill(mut self) -> Vec<Told> {
        self.child.kill().unwrap();
        let last = self.lines.map_while(Result::ok).filter_map(|line| Told::read(&line)).collect();
        assert!(!self.child.wait().unwrap().success());
        last
    }
}

impl Told {
    fn read(line: &str) -> Option<Self> {
        let (what, number) = line.strip_suffix('.')?.split_once(' ')?;
        match what {
            "committed" => Some(Self::Committed(number.parse().unwrap())),
            "drawn" => Some(Self::Drawn(number.parse().unwrap())),
            _ => None,
        }
    }
}

/// The role of the processes that are killed above; no test of its own without a folder to work
/// on.
#[test]
fn what_a_worker_does() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let first: u64 = env::var(FIRST).unwrap().parse().unwrap();
    let store = SqliteStore::open(Path::new(&folder)).unwrap();
    let say = |what: &str, number: u64| {
        let mut out = std::io::stdout().lock();
        // One write: a pipe takes it whole or not at all.
        out.write_all(format!("{what} {number}.\n").as_bytes()).unwrap();
        out.flush().unwrap();
    };
    while let Err(error) = store.open_session(id(first), at(60)) {
        assert!(matches!(error, StoreError::Busy(_)), "{error}");
    }
    // An end, should the parent be gone.
    for number in first..first + 100_000 {
        let changes = [(); PARTS].map(|()| revocation(number));
        loop {
            match store.commit(&changes) {
                Ok(_) => break,
                Err(error) => assert!(matches!(error, StoreError::Busy(_)), "{error}"),
            }
        }
        say("committed", number);
        // Both leases are of the same number of calls.
        let bytes = Draw { meter: Meter::Bytes, need: BYTES, ..draw(0, 0, LIMIT * BYTES) };
        if let Ok(Drawn::Leased(units)) = store.draw(&[draw(0, 0, LIMIT), bytes]) {
            say("drawn", units[0]);
        }
    }
}
