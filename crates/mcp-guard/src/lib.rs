#![doc = include_str!("../README.md")]

mod cli;
mod clock;
mod commands;
mod demo;
mod demo_server;
mod enforce;
mod failure;
mod home;
mod look;
mod pending;
pub mod policy;
mod refuse;
mod relay;
mod run;
mod server;
mod session;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

/// Does what the command line says, and answers with the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let home = cli.state_dir.as_deref();
    let done = match &cli.command {
        Command::Run(run) => run::run(run, home),
        Command::Demo => demo::demo(),
        Command::Grant(grant) => commands::grant(grant, home),
        Command::Delegate(delegate) => commands::delegate(delegate, home),
        Command::List(list) => commands::list(list, home),
        Command::Inspect(inspect) => commands::inspect(inspect, home),
        Command::Revoke(revoke) => commands::revoke(revoke, home),
        Command::Keys { command } => commands::keys(command, home),
        Command::Check(check) => commands::check(check, home),
        Command::Audit { command } => commands::audit(command, home),
        Command::DemoServer { root } => commands::demo_server(root),
    };
    done.unwrap_or_else(|failure| {
        eprintln!("mcp-guard: {failure}");
        ExitCode::from(EXIT_FAILED)
    })
}

/// What a command ends with when it could not do its work.
const EXIT_FAILED: u8 = 2;
