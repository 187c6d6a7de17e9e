//! A chain of depth 3, which is a root and three tokens that each narrow the one before, with the
//! proof of possession for one call. `tenuo` has four warrants and a proof, `biscuit` four blocks.

use std::hint::black_box;

use cap_core::ArgumentConstraint;
use cap_crypto::{Algorithm, OsRandom, Signer as _, SigningKey};
use cap_token::chain::{
    self, Author, ChainLimits, ChainPolicy, ChainVerifier, Constraint, Derivation,
    MemoryReplayStore, Presentation, RootToken, ToolRules, Tools, TrustAnchor, Vocabulary,
};
use chrono::{DateTime, Utc};
use criterion::{BatchSize, BenchmarkId};
use serde_json::{Value, json};

#[cfg(feature = "peers")]
use super::peers::{BiscuitChain, Raw, TenuoChain};
use super::tokens::{ISSUER, TTL, instant, signing_key};
use super::{OURS, Peers, with_peers};
use crate::check::grant::{ALLOWED, Call, EXTENSIONS, MAX_SIZE, OPERATIONS, PATHS, TOOLS};
use crate::figure::Printer;
use crate::measured::{Estimates, Group};

/// Links below the root.
pub const DEPTH: u32 = 3;
/// The call that is made.
pub const CALL: Call = ALLOWED[0];
/// A call that the root permits, and nothing below it.
pub const TOO_LARGE: Call = ALLOWED[4];

const UNKNOWN: &str = "chain-3";
const KNOWN: &str = "chain-3-prefix-known";
const PEERS: Peers = with_peers(&["raw", "tenuo", "biscuit"]);
/// So many proofs are remembered.
const PROOFS: usize = 1_000_000;

/// The largest size that a token so far below the root permits.
pub const fn size_at(level: u32) -> i64 {
    MAX_SIZE >> level
}

/// Tokens, the root first, and what is needed to present and to verify them.
pub struct Chain {
    tokens: Vec<String>,
    keys: Vec<SigningKey>,
    author: Author,
    policy: ChainPolicy,
    now: DateTime<Utc>,
}

impl Chain {
    pub fn new(depth: u32) -> Self {
        let now = instant();
        // That of the anchor, and one for each token.
        let keys: Vec<_> = (0..depth + 2).map(|_| signing_key(Algorithm::EdDsa)).collect();
        let author = Author::new(Vocabulary::Extended, ChainLimits::default());
        let root = RootToken {
            issuer: ISSUER.to_owned(),
            holder: keys[1].key().clone(),
            tools: tools(0),
            audiences: Vec::new(),
            max_depth: depth,
            lifetime: TTL,
        };
        let mut tokens = vec![author.mint_root(&root, &keys[0], &OsRandom, now).expect("a root")];
        for (level, pair) in (1..=depth).zip(keys[1..].windows(2)) {
            let child = Derivation::to(pair[1].key().clone()).with_tools(tools(level));
            let parent = tokens.last().expect("a token");
            let child = author.derive(parent, &child, &pair[0], &OsRandom, now);
            tokens.push(child.expect("a token"));
        }
        let anchor = TrustAnchor { issuer: ISSUER.to_owned(), key: keys[0].key().clone() };
        let policy = ChainPolicy::new([anchor]).with_extensions();
        Self { tokens, keys, author, policy, now }
    }

    /// What travels with a call.
    pub fn bytes(&self) -> usize {
        let aat_chain = self.tokens.clone();
        Presentation { aat_chain, aat_pop: self.prove(&CALL) }.to_json().len()
    }

    fn verifier(&self) -> ChainVerifier {
        ChainVerifier::new(self.policy.clone()).expect("a policy")
    }

    /// By the holder of the leaf.
    fn prove(&self, call: &Call) -> String {
        let holder = self.keys.last().expect("a key");
        let (leaf, arguments) = (self.tokens.last().expect("a token"), arguments(call));
        let call = chain::Call::new(call.tool, &arguments);
        self.author.prove(leaf, &call, holder, &OsRandom, self.now).expect("a proof")
    }
}

pub struct Chains {
    chain: Chain,
    /// Of [`CALL`].
    arguments: String,
    #[cfg(feature = "peers")]
    raw: Vec<Raw>,
    #[cfg(feature = "peers")]
    tenuo: TenuoChain,
    #[cfg(feature = "peers")]
    biscuit: BiscuitChain,
}

impl Chains {
    pub fn new() -> Self {
        let chain = Chain::new(DEPTH);
        #[cfg(feature = "peers")]
        let signed = [chain.tokens.as_slice(), &[chain.prove(&CALL)]].concat();
        let chains = Self {
            #[cfg(feature = "peers")]
            raw: chain.keys.iter().zip(&signed).map(|(key, text)| Raw::new(key, text)).collect(),
            #[cfg(feature = "peers")]
            tenuo: TenuoChain::new(DEPTH),
            #[cfg(feature = "peers")]
            biscuit: BiscuitChain::new(DEPTH),
            arguments: arguments(&CALL),
            chain,
        };
        chains.assert_verdicts();
        chains
    }

    pub fn bench(&self, group: &mut Group<'_>) {
        self.bench_unknown(group);
        #[cfg(feature = "peers")]
        {
            group.bench_function(BenchmarkId::new(UNKNOWN, PEERS[0]), |bencher| {
                bencher.iter(|| self.raw.iter().all(Raw::verifies));
            });
            group.bench_function(BenchmarkId::new(UNKNOWN, PEERS[1]), |bencher| {
                bencher.iter(|| self.tenuo.permits());
            });
            group.bench_function(BenchmarkId::new(UNKNOWN, PEERS[2]), |bencher| {
                bencher.iter(|| self.biscuit.permits());
            });
        }
        self.bench_known(group);
    }

