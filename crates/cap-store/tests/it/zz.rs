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
