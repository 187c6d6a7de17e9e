//! The state folder: what all guards and shells of a user share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_audit::{AuditLog, Keys, LogRegistry};
use cap_crypto::{MacKeyring, OsRandom, Purpose, SigningKeyring};
use cap_kernel::{Kernel, KeyChange, Target, Tokens};
use cap_store::SqliteStore;

use crate::clock::now;
use crate::failure::{During, Failure};

/// The node under which short commands write the log that they share.
const SHELL: &str = "shell";
/// `iss` and `aud` of the tokens that this state makes and takes.
pub(crate) const ISSUER: &str = "mcp-guard:local";

/// An opened state folder: `state.db`, `keys/`, `audit/`, `sessions/`.
pub(crate) struct Home {
    folder: PathBuf,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) kernel: Arc<Kernel>,
}

impl Home {
    /// Opens the folder, `folder` or the default one; makes it and its keys on first use.
    pub(crate) fn open(folder: Option<&Path>) -> Result<Self, Failure> {
        let folder = match folder {
            Some(folder) => folder.to_owned(),
            None => default_folder()?,
        };
        let what = format!("the state folder {}", folder.display());
        let store = Arc::new(SqliteStore::open(&folder).during(&what)?);
        let keys = folder.join("keys");
        let macs = MacKeyring::open_or_create(&keys, Purpose::CapabilityMac, &OsRandom, now())
            .during(&what)?;
        let tokens = SigningKeyring::open_or_create(&keys, Purpose::TokenSign, &OsRandom, now())
            .during(&what)?;
        let tokens = Tokens::of(ISSUER, tokens);
        let kernel = Kernel::open(store.clone(), macs, Some(tokens), Arc::new(OsRandom));
        let kernel = Arc::new(kernel.during(&what)?);
        Ok(Self { folder, store, kernel })
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of all logs.
    pub(crate) fn logs(&self) -> PathBuf {
        self.folder.join("audit")
    }

    /// The keys of the log: one for its chain, one for its signatures.
    pub(crate) fn log_keys(&self) -> Result<Keys, Failure> {
        let keys = self.folder.join("keys");
        let mac = MacKeyring::open_or_create(&keys, Purpose::AuditMac, &OsRandom, now());
        let signer = SigningKeyring::open_or_create(&keys, Purpose::AuditSign, &OsRandom, now());
        let what = format!("the keys in {}", keys.display());
        Ok(Keys { mac: Arc::new(mac.during(&what)?), signer: Arc::new(signer.during(&what)?) })
    }

    /// The registry of logs.
    pub(crate) fn registry(&self) -> Arc<dyn LogRegistry> {
        self.store.clone()
    }

    /// A log of its own for a process that lives long.
    pub(crate) fn create_log(&self, node: &str) -> Result<AuditLog, Failure> {
        AuditLog::create(&self.logs(), node, self.log_keys()?, self.registry(), &OsRandom, now())
            .during("the audit log")
    }

    /// The log that short commands share, one at a time.
    pub(crate) fn shell_log(&self) -> Result<AuditLog, Failure> {
        AuditLog::open_shared(
            &self.logs(),
            SHELL,
            self.log_keys()?,
            self.registry(),
            &OsRandom,
            now(),
        )
        .during("the audit log of the shell")
    }

    /// Ends what a process that was killed has left: its session is revoked, with a record in
    /// `log`, and its log is closed. Also changes the keys that are due.
    pub(crate) fn clean_up(&self, log: &AuditLog) -> Result<(), Failure> {
        let what = "cleaning up after a guard that was killed";
        for session in self.kernel.store().abandoned_sessions(now()).during(what)? {
            let reason = "the owner of the session is gone";
            self.kernel.revoke(Target::Session(session), reason, log, now()).during(what)?;
            self.kernel.store().close_session(session).during(what)?;
        }
        // No reason to revoke nothing, or not to start: what is due stays due.
        if let Err(error) = self.kernel.change_keys(&KeyChange::Due, log, now()) {
            eprintln!("mcp-guard: the keys for tokens cannot be changed: {error}");
        }
        // A log that cannot be recovered stays as it is; `audit verify` names it.
        cap_audit::recover_abandoned(&self.logs(), &self.log_keys()?, &self.registry(), now())
            .during(what)?;
        Ok(())
    }
}

fn default_folder() -> Result<PathBuf, Failure> {
    let absolute =
        |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .ok_or_else(|| {
            Failure::new("neither XDG_STATE_HOME nor HOME is set; name a folder with --state-dir")
        })?;
    Ok(state.join("mcp-guard"))
}
