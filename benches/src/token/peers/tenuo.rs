//! Warrants that hang on one another, and the proof of who holds the last one; both arrive as
//! bytes.

use std::collections::HashMap;
use std::time::Duration;

use tenuo::wire::{WarrantStack, decode_stack, encode_stack};
use tenuo::{Authorizer, ConstraintSet, ConstraintValue, Range, Signature, SigningKey, Warrant};

use crate::check::grant::{ALLOWED, Call, Grant, TOOLS};
use crate::check::peers::tenuo::{arguments, constraints};
use crate::token::chains::{CALL, TOO_LARGE, size_at};

const HOUR: Duration = Duration::from_secs(3_600);

pub struct TenuoChain {
    authorizer: Authorizer,
    stack: Vec<u8>,
    arguments: HashMap<String, ConstraintValue>,
    proof: Signature,
    /// When the last warrant was issued.
    now: i64,
}

impl TenuoChain {
    /// The grant, narrowed so many times.
    pub fn new(depth: u32) -> Self {
        let issuer = SigningKey::generate();
        let mut holder = SigningKey::generate();
        let root = TOOLS.into_iter().fold(Warrant::builder(), |warrant, tool| {
            warrant.capability(tool, constraints(Grant::Plain, tool))
        });
        let root = root.holder(holder.public_key()).ttl(HOUR).build(&issuer).expect("a warrant");
        let mut warrants = vec![root];
        for level in 1..=depth {
            let next = SigningKey::generate();
            let parent = warrants.last().expect("a warrant");
            let child = TOOLS.into_iter().fold(parent.attenuate(), |warrant, tool| {
                warrant.capability(tool, narrowed(tool, level))
            });
            let child = child.holder(next.public_key()).ttl_capped_to_parent(HOUR);
            warrants.push(child.build(&holder).expect("a warrant"));
            holder = next;
        }
        let leaf = warrants.last().expect("a warrant");
        assert_eq!(leaf.depth(), depth);
        let arguments = arguments(&CALL);
        let now = leaf.issued_at().timestamp();
        let proof = leaf.sign_with_timestamp(&holder, CALL.tool, &arguments, Some(now));
        let chain = Self {
            authorizer: Authorizer::new().with_trusted_root(issuer.public_key()),
            stack: encode_stack(&WarrantStack::new(warrants.clone())).expect("its bytes"),
            proof: proof.expect("a proof"),
            arguments,
            now,
        };
        chain.assert_verdicts(leaf, &holder, depth);
        chain
    }

    /// Reads the chain, verifies it with the proof, and checks the constraints of the last warrant.
    pub fn permits(&self) -> bool {
        self.permits_call(&self.stack, CALL.tool, &self.arguments, &self.proof)
    }

    /// As text, as its headers carry it.
    pub fn chain_bytes(&self) -> usize {
        base64_length(self.stack.len())
    }

    pub fn proof_bytes(&self) -> usize {
        base64_length(self.proof.to_bytes().len())
    }

    fn permits_call(
        &self,
        stack: &[u8],
        tool: &str,
        arguments: &HashMap<String, ConstraintValue>,
        proof: &Signature,
    ) -> bool {
        decode_stack(stack).is_ok_and(|WarrantStack(chain)| {
            let proof = Some(proof);
            self.authorizer
                .check_chain_with_pop_args_as_of(
                    &chain,
                    tool,
                    arguments,
                    arguments,
                    proof,
                    &[],
                    self.now,
                )
                .is_ok()
        })
    }

    fn assert_verdicts(&self, leaf: &Warrant, holder: &SigningKey, depth: u32) {
        assert!(self.permits());
        let proved = |call: &Call, holder: &SigningKey| {
            let arguments = arguments(call);
            let proof = leaf.sign_with_timestamp(holder, call.tool, &arguments, Some(self.now));
            self.permits_call(&self.stack, call.tool, &arguments, &proof.expect("a proof"))
        };
        assert!(proved(&ALLOWED[2], holder) && !proved(&ALLOWED[2], &SigningKey::generate()));
        assert_eq!(proved(&TOO_LARGE, holder), depth == 0);
        let other = arguments(&ALLOWED[3]);
        assert!(!self.permits_call(&self.stack, CALL.tool, &other, &self.proof));
        let mut altered = self.stack.clone();
        *altered.last_mut().expect("a signature") ^= 1;
        assert!(!self.permits_call(&altered, CALL.tool, &self.arguments, &self.proof));
    }
}

fn narrowed(tool: &str, level: u32) -> ConstraintSet {
    let mut set = constraints(Grant::Plain, tool);
    set.insert("size", Range::new(None, Some(size_at(level) as f64)).expect("a range"));
    set
}

/// Without padding.
const fn base64_length(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}
