//! A matcher over attributes, without policy rules (the ABAC form of its documentation): with a
//! rule for each path prefix the matcher would be evaluated up to three times. Sets are written as
//! comparisons: its `in` makes the list anew at every evaluation, and was slower by half.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use casbin::rhai::Dynamic;
use casbin::{CoreApi, DefaultModel, Enforcer, NullAdapter};

use crate::check::grant::{
    AGENT, Call, ENCODINGS, EXPIRES, EXTENSIONS, Evaluator, FROM_MINUTE, Grant, MAX_HEAD, MAX_SIZE,
    OFFSET_SECONDS, OPERATIONS, PATHS, READ_TEXT, TO_MINUTE, TOOLS,
};

pub struct Casbin {
    grant: Grant,
    enforcer: Enforcer,
    agent: Dynamic,
}

impl Evaluator for Casbin {
    type Request = Vec<Dynamic>;

    const NAME: &'static str = "casbin";

    fn new(grant: Grant) -> Self {
        let model = ready(DefaultModel::from_str(&model(grant))).expect("a model");
        let enforcer = ready(Enforcer::new(model, NullAdapter)).expect("an enforcer");
        Self { grant, enforcer, agent: AGENT.into() }
    }

    fn request(&self, call: &Call) -> Vec<Dynamic> {
        let mut request: Vec<Dynamic> = Vec::with_capacity(9);
        request.push(self.agent.clone());
        request.push(call.tool.into());
        request.push(call.operation.into());
        request.push(call.path.into());
        request.push(call.extension().into());
        request.push(number(call.size));
        request.push(number(call.now));
        if self.grant == Grant::SixConstraints {
            request.push(call.encoding.into());
            request.push(number(call.head));
        }
        request
    }

    fn permits(&mut self, request: &mut Vec<Dynamic>) -> bool {
        // It takes its arguments by value; strings in them are shared.
        self.enforcer.enforce(request.clone()).expect("a verdict")
    }
}

fn model(grant: Grant) -> String {
    let one_of = |field: &str, values: &[&str]| {
        let comparisons: Vec<_> =
            values.iter().map(|one| format!("r.{field} == {one:?}")).collect();
        format!("({})", comparisons.join(" || "))
    };
    let (tools, operations) = (one_of("tool", &TOOLS), one_of("act", &OPERATIONS));
    let extensions = one_of("ext", &EXTENSIONS);
    let paths = PATHS.map(|path| format!("keyMatch(r.path, \"{path}/*\")")).join(" || ");
    let (fields, more) = match grant {
        Grant::Plain => ("", String::new()),
        Grant::SixConstraints => {
            let here = format!("(r.now + {OFFSET_SECONDS})");
            let minute = format!("({here} % 86400 / 60)");
            let encodings = one_of("encoding", &ENCODINGS);
            // Monday is 0: the epoch began on a Thursday.
            let matcher = format!(
                " && ({here} / 86400 + 3) % 7 < 5 \
                 && {minute} >= {FROM_MINUTE} && {minute} < {TO_MINUTE} \
                 && (r.tool != {READ_TEXT:?} || ({encodings} \
                 && r.head >= 1 && r.head <= {MAX_HEAD}))"
            );
            (", encoding, head", matcher)
        }
    };
    format!(
        "[request_definition]
r = sub, tool, act, path, ext, size, now{fields}

[policy_definition]
p = sub

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = r.sub == {AGENT:?} && {tools} && {operations} && {extensions} && r.size <= {MAX_SIZE} && r.now < {EXPIRES} && ({paths}){more}
"
    )
}

/// Its numbers have 32 bits: enough for these sizes, and for instants until 2038.
fn number(value: i64) -> Dynamic {
    i32::try_from(value).expect("32 bits").into()
}

/// Its set-up is asynchronous, for adapters that read files; these do not wait for anything.
fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing here waits"),
    }
}
