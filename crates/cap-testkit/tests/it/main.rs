//! The naive model by hand, what the strategies make, and the fuzz bodies, replayed on stable.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]

mod constraints;
mod naive;
mod shares;

use std::panic::{AssertUnwindSafe, catch_unwind};

use cap_testkit::fuzz::{self, seeds};

type Body = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

const BODIES: [Body; 14] = [
    ("argv_match", fuzz::argv_match, seeds::argument_vectors),
    ("audit_read", fuzz::audit_read, seeds::logs),
    ("capability_decode", fuzz::capability_decode, seeds::capabilities),
    ("chain", fuzz::chain, seeds::chains),
    ("constraint_meet", fuzz::constraint_meet, seeds::meets),
    ("jwks", fuzz::jwks, seeds::key_sets),
    ("message_read", fuzz::message_read, seeds::messages),
    ("path_resolve", fuzz::path_resolve, seeds::paths),
    ("policy_file", fuzz::policy_file, seeds::policies),
    ("revocation_snapshot", fuzz::revocation_snapshot, seeds::revocations),
    ("status_list", fuzz::status_list, seeds::status_lists),
    ("token_validate", fuzz::token_validate, seeds::tokens),
    ("tool_table", fuzz::tool_table, seeds::tables),
    ("url_parse", fuzz::url_parse, seeds::urls),
];

/// Every body over its seeds, mutated seeds and noise. `MCP_SECURITY_FUZZ_ITERS` says how many
/// inputs each gets, `MCP_SECURITY_SEED` which.
#[test]
fn fuzz_smoke() {
    let number = |name, default| {
        std::env::var(name).map_or(default, |text: String| text.parse::<u64>().unwrap())
    };
    let iterations = number("MCP_SECURITY_FUZZ_ITERS", 2_000);
    let seed = number("MCP_SECURITY_SEED", 1);
    for (name, body, seeds) in BODIES {
        let seeds = seeds();
        let mut random = Random(seed);
        for input in &seeds {
            run(name, body, input);
        }
        for _ in 0..iterations {
            run(name, body, &mutated(&seeds, &mut random));
        }
        println!("{name}: {} seeds, {iterations} inputs, MCP_SECURITY_SEED={seed}", seeds.len());
    }
}

fn run(name: &str, body: fn(&[u8]), input: &[u8]) {
    let outcome = catch_unwind(AssertUnwindSafe(|| body(input)));
    assert!(outcome.is_ok(), "{name} fails on b\"{}\"", input.escape_ascii());
}

/// One seed, changed in one to eight places; now and then two seeds joined, or noise.
fn mutated(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = random.choose(seeds).clone();
    match random.below(16) {
        0 => input = (0..random.below(200)).map(|_| random.byte()).collect(),
        1 => {
            let other = random.choose(seeds);
            input.truncate(random.below(input.len() + 1));
            input.extend(&other[random.below(other.len())..]);
        }
        _ => {}
    }
    for _ in 0..=random.below(8) {
        change(&mut input, random);
    }
    input
}

fn change(input: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(input.len() + 1);
    let end = at + random.below((input.len() - at).min(24) + 1);
    match random.below(6) {
        0 if at < input.len() => input[at] ^= 1 << random.below(8),
        1 if at < input.len() => input[at] = random.byte(),
        2 => drop(input.drain(at..end)),
        3 => {
            let piece = input[at..end].to_vec();
            let to = random.below(input.len() + 1);
            input.splice(to..to, piece);
        }
        _ => {
            let token = random.choose(&TOKENS);
            let end = if random.below(2) == 0 { at } else { end };
            input.splice(at..end, token.iter().copied());
        }
    }
}

/// What means something to one of the readers.
const TOKENS: [&[u8]; 62] = [
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"true",
    b"0",
    b"-1",
    b"1.0",
    b"1e400",
    b"9007199254740993",
    b"\"*\"",
    b"*",
    b"**",
    b"?",
    b"/",
    b"..",
    b"/../",
    b"%2e",
    b"\\u0000",
    b"\\ud800",
    b"\n",
    b"\r",
    b"\0",
    "\u{feff}".as_bytes(),
    "\u{202e}".as_bytes(),
    b"\"and\":[{}],",
    b"\"paths\":[\"/\"],",
    b"\"kinds\":[],",
    b"[paths]",
    b"a.example",
    b"=",
    b"\"id\":1,",
    b"\xFE",
    b"\xFF",
    b"-",
    b"-*",
    b"--",
    b"\x7F",
    b"@",
    b"\\",
    b"#",
    b"%2F",
    b".",
    b"*.",
    b"127.0.0.1",
    b"0x7f.1",
    b"[::1]",
    b"::ffff:10.0.0.1",
    b"10.0.0.0/8",
    b"1-65535",
    b"24:00",
    b"+14:00",
    b"\"private_networks\":true,",
    b"\"command_args\":{},",
    b"\"environment\":[\"A\"],",
    b"\"cidr\":[\"::/0\"],",
    b"\"not_before\":\"2026-11-21T12:00:01Z\",",
    b"\"custom\":{\"kind\":\"path\"},",
];

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn choose<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
