//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use cap_core::{CapabilityId, Principal, ResourceType};
use cap_crypto::KeyId;
use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Puts a capability guard in front of an MCP server, and works with capabilities.
#[derive(Debug, Parser)]
#[command(name = "mcp-guard", version, propagate_version = true)]
pub(crate) struct Cli {
    /// Where capabilities, keys and the audit log live [default: $XDG_STATE_HOME/mcp-guard]
    #[arg(long, global = true, value_name = "DIR", env = "MCP_GUARD_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run an MCP server behind the guard: the command that a client's configuration starts
    Run(Run),
    /// See the guard at work against a file server that confines nothing
    Demo,
    /// Grant a root capability
    Grant(Grant),
    /// Delegate a capability: the result is never wider than its parent
    Delegate(Delegate),
    /// List capabilities
    List(List),
    /// Show a capability, by its id or from its token
    Inspect(Inspect),
    /// Revoke a capability, everything of a principal, a token, an issuer or a key
    Revoke(Revoke),
    /// The keys that sign capability tokens
    Keys {
        #[command(subcommand)]
        command: Keys,
    },
    /// Say whether calls would be allowed, and if not, why; charges nothing
    Check(Check),
    /// Read and verify the audit log
    Audit {
        #[command(subcommand)]
        command: Audit,
    },
    /// The file server of the demo
    #[command(hide = true)]
    DemoServer { root: PathBuf },
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The policy; without one everything is refused
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// The server's command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) server: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct Grant {
    /// Who will hold it
    #[arg(long)]
    pub(crate) principal: Principal,
    /// any, command, method, path, tool or url
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) resource_type: ResourceType,
    /// A path, `server/tool`, URL, program or method, as the type wants
    #[arg(long)]
    pub(crate) resource: String,
    /// call, delete, execute, list, read, write; or `*`
    #[arg(long, value_delimiter = ',', required = true, value_name = "OPERATION")]
    pub(crate) operations: Vec<String>,
    #[command(flatten)]
    pub(crate) terms: Terms,
}

#[derive(Debug, Args)]
pub(crate) struct Delegate {
    /// The capability to delegate
    pub(crate) parent: CapabilityId,
    /// Who will hold the new one
    #[arg(long)]
    pub(crate) principal: Principal,
    /// Another type; nothing that the parent does not permit comes with it
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) resource_type: Option<ResourceType>,
    /// A narrower resource
    #[arg(long)]
    pub(crate) resource: Option<String>,
    /// Fewer operations
    #[arg(long, value_delimiter = ',', value_name = "OPERATION")]
    pub(crate) operations: Option<Vec<String>>,
    /// When more is asked for than the parent has: refuse, or narrow and say what was cut
    #[arg(long, value_enum, default_value_t = Mode::Strict)]
    pub(crate) mode: Mode,
    #[command(flatten)]
    pub(crate) terms: Terms,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Mode {
    Strict,
    Intersect,
}

