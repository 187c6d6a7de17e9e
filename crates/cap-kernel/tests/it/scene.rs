//! A state, a log, keys, and short words for what tests do with them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cap_audit::{AuditLog, Body, Durability, Keys, Kind, MemoryRegistry, Reader};
use cap_core::{
    AbsPath, AccessRequest, Attenuation, Capability, CapabilityId, Constraints, Decision,
    Delegation, Denial, DenyCode, Evidence, Limits, Mapping, Operation, Operations, PathRequest,
    RateLimit, Resource, ResourceType, RootGrant, ToolRequest,
};
use cap_crypto::{MacKeyring, OsRandom, Purpose, RandomError, SecureRandom, SigningKeyring};
use cap_kernel::{
    Claim, Context, Kernel, MemoryStore, Permit, Reserved, SessionId, StateStore, Target, Tokens,
    rule,
};
use cap_token::{Issuer, Validator};
use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;

pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "https://guard.example";

pub(crate) struct Scene {
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) log: AuditLog,
    pub(crate) kernel: Kernel,
    pub(crate) tokens: SigningKeyring,
    pub(crate) folder: TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::on(Arc::new(MemoryStore::default()))
    }

    pub(crate) fn on(store: Arc<dyn StateStore>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tokens = SigningKeyring::ephemeral(Purpose::TokenSign, &OsRandom).unwrap();
        let kernel = kernel_on(&store, folder.path(), &tokens).unwrap();
        let log = new_log(&folder);
        Self { store, log, kernel, tokens, folder }
    }

    /// Another process, as it were: the same store, the same keys.
    pub(crate) fn another_kernel(&self) -> Kernel {
        kernel_on(&self.store, self.folder.path(), &self.tokens).unwrap()
    }

    pub(crate) fn grant(&self, grant: RootGrant) -> Arc<Capability> {
        self.kernel.grant(grant, None, &self.log, now()).unwrap()
    }

    pub(crate) fn grant_in(&self, session: SessionId, grant: RootGrant) -> Arc<Capability> {
        self.kernel.grant(grant, Some(session), &self.log, now()).unwrap()
    }

    pub(crate) fn delegate(&self, parent: &Capability, asked: Delegation) -> Arc<Capability> {
        self.kernel.delegate(parent.id(), asked, &self.log, now()).unwrap().0
    }

    pub(crate) fn revoke(&self, target: Target) {
        self.kernel.revoke(target, "told to", &self.log, now()).unwrap();
    }

    pub(crate) fn evidence(&self, capability: &Capability) -> Claim {
        Claim::Evidence(Evidence::from_text(&self.kernel.evidence(capability)))
    }

    pub(crate) fn token(&self, capability: &Capability, ancestors: &[CapabilityId]) -> Claim {
        token_by(&self.tokens, capability, ancestors)
    }

    pub(crate) fn open_session(&self) -> SessionId {
        let session = self.kernel.new_id(now()).unwrap();
        self.store.open_session(session, after(60)).unwrap();
        session
    }

    /// The records of the log, those that only the log writes left out.
    pub(crate) fn records(&self) -> Vec<Body> {
        records(&self.log)
    }
}

pub(crate) fn kernel_on(
    store: &Arc<dyn StateStore>,
    folder: &std::path::Path,
    tokens: &SigningKeyring,
) -> Result<Kernel, cap_kernel::StoreError> {
    let macs =
        MacKeyring::open_or_create(folder, Purpose::CapabilityMac, &OsRandom, now()).unwrap();
    let validator = Validator::new(AUDIENCE).trust(ISSUER, tokens.active_key().clone());
    Kernel::open(Arc::clone(store), macs, Some(Tokens::accepted_by(validator)), Arc::new(OsRandom))
}

pub(crate) fn new_log(folder: &TempDir) -> AuditLog {
    let keys = Keys {
        mac: Arc::new(MacKeyring::ephemeral(Purpose::AuditMac, &OsRandom).unwrap()),
        signer: Arc::new(SigningKeyring::ephemeral(Purpose::AuditSign, &OsRandom).unwrap()),
    };
    let registry = Arc::new(MemoryRegistry::default());
    AuditLog::create(&folder.path().join("audit"), "node", keys, registry, &OsRandom, now())
        .unwrap()
}

pub(crate) fn token_by(
    keys: &SigningKeyring,
    capability: &Capability,
    ancestors: &[CapabilityId],
) -> Claim {
    let text = Issuer::new(ISSUER, AUDIENCE, keys)
        .issue(capability, ancestors, Duration::from_secs(900), &OsRandom, now())
        .unwrap();
    Claim::Evidence(Evidence::Token(text))
}

pub(crate) fn records(log: &AuditLog) -> Vec<Body> {
    let ours = |body: &Body| {
        !matches!(body.kind, Kind::Opened | Kind::Checkpoint | Kind::Recovered | Kind::Closed)
    };
    log.flush().ok();
    Reader::open(&log.path()).unwrap().map(|entry| entry.unwrap().body).filter(ours).collect()
}

