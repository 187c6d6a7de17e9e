use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use serde_json::{Map, Value};

use crate::{AbsPath, DenyCode, Kind, Kinds, Operations, ToolName, UrlTarget};

/// One thing that a call asks for. A call is permitted when one capability permits every request
/// that it makes.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessRequest {
    /// What it is about.
    pub resource: Resource,
    /// What is to be done with it: all of these must be permitted.
    pub operations: Operations,
}

impl AccessRequest {
    /// The request to do `operations` with `resource`.
    #[must_use]
    pub const fn new(resource: Resource, operations: Operations) -> Self {
        Self { resource, operations }
    }

    /// What kind of resource it is about.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self.resource {
            Resource::Command(_) => Kind::Command,
            Resource::Method(_) => Kind::Method,
            Resource::Path(_) => Kind::Path,
            Resource::Tool(_) => Kind::Tool,
            Resource::Url(_) => Kind::Url,
        }
    }
}

/// What a request is about, parsed once.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Resource {
    /// A program to run.
    Command(CommandRequest),
    /// A protocol method other than a tool call.
    Method(String),
    /// A path.
    Path(PathRequest),
    /// A tool.
    Tool(ToolRequest),
    /// A URL.
    Url(UrlRequest),
}

/// The tool itself, and how its arguments were understood.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolRequest {
    /// Which tool.
    pub name: ToolName,
    /// Its arguments, free of duplicate members.
    pub arguments: Map<String, Value>,
    /// What the tool table says of it.
    pub mapping: Mapping,
}

/// What the tool table says of a tool and of the arguments of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// The table does not list the tool.
    Unlisted,
    /// The table lists it.
    Listed {
        /// The kinds of resources that its arguments name, as the table has it.
        kinds: Kinds,
        /// An argument of this call that the table does not list.
        unlisted_argument: Option<String>,
    },
}

/// A path that a call names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRequest {
    /// The path, resolved lexically.
    pub path: AbsPath,
    /// The absolute path as the server will read it, before lexical resolution.
    pub raw: String,
    /// Whether the call reaches what lies below it, too.
    pub reach: Reach,
    /// Bytes that the call would write, where that is known.
    pub size: Option<u64>,
    /// What a file system says of it.
    pub physical: Physical,
}

impl PathRequest {
    /// The request for one object at `path`, of which only the text is known.
    #[must_use]
    pub fn lexical(path: AbsPath) -> Self {
        let raw = path.as_str().into();
        Self { path, raw, reach: Reach::Object, size: None, physical: Physical::Unknown }
    }
}

/// How far a call reaches from the path that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The object itself, or the names in it.
    Object,
    /// Everything below it.
    Subtree,
}

/// What a file system says of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Physical {
    /// Nobody asked: the decision is lexical. Right where the file system is not ours to see.
    Unknown,
    /// It was resolved beneath each of these roots. A pattern whose root is not among them
    /// permits nothing.
    Resolved(Vec<Beneath>),
    /// It could not be looked at safely, or belongs to the guard's own state.
    Refused(DenyCode),
}

/// How a path resolves beneath one root, links followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beneath {
    /// The root.
    pub root: AbsPath,
    /// Where it leads, as a path that begins with `root`; or why it leads nowhere.
    pub real: Result<AbsPath, DenyCode>,
    /// Bytes of the file that is there; 0 where there is none.
    pub size: u64,
}

/// A URL that a call names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlRequest {
    /// The URL.
    pub url: UrlTarget,
    /// The HTTP method, where it is known (RFC 9110 §9.1).
    pub method: Option<String>,
    /// Where the connection may go.
    pub addresses: Addresses,
}

impl UrlRequest {
    /// The request for `url`, of which only the text is known.
    #[must_use]
    pub const fn lexical(url: UrlTarget) -> Self {
        Self { url, method: None, addresses: Addresses::Unknown }
    }
}

/// What a resolver says of a host.
///
/// SECURITY: resolve once, have these ruled on, and connect to one of these: a second look-up may
/// answer otherwise (DNS rebinding). A redirect is another request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// Nobody asked: only a host that is an address itself is judged.
    Unknown,
    /// All addresses that the connection may go to.
    Resolved(Vec<IpAddr>),
}

/// A program that a call would run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRequest {
    /// The program, as the call names it.
    pub program: String,
    /// Its arguments, one by one; never a shell line.
    pub arguments: Vec<String>,
    /// The names of the environment variables that the call sets.
    pub environment: Vec<String>,
}