    /// A verifier that has seen nothing; what it remembers of the chain is part of the cost.
    fn bench_unknown(&self, group: &mut Group<'_>) {
        let replay = MemoryReplayStore::new(PROOFS);
        let fresh = || (self.chain.verifier(), self.chain.prove(&CALL));
        group.bench_function(BenchmarkId::new(UNKNOWN, OURS), |bencher| {
            bencher.iter_batched_ref(
                fresh,
                |(verifier, proof)| self.permits(verifier, &self.chain.tokens, proof, &replay),
                BatchSize::SmallInput,
            );
        });
    }

    /// A verifier that has verified all tokens before: the proof is new.
    fn bench_known(&self, group: &mut Group<'_>) {
        let replay = MemoryReplayStore::new(PROOFS);
        let verifier = self.chain.verifier();
        assert!(verifier.verify_chain(&self.chain.tokens, self.chain.now).is_ok());
        group.bench_function(BenchmarkId::new(KNOWN, OURS), |bencher| {
            bencher.iter_batched_ref(
                || self.chain.prove(&CALL),
                |proof| self.permits(&verifier, &self.chain.tokens, proof, &replay),
                BatchSize::SmallInput,
            );
        });
    }

    fn permits(
        &self,
        verifier: &ChainVerifier,
        tokens: &[String],
        proof: &str,
        replay: &MemoryReplayStore,
    ) -> bool {
        let (tool, now) = (CALL.tool, self.chain.now);
        let verified = verifier.verify_chain(black_box(tokens), now).and_then(|chain| {
            verifier.verify_proof(&chain, black_box(proof), tool, &self.arguments, replay, now)
        });
        verified.is_ok_and(|verified| verified.depth() == DEPTH)
    }

    /// What is decided wrongly needs no measuring.
    fn assert_verdicts(&self) {
        let replay = MemoryReplayStore::new(PROOFS);
        let (chain, verifier) = (&self.chain, self.chain.verifier());
        let permits = |tokens: &[String], proof: &str| {
            let again = self.permits(&chain.verifier(), tokens, proof, &MemoryReplayStore::new(1));
            let known = self.permits(&verifier, tokens, proof, &replay);
            assert_eq!(again, known, "it matters what the verifier has seen");
            known
        };
        let proof = chain.prove(&CALL);
        assert!(permits(&chain.tokens, &proof));
        assert!(!self.permits(&verifier, &chain.tokens, &proof, &replay), "presented twice");
        assert!(!permits(&chain.tokens, &chain.prove(&ALLOWED[2])), "a proof for another call");
        let other = Chain::new(DEPTH);
        assert!(!permits(&chain.tokens, &other.prove(&CALL)), "another holder's proof");
        assert!(!permits(&other.tokens, &other.prove(&CALL)), "another anchor's chain");
        for at in 0..chain.tokens.len() {
            let mut tokens = chain.tokens.clone();
            let altered = tokens[at].replacen(".e", ".f", 1);
            assert_ne!(altered, tokens[at]);
            tokens[at] = altered;
            assert!(!permits(&tokens, &chain.prove(&CALL)), "token {at} was altered");
            tokens.remove(at);
            assert!(!permits(&tokens, &chain.prove(&CALL)), "token {at} is missing");
        }
        self.assert_narrowed();
    }

    /// The root permits what the leaf does not.
    fn assert_narrowed(&self) {
        let permits = |depth: u32, call: &Call| {
            let chain = Chain::new(depth);
            let leaf = chain.tokens.last().expect("a token");
            let (holder, arguments) = (chain.keys.last().expect("a key"), arguments(call));
            let call = chain::Call::new(call.tool, &arguments);
            chain.author.prove(leaf, &call, holder, &OsRandom, chain.now).is_ok()
        };
        assert!(permits(0, &TOO_LARGE) && !permits(1, &TOO_LARGE) && !permits(DEPTH, &TOO_LARGE));
    }
}

pub fn print(printer: &Printer, estimates: &Estimates) {
    for case in [UNKNOWN, KNOWN] {
        let ours = estimates.best(case, OURS, 1);
        super::print(printer, estimates, case, ours, (UNKNOWN, 1), PEERS);
    }
}

/// The grant as a chain says it, with our own type for paths.
fn tools(level: u32) -> Tools {
    let path = json!({"constraint_type": "path", "within": PATHS});
    let path = ArgumentConstraint::from_value(&path).expect("a constraint");
    let path = Constraint::from_argument_constraint(&path).expect("a constraint");
    let size = Constraint::range(..=size_at(level) as f64).expect("a range");
    let rules = ToolRules::required("path", path)
        .and_required("operation", Constraint::one_of(OPERATIONS).expect("operations"))
        .and_required("extension", Constraint::one_of(EXTENSIONS).expect("extensions"))
        .and_required("size", size);
    TOOLS.into_iter().map(|tool| (tool.to_owned(), rules.clone())).collect()
}

fn arguments(call: &Call) -> String {
    let arguments: Value = json!({
        "path": call.path,
        "operation": call.operation,
        "extension": call.extension(),
        "size": call.size,
    });
    arguments.to_string()
}
