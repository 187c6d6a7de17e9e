//! Attacks by name, each with the reason for which it must fail, under every algorithm. Unless it
//! says otherwise, the trusted key has signed what is presented: the attack is on the reader, not on
//! the signature.

mod claims;
mod form;
mod header;

use cap_token::{ValidateError, VerifiedToken};

use crate::support::{ALGORITHMS, Bench, attacker, base64, delegated, granted, id, now, text};

type Answer = Result<VerifiedToken, ValidateError>;

struct Attack {
    name: &'static str,
    run: fn(Bench) -> Answer,
    reason: ValidateError,
}

macro_rules! attacks {
    ($($name:ident: $attack:expr => $reason:expr;)+) => {
        vec![$(crate::attacks::Attack {
            name: stringify!($name),
            run: $attack,
            reason: cap_token::ValidateError::from($reason),
        }),+]
    };
}
use attacks;

pub(crate) use claims::nested;

fn all() -> Vec<Attack> {
    [
        header::algorithms(),
        header::signatures(),
        header::key_names(),
        header::other_members(),
        form::encodings(),
        form::json(),
        claims::whose_for_whom_and_when(),
        claims::missing(),
        claims::wrong_types(),
        claims::details(),
        claims::capability(),
        claims::lineage(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn every_attack_is_refused_for_its_own_reason_under_every_algorithm() {
    let attacks = all();
    let mut names: Vec<_> = attacks.iter().map(|attack| attack.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!((attacks.len(), names.len()), (334, 334));
    for algorithm in ALGORITHMS {
        let bench = Bench::of(algorithm);
        assert!(bench.validate(&bench.token).is_ok(), "the token that is altered is a good one");
        assert!(bench.validate(&bench.sign()).is_ok(), "and stays so when it is signed again");
        for Attack { name, run, reason } in &attacks {
            assert_eq!(run(Bench::of(algorithm)).as_ref(), Err(reason), "{name}, {algorithm}");
        }
    }
}

/// An attacker's key, under the name of the trusted one or its own.
fn forged(bench: &Bench, alter: impl FnOnce(&mut Bench)) -> Answer {
    let mut forger = Bench::with(attacker(bench.keys.active_key().algorithm()));
    forger.header = bench.header.clone();
    forger.claims = bench.claims.clone();
    alter(&mut forger);
    bench.validate(&forger.sign())
}

#[test]
fn a_signed_chain_is_read_as_it_stands_unless_an_id_stands_in_it_twice() {
    let root = granted(now());
    let child = delegated(&root, 2, "bob");
    let leaf = delegated(&child, 3, "alice");
    let own = |ids: &[cap_core::CapabilityId], below: &str| {
        let ids: Vec<_> = ids.iter().map(|id| base64(id.as_bytes())).collect();
        let chain = format!("{}{below}", ids.join("."));
        Bench::new().entry(|entry| entry["chain"] = chain.into())
    };
    let read = own(&[root.id(), child.id(), leaf.id()], "/3").unwrap();
    assert_eq!(read.ancestors(), [root.id(), child.id()]);
    assert_eq!(read.capability().parent(), Some(child.id()));
    assert_eq!(read.capability().delegation_depth(), 2);
    assert_eq!(read.capability().max_delegation_depth(), 3);
    for wrong in [
        &[child.id(), child.id()][..],
        &[leaf.id(), child.id(), leaf.id()],
        &[id(9), root.id(), id(9)],
    ] {
        assert_eq!(own(wrong, ""), Err(ValidateError::Ancestors), "{wrong:?}");
    }
}

#[test]
fn no_near_equal_token_is_a_token() {
    let bench = Bench::new();
    assert!(bench.validate(&bench.token).is_ok());
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.= ";
    for at in 0..bench.token.len() {
        let (before, rest) = bench.token.split_at(at);
        let (here, after) = rest.split_at(1);
        let replaced = alphabet.chars().nth(at % alphabet.len()).unwrap().to_string();
        for instead in ["", &here.repeat(2), &here.to_lowercase(), &here.to_uppercase(), &replaced]
        {
            if instead != here {
                assert!(bench.validate(&format!("{before}{instead}{after}")).is_err(), "{at}");
            }
        }
    }
}

fn with_parts(bench: &Bench, header: &[u8], claims: &[u8]) -> Answer {
    bench.validate(&bench.sign_texts(header, claims))
}

fn signed_again(bench: &Bench) -> Answer {
    with_parts(bench, &text(&bench.header), &text(&bench.claims))
}