pub(crate) fn now() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

pub(crate) fn after(seconds: i64) -> DateTime<Utc> {
    now() + TimeDelta::seconds(seconds)
}

/// To read and list `resource`.
pub(crate) fn path_grant(principal: &str, resource: &str) -> RootGrant {
    RootGrant {
        principal: principal.parse().unwrap(),
        resource_type: ResourceType::Path,
        resource: resource.into(),
        operations: Operations::NONE.with(Operation::Read).with(Operation::List),
        constraints: Constraints::default(),
        expires_at: None,
    }
}

pub(crate) fn limited(mut grant: RootGrant, max: u64) -> RootGrant {
    grant.constraints.rate_limit = Some(per_minute(max));
    grant
}

pub(crate) const fn per_minute(max: u64) -> RateLimit {
    RateLimit::new(max, 60)
}

/// Sets the four limits of `constraints`.
pub(crate) fn set_limits(constraints: &mut Constraints, limits: Limits) {
    let Limits { rate_limit, max_calls, max_bytes, budget } = limits;
    *constraints =
        Constraints { rate_limit, max_calls, max_bytes, budget, ..core::mem::take(constraints) };
}

/// The id of a capability that was never granted.
pub(crate) fn nobody() -> CapabilityId {
    CapabilityId::new([0xff; 10], now())
}

/// All that the parent has, for somebody else.
pub(crate) fn pass_on(principal: &str) -> Delegation {
    Delegation {
        principal: principal.parse().unwrap(),
        resource_type: None,
        resource: None,
        operations: None,
        constraints: Constraints::default(),
        expires_at: None,
        attenuation: Attenuation::Strict,
    }
}

pub(crate) fn pass_on_limited(principal: &str, max: u64) -> Delegation {
    let mut asked = pass_on(principal);
    asked.constraints.rate_limit = Some(per_minute(max));
    asked
}

pub(crate) fn read(path: &str) -> AccessRequest {
    let path = PathRequest::lexical(AbsPath::parse(path).unwrap());
    AccessRequest::new(Resource::Path(path), Operations::NONE.with(Operation::Read))
}

/// To read `path`, of which nobody but the caller says how long it is.
pub(crate) fn read_of(path: &str, size: u64) -> AccessRequest {
    let path = PathRequest { size: Some(size), ..PathRequest::lexical(path.parse().unwrap()) };
    AccessRequest::new(Resource::Path(path), Operations::NONE.with(Operation::Read))
}

/// The call of a tool that the table maps to paths.
pub(crate) fn tool(name: &str) -> AccessRequest {
    let tool = ToolRequest {
        name: name.parse().unwrap(),
        arguments: serde_json::Map::new(),
        mapping: Mapping::Listed {
            kinds: [cap_core::Kind::Path].into_iter().collect(),
            unlisted_argument: None,
        },
    };
    AccessRequest::new(Resource::Tool(tool), Operations::CALL)
}

pub(crate) fn context() -> Context {
    Context { trace: "trace".into(), server: "files".into(), ..Context::default() }
}

/// Verifies, rules and reserves.
pub(crate) fn reserve(
    kernel: &Kernel,
    claim: &Claim,
    requests: &[AccessRequest],
    now: DateTime<Utc>,
) -> (Reserved, cap_audit::Record) {
    let authority = kernel.verify(claim, now);
    let ruling = rule(context(), Ok(requests), authority.as_ref().map_err(Clone::clone), now);
    kernel.reserve(ruling, now)
}

/// What becomes of a call.
pub(crate) fn decide(
    kernel: &Kernel,
    claim: &Claim,
    requests: &[AccessRequest],
    now: DateTime<Utc>,
) -> Decision {
    reserve(kernel, claim, requests, now).0.decision().clone()
}

/// The whole road: also recorded and released.
pub(crate) fn send(
    scene: &Scene,
    claim: &Claim,
    requests: &[AccessRequest],
) -> Result<Permit<&'static str>, Denial> {
    let (reserved, record) = reserve(&scene.kernel, claim, requests, now());
    let receipt = scene.log.append(record, Durability::Written).unwrap();
    reserved.release(receipt, Durability::Written, "message")
}

/// The code of a denial; `None` for an allow.
pub(crate) fn code(decision: &Decision) -> Option<DenyCode> {
    decision.denial().map(Denial::code)
}

/// The code with which a claim is refused; `None` where it is verified.
pub(crate) fn refusal(kernel: &Kernel, claim: &Claim, now: DateTime<Utc>) -> Option<DenyCode> {
    kernel.verify(claim, now).err().map(|denial| denial.code())
}

/// Random bytes that run out.
#[derive(Debug)]
pub(crate) struct Drained(pub(crate) AtomicU64);

impl SecureRandom for Drained {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        let left =
            self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map_err(|_| RandomError)?;
        OsRandom.fill(out)
    }
}
