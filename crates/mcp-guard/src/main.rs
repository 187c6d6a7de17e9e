//! `mcp-guard`: see the library of the same name.

use std::process::ExitCode;

fn main() -> ExitCode {
    mcp_guard::main()
}
