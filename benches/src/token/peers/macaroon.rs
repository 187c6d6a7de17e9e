//! The grant as caveats, one for each kind, and one more for each time it was narrowed; version 2,
//! base64url. Who verifies it must have the secret, and whoever has it may use it.

use macaroon::{Format, Macaroon, MacaroonKey};

use crate::check::grant::{EXPIRES, EXTENSIONS, MAX_SIZE, OPERATIONS, PATHS, TOOLS};
use crate::token::chains::size_at;
use crate::token::tokens::ISSUER;

/// As many bytes as an id of ours in text.
const ID: &str = "AZq3Wq9wdx8BAQEBAQEBAQ";

pub fn macaroon_bytes(depth: u32) -> usize {
    macaroon::initialize().expect("its library");
    let key = MacaroonKey::generate(b"of the server");
    let mut token = Macaroon::create(Some(ISSUER.into()), &key, ID.into()).expect("a macaroon");
    let caveats = [
        format!("tool in {}", TOOLS.join(" ")),
        format!("operation in {}", OPERATIONS.join(" ")),
        format!("path below {}", PATHS.join(" ")),
        format!("extension in {}", EXTENSIONS.join(" ")),
        format!("size <= {MAX_SIZE}"),
        format!("time < {EXPIRES}"),
    ];
    let narrowed = (1..=depth).map(|level| format!("size <= {}", size_at(level)));
    for caveat in caveats.into_iter().chain(narrowed) {
        token.add_first_party_caveat(caveat.into());
    }
    token.serialize(Format::V2).expect("its text").len()
}
