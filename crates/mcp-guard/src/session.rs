//! The session of a running guard: its log, its grant, its lease.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cap_audit::{Durability, Kind, Record};
use cap_core::Evidence;
use cap_fs::Protected;
use cap_kernel::{KeyChange, SessionId, Target};
use chrono::TimeDelta;
use parking_lot::Mutex;

use crate::clock::now;
use crate::enforce::Guard;
use crate::failure::{During, Failure};
use crate::home::Home;
use crate::pending::Requests;
use crate::policy::{self, Explain, Policy};

/// A session that is not renewed for this long is over, whatever became of its guard.
const LEASE: TimeDelta = TimeDelta::seconds(60);
/// How often a session is renewed.
const RENEWAL: Duration = Duration::from_secs(15);
/// How often the log is signed and its head registered, when there is something new.
const TICK: Duration = Duration::from_secs(1);

/// An open session. It ends with [`Session::close`]; where that never comes, with its lease.
pub(crate) struct Session {
    id: SessionId,
    pub(crate) guard: Arc<Guard>,
    over: Arc<Mutex<bool>>,
}

/// The environment variable with the evidence of the process.
const TOKEN: &str = "MCP_GUARD_TOKEN";

impl Session {
    /// Opens a session: cleans up after guards that were killed, creates the log, makes the
    /// policy's session grant.
    pub(crate) fn open(home: &Home, policy_file: Option<&Path>) -> Result<Self, Failure> {
        let policy = policy_file.map(Policy::load).transpose()?;
        let server = policy.as_ref().map_or(NO_POLICY, Policy::server).to_owned();
        let folder = std::env::current_dir().during("the working folder")?;
        let tools = policy.as_ref().map(|policy| policy.tools(&folder)).transpose()?;
        let protected = Protected::new([home.folder()]).during("the state folder")?;
        let files = policy_file.map(policy::absolute).transpose()?;
        let log = home.create_log(&server)?;
        home.clean_up(&log)?;
        let mut guard = Guard {
            kernel: Arc::clone(&home.kernel),
            keys: home.log_keys()?,
            log,
            server,
            tools: tools.unwrap_or_default(),
            explain: policy.as_ref().map_or(Explain::Full, Policy::explain),
            protected: protected.with_files(files),
            evidence: token_of(std::env::var_os(TOKEN))?,
            grant: None,
            pending: Mutex::new(Requests::default()),
            asked: Mutex::default(),
        };
        let id = home.kernel.new_id(now()).during("the session")?;
        let until = now().checked_add_signed(LEASE).unwrap_or_default();
        home.kernel.store().open_session(id, until).during("the session")?;
        if let Some(grant) = policy.as_ref().and_then(|policy| policy.session(now())) {
            let capability = home.kernel.grant(grant, Some(id), &guard.log, now());
            guard.grant = Some(capability.during("the session grant of the policy")?.id());
        }
        let session = Self { id, guard: Arc::new(guard), over: Arc::default() };
        session.keep_alive();
        Ok(session)
    }

    /// Renews the lease and signs the log until the session is over.
    fn keep_alive(&self) {
        let (id, guard, over) = (self.id, Arc::clone(&self.guard), Arc::clone(&self.over));
        std::thread::spawn(move || {
            let (mut since, mut told) = (Duration::ZERO, false);
            loop {
                std::thread::sleep(TICK);
                // Held while it works: the log is not closed under a change that is to be recorded.
                let over = over.lock();
                if *over {
                    break;
                }
                since = since.saturating_add(TICK);
                // A failure here ends in denials: of a log that is not signed, of a lease that ends.
                let _ = guard.log.checkpoint(now());
                let _ = guard.log.register_head(now());
                if since >= RENEWAL {
                    since = Duration::ZERO;
                    let until = now().checked_add_signed(LEASE).unwrap_or_default();
                    let _ = guard.kernel.store().renew_session(id, until);
                    // What could not be done now is due the next time, too.
                    let due = guard.kernel.change_keys(&KeyChange::Due, &guard.log, now());
                    if let (Err(error), false) = (due, std::mem::replace(&mut told, true)) {
                        eprintln!("mcp-guard: the keys for tokens cannot be changed: {error}");
                    }
                }
            }
        });
    }

    /// Ends the session: its capabilities are revoked, its log is closed.
    pub(crate) fn close(self, why: &str) -> Result<(), Failure> {
        *self.over.lock() = true;
        self.guard.unanswered(now());
        let kernel = &self.guard.kernel;
        let revoked = kernel.revoke(Target::Session(self.id), why, &self.guard.log, now());
        let closed = kernel.store().close_session(self.id);
        let ended = self.guard.log.close(now());
        revoked.during("revoking the session's capabilities")?;
        closed.during("closing the session")?;
        ended.during("closing the audit log")
    }

    /// Records what became of the server.
    pub(crate) fn note(&self, what: &str) {
        let trace = self.guard.kernel.trace().unwrap_or_default();
        let record =
            Record::new(Kind::Session, &trace, now()).server(&self.guard.server).reason(what);
        let _ = self.guard.log.append(record, Durability::Written);
    }
}

/// The name of the server where there is no policy, and everything is refused.
const NO_POLICY: &str = "no-policy";

/// SECURITY: evidence that is present and no text is not the same as none.
fn token_of(value: Option<OsString>) -> Result<Option<Evidence>, Failure> {
    match value.map(OsString::into_string) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(Evidence::from_text(&text))),
        Some(Err(_)) => Err(Failure::new(format!("{TOKEN} is no text; unset it or set a token"))),
    }
}
