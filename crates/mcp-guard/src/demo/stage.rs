//! The folders of the demo, its policy, and what the agent tries.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use cap_core::CapabilityId;
use serde_json::{Value, json};

use crate::clock::now;
use crate::failure::{During, Failure};
use crate::home::Home;

/// Calls that the agent's capability permits, its sub-agents' included.
pub(super) const LIMIT: usize = 8;

/// ```text
/// <folder>/secret.txt
/// <folder>/files/report.txt            granted, with everything below
/// <folder>/files/public/notes.txt      delegated
/// <folder>/files/shortcut -> ../secret.txt
/// <folder>/files/.guard/…              the guard's state: keys, log
/// <folder>/policy.toml
/// ```
pub(super) struct Stage {
    folder: PathBuf,
    pub(super) home: Home,
}

impl Stage {
    pub(super) fn set() -> Result<Self, Failure> {
        let nanos = now().timestamp_nanos_opt().unwrap_or_default();
        let name = format!("mcp-guard-demo-{}-{nanos}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let what = format!("the demo's folder {}", folder.display());
        DirBuilder::new().mode(0o700).create(&folder).during(&what)?;
        let files = folder.join("files");
        fs::create_dir_all(files.join("public")).during(&what)?;
        fs::write(folder.join("secret.txt"), "the launch code is 0000\n").during(&what)?;
        fs::write(files.join("report.txt"), "all is well\n").during(&what)?;
        fs::write(files.join("public/notes.txt"), "nothing new\n").during(&what)?;
        symlink("../secret.txt", files.join("shortcut")).during(&what)?;
        let home = Home::open(Some(&files.join(".guard")))?;
        let stage = Self { folder, home };
        fs::write(stage.policy(), stage.policy_text()).during(&what)?;
        Ok(stage)
    }

    /// The bundled file server alone.
    pub(super) fn server(&self) -> Result<Command, Failure> {
        let mut command = Command::new(this_program()?);
        command.arg("demo-server").arg(self.folder.join("files"));
        Ok(command)
    }

    /// The same behind the guard: the one line that a client's configuration changes.
    pub(super) fn guarded(&self) -> Result<Command, Failure> {
        let mut command = Command::new(this_program()?);
        command.arg("run").arg("--policy").arg(self.policy());
        command.arg("--state-dir").arg(self.home.folder()).arg("--");
        command.arg(this_program()?).arg("demo-server").arg(self.folder.join("files"));
        Ok(command)
    }

    /// What the agent should not be able to do: what it is, the tool, its arguments.
    pub(super) fn attacks(&self) -> [(&'static str, &'static str, Value); 5] {
        let key = self.home.folder().join("keys/capability-mac.json");
        let moved = json!({ "source": "report.txt", "destination": "gone.txt" });
        [
            ("read files/../secret.txt", "read_file", json!({ "path": "../secret.txt" })),
            ("read files/shortcut, a link to it", "read_file", json!({ "path": "shortcut" })),
            ("write files/new.txt", "write_file", json!({ "path": "new.txt", "content": "hi" })),
            ("move files/report.txt away", "move_file", moved),
            ("read the guard's own key", "read_file", json!({ "path": key.display().to_string() })),
        ]
    }

    /// What the attacks have changed, put back.
    pub(super) fn undo(&self) -> Result<(), Failure> {
        let files = self.folder.join("files");
        fs::rename(files.join("gone.txt"), files.join("report.txt")).during("the demo's files")?;
        fs::remove_file(files.join("new.txt")).during("the demo's files")
    }

    pub(super) fn report(&self) -> Value {
        json!({ "path": "report.txt" })
    }

    pub(super) fn notes(&self) -> Value {
        json!({ "path": "public/notes.txt" })
    }

    pub(super) fn files(&self) -> String {
        self.folder.join("files").display().to_string()
    }

    pub(super) fn public(&self) -> String {
        self.folder.join("files/public").display().to_string()
    }

    /// The capability that the policy grants to the running session.
    pub(super) fn session_grant(&self) -> Result<CapabilityId, Failure> {
        let all = self.home.kernel.list(now()).during("the capabilities")?;
        let grant = all.iter().find(|standing| standing.session.is_some());
        let grant = grant.ok_or_else(|| Failure::new("the guard has no session grant"))?;
        Ok(grant.capability.id())
    }

    /// A copy of all logs in which one byte of one record is another: the copy, and the record.
    pub(super) fn copy_with_one_byte_changed(
        &self,
        log: &str,
    ) -> Result<(PathBuf, usize), Failure> {
        let what = "the copy of the audit log";
        let copy = self.folder.join("copy");
        copy_folder(&self.home.logs(), &copy).during(what)?;
        let file = copy.join(log).join("log.jsonl");
        let mut bytes = fs::read(&file).during(what)?;
        let record = bytes.iter().filter(|byte| **byte == b'\n').count() / 2;
        // The decision of a record in the middle: `deny` becomes `denx`, or some other letter.
        let mut newlines = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let start = newlines.nth(record.saturating_sub(1)).map_or(0, |(at, _)| at + 1);
        let changed =
            bytes.get_mut(start + 200).ok_or_else(|| Failure::new("the log is too short"))?;
        *changed = if *changed == b'x' { b'y' } else { b'x' };
        fs::write(&file, bytes).during(what)?;
        Ok((copy, record))
    }

    fn policy(&self) -> PathBuf {
        self.folder.join("policy.toml")
    }

    fn policy_text(&self) -> String {
        let files = self.files();
        format!(
            r#"version = 1
server = "demo"
tool_table = "demo"
base = {files:?}

[session]
principal = "agent"
resource_type = "path"
resource = {files:?}
operations = ["read", "list"]

[session.constraints]
allowed_tools = ["demo/read_file", "demo/list_directory", "demo/write_file"]
rate_limit = {{ max = {LIMIT}, per_seconds = 31622400 }}
"#
        )
    }
}

fn this_program() -> Result<PathBuf, Failure> {
    std::env::current_exe().during("the path of this program")
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
