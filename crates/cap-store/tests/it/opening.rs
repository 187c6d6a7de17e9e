use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use cap_kernel::{Epoch, StateStore as _};
use cap_store::{OpenError, SqliteStore};
use cap_testkit::state_store::{at, id, revocation};
use rusqlite::Connection;

use crate::Home;

/// What puts something in the place of the state.
type Make = fn(&Path);

fn refusal(home: &Home) -> OpenError {
    SqliteStore::open(&home.folder()).unwrap_err()
}

#[test]
fn a_folder_is_made_with_its_parents_and_found_again() {
    let home = Home::new();
    let deep = home.folder().join("a/b");
    SqliteStore::open(&deep).unwrap().commit(&[revocation(1)]).unwrap();
    assert_eq!(SqliteStore::open(&deep).unwrap().epoch(), Ok(Epoch(1)));
}

#[test]
fn a_name_that_looks_like_a_uri_is_a_name() {
    let home = Home::new();
    for name in ["file:x?mode=memory", "a?mode=ro#%41", ":memory:", "sp ace'\""] {
        let folder = home.folder().join(name);
        SqliteStore::open(&folder).unwrap().commit(&[revocation(1)]).unwrap();
        assert!(folder.join("state.db").is_file());
        assert_eq!(SqliteStore::open(&folder).unwrap().epoch(), Ok(Epoch(1)));
    }
}

#[test]
fn many_may_open_a_new_state_at_once() {
    for _ in 0..10 {
        let home = Home::new();
        let start = Barrier::new(8);
        thread::scope(|scope| {
            for n in 0..8 {
                let (home, start) = (&home, &start);
                scope.spawn(move || {
                    start.wait();
                    let store = home.open();
                    store.open_session(id(n), at(60)).unwrap();
                });
            }
        });
        let store = home.open();
        assert_eq!(store.abandoned_sessions(at(0)).unwrap().len(), 8);
        store.verify().unwrap();
    }
}

#[test]
fn a_file_of_another_program_is_refused_and_left_alone() {
    let make: [(&str, Make); 5] = [
        ("not a SQLite database", |file| fs::write(file, "x".repeat(5_000)).unwrap()),
        ("not a SQLite database", |file| fs::write(file, "short").unwrap()),
        ("application id is 0x00000000", |file| {
            Connection::open(file).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        }),
        ("application id is 0x12345678", |file| {
            let sql = "PRAGMA application_id = 0x12345678; PRAGMA user_version = 1";
            Connection::open(file).unwrap().execute_batch(sql).unwrap();
        }),
        ("its version is 0", |file| {
            let sql = "PRAGMA application_id = 0x6d637053";
            Connection::open(file).unwrap().execute_batch(sql).unwrap();
        }),
    ];
    for (why, make) in make {
        let home = Home::new();
        fs::create_dir(home.folder()).unwrap();
        make_private(&home.folder(), 0o700);
        make(&home.file("state.db"));
        make_private(&home.file("state.db"), 0o600);
        let before = fs::read(home.file("state.db")).unwrap();
        let refused = refusal(&home);
        assert!(matches!(refused, OpenError::NotAState { .. }), "{refused:?}");
        assert!(refused.to_string().contains(why), "{refused}");
        assert_eq!(fs::read(home.file("state.db")).unwrap(), before);
    }
}

#[test]
fn a_state_of_a_newer_version_is_refused_and_left_alone() {
    let home = Home::new();
    home.open().commit(&[revocation(1)]).unwrap();
    home.tool().execute_batch("PRAGMA user_version = 3").unwrap();
    let refused = refusal(&home);
    assert!(matches!(refused, OpenError::Newer { found: 3, known: 2, .. }), "{refused:?}");
    home.tool().execute_batch("PRAGMA user_version = 2").unwrap();
    assert_eq!(home.open().epoch(), Ok(Epoch(1)));
}

#[test]
fn what_is_no_file_is_refused() {
    let home = Home::new();
    drop(home.open());
    fs::remove_file(home.file("state.db")).unwrap();
    fs::create_dir(home.file("state.db")).unwrap();
    assert!(matches!(refusal(&home), OpenError::NotAFile(_)));
}

#[test]
fn an_empty_file_becomes_a_state() {
    let home = Home::new();
    drop(home.open());
    fs::remove_file(home.file("state.db")).unwrap();
    fs::write(home.file("state.db"), "").unwrap();
    assert_eq!(home.open().epoch(), Ok(Epoch(0)));
}

#[test]
fn a_state_that_lost_a_table_is_refused() {
    let home = Home::new();
    drop(home.open());
    home.tool().execute_batch("DROP TABLE changes").unwrap();
    assert!(matches!(refusal(&home), OpenError::Store(_)));
}

#[test]
fn a_log_mode_that_a_tool_has_changed_is_put_back() {
    let home = Home::new();
    drop(home.open());
    let mode = |sql| home.tool().query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(mode("PRAGMA journal_mode = delete"), "delete");
    drop(home.open());
    assert_eq!(mode("PRAGMA journal_mode"), "wal");
}

#[cfg(unix)]
fn make_private(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn make_private(_: &Path, _: u32) {}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;

    #[test]
    fn everything_is_for_its_owner_alone() {
        let home = Home::new();
        let store = home.open();
        store.open_session(id(1), at(60)).unwrap();
        store.commit(&[revocation(1)]).unwrap();
        let session = format!("sessions/{}.lock", id(1));
        for (name, wanted) in [
            ("", 0o700),
            ("sessions", 0o700),
            ("open.lock", 0o600),
            ("state.db", 0o600),
            ("state.db-wal", 0o600),
            ("state.db-shm", 0o600),
            (&session, 0o600),
        ] {
            let mode = fs::metadata(home.file(name)).unwrap().mode() & 0o7777;
            assert_eq!(mode, wanted, "{name}");
        }
    }

    #[test]
    fn what_is_open_to_others_is_refused_with_what_to_do() {
        for (name, modes, wanted) in [
            ("", [0o740, 0o720, 0o704, 0o702, 0o701], 0o700),
            ("sessions", [0o740, 0o720, 0o704, 0o702, 0o710], 0o700),
            ("state.db", [0o640, 0o620, 0o604, 0o602, 0o666], 0o600),
        ] {
            let home = Home::new();
            drop(home.open());
            let path = home.folder().join(name);
            for mode in modes {
                make_private(&path, mode);
                let refused = refusal(&home);
                assert!(matches!(refused, OpenError::Exposed { .. }), "{mode:o}: {refused:?}");
                assert!(refused.to_string().contains(&format!("run: chmod {wanted:o} '")));
            }
            make_private(&path, wanted);
            drop(home.open());
        }
    }

    #[test]
    fn a_link_in_the_place_of_the_file_is_refused() {
        let home = Home::new();
        drop(home.open());
        fs::rename(home.file("state.db"), home.file("elsewhere.db")).unwrap();
        symlink(home.file("elsewhere.db"), home.file("state.db")).unwrap();
        assert!(matches!(refusal(&home), OpenError::NotAFile(_)));
    }
}
