//! Bytes, as text: what travels. Everybody's carries the grant. Ours are delegated as they are; those
//! of the peers name a lesser size each time, as the chains do: else a block would say nothing.

use cap_crypto::{Algorithm, OsRandom};

use super::chains::{Chain, DEPTH};
#[cfg(feature = "peers")]
use super::peers::{BiscuitChain, TenuoChain, macaroon_bytes};
use super::tokens::{TTL, instant, issuer, keyring, lineage, signing_key};
use super::{OURS, Peers, with_peers};
use crate::figure::Printer;
use crate::measured::Counted;

const TOKENS: [&str; 6] = [
    "bytes-token-0",
    "bytes-token-1",
    "bytes-token-2",
    "bytes-token-3",
    "bytes-token-4",
    "bytes-token-5",
];
const CHAIN: &str = "bytes-chain-3";
const PEERS: Peers = with_peers(&["tenuo", "biscuit", "macaroon"]);

pub fn count(counted: &mut Counted) {
    for (depth, case) in (0..).zip(TOKENS) {
        note(counted, case, OURS, token(depth));
        #[cfg(feature = "peers")]
        {
            let depth = u32::from(depth);
            note(counted, case, PEERS[0], TenuoChain::new(depth).chain_bytes());
            note(counted, case, PEERS[1], BiscuitChain::new(depth).bytes());
            note(counted, case, PEERS[2], macaroon_bytes(depth));
        }
    }
    note(counted, CHAIN, OURS, Chain::new(DEPTH).bytes());
    #[cfg(feature = "peers")]
    {
        let tenuo = TenuoChain::new(DEPTH);
        note(counted, CHAIN, PEERS[0], tenuo.chain_bytes() + tenuo.proof_bytes());
        note(counted, CHAIN, PEERS[1], BiscuitChain::new(DEPTH).bytes());
        note(counted, CHAIN, PEERS[2], macaroon_bytes(DEPTH));
    }
}

pub fn print(printer: &Printer, counted: &Counted) {
    for case in TOKENS.into_iter().chain([CHAIN]) {
        let bytes = |name: &str| counted[case][name];
        if PEERS.is_empty() {
            printer.print_alone(case, bytes(OURS), "bytes");
        }
        for peer in PEERS {
            printer.print(case, bytes(OURS), peer, bytes(peer), "bytes");
        }
    }
}

/// Of a token of ours, EdDSA.
fn token(depth: u8) -> usize {
    let now = instant();
    let keys = keyring(&signing_key(Algorithm::EdDsa), now);
    let (capability, ancestors) = lineage(0, depth, now);
    let token = issuer(&keys).issue(&capability, &ancestors, TTL, &OsRandom, now);
    token.expect("a token").len()
}

fn note(counted: &mut Counted, case: &str, name: &str, bytes: usize) {
    counted.entry(case.to_owned()).or_default().insert(name.to_owned(), bytes as f64);
}
