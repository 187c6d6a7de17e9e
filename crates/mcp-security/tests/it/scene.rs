use std::ops::Deref;

use mcp_security::prelude::*;
use tempfile::TempDir;

/// A facade and where it lives.
pub(crate) struct Scene {
    security: Security,
    _folder: Option<TempDir>,
}

impl Deref for Scene {
    type Target = Security;

    fn deref(&self) -> &Security {
        &self.security
    }
}

impl Scene {
    pub(crate) fn with(mut self, change: impl FnOnce(Security) -> Security) -> Self {
        self.security = change(self.security);
        self
    }
}

/// One in memory, one in a folder.
pub(crate) fn both() -> [Scene; 2] {
    let folder = tempfile::tempdir().unwrap();
    let security = Security::open(folder.path().join("state")).unwrap();
    [
        Scene { security: Security::in_memory().unwrap(), _folder: None },
        Scene { security, _folder: Some(folder) },
    ]
}

/// To read `resource`.
pub(crate) fn path_grant(principal: &str, resource: &str) -> RootGrant {
    RootGrant {
        principal: principal.parse().unwrap(),
        resource_type: ResourceType::Path,
        resource: resource.into(),
        operations: Operations::NONE.with(Operation::Read),
        constraints: Constraints::default(),
        expires_at: None,
    }
}

pub(crate) fn limited(principal: &str, max: u64) -> RootGrant {
    let mut grant = path_grant(principal, "/srv");
    // A period that no test outlives.
    grant.constraints.rate_limit = Some(RateLimit::new(max, 366 * 24 * 3600));
    grant
}

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

pub(crate) fn read(path: &str) -> AccessRequest {
    let path = PathRequest::lexical(AbsPath::parse(path).unwrap());
    AccessRequest::new(Resource::Path(path), Operations::NONE.with(Operation::Read))
}

/// The code of a denial; `None` for a permit.
pub(crate) fn read_with(security: &Security, evidence: &Evidence, path: &str) -> Option<DenyCode> {
    let validation = security.validate_capability(evidence, &[read(path)], ());
    validation.denial().map(Denial::code)
}
