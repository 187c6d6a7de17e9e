//! The commands of the shell.

mod audit;
mod capabilities;
mod check;
mod keys;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

pub(crate) use audit::audit;
pub(crate) use capabilities::{delegate, grant, inspect, list, revoke};
pub(crate) use check::check;
pub(crate) use keys::keys;

use crate::failure::{During, Failure};

/// The file server of the demo, over the standard streams.
pub(crate) fn demo_server(root: &Path) -> Result<ExitCode, Failure> {
    crate::demo_server::serve(root, io::stdin().lock(), io::stdout().lock())
        .during("the demo server")?;
    Ok(ExitCode::SUCCESS)
}

/// Prints a line; who no longer reads is no error.
fn print(line: impl std::fmt::Display) -> Result<(), Failure> {
    match writeln!(io::stdout().lock(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("the standard output: {error}")))
        }
        _ => Ok(()),
    }
}
