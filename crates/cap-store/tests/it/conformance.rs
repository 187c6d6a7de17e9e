use std::cell::RefCell;
use std::sync::Arc;

use cap_kernel::StateStore;
use cap_testkit::state_store::{self, Store};

use crate::Home;

#[test]
fn the_embedded_store_keeps_the_contract_of_the_port() {
    let homes = RefCell::new(Vec::new());
    state_store::conformance(|| {
        let home = Home::new();
        let store: Arc<dyn StateStore> = home.open();
        homes.borrow_mut().push(home);
        store
    });
}

#[test]
fn two_handles_on_one_folder_keep_the_contract_of_the_port() {
    let homes = RefCell::new(Vec::new());
    let make_two = || {
        let home = Home::new();
        let stores: [Store; 2] = [home.open(), home.open()];
        homes.borrow_mut().push(home);
        stores
    };
    state_store::conformance_of_two(make_two);
    state_store::conformance_of_owners(make_two);
}
