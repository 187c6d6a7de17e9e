use crate::Home;
use cap_kernel::StateStore as _;
use cap_testkit::state_store::*;
use std::time::Instant;
#[test]
fn measure() {
    let home = Home::new();
    let store = home.open();
    store.commit(&(0..1000).map(revocation).collect::<Vec<_>>()).unwrap();
    for _ in 0..3 {
        let t = Instant::now();
        for _ in 0..50_000 { store.epoch().unwrap(); }
        println!("epoch {:?}", t.elapsed() / 50_000);
    }
    let c = home.tool();
    for _ in 0..2 { for sql in ["SELECT max(epoch) FROM changes", "SELECT epoch FROM changes ORDER BY epoch DESC LIMIT 1", "SELECT seq FROM sqlite_sequence WHERE name='changes'", "SELECT seq FROM sqlite_sequence", "PRAGMA data_version", "SELECT 1"] {
        let mut st = c.prepare(sql).unwrap();
        let t = Instant::now();
        for _ in 0..50_000 { st.query_row([], |r| r.get::<_, i64>(0)).unwrap(); }
        println!("{sql} kept {:?}", t.elapsed() / 50_000);
        drop(st);
        let t = Instant::now();
        for _ in 0..50_000 { c.prepare_cached(sql).unwrap().query_row([], |r| r.get::<_, i64>(0)).unwrap(); }
        println!("{sql} cached {:?}", t.elapsed() / 50_000);
    }}
    let t = Instant::now();
    for _ in 0..50_000 { std::hint::black_box(Instant::now()); }
    println!("now {:?}", t.elapsed() / 50_000);
    let p = home.file("state.db");
    let t = Instant::now();
    for _ in 0..50_000 { std::fs::symlink_metadata(&p).unwrap(); }
    println!("stat {:?}", t.elapsed() / 50_000);
    let t = Instant::now();
    for n in 0..500 { store.commit(&[revocation(n)]).unwrap(); }
    println!("commit {:?}", t.elapsed() / 500);
    let other = home.open();
    let mut e = std::time::Duration::ZERO;
    for n in 0..500 { other.commit(&[revocation(n)]).unwrap(); let t = Instant::now(); store.epoch().unwrap(); e += t.elapsed(); }
    println!("epoch after commit {:?}", e / 500);
    let t = Instant::now();
    for _ in 0..200 { drop(home.open()); }
    println!("open {:?}", t.elapsed() / 200);
    drop((store, other));
    let t = Instant::now();
    for _ in 0..200 { drop(home.open()); }
    println!("open alone {:?}", t.elapsed() / 200);
}
