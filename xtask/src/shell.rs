//! Commands that print themselves before they run.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, pipe};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};

use anyhow::{Context, Result, bail};

/// A command, its arguments and what it changes in the environment. Standard input is always closed.
#[derive(Clone, Debug)]
pub struct Cmd {
    program: OsString,
    args: Vec<OsString>,
    envs: Vec<(String, OsString)>,
    dir: PathBuf,
}

impl Cmd {
    pub fn new(program: impl AsRef<OsStr>, dir: &Path) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            envs: Vec::new(),
            dir: dir.to_path_buf(),
        }
    }

    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.envs.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Runs it with our standard output; an error if it cannot run or fails.
    pub fn run(&self) -> Result<()> {
        self.announce();
        let status = self.command().status().with_context(|| self.cannot_run())?;
        self.succeeded(status)
    }

    /// As [`Cmd::run`], without its standard output: ours may be somebody's data.
    pub fn run_quietly(&self) -> Result<()> {
        self.announce();
        let status = self.command().stdout(Stdio::null()).status();
        self.succeeded(status.with_context(|| self.cannot_run())?)
    }

    /// Runs it and returns its standard output; an error if it cannot run or fails.
    pub fn read(&self) -> Result<String> {
        self.announce();
        let output =
            self.command().stderr(Stdio::inherit()).output().with_context(|| self.cannot_run())?;
        self.succeeded(output.status)?;
        String::from_utf8(output.stdout).with_context(|| format!("output of `{}`", self.line()))
    }

    /// Runs it silently; what it printed and how it ended are the caller's to judge.
    pub fn output(&self) -> Result<Output> {
        self.command().output().with_context(|| self.cannot_run())
    }

    /// Runs it, passes each line of both of its outputs on, and shows it to `see`.
    pub fn tee(&self, mut see: impl FnMut(&str)) -> Result<ExitStatus> {
        self.announce();
        // One pipe for both outputs keeps the lines in their order.
        let (reader, writer) = pipe().context("a pipe")?;
        let mut command = self.command();
        command.stdout(writer.try_clone().context("a pipe")?).stderr(writer);
        let mut child = command.spawn().with_context(|| self.cannot_run())?;
        drop(command); // closes our ends of the pipe, so that reading ends with the child
        let mut reader = BufReader::new(reader);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).context("reading the output")? > 0 {
            let line = String::from_utf8_lossy(&bytes);
            let line = line.trim_end_matches(['\n', '\r']);
            println!("{line}");
            see(line);
            bytes.clear();
        }
        child.wait().with_context(|| self.cannot_run())
    }

    /// As one would type it.
    pub fn line(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        for (name, value) in &self.envs {
            words.push(format!("{name}={}", quoted(value)));
        }
        words.push(quoted(&self.program));
        words.extend(self.args.iter().map(|arg| quoted(arg)));
        words.join(" ")
    }

    fn announce(&self) {
        eprintln!("$ {}", self.line());
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).current_dir(&self.dir).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if is_of_the_outer_cargo(&name) {
                command.env_remove(name);
            }
        }
        command.envs(self.envs.iter().map(|(name, value)| (name, value)));
        command
    }

    fn cannot_run(&self) -> String {
        format!("cannot run `{}`", self.line())
    }

    fn succeeded(&self, status: ExitStatus) -> Result<()> {
        if !status.success() {
            bail!("`{}` failed ({status})", self.line());
        }
        Ok(())
    }
}

/// `cargo run` tells us about our own package. Passed on to an inner cargo, build scripts that watch these
/// variables (`ring`'s does) would be built again, depending on who called cargo last.
fn is_of_the_outer_cargo(name: &OsStr) -> bool {
    const ABOUT_OUR_PACKAGE: [&str; 5] = [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_NAME",
        "CARGO_CRATE_NAME",
        "CARGO_PRIMARY_PACKAGE",
    ];
    let name = name.to_string_lossy();
    ABOUT_OUR_PACKAGE.iter().any(|prefix| name.starts_with(prefix))
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@+,%^".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Cmd {
        Cmd::new("sh", Path::new("/")).args(["-c", script])
    }

    #[test]
    fn a_printed_command_can_be_typed_again() {
        let cmd = Cmd::new("cargo", Path::new("/")).args(["test", "--", "it's"]).env("A", "b c");
        assert_eq!(cmd.line(), r"A='b c' cargo test -- 'it'\''s'");
    }

    #[test]
    fn a_failing_command_is_an_error() {
        assert!(sh("exit 0").run().is_ok());
        assert!(sh("exit 3").run().is_err());
        assert!(sh("echo x; exit 3").read().is_err());
        assert!(Cmd::new("no-such-program", Path::new("/")).run().is_err());
    }

    #[test]
    fn both_outputs_are_seen_in_order_and_the_status_is_told() {
        let mut seen = Vec::new();
        let status =
            sh("echo one; echo two >&2; echo three; exit 4").tee(|line| seen.push(line.to_owned()));
        assert_eq!(seen, ["one", "two", "three"]);
        assert_eq!(status.ok().and_then(|status| status.code()), Some(4));
    }

    #[test]
    fn the_outer_package_is_not_passed_on() {
        assert!(is_of_the_outer_cargo(OsStr::new("CARGO_MANIFEST_DIR")));
        assert!(is_of_the_outer_cargo(OsStr::new("CARGO_PKG_NAME")));
        assert!(!is_of_the_outer_cargo(OsStr::new("CARGO_HOME")));
        assert!(!is_of_the_outer_cargo(OsStr::new("CARGO_TARGET_DIR")));
    }
}
