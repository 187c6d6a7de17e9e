//! The policy file: which server, what its tools touch, and what a session may do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cap_core::{AbsPath, Constraints, Operations, Principal, ResourceType, RootGrant};
use cap_mcp::{ToolTable, builtin_table};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use crate::failure::Failure;

/// A policy, as it is read from TOML. Unknown members are refused.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    version: u8,
    /// The server's name: its tools are `<server>/<tool>`.
    server: String,
    /// The folder that the server resolves relative paths against.
    base: Option<AbsPath>,
    /// A shipped tool table.
    tool_table: Option<String>,
    /// Tools beside the shipped ones, or in their place.
    #[serde(default)]
    table: ToolTable,
    /// What a session may do when no other evidence is presented; nothing, where it is missing.
    session: Option<Session>,
    #[serde(default)]
    environment: Environment,
    #[serde(default)]
    explain: Explain,
}

/// The session grant.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Session {
    principal: Principal,
    resource_type: ResourceType,
    resource: String,
    operations: Operations,
    /// Seconds until it ends; none: it ends with the session.
    lifetime_seconds: Option<u32>,
    #[serde(default)]
    constraints: Constraints,
}

/// What of the guard's environment the server gets.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Environment {
    /// Names to pass on, beside [`PASSED`].
    #[serde(default)]
    pass: Vec<String>,
    /// Variables to set.
    #[serde(default)]
    set: BTreeMap<String, String>,
}

/// How much a refusal says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Explain {
    /// The code, and a sentence that names the constraint and what would pass.
    #[default]
    Full,
    /// The code and its meaning alone.
    Code,
}

/// What a server gets of the environment in any case.
const PASSED: [&str; 9] =
    ["HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "TERM", "TMPDIR", "TZ", "USER"];

impl Policy {
    /// Reads a policy file. The error says the line and the column.
    pub(crate) fn load(file: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            Failure::new(format!("the policy {} cannot be read: {error}", file.display()))
        })?;
        Self::parse(&text)
            .map_err(|error| Failure::new(format!("the policy {}: {error}", file.display())))
    }

    /// Reads a policy.
    ///
    /// # Errors
    /// A text that says what is wrong, with line and column where the file is.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_POLICY_BYTES {
            return Err("it is larger than 1 MiB".into());
        }
        let policy: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        if policy.version != 1 {
            return Err(format!(
                "`version = {}` is not known; this program reads version 1",
                policy.version
            ));
        }
        check_server(&policy.server)?;
        policy.builtin()?;
        if let Some(session) = &policy.session {
            session.check()?;
        }
        policy.environment.check()?;
        Ok(policy)
    }

    /// The server's name.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// How much a refusal says.
    pub(crate) const fn explain(&self) -> Explain {
        self.explain
    }

    /// The tool table: the shipped one, with the policy's own tools over it; relative paths are
    /// resolved against `base`, else against the folder that the guard was started in.
    pub(crate) fn tools(&self, working_folder: &Path) -> Result<ToolTable, Failure> {
        let builtin = self.builtin().map_err(Failure::new)?;
        let table = builtin.overridden_by(self.table.clone());
        if table.base().is_some() && self.base.is_none() {
            return Ok(table);
        }
        let base = match &self.base {
            Some(base) => base.clone(),
            None => working_folder
                .to_str()
                .and_then(|folder| AbsPath::parse(folder).ok())
                .ok_or_else(|| Failure::new("the working folder is no path that can be ruled on; set `base` in the policy"))?,
        };
        Ok(table.with_base(base))
    }

    fn builtin(&self) -> Result<ToolTable, String> {
        let Some(name) = &self.tool_table else { return Ok(ToolTable::default()) };
        let text = builtin_table(name).ok_or_else(|| {
            let known = cap_mcp::BUILTIN_TABLES.map(|(name, _)| name).join(", ");
            format!("`tool_table = \"{}\"` is not shipped; known are {known}", name.escape_debug())
        })?;
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// What the session grant is at `now`; none, where the policy grants nothing.
    #[must_use]
    pub fn session(&self, now: DateTime<Utc>) -> Option<RootGrant> {
        let session = self.session.as_ref()?;
        let lifetime = session.lifetime_seconds.map(|seconds| TimeDelta::seconds(seconds.into()));
        Some(RootGrant {
            principal: session.principal.clone(),
            resource_type: session.resource_type,
            resource: session.resource.clone(),
            operations: session.operations,
            constraints: session.constraints.clone(),
            expires_at: lifetime.and_then(|lifetime| now.checked_add_signed(lifetime)),
        })
    }

    /// The environment of the server: what is passed and set, and nothing of the guard's own.
    pub(crate) fn environment(
        &self,
        inherited: impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
    ) -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
        let passed = |name: &str| {
            PASSED.contains(&name) || self.environment.pass.iter().any(|pass| pass == name)
        };
        let own = |name: &str| name.starts_with(OWN_PREFIX);
        let set = self.environment.set.iter().map(|(name, value)| (name.into(), value.into()));
        inherited
            .filter(|(name, _)| name.to_str().is_some_and(|name| passed(name) && !own(name)))
            .chain(set)
            .collect()
    }
}

