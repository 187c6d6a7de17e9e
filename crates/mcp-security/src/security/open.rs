use std::io;
use std::path::Path;
use std::sync::Arc;

use cap_audit::{AuditLog, Durability, Keys, LogRegistry, MemoryRegistry};
use cap_core::Registry;
use cap_crypto::{KeyringError, MacKeyring, OsRandom, Purpose, SigningKeyring};
use cap_kernel::{Kernel, MemoryStore, StateStore, StoreError, Tokens};
#[cfg(feature = "store")]
use cap_kernel::{RevokeError, Target};

use super::{Issuing, Security};
use crate::clock::system;

/// The node of the logs that this facade writes.
const NODE: &str = "library";

/// `iss` and `aud` of the tokens of a state, as `mcp-guard` has them.
const LOCAL_ISSUER: &str = "mcp-guard:local";

/// Why there is no [`Security`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The state could not be opened.
    #[cfg(feature = "store")]
    #[error(transparent)]
    Open(#[from] cap_store::OpenError),
    /// The state could not be read.
    #[error(transparent)]
    State(#[from] StoreError),
    /// The keys could not be opened or made.
    #[error(transparent)]
    Keys(#[from] KeyringError),
    /// The log could not be created.
    #[error(transparent)]
    Log(#[from] cap_audit::OpenError),
    /// The logs of processes that were killed could not be looked for.
    #[error(transparent)]
    Recover(#[from] cap_audit::RecoverError),
    /// The session of a process that was killed could not be revoked.
    #[cfg(feature = "store")]
    #[error("the session of a process that was killed could not be revoked")]
    Session(#[from] RevokeError),
    /// There is no temporary folder for the log.
    #[error("there is no temporary folder for the log")]
    Temporary(#[source] io::Error),
}

impl Security {
    /// State and keys in memory, the log in a temporary folder: all is gone when it is dropped.
    /// For tests, and for a server that owns its state alone and may lose it.
    ///
    /// # Errors
    /// When the log or the keys cannot be made.
    pub fn in_memory() -> Result<Self, OpenError> {
        let temporary = tempfile::tempdir().map_err(OpenError::Temporary)?;
        let macs = MacKeyring::ephemeral(Purpose::CapabilityMac, &OsRandom)?;
        let keys = Keys {
            mac: Arc::new(MacKeyring::ephemeral(Purpose::AuditMac, &OsRandom)?),
            signer: Arc::new(SigningKeyring::ephemeral(Purpose::AuditSign, &OsRandom)?),
        };
        let tokens = SigningKeyring::ephemeral(Purpose::TokenSign, &OsRandom)?;
        let store = Arc::new(MemoryStore::default());
        let registry = Arc::new(MemoryRegistry::default());
        let logs = temporary.path().to_owned();
        let mut opened = Self::assemble(store, macs, tokens, &logs, keys, registry)?;
        opened._temporary = Some(temporary);
        Ok(opened)
    }

    /// The state in `folder`: `state.db`, `keys/`, `audit/`, as `mcp-guard` has them, so that its
    /// state folder can be given. All is made on first use, for its owner alone. Any number of
    /// programs may have one folder open.
    ///
    /// What programs have left that were killed is ended: their sessions are revoked, their logs
    /// are closed with a record.
    ///
    /// # Errors
    /// When the folder is open to other users, damaged, or cannot be read or written.
    #[cfg(feature = "store")]
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, OpenError> {
        let folder = folder.as_ref();
        let store = Arc::new(cap_store::SqliteStore::open(folder)?);
        let keys = folder.join("keys");
        let mac = |purpose| MacKeyring::open_or_create(&keys, purpose, &OsRandom, system());
        let signer = |purpose| SigningKeyring::open_or_create(&keys, purpose, &OsRandom, system());
        let log_keys = Keys {
            mac: Arc::new(mac(Purpose::AuditMac)?),
            signer: Arc::new(signer(Purpose::AuditSign)?),
        };
        let (macs, tokens) = (mac(Purpose::CapabilityMac)?, signer(Purpose::TokenSign)?);
        let logs = folder.join("audit");
        let opened = Self::assemble(store.clone(), macs, tokens, &logs, log_keys, store)?;
        opened.clean_up()?;
        Ok(opened)
    }

    /// The same, to which `registry` says what custom constraints mean. Without it, every request
    /// under a capability that has one is denied.
    #[must_use]
    pub fn with_constraints(self, registry: Registry) -> Self {
        self.kernel.register_constraints(registry);
        self
    }

    fn assemble(
        store: Arc<dyn StateStore>,
        macs: MacKeyring,
        tokens: SigningKeyring,
        logs: &Path,
        keys: Keys,
        registry: Arc<dyn LogRegistry>,
    ) -> Result<Self, OpenError> {
        let tokens = Tokens::of(LOCAL_ISSUER, tokens);
        let kernel = Kernel::open(store, macs, Some(tokens), Arc::new(OsRandom))?;
        let log =
            AuditLog::create(logs, NODE, keys.clone(), Arc::clone(&registry), &OsRandom, system())?;
        Ok(Self {
            kernel,
            log,
            logs: logs.to_owned(),
            keys,
            registry,
            durability: Durability::Written,
            clock: system,
            issuing: Issuing::default(),
            chains: None,
            _temporary: None,
        })
    }

    #[cfg(feature = "store")]
    fn clean_up(&self) -> Result<(), OpenError> {
        for session in self.kernel.store().abandoned_sessions(system())? {
            self.revoke(Target::Session(session), "the owner of the session is gone")?;
            self.kernel.store().close_session(session)?;
        }
        // A log that cannot be recovered stays as it is; `audit_stats` names it.
        cap_audit::recover_abandoned(&self.logs, &self.keys, &self.registry, system())?;
        Ok(())
    }
}