/// What grants and delegations have in common.
#[derive(Debug, Args)]
pub(crate) struct Terms {
    /// Constraints as JSON, such as '{"allowed_extensions":["txt"]}'
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub(crate) constraints: String,
    /// How long it lives, such as 90s, 30m, 8h or 7d; for ever, when it is not given
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) expires_in: Option<chrono::TimeDelta>,
    /// Also make a token that carries it, for this long, at most 24h
    #[arg(long, value_name = "DURATION", value_parser = token_lifetime)]
    pub(crate) token: Option<chrono::TimeDelta>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only what this principal holds
    #[arg(long)]
    pub(crate) principal: Option<Principal>,
    /// Also what is revoked or over
    #[arg(long)]
    pub(crate) all: bool,
    /// Print JSON, one capability a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The id of a capability, or a token (`-`: read it from the standard input)
    pub(crate) what: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    pub(crate) what: Revoked,
    /// The capability comes from another issuer, and need not be known here
    #[arg(long, requires = "id")]
    pub(crate) foreign: bool,
    /// Why, for the record
    #[arg(long, default_value = "revoked in the shell")]
    pub(crate) reason: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Exactly one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Revoked {
    /// The capability, with all that descends from it
    pub(crate) id: Option<CapabilityId>,
    /// Everything that this principal holds now, with all that descends from it
    #[arg(long)]
    pub(crate) principal: Option<Principal>,
    /// One token, itself or by its `jti`; one of a chain with all that was derived from it
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// Every token and chain of this issuer
    #[arg(long, value_name = "ISS")]
    pub(crate) issuer: Option<String>,
    /// Every token that this key has signed, and every chain that it holds
    #[arg(long, value_name = "KID")]
    pub(crate) key: Option<KeyId>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Every key: pending, active, retiring, retired or compromised
    List {
        /// Print JSON, one key a line
        #[arg(long)]
        json: bool,
    },
    /// The public keys as a JWK set, for whoever validates tokens elsewhere
    Jwks,
    /// Sign with another key from now on; what the old one signed stays good until it ends
    Rotate {
        /// Print JSON, one key a line
        #[arg(long)]
        json: bool,
    },
    /// Somebody else may have this key: nothing that it signed is good any more
    Compromised {
        /// Its name, as `keys list` has it
        key: KeyId,
        /// Print JSON, one key a line
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The policy, for the server's name and its tool table
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,
    /// The capability to rule under; else what the policy's session would be granted
    #[arg(long, value_name = "ID")]
    pub(crate) capability: Option<CapabilityId>,
    /// The tool to call
    #[arg(required_unless_present = "requests", conflicts_with = "requests")]
    pub(crate) tool: Option<String>,
    /// Its arguments, as JSON
    #[arg(default_value = "{}")]
    pub(crate) arguments: String,
    /// A file of calls, one JSON object with `tool` and `arguments` a line (`-`: standard input)
    #[arg(long, value_name = "FILE")]
    pub(crate) requests: Option<PathBuf>,
    /// The instant to rule at, such as 2026-11-21T12:00:00Z
    #[arg(long, value_name = "INSTANT")]
    pub(crate) now: Option<DateTime<Utc>>,
    /// Print JSON, one decision a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// The last records of all logs
    Tail {
        /// How many
        #[arg(short = 'n', long, default_value_t = 20)]
        lines: usize,
        /// Print the lines as they are
        #[arg(long)]
        json: bool,
    },
    /// All records of one call, by the trace id of its answer
    Show {
        /// The trace id
        trace: String,
        /// Print the lines as they are
        #[arg(long)]
        json: bool,
    },
    /// Verify every log: chain, signatures, and that none is missing or cut
    Verify {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Refused here, so that nothing is granted whose token cannot be made.
fn token_lifetime(text: &str) -> Result<chrono::TimeDelta, String> {
    let lifetime = duration(text)?;
    match lifetime.to_std() {
        Ok(lifetime) if lifetime > cap_token::MAX_TTL => {
            Err("a token lives for at most 24h".to_owned())
        }
        _ => Ok(lifetime),
    }
}

/// `90s`, `30m`, `8h`, `7d`.
fn duration(text: &str) -> Result<chrono::TimeDelta, String> {
    let wanted = || format!("`{}` is no duration: write 90s, 30m, 8h or 7d", text.escape_debug());
    let unit = text.chars().last().ok_or_else(wanted)?;
    let number = text.strip_suffix(unit).ok_or_else(wanted)?;
    let number: u32 = number.parse().map_err(|_| wanted())?;
    let number = i64::from(number);
    let duration = match unit {
        's' => chrono::TimeDelta::try_seconds(number),
        'm' => chrono::TimeDelta::try_minutes(number),
        'h' => chrono::TimeDelta::try_hours(number),
        'd' => chrono::TimeDelta::try_days(number),
        _ => None,
    };
    duration.filter(|duration| *duration > chrono::TimeDelta::zero()).ok_or_else(wanted)
}
