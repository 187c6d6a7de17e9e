//! Prints `docs/reference/deny-codes.md` from the catalogue.

use cap_core::DenyCode;

fn main() {
    println!("# Deny codes\n");
    println!("Made from the catalogue in `cap-core` by `cargo xtask docs`. Codes are stable.\n");
    println!("| code | meaning |\n| --- | --- |");
    for code in DenyCode::ALL {
        println!("| `{code}` | {} |", code.meaning());
    }
}
