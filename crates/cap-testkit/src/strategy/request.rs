//! Requests.

use cap_core::{
    AbsPath, AccessRequest, Beneath, DenyCode, Kind, Mapping, Operation, Operations, PathRequest,
    Physical, Reach, Resource, ToolRequest,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

use super::{argument, command_request, url_request};

/// A request of any kind.
pub fn access_request() -> impl Strategy<Value = AccessRequest> {
    let resource = prop_oneof![
        2 => command_request().prop_map(Resource::Command),
        1 => select(&["prompts/get", "prompts/list", "tasks/get", "*"][..])
            .prop_map(|method| Resource::Method(method.to_owned())),
        5 => path_request().prop_map(Resource::Path),
        3 => tool_request().prop_map(Resource::Tool),
        3 => url_request().prop_map(Resource::Url),
    ];
    (resource, few_operations()).prop_map(|(resource, operations)| match (resource, operations) {
        // As callers ask for them, save for the odd one.
        (resource @ (Resource::Tool(_) | Resource::Method(_)), (_, false)) => {
            AccessRequest::new(resource, Operations::CALL)
        }
        (resource, (operations, _)) => AccessRequest::new(resource, operations),
    })
}

fn few_operations() -> impl Strategy<Value = (Operations, bool)> {
    let set = |operations: Vec<Operation>| operations.into_iter().collect();
    let operations = prop_oneof![
        8 => select(&Operation::ALL[..]).prop_map(|one| Operations::NONE.with(one)),
        4 => subsequence(Operation::ALL.to_vec(), 2).prop_map(set),
        1 => Just(Operations::NONE),
        1 => Just(Operations::ALL),
    ];
    (operations, proptest::bool::weighted(0.1))
}

/// A path over a small alphabet.
pub fn path() -> impl Strategy<Value = AbsPath> {
    let name = select(&["", "", ".txt", ".md", ".exe", ".a.txt", "."][..]);
    (vec(select(&["a", "b", "c", "d", "ab"][..]), 0..=4), name).prop_map(|(segments, extension)| {
        AbsPath::parse(&format!("/{}{extension}", segments.join("/"))).unwrap()
    })
}

/// A request for a path, with what a file system says of it.
pub fn path_request() -> impl Strategy<Value = PathRequest> {
    (path(), any::<bool>(), proptest::option::of(0_u64..200)).prop_flat_map(|(path, deep, size)| {
        let reach = if deep { Reach::Subtree } else { Reach::Object };
        let plain = PathRequest { reach, size, ..PathRequest::lexical(path) };
        physical(&plain.path).prop_map(move |physical| PathRequest { physical, ..plain.clone() })
    })
}

fn physical(path: &AbsPath) -> impl Strategy<Value = Physical> + use<> {
    let roots: Vec<_> = folders_above(path).into_iter().map(|root| beneath(root, path)).collect();
    prop_oneof![
        9 => Just(Physical::Unknown),
        9 => roots.prop_map(|roots| Physical::Resolved(roots.into_iter().flatten().collect())),
        1 => select(&[DenyCode::StateProtected, DenyCode::PathUnresolved][..])
            .prop_map(Physical::Refused),
    ]
}

/// The path itself and every folder above it.
fn folders_above(path: &AbsPath) -> Vec<AbsPath> {
    let mut folders = vec![AbsPath::parse("/").unwrap()];
    for segment in path.segments() {
        folders.push(folders.last().unwrap().join(segment).unwrap());
    }
    folders
}

/// Mostly where it seems to be; else elsewhere, nowhere, or not asked for.
fn beneath(root: AbsPath, named: &AbsPath) -> impl Strategy<Value = Option<Beneath>> + use<> {
    let real = prop_oneof![
        8 => Just(Ok(named.clone())),
        2 => path().prop_map(Ok),
        1 => select(&[DenyCode::PathEscapes, DenyCode::PathUnresolved][..]).prop_map(Err),
    ];
    (real, 0_u64..200, proptest::bool::weighted(0.9)).prop_map(move |(real, size, asked)| {
        asked.then(|| Beneath { root: root.clone(), real, size })
    })
}

/// A call of a tool.
pub fn tool_request() -> impl Strategy<Value = ToolRequest> {
    let name =
        select(&["fs/read", "fs/read", "fs/write", "fs/list", "web/fetch", "web/search"][..]);
    (name, arguments(), mapping()).prop_map(|(name, arguments, mapping)| ToolRequest {
        name: name.parse().unwrap(),
        arguments,
        mapping,
    })
}

fn mapping() -> impl Strategy<Value = Mapping> {
    let kinds = subsequence(vec![Kind::Command, Kind::Path, Kind::Path, Kind::Url], 0..=3);
    let unlisted_argument = proptest::option::weighted(0.1, Just("p".to_owned()));
    prop_oneof![
        1 => Just(Mapping::Unlisted),
        7 => (kinds, unlisted_argument).prop_map(|(kinds, unlisted_argument)| Mapping::Listed {
            kinds: kinds.into_iter().collect(),
            unlisted_argument,
        }),
    ]
}

fn arguments() -> impl Strategy<Value = Map<String, Value>> {
    let rounded = select(vec![json!(9_007_199_254_740_993_i64), json!(u64::MAX)]);
    let value = prop_oneof![20 => argument::value(), 1 => rounded];
    let name = select(&["p", "p", "q", "r", "s", "*"][..]);
    vec((name, value), 0..=3).prop_map(|members| {
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    })
}