/// A name that can stand before the slash of a tool's name, and name the folder of a log.
fn check_server(name: &str) -> Result<(), String> {
    let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let begins_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if begins_well && name.len() <= 64 && name.bytes().all(may_stand) {
        return Ok(());
    }
    Err("`server` is a name of 1 to 64 letters, digits, hyphens, underscores and dots, which \
         begins with a letter or digit"
        .into())
}

const MAX_POLICY_BYTES: usize = 1024 * 1024;
/// SECURITY: the guard's own variables, `MCP_GUARD_TOKEN` first, never reach the server.
const OWN_PREFIX: &str = "MCP_GUARD_";

impl Session {
    fn check(&self) -> Result<(), String> {
        let now = DateTime::UNIX_EPOCH;
        let id = cap_core::CapabilityId::new([0; 10], now);
        let grant = RootGrant {
            principal: self.principal.clone(),
            resource_type: self.resource_type,
            resource: self.resource.clone(),
            operations: self.operations,
            constraints: Constraints { expires_at: None, ..self.constraints.clone() },
            expires_at: None,
        };
        cap_core::Capability::grant(id, grant, now)
            .map_err(|error| format!("`[session]`: {error}"))?;
        if self.lifetime_seconds == Some(0) {
            return Err("`lifetime_seconds = 0`: the session grant would end at once".into());
        }
        Ok(())
    }
}

impl Environment {
    fn check(&self) -> Result<(), String> {
        let bad = |name: &&String| {
            name.is_empty() || name.contains(['=', '\0']) || name.starts_with(OWN_PREFIX)
        };
        match self.set.keys().find(bad) {
            Some(name) => Err(format!("`[environment]` cannot set `{}`", name.escape_debug())),
            None if self.set.values().any(|value| value.contains('\0')) => {
                Err("`[environment]` cannot set a value with a NUL".into())
            }
            None => Ok(()),
        }
    }
}

/// The absolute path of a policy file, for its protection.
pub(crate) fn absolute(file: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(file)
        .map_err(|error| Failure::new(format!("the policy {}: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_policy_is_read_and_grants_something() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/policies");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let read = files.map(|file| {
            let policy = Policy::load(&file).unwrap_or_else(|failure| panic!("{failure}"));
            assert!(policy.session(DateTime::UNIX_EPOCH).is_some(), "{}", file.display());
            assert!(policy.tools(Path::new("/srv")).is_ok(), "{}", file.display());
        });
        assert_eq!(read.count(), 6);
    }

    #[test]
    fn an_error_says_the_line_and_the_column() {
        let text = "version = 1\nserver = \"fs\"\n[session]\nprincipal = 7\n";
        let error = Policy::parse(text).unwrap_err();
        assert!(error.contains("line 4, column 13"), "{error}");
        let unknown = Policy::parse("version = 1\nserver = \"fs\"\nallow = true\n").unwrap_err();
        assert!(unknown.contains("line 3") && unknown.contains("allow"), "{unknown}");
    }

    #[test]
    fn the_guards_own_variables_are_never_passed_nor_set() {
        let text =
            "version = 1\nserver = \"fs\"\n[environment]\npass = [\"MCP_GUARD_TOKEN\", \"A\"]\n";
        let policy = Policy::parse(text).unwrap();
        let inherited = [("MCP_GUARD_TOKEN", "secret"), ("A", "a"), ("B", "b"), ("PATH", "/bin")];
        let inherited = inherited.map(|(name, value)| (name.into(), value.into()));
        let passed = policy.environment(inherited.into_iter());
        assert_eq!(passed, [("A".into(), "a".into()), ("PATH".into(), "/bin".into())]);
        let set =
            "version = 1\nserver = \"fs\"\n[environment]\nset = { MCP_GUARD_TOKEN = \"x\" }\n";
        assert!(Policy::parse(set).is_err());
    }

    #[test]
    fn a_server_is_named_so_that_its_log_can_be() {
        for name in ["", "a/b", "..", "naïve", "a b"] {
            let text = format!("version = 1\nserver = {name:?}\n");
            assert!(Policy::parse(&text).is_err(), "{name}");
        }
    }
}
