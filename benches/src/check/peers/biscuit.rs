//! A token with one block of checks, verified once and kept. A prepared request is an authorizer
//! that has the token and the facts of the call, and has not run yet; it runs once. The weekday is
//! worked out from the time, by division.

use std::time::Duration;

use biscuit_auth::builder::{Fact, Term, fact, int, string};
use biscuit_auth::{Authorizer, AuthorizerBuilder, AuthorizerLimits, KeyPair};

use crate::check::grant::{
    Call, ENCODINGS, EXPIRES, EXTENSIONS, Evaluator, FROM_MINUTE, Grant, MAX_HEAD, MAX_SIZE,
    OFFSET_SECONDS, OPERATIONS, PATHS, READ_TEXT, TO_MINUTE, TOOLS,
};

pub struct Biscuit {
    grant: Grant,
    token: biscuit_auth::Biscuit,
    /// The policy, parsed.
    authorizer: AuthorizerBuilder,
}

impl Evaluator for Biscuit {
    type Request = Authorizer;

    const NAME: &'static str = "biscuit";
    const USES_UP: bool = true;

    fn new(grant: Grant) -> Self {
        let root = KeyPair::new();
        let block = biscuit_auth::Biscuit::builder().code(checks(grant)).expect("checks");
        let token = block.build(&root).expect("a token");
        let bytes = token.to_vec().expect("its bytes");
        Self {
            grant,
            token: biscuit_auth::Biscuit::from(bytes, root.public()).expect("verified"),
            authorizer: policy(),
        }
    }

    fn request(&self, call: &Call) -> Authorizer {
        let authorizer = with_facts(self.authorizer.clone(), self.grant, call);
        authorizer.build(&self.token).expect("an authorizer")
    }

    fn permits(&mut self, authorizer: &mut Authorizer) -> bool {
        authorizer.authorize().is_ok()
    }
}

/// Whatever the checks of the token let pass.
pub fn policy() -> AuthorizerBuilder {
    // By default an authorizer has a millisecond, which a preempted thread exceeds.
    let limits = AuthorizerLimits { max_time: Duration::from_secs(60), ..Default::default() };
    AuthorizerBuilder::new().policy("allow if true").expect("a policy").set_limits(limits)
}

pub fn with_facts(authorizer: AuthorizerBuilder, grant: Grant, call: &Call) -> AuthorizerBuilder {
    let one = |name: &str, value: Term| -> Fact { fact(name, &[value]) };
    let mut facts = Vec::with_capacity(8);
    facts.push(one("tool", string(call.tool)));
    facts.push(one("operation", string(call.operation)));
    facts.push(one("path", string(call.path)));
    facts.push(one("extension", string(call.extension())));
    facts.push(one("size", int(call.size)));
    facts.push(one("now", int(call.now)));
    if grant == Grant::SixConstraints {
        facts.push(one("encoding", string(call.encoding)));
        facts.push(one("head", int(call.head)));
    }
    let add = |builder: AuthorizerBuilder, fact| builder.fact(fact).expect("a fact");
    facts.into_iter().fold(authorizer, add)
}

pub fn checks(grant: Grant) -> String {
    let set = |values: &[&str]| format!("{values:?}").replace('[', "{").replace(']', "}");
    let (tools, operations) = (set(&TOOLS), set(&OPERATIONS));
    let (extensions, encodings) = (set(&EXTENSIONS), set(&ENCODINGS));
    let paths = PATHS.map(|path| format!("$p.starts_with(\"{path}/\")")).join(" || ");
    let mut code = format!(
        "check if tool($t), {tools}.contains($t);
         check if operation($o), {operations}.contains($o);
         check if extension($e), {extensions}.contains($e);
         check if size($s), $s <= {MAX_SIZE};
         check if now($n), $n < {EXPIRES};
         check if path($p), {paths};"
    );
    if grant == Grant::SixConstraints {
        let day = format!("($n + {OFFSET_SECONDS}) / 86400");
        let minute = format!("(($n + {OFFSET_SECONDS}) - {day} * 86400) / 60");
        // Monday is 0: the epoch began on a Thursday.
        let weekday = format!("({day} + 3) - ({day} + 3) / 7 * 7");
        code += &format!(
            "check if now($n), {weekday} < 5, {minute} >= {FROM_MINUTE}, {minute} < {TO_MINUTE};
             check if tool($t), encoding($c), head($h),
                 $t != {READ_TEXT:?} || ({encodings}.contains($c) && $h >= 1 && $h <= {MAX_HEAD});"
        );
    }
    code
}
