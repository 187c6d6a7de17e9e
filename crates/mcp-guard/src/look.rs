//! What the file system says of the paths that a call names.

use std::path::Path;

use cap_core::{
    AbsPath, AccessRequest, Beneath, DenyCode, Operation, PathRequest, Physical, Reach, Resource,
};
use cap_fs::{Protected, ResolveError, Resolved};

/// Looks at the paths of `requests`, beneath each of the folders that `roots` names for a path,
/// without opening anything.
///
/// SECURITY: a server that opens by itself may still find another object there a moment later;
/// only a confined server cannot.
pub(crate) fn look(
    requests: &mut [AccessRequest],
    roots: impl Fn(&AbsPath) -> Vec<AbsPath>,
    protected: &Protected,
) {
    for request in requests {
        let destroys = request.operations.contains(Operation::Delete);
        if let Resource::Path(path) = &mut request.resource {
            let reach = if destroys { Reach::Subtree } else { path.reach };
            path.physical = physical(path, reach, &roots, protected);
        }
    }
}

fn physical(
    path: &PathRequest,
    reach: Reach,
    roots: &impl Fn(&AbsPath) -> Vec<AbsPath>,
    protected: &Protected,
) -> Physical {
    let reach = match reach {
        Reach::Object => cap_fs::Reach::Object,
        Reach::Subtree => cap_fs::Reach::Subtree,
    };
    // SECURITY: asked for every path, whatever the authority and whatever the granted folder.
    match cap_fs::follow(Path::new(&path.raw)) {
        Ok(found) => match protected.touches(&found, reach) {
            Ok(false) => {}
            Ok(true) => return Physical::Refused(DenyCode::StateProtected),
            Err(error) => return Physical::Refused(code_of(&error)),
        },
        Err(error) => return Physical::Refused(code_of(&error)),
    }
    let roots = roots(&path.path);
    Physical::Resolved(roots.into_iter().map(|root| beneath(root, path)).collect())
}

fn beneath(root: AbsPath, path: &PathRequest) -> Beneath {
    let found = cap_fs::witness(
        Path::new(root.as_str()),
        Path::new(path.path.as_str()),
        Path::new(&path.raw),
    );
    let (real, size) = match found {
        Ok(found) => (real_of(&root, &found), found.size()),
        Err(error) => (Err(code_of(&error)), 0),
    };
    Beneath { root, real, size }
}

fn real_of(root: &AbsPath, found: &Resolved) -> Result<AbsPath, DenyCode> {
    let relative = found.real().to_str().ok_or(DenyCode::PathUnresolved)?;
    if relative.is_empty() {
        return Ok(root.clone());
    }
    root.join(relative).map_err(|_| DenyCode::PathUnresolved)
}

/// SECURITY: no more than these two, so that a refusal does not say what is there.
const fn code_of(error: &ResolveError) -> DenyCode {
    match error {
        ResolveError::Escapes => DenyCode::PathEscapes,
        _ => DenyCode::PathUnresolved,
    }
}
