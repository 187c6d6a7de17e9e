//! `audit tail`, `audit show`, `audit verify`.

use std::path::Path;
use std::process::ExitCode;

use cap_audit::{Body, Entry, ReadError, Reader, Report, logs, verify};
use serde_json::{Value, json};

use super::print;
use crate::cli;
use crate::failure::{During, Failure};
use crate::home::Home;

pub(crate) fn audit(command: &cli::Audit, home: Option<&Path>) -> Result<ExitCode, Failure> {
    let home = Home::open(home)?;
    match command {
        cli::Audit::Tail { lines, json } => {
            let (records, bad) = records(&home)?;
            let skip = records.len().saturating_sub(*lines);
            show(records.into_iter().skip(skip), *json)?;
            Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        cli::Audit::Show { trace, json } => {
            let (records, bad) = records(&home)?;
            let found: Vec<_> =
                records.into_iter().filter(|(_, entry)| entry.body.trace == *trace).collect();
            if found.is_empty() {
                return Err(Failure::new(format!(
                    "no record has the trace `{}`",
                    trace.escape_debug()
                )));
            }
            show(found, *json)?;
            Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        cli::Audit::Verify { json } => verify_all(&home, *json),
    }
}

/// The records of all logs, in the order of their instants. What cannot be read is said, and does
/// not hide the rest; whether there was anything of that kind.
fn records(home: &Home) -> Result<(Vec<(String, Entry)>, bool), Failure> {
    let (mut all, mut bad) = (Vec::new(), false);
    for log in logs(&home.logs()).during("the audit logs")? {
        let node = log.parent().and_then(Path::file_name).unwrap_or_default();
        let node = node.to_string_lossy().into_owned();
        let reader = Reader::open(&log).during(format!("the audit log {}", log.display()))?;
        for entry in reader {
            match entry {
                Ok(entry) => all.push((node.clone(), entry)),
                Err(error) => {
                    bad = true;
                    eprintln!("mcp-guard: {node}: {error} (see `mcp-guard audit verify`)");
                    if matches!(error, ReadError::Io(_)) {
                        break;
                    }
                }
            }
        }
    }
    all.sort_by_key(|(_, entry)| entry.body.at);
    Ok((all, bad))
}

fn show(records: impl IntoIterator<Item = (String, Entry)>, json: bool) -> Result<(), Failure> {
    for (log, entry) in records {
        if json {
            let body = serde_json::to_value(&entry.body).unwrap_or_default();
            print(json!({ "log": log, "seq": entry.seq, "body": body }))?;
        } else {
            print(line_of(&log, entry.seq, &entry.body))?;
        }
    }
    Ok(())
}

fn line_of(log: &str, seq: u64, body: &Body) -> String {
    let text = |value: &Option<String>| value.as_ref().map(|value| format!(" {value}"));
    let decision = body.decision.map(|decision| format!(" {}", decision.as_str()));
    let parts = [
        decision,
        text(&body.code),
        text(&body.principal),
        text(&body.method),
        text(&body.tool),
        body.capability.as_ref().map(|id| format!(" under {id}")),
        body.reason.as_ref().map(|reason| format!(": {}", reason.escape_debug())),
    ];
    let rest: String = parts.into_iter().flatten().collect();
    let at = body.at.format("%Y-%m-%dT%H:%M:%S%.3fZ");
    format!("{at} {log}#{seq} {} {}{rest}", body.kind.as_str(), body.trace)
}

fn verify_all(home: &Home, json: bool) -> Result<ExitCode, Failure> {
    let keys = home.log_keys()?.verify_keys();
    let report = verify(&home.logs(), &*home.registry(), &keys).during("the audit logs")?;
    if json {
        let mut value = serde_json::to_value(&report).unwrap_or_default();
        if let Value::Object(members) = &mut value {
            members.insert("intact".into(), report.is_intact().into());
        }
        print(value)?;
    } else {
        print_report(&report)?;
    }
    Ok(if report.is_intact() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_report(report: &Report) -> Result<(), Failure> {
    for log in &report.logs {
        let verdict = log.fault.as_ref().map_or("good".to_owned(), |fault| format!("BAD: {fault}"));
        let (records, unsigned) = (log.records, log.unsigned);
        print(format!(
            "{}: {records} records, {unsigned} since the last signature: {verdict}",
            log.folder
        ))?;
    }
    let bad = report.faults().count();
    print(match bad {
        0 => format!("{} logs, all intact", report.logs.len()),
        bad => format!("{} logs, {bad} NOT INTACT", report.logs.len()),
    })
}
