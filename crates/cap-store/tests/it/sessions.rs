use std::fs::{self, File};

use cap_kernel::{StateStore as _, StoreError};
use cap_testkit::state_store::{at, id};

use crate::Home;

fn lock(home: &Home, session: u64) -> std::path::PathBuf {
    home.file(&format!("sessions/{}.lock", id(session)))
}

#[test]
fn a_lock_file_lasts_as_long_as_its_session() {
    let home = Home::new();
    let store = home.open();
    assert!(!lock(&home, 1).exists());
    store.open_session(id(1), at(60)).unwrap();
    assert!(lock(&home, 1).exists());
    store.close_session(id(1)).unwrap();
    assert!(!lock(&home, 1).exists());
    assert!(store.open_session(id(1), at(60)).is_err());
    assert!(!lock(&home, 1).exists());
}

#[test]
fn a_session_without_its_lock_file_is_abandoned() {
    let home = Home::new();
    let store = home.open();
    store.open_session(id(1), at(60)).unwrap();
    fs::remove_file(lock(&home, 1)).unwrap();
    assert_eq!(store.abandoned_sessions(at(0)), Ok(vec![id(1)]));
    store.close_session(id(1)).unwrap();
}

#[test]
fn those_who_look_at_once_do_not_hide_an_abandoned_session_from_each_other() {
    let home = Home::new();
    home.open().open_session(id(1), at(60)).unwrap();
    let looking = File::open(lock(&home, 1)).unwrap();
    looking.try_lock_shared().unwrap();
    assert_eq!(home.open().abandoned_sessions(at(0)), Ok(vec![id(1)]));
}

#[test]
fn a_failed_opening_does_not_take_the_lock_of_the_owner() {
    let home = Home::new();
    let (owner, other) = (home.open(), home.open());
    owner.open_session(id(1), at(60)).unwrap();
    assert!(other.open_session(id(1), at(60)).is_err());
    assert!(owner.open_session(id(1), at(60)).is_err());
    assert_eq!(other.abandoned_sessions(at(0)), Ok(vec![]));
    owner.renew_session(id(1), at(90)).unwrap();
}

#[test]
fn a_lock_that_cannot_be_had_leaves_no_session_behind() {
    let home = Home::new();
    let store = home.open();
    let held = File::create(lock(&home, 1)).unwrap();
    held.try_lock().unwrap();
    let refused = store.open_session(id(1), at(60));
    assert!(matches!(refused, Err(StoreError::Failed(_))), "{refused:?}");
    assert_eq!(store.session_until(id(1)), Ok(None));
    drop(held);
    // A process that another test starts at this moment has the lock, too, until it is itself.
    let opened = std::iter::repeat_with(|| store.open_session(id(1), at(60)))
        .take(500)
        .inspect(|tried| {
            if tried.is_err() {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        })
        .any(|tried| tried.is_ok());
    assert!(opened);
}

#[test]
fn times_are_readable() {
    let home = Home::new();
    let store = home.open();
    store.open_session(id(1), at(60)).unwrap();
    let until: String =
        home.tool().query_row("SELECT until FROM sessions", [], |row| row.get(0)).unwrap();
    assert_eq!(until, "2026-11-18T11:07:40Z");
}

/// Until a child runs its own program it has a copy of every handle of its parent.
#[cfg(unix)]
#[test]
fn a_lock_ends_with_its_handle_also_while_a_child_is_being_started() {
    let home = Home::new();
    let store = home.open();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                std::process::Command::new("true").status().unwrap();
            }
        });
        for n in 0..200 {
            home.open().open_session(id(n), at(60)).unwrap();
            let abandoned = store.abandoned_sessions(at(0));
            store.close_session(id(n)).unwrap();
            if abandoned != Ok(vec![id(n)]) {
                done.store(true, std::sync::atomic::Ordering::Relaxed);
            }
            assert_eq!(abandoned, Ok(vec![id(n)]));
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}
