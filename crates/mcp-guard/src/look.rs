//! What the file system says of the paths that a call names.

use std::path::Path;

use cap_core::{
    AbsPath, AccessRequest, Beneath, DenyCode, Operation, Operations, PathRequest, Physical, Reach,
    Resource,
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
    let mut moves_a_folder = false;
    for request in requests.iter_mut() {
        let destroys = request.operations.contains(Operation::Delete);
        if let Resource::Path(path) = &mut request.resource {
            let reach = if destroys { Reach::Subtree } else { path.reach };
            let (physical, is_folder) = physical(path, reach, &roots, protected);
            path.physical = physical;
            moves_a_folder |= destroys && is_folder;
        }
    }
    // SECURITY: what is below a folder goes where the folder goes, whatever its own names are.
    let reaches = Operations::NONE.with(Operation::Delete).with(Operation::Write);
    for request in requests.iter_mut().filter(|_| moves_a_folder) {
        if let Resource::Path(path) = &mut request.resource
            && !request.operations.intersection(reaches).is_empty()
        {
            path.reach = Reach::Subtree;
        }
    }
}

fn physical(
    path: &PathRequest,
    reach: Reach,
    roots: &impl Fn(&AbsPath) -> Vec<AbsPath>,
    protected: &Protected,
) -> (Physical, bool) {
    let reach = match reach {
        Reach::Object => cap_fs::Reach::Object,
        Reach::Subtree => cap_fs::Reach::Subtree,
    };
    let mut found = None;
    let mut beneath = Vec::new();
    for root in roots(&path.path) {
        let (answer, object) = look_beneath(root, path);
        beneath.push(answer);
        found = found.or(object);
    }
    // SECURITY: asked for every path, whatever the authority and whatever the granted folder. What
    // was found beneath a folder is what the path leads to; else it is followed wherever it leads.
    let found = match found.map_or_else(|| cap_fs::follow(Path::new(&path.raw)), Ok) {
        Ok(found) => found,
        Err(error) => return (Physical::Refused(code_of(&error)), false),
    };
    let physical = match protected.touches(&found, reach) {
        Ok(false) => Physical::Resolved(beneath),
        Ok(true) => Physical::Refused(DenyCode::StateProtected),
        Err(error) => Physical::Refused(code_of(&error)),
    };
    (physical, found.kind() == cap_fs::Kind::Directory)
}

fn look_beneath(root: AbsPath, path: &PathRequest) -> (Beneath, Option<Resolved>) {
    let found = cap_fs::witness(
        Path::new(root.as_str()),
        Path::new(path.path.as_str()),
        Path::new(&path.raw),
    );
    match found {
        Ok(found) => {
            let (real, size) = (real_of(&root, &found), found.size());
            (Beneath { root, real, size }, Some(found))
        }
        Err(error) => (Beneath { root, real: Err(code_of(&error)), size: 0 }, None),
    }
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
