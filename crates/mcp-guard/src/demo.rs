//! `mcp-guard demo`: an agent, a file server that confines nothing, and the guard between them.

mod agent;
mod stage;

use std::process::ExitCode;
use std::time::Duration;

use self::agent::{Agent, Answer};
use self::stage::{LIMIT, Stage};
use crate::clock::now;
use crate::failure::{During, Failure};
use cap_audit::{LogState, verify};
use cap_core::{
    Attenuation, Constraints, Delegation, Operation, Operations, Principal, ResourceType, RootGrant,
};
use cap_kernel::Target;

/// Pairs of calls, one with and one without the guard, that the added latency is taken from.
const PAIRS: usize = 400;

/// Plays the story; fails when any step has another outcome than the one expected.
pub(crate) fn demo() -> Result<ExitCode, Failure> {
    let stage = Stage::set()?;
    let mut story = Story { steps: 0, unexpected: 0 };
    let mut bare = Agent::start(&mut stage.server()?)?;
    without_the_guard(&mut story, &mut bare, &stage)?;

    let mut guarded = Agent::start(&mut stage.guarded()?)?;
    with_the_guard(&mut story, &mut guarded, &stage)?;
    delegation_and_limit(&mut story, &mut guarded, &stage)?;
    let added = revocation(&mut story, &mut guarded, &mut bare, &stage)?;
    story.that("the guard ends cleanly when its client is gone", guarded.stop()?, "");
    bare.stop()?;
    audit(&mut story, &stage)?;

    let Story { steps, unexpected } = story;
    println!("\n{steps} steps, {unexpected} unexpected");
    println!("added latency per call: p50 {:.0?}, p99 {:.0?} ({PAIRS} pairs)", added.0, added.1);
    println!("the audit log lies in {}", stage.home.logs().display());
    Ok(if unexpected == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn without_the_guard(story: &mut Story, agent: &mut Agent, stage: &Stage) -> Result<(), Failure> {
    println!("Without the guard, the server does whatever it is asked:");
    for (what, tool, arguments) in stage.attacks() {
        let answer = agent.call(tool, &arguments, None)?;
        story.done(what, &answer);
    }
    stage.undo()
}

fn with_the_guard(story: &mut Story, agent: &mut Agent, stage: &Stage) -> Result<(), Failure> {
    println!(
        "\nBehind the guard, under a capability to read and list `files`, {LIMIT} calls in all:"
    );
    let shown = agent.tools()?;
    let expected = ["read_file", "list_directory"];
    story.that(
        "the agent is shown the tools that it could use",
        shown == expected,
        &shown.join(", "),
    );
    story.done("read files/report.txt", &agent.call("read_file", &stage.report(), None)?);
    let codes = [
        "path-outside",
        "path-escapes",
        "operation-not-allowed",
        "tool-not-allowed",
        "state-protected",
    ];
    for ((what, tool, arguments), code) in stage.attacks().into_iter().zip(codes) {
        let answer = agent.call(tool, &arguments, None)?;
        story.refused(what, &answer, code);
    }
    Ok(())
}

fn delegation_and_limit(
    story: &mut Story,
    agent: &mut Agent,
    stage: &Stage,
) -> Result<(), Failure> {
    println!("\nThe agent's capability is delegated to a sub-agent, for `files/public` only:");
    let log = stage.home.shell_log()?;
    let parent = stage.session_grant()?;
    let (child, _) = stage
        .home
        .kernel
        .delegate(parent, narrower(principal("sub-agent")?, &stage.public()), &log, now())
        .during("the delegation")?;
    let evidence = stage.home.kernel.evidence(&child);
    let evidence = Some(evidence.as_str());
    log.close(now()).during("the audit log")?;

    story.done(
        "the sub-agent reads files/public/notes.txt",
        &agent.call("read_file", &stage.notes(), evidence)?,
    );
    let beyond = agent.call("read_file", &stage.report(), evidence)?;
    story.refused("the sub-agent reads files/report.txt", &beyond, "path-outside");

    let mut calls = 2;
    let over = loop {
        match agent.call("read_file", &stage.report(), None)? {
            Answer::Done(_) if calls < LIMIT => calls += 1,
            answer => break answer,
        }
    };
    let what = format!("the agent's {} call", ordinal(calls + 1));
    story.refused(&what, &over, "limit-rate");
    story.that("the sub-agent's call was one of them", calls == LIMIT, &format!("{calls} calls"));
    let spent = agent.call("read_file", &stage.notes(), evidence)?;
    story.refused("the sub-agent has spent from the same limit", &spent, "limit-rate");
    Ok(())
}

fn revocation(
    story: &mut Story,
    agent: &mut Agent,
    bare: &mut Agent,
    stage: &Stage,
) -> Result<(Duration, Duration), Failure> {
    println!("\nAnother capability is granted and delegated in the shell, then revoked there:");
    let kernel = &stage.home.kernel;
    let log = stage.home.shell_log()?;
    let grant = RootGrant {
        principal: principal("reviewer")?,
        resource_type: ResourceType::Path,
        resource: stage.files(),
        operations: reading(),
        constraints: Constraints::default(),
        expires_at: None,
    };
    let root = kernel.grant(grant, None, &log, now()).during("the grant")?;
    let (child, _) = kernel
        .delegate(root.id(), narrower(principal("intern")?, &stage.public()), &log, now())
        .during("the delegation")?;
    let (reviewer, intern) = (kernel.evidence(&root), kernel.evidence(&child));
    story.done("the reviewer reads", &agent.call("read_file", &stage.report(), Some(&reviewer))?);
    story.done("the intern reads", &agent.call("read_file", &stage.notes(), Some(&intern))?);
    let added = added_latency(agent, bare, stage, &reviewer)?;

    kernel.revoke(Target::Capability(root.id()), "the demo", &log, now()).during("revoking")?;
    log.close(now()).during("the audit log")?;
    println!("  -- the reviewer's capability is revoked --");
    let next = agent.call("read_file", &stage.report(), Some(&reviewer))?;
    story.refused("the reviewer's very next call", &next, "capability-revoked");
    let below = agent.call("read_file", &stage.notes(), Some(&intern))?;
    story.refused("the intern's, whose capability descends from it", &below, "capability-revoked");
    Ok(added)
}

/// The median and the 99th percentile of what a call takes more with the guard than without.
fn added_latency(
    guarded: &mut Agent,
    bare: &mut Agent,
    stage: &Stage,
    evidence: &str,
) -> Result<(Duration, Duration), Failure> {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        with.push(guarded.time("read_file", &stage.report(), Some(evidence))?.1);
        without.push(bare.time("read_file", &stage.report(), None)?.1);
    }
    with.sort();
    without.sort();
    let added = |percent: usize| {
        let at = PAIRS.saturating_mul(percent) / 100;
        let both = with.get(at).zip(without.get(at));
        both.map_or(Duration::ZERO, |(with, without)| with.saturating_sub(*without))
    };
    Ok((added(50), added(99)))
}

fn audit(story: &mut Story, stage: &Stage) -> Result<(), Failure> {
    println!("\nThe audit log:");
    let keys = stage.home.log_keys()?.verify_keys();
    let registry = stage.home.registry();
    let report = verify(&stage.home.logs(), &*registry, &keys).during("verifying")?;
    let records: u64 = report.logs.iter().map(|log| log.records).sum();
    story.that("it verifies", report.is_intact(), &format!("{records} records"));

    let guards = report.logs.iter().find(|log| log.state == LogState::Closed);
    let folder = guards.map(|log| log.folder.clone()).unwrap_or_default();
    let (copy, record) = stage.copy_with_one_byte_changed(&folder)?;
    let report = verify(&copy, &*registry, &keys).during("verifying the copy")?;
    let found = report.faults().next().map(|(log, fault)| format!("{}: {fault}", log.folder));
    let found = found.unwrap_or_default();
    let named = found.contains(&format!("record {record} "));
    story.that("a copy with one byte changed does not", named, &found);
    Ok(())
}

fn narrower(principal: Principal, folder: &str) -> Delegation {
    Delegation {
        principal,
        resource_type: None,
        resource: Some(folder.to_owned()),
        operations: Some(Operations::NONE.with(Operation::Read)),
        constraints: Constraints::default(),
        expires_at: None,
        attenuation: Attenuation::Strict,
    }
}

fn principal(name: &str) -> Result<Principal, Failure> {
    name.parse().during("the principal")
}

fn reading() -> Operations {
    Operations::NONE.with(Operation::Read).with(Operation::List)
}

fn ordinal(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (1, n) if n != 11 => "st",
        (2, n) if n != 12 => "nd",
        (3, n) if n != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// What has been told, and whether it went as expected.
struct Story {
    steps: usize,
    unexpected: usize,
}

impl Story {
    fn done(&mut self, what: &str, answer: &Answer) {
        let (good, outcome) = match answer {
            Answer::Done(text) => (true, format!("done: {}", shortened(text))),
            Answer::Failed(text) => (false, format!("failed: {}", shortened(text))),
            Answer::Refused { code, .. } => (false, format!("refused, {code}")),
        };
        self.tell(good, what, &outcome);
    }

    fn refused(&mut self, what: &str, answer: &Answer, expected: &str) {
        let (good, outcome) = match answer {
            Answer::Refused { code, sentence } => {
                let said = sentence.split(" (code: ").next().unwrap_or_default();
                (code == expected, format!("refused, {code}: {}", shortened(said)))
            }
            Answer::Done(text) | Answer::Failed(text) => {
                (false, format!("NOT REFUSED: {}", shortened(text)))
            }
        };
        self.tell(good, what, &outcome);
    }

    fn that(&mut self, what: &str, holds: bool, detail: &str) {
        let outcome = match (holds, detail) {
            (true, "") => "yes".to_owned(),
            (true, detail) => format!("yes: {detail}"),
            (false, detail) => format!("NO: {detail}"),
        };
        self.tell(holds, what, &outcome);
    }

    fn tell(&mut self, good: bool, what: &str, outcome: &str) {
        self.steps = self.steps.saturating_add(1);
        if !good {
            self.unexpected = self.unexpected.saturating_add(1);
        }
        println!("  {} {what:<46} {outcome}", if good { "✓" } else { "✗" });
    }
}

fn shortened(text: &str) -> String {
    const SHOWN: usize = 110;
    let text = text.trim().replace('\n', " ");
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
