//! A token with a block of checks, and one more block for each time it was narrowed. Who has it may
//! use it: a biscuit has no proof of possession.

use biscuit_auth::builder::{AuthorizerBuilder, BlockBuilder};
use biscuit_auth::{Biscuit, KeyPair, PublicKey};

use crate::check::grant::{Call, Grant};
use crate::check::peers::biscuit::{checks, policy, with_facts};
use crate::token::chains::{CALL, TOO_LARGE, size_at};

pub struct BiscuitChain {
    text: String,
    root: PublicKey,
    /// The facts of the call and the policy.
    authorizer: AuthorizerBuilder,
}

impl BiscuitChain {
    /// The grant, narrowed so many times.
    pub fn new(depth: u32) -> Self {
        let root = KeyPair::new();
        let authority = Biscuit::builder().code(checks(Grant::Plain)).expect("checks");
        let mut token = authority.build(&root).expect("a token");
        for level in 1..=depth {
            let check = format!("check if size($s), $s <= {}", size_at(level));
            let block = BlockBuilder::new().code(check).expect("a check");
            token = token.append(block).expect("a token");
        }
        let chain = Self {
            text: token.to_base64().expect("its text"),
            root: root.public(),
            authorizer: about(&CALL),
        };
        assert!(chain.permits());
        assert_eq!(chain.permits_call(&chain.text, &about(&TOO_LARGE)), depth == 0);
        let middle = chain.text.len() / 2;
        let mut altered = chain.text.clone();
        let other = if &altered[middle..=middle] == "A" { "B" } else { "A" };
        altered.replace_range(middle..=middle, other);
        assert!(!chain.permits_call(&altered, &chain.authorizer));
        chain
    }

    /// Reads and verifies the token, and runs the authorizer.
    pub fn permits(&self) -> bool {
        self.permits_call(&self.text, &self.authorizer)
    }

    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    fn permits_call(&self, text: &str, authorizer: &AuthorizerBuilder) -> bool {
        Biscuit::from_base64(text, self.root).is_ok_and(|token| {
            let authorizer = authorizer.clone().build(&token);
            authorizer.is_ok_and(|mut authorizer| authorizer.authorize().is_ok())
        })
    }
}

fn about(call: &Call) -> AuthorizerBuilder {
    with_facts(policy(), Grant::Plain, call)
}
