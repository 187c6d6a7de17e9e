use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use rustix::fs::{RenameFlags, renameat_with};

use super::*;

mod operations;

/// For each test on each road: 40,000 in all.
const TURNS: usize = 5_000;

/// Swaps two names as fast as it can while `path` is resolved, on both roads, and lets nothing but
/// `allowed` be the answer.
fn never_leaves(ground: &Ground, (one, other): (&str, &str), path: &str, allowed: &[&str]) {
    let base = ground.base(Scope::Beneath);
    let allowed: Vec<_> = allowed.iter().map(|path| number(&ground.root().join(path))).collect();
    let (one, other) = (ground.root().join(one), ground.root().join(other));
    let asked = asked(path);
    for road in ROADS {
        exchange_while(&one, &other, || {
            for _ in 0..TURNS {
                if let Ok(found) = road(&base, &asked) {
                    assert!(
                        allowed.contains(&number_of(&found)),
                        "{path} led to {:?}",
                        found.real()
                    );
                }
            }
        });
    }
}

/// Does `work` while another thread exchanges two names, and says how often it did.
fn exchange_while(one: &Path, other: &Path, work: impl FnOnce()) -> u64 {
    let exchange = || renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
    let (stop, exchanges) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            // An even number of times, so that afterwards all is as it was.
            while !stop.load(Ordering::Relaxed) {
                exchange();
                exchange();
                exchanges.fetch_add(2, Ordering::Relaxed);
            }
        });
        let _stop = OnDrop(&stop);
        work();
    });
    let exchanges = exchanges.into_inner();
    assert!(exchanges > 0);
    exchanges
}

/// Stops the other thread, also when an assertion fails.
struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_directory_that_turns_into_a_link_never_leads_outside() {
    let ground = Ground::new();
    ground.file("door/canary");
    ground.link("spare", "../outside");
    let base = ground.base(Scope::Beneath);
    for road in ROADS {
        assert!(road(&base, &asked("door/canary")).is_ok());
        assert_eq!(road(&base, &asked("spare/canary")).unwrap_err(), Errno::XDEV);
    }
    never_leaves(&ground, ("door", "spare"), "door/canary", &["door/canary"]);
}

#[test]
fn a_file_that_turns_into_a_link_never_leads_outside() {
    let ground = Ground::new();
    ground.file("file");
    ground.link("spare", "../outside/canary");
    never_leaves(&ground, ("file", "spare"), "file", &["file"]);
}

#[test]
fn a_directory_that_moves_up_never_takes_the_dots_outside() {
    let ground = Ground::new();
    ground.dir("deep/door");
    ground.dir("door");
    // From `door` at the top of the root, the dots would lead to the folder that holds the root.
    let path = "deep/door/../../outside/canary";
    ground.file("outside/canary");
    never_leaves(&ground, ("deep/door", "door"), path, &["outside/canary"]);
}

#[test]
fn a_link_that_turns_into_a_directory_never_leads_outside_through_dots() {
    let ground = Ground::new();
    ground.file("inner/canary");
    ground.dir("door");
    ground.link("spare", "inner");
    ground.link("way", "door/../inner/canary");
    never_leaves(&ground, ("door", "spare"), "way", &["inner/canary"]);
}
