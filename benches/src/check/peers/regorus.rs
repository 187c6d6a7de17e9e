//! A Rego policy, compiled for the virtual machine of the crate, which is kept and only given the
//! input of each call.

use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::vm::RegoVM;
use regorus::{Engine, Value};
use serde_json::json;

use crate::check::grant::{
    AGENT, Call, ENCODINGS, EXPIRES, EXTENSIONS, Evaluator, FROM_MINUTE, Grant, MAX_HEAD, MAX_SIZE,
    OFFSET_SECONDS, OPERATIONS, PATHS, READ_TEXT, TO_MINUTE, TOOLS,
};

const RULE: &str = "data.check.allow";

pub struct Regorus {
    grant: Grant,
    machine: RegoVM,
}

impl Evaluator for Regorus {
    type Request = Value;

    const NAME: &'static str = "regorus";

    fn new(grant: Grant) -> Self {
        let mut engine = Engine::new();
        engine.add_policy("check.rego".into(), policy(grant)).expect("a policy");
        let compiled = engine.compile_with_entrypoint(&RULE.into()).expect("a compiled policy");
        let program = Compiler::compile_from_policy(&compiled, &[RULE]).expect("a program");
        let mut machine = RegoVM::new();
        machine.load_program(program);
        Self { grant, machine }
    }

    fn request(&self, call: &Call) -> Value {
        let mut input = json!({
            "agent": AGENT,
            "tool": call.tool,
            "operation": call.operation,
            "path": call.path,
            "extension": call.extension(),
            "size": call.size,
            "now": call.now,
        });
        if self.grant == Grant::SixConstraints {
            input["encoding"] = call.encoding.into();
            input["head"] = call.head.into();
        }
        input.into()
    }

    fn permits(&mut self, request: &mut Value) -> bool {
        self.machine.set_input(request.clone());
        self.machine.execute().expect("a verdict") == Value::Bool(true)
    }
}

fn policy(grant: Grant) -> String {
    let set = |values: &[&str]| format!("{values:?}").replace('[', "{").replace(']', "}");
    let (tools, operations) = (set(&TOOLS), set(&OPERATIONS));
    let (extensions, encodings) = (set(&EXTENSIONS), set(&ENCODINGS));
    let paths =
        PATHS.map(|path| format!("within if startswith(input.path, \"{path}/\")")).join("\n");
    let (conditions, rules) = match grant {
        Grant::Plain => (String::new(), String::new()),
        Grant::SixConstraints => (
            format!(
                "here := (input.now + {OFFSET_SECONDS}) * 1000000000
                 not time.weekday(here) in {{\"Saturday\", \"Sunday\"}}
                 clock := time.clock(here)
                 minute := clock[0] * 60 + clock[1]
                 minute >= {FROM_MINUTE}
                 minute < {TO_MINUTE}
                 arguments"
            ),
            format!(
                "arguments if input.tool != {READ_TEXT:?}
                 arguments if {{
                     input.encoding in {encodings}
                     input.head >= 1
                     input.head <= {MAX_HEAD}
                 }}"
            ),
        ),
    };
    format!(
        "package check
         import rego.v1
         default allow := false
         allow if {{
             input.agent == {AGENT:?}
             input.tool in {tools}
             input.operation in {operations}
             input.extension in {extensions}
             input.size <= {MAX_SIZE}
             input.now < {EXPIRES}
             within
             {conditions}
         }}
         {paths}
         {rules}"
    )
}
